/* reduce_sum, reduce_mean, reduce_max, reduce_min, reduce_prod: over any axes, which stay as axes of one element.
 * ONNX's other reductions are made of these and elementwise operators. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/nest.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr reduce_attrs[] = { SGS_ATTR_VN(sgs_reduce_attr, axis, SGS_MAX_RANK, n), SGS_ATTR_END };

typedef enum kind { SUM, MEAN, MAX, MIN, PROD } kind;

static kind kind_of(const sgs_op *op)
{
    return op == &sgs_op_reduce_sum    ? SUM
           : op == &sgs_op_reduce_mean ? MEAN
           : op == &sgs_op_reduce_max  ? MAX
           : op == &sgs_op_reduce_min  ? MIN
                                       : PROD;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

static sgs_status reduce_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_reduce_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (x->type != SGS_F32 && x->type != SGS_F64 && x->type != SGS_S64 && x->type != SGS_S32 && x->type != SGS_U8 &&
        x->type != SGS_S16 && x->type != SGS_S8 && x->type != SGS_BOOL)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(x->type));
    sgs_shape_like(out, x);
    for (int i = 0; i < a->n; i++) {
        if (a->axis[i] < 0 || a->axis[i] >= x->rank || (i && a->axis[i] <= a->axis[i - 1]))
            return sgs_fail(d, SGS_E_MODEL, "axes must lie in 0..%d and grow, found %lld", x->rank - 1,
                            (long long)a->axis[i]);
        out->dim[a->axis[i]] = 1;
    }
    return SGS_OK;
}

static bool reduce_permute(const sgs_node *n, const int64_t *perm, int rank, void *attr)
{
    (void)n;
    sgs_reduce_attr *a = attr;
    bool gathered[SGS_MAX_RANK] = { false };
    for (int i = 0; i < a->n; i++)
        gathered[perm[a->axis[i]]] = true;
    a->n = 0;
    for (int i = 0; i < rank; i++)
        if (gathered[i])
            a->axis[a->n++] = i;
    return true;
}

static int64_t gathered_count(const sgs_reduce_attr *a, const int64_t *dim)
{
    int64_t count = 1;
    for (int i = 0; i < a->n; i++)
        count *= dim[a->axis[i]];
    return count;
}

/* ---- evaluation: reals in double, integers in 64 bits ------------------------------------------------------------ */

/* y (operand 0) stands still along gathered axes; strides count elements. */
static sgs_nest walk_of(const sgs_tensor *x, const sgs_tensor *y)
{
    sgs_nest n = { .rank = x->rank, .operands = 2 };
    int64_t step[2] = { 1, 1 };
    for (int i = x->rank - 1; i >= 0; i--) {
        n.dim[i] = x->dim[i];
        n.stride[0][i] = y->dim[i] == 1 ? 0 : step[0];
        n.stride[1][i] = step[1];
        step[0] *= y->dim[i];
        step[1] *= x->dim[i];
    }
    return n;
}

static double real_at(const sgs_tensor *x, int64_t i)
{
    return x->type == SGS_F32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i];
}

static int64_t int_at(const sgs_tensor *x, int64_t i)
{
    switch (x->type) {
    case SGS_S64:
        return ((const int64_t *)x->data)[i];
    case SGS_S32:
        return ((const int32_t *)x->data)[i];
    case SGS_S8:
        return ((const int8_t *)x->data)[i];
    default:
        return ((const uint8_t *)x->data)[i];
    }
}

static void add_real(kind k, double *acc, double v)
{
    switch (k) {
    case SUM:
    case MEAN:
        *acc += v;
        break;
    case MAX:
        *acc = v > *acc ? v : *acc;
        break;
    case MIN:
        *acc = v < *acc ? v : *acc;
        break;
    case PROD:
        *acc *= v;
        break;
    }
}

/* False on overflow. */
static bool add_int(kind k, int64_t *acc, int64_t v)
{
    switch (k) {
    case SUM:
    case MEAN:
        return !__builtin_add_overflow(*acc, v, acc);
    case MAX:
        *acc = v > *acc ? v : *acc;
        break;
    case MIN:
        *acc = v < *acc ? v : *acc;
        break;
    case PROD:
        return !__builtin_mul_overflow(*acc, v, acc);
    }
    return true;
}

typedef union acc {
    double real;
    int64_t integer;
} acc;

static acc start(kind k, bool real)
{
    static const double reals[] = { [SUM] = 0, [MEAN] = 0, [MAX] = -INFINITY, [MIN] = INFINITY, [PROD] = 1 };
    static const int64_t ints[] = { [SUM] = 0, [MEAN] = 0, [MAX] = INT64_MIN, [MIN] = INT64_MAX, [PROD] = 1 };
    return real ? (acc){ .real = reals[k] } : (acc){ .integer = ints[k] };
}

/* All elements of x into the sums of y. */
static sgs_status gather(kind k, bool real, const sgs_tensor *x, const sgs_tensor *y, acc *sum, sgs_diag *d)
{
    sgs_nest n = walk_of(x, y);
    sgs_nest_merge(&n);
    const int inner = n.rank - 1;
    int64_t index[SGS_MAX_RANK + 1] = { 0 }, off[SGS_NEST_OPERANDS];
    do {
        bool ok = true;
        sgs_nest_at(&n, inner, index, off);
        for (int64_t i = 0; i < n.dim[inner]; i++) {
            acc *to = sum + off[0] + i * n.stride[0][inner];
            const int64_t from = off[1] + i * n.stride[1][inner];
            if (real)
                add_real(k, &to->real, real_at(x, from));
            else
                ok = add_int(k, &to->integer, int_at(x, from)) && ok;
        }
        if (!ok)
            return sgs_fail(d, SGS_E_MODEL, "integer overflow");
    } while (sgs_next_index(index, inner, n.dim));
    return SGS_OK;
}

static sgs_status put_int(sgs_tensor *y, int64_t i, int64_t v, sgs_diag *d)
{
    if (y->type == SGS_S64) {
        ((int64_t *)y->data)[i] = v;
        return SGS_OK;
    }
    if (y->type != SGS_S32) {
        ((uint8_t *)y->data)[i] = (uint8_t)v;
        return SGS_OK;
    }
    if (v < INT32_MIN || v > INT32_MAX)
        return sgs_fail(d, SGS_E_MODEL, "integer overflow");
    ((int32_t *)y->data)[i] = (int32_t)v;
    return SGS_OK;
}

static sgs_status finish(kind k, bool real, const acc *sum, int64_t gathered, sgs_tensor *y, sgs_diag *d)
{
    const int64_t count = sgs_tensor_count(y), share = k == MEAN ? gathered : 1;
    for (int64_t i = 0; i < count; i++) {
        if (!real)
            SGS_TRY(put_int(y, i, share ? sum[i].integer / share : 0, d));
        else if (y->type == SGS_F32)
            ((float *)y->data)[i] = (float)(sum[i].real / (double)share);
        else
            ((double *)y->data)[i] = sum[i].real / (double)share;
    }
    return SGS_OK;
}

static sgs_status reduce_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const kind k = kind_of(n->op);
    const bool real = in->type == SGS_F32 || in->type == SGS_F64;
    const int64_t count = sgs_tensor_count(out);
    const bool extreme = k == MAX || k == MIN;
    if (!real && in->type != SGS_S64 && in->type != SGS_S32 && (!extreme || in->type == SGS_S16))
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(in->type));
    acc *sum = malloc((size_t)(count + 1) * sizeof *sum);
    if (!sum)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    for (int64_t i = 0; i < count; i++)
        sum[i] = start(k, real);
    sgs_status s = sgs_tensor_count(in) ? gather(k, real, in, out, sum, d) : SGS_OK;
    if (s == SGS_OK)
        s = finish(k, real, sum, gathered_count(n->attr, in->dim), out, d);
    free(sum);
    return s;
}

/* ---- from ONNX --------------------------------------------------------------------------------------------------- */

static const sgs_op *op_of(const char *onnx)
{
    return !strcmp(onnx, "ReduceMean")   ? &sgs_op_reduce_mean
           : !strcmp(onnx, "ReduceMax")  ? &sgs_op_reduce_max
           : !strcmp(onnx, "ReduceMin")  ? &sgs_op_reduce_min
           : !strcmp(onnx, "ReduceProd") ? &sgs_op_reduce_prod
                                         : &sgs_op_reduce_sum;
}

/* Axes in any order, negative ones counted from the end. */
static sgs_status set_axes(sgs_import *im, const sgs_source_node *s, const int64_t *axis, int n, int rank,
                           sgs_reduce_attr *a, sgs_diag *d)
{
    bool gathered[SGS_MAX_RANK] = { false };
    for (int i = 0; i < n; i++) {
        int64_t at = axis[i];
        SGS_TRY(sgs_src_axis(im, s, &at, rank, d));
        if (gathered[at])
            return sgs_src_fail(im, s, d, "axis %lld is given twice", (long long)at);
        gathered[at] = true;
    }
    *a = (sgs_reduce_attr){ 0 };
    for (int i = 0; i < rank; i++)
        if (gathered[i] || !n)
            a->axis[a->n++] = i;
    return SGS_OK;
}

/* Axes as attribute or as second input; without any, all of them, or with noop_with_empty_axes none. */
static sgs_status onnx_axes(sgs_import *im, const sgs_source_node *s, const sgs_value *x, sgs_reduce_attr *a,
                            sgs_diag *d)
{
    const sgs_value *given = sgs_src_opt(im, s, 1);
    int64_t axis[SGS_MAX_RANK], noop = 0;
    int n = 0;
    SGS_TRY(sgs_src_ints(s, "axes", axis, SGS_MAX_RANK, -1, &n, d));
    SGS_TRY(sgs_src_int(s, "noop_with_empty_axes", &noop, d));
    if (given)
        SGS_TRY(sgs_src_const_ints(s, given, axis, SGS_MAX_RANK, &n, d));
    *a = (sgs_reduce_attr){ 0 };
    return n || !noop ? set_axes(im, s, axis, n, x->rank, a, d) : SGS_OK;
}

/* The axes of one element go. */
static sgs_status without_axes(sgs_import *im, const sgs_source_node *s, const sgs_reduce_attr *a, sgs_value **y,
                               sgs_diag *d)
{
    sgs_shape_attr r = { 0 };
    for (int i = 0, k = 0; i < (*y)->rank; i++) {
        if (k < a->n && a->axis[k] == i)
            k++;
        else
            r.dim[r.n++] = (*y)->dim[i];
    }
    return sgs_emit(im, s, &sgs_op_reshape, 1, y, &r, y, d);
}

static sgs_status pair(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_value *a, sgs_value *b,
                       sgs_value **y, sgs_diag *d)
{
    sgs_value *in[] = { a, b };
    return sgs_emit(im, s, op, 2, in, NULL, y, d);
}

/* Sums of absolute values, of squares, and what is made of them. */
static sgs_status from_onnx_derived(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const bool l1 = !strcmp(s->op, "ReduceL1"), l2 = !strcmp(s->op, "ReduceL2"), log = !strcmp(s->op, "ReduceLogSum"),
               exp = !strcmp(s->op, "ReduceLogSumExp");
    sgs_value *x, *y, *most = NULL;
    sgs_reduce_attr a;
    int64_t keep = 1;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "keepdims", &keep, d));
    SGS_TRY(onnx_axes(im, s, x, &a, d));
    if (exp) {
        SGS_TRY(sgs_emit(im, s, &sgs_op_reduce_max, 1, &x, &a, &most, d));
        SGS_TRY(pair(im, s, &sgs_op_sub, x, most, &y, d));
        SGS_TRY(sgs_emit(im, s, &sgs_op_exp, 1, &y, NULL, &y, d));
    } else if (l1) {
        SGS_TRY(sgs_emit(im, s, &sgs_op_abs, 1, &x, NULL, &y, d));
    } else if (log) {
        y = x;
    } else {
        SGS_TRY(pair(im, s, &sgs_op_mul, x, x, &y, d));
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_reduce_sum, 1, &y, &a, &y, d));
    if (l2 || log || exp)
        SGS_TRY(sgs_emit(im, s, l2 ? &sgs_op_sqrt : &sgs_op_log, 1, &y, NULL, &y, d));
    if (exp)
        SGS_TRY(pair(im, s, &sgs_op_add, y, most, &y, d));
    if (!keep)
        SGS_TRY(without_axes(im, s, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* The product along one axis: halves meet until one element is left, so that every product on the way has a range of
 * its own. */
static sgs_value *axis_product(sgs_spell *p, sgs_value *x, int axis)
{
    while (p->status == SGS_OK && x->dim[axis] > 1) {
        const int64_t n = x->dim[axis], half = n / 2;
        sgs_value *first = sgs_sp_slice(p, x, axis, 0, half, 1), *second = sgs_sp_slice(p, x, axis, half, half, 1);
        sgs_value *both[2] = { sgs_sp_two(p, &sgs_op_mul, first, second), NULL };
        if (n % 2)
            both[1] = sgs_sp_slice(p, x, axis, n - 1, 1, 1);
        x = n % 2 ? sgs_sp_concat(p, 2, both, axis) : both[0];
    }
    return x;
}

/* Of real numbers that are known only at run time. */
static sgs_status spelled_product(sgs_import *im, const sgs_source_node *s, sgs_value *x, const sgs_reduce_attr *a,
                                  sgs_value **y, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d };
    *y = x;
    for (int i = 0; i < a->n; i++)
        *y = axis_product(&spell, *y, (int)a->axis[i]);
    if (spell.status == SGS_OK && *y == x)
        *y = sgs_sp_own(&spell, x);
    return spell.status;
}

static sgs_status from_onnx_reduce(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    sgs_reduce_attr a;
    int64_t keep = 1;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "keepdims", &keep, d));
    SGS_TRY(onnx_axes(im, s, x, &a, d));
    if (op_of(s->op) == &sgs_op_reduce_prod && x->type == SGS_F32 && !x->constant && sgs_value_count(x))
        SGS_TRY(spelled_product(im, s, x, &a, &y, d));
    else
        SGS_TRY(sgs_emit(im, s, op_of(s->op), 1, &x, &a, &y, d));
    if (!keep)
        SGS_TRY(without_axes(im, s, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- from TensorFlow ---- */

/* Truth values are reduced as integers. */
static sgs_status from_tf_reduce(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const struct {
        const char *name;
        const sgs_op *op;
    } of[] = { { "Mean", &sgs_op_reduce_mean }, { "Sum", &sgs_op_reduce_sum }, { "Max", &sgs_op_reduce_max }, { "Min", &sgs_op_reduce_min },
               { "Prod", &sgs_op_reduce_prod }, { "All", &sgs_op_reduce_min }, { "Any", &sgs_op_reduce_max } };
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *y;
    int64_t axis[SGS_MAX_RANK];
    bool gathered[SGS_MAX_RANK] = { false };
    sgs_reduce_attr a = { 0 };
    const int n = sgs_tf_ints(p, 1, axis, SGS_MAX_RANK);
    const bool keep = sgs_sp_int(p, "keep_dims", sgs_sp_int(p, "keepdims", 0)) != 0;
    size_t row = 0;
    while (strcmp(of[row].name, s->op))
        row++;
    for (int i = 0; i < n && p->status == SGS_OK; i++) {
        p->status = sgs_src_axis(im, s, &axis[i], x->rank, d);
        if (p->status == SGS_OK)
            gathered[axis[i]] = true;
    }
    if (p->status != SGS_OK)
        return p->status;
    for (int i = 0; i < x->rank; i++)
        if (gathered[i])
            a.axis[a.n++] = i;
    const sgs_type t = x->type;
    y = x = t == SGS_BOOL ? sgs_sp_cast(p, x, SGS_S32) : x;
    SGS_TRY(p->status);
    if (of[row].op == &sgs_op_reduce_prod && x->type == SGS_F32 && !x->constant && sgs_value_count(x))
        SGS_TRY(spelled_product(im, s, x, &a, &y, d));
    else if (a.n)
        SGS_TRY(sgs_emit(im, s, of[row].op, 1, &x, &a, &y, d));
    else
        SGS_TRY(sgs_emit_same(im, s, x, &y, d));
    if (!keep && a.n)
        SGS_TRY(without_axes(im, s, &a, &y, d));
    return sgs_src_out(im, s, 0, sgs_sp_cast(p, y, t), d);
}

/* ---- .sim -------------------------------------------------------------------------------------------------------- */

static const char *const builtin[] = { "SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD" };

/* A mean of integers rounds in its own way, no axes mean none. */
static sgs_status reduce_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_reduce_attr *a = n->attr;
    const sgs_type t = n->in[0]->type;
    const kind k = kind_of(n->op);
    if (!a->n || t == SGS_F64 || t == SGS_BOOL || (k == MEAN && (t == SGS_S32 || t == SGS_S64)))
        return sgs_tfl_custom(w, n);
    const int in[] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const_s32(w, a->axis, (int)a->n) };
    const sgs_tfl_option o[] = { { "keep_dims", 1 }, { NULL, 0 } };
    sgs_tfl_emit(w, builtin[k], in, 2, sgs_tfl_value(w, n->out[0]), o);
    return SGS_OK;
}

static sgs_status reduce_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const sgs_op *const ops[] = { &sgs_op_reduce_sum, &sgs_op_reduce_mean, &sgs_op_reduce_max,
                                         &sgs_op_reduce_min, &sgs_op_reduce_prod };
    sgs_value *x, *axes, *y;
    sgs_reduce_attr a = { 0 };
    int64_t axis[SGS_MAX_RANK], keep = 0;
    int n = 0, k = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &axes, d));
    SGS_TRY(sgs_src_int(s, "keep_dims", &keep, d));
    SGS_TRY(sgs_src_const_ints(s, axes, axis, SGS_MAX_RANK, &n, d));
    if (n)
        SGS_TRY(set_axes(im, s, axis, n, x->rank, &a, d));
    while (strcmp(builtin[k], s->op))
        k++;
    SGS_TRY(sgs_emit(im, s, ops[k], 1, &x, &a, &y, d));
    if (!keep)
        SGS_TRY(without_axes(im, s, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering: ARITHMETIC.md 7 ----------------------------------------------------------------------------------- */

/* Bytes; y stands still along gathered axes. */
static sgs_nest windows_of(sgs_lowering *l, const sgs_value *x, const sgs_value *y)
{
    sgs_nest n = { .rank = x->rank, .operands = 2 };
    int64_t stride[2][SGS_MAX_RANK];
    sgs_lower_strides(l, y, stride[0]);
    sgs_lower_strides(l, x, stride[1]);
    for (int i = 0; i < x->rank; i++) {
        n.dim[i] = x->dim[i];
        n.stride[0][i] = y->dim[i] == 1 ? 0 : stride[0][i];
        n.stride[1][i] = stride[1][i];
    }
    sgs_nest_merge(&n);
    return n;
}

/* A record's channels lie side by side; an axis of one element stands in where they don't. */
static void end_in_channels(sgs_nest *n, int64_t each)
{
    const int last = n->rank - 1;
    if (n->stride[1][last] == each && (n->stride[0][last] == each || !n->stride[0][last]))
        return;
    n->dim[n->rank] = 1;
    n->stride[0][n->rank] = n->stride[1][n->rank] = each;
    n->rank++;
}

/* More than four axes: of those that stay, the shortest become loops round records, in front; the last axis holds the
 * channels. */
static int put_loops_first(sgs_nest *n)
{
    int loops = 0;
    while (n->rank - loops > 4) {
        int best = -1;
        for (int i = loops; i < n->rank - 1; i++)
            if (n->stride[0][i] && (best < 0 || n->dim[i] < n->dim[best]))
                best = i;
        if (best < 0)
            return -1;
        const sgs_nest was = *n;
        for (int i = best; i > loops; i--) {
            n->dim[i] = was.dim[i - 1];
            for (int k = 0; k < 2; k++)
                n->stride[k][i] = was.stride[k][i - 1];
        }
        n->dim[loops] = was.dim[best];
        for (int k = 0; k < 2; k++)
            n->stride[k][loops] = was.stride[k][best];
        loops++;
    }
    return loops;
}

static ipu_ref window(sgs_lowering *l, const sgs_nest *n, int k, const sgs_value *v, int64_t off)
{
    int64_t dim[4] = { 1, 1, 1, 1 }, stride[4] = { 0 };
    for (int i = n->rank - 1, to = 3; i >= 0 && to >= 0; i--, to--) {
        dim[to] = n->stride[k][i] ? n->dim[i] : 1;
        stride[to] = n->stride[k][i];
    }
    return sgs_lower_window(l, v, off, dim, stride);
}

static void set_sum(ipu_reduce *r, const sgs_node *n)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const int64_t count = gathered_count(n->attr, x->dim), share = n->op == &sgs_op_reduce_mean ? count : 1;
    while ((32768 * count >> r->shift) + 1 > INT32_MAX)
        r->shift++;
    r->m = sgs_mult(sgs_scale(x, 0) * (double)((int64_t)1 << r->shift), sgs_scale(y, 0) * (double)share);
    r->out = sgs_out_range(y, SGS_ACT_NONE, 0, 0);
}

static sgs_status check_types(sgs_lowering *l, const sgs_node *n, bool sum, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (n->op == &sgs_op_reduce_sum && x->type == SGS_S32 && y->type == SGS_S32)
        return SGS_OK;
    if (sum && (x->type != SGS_S16 || y->type != SGS_S16 || !sgs_one_scale(x) || !sgs_one_scale(y)))
        return sgs_lower_fail(l, n, d, "expected int16 in and out with one scale each");
    if (!sum && (!(sgs_is_activation(x) || sgs_is_integer(x)) || x->type != y->type))
        return sgs_lower_fail(l, n, d, "expected uint8 or int16, the same in and out");
    return gathered_count(n->attr, x->dim) >= (int64_t)1 << 40 ? sgs_lower_fail(l, n, d, "too many elements") : SGS_OK;
}

static sgs_status reduce_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const kind k = kind_of(n->op);
    const bool sum = k == SUM || k == MEAN;
    ipu_reduce r = { .head = SGS_REC(sum ? IPU_REDUCE_SUM_S16 : k == MAX ? IPU_REDUCE_MAX : IPU_REDUCE_MIN, reduce) };
    SGS_TRY(check_types(l, n, sum, d));
    if (x->type == SGS_S32)
        r.head.kind = sum ? IPU_REDUCE_SUM_S32 : r.head.kind;
    else if (sum)
        set_sum(&r, n);
    sgs_nest nest = windows_of(l, x, y);
    end_in_channels(&nest, sgs_type_bytes(x->type));
    const int loops = put_loops_first(&nest);
    if (loops < 0)
        return sgs_lower_fail(l, n, d, "more than four axes apart from each other are gathered");
    int64_t index[SGS_MAX_RANK + 1] = { 0 }, off[SGS_NEST_OPERANDS];
    do {
        sgs_nest_at(&nest, loops, index, off);
        r.y = window(l, &nest, 0, y, off[0]);
        r.x = window(l, &nest, 1, x, off[1]);
        SGS_TRY(sgs_lower_emit(l, &r.head, n, 0, d));
    } while (sgs_next_index(index, loops, nest.dim));
    return SGS_OK;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

#define ROW(op, rule, fixed, lowering, own_kernel)                                                                     \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "reduce",                                                                                            \
        .nin_min = 1,                                                                                                  \
        .nin_max = 1,                                                                                                  \
        .nout = 1,                                                                                                     \
        .attr_bytes = sizeof(sgs_reduce_attr),                                                                         \
        .attr = reduce_attrs,                                                                                          \
        .infer = reduce_infer,                                                                                         \
        .eval = reduce_eval,                                                                                           \
        .to_tflite = reduce_to_tflite,                                                                                 \
        .permute = reduce_permute,                                                                                     \
        .qrule = rule,                                                                                                 \
        .unfixed = fixed,                                                                                              \
        .lower = lowering,                                                                                             \
        .kernel = own_kernel,                                                                                          \
    }
ROW(reduce_sum, SGS_Q_S16, sgs_number_unfixed, reduce_lower, NULL);
ROW(reduce_mean, SGS_Q_S16, NULL, reduce_lower, NULL);
ROW(reduce_max, SGS_Q_MOVE, NULL, reduce_lower, NULL);
ROW(reduce_min, SGS_Q_MOVE, NULL, reduce_lower, NULL);
ROW(reduce_prod, SGS_Q_NONE, NULL, NULL, "");

static const sgs_op *const ops[] = { &sgs_op_reduce_sum, &sgs_op_reduce_mean, &sgs_op_reduce_max,
                                     &sgs_op_reduce_min, &sgs_op_reduce_prod, NULL };
static const sgs_from onnx[] = {
    { "ReduceSum", from_onnx_reduce, 1 },
    { "ReduceMean", from_onnx_reduce, 1 },
    { "ReduceMax", from_onnx_reduce, 1 },
    { "ReduceMin", from_onnx_reduce, 1 },
    { "ReduceProd", from_onnx_reduce, 1 },
    { "ReduceL1", from_onnx_derived, 1 },
    { "ReduceL2", from_onnx_derived, 1 },
    { "ReduceSumSquare", from_onnx_derived, 1 },
    { "ReduceLogSum", from_onnx_derived, 1 },
    { "ReduceLogSumExp", from_onnx_derived, 1 },
    { NULL, NULL, 0 },
};
static const sgs_from tflite[] = {
    { "SUM", reduce_from_tflite, 0 },         { "MEAN", reduce_from_tflite, 0 },
    { "REDUCE_MAX", reduce_from_tflite, 0 },  { "REDUCE_MIN", reduce_from_tflite, 0 },
    { "REDUCE_PROD", reduce_from_tflite, 0 }, { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "Mean", from_tf_reduce, 0 },
    { "Sum", from_tf_reduce, 0 },
    { "Max", from_tf_reduce, 0 },
    { "Min", from_tf_reduce, 0 },
    { "Prod", from_tf_reduce, 0 },
    { "All", from_tf_reduce, 0 },
    { "Any", from_tf_reduce, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_reduce = { "reduce", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
