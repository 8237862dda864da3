/* TensorFlow's cells and layers over time that are one operator each: LSTMBlockCell, BlockLSTM, GRUBlockCell.  x and
 * the state before stand side by side before the weights, [input + units][gates * units]. */
#include <string.h>

#include "ops/tensorflow.h"

#define MOST_STEPS 4096

/* ---- formulas ---- */

/* [x, h] * w + b */
static sgs_value *weighted(sgs_spell *p, sgs_value *x, sgs_value *h, sgs_value *w, sgs_value *b)
{
    sgs_value *both[] = { x, h };
    return sgs_sp_sum(p, sgs_sp_two(p, &sgs_op_matmul, sgs_sp_concat(p, 2, both, 1), w), b);
}

static sgs_value *part(sgs_spell *p, sgs_value *all, int i, int64_t units)
{
    return sgs_sp_slice(p, all, 1, i * units, units, 1);
}

static void expect(sgs_spell *p, const sgs_value *v, const char *what, int64_t a, int64_t b)
{
    char found[128];
    const bool fits =
        v && v->type == SGS_F32 && v->rank == (a ? 2 : 1) && v->dim[v->rank - 1] == b && (!a || v->dim[0] == a);
    if (p->status != SGS_OK || fits)
        return;
    if (a)
        sgs_sp_fail(p, "%s: expected shape [%lld,%lld], found %s", what, (long long)a, (long long)b,
                    sgs_dims_text(found, sizeof found, v->rank, v->dim));
    else
        sgs_sp_fail(p, "%s: expected shape [%lld], found %s", what, (long long)b,
                    sgs_dims_text(found, sizeof found, v->rank, v->dim));
}

/* ---- LSTM ---- */

enum { INPUT, CELL, FORGET, OUTPUT };                                 /* gates, in the order of the weights */
enum { OUT_I, OUT_CS, OUT_F, OUT_O, OUT_CI, OUT_CO, OUT_H, OUTPUTS }; /* of the operators */

typedef struct lstm {
    sgs_value *c, *h, *w, *b, *peephole[3]; /* of input, forget, output, or NULL */
    float forget_bias, cell_clip;
    int64_t batch, units;
} lstm;

/* `first`: the input that x is. */
static void read_lstm(sgs_spell *p, int first, sgs_value *x, lstm *l)
{
    const bool peep = sgs_sp_int(p, "use_peephole", 0) != 0;
    *l = (lstm){ .c = sgs_sp_in(p, first + 1),
                 .h = sgs_sp_in(p, first + 2),
                 .w = sgs_sp_in(p, first + 3),
                 .b = sgs_sp_in(p, first + 7) };
    for (int i = 0; i < 3 && peep; i++)
        l->peephole[i] = sgs_sp_in(p, first + 4 + i);
    l->forget_bias = sgs_sp_float(p, "forget_bias", 1);
    l->cell_clip = sgs_sp_float(p, "cell_clip", 3);
    if (p->status != SGS_OK)
        return;
    l->batch = x->dim[x->rank - 2];
    l->units = l->c->rank == 2 ? l->c->dim[1] : 0;
    expect(p, l->c, "the cell before", l->batch, l->units);
    expect(p, l->h, "the state before", l->batch, l->units);
    expect(p, l->w, "the weights", x->dim[x->rank - 1] + l->units, 4 * l->units);
    expect(p, l->b, "the bias", 0, 4 * l->units);
    for (int i = 0; i < 3 && peep; i++)
        expect(p, l->peephole[i], "peepholes", 0, l->units);
}

static sgs_value *peeped(sgs_spell *p, const lstm *l, int i, sgs_value *gate)
{
    return l->peephole[i] ? sgs_sp_sum(p, gate, sgs_sp_product(p, l->c, l->peephole[i])) : gate;
}

/* One step; out[] as the operator has them, l->c and l->h the states behind it. */
static void lstm_step(sgs_spell *p, lstm *l, sgs_value *x, sgs_value **out)
{
    sgs_value *all = weighted(p, x, l->h, l->w, l->b), *g[4];
    for (int i = 0; i < 4; i++)
        g[i] = part(p, all, i, l->units);
    out[OUT_I] = sgs_sp_one(p, &sgs_op_sigmoid, peeped(p, l, 0, g[INPUT]), NULL);
    g[FORGET] = sgs_sp_by(p, &sgs_op_add, g[FORGET], l->forget_bias);
    out[OUT_F] = sgs_sp_one(p, &sgs_op_sigmoid, peeped(p, l, 1, g[FORGET]), NULL);
    out[OUT_CI] = sgs_sp_one(p, &sgs_op_tanh, g[CELL], NULL);
    sgs_value *fresh = sgs_sp_product(p, out[OUT_CI], out[OUT_I]), *kept = sgs_sp_product(p, l->c, out[OUT_F]);
    l->c = sgs_sp_sum(p, fresh, kept);
    if (l->cell_clip > 0)
        l->c = sgs_sp_one(p, &sgs_op_clip, l->c, &(sgs_act_attr){ -l->cell_clip, l->cell_clip });
    out[OUT_CS] = l->c;
    out[OUT_O] = sgs_sp_one(p, &sgs_op_sigmoid, peeped(p, l, 2, g[OUTPUT]), NULL);
    out[OUT_CO] = sgs_sp_one(p, &sgs_op_tanh, l->c, NULL);
    l->h = out[OUT_H] = sgs_sp_product(p, out[OUT_CO], out[OUT_O]);
}

static sgs_status from_tf_lstm_cell(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *out[OUTPUTS];
    lstm l;
    if (x && x->rank != 2)
        sgs_sp_fail(p, "expected an input of %d dimensions, found %d", 2, x->rank);
    if (p->status == SGS_OK)
        read_lstm(p, 0, x, &l);
    if (p->status != SGS_OK)
        return p->status;
    lstm_step(p, &l, x, out);
    for (int i = 0; i < OUTPUTS && p->status == SGS_OK; i++)
        if (sgs_sp_wants(p, i))
            sgs_sp_out(p, i, sgs_sp_own(p, out[i]));
    return p->status;
}

/* Steps from seq_len_max on are zeros. */
static void all_steps(sgs_spell *p, lstm *l, sgs_value *x, int64_t length)
{
    const int64_t steps = x->dim[0], none[] = { l->batch, l->units };
    sgs_value **y = sgs_alloc_n(p->im->g->arena, (size_t)(steps * OUTPUTS), sizeof *y), *out[OUTPUTS];
    void *zeros;
    sgs_value *zero = length < steps ? sgs_sp_const(p, SGS_F32, 2, none, &zeros) : NULL;
    if (zero)
        memset(zeros, 0, (size_t)sgs_value_bytes(zero));
    for (int64_t t = 0; t < steps && p->status == SGS_OK; t++) {
        if (t < length)
            lstm_step(p, l, sgs_sp_squeeze(p, sgs_sp_slice(p, x, 0, t, 1, 1), 0), out);
        for (int i = 0; i < OUTPUTS; i++)
            if (sgs_sp_wants(p, i))
                y[i * steps + t] = sgs_sp_unsqueeze(p, t < length ? out[i] : zero, 0);
    }
    for (int i = 0; i < OUTPUTS && p->status == SGS_OK; i++)
        if (sgs_sp_wants(p, i))
            sgs_sp_out(p, i, sgs_sp_own(p, sgs_sp_concat(p, (int)steps, y + i * steps, 0)));
}

static sgs_status from_tf_lstm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const int64_t length = sgs_tf_int(p, 0);
    sgs_value *x = sgs_sp_in(p, 1);
    lstm l;
    if (x && x->rank != 3)
        sgs_sp_fail(p, "expected an input of %d dimensions, found %d", 3, x->rank);
    else if (x && (x->dim[0] < 1 || x->dim[0] > MOST_STEPS))
        sgs_sp_refuse(p, "expected 1 to %d time steps, found %lld", MOST_STEPS, (long long)x->dim[0]);
    if (p->status == SGS_OK)
        read_lstm(p, 1, x, &l);
    if (p->status == SGS_OK)
        all_steps(p, &l, x, length);
    return p->status;
}

/* ---- GRU ---- */

static sgs_status from_tf_gru_cell(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    enum { OUT_R, OUT_U, OUT_C, OUT_NEW };
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *h = sgs_sp_in(p, 1), *w = sgs_sp_in(p, 2), *wc = sgs_sp_in(p, 3),
              *b = sgs_sp_in(p, 4), *bc = sgs_sp_in(p, 5), *out[4];
    if (x && x->rank != 2)
        sgs_sp_fail(p, "expected an input of %d dimensions, found %d", 2, x->rank);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t units = h->rank == 2 ? h->dim[1] : 0, wide = x->dim[1] + units;
    expect(p, h, "the state before", x->dim[0], units);
    expect(p, w, "the weights of the gates", wide, 2 * units);
    expect(p, wc, "the weights", wide, units);
    expect(p, b, "the bias of the gates", 0, 2 * units);
    expect(p, bc, "the bias", 0, units);
    if (p->status != SGS_OK)
        return p->status;
    sgs_value *gates = sgs_sp_one(p, &sgs_op_sigmoid, weighted(p, x, h, w, b), NULL);
    out[OUT_R] = part(p, gates, 0, units);
    out[OUT_U] = part(p, gates, 1, units);
    out[OUT_C] = sgs_sp_one(p, &sgs_op_tanh, weighted(p, x, sgs_sp_product(p, h, out[OUT_R]), wc, bc), NULL);
    sgs_value *change = sgs_sp_two(p, &sgs_op_sub, h, out[OUT_C]);
    out[OUT_NEW] = sgs_sp_sum(p, out[OUT_C], sgs_sp_product(p, out[OUT_U], change)); /* (1 - u) * c + u * h */
    for (int i = 0; i < 4 && p->status == SGS_OK; i++)
        if (sgs_sp_wants(p, i))
            sgs_sp_out(p, i, sgs_sp_own(p, out[i]));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from tensorflow[] = {
    { "LSTMBlockCell", from_tf_lstm_cell, 0 },
    { "BlockLSTM", from_tf_lstm, 0 },
    { "GRUBlockCell", from_tf_gru_cell, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_tfrecur = { "tfrecur", ops, .tensorflow = tensorflow };
