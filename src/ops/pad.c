/* pad: with a constant, or with what lies inside, mirrored, repeated or carried on; a negative pad cuts off. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const char *const mode_names[] = { "constant", "reflect", "edge", "wrap", NULL };
static const sgs_attr pad_attrs[] = {
    SGS_ATTR_VN(sgs_pad_attr, before, SGS_MAX_RANK, n),
    SGS_ATTR_VN(sgs_pad_attr, after, SGS_MAX_RANK, n),
    SGS_ATTR_F(sgs_pad_attr, value),
    SGS_ATTR_E(sgs_pad_attr, mode, mode_names),
    SGS_ATTR_END,
};

/* ---- where an element comes from: ARITHMETIC.md 12 ---- */

/* What is left of the input along one axis. */
typedef struct kept {
    int64_t from, n;
} kept;

static kept kept_of(const sgs_pad_attr *a, int axis, int64_t dim)
{
    int64_t before = a->before[axis] < 0 ? -a->before[axis] : 0, after = a->after[axis] < 0 ? -a->after[axis] : 0;
    return (kept){ before, dim - before - after };
}

/* Index along an axis of the input of index i of the result; -1: none, the constant. */
static int64_t source(const sgs_pad_attr *a, int axis, int64_t dim, int64_t i)
{
    kept k = kept_of(a, axis, dim);
    int64_t j = i - (a->before[axis] > 0 ? a->before[axis] : 0), period = k.n > 1 ? 2 * (k.n - 1) : 1;
    if (j >= 0 && j < k.n)
        return k.from + j;
    switch (a->mode) {
    case SGS_PAD_EDGE:
        return k.from + (j < 0 ? 0 : k.n - 1);
    case SGS_PAD_WRAP:
        return k.from + (j % k.n + k.n) % k.n;
    case SGS_PAD_REFLECT:
        j = (j % period + period) % period;
        return k.from + (j < k.n ? j : period - j);
    default:
        return -1;
    }
}

/* ---- shapes ---- */

static sgs_status pad_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_pad_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (a->n != x->rank)
        return sgs_fail(d, SGS_E_MODEL, "pads for %lld dimensions, the input has %d", (long long)a->n, x->rank);
    sgs_shape_like(out, x);
    for (int i = 0; i < x->rank; i++) {
        bool sane = a->before[i] > -SGS_MAX_ELEMENTS && a->after[i] > -SGS_MAX_ELEMENTS;
        if (!sane || kept_of(a, i, x->dim[i]).n < (x->dim[i] > 0))
            return sgs_fail(d, SGS_E_MODEL, "pads of %lld and %lld leave nothing of %lld elements",
                            (long long)a->before[i], (long long)a->after[i], (long long)x->dim[i]);
        if (!sgs_add64(out->dim[i], a->before[i], &out->dim[i]) || !sgs_add64(out->dim[i], a->after[i], &out->dim[i]))
            return sgs_fail(d, SGS_E_LIMIT, "pads of %lld and %lld make more than 2^40 elements",
                            (long long)a->before[i], (long long)a->after[i]);
    }
    return SGS_OK;
}

/* ---- float ---- */

/* The constant as an element of a type; false: it cannot be one. */
static bool constant_bytes(float v, sgs_type t, uint8_t to[8])
{
    const double real = (double)v;
    const int64_t whole = v >= -0x1p62f && v <= 0x1p62f ? (int64_t)v : 0;
    if (t != SGS_F32 && t != SGS_F64 && (float)whole != v)
        return false;
    switch (t) {
    case SGS_F32:
        memcpy(to, &v, 4);
        return true;
    case SGS_F64:
        memcpy(to, &real, 8);
        return true;
    case SGS_S64:
        memcpy(to, &whole, 8);
        return true;
    case SGS_S32:
        memcpy(to, &(int32_t){ (int32_t)whole }, 4);
        return true;
    case SGS_S8:
    case SGS_U8:
    case SGS_BOOL:
        to[0] = (uint8_t)whole;
        return true;
    default:
        return false;
    }
}

static sgs_status pad_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const sgs_pad_attr *a = n->attr;
    int64_t index[SGS_MAX_RANK] = { 0 }, count = sgs_tensor_count(out);
    const size_t each = (size_t)sgs_type_bytes(out->type);
    uint8_t outside[8] = { 0 };
    if (!constant_bytes(a->value, out->type, outside))
        return sgs_fail(d, SGS_E_UNSUPPORTED, "padding of type %s with %g is not supported", sgs_type_word(out->type), (double)a->value);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = 0;
        bool inside = true;
        for (int k = 0; k < out->rank; k++) {
            int64_t j = source(a, k, in->dim[k], index[k]);
            inside = inside && j >= 0;
            at = at * in->dim[k] + j;
        }
        memcpy((char *)out->data + (size_t)i * each, inside ? (const char *)in->data + (size_t)at * each : (const char *)outside, each);
        sgs_next_index(index, out->rank, out->dim);
    }
    return SGS_OK;
}

/* ---- transposition ---- */

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

/* ---- from ONNX ---- */

/* All axes, or (opset 18 on) those of the fourth input. */
static sgs_status padded_axes(sgs_import *im, const sgs_source_node *s, const sgs_value *x, int64_t axis[SGS_MAX_RANK],
                              int *n, sgs_diag *d)
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

static bool padding_value(const sgs_value *v, float *to)
{
    if (!v->constant || sgs_value_count(v) != 1)
        return false;
    switch (v->type) {
    case SGS_F32:
        *to = *sgs_const_f32(v);
        return true;
    case SGS_S64:
        *to = (float)*(const int64_t *)sgs_const_data(v);
        return true;
    case SGS_S32:
        *to = (float)*(const int32_t *)sgs_const_data(v);
        return true;
    case SGS_S8:
        *to = *(const int8_t *)sgs_const_data(v);
        return true;
    default:
        *to = *(const uint8_t *)sgs_const_data(v);
        return true;
    }
}

/* Each axis cut or padded to its size, the middle kept; what is odd goes to the end. */
static sgs_status from_onnx_centercroppad(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *shape, *y;
    int64_t axis[SGS_MAX_RANK], size[SGS_MAX_RANK];
    int naxis, n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &shape, d));
    SGS_TRY(sgs_src_const_ints(s, shape, size, SGS_MAX_RANK, &n, d));
    naxis = x->rank;
    for (int i = 0; i < x->rank; i++)
        axis[i] = i;
    SGS_TRY(sgs_src_ints(s, "axes", axis, SGS_MAX_RANK, -1, &naxis, d));
    if (n != naxis)
        return sgs_src_fail(im, s, d, "expected %d sizes, found %d", naxis, n);
    sgs_pad_attr a = { .n = x->rank };
    for (int i = 0; i < n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &axis[i], x->rank, d));
        if (size[i] < 1 || size[i] > SGS_MAX_ELEMENTS)
            return sgs_src_fail(im, s, d, "expected sizes of 1 to 2^40, found %lld", (long long)size[i]);
        const int64_t more = size[i] - x->dim[axis[i]];
        a.before[axis[i]] = more / 2;
        a.after[axis[i]] = more - more / 2;
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_pad, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_pad(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    sgs_pad_attr a = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_choice(im, s, "mode", mode_names, &a.mode, d));
    SGS_TRY(pads(im, s, x, &a, d));
    SGS_TRY(sgs_src_float(s, "value", &a.value, d));
    const sgs_value *v = s->opset >= 11 ? sgs_src_opt(im, s, 2) : NULL;
    if (v && !padding_value(v, &a.value))
        return sgs_src_fail(im, s, d, "the padding value: expected one constant number");
    if (a.mode != SGS_PAD_CONSTANT)
        a.value = 0;
    SGS_TRY(sgs_emit(im, s, &sgs_op_pad, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim ---- */

/* Nothing is cut off; a mirror shows each element once at most. */
static bool tfl_can(const sgs_value *x, const sgs_pad_attr *a)
{
    for (int i = 0; i < a->n; i++) {
        bool mirrors = a->mode != SGS_PAD_REFLECT || (a->before[i] < x->dim[i] && a->after[i] < x->dim[i]);
        if (a->before[i] < 0 || a->after[i] < 0 || !mirrors || !sgs_tfl_fits(&a->before[i], 1) ||
            !sgs_tfl_fits(&a->after[i], 1))
            return false;
    }
    return true;
}

static sgs_status pad_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_pad_attr *a = n->attr;
    int32_t pads[2 * SGS_MAX_RANK];
    int64_t shape[] = { a->n, 2 };
    bool zero = sgs_tfl_is(a->value, 0), mirror = a->mode == SGS_PAD_REFLECT && zero;
    if (!tfl_can(n->in[0], a) || !(mirror || a->mode == SGS_PAD_CONSTANT) || (n->in[0]->type != SGS_F32 && !zero))
        return sgs_tfl_custom(w, n);
    for (int i = 0; i < a->n; i++) {
        pads[2 * i] = (int32_t)a->before[i];
        pads[2 * i + 1] = (int32_t)a->after[i];
    }
    int in[3] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const(w, SGS_S32, 2, shape, pads), -1 };
    if (!zero)
        in[2] = sgs_tfl_const(w, SGS_F32, 0, NULL, &a->value);
    sgs_tfl_emit(w,
                 mirror ? "MIRROR_PAD"
                 : zero ? "PAD"
                        : "PADV2",
                 in, zero ? 2 : 3, sgs_tfl_value(w, n->out[0]), NULL);
    return SGS_OK;
}

/* One constant of a float or fixed-point type. */
static bool number(const sgs_value *v, float *out)
{
    if (!v->constant || sgs_value_count(v) != 1)
        return false;
    switch (v->type) {
    case SGS_F32:
        *out = *sgs_const_f32(v);
        return true;
    case SGS_U8:
        *out = *(const uint8_t *)sgs_const_data(v);
        return true;
    case SGS_S16:
        *out = *(const int16_t *)sgs_const_data(v);
        return true;
    default:
        return false;
    }
}

static int64_t padding_at(const sgs_value *p, int i)
{
    return p->type == SGS_S64 ? ((const int64_t *)sgs_const_data(p))[i] : ((const int32_t *)sgs_const_data(p))[i];
}

/* The first or the last elements of an axis, turned round. */
static sgs_value *mirrored(sgs_spell *p, sgs_value *x, int axis, int64_t count, bool first)
{
    return sgs_sp_slice(p, x, axis, first ? count - 1 : x->dim[axis] - 1, count, -1);
}

/* A mirror that shows the border too. */
static sgs_status repeat_border(sgs_import *im, const sgs_source_node *s, sgs_value *x, const sgs_pad_attr *a, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    for (int i = 0; i < x->rank && p->status == SGS_OK; i++) {
        sgs_value *part[3];
        int n = 0;
        if (a->before[i] < 0 || a->after[i] < 0 || a->before[i] > x->dim[i] || a->after[i] > x->dim[i])
            return sgs_src_fail(im, s, d, "axis %d of %lld cannot be mirrored by %lld and %lld", i, (long long)x->dim[i], (long long)a->before[i], (long long)a->after[i]);
        if (a->before[i])
            part[n++] = mirrored(p, x, i, a->before[i], true);
        part[n++] = x;
        if (a->after[i])
            part[n++] = mirrored(p, x, i, a->after[i], false);
        x = sgs_sp_concat(p, n, part, i);
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_own(p, x));
    return p->status;
}

static sgs_status pad_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *p, *y;
    sgs_pad_attr a = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &p, d));
    const sgs_value *value = sgs_src_opt(im, s, 2);
    char shape[128];
    if (!p->constant || (p->type != SGS_S32 && p->type != SGS_S64) || p->rank != 2 || p->dim[0] != x->rank || p->dim[1] != 2)
        return sgs_src_fail(im, s, d, "expected constant paddings of int32 and shape [%d,2], found %s of %s and shape %s", x->rank, p->constant ? "constants" : "variables",
                            sgs_type_word(p->type), sgs_dims_text(shape, sizeof shape, p->rank, p->dim));
    if (value && !number(value, &a.value))
        return sgs_src_fail(im, s, d, "the padding value: expected one constant number");
    a.n = x->rank;
    for (int i = 0; i < x->rank; i++) {
        a.before[i] = padding_at(p, 2 * i);
        a.after[i] = padding_at(p, 2 * i + 1);
    }
    if (!strcmp(s->op, "MIRROR_PAD")) {
        SGS_TRY(sgs_src_int(s, "mode", &a.mode, d));
        if (a.mode)
            return repeat_border(im, s, x, &a, d);
        a.mode = SGS_PAD_REFLECT;
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_pad, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ---- */

/* The padding value in x's integers: one, or one per channel of its last axis. */
static const void *pad_values(sgs_lowering *l, const sgs_value *x, float value, int64_t count)
{
    bool u8 = x->type == SGS_U8;
    int32_t lo = u8 ? 0 : -32767, hi = u8 ? 255 : 32767;
    uint8_t *bytes = SGS_NEW_N(sgs_lower_arena(l), uint8_t, 2 * count);
    for (int64_t i = 0; i < count; i++) {
        double q = rint((double)value / sgs_scale(x, i)) + sgs_zero(x, i);
        int16_t v = (int16_t)(q < lo ? lo : q > hi ? hi : q);
        memcpy(bytes + (u8 ? i : 2 * i), &v, u8 ? 1 : 2); /* little-endian, as the image */
    }
    return bytes;
}

/* A constant frame around rows and columns: one record. */
static sgs_status lower_frame(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_pad_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    kept h = kept_of(a, 1, x->dim[1]), w = kept_of(a, 2, x->dim[2]);
    ipu_pad r = { .head = SGS_REC(IPU_PAD, pad),
                  .y = sgs_lower_ref(l, n->out[0]),
                  .x = sgs_lower_ref(l, x),
                  .py = (int32_t)(a->before[1] > 0 ? a->before[1] : 0),
                  .px = (int32_t)(a->before[2] > 0 ? a->before[2] : 0) };
    int64_t stride[SGS_MAX_RANK], dim[4] = { x->dim[0], h.n, w.n, x->dim[3] };
    sgs_lower_strides(l, x, stride);
    r.x = sgs_lower_window(l, x, h.from * stride[1] + w.from * stride[2], dim, stride);
    r.value =
        sgs_lower_const(l, x->type == SGS_U8 ? IPU_U8 : IPU_S16, pad_values(l, x, a->value, x->dim[3]), x->dim[3]);
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* Rows and columns that come from others: one record. */
static sgs_status lower_picked(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    ipu_resize r = {
        .head = SGS_REC(IPU_RESIZE_NEAREST, resize), .y = sgs_lower_ref(l, y), .x = sgs_lower_ref(l, x), .taps = 1
    };
    ipu_ref *const index[2] = { &r.iy, &r.ix };
    for (int k = 0; k < 2; k++) {
        int32_t *from = SGS_NEW_N(sgs_lower_arena(l), int32_t, y->dim[1 + k]);
        for (int64_t i = 0; i < y->dim[1 + k]; i++)
            from[i] = (int32_t)source(n->attr, 1 + k, x->dim[1 + k], i);
        *index[k] = sgs_lower_const(l, IPU_S32, from, y->dim[1 + k]);
    }
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* Neighbours along an axis of y that come from neighbours of x, from one and the same, or from nowhere. */
typedef struct run {
    int64_t to, count, from, step; /* from -1: nowhere */
} run;

static int64_t runs_of(const sgs_pad_attr *a, int axis, int64_t dim, int64_t out, run *r)
{
    int64_t n = 0;
    for (int64_t i = 0; i < out; i++) {
        int64_t from = source(a, axis, dim, i);
        run *last = n ? &r[n - 1] : NULL;
        int64_t end = last ? last->from + (last->count - 1) * last->step : 0, step = from - end;
        bool joins = last && (from < 0) == (last->from < 0) && step >= -1 && step <= 1 &&
                     (last->count == 1 || step == last->step);
        if (!joins) {
            r[n++] = (run){ i, 1, from, 0 };
            continue;
        }
        last->step = step;
        last->count++;
    }
    return n;
}

/* One block of y: what `run` says of each axis. */
static sgs_status lower_block(sgs_lowering *l, const sgs_node *n, const run *const *part, const sgs_value *fill,
                              sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    sgs_move m;
    bool nowhere = false;
    for (int k = 0; k < y->rank; k++)
        nowhere = nowhere || part[k]->from < 0;
    sgs_move_whole(&m, y, nowhere ? fill : x);
    for (int k = 0; k < y->rank; k++) {
        m.to[k] = part[k]->to;
        m.count[k] = part[k]->count;
        m.axis[k] = part[k]->step ? k : -1;
        m.from[k] = part[k]->from;
        m.step[k] = part[k]->step;
    }
    if (nowhere) {
        for (int k = 0; k < y->rank; k++) {
            m.axis[k] = -1;
            m.from[k] = 0;
        }
        if (fill->dim[0] > 1) { /* a value per channel of the last axis, all of it */
            m.axis[y->rank - 1] = 0;
            m.step[y->rank - 1] = 1;
        }
    }
    return sgs_lower_move(l, n, &m, d);
}

/* Any axes: block by block. */
static sgs_status lower_blocks(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const sgs_pad_attr *a = n->attr;
    run *runs[SGS_MAX_RANK];
    int64_t count[SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 }, values = sgs_one_scale(x) ? 1 : x->quant->n;
    const sgs_value fill = {
        .id = -1, .type = x->type, .rank = 1, .dim = { values }, .constant = &(sgs_constant){ .data = pad_values(l, x, a->value, values) }
    };
    for (int k = 0; k < y->rank; k++) {
        runs[k] = SGS_NEW_N(sgs_lower_arena(l), run, y->dim[k]);
        count[k] = runs_of(a, k, x->dim[k], y->dim[k], runs[k]);
    }
    do {
        const run *part[SGS_MAX_RANK];
        for (int k = 0; k < y->rank; k++)
            part[k] = &runs[k][index[k]];
        SGS_TRY(lower_block(l, n, part, &fill, d));
    } while (sgs_next_index(index, y->rank, count));
    return SGS_OK;
}

static bool is_spatial(const sgs_pad_attr *a)
{
    return a->n == 4 && !a->before[0] && !a->after[0] && !a->before[3] && !a->after[3];
}

static sgs_status pad_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_pad_attr *a = n->attr;
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (!sgs_is_activation(x) || x->type != y->type)
        return sgs_lower_fail(l, n, d, "expected uint8 or int16, the same in and out");
    if (!sgs_one_scale(x) && (x->quant->axis != x->rank - 1 || a->before[x->rank - 1] || a->after[x->rank - 1]))
        return sgs_lower_fail(l, n, d, "scales must run along the last axis, and that cannot be padded then");
    if (!is_spatial(a))
        return lower_blocks(l, n, d);
    return a->mode == SGS_PAD_CONSTANT ? lower_frame(l, n, d) : lower_picked(l, n, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_pad(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const char *const modes[] = { "REFLECT", "SYMMETRIC", NULL };
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const sgs_value *v = sgs_src_opt(im, s, 2);
    sgs_pad_attr a = { .n = x ? x->rank : 0 };
    int64_t mode = 0;
    if (x)
        sgs_tf_pairs(p, 1, x->rank, a.before, a.after);
    for (int i = 0; i < a.n && p->status == SGS_OK; i++)
        if (a.before[i] < 0 || a.after[i] < 0)
            sgs_sp_fail(p, "paddings must be 0 or more, found %lld and %lld", (long long)a.before[i], (long long)a.after[i]);
    if (p->status == SGS_OK && !strcmp(s->op, "MirrorPad")) {
        a.mode = SGS_PAD_REFLECT;
        p->status = sgs_src_choice(im, s, "mode", modes, &mode, d);
    }
    if (p->status == SGS_OK && mode)
        return repeat_border(im, s, x, &a, d);
    if (p->status == SGS_OK && v && !padding_value(v, &a.value))
        sgs_sp_fail(p, "the padding value: expected one constant number");
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_pad, x, &a));
    return p->status;
}

/* ---- row ---- */

const sgs_op sgs_op_pad = {
    .name = "pad",
    .family = "pad",
    .nin_min = 1,
    .nin_max = 1,
    .nout = 1,
    .attr_bytes = sizeof(sgs_pad_attr),
    .attr = pad_attrs,
    .infer = pad_infer,
    .eval = pad_eval,
    .to_tflite = pad_to_tflite,
    .permute = pad_permute,
    .qrule = SGS_Q_MOVE,
    .lower = pad_lower,
};

static const sgs_op *const ops[] = { &sgs_op_pad, NULL };
static const sgs_from onnx[] = { { "Pad", from_onnx_pad, 1 }, { "CenterCropPad", from_onnx_centercroppad, 18 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "PAD", pad_from_tflite, 0 },
                                   { "PADV2", pad_from_tflite, 0 },
                                   { "MIRROR_PAD", pad_from_tflite, 0 },
                                   { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Pad", from_tf_pad, 0 },
    { "PadV2", from_tf_pad, 0 },
    { "MirrorPad", from_tf_pad, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_pad = { "pad", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
