/* rnn, gru, lstm spelled out: the operators of each step, for fixed point. */
#include <string.h>

#include "ops/recurrent.h"

#define MOST_STEPS 4096

typedef struct layer {
    const sgs_node *n;
    sgs_rec_sizes z;
    sgs_value *x;                 /* [step][batch][input] */
    sgs_value *first_h, *first_c; /* [direction][batch][hidden], or NULL */
    sgs_value *last_c;            /* what a direction ends with */
    const int32_t *length;        /* of each sequence, or NULL: all are whole */
    bool linear, coupled;
    float clip;
} layer;

typedef struct weights {        /* of one direction; products take them as [in][out] */
    sgs_value *w, *r, *wb, *rb; /* biases may be NULL */
    sgs_value *peephole[3];     /* input, output, forget, or NULL */
    sgs_rec_function f[3];
} weights;

static sgs_value *spell_function(sgs_spell *p, const sgs_rec_function *f, float clip, sgs_value *x)
{
    const sgs_rec_function_attr a = sgs_rec_attr_of(f);
    if (clip > 0)
        x = sgs_sp_one(p, &sgs_op_clip, x, &(sgs_act_attr){ -clip, clip });
    if (!f->op)
        return sgs_sp_by(p, &sgs_op_add, sgs_sp_by(p, &sgs_op_mul, x, f->alpha), f->beta);
    if (!sgs_rec_is_scaled_tanh(f))
        return sgs_sp_one(p, f->op, x, &a);
    return sgs_sp_by(p, &sgs_op_mul, sgs_sp_one(p, f->op, sgs_sp_by(p, &sgs_op_mul, x, f->beta), NULL), f->alpha);
}

static sgs_value *gate(sgs_spell *p, const layer *l, sgs_value *x, int first, int count)
{
    return count == l->z.gates ? x : sgs_sp_slice(p, x, x->rank - 1, first * l->z.hidden, count * l->z.hidden, 1);
}

/* Row `at` of the first axis, without that axis. */
static sgs_value *row(sgs_spell *p, sgs_value *x, int64_t at)
{
    return sgs_sp_squeeze(p, sgs_sp_slice(p, x, 0, at, 1, 1), 0);
}

static sgs_value *input(const layer *l, int slot)
{
    return slot < l->n->nin ? l->n->in[slot] : NULL;
}

static sgs_value *spell_state(sgs_spell *p, const layer *l, int slot)
{
    sgs_value *v = input(l, slot);
    return v && l->z.batch_first ? sgs_sp_transpose(p, v, (const int64_t[]){ 1, 0, 2 }) : v;
}

static void read_layer(sgs_spell *p, layer *l, const sgs_node *n)
{
    const sgs_recurrent_attr *a = n->attr;
    *l = (layer){
        .n = n, .z = sgs_rec_sizes_of(n), .linear = a->linear != 0, .coupled = a->coupled != 0, .clip = a->clip
    };
    l->x = a->batch_first ? sgs_sp_transpose(p, n->in[SGS_REC_X], (const int64_t[]){ 1, 0, 2 }) : n->in[SGS_REC_X];
    l->first_h = spell_state(p, l, SGS_REC_H);
    l->first_c = spell_state(p, l, SGS_REC_C);
    l->length = input(l, SGS_REC_LENGTHS) ? sgs_const_data(input(l, SGS_REC_LENGTHS)) : NULL;
}

static void read_weights(sgs_spell *p, const layer *l, int direction, weights *w)
{
    static const int64_t turned[] = { 1, 0 };
    const int64_t wide = l->z.wide, hidden = l->z.hidden;
    sgs_value *bias = input(l, SGS_REC_B), *peep = input(l, SGS_REC_PEEPHOLES);
    *w = (weights){ 0 };
    for (int i = 0; i < sgs_rec_functions_of(l->z.gates); i++)
        w->f[i] = sgs_rec_function_of(l->n, direction, i);
    w->w = sgs_sp_transpose(p, row(p, l->n->in[SGS_REC_W], direction), turned);
    w->r = sgs_sp_transpose(p, row(p, l->n->in[SGS_REC_R], direction), turned);
    if (bias) {
        bias = row(p, bias, direction);
        w->wb = sgs_sp_slice(p, bias, 0, 0, wide, 1);
        w->rb = sgs_sp_slice(p, bias, 0, wide, wide, 1);
    }
    for (int i = 0; i < 3 && peep; i++)
        w->peephole[i] = sgs_sp_slice(p, row(p, peep, direction), 0, i * hidden, hidden, 1);
}

/* Cells: the next state from a step's share x [batch][gates * hidden], its input product, and the states before. */

static sgs_value *rnn_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h)
{
    return spell_function(p, &w->f[0], l->clip, sgs_sp_sum(p, x, sgs_sp_sum(p, sgs_sp_two(p, &sgs_op_matmul, h, w->r), w->rb)));
}

static sgs_value *gru_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h)
{
    sgs_value *bias_zr = w->rb ? gate(p, l, w->rb, 0, 2) : NULL, *bias_h = w->rb ? gate(p, l, w->rb, 2, 1) : NULL;
    sgs_value *again = sgs_sp_sum(p, sgs_sp_two(p, &sgs_op_matmul, h, gate(p, l, w->r, 0, 2)), bias_zr);
    sgs_value *zr = spell_function(p, &w->f[0], l->clip, sgs_sp_sum(p, gate(p, l, x, 0, 2), again)), *inner;
    sgs_value *z = gate(p, l, zr, 0, 1), *r = gate(p, l, zr, 1, 1), *weight = gate(p, l, w->r, 2, 1);
    if (l->linear)
        inner = sgs_sp_product(p, r, sgs_sp_sum(p, sgs_sp_two(p, &sgs_op_matmul, h, weight), bias_h));
    else
        inner = sgs_sp_sum(p, sgs_sp_two(p, &sgs_op_matmul, sgs_sp_product(p, r, h), weight), bias_h);
    sgs_value *fresh = spell_function(p, &w->f[1], l->clip, sgs_sp_sum(p, gate(p, l, x, 2, 1), inner));
    return sgs_sp_sum(p, fresh, sgs_sp_product(p, z, sgs_sp_two(p, &sgs_op_sub, h, fresh)));
}

static sgs_value *lstm_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h, sgs_value **c)
{
    sgs_value *all = sgs_sp_sum(p, x, sgs_sp_sum(p, sgs_sp_two(p, &sgs_op_matmul, h, w->r), w->rb)), *g[4];
    for (int i = 0; i < 4; i++)
        g[i] = gate(p, l, all, i, 1);
    for (int i = 0; i < 3; i += 2)
        g[i] =
            spell_function(p, &w->f[0], l->clip, w->peephole[i] ? sgs_sp_sum(p, g[i], sgs_sp_product(p, w->peephole[i], *c)) : g[i]);
    if (l->coupled)
        g[2] = sgs_sp_two(p, &sgs_op_sub, sgs_sp_number(p, 1), g[0]);
    g[3] = spell_function(p, &w->f[1], l->clip, g[3]);
    sgs_value *kept = sgs_sp_product(p, g[2], *c), *fresh = sgs_sp_product(p, g[0], g[3]);
    *c = sgs_sp_sum(p, kept, fresh);
    g[1] = spell_function(p, &w->f[0], l->clip, w->peephole[1] ? sgs_sp_sum(p, g[1], sgs_sp_product(p, w->peephole[1], *c)) : g[1]);
    return sgs_sp_product(p, g[1], spell_function(p, &w->f[2], 0, *c));
}

/* 1 for sequences that reach this step, 0 for the others; NULL: all do. */
static sgs_value *reached(sgs_spell *p, const layer *l, int64_t step)
{
    const int64_t dim[] = { l->z.batch, 1 };
    bool all = true;
    void *data;
    for (int64_t i = 0; i < l->z.batch && l->length; i++)
        all = all && step < l->length[i];
    if (all)
        return NULL;
    sgs_value *v = sgs_sp_const(p, SGS_F32, 2, dim, &data);
    for (int64_t i = 0; i < l->z.batch && v; i++)
        ((float *)data)[i] = step < l->length[i];
    return v;
}

/* old where the mask is 0 */
static sgs_value *kept(sgs_spell *p, sgs_value *mask, sgs_value *now, sgs_value *old)
{
    return mask ? sgs_sp_sum(p, old, sgs_sp_product(p, mask, sgs_sp_two(p, &sgs_op_sub, now, old))) : now;
}

static sgs_value *zeros(sgs_spell *p, const layer *l)
{
    const int64_t dim[] = { l->z.batch, l->z.hidden };
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
    sgs_value *shares = sgs_sp_sum(p, sgs_sp_two(p, &sgs_op_matmul, l->x, w.w), w.wb);
    for (int64_t i = 0; i < l->z.steps && p->status == SGS_OK; i++) {
        const int64_t step = reverse ? l->z.steps - 1 - i : i;
        sgs_value *x = row(p, shares, step), *mask = reached(p, l, step), *old_c = c;
        sgs_value *now = l->z.gates == SGS_RNN   ? rnn_cell(p, l, &w, x, h)
                         : l->z.gates == SGS_GRU ? gru_cell(p, l, &w, x, h)
                                                 : lstm_cell(p, l, &w, x, h, &c);
        c = l->z.gates == SGS_LSTM ? kept(p, mask, c, old_c) : c;
        h = kept(p, mask, now, h);
        y[step] = mask ? sgs_sp_product(p, mask, now) : now;
    }
    l->last_c = c;
    return h;
}

/* [direction][batch][hidden] of each direction's [batch][hidden] */
static sgs_value *stacked(sgs_spell *p, const layer *l, sgs_value *const *v, int axis)
{
    sgs_value *list[2];
    for (int i = 0; i < l->z.directions; i++)
        list[i] = sgs_sp_unsqueeze(p, v[i], axis);
    return sgs_sp_concat(p, l->z.directions, list, axis);
}

/* [step][direction][batch][hidden], or [batch][step][direction][hidden]; y holds the steps of one direction after those
 * of the other. */
static sgs_value *all_states(sgs_spell *p, const layer *l, sgs_value **y)
{
    const int axis = l->z.batch_first ? 1 : 0;
    for (int64_t i = 0; i < l->z.steps && p->status == SGS_OK; i++) {
        sgs_value *both[] = { y[i], y[(l->z.directions - 1) * l->z.steps + i] };
        y[i] = sgs_sp_unsqueeze(p, stacked(p, l, both, axis), axis);
    }
    return sgs_sp_concat(p, (int)l->z.steps, y, axis);
}

void sgs_recurrent_spell(sgs_spell *p, const sgs_node *n, sgs_value **out)
{
    layer l;
    read_layer(p, &l, n);
    sgs_value *h[2], *c[2], **y = sgs_alloc_n(p->im->g->arena, (size_t)(l.z.directions * l.z.steps) + 1, sizeof *y);
    for (int i = 0; i < l.z.directions && p->status == SGS_OK; i++) {
        h[i] = unroll(p, &l, i, i == 1 || ((const sgs_recurrent_attr *)n->attr)->direction == SGS_REC_REVERSE,
                      y + i * l.z.steps);
        c[i] = l.last_c;
    }
    if (p->status != SGS_OK)
        return;
    out[1] = stacked(p, &l, h, l.z.batch_first ? 1 : 0);
    if (l.z.gates == SGS_LSTM)
        out[2] = stacked(p, &l, c, l.z.batch_first ? 1 : 0);
    out[0] = all_states(p, &l, y);
}

const char *sgs_recurrent_unfixed(const sgs_node *n)
{
    if (sgs_rec_sizes_of(n).steps > MOST_STEPS)
        return "has more than 4096 time steps";
    return n->nin > SGS_REC_LENGTHS && n->in[SGS_REC_LENGTHS] && !n->in[SGS_REC_LENGTHS]->constant
               ? "has sequence lengths that are known only at run time"
               : NULL;
}
