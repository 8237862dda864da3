/* RNN, GRU, LSTM: unrolled over their time steps into products, functions and moves. */
#include <math.h>
#include <string.h>

#include "ops/spell.h"

#define MOST_STEPS 4096

/* ---- activations ---- */

typedef struct function {
    const char *name; /* ONNX's */
    const sgs_op *op;
    int numbers; /* 0, 1: alpha, 2: alpha and beta */
    float alpha, beta;
} function;

static const function functions[] = {
    { "Sigmoid", &sgs_op_sigmoid, 0, 0, 0 },
    { "Tanh", &sgs_op_tanh, 0, 0, 0 },
    { "Relu", &sgs_op_clip, 0, 0, 0 },
    { "Affine", NULL, 2, 1, 0 },
    { "LeakyRelu", &sgs_op_leakyrelu, 1, 0.01f, 0 },
    { "ThresholdedRelu", &sgs_op_thresholdedrelu, 1, 1, 0 },
    { "ScaledTanh", &sgs_op_tanh, 2, 1, 1 },
    { "HardSigmoid", &sgs_op_hardsigmoid, 2, 0.2f, 0.5f },
    { "Elu", &sgs_op_elu, 1, 1, 0 },
    { "Softsign", &sgs_op_softsign, 0, 0, 0 },
    { "Softplus", &sgs_op_softplus, 0, 0, 0 },
    { NULL, NULL, 0, 0, 0 },
};

static sgs_value *apply(sgs_spell *p, const function *f, float clip, sgs_value *x)
{
    if (clip > 0)
        x = sgs_sp_one(p, &sgs_op_clip, x, &(sgs_act_attr){ -clip, clip });
    if (!f->op)
        return sgs_sp_by(p, &sgs_op_add, sgs_sp_by(p, &sgs_op_mul, x, f->alpha), f->beta);
    if (f->op == &sgs_op_clip)
        return sgs_sp_one(p, f->op, x, &(sgs_act_attr){ 0, INFINITY });
    if (f->op == &sgs_op_tanh && f->numbers) /* ScaledTanh */
        return sgs_sp_by(p, &sgs_op_mul, sgs_sp_one(p, f->op, sgs_sp_by(p, &sgs_op_mul, x, f->beta), NULL), f->alpha);
    if (f->op == &sgs_op_leakyrelu || f->op == &sgs_op_thresholdedrelu)
        return sgs_sp_one(p, f->op, x, &(sgs_alpha_attr){ f->alpha });
    return sgs_sp_one(p, f->op, x,
                      f->op == &sgs_op_sigmoid || f->op == &sgs_op_tanh ? NULL : &(sgs_lut_attr){ f->alpha, f->beta });
}

static bool same_word(sgs_span a, const char *b)
{
    const size_t n = strlen(b);
    bool same = a.n == n;
    for (size_t i = 0; i < n && same; i++) /* exporters write "tanh" too */
        same = (a.p[i] | 32) == ((uint8_t)b[i] | 32);
    return same;
}

/* The next number of a list, where there is one. */
static void take(const sgs_src_attr *list, int *next, float *v)
{
    if (list && list->kind == SGS_SRC_FLOATS && *next < list->n)
        *v = list->floats[(*next)++];
}

/* Functions of all directions, `each` a direction; those that take alpha and beta consume the lists. */
static void read_functions(sgs_spell *p, function *f, int each, int directions, const char *const *usual)
{
    const sgs_src_attr *names = sgs_src_find(p->s, "activations"), *alphas = sgs_src_find(p->s, "activation_alpha"),
                       *betas = sgs_src_find(p->s, "activation_beta");
    int alpha = 0, beta = 0;
    if (names && (names->kind != SGS_SRC_STRINGS || names->n != each * directions))
        sgs_sp_fail(p, "activations: expected %d word%s, found %d", each * directions, each * directions == 1 ? "" : "s", names->n);
    for (int i = 0; i < each * directions && p->status == SGS_OK; i++) {
        const char *own = usual[i % each];
        const sgs_span word = names ? names->strings[i] : (sgs_span){ (const uint8_t *)own, strlen(own) };
        const function *known = functions;
        while (known->name && !same_word(word, known->name))
            known++;
        if (!known->name) {
            sgs_buf list = { 0 };
            for (const function *k = functions; k->name; k++)
                sgs_buf_printf(&list, "%s%s", list.n ? ", " : "", k->name);
            sgs_sp_fail(p, "activations: expected %s, found '%.*s'", list.p, (int)(word.n < 40 ? word.n : 40), (const char *)word.p);
            sgs_buf_free(&list);
            return;
        }
        f[i] = *known;
        if (known->numbers > 0)
            take(alphas, &alpha, &f[i].alpha);
        if (known->numbers > 1)
            take(betas, &beta, &f[i].beta);
    }
}

/* ---- a layer ---- */

enum { RNN = 1, GRU = 3, LSTM = 4 }; /* gates */
enum { MOST_FUNCTIONS = 6 };

typedef struct layer {
    sgs_value *x;                 /* [step][batch][element] */
    sgs_value *first_h, *first_c; /* [direction][batch][hidden], or NULL */
    sgs_value *last_c;            /* what a direction ends with */
    int64_t steps, batch, hidden;
    int64_t *length; /* of each sequence, or NULL: all are whole */
    int gates, directions, functions;
    bool batch_first, linear, coupled;
    float clip;
    function f[MOST_FUNCTIONS];
} layer;

typedef struct weights {        /* of one direction; products take them as [in][out] */
    sgs_value *w, *r, *wb, *rb; /* biases may be NULL */
    sgs_value *peephole[3];     /* input, output, forget, or NULL */
    const function *f;
} weights;

static sgs_value *gate(sgs_spell *p, const layer *l, sgs_value *x, int first, int count)
{
    return count == l->gates ? x : sgs_sp_slice(p, x, x->rank - 1, first * l->hidden, count * l->hidden, 1);
}

static sgs_value *sum(sgs_spell *p, sgs_value *a, sgs_value *b)
{
    return b ? sgs_sp_two(p, &sgs_op_add, a, b) : a;
}

static sgs_value *product(sgs_spell *p, sgs_value *a, sgs_value *b)
{
    return sgs_sp_two(p, &sgs_op_mul, a, b);
}

/* Row `at` of the first axis, without that axis. */
static sgs_value *row(sgs_spell *p, sgs_value *x, int64_t at)
{
    return sgs_sp_squeeze(p, sgs_sp_slice(p, x, 0, at, 1, 1), 0);
}

static sgs_value *fit(sgs_spell *p, sgs_value *v, const char *what, int64_t a, int64_t b, int64_t c)
{
    const bool fits = v && v->rank == (c ? 3 : 2) && v->dim[0] == a && v->dim[1] == b && (!c || v->dim[2] == c);
    char text[128], wanted[128];
    if (v && p->status == SGS_OK && !fits)
        sgs_sp_fail(p, "%s has shape %s, expected %s", what, sgs_dims_text(text, sizeof text, v->rank, v->dim),
                    sgs_dims_text(wanted, sizeof wanted, c ? 3 : 2, (const int64_t[]){ a, b, c }));
    return v;
}

/* Whether the lengths, constants, leave some sequences short. */
static void read_lengths(sgs_spell *p, layer *l)
{
    const sgs_value *v = sgs_src_opt(p->im, p->s, 4);
    bool whole = true;
    int n = 0;
    if (!v || p->status != SGS_OK)
        return;
    if (sgs_value_count(v) != l->batch) {
        sgs_sp_fail(p, "expected %lld sequence lengths, found %lld", (long long)l->batch,
                    (long long)sgs_value_count(v));
        return;
    }
    l->length = sgs_alloc_n(p->im->g->arena, (size_t)l->batch + 1, sizeof *l->length);
    p->status = sgs_src_const_ints(p->s, v, l->length, (int)l->batch, &n, p->d);
    for (int i = 0; i < n; i++)
        whole = whole && l->length[i] >= l->steps;
    if (whole)
        l->length = NULL;
}

static void read_layer(sgs_spell *p, layer *l)
{
    static const char *const usual[] = { "Sigmoid", "Tanh", "Tanh" }, *const words[] = { "forward", "reverse",
                                                                                         "bidirectional", NULL };
    int64_t direction = 0;
    sgs_value *x = sgs_sp_in(p, 0), *r = sgs_sp_in(p, 2);
    if (p->status == SGS_OK)
        p->status = sgs_src_choice(p->im, p->s, "direction", words, &direction, p->d);
    if (p->status == SGS_OK && (x->rank != 3 || r->rank != 3))
        sgs_sp_fail(p, "expected an input and weights of 3 dimensions, found %d and %d", x->rank, r->rank);
    if (p->status != SGS_OK)
        return;
    l->directions = direction == 2 ? 2 : 1;
    l->functions = l->gates == RNN ? 1 : l->gates == GRU ? 2 : 3;
    l->hidden = sgs_sp_int(p, "hidden_size", r->dim[2]);
    l->batch_first = sgs_sp_int(p, "layout", 0) != 0;
    l->linear = sgs_sp_int(p, "linear_before_reset", 0) != 0;
    l->coupled = sgs_sp_int(p, "input_forget", 0) != 0;
    l->clip = sgs_sp_float(p, "clip", 0);
    l->x = l->batch_first ? sgs_sp_transpose(p, x, (const int64_t[]){ 1, 0, 2 }) : x;
    l->steps = l->x->dim[0];
    l->batch = l->x->dim[1];
    if (l->hidden < 1 || l->hidden > INT32_MAX)
        sgs_sp_fail(p, "expected hidden_size 1 to 2^31, as in R, found %lld", (long long)l->hidden);
    if (l->steps < 1 || l->steps > MOST_STEPS)
        sgs_sp_refuse(p, "expected 1 to %d time steps, found %lld", MOST_STEPS, (long long)l->steps);
    read_functions(p, l->f, l->functions, l->directions, l->gates == RNN ? usual + 1 : usual);
    read_lengths(p, l);
}

static sgs_value *first_state(sgs_spell *p, const layer *l, int input)
{
    sgs_value *v = sgs_src_opt(p->im, p->s, input);
    if (v && l->batch_first && p->status == SGS_OK && v->rank == 3)
        v = sgs_sp_transpose(p, v, (const int64_t[]){ 1, 0, 2 });
    return fit(p, v, "an initial state", l->directions, l->batch, l->hidden);
}

static void read_weights(sgs_spell *p, const layer *l, int direction, weights *w)
{
    static const int64_t turned[] = { 1, 0 };
    const int64_t wide = l->gates * l->hidden;
    sgs_value *in = fit(p, sgs_sp_in(p, 1), "W", l->directions, wide, l->x->dim[2]),
              *again = fit(p, sgs_sp_in(p, 2), "R", l->directions, wide, l->hidden);
    sgs_value *bias = fit(p, sgs_src_opt(p->im, p->s, 3), "B", l->directions, 2 * wide, 0);
    sgs_value *peep =
        l->gates == LSTM ? fit(p, sgs_src_opt(p->im, p->s, 7), "P", l->directions, 3 * l->hidden, 0) : NULL;
    *w = (weights){ .f = l->f + direction * l->functions };
    if (p->status != SGS_OK)
        return;
    w->w = sgs_sp_transpose(p, row(p, in, direction), turned);
    w->r = sgs_sp_transpose(p, row(p, again, direction), turned);
    if (bias) {
        bias = row(p, bias, direction);
        w->wb = sgs_sp_slice(p, bias, 0, 0, wide, 1);
        w->rb = sgs_sp_slice(p, bias, 0, wide, wide, 1);
    }
    for (int i = 0; i < 3 && peep; i++)
        w->peephole[i] = sgs_sp_slice(p, row(p, peep, direction), 0, i * l->hidden, l->hidden, 1);
}

/* ---- cells: the next state from a step's share x [batch][gates * hidden], its input product, and the states before
 * ---- */

static sgs_value *rnn_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h)
{
    return apply(p, &w->f[0], l->clip, sum(p, x, sum(p, sgs_sp_two(p, &sgs_op_matmul, h, w->r), w->rb)));
}

/* Gates: update, reset, hidden. */
static sgs_value *gru_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h)
{
    sgs_value *bias_zr = w->rb ? gate(p, l, w->rb, 0, 2) : NULL, *bias_h = w->rb ? gate(p, l, w->rb, 2, 1) : NULL;
    sgs_value *again = sum(p, sgs_sp_two(p, &sgs_op_matmul, h, gate(p, l, w->r, 0, 2)), bias_zr);
    sgs_value *zr = apply(p, &w->f[0], l->clip, sum(p, gate(p, l, x, 0, 2), again)), *inner;
    sgs_value *z = gate(p, l, zr, 0, 1), *r = gate(p, l, zr, 1, 1), *weight = gate(p, l, w->r, 2, 1);
    if (l->linear)
        inner = product(p, r, sum(p, sgs_sp_two(p, &sgs_op_matmul, h, weight), bias_h));
    else
        inner = sum(p, sgs_sp_two(p, &sgs_op_matmul, product(p, r, h), weight), bias_h);
    sgs_value *fresh = apply(p, &w->f[1], l->clip, sum(p, gate(p, l, x, 2, 1), inner));
    return sum(p, fresh, product(p, z, sgs_sp_two(p, &sgs_op_sub, h, fresh))); /* (1 - z) * fresh + z * h */
}

/* Gates: input, output, forget, cell. */
static sgs_value *lstm_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h, sgs_value **c)
{
    sgs_value *all = sum(p, x, sum(p, sgs_sp_two(p, &sgs_op_matmul, h, w->r), w->rb)), *g[4];
    for (int i = 0; i < 4; i++)
        g[i] = gate(p, l, all, i, 1);
    for (int i = 0; i < 3; i += 2)
        g[i] = apply(p, &w->f[0], l->clip, w->peephole[i] ? sum(p, g[i], product(p, w->peephole[i], *c)) : g[i]);
    if (l->coupled)
        g[2] = sgs_sp_two(p, &sgs_op_sub, sgs_sp_number(p, 1), g[0]);
    g[3] = apply(p, &w->f[1], l->clip, g[3]);
    *c = sum(p, product(p, g[2], *c), product(p, g[0], g[3]));
    g[1] = apply(p, &w->f[0], l->clip, w->peephole[1] ? sum(p, g[1], product(p, w->peephole[1], *c)) : g[1]);
    return product(p, g[1], apply(p, &w->f[2], 0, *c));
}

/* ---- unrolling ---- */

/* 1 for sequences that reach this step, 0 for the others; NULL: all do. */
static sgs_value *reached(sgs_spell *p, const layer *l, int64_t step)
{
    const int64_t dim[] = { l->batch, 1 };
    bool all = true;
    void *data;
    for (int64_t i = 0; i < l->batch && l->length; i++)
        all = all && step < l->length[i];
    if (all)
        return NULL;
    sgs_value *v = sgs_sp_const(p, SGS_F32, 2, dim, &data);
    for (int64_t i = 0; i < l->batch && v; i++)
        ((float *)data)[i] = step < l->length[i];
    return v;
}

/* old where the mask is 0 */
static sgs_value *kept(sgs_spell *p, sgs_value *mask, sgs_value *now, sgs_value *old)
{
    return mask ? sum(p, old, product(p, mask, sgs_sp_two(p, &sgs_op_sub, now, old))) : now;
}

static sgs_value *zeros(sgs_spell *p, const layer *l)
{
    const int64_t dim[] = { l->batch, l->hidden };
    void *data;
    sgs_value *v = sgs_sp_const(p, SGS_F32, 2, dim, &data);
    if (v)
        memset(data, 0, (size_t)sgs_value_bytes(v));
    return v ? v : l->x;
}

/* One direction: y[step] the hidden states, [batch][hidden]; gives the last one back, l->last_c the last cell. */
static sgs_value *unroll(sgs_spell *p, layer *l, int direction, bool reverse, sgs_value **y)
{
    weights w;
    read_weights(p, l, direction, &w);
    sgs_value *h = l->first_h ? row(p, l->first_h, direction) : zeros(p, l),
              *c = l->first_c ? row(p, l->first_c, direction) : zeros(p, l);
    if (p->status != SGS_OK)
        return l->x;
    sgs_value *shares = sum(p, sgs_sp_two(p, &sgs_op_matmul, l->x, w.w), w.wb);
    for (int64_t i = 0; i < l->steps && p->status == SGS_OK; i++) {
        const int64_t step = reverse ? l->steps - 1 - i : i;
        sgs_value *x = row(p, shares, step), *mask = reached(p, l, step), *old_c = c;
        sgs_value *now = l->gates == RNN   ? rnn_cell(p, l, &w, x, h)
                         : l->gates == GRU ? gru_cell(p, l, &w, x, h)
                                           : lstm_cell(p, l, &w, x, h, &c);
        c = l->gates == LSTM ? kept(p, mask, c, old_c) : c;
        h = kept(p, mask, now, h);
        y[step] = mask ? product(p, mask, now) : now;
    }
    l->last_c = c;
    return h;
}

/* [direction][batch][hidden] of each direction's [batch][hidden] */
static sgs_value *stacked(sgs_spell *p, const layer *l, sgs_value *const *v, int axis)
{
    sgs_value *list[2];
    for (int i = 0; i < l->directions; i++)
        list[i] = sgs_sp_unsqueeze(p, v[i], axis);
    return sgs_sp_concat(p, l->directions, list, axis);
}

/* Y: [step][direction][batch][hidden], or [batch][step][direction][hidden]; y holds the steps of one direction after
 * those of the other. */
static void all_states(sgs_spell *p, const layer *l, sgs_value **y)
{
    for (int64_t i = 0; i < l->steps && p->status == SGS_OK; i++) {
        sgs_value *both[] = { y[i], y[(l->directions - 1) * l->steps + i] };
        y[i] = sgs_sp_unsqueeze(p, stacked(p, l, both, l->batch_first ? 1 : 0), l->batch_first ? 1 : 0);
    }
    sgs_sp_out(p, 0, sgs_sp_concat(p, (int)l->steps, y, l->batch_first ? 1 : 0));
}

static sgs_status emit_layer(sgs_spell *p, int gates)
{
    static const char *const words[] = { "forward", "reverse", "bidirectional", NULL };
    layer l = { .gates = gates };
    int64_t direction = 0;
    sgs_value *h[2], *c[2];
    read_layer(p, &l);
    l.first_h = p->status == SGS_OK ? first_state(p, &l, 5) : NULL;
    l.first_c = p->status == SGS_OK && gates == LSTM ? first_state(p, &l, 6) : NULL;
    if (p->status != SGS_OK)
        return p->status;
    SGS_TRY(sgs_src_choice(p->im, p->s, "direction", words, &direction, p->d));
    sgs_value **y = sgs_alloc_n(p->im->g->arena, (size_t)(l.directions * l.steps) + 1, sizeof *y);
    for (int i = 0; i < l.directions; i++) {
        h[i] = unroll(p, &l, i, direction == 1 || i == 1, y + i * l.steps);
        c[i] = l.last_c;
        if (p->status != SGS_OK)
            return p->status;
    }
    if (sgs_sp_wants(p, 1))
        sgs_sp_out(p, 1, stacked(p, &l, h, l.batch_first ? 1 : 0));
    if (sgs_sp_wants(p, 2) && gates == LSTM)
        sgs_sp_out(p, 2, stacked(p, &l, c, l.batch_first ? 1 : 0));
    if (sgs_sp_wants(p, 0))
        all_states(p, &l, y);
    return p->status;
}

/* ---- from ONNX ---- */

static sgs_status from_onnx_recurrent(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell p = { .im = im, .s = s, .d = d };
    return emit_layer(&p, !strcmp(s->op, "RNN") ? RNN : !strcmp(s->op, "GRU") ? GRU : LSTM);
}

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = { { "RNN", from_onnx_recurrent, 1 },
                                 { "GRU", from_onnx_recurrent, 1 },
                                 { "LSTM", from_onnx_recurrent, 1 },
                                 { NULL, NULL, 0 } };
const sgs_family sgs_family_recurrent = { "recurrent", ops, onnx, NULL };
