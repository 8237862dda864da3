/* add: y = a + b, numpy broadcasting. */
#include "ops/arith.h"

static sgs_status add_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st;
    return sgs_arith_eval(SGS_ADD, in, out, d);
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

static sgs_status from_onnx_add(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_from_onnx_arith(im, s, &sgs_op_add, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_add = {
    .name = "add", .family = "add", .nin_min = 2, .nin_max = 2, .nout = 1, /* a, b -> y */
    .infer = sgs_arith_infer, .eval = add_eval, .permute = sgs_permute_elementwise, .qrule = SGS_Q_S16,
};

static const sgs_op *const ops[] = { &sgs_op_add, NULL };
static const sgs_from onnx[] = { { "Add", from_onnx_add, 7 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_add = { "add", ops, onnx, NULL };
