/* softmax over one axis. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/tflite.h"
#include "ops/util.h"
#include "quant/quantize.h"

static const sgs_attr softmax_attrs[] = { SGS_ATTR_I(sgs_axis_attr, axis), SGS_ATTR_END };

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status softmax_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_axis_attr *a = n->attr;
    if (a->axis < 0 || a->axis >= n->in[0]->rank)
        return sgs_fail(d, SGS_E_MODEL, "axis must lie in 0..%d, found %lld", n->in[0]->rank - 1, (long long)a->axis);
    sgs_shape_like(out, n->in[0]);
    return SGS_OK;
}

/* ---- questions -------------------------------------------------------------------------------------------------------- */

static bool passes_on(const sgs_users *u, const sgs_node *n, const sgs_value *v)
{
    if (n->op == &sgs_op_softmax)
        return true;
    const bool moved = n->op->qrule == SGS_Q_MOVE && n->nin == 1, summed = n->op == &sgs_op_add, chosen = n->op == &sgs_op_where && n->in[0] != v;
    return (moved || summed || chosen) && sgs_feeds_softmax(u, n->out[0]);
}

bool sgs_feeds_softmax(const sgs_users *u, const sgs_value *v)
{
    const sgs_use *first = sgs_first_use(u, v);
    if (!first || sgs_output_count(u, v))
        return false;
    for (const sgs_use *use = first; use; use = use->next)
        if (!passes_on(u, use->node, v))
            return false;
    return true;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

/* What is -infinity throughout, masked, is 0 throughout. */
static void one(const float *x, float *y, int64_t n, int64_t step)
{
    float best = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        best = x[i * step] > best ? x[i * step] : best;
    const bool masked = best == -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        y[i * step] = masked ? 0 : expf(x[i * step] - best);
        sum += (double)y[i * step];
    }
    for (int64_t i = 0; i < n; i++)
        y[i * step] = masked ? 0 : (float)((double)y[i * step] / sum);
}

static sgs_status softmax_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    int64_t axis = ((const sgs_axis_attr *)n->attr)->axis, step = 1, outer = 1;
    for (int i = 0; i < out->rank; i++)
        *(i < axis ? &outer : &step) *= i == axis ? 1 : out->dim[i];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < step; i++) {
            int64_t at = o * out->dim[axis] * step + i;
            one((const float *)in->data + at, (float *)out->data + at, out->dim[axis], step);
        }
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

/* x - max - log(sum(exp(x - max))) */
static sgs_status emit_log(sgs_import *im, const sgs_source_node *s, sgs_value *x, int64_t axis, sgs_value **y, sgs_diag *d)
{
    const sgs_reduce_attr one = { .n = 1, .axis = { axis } };
    sgs_value *in[2] = { x, NULL }, *low, *sum;
    SGS_TRY(sgs_emit(im, s, &sgs_op_reduce_max, 1, &x, &one, &in[1], d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_sub, 2, in, NULL, &low, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_exp, 1, &low, NULL, &sum, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_reduce_sum, 1, &sum, &one, &sum, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_log, 1, &sum, NULL, &in[1], d));
    in[0] = low;
    return sgs_emit(im, s, &sgs_op_sub, 2, in, NULL, y, d);
}

static sgs_status emit_along(sgs_import *im, const sgs_source_node *s, sgs_value *x, int64_t axis, sgs_value **y, sgs_diag *d)
{
    const sgs_axis_attr a = { axis };
    return !strcmp(s->op, "LogSoftmax") ? emit_log(im, s, x, axis, y, d) : sgs_emit(im, s, &sgs_op_softmax, 1, &x, &a, y, d);
}

/* Before opset 13 all axes from `axis` on are one. */
static sgs_status flattened(sgs_import *im, const sgs_source_node *s, sgs_value *x, int64_t axis, sgs_value **y, sgs_diag *d)
{
    sgs_shape_attr flat = { .n = 2, .dim = { 1, 1 } }, back = { .n = x->rank };
    for (int i = 0; i < x->rank; i++)
        flat.dim[i >= axis] *= x->dim[i];
    memcpy(back.dim, x->dim, sizeof back.dim);
    SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, &x, &flat, &x, d));
    SGS_TRY(emit_along(im, s, x, 1, &x, d));
    return sgs_emit(im, s, &sgs_op_reshape, 1, &x, &back, y, d);
}

static sgs_status from_onnx_softmax(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    sgs_axis_attr a = { s->opset >= 13 ? -1 : 1 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "axis", &a.axis, d));
    SGS_TRY(sgs_src_axis(im, s, &a.axis, x->rank, d));
    if (s->opset < 13 && a.axis != x->rank - 1)
        SGS_TRY(flattened(im, s, x, a.axis, &y, d));
    else
        SGS_TRY(emit_along(im, s, x, a.axis, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status softmax_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_tfl_option o[] = { { "beta", 1 }, { NULL, 0 } };
    return ((const sgs_axis_attr *)n->attr)->axis == n->in[0]->rank - 1 ? sgs_tfl_simple(w, n, "SOFTMAX", o) : sgs_tfl_custom(w, n);
}

static sgs_status softmax_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2] = { NULL, sgs_src_opt(im, s, 1) }, *y;
    float beta = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &in[0], d));
    SGS_TRY(sgs_src_float(s, "beta", &beta, d));
    if (!in[0]->rank)
        return sgs_src_fail(im, s, d, "expected an input of at least 1 dimension, found a scalar");
    const sgs_axis_attr a = { in[0]->rank - 1 };
    if (beta != 1.0f) {
        sgs_value *product[2] = { in[0], sgs_const_new(im->g, SGS_F32, 0, NULL, &beta, true) };
        SGS_TRY(sgs_emit(im, s, &sgs_op_mul, 2, product, NULL, &in[0], d));
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_softmax, s->nin > 1 ? 2 : 1, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- fixed point: ARITHMETIC.md 9 -------------------------------------------------------------------------------------------- */

#define MOST 65535 /* elements: their sum fits 32 bits */

static bool softmax_fixed_out(const sgs_node *n, sgs_qfixed *f)
{
    (void)n;
    *f = (sgs_qfixed){ 0x1p-15f, 0, 1, 0, false };
    return true;
}

static sgs_status softmax_quant(sgs_quantizer *q, sgs_node *n, sgs_diag *d)
{
    (void)d;
    int16_t t[1025];
    for (int i = 0; i < 1025; i++)
        t[i] = (int16_t)rint(32767 * exp(-i / 64.0));
    sgs_q_append(q, n, SGS_S16, 1025, t);
    return SGS_OK;
}

static const char *softmax_unfixed(const sgs_node *n)
{
    if (n->in[0]->type != SGS_F32)
        return "works on values that are not float";
    return n->in[0]->dim[((const sgs_axis_attr *)n->attr)->axis] > MOST ? "weighs more than 65535 elements along an axis" : NULL;
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

static sgs_status softmax_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0], *table = n->nin > 1 ? n->in[1] : NULL;
    int64_t axis = ((const sgs_axis_attr *)n->attr)->axis;
    if (x->type != SGS_S16 || y->type != SGS_S16 || !sgs_one_scale(x) || !sgs_one_scale(y))
        return sgs_lower_fail(l, n, d, "expected int16 in and out with one scale each");
    if (!table || !table->constant || table->type != SGS_S16 || sgs_value_count(table) != 1025)
        return sgs_lower_fail(l, n, d, "expected a constant table of 1025 int16 entries");
    if (x->dim[axis] > MOST)
        return sgs_lower_fail(l, n, d, "expected at most %d elements along the axis, found %lld", MOST, (long long)x->dim[axis]);
    ipu_softmax r = { .head = SGS_REC(IPU_SOFTMAX_S16, softmax), .table = sgs_lower_const(l, IPU_S16, sgs_const_data(table), 1025), .m_in = (float)(sgs_scale(x, 0) * 4096),
                      .m_out = sgs_mult(1, sgs_scale(y, 0)), .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    return sgs_lower_along(l, &r.head, n, (int)axis, 2, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_softmax = {
    .name = "softmax", .family = "softmax", .nin_min = 1, .nin_max = 2, .nout = 1, /* x[, table of the fixed-point model] -> y */
    .attr_bytes = sizeof(sgs_axis_attr), .attr = softmax_attrs,
    .infer = softmax_infer, .eval = softmax_eval, .to_tflite = softmax_to_tflite, .permute = sgs_permute_axis, .float_only = true, .qrule = SGS_Q_S16, .ndata = 1,
    .unfixed = softmax_unfixed, .fixed_out = softmax_fixed_out, .quant = softmax_quant, .lower = softmax_lower,
};

static const sgs_op *const ops[] = { &sgs_op_softmax, NULL };
static const sgs_from onnx[] = { { "Softmax", from_onnx_softmax, 1 }, { "LogSoftmax", from_onnx_softmax, 1 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "SOFTMAX", softmax_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Softmax", from_onnx_softmax, 0 },
    { "LogSoftmax", from_onnx_softmax, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_softmax = { "softmax", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
