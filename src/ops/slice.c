/* slice: part of a tensor, with steps; ONNX Slice, Split and Gather by regular indices. */
#include <string.h>

#include "compile/lower.h"
#include "ops/nest.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

#define SGS_MAX_SPLIT 256 /* parts of one Split */

static const sgs_attr slice_attrs[] = {
    SGS_ATTR_VN(sgs_slice_attr, start, SGS_MAX_RANK, n), SGS_ATTR_VN(sgs_slice_attr, size, SGS_MAX_RANK, n), SGS_ATTR_VN(sgs_slice_attr, step, SGS_MAX_RANK, n),
    SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status slice_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_slice_attr *a = n->attr;
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

/* Of elements `stride` bytes apart: where the first lies; stride: now from one to the next. */
static int64_t walk(const sgs_slice_attr *a, int64_t *stride)
{
    int64_t off = 0;
    for (int i = 0; i < a->n; i++) {
        off += a->start[i] * stride[i];
        stride[i] *= a->size[i] > 1 ? a->step[i] : 1;
    }
    return off;
}

static sgs_status slice_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    int64_t stride[SGS_MAX_RANK];
    sgs_dense_strides(in->rank, in->dim, sgs_type_bytes(in->type), stride);
    int64_t off = walk(n->attr, stride);
    sgs_copy_seen(out, (const char *)in->data + off, stride);
    return SGS_OK;
}

sgs_slice_attr sgs_slice_all(const sgs_value *x)
{
    sgs_slice_attr a = { .n = x->rank };
    for (int i = 0; i < x->rank; i++) {
        a.size[i] = x->dim[i];
        a.step[i] = 1;
    }
    return a;
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
static void resolve(sgs_slice_attr *a, int axis, int64_t n, int64_t start, int64_t end, int64_t step)
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
    sgs_slice_attr a = sgs_slice_all(x);
    for (int i = 0; i < b.n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &b.axis[i], x->rank, d));
        if (b.step[i] == 0)
            return sgs_src_fail(im, s, d, "step must not be 0");
        resolve(&a, (int)b.axis[i], x->dim[b.axis[i]], b.start[i], b.end[i], b.step[i]);
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_slice, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* Cuts `size` elements from `start` on along one axis. */
static sgs_status emit_part(sgs_import *im, const sgs_source_node *s, sgs_value *x, int axis, int64_t start, int64_t size, sgs_value **y, sgs_diag *d)
{
    sgs_slice_attr a = sgs_slice_all(x);
    a.start[axis] = start;
    a.size[axis] = size;
    return sgs_emit(im, s, &sgs_op_slice, 1, &x, &a, y, d);
}

/* Sizes of the parts: given, or equal, the last one smaller where they do not divide (opset 18). */
static sgs_status part_sizes(sgs_import *im, const sgs_source_node *s, int64_t length, int64_t *size, sgs_diag *d)
{
    int64_t total = 0, each = (length + s->nout - 1) / s->nout, given[SGS_MAX_SPLIT];
    const sgs_value *list = s->opset >= 13 ? sgs_src_opt(im, s, 1) : NULL;
    int n = -1;
    if (s->nout > SGS_MAX_SPLIT)
        return sgs_src_refuse(im, s, d, "at most %d parts are supported, found %d", SGS_MAX_SPLIT, s->nout);
    SGS_TRY(list ? sgs_src_const_ints(s, list, given, SGS_MAX_SPLIT, &n, d) : sgs_src_ints(s, "split", given, SGS_MAX_SPLIT, -1, &n, d));
    if (n >= 0 && n != s->nout)
        return sgs_src_fail(im, s, d, "%d outputs, but split lists %d sizes", s->nout, n);
    for (int i = 0; i < s->nout; i++) {
        size[i] = n >= 0 ? given[i] : each < length - i * each ? each : length - i * each;
        if (size[i] < 0)
            return sgs_src_fail(im, s, d, "part %d has the negative size %lld", i, (long long)size[i]);
        total += size[i];
    }
    return total == length ? SGS_OK : sgs_src_fail(im, s, d, "the parts add up to %lld, the axis has %lld", (long long)total, (long long)length);
}

static sgs_status from_onnx_split(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    int64_t axis = 0, start = 0, size[SGS_MAX_SPLIT];
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "axis", &axis, d));
    SGS_TRY(sgs_src_axis(im, s, &axis, x->rank, d));
    SGS_TRY(part_sizes(im, s, x->dim[axis], size, d));
    for (int i = 0; i < s->nout; start += size[i++]) {
        if (!s->out[i][0])
            continue;
        SGS_TRY(emit_part(im, s, x, (int)axis, start, size[i], &y, d));
        SGS_TRY(sgs_src_out(im, s, i, y, d));
    }
    return SGS_OK;
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

#define TFL_RANK 5 /* what the builtins of other interpreters take */

static sgs_status slice_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_slice_attr *a = n->attr;
    int64_t end[SGS_MAX_RANK];
    bool steps = false;
    for (int i = 0; i < a->n; i++) {
        if (a->step[i] < 1 || a->size[i] < 1)
            return sgs_tfl_custom(w, n);
        steps = steps || a->step[i] != 1;
        end[i] = a->start[i] + (a->size[i] - 1) * a->step[i] + 1;
    }
    if (a->n < 1 || a->n > TFL_RANK || !sgs_tfl_fits(end, (int)a->n) || !sgs_tfl_fits(a->step, (int)a->n))
        return sgs_tfl_custom(w, n);
    int in[4] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const_s32(w, a->start, (int)a->n),
                  sgs_tfl_const_s32(w, steps ? end : a->size, (int)a->n), steps ? sgs_tfl_const_s32(w, a->step, (int)a->n) : -1 };
    sgs_tfl_emit(w, steps ? "STRIDED_SLICE" : "SLICE", in, steps ? 4 : 3, sgs_tfl_value(w, n->out[0]), NULL);
    return SGS_OK;
}

static sgs_status tfl_list(sgs_import *im, const sgs_source_node *s, int slot, int rank, int64_t *v, sgs_diag *d)
{
    sgs_value *list;
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, slot, &list, d));
    SGS_TRY(sgs_src_const_ints(s, list, v, SGS_MAX_RANK, &n, d));
    return n == rank ? SGS_OK : sgs_src_fail(im, s, d, "input %d: expected %d numbers, found %d", slot, rank, n);
}

static sgs_status slice_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    sgs_slice_attr a = sgs_slice_all(x);
    SGS_TRY(tfl_list(im, s, 1, x->rank, a.start, d));
    SGS_TRY(tfl_list(im, s, 2, x->rank, a.size, d));
    for (int i = 0; i < x->rank; i++)
        a.size[i] = a.size[i] == -1 ? x->dim[i] - a.start[i] : a.size[i];
    SGS_TRY(sgs_emit(im, s, &sgs_op_slice, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* STRIDED_SLICE as the file has it: entry k of the lists belongs to an axis of x, stands for all that are left over, or makes a new one. */
typedef struct strided {
    int n;
    int64_t start[SGS_MAX_RANK], end[SGS_MAX_RANK], step[SGS_MAX_RANK];
    int64_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask, offset;
} strided;

static sgs_status read_strided(sgs_import *im, const sgs_source_node *s, strided *t, sgs_diag *d)
{
    const struct {
        const char *name;
        int64_t *to;
    } masks[] = { { "begin_mask", &t->begin_mask }, { "end_mask", &t->end_mask }, { "ellipsis_mask", &t->ellipsis_mask },
                  { "new_axis_mask", &t->new_axis_mask }, { "shrink_axis_mask", &t->shrink_axis_mask }, { "offset", &t->offset } };
    int64_t *const lists[] = { t->start, t->end, t->step };
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        SGS_TRY(sgs_src_int(s, masks[i].name, masks[i].to, d));
    for (int i = 0; i < 3; i++) {
        sgs_value *list;
        int n = 0;
        SGS_TRY(sgs_src_in(im, s, 1 + i, &list, d));
        SGS_TRY(sgs_src_const_ints(s, list, lists[i], SGS_MAX_RANK, &n, d));
        if (i && n != t->n)
            return sgs_src_fail(im, s, d, "input %d: expected %d numbers, found %d", 1 + i, t->n, n);
        t->n = n;
    }
    return SGS_OK;
}

static bool bit(int64_t mask, int k)
{
    return mask >> k & 1;
}

/* Entry k over an axis of x. */
static sgs_status stride_axis(sgs_import *im, const sgs_source_node *s, const strided *t, int k, int axis, sgs_slice_attr *a, sgs_diag *d)
{
    const int64_t n = a->size[axis], step = t->step[k];
    const bool up = step > 0, gone = bit(t->shrink_axis_mask, k);
    int64_t from = bit(t->begin_mask, k) && !gone ? (up ? 0 : n - 1) : t->start[k];
    int64_t to = bit(t->end_mask, k) ? (up ? n : -n - 1) : t->end[k] + (t->offset ? t->start[k] : 0);
    if (step == 0)
        return sgs_src_fail(im, s, d, "step must not be 0");
    if (gone && (from < -n || from >= n))
        return sgs_src_fail(im, s, d, "index %lld does not lie in the %lld of axis %d", (long long)from, (long long)n, axis);
    if (gone) {
        from += from < 0 ? n : 0;
        to = from + 1;
    }
    resolve(a, axis, n, from, to, gone ? 1 : step);
    return SGS_OK;
}

/* How many axes of x entry k stands for; behind the last entry: all that are left from `axis` on. */
static int axes_of(const strided *t, int k, int rank, int axis)
{
    int others = 0;
    if (k == t->n)
        return rank - axis;
    if (!bit(t->ellipsis_mask, k))
        return bit(t->new_axis_mask, k) ? 0 : 1;
    for (int i = 0; i < t->n; i++)
        others += !bit(t->ellipsis_mask, i) && !bit(t->new_axis_mask, i);
    return rank - others;
}

static sgs_status walk_entries(sgs_import *im, const sgs_source_node *s, const strided *t, sgs_slice_attr *a, sgs_shape_attr *shape, sgs_diag *d)
{
    for (int k = 0, axis = 0; k <= t->n; k++) {
        const bool rest = k == t->n || bit(t->ellipsis_mask, k), fresh = !rest && bit(t->new_axis_mask, k);
        if (fresh && shape->n < SGS_MAX_RANK)
            shape->dim[shape->n++] = 1;
        for (int i = axes_of(t, k, (int)a->n, axis); i > 0; i--, axis++) {
            if (axis >= a->n || shape->n >= SGS_MAX_RANK)
                return sgs_src_fail(im, s, d, "%d entries for an input of %lld dimensions", t->n, (long long)a->n);
            if (!rest)
                SGS_TRY(stride_axis(im, s, t, k, axis, a, d));
            if (rest || !bit(t->shrink_axis_mask, k))
                shape->dim[shape->n++] = a->size[axis];
        }
    }
    return SGS_OK;
}

static sgs_status strided_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    strided t = { 0 };
    sgs_shape_attr shape = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(read_strided(im, s, &t, d));
    sgs_slice_attr a = sgs_slice_all(x);
    SGS_TRY(walk_entries(im, s, &t, &a, &shape, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_slice, 1, &x, &a, &y, d));
    if (shape.n != y->rank || memcmp(shape.dim, y->dim, (size_t)y->rank * sizeof *y->dim))
        SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, &y, &shape, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

static sgs_status slice_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    int64_t stride[SGS_MAX_RANK];
    sgs_lower_strides(l, n->in[0], stride);
    int64_t off = walk(n->attr, stride);
    return sgs_lower_seen(l, n, off, stride, d);
}

static bool slice_permute(const sgs_node *n, const int64_t *perm, int rank, void *attr)
{
    const sgs_slice_attr *from = n->attr;
    sgs_slice_attr *to = attr;
    for (int i = 0; i < rank; i++) {
        to->start[perm[i]] = from->start[i];
        to->size[perm[i]] = from->size[i];
        to->step[perm[i]] = from->step[i];
    }
    return true;
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_slice(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t begin[SGS_MAX_RANK], size[SGS_MAX_RANK];
    const int n = sgs_tf_ints(p, 1, begin, SGS_MAX_RANK), m = sgs_tf_ints(p, 2, size, SGS_MAX_RANK);
    if (p->status == SGS_OK && (n != x->rank || m != n))
        sgs_sp_fail(p, "expected %d beginnings and sizes, one for each dimension, found %d and %d", x->rank, n, m);
    if (p->status != SGS_OK)
        return p->status;
    sgs_slice_attr a = sgs_slice_all(x);
    for (int i = 0; i < n && p->status == SGS_OK; i++) {
        if (begin[i] < 0 || begin[i] > x->dim[i] || size[i] < -1 || size[i] > x->dim[i] - begin[i])
            sgs_sp_fail(p, "axis %d of %lld elements has no %lld from %lld on", i, (long long)x->dim[i], (long long)size[i], (long long)begin[i]);
        a.start[i] = begin[i];
        a.size[i] = size[i] < 0 ? x->dim[i] - begin[i] : size[i];
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_slice, x, &a));
    return p->status;
}

/* One of them may be -1: the rest. */
static void part_lengths(sgs_spell *p, int64_t length, int64_t n, int64_t *size)
{
    int64_t total = 0;
    int rest = -1;
    const int given = sgs_tf_ints(p, 1, size, SGS_MAX_SPLIT);
    if (p->status == SGS_OK && given != n)
        sgs_sp_fail(p, "%lld outputs, but split lists %d sizes", (long long)n, given);
    for (int i = 0; i < n && p->status == SGS_OK; i++) {
        if (size[i] < -1 || size[i] > length || (size[i] == -1 && rest >= 0))
            sgs_sp_fail(p, "part %d cannot have %lld of %lld elements", i, (long long)size[i], (long long)length);
        rest = size[i] < 0 ? i : rest;
        total += size[i] < 0 ? 0 : size[i];
    }
    if (p->status == SGS_OK && rest >= 0)
        size[rest] = length - total;
    if (p->status == SGS_OK && (total > length || (rest < 0 && total != length)))
        sgs_sp_fail(p, "the parts add up to %lld, the axis has %lld", (long long)total, (long long)length);
}

/* Split has the axis first and equal parts, SplitV sizes of which one may be -1; Unpack takes the axis away. */
static sgs_status from_tf_split(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool unpack = !strcmp(s->op, "Unpack"), sizes = !strcmp(s->op, "SplitV");
    sgs_value *x = sgs_sp_in(p, unpack || sizes ? 0 : 1);
    const int axis = !x ? 0 : unpack ? (int)sgs_sp_axis(p, "axis", 0, x->rank) : sgs_tf_axis(p, sizes ? 2 : 0, x->rank);
    int64_t n = unpack && p->status == SGS_OK ? x->dim[axis] : 0, size[SGS_MAX_SPLIT], start = 0;
    if (!unpack)
        n = sgs_sp_int(p, "num_split", s->nout);
    if (p->status == SGS_OK && (n < 1 || n > SGS_MAX_SPLIT || s->nout > n))
        sgs_sp_fail(p, "expected 1 to %d parts, as many as there are outputs or more, found %lld parts and %d outputs", SGS_MAX_SPLIT, (long long)n, s->nout);
    if (p->status != SGS_OK)
        return p->status;
    if (sizes)
        part_lengths(p, x->dim[axis], n, size);
    else if (x->dim[axis] % n)
        sgs_sp_fail(p, "%lld elements cannot be split into %lld equal parts", (long long)x->dim[axis], (long long)n);
    for (int64_t i = 0; i < n && p->status == SGS_OK; i++) {
        const int64_t each = sizes ? size[i] : x->dim[axis] / n;
        sgs_value *y = sgs_sp_wants(p, (int)i) ? sgs_sp_slice(p, x, axis, start, each, 1) : NULL;
        if (y)
            sgs_sp_out(p, (int)i, unpack ? sgs_sp_squeeze(p, y, axis) : y);
        start += each;
    }
    return p->status;
}

static sgs_status from_tf_reverse(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t axis[SGS_MAX_RANK];
    const int n = sgs_tf_ints(p, 1, axis, SGS_MAX_RANK);
    if (p->status != SGS_OK)
        return p->status;
    sgs_slice_attr a = sgs_slice_all(x);
    for (int i = 0; i < n && p->status == SGS_OK; i++) {
        p->status = sgs_src_axis(im, s, &axis[i], x->rank, d);
        if (p->status != SGS_OK || !x->dim[axis[i]])
            continue;
        a.start[axis[i]] = x->dim[axis[i]] - 1;
        a.step[axis[i]] = -1;
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_slice, x, &a));
    return p->status;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_slice = {
    .name = "slice", .family = "slice", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_slice_attr), .attr = slice_attrs,
    .infer = slice_infer, .eval = slice_eval, .to_tflite = slice_to_tflite, .permute = slice_permute, .qrule = SGS_Q_MOVE, .kernel = "copy",
    .lower = slice_lower,
};

static const sgs_op *const ops[] = { &sgs_op_slice, NULL };
static const sgs_from onnx[] = { { "Slice", from_onnx_slice, 1 }, { "Split", from_onnx_split, 2 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "SLICE", slice_from_tflite, 0 }, { "STRIDED_SLICE", strided_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Slice", from_tf_slice, 0 },
    { "StridedSlice", strided_from_tflite, 0 },
    { "Split", from_tf_split, 0 },
    { "SplitV", from_tf_split, 0 },
    { "Unpack", from_tf_split, 0 },
    { "ReverseV2", from_tf_reverse, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_slice = { "slice", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
