/* sub, mul, div: elementwise with numpy broadcasting.  They serve shape arithmetic and constant folding; a float network keeps mul and div
 * only where folding could not take them. */
#include "ops/arith.h"
#include "ops/tflite.h"

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

sgs_status sgs_arith_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    sgs_type t = n->in[0]->type;
    bool fixed = n->op == &sgs_op_add && t == SGS_S16;
    if (t != SGS_F32 && t != SGS_F64 && t != SGS_S64 && t != SGS_S32 && !fixed)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "%s of type %s is not supported", n->op->name, sgs_type_name(t));
    SGS_TRY(sgs_need_type(n->in[1], t, "second input", d));
    return sgs_broadcast(n->in[0], n->in[1], out, d);
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------- */

static sgs_status integer(sgs_arith op, int64_t a, int64_t b, int64_t *r, sgs_diag *d)
{
    bool bad = false;
    switch (op) {
    case SGS_ADD: bad = __builtin_add_overflow(a, b, r); break;
    case SGS_SUB: bad = __builtin_sub_overflow(a, b, r); break;
    case SGS_MUL: bad = __builtin_mul_overflow(a, b, r); break;
    case SGS_DIV:
        if (b == 0)
            return sgs_fail(d, SGS_E_MODEL, "integer division by zero");
        bad = a == INT64_MIN && b == -1;
        *r = bad ? 0 : a / b;
        break;
    }
    return bad ? sgs_fail(d, SGS_E_MODEL, "integer overflow") : SGS_OK;
}

static double real(sgs_arith op, double a, double b)
{
    return op == SGS_ADD ? a + b : op == SGS_SUB ? a - b : op == SGS_MUL ? a * b : a / b;
}

static float real32(sgs_arith op, float a, float b)
{
    return op == SGS_ADD ? a + b : op == SGS_SUB ? a - b : op == SGS_MUL ? a * b : a / b;
}

static sgs_status element(sgs_arith op, const sgs_tensor *in, int64_t ia, int64_t ib, sgs_tensor *out, int64_t i, sgs_diag *d)
{
    int64_t r = 0;
    switch (out->type) {
    case SGS_F32: ((float *)out->data)[i] = real32(op, ((float *)in[0].data)[ia], ((float *)in[1].data)[ib]); return SGS_OK;
    case SGS_F64: ((double *)out->data)[i] = real(op, ((double *)in[0].data)[ia], ((double *)in[1].data)[ib]); return SGS_OK;
    case SGS_S64: return integer(op, ((int64_t *)in[0].data)[ia], ((int64_t *)in[1].data)[ib], (int64_t *)out->data + i, d);
    case SGS_S32:
        SGS_TRY(integer(op, ((int32_t *)in[0].data)[ia], ((int32_t *)in[1].data)[ib], &r, d));
        if (r < INT32_MIN || r > INT32_MAX)
            return sgs_fail(d, SGS_E_MODEL, "integer overflow");
        ((int32_t *)out->data)[i] = (int32_t)r;
        return SGS_OK;
    default: return sgs_fail(d, SGS_E_UNSUPPORTED, "arithmetic on %s is not supported in a float model", sgs_type_name(out->type));
    }
}

sgs_status sgs_arith_eval(sgs_arith op, const sgs_tensor *in, sgs_tensor *out, sgs_diag *d)
{
    int64_t sa[SGS_MAX_RANK], sb[SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 }, count = sgs_tensor_count(out);
    if (out->type == SGS_S16)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "arithmetic on s16 belongs to fixed-point models");
    sgs_broadcast_strides(&in[0], out, sa);
    sgs_broadcast_strides(&in[1], out, sb);
    for (int64_t i = 0; i < count; i++) {
        int64_t ia = 0, ib = 0;
        for (int k = 0; k < out->rank; k++) {
            ia += index[k] * sa[k];
            ib += index[k] * sb[k];
        }
        SGS_TRY(element(op, in, ia, ib, out, i, d));
        sgs_next_index(index, out->rank, out->dim);
    }
    return SGS_OK;
}

static sgs_status sub_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st;
    return sgs_arith_eval(SGS_SUB, in, out, d);
}

static sgs_status mul_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st;
    return sgs_arith_eval(SGS_MUL, in, out, d);
}

static sgs_status div_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st;
    return sgs_arith_eval(SGS_DIV, in, out, d);
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

/* A 64-bit constant that meets a 64-bit input, which we hold in 32 bits. */
static sgs_status narrow(sgs_import *im, const sgs_source_node *s, sgs_value **v, sgs_diag *d)
{
    int64_t count = (*v)->data ? sgs_value_count(*v) : 0;
    sgs_value *w = sgs_value_new(im->g, SGS_S32, (*v)->rank, (*v)->dim);
    int32_t *to = sgs_try_alloc(im->g->arena, (size_t)count * sizeof *to);
    if (!(*v)->data || !to)
        return SGS_OK; /* the shapes' check says that the types differ */
    for (int64_t i = 0; i < count; i++) {
        int64_t k = ((const int64_t *)(*v)->data)[i];
        if (k < INT32_MIN || k > INT32_MAX)
            return sgs_src_refuse(im, s, d, "the constant %lld does not fit 32 bits", (long long)k);
        to[i] = (int32_t)k;
    }
    w->data = to;
    *v = w;
    return SGS_OK;
}

sgs_status sgs_from_onnx_arith(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    sgs_value *in[2], *y;
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    for (int i = 0; i < 2; i++)
        if (in[i]->type == SGS_S64 && in[1 - i]->type == SGS_S32)
            SGS_TRY(narrow(im, s, &in[i], d));
    SGS_TRY(sgs_emit(im, s, op, 2, in, NULL, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_sub(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_from_onnx_arith(im, s, &sgs_op_sub, d);
}

static sgs_status from_onnx_mul(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_from_onnx_arith(im, s, &sgs_op_mul, d);
}

static sgs_status from_onnx_div(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_from_onnx_arith(im, s, &sgs_op_div, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

sgs_status sgs_from_tflite_arith(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    int64_t act = 0;
    SGS_TRY(sgs_src_int(s, "fused_activation_function", &act, d));
    if (act)
        return sgs_src_fail(im, s, d, "a fused activation is not supported here");
    return sgs_from_onnx_arith(im, s, op, d);
}

static sgs_status arith_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    return sgs_tfl_simple(w, n, n->op == &sgs_op_sub ? "SUB" : n->op == &sgs_op_mul ? "MUL" : "DIV", NULL);
}

static sgs_status sub_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_from_tflite_arith(im, s, &sgs_op_sub, d);
}

static sgs_status mul_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_from_tflite_arith(im, s, &sgs_op_mul, d);
}

static sgs_status div_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_from_tflite_arith(im, s, &sgs_op_div, d);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_sub = { .name = "sub", .family = "arith", .nin_min = 2, .nin_max = 2, .nout = 1, .infer = sgs_arith_infer, .eval = sub_eval, .to_tflite = arith_to_tflite, .permute = sgs_permute_elementwise, .kernel = "" };
const sgs_op sgs_op_mul = { .name = "mul", .family = "arith", .nin_min = 2, .nin_max = 2, .nout = 1, .infer = sgs_arith_infer, .eval = mul_eval, .to_tflite = arith_to_tflite, .permute = sgs_permute_elementwise, .kernel = "" };
const sgs_op sgs_op_div = { .name = "div", .family = "arith", .nin_min = 2, .nin_max = 2, .nout = 1, .infer = sgs_arith_infer, .eval = div_eval, .to_tflite = arith_to_tflite, .permute = sgs_permute_elementwise, .kernel = "" };

static const sgs_op *const ops[] = { &sgs_op_sub, &sgs_op_mul, &sgs_op_div, NULL };
static const sgs_from onnx[] = { { "Sub", from_onnx_sub, 7 }, { "Mul", from_onnx_mul, 7 }, { "Div", from_onnx_div, 7 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "SUB", sub_from_tflite, 0 }, { "MUL", mul_from_tflite, 0 }, { "DIV", div_from_tflite, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_arith = { "arith", ops, onnx, tflite };
