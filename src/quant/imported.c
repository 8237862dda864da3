/* Quantization parameters that the user brings (config/quant_param.h): of a tensor its range and its bits, of weights
 * the range of each kernel.  They come in the place of what calibration saw and the level chose, unless they are
 * unreasonable; then a warning says which and why. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "config/quant_param.h"
#include "quant/quantize.h"

typedef enum role { TENSOR, WEIGHTS, OTHER_CONSTANT } role;

typedef struct bound {
    const sgs_param *e;
    sgs_value *v;
    role role;
    int turn; /* of a constant that becomes several: which of them; 0: all that have no entry of their own */
} bound;

struct sgs_import {
    const sgs_params *p;
    bound *b;
    int n;
    int *first; /* by value id: 1 + the place in b of its entry of turn 0; 0: none */
    int nvalue;
};

/* ---- names ---------------------------------------------------------------------------------------------------------
 */

typedef struct name_of {
    const char *name;
    sgs_value *v;
} name_of;

typedef struct names {
    name_of *of;
    int n, room;
    bool *seen; /* by value id */
    role *role;
    sgs_arena *a;
} names;

static void add_names(names *l, sgs_value *v)
{
    if (!v || l->seen[v->id])
        return;
    l->seen[v->id] = true;
    for (int i = 0; i < v->nname; i++) {
        if (l->n == l->room) {
            name_of *of = SGS_NEW_N(l->a, name_of, 2 * (l->room + 8));
            if (l->n)
                memcpy(of, l->of, (size_t)l->n * sizeof *of);
            l->of = of;
            l->room = 2 * (l->room + 8);
        }
        l->of[l->n++] = (name_of){ v->name[i], v };
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const name_of *)a)->name, ((const name_of *)b)->name);
}

static names names_of(sgs_graph *g)
{
    names l = { .a = g->arena,
                .seen = SGS_NEW_N(g->arena, bool, g->nvalue + 1),
                .role = SGS_NEW_N(g->arena, role, g->nvalue + 1) };
    for (int i = 0; i < g->nin; i++)
        add_names(&l, g->in[i]);
    for (const sgs_node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nin; i++) {
            add_names(&l, n->in[i]);
            if (n->in[i] && n->in[i]->constant && l.role[n->in[i]->id] != WEIGHTS)
                l.role[n->in[i]->id] = i == 1 && sgs_is_conv(n) ? WEIGHTS : OTHER_CONSTANT;
        }
        for (int i = 0; i < n->nout; i++)
            add_names(&l, n->out[i]);
    }
    if (l.n)
        qsort(l.of, (size_t)l.n, sizeof *l.of, by_name);
    return l;
}

static sgs_value *find(const names *l, const char *name)
{
    const name_of key = { name, NULL }, *found = l->n ? bsearch(&key, l->of, (size_t)l->n, sizeof key, by_name) : NULL;
    return found ? found->v : NULL;
}

/* "NAME#2": the second of the integer constants that are made of the float one NAME. */
static sgs_value *find_turn(const names *l, const char *name, int *turn)
{
    const char *hash = strrchr(name, '#');
    char *end;
    const long k = hash ? strtol(hash + 1, &end, 10) : 0;
    if (k < 2 || k > INT32_MAX || *end || hash[1] == '+')
        return NULL;
    sgs_value *v = find(l, sgs_strndup(l->a, name, (size_t)(hash - name)));
    *turn = (int)k;
    return v && v->constant ? v : NULL;
}

static sgs_status unknown(const names *l, sgs_graph *g, const sgs_params *p, const sgs_param *e, sgs_diag *d)
{
    const sgs_value *gone = sgs_find_swallowed(g, e->name);
    const char **known = SGS_NEW_N(g->arena, const char *, l->n + 1);
    for (int i = 0; i < l->n; i++)
        known[i] = l->of[i].name;
    const char *near = gone ? NULL : sgs_nearest(e->name, known, l->n);
    if (gone)
        sgs_fail(d, SGS_E_DATA, "'%.200s' became part of the layer that makes '%.200s'", e->name,
                 sgs_value_label(g, gone));
    else
        sgs_fail(d, SGS_E_DATA, "'%.200s' is not a tensor of the float model", e->name);
    if (near)
        sgs_hint(d, "did you mean '%.200s'? get_tensor_details of the float model lists its tensors", near);
    else
        sgs_hint(d, "get_tensor_details of the float model lists its tensors");
    return sgs_param_fail_at(p, e, d);
}

/* ---- entries that fit ----------------------------------------------------------------------------------------------
 */

/* How many ranges a tensor may have besides one. */
static int64_t channels_of(const sgs_graph *g, const sgs_qoptions *o, const bound *b)
{
    const sgs_value *v = b->v;
    if (b->role == WEIGHTS)
        for (const sgs_node *n = g->first; n; n = n->next)
            if (sgs_is_conv(n) && n->in[1] == v)
                return n->op == &sgs_op_depthwise ? v->dim[3] : v->dim[0];
    for (int i = 0; i < g->nin; i++)
        if (g->in[i] == v && o->in[i].image && v->rank > o->in[i].channel_axis)
            return v->dim[o->in[i].channel_axis];
    return v->rank ? v->dim[v->rank - 1] : 1;
}

static sgs_status wrong_count(const sgs_params *p, const bound *b, int64_t channels, sgs_diag *d)
{
    sgs_fail(d, SGS_E_DATA, "min and max of '%.200s': expected 1 number or %lld, one for each %s, found %d", b->e->name,
             (long long)channels, b->role == WEIGHTS ? "kernel" : "channel", b->e->n);
    return sgs_param_fail_at(p, b->e, d);
}

static sgs_status check_data(const sgs_params *p, const bound *b, sgs_diag *d)
{
    const struct sgs_tree_array *x = b->e->data;
    const sgs_value *v = b->v;
    bool same = x->rank == v->rank;
    char text[2][128] = { "", "" };
    if (!v->constant || v->type != SGS_F32) {
        sgs_fail(d, SGS_E_DATA, "'%.200s' has data, but is no constant of real numbers", b->e->name);
        return sgs_param_fail_at(p, b->e, d);
    }
    for (int i = 0; i < v->rank && same; i++)
        same = x->dim[i] == v->dim[i];
    if (same)
        return SGS_OK;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < (k ? x->rank : v->rank); i++) {
            const size_t at = strlen(text[k]);
            snprintf(text[k] + at, sizeof text[k] - at, "%s%lld", i ? "," : "", (long long)(k ? x->dim[i] : v->dim[i]));
        }
    sgs_fail(d, SGS_E_DATA, "data of '%.200s': expected the shape [%s], found [%s]", b->e->name, text[0], text[1]);
    return sgs_param_fail_at(p, b->e, d);
}

static sgs_status check_entry(const sgs_graph *g, const sgs_qoptions *o, const bound *b, sgs_diag *d)
{
    const int64_t channels = channels_of(g, o, b);
    if (b->e->n > 1 && b->e->n != channels)
        return wrong_count(o->params, b, channels, d);
    if ((b->e->bit > 16 && b->role != OTHER_CONSTANT) || (b->e->bit == 4 && b->role != WEIGHTS)) {
        sgs_fail(d, SGS_E_DATA, "bit of '%.200s': expected %s8 or 16, found %d", b->e->name, b->role == WEIGHTS ? "4, " : "", b->e->bit);
        if (b->e->bit == 4)
            sgs_hint(d, "only weights of a convolution may have 4 bits");
        return sgs_param_fail_at(o->params, b->e, d);
    }
    return b->e->data ? check_data(o->params, b, d) : SGS_OK;
}

static sgs_status bind_entry(sgs_graph *g, const sgs_qoptions *o, const names *l, sgs_import *m, const sgs_param *e,
                             sgs_diag *d)
{
    bound b = { .e = e, .v = find(l, e->name) };
    if (!b.v)
        b.v = find_turn(l, e->name, &b.turn);
    if (!b.v)
        return unknown(l, g, o->params, e, d);
    b.role = l->role[b.v->id];
    SGS_TRY(check_entry(g, o, &b, d));
    if (!b.turn && m->first[b.v->id]) {
        sgs_fail(d, SGS_E_DATA, "'%.200s' and '%.200s' are names of one tensor", m->b[m->first[b.v->id] - 1].e->name,
                 e->name);
        return sgs_param_fail_at(o->params, e, d);
    }
    m->b[m->n++] = b;
    if (!b.turn)
        m->first[b.v->id] = m->n;
    return SGS_OK;
}

sgs_status sgs_import_bind(sgs_graph *g, const sgs_qoptions *o, const sgs_import **out, sgs_diag *d)
{
    *out = NULL;
    if (!o->params)
        return SGS_OK;
    const names l = names_of(g);
    sgs_import *m = SGS_NEW(g->arena, sgs_import);
    *m = (sgs_import){ .p = o->params, .nvalue = g->nvalue };
    m->b = SGS_NEW_N(g->arena, bound, o->params->n + 1);
    m->first = SGS_NEW_N(g->arena, int, g->nvalue + 1);
    for (int i = 0; i < o->params->n; i++)
        SGS_TRY(bind_entry(g, o, &l, m, &o->params->param[i], d));
    *out = m;
    return SGS_OK;
}

/* Of the constant or tensor v; of what is made of a constant the `turn`-th time, counted from 1. */
static const bound *entry_of(const sgs_quantizer *q, const sgs_value *v, int turn)
{
    const sgs_import *m = q->import;
    if (!m || v->id >= m->nvalue || v->id < 0)
        return NULL;
    for (int i = 0; turn > 1 && i < m->n; i++)
        if (m->b[i].v == v && m->b[i].turn == turn)
            return &m->b[i];
    return m->first[v->id] ? &m->b[m->first[v->id] - 1] : NULL;
}

bool sgs_import_gives_range(const sgs_quantizer *q, const sgs_value *v)
{
    const bound *b = entry_of(q, v, 1);
    return b && b->e->n;
}

/* ---- what is not taken ---------------------------------------------------------------------------------------------
 */

static void left_out(const sgs_quantizer *q, const bound *b, const char *what, const char *why)
{
    const sgs_params *p = q->import->p;
    if (b->e->line)
        sgs_log_warning(q->o->log, "%s:%d: %s of '%s' not taken: %s", p->file, b->e->line, what, b->e->name, why);
    else
        sgs_log_warning(q->o->log, "%s: %s of '%s' not taken: %s", p->file, what, b->e->name, why);
}

/* ---- bits -----------------------------------------------------------------------------------------------------------
 */

/* Those of its weights count, then those of what it reads; NULL: none are said. */
static const bound *bits_of(const sgs_quantizer *q, const sgs_node *n, int turn)
{
    const bound *w = n->in[1]->constant ? entry_of(q, n->in[1], turn) : NULL, *x = entry_of(q, n->in[0], 1);
    return w && w->e->bit ? w : x && x->e->bit ? x : NULL;
}

/* The order in which the quantizer makes constants: those of n up to its weights. */
static int turn_of(int *turn, const sgs_node *n)
{
    int mine = 1;
    for (int i = 0; i < n->nin; i++) {
        if (!n->in[i] || !n->in[i]->constant || (i >= sgs_data_inputs(n) && !sgs_is_conv(n)))
            continue;
        const int now = ++turn[n->in[i]->id];
        mine = i == 1 ? now : mine;
    }
    return mine;
}

static void each_conv(sgs_quantizer *q, void (*act)(sgs_quantizer *q, const sgs_node *n, const bound *b))
{
    int *turn = q->import ? SGS_NEW_N(q->g->arena, int, q->g->nvalue + 1) : NULL;
    for (const sgs_node *n = q->g->first; n && turn; n = n->next) {
        const int mine = turn_of(turn, n);
        const bound *b = sgs_is_conv(n) ? bits_of(q, n, mine) : NULL;
        if (b)
            act(q, n, b);
    }
}

static void set_bits(sgs_quantizer *q, const sgs_node *n, const bound *b)
{
    const int id = n->out[0]->id;
    const bool wide = b->e->bit == 16;
    q->four[id] = b->e->bit != 4 ? SGS_FOUR_NOT : q->four[id] ? q->four[id] : SGS_FOUR_IMPORTED;
    if (sgs_takes_image(q, n) || q->o->conv_format != SGS_CONV_DEFAULT || wide == q->wide[id])
        return;
    q->wide[id] = wide;
    q->reason[id] = wide ? "16 bit: imported" : "8 bit: imported";
}

void sgs_import_bits(sgs_quantizer *q)
{
    each_conv(q, set_bits);
}

static void say_bits(sgs_quantizer *q, const sgs_node *n, const bound *b)
{
    const int id = n->out[0]->id;
    if (q->wide[id] == (b->e->bit == 16))
        return;
    const char *why = sgs_takes_image(q, n)                   ? "the convolution reads an image"
                      : q->o->conv_format != SGS_CONV_DEFAULT ? "the ini's input_format decides"
                      : q->reason[id]                         ? "the model's own quantization needs 16"
                                                              : "the ini's tensor_arrays decides";
    left_out(q, b, "bit", why);
}

void sgs_import_bits_said(sgs_quantizer *q)
{
    each_conv(q, say_bits);
}

static bool feeds_conv(const sgs_graph *g, const sgs_value *v)
{
    for (const sgs_node *n = g->first; n; n = n->next)
        if (sgs_is_conv(n) && n->in[0] == v)
            return true;
    return false;
}

void sgs_import_types(sgs_quantizer *q)
{
    for (int i = 0; q->import && i < q->import->n; i++) {
        const bound *b = &q->import->b[i];
        if (b->role != TENSOR || !b->e->bit || q->image[b->v->id] || sgs_is_plain(b->v))
            continue;
        sgs_type *t = &q->type[sgs_group_of(q, b->v)];
        if (b->e->bit == 16)
            *t = SGS_S16;
        else if (*t != SGS_U8 && !feeds_conv(q->g, b->v))
            left_out(q, b, "bit", "8 bits are for what convolutions of 8 bits read");
    }
}

/* ---- ranges of tensors
 * ------------------------------------------------------------------------------------------------ */

static float at(const double *v, const sgs_param *e, int64_t c)
{
    return (float)v[e->n > 1 ? c : 0];
}

typedef struct extent {
    double lo, hi, seen_lo, seen_hi, mean, spread;
} extent;

static extent extent_of(const sgs_range *r, const sgs_param *e)
{
    extent x = { 0 };
    double square = 0;
    const double count = (double)r->count * (double)r->channels;
    for (int i = 0; i < e->n; i++) {
        x.lo = fmin(x.lo, e->lo[i]);
        x.hi = fmax(x.hi, e->hi[i]);
    }
    for (int64_t c = 0; c < r->channels; c++) {
        x.seen_lo = fmin(x.seen_lo, (double)r->lo[c]);
        x.seen_hi = fmax(x.seen_hi, (double)r->hi[c]);
        x.mean += r->sum[c] / count;
        square += r->square[c] / count;
    }
    x.spread = sqrt(fmax(square - x.mean * x.mean, 0));
    return x;
}

/* NULL: it is reasonable.  What lies within one deviation of the mean must be in it, and a step must not be wider than
 * all that was seen. */
static const char *unreasonable(const extent *x, sgs_type t)
{
    const double seen = x->seen_hi - x->seen_lo,
                 step = t == SGS_U8 ? (x->hi - x->lo) / 255 : fmax(-x->lo, x->hi) / 32767;
    if (seen > 0 && x->hi - x->lo <= 0)
        return "it has no width";
    if (x->hi < fmin(x->mean + x->spread, x->seen_hi) || x->lo > fmax(x->mean - x->spread, x->seen_lo))
        return "it cuts off what calibration saw within one deviation of the mean";
    if (seen > 0 && step > seen)
        return "one step of it is wider than all that calibration saw";
    return NULL;
}

static float inside(float v, float lo, float hi)
{
    return fminf(fmaxf(v, lo), hi);
}

/* Whether e says what was seen, as far as it lies between lo and hi. */
static bool is_seen(const sgs_range *r, const sgs_param *e, float lo, float hi)
{
    for (int64_t c = 0; c < r->channels; c++)
        if (at(e->lo, e, c) != inside(r->lo[c], lo, hi) || at(e->hi, e, c) != inside(r->hi[c], lo, hi))
            return false;
    return true;
}

/* Whether e says of image input i what its pixels stand for anyway. */
static bool is_pixels(const sgs_qinput *in, const sgs_param *e, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++) {
        const int64_t k = in->swap ? channels - 1 - c : c;
        const double scale = (double)(float)(1 / (double)in->std[k]),
                     zero = fmin(fmax(rint((double)in->mean[k]), 0), 255);
        if (at(e->lo, e, c) != (float)(-zero * scale) || at(e->hi, e, c) != (float)((255 - zero) * scale))
            return false;
    }
    return true;
}

/* Why the scale of v does not follow its range, or NULL. */
static const char *own_scale(sgs_quantizer *q, const bound *b)
{
    const sgs_value *v = b->v;
    sgs_qfixed f;
    for (int i = 0; i < q->g->nin; i++)
        if (q->g->in[i] == v && q->o->in[i].image)
            return is_pixels(&q->o->in[i], b->e, v->dim[q->o->in[i].channel_axis])
                       ? NULL
                       : "it is an image, which mean and std_value of the ini scale";
    if (sgs_is_plain(v) || v->id >= q->nrange || !q->range[v->id].channels)
        return "it holds integers of the model's own, or nothing reads it";
    const sgs_qfixed *kept = &q->kept[sgs_group_of(q, v)];
    if (is_seen(&q->range[v->id], b->e, -INFINITY, INFINITY))
        return NULL;
    if (kept->scale > 0)
        return is_seen(&q->range[v->id], b->e, kept->lo, kept->hi) ? NULL : "the model brings its scale";
    return v->def && v->def->op->fixed_out && v->def->op->fixed_out(v->def, &f) ? "its operator has a scale of its own"
                                                                                : NULL;
}

static void take_range(sgs_quantizer *q, const bound *b)
{
    sgs_range *r = &q->range[b->v->id];
    const float least = q->o->least ? q->o->least[b->v->id] : 0;
    float *lo = SGS_NEW_N(q->g->arena, float, r->channels), *hi = SGS_NEW_N(q->g->arena, float, r->channels);
    for (int64_t c = 0; c < r->channels; c++) {
        lo[c] = at(b->e->lo, b->e, c);
        hi[c] = at(b->e->hi, b->e, c);
    }
    hi[0] = fmaxf(hi[0], least);
    r->lo = lo;
    r->hi = hi;
    r->given = true;
}

static void import_range(sgs_quantizer *q, const bound *b)
{
    const char *own = own_scale(q, b);
    const sgs_range *r = b->v->id < q->nrange ? &q->range[b->v->id] : NULL;
    if (own)
        left_out(q, b, "range", own);
    if (own || !r || !r->channels || q->image[b->v->id] || q->kept[sgs_group_of(q, b->v)].scale > 0 ||
        is_seen(r, b->e, -INFINITY, INFINITY))
        return;
    const extent x = extent_of(r, b->e);
    const char *why = unreasonable(&x, q->type[sgs_group_of(q, b->v)]);
    if (why)
        left_out(q, b, "range", why);
    else
        take_range(q, b);
}

void sgs_import_ranges(sgs_quantizer *q)
{
    for (int i = 0; q->import && i < q->import->n; i++)
        if (q->import->b[i].role == TENSOR && q->import->b[i].e->n)
            import_range(q, &q->import->b[i]);
}

/* ---- constants
 * ---------------------------------------------------------------------------------------------------------- */

const float *sgs_import_weights(sgs_quantizer *q, const sgs_value *weights, int64_t outputs, double most)
{
    const bound *b = entry_of(q, weights, 1 + q->named[weights->id]);
    if (!b || !b->e->n)
        return NULL;
    float *scale = SGS_NEW_N(q->g->arena, float, outputs);
    for (int64_t o = 0; o < outputs; o++) {
        const int k = b->e->n > 1 ? (int)o : 0;
        scale[o] = (float)(fmax(fabs(b->e->lo[k]), fabs(b->e->hi[k])) / most);
    }
    return scale;
}

void sgs_import_weights_said(sgs_quantizer *q, const sgs_value *weights, int64_t odd, int64_t outputs)
{
    const bound *b = odd ? entry_of(q, weights, 1 + q->named[weights->id]) : NULL;
    if (b)
        left_out(q, b, sgs_format(q->g->arena, "%lld of %lld ranges", (long long)odd, (long long)outputs),
                 "they cut off most of the weights, or leave zeros of them");
}

void sgs_import_constant(sgs_quantizer *q, const sgs_value *c, float *lo, float *hi)
{
    const bound *b = c->id >= 0 && c->id < q->nplan ? entry_of(q, c, 1 + q->named[c->id]) : NULL;
    float least = 0, most = 0;
    if (!b || !b->e->n)
        return;
    for (int i = 0; i < b->e->n; i++) {
        least = fminf(least, (float)b->e->lo[i]);
        most = fmaxf(most, (float)b->e->hi[i]);
    }
    if (least == *lo && most == *hi)
        return;
    if (most < *hi / 2 || least > *lo / 2) {
        left_out(q, b, "range", "it ends before half of the constant's numbers do");
        return;
    }
    *lo = least;
    *hi = most;
}

/* ---- values of constants
 * ------------------------------------------------------------------------------------------------- */

sgs_status sgs_import_data(sgs_graph *g, const sgs_qoptions *o, sgs_diag *d)
{
    const sgs_import *m;
    SGS_TRY(sgs_import_bind(g, o, &m, d));
    for (int i = 0; m && i < m->n; i++) {
        const bound *b = &m->b[i];
        if (!b->e->data || b->turn)
            continue;
        float *data = sgs_const_room(g, (size_t)sgs_value_bytes(b->v));
        if (!data)
            return sgs_fail(d, SGS_E_LIMIT, "the constants need more memory than a graph may take");
        for (int64_t k = 0; k < b->e->data->count; k++)
            data[k] = (float)sgs_tree_element(b->e->data, k);
        b->v->constant = sgs_constant_new(g->arena, data);
    }
    return SGS_OK;
}
