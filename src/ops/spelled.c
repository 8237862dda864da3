/* Operators without an op of their own, spelled out in others: OneHot, Hardmax, Trilu, Shrink, LpPool. */
#include <math.h>
#include <string.h>

#include "ops/tensorflow.h"

/* ---- indices against a count ---- */

/* 0 .. n - 1 along one axis of this rank. */
static sgs_value *count_along(sgs_spell *p, sgs_type t, int rank, int axis, int64_t n)
{
    int64_t dim[SGS_MAX_RANK];
    sgs_value *v = sgs_sp_count(p, t, n);
    for (int i = 0; i < rank; i++)
        dim[i] = i == axis ? n : 1;
    return v ? sgs_sp_reshape(p, v, rank, dim) : NULL;
}

/* One of the values `off`, `on`. */
static sgs_value *value_of(sgs_spell *p, sgs_value *values, int64_t i)
{
    return sgs_sp_squeeze(p, sgs_sp_slice(p, values, 0, i, 1, 1), 0);
}

static int64_t depth_of(sgs_spell *p, const sgs_value *v)
{
    int64_t n = v->constant && v->type == SGS_F32 && sgs_value_count(v) == 1
                    ? (int64_t)fminf(fmaxf(*sgs_const_f32(v), 0), 0x1p40f)
                    : 0;
    int count = 0;
    if (!n && p->status == SGS_OK)
        p->status = sgs_src_const_ints(p->s, v, &n, 1, &count, p->d);
    if (p->status == SGS_OK && (n < 1 || n > INT32_MAX))
        sgs_sp_fail(p, "depth must lie in 1..2147483647, found %lld", (long long)n);
    return n;
}

/* Indices below 0 count from the end; what lies outside meets none. */
static sgs_status from_onnx_onehot(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    char shape[128];
    sgs_value *x = sgs_sp_in(p, 0), *depth = sgs_sp_in(p, 1), *values = sgs_sp_in(p, 2);
    if (p->status != SGS_OK)
        return p->status;
    if (values->rank != 1 || values->dim[0] != 2)
        return sgs_src_fail(im, s, d, "values: expected two, off and on, found shape %s",
                            sgs_dims_text(shape, sizeof shape, values->rank, values->dim));
    const int64_t n = depth_of(p, depth);
    const int axis = (int)sgs_sp_axis(p, "axis", -1, x->rank + 1);
    const sgs_type t = x->type == SGS_F32 ? SGS_F32 : SGS_S32;
    x = sgs_sp_unsqueeze(p, sgs_sp_cast(p, x, t), axis);
    sgs_value *count = p->status == SGS_OK ? count_along(p, t, x->rank, axis, n) : NULL;
    if (!count)
        return p->status;
    sgs_value *zero = t == SGS_F32 ? sgs_sp_number(p, 0) : sgs_sp_integer(p, t, 0),
              *turn = t == SGS_F32 ? sgs_sp_number(p, (float)n) : sgs_sp_integer(p, t, n);
    sgs_value *below = sgs_sp_two(p, &sgs_op_less, x, zero);
    x = sgs_sp_choose(p, below, sgs_sp_two(p, &sgs_op_add, x, turn), x);
    sgs_value *hit = sgs_sp_two(p, &sgs_op_equal, x, count), *on = value_of(p, values, 1),
              *off = value_of(p, values, 0);
    sgs_sp_out(p, 0, sgs_sp_choose(p, hit, on, off));
    return p->status;
}

/* 1 at the first largest element along the axis; before opset 13 all axes from `axis` on are one. */
static sgs_status from_onnx_hardmax(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (!x)
        return p->status;
    int axis = (int)sgs_sp_axis(p, "axis", s->opset >= 13 ? -1 : 1, x->rank);
    const int rank = x->rank;
    int64_t flat[2] = { 1, 1 }, dim[SGS_MAX_RANK];
    memcpy(dim, x->dim, sizeof dim);
    for (int i = 0; i < rank; i++)
        flat[i >= axis] *= dim[i];
    if (s->opset < 13) {
        x = sgs_sp_reshape(p, x, 2, flat);
        axis = 1;
    }
    const int64_t at[2] = { axis, 0 }; /* the attributes of argmax: axis, and the first of equals */
    sgs_value *best = sgs_sp_one(p, &sgs_op_argmax, x, at);
    sgs_value *count = p->status == SGS_OK ? count_along(p, SGS_S32, x->rank, axis, x->dim[axis]) : NULL;
    if (!count)
        return p->status;
    x = sgs_sp_cast(p, sgs_sp_two(p, &sgs_op_equal, best, count), SGS_F32);
    sgs_sp_out(p, 0, s->opset < 13 ? sgs_sp_reshape(p, x, rank, dim) : x);
    return p->status;
}

/* ---- triangles ---- */

static sgs_value *zero_like(sgs_spell *p, const sgs_value *x)
{
    void *data;
    sgs_value *v = sgs_sp_const(p, x->type, 0, NULL, &data);
    if (v)
        memset(data, 0, (size_t)sgs_type_bytes(x->type));
    return v;
}

static sgs_status from_onnx_trilu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *given = sgs_src_opt(im, s, 1);
    int64_t k = 0;
    int n = 0;
    void *data;
    if (p->status == SGS_OK && given)
        p->status = sgs_src_const_ints(s, given, &k, 1, &n, d);
    if (p->status == SGS_OK && x->rank < 2)
        sgs_sp_fail(p, "expected at least 2 dimensions, found %d", x->rank);
    if (p->status != SGS_OK)
        return p->status;
    const bool upper = sgs_sp_int(p, "upper", 1) != 0;
    const int64_t *dim = x->dim + x->rank - 2;
    sgs_value *mask = sgs_sp_const(p, SGS_BOOL, 2, dim, &data), *zero = zero_like(p, x);
    for (int64_t i = 0; mask && i < dim[0]; i++)
        for (int64_t j = 0; j < dim[1]; j++)
            ((uint8_t *)data)[i * dim[1] + j] = upper ? j - i >= k : j - i <= k;
    if (mask && zero)
        sgs_sp_out(p, 0, sgs_sp_choose(p, mask, x, zero));
    return p->status;
}

/* ---- Shrink ---- */

static sgs_status from_onnx_shrink(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const float bias = sgs_sp_float(p, "bias", 0), bound = sgs_sp_float(p, "lambd", 0.5f);
    if (!x)
        return p->status;
    sgs_value *below = sgs_sp_two(p, &sgs_op_less, x, sgs_sp_number(p, -bound)),
              *above = sgs_sp_two(p, &sgs_op_greater, x, sgs_sp_number(p, bound));
    sgs_value *less = sgs_sp_by(p, &sgs_op_sub, x, bias), *rest = sgs_sp_choose(p, above, less, sgs_sp_number(p, 0));
    sgs_sp_out(p, 0, sgs_sp_choose(p, below, sgs_sp_by(p, &sgs_op_add, x, bias), rest));
    return p->status;
}

/* ---- LpPool ---- */

static sgs_value *to_power(sgs_spell *p, sgs_value *x, float e)
{
    return e == 1.0f ? x : sgs_sp_one(p, &sgs_op_pow, x, &(sgs_lut_attr){ .alpha = e });
}

/* (mean of |x|^p, padding counted, times the window)^(1/p) */
static sgs_status from_onnx_lppool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *y;
    sgs_window2d w = { 0 };
    const float e = (float)sgs_sp_int(p, "p", 2);
    if (p->status == SGS_OK && x->rank != 3 && x->rank != 4)
        sgs_sp_refuse(p, "only 1-D and 2-D pooling is supported: expected an input of 3 or 4 dimensions, found %d",
                      x->rank);
    if (p->status != SGS_OK)
        return p->status;
    SGS_TRY(sgs_src_window(im, s, x, &w, sgs_sp_int(p, "ceil_mode", 0) != 0, d));
    sgs_pool_attr a = { .count_pad = 1 };
    memcpy(a.kernel, w.kernel, sizeof a.kernel);
    memcpy(a.stride, w.stride, sizeof a.stride);
    memcpy(a.pad, w.pad, sizeof a.pad);
    memcpy(a.dilation, w.dilation, sizeof a.dilation);
    const int rank = x->rank;
    x = to_power(p, sgs_sp_one(p, &sgs_op_abs, x, NULL), e);
    SGS_TRY(p->status);
    SGS_TRY(sgs_emit_picture(im, s, x, &x, d));
    x = sgs_sp_by(p, &sgs_op_mul, sgs_sp_one(p, &sgs_op_avgpool, x, &a), (float)(a.kernel[0] * a.kernel[1]));
    x = to_power(p, x, 1 / e);
    SGS_TRY(p->status);
    SGS_TRY(sgs_emit_unpicture(im, s, x, rank, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* (sum of |x|^p)^(1/p) over all axes from the third on */
static sgs_status from_onnx_globallppool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const float e = (float)sgs_sp_int(p, "p", 2);
    if (!x)
        return p->status;
    x = sgs_sp_reduce(p, &sgs_op_reduce_sum, to_power(p, sgs_sp_one(p, &sgs_op_abs, x, NULL), e), 2);
    sgs_sp_out(p, 0, to_power(p, x, 1 / e));
    return p->status;
}

/* ---- from TensorFlow ---- */

/* An index outside of the depth meets none. */
static sgs_status from_tf_onehot(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *on = sgs_sp_in(p, 2), *off = sgs_sp_in(p, 3);
    const int64_t n = sgs_tf_int(p, 1);
    const int axis = x ? (int)sgs_sp_axis(p, "axis", -1, x->rank + 1) : 0;
    if (p->status == SGS_OK && (n < 1 || n > INT32_MAX))
        sgs_sp_fail(p, "depth must lie in 1..2147483647, found %lld", (long long)n);
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_sp_unsqueeze(p, sgs_sp_cast(p, x, SGS_S32), axis);
    sgs_value *count = p->status == SGS_OK ? count_along(p, SGS_S32, x->rank, axis, n) : NULL;
    if (count)
        sgs_sp_out(p, 0, sgs_sp_choose(p, sgs_sp_two(p, &sgs_op_equal, x, count), on, off));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = {
    { "OneHot", from_onnx_onehot, 9 },
    { "Hardmax", from_onnx_hardmax, 1 },
    { "Trilu", from_onnx_trilu, 14 },
    { "Shrink", from_onnx_shrink, 9 },
    { "LpPool", from_onnx_lppool, 2 },
    { "GlobalLpPool", from_onnx_globallppool, 2 },
    { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "OneHot", from_tf_onehot, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_spelled = { "spelled", ops, .onnx = onnx, .tensorflow = tensorflow };
