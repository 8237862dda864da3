/* conv: y[n,h,w,o] = act(b[o] + sum x[n, h*s+i*d-p, ...] * w[o,i,j,c]), x NHWC, w [co][kh][kw][ci/groups]. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/dnnl.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr conv_attrs[] = {
    SGS_ATTR_V(sgs_conv_attr, stride, 2), SGS_ATTR_V(sgs_conv_attr, dilation, 2), SGS_ATTR_V(sgs_conv_attr, pad, 4),
    SGS_ATTR_I(sgs_conv_attr, groups),    SGS_ATTR_E(sgs_conv_attr, act, sgs_act_names), SGS_ATTR_F(sgs_conv_attr, lo),
    SGS_ATTR_F(sgs_conv_attr, hi),        SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

/* The bias is a plain array, one number per output channel. */
static sgs_status bias_ok(const sgs_node *n, int64_t co, sgs_diag *d)
{
    if (n->nin < 3 || !n->in[2])
        return SGS_OK;
    SGS_TRY(sgs_need_rank(n->in[2], 1, "bias", d));
    if (n->in[2]->dim[0] != co)
        return sgs_fail(d, SGS_E_MODEL, "expected %lld biases, one per output channel, found %lld", (long long)co, (long long)n->in[2]->dim[0]);
    return SGS_OK;
}

static sgs_status conv_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_conv_attr *a = n->attr;
    const sgs_value *x = n->in[0], *w = n->in[1];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    SGS_TRY(sgs_need_rank(w, 4, "weights", d));
    sgs_shape_like(out, x);
    if (a->groups < 1 || x->dim[3] % a->groups || w->dim[0] % a->groups || w->dim[3] != x->dim[3] / a->groups)
        return sgs_fail(d, SGS_E_MODEL, "%lld input channels in %lld group%s do not fit weights with %lld input and %lld output channels",
                        (long long)x->dim[3], (long long)a->groups, a->groups == 1 ? "" : "s", (long long)w->dim[3], (long long)w->dim[0]);
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_window(x->dim[1 + i], w->dim[1 + i], a->stride[i], a->dilation[i], a->pad[i] + a->pad[2 + i], &out->dim[1 + i],
                           i ? "width" : "height", d));
    for (int i = 0; i < 4; i++)
        if (a->pad[i] < 0)
            return sgs_fail(d, SGS_E_MODEL, "padding must be 0 or more, found %lld", (long long)a->pad[i]);
    out->dim[3] = w->dim[0];
    return bias_ok(n, w->dim[0], d);
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static sgs_status conv_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    const sgs_conv_attr *a = n->attr;
    const int64_t *w = in[1].dim, co = w[0] / a->groups, kernel = w[1] * w[2] * w[3];
    const sgs_dnnl_conv c = { .x = &in[0], .w = &in[1], .bias = n->nin > 2 && n->in[2] ? &in[2] : NULL, .y = out, .attr = a,
                              .wdim = { a->groups, co, w[3], w[1], w[2] }, .wstride = { co * kernel, kernel, 1, w[2] * w[3], w[3] } };
    return sgs_dnnl_run_conv(&c, st, d);
}

/* ---- from ONNX -------------------------------------------------------------------------------------------------------- */

/* [co][ci/g][kh][kw] -> [co][kh][kw][ci/g] */
static sgs_status weights_last(sgs_import *im, const sgs_source_node *s, sgs_value *w, sgs_value **out, sgs_diag *d)
{
    sgs_perm_attr p = { .n = 4, .perm = { 0, 2, 3, 1 } };
    return sgs_emit(im, s, &sgs_op_transpose, 1, &w, &p, out, d);
}

/* The weights of a convolution over rows are one pixel high. */
static sgs_status weights_high(sgs_import *im, const sgs_source_node *s, sgs_value **w, sgs_diag *d)
{
    const int64_t *k = (*w)->dim;
    const sgs_shape_attr high = { .n = 4, .dim = { k[0], k[1], 1, k[2] } };
    return (*w)->rank == 4 ? SGS_OK : sgs_emit(im, s, &sgs_op_reshape, 1, w, &high, w, d);
}

static sgs_status onnx_attrs(sgs_import *im, const sgs_source_node *s, const sgs_value *x, const sgs_value *w, sgs_conv_attr *a, sgs_diag *d)
{
    sgs_window2d win = { .kernel = { w->dim[2], w->dim[3] } };
    SGS_TRY(sgs_src_window(im, s, x, &win, false, d));
    if (win.kernel[0] != w->dim[2] || win.kernel[1] != w->dim[3])
        return sgs_src_fail(im, s, d, "kernel_shape says %lldx%lld, the weights are %lldx%lld", (long long)win.kernel[0], (long long)win.kernel[1],
                            (long long)w->dim[2], (long long)w->dim[3]);
    memcpy(a->stride, win.stride, sizeof a->stride);
    memcpy(a->dilation, win.dilation, sizeof a->dilation);
    memcpy(a->pad, win.pad, sizeof a->pad);
    a->groups = 1;
    return sgs_src_int(s, "group", &a->groups, d);
}

/* Every convolution has a bias, as TFLite's have. */
static sgs_value *zeros(sgs_graph *g, int64_t n)
{
    return sgs_const_new(g, SGS_F32, 1, &n, NULL, true);
}

static sgs_status from_onnx_conv(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *w, *b = sgs_src_opt(im, s, 2), *xl, *wl, *yl, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &w, d));
    if (x->rank < 3 || x->rank > 4 || w->rank != x->rank)
        return sgs_src_refuse(im, s, d, "only 1-D and 2-D convolutions are supported: expected input and weights of 3 or of 4 dimensions, found %d and %d",
                              x->rank, w->rank);
    sgs_conv_attr a = { 0 };
    SGS_TRY(weights_high(im, s, &w, d));
    SGS_TRY(onnx_attrs(im, s, x, w, &a, d));
    SGS_TRY(sgs_emit_picture(im, s, x, &xl, d));
    bool depthwise = a.groups > 1 && a.groups == x->dim[1] && w->dim[0] == a.groups && w->dim[1] == 1;
    if (depthwise) {
        sgs_perm_attr p = { .n = 4, .perm = { 1, 2, 3, 0 } }; /* [c][1][kh][kw] -> [1][kh][kw][c] */
        SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &w, &p, &wl, d));
        a.groups = 1;
    } else {
        SGS_TRY(weights_last(im, s, w, &wl, d));
    }
    sgs_value *in[] = { xl, wl, b ? b : zeros(im->g, w->dim[0]) };
    SGS_TRY(sgs_emit(im, s, depthwise ? &sgs_op_depthwise : &sgs_op_conv, 3, in, &a, &yl, d));
    SGS_TRY(sgs_emit_unpicture(im, s, yl, x->rank, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status conv_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
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
    const bool bias = n->nin > 2 && n->in[2], must = !bias && x->type == SGS_F32; /* LiteRT's has no choice */
    int in[] = { sgs_tfl_padded(w, x, a->pad, same, NULL, &padding), sgs_tfl_value(w, k), bias ? sgs_tfl_value(w, n->in[2]) : -1 };
    if (must)
        in[2] = sgs_tfl_zeros(w, n, 2, k->dim[0]);
    const sgs_tfl_option o[] = {
        { "padding", padding }, { "stride_w", (double)a->stride[1] }, { "stride_h", (double)a->stride[0] }, { "fused_activation_function", act },
        { "dilation_w_factor", (double)a->dilation[1] }, { "dilation_h_factor", (double)a->dilation[0] }, { NULL, 0 },
    };
    sgs_tfl_emit(w, "CONV_2D", in, must ? 3 : n->nin, sgs_tfl_value(w, n->out[0]), o);
    return SGS_OK;
}

static sgs_status conv_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[3] = { NULL, NULL, sgs_src_opt(im, s, 2) }, *y;
    sgs_conv_attr a = { .groups = 1 };
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
    if (in[1]->dim[3] < 1)
        return sgs_src_fail(im, s, d, "the weights have no input channels");
    a.groups = in[0]->dim[3] / in[1]->dim[3];
    SGS_TRY(sgs_emit(im, s, &sgs_op_conv, s->nin > 2 ? 3 : 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}


/* ---- lowering ------------------------------------------------------------------------------------------------------- */

/* Groups are records of their own on channel windows. */
static sgs_status lower_group(sgs_lowering *l, const sgs_node *n, const sgs_sums *s, int64_t first, sgs_diag *d)
{
    const sgs_conv_attr *a = n->attr;
    const int64_t *k = s->w->dim + 1, from = first / s->group * s->ci;
    const uint8_t *w = (const uint8_t *)sgs_const_data(s->w) + first * s->step_o * sgs_type_bytes(s->w->type);
    ipu_conv r = {
        .head = SGS_REC(sgs_sums_conv(s), conv),
        .y = sgs_ref_channels(sgs_lower_ref(l, s->y), first, s->group), .x = sgs_ref_channels(sgs_lower_ref(l, s->x), from, s->ci),
        .w = sgs_pack_conv(l, s->w->type, w, s->group, s->taps, s->ci), .bias = sgs_sums_bias(l, s, first, s->group),
        .mult = sgs_sums_mult(l, s, first, s->group), .pad = sgs_lower_zeros(l, s->x, from, s->ci),
        .kh = (int32_t)k[0], .kw = (int32_t)k[1], .sy = (int32_t)a->stride[0], .sx = (int32_t)a->stride[1],
        .dy = (int32_t)a->dilation[0], .dx = (int32_t)a->dilation[1], .py = (int32_t)a->pad[0], .px = (int32_t)a->pad[1],
        .shift = s->shift, .out = sgs_out_range(s->y, (int)a->act, a->lo, a->hi),
    };
    int64_t mac = sgs_value_count(s->y) / s->co * s->group * s->taps * s->ci;
    return sgs_lower_emit(l, &r.head, n, mac, d);
}

static sgs_status conv_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_conv_attr *a = n->attr;
    const sgs_value *w = n->in[1];
    int64_t taps = w->dim[1] * w->dim[2], ci = w->dim[3];
    sgs_sums s = { .x = n->in[0], .w = w, .bias = n->nin > 2 ? n->in[2] : NULL, .y = n->out[0], .co = w->dim[0], .taps = taps, .ci = ci,
                   .step_o = taps * ci, .step_tap = ci, .step_c = 1, .group = w->dim[0] / a->groups };
    SGS_TRY(sgs_sums_make(l, n, &s, d));
    for (int64_t first = 0; first < s.co; first += s.group)
        SGS_TRY(lower_group(l, n, &s, first, d));
    return SGS_OK;
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_conv(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *w = sgs_sp_in(p, 1), *y;
    const bool first = sgs_tf_first(p);
    if (p->status == SGS_OK && (x->rank != 4 || w->rank != 4))
        sgs_sp_fail(p, "expected input and weights of 4 dimensions, found %d and %d", x->rank, w->rank);
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_tf_last(p, x, first);
    sgs_window2d win = { .kernel = { w->dim[0], w->dim[1] } };
    sgs_tf_window(p, x->dim + 1, first, &win);
    const int64_t ci = w->dim[2], co = w->dim[3], groups = ci > 0 ? x->dim[3] / ci : 0;
    if (p->status == SGS_OK && (groups < 1 || x->dim[3] % ci || co % groups))
        sgs_sp_fail(p, "weights for %lld input channels and %lld outputs do not fit %lld channels", (long long)ci, (long long)co, (long long)x->dim[3]);
    const bool depthwise = groups > 1 && ci == 1 && co == groups;
    w = sgs_sp_transpose(p, w, depthwise ? (const int64_t[]){ 2, 0, 1, 3 } : (const int64_t[]){ 3, 0, 1, 2 });
    SGS_TRY(p->status);
    sgs_conv_attr a = { .groups = depthwise ? 1 : groups };
    memcpy(a.stride, win.stride, sizeof a.stride);
    memcpy(a.dilation, win.dilation, sizeof a.dilation);
    memcpy(a.pad, win.pad, sizeof a.pad);
    SGS_TRY(sgs_emit(im, s, depthwise ? &sgs_op_depthwise : &sgs_op_conv, 3, (sgs_value *[]){ x, w, zeros(im->g, co) }, &a, &y, d));
    sgs_sp_out(p, 0, sgs_tf_back(p, y, first));
    return p->status;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_conv = {
    .name = "conv", .family = "conv", .nin_min = 2, .nin_max = 3, .nout = 1, /* x, w[, bias] -> y */
    .attr_bytes = sizeof(sgs_conv_attr), .attr = conv_attrs,
    .infer = conv_infer, .eval = conv_eval, .to_tflite = conv_to_tflite, .float_only = true, .qrule = SGS_Q_CONV,
    .lower = conv_lower,
};

static const sgs_op *const ops[] = { &sgs_op_conv, NULL };
static const sgs_from onnx[] = { { "Conv", from_onnx_conv, 1 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "CONV_2D", conv_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Conv2D", from_tf_conv, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_conv = { "conv", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
