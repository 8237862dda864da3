/* concat along one axis. */
#include <string.h>

#include "compile/lower.h"
#include "ops/arith.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr concat_attrs[] = { SGS_ATTR_I(sgs_axis_attr, axis), SGS_ATTR_END };

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status fits(const sgs_value *a, const sgs_value *b, int64_t axis, sgs_diag *d)
{
    bool same = a->rank == b->rank && a->type == b->type;
    for (int i = 0; i < a->rank && same; i++)
        same = i == axis || a->dim[i] == b->dim[i];
    char ta[128], tb[128];
    return same ? SGS_OK
                : sgs_fail(d, SGS_E_MODEL, "cannot concatenate %s %s and %s %s along axis %lld", sgs_type_word(a->type),
                           sgs_dims_text(ta, sizeof ta, a->rank, a->dim), sgs_type_word(b->type), sgs_dims_text(tb, sizeof tb, b->rank, b->dim),
                           (long long)axis);
}

static sgs_status concat_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    int64_t axis = ((const sgs_axis_attr *)n->attr)->axis;
    if (axis < 0 || axis >= n->in[0]->rank)
        return sgs_fail(d, SGS_E_MODEL, "axis must lie in 0..%d, found %lld", n->in[0]->rank - 1, (long long)axis);
    sgs_shape_like(out, n->in[0]);
    for (int i = 1; i < n->nin; i++) {
        if (!n->in[i])
            return sgs_fail(d, SGS_E_MODEL, "input %d is missing", i);
        SGS_TRY(fits(n->in[0], n->in[i], axis, d));
        if (!sgs_add64(out->dim[axis], n->in[i]->dim[axis], &out->dim[axis]))
            return sgs_fail(d, SGS_E_LIMIT, "the result is too large");
    }
    return SGS_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------- */

static sgs_status concat_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    int64_t axis = ((const sgs_axis_attr *)n->attr)->axis, outer = 1, inner = sgs_type_bytes(out->type);
    for (int i = 0; i < out->rank; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : out->dim[i];
    char *y = out->data;
    for (int64_t o = 0; o < outer; o++)
        for (int i = 0; i < n->nin; i++) {
            size_t bytes = (size_t)(in[i].dim[axis] * inner);
            memcpy(y, (const char *)in[i].data + (size_t)o * bytes, bytes);
            y += bytes;
        }
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

/* Leaves out what has no elements, unless nothing has; returns how many stay. */
static int without_empty(sgs_value **in, int n)
{
    int some = 0;
    for (int i = 0; i < n; i++)
        if (sgs_value_count(in[i]))
            in[some++] = in[i];
    return some ? some : n;
}

/* Constants of 64 bits beside integers that came in with them: those have 32 here. */
static sgs_status one_width(sgs_import *im, const sgs_source_node *s, sgs_value **in, sgs_diag *d)
{
    bool some = false;
    for (int i = 0; i < s->nin; i++)
        some = some || in[i]->type == SGS_S32;
    for (int i = 0; i < s->nin && some; i++)
        if (in[i]->type == SGS_S64)
            SGS_TRY(sgs_src_narrow(im, s, false, &in[i], d));
    return SGS_OK;
}

static sgs_status from_onnx_concat(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_axis_attr a = { 1 };
    if (s->nin < 1)
        return sgs_src_fail(im, s, d, "expected inputs, found none");
    if (s->opset >= 4 && !sgs_src_find(s, "axis"))
        return sgs_src_fail(im, s, d, "axis is missing");
    sgs_value **in = SGS_NEW_N(im->g->arena, sgs_value *, s->nin), *y;
    for (int i = 0; i < s->nin; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    SGS_TRY(one_width(im, s, in, d));
    SGS_TRY(sgs_src_int(s, "axis", &a.axis, d));
    SGS_TRY(sgs_src_axis(im, s, &a.axis, in[0]->rank, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_concat, s->nin, in, &a, &y, d)); /* which says whether all fit */
    const int some = im->as_is ? s->nin : without_empty(in, s->nin);
    if (some < s->nin)
        SGS_TRY(sgs_emit(im, s, &sgs_op_concat, some, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status concat_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_tfl_option o[] = { { "axis", (double)((const sgs_axis_attr *)n->attr)->axis }, { NULL, 0 } };
    return sgs_tfl_simple(w, n, "CONCATENATION", o);
}

static sgs_status concat_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SGS_TRY(sgs_tfl_no_act(im, s, d));
    return from_onnx_concat(im, s, d);
}

/* ---- from TensorFlow ---- */

/* The axis is the last input, of Concat the first; Pack gives each tensor an axis of its own. */
static sgs_status from_tf_concat(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool pack = !strcmp(s->op, "Pack"), front = !strcmp(s->op, "Concat");
    const int n = s->nin - !pack, from = front ? 1 : 0;
    if (n < 1)
        return sgs_src_fail(im, s, d, "expected inputs, found none");
    sgs_value **in = SGS_NEW_N(im->g->arena, sgs_value *, n), *y;
    for (int i = 0; i < n; i++)
        in[i] = sgs_sp_in(p, from + i);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = pack ? (int)sgs_sp_axis(p, "axis", 0, in[0]->rank + 1) : sgs_tf_axis(p, front ? 0 : n, in[0]->rank);
    const sgs_axis_attr a = { axis };
    for (int i = 0; i < n && pack && p->status == SGS_OK; i++)
        in[i] = sgs_sp_unsqueeze(p, in[i], axis);
    SGS_TRY(p->status);
    SGS_TRY(sgs_emit(im, s, &sgs_op_concat, n, in, &a, &y, d)); /* which says whether all fit */
    const int some = im->as_is ? n : without_empty(in, n);
    if (some < n)
        SGS_TRY(sgs_emit(im, s, &sgs_op_concat, some, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_concat = {
    .name = "concat", .family = "concat", .nin_min = 1, .nin_max = -1, .nout = 1, .attr_bytes = sizeof(sgs_axis_attr), .attr = concat_attrs,
    .infer = concat_infer, .eval = concat_eval, .to_tflite = concat_to_tflite, .permute = sgs_permute_axis, .qrule = SGS_Q_MOVE, .kernel = "copy",
    .lower = sgs_lower_concat,
};

static const sgs_op *const ops[] = { &sgs_op_concat, NULL };
static const sgs_from onnx[] = { { "Concat", from_onnx_concat, 1 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "CONCATENATION", concat_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "ConcatV2", from_tf_concat, 0 },
    { "Concat", from_tf_concat, 0 },
    { "Pack", from_tf_concat, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_concat = { "concat", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
