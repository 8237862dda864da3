/* Operators of the domain com.microsoft, in models that onnxruntime has optimized: spelled as ONNX's own. */
#include <math.h>
#include <string.h>

#include "ops/spell.h"

#define LATEST 24 /* what these are made of is read as of this opset */

/* A copy of the node at a late opset, without the attributes that what it calls would misread. */
typedef struct at_late {
    sgs_source_node s;
    sgs_spell p;
} at_late;

static sgs_spell *late(at_late *l, sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    l->s = *s;
    l->s.opset = s->opset > LATEST ? s->opset : LATEST;
    l->p = (sgs_spell){ .im = im, .s = &l->s, .d = d };
    return &l->p;
}

/* ---- activations within others ---- */

typedef struct function {
    const char *name;
    const sgs_op *op;
    sgs_lut_attr absent;
} function;

static const function functions[] = {
    { "Sigmoid", &sgs_op_sigmoid, { .alpha = 0 } },
    { "Tanh", &sgs_op_tanh, { .alpha = 0 } },
    { "LeakyRelu", &sgs_op_leakyrelu, { .alpha = 0.01f } },
    { "HardSigmoid", &sgs_op_hardsigmoid, { .alpha = 0.2f, .beta = 0.5f } },
};

/* The activation that the node names, with its numbers; none: x. */
static sgs_value *activated(sgs_spell *p, sgs_value *x, const float *number, int n)
{
    static const char *const names[] = { "", "Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", NULL };
    int64_t which = 0;
    if (p->status == SGS_OK)
        p->status = sgs_src_choice(p->im, p->s, "activation", names, &which, p->d);
    if (p->status != SGS_OK || !which)
        return x;
    if (which < 3) {
        const sgs_act_attr a = { which == 1 ? 0
                                 : n > 0    ? number[0]
                                            : -INFINITY,
                                 which == 2 && n > 1 ? number[1] : INFINITY };
        return sgs_sp_one(p, &sgs_op_clip, x, &a);
    }
    const function *f = &functions[which - 3];
    const sgs_lut_attr a = { .alpha = n > 0 ? number[0] : f->absent.alpha, .beta = n > 1 ? number[1] : f->absent.beta };
    const sgs_alpha_attr slope = { a.alpha };
    return sgs_sp_one(p, f->op, x, f->op == &sgs_op_leakyrelu ? (const void *)&slope : &a);
}

/* ---- products ---- */

static sgs_status from_fusedconv(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    at_late l;
    sgs_spell *p = late(&l, im, s, d);
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1), sgs_src_opt(im, s, 2) }, *z = sgs_src_opt(im, s, 3);
    const sgs_src_attr *a = sgs_src_find(s, "activation_params");
    sgs_value *y = p->status == SGS_OK ? sgs_sp_call(p, "Conv", in[2] ? 3 : 2, in) : NULL;
    if (y && z)
        y = sgs_sp_two(p, &sgs_op_add, y, z);
    if (y)
        sgs_sp_out(p, 0, activated(p, y, a ? a->floats : NULL, a && a->kind == SGS_SRC_FLOATS ? a->n : 0));
    return p->status;
}

static sgs_status from_fusedgemm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    at_late l;
    sgs_spell *p = late(&l, im, s, d);
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1), sgs_src_opt(im, s, 2) };
    const float number[] = { sgs_sp_float(p, "activation_alpha", 0), sgs_sp_float(p, "activation_beta", 0) };
    const int n = sgs_src_find(s, "activation_beta") ? 2 : sgs_src_find(s, "activation_alpha") != NULL;
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, activated(p, sgs_sp_call(p, "Gemm", in[2] ? 3 : 2, in), number, n));
    return p->status;
}

/* The last two axes exchanged. */
static sgs_value *turned(sgs_spell *p, sgs_value *x)
{
    int64_t perm[SGS_MAX_RANK];
    if (p->status != SGS_OK || x->rank < 2)
        return x;
    for (int i = 0; i < x->rank; i++)
        perm[i] = i;
    perm[x->rank - 2] = x->rank - 1;
    perm[x->rank - 1] = x->rank - 2;
    return sgs_sp_transpose(p, x, perm);
}

static sgs_status from_fusedmatmul(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    at_late l;
    sgs_spell *p = late(&l, im, s, d);
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) };
    const float alpha = sgs_sp_float(p, "alpha", 1);
    if (sgs_sp_int(p, "transBatchA", 0) || sgs_sp_int(p, "transBatchB", 0))
        sgs_sp_refuse(p, "transBatchA and transBatchB are not supported");
    if (sgs_sp_int(p, "transA", 0) && p->status == SGS_OK)
        in[0] = turned(p, in[0]);
    if (sgs_sp_int(p, "transB", 0) && p->status == SGS_OK)
        in[1] = turned(p, in[1]);
    if (p->status != SGS_OK)
        return p->status;
    sgs_value *y = sgs_sp_call(p, "MatMul", 2, in);
    sgs_sp_out(p, 0, alpha == 1 ? y : sgs_sp_by(p, &sgs_op_mul, y, alpha));
    return p->status;
}

/* ---- functions of one variable, whose bias comes first ---- */

static sgs_status function_of(sgs_import *im, const sgs_source_node *s, const sgs_op *op, float alpha, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *bias = sgs_src_opt(im, s, 1);
    const sgs_lut_attr a = { .alpha = alpha != 0 ? sgs_sp_float(p, "alpha", alpha) : 0 };
    if (p->status != SGS_OK)
        return p->status;
    sgs_sp_out(p, 0, sgs_sp_one(p, op, bias ? sgs_sp_two(p, &sgs_op_add, x, bias) : x, &a));
    return p->status;
}

static sgs_status from_gelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return function_of(im, s, &sgs_op_gelu, 0, d);
}

static sgs_status from_fastgelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return function_of(im, s, &sgs_op_gelu_tanh, 0, d);
}

static sgs_status from_quickgelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return function_of(im, s, &sgs_op_silu, 1.702f, d);
}

/* ---- sums that are normalized ---- */

/* The sum of input, skip and bias, normalized; the sum itself is the fourth output. */
static sgs_status skipped(sgs_import *im, const sgs_source_node *s, const char *norm, int bias, sgs_diag *d)
{
    at_late l;
    sgs_spell *p = late(&l, im, s, d);
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 2), bias == 4 ? sgs_src_opt(im, s, 3) : NULL },
              *skip = sgs_sp_in(p, 1), *more = sgs_src_opt(im, s, bias);
    if (p->status != SGS_OK)
        return p->status;
    in[0] = sgs_sp_two(p, &sgs_op_add, in[0], skip);
    in[0] = more ? sgs_sp_two(p, &sgs_op_add, in[0], more) : in[0];
    if (sgs_sp_wants(p, 1) || sgs_sp_wants(p, 2))
        sgs_sp_refuse(p, "the outputs of means and deviations are not supported");
    if (p->status != SGS_OK)
        return p->status;
    sgs_sp_out(p, 0, sgs_sp_call(p, norm, in[2] ? 3 : 2, in));
    if (sgs_sp_wants(p, 3))
        sgs_sp_out(p, 3, sgs_sp_own(p, in[0]));
    return p->status;
}

static sgs_status from_skiplayernorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return skipped(im, s, "LayerNormalization", 4, d);
}

static sgs_status from_skiprmsnorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return skipped(im, s, "RMSNormalization", 3, d);
}

/* onnxruntime's name for RMSNormalization, in ONNX's own domain. */
static sgs_status from_simplifiednorm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    at_late l;
    sgs_spell *p = late(&l, im, s, d);
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) };
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_call(p, "RMSNormalization", 2, in));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = {
    { "com.microsoft.FusedConv", from_fusedconv, 1 },
    { "com.microsoft.FusedGemm", from_fusedgemm, 1 },
    { "com.microsoft.FusedMatMul", from_fusedmatmul, 1 },
    { "com.microsoft.Gelu", from_gelu, 1 },
    { "com.microsoft.BiasGelu", from_gelu, 1 },
    { "com.microsoft.FastGelu", from_fastgelu, 1 },
    { "com.microsoft.QuickGelu", from_quickgelu, 1 },
    { "com.microsoft.SkipLayerNormalization", from_skiplayernorm, 1 },
    { "com.microsoft.SkipSimplifiedLayerNormalization", from_skiprmsnorm, 1 },
    { "SimplifiedLayerNormalization", from_simplifiednorm, 1 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_contrib = { "contrib", ops, .onnx = onnx };
