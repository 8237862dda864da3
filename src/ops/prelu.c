/* Straight lines with one bend: prelu, leakyrelu, thresholdedrelu, abs, neg. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/nest.h"
#include "ops/spell.h"
#include "ops/tflite.h"
#include "quant/quantize.h"

static const sgs_attr alpha_attrs[] = { SGS_ATTR_F(sgs_alpha_attr, alpha), SGS_ATTR_END };

static float alpha_of(const sgs_node *n)
{
    return ((const sgs_alpha_attr *)n->attr)->alpha;
}

/* ---- shapes --------------------------------------------------------------------------------------------------------
 */

static sgs_status prelu_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_value *x = n->in[0], *slope = n->in[1];
    char tx[128], ts[128];
    SGS_TRY(sgs_need_type(slope, SGS_F32, "slope", d));
    SGS_TRY(sgs_broadcast(x, slope, out, d));
    if (out->rank != x->rank || memcmp(out->dim, x->dim, (size_t)x->rank * sizeof *x->dim))
        return sgs_fail(d, SGS_E_MODEL, "a slope of shape %s does not repeat to that of the input, %s",
                        sgs_dims_text(ts, sizeof ts, slope->rank, slope->dim),
                        sgs_dims_text(tx, sizeof tx, x->rank, x->dim));
    return SGS_OK;
}

static sgs_status line_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g, (void)d;
    sgs_shape_like(out, n->in[0]);
    return SGS_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------
 */

/* Result, input, slope; strides in elements. */
static sgs_nest nest_of(const sgs_tensor *in, const sgs_tensor *out)
{
    sgs_nest n = { .rank = out->rank, .operands = 3 };
    memcpy(n.dim, out->dim, (size_t)out->rank * sizeof *out->dim);
    sgs_broadcast_strides(out, out, n.stride[0]);
    sgs_broadcast_strides(&in[0], out, n.stride[1]);
    sgs_broadcast_strides(&in[1], out, n.stride[2]);
    sgs_nest_merge(&n);
    return n;
}

static sgs_status prelu_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st, (void)d;
    sgs_nest nest = nest_of(in, out);
    int last = nest.rank - 1;
    int64_t index[SGS_MAX_RANK + 1] = { 0 }, off[SGS_NEST_OPERANDS];
    if (!sgs_tensor_count(out))
        return SGS_OK;
    do {
        sgs_nest_at(&nest, last, index, off);
        const float *x = (const float *)in[0].data + off[1], *slope = (const float *)in[1].data + off[2];
        for (int64_t i = 0; i < nest.dim[last]; i++)
            ((float *)out->data)[off[0] + i] = x[i] < 0 ? x[i] * slope[i * nest.stride[2][last]] : x[i];
    } while (sgs_next_index(index, last, nest.dim));
    return SGS_OK;
}

static sgs_status leakyrelu_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st,
                                 sgs_diag *d)
{
    (void)st, (void)d;
    int64_t count = sgs_tensor_count(out);
    const float *x = in->data, alpha = alpha_of(n);
    for (int64_t i = 0; i < count; i++)
        ((float *)out->data)[i] = x[i] < 0 ? x[i] * alpha : x[i];
    return SGS_OK;
}

static sgs_status thresholdedrelu_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st,
                                       sgs_diag *d)
{
    (void)st, (void)d;
    int64_t count = sgs_tensor_count(out);
    const float *x = in->data, alpha = alpha_of(n);
    for (int64_t i = 0; i < count; i++)
        ((float *)out->data)[i] = x[i] > alpha ? x[i] : 0;
    return SGS_OK;
}

#define EACH(T, expression)                                                                                            \
    for (int64_t i = 0; i < count; i++) {                                                                              \
        const T x = ((const T *)in->data)[i];                                                                          \
        ((T *)out->data)[i] = (expression);                                                                            \
    }

/* Of integers, the least has no opposite. */
static sgs_status abs_neg_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st,
                               sgs_diag *d)
{
    (void)st;
    int64_t count = sgs_tensor_count(out);
    bool both = n->op == &sgs_op_neg;
    switch (out->type) {
    case SGS_F32:
        EACH(float, both ? -x : fabsf(x)) return SGS_OK;
    case SGS_F64:
        EACH(double, both ? -x : fabs(x)) return SGS_OK;
    case SGS_S64:
        EACH(int64_t, (both || x < 0) && x != INT64_MIN ? -x : x) return SGS_OK;
    case SGS_S32:
        EACH(int32_t, (both || x < 0) && x != INT32_MIN ? -x : x) return SGS_OK;
    default:
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(out->type));
    }
}

/* ---- from ONNX
 * ------------------------------------------------------------------------------------------------------- */

static sgs_status emit_line(sgs_import *im, const sgs_source_node *s, const sgs_op *op, const void *attr, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_emit(im, s, op, 1, &x, attr, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* Of integers that are no constants: differences and the larger of both, which have a form on the board. */
static sgs_status from_onnx_integer(sgs_import *im, const sgs_source_node *s, sgs_value *x, bool absolute, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    if (absolute && x->type == SGS_U8) {
        sgs_sp_out(p, 0, sgs_sp_own(p, x));
        return p->status;
    }
    sgs_value *y = sgs_sp_two(p, &sgs_op_sub, sgs_sp_integer(p, x->type, 0), x);
    sgs_sp_out(p, 0, absolute ? sgs_sp_two(p, &sgs_op_max, x, y) : y);
    return p->status;
}

static sgs_status from_onnx_leakyrelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_alpha_attr a = { 0.01f };
    SGS_TRY(sgs_src_float(s, "alpha", &a.alpha, d));
    return emit_line(im, s, &sgs_op_leakyrelu, &a, d);
}

static sgs_status from_onnx_thresholdedrelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_alpha_attr a = { 1.0f };
    SGS_TRY(sgs_src_float(s, "alpha", &a.alpha, d));
    return emit_line(im, s, &sgs_op_thresholdedrelu, &a, d);
}

static bool is_data_of_integers(const sgs_value *x)
{
    return sgs_has_integer_form(x->type) && !x->constant;
}

static sgs_status from_onnx_abs(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    return is_data_of_integers(x) ? from_onnx_integer(im, s, x, true, d) : emit_line(im, s, &sgs_op_abs, NULL, d);
}

static sgs_status from_onnx_neg(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    return is_data_of_integers(x) ? from_onnx_integer(im, s, x, false, d) : emit_line(im, s, &sgs_op_neg, NULL, d);
}

static sgs_status from_tflite_abs(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return emit_line(im, s, &sgs_op_abs, NULL, d);
}

static sgs_status from_tflite_neg(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return emit_line(im, s, &sgs_op_neg, NULL, d);
}

/* max(x, 0) + slope min(x, 0): slopes known only at run time. */
static sgs_status spelled_out(sgs_import *im, const sgs_source_node *s, sgs_value *x, sgs_value *slope, sgs_value **y,
                              sgs_diag *d)
{
    const sgs_act_attr above = { 0, INFINITY }, below = { -INFINITY, 0 };
    sgs_value *in[2] = { NULL, slope };
    SGS_TRY(sgs_emit(im, s, &sgs_op_clip, 1, &x, &below, &in[0], d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_mul, 2, in, NULL, &in[1], d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_clip, 1, &x, &above, &in[0], d));
    return sgs_emit(im, s, &sgs_op_add, 2, in, NULL, y, d);
}

static sgs_status emit_prelu(sgs_import *im, const sgs_source_node *s, sgs_value **in, sgs_diag *d)
{
    sgs_value *y;
    if (in[1]->constant || im->as_is)
        SGS_TRY(sgs_emit(im, s, &sgs_op_prelu, 2, in, NULL, &y, d));
    else
        SGS_TRY(spelled_out(im, s, in[0], in[1], &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* Before opset 7 a list of slopes belongs to axis 1. */
static sgs_status along_channels(sgs_import *im, const sgs_source_node *s, sgs_value **in, sgs_diag *d)
{
    sgs_shape_attr shape = { .n = in[0]->rank - 1, .dim = { in[1]->dim[0] } };
    for (int i = 1; i < shape.n; i++)
        shape.dim[i] = 1;
    return sgs_emit(im, s, &sgs_op_reshape, 1, &in[1], &shape, &in[1], d);
}

static sgs_status from_onnx_prelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2];
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    if (s->opset < 7 && in[1]->rank == 1 && in[0]->rank > 2)
        SGS_TRY(along_channels(im, s, in, d));
    return emit_prelu(im, s, in, d);
}

static sgs_status prelu_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2];
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    return emit_prelu(im, s, in, d);
}

/* ---- .sim
 * --------------------------------------------------------------------------------------------------------------- */

static sgs_status line_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const char *op = n->op == &sgs_op_prelu       ? "PRELU"
                     : n->op == &sgs_op_leakyrelu ? "LEAKY_RELU"
                     : n->op == &sgs_op_abs       ? "ABS"
                     : n->op == &sgs_op_neg       ? "NEG"
                                                  : NULL;
    const sgs_tfl_option alpha[] = { { "alpha", n->op == &sgs_op_leakyrelu ? (double)alpha_of(n) : 0 }, { NULL, 0 } };
    if (!op || n->out[0]->type != SGS_F32)
        return sgs_tfl_custom(w, n);
    return sgs_tfl_simple(w, n, op, n->op == &sgs_op_leakyrelu ? alpha : NULL);
}

static sgs_status leakyrelu_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_alpha_attr a = { 0 };
    SGS_TRY(sgs_src_float(s, "alpha", &a.alpha, d));
    return emit_line(im, s, &sgs_op_leakyrelu, &a, d);
}

/* ---- lowering: ARITHMETIC.md 13
 * ------------------------------------------------------------------------------------------ */

/* Whether the integers of all channels are made the same way. */
static bool keep_ratio(const sgs_value *x, const sgs_value *y)
{
    const double first = sgs_scale(x, 0) / sgs_scale(y, 0);
    if (!x->quant || !y->quant || x->quant->n != y->quant->n || x->quant->axis != y->quant->axis)
        return sgs_one_scale(x) && sgs_one_scale(y);
    for (int i = 1; i < x->quant->n; i++)
        if (sgs_scale(x, i) / sgs_scale(y, i) != first)
            return false;
    return true;
}

static sgs_status check_types(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const bool bends_at_0 = n->op == &sgs_op_leakyrelu || n->op == &sgs_op_prelu,
               words = x->type == SGS_S16 && y->type == SGS_S16;
    if (bends_at_0 && !(words && keep_ratio(x, y)))
        return sgs_lower_fail(l, n, d,
                              "expected int16 in and out with one scale each, or one ratio of scales in all channels");
    if (!bends_at_0 && !(words && sgs_one_scale(x) && sgs_one_scale(y)))
        return sgs_lower_fail(l, n, d, "expected int16 in and out with one scale each");
    return SGS_OK;
}

/* A record without operands: slope 1 above the threshold. */
static ipu_prelu record(const sgs_node *n)
{
    const sgs_value *y = n->out[0];
    return (ipu_prelu){ .head = SGS_REC(IPU_PRELU_S16, prelu),
                        .m = sgs_mult(sgs_scale(n->in[0], 0), sgs_scale(y, 0)),
                        .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
}

static ipu_ref slopes(sgs_lowering *l, const sgs_node *n, const float *slope, int64_t count)
{
    float *m = SGS_NEW_N(sgs_lower_arena(l), float, count);
    for (int64_t i = 0; i < count; i++)
        m[i] = sgs_mult((double)slope[i] * sgs_scale(n->in[0], 0), sgs_scale(n->out[0], 0));
    return sgs_lower_const(l, IPU_F32, m, count);
}

static sgs_status line_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    SGS_TRY(check_types(l, n, d));
    ipu_prelu r = record(n);
    float slope = n->op == &sgs_op_leakyrelu ? alpha_of(n) : n->op == &sgs_op_thresholdedrelu ? 0 : -1;
    r.y = sgs_lower_ref(l, n->out[0]);
    r.x = sgs_lower_ref(l, n->in[0]);
    r.mult = slopes(l, n, &slope, 1);
    if (n->op == &sgs_op_neg)
        r.m = -r.m;
    if (n->op == &sgs_op_thresholdedrelu)
        r.threshold = (int32_t)fmin(fmax(floor((double)alpha_of(n) / sgs_scale(n->in[0], 0)), -65536), 65536);
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* The slope is one number, or one for each index of the last axis. */
static bool is_per_channel(const sgs_value *x, const sgs_value *slope)
{
    int64_t count = sgs_value_count(slope);
    return count == 1 || (slope->dim[slope->rank - 1] == count && x->dim[x->rank - 1] == count);
}

/* Other slopes: a record for each line along the last axis. */
static sgs_status lower_lines(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *v[3] = { n->out[0], n->in[0], n->in[1] };
    int64_t index[SGS_MAX_RANK] = { 0 }, off[SGS_NEST_OPERANDS], dim[4] = { 1, 1, 1, v[0]->dim[v[0]->rank - 1] };
    sgs_nest nest = { .rank = v[0]->rank, .operands = 3 };
    memcpy(nest.dim, v[0]->dim, (size_t)nest.rank * sizeof *nest.dim);
    for (int k = 0; k < 3; k++)
        sgs_nest_operand(l, &nest, k, v[k]);
    int last = nest.rank - 1;
    do {
        ipu_prelu r = record(n);
        sgs_nest_at(&nest, last, index, off);
        r.y = sgs_lower_window(l, v[0], off[0], dim, (int64_t[]){ 0, 0, 0, nest.stride[0][last] });
        r.x = sgs_lower_window(l, v[1], off[1], dim, (int64_t[]){ 0, 0, 0, nest.stride[1][last] });
        r.mult = slopes(l, n, sgs_const_f32(v[2]) + off[2] / (int64_t)sizeof(float),
                        nest.stride[2][last] ? dim[3] : 1);
        SGS_TRY(sgs_lower_emit(l, &r.head, n, 0, d));
    } while (sgs_next_index(index, last, nest.dim));
    return SGS_OK;
}

static sgs_status prelu_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *slope = n->in[1];
    SGS_TRY(check_types(l, n, d));
    if (!slope->constant || slope->type != SGS_F32)
        return sgs_lower_fail(l, n, d, "expected constant float32 slopes");
    if (!is_per_channel(n->in[0], slope))
        return lower_lines(l, n, d);
    ipu_prelu r = record(n);
    r.y = sgs_lower_ref(l, n->out[0]);
    r.x = sgs_lower_ref(l, n->in[0]);
    r.mult = slopes(l, n, sgs_const_data(slope), sgs_value_count(slope));
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_leakyrelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_alpha_attr a = { 0.2f };
    SGS_TRY(sgs_src_float(s, "alpha", &a.alpha, d));
    return emit_line(im, s, &sgs_op_leakyrelu, &a, d);
}

/* ---- rows
 * --------------------------------------------------------------------------------------------------------------- */

#define COMMON                                                                                                         \
    .family = "prelu", .nout = 1, .to_tflite = line_to_tflite, .permute = sgs_permute_elementwise, .qrule = SGS_Q_S16, \
    .ndata = 1

const sgs_op sgs_op_prelu = { .name = "prelu",
                              .nin_min = 2,
                              .nin_max = 2,
                              .infer = prelu_infer,
                              .eval = prelu_eval,
                              .float_only = true,
                              .lower = prelu_lower,
                              COMMON };
#define LINE .nin_min = 1, .nin_max = 1, .infer = line_infer, .lower = line_lower, COMMON
const sgs_op sgs_op_leakyrelu = { .name = "leakyrelu",
                                  .attr_bytes = sizeof(sgs_alpha_attr),
                                  .attr = alpha_attrs,
                                  .eval = leakyrelu_eval,
                                  .float_only = true,
                                  LINE };
const sgs_op sgs_op_thresholdedrelu = { .name = "thresholdedrelu",
                                        .attr_bytes = sizeof(sgs_alpha_attr),
                                        .attr = alpha_attrs,
                                        .eval = thresholdedrelu_eval,
                                        .float_only = true,
                                        LINE };
const sgs_op sgs_op_abs = { .name = "abs", .eval = abs_neg_eval, LINE };
const sgs_op sgs_op_neg = { .name = "neg", .eval = abs_neg_eval, LINE };

static const sgs_op *const ops[] = { &sgs_op_prelu, &sgs_op_leakyrelu, &sgs_op_thresholdedrelu,
                                     &sgs_op_abs,   &sgs_op_neg,       NULL };
static const sgs_from onnx[] = {
    { "PRelu", from_onnx_prelu, 1 },
    { "LeakyRelu", from_onnx_leakyrelu, 1 },
    { "ThresholdedRelu", from_onnx_thresholdedrelu, 10 },
    { "Abs", from_onnx_abs, 1 },
    { "Neg", from_onnx_neg, 1 },
    { NULL, NULL, 0 },
};
static const sgs_from tflite[] = {
    { "PRELU", prelu_from_tflite, 0 },
    { "LEAKY_RELU", leakyrelu_from_tflite, 0 },
    { "ABS", from_tflite_abs, 0 },
    { "NEG", from_tflite_neg, 0 },
    { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "LeakyRelu", from_tf_leakyrelu, 0 },
    { "Abs", from_onnx_abs, 0 },
    { "Neg", from_onnx_neg, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_prelu = { "prelu", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
