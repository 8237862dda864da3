/* The rewrite: every float value gets type and quantization, uses that need another type get a QUANTIZE, constants become integers, outputs a
 * DEQUANTIZE where the ini asks for one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "quant/quantize.h"

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

sgs_qinput sgs_image_of(const sgs_quantizer *q, const sgs_value *v)
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
    const sgs_qinput in = sgs_image_of(q, v);
    int axis = image_axis(v, in.channel_axis);
    v->type = SGS_U8;
    v->quant = sgs_image_quant(q->g, &in, axis, v->dim[axis]);
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
    sgs_quant *one = sgs_quant_one(g, 1, quant->zero[0], quant->lo[0], quant->hi[0]);
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
        return requantized(q, v, need, sgs_kept_quant(q->g, need, &q->kept[sgs_group_of(q, v)]));
    if (need == SGS_U8 && v->id < q->nplan && q->bytes[v->id])
        return requantized(q, v, need, q->bytes[v->id]);
    if (need == SGS_U8)
        return requantized(q, v, need, sgs_own_bytes(q, v));
    sgs_range_of(q, v, &lo, &hi);
    return requantized(q, v, need, sgs_quant_for(q->g, need, lo, hi));
}

void sgs_hand_name(sgs_quantizer *q, sgs_value *to, const sgs_value *from)
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
    quant = quant ? quant : sgs_quant_for(q->g, t, lo, hi);
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
    sgs_hand_name(q, y, c);
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
    sgs_range_of(q, v, &lo, &hi);
    sgs_value *y = requantized(q, v, o->type, o->real ? sgs_quant_one(g, 1, 0, lo, hi) : sgs_quant_for(g, o->type, lo, hi));
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
    sgs_range_of(q, v, &lo, &hi);
    sgs_value *y = requantized(q, v, SGS_S16, sgs_quant_for(q->g, SGS_S16, lo, hi));
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
            sgs_quantize_conv(q, n);
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
    sgs_choose_scales(&q);
    while (!sgs_tabulate(&q)) {
        sgs_choose_types(&q);
        sgs_choose_scales(&q);
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
