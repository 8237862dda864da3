/* Caffe's layers that compute on elements, or sum and norm them: activations, Power, Exp, Log, Eltwise, Scale, Bias, Axpy, BatchNorm, MVN, Normalize,
 * InnerProduct, Embed, Softmax, ArgMax, Reduction, Threshold. */
#include <math.h>
#include <string.h>

#include "ops/caffe.h"

/* ---- functions of one variable ---- */

static sgs_value *relu(sgs_spell *p, sgs_value *x)
{
    const sgs_act_attr a = { 0, INFINITY };
    return sgs_sp_one(p, &sgs_op_clip, x, &a);
}

static sgs_value *of_relu(sgs_spell *p, sgs_value *x)
{
    const sgs_alpha_attr slope = { sgs_sp_float(p, "relu_param.negative_slope", 0) };
    return slope.alpha == 0 ? relu(p, x) : sgs_sp_one(p, &sgs_op_leakyrelu, x, &slope);
}

static sgs_value *of_relu6(sgs_spell *p, sgs_value *x)
{
    const sgs_act_attr a = { 0, 6 };
    return sgs_sp_one(p, &sgs_op_clip, x, &a);
}

static sgs_value *of_clip(sgs_spell *p, sgs_value *x)
{
    const sgs_act_attr a = { sgs_sp_float(p, "clip_param.min", -INFINITY), sgs_sp_float(p, "clip_param.max", INFINITY) };
    if (!sgs_caffe_has(p, "clip_param.min") || !sgs_caffe_has(p, "clip_param.max"))
        sgs_sp_fail(p, "expected min and max");
    return sgs_sp_one(p, &sgs_op_clip, x, &a);
}

static sgs_value *of_table(sgs_spell *p, sgs_value *x)
{
    static const struct {
        const char *type;
        const sgs_op *op;
        const char *alpha; /* its parameter, 1 without; NULL: none */
    } table[] = {
        { "Sigmoid", &sgs_op_sigmoid, NULL }, { "TanH", &sgs_op_tanh, NULL },      { "AbsVal", &sgs_op_abs, NULL },
        { "BNLL", &sgs_op_softplus, NULL },   { "ELU", &sgs_op_elu, "elu_param.alpha" }, { "Mish", &sgs_op_mish, NULL },
        { "Swish", &sgs_op_silu, "swish_param.beta" },
    };
    int i = 0;
    while (strcmp(table[i].type, p->s->op))
        i++;
    const sgs_lut_attr a = { .alpha = table[i].alpha ? sgs_sp_float(p, table[i].alpha, 1) : 0 };
    return sgs_sp_one(p, table[i].op, x, table[i].op->attr_bytes ? &a : NULL);
}

/* shift + scale x, without what changes nothing. */
static sgs_value *linear(sgs_spell *p, sgs_value *x, float scale, float shift)
{
    if (scale != 1)
        x = sgs_sp_by(p, &sgs_op_mul, x, scale);
    return shift != 0 ? sgs_sp_by(p, &sgs_op_add, x, shift) : x;
}

static sgs_value *of_power(sgs_spell *p, sgs_value *x)
{
    const float power = sgs_sp_float(p, "power_param.power", 1);
    x = linear(p, x, sgs_sp_float(p, "power_param.scale", 1), sgs_sp_float(p, "power_param.shift", 0));
    sgs_value *in[] = { x, sgs_sp_number(p, power) };
    return power == 1 ? sgs_sp_own(p, x) : sgs_caffe_call(p, "Pow", 2, in, 0, NULL);
}

/* Base -1 is e. */
static float base_of(sgs_spell *p, const char *name)
{
    const float base = sgs_sp_float(p, name, -1);
    if (base != -1 && !(base > 0 && base != 1 && isfinite(base)))
        sgs_sp_fail(p, "base: expected -1, which stands for e, or a number above 0 other than 1, found %g", (double)base);
    return base == -1 ? 1 : logf(base);
}

static sgs_value *of_exp(sgs_spell *p, sgs_value *x)
{
    const float base = base_of(p, "exp_param.base"), scale = sgs_sp_float(p, "exp_param.scale", 1), shift = sgs_sp_float(p, "exp_param.shift", 0);
    return sgs_sp_one(p, &sgs_op_exp, linear(p, x, scale * base, shift * base), NULL);
}

static sgs_value *of_log(sgs_spell *p, sgs_value *x)
{
    const float base = base_of(p, "log_param.base");
    x = linear(p, x, sgs_sp_float(p, "log_param.scale", 1), sgs_sp_float(p, "log_param.shift", 0));
    return linear(p, sgs_sp_one(p, &sgs_op_log, x, NULL), 1 / base, 0);
}

static sgs_value *of_threshold(sgs_spell *p, sgs_value *x)
{
    const float t = sgs_sp_float(p, "threshold_param.threshold", 0);
    return sgs_sp_cast(p, sgs_sp_two(p, &sgs_op_greater, x, sgs_sp_number(p, t)), SGS_F32);
}

/* max(x, 0) and max(-x, 0) side by side. */
static sgs_value *of_crelu(sgs_spell *p, sgs_value *x)
{
    const int axis = sgs_caffe_axis(p, "crelu_param.concat_axis", 1, x->rank);
    sgs_value *above = relu(p, x), *below = relu(p, sgs_sp_one(p, &sgs_op_neg, x, NULL));
    return sgs_sp_concat(p, 2, (sgs_value *[]){ above, below }, axis);
}

static sgs_value *of_prelu(sgs_spell *p, sgs_value *x)
{
    const bool shared = sgs_caffe_flag(p, "prelu_param.channel_shared", false);
    if (x->rank < 2)
        sgs_sp_fail(p, "expected at least 2 dimensions, found %d", x->rank);
    sgs_value *slope = p->status == SGS_OK ? sgs_caffe_blob(p, 0, 1, "slopes", shared ? 0 : 1, x->dim + 1) : NULL;
    sgs_value *in[] = { x, shared ? slope : sgs_caffe_along(p, slope, x, 1) };
    return p->status == SGS_OK ? sgs_caffe_call(p, "PRelu", 2, in, 0, NULL) : x;
}

static const struct unary {
    const char *type;
    sgs_value *(*of)(sgs_spell *p, sgs_value *x);
} unary[] = {
    { "ReLU", of_relu },   { "ReLU6", of_relu6 },  { "PReLU", of_prelu }, { "CReLU", of_crelu }, { "Clip", of_clip },   { "Sigmoid", of_table },
    { "TanH", of_table },  { "AbsVal", of_table }, { "BNLL", of_table },  { "ELU", of_table },   { "Swish", of_table }, { "Mish", of_table },
    { "Power", of_power }, { "Exp", of_exp },      { "Log", of_log },     { "Threshold", of_threshold },
};

static sgs_status from_caffe_unary(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const struct unary *u = unary;
    sgs_value *x = sgs_sp_in(p, 0);
    while (strcmp(u->type, s->op))
        u++;
    sgs_caffe_expect(p, 1, 1);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, u->of(p, x));
    return p->status;
}

/* ---- Eltwise, Axpy ---- */

static bool same_shape(const sgs_value *a, const sgs_value *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

enum { MOST_BOTTOMS = 1024 };

static sgs_status from_caffe_eltwise(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const sgs_op *const ops[] = { &sgs_op_mul, &sgs_op_add, &sgs_op_max };
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const int n = sgs_caffe_bottoms(s);
    const int64_t operation = sgs_sp_int(p, "eltwise_param.operation", 1);
    float factor[MOST_BOTTOMS];
    const sgs_src_attr *coeff = sgs_src_find(s, "eltwise_param.coeff");
    char a[128], b[128];
    if (n < 2 || n > MOST_BOTTOMS || s->nout != 1)
        sgs_sp_fail(p, "expected 2 to %d bottoms and 1 top, found %d and %d", MOST_BOTTOMS, n, s->nout);
    if (p->status == SGS_OK && coeff && (coeff->n != n || operation != 1))
        sgs_sp_fail(p, "coeff: expected %d numbers, and SUM as operation, found %d", n, coeff->n);
    sgs_value *y = sgs_sp_in(p, 0), *x;
    for (int i = 0; i < n && p->status == SGS_OK; i++) {
        factor[i] = coeff ? coeff->floats[i] : 1;
        x = sgs_sp_in(p, i);
        if (x && y && !same_shape(x, sgs_src_opt(im, s, 0)))
            sgs_sp_fail(p, "expected bottoms of one shape, found %s and %s", sgs_dims_text(a, sizeof a, y->rank, y->dim), sgs_dims_text(b, sizeof b, x->rank, x->dim));
        if (p->status != SGS_OK)
            break;
        x = linear(p, x, factor[i], 0);
        y = i ? sgs_sp_two(p, ops[operation], y, x) : x;
    }
    sgs_sp_out(p, 0, y);
    return p->status;
}

/* a x + y, one a for each channel of each picture. */
static sgs_status from_caffe_axpy(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *a = sgs_sp_in(p, 0), *x = sgs_sp_in(p, 1), *y = sgs_sp_in(p, 2);
    char ta[128], tx[128], ty[128];
    sgs_caffe_expect(p, 3, 1);
    if (p->status != SGS_OK)
        return p->status;
    bool ok = x->rank >= 2 && same_shape(x, y) && a->rank >= 2 && a->rank <= x->rank && a->dim[0] == x->dim[0] && a->dim[1] == x->dim[1];
    for (int i = 2; i < a->rank; i++)
        ok = ok && a->dim[i] == 1;
    if (!ok)
        return sgs_src_fail(im, s, d, "expected a factor for each channel and two bottoms of one shape, found %s, %s and %s", sgs_dims_text(ta, sizeof ta, a->rank, a->dim),
                            sgs_dims_text(tx, sizeof tx, x->rank, x->dim), sgs_dims_text(ty, sizeof ty, y->rank, y->dim));
    a = sgs_caffe_along(p, sgs_sp_reshape(p, a, 2, a->dim), x, 0);
    sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_add, sgs_sp_two(p, &sgs_op_mul, x, a), y));
    return p->status;
}

/* ---- Scale, Bias ---- */

/* Axes axis .. axis + *n - 1 of x have a number each; num_axes -1: all that follow. */
static int scaled_axes(sgs_spell *p, const char *param, const sgs_value *x, int *n)
{
    const int axis = sgs_caffe_axis(p, sgs_format(p->im->g->arena, "%s.axis", param), 1, x->rank);
    const int64_t axes = sgs_sp_int(p, sgs_format(p->im->g->arena, "%s.num_axes", param), 1);
    if (axes < -1 || axes > x->rank - axis)
        sgs_sp_fail(p, "num_axes: expected -1 to %d, found %lld", x->rank - axis, (long long)axes);
    *n = axes < 0 ? x->rank - axis : (int)axes;
    return axis;
}

/* The second bottom, where there is one, fits x from the axis on. */
static sgs_value *second_bottom(sgs_spell *p, const sgs_value *x, int axis)
{
    sgs_value *v = sgs_sp_in(p, 1);
    char a[128], b[128];
    bool ok = v && axis + v->rank <= x->rank;
    for (int i = 0; ok && i < v->rank; i++)
        ok = v->dim[i] == x->dim[axis + i];
    if (v && !ok)
        sgs_sp_fail(p, "the second bottom, %s, does not fit the first, %s, from axis %d on", sgs_dims_text(a, sizeof a, v->rank, v->dim),
                    sgs_dims_text(b, sizeof b, x->rank, x->dim), axis);
    return v;
}

static sgs_status from_caffe_scale(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool scale = !strcmp(s->op, "Scale"), two = sgs_caffe_bottoms(s) == 2, bias = scale && sgs_caffe_flag(p, "scale_param.bias_term", false);
    sgs_value *x = sgs_sp_in(p, 0), *v, *y;
    int n = 0;
    sgs_caffe_expect(p, two ? 2 : 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = scaled_axes(p, scale ? "scale_param" : "bias_param", x, &n), arrays = !two + bias;
    if (p->status != SGS_OK)
        return p->status;
    v = two ? second_bottom(p, x, axis) : sgs_caffe_blob(p, 0, arrays, scale ? "scale" : "bias", n, x->dim + axis);
    n = two && v ? v->rank : n;
    y = v && p->status == SGS_OK ? sgs_sp_two(p, scale ? &sgs_op_mul : &sgs_op_add, x, sgs_caffe_along(p, v, x, axis)) : x;
    v = bias ? sgs_caffe_blob(p, arrays - 1, arrays, "bias", n, x->dim + axis) : NULL;
    if (v && p->status == SGS_OK)
        y = sgs_sp_two(p, &sgs_op_add, y, sgs_caffe_along(p, v, x, axis));
    sgs_sp_out(p, 0, y);
    return p->status;
}

/* ---- BatchNorm ---- */

/* What was gathered in training is divided by how much was gathered. */
static sgs_value *gathered(sgs_spell *p, sgs_value *v, sgs_value *factor)
{
    const float f = v && factor ? *sgs_const_f32(factor) : 0;
    return v ? sgs_sp_by(p, &sgs_op_mul, v, f == 0 ? 0 : 1 / f) : NULL;
}

static sgs_value *ones(sgs_spell *p, int64_t n)
{
    void *data;
    sgs_value *v = sgs_sp_const(p, SGS_F32, 1, &n, &data);
    for (int64_t i = 0; v && i < n; i++)
        ((float *)data)[i] = 1;
    return v;
}

static sgs_status from_caffe_batchnorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *in[5];
    sgs_caffe_expect(p, 1, 1);
    if (!sgs_caffe_flag(p, "batch_norm_param.use_global_stats", true))
        sgs_sp_refuse(p, "use_global_stats false, statistics of the batch at hand, is not supported");
    if (x && x->rank < 2)
        sgs_sp_fail(p, "expected at least 2 dimensions, found %d", x->rank);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t *c = x->dim + 1, one = 1;
    sgs_value *factor = sgs_caffe_blob(p, 2, 3, "factor", 1, &one);
    in[0] = x;
    in[1] = ones(p, c[0]);
    in[3] = gathered(p, sgs_caffe_blob(p, 0, 3, "mean", 1, c), factor);
    in[4] = gathered(p, sgs_caffe_blob(p, 1, 3, "variance", 1, c), factor);
    if (p->status != SGS_OK)
        return p->status;
    in[2] = sgs_const_new(im->g, SGS_F32, 1, c, NULL, true);
    const sgs_src_attr epsilon = sgs_caffe_float("epsilon", sgs_sp_float(p, "batch_norm_param.eps", 1e-5f));
    sgs_sp_out(p, 0, sgs_caffe_call(p, "BatchNormalization", 5, in, 1, &epsilon));
    return p->status;
}

/* ---- MVN, Normalize ---- */

/* (x - mean) / (deviation + eps): eps stands outside of the root. */
static sgs_status from_caffe_mvn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *y;
    const bool all = sgs_caffe_flag(p, "mvn_param.across_channels", false), variance = sgs_caffe_flag(p, "mvn_param.normalize_variance", true);
    const float eps = sgs_sp_float(p, "mvn_param.eps", 1e-9f);
    sgs_caffe_expect(p, 1, 1);
    if (x && x->rank < 3)
        sgs_sp_fail(p, "expected at least 3 dimensions, found %d", x->rank);
    if (p->status != SGS_OK)
        return p->status;
    y = sgs_sp_two(p, &sgs_op_sub, x, sgs_sp_reduce(p, &sgs_op_reduce_mean, x, all ? 1 : 2));
    if (variance) {
        sgs_value *v = sgs_sp_reduce(p, &sgs_op_reduce_mean, sgs_sp_two(p, &sgs_op_mul, y, y), all ? 1 : 2);
        y = sgs_sp_two(p, &sgs_op_div, y, sgs_sp_by(p, &sgs_op_add, sgs_sp_one(p, &sgs_op_sqrt, v, NULL), eps));
    }
    sgs_sp_out(p, 0, y);
    return p->status;
}

/* Divided by the length over all of a picture or over the channels of a pixel, times a learned factor. */
static sgs_status from_caffe_normalize(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *y;
    const bool all = sgs_caffe_flag(p, "norm_param.across_spatial", true), shared = sgs_caffe_flag(p, "norm_param.channel_shared", true);
    const float eps = sgs_sp_float(p, "norm_param.eps", 1e-10f);
    const sgs_reduce_attr channels = { .n = 1, .axis = { 1 } };
    sgs_caffe_expect(p, 1, 1);
    if (x && x->rank < 2)
        sgs_sp_fail(p, "expected at least 2 dimensions, found %d", x->rank);
    if (p->status != SGS_OK)
        return p->status;
    sgs_value *scale = sgs_caffe_blob(p, 0, 1, "scale", shared ? 0 : 1, x->dim + 1);
    if (!scale)
        return p->status;
    y = sgs_sp_two(p, &sgs_op_mul, x, x);
    y = all ? sgs_sp_reduce(p, &sgs_op_reduce_sum, y, 1) : sgs_sp_one(p, &sgs_op_reduce_sum, y, &channels);
    y = sgs_sp_one(p, &sgs_op_sqrt, sgs_sp_by(p, &sgs_op_add, y, eps), NULL);
    y = sgs_sp_two(p, &sgs_op_div, x, y);
    sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_mul, y, shared ? scale : sgs_caffe_along(p, scale, x, 1)));
    return p->status;
}

/* ---- InnerProduct, Embed ---- */

static int64_t outputs_of(sgs_spell *p, const char *name)
{
    const int64_t n = sgs_sp_int(p, name, 0);
    if (n < 1)
        sgs_sp_fail(p, "num_output: expected 1 or more, found %lld", (long long)n);
    return n;
}

/* All axes from `axis` on are one. */
static sgs_status from_caffe_inner(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *in[3] = { NULL };
    const int64_t n = outputs_of(p, "inner_product_param.num_output");
    const bool bias = sgs_caffe_flag(p, "inner_product_param.bias_term", true), turned = sgs_caffe_flag(p, "inner_product_param.transpose", false);
    const sgs_conv_attr none = { .groups = 0 };
    int64_t flat[SGS_MAX_RANK], inner = 1;
    sgs_caffe_expect(p, 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = sgs_caffe_axis(p, "inner_product_param.axis", 1, x->rank);
    memcpy(flat, x->dim, sizeof flat);
    for (int i = axis; i < x->rank; i++)
        inner *= x->dim[i];
    flat[axis] = inner;
    const int64_t w[] = { turned ? inner : n, turned ? n : inner }, swap[] = { 1, 0 };
    in[1] = sgs_caffe_blob(p, 0, bias ? 2 : 1, "weights", 2, w);
    if (in[1] && turned)
        in[1] = sgs_sp_transpose(p, in[1], swap);
    in[2] = bias ? sgs_caffe_blob(p, 1, 2, "bias", 1, &n) : sgs_const_new(im->g, SGS_F32, 1, &n, NULL, true);
    in[0] = sgs_sp_reshape(p, x, axis + 1, flat);
    if (p->status == SGS_OK)
        p->status = sgs_emit(im, s, &sgs_op_fc, 3, in, &none, &x, d);
    sgs_sp_out(p, 0, x);
    return p->status;
}

/* A row of the weights for each index. */
static sgs_status from_caffe_embed(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const int64_t w[] = { sgs_sp_int(p, "embed_param.input_dim", 0), outputs_of(p, "embed_param.num_output") };
    const bool bias = sgs_caffe_flag(p, "embed_param.bias_term", true);
    sgs_caffe_expect(p, 1, 1);
    if (w[0] < 1)
        sgs_sp_fail(p, "input_dim: expected 1 or more, found %lld", (long long)w[0]);
    sgs_value *in[] = { sgs_caffe_blob(p, 0, bias ? 2 : 1, "weights", 2, w), NULL };
    if (p->status != SGS_OK)
        return p->status;
    in[1] = sgs_sp_cast(p, x, SGS_S32);
    const sgs_src_attr axis = sgs_caffe_int("axis", 0);
    sgs_value *y = sgs_caffe_call(p, "Gather", 2, in, 1, &axis), *b = bias ? sgs_caffe_blob(p, 1, 2, "bias", 1, &w[1]) : NULL;
    sgs_sp_out(p, 0, b ? sgs_sp_two(p, &sgs_op_add, y, b) : y);
    return p->status;
}

/* ---- Softmax, ArgMax, Reduction ---- */

static sgs_status from_caffe_softmax(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    sgs_caffe_expect(p, 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const sgs_axis_attr a = { sgs_caffe_axis(p, "softmax_param.axis", 1, x->rank) };
    sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_softmax, x, &a));
    return p->status;
}

/* The place of the largest, or itself, or, over all of a picture, both: [n][1 or 2][1]. */
static sgs_status from_caffe_argmax(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *best[2];
    const bool value = sgs_caffe_flag(p, "argmax_param.out_max_val", false), along = sgs_caffe_has(p, "argmax_param.axis");
    sgs_caffe_expect(p, 1, 1);
    if (sgs_sp_int(p, "argmax_param.top_k", 1) != 1)
        sgs_sp_refuse(p, "top_k: only 1 is supported, found %lld", (long long)sgs_sp_int(p, "argmax_param.top_k", 1));
    if (p->status != SGS_OK)
        return p->status;
    const int64_t flat[] = { x->dim[0], 1, x->dim[0] ? sgs_value_count(x) / x->dim[0] : 0 };
    const int axis = along ? sgs_caffe_axis(p, "argmax_param.axis", 0, x->rank) : 2;
    const int64_t first[2] = { axis, 0 }; /* the attributes of argmax: axis, and the first of equals */
    const sgs_reduce_attr over = { .n = 1, .axis = { axis } };
    if (!along)
        x = sgs_sp_reshape(p, x, 3, flat);
    best[0] = !along || !value ? sgs_sp_cast(p, sgs_sp_one(p, &sgs_op_argmax, x, first), SGS_F32) : NULL;
    best[1] = value ? sgs_sp_one(p, &sgs_op_reduce_max, x, &over) : NULL;
    sgs_sp_out(p, 0, best[0] && best[1] ? sgs_sp_concat(p, 2, best, 1) : best[0] ? best[0] : best[1]);
    return p->status;
}

/* All axes from `axis` on, which go. */
static sgs_status from_caffe_reduction(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    enum { SUM = 1, ASUM, SUMSQ, MEAN };
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const int64_t operation = sgs_sp_int(p, "reduction_param.operation", SUM);
    const float coeff = sgs_sp_float(p, "reduction_param.coeff", 1);
    sgs_caffe_expect(p, 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = sgs_caffe_axis(p, "reduction_param.axis", 0, x->rank);
    if (operation == ASUM)
        x = sgs_sp_one(p, &sgs_op_abs, x, NULL);
    if (operation == SUMSQ)
        x = sgs_sp_two(p, &sgs_op_mul, x, x);
    x = sgs_sp_reduce(p, operation == MEAN ? &sgs_op_reduce_mean : &sgs_op_reduce_sum, x, axis);
    sgs_sp_out(p, 0, linear(p, sgs_sp_reshape(p, x, axis, x->dim), coeff, 0));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from caffe[] = {
    { "ReLU", from_caffe_unary, 0 },       { "ReLU6", from_caffe_unary, 0 },      { "PReLU", from_caffe_unary, 0 },
    { "CReLU", from_caffe_unary, 0 },      { "Clip", from_caffe_unary, 0 },       { "Sigmoid", from_caffe_unary, 0 },
    { "TanH", from_caffe_unary, 0 },       { "AbsVal", from_caffe_unary, 0 },     { "BNLL", from_caffe_unary, 0 },
    { "ELU", from_caffe_unary, 0 },        { "Swish", from_caffe_unary, 0 },      { "Mish", from_caffe_unary, 0 },
    { "Power", from_caffe_unary, 0 },      { "Exp", from_caffe_unary, 0 },        { "Log", from_caffe_unary, 0 },
    { "Threshold", from_caffe_unary, 0 },  { "Eltwise", from_caffe_eltwise, 0 },  { "Axpy", from_caffe_axpy, 0 },
    { "Scale", from_caffe_scale, 0 },      { "Bias", from_caffe_scale, 0 },       { "BatchNorm", from_caffe_batchnorm, 0 },
    { "MVN", from_caffe_mvn, 0 },          { "Normalize", from_caffe_normalize, 0 }, { "InnerProduct", from_caffe_inner, 0 },
    { "Embed", from_caffe_embed, 0 },      { "Softmax", from_caffe_softmax, 0 },  { "ArgMax", from_caffe_argmax, 0 },
    { "Reduction", from_caffe_reduction, 0 }, { NULL, NULL, 0 },
};
const sgs_family sgs_family_caffe_arith = { "caffe_arith", ops, .caffe = caffe };
