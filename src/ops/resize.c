/* resize_nearest, resize: height and width of an NHWC picture.  Every row of the result is a weighted sum of a few rows
 * of the input, its taps, and every column of a few columns: one for the nearest pixel, two for a linear, four for a
 * cubic filter. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/resample.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

enum { MAX_TAPS = 4 };

static const char *const coord_names[] = {
    "asymmetric",           "half_pixel", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric",
    "tf_half_pixel_for_nn", NULL
};
static const char *const round_names[] = { "floor", "round_prefer_ceil", "round_prefer_floor", "ceil", "simple", NULL };
static const char *const filter_names[] = { "linear", "cubic", NULL };

#define GEOMETRY                                                                                                       \
    SGS_ATTR_V(sgs_resize_attr, size, 2), SGS_ATTR_F(sgs_resize_attr, scale_h), SGS_ATTR_F(sgs_resize_attr, scale_w),  \
        SGS_ATTR_E(sgs_resize_attr, coord, coord_names)
static const sgs_attr nearest_attrs[] = { GEOMETRY, SGS_ATTR_E(sgs_resize_attr, round, round_names), SGS_ATTR_END };
static const sgs_attr resize_attrs[] = { GEOMETRY, SGS_ATTR_E(sgs_resize_attr, filter, filter_names),
                                         SGS_ATTR_F(sgs_resize_attr, cubic),
                                         SGS_ATTR_I(sgs_resize_attr, exclude_outside), SGS_ATTR_END };

/* ---- taps: ARITHMETIC.md 15 ---- */

typedef struct axis {
    const sgs_resize_attr *a;
    int64_t in, out;
    float scale;
    int taps;
} axis;

static int taps_of(const sgs_op *op, const sgs_resize_attr *a)
{
    return op == &sgs_op_resize_nearest ? 1 : a->filter == SGS_FILTER_CUBIC ? 4 : 2;
}

/* i: 0 rows, 1 columns. */
static axis axis_of(const sgs_op *op, const sgs_resize_attr *a, int i, int64_t in)
{
    float scale = i ? a->scale_w : a->scale_h;
    return (axis){ a, in, a->size[i], scale > 0 ? scale : (float)a->size[i] / (float)in, taps_of(op, a) };
}

/* In binary64: the middle of the result is exactly the middle of the input. */
static float symmetric(double scale, int64_t in, int64_t out, int64_t at)
{
    double offset = (double)in / 2 * (1 - (double)out / (scale * (double)in));
    return (float)(offset + ((double)at + 0.5) / scale - 0.5);
}

/* Where pixel `at` of the result lies in the input.  In binary32, as the frameworks compute it, so that what lies
 * between two pixels falls to the same side. */
static float coordinate(const axis *x, int64_t at)
{
    float o = (float)at, in = (float)x->in, out = (float)x->out;
    if (x->scale == 1 && x->in == x->out)
        return o;
    switch (x->a->coord) {
    case SGS_COORD_ASYMMETRIC:
        return o / x->scale;
    case SGS_COORD_ALIGN_CORNERS:
        return x->out == 1 ? 0 : o * (in - 1) / (out - 1);
    case SGS_COORD_PYTORCH_HALF_PIXEL:
        return x->out > 1 ? (o + 0.5f) / x->scale - 0.5f : 0;
    case SGS_COORD_HALF_PIXEL_SYMMETRIC:
        return symmetric((double)x->scale, x->in, x->out, at);
    case SGS_COORD_TF_HALF_PIXEL_FOR_NN:
        return (o + 0.5f) / x->scale;
    default:
        return (o + 0.5f) / x->scale - 0.5f;
    }
}

static float whole_pixel(const axis *x, float at)
{
    float below = floorf(at), part = at - below;
    switch (x->a->round) {
    case SGS_ROUND_PREFER_CEIL:
        return part >= 0.5f ? below + 1 : below;
    case SGS_ROUND_PREFER_FLOOR:
        return part > 0.5f ? below + 1 : below;
    case SGS_ROUND_CEIL:
        return ceilf(at);
    case SGS_ROUND_SIMPLE:
        return x->scale < 1 ? ceilf(at) : below;
    default:
        return below;
    }
}

/* A weight of the cubic filter at distance t, 0 <= t <= 2. */
static double cubic_weight(double a, double t)
{
    if (t <= 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
}

/* Weights outside count for nothing, the others make up for them. */
static void exclude_outside(const axis *x, int64_t first, double weight[MAX_TAPS])
{
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        weight[i] = first + i >= 0 && first + i < x->in ? weight[i] : 0;
        sum += weight[i];
    }
    for (int i = 0; i < 4; i++)
        weight[i] = sum != 0 ? weight[i] / sum : i == 1;
}

static int32_t inside(const axis *x, int64_t at)
{
    return (int32_t)(at < 0 ? 0 : at < x->in ? at : x->in - 1);
}

/* The taps of pixel `at` of the result. */
static void taps_at(const axis *x, int64_t at, int32_t index[MAX_TAPS], double weight[MAX_TAPS])
{
    float real = fminf(fmaxf(coordinate(x, at), -4), (float)x->in + 3); /* beyond that nothing changes */
    if (x->taps == 1) {
        index[0] = inside(x, (int64_t)whole_pixel(x, real));
        weight[0] = 1;
        return;
    }
    if (x->taps == 2)
        real = fminf(fmaxf(real, 0), (float)(x->in - 1));
    int64_t first = (int64_t)floorf(real) - (x->taps == 4);
    double part = (double)(real - floorf(real));
    for (int i = 0; i < x->taps; i++)
        index[i] = inside(x, first + i);
    if (x->taps == 2) {
        weight[0] = 1 - part;
        weight[1] = part;
        return;
    }
    const double distance[4] = { 1 + part, part, 1 - part, 2 - part };
    for (int i = 0; i < 4; i++)
        weight[i] = cubic_weight((double)x->a->cubic, distance[i]);
    if (x->a->exclude_outside)
        exclude_outside(x, first, weight);
}

static bool same_taps(const axis *a, const axis *b)
{
    for (int64_t at = 0; at < a->out; at++) {
        int32_t ia[MAX_TAPS], ib[MAX_TAPS];
        double wa[MAX_TAPS], wb[MAX_TAPS];
        taps_at(a, at, ia, wa);
        taps_at(b, at, ib, wb);
        for (int i = 0; i < a->taps; i++)
            if (ia[i] != ib[i] || wa[i] != wb[i])
                return false;
    }
    return true;
}

/* ---- shapes ---- */

static sgs_status resize_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_resize_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    sgs_shape_like(out, x);
    for (int i = 0; i < 2; i++) {
        float scale = i ? a->scale_w : a->scale_h;
        if (a->size[i] < 1 || a->size[i] > INT32_MAX || x->dim[1 + i] > INT32_MAX)
            return sgs_fail(d, SGS_E_MODEL, "cannot resize %lld pixels to %lld", (long long)x->dim[1 + i],
                            (long long)a->size[i]);
        if (!(scale >= 0) || isinf(scale))
            return sgs_fail(d, SGS_E_MODEL, "scales must be finite and 0 or more, found %g", (double)scale);
        out->dim[1 + i] = a->size[i];
    }
    if (!isfinite(a->cubic))
        return sgs_fail(d, SGS_E_MODEL, "cubic_coeff_a must be finite, found %g", (double)a->cubic);
    return SGS_OK;
}

/* ---- float ---- */

static void one_pixel(const axis *ax, const float *const row[MAX_TAPS], const double wy[MAX_TAPS], int64_t at,
                      int64_t c, float *to)
{
    int32_t ix[MAX_TAPS];
    double wx[MAX_TAPS];
    taps_at(ax, at, ix, wx);
    for (int64_t k = 0; k < c; k++) {
        double sum = 0;
        for (int i = 0; i < ax->taps; i++)
            for (int j = 0; j < ax->taps; j++)
                sum += wy[i] * wx[j] * (double)row[i][ix[j] * c + k];
        to[k] = (float)sum;
    }
}

static sgs_status resize_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const axis ay = axis_of(n->op, n->attr, 0, in->dim[1]), ax = axis_of(n->op, n->attr, 1, in->dim[2]);
    int64_t c = in->dim[3], line = in->dim[2] * c;
    float *to = out->data;
    for (int64_t y = 0; y < out->dim[0] * ay.out; y++) {
        int32_t iy[MAX_TAPS];
        double wy[MAX_TAPS];
        const float *row[MAX_TAPS] = { NULL }, *image = (const float *)in->data + y / ay.out * ay.in * line;
        taps_at(&ay, y % ay.out, iy, wy);
        for (int i = 0; i < ay.taps; i++)
            row[i] = image + iy[i] * line;
        for (int64_t x = 0; x < ax.out; x++, to += c)
            one_pixel(&ax, row, wy, x, c, to);
    }
    return SGS_OK;
}

/* Any type. */
static sgs_status nearest_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st,
                               sgs_diag *d)
{
    (void)st, (void)d;
    const axis ay = axis_of(n->op, n->attr, 0, in->dim[1]), ax = axis_of(n->op, n->attr, 1, in->dim[2]);
    int64_t pixel = in->dim[3] * sgs_type_bytes(in->type);
    char *to = out->data;
    int32_t iy[MAX_TAPS], ix[MAX_TAPS];
    double w[MAX_TAPS];
    for (int64_t y = 0; y < out->dim[0] * ay.out; y++) {
        taps_at(&ay, y % ay.out, iy, w);
        const char *row = (const char *)in->data + (y / ay.out * ay.in + iy[0]) * ax.in * pixel;
        for (int64_t x = 0; x < ax.out; x++, to += pixel) {
            taps_at(&ax, x, ix, w);
            memcpy(to, row + ix[0] * pixel, (size_t)pixel);
        }
    }
    return SGS_OK;
}

/* ---- from ONNX ---- */

/* What the node asks for, by axis of its input. */
typedef struct request {
    sgs_value *x;
    int64_t size[SGS_MAX_RANK];
    float scale[SGS_MAX_RANK]; /* 0: size / dim */
    const sgs_op *op;
    sgs_resize_attr attr;
    bool antialias, crop;
} request;

/* Constant floats of an input or of an attribute; *n is 0 where there are none. */
static sgs_status scales_of(sgs_import *im, const sgs_source_node *s, int slot, float *v, int *n, sgs_diag *d)
{
    const sgs_value *c = slot < 0 ? NULL : sgs_src_opt(im, s, slot);
    const sgs_src_attr *a = slot < 0 ? sgs_src_find(s, "scales") : NULL;
    *n = 0;
    if (c && !c->constant)
        return sgs_src_refuse(im, s, d, "scales: expected constants, found numbers known only at run time");
    if (c && c->type != SGS_F32)
        return sgs_src_fail(im, s, d, "scales: expected float numbers, found %s", sgs_type_word(c->type));
    if (a && a->kind != SGS_SRC_FLOATS)
        return sgs_src_fail(im, s, d, "scales: expected a list of numbers");
    int64_t count = c ? sgs_value_count(c) : a ? a->n : 0;
    if (count > SGS_MAX_RANK)
        return sgs_src_fail(im, s, d, "expected at most %d scales, one for each dimension of the input, found %lld", SGS_MAX_RANK, (long long)count);
    *n = (int)count;
    if (count)
        memcpy(v, c ? sgs_const_data(c) : a->floats, (size_t)count * sizeof *v);
    return SGS_OK;
}

/* One scale for all the given axes: the least or the largest that the sizes ask for. */
static void keep_aspect(request *q, const int64_t *axes, int n, bool larger)
{
    float scale = larger ? 0 : INFINITY;
    for (int i = 0; i < n; i++) {
        float each = (float)q->size[axes[i]] / (float)q->x->dim[axes[i]];
        scale = larger ? fmaxf(scale, each) : fminf(scale, each);
    }
    for (int i = 0; i < n; i++) {
        q->scale[axes[i]] = scale;
        q->size[axes[i]] = (int64_t)roundf(fminf(scale * (float)q->x->dim[axes[i]], 0x1p31f));
    }
}

static sgs_status size_by_scale(sgs_import *im, const sgs_source_node *s, request *q, int64_t k, float scale,
                                sgs_diag *d)
{
    float size = scale * (float)q->x->dim[k];
    if (!(scale > 0) || !(size >= 1 && size < 0x1p31f))
        return sgs_src_fail(im, s, d, "cannot scale axis %lld of %lld by %g", (long long)k, (long long)q->x->dim[k],
                            (double)scale);
    q->size[k] = (int64_t)size;
    q->scale[k] = scale;
    return SGS_OK;
}

/* Scales or sizes of all axes or those of the attribute `axes`. */
static sgs_status read_sizes(sgs_import *im, const sgs_source_node *s, request *q, int slot, sgs_diag *d)
{
    static const char *const policies[] = { "stretch", "not_larger", "not_smaller", NULL };
    int64_t axes[SGS_MAX_RANK], sizes[SGS_MAX_RANK], policy = 0;
    float scales[SGS_MAX_RANK];
    int rank = q->x->rank, naxis = rank, nscale, nsize = 0;
    const sgs_value *given = s->opset >= 11 && slot >= 0 ? sgs_src_opt(im, s, 3) : NULL;
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    SGS_TRY(sgs_src_ints(s, "axes", axes, SGS_MAX_RANK, -1, &naxis, d));
    SGS_TRY(sgs_src_choice(im, s, "keep_aspect_ratio_policy", policies, &policy, d));
    SGS_TRY(scales_of(im, s, slot, scales, &nscale, d));
    if (given)
        SGS_TRY(sgs_src_const_ints(s, given, sizes, SGS_MAX_RANK, &nsize, d));
    if (!nscale == !nsize || (nscale && nscale != naxis) || (nsize && nsize != naxis))
        return sgs_src_fail(im, s, d, "expected either %d scales or %d sizes, found %d scales and %d sizes", naxis, naxis, nscale, nsize);
    for (int i = 0; i < naxis; i++) {
        SGS_TRY(sgs_src_axis(im, s, &axes[i], rank, d));
        if (nscale)
            SGS_TRY(size_by_scale(im, s, q, axes[i], scales[i], d));
        else
            q->size[axes[i]] = sizes[i];
    }
    if (policy && nsize)
        keep_aspect(q, axes, naxis, policy == 2);
    return SGS_OK;
}

static sgs_status read_resize(sgs_import *im, const sgs_source_node *s, request *q, sgs_diag *d)
{
    enum { CROP = SGS_COORD_TF_HALF_PIXEL_FOR_NN + 1 };
    static const char *const modes[] = { "linear", "cubic", "nearest", "bilinear", NULL };
    static const char *const all_coords[] = { "asymmetric",           "half_pixel",         "align_corners", "pytorch_half_pixel", "half_pixel_symmetric",
                                              "tf_half_pixel_for_nn", "tf_crop_and_resize", NULL };
    int64_t mode = 2, antialias = 0;
    sgs_resize_attr *a = &q->attr;
    bool old = s->opset < 11 || !strcmp(s->op, "Upsample");
    SGS_TRY(sgs_src_choice(im, s, "mode", modes, &mode, d));
    q->op = mode == 2 ? &sgs_op_resize_nearest : &sgs_op_resize;
    a->filter = mode == 1 ? SGS_FILTER_CUBIC : SGS_FILTER_LINEAR;
    a->coord = old ? SGS_COORD_ASYMMETRIC : SGS_COORD_HALF_PIXEL;
    a->round = old ? SGS_ROUND_SIMPLE : SGS_ROUND_PREFER_FLOOR;
    a->cubic = mode == 1 ? -0.75f : 0;
    SGS_TRY(sgs_src_choice(im, s, "coordinate_transformation_mode", all_coords, &a->coord, d));
    q->crop = a->coord == CROP;
    a->coord = q->crop ? 0 : a->coord;
    SGS_TRY(sgs_src_choice(im, s, "nearest_mode", round_names, &a->round, d));
    SGS_TRY(sgs_src_int(s, "antialias", &antialias, d));
    q->antialias = antialias && mode != 2;
    if (mode != 2)
        a->round = 0;
    if (mode != 1)
        return SGS_OK;
    SGS_TRY(sgs_src_float(s, "cubic_coeff_a", &a->cubic, d));
    return sgs_src_int(s, "exclude_outside", &a->exclude_outside, d);
}

/* Of the ways to say the same, the first one: which pixels a common factor takes does not depend on the framework's
 * words for it. */
static void simplify(request *q, const int64_t in[2])
{
    static const sgs_resize_attr plain[] = { { .coord = SGS_COORD_ASYMMETRIC },
                                             { .coord = SGS_COORD_HALF_PIXEL, .round = SGS_ROUND_PREFER_CEIL },
                                             { .coord = SGS_COORD_ALIGN_CORNERS, .round = SGS_ROUND_PREFER_CEIL } };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        sgs_resize_attr a = q->attr;
        a.coord = plain[i].coord;
        a.round = q->op == &sgs_op_resize_nearest ? plain[i].round : 0;
        a.scale_h = a.scale_w = 0;
        bool same = true;
        for (int k = 0; k < 2; k++) {
            axis before = axis_of(q->op, &q->attr, k, in[k]), after = axis_of(q->op, &a, k, in[k]);
            same = same && same_taps(&before, &after);
        }
        if (same) {
            q->attr = a;
            return;
        }
    }
}

static sgs_status emit_resize(sgs_import *im, const sgs_source_node *s, request *q, const int at[2], sgs_diag *d)
{
    sgs_value *x = q->x, *y;
    bool last = x->rank == 4 && at[1] == 2; /* [n][h][w][c] already */
    int64_t in[2];
    float scale[2];
    for (int i = 0; i < 2; i++) {
        in[i] = at[i] < 0 ? 1 : x->dim[at[i]];
        q->attr.size[i] = at[i] < 0 ? 1 : q->size[at[i]];
        scale[i] = at[i] < 0 ? 0 : q->scale[at[i]];
        if (q->attr.size[i] < 1 || q->attr.size[i] > INT32_MAX || in[i] < 1 || in[i] > INT32_MAX)
            return sgs_src_fail(im, s, d, "cannot resize %lld pixels to %lld", (long long)in[i],
                                (long long)q->attr.size[i]);
    }
    q->attr.scale_h = scale[0];
    q->attr.scale_w = scale[1];
    simplify(q, in);
    if (!last)
        SGS_TRY(sgs_emit_picture(im, s, x, &x, d));
    SGS_TRY(sgs_emit(im, s, q->op, 1, &x, &q->attr, &y, d));
    if (!last)
        SGS_TRY(sgs_emit_unpicture(im, s, y, q->x->rank, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static bool keeps(const request *q, int k)
{
    return q->size[k] == q->x->dim[k] && (q->scale[k] == 0 || q->scale[k] == 1);
}

/* The crop's first places of all axes, then its last ones. */
static sgs_status read_crop(sgs_import *im, const sgs_source_node *s, const request *q, float crop[2 * SGS_MAX_RANK], sgs_diag *d)
{
    const sgs_value *v = sgs_src_opt(im, s, 1);
    int64_t axes[SGS_MAX_RANK];
    int rank = q->x->rank, n = rank;
    for (int i = 0; i < rank; i++) {
        axes[i] = i;
        crop[i] = 0;
        crop[rank + i] = 1;
    }
    SGS_TRY(sgs_src_ints(s, "axes", axes, SGS_MAX_RANK, -1, &n, d));
    if (!v || !v->constant || v->type != SGS_F32 || sgs_value_count(v) != 2 * n)
        return sgs_src_fail(im, s, d, "roi: expected %d constant float numbers for the crop", 2 * n);
    for (int i = 0; i < n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &axes[i], rank, d));
        if (q->scale[axes[i]] > 0)
            return sgs_src_refuse(im, s, d, "a crop with scales is not supported");
        crop[axes[i]] = sgs_const_f32(v)[i];
        crop[rank + axes[i]] = sgs_const_f32(v)[n + i];
    }
    return SGS_OK;
}

/* What taps of height and width do not cover. */
static sgs_status emit_by_matrices(sgs_import *im, const sgs_source_node *s, const request *q, sgs_diag *d)
{
    sgs_spell p = { .im = im, .s = s, .d = d };
    float crop[2 * SGS_MAX_RANK];
    const bool nearest = q->op == &sgs_op_resize_nearest;
    sgs_resample r = { .kernel = nearest ? SGS_KERNEL_NEAREST : q->attr.filter == SGS_FILTER_CUBIC ? SGS_KERNEL_CUBIC : SGS_KERNEL_LINEAR,
                       .coord = q->attr.coord, .round = q->attr.round, .cubic = q->attr.cubic, .antialias = q->antialias,
                       .exclude_outside = q->attr.exclude_outside != 0 };
    if (q->crop)
        SGS_TRY(read_crop(im, s, q, crop, d));
    r.crop = q->crop ? crop : NULL;
    r.outside = sgs_sp_float(&p, "extrapolation_value", 0);
    sgs_sp_out(&p, 0, sgs_emit_resampled(&p, &r, q->x, q->size, q->scale));
    return p.status;
}

static sgs_status from_onnx_sized(sgs_import *im, const sgs_source_node *s, int slot, sgs_diag *d)
{
    request q = { .op = NULL };
    SGS_TRY(sgs_src_in(im, s, 0, &q.x, d));
    int rank = q.x->rank;
    memcpy(q.size, q.x->dim, sizeof q.size);
    SGS_TRY(read_sizes(im, s, &q, slot, d));
    SGS_TRY(read_resize(im, s, &q, d));
    if (q.antialias || q.crop)
        return emit_by_matrices(im, s, &q, d);
    if (rank == 3 && keeps(&q, 0) && keeps(&q, 1))
        return emit_resize(im, s, &q, (int[2]){ -1, 2 }, d);
    if (rank == 4 && keeps(&q, 0) && keeps(&q, 1))
        return emit_resize(im, s, &q, (int[2]){ 2, 3 }, d);
    if (rank == 4 && keeps(&q, 0) && keeps(&q, 3))
        return emit_resize(im, s, &q, (int[2]){ 1, 2 }, d);
    return emit_by_matrices(im, s, &q, d);
}

static sgs_status from_onnx_resize(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return from_onnx_sized(im, s, s->opset >= 11 ? 2 : 1, d);
}

static sgs_status from_onnx_upsample(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return from_onnx_sized(im, s, s->opset >= 9 ? 1 : -1, d);
}

/* ---- .sim ---- */

/* Which pixel RESIZE_NEAREST_NEIGHBOR takes. */
static int64_t tfl_nearest(const axis *x, bool align, bool half, int64_t at)
{
    float scale = align && x->out > 1 ? (float)(x->in - 1) / (float)(x->out - 1) : (float)x->in / (float)x->out;
    float real = ((float)at + (half ? 0.5f : 0)) * scale;
    int64_t i = (int64_t)(align ? roundf(real) : floorf(real));
    return i < x->in - 1 ? i : x->in - 1;
}

static bool tfl_takes_the_same(const sgs_node *n, bool align, bool half)
{
    int32_t index[MAX_TAPS];
    double w[MAX_TAPS];
    for (int i = 0; i < 2; i++) {
        const axis x = axis_of(n->op, n->attr, i, n->in[0]->dim[1 + i]);
        for (int64_t at = 0; at < x.out; at++) {
            taps_at(&x, at, index, w);
            if (index[0] != tfl_nearest(&x, align, half, at))
                return false;
        }
    }
    return true;
}

static sgs_status resize_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_resize_attr *a = n->attr;
    bool nearest = n->op == &sgs_op_resize_nearest, align = a->coord == SGS_COORD_ALIGN_CORNERS,
         half = a->coord == SGS_COORD_HALF_PIXEL;
    bool known = sgs_tfl_is(a->scale_h, 0) && sgs_tfl_is(a->scale_w, 0) && a->coord <= SGS_COORD_ALIGN_CORNERS;
    bool linear = a->filter == SGS_FILTER_LINEAR && sgs_tfl_is(a->cubic, 0) && !a->exclude_outside;
    bool rounds = a->round == (align || half ? SGS_ROUND_PREFER_CEIL : SGS_ROUND_FLOOR);
    if (!known || !(nearest ? rounds && tfl_takes_the_same(n, align, half) : linear))
        return sgs_tfl_custom(w, n);
    int in[2] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const_s32(w, a->size, 2) };
    const sgs_tfl_option o[] = { { "align_corners", align }, { "half_pixel_centers", half }, { NULL, 0 } };
    sgs_tfl_emit(w, nearest ? "RESIZE_NEAREST_NEIGHBOR" : "RESIZE_BILINEAR", in, 2, sgs_tfl_value(w, n->out[0]), o);
    return SGS_OK;
}

static sgs_status resize_from_tflite(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    sgs_value *x, *size, *y;
    int64_t align = 0, half = 0;
    int n;
    sgs_resize_attr a = { .coord = SGS_COORD_ASYMMETRIC };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &size, d));
    SGS_TRY(sgs_src_const_ints(s, size, a.size, 2, &n, d));
    SGS_TRY(sgs_src_int(s, "align_corners", &align, d));
    SGS_TRY(sgs_src_int(s, "half_pixel_centers", &half, d));
    if (n != 2)
        return sgs_src_fail(im, s, d, "expected height and width of the result, found %d number%s", n, n == 1 ? "" : "s");
    if (align && half)
        return sgs_src_fail(im, s, d, "expected at most one of align_corners and half_pixel_centers, found both");
    a.coord = align ? SGS_COORD_ALIGN_CORNERS : half ? SGS_COORD_HALF_PIXEL : SGS_COORD_ASYMMETRIC;
    if (op == &sgs_op_resize_nearest)
        a.round = align || half ? SGS_ROUND_PREFER_CEIL : SGS_ROUND_FLOOR;
    SGS_TRY(sgs_emit(im, s, op, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status nearest_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return resize_from_tflite(im, s, &sgs_op_resize_nearest, d);
}

static sgs_status bilinear_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return resize_from_tflite(im, s, &sgs_op_resize, d);
}

/* ---- lowering ---- */

/* Weights in 1/2048 that sum to 2048: what rounding leaves goes to the largest.  Returns the sum of their sizes. */
static int64_t whole_weights(const double *w, int taps, int64_t *q)
{
    int64_t rest = 1 << IPU_RESIZE_BITS, sizes = 0;
    int most = 0;
    for (int i = 0; i < taps; i++) {
        q[i] = (int64_t)rint(fmin(fmax(w[i], -1e6), 1e6) * (1 << IPU_RESIZE_BITS));
        rest -= q[i];
        most = q[i] > q[most] ? i : most;
    }
    q[most] += rest;
    for (int i = 0; i < taps; i++)
        sizes += q[i] < 0 ? -q[i] : q[i];
    return sizes;
}

/* Index and weight arrays of one axis; returns the largest sum of the weights' sizes. */
static int64_t lower_axis(sgs_lowering *l, const axis *x, ipu_ref *index, ipu_ref *weight)
{
    int64_t count = x->out * x->taps, q[MAX_TAPS], most = 0;
    int32_t *i = SGS_NEW_N(sgs_lower_arena(l), int32_t, count);
    int16_t *w = SGS_NEW_N(sgs_lower_arena(l), int16_t, count);
    double real[MAX_TAPS];
    for (int64_t at = 0; at < x->out; at++) {
        taps_at(x, at, i + at * x->taps, real);
        int64_t sizes = whole_weights(real, x->taps, q);
        most = sizes > most ? sizes : most;
        for (int k = 0; k < x->taps; k++)
            w[at * x->taps + k] = (int16_t)q[k];
    }
    *index = sgs_lower_const(l, IPU_S32, i, count);
    if (x->taps > 1)
        *weight = sgs_lower_const(l, IPU_S16, w, count);
    return most;
}

static sgs_status resize_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    bool nearest = n->op == &sgs_op_resize_nearest;
    const axis ay = axis_of(n->op, n->attr, 0, x->dim[1]), ax = axis_of(n->op, n->attr, 1, x->dim[2]);
    if (nearest ? !sgs_is_activation(x) || x->type != y->type
                : x->type != SGS_S16 || y->type != SGS_S16 || !sgs_one_scale(x) || !sgs_one_scale(y))
        return sgs_lower_fail(l, n, d,
                              nearest ? "expected uint8 or int16, the same in and out"
                                      : "expected int16 in and out with one scale each");
    ipu_resize r = { .head = SGS_REC(nearest ? IPU_RESIZE_NEAREST : IPU_RESIZE_S16, resize),
                     .y = sgs_lower_ref(l, y),
                     .x = sgs_lower_ref(l, x),
                     .taps = ay.taps };
    int64_t rows = lower_axis(l, &ay, &r.iy, &r.wy), columns = lower_axis(l, &ax, &r.ix, &r.wx);
    if (nearest)
        return sgs_lower_emit(l, &r.head, n, 0, d);
    if (rows >= 1 << 24 || columns >= 1 << 24 || rows * columns >= 1 << 24)
        return sgs_lower_fail(l, n, d, "the weights of the filter are too large: it multiplies a number by up to %g",
                              (double)rows * (double)columns / (1 << (2 * IPU_RESIZE_BITS)));
    r.m = sgs_mult(sgs_scale(x, 0), sgs_scale(y, 0) * (1 << (2 * IPU_RESIZE_BITS - IPU_RESIZE_SHIFT)));
    r.out = sgs_out_range(y, SGS_ACT_NONE, 0, 0);
    return sgs_lower_emit(l, &r.head, n, sgs_value_count(y) * ay.taps * ax.taps, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_resize(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    sgs_resize_attr a = { 0 };
    const bool nearest = !strcmp(s->op, "ResizeNearestNeighbor");
    const int n = sgs_tf_ints(p, 1, a.size, 2);
    const bool corners = sgs_sp_int(p, "align_corners", 0) != 0, half = sgs_sp_int(p, "half_pixel_centers", 0) != 0;
    if (p->status == SGS_OK && (n != 2 || x->rank != 4 || a.size[0] < 1 || a.size[1] < 1))
        sgs_sp_fail(p, "expected a picture of 4 dimensions and a size of two numbers of 1 or more");
    a.coord = corners ? SGS_COORD_ALIGN_CORNERS : !half ? SGS_COORD_ASYMMETRIC : nearest ? SGS_COORD_TF_HALF_PIXEL_FOR_NN : SGS_COORD_HALF_PIXEL;
    a.round = !nearest ? 0 : corners ? SGS_ROUND_PREFER_CEIL : SGS_ROUND_FLOOR;
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_one(p, nearest ? &sgs_op_resize_nearest : &sgs_op_resize, x, &a));
    return p->status;
}

/* ---- rows ---- */

const sgs_op sgs_op_resize_nearest = {
    .name = "resize_nearest",
    .family = "resize",
    .nin_min = 1,
    .nin_max = 1,
    .nout = 1,
    .attr_bytes = sizeof(sgs_resize_attr),
    .attr = nearest_attrs,
    .infer = resize_infer,
    .eval = nearest_eval,
    .to_tflite = resize_to_tflite,
    .qrule = SGS_Q_MOVE,
    .lower = resize_lower,
};
const sgs_op sgs_op_resize = {
    .name = "resize",
    .family = "resize",
    .nin_min = 1,
    .nin_max = 1,
    .nout = 1,
    .attr_bytes = sizeof(sgs_resize_attr),
    .attr = resize_attrs,
    .infer = resize_infer,
    .eval = resize_eval,
    .to_tflite = resize_to_tflite,
    .float_only = true,
    .qrule = SGS_Q_S16,
    .lower = resize_lower,
};

static const sgs_op *const ops[] = { &sgs_op_resize_nearest, &sgs_op_resize, NULL };
static const sgs_from onnx[] = { { "Resize", from_onnx_resize, 10 },
                                 { "Upsample", from_onnx_upsample, 7 },
                                 { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "RESIZE_NEAREST_NEIGHBOR", nearest_from_tflite, 0 },
                                   { "RESIZE_BILINEAR", bilinear_from_tflite, 0 },
                                   { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "ResizeBilinear", from_tf_resize, 0 },
    { "ResizeNearestNeighbor", from_tf_resize, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_resize = { "resize", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
