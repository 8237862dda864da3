/* quantize, dequantize: changes of type and scale in the fixed-point graph.  The quantizer makes them; types and scales are their values'. */
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

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_quantize = { .name = "quantize", .family = "quantize", .nin_min = 1, .nin_max = 1, .nout = 1, .infer = quantize_infer,
                                   .permute = sgs_permute_elementwise };
const sgs_op sgs_op_dequantize = { .name = "dequantize", .family = "quantize", .nin_min = 1, .nin_max = 1, .nout = 1, .infer = dequantize_infer,
                                     .permute = sgs_permute_elementwise };

static const sgs_op *const ops[] = { &sgs_op_quantize, &sgs_op_dequantize, NULL };
const sgs_family sgs_family_quantize = { "quantize", ops, NULL, NULL };
