/* Which values are U8 and which S16.  Values joined by data movement share one quantization (a group); a group is U8 when all it feeds are 8-bit
 * convolutions and all that makes it can write U8, else S16. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sets.h"
#include "config/config.h"
#include "quant/quantize.h"

bool sgs_is_conv(const sgs_node *n)
{
    return n->op->qrule == SGS_Q_CONV;
}

double sgs_multiplications(const sgs_node *n)
{
    const int64_t *d = n->in[1]->dim, outputs = n->op == &sgs_op_depthwise ? d[3] : d[0];
    return (double)sgs_value_count(n->op == &sgs_op_deconv ? n->in[0] : n->out[0]) * (double)(sgs_value_count(n->in[1]) / outputs);
}

int sgs_data_inputs(const sgs_node *n)
{
    if (sgs_is_conv(n))
        return 1;
    return n->op->ndata ? n->op->ndata : n->nin;
}

/* ---- groups: sets of value ids -------------------------------------------------------------------------------------------- */

int sgs_group_of(sgs_quantizer *q, const sgs_value *v)
{
    return sgs_set_of(q->group, v->id);
}

/* Both bring a quantization, and not the same. */
static bool disagree(const sgs_qfixed *a, const sgs_qfixed *b)
{
    return a->scale > 0 && b->scale > 0 && (a->scale != b->scale || a->zero != b->zero || a->wide != b->wide);
}

/* Values of two quantizations stay apart: what moves from one to the other is converted. */
static void join(sgs_quantizer *q, const sgs_value *a, const sgs_value *b)
{
    const int ra = sgs_group_of(q, a), rb = sgs_group_of(q, b), to = ra > rb ? rb : ra, from = ra > rb ? ra : rb;
    if (to == from || disagree(&q->kept[to], &q->kept[from]))
        return;
    if (!(q->kept[to].scale > 0))
        q->kept[to] = q->kept[from];
    sgs_sets_join(q->group, from, to);
}

const char *const sgs_ordering = "channel order";

/* ---- images ------------------------------------------------------------------------------------------------------------------------ */

/* Image inputs, their transposes and what puts their channels in order keep the pixels' own quantization. */
static void mark_images(sgs_quantizer *q)
{
    for (int i = 0; i < q->g->nin; i++)
        if (q->o->in[i].image)
            q->image[q->g->in[i]->id] = (uint8_t)(i + 1);
    for (const sgs_node *n = q->g->first; n; n = n->next) {
        const bool ordering = n->name == sgs_ordering;
        if ((n->op != &sgs_op_transpose && !ordering) || !q->image[n->in[0]->id])
            continue;
        q->image[n->out[0]->id] = q->image[n->in[0]->id];
        q->ordered[n->out[0]->id] = ordering || q->ordered[n->in[0]->id];
    }
}


/* The ini's input_format takes the choice away. */
static bool is_chosen_wide(const sgs_qoptions *o, const sgs_node *n)
{
    const int id = n->out[0]->id;
    return o->recipe.bits && id < o->recipe.nbits && o->recipe.bits[id] == 16 && o->conv_format == SGS_CONV_DEFAULT;
}

/* Whether n may count an image's own pixels. */
static bool takes_pixels(const sgs_qoptions *o, const sgs_node *n)
{
    return sgs_is_conv(n) && n->op != &sgs_op_deconv && !is_chosen_wide(o, n);
}

/* Whether something else than convolutions of 8 bits reads v, or a transpose of it. */
static bool read_by_others(const sgs_graph *g, const sgs_qoptions *o, const sgs_value *v)
{
    for (const sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] == v && !(i == 0 && takes_pixels(o, n)) && (n->op != &sgs_op_transpose || read_by_others(g, o, n->out[0])))
                return true;
    return false;
}

void sgs_order_images(sgs_graph *g, const sgs_qoptions *o)
{
    static const int32_t reversed[3] = { 2, 1, 0 };
    static const int64_t three = 3;
    for (int i = 0; i < g->nin; i++) {
        sgs_value *v = g->in[i];
        if (!o->in[i].image || !o->in[i].swap || v->rank != 4 || v->dim[o->in[i].channel_axis] != 3 || !read_by_others(g, o, v))
            continue;
        const sgs_axis_attr a = { o->in[i].channel_axis };
        sgs_value *y = sgs_value_like(g, v), *in[2] = { v, sgs_const_new(g, SGS_S32, 1, &three, reversed, true) };
        sgs_replace_uses(g, v, y);
        sgs_node *n = sgs_node_new(g, g->first, &sgs_op_gather, 2, in, &a);
        sgs_node_set_out(g, n, 1, &y);
        n->name = sgs_ordering;
    }
}

static bool from_image(const sgs_quantizer *q, const sgs_value *v)
{
    return q->image[v->id] != 0;
}

bool sgs_takes_image(const sgs_quantizer *q, const sgs_node *n)
{
    return takes_pixels(q->o, n) && n->in[0]->id < q->nplan && from_image(q, n->in[0]);
}

/* An input whose integers the board gives has its own type and scale: what is moved on is converted where it must be. */
static bool is_raw_integers(const sgs_quantizer *q, const sgs_value *v)
{
    for (int i = 0; i < q->g->nin; i++)
        if (q->g->in[i] == v)
            return !q->o->in[i].image && q->o->in[i].type != SGS_F32;
    return false;
}

static void group_moves(sgs_quantizer *q)
{
    for (const sgs_node *n = q->g->first; n; n = n->next)
        if (n->op->qrule == SGS_Q_MOVE && n->op->fixed_out)
            n->op->fixed_out(n, &q->kept[n->out[0]->id]);
    for (sgs_node *n = q->g->first; n; n = n->next) {
        if (n->op->qrule != SGS_Q_MOVE || from_image(q, n->out[0]))
            continue;
        for (int i = 0; i < sgs_data_inputs(n); i++)
            if (!n->in[i]->constant && !from_image(q, n->in[i]) && !is_raw_integers(q, n->in[i]))
                join(q, n->in[i], n->out[0]);
    }
}

/* ---- bits of the convolutions --------------------------------------------------------------------------------------------------- */

static bool by_format(const sgs_quantizer *q, const sgs_node *n)
{
    switch (q->o->conv_format) {
    case SGS_CONV_ALL_INT16: return true;
    case SGS_CONV_CONV2D_INT16: return n->op != &sgs_op_depthwise;
    case SGS_CONV_DEPTHWISE_INT16: return n->op == &sgs_op_depthwise;
    default: return false;
    }
}

static void warn(const sgs_quantizer *q, const char *text)
{
    if (q->o->log && q->o->log->line)
        q->o->log->line(q->o->log->user, true, text);
}

static sgs_status unknown_tensor(sgs_quantizer *q, const char *name, sgs_diag *d)
{
    sgs_graph *g = q->g;
    const char **known = SGS_NEW_N(g->arena, const char *, g->nvalue + 1);
    int n = 0;
    sgs_buf list = { 0 };
    for (const sgs_node *c = g->first; c; c = c->next)
        if (sgs_is_conv(c) && c->in[0]->nname) {
            known[n++] = c->in[0]->name[0];
            if (list.n < 300)
                sgs_buf_printf(&list, "%s'%.100s'", n > 1 ? ", " : "", c->in[0]->name[0]);
        }
    const sgs_value *gone = sgs_find_swallowed(g, name);
    const char *near = sgs_nearest(name, known, n);
    if (gone)
        sgs_fail(d, SGS_E_CONFIG, "tensor_arrays: '%.200s' became part of the layer that makes '%.200s'", name, sgs_value_label(g, gone));
    else if (sgs_find_value(g, name))
        sgs_fail(d, SGS_E_CONFIG, "tensor_arrays: no convolution takes '%.200s' as its data", name);
    else
        sgs_fail(d, SGS_E_CONFIG, "tensor_arrays: '%.200s' is not a tensor of the float model", name);
    sgs_fail_at(d, q->o->ini, q->o->tensor_arrays_line, NULL);
    if (n)
        sgs_hint(d, "%s%s%sconvolutions take %s%s", near ? "did you mean '" : "", near ? near : "", near ? "'? " : "", list.p, list.n >= 300 ? ", ..." : "");
    else
        sgs_hint(d, "the model has no convolution whose data has a name: leave tensor_arrays out");
    sgs_buf_free(&list);
    return SGS_E_CONFIG;
}

static bool on_grid(const float *w, int64_t n, double step)
{
    for (int64_t i = 0; i < n; i++)
        if (fabs((double)w[i] / step - rint((double)w[i] / step)) > 1e-3)
            return false;
    return true;
}

/* Weights that were bytes with a zero point: without it they need nine bits. */
static bool needs_nine_bits(const sgs_node *n)
{
    const int64_t count = sgs_value_count(n->in[1]);
    const float *w = sgs_const_data(n->in[1]);
    double most = 0;
    for (int64_t i = 0; w && i < count; i++)
        most = fmax(most, fabs((double)w[i]));
    for (int steps = 64; steps < 256 && most > 0; steps++)
        if (on_grid(w, count, most / steps))
            return steps > 127;
    return false;
}

/* What a quantization that the model brings asks for: inputs of 16 bits, or weights that 8 do not hold. */
static void widen_kept(sgs_quantizer *q)
{
    for (sgs_node *n = q->g->first; n; n = n->next) {
        const sgs_qfixed *k = sgs_is_conv(n) && !n->in[0]->constant ? &q->kept[sgs_group_of(q, n->in[0])] : NULL;
        if (!k || !(k->scale > 0) || sgs_takes_image(q, n) || !(k->wide || needs_nine_bits(n)))
            continue;
        q->wide[n->out[0]->id] = 1;
        q->reason[n->out[0]->id] = k->wide ? "16 bit: the model's own" : "16 bit: the model's weights have nine";
    }
}

/* All convolutions that read the named tensor. */
static sgs_status widen_named(sgs_quantizer *q, const char *name, sgs_diag *d)
{
    bool found = false;
    for (sgs_node *n = q->g->first; n; n = n->next) {
        if (!sgs_is_conv(n) || !sgs_value_has_name(n->in[0], name))
            continue;
        found = true;
        if (sgs_takes_image(q, n)) {
            warn(q, sgs_format(q->g->arena, "tensor_arrays: '%s' is an image; the convolution behind it stays 8 bit", name));
            continue;
        }
        q->wide[n->out[0]->id] = 1;
        q->reason[n->out[0]->id] = NULL;
    }
    return found ? SGS_OK : unknown_tensor(q, name, d);
}

#define FOUR_TERMS 8 /* fewer weights lie on some grid by chance, or because there is nothing else */

/* Whether 4 bits hold the weights as they are, as those of a model that has them so. */
static bool fit_four_bits(const sgs_node *n)
{
    sgs_qweights w;
    sgs_conv_layout(n, &w);
    const float *data = n->in[1]->constant && n->in[1]->type == SGS_F32 ? sgs_const_data(n->in[1]) : NULL;
    if (!data || w.taps * w.inputs < FOUR_TERMS)
        return false;
    for (int64_t o = 0; o < w.outputs; o++) {
        const float *of = data + o * w.step_o;
        double most = 0;
        for (int64_t t = 0; t < w.taps; t++)
            for (int64_t i = 0; i < w.inputs; i++)
                most = fmax(most, fabs((double)of[t * w.step_t + i * w.step_i]));
        if (!sgs_on_grid(of, &w, most, 7))
            return false;
    }
    return true;
}

static void find_four_bits(sgs_quantizer *q)
{
    for (const sgs_node *n = q->g->first; n; n = n->next)
        if (sgs_is_conv(n) && !sgs_takes_image(q, n) && fit_four_bits(n))
            q->four[n->out[0]->id] = SGS_FOUR_OWN;
}

static sgs_status choose_bits(sgs_quantizer *q, sgs_diag *d)
{
    find_four_bits(q);
    if (q->o->conv_format == SGS_CONV_DEFAULT && q->o->recipe.bits)
        sgs_take_bits(q);
    else if (q->o->conv_format == SGS_CONV_DEFAULT && q->o->recipe.harm)
        sgs_choose_bits(q);
    sgs_import_bits(q);
    for (sgs_node *n = q->g->first; n; n = n->next)
        if (sgs_is_conv(n) && !sgs_takes_image(q, n) && by_format(q, n))
            q->wide[n->out[0]->id] = 1;
    widen_kept(q);
    for (int i = 0; i < q->o->ntensor_arrays; i++)
        SGS_TRY(widen_named(q, q->o->tensor_arrays[i], d));
    sgs_import_bits_said(q);
    return SGS_OK;
}

/* ---- types ----------------------------------------------------------------------------------------------------------------------------- */

static void need_s16(sgs_quantizer *q, const sgs_value *v)
{
    q->type[sgs_group_of(q, v)] = SGS_S16;
}

/* Starts at U8; whatever cannot live with that makes the group S16.  Groups that feed no convolution at all are S16 too. */
void sgs_choose_types(sgs_quantizer *q)
{
    const sgs_users *users = sgs_users_of(q->g, q->g->arena);
    bool *feeds = SGS_NEW_N(q->g->arena, bool, q->g->nvalue + 1);
    for (int i = 0; i < q->g->nvalue; i++)
        q->type[i] = SGS_U8;
    for (sgs_node *n = q->g->first; n; n = n->next) {
        bool conv = sgs_is_conv(n), wide = conv && q->wide[n->out[0]->id];
        if (conv && !wide && !n->in[0]->constant)
            feeds[sgs_group_of(q, n->in[0])] = true;
        for (int i = 0; i < sgs_data_inputs(n); i++)
            if (!n->in[i]->constant && (n->op->qrule == SGS_Q_S16 || wide))
                need_s16(q, n->in[i]);
        if ((n->op->qrule == SGS_Q_S16 && !sgs_may_tabulate(q, users, n)) || (n->op->computes && n->op->computes(n)) || q->kept[sgs_group_of(q, n->out[0])].wide)
            need_s16(q, n->out[0]);
    }
    for (int i = 0; i < q->g->nout; i++)
        need_s16(q, q->g->out[i]);
    for (int i = 0; i < q->g->nvalue; i++)
        if (!feeds[sgs_set_of(q->group, i)])
            q->type[sgs_set_of(q->group, i)] = SGS_S16;
    sgs_import_types(q);
    for (int i = 0; i < q->g->nin; i++) /* raw integers come as they are */
        if (!q->o->in[i].image && q->o->in[i].type != SGS_F32)
            q->type[sgs_group_of(q, q->g->in[i])] = q->o->in[i].type;
}

/* Why a node has no fixed-point form, or NULL. */
static const char *refusal(const sgs_quantizer *q, const sgs_node *n)
{
    if (n->op->qrule == SGS_Q_NONE)
        return "has no fixed-point form yet";
    if (n->op->unfixed)
        return n->op->unfixed(n);
    for (int i = 0; i < sgs_data_inputs(n); i++)
        if (!n->in[i] || (n->in[i]->type != SGS_F32 && !(n->op->qrule == SGS_Q_MOVE && sgs_is_plain(n->in[i]) && n->in[i]->type == n->in[0]->type)))
            return "works on values that are not float";
    if (sgs_is_conv(n) && (!n->in[1]->constant || (n->nin > 2 && n->in[2] && !n->in[2]->constant)))
        return "has weights or a bias that are known only at run time";
    return NULL;
}

static sgs_status check_rules(sgs_quantizer *q, sgs_diag *d)
{
    for (const sgs_node *n = q->g->first; n; n = n->next) {
        const char *why = refusal(q, n);
        if (why) {
            sgs_fail(d, SGS_E_UNSUPPORTED, "operator %s %s", n->op->name, why);
            return sgs_fail_at(d, q->g->file, 0, sgs_node_label(q->g, n));
        }
    }
    return SGS_OK;
}

int sgs_quantize_refused(sgs_graph *g, void (*refused)(void *user, const sgs_node *n, const char *why), void *user)
{
    uint8_t *none = SGS_NEW_N(g->arena, uint8_t, g->nvalue + 1);
    const sgs_quantizer q = { .g = g, .image = none };
    int count = 0;
    for (const sgs_node *n = g->first; n; n = n->next) {
        const char *why = refusal(&q, n);
        if (why)
            refused(user, n, why);
        count += why != NULL;
    }
    return count;
}

sgs_status sgs_plan_types(sgs_quantizer *q, sgs_diag *d)
{
    int n = q->g->nvalue + 1;
    q->nplan = q->g->nvalue;
    q->group = sgs_sets_new(q->g->arena, n);
    q->kept = SGS_NEW_N(q->g->arena, sgs_qfixed, n);
    q->image = SGS_NEW_N(q->g->arena, uint8_t, n);
    q->ordered = SGS_NEW_N(q->g->arena, uint8_t, n);
    q->wide = SGS_NEW_N(q->g->arena, uint8_t, n);
    q->four = SGS_NEW_N(q->g->arena, uint8_t, n);
    q->reason = SGS_NEW_N(q->g->arena, const char *, n);
    q->named = SGS_NEW_N(q->g->arena, uint16_t, n);
    q->type = SGS_NEW_N(q->g->arena, sgs_type, n);
    q->quant = SGS_NEW_N(q->g->arena, sgs_quant *, n);
    q->own = SGS_NEW_N(q->g->arena, sgs_quant *, n);
    q->bytes = SGS_NEW_N(q->g->arena, sgs_quant *, n);
    q->fine = SGS_NEW_N(q->g->arena, uint8_t, n);
    q->first = SGS_NEW_N(q->g->arena, int32_t, n);
    mark_images(q);
    SGS_TRY(check_rules(q, d));
    group_moves(q);
    SGS_TRY(choose_bits(q, d));
    sgs_choose_types(q);
    return SGS_OK;
}
