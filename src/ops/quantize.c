/* quantize, dequantize: changes of type and scale in the fixed-point graph.  The quantizer makes them; types and scales are their values'. */
#include "compile/lower.h"
#include "ops/tflite.h"
#include "ops/util.h"

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

/* The result's type is the quantizer's choice, so an existing output keeps its own. */
static sgs_status quantize_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g, (void)d;
    sgs_shape_like(out, n->in[0]);
    out->type = n->out ? n->out[0]->type : SGS_S16;
    return SGS_OK;
}

static sgs_status dequantize_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g, (void)d;
    sgs_shape_like(out, n->in[0]);
    out->type = SGS_F32;
    return SGS_OK;
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status quantize_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    return sgs_tfl_simple(w, n, "QUANTIZE", NULL);
}

static sgs_status dequantize_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    return sgs_tfl_custom_named(w, n, "Fix2Float"); /* the manual's name */
}

static sgs_status quantize_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_quantize, 1, &x, NULL, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

/* Along which axis the scales of x or y run; -1: one scale on both sides. */
static int scales_axis(const sgs_value *x, const sgs_value *y)
{
    if (sgs_one_scale(x) && sgs_one_scale(y))
        return -1;
    return sgs_one_scale(x) ? y->quant->axis : x->quant->axis;
}

static sgs_status check_scales(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    int axis = scales_axis(x, y);
    for (int i = 0; i < 2 && axis >= 0; i++) {
        const sgs_value *v = i ? y : x;
        if (axis >= v->rank || (!sgs_one_scale(v) && (v->quant->n != v->dim[axis] || v->quant->axis != axis)))
            return sgs_lower_fail(l, n, d, "expected scales along one axis, one for each of its elements");
    }
    for (int64_t i = 1; y->quant && i < y->quant->n; i++)
        if (sgs_zero(y, i) != sgs_zero(y, 0))
            return sgs_lower_fail(l, n, d, "output channels have different zero points");
    return SGS_OK;
}

/* Constants of elements [first, first + count) of the axis; a float side has scale 1. */
static void set_scales(sgs_lowering *l, const sgs_node *n, ipu_quantize *r, int64_t first, int64_t count)
{
    float *mult = SGS_NEW_N(sgs_lower_arena(l), float, count);
    int32_t *zero = SGS_NEW_N(sgs_lower_arena(l), int32_t, count);
    for (int64_t i = 0; i < count; i++) {
        mult[i] = sgs_mult(sgs_scale(n->in[0], first + i), sgs_scale(n->out[0], first + i));
        zero[i] = sgs_zero(n->in[0], first + i);
    }
    r->mult = sgs_lower_const(l, IPU_F32, mult, count);
    r->zero = sgs_lower_const(l, IPU_S32, zero, count);
}

/* Element k of an axis, all of the others. */
static ipu_ref slab(sgs_lowering *l, const sgs_value *v, int axis, int64_t k)
{
    int64_t dim[4] = { 1, 1, 1, 1 }, stride[4] = { 0 }, own[SGS_MAX_RANK];
    sgs_lower_strides(l, v, own);
    for (int i = 0; i < v->rank; i++) {
        dim[4 - v->rank + i] = i == axis ? 1 : v->dim[i];
        stride[4 - v->rank + i] = own[i];
    }
    return sgs_lower_window(l, v, k * own[axis], dim, stride);
}

/* The kernel's scales run along the last axis; scales along another one are a record for each of its elements. */
static sgs_status emit_records(sgs_lowering *l, const sgs_node *n, ipu_quantize r, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    int axis = scales_axis(x, y);
    SGS_TRY(check_scales(l, n, d));
    if (axis < 0 || axis == x->rank - 1) {
        set_scales(l, n, &r, 0, axis < 0 ? 1 : x->dim[axis]);
        r.y = sgs_lower_ref(l, y);
        r.x = sgs_lower_ref(l, x);
        return sgs_lower_emit(l, &r.head, n, 0, d);
    }
    if (x->rank > 4)
        return sgs_lower_fail(l, n, d, "expected at most 4 axes where scales do not run along the last one, found %d", x->rank);
    for (int64_t k = 0; k < x->dim[axis]; k++) {
        set_scales(l, n, &r, k, 1);
        r.y = slab(l, y, axis, k);
        r.x = slab(l, x, axis, k);
        SGS_TRY(sgs_lower_emit(l, &r.head, n, 0, d));
    }
    return SGS_OK;
}

static sgs_status quantize_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (!(sgs_is_activation(x) || x->type == SGS_F32) || !sgs_is_activation(y))
        return sgs_lower_fail(l, n, d, "expected uint8, int16 or float32 to uint8 or int16, found %s to %s", sgs_type_word(x->type), sgs_type_word(y->type));
    const ipu_quantize r = { .head = SGS_REC(IPU_QUANTIZE, quantize), .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    return emit_records(l, n, r, d);
}

static sgs_status dequantize_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    if (!sgs_is_activation(n->in[0]))
        return sgs_lower_fail(l, n, d, "expected uint8 or int16, found %s", sgs_type_word(n->in[0]->type));
    const ipu_quantize r = { .head = SGS_REC(IPU_DEQUANTIZE, quantize) };
    return emit_records(l, n, r, d);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_quantize = { .name = "quantize", .family = "quantize", .nin_min = 1, .nin_max = 1, .nout = 1, .infer = quantize_infer, .to_tflite = quantize_to_tflite,
                                 .lower = quantize_lower, .permute = sgs_permute_elementwise };
const sgs_op sgs_op_dequantize = { .name = "dequantize", .family = "quantize", .nin_min = 1, .nin_max = 1, .nout = 1, .infer = dequantize_infer, .to_tflite = dequantize_to_tflite,
                                   .lower = dequantize_lower, .permute = sgs_permute_elementwise };

static const sgs_op *const ops[] = { &sgs_op_quantize, &sgs_op_dequantize, NULL };
static const sgs_from tflite[] = { { "QUANTIZE", quantize_from_tflite, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_quantize = { "quantize", ops, .tflite = tflite };
