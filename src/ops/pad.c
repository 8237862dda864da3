/* pad with a constant. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/tflite.h"
#include "ops/util.h"

static const sgs_attr pad_attrs[] = {
    SGS_ATTR_VN(sgs_pad_attr, before, SGS_MAX_RANK, n), SGS_ATTR_VN(sgs_pad_attr, after, SGS_MAX_RANK, n), SGS_ATTR_F(sgs_pad_attr, value), SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status pad_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_pad_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (a->n != x->rank)
        return sgs_fail(d, SGS_E_MODEL, "pads for %lld dimensions, the input has %d", (long long)a->n, x->rank);
    sgs_shape_like(out, x);
    for (int i = 0; i < x->rank; i++) {
        if (a->before[i] < 0 || a->after[i] < 0)
            return sgs_fail(d, SGS_E_UNSUPPORTED, "pads must be 0 or more, found %lld and %lld", (long long)a->before[i], (long long)a->after[i]);
        if (!sgs_add64(out->dim[i], a->before[i], &out->dim[i]) || !sgs_add64(out->dim[i], a->after[i], &out->dim[i]))
            return sgs_fail(d, SGS_E_LIMIT, "pads of %lld and %lld make more than 2^40 elements", (long long)a->before[i], (long long)a->after[i]);
    }
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static sgs_status pad_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const sgs_pad_attr *a = n->attr;
    int64_t index[SGS_MAX_RANK] = { 0 }, count = sgs_tensor_count(out);
    if (out->type != SGS_F32)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "pad of type %s is not supported", sgs_type_name(out->type));
    for (int64_t i = 0; i < count; i++) {
        int64_t at = 0;
        bool inside = true;
        for (int k = 0; k < out->rank; k++) {
            int64_t j = index[k] - a->before[k];
            inside = inside && j >= 0 && j < in->dim[k];
            at = at * in->dim[k] + j;
        }
        ((float *)out->data)[i] = inside ? ((const float *)in->data)[at] : a->value;
        sgs_next_index(index, out->rank, out->dim);
    }
    return SGS_OK;
}

/* ---- transposition ---------------------------------------------------------------------------------------------------- */

static bool pad_permute(const sgs_node *n, const int64_t *perm, int rank, void *attr)
{
    const sgs_pad_attr *from = n->attr;
    sgs_pad_attr *a = attr;
    for (int i = 0; i < rank; i++) {
        a->before[perm[i]] = from->before[i];
        a->after[perm[i]] = from->after[i];
    }
    return true;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

/* All axes, or (opset 18 on) those of the fourth input. */
static sgs_status padded_axes(sgs_import *im, const sgs_source_node *s, const sgs_value *x, int64_t axis[SGS_MAX_RANK], int *n, sgs_diag *d)
{
    const sgs_value *v = s->opset >= 18 ? sgs_src_opt(im, s, 3) : NULL;
    bool seen[SGS_MAX_RANK] = { false };
    *n = x->rank;
    for (int i = 0; i < x->rank; i++)
        axis[i] = i;
    if (v)
        SGS_TRY(sgs_src_const_ints(s, v, axis, SGS_MAX_RANK, n, d));
    for (int i = 0; i < *n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &axis[i], x->rank, d));
        if (seen[axis[i]])
            return sgs_src_fail(im, s, d, "axis %lld is given twice", (long long)axis[i]);
        seen[axis[i]] = true;
    }
    return SGS_OK;
}

static sgs_status pads(sgs_import *im, const sgs_source_node *s, const sgs_value *x, sgs_pad_attr *a, sgs_diag *d)
{
    int64_t v[2 * SGS_MAX_RANK];
    sgs_value *p;
    int n = 0;
    if (s->opset >= 11) {
        SGS_TRY(sgs_src_in(im, s, 1, &p, d));
        SGS_TRY(sgs_src_const_ints(s, p, v, 2 * SGS_MAX_RANK, &n, d));
    } else {
        SGS_TRY(sgs_src_ints(s, s->opset == 1 ? "paddings" : "pads", v, 2 * SGS_MAX_RANK, -1, &n, d));
    }
    int64_t axis[SGS_MAX_RANK];
    int naxis;
    SGS_TRY(padded_axes(im, s, x, axis, &naxis, d));
    if (n != 2 * naxis)
        return sgs_src_fail(im, s, d, "expected %d pads for %d dimensions, found %d", 2 * naxis, naxis, n);
    a->n = x->rank;
    for (int i = 0; i < naxis; i++) {
        a->before[axis[i]] = v[i];
        a->after[axis[i]] = v[naxis + i];
    }
    return SGS_OK;
}

static sgs_status from_onnx_pad(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    sgs_pad_attr a = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    const sgs_src_attr *mode = sgs_src_find(s, "mode");
    if (mode && !(mode->kind == SGS_SRC_STRING && mode->s.n == 8 && !memcmp(mode->s.p, "constant", 8)))
        return sgs_src_refuse(im, s, d, "only constant padding is supported, found mode '%.*s'", (int)mode->s.n, (const char *)mode->s.p);
    SGS_TRY(pads(im, s, x, &a, d));
    SGS_TRY(sgs_src_float(s, "value", &a.value, d));
    const sgs_value *v = s->opset >= 11 ? sgs_src_opt(im, s, 2) : NULL;
    if (v && (!v->data || v->type != SGS_F32 || sgs_value_count(v) != 1))
        return sgs_src_fail(im, s, d, "the padding value must be one constant float number");
    if (v)
        a.value = *(const float *)v->data;
    SGS_TRY(sgs_emit(im, s, &sgs_op_pad, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status pad_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_pad_attr *a = n->attr;
    int32_t pads[2 * SGS_MAX_RANK];
    int64_t shape[] = { a->n, 2 };
    if (n->in[0]->type != SGS_F32 && !sgs_tfl_is(a->value, 0))
        return sgs_tfl_custom(w, n);
    for (int i = 0; i < a->n; i++) {
        pads[2 * i] = (int32_t)a->before[i];
        pads[2 * i + 1] = (int32_t)a->after[i];
    }
    int in[3] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const(w, SGS_S32, 2, shape, pads), -1 };
    bool zero = sgs_tfl_is(a->value, 0);
    if (!zero)
        in[2] = sgs_tfl_const(w, SGS_F32, 0, NULL, &a->value);
    sgs_tfl_emit(w, zero ? "PAD" : "PADV2", in, zero ? 2 : 3, sgs_tfl_value(w, n->out[0]), NULL);
    return SGS_OK;
}

/* One constant of a float or fixed-point type. */
static bool number(const sgs_value *v, float *out)
{
    if (!v->data || sgs_value_count(v) != 1)
        return false;
    switch (v->type) {
    case SGS_F32: *out = *(const float *)v->data; return true;
    case SGS_U8: *out = *(const uint8_t *)v->data; return true;
    case SGS_S16: *out = *(const int16_t *)v->data; return true;
    default: return false;
    }
}

static sgs_status pad_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *p, *y;
    sgs_pad_attr a = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &p, d));
    const sgs_value *value = sgs_src_opt(im, s, 2);
    if (!p->data || p->type != SGS_S32 || p->rank != 2 || p->dim[0] != x->rank || p->dim[1] != 2)
        return sgs_src_fail(im, s, d, "expected constant paddings [%d,2] of int32", x->rank);
    if (value && !number(value, &a.value))
        return sgs_src_fail(im, s, d, "the padding value must be one constant number");
    a.n = x->rank;
    for (int i = 0; i < x->rank; i++) {
        a.before[i] = ((const int32_t *)p->data)[2 * i];
        a.after[i] = ((const int32_t *)p->data)[2 * i + 1];
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_pad, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

/* The padding value in x's integers, one per channel. */
static ipu_ref pad_values(sgs_lowering *l, const sgs_value *x, float value)
{
    int64_t c = x->dim[3];
    bool u8 = x->type == SGS_U8;
    int32_t lo = u8 ? 0 : -32767, hi = u8 ? 255 : 32767;
    uint8_t *bytes = SGS_NEW_N(sgs_lower_arena(l), uint8_t, 2 * c);
    for (int64_t i = 0; i < c; i++) {
        double q = rint((double)value / sgs_scale(x, i)) + sgs_zero(x, i);
        int16_t v = (int16_t)(q < lo ? lo : q > hi ? hi : q);
        memcpy(bytes + (u8 ? i : 2 * i), &v, u8 ? 1 : 2); /* little-endian, as the image */
    }
    return sgs_lower_const(l, u8 ? IPU_U8 : IPU_S16, bytes, c);
}

static sgs_status pad_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_pad_attr *a = n->attr;
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (!sgs_is_activation(x) || x->type != y->type || x->rank != 4)
        return sgs_lower_fail(l, n, d, "expected u8 or s16 of four dimensions");
    if (!sgs_one_scale(x) && x->quant->axis != 3)
        return sgs_lower_fail(l, n, d, "scales must run along the last axis");
    for (int i = 0; i < 4; i++)
        if (a->before[i] < 0 || a->after[i] < 0 || (i % 3 == 0 && (a->before[i] || a->after[i])))
            return sgs_lower_fail(l, n, d, "only rows and columns can be padded, and not by a negative number");
    ipu_pad r = { .head = SGS_REC(IPU_PAD, pad), .y = sgs_lower_ref(l, y), .x = sgs_lower_ref(l, x), .value = pad_values(l, x, a->value),
                  .py = (int32_t)a->before[1], .px = (int32_t)a->before[2] };
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_pad = {
    .name = "pad", .family = "pad", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_pad_attr), .attr = pad_attrs,
    .infer = pad_infer, .eval = pad_eval, .to_tflite = pad_to_tflite, .permute = pad_permute, .qrule = SGS_Q_MOVE,
    .lower = pad_lower,
};

static const sgs_op *const ops[] = { &sgs_op_pad, NULL };
static const sgs_from onnx[] = { { "Pad", from_onnx_pad, 1 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "PAD", pad_from_tflite, 0 }, { "PADV2", pad_from_tflite, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_pad = { "pad", ops, onnx, tflite };
