/* gather along one axis; it serves shape arithmetic. */
#include <string.h>

#include "ops/util.h"

static const sgs_attr gather_attrs[] = { SGS_ATTR_I(sgs_axis_attr, axis), SGS_ATTR_END };

/* ---- indices ------------------------------------------------------------------------------------------------------- */

static sgs_status row_in(int64_t i, int64_t rows, int64_t *row, sgs_diag *d)
{
    if (i < -rows || i >= rows)
        return sgs_fail(d, SGS_E_MODEL, "index %lld lies outside %lld rows", (long long)i, (long long)rows);
    *row = i < 0 ? i + rows : i;
    return SGS_OK;
}

static int64_t index_at(sgs_type t, const void *data, int64_t k)
{
    return t == SGS_S64 ? ((const int64_t *)data)[k] : ((const int32_t *)data)[k];
}

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status gather_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    int64_t axis = ((const sgs_axis_attr *)n->attr)->axis;
    const sgs_value *x = n->in[0], *i = n->in[1];
    int64_t row;
    if (axis < 0 || axis >= x->rank)
        return sgs_fail(d, SGS_E_MODEL, "axis must lie in 0..%d, found %lld", x->rank - 1, (long long)axis);
    if (i->type != SGS_S64 && i->type != SGS_S32)
        return sgs_fail(d, SGS_E_MODEL, "indices: expected integers, found %s", sgs_type_name(i->type));
    for (int64_t k = 0; i->data && k < sgs_value_count(i); k++)
        SGS_TRY(row_in(index_at(i->type, i->data, k), x->dim[axis], &row, d));
    if (x->rank - 1 + i->rank > SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "at most %d dimensions are supported", SGS_MAX_RANK);
    out->type = x->type;
    out->rank = 0;
    for (int k = 0; k < axis; k++)
        out->dim[out->rank++] = x->dim[k];
    for (int k = 0; k < i->rank; k++)
        out->dim[out->rank++] = i->dim[k];
    for (int k = (int)axis + 1; k < x->rank; k++)
        out->dim[out->rank++] = x->dim[k];
    return SGS_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------- */

static sgs_status gather_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    int64_t axis = ((const sgs_axis_attr *)n->attr)->axis, outer = 1, inner = sgs_type_bytes(out->type);
    int64_t count = sgs_tensor_count(&in[1]), rows = in[0].dim[axis];
    for (int k = 0; k < in[0].rank; k++)
        *(k < axis ? &outer : &inner) *= k == axis ? 1 : in[0].dim[k];
    char *y = out->data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t k = 0; k < count; k++, y += inner) {
            int64_t row = 0;
            SGS_TRY(row_in(index_at(in[1].type, in[1].data, k), rows, &row, d));
            memcpy(y, (const char *)in[0].data + (o * rows + row) * inner, (size_t)inner);
        }
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

static sgs_status from_onnx_gather(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2], *y;
    sgs_axis_attr a = { 0 };
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    SGS_TRY(sgs_src_int(s, "axis", &a.axis, d));
    SGS_TRY(sgs_src_axis(im, s, &a.axis, in[0]->rank, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_gather, 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_gather = {
    .name = "gather", .family = "gather", .nin_min = 2, .nin_max = 2, .nout = 1, .attr_bytes = sizeof(sgs_axis_attr), .attr = gather_attrs,
    .infer = gather_infer, .eval = gather_eval, .kernel = "",
};

static const sgs_op *const ops[] = { &sgs_op_gather, NULL };
static const sgs_from onnx[] = { { "Gather", from_onnx_gather, 1 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_gather = { "gather", ops, onnx, NULL };
