/* gather_elements, gather_nd, scatter_elements, scatter_nd: single elements or slices taken from, or put where,
 * run-time indices point. */
#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/spell.h"

typedef struct index_attr {
    int64_t axis;   /* of the elements; gather_nd: leading axes that both have in common */
    int64_t reduce; /* scatter: what happens to the element that is there */
} index_attr;

enum { REPLACE, ADD, MUL, MAX, MIN };
static const char *const reduce_names[] = { "none", "add", "mul", "max", "min", NULL };
static const sgs_attr index_attrs[] = { SGS_ATTR_I(index_attr, axis), SGS_ATTR_E(index_attr, reduce, reduce_names),
                                        SGS_ATTR_END };

/* ---- shapes ---- */

static sgs_status check_index(const sgs_value *v, sgs_diag *d)
{
    return v->type == SGS_S32 || v->type == SGS_S64
               ? SGS_OK
               : sgs_fail(d, SGS_E_MODEL, "indices: expected integers, found %s", sgs_type_word(v->type));
}

/* Indices within x but for one axis. */
static sgs_status check_elements(const sgs_value *x, const sgs_value *i, int64_t axis, sgs_diag *d)
{
    char ti[128], tx[128];
    bool fits = i->rank == x->rank && axis >= 0 && axis < x->rank;
    for (int k = 0; k < x->rank && fits; k++)
        fits = k == axis || i->dim[k] <= x->dim[k];
    return fits ? check_index(i, d)
                : sgs_fail(d, SGS_E_MODEL, "indices %s do not fit an input %s along axis %lld",
                           sgs_dims_text(ti, sizeof ti, i->rank, i->dim), sgs_dims_text(tx, sizeof tx, x->rank, x->dim),
                           (long long)axis);
}

static sgs_status elements_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_value *x = n->in[0], *i = n->in[1];
    SGS_TRY(check_elements(x, i, ((const index_attr *)n->attr)->axis, d));
    sgs_shape_like(out, n->op == &sgs_op_gather_elements ? i : x);
    out->type = x->type;
    if (n->op == &sgs_op_gather_elements)
        return SGS_OK;
    SGS_TRY(sgs_need_type(n->in[2], x->type, "updates", d));
    char ti[128], tu[128];
    bool same = n->in[2]->rank == i->rank;
    for (int k = 0; k < i->rank && same; k++)
        same = n->in[2]->dim[k] == i->dim[k];
    return same ? SGS_OK
                : sgs_fail(d, SGS_E_MODEL, "expected updates in the shape of the indices, %s, found %s",
                           sgs_dims_text(ti, sizeof ti, i->rank, i->dim),
                           sgs_dims_text(tu, sizeof tu, n->in[2]->rank, n->in[2]->dim));
}

static sgs_status gather_nd_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_value *x = n->in[0], *i = n->in[1];
    const int64_t batch = ((const index_attr *)n->attr)->axis, depth = i->rank ? i->dim[i->rank - 1] : 0;
    SGS_TRY(check_index(i, d));
    if (batch < 0 || batch >= i->rank || depth < 1 || batch + depth > x->rank)
        return sgs_fail(d, SGS_E_MODEL, "indices of %lld numbers after %lld common axes do not fit %d dimensions",
                        (long long)depth, (long long)batch, x->rank);
    if (i->rank - 1 + x->rank - batch - depth > SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "at most %d dimensions are supported, found %d", SGS_MAX_RANK,
                        i->rank - 1 + x->rank - (int)(batch + depth));
    out->type = x->type;
    out->rank = 0;
    for (int k = 0; k < i->rank - 1; k++) {
        if (k < batch && i->dim[k] != x->dim[k])
            return sgs_fail(d, SGS_E_MODEL, "common axis %d has %lld and %lld elements", k, (long long)x->dim[k],
                            (long long)i->dim[k]);
        out->dim[out->rank++] = i->dim[k];
    }
    for (int k = (int)(batch + depth); k < x->rank; k++)
        out->dim[out->rank++] = x->dim[k];
    return SGS_OK;
}

static sgs_status scatter_nd_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_value *x = n->in[0], *i = n->in[1], *u = n->in[2];
    const int64_t depth = i->rank ? i->dim[i->rank - 1] : 0;
    SGS_TRY(check_index(i, d));
    SGS_TRY(sgs_need_type(u, x->type, "updates", d));
    bool fits = depth >= 1 && depth <= x->rank && u->rank == i->rank - 1 + x->rank - depth;
    for (int k = 0; k < u->rank && fits; k++)
        fits = u->dim[k] == (k < i->rank - 1 ? i->dim[k] : x->dim[k - (i->rank - 1) + depth]);
    sgs_shape_like(out, x);
    char tx[128], ti[128], tu[128];
    return fits ? SGS_OK
                : sgs_fail(d, SGS_E_MODEL, "input %s, indices %s and updates %s do not fit each other",
                           sgs_dims_text(tx, sizeof tx, x->rank, x->dim), sgs_dims_text(ti, sizeof ti, i->rank, i->dim),
                           sgs_dims_text(tu, sizeof tu, u->rank, u->dim));
}

/* ---- evaluation ---- */

static sgs_status index_at(const sgs_tensor *t, int64_t k, int64_t size, int64_t *at, sgs_diag *d)
{
    const int64_t i = t->type == SGS_S64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];
    if (i < -size || i >= size)
        return sgs_fail(d, SGS_E_DATA, "index %lld lies outside %lld elements", (long long)i, (long long)size);
    *at = i < 0 ? i + size : i;
    return SGS_OK;
}

/* Sums and products of integers are taken modulo 2^64. */
#define MEET(T, W)                                                                                                     \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        T *y = (T *)to + i;                                                                                            \
        const T u = ((const T *)from)[i], most = u > *y ? u : *y, least = u < *y ? u : *y;                             \
        *y = how == ADD ? (T)((W)*y + (W)u) : how == MUL ? (T)((W)*y * (W)u) : how == MAX ? most : least;              \
    }

/* n elements meet those that are there; false: not of this type. */
static bool meet(sgs_type t, int64_t how, void *to, const void *from, int64_t n)
{
    if (how == REPLACE) {
        memcpy(to, from, (size_t)(n * sgs_type_bytes(t)));
        return true;
    }
    switch (t) {
    case SGS_F32:
        MEET(float, float) return true;
    case SGS_F64:
        MEET(double, double) return true;
    case SGS_S64:
        MEET(int64_t, uint64_t) return true;
    case SGS_S32:
        MEET(int32_t, uint64_t) return true;
    case SGS_S8:
        MEET(int8_t, uint64_t) return true;
    case SGS_U8:
        MEET(uint8_t, uint64_t) return true;
    default:
        return false;
    }
}

/* Along one axis; of the indices' elements, in[0]'s is read or, scattering, out's written. */
static sgs_status elements_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st,
                                sgs_diag *d)
{
    (void)st;
    const index_attr *a = n->attr;
    const bool gather = n->op == &sgs_op_gather_elements;
    const int64_t each = sgs_type_bytes(out->type), count = sgs_tensor_count(&in[1]);
    int64_t stride[SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 };
    sgs_dense_strides(in->rank, in->dim, 1, stride);
    if (!gather)
        memcpy(out->data, in->data, (size_t)(sgs_tensor_count(in) * each));
    for (int64_t i = 0; i < count; i++) {
        int64_t at = 0, row = 0;
        SGS_TRY(index_at(&in[1], i, in->dim[a->axis], &row, d));
        for (int k = 0; k < in->rank; k++)
            at += (k == a->axis ? row : index[k]) * stride[k];
        if (gather)
            memcpy((char *)out->data + i * each, (const char *)in->data + at * each, (size_t)each);
        else if (!meet(out->type, a->reduce, (char *)out->data + at * each, (const char *)in[2].data + i * each, 1))
            return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported",
                            sgs_type_word(out->type));
        sgs_next_index(index, in[1].rank, in[1].dim);
    }
    return SGS_OK;
}

/* Where the slice lies that `depth` numbers from `from` on point to, after `batch` axes. */
static sgs_status slice_at(const sgs_tensor *x, const sgs_tensor *i, int64_t from, int64_t batch, int64_t depth,
                           int64_t *at, sgs_diag *d)
{
    *at = 0;
    for (int64_t k = 0; k < depth; k++) {
        int64_t row = 0;
        SGS_TRY(index_at(i, from + k, x->dim[batch + k], &row, d));
        *at = *at * x->dim[batch + k] + row;
    }
    return SGS_OK;
}

static int64_t product(const int64_t *dim, int64_t from, int64_t to)
{
    int64_t n = 1;
    for (int64_t k = from; k < to; k++)
        n *= dim[k];
    return n;
}

static sgs_status nd_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const index_attr *a = n->attr;
    const bool gather = n->op == &sgs_op_gather_nd;
    const int64_t batch = gather ? a->axis : 0, depth = in[1].dim[in[1].rank - 1], each = sgs_type_bytes(out->type);
    const int64_t slice = product(in->dim, batch + depth, in->rank), whole = product(in->dim, batch, in->rank);
    const int64_t count = product(in[1].dim, 0, in[1].rank - 1), batches = product(in[1].dim, 0, batch);
    if (!gather)
        memcpy(out->data, in->data, (size_t)(sgs_tensor_count(in) * each));
    for (int64_t i = 0; i < count; i++) {
        int64_t at = 0;
        SGS_TRY(slice_at(in, &in[1], i * depth, batch, depth, &at, d));
        at = (at * slice + (batch ? i / (count / batches) * whole : 0)) * each;
        if (gather)
            memcpy((char *)out->data + i * slice * each, (const char *)in->data + at, (size_t)(slice * each));
        else if (!meet(out->type, a->reduce, (char *)out->data + at, (const char *)in[2].data + i * slice * each,
                       slice))
            return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported",
                            sgs_type_word(out->type));
    }
    return SGS_OK;
}

/* ---- from ONNX ---- */

static sgs_status from_onnx_index(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool nd = strstr(s->op, "ND") != NULL, scatter = s->op[0] == 'S';
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1), scatter ? sgs_sp_in(p, 2) : NULL }, *y;
    index_attr a = { 0 };
    if (p->status != SGS_OK)
        return p->status;
    a.axis = nd ? sgs_sp_int(p, "batch_dims", 0) : sgs_sp_axis(p, "axis", 0, in[0]->rank);
    if (p->status == SGS_OK && scatter)
        p->status = sgs_src_choice(im, s, "reduction", reduce_names, &a.reduce, d);
    if (p->status != SGS_OK)
        return p->status;
    const sgs_op *op = nd        ? (scatter ? &sgs_op_scatter_nd : &sgs_op_gather_nd)
                       : scatter ? &sgs_op_scatter_elements
                                 : &sgs_op_gather_elements;
    if (scatter && in[2]->type == SGS_S64 && in[0]->type == SGS_S32)
        in[2] = sgs_sp_cast(p, in[2], SGS_S32);
    if (scatter && in[2]->type == SGS_S32 && in[0]->type == SGS_S64)
        in[0] = sgs_sp_cast(p, in[0], SGS_S32);
    SGS_TRY(p->status);
    SGS_TRY(sgs_emit(im, s, op, scatter ? 3 : 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

sgs_value *sgs_sp_take(sgs_spell *p, sgs_value *x, sgs_value *index, int64_t axis)
{
    const index_attr a = { .axis = axis };
    sgs_value *const in[] = { x, index };
    sgs_value *y = x;
    if (p->status == SGS_OK)
        p->status = sgs_emit(p->im, p->s, &sgs_op_gather_elements, 2, in, &a, &y, p->d);
    return y;
}

/* ---- fixed point ---- */

static const char *index_unfixed(const sgs_node *n)
{
    return n->in[0]->type == SGS_F64 ? "works on float64, which has no fixed-point form" : NULL;
}

/* ---- lowering ---- */

/* Where each element of the result comes from is what the operator makes of the elements' own numbers. */

static void count_up(int32_t *to, int64_t n, int32_t first)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = first + (int32_t)i;
}

static sgs_tensor numbers(sgs_lowering *l, const sgs_value *v, int32_t first)
{
    sgs_tensor t = { .type = SGS_S32, .rank = v->rank };
    memcpy(t.dim, v->dim, sizeof t.dim);
    t.data = SGS_NEW_N(sgs_lower_arena(l), int32_t, sgs_value_count(v));
    count_up(t.data, sgs_value_count(v), first);
    return t;
}

static sgs_status sources(sgs_lowering *l, const sgs_node *n, const int32_t **from, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *i = n->in[1];
    sgs_tensor in[3] = { numbers(l, x, 0), { .type = i->type, .rank = i->rank, .data = (void *)(uintptr_t)sgs_const_data(i) } };
    sgs_tensor out = numbers(l, n->out[0], 0);
    memcpy(in[1].dim, i->dim, sizeof i->dim);
    if (n->nin > 2)
        in[2] = numbers(l, n->in[2], (int32_t)sgs_value_count(x));
    *from = out.data;
    return n->op->eval(n, in, &out, NULL, d);
}

/* A window on elements [first, first + count) of a list. */
static ipu_ref part(ipu_ref list, int64_t first, const ipu_ref *like)
{
    ipu_ref r = *like;
    const int32_t each = ipu_type_bytes(list.type);
    r.space = list.space;
    r.index = list.index;
    r.off = list.off + (uint32_t)(first * each);
    r.step = each;
    r.pix = each * r.c;
    r.row = r.pix * r.w;
    r.img = r.row * r.h;
    return r;
}

static ipu_ref as_list(sgs_lowering *l, ipu_type t, int64_t count)
{
    const int32_t each = ipu_type_bytes(t);
    ipu_ref r = { .space = IPU_ARENA, .type = (uint8_t)t, .n = 1, .h = (int32_t)count, .w = 1, .c = 1 };
    r.step = r.pix = r.row = each;
    r.img = each * r.h;
    return sgs_lower_temp(l, &r);
}

/* What is taken from, one element a row: x and, behind it, the updates. */
static sgs_status collect(sgs_lowering *l, const sgs_node *n, ipu_ref *list, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *u = n->nin > 2 ? n->in[2] : NULL;
    const ipu_ref from = sgs_lower_ref(l, x);
    *list = as_list(l, from.type, sgs_value_count(x) + (u ? sgs_value_count(u) : 0));
    const ipu_ref to = part(*list, 0, &from);
    SGS_TRY(sgs_lower_copy(l, &to, &from, n, d));
    if (!u)
        return SGS_OK;
    const ipu_ref added = sgs_lower_ref(l, u), behind = part(*list, sgs_value_count(x), &added);
    return sgs_lower_copy(l, &behind, &added, n, d);
}

/* ---- indices known only at run time, and updates that meet what is there ---- */

/* Rows of `slice` elements in a list of elements, from element `first` on. */
static ipu_ref rows_of(ipu_ref list, int64_t first, int64_t rows, int64_t slice)
{
    const ipu_ref like = { .n = 1, .h = (int32_t)rows, .w = 1, .c = (int32_t)slice };
    ipu_ref r = part(list, first, &like);
    r.type = list.type;
    return r;
}

static sgs_status integers(sgs_lowering *l, const sgs_node *n, int mode, const ipu_ref *a, const ipu_ref *b, ipu_ref *y,
                           sgs_diag *d)
{
    ipu_integer r = { .head = SGS_REC(IPU_INTEGER, integer), .a = *a, .b = *b, .mode = mode };
    r.y = *y = as_list(l, IPU_S32, a->h);
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

static sgs_status integers_by(sgs_lowering *l, const sgs_node *n, int mode, int64_t by, ipu_ref *y, sgs_diag *d)
{
    const int32_t number = (int32_t)by;
    const ipu_ref a = *y, b = sgs_lower_const(l, IPU_S32, &number, 1);
    return integers(l, n, mode, &a, &b, y, d);
}

static sgs_status indices(sgs_lowering *l, const sgs_node *n, ipu_ref *list, sgs_diag *d)
{
    const ipu_ref from = sgs_lower_ref(l, n->in[1]);
    *list = as_list(l, IPU_S32, sgs_value_count(n->in[1]));
    const ipu_ref to = part(*list, 0, &from);
    return sgs_lower_copy(l, &to, &from, n, d);
}

/* Indices of an axis of `size`: counted from its end where they are negative, the first or the last where they lie outside. */
static sgs_status within(sgs_lowering *l, const sgs_node *n, int64_t size, ipu_ref *index, sgs_diag *d)
{
    SGS_TRY(integers_by(l, n, IPU_INTEGER_MAX, -size, index, d));
    SGS_TRY(integers_by(l, n, IPU_INTEGER_MIN, size - 1, index, d));
    return integers_by(l, n, IPU_INTEGER_MOD, size, index, d);
}

/* The row that each `depth` numbers point to. */
static sgs_status rows_pointed_to(sgs_lowering *l, const sgs_node *n, int64_t batch, ipu_ref *rows, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *i = n->in[1];
    const int64_t depth = i->dim[i->rank - 1], count = sgs_value_count(i) / depth;
    ipu_ref list;
    SGS_TRY(indices(l, n, &list, d));
    for (int64_t k = 0; k < depth; k++) {
        ipu_ref column = rows_of(list, k, count, 1);
        column.row = column.pix * (int32_t)depth;
        column.img = column.row * column.h;
        if (depth > 1) /* a record brings one number inside itself */
            SGS_TRY(within(l, n, x->dim[batch + k], &column, d));
        if (k) {
            SGS_TRY(integers_by(l, n, IPU_INTEGER_MUL, x->dim[batch + k], rows, d));
            const ipu_ref before = *rows;
            SGS_TRY(integers(l, n, IPU_INTEGER_ADD, &before, &column, rows, d));
        } else {
            *rows = column;
        }
    }
    return SGS_OK;
}

/* The element that each number points to along the axis. */
static sgs_status elements_pointed_to(sgs_lowering *l, const sgs_node *n, ipu_ref *rows, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *i = n->in[1];
    const int64_t axis = ((const index_attr *)n->attr)->axis, count = sgs_value_count(i);
    int64_t stride[SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 };
    int32_t *others = SGS_NEW_N(sgs_lower_arena(l), int32_t, count);
    sgs_dense_strides(x->rank, x->dim, 1, stride);
    for (int64_t k = 0; k < count; k++, sgs_next_index(index, i->rank, i->dim))
        for (int r = 0; r < x->rank; r++)
            others[k] += r == axis ? 0 : (int32_t)(index[r] * stride[r]);
    ipu_ref list = sgs_lower_const(l, IPU_S32, others, count);
    const ipu_ref added = rows_of(list, 0, count, 1);
    SGS_TRY(indices(l, n, rows, d));
    SGS_TRY(within(l, n, x->dim[axis], rows, d));
    SGS_TRY(integers_by(l, n, IPU_INTEGER_MUL, stride[axis], rows, d));
    const ipu_ref before = *rows;
    return integers(l, n, IPU_INTEGER_ADD, &before, &added, rows, d);
}

/* k numbers of a list as the array that a record takes. */
static ipu_ref as_array(ipu_ref list, int64_t first, int64_t k)
{
    ipu_ref r = rows_of(list, first, 1, k);
    r.pix = r.row = r.img = r.step * r.c;
    return r;
}

static sgs_status back_to(sgs_lowering *l, const sgs_node *n, ipu_ref list, sgs_diag *d)
{
    const ipu_ref to = sgs_lower_ref(l, n->out[0]), found = part(list, 0, &to);
    return sgs_lower_copy(l, &to, &found, n, d);
}

static sgs_status points_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *i = n->in[1];
    const int64_t batch = ((const index_attr *)n->attr)->axis, depth = i->dim[i->rank - 1];
    const int64_t slice = product(x->dim, batch + depth, x->rank), rows = product(x->dim, batch, batch + depth);
    const int64_t batches = product(x->dim, 0, batch), each = sgs_value_count(i) / depth / batches;
    ipu_gather r = { .head = SGS_REC(IPU_GATHER, gather) };
    ipu_ref from, pointed;
    SGS_TRY(collect(l, n, &from, d));
    SGS_TRY(rows_pointed_to(l, n, batch, &pointed, d));
    const ipu_ref to = as_list(l, from.type, sgs_value_count(n->out[0]));
    for (int64_t b = 0; b < batches; b++) {
        r.y = rows_of(to, b * each * slice, each, slice);
        r.x = rows_of(from, b * rows * slice, rows, slice);
        r.index = as_array(pointed, b * each, each);
        SGS_TRY(sgs_lower_emit(l, &r.head, n, 0, d));
    }
    return back_to(l, n, to, d);
}

/* Along the channels; in more than four dimensions one by one. */
static sgs_status elements_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    ipu_take take = { .head = SGS_REC(IPU_TAKE, take) };
    if (x->rank <= 4)
        return sgs_lower_along(l, &take.head, n, (int)((const index_attr *)n->attr)->axis, 3, d);
    ipu_gather r = { .head = SGS_REC(IPU_GATHER, gather) };
    ipu_ref from, pointed;
    SGS_TRY(collect(l, n, &from, d));
    SGS_TRY(elements_pointed_to(l, n, &pointed, d));
    const ipu_ref to = as_list(l, (ipu_type)from.type, sgs_value_count(y));
    r.y = to;
    r.x = from;
    r.index = as_array(pointed, 0, pointed.h);
    SGS_TRY(sgs_lower_emit(l, &r.head, n, 0, d));
    return back_to(l, n, to, d);
}

static sgs_status in_type(sgs_lowering *l, const sgs_node *n, int kind, ipu_type t, ipu_ref *list, sgs_diag *d)
{
    ipu_convert r = { .head = SGS_REC(IPU_CONVERT, convert), .x = *list };
    r.head.kind = (uint16_t)kind;
    if (kind == IPU_TO_REAL) {
        r.m = 1;
        r.out = sgs_out_range(n->out[0], SGS_ACT_NONE, 0, 0);
    }
    r.y = *list = as_list(l, t, list->h);
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* x and, behind it, the updates; what is added up, and integers that are multiplied, are integers of 32 bits meanwhile. */
static sgs_status scatter_into(sgs_lowering *l, const sgs_node *n, ipu_scatter *r, ipu_ref from, ipu_ref *to, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *i = n->in[1], *y = n->out[0];
    const bool nd = n->op == &sgs_op_scatter_nd, real = y->quant != NULL;
    const bool widened = y->type != SGS_S32 && (r->mode == IPU_SCATTER_ADD || (r->mode == IPU_SCATTER_MUL && !real));
    const int64_t slice = nd ? product(x->dim, i->dim[i->rank - 1], x->rank) : 1, rows = sgs_value_count(x) / slice;
    const int64_t count = sgs_value_count(n->in[2]) / slice;
    const ipu_type type = (ipu_type)from.type;
    if (widened)
        SGS_TRY(in_type(l, n, IPU_CONVERT, IPU_S32, &from, d));
    *to = as_list(l, (ipu_type)from.type, sgs_value_count(x));
    r->y = rows_of(*to, 0, rows, slice);
    r->x = rows_of(from, 0, rows, slice);
    r->u = rows_of(from, rows * slice, count, slice);
    SGS_TRY(sgs_lower_emit(l, &r->head, n, 0, d));
    return widened ? in_type(l, n, real ? IPU_TO_REAL : IPU_CONVERT, type, to, d) : SGS_OK;
}

static bool index_computes(const sgs_node *n)
{
    const int64_t how = ((const index_attr *)n->attr)->reduce;
    return how == ADD || how == MUL;
}

static sgs_status scatter_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    static const int32_t modes[] = { IPU_SCATTER_REPLACE, IPU_SCATTER_ADD, IPU_SCATTER_MUL, IPU_SCATTER_MAX, IPU_SCATTER_MIN };
    const sgs_value *y = n->out[0];
    ipu_scatter r = { .head = SGS_REC(IPU_SCATTER, scatter), .mode = modes[((const index_attr *)n->attr)->reduce] };
    ipu_ref from, pointed, to;
    if (index_computes(n) && !(sgs_is_integer(y) || (y->type == SGS_S16 && sgs_one_scale(y))))
        return sgs_lower_fail(l, n, d, "expected integers or int16 with one scale, found %s", sgs_type_word(y->type));
    if (r.mode == IPU_SCATTER_MUL && y->quant) {
        r.m = sgs_mult(sgs_scale(y, 0), 1);
        r.out = sgs_out_range(y, SGS_ACT_NONE, 0, 0);
    }
    SGS_TRY(collect(l, n, &from, d));
    SGS_TRY(n->op == &sgs_op_scatter_nd ? rows_pointed_to(l, n, 0, &pointed, d) : elements_pointed_to(l, n, &pointed, d));
    r.index = as_array(pointed, 0, pointed.h);
    SGS_TRY(scatter_into(l, n, &r, from, &to, d));
    return back_to(l, n, to, d);
}

/* ---- constant indices ---- */

static sgs_status constant_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const int64_t count = sgs_value_count(n->out[0]);
    const int32_t *from;
    SGS_TRY(sources(l, n, &from, d));
    ipu_gather r = { .head = SGS_REC(IPU_GATHER, gather) };
    SGS_TRY(collect(l, n, &r.x, d));
    r.index = sgs_lower_const(l, IPU_S32, from, count);
    r.y = as_list(l, r.x.type, count);
    SGS_TRY(sgs_lower_emit(l, &r.head, n, 0, d));
    return back_to(l, n, r.y, d);
}

static sgs_status index_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const bool scatter = n->op == &sgs_op_scatter_elements || n->op == &sgs_op_scatter_nd;
    if (sgs_value_count(n->in[0]) > INT32_MAX / 4 || sgs_value_count(n->out[0]) > INT32_MAX / 4 || sgs_value_count(n->in[1]) > INT32_MAX / 4)
        return sgs_lower_fail(l, n, d, "more elements than can be taken one by one");
    if (n->in[1]->constant && !((const index_attr *)n->attr)->reduce)
        return constant_lower(l, n, d);
    if (n->in[1]->type != SGS_S32)
        return sgs_lower_fail(l, n, d, "expected indices of int32, found %s", sgs_type_word(n->in[1]->type));
    return scatter ? scatter_lower(l, n, d) : n->op == &sgs_op_gather_nd ? points_lower(l, n, d) : elements_lower(l, n, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_gathernd(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) };
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_own(p, sgs_sp_call(p, "GatherND", 2, in)));
    return p->status;
}

/* ---- rows ---- */

#define ROW(op, inputs, rule, evaluation)                                                                              \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "index",                                                                                             \
        .nin_min = inputs,                                                                                             \
        .nin_max = inputs,                                                                                             \
        .nout = 1,                                                                                                     \
        .attr_bytes = sizeof(index_attr),                                                                              \
        .attr = index_attrs,                                                                                           \
        .infer = rule,                                                                                                 \
        .eval = evaluation,                                                                                            \
        .qrule = SGS_Q_MOVE,                                                                                           \
        .unfixed = index_unfixed,                                                                                      \
        .computes = index_computes,                                                                                    \
        .lower = index_lower,                                                                                          \
        .kernel = "gather",                                                                                            \
    }
ROW(gather_elements, 2, elements_infer, elements_eval);
ROW(scatter_elements, 3, elements_infer, elements_eval);
ROW(gather_nd, 2, gather_nd_infer, nd_eval);
ROW(scatter_nd, 3, scatter_nd_infer, nd_eval);

static const sgs_op *const ops[] = { &sgs_op_gather_elements, &sgs_op_scatter_elements, &sgs_op_gather_nd,
                                     &sgs_op_scatter_nd, NULL };
static const sgs_from onnx[] = {
    { "GatherElements", from_onnx_index, 11 },  { "GatherND", from_onnx_index, 11 },  { "Scatter", from_onnx_index, 9 },
    { "ScatterElements", from_onnx_index, 11 }, { "ScatterND", from_onnx_index, 11 }, { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "GatherNd", from_tf_gathernd, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_index = { "index", ops, .onnx = onnx, .tensorflow = tensorflow };
