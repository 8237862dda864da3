/* clip: y = min(max(x, lo), hi); ReLU and ReLU6 are clips. */
#include <math.h>

#include "compile/lower.h"
#include "ops/arith.h"
#include "ops/integer.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr clip_attrs[] = { SGS_ATTR_F(sgs_act_attr, lo), SGS_ATTR_F(sgs_act_attr, hi), SGS_ATTR_END };

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status clip_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_act_attr *a = n->attr;
    if (!(a->lo <= a->hi))
        return sgs_fail(d, SGS_E_MODEL, "the lower bound %g must not exceed the upper bound %g", (double)a->lo, (double)a->hi);
    sgs_shape_like(out, n->in[0]);
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static sgs_status clip_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const sgs_act_attr *a = n->attr;
    int64_t count = sgs_tensor_count(out);
    if (out->type != SGS_F32)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(out->type));
    for (int64_t i = 0; i < count; i++)
        ((float *)out->data)[i] = sgs_apply_act(((const float *)in->data)[i], SGS_ACT_CLIP, a->lo, a->hi);
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

static sgs_status emit_clip(sgs_import *im, const sgs_source_node *s, float lo, float hi, sgs_diag *d)
{
    sgs_value *x, *y;
    sgs_act_attr a = { lo > hi ? hi : lo, hi }; /* min above max: all is max */
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_clip, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_relu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    SGS_TRY(p->status);
    if (!sgs_has_integer_form(x->type))
        return emit_clip(im, s, 0.0f, INFINITY, d);
    sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_max, x, sgs_sp_integer(p, x->type, 0)));
    return p->status;
}

/* A bound given as an input: absent, or one constant number. */
static bool is_number(const sgs_value *b, float *v)
{
    if (b && (!b->constant || b->type != SGS_F32 || sgs_value_count(b) != 1))
        return false;
    if (b)
        *v = *sgs_const_f32(b);
    return true;
}

/* Bounds known only at run time, or integers. */
static sgs_status emit_extremes(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *y;
    SGS_TRY(sgs_src_in(im, s, 0, &y, d));
    SGS_TRY(sgs_emit_same(im, s, y, &y, d));
    for (int i = 1; i <= 2; i++) {
        sgs_value *bound = sgs_src_opt(im, s, i);
        if (bound && sgs_value_count(bound) != 1)
            return sgs_src_fail(im, s, d, "%s: expected one number, found %lld", i == 1 ? "min" : "max", (long long)sgs_value_count(bound));
        if (bound)
            SGS_TRY(sgs_emit_pair(im, s, i == 1 ? &sgs_op_max : &sgs_op_min, y, bound, &y, d));
    }
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_clip(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    float lo = -INFINITY, hi = INFINITY;
    SGS_TRY(sgs_src_float(s, "min", &lo, d));
    SGS_TRY(sgs_src_float(s, "max", &hi, d));
    const sgs_value *x = sgs_src_opt(im, s, 0);
    bool integer = x && x->type != SGS_F32;
    if (integer || !is_number(sgs_src_opt(im, s, 1), &lo) || !is_number(sgs_src_opt(im, s, 2), &hi))
        return emit_extremes(im, s, d);
    return emit_clip(im, s, lo, hi, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status clip_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_act_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    const char *op = sgs_tfl_is(a->lo, 0) && a->hi == INFINITY ? "RELU"
                     : sgs_tfl_is(a->lo, 0) && a->hi == 6      ? "RELU6"
                     : a->lo == -1 && a->hi == 1               ? "RELU_N1_TO_1"
                                                               : NULL;
    if (op)
        return sgs_tfl_simple(w, n, op, NULL);
    if (x->type != SGS_F32)
        return sgs_tfl_custom(w, n);
    int from = sgs_tfl_value(w, x);
    if (a->lo > -INFINITY || a->hi == INFINITY) {
        int in[2] = { from, sgs_tfl_const(w, SGS_F32, 0, NULL, &a->lo) };
        from = a->hi < INFINITY ? sgs_tfl_temp(w, x, x->rank, x->dim) : sgs_tfl_value(w, n->out[0]);
        sgs_tfl_emit(w, "MAXIMUM", in, 2, from, NULL);
    }
    if (a->hi < INFINITY) {
        int in[2] = { from, sgs_tfl_const(w, SGS_F32, 0, NULL, &a->hi) };
        sgs_tfl_emit(w, "MINIMUM", in, 2, sgs_tfl_value(w, n->out[0]), NULL);
    }
    return SGS_OK;
}

static sgs_status clip_emit(sgs_import *im, const sgs_source_node *s, sgs_act_attr a, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_clip, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status relu_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return clip_emit(im, s, (sgs_act_attr){ 0, INFINITY }, d);
}

static sgs_status relu6_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return clip_emit(im, s, (sgs_act_attr){ 0, 6 }, d);
}

static sgs_status relu1_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return clip_emit(im, s, (sgs_act_attr){ -1, 1 }, d);
}

/* MINIMUM and MAXIMUM with one constant number are clips; else the arithmetic of two operands. */
static const sgs_value *bound_from_tflite(sgs_import *im, const sgs_source_node *s)
{
    const sgs_value *b = sgs_src_opt(im, s, 1);
    return b && b->constant && b->type == SGS_F32 && sgs_value_count(b) == 1 ? b : NULL;
}

static sgs_status maximum_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const sgs_value *b = bound_from_tflite(im, s);
    return b ? clip_emit(im, s, (sgs_act_attr){ *sgs_const_f32(b), INFINITY }, d) : sgs_from_tflite_arith(im, s, d);
}

/* MINIMUM behind a MAXIMUM is the other half of one clip. */
static sgs_status minimum_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const sgs_value *b = bound_from_tflite(im, s);
    if (!b)
        return sgs_from_tflite_arith(im, s, d);
    const sgs_act_attr a = { -INFINITY, *sgs_const_f32(b) };
    sgs_value *x;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    sgs_node *n = x->def;
    if (!im->joined || !n || n != im->g->last || n->op != &sgs_op_clip || ((sgs_act_attr *)n->attr)->hi < INFINITY || !(((sgs_act_attr *)n->attr)->lo <= a.hi))
        return clip_emit(im, s, a, d);
    ((sgs_act_attr *)n->attr)->hi = a.hi;
    sgs_map_set(&im->scope.values, s->in[0], NULL); /* that tensor is gone */
    return sgs_src_out(im, s, 0, x, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

/* Scale and zero point stay; the bounds become integers. */
static sgs_status clip_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_act_attr *a = n->attr;
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (!sgs_is_activation(x) || x->type != y->type)
        return sgs_lower_fail(l, n, d, "expected uint8 or int16, the same in and out");
    if (!sgs_one_scale(y) && !(a->lo == 0 && isinf(a->hi) && y->type == SGS_S16))
        return sgs_lower_fail(l, n, d, "bounds other than 0 and infinity need one scale for all channels");
    ipu_out out = sgs_out_range(y, SGS_ACT_CLIP, a->lo, a->hi);
    ipu_clamp r = { .head = SGS_REC(IPU_CLAMP, clamp), .y = sgs_lower_ref(l, y), .x = sgs_lower_ref(l, x),
                    .lo = (int32_t)out.lo + out.zero, .hi = (int32_t)out.hi + out.zero };
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_relu6(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return emit_clip(im, s, 0.0f, 6.0f, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_clip = {
    .name = "clip", .family = "clamp", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_act_attr), .attr = clip_attrs,
    .infer = clip_infer, .eval = clip_eval, .to_tflite = clip_to_tflite, .permute = sgs_permute_elementwise, .qrule = SGS_Q_MOVE,
    .lower = clip_lower,
};

static const sgs_op *const ops[] = { &sgs_op_clip, NULL };
static const sgs_from onnx[] = { { "Relu", from_onnx_relu, 1 }, { "Clip", from_onnx_clip, 1 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = {
    { "RELU", relu_from_tflite, 0 },       { "RELU6", relu6_from_tflite, 0 }, { "RELU_N1_TO_1", relu1_from_tflite, 0 },
    { "MAXIMUM", maximum_from_tflite, 0 }, { "MINIMUM", minimum_from_tflite, 0 }, { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "Relu", from_onnx_relu, 0 },
    { "Relu6", from_tf_relu6, 0 },
    { "ClipByValue", from_onnx_clip, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_clamp = { "clamp", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
