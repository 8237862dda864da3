/* The rewrite: every float value gets type and quantization, uses that need another type get a QUANTIZE, constants become integers, outputs a
 * DEQUANTIZE where the ini asks for one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "quant/quantize.h"

/* ---- scales --------------------------------------------------------------------------------------------------------------------- */

static sgs_quant *one_scale(sgs_graph *g, double scale, int32_t zero, float lo, float hi)
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

static sgs_quant *kept_quant(sgs_graph *g, sgs_type t, const sgs_qfixed *k)
{
    return one_scale(g, (double)k->scale, t == SGS_U8 ? k->zero : 0, k->lo, k->hi);
}

#define LEAST_RANGE 1e-30f

/* Range -> scale and zero point; zero is always exact. */
static sgs_quant *quant_for(sgs_graph *g, sgs_type t, float lo, float hi)
{
    lo = lo < 0 ? lo : 0;
    hi = hi > 0 ? hi : 0;
    if (t == SGS_S16) {
        float most = fmaxf(-lo, hi);
        return one_scale(g, most < LEAST_RANGE ? 1.0 : (double)most / 32767, 0, lo, hi);
    }
    double range = (double)hi - (double)lo;
    if (range < (double)LEAST_RANGE)
        return one_scale(g, 1.0, 0, lo, hi);
    double scale = range / 255, zero = rint(-(double)lo / scale);
    return one_scale(g, scale, (int32_t)fmin(fmax(zero, 0), 255), lo, hi);
}

static sgs_quant *image_quant(sgs_graph *g, const sgs_qinput *in, int axis, int64_t channels)
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
    return !(steps >= 1 && isfinite(steps)) ? quant_for(g, SGS_U8, lo, hi) : one_scale(g, 1 / steps, (int32_t)(-(double)lo * steps), lo, hi);
}

static sgs_quant *observed_quant(sgs_graph *g, sgs_type t, const extent *e)
{
    const float most = fmaxf(-e->lo, e->hi);
    if (t == SGS_S16 && !e->fractions && most >= LEAST_RANGE)
        return one_scale(g, sgs_whole_scale((double)most), 0, fminf(e->lo, 0), fmaxf(e->hi, 0));
    if (t == SGS_U8 && !e->fractions && most >= LEAST_RANGE)
        return whole_bytes(g, fminf(e->lo, 0), fmaxf(e->hi, 0));
    if (t == SGS_U8 && is_clip(e->clip))
        return quant_for(g, t, fmaxf(e->lo, e->clip.lo), fminf(e->hi, e->clip.hi));
    return quant_for(g, t, e->lo, e->hi);
}

/* What the model brings, what the operators know, what was observed, in this order. */
static sgs_quant *group_quant(sgs_quantizer *q, int group, const extent *e)
{
    const sgs_type t = q->type[group];
    if (q->kept[group].scale > 0)
        return kept_quant(q->g, t, &q->kept[group]);
    if (e->fixed.scale > 0 && !e->observed && t == SGS_S16)
        return one_scale(q->g, (double)e->fixed.scale, 0, e->fixed.lo, e->fixed.hi);
    return observed_quant(q->g, t, e);
}

static void choose_scales(sgs_quantizer *q)
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
            q->quant[sgs_group_of(q, g->in[i])] = one_scale(g, 1, 0, e[g->in[i]->id].lo, e[g->in[i]->id].hi);
}

/* ---- values ------------------------------------------------------------------------------------------------------------------------ */

/* The same with the ranges of v itself, a channel each, as far as the common one reaches: what is saved of a tensor gives them again. */
static sgs_quant *with_range(sgs_quantizer *q, const sgs_quant *common, const sgs_value *v)
{
    const sgs_range *r = v->id < q->nrange ? &q->range[v->id] : NULL;
    sgs_quant *own = SGS_NEW(q->g->arena, sgs_quant);
    *own = *common;
    if (!r || !r->channels || common->nrange != 1 || common->axis >= 0)
        return own;
    own->nrange = (int)r->channels;
    own->lo = SGS_NEW_N(q->g->arena, float, r->channels);
    own->hi = SGS_NEW_N(q->g->arena, float, r->channels);
    for (int64_t c = 0; c < r->channels; c++) {
        own->lo[c] = fminf(fmaxf(r->lo[c], common->lo[0]), common->hi[0]);
        own->hi[c] = fminf(fmaxf(r->hi[c], common->lo[0]), common->hi[0]);
    }
    return own;
}

static void set_value(sgs_quantizer *q, sgs_value *v)
{
    int r = sgs_group_of(q, v);
    v->type = q->type[r];
    v->quant = q->own[v->id] ? q->own[v->id] : with_range(q, q->quant[r], v);
}

/* What the ini says of the image that v is, the order of its channels included. */
static sgs_qinput image_of(const sgs_quantizer *q, const sgs_value *v)
{
    sgs_qinput in = q->o->in[q->image[v->id] - 1];
    in.swap = in.swap && !q->ordered[v->id];
    return in;
}

/* Along which axis of a transposed image the channels lie. */
static int image_axis(const sgs_value *v, int axis)
{
    if (!v->def)
        return axis;
    if (v->def->op != &sgs_op_transpose)
        return image_axis(v->def->in[0], axis);
    const sgs_perm_attr *p = v->def->attr;
    int before = image_axis(v->def->in[0], axis);
    for (int i = 0; i < v->rank; i++)
        if (p->perm[i] == before)
            return i;
    return before;
}

static void set_image(sgs_quantizer *q, sgs_value *v)
{
    const sgs_qinput in = image_of(q, v);
    int axis = image_axis(v, in.channel_axis);
    v->type = SGS_U8;
    v->quant = image_quant(q->g, &in, axis, v->dim[axis]);
}

/* A float input stays float for the caller; what the graph reads is its QUANTIZE. */
static void split_float_input(sgs_quantizer *q, sgs_value *v)
{
    sgs_graph *g = q->g;
    sgs_value *inner = sgs_value_like(g, v);
    sgs_replace_uses(g, v, inner);
    sgs_node *n = sgs_node_new(g, g->first, &sgs_op_quantize, 1, &v, NULL);
    sgs_node_set_out(g, n, 1, &inner);
    inner->type = q->type[sgs_group_of(q, v)];
    inner->quant = q->quant[sgs_group_of(q, v)];
}

/* An input that the model reads as integers has the type in which the board gives it, and so have integers moved about. */
static void set_integers(sgs_quantizer *q, int i)
{
    const sgs_type t = q->o->in[i].type;
    sgs_value *v = q->g->in[i];
    if (t == SGS_U16) /* indices alone, as ConvertTool saw to */
        v->type = t;
    else if (v->type == SGS_S8 || (v->type == SGS_S32 && (t == SGS_S16 || t == SGS_U8)))
        v->type = t == SGS_U8 ? t : SGS_S16;
}

/* Types of all values; ids of values made from here on have no group. */
static void set_values(sgs_quantizer *q)
{
    sgs_graph *g = q->g;
    for (sgs_node *n = g->first; n; n = n->next)
        if (q->image[n->out[0]->id])
            set_image(q, n->out[0]);
        else if (!sgs_is_plain(n->out[0]))
            set_value(q, n->out[0]);
    for (int i = 0; i < g->nin; i++) {
        if (q->image[g->in[i]->id])
            set_image(q, g->in[i]);
        else if (sgs_is_plain(g->in[i]))
            set_integers(q, i);
        else if (q->o->in[i].type != SGS_F32)
            set_value(q, g->in[i]);
        else
            split_float_input(q, g->in[i]);
    }
    sgs_plain_values(g);
}

/* ---- uses that need another type ------------------------------------------------------------------------------------------------ */

static bool same_quant(const sgs_value *a, const sgs_quant *b)
{
    return a->quant == b || (a->quant->n == 1 && b->n == 1 && a->quant->scale[0] == b->scale[0] && a->quant->zero[0] == b->zero[0]);
}

/* Of one group whose channels have their own scales: what moves takes them along. */
static bool moves_along(sgs_quantizer *q, const sgs_value *x, const sgs_value *y)
{
    return x->id < q->nplan && y->id < q->nplan && q->own[x->id] && q->own[y->id] && sgs_group_of(q, x) == sgs_group_of(q, y);
}

/* The quantization of one tensor for another: the ranges of its channels become one. */
static sgs_quant *for_another(sgs_graph *g, sgs_quant *quant)
{
    if (quant->axis >= 0 || quant->nrange < 2)
        return quant;
    sgs_quant *one = one_scale(g, 1, quant->zero[0], quant->lo[0], quant->hi[0]);
    one->scale[0] = quant->scale[0];
    for (int i = 1; i < quant->nrange; i++) {
        one->lo[0] = fminf(one->lo[0], quant->lo[i]);
        one->hi[0] = fmaxf(one->hi[0], quant->hi[i]);
    }
    return one;
}

/* v in that type and quantization: an earlier QUANTIZE of the same kind serves again.  They stand directly behind v. */
static sgs_value *requantized(sgs_quantizer *q, sgs_value *v, sgs_type t, sgs_quant *quant)
{
    sgs_graph *g = q->g;
    sgs_node *behind = v->def ? v->def->next : g->first;
    for (const sgs_node *n = behind; n && n->op == &sgs_op_quantize; n = n->next)
        if (n->in[0] == v && n->out[0]->type == t && same_quant(n->out[0], quant))
            return n->out[0];
    sgs_value *y = sgs_value_like(g, v);
    y->type = t;
    y->quant = for_another(g, quant);
    sgs_node *n = sgs_node_new(g, behind, &sgs_op_quantize, 1, &v, NULL);
    sgs_node_set_out(g, n, 1, &y);
    return y;
}

static void range_of(const sgs_quantizer *q, const sgs_value *v, float *lo, float *hi)
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
    range_of(q, v, &lo, &hi);
    if (v->id < q->nplan && q->whole[v->id])
        return whole_bytes(q->g, fminf(lo, 0), fmaxf(hi, 0));
    const sgs_clip clip = clip_of(q, v);
    return is_clip(clip) ? quant_for(q->g, SGS_U8, clip.lo, clip.hi) : quant_for(q->g, SGS_U8, lo, hi);
}

/* The use of v by slot i of n, in the type that n needs there. */
static sgs_value *fitting(sgs_quantizer *q, sgs_node *n, int i)
{
    sgs_value *v = n->in[i];
    float lo, hi;
    bool image = v->id < q->nplan && q->image[v->id];
    if (n->op->qrule == SGS_Q_MOVE) {
        sgs_value *y = n->out[0];
        bool same = (image && q->image[y->id]) || moves_along(q, v, y) || (v->type == y->type && same_quant(v, y->quant));
        return same ? v : requantized(q, v, y->type, y->quant);
    }
    sgs_type need = sgs_is_conv(n) && !q->wide[n->out[0]->id] ? SGS_U8 : SGS_S16;
    if (v->type == need && (!image || sgs_takes_image(q, n)))
        return v;
    if (need == SGS_U8 && v->id < q->nplan && q->kept[sgs_group_of(q, v)].scale > 0)
        return requantized(q, v, need, kept_quant(q->g, need, &q->kept[sgs_group_of(q, v)]));
    if (need == SGS_U8 && v->id < q->nplan && q->bytes[v->id])
        return requantized(q, v, need, q->bytes[v->id]);
    if (need == SGS_U8)
        return requantized(q, v, need, sgs_own_bytes(q, v));
    range_of(q, v, &lo, &hi);
    return requantized(q, v, need, quant_for(q->g, need, lo, hi));
}

/* `to` is the constant `from` as integers.  One that several operators read becomes several; a name belongs to one value, the others are NAME#2 ... */
static void hand_name(sgs_quantizer *q, sgs_value *to, const sgs_value *from)
{
    uint16_t *named = from->id >= 0 && from->id < q->nplan ? &q->named[from->id] : NULL;
    if (!named || *named == UINT16_MAX)
        return;
    if (++*named == 1) {
        to->name = from->name;
        to->nname = from->nname;
    } else if (from->nname) {
        const char *next = sgs_format(q->g->arena, "%s#%d", from->name[0], *named);
        if (!sgs_find_value(q->g, next))
            sgs_value_name(q->g, to, next);
    }
}

/* A constant operand of an elementwise op or a concatenation. */
static sgs_value *constant(sgs_quantizer *q, const sgs_value *c, sgs_type t, sgs_quant *quant)
{
    int64_t count = sgs_value_count(c);
    float lo = 0, hi = 0;
    for (int64_t i = 0; i < count; i++) {
        lo = fminf(lo, sgs_const_f32(c)[i]);
        hi = fmaxf(hi, sgs_const_f32(c)[i]);
    }
    if (!quant)
        sgs_import_constant(q, c, &lo, &hi);
    quant = quant ? quant : quant_for(q->g, t, lo, hi);
    sgs_value *y = sgs_const_new(q->g, t, c->rank, c->dim, NULL, true);
    double least = t == SGS_U8 ? 0 : -32767, most = t == SGS_U8 ? 255 : 32767;
    for (int64_t i = 0; i < count; i++) {
        double v = rint((double)sgs_const_f32(c)[i] / (double)quant->scale[0]) + quant->zero[0];
        v = fmin(fmax(v, least), most);
        if (t == SGS_U8)
            ((uint8_t *)(uintptr_t)sgs_const_data(y))[i] = (uint8_t)v;
        else
            ((int16_t *)(uintptr_t)sgs_const_data(y))[i] = (int16_t)v;
    }
    y->quant = for_another(q->g, quant);
    hand_name(q, y, c);
    return y;
}

/* Whether every number of c lies in what quant can hold. */
static bool holds_all(const sgs_quant *quant, const sgs_value *c)
{
    const double most = 32767 * (double)quant->scale[0];
    for (int64_t i = 0; i < sgs_value_count(c); i++)
        if (!(fabs((double)sgs_const_f32(c)[i]) <= most))
            return false;
    return true;
}

/* What the constant in slot i of n must be in, or NULL: its own range. */
static sgs_quant *given_quant(const sgs_node *n, int i)
{
    if (n->op->qrule == SGS_Q_MOVE)
        return n->out[0]->quant;
    const sgs_value *other = n->op->alike ? n->in[1 - i] : NULL;
    return other && !other->constant && other->quant && other->quant->n == 1 && holds_all(other->quant, n->in[i]) ? other->quant : NULL;
}

static void fit_inputs(sgs_quantizer *q, sgs_node *n)
{
    const bool move = n->op->qrule == SGS_Q_MOVE;
    const int count = sgs_data_inputs(n);
    for (int i = 0; i < count; i++)
        if (!n->in[i]->constant && !sgs_is_plain(n->in[i]))
            n->in[i] = fitting(q, n, i);
    for (int i = 0; i < count; i++)
        if (n->in[i]->constant && !sgs_is_plain(n->in[i]))
            n->in[i] = constant(q, n->in[i], move ? n->out[0]->type : SGS_S16, given_quant(n, i));
}

/* ---- convolutions -------------------------------------------------------------------------------------------------------------------- */

/* The board's channel order: float weights with their input channels reversed. */
static const float *swapped(sgs_quantizer *q, const sgs_value *v, const sgs_qweights *w)
{
    const float *from = sgs_const_data(v);
    float *to = SGS_NEW_N(q->g->arena, float, sgs_value_count(v));
    for (int64_t o = 0; o < w->outputs; o++)
        for (int64_t t = 0; t < w->taps; t++)
            for (int64_t i = 0; i < w->inputs; i++)
                to[o * w->step_o + t * w->step_t + i * w->step_i] = from[o * w->step_o + t * w->step_t + (w->inputs - 1 - i) * w->step_i];
    return to;
}

/* ARITHMETIC.md 10: pixels count from a whole zero point, not from the mean; inside the picture the difference is a constant. */
static const float *image_bias(sgs_quantizer *q, const sgs_qinput *in, const sgs_qweights *w)
{
    float *b = SGS_NEW_N(q->g->arena, float, w->outputs);
    for (int64_t o = 0; o < w->outputs; o++) {
        double sum = w->bias ? (double)w->bias[o] : 0;
        for (int64_t t = 0; t < w->taps; t++)
            for (int64_t i = 0; i < w->inputs; i++) {
                int64_t c = o / w->group * w->inputs + i, channels = w->outputs / w->group * w->inputs;
                int64_t k = channels > 1 && in->swap ? channels - 1 - c : c;
                double off = ((double)w->zero[c] - (double)in->mean[k]) / (double)in->std[k];
                sum += (double)w->weights[o * w->step_o + t * w->step_t + i * w->step_i] * off;
            }
        b[o] = (float)sum;
    }
    return b;
}

/* Scales per input channel: the largest counts, the weights absorb the rest. */
static void absorb(sgs_quantizer *q, const sgs_quant *x, sgs_qweights *w)
{
    int64_t channels = w->outputs / w->group * w->inputs;
    float *ratio = SGS_NEW_N(q->g->arena, float, channels);
    int32_t *zero = SGS_NEW_N(q->g->arena, int32_t, channels);
    w->s_x = 0;
    for (int i = 0; i < x->n; i++)
        w->s_x = fmax(w->s_x, (double)x->scale[i]);
    for (int64_t c = 0; c < channels; c++) {
        ratio[c] = (float)((double)x->scale[x->n > 1 ? c : 0] / w->s_x);
        zero[c] = x->zero[x->n > 1 ? c : 0];
    }
    w->ratio = x->n > 1 ? ratio : NULL;
    w->zero = zero;
}

/* Mean of each input channel, in the order of the weights; NULL where calibration saw none. */
static const double *input_means(sgs_quantizer *q, const sgs_value *x, bool swap, int64_t channels)
{
    const sgs_range *r = x->id < q->nrange ? &q->range[x->id] : NULL;
    if (!r || r->channels != channels || !r->count)
        return NULL;
    double *mean = SGS_NEW_N(q->g->arena, double, channels);
    for (int64_t c = 0; c < channels; c++)
        mean[c] = r->sum[swap ? channels - 1 - c : c] / (double)r->count;
    return mean;
}

#define LEAST_ENERGY 1e-6 /* of the liveliest channel's */

/* How much each input channel varies, in the order of the weights; where rounded weights shift the mean, all of it counts. */
static const double *input_energy(sgs_quantizer *q, const sgs_value *x, bool swap, int64_t channels, bool corrected)
{
    const sgs_range *r = x->id < q->nrange ? &q->range[x->id] : NULL;
    if (!r || r->channels != channels || !r->count)
        return NULL;
    double *e = SGS_NEW_N(q->g->arena, double, channels), most = 0;
    for (int64_t c = 0; c < channels; c++) {
        const int64_t k = swap ? channels - 1 - c : c;
        const double mean = r->sum[k] / (double)r->count, square = r->square[k] / (double)r->count;
        e[c] = fmax(corrected ? square - mean * mean : square, 0);
        most = fmax(most, e[c]);
    }
    for (int64_t c = 0; c < channels; c++) /* a channel that calibration saw nothing of may say something yet */
        e[c] = fmax(e[c], most * LEAST_ENERGY);
    return most > 0 ? e : NULL;
}

/* Of the outputs along one axis, the share for which tap k lies inside the input. */
static double share_inside(int64_t out, int64_t in, int64_t stride, int64_t first)
{
    int64_t inside = 0;
    for (int64_t i = 0; i < out; i++)
        inside += i * stride + first >= 0 && i * stride + first < in;
    return (double)inside / (double)out;
}

/* The share of a convolution's outputs along one axis that tap k reaches. */
static double axis_seen(const sgs_node *n, int i, int64_t k)
{
    const sgs_conv_attr *a = n->attr;
    const int64_t x = n->in[0]->dim[1 + i], y = n->out[0]->dim[1 + i], first = k * a->dilation[i] - a->pad[i];
    if (n->op == &sgs_op_deconv) /* input pixels reach outputs */
        return share_inside(x, y, a->stride[i], first) * (double)x / (double)y;
    return share_inside(y, x, a->stride[i], first);
}

const double *sgs_taps_seen(const sgs_node *n, double *seen)
{
    const int64_t *k = n->in[1]->dim, taps = n->op == &sgs_op_fc ? 1 : k[1] * k[2];
    for (int64_t t = 0; t < taps; t++)
        seen[t] = n->op == &sgs_op_fc ? 1 : axis_seen(n, 0, t / k[2]) * axis_seen(n, 1, t % k[2]);
    return seen;
}

static void put_back(sgs_quantizer *q, sgs_node *n, const sgs_qweights *w, const char *reason)
{
    sgs_graph *g = q->g;
    int64_t outputs = w->outputs;
    sgs_value *old = n->in[1], *nw = sgs_const_new(g, w->wide ? SGS_S16 : w->four ? SGS_S4 : SGS_S8, old->rank, old->dim, w->w, false);
    nw->quant = sgs_quant_new(g, n->op == &sgs_op_depthwise ? 3 : 0, (int)outputs);
    memcpy(nw->quant->scale, w->scale, (size_t)outputs * sizeof(float));
    nw->quant->reason = reason;
    hand_name(q, nw, old);
    sgs_value *nb = sgs_const_new(g, w->wide ? SGS_S64 : SGS_S32, 1, &outputs, w->b, false);
    if (n->nin > 2 && n->in[2])
        hand_name(q, nb, n->in[2]);
    sgs_value **in = SGS_NEW_N(g->arena, sgs_value *, 3);
    in[0] = n->in[0];
    in[1] = nw;
    in[2] = nb;
    n->in = in;
    n->nin = 3;
}

/* The value of the float graph that x holds: nodes inserted here have none of their own. */
static const sgs_value *float_source(const sgs_value *x)
{
    while (x->def && (x->def->op == &sgs_op_quantize || x->def->name == sgs_ordering))
        x = x->def->in[0];
    return x;
}

/* Where channels have their own scales, none reaches beyond the activation's end: the end of the type is the end (equalize.c). */
static void end_by_type(sgs_quantizer *q, sgs_node *n)
{
    const sgs_conv_attr *old = n->attr;
    if (old->act == SGS_ACT_NONE || old->act == SGS_ACT_RELU)
        return;
    const size_t bytes = n->op == &sgs_op_deconv ? sizeof(sgs_deconv_attr) : sizeof(sgs_conv_attr);
    sgs_conv_attr *a = sgs_alloc_n(q->g->arena, bytes, 1);
    memcpy(a, old, bytes);
    a->act = SGS_ACT_RELU;
    a->lo = a->hi = 0;
    n->attr = a;
}

/* Why convolution n has its bits. */
static const char *reason_of(const sgs_quantizer *q, const sgs_node *n)
{
    const int id = n->out[0]->id;
    const char *chosen = q->reason[id];
    if (q->wide[id])
        return chosen ? chosen : "16 bit: asked for in the ini";
    if (q->four[id])
        return q->four[id] == SGS_FOUR_OWN ? "4 bit: the weights fit" : q->four[id] == SGS_FOUR_CHOSEN ? chosen : "4 bit: imported";
    return sgs_takes_image(q, n) ? "8 bit: reads the image" : chosen ? chosen : "8 bit: default";
}

static void quantize_conv(sgs_quantizer *q, sgs_node *n)
{
    sgs_graph *g = q->g;
    sgs_qweights w;
    const sgs_value *x = n->in[0], *source = float_source(x);
    bool image = sgs_takes_image(q, n);
    const sgs_qinput of = image ? image_of(q, x) : (sgs_qinput){ 0 }, *in = &of;
    sgs_conv_layout(n, &w);
    w.arena = g->arena;
    w.parts = n->op == &sgs_op_deconv;
    w.wide = q->wide[n->out[0]->id];
    w.four = !w.wide && q->four[n->out[0]->id];
    w.search = q->o->recipe.search;
    w.weights = image && in->swap ? swapped(q, n->in[1], &w) : sgs_const_data(n->in[1]);
    w.bias = n->nin > 2 && n->in[2] ? sgs_const_data(n->in[2]) : NULL;
    absorb(q, x->quant, &w);
    if (image)
        w.bias = image_bias(q, in, &w);
    const sgs_recipe *recipe = &q->o->recipe;
    const int64_t channels = w.outputs / w.group * w.inputs;
    w.seen = sgs_taps_seen(n, SGS_NEW_N(g->arena, double, w.taps));
    if (recipe->correct)
        w.mean = w.given = input_means(q, source, image && in->swap, channels);
    const bool known = n->out[0]->id < q->nfloat;
    if (w.mean && known && recipe->given && recipe->given[n->out[0]->id] && !image)
        w.given = recipe->given[n->out[0]->id];
    if (recipe->weigh)
        w.energy = input_energy(q, source, image && in->swap, channels, w.mean != NULL);
    w.reversed = image && in->swap;
    if (recipe->factor && known && !w.wide && w.mean)
        w.factor = recipe->factor[n->out[0]->id];
    if (recipe->learned && known && !w.wide && recipe->learned[n->out[0]->id].w)
        w.learned = &recipe->learned[n->out[0]->id];
    if (n->out[0]->id < q->nplan && q->own[n->out[0]->id])
        end_by_type(q, n);
    w.w = sgs_alloc_n(g->arena, (size_t)sgs_value_count(n->in[1]), w.wide ? 2 : 1);
    w.b = sgs_alloc_n(g->arena, (size_t)w.outputs, w.wide ? 8 : 4);
    w.scale = SGS_NEW_N(g->arena, float, w.outputs);
    w.imported = sgs_import_weights(q, n->in[1], w.outputs, sgs_most_weight(&w));
    w.threads = q->o->threads;
    if (q->o->kept && known && !w.wide)
        w.kept = sgs_kept_scales_of(q->o->kept, n->out[0]->id, &w);
    sgs_quantize_weights(&w);
    sgs_import_weights_said(q, n->in[1], w.odd, w.outputs);
    if (w.raised)
        sgs_log_line(q->o->log, "%s: weight scale of %d of %lld channels raised so that every sum fits", sgs_node_label(g, n), w.raised, (long long)w.outputs);
    if (recipe->made && known)
        recipe->made[n->out[0]->id] = w;
    put_back(q, n, &w, reason_of(q, n));
}

/* ---- tables, outputs --------------------------------------------------------------------------------------------------------------------- */

sgs_value *sgs_q_append(sgs_quantizer *q, sgs_node *n, sgs_type t, int64_t count, const void *data)
{
    sgs_value *c = sgs_const_new(q->g, t, 1, &count, data, true), **in = SGS_NEW_N(q->g->arena, sgs_value *, n->nin + 1);
    memcpy(in, n->in, (size_t)n->nin * sizeof *in);
    in[n->nin++] = c;
    n->in = in;
    return c;
}

static sgs_status quantize_by_rule(sgs_quantizer *q, sgs_node *n, sgs_diag *d)
{
    sgs_status s = n->op->quant(q, n, d);
    if (s != SGS_OK)
        sgs_fail_at(d, q->g->file, 0, sgs_node_label(q->g, n));
    return s;
}

static void integer_output(sgs_quantizer *q, int i)
{
    sgs_graph *g = q->g;
    const sgs_qoutput *o = &q->o->out[i];
    sgs_value *v = g->out[i];
    float lo, hi;
    range_of(q, v, &lo, &hi);
    sgs_value *y = requantized(q, v, o->type, o->real ? one_scale(g, 1, 0, lo, hi) : quant_for(g, o->type, lo, hi));
    sgs_value_take_names(g, y, v);
    g->out[i] = y;
}

/* S16 becomes what the ini asks for: float, another integer type, or the real value as an integer. */
static void finish_output(sgs_quantizer *q, int i)
{
    sgs_graph *g = q->g;
    const sgs_qoutput *o = &q->o->out[i];
    sgs_value *v = g->out[i];
    if (o->type != SGS_F32) {
        if (o->real || o->type != v->type)
            integer_output(q, i);
        return;
    }
    sgs_value *y = sgs_value_like(g, v);
    y->type = SGS_F32;
    sgs_node *n = sgs_node_new(g, NULL, &sgs_op_dequantize, 1, &v, NULL);
    sgs_node_set_out(g, n, 1, &y);
    sgs_value_take_names(g, y, v);
    g->out[i] = y;
}

/* An output that is 8 bit by force (an image, raw bytes) or is read by others in its integer form. */
static void widen_output(sgs_quantizer *q, int i)
{
    sgs_value *v = q->g->out[i];
    float lo, hi;
    if (v->type == SGS_S16)
        return;
    range_of(q, v, &lo, &hi);
    sgs_value *y = requantized(q, v, SGS_S16, quant_for(q->g, SGS_S16, lo, hi));
    sgs_value_take_names(q->g, y, v);
    q->g->out[i] = y;
}

static void remove_unused(sgs_graph *g)
{
    sgs_users *u = sgs_users_of(g, g->arena);
    for (sgs_node *n = g->last, *prev; n; n = prev) {
        prev = n->prev;
        if (n->op == &sgs_op_quantize && !sgs_user_count(u, n->out[0]))
            sgs_node_remove(g, n);
    }
}

static sgs_status quantize_nodes(sgs_quantizer *q, sgs_diag *d)
{
    int convs = 0, done = 0;
    for (const sgs_node *n = q->g->first; n; n = n->next)
        convs += sgs_is_conv(n);
    for (sgs_node *n = q->g->first, *next; n; n = next) {
        next = n->next;
        if (n->op == &sgs_op_quantize)
            continue;
        fit_inputs(q, n);
        SGS_TRY(sgs_fit_plain(q, n, d));
        if (sgs_is_conv(n)) {
            sgs_log_progress(q->o->log, "quantize layers", done++, convs);
            quantize_conv(q, n);
        } else if (n->op->quant) {
            SGS_TRY(quantize_by_rule(q, n, d));
        }
    }
    sgs_log_progress(q->o->log, "quantize layers", convs, convs);
    return SGS_OK;
}

/* The plan alone, of a graph that nobody has run. */
static sgs_status plan_unseen(sgs_quantizer *q, sgs_graph *g, const sgs_qoptions *quiet, sgs_diag *d)
{
    sgs_range *none = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 1);
    const sgs_import *import;
    SGS_TRY(sgs_import_bind(g, quiet, &import, d));
    SGS_TRY(sgs_know_finite(g, d));
    sgs_integers_as_real(g, none);
    *q = (sgs_quantizer){ .g = g, .range = none, .nrange = g->nvalue, .o = quiet, .import = import };
    return sgs_plan_types(q, d);
}

sgs_status sgs_quantize_check(sgs_graph *g, const sgs_qoptions *o, sgs_diag *d)
{
    sgs_qoptions quiet = *o;
    sgs_quantizer q;
    quiet.log = NULL; /* the run proper will say it */
    return plan_unseen(&q, g, &quiet, d);
}

static sgs_type planned(sgs_quantizer *q, const sgs_value *v)
{
    if (sgs_is_plain(v))
        return sgs_plain_type(v->type);
    return q->image[v->id] ? SGS_U8 : q->type[sgs_group_of(q, v)];
}

/* A constant in slot i of n. */
static sgs_type planned_const(sgs_quantizer *q, const sgs_node *n, int i)
{
    const bool wide = sgs_is_conv(n) && q->wide[n->out[0]->id], four = sgs_is_conv(n) && q->four[n->out[0]->id];
    if (n->in[i]->type != SGS_F32)
        return n->in[i]->type;
    if (sgs_is_conv(n) && i > 0)
        return i == 1 ? (wide ? SGS_S16 : four ? SGS_S4 : SGS_S8) : wide ? SGS_S64 : SGS_S32;
    if (i >= sgs_data_inputs(n)) /* slopes and the like, which multipliers are made of */
        return n->in[i]->type;
    return n->op->qrule == SGS_Q_MOVE ? planned(q, n->out[0]) : SGS_S16;
}

sgs_status sgs_quantize_types(sgs_graph *g, const sgs_qoptions *o, sgs_type *type, sgs_diag *d)
{
    sgs_qoptions quiet = *o;
    sgs_quantizer q;
    quiet.log = NULL;
    SGS_TRY(plan_unseen(&q, g, &quiet, d));
    for (int i = 0; i < g->nin; i++)
        type[g->in[i]->id] = planned(&q, g->in[i]);
    for (const sgs_node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++)
            type[n->out[i]->id] = planned(&q, n->out[i]);
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->constant)
                type[n->in[i]->id] = planned_const(&q, n, i);
    }
    return SGS_OK;
}

sgs_status sgs_quantize(sgs_graph *g, sgs_range *range, const sgs_qoptions *o, sgs_diag *d)
{
    const int nfloat = g->nvalue;
    const sgs_import *import;
    SGS_TRY(sgs_import_bind(g, o, &import, d));
    SGS_TRY(sgs_know_finite(g, d));
    sgs_integers_as_real(g, range);
    SGS_TRY(sgs_spell_powers(g, &range, d));
    sgs_quantizer q = { .g = g, .range = range, .nrange = g->nvalue, .nfloat = nfloat, .o = o, .import = import };
    sgs_end_masks(g, range);
    sgs_order_images(g, o);
    SGS_TRY(sgs_plan_types(&q, d));
    sgs_import_ranges(&q);
    choose_scales(&q);
    while (!sgs_tabulate(&q)) {
        sgs_choose_types(&q);
        choose_scales(&q);
    }
    sgs_share_sums(&q);
    if (o->recipe.even)
        sgs_even(&q);
    if (o->recipe.equalize)
        sgs_equalize(&q);
    set_values(&q);
    SGS_TRY(quantize_nodes(&q, d));
    for (int i = 0; i < g->nout; i++) {
        if (sgs_is_plain(g->out[i]))
            continue; /* integers of the model itself */
        widen_output(&q, i);
        finish_output(&q, i);
    }
    remove_unused(g);
    return SGS_OK;
}
