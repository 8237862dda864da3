/* Caffe's layers over time: LSTM and RNN.  x is [step][batch]..., the indicator [step][batch] 1 where a sequence goes
 * on.  One whose sequences all go on is the recurrent operator of the float graph, others are spelled out here. */
#include <string.h>

#include "ops/caffe.h"

#define MOST_STEPS 4096

typedef struct layer {
    sgs_value *x;               /* [step][batch][element] */
    sgs_value *going;           /* the indicator */
    sgs_value *fixed;           /* what every step sees besides, [batch][element], or NULL */
    sgs_value *h, *c;           /* the states before, [batch][units], or NULL: zeros */
    sgs_value *w, *b, *wf, *r;  /* weights of x, their bias, of `fixed`, of the state; [outputs][inputs] */
    sgs_value *wo, *bo;         /* of an rnn's result */
    int64_t steps, batch, units;
    int gates;                  /* 1: rnn */
    bool exposed;               /* states are bottoms and tops */
} layer;

/* ---- reading ---- */

/* [first axes as they are][all others as one] */
static sgs_value *flat(sgs_spell *p, sgs_value *x, int axes)
{
    int64_t dim[SGS_MAX_RANK] = { 0 }, rest = 1;
    if (p->status == SGS_OK && x->rank < axes)
        sgs_sp_fail(p, "expected a bottom of %d dimensions or more, found %d", axes, x->rank);
    for (int i = 0; p->status == SGS_OK && i < x->rank; i++) {
        dim[i < axes ? i : axes] = x->dim[i];
        rest *= i < axes ? 1 : x->dim[i];
    }
    dim[axes] = rest;
    return p->status == SGS_OK ? sgs_sp_reshape(p, x, axes + 1, dim) : x;
}

static sgs_value *state(sgs_spell *p, const layer *l, int bottom)
{
    const int64_t dim[] = { l->batch, l->units };
    sgs_value *v = sgs_sp_in(p, bottom);
    if (v && sgs_value_count(v) != l->batch * l->units)
        sgs_sp_fail(p, "expected states of %lld numbers, [1,%lld,%lld], found %lld", (long long)(l->batch * l->units), (long long)l->batch, (long long)l->units,
                    (long long)sgs_value_count(v));
    return p->status == SGS_OK ? sgs_sp_reshape(p, v, 2, dim) : NULL;
}

/* Bottoms: x, the indicator[, what every step sees][, the states]. */
static void read_bottoms(sgs_spell *p, layer *l)
{
    const int states = l->exposed ? l->gates == 1 ? 1 : 2 : 0, n = sgs_caffe_bottoms(p->s) - states;
    if (n != 2 && n != 3)
        sgs_sp_fail(p, "expected %d or %d bottoms, found %d", 2 + states, 3 + states, n + states);
    if (p->s->nout != 1 + states)
        sgs_sp_fail(p, "expected %d top%s, found %d", 1 + states, states ? "s" : "", p->s->nout);
    if (l->units < 1 || l->units > 65536)
        sgs_sp_fail(p, "num_output: expected 1 to 65536, found %lld", (long long)l->units);
    l->x = sgs_sp_in(p, 0);
    l->going = sgs_sp_in(p, 1);
    l->fixed = n == 3 ? sgs_sp_in(p, 2) : NULL;
    if (p->status != SGS_OK)
        return;
    l->x = flat(p, l->x, 2);
    l->fixed = l->fixed ? flat(p, l->fixed, 1) : NULL;
    if (p->status != SGS_OK)
        return;
    l->steps = l->x->dim[0];
    l->batch = l->x->dim[1];
    if (l->steps < 1 || l->steps > MOST_STEPS)
        sgs_sp_refuse(p, "expected 1 to %d time steps, found %lld", MOST_STEPS, (long long)l->steps);
    if (l->going->rank != 2 || l->going->dim[0] != l->steps || l->going->dim[1] != l->batch)
        sgs_sp_fail(p, "expected an indicator of sequences [%lld,%lld] as second bottom", (long long)l->steps, (long long)l->batch);
    if (l->fixed && p->status == SGS_OK && l->fixed->dim[0] != l->batch)
        sgs_sp_fail(p, "expected %lld sequences in the third bottom, found %lld", (long long)l->batch, (long long)l->fixed->dim[0]);
    l->h = states ? state(p, l, n) : NULL;
    l->c = states == 2 ? state(p, l, n + 1) : NULL;
}

/* In the order in which the steps' own layers have them. */
static void read_blobs(sgs_spell *p, layer *l)
{
    const int64_t wide = l->gates * l->units, x[] = { wide, l->x->dim[2] }, f[] = { wide, l->fixed ? l->fixed->dim[1] : 0 }, r[] = { wide, l->units };
    const int of = (l->gates == 1 ? 5 : 3) + (l->fixed != NULL);
    int k = 0;
    l->w = sgs_caffe_blob(p, k++, of, "weights of the input", 2, x);
    l->b = sgs_caffe_blob(p, k++, of, "bias", 1, &wide);
    l->wf = l->fixed ? sgs_caffe_blob(p, k++, of, "weights of the third bottom", 2, f) : NULL;
    l->r = sgs_caffe_blob(p, k++, of, "weights of the state", 2, r);
    if (l->gates == 1) {
        l->wo = sgs_caffe_blob(p, k++, of, "weights of the result", 2, r);
        l->bo = sgs_caffe_blob(p, k++, of, "bias of the result", 1, &wide);
    }
}

/* ---- formulas ---- */

static sgs_value *step_of(sgs_spell *p, sgs_value *x, int64_t step)
{
    return sgs_sp_squeeze(p, sgs_sp_slice(p, x, 0, step, 1, 1), 0);
}

/* ---- whole ---- */

/* From the second step on all go on; *first: what the first does, all alike: 1 or 0. */
static bool goes_on(const layer *l, bool *first)
{
    const float *v = l->going->type == SGS_F32 ? sgs_const_data(l->going) : NULL;
    for (int64_t i = 0; v && i < l->steps * l->batch; i++)
        if ((v[i] != 0 && v[i] != 1) || (i < l->batch ? v[i] != v[0] : v[i] != 1))
            return false;
    *first = v && v[0] == 1;
    return v != NULL;
}

/* Caffe's gates are input, forget, output, cell, ONNX's input, output, forget, cell. */
static sgs_value *turned(sgs_spell *p, const layer *l, sgs_value *v)
{
    static const int order[] = { 0, 2, 1, 3 };
    sgs_value *part[4];
    for (int i = 0; i < 4 && l->gates == 4; i++)
        part[i] = sgs_sp_slice(p, v, 0, order[i] * l->units, l->units, 1);
    return sgs_sp_unsqueeze(p, l->gates == 4 && p->status == SGS_OK ? sgs_sp_concat(p, 4, part, 0) : v, 0);
}

/* Hidden states [step][batch][units]; l->h and l->c become the last ones. */
static sgs_value *whole(sgs_spell *p, layer *l, bool first)
{
    const sgs_src_attr hidden = sgs_caffe_int("hidden_size", l->units);
    const int64_t wide[] = { 1, l->gates * l->units };
    void *zeros;
    sgs_value *bias[2], *y[3] = { NULL };
    bias[0] = turned(p, l, l->b);
    bias[1] = sgs_sp_const(p, SGS_F32, 2, wide, &zeros);
    if (p->status != SGS_OK)
        return l->x;
    memset(zeros, 0, (size_t)sgs_value_bytes(bias[1]));
    sgs_value *w = turned(p, l, l->w), *r = turned(p, l, l->r), *b = sgs_sp_concat(p, 2, bias, 1);
    sgs_value *h = first && l->h ? sgs_sp_unsqueeze(p, l->h, 0) : NULL, *c = first && l->c ? sgs_sp_unsqueeze(p, l->c, 0) : NULL;
    sgs_value *in[] = { l->x, w, r, b, NULL, h, c };
    sgs_source_node s = *p->s;
    sgs_spell inner = { .im = p->im, .s = &s, .d = p->d, .status = p->status };
    s.opset = 14;
    sgs_sp_call_with(&inner, &(sgs_call){ .op = l->gates == 4 ? "LSTM" : "RNN", .nin = l->gates == 4 ? 7 : 6, .nattr = 1, .nout = l->gates == 4 ? 3 : 2,
                                          .in = in, .attr = &hidden, .y = y });
    p->status = inner.status;
    if (p->status != SGS_OK)
        return l->x;
    l->h = sgs_sp_squeeze(p, y[1], 0);
    l->c = y[2] ? sgs_sp_squeeze(p, y[2], 0) : NULL;
    return sgs_sp_squeeze(p, y[0], 1);
}

/* ---- step by step ---- */

static sgs_value *gate(sgs_spell *p, const layer *l, sgs_value *all, int i)
{
    return sgs_sp_one(p, i == 3 ? &sgs_op_tanh : &sgs_op_sigmoid, sgs_sp_slice(p, all, 1, i * l->units, l->units, 1), NULL);
}

/* The next state of the share of one step; states before a sequence begins count as zeros. */
static void step(sgs_spell *p, layer *l, sgs_value *share, sgs_value *going)
{
    sgs_value *all = l->h ? sgs_sp_sum(p, share, sgs_sp_weighted(p, sgs_sp_product(p, going, l->h), l->r)) : share;
    if (l->gates == 1) {
        l->h = sgs_sp_one(p, &sgs_op_tanh, all, NULL);
        return;
    }
    sgs_value *i = gate(p, l, all, 0), *o = gate(p, l, all, 2), *g = gate(p, l, all, 3), *fresh = sgs_sp_product(p, i, g);
    if (l->c) {
        sgs_value *f = gate(p, l, all, 1);
        l->c = sgs_sp_sum(p, sgs_sp_product(p, sgs_sp_product(p, going, f), l->c), fresh);
    } else {
        l->c = fresh;
    }
    l->h = sgs_sp_product(p, o, sgs_sp_one(p, &sgs_op_tanh, l->c, NULL));
}

static sgs_value *unrolled(sgs_spell *p, layer *l)
{
    const int64_t one[] = { l->batch, 1 };
    sgs_value **y = sgs_alloc_n(p->im->g->arena, (size_t)l->steps, sizeof *y), *all = sgs_sp_sum(p, sgs_sp_weighted(p, l->x, l->w), l->b);
    if (l->fixed)
        all = sgs_sp_sum(p, all, sgs_sp_weighted(p, l->fixed, l->wf));
    for (int64_t t = 0; t < l->steps && p->status == SGS_OK; t++) {
        sgs_value *going = sgs_sp_cast(p, sgs_sp_reshape(p, step_of(p, l->going, t), 2, one), SGS_F32);
        step(p, l, step_of(p, all, t), going);
        y[t] = sgs_sp_unsqueeze(p, l->h, 0);
    }
    return p->status == SGS_OK ? sgs_sp_concat(p, (int)l->steps, y, 0) : l->x;
}

/* ---- the layers ---- */

static sgs_status from_caffe_recurrent(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    layer l = { .gates = !strcmp(s->op, "LSTM") ? 4 : 1, .exposed = sgs_caffe_flag(p, "recurrent_param.expose_hidden", false) };
    bool first = false;
    l.units = sgs_sp_int(p, "recurrent_param.num_output", 0);
    read_bottoms(p, &l);
    if (p->status == SGS_OK)
        read_blobs(p, &l);
    if (p->status != SGS_OK)
        return p->status;
    sgs_value *y = !l.fixed && goes_on(&l, &first) ? whole(p, &l, first) : unrolled(p, &l);
    if (l.wo && p->status == SGS_OK)
        y = sgs_sp_one(p, &sgs_op_tanh, sgs_sp_sum(p, sgs_sp_weighted(p, y, l.wo), l.bo), NULL);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, y);
    if (l.exposed && p->status == SGS_OK)
        sgs_sp_out(p, 1, sgs_sp_unsqueeze(p, l.h, 0));
    if (l.exposed && l.gates == 4 && p->status == SGS_OK)
        sgs_sp_out(p, 2, sgs_sp_unsqueeze(p, l.c, 0));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from caffe[] = { { "LSTM", from_caffe_recurrent, 0 }, { "RNN", from_caffe_recurrent, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_caffe_recur = { "caffe_recur", ops, .caffe = caffe };
