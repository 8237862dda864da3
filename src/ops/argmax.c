/* argmax, argmin: the index of the largest, smallest element along one axis, which stays as an axis of one element. */
#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

typedef struct argmax_attr {
    int64_t axis;
    int64_t last; /* of equals the last; else the first */
} argmax_attr;

static const sgs_attr argmax_attrs[] = { SGS_ATTR_I(argmax_attr, axis), SGS_ATTR_I(argmax_attr, last), SGS_ATTR_END };

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

static sgs_status argmax_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const argmax_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (a->axis < 0 || a->axis >= x->rank)
        return sgs_fail(d, SGS_E_MODEL, "axis must lie in 0..%d, found %lld", x->rank - 1, (long long)a->axis);
    if (x->dim[a->axis] < 1 || x->dim[a->axis] > INT32_MAX || (a->last != 0 && a->last != 1))
        return sgs_fail(d, SGS_E_MODEL,
                        "expected 1 to 2^31 elements along the axis and last 0 or 1, found %lld and %lld",
                        (long long)x->dim[a->axis], (long long)a->last);
    sgs_shape_like(out, x);
    out->type = SGS_S32;
    out->dim[a->axis] = 1;
    return SGS_OK;
}

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

static bool is_greater(const sgs_tensor *x, int64_t i, int64_t j)
{
    switch (x->type) {
    case SGS_F32:
        return ((const float *)x->data)[i] > ((const float *)x->data)[j];
    case SGS_F64:
        return ((const double *)x->data)[i] > ((const double *)x->data)[j];
    case SGS_S64:
        return ((const int64_t *)x->data)[i] > ((const int64_t *)x->data)[j];
    case SGS_S32:
        return ((const int32_t *)x->data)[i] > ((const int32_t *)x->data)[j];
    case SGS_S8:
        return ((const int8_t *)x->data)[i] > ((const int8_t *)x->data)[j];
    default:
        return ((const uint8_t *)x->data)[i] > ((const uint8_t *)x->data)[j];
    }
}

/* The index along an axis of n elements, `step` apart from element `from` on. */
static int64_t find(const sgs_tensor *x, int64_t from, int64_t n, int64_t step, bool least, bool last)
{
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++) {
        const int64_t i = from + k * step, j = from + best * step;
        const bool better = least ? is_greater(x, j, i) : is_greater(x, i, j);
        const bool worse = least ? is_greater(x, i, j) : is_greater(x, j, i);
        if (better || (last && !worse))
            best = k;
    }
    return best;
}

static sgs_status argmax_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const argmax_attr *a = n->attr;
    int64_t step = 1, outer = 1;
    if (in->type != SGS_F32 && in->type != SGS_F64 && in->type != SGS_S64 && in->type != SGS_S32 &&
        in->type != SGS_S8 && in->type != SGS_U8)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(in->type));
    for (int i = 0; i < in->rank; i++)
        *(i < a->axis ? &outer : &step) *= i == a->axis ? 1 : in->dim[i];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < step; i++)
            ((int32_t *)out->data)[o * step + i] = (int32_t)find(in, o * step * in->dim[a->axis] + i, in->dim[a->axis],
                                                                 step, n->op == &sgs_op_argmin, a->last);
    return SGS_OK;
}

/* ---- from ONNX --------------------------------------------------------------------------------------------------- */

static sgs_status without_axis(sgs_import *im, const sgs_source_node *s, int64_t axis, sgs_value **y, sgs_diag *d)
{
    sgs_shape_attr r = { 0 };
    for (int i = 0; i < (*y)->rank; i++)
        if (i != axis)
            r.dim[r.n++] = (*y)->dim[i];
    return sgs_emit(im, s, &sgs_op_reshape, 1, y, &r, y, d);
}

static sgs_status from_onnx_argmax(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    argmax_attr a = { 0 };
    int64_t keep = 1;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "axis", &a.axis, d));
    SGS_TRY(sgs_src_int(s, "keepdims", &keep, d));
    SGS_TRY(sgs_src_int(s, "select_last_index", &a.last, d));
    SGS_TRY(sgs_src_axis(im, s, &a.axis, x->rank, d));
    a.last = a.last != 0;
    SGS_TRY(sgs_emit(im, s, !strcmp(s->op, "ArgMax") ? &sgs_op_argmax : &sgs_op_argmin, 1, &x, &a, &y, d));
    if (!keep)
        SGS_TRY(without_axis(im, s, a.axis, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim: TFLite's have no axis of one element --------------------------------------------------------------------
 */

static sgs_status argmax_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const argmax_attr *a = n->attr;
    const sgs_value *y = n->out[0];
    const sgs_tfl_option o[] = { { "output_type", 2 }, { NULL, 0 } }; /* INT32 */
    int64_t dim[SGS_MAX_RANK];
    int rank = 0;
    if (a->last || n->in[0]->type == SGS_F64 || n->in[0]->type == SGS_S64 || n->in[0]->type == SGS_S8)
        return sgs_tfl_custom(w, n);
    for (int i = 0; i < y->rank; i++)
        if (i != a->axis)
            dim[rank++] = y->dim[i];
    const int in[] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const(w, SGS_S32, 0, NULL, &(int32_t){ (int32_t)a->axis }) };
    const int flat = sgs_tfl_temp(w, y, rank, dim), back[] = { flat, sgs_tfl_const_s32(w, y->dim, y->rank) };
    sgs_tfl_emit(w, n->op == &sgs_op_argmax ? "ARG_MAX" : "ARG_MIN", in, 2, flat, o);
    sgs_tfl_emit(w, "RESHAPE", back, 2, sgs_tfl_value(w, y), NULL);
    return SGS_OK;
}

static sgs_status argmax_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *axis, *y;
    argmax_attr a = { 0 };
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &axis, d));
    SGS_TRY(sgs_src_const_ints(s, axis, &a.axis, 1, &n, d));
    SGS_TRY(sgs_src_axis(im, s, &a.axis, x->rank, d));
    SGS_TRY(sgs_emit(im, s, !strcmp(s->op, "ARG_MAX") ? &sgs_op_argmax : &sgs_op_argmin, 1, &x, &a, &y, d));
    SGS_TRY(without_axis(im, s, a.axis, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ---------------------------------------------------------------------------------------------------- */

static sgs_status argmax_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const argmax_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (!(sgs_is_activation(x) && sgs_one_scale(x)) && !sgs_is_integer(x))
        return sgs_lower_fail(l, n, d, "expected integers, or uint8 or int16 with one scale, found %s",
                              sgs_type_word(x->type));
    ipu_argmax r = { .head = SGS_REC(IPU_ARGMAX, argmax),
                     .sign = n->op == &sgs_op_argmax ? 1 : -1,
                     .last = (int32_t)a->last };
    return sgs_lower_along(l, &r.head, n, (int)a->axis, 2, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_argmax(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    argmax_attr a = { 0 };
    a.axis = x ? sgs_tf_axis(p, 1, x->rank) : 0;
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_sp_one(p, !strcmp(s->op, "ArgMax") ? &sgs_op_argmax : &sgs_op_argmin, x, &a);
    sgs_sp_out(p, 0, sgs_sp_squeeze(p, x, (int)a.axis));
    return p->status;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

#define ROW(op)                                                                                                        \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "argmax",                                                                                            \
        .nin_min = 1,                                                                                                  \
        .nin_max = 1,                                                                                                  \
        .nout = 1,                                                                                                     \
        .attr_bytes = sizeof(argmax_attr),                                                                             \
        .attr = argmax_attrs,                                                                                          \
        .infer = argmax_infer,                                                                                         \
        .eval = argmax_eval,                                                                                           \
        .to_tflite = argmax_to_tflite,                                                                                 \
        .permute = sgs_permute_axis,                                                                                   \
        .qrule = SGS_Q_S16,                                                                                            \
        .unfixed = sgs_number_unfixed,                                                                                 \
        .lower = argmax_lower,                                                                                         \
    }
ROW(argmax);
ROW(argmin);

static const sgs_op *const ops[] = { &sgs_op_argmax, &sgs_op_argmin, NULL };
static const sgs_from onnx[] = { { "ArgMax", from_onnx_argmax, 1 },
                                 { "ArgMin", from_onnx_argmax, 1 },
                                 { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "ARG_MAX", argmax_from_tflite, 0 },
                                   { "ARG_MIN", argmax_from_tflite, 0 },
                                   { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "ArgMax", from_tf_argmax, 0 },
    { "ArgMin", from_tf_argmax, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_argmax = { "argmax", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
