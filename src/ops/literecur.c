/* TFLite's recurrent operators.  A layer that ONNX has too goes its way; one with a projection, normalized gates or a
 * limited state is unrolled here.  States are inputs of the node: in a graph that keeps none they are constants. */
#include <math.h>
#include <string.h>

#include "ops/spell.h"
#include "ops/tflite.h"

#define MOST_STEPS 4096

/* Gates in TFLite's order. */
enum { INPUT, FORGET, CELL, OUTPUT, GATES };

typedef struct layer {
    sgs_value *x; /* [step][batch][element] */
    sgs_value *w[GATES],
        *r[GATES];              /* [units][element], [units][result]; those of the input gate may be NULL: 1 - forget */
    sgs_value *peephole[GATES]; /* of input, forget and output, or NULL */
    sgs_value *bias[GATES], *norm[GATES];                   /* or NULL */
    sgs_value *projection, *projection_bias;                /* or NULL */
    sgs_value *h, *c;                                       /* the states, [batch][result], [batch][units] */
    float cell_clip, projection_clip, hidden_lo, hidden_hi; /* hidden: what the projection takes */
    int64_t act;
    bool reverse;
    int64_t steps, batch, units, result;
} layer;

/* Where a layer's operands lie among the inputs of its node. */
typedef struct places {
    int weights, peepholes, biases, projection, h, c, norms; /* norms -1: none */
} places;

/* ---- small formulas ---- */

static sgs_value *activated(sgs_spell *p, int64_t act, sgs_value *x)
{
    static const float range[][2] = { { -INFINITY, INFINITY }, { 0, INFINITY }, { -1, 1 }, { 0, 6 } };
    if (act == 4)
        return sgs_sp_one(p, &sgs_op_tanh, x, NULL);
    if (act < 0 || act > 4)
        sgs_sp_refuse(p, "expected an activation of NONE, RELU, RELU_N1_TO_1, RELU6 or TANH, found %lld",
                      (long long)act);
    if (p->status != SGS_OK || !act)
        return x;
    return sgs_sp_one(p, &sgs_op_clip, x, &(sgs_act_attr){ range[act][0], range[act][1] });
}

static sgs_value *limited(sgs_spell *p, float clip, sgs_value *x)
{
    return clip > 0 ? sgs_sp_one(p, &sgs_op_clip, x, &(sgs_act_attr){ -clip, clip }) : x;
}

static sgs_value *step_of(sgs_spell *p, sgs_value *x, int64_t step)
{
    return sgs_sp_squeeze(p, sgs_sp_slice(p, x, 0, step, 1, 1), 0);
}

static bool fits(sgs_spell *p, const sgs_value *v, const char *what, int rank, int64_t a, int64_t b)
{
    char found[128], wanted[128];
    const int64_t dim[] = { a, b };
    if (p->status != SGS_OK || !v)
        return false;
    if (v->type == SGS_F32 && v->rank == rank && v->dim[0] == a && (rank < 2 || v->dim[1] == b))
        return true;
    sgs_sp_fail(p, "%s: expected numbers of shape %s, found %s of shape %s", what,
                sgs_dims_text(wanted, sizeof wanted, rank, dim), sgs_type_word(v->type),
                sgs_dims_text(found, sizeof found, v->rank, v->dim));
    return false;
}

/* ---- reading ---- */

/* Time first. */
static sgs_value *sequence(sgs_spell *p, bool time_major)
{
    sgs_value *x = sgs_sp_in(p, 0);
    if (x && x->rank != 3)
        sgs_sp_fail(p, "expected an input of 3 dimensions, found %d", x->rank);
    return p->status == SGS_OK && !time_major ? sgs_sp_transpose(p, x, (const int64_t[]){ 1, 0, 2 }) : x;
}

static bool is_zero(const sgs_value *v)
{
    for (int64_t i = 0; v->constant && i < sgs_value_count(v); i++)
        if (sgs_const_f32(v)[i] != 0)
            return false;
    return v->constant != NULL;
}

static sgs_value *state(sgs_spell *p, int slot, int64_t batch, int64_t size)
{
    sgs_value *v = sgs_sp_in(p, slot);
    fits(p, v, "a state", 2, batch, size);
    return v;
}

static void check_gates(sgs_spell *p, const layer *l)
{
    for (int i = 0; i < GATES && p->status == SGS_OK; i++) {
        if (l->w[i] || i)
            fits(p, l->w[i], "weights of the input", 2, l->units, l->x->dim[2]);
        if (l->r[i] || i)
            fits(p, l->r[i], "weights of the state", 2, l->units, l->result);
        fits(p, l->peephole[i], "peepholes", 1, l->units, 0);
        fits(p, l->bias[i], "a bias", 1, l->units, 0);
        fits(p, l->norm[i], "weights of a normalization", 1, l->units, 0);
    }
    fits(p, l->projection, "the projection", 2, l->result, l->units);
    fits(p, l->projection_bias, "the projection's bias", 1, l->result, 0);
    if (p->status == SGS_OK && (!l->w[INPUT] != !l->r[INPUT]))
        sgs_sp_fail(p, "expected both weights of the input gate or none");
}

static bool read_layer(sgs_spell *p, const places *at, layer *l)
{
    static const int peep[] = { INPUT, FORGET, OUTPUT };
    for (int i = 0; i < GATES; i++) {
        l->w[i] = i ? sgs_sp_in(p, at->weights + i) : sgs_src_opt(p->im, p->s, at->weights);
        l->r[i] = i ? sgs_sp_in(p, at->weights + GATES + i) : sgs_src_opt(p->im, p->s, at->weights + GATES);
        l->bias[i] = sgs_src_opt(p->im, p->s, at->biases + i);
        l->norm[i] = at->norms < 0 ? NULL : sgs_src_opt(p->im, p->s, at->norms + i);
    }
    for (int i = 0; i < 3; i++)
        l->peephole[peep[i]] = sgs_src_opt(p->im, p->s, at->peepholes + i);
    l->projection = sgs_src_opt(p->im, p->s, at->projection);
    l->projection_bias = l->projection ? sgs_src_opt(p->im, p->s, at->projection + 1) : NULL;
    l->cell_clip = sgs_sp_float(p, "cell_clip", 0);
    l->projection_clip = sgs_sp_float(p, "proj_clip", 0);
    l->hidden_lo = sgs_sp_float(p, "hidden_lo", -INFINITY);
    l->hidden_hi = sgs_sp_float(p, "hidden_hi", INFINITY);
    l->act = sgs_sp_int(p, "fused_activation_function", 4);
    if (sgs_sp_int(p, "diagonal_recurrent_tensors", 0))
        sgs_sp_refuse(p, "diagonal weights of the state are not supported");
    if (p->status != SGS_OK)
        return false;
    l->steps = l->x->dim[0];
    l->batch = l->x->dim[1];
    l->units = l->w[FORGET]->rank ? l->w[FORGET]->dim[0] : 0;
    l->result = l->projection && l->projection->rank ? l->projection->dim[0] : l->units;
    if (l->steps < 1 || l->steps > MOST_STEPS)
        sgs_sp_refuse(p, "expected 1 to %d time steps, found %lld", MOST_STEPS, (long long)l->steps);
    check_gates(p, l);
    l->h = state(p, at->h, l->batch, l->result);
    l->c = state(p, at->c, l->batch, l->units);
    return p->status == SGS_OK;
}

/* ---- a layer as ONNX's LSTM ---- */

static bool is_plain(const layer *l)
{
    bool plain = !l->projection && l->cell_clip <= 0 && l->act == 4;
    for (int i = 0; i < GATES; i++)
        plain = plain && !l->norm[i];
    return plain;
}

static sgs_value *negative(sgs_spell *p, sgs_value *v)
{
    return v ? sgs_sp_one(p, &sgs_op_neg, v, NULL) : NULL;
}

/* 1 - sigmoid(x) is sigmoid(-x): an input gate that the forget gate stands for. */
static void uncouple(sgs_spell *p, layer *l)
{
    if (l->w[INPUT])
        return;
    l->w[INPUT] = negative(p, l->w[FORGET]);
    l->r[INPUT] = negative(p, l->r[FORGET]);
    l->bias[INPUT] = negative(p, l->bias[FORGET]);
    l->peephole[INPUT] = negative(p, l->peephole[FORGET]);
}

static sgs_value *zeros(sgs_spell *p, int rank, const int64_t *dim)
{
    void *data;
    sgs_value *v = sgs_sp_const(p, SGS_F32, rank, dim, &data);
    if (v)
        memset(data, 0, (size_t)sgs_value_bytes(v));
    return v;
}

/* In ONNX's order, as one tensor of one direction; absent ones are zeros; NULL: all are absent. */
static sgs_value *stacked(sgs_spell *p, sgs_value *const *v, const int *order, int n, int64_t units)
{
    sgs_value *list[GATES];
    bool any = false;
    for (int i = 0; i < n; i++)
        any = any || v[order[i]];
    for (int i = 0; i < n && any; i++)
        list[i] = v[order[i]] ? v[order[i]] : zeros(p, 1, &units);
    return any && p->status == SGS_OK ? sgs_sp_unsqueeze(p, sgs_sp_concat(p, n, list, 0), 0) : NULL;
}

static sgs_value *as_onnx(sgs_spell *p, layer *l)
{
    static const int gates[] = { INPUT, OUTPUT, FORGET, CELL }, peepholes[] = { INPUT, OUTPUT, FORGET };
    const sgs_src_attr attr[] = {
        { .name = "hidden_size", .kind = SGS_SRC_INT, .i = l->units },
        { .name = "direction",
          .kind = SGS_SRC_STRING,
          .s = { (const uint8_t *)(l->reverse ? "reverse" : "forward"), 7 } },
    };
    uncouple(p, l);
    sgs_value *bias = stacked(p, l->bias, gates, GATES, l->units), *y[3] = { NULL };
    if (bias) {
        const int64_t wide[] = { 1, GATES * l->units };
        sgs_value *both[] = { bias, zeros(p, 2, wide) };
        bias = p->status == SGS_OK ? sgs_sp_concat(p, 2, both, 1) : bias;
    }
    sgs_value *w = stacked(p, l->w, gates, GATES, l->units), *r = stacked(p, l->r, gates, GATES, l->units);
    sgs_value *h = is_zero(l->h) ? NULL : sgs_sp_unsqueeze(p, l->h, 0);
    sgs_value *c = is_zero(l->c) ? NULL : sgs_sp_unsqueeze(p, l->c, 0);
    sgs_value *in[] = { l->x, w, r, bias, NULL, h, c, stacked(p, l->peephole, peepholes, 3, l->units) };
    if (p->status == SGS_OK)
        sgs_sp_call_with(p,
                         &(sgs_call){ .op = "LSTM", .nin = 8, .nout = 3, .nattr = 2, .in = in, .attr = attr, .y = y });
    if (p->status != SGS_OK)
        return l->x;
    l->h = y[1];
    l->c = y[2];
    return sgs_sp_squeeze(p, y[0], 1);
}

/* ---- a layer step by step ---- */

/* Numbers of a row less their mean, over their deviation. */
static sgs_value *normalized(sgs_spell *p, sgs_value *x, sgs_value *weights)
{
    sgs_value *centred = sgs_sp_two(p, &sgs_op_sub, x, sgs_sp_reduce(p, &sgs_op_reduce_mean, x, 1));
    sgs_value *variance = sgs_sp_reduce(p, &sgs_op_reduce_mean, sgs_sp_product(p, centred, centred), 1);
    sgs_value *scale = sgs_sp_one(p, &sgs_op_rsqrt, sgs_sp_by(p, &sgs_op_add, variance, 1e-8f), NULL);
    return sgs_sp_product(p, sgs_sp_product(p, centred, scale), weights);
}

/* Gate i before its function; `share` is its part of the input. */
static sgs_value *gate(sgs_spell *p, const layer *l, int i, sgs_value *share, sgs_value *h, sgs_value *c)
{
    sgs_value *x = sgs_sp_sum(p, share, sgs_sp_weighted(p, h, l->r[i]));
    if (l->peephole[i])
        x = sgs_sp_sum(p, x, sgs_sp_product(p, c, l->peephole[i]));
    return sgs_sp_sum(p, l->norm[i] ? normalized(p, x, l->norm[i]) : x, l->bias[i]);
}

static sgs_value *cell(sgs_spell *p, const layer *l, sgs_value *const *share, sgs_value *h, sgs_value **c)
{
    sgs_value *f = sgs_sp_one(p, &sgs_op_sigmoid, gate(p, l, FORGET, share[FORGET], h, *c), NULL), *i;
    if (l->w[INPUT])
        i = sgs_sp_one(p, &sgs_op_sigmoid, gate(p, l, INPUT, share[INPUT], h, *c), NULL);
    else
        i = sgs_sp_two(p, &sgs_op_sub, sgs_sp_number(p, 1), f);
    sgs_value *g = activated(p, l->act, gate(p, l, CELL, share[CELL], h, *c));
    sgs_value *kept = sgs_sp_product(p, f, *c), *fresh = sgs_sp_product(p, i, g);
    *c = limited(p, l->cell_clip, sgs_sp_sum(p, kept, fresh));
    sgs_value *o = sgs_sp_one(p, &sgs_op_sigmoid, gate(p, l, OUTPUT, share[OUTPUT], h, *c), NULL);
    h = sgs_sp_product(p, o, activated(p, l->act, *c));
    if (l->projection && isfinite(l->hidden_lo))
        h = sgs_sp_one(p, &sgs_op_clip, h, &(sgs_act_attr){ l->hidden_lo, l->hidden_hi });
    return l->projection ? limited(p, l->projection_clip, sgs_sp_sum(p, sgs_sp_weighted(p, h, l->projection), l->projection_bias))
                         : h;
}

static sgs_value *unrolled(sgs_spell *p, layer *l)
{
    sgs_value **y = sgs_alloc_n(p->im->g->arena, (size_t)l->steps + 1, sizeof *y), *all[GATES] = { NULL }, *h = l->h,
              *c = l->c;
    for (int i = 0; i < GATES; i++)
        all[i] = l->w[i] ? sgs_sp_weighted(p, l->x, l->w[i]) : NULL;
    for (int64_t t = 0; t < l->steps && p->status == SGS_OK; t++) {
        const int64_t at = l->reverse ? l->steps - 1 - t : t;
        sgs_value *share[GATES];
        for (int i = 0; i < GATES; i++)
            share[i] = all[i] ? step_of(p, all[i], at) : NULL;
        h = cell(p, l, share, h, &c);
        y[at] = sgs_sp_unsqueeze(p, h, 0);
    }
    l->h = h;
    l->c = c;
    return p->status == SGS_OK ? sgs_sp_concat(p, (int)l->steps, y, 0) : l->x;
}

/* What the state in an input has become, as a tensor of its own. */
static void give_state(sgs_spell *p, int slot, sgs_value *v)
{
    if (sgs_sp_wants(p, SGS_TFL_STATES + slot) && p->status == SGS_OK)
        sgs_sp_out(p, SGS_TFL_STATES + slot, sgs_sp_own(p, v));
}

/* y, [step][batch][result]; the states go where they are asked for. */
static sgs_value *run(sgs_spell *p, const places *at, layer *l)
{
    sgs_value *y = is_plain(l) ? as_onnx(p, l) : unrolled(p, l);
    const bool stacked = p->status == SGS_OK && l->h->rank == 3;
    give_state(p, at->h, stacked ? sgs_sp_squeeze(p, l->h, 0) : l->h);
    give_state(p, at->c, stacked ? sgs_sp_squeeze(p, l->c, 0) : l->c);
    return y;
}

/* ---- the operators ---- */

static const places one_way = {
    .weights = 1, .peepholes = 9, .biases = 12, .projection = 16, .h = 18, .c = 19, .norms = 20
};

static sgs_value *in_order(sgs_spell *p, sgs_value *y, bool time_major)
{
    return time_major || p->status != SGS_OK ? y : sgs_sp_transpose(p, y, (const int64_t[]){ 1, 0, 2 });
}

static sgs_status from_sequence_lstm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool time_major = sgs_sp_int(p, "time_major", 0) != 0;
    layer l = { .x = sequence(p, time_major) };
    if (p->status == SGS_OK && read_layer(p, &one_way, &l))
        sgs_sp_out(p, 0, in_order(p, run(p, &one_way, &l), time_major));
    return p->status;
}

static sgs_status from_both_ways(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const places at[] = {
        { .weights = 1, .peepholes = 9, .biases = 12, .projection = 16, .h = 35, .c = 36, .norms = -1 },
        { .weights = 18, .peepholes = 26, .biases = 29, .projection = 33, .h = 37, .c = 38, .norms = -1 }
    };
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool time_major = sgs_sp_int(p, "time_major", 1) != 0, merge = sgs_sp_int(p, "merge_outputs", 0) != 0;
    sgs_value *y[2] = { NULL, NULL }, *x = sequence(p, time_major);
    if (sgs_src_opt(im, s, 39))
        sgs_sp_refuse(p, "an auxiliary input is not supported");
    for (int i = 0; i < 2 && p->status == SGS_OK; i++) {
        layer l = { .x = x, .reverse = i == 1 };
        if (read_layer(p, &at[i], &l))
            y[i] = in_order(p, run(p, &at[i], &l), time_major);
    }
    if (p->status == SGS_OK && merge)
        sgs_sp_out(p, 0, sgs_sp_concat(p, 2, y, 2));
    for (int i = 0; i < 2 && !merge; i++)
        sgs_sp_out(p, i, y[i]);
    return p->status;
}

/* One step: [batch][element] */
static sgs_value *single(sgs_spell *p)
{
    sgs_value *x = sgs_sp_in(p, 0);
    if (x && x->rank != 2)
        sgs_sp_fail(p, "expected an input of 2 dimensions, found %d", x->rank);
    return x;
}

/* The older kernel: one matrix for what comes in and the state side by side; gates input, cell, forget, output. */
static sgs_status from_basic_lstm(sgs_spell *p)
{
    sgs_value *x = single(p), *h = sgs_sp_in(p, 1), *w = sgs_sp_in(p, 2), *b = sgs_sp_in(p, 3), *c = sgs_sp_in(p, 4),
              *g[4];
    if (p->status != SGS_OK)
        return p->status;
    const int64_t units = c->rank == 2 ? c->dim[1] : 0;
    fits(p, h, "a state", 2, x->dim[0], units);
    fits(p, c, "a state", 2, x->dim[0], units);
    fits(p, w, "the weights", 2, 4 * units, x->dim[1] + units);
    fits(p, b, "the bias", 1, 4 * units, 0);
    if (p->status != SGS_OK)
        return p->status;
    sgs_value *both[] = { x, h }, *all = sgs_sp_sum(p, sgs_sp_weighted(p, sgs_sp_concat(p, 2, both, 1), w), b);
    for (int i = 0; i < 4; i++) {
        g[i] = sgs_sp_slice(p, all, 1, i * units, units, 1);
        g[i] = sgs_sp_one(p, i == 1 ? &sgs_op_tanh : &sgs_op_sigmoid, g[i], NULL);
    }
    sgs_value *fresh = sgs_sp_product(p, g[0], g[1]), *kept = sgs_sp_product(p, g[2], c);
    c = sgs_sp_sum(p, fresh, kept);
    sgs_sp_out(p, 0, sgs_sp_product(p, g[3], sgs_sp_one(p, &sgs_op_tanh, c, NULL)));
    sgs_sp_out(p, 1, c);
    for (int i = 2; i < 4; i++)
        if (sgs_sp_wants(p, i))
            sgs_sp_out(p, i, i == 2 ? sgs_sp_concat(p, 2, both, 1) : all);
    return p->status;
}

static sgs_status from_lstm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    if (sgs_sp_int(p, "kernel_type", 0) == 1)
        return from_basic_lstm(p);
    sgs_value *x = single(p);
    layer l = { .x = p->status == SGS_OK ? sgs_sp_unsqueeze(p, x, 0) : NULL };
    if (p->status == SGS_OK && read_layer(p, &one_way, &l))
        sgs_sp_out(p, 0, step_of(p, run(p, &one_way, &l), 0));
    return p->status;
}

/* Inputs: x, weights of the input, of the state, bias, state. */
static sgs_value *plain_layer(sgs_spell *p, sgs_value *x)
{
    sgs_value *w = sgs_sp_in(p, 1), *r = sgs_sp_in(p, 2), *b = sgs_sp_in(p, 3), *h = sgs_sp_in(p, 4);
    const int64_t act = sgs_sp_int(p, "fused_activation_function", 0);
    if (p->status != SGS_OK)
        return x;
    const int64_t units = w->rank ? w->dim[0] : 0, steps = x->dim[0];
    if (steps < 1 || steps > MOST_STEPS)
        sgs_sp_refuse(p, "expected 1 to %d time steps, found %lld", MOST_STEPS, (long long)steps);
    fits(p, w, "weights of the input", 2, units, x->dim[2]);
    fits(p, r, "weights of the state", 2, units, units);
    fits(p, b, "a bias", 1, units, 0);
    fits(p, h, "a state", 2, x->dim[1], units);
    if (p->status != SGS_OK)
        return x;
    sgs_value **y = sgs_alloc_n(p->im->g->arena, (size_t)steps + 1, sizeof *y), *all = sgs_sp_sum(p, sgs_sp_weighted(p, x, w), b);
    for (int64_t t = 0; t < steps && p->status == SGS_OK; t++) {
        sgs_value *step = step_of(p, all, t);
        h = activated(p, act, sgs_sp_sum(p, step, sgs_sp_weighted(p, h, r)));
        y[t] = sgs_sp_unsqueeze(p, h, 0);
    }
    give_state(p, 4, h);
    return p->status == SGS_OK ? sgs_sp_concat(p, (int)steps, y, 0) : x;
}

static sgs_status from_sequence_rnn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool time_major = sgs_sp_int(p, "time_major", 0) != 0;
    sgs_value *x = sequence(p, time_major);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, in_order(p, plain_layer(p, x), time_major));
    return p->status;
}

static sgs_status from_rnn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = single(p);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, step_of(p, plain_layer(p, sgs_sp_unsqueeze(p, x, 0)), 0));
    return p->status;
}

/* Features of this step and, in the state, of the steps before, weighted over time; `rank` of them make one output. */
static sgs_status from_svdf(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = single(p), *features = sgs_sp_in(p, 1), *time = sgs_sp_in(p, 2), *bias = sgs_src_opt(im, s, 3),
              *old = sgs_sp_in(p, 4);
    const int64_t rank = sgs_sp_int(p, "rank", 1), act = sgs_sp_int(p, "fused_activation_function", 0);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t filters = features->rank == 2 ? features->dim[0] : 0, memory = time->rank == 2 ? time->dim[1] : 0;
    if (rank < 1 || filters < 1 || filters % rank || memory < 1)
        return sgs_src_fail(im, s, d, "%lld filters of rank %lld over %lld steps", (long long)filters, (long long)rank,
                            (long long)memory);
    fits(p, features, "weights of the features", 2, filters, x->dim[1]);
    fits(p, time, "weights of the time", 2, filters, memory);
    fits(p, bias, "a bias", 1, filters / rank, 0);
    fits(p, old, "a state", 2, x->dim[0], filters * memory);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t now[] = { x->dim[0], filters, 1 }, all[] = { x->dim[0], filters, memory },
                  units[] = { x->dim[0], filters / rank, rank * memory }, flat[] = { x->dim[0], filters / rank };
    sgs_value *before = sgs_sp_slice(p, sgs_sp_reshape(p, old, 3, all), 2, 1, memory - 1, 1);
    sgs_value *part[] = { before, sgs_sp_reshape(p, sgs_sp_weighted(p, x, features), 3, now) };
    sgs_value *kept = memory > 1 ? sgs_sp_concat(p, 2, part, 2) : part[1];
    give_state(p, 4, sgs_sp_reshape(p, kept, 2, old->dim));
    sgs_value *sums = sgs_sp_reduce(p, &sgs_op_reduce_sum, sgs_sp_reshape(p, sgs_sp_product(p, kept, time), 3, units), 2);
    sgs_sp_out(p, 0, activated(p, act, sgs_sp_sum(p, sgs_sp_reshape(p, sums, 2, flat), bias)));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from tflite[] = {
    { "UNIDIRECTIONAL_SEQUENCE_LSTM", from_sequence_lstm, 0 },
    { "BIDIRECTIONAL_SEQUENCE_LSTM", from_both_ways, 0 },
    { "LSTM", from_lstm, 0 },
    { "RNN", from_rnn, 0 },
    { "UNIDIRECTIONAL_SEQUENCE_RNN", from_sequence_rnn, 0 },
    { "SVDF", from_svdf, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_literecur = { "literecur", ops, .tflite = tflite };
