/* matmul, numpy's rules.  With a constant right side it becomes fc (pass fold-matmul). */
#include <string.h>

#include "compile/lower.h"
#include "ops/nest.h"
#include "ops/spell.h"
#include "ops/tflite.h"
#include "ops/util.h"

static const sgs_attr matmul_attrs[] = { SGS_ATTR_I(sgs_matmul_attr, turned), SGS_ATTR_END };

static bool is_turned(const sgs_node *n)
{
    return ((const sgs_matmul_attr *)n->attr)->turned != 0;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status matmul_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_value *a = n->in[0], *b = n->in[1];
    if (a->rank < 2 || b->rank < 2)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "expected operands of at least 2 dimensions, found %d and %d", a->rank, b->rank);
    const int64_t turned = ((const sgs_matmul_attr *)n->attr)->turned, products = b->dim[b->rank - (turned ? 1 : 2)];
    if (turned != 0 && turned != 1)
        return sgs_fail(d, SGS_E_MODEL, "turned must be 0 or 1, found %lld", (long long)turned);
    if (a->dim[a->rank - 1] != products)
        return sgs_fail(d, SGS_E_MODEL, "inner sizes differ: %lld and %lld", (long long)a->dim[a->rank - 1], (long long)products);
    if (a->type != SGS_S16)
        SGS_TRY(sgs_need_type(a, SGS_F32, "first input", d));
    SGS_TRY(sgs_need_type(b, a->type, "second input", d));
    sgs_value outer_a = *a, outer_b = *b;
    outer_a.rank -= 2;
    outer_b.rank -= 2;
    SGS_TRY(sgs_broadcast(&outer_a, &outer_b, out, d));
    out->dim[out->rank++] = a->dim[a->rank - 2];
    out->dim[out->rank++] = b->dim[b->rank - (turned ? 2 : 1)];
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

/* b[c, j] lies at c * down + j * right. */
typedef struct matrices {
    int64_t m, k, n, down, right;
} matrices;

static void product(const matrices *s, const float *a, const float *b, float *y)
{
    for (int64_t i = 0; i < s->m; i++, a += s->k)
        for (int64_t j = 0; j < s->n; j++) {
            double sum = 0;
            for (int64_t c = 0; c < s->k; c++)
                sum += (double)a[c] * (double)b[c * s->down + j * s->right];
            *y++ = (float)sum;
        }
}

static sgs_status matmul_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const int64_t m = out->dim[out->rank - 2], k = in[0].dim[in[0].rank - 1], c = out->dim[out->rank - 1];
    const matrices shape = { m, k, c, is_turned(n) ? 1 : c, is_turned(n) ? k : 1 };
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
        product(&shape, (float *)in[0].data + ia * m * k, (float *)in[1].data + ib * k * c, (float *)out->data + i * m * c);
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
    const bool rows = turn[1] && weights && weights->constant && weights->type == SGS_F32; /* large ones are not turned to and fro */
    for (int i = 0; i < 2; i++) {
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
        if (in[i]->rank != 2)
            return sgs_src_fail(im, s, d, "expected matrices, of 2 dimensions, found %d", in[i]->rank);
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

/* ---- .sim ---------------------------------------------------------------------------------------------------------------- */

/* TFLite's takes matrices in at most two axes more. */
static sgs_status matmul_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_tfl_option o[] = { { "adj_y", is_turned(n) }, { NULL, 0 } };
    return n->out[0]->rank > 4 ? sgs_tfl_custom(w, n) : sgs_tfl_simple(w, n, "BATCH_MATMUL", o);
}

static sgs_status turn(sgs_import *im, const sgs_source_node *s, sgs_value **v, sgs_diag *d)
{
    sgs_perm_attr p = { .n = (*v)->rank };
    for (int i = 0; i < (*v)->rank; i++)
        p.perm[i] = i;
    if (p.n < 2)
        return sgs_src_fail(im, s, d, "expected at least 2 dimensions, found %d", (*v)->rank);
    p.perm[p.n - 1] = p.n - 2;
    p.perm[p.n - 2] = p.n - 1;
    return sgs_emit(im, s, &sgs_op_transpose, 1, v, &p, v, d);
}

static sgs_status matmul_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2], *y;
    int64_t left = 0;
    sgs_matmul_attr a = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &in[0], d));
    SGS_TRY(sgs_src_in(im, s, 1, &in[1], d));
    SGS_TRY(sgs_src_int(s, "adj_x", &left, d));
    SGS_TRY(sgs_src_int(s, "adj_y", &a.turned, d));
    if (left)
        SGS_TRY(turn(im, s, &in[0], d));
    a.turned = a.turned != 0;
    SGS_TRY(sgs_emit(im, s, &sgs_op_matmul, 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering: ARITHMETIC.md 16 ------------------------------------------------------------------------------------------- */

enum { Y, A, B };

/* The axes before the matrices' own. */
static sgs_nest batches(sgs_lowering *l, const sgs_node *n)
{
    const sgs_value *v[3] = { n->out[0], n->in[0], n->in[1] };
    sgs_nest nest = { .rank = n->out[0]->rank - 2, .operands = 3 };
    memcpy(nest.dim, n->out[0]->dim, (size_t)nest.rank * sizeof *nest.dim);
    for (int k = Y; k <= B; k++) {
        int64_t stride[SGS_MAX_RANK];
        sgs_lower_strides(l, v[k], stride);
        for (int i = 0; i < nest.rank; i++) {
            const int own = i - (n->out[0]->rank - v[k]->rank);
            nest.stride[k][i] = own >= 0 && v[k]->dim[own] == nest.dim[i] ? stride[own] : 0;
        }
    }
    sgs_nest_merge(&nest);
    return nest;
}

static sgs_walked choose_axes(sgs_lowering *l, const sgs_value *y, const sgs_nest *nest)
{
    int64_t stride[SGS_MAX_RANK];
    sgs_lower_strides(l, y, stride);
    const int64_t rows = y->dim[y->rank - 2], dense = y->dim[y->rank - 1] * sgs_type_bytes(y->type);
    return sgs_nest_choose(nest, rows > 1 ? stride[y->rank - 2] : dense, rows);
}

/* The last two axes of v are h and c. */
static ipu_ref matrices_of(sgs_lowering *l, const sgs_value *v, const sgs_nest *nest, int k, sgs_walked axes, int64_t off)
{
    int64_t dim[4] = { 1, v->dim[v->rank - 2], 1, v->dim[v->rank - 1] }, stride[4] = { 0 }, own[SGS_MAX_RANK];
    sgs_lower_strides(l, v, own);
    stride[1] = own[v->rank - 2];
    stride[3] = own[v->rank - 1];
    sgs_nest_walk(nest, k, axes, dim, stride);
    return sgs_lower_window(l, v, off, dim, stride);
}

static sgs_status matmul_check(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *v[3] = { n->out[0], n->in[0], n->in[1] };
    for (int i = 0; i < 3; i++)
        if (v[i]->type != SGS_S16 || !sgs_one_scale(v[i]))
            return sgs_lower_fail(l, n, d, "expected int16 operands with one scale each");
    const int64_t products = n->in[0]->dim[n->in[0]->rank - 1];
    if (products > IPU_MATMUL_PRODUCTS)
        return sgs_lower_fail(l, n, d, "sums of %lld products are too long: %d are the most", (long long)products, IPU_MATMUL_PRODUCTS);
    return SGS_OK;
}

static sgs_status matmul_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    SGS_TRY(matmul_check(l, n, d));
    const sgs_value *v[3] = { n->out[0], n->in[0], n->in[1] };
    ipu_matmul r = { .head = SGS_REC(IPU_MATMUL_S16, matmul),
                     .turned = is_turned(n),
                     .m = sgs_mult(sgs_scale(v[A], 0) * sgs_scale(v[B], 0), sgs_scale(v[Y], 0)),
                     .out = sgs_out_range(v[Y], SGS_ACT_NONE, 0, 0) };
    const sgs_nest nest = batches(l, n);
    const sgs_walked axes = choose_axes(l, v[Y], &nest);
    const sgs_nest loop = sgs_nest_without(&nest, axes);
    int64_t index[SGS_NEST_AXES] = { 0 }, off[SGS_NEST_OPERANDS];
    do {
        sgs_nest_at(&loop, loop.rank, index, off);
        r.y = matrices_of(l, v[Y], &nest, Y, axes, off[Y]);
        r.a = matrices_of(l, v[A], &nest, A, axes, off[A]);
        r.b = matrices_of(l, v[B], &nest, B, axes, off[B]);
        const int64_t mac = (int64_t)r.y.n * r.y.h * r.y.w * r.y.c * r.a.c;
        SGS_TRY(sgs_lower_emit(l, &r.head, n, mac, d));
    } while (sgs_next_index(index, loop.rank, loop.dim));
    return SGS_OK;
}

/* ---- from TensorFlow ---- */

/* Transposed before they are multiplied, where it says so; rows of weights stay rows. */
static sgs_status from_tf_matmul(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool batch = strcmp(s->op, "MatMul") != 0;
    const sgs_conv_attr plain = { 0 };
    sgs_value *in[2] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) }, *y;
    const bool turn[2] = { sgs_sp_int(p, batch ? "adj_x" : "transpose_a", 0) != 0, sgs_sp_int(p, batch ? "adj_y" : "transpose_b", 0) != 0 };
    if (p->status != SGS_OK)
        return p->status;
    const bool rows = turn[1] && in[1]->constant && in[1]->type == SGS_F32 && in[1]->rank == 2 && in[0]->rank == 2;
    for (int i = 0; i < 2; i++) {
        const int rank = in[i]->rank;
        int64_t perm[SGS_MAX_RANK];
        if (rank < 2 || (!batch && rank != 2))
            return sgs_src_fail(im, s, d, "expected matrices, of 2 dimensions, found %d", rank);
        for (int k = 0; k < rank; k++)
            perm[k] = k < rank - 2 ? k : 2 * rank - 3 - k;
        if (turn[i] && !(i && rows))
            in[i] = sgs_sp_transpose(p, in[i], perm);
    }
    SGS_TRY(p->status);
    SGS_TRY(sgs_emit(im, s, rows ? &sgs_op_fc : &sgs_op_matmul, 2, in, rows ? &plain : NULL, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_matmul = { .name = "matmul",
                               .family = "matmul",
                               .nin_min = 2,
                               .nin_max = 2,
                               .nout = 1,
                               .attr_bytes = sizeof(sgs_matmul_attr),
                               .attr = matmul_attrs,
                               .infer = matmul_infer,
                               .eval = matmul_eval,
                               .float_only = true,
                               .qrule = SGS_Q_S16,
                               .lower = matmul_lower,
                               .to_tflite = matmul_to_tflite };

static const sgs_op *const ops[] = { &sgs_op_matmul, NULL };
static const sgs_from onnx[] = { { "MatMul", from_onnx_matmul, 1 }, { "Gemm", from_onnx_gemm, 7 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "BATCH_MATMUL", matmul_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "MatMul", from_tf_matmul, 0 },
    { "BatchMatMul", from_tf_matmul, 0 },
    { "BatchMatMulV2", from_tf_matmul, 0 },
    { "BatchMatMulV3", from_tf_matmul, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_matmul = { "matmul", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
