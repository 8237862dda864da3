/* Normalizations.  LayerNormalization, RMSNormalization and GroupNormalization become layernorm and rmsnorm where these
 * can do all they ask for; made of elementwise operators and reductions are InstanceNormalization,
 * MeanVarianceNormalization, LpNormalization, LRN. */
#include <string.h>

#include "ops/tensorflow.h"

/* ---- building blocks --------------------------------------------------------------------------------------------- */

static sgs_status two(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_value *a, sgs_value *b,
                      sgs_value **y, sgs_diag *d)
{
    sgs_value *in[] = { a, b };
    return sgs_emit(im, s, op, 2, in, NULL, y, d);
}

static sgs_value *number(sgs_import *im, float v)
{
    return sgs_const_new(im->g, SGS_F32, 0, NULL, &v, true);
}

static sgs_status shaped(sgs_import *im, const sgs_source_node *s, sgs_value *x, int rank, const int64_t *dim,
                         sgs_value **y, sgs_diag *d)
{
    sgs_shape_attr a = { .n = rank };
    memcpy(a.dim, dim, (size_t)rank * sizeof *dim);
    return sgs_emit(im, s, &sgs_op_reshape, 1, &x, &a, y, d);
}

static sgs_reduce_attr axes_from(int first, int rank)
{
    sgs_reduce_attr a = { 0 };
    for (int i = first; i < rank; i++)
        a.axis[a.n++] = i;
    return a;
}

/* sqrt(mean(x * x) + epsilon) over the axes */
static sgs_status root_mean_square(sgs_import *im, const sgs_source_node *s, sgs_value *x, const sgs_reduce_attr *axes,
                                   float epsilon, sgs_value **y, sgs_diag *d)
{
    SGS_TRY(two(im, s, &sgs_op_mul, x, x, y, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_reduce_mean, 1, y, axes, y, d));
    SGS_TRY(two(im, s, &sgs_op_add, *y, number(im, epsilon), y, d));
    return sgs_emit(im, s, &sgs_op_sqrt, 1, y, NULL, y, d);
}

typedef struct moments {
    sgs_value *mean, *deviation; /* sqrt(variance + epsilon) */
} moments;

/* (x - mean) / deviation over the axes; m may be NULL. */
static sgs_status normalized(sgs_import *im, const sgs_source_node *s, sgs_value *x, const sgs_reduce_attr *axes,
                             float epsilon, sgs_value **y, moments *m, sgs_diag *d)
{
    sgs_value *mean, *centred, *v;
    SGS_TRY(sgs_emit(im, s, &sgs_op_reduce_mean, 1, &x, axes, &mean, d));
    SGS_TRY(two(im, s, &sgs_op_sub, x, mean, &centred, d));
    SGS_TRY(root_mean_square(im, s, centred, axes, epsilon, &v, d));
    if (m)
        *m = (moments){ mean, v };
    return two(im, s, &sgs_op_div, centred, v, y, d);
}

/* y * scale + bias; bias may be NULL. */
static sgs_status scaled(sgs_import *im, const sgs_source_node *s, sgs_value *scale, sgs_value *bias, sgs_value **y,
                         sgs_diag *d)
{
    SGS_TRY(two(im, s, &sgs_op_mul, *y, scale, y, d));
    return bias ? two(im, s, &sgs_op_add, *y, bias, y, d) : SGS_OK;
}

/* The same with numbers that belong to axis 1 of a tensor of this rank. */
static sgs_status scaled_by_channel(sgs_import *im, const sgs_source_node *s, int rank, sgs_value **y, sgs_diag *d)
{
    sgs_value *v[2];
    for (int i = 0; i < 2; i++) {
        int64_t dim[SGS_MAX_RANK];
        SGS_TRY(sgs_src_in(im, s, 1 + i, &v[i], d));
        SGS_TRY(sgs_need_rank(v[i], 1, i ? "bias" : "scale", d));
        dim[0] = v[i]->dim[0];
        for (int k = 1; k < rank - 1; k++)
            dim[k] = 1;
        SGS_TRY(shaped(im, s, v[i], rank - 1, dim, &v[i], d));
    }
    return scaled(im, s, v[0], v[1], y, d);
}

/* ---- as one operator --------------------------------------------------------------------------------------------- */

static bool fits_trailing(const sgs_value *v, const sgs_value *x, int64_t axis)
{
    return !v || (v->constant && v->type == SGS_F32 && v->rank == x->rank - axis &&
                  !memcmp(v->dim, x->dim + axis, (size_t)v->rank * sizeof *v->dim));
}

/* Real numbers, and no more of them than fixed point can add up. */
static bool is_one_operator(const sgs_value *x, int64_t axis)
{
    return x->type == SGS_F32 && sgs_norm_count(x, axis) <= IPU_LAYERNORM_MOST;
}

/* Scale and bias that are no constants of the trailing dims stay a product and a sum. */
static sgs_status as_operator(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_value *const in[3],
                              const sgs_norm_attr *a, sgs_value **y, sgs_diag *d)
{
    const bool with = fits_trailing(in[1], in[0], a->axis) && fits_trailing(in[2], in[0], a->axis);
    SGS_TRY(sgs_emit(im, s, op, with && in[2] ? 3 : with && in[1] ? 2 : 1, in, a, y, d));
    return with ? SGS_OK : scaled(im, s, in[1], in[2], y, d);
}

/* ---- from ONNX --------------------------------------------------------------------------------------------------- */

/* Input, scale, bias or NULL; axis and epsilon. */
static sgs_status take(sgs_import *im, const sgs_source_node *s, sgs_value *in[3], sgs_norm_attr *a, sgs_diag *d)
{
    *a = (sgs_norm_attr){ -1, 1e-5f };
    SGS_TRY(sgs_src_in(im, s, 0, &in[0], d));
    SGS_TRY(sgs_src_in(im, s, 1, &in[1], d));
    in[2] = sgs_src_opt(im, s, 2);
    SGS_TRY(sgs_src_int(s, "axis", &a->axis, d));
    SGS_TRY(sgs_src_float(s, "epsilon", &a->epsilon, d));
    return sgs_src_axis(im, s, &a->axis, in[0]->rank, d);
}

/* Spelled out, with the outputs that the operator lacks. */
static sgs_status with_moments(sgs_import *im, const sgs_source_node *s, sgs_value *const in[3], const sgs_norm_attr *a,
                               sgs_diag *d)
{
    const sgs_reduce_attr axes = axes_from((int)a->axis, in[0]->rank);
    sgs_value *y;
    moments m;
    SGS_TRY(normalized(im, s, in[0], &axes, a->epsilon, &y, &m, d));
    SGS_TRY(scaled(im, s, in[1], in[2], &y, d));
    SGS_TRY(sgs_src_out(im, s, 0, y, d));
    if (s->nout > 1 && s->out[1][0])
        SGS_TRY(sgs_src_out(im, s, 1, m.mean, d));
    if (s->nout < 3 || !s->out[2][0])
        return SGS_OK;
    SGS_TRY(sgs_emit(im, s, &sgs_op_reciprocal, 1, &m.deviation, NULL, &y, d));
    return sgs_src_out(im, s, 2, y, d);
}

static sgs_status from_onnx_layernorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[3], *y;
    sgs_norm_attr a;
    SGS_TRY(take(im, s, in, &a, d));
    if ((s->nout > 1 && s->out[1][0]) || (s->nout > 2 && s->out[2][0]) || !is_one_operator(in[0], a.axis))
        return with_moments(im, s, in, &a, d);
    SGS_TRY(as_operator(im, s, &sgs_op_layernorm, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* x / sqrt(mean(x * x) + epsilon) * scale */
static sgs_status from_onnx_rmsnorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[3], *y;
    sgs_norm_attr a;
    SGS_TRY(take(im, s, in, &a, d));
    if (is_one_operator(in[0], a.axis)) {
        SGS_TRY(as_operator(im, s, &sgs_op_rmsnorm, in, &a, &y, d));
    } else {
        const sgs_reduce_attr axes = axes_from((int)a.axis, in[0]->rank);
        SGS_TRY(root_mean_square(im, s, in[0], &axes, a.epsilon, &y, d));
        SGS_TRY(two(im, s, &sgs_op_div, in[0], y, &y, d));
        SGS_TRY(scaled(im, s, in[1], NULL, &y, d));
    }
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_instancenorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    float epsilon = 1e-5f;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_float(s, "epsilon", &epsilon, d));
    if (x->rank < 3)
        return sgs_src_fail(im, s, d, "expected an input of at least 3 dimensions, found %d", x->rank);
    const sgs_reduce_attr axes = axes_from(2, x->rank);
    SGS_TRY(normalized(im, s, x, &axes, epsilon, &y, NULL, d));
    SGS_TRY(scaled_by_channel(im, s, x->rank, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* Before opset 21 scale and bias have one number a group, since then one a channel. */
static sgs_status from_onnx_groupnorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    int64_t groups = 0;
    char shape[128];
    float epsilon = 1e-5f;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_float(s, "epsilon", &epsilon, d));
    SGS_TRY(sgs_src_int(s, "num_groups", &groups, d));
    if (x->rank < 3 || groups < 1 || x->dim[1] % groups)
        return sgs_src_fail(im, s, d, "%lld groups do not fit the channels of an input %s", (long long)groups,
                            sgs_dims_text(shape, sizeof shape, x->rank, x->dim));
    const int64_t each = sgs_value_count(x) / (x->dim[0] ? x->dim[0] : 1) / groups,
                  flat[] = { x->dim[0], groups, each };
    const sgs_reduce_attr axes = axes_from(2, 3);
    SGS_TRY(shaped(im, s, x, 3, flat, &y, d));
    if (is_one_operator(y, 2))
        SGS_TRY(sgs_emit(im, s, &sgs_op_layernorm, 1, &y, &(sgs_norm_attr){ 2, epsilon }, &y, d));
    else
        SGS_TRY(normalized(im, s, y, &axes, epsilon, &y, NULL, d));
    if (s->opset < 21)
        SGS_TRY(scaled_by_channel(im, s, 3, &y, d));
    SGS_TRY(shaped(im, s, y, x->rank, x->dim, &y, d));
    if (s->opset >= 21)
        SGS_TRY(scaled_by_channel(im, s, x->rank, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_mvn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    int64_t axis[SGS_MAX_RANK] = { 0, 2, 3 };
    int n = 3;
    bool gathered[SGS_MAX_RANK] = { false };
    sgs_reduce_attr axes = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_ints(s, "axes", axis, SGS_MAX_RANK, -1, &n, d));
    for (int i = 0; i < n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &axis[i], x->rank, d));
        gathered[axis[i]] = true;
    }
    for (int i = 0; i < x->rank; i++)
        if (gathered[i])
            axes.axis[axes.n++] = i;
    SGS_TRY(normalized(im, s, x, &axes, 1e-9f, &y, NULL, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_lpnorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    int64_t axis = -1, p = 2;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "axis", &axis, d));
    SGS_TRY(sgs_src_int(s, "p", &p, d));
    SGS_TRY(sgs_src_axis(im, s, &axis, x->rank, d));
    if (p != 1 && p != 2)
        return sgs_src_fail(im, s, d, "p must be 1 or 2, found %lld", (long long)p);
    const sgs_reduce_attr one = { .n = 1, .axis = { axis } };
    SGS_TRY(p == 1 ? sgs_emit(im, s, &sgs_op_abs, 1, &x, NULL, &y, d) : two(im, s, &sgs_op_mul, x, x, &y, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_reduce_sum, 1, &y, &one, &y, d));
    if (p == 2)
        SGS_TRY(sgs_emit(im, s, &sgs_op_sqrt, 1, &y, NULL, &y, d));
    SGS_TRY(two(im, s, &sgs_op_div, x, y, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* The mean of v over `size` neighbouring channels: an average pool over the channels' axis as a picture's height. */
static sgs_status channel_window(sgs_import *im, const sgs_source_node *s, int64_t size, sgs_value **v, sgs_diag *d)
{
    const sgs_value x = **v;
    const int64_t rest = sgs_value_count(&x) / (x.dim[0] * x.dim[1]), picture[] = { x.dim[0], x.dim[1], rest, 1 };
    const sgs_pool_attr a = {
        .kernel = { size, 1 }, .stride = { 1, 1 }, .pad = { (size - 1) / 2, 0, size / 2, 0 }, .count_pad = size > 1
    };
    SGS_TRY(shaped(im, s, *v, 4, picture, v, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_avgpool, 1, v, &a, v, d));
    return shaped(im, s, *v, x.rank, x.dim, v, d);
}

/* x / (bias + alpha * mean(x * x))^beta */
static sgs_status from_onnx_lrn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *v, *y;
    int64_t size = 0;
    float alpha = 1e-4f, beta = 0.75f, bias = 1;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "size", &size, d));
    SGS_TRY(sgs_src_float(s, "alpha", &alpha, d));
    SGS_TRY(sgs_src_float(s, "beta", &beta, d));
    SGS_TRY(sgs_src_float(s, "bias", &bias, d));
    if (x->rank < 3 || size < 1 || sgs_value_count(x) < 1)
        return sgs_src_fail(im, s, d,
                            "expected an input of at least 3 dimensions and a size of 1 or more, found %d and %lld",
                            x->rank, (long long)size);
    SGS_TRY(two(im, s, &sgs_op_mul, x, x, &v, d));
    SGS_TRY(channel_window(im, s, size, &v, d));
    SGS_TRY(two(im, s, &sgs_op_mul, v, number(im, alpha), &v, d));
    SGS_TRY(two(im, s, &sgs_op_add, v, number(im, bias), &v, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_pow, 1, &v, &(sgs_lut_attr){ .alpha = -beta }, &v, d));
    SGS_TRY(two(im, s, &sgs_op_mul, x, v, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- from TensorFlow ---- */

/* x / (bias + alpha * sum(x * x))^beta over depth_radius channels on both sides. */
static sgs_status from_tf_lrn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *v;
    const int64_t radius = sgs_sp_int(p, "depth_radius", 5);
    const float bias = sgs_sp_float(p, "bias", 1), alpha = sgs_sp_float(p, "alpha", 1), beta = sgs_sp_float(p, "beta", 0.5f);
    if (p->status == SGS_OK && (x->rank != 4 || radius < 0 || radius > 65535 || sgs_value_count(x) < 1))
        sgs_sp_fail(p, "expected an input of 4 dimensions and a depth_radius of 0 to 65535, found %d and %lld", x->rank, (long long)radius);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t pixels = x->dim[0] * x->dim[1] * x->dim[2], c = x->dim[3], size = 2 * radius + 1;
    const sgs_pool_attr a = { .kernel = { 1, size }, .stride = { 1, 1 }, .pad = { 0, radius, 0, radius }, .count_pad = radius > 0 };
    v = sgs_sp_reshape(p, sgs_sp_two(p, &sgs_op_mul, x, x), 4, (const int64_t[]){ 1, pixels, c, 1 });
    v = sgs_sp_reshape(p, sgs_sp_one(p, &sgs_op_avgpool, v, &a), 4, x->dim);
    v = sgs_sp_by(p, &sgs_op_add, sgs_sp_by(p, &sgs_op_mul, v, alpha * (float)size), bias);
    sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_mul, x, sgs_sp_one(p, &sgs_op_pow, v, &(sgs_lut_attr){ .alpha = -beta })));
    return p->status;
}

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = {
    { "LayerNormalization", from_onnx_layernorm, 1 }, /* of ONNX since 17; onnxruntime writes it into older models too */
    { "RMSNormalization", from_onnx_rmsnorm, 23 },
    { "InstanceNormalization", from_onnx_instancenorm, 1 },
    { "GroupNormalization", from_onnx_groupnorm, 18 },
    { "MeanVarianceNormalization", from_onnx_mvn, 9 },
    { "LpNormalization", from_onnx_lpnorm, 1 },
    { "LRN", from_onnx_lrn, 1 },
    { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "LRN", from_tf_lrn, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_norm = { "norm", ops, .onnx = onnx, .tensorflow = tensorflow };
