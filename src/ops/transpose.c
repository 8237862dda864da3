/* transpose: out.dim[i] = in.dim[perm[i]]. */
#include <string.h>

#include "compile/lower.h"
#include "ops/nest.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr transpose_attrs[] = { SGS_ATTR_VN(sgs_perm_attr, perm, SGS_MAX_RANK, n), SGS_ATTR_END };

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status transpose_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_perm_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    bool seen[SGS_MAX_RANK] = { false };
    if (a->n != x->rank)
        return sgs_fail(d, SGS_E_MODEL, "perm has %lld entries for %d dimensions", (long long)a->n, x->rank);
    out->type = x->type;
    out->rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        if (a->perm[i] < 0 || a->perm[i] >= x->rank || seen[a->perm[i]])
            return sgs_fail(d, SGS_E_MODEL, "perm must name each of 0..%d once, found %lld", x->rank - 1, (long long)a->perm[i]);
        seen[a->perm[i]] = true;
        out->dim[i] = x->dim[a->perm[i]];
    }
    return SGS_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------- */

static sgs_status transpose_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const sgs_perm_attr *a = n->attr;
    int64_t stride[SGS_MAX_RANK], walk[SGS_MAX_RANK];
    sgs_dense_strides(in->rank, in->dim, sgs_type_bytes(in->type), stride);
    for (int i = 0; i < out->rank; i++)
        walk[i] = stride[a->perm[i]];
    sgs_copy_seen(out, in->data, walk);
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

static sgs_status from_onnx_transpose(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    sgs_perm_attr a = { .n = x->rank };
    int n = x->rank;
    for (int i = 0; i < n; i++)
        a.perm[i] = n - 1 - i;
    SGS_TRY(sgs_src_ints(s, "perm", a.perm, SGS_MAX_RANK, x->rank, &n, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status transpose_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_perm_attr *a = n->attr;
    int in[2] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const_s32(w, a->perm, (int)a->n) };
    sgs_tfl_emit(w, "TRANSPOSE", in, 2, sgs_tfl_value(w, n->out[0]), NULL);
    return SGS_OK;
}

static sgs_status transpose_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *perm, *y;
    sgs_perm_attr a = { 0 };
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &perm, d));
    SGS_TRY(sgs_src_const_ints(s, perm, a.perm, SGS_MAX_RANK, &n, d));
    a.n = n;
    SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

static sgs_status transpose_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_perm_attr *a = n->attr;
    int64_t stride[SGS_MAX_RANK], walk[SGS_MAX_RANK];
    sgs_lower_strides(l, n->in[0], stride);
    for (int64_t i = 0; i < a->n; i++)
        walk[i] = stride[a->perm[i]];
    return sgs_lower_seen(l, n, 0, walk, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_transpose(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t perm[SGS_MAX_RANK];
    const int n = sgs_tf_ints(p, 1, perm, SGS_MAX_RANK);
    if (p->status == SGS_OK && n != x->rank)
        sgs_sp_fail(p, "perm: expected %d axes, found %d", x->rank, n);
    for (int i = 0; i < n && p->status == SGS_OK; i++)
        p->status = sgs_src_axis(im, s, &perm[i], x->rank, d);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_transpose(p, x, perm));
    return p->status;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_transpose = {
    .name = "transpose", .family = "transpose", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_perm_attr), .attr = transpose_attrs,
    .infer = transpose_infer, .eval = transpose_eval, .to_tflite = transpose_to_tflite, .qrule = SGS_Q_MOVE, .kernel = "copy",
    .lower = transpose_lower,
};

static const sgs_op *const ops[] = { &sgs_op_transpose, NULL };
static const sgs_from onnx[] = { { "Transpose", from_onnx_transpose, 1 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "TRANSPOSE", transpose_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Transpose", from_tf_transpose, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_transpose = { "transpose", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
