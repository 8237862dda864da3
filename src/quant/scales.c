/* Scales and zero points: of a group of tensors, by what the model brings, what operators know and what was observed; of images; of what single uses need. */
#include <math.h>

#include "quant/quantize.h"

sgs_quant *sgs_quant_one(sgs_graph *g, double scale, int32_t zero, float lo, float hi)
{
    sgs_quant *q = sgs_quant_new(g, -1, 1);
    q->scale[0] = (float)scale;
    q->zero[0] = zero;
    q->nrange = 1;
    q->lo = SGS_NEW_N(g->arena, float, 1);
    q->hi = SGS_NEW_N(g->arena, float, 1);
    q->lo[0] = lo;
    q->hi[0] = hi;
    return q;
}

sgs_quant *sgs_kept_quant(sgs_graph *g, sgs_type t, const sgs_qfixed *k)
{
    return sgs_quant_one(g, (double)k->scale, t == SGS_U8 ? k->zero : 0, k->lo, k->hi);
}

#define LEAST_RANGE 1e-30f

sgs_quant *sgs_quant_for(sgs_graph *g, sgs_type t, float lo, float hi)
{
    lo = lo < 0 ? lo : 0;
    hi = hi > 0 ? hi : 0;
    if (t == SGS_S16) {
        float most = fmaxf(-lo, hi);
        return sgs_quant_one(g, most < LEAST_RANGE ? 1.0 : (double)most / 32767, 0, lo, hi);
    }
    double range = (double)hi - (double)lo;
    if (range < (double)LEAST_RANGE)
        return sgs_quant_one(g, 1.0, 0, lo, hi);
    double scale = range / 255, zero = rint(-(double)lo / scale);
    return sgs_quant_one(g, scale, (int32_t)fmin(fmax(zero, 0), 255), lo, hi);
}

sgs_quant *sgs_image_quant(sgs_graph *g, const sgs_qinput *in, int axis, int64_t channels)
{
    sgs_quant *q = sgs_quant_new(g, channels > 1 ? axis : -1, (int)channels);
    for (int64_t c = 0; c < channels; c++) {
        int64_t k = in->swap ? channels - 1 - c : c;
        q->scale[c] = (float)(1 / (double)in->std[k]);
        q->zero[c] = (int32_t)fmin(fmax(rint((double)in->mean[k]), 0), 255);
    }
    return q;
}

/* ---- groups ------------------------------------------------------------------------------------------------------------------------ */

typedef struct extent {
    float lo, hi;
    bool seen;
    bool fractions;        /* some member may hold others than whole numbers */
    bool observed;         /* some member's range is what was observed */
    sgs_qfixed fixed;      /* of the members that know theirs; scale 0: none does */
    sgs_clip clip;         /* where bytes end for those that convolutions read; both 0: nobody says */
} extent;

/* A group is fixed when all that make it agree on the scale. */
static void widen_by_rule(extent *x, const sgs_node *n)
{
    sgs_qfixed f = { 0 };
    if (!n || !n->op->fixed_out || !n->op->fixed_out(n, &f) || (x->fixed.scale > 0 && x->fixed.scale != f.scale)) {
        x->observed = true;
        return;
    }
    x->fixed = (sgs_qfixed){ f.scale, fminf(x->fixed.lo, f.lo), fmaxf(x->fixed.hi, f.hi), 0, false };
}

/* Where the bytes of v end, as a level chose. */
static sgs_clip clip_of(const sgs_quantizer *q, const sgs_value *v)
{
    sgs_clip c = { 0 };
    if (!q->o->recipe.clip || v->id >= q->nfloat)
        return c;
    if (!q->range[v->id].given)
        return q->o->recipe.clip[v->id];
    sgs_range_all(&q->range[v->id], &c.lo, &c.hi);
    return c;
}

static bool is_clip(sgs_clip c)
{
    return c.lo < c.hi;
}

static void widen(sgs_quantizer *q, extent *e, const sgs_value *v)
{
    extent *x = &e[sgs_group_of(q, v)];
    const sgs_clip c = clip_of(q, v);
    x->clip = (sgs_clip){ fminf(x->clip.lo, c.lo), fmaxf(x->clip.hi, c.hi), false };
    if (v->id < q->nrange && q->range[v->id].channels) {
        sgs_range_all(&q->range[v->id], &x->lo, &x->hi);
        x->seen = true;
    }
    if (!v->def || v->def->op->qrule != SGS_Q_MOVE)
        widen_by_rule(x, v->def);
}

static void widen_by_const(sgs_quantizer *q, extent *e, const sgs_node *n)
{
    for (int i = 0; i < n->nin && n->op->qrule == SGS_Q_MOVE; i++) {
        const sgs_value *c = n->in[i];
        extent *x = &e[sgs_group_of(q, n->out[0])];
        for (int64_t k = 0; c->constant && c->type == SGS_F32 && k < sgs_value_count(c); k++) {
            x->lo = fminf(x->lo, sgs_const_f32(c)[k]);
            x->hi = fmaxf(x->hi, sgs_const_f32(c)[k]);
            x->observed = true;
        }
    }
}

static void note_fractions(sgs_quantizer *q, extent *e)
{
    const bool *whole = q->whole = sgs_whole_values(q->g, q->range, q->nrange);
    for (int i = 0; i < q->g->nin; i++)
        if (!whole[q->g->in[i]->id])
            e[sgs_group_of(q, q->g->in[i])].fractions = true;
    for (const sgs_node *n = q->g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            if (!whole[n->out[i]->id])
                e[sgs_group_of(q, n->out[i])].fractions = true;
}

/* Whole numbers in bytes: as many steps for each as there are, so that each is one of them. */
static sgs_quant *whole_bytes(sgs_graph *g, float lo, float hi)
{
    const double steps = floor(255 / ((double)hi - (double)lo));
    return !(steps >= 1 && isfinite(steps)) ? sgs_quant_for(g, SGS_U8, lo, hi) : sgs_quant_one(g, 1 / steps, (int32_t)(-(double)lo * steps), lo, hi);
}

static sgs_quant *observed_quant(sgs_graph *g, sgs_type t, const extent *e)
{
    const float most = fmaxf(-e->lo, e->hi);
    if (t == SGS_S16 && !e->fractions && most >= LEAST_RANGE)
        return sgs_quant_one(g, sgs_whole_scale((double)most), 0, fminf(e->lo, 0), fmaxf(e->hi, 0));
    if (t == SGS_U8 && !e->fractions && most >= LEAST_RANGE)
        return whole_bytes(g, fminf(e->lo, 0), fmaxf(e->hi, 0));
    if (t == SGS_U8 && is_clip(e->clip))
        return sgs_quant_for(g, t, fmaxf(e->lo, e->clip.lo), fminf(e->hi, e->clip.hi));
    return sgs_quant_for(g, t, e->lo, e->hi);
}

/* What the model brings, what the operators know, what was observed, in this order. */
static sgs_quant *group_quant(sgs_quantizer *q, int group, const extent *e)
{
    const sgs_type t = q->type[group];
    if (q->kept[group].scale > 0)
        return sgs_kept_quant(q->g, t, &q->kept[group]);
    if (e->fixed.scale > 0 && !e->observed && t == SGS_S16)
        return sgs_quant_one(q->g, (double)e->fixed.scale, 0, e->fixed.lo, e->fixed.hi);
    return observed_quant(q->g, t, e);
}

void sgs_choose_scales(sgs_quantizer *q)
{
    sgs_graph *g = q->g;
    extent *e = SGS_NEW_N(g->arena, extent, g->nvalue + 1);
    note_fractions(q, e);
    for (int i = 0; i < g->nin; i++)
        widen(q, e, g->in[i]);
    for (const sgs_node *n = g->first; n; n = n->next) {
        widen(q, e, n->out[0]);
        widen_by_const(q, e, n);
    }
    for (int i = 0; i < g->nvalue; i++)
        if (q->group[i] == i)
            q->quant[i] = group_quant(q, i, &e[i]);
    for (int i = 0; i < g->nin; i++)
        if (!q->o->in[i].image && q->o->in[i].type != SGS_F32 && !q->o->in[i].scaled)
            q->quant[sgs_group_of(q, g->in[i])] = sgs_quant_one(g, 1, 0, e[g->in[i]->id].lo, e[g->in[i]->id].hi);
}

/* ---- single values ---- */

void sgs_range_of(const sgs_quantizer *q, const sgs_value *v, float *lo, float *hi)
{
    *lo = *hi = 0;
    if (v->def && v->def->name == sgs_ordering) /* the same pixels */
        v = v->def->in[0];
    if (v->id < q->nrange && q->range[v->id].channels)
        sgs_range_all(&q->range[v->id], lo, hi);
    else if (v->quant && v->quant->nrange) {
        *lo = v->quant->lo[0];
        *hi = v->quant->hi[0];
    }
}

sgs_quant *sgs_own_bytes(sgs_quantizer *q, const sgs_value *v)
{
    float lo, hi;
    sgs_range_of(q, v, &lo, &hi);
    if (v->id < q->nplan && q->whole[v->id])
        return whole_bytes(q->g, fminf(lo, 0), fmaxf(hi, 0));
    const sgs_clip clip = clip_of(q, v);
    return is_clip(clip) ? sgs_quant_for(q->g, SGS_U8, clip.lo, clip.hi) : sgs_quant_for(q->g, SGS_U8, lo, hi);
}
