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

/* Numbers of one channel or of all. */
static sgs_status scales(sgs_lowering *l, const sgs_node *n, ipu_quantize *r, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    int64_t c = sgs_one_scale(x) && sgs_one_scale(y) ? 1 : y->rank ? y->dim[y->rank - 1] : 1;
    for (int i = 0; i < 2; i++) {
        const sgs_value *v = i ? y : x;
        if (!sgs_one_scale(v) && (v->quant->n != c || v->quant->axis != v->rank - 1))
            return sgs_lower_fail(l, n, d, "scales must run along the last axis");
    }
    float *mult = SGS_NEW_N(sgs_lower_arena(l), float, c);
    int32_t *zero = SGS_NEW_N(sgs_lower_arena(l), int32_t, c);
    for (int64_t i = 0; i < c; i++) {
        mult[i] = sgs_mult(sgs_scale(x, i), sgs_scale(y, i)); /* a float side has scale 1 */
        zero[i] = sgs_zero(x, i);
        if (sgs_zero(y, i) != sgs_zero(y, 0))
            return sgs_lower_fail(l, n, d, "output channels have different zero points");
    }
    r->mult = sgs_lower_const(l, IPU_F32, mult, c);
    r->zero = sgs_lower_const(l, IPU_S32, zero, c);
    return SGS_OK;
}

static sgs_status quantize_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (!(sgs_is_activation(x) || x->type == SGS_F32) || !sgs_is_activation(y))
        return sgs_lower_fail(l, n, d, "expected u8, s16 or f32 to u8 or s16, found %s to %s", sgs_type_name(x->type), sgs_type_name(y->type));
    ipu_quantize r = { .head = SGS_REC(IPU_QUANTIZE, quantize), .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    SGS_TRY(scales(l, n, &r, d));
    r.y = sgs_lower_ref(l, y);
    r.x = sgs_lower_ref(l, x);
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

static sgs_status dequantize_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    if (!sgs_is_activation(n->in[0]))
        return sgs_lower_fail(l, n, d, "expected u8 or s16, found %s", sgs_type_name(n->in[0]->type));
    ipu_quantize r = { .head = SGS_REC(IPU_DEQUANTIZE, quantize) };
    SGS_TRY(scales(l, n, &r, d));
    r.y = sgs_lower_ref(l, n->out[0]);
    r.x = sgs_lower_ref(l, n->in[0]);
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_quantize = { .name = "quantize", .family = "quantize", .nin_min = 1, .nin_max = 1, .nout = 1, .infer = quantize_infer, .to_tflite = quantize_to_tflite,
                                 .lower = quantize_lower, .permute = sgs_permute_elementwise };
const sgs_op sgs_op_dequantize = { .name = "dequantize", .family = "quantize", .nin_min = 1, .nin_max = 1, .nout = 1, .infer = dequantize_infer, .to_tflite = dequantize_to_tflite,
                                   .lower = dequantize_lower, .permute = sgs_permute_elementwise };

static const sgs_op *const ops[] = { &sgs_op_quantize, &sgs_op_dequantize, NULL };
static const sgs_from tflite[] = { { "QUANTIZE", quantize_from_tflite, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_quantize = { "quantize", ops, NULL, tflite };
