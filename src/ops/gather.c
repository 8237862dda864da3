/* gather along one axis.  Constant indices that stand still or march in equal steps become a slice at import. */
#include <string.h>

#include "compile/lower.h"
#include "ops/nest.h"
#include "ops/spell.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

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
    switch (t) {
    case SGS_S64:
        return ((const int64_t *)data)[k];
    case SGS_S16:
        return ((const int16_t *)data)[k];
    case SGS_U16:
        return ((const uint16_t *)data)[k];
    case SGS_U8:
        return ((const uint8_t *)data)[k];
    default:
        return ((const int32_t *)data)[k];
    }
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
    if (i->type != SGS_S64 && i->type != SGS_S32 && (i->quant || (i->type != SGS_S16 && i->type != SGS_U8 && i->type != SGS_U16)))
        return sgs_fail(d, SGS_E_MODEL, "indices: expected integers, found %s", i->quant ? "quantized numbers" : sgs_type_word(i->type));
    for (int64_t k = 0; i->constant && k < sgs_value_count(i); k++)
        SGS_TRY(row_in(index_at(i->type, sgs_const_data(i), k), x->dim[axis], &row, d));
    if (x->rank - 1 + i->rank > SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "at most %d dimensions are supported, found %d", SGS_MAX_RANK, x->rank - 1 + i->rank);
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

/* Do the constant indices march in equal steps?  Then as start and step, counted from 0. */
static bool regular(const sgs_value *i, int64_t rows, int64_t *start, int64_t *step)
{
    int64_t n = i->constant && i->rank < 2 ? sgs_value_count(i) : 0, before = 0;
    sgs_diag none;
    for (int64_t k = 0; k < n; k++) {
        int64_t row = 0;
        if (row_in(index_at(i->type, sgs_const_data(i), k), rows, &row, &none) != SGS_OK)
            return false; /* gather_infer says so */
        if (k == 0)
            *start = row;
        else if (k == 1)
            *step = row - before;
        if (k && (row - before != *step || !*step))
            return false;
        before = row;
    }
    return n > 0;
}

static sgs_status as_slice(sgs_import *im, const sgs_source_node *s, sgs_value *const in[2], int64_t axis, int64_t start, int64_t step, sgs_diag *d)
{
    sgs_value *y;
    sgs_slice_attr a = sgs_slice_all(in[0]);
    sgs_shape_attr shape = { 0 };
    a.start[axis] = start;
    a.size[axis] = sgs_value_count(in[1]);
    a.step[axis] = step;
    SGS_TRY(sgs_emit(im, s, &sgs_op_slice, 1, &in[0], &a, &y, d));
    for (int i = 0; i < in[0]->rank; i++)
        if (i != axis || in[1]->rank)
            shape.dim[shape.n++] = y->dim[i];
    if (!in[1]->rank)
        SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, &y, &shape, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_gather(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2], *y;
    sgs_axis_attr a = { 0 };
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    SGS_TRY(sgs_src_int(s, "axis", &a.axis, d));
    SGS_TRY(sgs_src_axis(im, s, &a.axis, in[0]->rank, d));
    int64_t start = 0, step = 1;
    bool integers = in[1]->type == SGS_S64 || in[1]->type == SGS_S32;
    if (integers && regular(in[1], in[0]->dim[a.axis], &start, &step))
        return as_slice(im, s, in, a.axis, start, step, d);
    SGS_TRY(sgs_emit(im, s, &sgs_op_gather, 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status gather_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    const sgs_tfl_option o[] = { { "axis", (double)((const sgs_axis_attr *)n->attr)->axis }, { NULL, 0 } };
    (void)d;
    for (int64_t k = 0; n->in[1]->constant && k < sgs_value_count(n->in[1]); k++)
        if (index_at(n->in[1]->type, sgs_const_data(n->in[1]), k) < 0)
            return sgs_tfl_custom(w, n); /* the builtin does not count from the end */
    return sgs_tfl_simple(w, n, "GATHER", o);
}

/* Each of the first `batch` dimensions has a table of its own: one table of all, indices further by the length of those before. */
static sgs_status gather_of_rows(sgs_import *im, const sgs_source_node *s, sgs_value *const *in, int batch, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_value *x = in[0], *index = in[1];
    int64_t tables = 1, count = sgs_value_count(index), dim[SGS_MAX_RANK], table[SGS_MAX_RANK] = { 0 };
    int rank = 0;
    if (index->type != SGS_S32 && index->type != SGS_S64)
        return sgs_src_fail(im, s, d, "indices: expected int32 or int64, found %s", sgs_type_word(index->type));
    for (int i = 0; i < batch; i++)
        tables *= dim[rank++] = x->dim[i];
    if (!tables || x->rank + index->rank - batch - 1 > SGS_MAX_RANK)
        return sgs_src_refuse(im, s, d, "batch_dims with nothing in them, or a result of more than %d dimensions", SGS_MAX_RANK);
    const int64_t rows = x->dim[batch], pairs[] = { tables, count / tables }, column[] = { tables, 1 };
    for (int i = batch; i < index->rank; i++)
        dim[rank++] = index->dim[i];
    table[0] = tables * rows;
    for (int i = batch + 1; i < x->rank; i++)
        table[i - batch] = dim[rank++] = x->dim[i];
    void *data;
    sgs_value *first = sgs_sp_const(p, index->type, 2, column, &data);
    for (int64_t i = 0; first && i < tables; i++)
        if (index->type == SGS_S64)
            ((int64_t *)data)[i] = i * rows;
        else
            ((int32_t *)data)[i] = (int32_t)(i * rows);
    if (!first)
        return p->status;
    sgs_value *places = sgs_sp_two(p, &sgs_op_add, sgs_sp_reshape(p, in[1], 2, pairs), first);
    sgs_value *rows_of = sgs_sp_reshape(p, in[0], x->rank - batch, table), *row = sgs_sp_reshape(p, places, 1, &count);
    sgs_value *list[] = { rows_of, row }, *y = NULL;
    const sgs_axis_attr a = { 0 };
    if (p->status == SGS_OK)
        p->status = sgs_emit(im, s, &sgs_op_gather, 2, list, &a, &y, d);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_reshape(p, y, rank, dim));
    return p->status;
}

static sgs_status gather_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[2], *y;
    sgs_axis_attr a = { 0 };
    int64_t batch = 0;
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    SGS_TRY(sgs_src_int(s, "axis", &a.axis, d));
    SGS_TRY(sgs_src_int(s, "batch_dims", &batch, d));
    SGS_TRY(sgs_src_axis(im, s, &a.axis, in[0]->rank, d));
    batch += batch < 0 ? in[1]->rank : 0;
    if (batch && (batch != a.axis || batch < 0 || batch > in[1]->rank || memcmp(in[0]->dim, in[1]->dim, (size_t)batch * sizeof *in[0]->dim)))
        return sgs_src_refuse(im, s, d, "expected batch_dims 0 or the axis, with the same first dimensions, found %lld and axis %lld", (long long)batch, (long long)a.axis);
    if (batch)
        return gather_of_rows(im, s, in, (int)batch, d);
    SGS_TRY(sgs_emit(im, s, &sgs_op_gather, 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

/* A list of integers, one behind the other. */
static sgs_status flat(sgs_lowering *l, const sgs_node *n, const sgs_value *v, ipu_ref *list, sgs_diag *d)
{
    int64_t stride[SGS_MAX_RANK], each = sgs_type_bytes(v->type);
    bool dense = true;
    *list = sgs_lower_ref(l, v);
    sgs_lower_strides(l, v, stride);
    for (int i = v->rank - 1; i >= 0; each *= v->dim[i--])
        dense = dense && (v->dim[i] == 1 || stride[i] == each);
    if (!dense) {
        const ipu_ref apart = *list;
        *list = sgs_lower_temp(l, &apart);
        SGS_TRY(sgs_lower_copy(l, list, &apart, n, d));
    }
    list->c = (int32_t)sgs_value_count(v);
    list->n = list->h = list->w = 1;
    list->img = list->row = list->pix = (int32_t)each;
    return SGS_OK;
}

/* The axes of x that stay. */
static sgs_nest other_axes(sgs_lowering *l, const sgs_node *n, int axis)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    int64_t sx[SGS_MAX_RANK], sy[SGS_MAX_RANK];
    sgs_nest nest = { .operands = 2 };
    sgs_lower_strides(l, x, sx);
    sgs_lower_strides(l, y, sy);
    for (int i = 0; i < x->rank; i++) {
        if (i == axis)
            continue;
        nest.dim[nest.rank] = x->dim[i];
        nest.stride[0][nest.rank] = sy[i < axis ? i : i + n->in[1]->rank - 1];
        nest.stride[1][nest.rank++] = sx[i];
    }
    sgs_nest_merge(&nest);
    return nest;
}

/* Indices known only at run time are one list; the rows that they choose follow each other evenly. */
static bool gather_dense(const sgs_node *n)
{
    return !n->in[1]->constant && n->in[1]->rank > 1;
}

/* Bytes from one indexed row of y to the next. */
static int64_t row_stride(sgs_lowering *l, const sgs_value *y, int axis, int rank)
{
    int64_t stride[SGS_MAX_RANK];
    sgs_lower_strides(l, y, stride);
    for (int i = axis + rank - 1; i >= axis; i--)
        if (y->dim[i] != 1)
            return stride[i];
    return INT32_MAX; /* one row */
}

typedef struct gathering {
    ipu_gather r;
    const sgs_value *x, *y;
    int axis;
    int64_t row;           /* of y, in bytes */
} gathering;

static sgs_status emit_gathers(sgs_lowering *l, const sgs_node *n, gathering *g, sgs_nest nest, sgs_diag *d)
{
    int64_t sx[SGS_MAX_RANK], c = 1, index[SGS_NEST_AXES] = { 0 }, off[SGS_NEST_OPERANDS];
    const int64_t each = sgs_type_bytes(g->y->type);
    const int last = nest.rank - 1;
    sgs_lower_strides(l, g->x, sx);
    if (nest.stride[0][last] == each && nest.stride[1][last] == each) {
        c = nest.dim[last];
        nest.dim[last] = 1;
    }
    const sgs_walked axes = sgs_nest_choose(&nest, g->row, g->r.index.c);
    const sgs_nest loop = sgs_nest_without(&nest, axes);
    do {
        sgs_nest_at(&loop, loop.rank, index, off);
        for (int k = 0; k < 2; k++) {
            int64_t dim[4] = { 1, k ? g->x->dim[g->axis] : g->r.index.c, 1, c }, stride[4] = { 0, k ? sx[g->axis] : g->row, 0, each };
            sgs_nest_walk(&nest, k, axes, dim, stride);
            *(k ? &g->r.x : &g->r.y) = sgs_lower_window(l, k ? g->x : g->y, off[k], dim, stride);
        }
        SGS_TRY(sgs_lower_emit(l, &g->r.head, n, 0, d));
    } while (sgs_next_index(index, loop.rank, loop.dim));
    return SGS_OK;
}

static sgs_status lower_run_time(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const int axis = (int)((const sgs_axis_attr *)n->attr)->axis;
    gathering g = { .r = { .head = SGS_REC(IPU_GATHER, gather) }, .x = n->in[0], .y = n->out[0], .axis = axis };
    g.row = row_stride(l, g.y, axis, n->in[1]->rank);
    SGS_TRY(flat(l, n, n->in[1], &g.r.index, d));
    return emit_gathers(l, n, &g, other_axes(l, n, axis), d);
}

/* A copy for each run of indices that march in equal steps.  The indices' axes count as one axis of y, where they are dense. */
static sgs_status gather_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *list = n->in[1], *y = n->out[0];
    int axis = (int)((const sgs_axis_attr *)n->attr)->axis;
    int64_t count = sgs_value_count(list), rows = x->dim[axis];
    if (!list->constant)
        return lower_run_time(l, n, d);
    for (int64_t k = 0, run; k < count; k += run) {
        int64_t first = 0, next = 0, index[SGS_MAX_RANK] = { 0 }, rest = k;
        int last = list->rank - 1;
        SGS_TRY(row_in(index_at(list->type, sgs_const_data(list), k), rows, &first, d));
        for (int i = last; i >= 0; rest /= list->dim[i--])
            index[i] = rest % list->dim[i];
        int64_t room = list->rank ? list->dim[last] - index[last] : 1, step = 1;
        for (run = 1; run < room; run++) {
            SGS_TRY(row_in(index_at(list->type, sgs_const_data(list), k + run), rows, &next, d));
            step = run == 1 ? next - first : step;
            if (next != first + run * step)
                break;
        }
        sgs_move m;
        sgs_move_whole(&m, y, x);
        for (int i = 0; i < y->rank; i++)
            m.axis[i] = i < axis ? i : i - list->rank + 1;
        for (int i = 0; i < list->rank; i++) {
            m.axis[axis + i] = i == last ? axis : -1;
            m.to[axis + i] = index[i];
            m.count[axis + i] = i == last ? run : 1;
            m.step[axis + i] = i == last ? step : 1;
        }
        m.from[axis] = first;
        SGS_TRY(sgs_lower_move(l, n, &m, d));
    }
    return SGS_OK;
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_gather(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[2] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) }, *y;
    sgs_axis_attr a = { 0 };
    int64_t start = 0, step = 1;
    if (p->status == SGS_OK && s->nin > 2)
        a.axis = sgs_tf_axis(p, 2, in[0]->rank);
    if (p->status == SGS_OK && sgs_sp_int(p, "batch_dims", 0))
        sgs_sp_refuse(p, "batch_dims other than 0 is not supported");
    if (p->status == SGS_OK && !in[0]->rank)
        sgs_sp_fail(p, "expected a tensor with dimensions, found a scalar");
    SGS_TRY(p->status);
    if ((in[1]->type == SGS_S64 || in[1]->type == SGS_S32) && regular(in[1], in[0]->dim[a.axis], &start, &step))
        return as_slice(im, s, in, a.axis, start, step, d);
    SGS_TRY(sgs_emit(im, s, &sgs_op_gather, 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_gather = {
    .name = "gather", .family = "gather", .nin_min = 2, .nin_max = 2, .nout = 1, .ndata = 1, /* x, indices -> y */ .attr_bytes = sizeof(sgs_axis_attr), .attr = gather_attrs,
    .infer = gather_infer, .eval = gather_eval, .to_tflite = gather_to_tflite, .qrule = SGS_Q_MOVE, .kernel = "gather", .dense = gather_dense, .lower = gather_lower,
};

static const sgs_op *const ops[] = { &sgs_op_gather, NULL };
static const sgs_from onnx[] = { { "Gather", from_onnx_gather, 1 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "GATHER", gather_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Gather", from_tf_gather, 0 },
    { "GatherV2", from_tf_gather, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_gather = { "gather", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
