/* slice with steps; it serves shape arithmetic. */
#include <string.h>

#include "ops/util.h"

typedef struct slice_attr {
    int64_t n, start[SGS_MAX_RANK], size[SGS_MAX_RANK], step[SGS_MAX_RANK]; /* resolved: y[i] = x[start + i * step], i < size */
} slice_attr;

static const sgs_attr slice_attrs[] = {
    SGS_ATTR_VN(slice_attr, start, SGS_MAX_RANK, n), SGS_ATTR_VN(slice_attr, size, SGS_MAX_RANK, n), SGS_ATTR_VN(slice_attr, step, SGS_MAX_RANK, n),
    SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status slice_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const slice_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (a->n != x->rank)
        return sgs_fail(d, SGS_E_MODEL, "slice of %lld dimensions, the input has %d", (long long)a->n, x->rank);
    sgs_shape_like(out, x);
    for (int i = 0; i < x->rank; i++) {
        int64_t last;
        bool ok = a->size[i] >= 0 && a->start[i] >= 0 && a->start[i] <= x->dim[i] && a->step[i] != 0;
        if (ok && a->size[i] > 0)
            ok = !__builtin_mul_overflow(a->size[i] - 1, a->step[i], &last) && !__builtin_add_overflow(last, a->start[i], &last) && last >= 0 &&
                 last < x->dim[i] && a->start[i] < x->dim[i];
        if (!ok)
            return sgs_fail(d, SGS_E_MODEL, "slice from %lld, %lld steps of %lld, leaves axis %d of %lld", (long long)a->start[i], (long long)a->size[i],
                            (long long)a->step[i], i, (long long)x->dim[i]);
        out->dim[i] = a->size[i];
    }
    return SGS_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------- */

static sgs_status slice_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const slice_attr *a = n->attr;
    int64_t index[SGS_MAX_RANK] = { 0 }, count = sgs_tensor_count(out), bytes = sgs_type_bytes(out->type);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = 0;
        for (int k = 0; k < out->rank; k++)
            at = at * in->dim[k] + a->start[k] + index[k] * a->step[k];
        memcpy((char *)out->data + i * bytes, (const char *)in->data + at * bytes, (size_t)bytes);
        sgs_next_index(index, out->rank, out->dim);
    }
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

typedef struct bounds {
    int64_t start[SGS_MAX_RANK], end[SGS_MAX_RANK], axis[SGS_MAX_RANK], step[SGS_MAX_RANK];
    int n;
} bounds;

/* One list of an input (opset 10 on) that must be as long as the starts. */
static sgs_status list(sgs_import *im, const sgs_source_node *s, int slot, int64_t *v, bounds *b, const char *what, sgs_diag *d)
{
    int n = 0;
    const sgs_value *x = sgs_src_opt(im, s, slot);
    if (!x)
        return SGS_OK;
    SGS_TRY(sgs_src_const_ints(s, x, v, SGS_MAX_RANK, &n, d));
    if (n != b->n)
        return sgs_src_fail(im, s, d, "%d starts, but %d %s", b->n, n, what);
    return SGS_OK;
}

static sgs_status read_bounds(sgs_import *im, const sgs_source_node *s, bounds *b, sgs_diag *d)
{
    sgs_value *v;
    int n = -1;
    for (int i = 0; i < SGS_MAX_RANK; i++) {
        b->axis[i] = i;
        b->step[i] = 1;
    }
    if (s->opset < 10) {
        SGS_TRY(sgs_src_ints(s, "starts", b->start, SGS_MAX_RANK, -1, &b->n, d));
        SGS_TRY(sgs_src_ints(s, "ends", b->end, SGS_MAX_RANK, b->n, &n, d));
        return sgs_src_ints(s, "axes", b->axis, SGS_MAX_RANK, b->n, &n, d);
    }
    SGS_TRY(sgs_src_in(im, s, 1, &v, d));
    SGS_TRY(sgs_src_const_ints(s, v, b->start, SGS_MAX_RANK, &b->n, d));
    SGS_TRY(sgs_src_in(im, s, 2, &v, d));
    SGS_TRY(list(im, s, 2, b->end, b, "ends", d));
    SGS_TRY(list(im, s, 3, b->axis, b, "axes", d));
    return list(im, s, 4, b->step, b, "steps", d);
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* numpy's meaning of start:end:step on an axis of n. */
static void resolve(slice_attr *a, int axis, int64_t n, int64_t start, int64_t end, int64_t step)
{
    start = start < 0 ? start + n : start;
    end = end < 0 && end >= -n ? end + n : end;
    start = step > 0 ? clamp(start, 0, n) : clamp(start, 0, n - 1);
    end = step > 0 ? clamp(end, 0, n) : clamp(end, -1, n - 1);
    int64_t room = step > 0 ? end - start : start - end, pace = step > 0 ? step : step == INT64_MIN ? INT64_MAX : -step;
    a->start[axis] = start < 0 ? 0 : start;
    a->step[axis] = step;
    a->size[axis] = room > 0 && n > 0 ? (room - 1) / pace + 1 : 0;
}

static sgs_status from_onnx_slice(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    bounds b = { .n = 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(read_bounds(im, s, &b, d));
    slice_attr a = { .n = x->rank };
    for (int i = 0; i < x->rank; i++) {
        a.size[i] = x->dim[i];
        a.step[i] = 1;
    }
    for (int i = 0; i < b.n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &b.axis[i], x->rank, d));
        if (b.step[i] == 0)
            return sgs_src_fail(im, s, d, "step must not be 0");
        resolve(&a, (int)b.axis[i], x->dim[b.axis[i]], b.start[i], b.end[i], b.step[i]);
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_slice, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_slice = {
    .name = "slice", .family = "slice", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(slice_attr), .attr = slice_attrs,
    .infer = slice_infer, .eval = slice_eval, .kernel = "",
};

static const sgs_op *const ops[] = { &sgs_op_slice, NULL };
static const sgs_from onnx[] = { { "Slice", from_onnx_slice, 1 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_slice = { "slice", ops, onnx, NULL };
