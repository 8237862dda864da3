/* maxpool, avgpool over windows of an NHWC picture. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/dnnl.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr pool_attrs[] = {
    SGS_ATTR_V(sgs_pool_attr, kernel, 2), SGS_ATTR_V(sgs_pool_attr, stride, 2), SGS_ATTR_V(sgs_pool_attr, pad, 4),
    SGS_ATTR_I(sgs_pool_attr, count_pad), SGS_ATTR_V(sgs_pool_attr, dilation, 2), SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static int64_t dilation_of(const sgs_pool_attr *a, int i)
{
    return a->dilation[i] ? a->dilation[i] : 1;
}

/* Does the window of output q meet a pixel of x? */
static bool meets(const sgs_pool_attr *a, int i, int64_t q, int64_t size)
{
    const int64_t d = dilation_of(a, i), at = q * a->stride[i] - a->pad[i], first = at < 0 ? (-at + d - 1) / d : 0;
    return first < a->kernel[i] && at + first * d < size;
}

/* A window that begins inside x does. */
static bool all_meet(const sgs_pool_attr *a, int i, int64_t outputs, int64_t size)
{
    for (int64_t q = 0; q < outputs && q * a->stride[i] < a->pad[i]; q++)
        if (!meets(a, i, q, size))
            return false;
    return meets(a, i, outputs - 1, size);
}

sgs_status sgs_pool_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_pool_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    sgs_shape_like(out, x);
    for (int i = 0; i < 2; i++) {
        SGS_TRY(sgs_window(x->dim[1 + i], a->kernel[i], a->stride[i], dilation_of(a, i), a->pad[i] + a->pad[2 + i], &out->dim[1 + i],
                           i ? "width" : "height", d));
        const int64_t reach = (a->kernel[i] - 1) * dilation_of(a, i) + 1;
        if (a->pad[i] < 0 || a->pad[2 + i] < 0 || a->pad[i] >= reach || a->pad[2 + i] >= reach + a->stride[i])
            return sgs_fail(d, SGS_E_MODEL, "padding must be smaller than the kernel: kernel %lld, padding %lld and %lld", (long long)reach,
                            (long long)a->pad[i], (long long)a->pad[2 + i]);
        if (!all_meet(a, i, out->dim[1 + i], x->dim[1 + i]))
            return sgs_fail(d, SGS_E_MODEL, "a window lies wholly in the padding");
    }
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static sgs_status pool_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    return sgs_dnnl_run_pool(in, out, n->attr, n->op == &sgs_op_maxpool, st, d);
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

static sgs_status emit_pool(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_value *x, const sgs_pool_attr *a, sgs_diag *d)
{
    sgs_value *xl, *yl, *y;
    SGS_TRY(sgs_emit_picture(im, s, x, &xl, d));
    SGS_TRY(sgs_emit(im, s, op, 1, &xl, a, &yl, d));
    SGS_TRY(sgs_emit_unpicture(im, s, yl, x->rank, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* Where the maxima stood in the model's own channel-first tensor; order 1: its columns lie side by side. */
static sgs_status emit_index(sgs_import *im, const sgs_source_node *s, sgs_value *x, const sgs_pool_attr *a, int64_t order, sgs_diag *d)
{
    sgs_value *y;
    const sgs_pool_index_attr index = { .pool = *a, .by_columns = order != 0 };
    SGS_TRY(sgs_emit_picture(im, s, x, &y, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_maxpool_index, 1, &y, &index, &y, d));
    SGS_TRY(sgs_emit_unpicture(im, s, y, x->rank, &y, d));
    return sgs_src_out(im, s, 1, y, d);
}

/* Padding counts, what ceil_mode reads past it does not: the padding becomes zeros of a node of its own. */
static sgs_status pad_first(sgs_import *im, const sgs_source_node *s, const sgs_window2d *w, sgs_pool_attr *a, sgs_value **x, sgs_diag *d)
{
    sgs_pad_attr p = { .n = 4, .before = { 0, 0, w->pad[0], w->pad[1] }, .after = { 0, 0, w->pad[2] - w->extra[0], w->pad[3] - w->extra[1] } };
    if ((*x)->rank == 3)
        p = (sgs_pad_attr){ .n = 3, .before = { 0, 0, w->pad[1] }, .after = { 0, 0, w->pad[3] - w->extra[1] } };
    const int64_t rest[4] = { 0, 0, w->extra[0], w->extra[1] };
    memcpy(a->pad, rest, sizeof rest);
    a->count_pad = 0;
    return sgs_emit(im, s, &sgs_op_pad, 1, x, &p, x, d);
}

static sgs_status from_onnx_pool(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    sgs_value *x;
    int64_t ceil_mode = 0, order = 0;
    sgs_pool_attr a = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    if (x->rank != 3 && x->rank != 4)
        return sgs_src_refuse(im, s, d, "only 1-D and 2-D pooling is supported: expected an input of 3 or 4 dimensions, found %d", x->rank);
    if (!sgs_src_find(s, "kernel_shape"))
        return sgs_src_fail(im, s, d, "kernel_shape is missing");
    SGS_TRY(sgs_src_int(s, "ceil_mode", &ceil_mode, d));
    SGS_TRY(sgs_src_int(s, "storage_order", &order, d));
    SGS_TRY(sgs_src_int(s, "count_include_pad", &a.count_pad, d));
    sgs_window2d w = { 0 };
    SGS_TRY(sgs_src_window(im, s, x, &w, ceil_mode != 0, d));
    for (int i = 0; i < 2; i++)
        a.dilation[i] = w.dilation[i] == 1 ? 0 : w.dilation[i];
    memcpy(a.kernel, w.kernel, sizeof a.kernel);
    memcpy(a.stride, w.stride, sizeof a.stride);
    memcpy(a.pad, w.pad, sizeof a.pad);
    bool padded = a.pad[0] || a.pad[1] || a.pad[2] > w.extra[0] || a.pad[3] > w.extra[1];
    a.count_pad = op == &sgs_op_avgpool && a.count_pad && padded;
    if (a.count_pad && (w.extra[0] || w.extra[1]))
        SGS_TRY(pad_first(im, s, &w, &a, &x, d));
    if (s->nout > 1 && s->out[1][0])
        SGS_TRY(emit_index(im, s, x, &a, order, d));
    return s->out[0][0] ? emit_pool(im, s, op, x, &a, d) : SGS_OK;
}

static sgs_status from_onnx_global(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    if (x->rank < 3)
        return sgs_src_fail(im, s, d, "expected an input of at least 3 dimensions, found %d", x->rank);
    if (x->rank != 4) {
        sgs_reduce_attr r = { 0 };
        while (r.n < x->rank - 2)
            r.axis[r.n] = r.n + 2, r.n++;
        SGS_TRY(sgs_emit(im, s, op == &sgs_op_maxpool ? &sgs_op_reduce_max : &sgs_op_reduce_mean, 1, &x, &r, &y, d));
        return sgs_src_out(im, s, 0, y, d);
    }
    sgs_pool_attr a = { .kernel = { x->dim[2], x->dim[3] }, .stride = { 1, 1 } };
    return emit_pool(im, s, op, x, &a, d);
}

static sgs_status from_onnx_maxpool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return from_onnx_pool(im, s, &sgs_op_maxpool, d);
}

static sgs_status from_onnx_avgpool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return from_onnx_pool(im, s, &sgs_op_avgpool, d);
}

static sgs_status from_onnx_globalmax(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return from_onnx_global(im, s, &sgs_op_maxpool, d);
}

static sgs_status from_onnx_globalavg(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return from_onnx_global(im, s, &sgs_op_avgpool, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

/* What the padding of a maximum holds: less than anything. */
static const void *lowest(sgs_type t)
{
    static const float f32 = -FLT_MAX;
    static const uint8_t u8 = 0;
    static const int16_t s16 = INT16_MIN;
    return t == SGS_U8 ? (const void *)&u8 : t == SGS_S16 ? (const void *)&s16 : &f32;
}

/* An average that leaves padding out of its count fits the schema only as SAME, one that counts it only as PAD before VALID. */
static sgs_status pool_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_pool_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    bool max = n->op == &sgs_op_maxpool, any = a->pad[0] || a->pad[1] || a->pad[2] || a->pad[3];
    int64_t same[4], never[4] = { -1, -1, -1, -1 };
    int padding;
    for (int i = 0; i < 2; i++)
        sgs_tfl_same(x->dim[1 + i], a->kernel[i], a->stride[i], 1, &same[i], &same[2 + i]);
    const bool outside = any && memcmp(a->pad, same, sizeof same);
    const bool counts = !max && any && a->count_pad == 1; /* what VALID behind PAD reads back as */
    if (dilation_of(a, 0) > 1 || dilation_of(a, 1) > 1 || (a->count_pad && !counts) || (!max && !a->count_pad && outside) || !sgs_tfl_fits(a->stride, 2))
        return sgs_tfl_custom(w, n);
    int in = sgs_tfl_padded(w, x, a->pad, counts ? never : same, max ? lowest(x->type) : NULL, &padding);
    const sgs_tfl_option o[] = {
        { "padding", padding }, { "stride_w", (double)a->stride[1] }, { "stride_h", (double)a->stride[0] }, { "filter_width", (double)a->kernel[1] },
        { "filter_height", (double)a->kernel[0] }, { NULL, 0 },
    };
    sgs_tfl_emit(w, max ? "MAX_POOL_2D" : "AVERAGE_POOL_2D", &in, 1, sgs_tfl_value(w, n->out[0]), o);
    return SGS_OK;
}

/* Where one window covers all there is, strides say nothing: frameworks write one as they like. */
static void settle_strides(const sgs_value *x, sgs_pool_attr *a)
{
    for (int i = 0; i < 2; i++)
        if (x->dim[1 + i] + a->pad[i] + a->pad[2 + i] == a->kernel[i])
            a->stride[i] = 1;
}

static sgs_status pool_from_tflite(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    sgs_value *x, *y;
    sgs_pool_attr a = { 0 };
    sgs_tfl_window w = { .kernel = { 0 } };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_tfl_no_act(im, s, d));
    SGS_TRY(sgs_tfl_read_window(s, x, &w, d));
    bool max = op == &sgs_op_maxpool;
    if (!w.same && sgs_tfl_take_pad(im, &x, w.pad, max ? x->type == SGS_U8 ? 0.0f : x->type == SGS_S16 ? (float)INT16_MIN : -FLT_MAX : 0.0f))
        a.count_pad = !max;
    memcpy(a.kernel, w.kernel, sizeof a.kernel);
    memcpy(a.stride, w.stride, sizeof a.stride);
    memcpy(a.pad, w.pad, sizeof a.pad);
    settle_strides(x, &a);
    SGS_TRY(sgs_emit(im, s, op, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status maxpool_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return pool_from_tflite(im, s, &sgs_op_maxpool, d);
}

static sgs_status avgpool_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return pool_from_tflite(im, s, &sgs_op_avgpool, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

/* m[n] for n pixels. */
static ipu_ref multipliers(sgs_lowering *l, const sgs_value *x, const sgs_value *y, int64_t most)
{
    float *m = SGS_NEW_N(sgs_lower_arena(l), float, most + 1);
    for (int64_t i = 1; i <= most; i++)
        m[i] = (float)(sgs_scale(x, 0) / (sgs_scale(y, 0) * (double)i));
    return sgs_lower_const(l, IPU_F32, m, most + 1);
}

/* One axis of what a dilated pool does to the pixels of one phase: outputs t, t + step, ... read every dilation-th pixel of x. */
typedef struct line {
    int64_t first, pixels;  /* of x: the first, and how many */
    int64_t outputs, step;  /* of y */
    int64_t pad, stride;    /* of the plain pool over those pixels */
} line;

static line line_of(const sgs_node *n, int i, int64_t t)
{
    const sgs_pool_attr *a = n->attr;
    const int64_t d = dilation_of(a, i), s = a->stride[i], from = t * s - a->pad[i], size = n->in[0]->dim[1 + i];
    line l = { .step = d / sgs_common_divisor(d, s), .stride = s / sgs_common_divisor(d, s) };
    l.pad = from < 0 ? (-from + d - 1) / d : 0;
    l.first = from + l.pad * d;
    l.pixels = l.first < size ? (size - 1 - l.first) / d + 1 : 0;
    l.outputs = (n->out[0]->dim[1 + i] - 1 - t) / l.step + 1;
    return l;
}

static void pick(ipu_ref *r, int axis, int64_t first, int64_t step, int64_t count)
{
    int32_t *const dim = axis ? &r->w : &r->h, *const stride = axis ? &r->pix : &r->row;
    r->off += (uint32_t)(first * *stride);
    *dim = (int32_t)count;
    *stride = count > 1 ? (int32_t)(*stride * step) : *stride;
}

/* The plain pool r over the pixels of one phase. */
static sgs_status emit_phase(sgs_lowering *l, const sgs_node *n, ipu_pool r, int64_t h, int64_t w, sgs_diag *d)
{
    const line at[2] = { line_of(n, 0, h), line_of(n, 1, w) };
    for (int i = 0; i < 2; i++) {
        pick(&r.x, i, at[i].first, dilation_of(n->attr, i), at[i].pixels);
        pick(&r.y, i, i ? w : h, at[i].step, at[i].outputs);
    }
    r.sy = (int32_t)at[0].stride, r.sx = (int32_t)at[1].stride;
    r.py = (int32_t)at[0].pad, r.px = (int32_t)at[1].pad;
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

static sgs_status emit_phases(sgs_lowering *l, const sgs_node *n, const ipu_pool *r, sgs_diag *d)
{
    const int64_t *y = n->out[0]->dim;
    for (int64_t h = 0; h < line_of(n, 0, 0).step && h < y[1]; h++)
        for (int64_t w = 0; w < line_of(n, 1, 0).step && w < y[2]; w++)
            SGS_TRY(emit_phase(l, n, *r, h, w, d));
    return SGS_OK;
}

/* A window that is all of x, and more than the pool's kernels take: the same integers from the reduction. */
static bool is_reduction(const sgs_node *n)
{
    const sgs_pool_attr *a = n->attr;
    const int64_t *x = n->in[0]->dim, *y = n->out[0]->dim;
    return y[1] == 1 && y[2] == 1 && x[1] == a->kernel[0] && x[2] == a->kernel[1] && !a->pad[0] && !a->pad[1] && dilation_of(a, 0) == 1 &&
           dilation_of(a, 1) == 1 && (a->kernel[0] * a->kernel[1] > 65535 || a->kernel[0] > 4096 || a->kernel[1] > 4096);
}

static sgs_status lower_reduction(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    sgs_reduce_attr a = { .n = 2, .axis = { 1, 2 } };
    sgs_node whole = *n;
    whole.op = n->op == &sgs_op_avgpool ? &sgs_op_reduce_mean : &sgs_op_reduce_max;
    whole.attr = &a;
    return whole.op->lower(l, &whole, d);
}

static sgs_status pool_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_pool_attr *a = n->attr;
    const sgs_value *x = n->in[0], *y = n->out[0];
    bool average = n->op == &sgs_op_avgpool;
    if (is_reduction(n))
        return lower_reduction(l, n, d);
    if (average && (x->type != SGS_S16 || y->type != SGS_S16 || !sgs_one_scale(x) || !sgs_one_scale(y)))
        return sgs_lower_fail(l, n, d, "expected int16 in and out with one scale each");
    if (!average && (!sgs_is_activation(x) || x->type != y->type))
        return sgs_lower_fail(l, n, d, "expected uint8 or int16, the same in and out");
    if (a->kernel[0] * a->kernel[1] > 65535)
        return sgs_lower_fail(l, n, d, "expected a window of at most 65535 pixels, found %lldx%lld", (long long)a->kernel[0],
                              (long long)a->kernel[1]);
    ipu_pool r = { .head = SGS_REC(average ? IPU_AVGPOOL_S16 : IPU_MAXPOOL, pool), .y = sgs_lower_ref(l, y), .x = sgs_lower_ref(l, x),
                   .kh = (int32_t)a->kernel[0], .kw = (int32_t)a->kernel[1], .sy = (int32_t)a->stride[0], .sx = (int32_t)a->stride[1],
                   .py = (int32_t)a->pad[0], .px = (int32_t)a->pad[1], .count_pad = average && a->count_pad };
    if (average) {
        r.mult = multipliers(l, x, y, a->kernel[0] * a->kernel[1]);
        r.out = sgs_out_range(y, SGS_ACT_NONE, 0, 0);
    }
    return dilation_of(a, 0) > 1 || dilation_of(a, 1) > 1 ? emit_phases(l, n, &r, d) : sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- from TensorFlow ---- */

/* Padding does not count. */
static sgs_status from_tf_pool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const bool first = sgs_tf_first(p);
    sgs_window2d w = { 0 };
    sgs_pool_attr a = { 0 };
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_tf_last(p, x, first);
    sgs_tf_pair(p, "ksize", true, first, w.kernel);
    sgs_tf_window(p, x->dim + 1, first, &w);
    memcpy(a.kernel, w.kernel, sizeof a.kernel);
    memcpy(a.stride, w.stride, sizeof a.stride);
    memcpy(a.pad, w.pad, sizeof a.pad);
    SGS_TRY(p->status);
    settle_strides(x, &a);
    sgs_sp_out(p, 0, sgs_tf_back(p, sgs_sp_one(p, !strcmp(s->op, "MaxPool") ? &sgs_op_maxpool : &sgs_op_avgpool, x, &a), first));
    return p->status;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_maxpool = {
    .name = "maxpool", .family = "pool", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_pool_attr), .attr = pool_attrs,
    .infer = sgs_pool_infer, .eval = pool_eval, .to_tflite = pool_to_tflite, .float_only = true, .qrule = SGS_Q_MOVE,
    .lower = pool_lower,
};
const sgs_op sgs_op_avgpool = {
    .name = "avgpool", .family = "pool", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_pool_attr), .attr = pool_attrs,
    .infer = sgs_pool_infer, .eval = pool_eval, .to_tflite = pool_to_tflite, .float_only = true, .qrule = SGS_Q_S16,
    .lower = pool_lower,
};

static const sgs_op *const ops[] = { &sgs_op_maxpool, &sgs_op_avgpool, NULL };
static const sgs_from onnx[] = {
    { "MaxPool", from_onnx_maxpool, 1 },          { "AveragePool", from_onnx_avgpool, 1 },
    { "GlobalMaxPool", from_onnx_globalmax, 1 }, { "GlobalAveragePool", from_onnx_globalavg, 1 }, { NULL, NULL, 0 },
};
static const sgs_from tflite[] = { { "MAX_POOL_2D", maxpool_from_tflite, 0 }, { "AVERAGE_POOL_2D", avgpool_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "MaxPool", from_tf_pool, 0 },
    { "AvgPool", from_tf_pool, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_pool = { "pool", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
