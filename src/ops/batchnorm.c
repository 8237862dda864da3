/* batchnorm over the last dimension: y = (x - mean) / sqrt(var + eps) * scale + bias.  It never leaves the passes: it is folded into what comes
 * before, or becomes a 1x1 depthwise convolution. */
#include <math.h>

#include "ops/tensorflow.h"

static const sgs_attr bn_attrs[] = { SGS_ATTR_F(sgs_bn_attr, epsilon), SGS_ATTR_END };

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status bn_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    static const char *const what[] = { "input", "scale", "bias", "mean", "variance" };
    const sgs_value *x = n->in[0];
    if (x->rank < 1)
        return sgs_fail(d, SGS_E_MODEL, "expected an input of at least one dimension, found a single number");
    for (int i = 1; i < 5; i++)
        if (n->in[i]->rank != 1 || n->in[i]->dim[0] != x->dim[x->rank - 1])
            return sgs_fail(d, SGS_E_MODEL, "%s: expected %lld numbers, one per channel, found %lld", what[i], (long long)x->dim[x->rank - 1],
                            (long long)sgs_value_count(n->in[i]));
    sgs_shape_like(out, x);
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static sgs_status bn_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    double eps = (double)((const sgs_bn_attr *)n->attr)->epsilon;
    const float *scale = in[1].data, *bias = in[2].data, *mean = in[3].data, *var = in[4].data;
    int64_t channels = out->dim[out->rank - 1], count = sgs_tensor_count(out);
    for (int64_t i = 0; i < count; i++) {
        int64_t c = i % channels;
        double v = ((double)((const float *)in->data)[i] - (double)mean[c]) / sqrt((double)var[c] + eps);
        ((float *)out->data)[i] = (float)(v * (double)scale[c] + (double)bias[c]);
    }
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

/* Channel second -> channel last, and back. */
static sgs_perm_attr rotate(int rank, bool back)
{
    sgs_perm_attr p = { .n = rank };
    for (int i = 0; i < rank; i++)
        p.perm[i] = back ? (i == 0 ? 0 : i == 1 ? rank - 1 : i - 1) : (i == 0 ? 0 : i == rank - 1 ? 1 : i + 1);
    return p;
}

static sgs_status positive_variance(sgs_import *im, const sgs_source_node *s, const sgs_value *var, float epsilon, sgs_diag *d)
{
    int64_t n = var->constant && var->type == SGS_F32 ? sgs_value_count(var) : 0;
    for (int64_t i = 0; i < n; i++) {
        double v = (double)sgs_const_f32(var)[i] + (double)epsilon;
        if (!(v > 0))
            return sgs_src_fail(im, s, d, "expected a variance above 0, found %g with epsilon in channel %lld", v, (long long)i);
    }
    return SGS_OK;
}

/* By the moments of what goes in, and the running ones carried on. */
static sgs_status trained(sgs_import *im, const sgs_source_node *s, sgs_value *const in[5], float epsilon, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const float keep = sgs_sp_float(p, "momentum", 0.9f);
    const int rank = in[0]->rank;
    sgs_reduce_attr all = { 0 };
    sgs_value *v[2], *moment[2];
    int64_t wide[SGS_MAX_RANK], flat[1] = { in[0]->dim[1] };
    for (int i = 0; i < rank; i++) {
        wide[i] = i == 1 ? in[0]->dim[1] : 1;
        if (i != 1)
            all.axis[all.n++] = i;
    }
    for (int i = 0; i < 2; i++)
        v[i] = sgs_sp_reshape(p, in[1 + i], rank, wide);
    moment[0] = sgs_sp_one(p, &sgs_op_reduce_mean, in[0], &all);
    sgs_value *x = sgs_sp_two(p, &sgs_op_sub, in[0], moment[0]);
    moment[1] = sgs_sp_one(p, &sgs_op_reduce_mean, sgs_sp_two(p, &sgs_op_mul, x, x), &all);
    x = sgs_sp_two(p, &sgs_op_div, x, sgs_sp_one(p, &sgs_op_sqrt, sgs_sp_by(p, &sgs_op_add, moment[1], epsilon), NULL));
    sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_add, sgs_sp_two(p, &sgs_op_mul, x, v[0]), v[1]));
    for (int i = 0; i < 2; i++)
        if (sgs_sp_wants(p, 1 + i)) {
            sgs_value *share = sgs_sp_by(p, &sgs_op_mul, sgs_sp_reshape(p, moment[i], 1, flat), 1 - keep);
            sgs_sp_out(p, 1 + i, sgs_sp_two(p, &sgs_op_add, share, sgs_sp_by(p, &sgs_op_mul, in[3 + i], keep)));
        }
    return p->status;
}

static sgs_status from_onnx_batchnorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[5], *y;
    sgs_bn_attr a = { 1e-5f };
    int64_t training = 0, spatial = 1;
    for (int i = 0; i < 5; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    SGS_TRY(sgs_src_float(s, "epsilon", &a.epsilon, d));
    SGS_TRY(sgs_src_int(s, "training_mode", &training, d));
    SGS_TRY(sgs_src_int(s, "spatial", &spatial, d));
    if (in[0]->rank < 2)
        return sgs_src_fail(im, s, d, "expected an input of at least 2 dimensions, found %d", in[0]->rank);
    if (training && s->opset >= 14)
        return trained(im, s, in, a.epsilon, d);
    if (training || (s->nout > 1 && s->out[1][0]))
        return sgs_src_refuse(im, s, d, "training mode is not supported");
    if (!spatial && in[0]->rank > 2)
        return sgs_src_refuse(im, s, d, "spatial 0 is supported for inputs of 2 dimensions, found %d", in[0]->rank);
    SGS_TRY(positive_variance(im, s, in[4], a.epsilon, d));
    sgs_perm_attr last = rotate(in[0]->rank, false), back = rotate(in[0]->rank, true);
    SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &in[0], &last, &in[0], d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_batchnorm, 5, in, &a, &y, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &y, &back, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- from TensorFlow ---- */

/* By the moments of the batch, where the graph says that it is being trained. */
static sgs_value *by_moments(sgs_spell *p, sgs_value *const in[5], float epsilon)
{
    const sgs_reduce_attr all = { .n = 3, .axis = { 0, 1, 2 } };
    sgs_value *x = sgs_sp_two(p, &sgs_op_sub, in[0], sgs_sp_one(p, &sgs_op_reduce_mean, in[0], &all));
    sgs_value *var = sgs_sp_one(p, &sgs_op_reduce_mean, sgs_sp_two(p, &sgs_op_mul, x, x), &all);
    x = sgs_sp_two(p, &sgs_op_div, x, sgs_sp_one(p, &sgs_op_sqrt, sgs_sp_by(p, &sgs_op_add, var, epsilon), NULL));
    return sgs_sp_two(p, &sgs_op_add, sgs_sp_two(p, &sgs_op_mul, x, in[1]), in[2]);
}

static sgs_status from_tf_fusedbatchnorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[5], *y = NULL;
    for (int i = 0; i < 5; i++)
        in[i] = sgs_sp_in(p, i);
    const sgs_bn_attr a = { sgs_sp_float(p, "epsilon", 1e-4f) };
    const bool training = sgs_sp_int(p, "is_training", 1) != 0, first = sgs_tf_first(p);
    if (p->status != SGS_OK)
        return p->status;
    in[0] = sgs_tf_last(p, in[0], first);
    if (p->status == SGS_OK && !training)
        p->status = positive_variance(im, s, in[4], a.epsilon, d);
    if (p->status == SGS_OK && training)
        y = by_moments(p, in, a.epsilon);
    else if (p->status == SGS_OK)
        p->status = sgs_emit(im, s, &sgs_op_batchnorm, 5, in, &a, &y, d);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_tf_back(p, y, first));
    return p->status;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_batchnorm = {
    .name = "batchnorm", .family = "batchnorm", .nin_min = 5, .nin_max = 5, .nout = 1, /* x, scale, bias, mean, var -> y */
    .attr_bytes = sizeof(sgs_bn_attr), .attr = bn_attrs, .infer = bn_infer, .eval = bn_eval, .float_only = true, .kernel = "",
};

static const sgs_op *const ops[] = { &sgs_op_batchnorm, NULL };
static const sgs_from onnx[] = { { "BatchNormalization", from_onnx_batchnorm, 1 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "FusedBatchNorm", from_tf_fusedbatchnorm, 0 },
    { "FusedBatchNormV2", from_tf_fusedbatchnorm, 0 },
    { "FusedBatchNormV3", from_tf_fusedbatchnorm, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_batchnorm = { "batchnorm", ops, .onnx = onnx, .tensorflow = tensorflow };
