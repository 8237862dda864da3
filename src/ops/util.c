#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/util.h"

const char *const sgs_act_names[] = { "none", "relu", "relu6", "clip", NULL };

void sgs_shape_like(sgs_tensor *out, const sgs_value *v)
{
    out->type = v->type;
    out->rank = v->rank;
    memcpy(out->dim, v->dim, sizeof out->dim);
}

const char *sgs_dims_text(char *buf, size_t n, int rank, const int64_t *dim)
{
    size_t at = (size_t)snprintf(buf, n, "[");
    for (int i = 0; i < rank && at < n; i++)
        at += (size_t)snprintf(buf + at, n - at, "%s%lld", i ? "," : "", (long long)dim[i]);
    if (at < n)
        snprintf(buf + at, n - at, "]");
    return buf;
}

sgs_status sgs_need_rank(const sgs_value *v, int rank, const char *what, sgs_diag *d)
{
    char text[128];
    if (v->rank == rank)
        return SGS_OK;
    return sgs_fail(d, SGS_E_MODEL, "%s: expected %d dimension%s, found %d: %s", what, rank, rank == 1 ? "" : "s", v->rank, sgs_dims_text(text, sizeof text, v->rank, v->dim));
}

sgs_status sgs_need_type(const sgs_value *v, sgs_type t, const char *what, sgs_diag *d)
{
    if (v->type == t)
        return SGS_OK;
    return sgs_fail(d, SGS_E_MODEL, "%s: expected type %s, found %s", what, sgs_type_word(t), sgs_type_word(v->type));
}

sgs_status sgs_broadcast(const sgs_value *a, const sgs_value *b, sgs_tensor *out, sgs_diag *d)
{
    out->type = a->type;
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 1; i <= out->rank; i++) {
        int64_t da = i <= a->rank ? a->dim[a->rank - i] : 1, db = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (da != db && da != 1 && db != 1) {
            char ta[128], tb[128];
            return sgs_fail(d, SGS_E_MODEL, "shapes %s and %s do not broadcast: %lld against %lld", sgs_dims_text(ta, sizeof ta, a->rank, a->dim),
                            sgs_dims_text(tb, sizeof tb, b->rank, b->dim), (long long)da, (long long)db);
        }
        out->dim[out->rank - i] = da == 1 ? db : da;
    }
    return SGS_OK;
}

void sgs_broadcast_strides(const sgs_tensor *t, const sgs_tensor *out, int64_t stride[SGS_MAX_RANK])
{
    int64_t step = 1;
    for (int i = 1; i <= out->rank; i++) {
        int64_t n = i <= t->rank ? t->dim[t->rank - i] : 1;
        stride[out->rank - i] = n == 1 ? 0 : step;
        step *= n;
    }
}

void sgs_dense_strides(int rank, const int64_t *dim, int64_t each, int64_t *stride)
{
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = each;
        each *= dim[i];
    }
}

int64_t sgs_tensor_count(const sgs_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i];
    return n;
}

int64_t sgs_common_divisor(int64_t a, int64_t b)
{
    return b ? sgs_common_divisor(b, a % b) : a;
}

bool sgs_next_index(int64_t *index, int rank, const int64_t *dim)
{
    for (int i = rank - 1; i >= 0; i--) {
        if (++index[i] < dim[i])
            return true;
        index[i] = 0;
    }
    return false;
}

/* ---- windows ------------------------------------------------------------------------------------------------------ */

sgs_status sgs_window(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad, int64_t *out, const char *axis, sgs_diag *d)
{
    const int64_t big = (int64_t)1 << 31;
    if (kernel < 1 || kernel >= big || stride < 1 || dilation < 1 || dilation >= big)
        return sgs_fail(d, SGS_E_MODEL, "%s: kernel, stride and dilation must be 1 or more, found %lld, %lld and %lld", axis, (long long)kernel,
                        (long long)stride, (long long)dilation);
    if (pad < 0 || pad >= big)
        return sgs_fail(d, SGS_E_MODEL, "%s: padding must lie in 0..2147483647, found %lld", axis, (long long)pad);
    int64_t reach = (kernel - 1) * dilation + 1;
    if (in + pad < reach)
        return sgs_fail(d, SGS_E_MODEL, "%s: a kernel that covers %lld does not fit %lld pixels with padding", axis, (long long)reach, (long long)(in + pad));
    *out = (in + pad - reach) / stride + 1;
    return SGS_OK;
}

void sgs_act_range(int64_t act, float lo, float hi, float *out_lo, float *out_hi)
{
    *out_lo = act == SGS_ACT_CLIP ? lo : act == SGS_ACT_NONE ? -INFINITY : 0.0f;
    *out_hi = act == SGS_ACT_CLIP ? hi : act == SGS_ACT_RELU6 ? 6.0f : INFINITY;
}

float sgs_apply_act(float v, int64_t act, float lo, float hi)
{
    if (act == SGS_ACT_NONE)
        return v;
    sgs_act_range(act, lo, hi, &lo, &hi);
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
}

/* ---- import ---------------------------------------------------------------------------------------------------------- */

/* Height or width of a channel-first picture; of a row, the height is 1. */
static int64_t size_of(const sgs_value *x, int i)
{
    return x->rank == 4 ? x->dim[2 + i] : i ? x->dim[2] : 1;
}

static sgs_status auto_pad(sgs_import *im, const sgs_source_node *s, const sgs_value *x, sgs_window2d *w, bool *notset, sgs_diag *d)
{
    enum { EMPTY, NOTSET, VALID, SAME_UPPER, SAME_LOWER };
    static const char *const words[] = { "", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", NULL };
    int64_t how = NOTSET;
    SGS_TRY(sgs_src_choice(im, s, "auto_pad", words, &how, d));
    *notset = how <= NOTSET;
    if (*notset)
        return SGS_OK;
    const bool valid = how == VALID, upper = how == SAME_UPPER;
    memset(w->pad, 0, sizeof w->pad);
    for (int i = 0; i < 2 && !valid; i++) {
        int64_t in = size_of(x, i), out = (in - 1) / w->stride[i] + 1;
        int64_t need = (out - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 - in;
        need = need > 0 ? need : 0;
        w->pad[i] = upper ? need / 2 : need - need / 2;
        w->pad[2 + i] = need - w->pad[i];
    }
    return SGS_OK;
}

/* ceil_mode: more padding at the end, so that the last window starts inside the picture or its left padding. */
static void round_up(const sgs_value *x, sgs_window2d *w)
{
    for (int i = 0; i < 2; i++) {
        int64_t room = size_of(x, i) + w->pad[i] + w->pad[2 + i] - ((w->kernel[i] - 1) * w->dilation[i] + 1);
        int64_t out = (room + w->stride[i] - 1) / w->stride[i] + 1;
        if ((out - 1) * w->stride[i] >= size_of(x, i) + w->pad[i])
            out--;
        int64_t need = (out - 1) * w->stride[i] - room;
        w->extra[i] = need > 0 ? need : 0;
        w->pad[2 + i] += w->extra[i];
    }
}

/* The attributes as they are; x has 3 or 4 dimensions. */
static sgs_status read_window(const sgs_source_node *s, const sgs_value *x, sgs_window2d *w, sgs_diag *d)
{
    int n = 0, axes = x->rank - 2, first = 2 - axes;
    int64_t pads[4] = { 0 };
    for (int i = 0; i < 2; i++) {
        w->stride[i] = w->dilation[i] = 1;
        w->kernel[i] = i < first ? 1 : w->kernel[i];
    }
    SGS_TRY(sgs_src_ints(s, "kernel_shape", w->kernel + first, axes, axes, &n, d));
    SGS_TRY(sgs_src_ints(s, "strides", w->stride + first, axes, axes, &n, d));
    SGS_TRY(sgs_src_ints(s, "dilations", w->dilation + first, axes, axes, &n, d));
    SGS_TRY(sgs_src_ints(s, "pads", pads, 2 * axes, 2 * axes, &n, d));
    for (int i = first; i < 2; i++) {
        w->pad[i] = pads[i - first];
        w->pad[2 + i] = pads[axes + i - first];
    }
    return SGS_OK;
}

sgs_status sgs_src_window(sgs_import *im, const sgs_source_node *s, const sgs_value *x, sgs_window2d *w, bool ceil_mode, sgs_diag *d)
{
    int64_t ignored;
    SGS_TRY(read_window(s, x, w, d));
    for (int i = 0; i < 2; i++) /* ranges first: what follows divides and multiplies */
        SGS_TRY(sgs_window((int64_t)1 << 62, w->kernel[i], w->stride[i], w->dilation[i], 0, &ignored, i ? "width" : "height", d));
    for (int i = 0; i < 4; i++)
        if (w->pad[i] < 0 || w->pad[i] >= (int64_t)1 << 31)
            return sgs_src_fail(im, s, d, "pads must lie in 0..2147483647, found %lld", (long long)w->pad[i]);
    bool explicit_pads;
    SGS_TRY(auto_pad(im, s, x, w, &explicit_pads, d));
    if (ceil_mode && explicit_pads)
        round_up(x, w);
    return SGS_OK;
}

sgs_status sgs_src_axis(sgs_import *im, const sgs_source_node *s, int64_t *axis, int rank, sgs_diag *d)
{
    if (*axis < -rank || *axis >= rank)
        return sgs_src_fail(im, s, d, "axis must lie in %d..%d, found %lld", -rank, rank - 1, (long long)*axis);
    *axis += *axis < 0 ? rank : 0;
    return SGS_OK;
}

sgs_value *sgs_const_ints(sgs_graph *g, const int64_t *v, int n)
{
    int64_t dim = n;
    return sgs_const_new(g, SGS_S64, 1, &dim, v, true);
}
