/* add: y = a + b, numpy broadcasting. */
#include "compile/lower.h"
#include "ops/arith.h"
#include "ops/tflite.h"

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

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status add_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    return sgs_tfl_simple(w, n, "ADD", NULL);
}

static sgs_status add_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_from_tflite_arith(im, s, &sgs_op_add, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

static bool like(const ipu_ref *a, const ipu_ref *y)
{
    return a->n == y->n && a->h == y->h && a->w == y->w && a->c == y->c;
}

/* The kernel repeats its second operand alone; addition has no order. */
static sgs_status add_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *a = n->in[0], *b = n->in[1], *y = n->out[0];
    if (a->type != SGS_S16 || b->type != SGS_S16 || y->type != SGS_S16 || !sgs_one_scale(a) || !sgs_one_scale(b) || !sgs_one_scale(y))
        return sgs_lower_fail(l, n, d, "expected s16 operands with one scale each");
    ipu_add r = { .head = SGS_REC(IPU_ADD_S16, add), .y = sgs_lower_ref(l, y), .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    r.a = sgs_lower_ref(l, a);
    if (!like(&r.a, &r.y)) {
        const sgs_value *swap = a;
        a = b, b = swap;
        r.a = sgs_lower_ref(l, a);
    }
    if (!like(&r.a, &r.y))
        return sgs_lower_fail(l, n, d, "both operands are repeated; one must have the shape of the sum");
    r.b = sgs_lower_ref(l, b);
    r.ma = sgs_mult(sgs_scale(a, 0), sgs_scale(y, 0));
    r.mb = sgs_mult(sgs_scale(b, 0), sgs_scale(y, 0));
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_add = {
    .name = "add", .family = "add", .nin_min = 2, .nin_max = 2, .nout = 1, /* a, b -> y */
    .infer = sgs_arith_infer, .eval = add_eval, .to_tflite = add_to_tflite, .permute = sgs_permute_elementwise, .qrule = SGS_Q_S16,
    .lower = add_lower,
};

static const sgs_op *const ops[] = { &sgs_op_add, NULL };
static const sgs_from onnx[] = { { "Add", from_onnx_add, 7 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "ADD", add_from_tflite, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_add = { "add", ops, onnx, tflite };
