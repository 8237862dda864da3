/* reshape to a static shape: also flatten, squeeze, unsqueeze and identity. */
#include <string.h>

#include "compile/lower.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr reshape_attrs[] = { SGS_ATTR_VN(sgs_shape_attr, dim, SGS_MAX_RANK, n), SGS_ATTR_END };

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status reshape_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_shape_attr *a = n->attr;
    int64_t count = 1;
    char from[128], to[128];
    if (a->n < 0 || a->n > SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "at most %d dimensions are supported, found %lld", SGS_MAX_RANK, (long long)a->n);
    out->type = n->in[0]->type;
    out->rank = (int)a->n;
    for (int i = 0; i < out->rank; i++) {
        out->dim[i] = a->dim[i];
        if (a->dim[i] < 0 || !sgs_mul64(count, a->dim[i], &count))
            return sgs_fail(d, SGS_E_MODEL, "impossible shape %s", sgs_dims_text(to, sizeof to, out->rank, a->dim));
    }
    if (count != sgs_value_count(n->in[0]))
        return sgs_fail(d, SGS_E_MODEL, "cannot reshape %s to %s: %lld elements against %lld",
                        sgs_dims_text(from, sizeof from, n->in[0]->rank, n->in[0]->dim), sgs_dims_text(to, sizeof to, out->rank, out->dim),
                        (long long)sgs_value_count(n->in[0]), (long long)count);
    return SGS_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------- */

static sgs_status reshape_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st, (void)d;
    size_t bytes = (size_t)(sgs_tensor_count(out) * sgs_type_bytes(out->type));
    if (bytes)
        memcpy(out->data, in->data, bytes);
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

static sgs_status emit_reshape(sgs_import *im, const sgs_source_node *s, sgs_value *x, const sgs_shape_attr *a, sgs_diag *d)
{
    sgs_value *y;
    SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, &x, a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* Zeros copy the input's dimension (unless allowzero), one -1 takes the rest. */
static sgs_status resolve(sgs_import *im, const sgs_source_node *s, const sgs_value *x, int64_t allowzero, sgs_shape_attr *a, sgs_diag *d)
{
    int64_t known = 1, free_axis = -1, count = sgs_value_count(x);
    for (int i = 0; i < a->n; i++) {
        if (a->dim[i] == 0 && !allowzero) {
            if (i >= x->rank)
                return sgs_src_fail(im, s, d, "shape[%d] = 0 copies a dimension that the input does not have (it has %d)", i, x->rank);
            a->dim[i] = x->dim[i];
        }
        if (a->dim[i] == -1 && free_axis < 0) {
            free_axis = i;
            continue;
        }
        if (a->dim[i] == -1)
            return sgs_src_fail(im, s, d, "shape: expected at most one -1, found another as shape[%d]", i);
        if (a->dim[i] < 0)
            return sgs_src_fail(im, s, d, "shape: expected sizes of 0 or more, or one -1, found shape[%d] = %lld", i, (long long)a->dim[i]);
        if (!sgs_mul64(known, a->dim[i], &known))
            return sgs_src_fail(im, s, d, "the product of the shape overflows");
    }
    if (free_axis >= 0) {
        if (known == 0 || count % known)
            return sgs_src_fail(im, s, d, "-1 in the shape cannot be resolved: %lld elements, the other sizes multiply to %lld", (long long)count, (long long)known);
        a->dim[free_axis] = count / known;
    }
    return SGS_OK;
}

static sgs_status from_onnx_reshape(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *shape;
    sgs_shape_attr a = { 0 };
    int64_t allowzero = 0;
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    if (s->opset >= 5) {
        SGS_TRY(sgs_src_in(im, s, 1, &shape, d));
        SGS_TRY(sgs_src_const_ints(s, shape, a.dim, SGS_MAX_RANK, &n, d));
    } else {
        SGS_TRY(sgs_src_ints(s, "shape", a.dim, SGS_MAX_RANK, -1, &n, d));
    }
    a.n = n;
    SGS_TRY(sgs_src_int(s, "allowzero", &allowzero, d));
    SGS_TRY(resolve(im, s, x, allowzero, &a, d));
    return emit_reshape(im, s, x, &a, d);
}

static sgs_status from_onnx_flatten(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    int64_t axis = 1;
    sgs_shape_attr a = { .n = 2, .dim = { 1, 1 } };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "axis", &axis, d));
    if (axis < -x->rank || axis > x->rank)
        return sgs_src_fail(im, s, d, "axis must lie in %d..%d, found %lld", -x->rank, x->rank, (long long)axis);
    axis += axis < 0 ? x->rank : 0;
    for (int i = 0; i < x->rank; i++)
        a.dim[i >= axis] *= x->dim[i];
    return emit_reshape(im, s, x, &a, d);
}

/* Axes as an attribute (before opset 13) or as a constant input; *n stays -1 when there are none. */
static sgs_status axes(sgs_import *im, const sgs_source_node *s, int64_t axis[SGS_MAX_RANK], int *n, sgs_diag *d)
{
    *n = -1;
    if (sgs_src_find(s, "axes"))
        return sgs_src_ints(s, "axes", axis, SGS_MAX_RANK, -1, n, d);
    const sgs_value *v = sgs_src_opt(im, s, 1);
    return v ? sgs_src_const_ints(s, v, axis, SGS_MAX_RANK, n, d) : SGS_OK;
}

/* Marks the listed axes of a tensor of this rank. */
static sgs_status mark(sgs_import *im, const sgs_source_node *s, int64_t *axis, int n, int rank, bool set[SGS_MAX_RANK], sgs_diag *d)
{
    for (int i = 0; i < n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &axis[i], rank, d));
        if (set[axis[i]])
            return sgs_src_fail(im, s, d, "axis %lld is given twice", (long long)axis[i]);
        set[axis[i]] = true;
    }
    return SGS_OK;
}

static sgs_status from_onnx_squeeze(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    int64_t axis[SGS_MAX_RANK];
    bool drop[SGS_MAX_RANK] = { false };
    sgs_shape_attr a = { 0 };
    int n;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(axes(im, s, axis, &n, d));
    SGS_TRY(mark(im, s, axis, n, x->rank, drop, d));
    for (int i = 0; i < x->rank; i++) {
        if (drop[i] && x->dim[i] != 1)
            return sgs_src_fail(im, s, d, "axis %d has %lld elements; only axes of one can be squeezed", i, (long long)x->dim[i]);
        if (!(drop[i] || (n < 0 && x->dim[i] == 1)))
            a.dim[a.n++] = x->dim[i];
    }
    return emit_reshape(im, s, x, &a, d);
}

static sgs_status from_onnx_unsqueeze(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    int64_t axis[SGS_MAX_RANK];
    bool one[SGS_MAX_RANK] = { false };
    int n, from = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(axes(im, s, axis, &n, d));
    if (n < 0)
        return sgs_src_fail(im, s, d, "axes are missing: expected an attribute or a second input");
    if (x->rank + n > SGS_MAX_RANK)
        return sgs_src_refuse(im, s, d, "at most %d dimensions are supported, found %d", SGS_MAX_RANK, x->rank + n);
    sgs_shape_attr a = { .n = x->rank + n };
    SGS_TRY(mark(im, s, axis, n, (int)a.n, one, d));
    for (int i = 0; i < a.n; i++)
        a.dim[i] = one[i] ? 1 : x->dim[from++];
    return emit_reshape(im, s, x, &a, d);
}

static sgs_status from_onnx_identity(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    const sgs_src_bound b = s->nin ? sgs_src_get(im, s->in[0]) : (sgs_src_bound){ NULL, NULL };
    if (b.list)
        return sgs_src_out_list(im, s, 0, b.list, d);
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    if (im->unnamed)
        return sgs_src_out(im, s, 0, x, d);
    SGS_TRY(sgs_emit_same(im, s, x, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status reshape_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_shape_attr *a = n->attr;
    int in[2] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const_s32(w, a->dim, (int)a->n) };
    sgs_tfl_emit(w, "RESHAPE", in, 2, sgs_tfl_value(w, n->out[0]), NULL);
    return SGS_OK;
}

/* The second operator of one node of ours gives back the axis that the first took away. */
static bool undoes(const sgs_import *im, const sgs_value *x, const sgs_shape_attr *a)
{
    const sgs_node *n = x->def;
    if (!im->joined || !n || n != im->g->last || n->op != &sgs_op_reshape || n->in[0]->rank != a->n)
        return false;
    return !memcmp(n->in[0]->dim, a->dim, (size_t)a->n * sizeof *a->dim);
}

static sgs_status reshape_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *shape;
    sgs_shape_attr a = { 0 };
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_ints(s, "new_shape", a.dim, SGS_MAX_RANK, -1, &n, d));
    shape = sgs_src_opt(im, s, 1);
    if (!n || (shape && shape->rank < 2)) { /* what is no list leaves the shape to the options */
        SGS_TRY(sgs_src_in(im, s, 1, &shape, d));
        SGS_TRY(sgs_src_const_ints(s, shape, a.dim, SGS_MAX_RANK, &n, d));
    }
    a.n = n == 1 && !a.dim[0] && sgs_value_count(x) == 1 ? 0 : n; /* older files write a scalar so */
    SGS_TRY(resolve(im, s, x, 1, &a, d));
    if (undoes(im, x, &a)) {
        sgs_value *from = x->def->in[0];
        sgs_node_remove(im->g, x->def);
        return sgs_src_out(im, s, 0, from, d);
    }
    return emit_reshape(im, s, x, &a, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_reshape(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    sgs_shape_attr a = { 0 };
    a.n = sgs_tf_ints(p, 1, a.dim, SGS_MAX_RANK);
    SGS_TRY(p->status);
    SGS_TRY(resolve(im, s, x, 1, &a, d));
    return emit_reshape(im, s, x, &a, d);
}

static sgs_status from_tf_squeeze(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    int64_t axis[SGS_MAX_RANK];
    bool drop[SGS_MAX_RANK] = { false };
    sgs_shape_attr a = { 0 };
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_ints(s, sgs_src_find(s, "axis") ? "axis" : "squeeze_dims", axis, SGS_MAX_RANK, -1, &n, d));
    SGS_TRY(mark(im, s, axis, n, x->rank, drop, d));
    for (int i = 0; i < x->rank; i++) {
        if (drop[i] && x->dim[i] != 1)
            return sgs_src_fail(im, s, d, "axis %d has %lld elements; only axes of one can be squeezed", i, (long long)x->dim[i]);
        if (!(drop[i] || (!n && x->dim[i] == 1)))
            a.dim[a.n++] = x->dim[i];
    }
    return emit_reshape(im, s, x, &a, d);
}

static sgs_status from_tf_expanddims(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const int axis = x ? sgs_tf_axis(p, 1, x->rank + 1) : 0;
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_unsqueeze(p, x, axis));
    return p->status;
}

/* A constant stays the constant that it is, a list the list. */
static sgs_status from_tf_identity(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    for (int i = 0; i < s->nout; i++) {
        const int from = !strcmp(s->op, "IdentityN") ? i : 0;
        sgs_value *x, *y;
        if (!s->out[i][0])
            continue;
        const sgs_src_list *list = from < s->nin ? sgs_src_get(im, s->in[from]).list : NULL;
        if (list) {
            SGS_TRY(sgs_src_out_list(im, s, i, list, d));
            continue;
        }
        SGS_TRY(sgs_src_in(im, s, from, &x, d));
        y = x;
        if (!x->constant)
            SGS_TRY(sgs_emit_same(im, s, x, &y, d));
        SGS_TRY(sgs_src_out(im, s, i, y, d));
    }
    return SGS_OK;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_reshape = {
    .name = "reshape", .family = "reshape", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_shape_attr), .attr = reshape_attrs,
    .infer = reshape_infer, .eval = reshape_eval, .to_tflite = reshape_to_tflite, .qrule = SGS_Q_MOVE, .kernel = "copy",
    .lower = sgs_lower_reshape,
};

static const sgs_op *const ops[] = { &sgs_op_reshape, NULL };
static const sgs_from onnx[] = {
    { "Reshape", from_onnx_reshape, 1 },     { "Flatten", from_onnx_flatten, 1 },   { "Squeeze", from_onnx_squeeze, 1 },
    { "Unsqueeze", from_onnx_unsqueeze, 1 }, { "Identity", from_onnx_identity, 1 }, { NULL, NULL, 0 },
};
static const sgs_from tflite[] = { { "RESHAPE", reshape_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Reshape", from_tf_reshape, 0 },
    { "Squeeze", from_tf_squeeze, 0 },
    { "ExpandDims", from_tf_expanddims, 0 },
    { "Identity", from_tf_identity, 0 },
    { "IdentityN", from_tf_identity, 0 },
    { "StopGradient", from_tf_identity, 0 },
    { "PreventGradient", from_tf_identity, 0 },
    { "PlaceholderWithDefault", from_tf_identity, 0 },
    { "Snapshot", from_tf_identity, 0 },
    { "CheckNumerics", from_tf_identity, 0 },
    { "EnsureShape", from_tf_identity, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_reshape = { "reshape", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
