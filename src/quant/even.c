/* Scales for each channel of what lies in 16 bits between convolutions, which cost nothing: who makes the channels multiplies each by its own
 * number anyway, and the weights that read them absorb the rest (ARITHMETIC.md 5).  16 bits bear channels as different as 2^8; weights do not:
 * where sums stay within 32 bits theirs have little more than 8 (weights.c).
 *
 * t[c] = sqrt(a[c] / w[c]), a being what the channel reaches and w the largest weight that reads it, makes channels as different as the weights
 * that read them.  A network whose channels were scaled by powers of two and scaled back gets the same integers.  t is a power of two: no
 * mantissa changes, and what bends at 0 has the same ratio of scales in all channels, so that one multiplier serves them. */
#include <limits.h>
#include <math.h>

#include "base/sets.h"
#include "quant/quantize.h"

#define MOST_STEPS 32767
#define ROOM 4            /* two bits: new samples reach farther than those seen, one channel more surely than all of a tensor */
#define LEAST_RATIO (-14) /* log2, of the largest of a part */
#define LEAST_SCALE 1e-25f

typedef struct even {
    sgs_quantizer *q;
    bool *fit;     /* by value id */
    int *first;    /* by value id: number of its channel 0; -1: one scale */
    int *part;     /* by group, sets: groups that must keep one ratio in all channels are one part */
    int n;         /* channels */
    int *same;     /* sets of channels: those that move together are one */
    double *reach;  /* by channel: the largest magnitude seen */
    double *weight; /* the largest weight that reads it, as a share of its output's largest product */
    int *t;        /* by channel: log2 */
    bool *known;   /* by channel: something was seen of it, and something reads it */
} even;

/* ---- which tensors ---- */

static bool is_linear(const sgs_node *n)
{
    const sgs_conv_attr *a = n->attr;
    return a->act == SGS_ACT_NONE || a->act == SGS_ACT_RELU;
}

/* A line with a bend at 0: its integers are the same whatever scales a channel has before and behind it, as long as their ratio is. */
static bool is_bent(const sgs_node *n)
{
    return n->op == &sgs_op_leakyrelu || n->op == &sgs_op_prelu;
}

/* Channels of its first input, or of all where it moves them, are those of its result. */
static bool keeps(const even *e, const sgs_node *n, const sgs_value *x)
{
    return is_bent(n) ? n->in[0] == x : sgs_keeps_channels(n) && sgs_group_of(e->q, n->out[0]) == sgs_group_of(e->q, x);
}

static int channel_inputs(const sgs_node *n)
{
    return is_bent(n) ? 1 : sgs_keeps_channels(n) ? n->nin : 0;
}

/* A tensor of 16 bits that a convolution makes, or what keeps the channels of such ones. */
static bool is_made(even *e, const sgs_value *v)
{
    const sgs_node *def = v->def;
    const int group = sgs_group_of(e->q, v);
    if (!def || def->nout != 1 || e->q->type[group] != SGS_S16 || e->q->kept[group].scale > 0 || e->q->image[v->id] || !sgs_has_channels(e->q, v))
        return false;
    if (sgs_is_conv(def))
        return is_linear(def);
    for (int i = 0; i < channel_inputs(def); i++)
        if (!keeps(e, def, def->in[i]) || !e->fit[def->in[i]->id])
            return false;
    return channel_inputs(def) > 0;
}

static bool absorbs(const sgs_quantizer *q, const sgs_node *n, const sgs_value *x)
{
    return sgs_is_conv(n) && n->in[0] == x && n->in[1]->constant && !sgs_import_gives_range(q, n->in[1]);
}

/* What reads v takes up its scales, or keeps them. */
static bool is_read(even *e, const sgs_users *u, const sgs_value *v)
{
    for (const sgs_use *of = sgs_first_use(u, v); of; of = of->next)
        if (!absorbs(e->q, of->node, v) && !(keeps(e, of->node, v) && e->fit[of->node->out[0]->id]))
            return false;
    return !sgs_output_count(u, v);
}

/* Whether v, which was thought to be fit, is not. */
static bool drop(even *e, const sgs_users *u, const sgs_value *v)
{
    if (!e->fit[v->id] || (is_made(e, v) && is_read(e, u, v)))
        return false;
    e->fit[v->id] = false;
    return true;
}

/* One that is not fit makes those before and behind it unfit: there and back until nothing changes. */
static void choose_tensors(even *e)
{
    sgs_graph *g = e->q->g;
    const sgs_users *u = sgs_users_of(g, g->arena);
    for (const sgs_node *n = g->first; n; n = n->next)
        e->fit[n->out[0]->id] = true;
    for (bool changed = true; changed;) {
        changed = false;
        for (const sgs_node *n = g->first; n; n = n->next)
            changed |= drop(e, u, n->out[0]);
        for (const sgs_node *n = g->last; n; n = n->prev)
            changed |= drop(e, u, n->out[0]);
    }
    for (const sgs_node *n = g->first; n; n = n->next)
        if (e->fit[n->out[0]->id]) {
            e->first[n->out[0]->id] = e->n;
            e->n += (int)e->q->range[n->out[0]->id].channels;
        }
}

/* ---- channels ---- */

static void join_kept(even *e)
{
    for (const sgs_node *n = e->q->g->first; n; n = n->next) {
        int to = e->first[n->out[0]->id];
        for (int i = 0; i < channel_inputs(n) && to >= 0; i++) {
            sgs_sets_join(e->part, sgs_group_of(e->q, n->in[i]), sgs_group_of(e->q, n->out[0]));
            for (int64_t k = 0, from = e->first[n->in[i]->id]; k < e->q->range[n->in[i]->id].channels; k++, to++)
                sgs_sets_join(e->same, (int)(from + k), to);
        }
    }
}

static void note_reach(even *e, const sgs_value *v)
{
    const sgs_range *r = &e->q->range[v->id];
    for (int64_t k = 0; k < r->channels; k++) {
        double *to = &e->reach[sgs_set_of(e->same, e->first[v->id] + (int)k)];
        *to = fmax(*to, fmax((double)r->hi[k], -(double)r->lo[k]));
    }
}

static double weight_of(const sgs_node *n, const sgs_qweights *w, int64_t o, int64_t t, int64_t i)
{
    return fabs((double)sgs_const_f32(n->in[1])[o * w->step_o + t * w->step_t + i * w->step_i]);
}

/* Weights of output o as a share of its largest product: who has scaled that output, as a channel of its own, has scaled that too. */
static void note_row(even *e, const sgs_node *n, const sgs_qweights *w, int64_t o)
{
    const int first = e->first[n->in[0]->id] + (int)(o / w->group * w->inputs);
    double most = 0;
    for (int64_t t = 0; t < w->taps; t++)
        for (int64_t i = 0; i < w->inputs; i++)
            most = fmax(most, e->reach[sgs_set_of(e->same, first + (int)i)] * weight_of(n, w, o, t, i));
    for (int64_t t = 0; t < w->taps && most > 0; t++)
        for (int64_t i = 0; i < w->inputs; i++) {
            double *to = &e->weight[sgs_set_of(e->same, first + (int)i)];
            *to = fmax(*to, weight_of(n, w, o, t, i) / most);
        }
}

static void note(even *e)
{
    for (const sgs_node *n = e->q->g->first; n; n = n->next)
        if (e->first[n->out[0]->id] >= 0)
            note_reach(e, n->out[0]);
    for (const sgs_node *n = e->q->g->first; n; n = n->next) {
        sgs_qweights w;
        if (!sgs_is_conv(n) || e->first[n->in[0]->id] < 0)
            continue;
        sgs_conv_layout(n, &w);
        for (int64_t o = 0; o < w.outputs; o++)
            note_row(e, n, &w, o);
    }
}

/* ---- scales ---- */

static void set_powers(even *e)
{
    for (int i = 0; i < e->n; i++) {
        const double a = e->reach[i], w = e->weight[i];
        e->known[i] = a > 0 && w > 0;
        e->t[i] = e->known[i] ? (int)rint((log2(a) - log2(w)) / 2) : 0;
    }
}

/* log2 of what channel i of a part whose largest is `most` has. */
static int power_of(even *e, int most, int i)
{
    return !e->known[i] ? most : e->t[i] < most + LEAST_RATIO ? most + LEAST_RATIO : e->t[i];
}

/* The largest t of each part. */
static int *largest(even *e)
{
    int *most = SGS_NEW_N(e->q->g->arena, int, e->q->nplan + 1);
    for (int i = 0; i < e->q->nplan; i++)
        most[i] = INT_MIN;
    for (const sgs_node *n = e->q->g->first; n; n = n->next)
        for (int64_t k = 0; e->first[n->out[0]->id] >= 0 && k < e->q->range[n->out[0]->id].channels; k++) {
            const int i = sgs_set_of(e->same, e->first[n->out[0]->id] + (int)k);
            int *of = &most[sgs_set_of(e->part, sgs_group_of(e->q, n->out[0]))];
            *of = e->known[i] && e->t[i] > *of ? e->t[i] : *of;
        }
    return most;
}

/* What the scales of each group have in common, room included. */
static double *common_scales(even *e, const int *most)
{
    double *scale = SGS_NEW_N(e->q->g->arena, double, e->q->nplan + 1);
    for (const sgs_node *n = e->q->g->first; n; n = n->next) {
        const sgs_value *v = n->out[0];
        const int group = sgs_group_of(e->q, v), largest = most[sgs_set_of(e->part, group)];
        const sgs_range *r = &e->q->range[v->id];
        for (int64_t k = 0; e->first[v->id] >= 0 && largest != INT_MIN && k < r->channels; k++) {
            const int power = power_of(e, largest, sgs_set_of(e->same, e->first[v->id] + (int)k));
            scale[group] = fmax(scale[group], ldexp(fmax((double)r->hi[k], -(double)r->lo[k]), -power) * ROOM / MOST_STEPS);
        }
    }
    return scale;
}

static sgs_quant *make_quant(even *e, const sgs_value *v, int most, float scale)
{
    const sgs_range *r = &e->q->range[v->id];
    const int n = (int)r->channels;
    sgs_quant *quant = sgs_quant_new(e->q->g, v->rank - 1, n);
    quant->nrange = n;
    quant->lo = SGS_NEW_N(e->q->g->arena, float, n);
    quant->hi = SGS_NEW_N(e->q->g->arena, float, n);
    for (int j = 0; j < n; j++) {
        quant->scale[j] = ldexpf(scale, power_of(e, most, sgs_set_of(e->same, e->first[v->id] + j)));
        quant->zero[j] = 0;
        quant->lo[j] = r->lo[j];
        quant->hi[j] = r->hi[j];
    }
    return quant;
}

static void choose_scales(even *e)
{
    const int *most = largest(e);
    const double *scale = common_scales(e, most);
    for (const sgs_node *n = e->q->g->first; n; n = n->next) {
        const int group = sgs_group_of(e->q, n->out[0]);
        if (e->first[n->out[0]->id] >= 0 && scale[group] > 0)
            e->q->own[n->out[0]->id] = make_quant(e, n->out[0], most[sgs_set_of(e->part, group)], fmaxf((float)scale[group], LEAST_SCALE));
    }
}

void sgs_even(sgs_quantizer *q)
{
    sgs_arena *a = q->g->arena;
    even e = { .q = q, .fit = SGS_NEW_N(a, bool, q->nplan + 1), .first = SGS_NEW_N(a, int, q->nplan + 1), .part = sgs_sets_new(a, q->nplan) };
    for (int i = 0; i < q->nplan; i++)
        e.first[i] = -1;
    choose_tensors(&e);
    e.same = sgs_sets_new(a, e.n);
    e.t = SGS_NEW_N(a, int, e.n + 1);
    e.known = SGS_NEW_N(a, bool, e.n + 1);
    e.reach = SGS_NEW_N(a, double, e.n + 1);
    e.weight = SGS_NEW_N(a, double, e.n + 1);
    join_kept(&e);
    note(&e);
    set_powers(&e);
    choose_scales(&e);
}
