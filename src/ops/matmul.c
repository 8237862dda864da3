/* matmul, numpy's rules.  With a constant right side it becomes fc (pass fold-matmul). */
#include <string.h>

#include "ops/util.h"

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status matmul_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_value *a = n->in[0], *b = n->in[1];
    if (a->rank < 2 || b->rank < 2)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "expected operands of at least 2 dimensions, found %d and %d", a->rank, b->rank);
    if (a->dim[a->rank - 1] != b->dim[b->rank - 2])
        return sgs_fail(d, SGS_E_MODEL, "inner sizes differ: %lld and %lld", (long long)a->dim[a->rank - 1], (long long)b->dim[b->rank - 2]);
    SGS_TRY(sgs_need_type(a, SGS_F32, "first input", d));
    SGS_TRY(sgs_need_type(b, SGS_F32, "second input", d));
    sgs_value outer_a = *a, outer_b = *b;
    outer_a.rank -= 2;
    outer_b.rank -= 2;
    SGS_TRY(sgs_broadcast(&outer_a, &outer_b, out, d));
    out->dim[out->rank++] = a->dim[a->rank - 2];
    out->dim[out->rank++] = b->dim[b->rank - 1];
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static void product(const float *a, const float *b, float *y, int64_t m, int64_t k, int64_t n)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t c = 0; c < k; c++)
                sum += (double)a[i * k + c] * (double)b[c * n + j];
            *y++ = (float)sum;
        }
}

static sgs_status matmul_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st, (void)d;
    int64_t m = out->dim[out->rank - 2], k = in[0].dim[in[0].rank - 1], c = out->dim[out->rank - 1];
    sgs_tensor outer[3] = { in[0], in[1], *out };
    for (int i = 0; i < 3; i++)
        outer[i].rank -= 2;
    int64_t sa[SGS_MAX_RANK], sb[SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 }, count = sgs_tensor_count(&outer[2]);
    sgs_broadcast_strides(&outer[0], &outer[2], sa);
    sgs_broadcast_strides(&outer[1], &outer[2], sb);
    for (int64_t i = 0; i < count; i++) {
        int64_t ia = 0, ib = 0;
        for (int r = 0; r < outer[2].rank; r++) {
            ia += index[r] * sa[r];
            ib += index[r] * sb[r];
        }
        product((float *)in[0].data + ia * m * k, (float *)in[1].data + ib * k * c, (float *)out->data + i * m * c, m, k, c);
        sgs_next_index(index, outer[2].rank, outer[2].dim);
    }
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

/* numpy: a vector is a row on the left, a column on the right; its axis of one leaves the product again. */
static sgs_status as_matrix(sgs_import *im, const sgs_source_node *s, bool row, sgs_value **v, sgs_diag *d)
{
    sgs_shape_attr a = { .n = 2, .dim = { row ? 1 : (*v)->dim[0], row ? (*v)->dim[0] : 1 } };
    return sgs_emit(im, s, &sgs_op_reshape, 1, v, &a, v, d);
}

static sgs_status without_axis(sgs_import *im, const sgs_source_node *s, int axis, sgs_value **v, sgs_diag *d)
{
    sgs_shape_attr a = { .n = 0 };
    for (int i = 0; i < (*v)->rank; i++)
        if (i != axis)
            a.dim[a.n++] = (*v)->dim[i];
    return sgs_emit(im, s, &sgs_op_reshape, 1, v, &a, v, d);
}

static sgs_status from_onnx_matmul(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2], *y;
    bool vector[2];
    for (int i = 0; i < 2; i++) {
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
        vector[i] = in[i]->rank == 1;
        if (vector[i])
            SGS_TRY(as_matrix(im, s, i == 0, &in[i], d));
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_matmul, 2, in, NULL, &y, d));
    if (vector[0])
        SGS_TRY(without_axis(im, s, y->rank - 2, &y, d));
    if (vector[1])
        SGS_TRY(without_axis(im, s, y->rank - 1, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status scaled(sgs_import *im, const sgs_source_node *s, sgs_value *v, float factor, sgs_value **y, sgs_diag *d)
{
    sgs_value *in[] = { v, sgs_const_new(im->g, SGS_F32, 0, NULL, &factor, true) };
    *y = v;
    return factor == 1.0f ? SGS_OK : sgs_emit(im, s, &sgs_op_mul, 2, in, NULL, y, d);
}

/* alpha * A' * B' + beta * C */
static sgs_status from_onnx_gemm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2], *c = sgs_src_opt(im, s, 2), *y;
    float alpha = 1, beta = 1;
    int64_t turn[2] = { 0, 0 };
    sgs_perm_attr p = { .n = 2, .perm = { 1, 0 } };
    const sgs_conv_attr plain = { 0 };
    const sgs_value *weights = sgs_src_opt(im, s, 1);
    SGS_TRY(sgs_src_float(s, "alpha", &alpha, d));
    SGS_TRY(sgs_src_float(s, "beta", &beta, d));
    SGS_TRY(sgs_src_int(s, "transA", &turn[0], d));
    SGS_TRY(sgs_src_int(s, "transB", &turn[1], d));
    const bool rows = turn[1] && weights && weights->data && weights->type == SGS_F32; /* large ones are not turned to and fro */
    for (int i = 0; i < 2; i++) {
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
        if (in[i]->rank != 2)
            return sgs_src_fail(im, s, d, "Gemm takes matrices: expected 2 dimensions, found %d", in[i]->rank);
        if (turn[i] && !(i && rows))
            SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &in[i], &p, &in[i], d));
    }
    SGS_TRY(scaled(im, s, in[1], alpha, &in[1], d));
    SGS_TRY(sgs_emit(im, s, rows ? &sgs_op_fc : &sgs_op_matmul, 2, in, rows ? &plain : NULL, &y, d));
    if (c && beta != 0.0f) {
        sgs_value *sum[] = { y, NULL };
        SGS_TRY(scaled(im, s, c, beta, &sum[1], d));
        sgs_value *before = y;
        SGS_TRY(sgs_emit(im, s, &sgs_op_add, 2, sum, NULL, &y, d));
        if (y->rank != 2 || y->dim[0] != before->dim[0] || y->dim[1] != before->dim[1])
            return sgs_src_fail(im, s, d, "C does not broadcast to the product's %lldx%lld", (long long)before->dim[0], (long long)before->dim[1]);
    }
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_matmul = { .name = "matmul", .family = "matmul", .nin_min = 2, .nin_max = 2, .nout = 1, .infer = matmul_infer, .eval = matmul_eval, .float_only = true, .kernel = "" };

static const sgs_op *const ops[] = { &sgs_op_matmul, NULL };
static const sgs_from onnx[] = { { "MatMul", from_onnx_matmul, 1 }, { "Gemm", from_onnx_gemm, 7 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_matmul = { "matmul", ops, onnx, NULL };
