/* depthwise: y[n,h,w,c] = act(b[c] + sum x[n, h*s+i*d-p, ..., c] * w[0,i,j,c]), x NHWC, w [1][kh][kw][c]. */

#include "compile/lower.h"
#include <string.h>
#include "ops/dnnl.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr depthwise_attrs[] = {
    SGS_ATTR_V(sgs_conv_attr, stride, 2), SGS_ATTR_V(sgs_conv_attr, dilation, 2),       SGS_ATTR_V(sgs_conv_attr, pad, 4),
    SGS_ATTR_E(sgs_conv_attr, act, sgs_act_names), SGS_ATTR_F(sgs_conv_attr, lo), SGS_ATTR_F(sgs_conv_attr, hi), SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status depthwise_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_conv_attr *a = n->attr;
    const sgs_value *x = n->in[0], *w = n->in[1];
    char shape[128];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    SGS_TRY(sgs_need_rank(w, 4, "weights", d));
    sgs_shape_like(out, x);
    if (w->dim[0] != 1 || w->dim[3] != x->dim[3])
        return sgs_fail(d, SGS_E_MODEL, "expected one plane of weights for each of %lld channels, found %lld for %lld", (long long)x->dim[3],
                        (long long)w->dim[0], (long long)w->dim[3]);
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_window(x->dim[1 + i], w->dim[1 + i], a->stride[i], a->dilation[i], a->pad[i] + a->pad[2 + i], &out->dim[1 + i],
                           i ? "width" : "height", d));
    for (int i = 0; i < 4; i++)
        if (a->pad[i] < 0)
            return sgs_fail(d, SGS_E_MODEL, "padding must be 0 or more, found %lld", (long long)a->pad[i]);
    if (n->nin > 2 && n->in[2] && (n->in[2]->rank != 1 || n->in[2]->dim[0] != x->dim[3]))
        return sgs_fail(d, SGS_E_MODEL, "expected %lld biases, one per channel, found shape %s", (long long)x->dim[3],
                        sgs_dims_text(shape, sizeof shape, n->in[2]->rank, n->in[2]->dim));
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static sgs_status depthwise_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    const int64_t *w = in[1].dim;
    const sgs_dnnl_conv c = { .x = &in[0], .w = &in[1], .bias = n->nin > 2 && n->in[2] ? &in[2] : NULL, .y = out, .attr = n->attr,
                              .wdim = { w[3], 1, 1, w[1], w[2] }, .wstride = { 1, w[3], w[3], w[2] * w[3], w[3] } };
    return sgs_dnnl_run_conv(&c, st, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status depthwise_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_conv_attr *a = n->attr;
    const sgs_value *x = n->in[0], *k = n->in[1];
    int64_t same[4];
    int padding, act = sgs_tfl_act(a);
    if (act < 0 || !sgs_tfl_fits(a->stride, 2) || !sgs_tfl_fits(a->dilation, 2))
        return sgs_tfl_custom(w, n);
    for (int i = 0; i < 2; i++)
        sgs_tfl_same(x->dim[1 + i], k->dim[1 + i], a->stride[i], a->dilation[i], &same[i], &same[2 + i]);
    const bool bias = n->nin > 2 && n->in[2], must = !bias && x->type == SGS_F32; /* LiteRT crashes without */
    int in[] = { sgs_tfl_padded(w, x, a->pad, same, NULL, &padding), sgs_tfl_value(w, k), bias ? sgs_tfl_value(w, n->in[2]) : -1 };
    if (must)
        in[2] = sgs_tfl_zeros(w, n, 2, k->dim[3]);
    const sgs_tfl_option o[] = {
        { "padding", padding }, { "stride_w", (double)a->stride[1] }, { "stride_h", (double)a->stride[0] }, { "fused_activation_function", act },
        { "dilation_w_factor", (double)a->dilation[1] }, { "dilation_h_factor", (double)a->dilation[0] }, { "depth_multiplier", 1 }, { NULL, 0 },
    };
    sgs_tfl_emit(w, "DEPTHWISE_CONV_2D", in, must ? 3 : n->nin, sgs_tfl_value(w, n->out[0]), o);
    return SGS_OK;
}

static sgs_status depthwise_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[3] = { NULL, NULL, sgs_src_opt(im, s, 2) }, *y;
    sgs_conv_attr a = { .stride = { 1, 1 } };
    SGS_TRY(sgs_src_in(im, s, 0, &in[0], d));
    SGS_TRY(sgs_src_in(im, s, 1, &in[1], d));
    SGS_TRY(sgs_tfl_read_conv(im, s, in[0], in[1], &a, d));
    sgs_tfl_window w = { .kernel = { in[1]->dim[1], in[1]->dim[2] } };
    SGS_TRY(sgs_tfl_read_window(s, in[0], &w, d));
    if (!w.same)
        sgs_tfl_take_pad(im, &in[0], w.pad, 0.0f);
    memcpy(a.stride, w.stride, sizeof a.stride);
    memcpy(a.dilation, w.dilation, sizeof a.dilation);
    memcpy(a.pad, w.pad, sizeof a.pad);
    const int64_t channels = in[0]->dim[3];
    const bool several = in[1]->dim[0] == 1 && channels > 0 && in[1]->dim[3] > channels && in[1]->dim[3] % channels == 0;
    if (several) { /* outputs of one channel: a group each */
        const sgs_perm_attr turned = { .n = 4, .perm = { 3, 1, 2, 0 } };
        SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &in[1], &turned, &in[1], d));
        a.groups = channels;
    }
    SGS_TRY(sgs_emit(im, s, several ? &sgs_op_conv : &sgs_op_depthwise, s->nin > 2 ? 3 : 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

static sgs_status depthwise_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_conv_attr *a = n->attr;
    const sgs_value *w = n->in[1];
    int64_t c = w->dim[3], taps = w->dim[1] * w->dim[2];
    sgs_sums s = { .x = n->in[0], .w = w, .bias = n->nin > 2 ? n->in[2] : NULL, .y = n->out[0], .co = c, .taps = taps, .ci = 1,
                   .step_o = 1, .step_tap = c, .group = 1 };
    SGS_TRY(sgs_sums_make(l, n, &s, d));
    ipu_depthwise r = {
        .head = SGS_REC(sgs_sums_depthwise(&s), depthwise),
        .y = sgs_lower_ref(l, s.y), .x = sgs_lower_ref(l, s.x), .w = sgs_pack_depthwise(l, w->type, sgs_const_data(w), taps, c),
        .bias = sgs_sums_bias(l, &s, 0, c), .mult = sgs_sums_mult(l, &s, 0, c), .pad = sgs_lower_zeros(l, s.x, 0, c),
        .kh = (int32_t)w->dim[1], .kw = (int32_t)w->dim[2], .sy = (int32_t)a->stride[0], .sx = (int32_t)a->stride[1],
        .dy = (int32_t)a->dilation[0], .dx = (int32_t)a->dilation[1], .py = (int32_t)a->pad[0], .px = (int32_t)a->pad[1],
        .shift = s.shift, .out = sgs_out_range(s.y, (int)a->act, a->lo, a->hi),
    };
    return sgs_lower_emit(l, &r.head, n, sgs_value_count(s.y) * taps, d);
}

/* ---- from TensorFlow ---- */

/* [kh][kw][c][m]: m outputs for each channel; more than one are a convolution in groups. */
static sgs_status from_tf_depthwise(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *w = sgs_sp_in(p, 1), *y;
    const bool first = sgs_tf_first(p);
    if (p->status == SGS_OK && (x->rank != 4 || w->rank != 4))
        sgs_sp_fail(p, "expected input and weights of 4 dimensions, found %d and %d", x->rank, w->rank);
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_tf_last(p, x, first);
    const int64_t kh = w->dim[0], kw = w->dim[1], c = w->dim[2], co = c * w->dim[3];
    sgs_window2d win = { .kernel = { kh, kw } };
    sgs_tf_window(p, x->dim + 1, first, &win);
    if (p->status == SGS_OK && c != x->dim[3])
        sgs_sp_fail(p, "weights for %lld channels do not fit %lld", (long long)c, (long long)x->dim[3]);
    const bool plain = co == c;
    w = sgs_sp_reshape(p, w, 4, (const int64_t[]){ 1, kh, kw, co });
    if (!plain)
        w = sgs_sp_transpose(p, w, (const int64_t[]){ 3, 1, 2, 0 });
    SGS_TRY(p->status);
    sgs_conv_attr a = { .groups = plain ? 1 : c };
    memcpy(a.stride, win.stride, sizeof a.stride);
    memcpy(a.dilation, win.dilation, sizeof a.dilation);
    memcpy(a.pad, win.pad, sizeof a.pad);
    sgs_value *bias = sgs_const_new(im->g, SGS_F32, 1, &co, NULL, true);
    SGS_TRY(sgs_emit(im, s, plain ? &sgs_op_depthwise : &sgs_op_conv, 3, (sgs_value *[]){ x, w, bias }, &a, &y, d));
    sgs_sp_out(p, 0, sgs_tf_back(p, y, first));
    return p->status;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_depthwise = {
    .name = "depthwise", .family = "depthwise", .nin_min = 2, .nin_max = 3, .nout = 1, /* x, w[, bias] -> y */
    .attr_bytes = sizeof(sgs_conv_attr), .attr = depthwise_attrs,
    .infer = depthwise_infer, .eval = depthwise_eval, .to_tflite = depthwise_to_tflite, .float_only = true, .qrule = SGS_Q_CONV,
    .lower = depthwise_lower,
};

static const sgs_op *const ops[] = { &sgs_op_depthwise, NULL };
static const sgs_from tflite[] = { { "DEPTHWISE_CONV_2D", depthwise_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "DepthwiseConv2dNative", from_tf_depthwise, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_depthwise = { "depthwise", ops, .tflite = tflite, .tensorflow = tensorflow }; /* ONNX: Conv, in conv.c */
