/* deconv: transposed convolution.  Pixel (h, w) of x adds w[o,i,j,c] * x[h,w,c] to pixel (h*s + i*d - p, w*s + j*d - p)
 * of y, which begins as the bias; x NHWC, w [co][kh][kw][ci/groups].  On integers it is one ordinary convolution for
 * each of the sh*sw phases of y. */
#include <string.h>

#include "compile/lower.h"
#include "ops/dnnl.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const sgs_attr deconv_attrs[] = {
    { "stride", SGS_ATTR_INTS, offsetof(sgs_deconv_attr, conv.stride), 2, SGS_ALL, NULL },
    { "dilation", SGS_ATTR_INTS, offsetof(sgs_deconv_attr, conv.dilation), 2, SGS_ALL, NULL },
    { "pad", SGS_ATTR_INTS, offsetof(sgs_deconv_attr, conv.pad), 4, SGS_ALL, NULL },
    SGS_ATTR_V(sgs_deconv_attr, extra, 2),
    { "groups", SGS_ATTR_INT, offsetof(sgs_deconv_attr, conv.groups), 1, SGS_ALL, NULL },
    { "act", SGS_ATTR_ENUM, offsetof(sgs_deconv_attr, conv.act), 1, SGS_ALL, sgs_act_names },
    { "lo", SGS_ATTR_FLOAT, offsetof(sgs_deconv_attr, conv.lo), 1, SGS_ALL, NULL },
    { "hi", SGS_ATTR_FLOAT, offsetof(sgs_deconv_attr, conv.hi), 1, SGS_ALL, NULL },
    SGS_ATTR_END,
};

/* ---- shapes -------------------------------------------------------------------------------------------------------
 */

#define MOST ((int64_t)1 << 31)

/* What n pixels reach, before anything is taken away: (n - 1) * stride + (kernel - 1) * dilation + 1. */
static sgs_status reach(int64_t n, int64_t kernel, int64_t stride, int64_t dilation, const char *axis, int64_t *out,
                        sgs_diag *d)
{
    if (n < 1 || n >= MOST || kernel < 1 || kernel >= MOST || stride < 1 || stride >= MOST || dilation < 1 ||
        dilation >= MOST)
        return sgs_fail(d, SGS_E_MODEL,
                        "%s: size, kernel, stride and dilation must lie in 1..2147483647, found %lld, %lld, %lld, %lld", axis,
                        (long long)n, (long long)kernel, (long long)stride, (long long)dilation);
    *out = (n - 1) * stride;
    if (!sgs_add64(*out, (kernel - 1) * dilation + 1, out) || *out >= MOST)
        return sgs_fail(d, SGS_E_LIMIT, "%s: the result has more than 2^31 pixels", axis);
    return SGS_OK;
}

static sgs_status size_of(const sgs_value *x, const sgs_value *w, const sgs_deconv_attr *a, int i, int64_t *out,
                          sgs_diag *d)
{
    const sgs_conv_attr *c = &a->conv;
    const char *axis = i ? "width" : "height";
    SGS_TRY(reach(x->dim[1 + i], w->dim[1 + i], c->stride[i], c->dilation[i], axis, out, d));
    if (c->pad[i] < 0 || c->pad[2 + i] < 0 || a->extra[i] < 0 || c->pad[i] >= MOST || c->pad[2 + i] >= MOST ||
        a->extra[i] >= MOST)
        return sgs_fail(d, SGS_E_MODEL, "%s: padding before and behind and what is added must lie in 0..2147483647, found %lld, %lld and %lld", axis,
                        (long long)c->pad[i], (long long)c->pad[2 + i], (long long)a->extra[i]);
    *out += a->extra[i] - c->pad[i] - c->pad[2 + i];
    return *out > 0 ? SGS_OK : sgs_fail(d, SGS_E_MODEL, "%s: the padding takes all of the result away", axis);
}

static sgs_status deconv_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_deconv_attr *a = n->attr;
    const sgs_value *x = n->in[0], *w = n->in[1];
    char shape[128];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    SGS_TRY(sgs_need_rank(w, 4, "weights", d));
    sgs_shape_like(out, x);
    if (a->conv.groups < 1 || x->dim[3] % a->conv.groups || w->dim[0] % a->conv.groups ||
        w->dim[3] != x->dim[3] / a->conv.groups)
        return sgs_fail(
            d, SGS_E_MODEL,
            "%lld input channels in %lld group%s do not fit weights with %lld input and %lld output channels",
            (long long)x->dim[3], (long long)a->conv.groups, a->conv.groups == 1 ? "" : "s", (long long)w->dim[3],
            (long long)w->dim[0]);
    for (int i = 0; i < 2; i++)
        SGS_TRY(size_of(x, w, a, i, &out->dim[1 + i], d));
    out->dim[3] = w->dim[0];
    if (n->nin > 2 && n->in[2] && (n->in[2]->rank != 1 || n->in[2]->dim[0] != w->dim[0]))
        return sgs_fail(d, SGS_E_MODEL, "expected %lld biases, one per output channel, found shape %s", (long long)w->dim[0],
                        sgs_dims_text(shape, sizeof shape, n->in[2]->rank, n->in[2]->dim));
    return SGS_OK;
}

/* ---- float ----------------------------------------------------------------------------------------------------------
 */

/* One pixel of y by its definition. */
static void pixel(const sgs_deconv_attr *a, const sgs_tensor *in, const float *bias, const int64_t at[3], int64_t o,
                  float *y)
{
    const sgs_conv_attr *c = &a->conv;
    const int64_t *xd = in[0].dim, *wd = in[1].dim, ci = wd[3], taps = wd[1] * wd[2];
    const float *w = (const float *)in[1].data + o * taps * ci;
    double sum = bias ? (double)bias[o] : 0;
    for (int64_t k = 0; k < taps; k++) {
        const int64_t h = at[1] + c->pad[0] - k / wd[2] * c->dilation[0],
                      v = at[2] + c->pad[1] - k % wd[2] * c->dilation[1];
        if (h < 0 || v < 0 || h % c->stride[0] || v % c->stride[1] || h / c->stride[0] >= xd[1] ||
            v / c->stride[1] >= xd[2])
            continue;
        const int64_t from =
            ((at[0] * xd[1] + h / c->stride[0]) * xd[2] + v / c->stride[1]) * xd[3] + o / (wd[0] / c->groups) * ci;
        for (int64_t i = 0; i < ci; i++)
            sum += (double)((const float *)in[0].data)[from + i] * (double)w[k * ci + i];
    }
    *y = sgs_apply_act((float)sum, c->act, c->lo, c->hi);
}

/* For the extra pixels that oneDNN does not make: a whole stride of them or more. */
static sgs_status plain_loops(const sgs_deconv_attr *a, const sgs_tensor *in, const float *bias, sgs_tensor *y)
{
    int64_t at[4] = { 0 };
    float *to = y->data;
    do {
        pixel(a, in, bias, at, at[3], to++);
    } while (sgs_next_index(at, 4, y->dim));
    return SGS_OK;
}

static sgs_status deconv_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    const sgs_deconv_attr *a = n->attr;
    const int64_t *w = in[1].dim, co = w[0] / a->conv.groups, kernel = w[1] * w[2] * w[3];
    const sgs_tensor *bias = n->nin > 2 && n->in[2] ? &in[2] : NULL;
    sgs_conv_attr shape = a->conv;
    if (a->extra[0] >= a->conv.stride[0] || a->extra[1] >= a->conv.stride[1])
        return plain_loops(a, in, bias ? bias->data : NULL, out);
    for (int i = 0; i < 2; i++)
        shape.pad[2 + i] -= a->extra[i];
    const sgs_dnnl_conv c = { .x = &in[0],
                              .w = &in[1],
                              .bias = bias,
                              .y = out,
                              .attr = &shape,
                              .transposed = true,
                              .wdim = { a->conv.groups, co, w[3], w[1], w[2] },
                              .wstride = { co * kernel, kernel, 1, w[2] * w[3], w[3] } };
    return sgs_dnnl_run_conv(&c, st, d);
}

/* ---- from ONNX
 * -------------------------------------------------------------------------------------------------------- */

/* [ci][co/g][kh][kw] -> [co][kh][kw][ci/g] */
static sgs_status weights_last(sgs_import *im, const sgs_source_node *s, int64_t groups, sgs_value **w, sgs_diag *d)
{
    const int64_t ci = (*w)->dim[0] / groups, co = (*w)->dim[1], high = (*w)->rank == 4, kh = high ? (*w)->dim[2] : 1,
                  kw = (*w)->dim[2 + high];
    const sgs_shape_attr apart = { .n = 5, .dim = { groups, ci, co, kh, kw } },
                         joined = { .n = 4, .dim = { groups * co, kh, kw, ci } };
    const sgs_perm_attr p = { .n = 5, .perm = { 0, 2, 3, 4, 1 } };
    SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, w, &apart, w, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, w, &p, w, d));
    return sgs_emit(im, s, &sgs_op_reshape, 1, w, &joined, w, d);
}

/* What the attributes say, one entry an axis. */
typedef struct shape {
    int axes;
    int64_t adjust[2]; /* output_padding */
    int64_t out[2];    /* output_shape; -1: follows from the rest */
    bool same, upper;  /* auto_pad SAME_*; SAME_UPPER */
} shape;

static sgs_status read_shape(sgs_import *im, const sgs_source_node *s, int axes, shape *t, sgs_diag *d)
{
    int64_t out[4] = { 0 };
    int n = 0, first = 2 - axes;
    const sgs_src_attr *a = sgs_src_find(s, "auto_pad");
    *t = (shape){ .axes = axes, .out = { -1, -1 } };
    SGS_TRY(sgs_src_ints(s, "output_padding", t->adjust + first, axes, axes, &n, d));
    n = 0;
    SGS_TRY(sgs_src_ints(s, "output_shape", out, axes + 2, -1, &n, d));
    if (n != 0 && n != axes && n != axes + 2)
        return sgs_src_fail(im, s, d, "output_shape: expected %d numbers, found %d", axes, n);
    for (int i = n - axes; n && i < n; i++)
        if (out[i] < 1)
            return sgs_src_fail(im, s, d, "output_shape: expected sizes of 1 or more, found %lld", (long long)out[i]);
    if (n)
        memcpy(t->out + first, out + n - axes, (size_t)axes * sizeof *out);
    t->upper = a && a->kind == SGS_SRC_STRING && a->s.n == 10 && !memcmp(a->s.p, "SAME_UPPER", 10);
    t->same = t->upper || (a && a->kind == SGS_SRC_STRING && a->s.n == 10 && !memcmp(a->s.p, "SAME_LOWER", 10));
    return SGS_OK;
}

/* One axis: padding and extra pixels.  A size that is asked for (by output_shape, or n * stride by auto_pad) is reached
 * by padding: of an odd number the greater part stands at the end for SAME_UPPER, else at the beginning. */
static sgs_status settle(sgs_import *im, const sgs_source_node *s, const shape *t, int i, int64_t n, int64_t kernel,
                         sgs_deconv_attr *a, sgs_diag *d)
{
    sgs_conv_attr *c = &a->conv;
    int64_t natural;
    SGS_TRY(reach(n, kernel, c->stride[i], c->dilation[i], i ? "width" : "height", &natural, d));
    const int64_t want = t->out[i] < 0 && t->same ? n * c->stride[i] : t->out[i];
    if (t->adjust[i] < 0 || t->adjust[i] >= MOST)
        return sgs_src_fail(im, s, d, "output_padding must lie in 0..2147483647, found %lld", (long long)t->adjust[i]);
    if (want >= MOST)
        return sgs_src_fail(im, s, d, "%s: the result has more than 2^31 pixels", i ? "width" : "height");
    if (want >= 0) {
        const int64_t total = natural + t->adjust[i] > want ? natural + t->adjust[i] - want : 0;
        c->pad[i] = t->upper ? total / 2 : total - total / 2;
        c->pad[2 + i] = total - c->pad[i];
    }
    const int64_t size = t->out[i] >= 0 ? t->out[i] : natural + t->adjust[i] - c->pad[i] - c->pad[2 + i],
                  rest = size + c->pad[i] - natural;
    a->extra[i] = rest > 0 ? rest : 0;
    c->pad[2 + i] = rest < 0 ? -rest : 0;
    return SGS_OK;
}

static sgs_status onnx_attrs(sgs_import *im, const sgs_source_node *s, const sgs_value *x, const sgs_value *w,
                             sgs_deconv_attr *a, sgs_diag *d)
{
    const bool high = x->rank == 4;
    const int64_t kernel[2] = { high ? w->dim[2] : 1, w->dim[high ? 3 : 2] },
                  size[2] = { high ? x->dim[2] : 1, x->dim[high ? 3 : 2] };
    sgs_window2d win = { .kernel = { kernel[0], kernel[1] } };
    shape t;
    SGS_TRY(sgs_src_window(im, s, x, &win, false, d));
    if (win.kernel[0] != kernel[0] || win.kernel[1] != kernel[1])
        return sgs_src_fail(im, s, d, "kernel_shape says %lldx%lld, the weights are %lldx%lld",
                            (long long)win.kernel[0], (long long)win.kernel[1], (long long)kernel[0],
                            (long long)kernel[1]);
    SGS_TRY(read_shape(im, s, x->rank - 2, &t, d));
    memcpy(a->conv.stride, win.stride, sizeof win.stride);
    memcpy(a->conv.dilation, win.dilation, sizeof win.dilation);
    memcpy(a->conv.pad, win.pad, sizeof win.pad);
    if (t.same) /* sgs_src_window's is that of a convolution */
        memset(a->conv.pad, 0, sizeof a->conv.pad);
    for (int i = 0; i < 2; i++)
        SGS_TRY(settle(im, s, &t, i, size[i], kernel[i], a, d));
    return SGS_OK;
}

static sgs_status from_onnx_convtranspose(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *w, *b = sgs_src_opt(im, s, 2), *xl, *yl, *y;
    sgs_deconv_attr a = { .conv = { .groups = 1 } };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &w, d));
    if (x->rank < 3 || x->rank > 4 || w->rank != x->rank)
        return sgs_src_refuse(im, s, d,
                              "only 1-D and 2-D convolutions are supported: expected input and weights of 3 or of 4 "
                              "dimensions, found %d and %d",
                              x->rank, w->rank);
    SGS_TRY(sgs_src_int(s, "group", &a.conv.groups, d));
    if (a.conv.groups < 1 || w->dim[0] != x->dim[1] || w->dim[0] % a.conv.groups)
        return sgs_src_fail(im, s, d, "%lld input channels in %lld group%s do not fit weights for %lld",
                            (long long)x->dim[1], (long long)a.conv.groups, a.conv.groups == 1 ? "" : "s",
                            (long long)w->dim[0]);
    SGS_TRY(onnx_attrs(im, s, x, w, &a, d));
    SGS_TRY(weights_last(im, s, a.conv.groups, &w, d));
    SGS_TRY(sgs_emit_picture(im, s, x, &xl, d));
    b = b ? b : sgs_const_new(im->g, SGS_F32, 1, &w->dim[0], NULL, true);
    sgs_value *in[] = { xl, w, b };
    SGS_TRY(sgs_emit(im, s, &sgs_op_deconv, 3, in, &a, &yl, d));
    SGS_TRY(sgs_emit_unpicture(im, s, yl, x->rank, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim
 * --------------------------------------------------------------------------------------------------------------- */

/* TFLite gives the size of y and takes the padding of the convolution that would lead from y to x. */
static bool tfl_pads(int padding, int64_t n, int64_t kernel, int64_t stride, int64_t size, int64_t *before,
                     int64_t *after, int64_t *extra)
{
    const int64_t natural = (n - 1) * stride + kernel,
                  back = padding == SGS_TFL_SAME ? (size - 1) / stride + 1 : (size - kernel) / stride + 1;
    const int64_t total = (back - 1) * stride + kernel - size;
    *before = total > 0 ? total / 2 : 0;
    const int64_t rest = size + *before - natural;
    *extra = rest > 0 ? rest : 0;
    *after = rest < 0 ? -rest : 0;
    return size >= 1 && (padding == SGS_TFL_SAME || size >= kernel);
}

/* The schema's padding that gives these pads, or -1. */
static int tfl_padding(const sgs_deconv_attr *a, const sgs_node *n)
{
    const int64_t *x = n->in[0]->dim, *k = n->in[1]->dim, *y = n->out[0]->dim;
    for (int padding = SGS_TFL_VALID; padding >= SGS_TFL_SAME; padding--) {
        bool fits = true;
        for (int i = 0; i < 2 && fits; i++) {
            int64_t before, after, extra;
            fits = tfl_pads(padding, x[1 + i], k[1 + i], a->conv.stride[i], y[1 + i], &before, &after, &extra) &&
                   before == a->conv.pad[i] && after == a->conv.pad[2 + i] && extra == a->extra[i];
        }
        if (fits)
            return padding;
    }
    return -1;
}

static sgs_status deconv_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_deconv_attr *a = n->attr;
    const int act = sgs_tfl_act(&a->conv), padding = tfl_padding(a, n);
    if (act < 0 || padding < 0 || a->conv.groups != 1 || a->conv.dilation[0] != 1 || a->conv.dilation[1] != 1 ||
        !sgs_tfl_fits(a->conv.stride, 2))
        return sgs_tfl_custom(w, n);
    const bool bias = n->nin > 2 && n->in[2];
    const int in[] = { sgs_tfl_const_s32(w, n->out[0]->dim, 4), sgs_tfl_value(w, n->in[1]), sgs_tfl_value(w, n->in[0]),
                       bias ? sgs_tfl_value(w, n->in[2]) : -1 };
    const sgs_tfl_option o[] = {
        { "padding", padding },
        { "stride_w", (double)a->conv.stride[1] },
        { "stride_h", (double)a->conv.stride[0] },
        { "fused_activation_function", act },
        { NULL, 0 },
    };
    sgs_tfl_emit(w, "TRANSPOSE_CONV", in, n->nin + 1, sgs_tfl_value(w, n->out[0]), o);
    return SGS_OK;
}

static sgs_status deconv_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *size, *in[3] = { NULL, NULL, sgs_src_opt(im, s, 3) }, *y;
    sgs_deconv_attr a = { .conv = { .groups = 1 } };
    int64_t dim[4];
    int count = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &size, d));
    SGS_TRY(sgs_src_in(im, s, 1, &in[1], d));
    SGS_TRY(sgs_src_in(im, s, 2, &in[0], d));
    SGS_TRY(sgs_src_const_ints(s, size, dim, 4, &count, d));
    if (count != 4)
        return sgs_src_fail(im, s, d, "expected a result's shape of 4 numbers, found %d", count);
    SGS_TRY(sgs_tfl_read_conv(im, s, in[0], in[1], &a.conv, d));
    sgs_tfl_window win = { .kernel = { in[1]->dim[1], in[1]->dim[2] } };
    SGS_TRY(sgs_tfl_read_window(s, in[0], &win, d));
    memcpy(a.conv.stride, win.stride, sizeof win.stride);
    a.conv.dilation[0] = a.conv.dilation[1] = 1;
    for (int i = 0; i < 2; i++)
        if (!tfl_pads(win.same ? SGS_TFL_SAME : SGS_TFL_VALID, in[0]->dim[1 + i], win.kernel[i], win.stride[i],
                      dim[1 + i], &a.conv.pad[i], &a.conv.pad[2 + i], &a.extra[i]))
            return sgs_src_fail(im, s, d, "a result of %lldx%lld pixels is impossible", (long long)dim[1],
                                (long long)dim[2]);
    SGS_TRY(sgs_emit(im, s, &sgs_op_deconv, s->nin > 3 ? 3 : 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering -------------------------------------------------------------------------------------------------------
 */

/* One axis of a phase: pixels p, p + stride, ... of y come from the taps k with k*dilation = p + pad modulo stride,
 * every `step`-th from `first` on. Turned round they are the kernel of an ordinary convolution of stride 1 over x. */
typedef struct line {
    int64_t first, step, taps; /* taps 0: the bias alone */
    int64_t dilation;          /* between neighbours, in pixels of x */
    int64_t pad;               /* pixels in front of x that the first window covers */
    int64_t skip;              /* pixels of x in front of the first window */
    int64_t outputs;
} line;

static line line_of(const sgs_deconv_attr *a, const sgs_node *n, int axis, int64_t p)
{
    const sgs_conv_attr *c = &a->conv;
    const int64_t stride = c->stride[axis], dilation = c->dilation[axis], kernel = n->in[1]->dim[1 + axis],
                  from = p + c->pad[axis];
    line l = { .step = stride / sgs_common_divisor(stride, dilation),
               .dilation = 1,
               .outputs = (n->out[0]->dim[1 + axis] - 1 - p) / stride + 1 };
    while (l.first < kernel && l.first < l.step && (l.first * dilation - from) % stride)
        l.first++;
    if (l.first == l.step || l.first >= kernel)
        return l;
    l.taps = (kernel - 1 - l.first) / l.step + 1;
    l.dilation = l.taps > 1 ? l.step * dilation / stride : 1;
    const int64_t before = ((l.first + (l.taps - 1) * l.step) * dilation - from) / stride;
    l.pad = before > 0 ? before : 0;
    l.skip = before < 0 ? -before : 0;
    if (l.skip >= n->in[0]->dim[1 + axis]) { /* all windows lie behind x: to the kernel the same as before it */
        l.skip = 0;
        l.pad = l.outputs + (l.taps - 1) * l.dilation;
    }
    return l;
}

typedef struct phase {
    int64_t at[2];
    line line[2];
    int64_t taps; /* of the small kernel; without any it is one tap of zeros */
} phase;

static phase phase_of(const sgs_node *n, int64_t h, int64_t w)
{
    phase p = { .at = { h, w }, .line = { line_of(n->attr, n, 0, h), line_of(n->attr, n, 1, w) } };
    p.taps = p.line[0].taps * p.line[1].taps;
    for (int i = 0; i < 2 && !p.taps; i++)
        p.line[i] = (line){ .taps = 1, .dilation = 1, .outputs = p.line[i].outputs };
    return p;
}

/* The tap of w that tap k of the small kernel is. */
static int64_t source_tap(const phase *p, int64_t kw, int64_t k)
{
    const line *h = &p->line[0], *w = &p->line[1];
    const int64_t i = h->taps - 1 - k / w->taps, j = w->taps - 1 - k % w->taps;
    return (h->first + i * h->step) * kw + w->first + j * w->step;
}

/* The small kernel as weights of an ordinary convolution, [co][taps][ci], or of a depthwise one, [taps][c]. */
static void gather(sgs_lowering *l, const phase *p, bool depthwise, sgs_value *w)
{
    const int64_t co = w->dim[0], kernel = w->dim[1] * w->dim[2], ci = w->dim[3], taps = p->taps ? p->taps : 1;
    const size_t each = (size_t)sgs_type_bytes(w->type);
    uint8_t *to = sgs_alloc_n(sgs_lower_arena(l), (size_t)(co * taps * ci), each);
    for (int64_t o = 0; o < co; o++)
        for (int64_t k = 0; k < p->taps; k++) {
            const int64_t from = (o * kernel + source_tap(p, w->dim[2], k)) * ci,
                          at = depthwise ? k * co + o : (o * taps + k) * ci;
            memcpy(to + (size_t)at * each, (const uint8_t *)sgs_const_data(w) + (size_t)from * each, (size_t)ci * each);
        }
    w->constant = sgs_constant_new(sgs_lower_arena(l), to);
}

/* The pixels of y that the phase makes, the pixels of x that it reads. */
static ipu_ref outputs_of(sgs_lowering *l, const sgs_node *n, const phase *p)
{
    const sgs_conv_attr *c = n->attr;
    ipu_ref y = sgs_lower_ref(l, n->out[0]);
    y.off += (uint32_t)(p->at[0] * y.row + p->at[1] * y.pix);
    y.h = (int32_t)p->line[0].outputs;
    y.w = (int32_t)p->line[1].outputs;
    y.row = y.h > 1 ? (int32_t)(y.row * c->stride[0]) : y.row;
    y.pix = y.w > 1 ? (int32_t)(y.pix * c->stride[1]) : y.pix;
    return y;
}

static ipu_ref inputs_of(sgs_lowering *l, const sgs_node *n, const phase *p)
{
    ipu_ref x = sgs_lower_ref(l, n->in[0]);
    x.off += (uint32_t)(p->line[0].skip * x.row + p->line[1].skip * x.pix);
    x.h -= (int32_t)p->line[0].skip;
    x.w -= (int32_t)p->line[1].skip;
    return x;
}

static sgs_status emit_depthwise(sgs_lowering *l, const sgs_node *n, const phase *p, const sgs_sums *s, sgs_diag *d)
{
    const sgs_conv_attr *a = n->attr;
    const line *h = &p->line[0], *w = &p->line[1];
    const ipu_depthwise r = {
        .head = SGS_REC(sgs_sums_depthwise(s), depthwise),
        .y = outputs_of(l, n, p),
        .x = inputs_of(l, n, p),
        .w = sgs_pack_depthwise(l, s->w->type, sgs_const_data(s->w), s->taps, s->co),
        .bias = sgs_sums_bias(l, s, 0, s->co),
        .mult = sgs_sums_mult(l, s, 0, s->co),
        .pad = sgs_lower_zeros(l, s->x, 0, s->co),
        .kh = (int32_t)h->taps,
        .kw = (int32_t)w->taps,
        .sy = 1,
        .sx = 1,
        .dy = (int32_t)h->dilation,
        .dx = (int32_t)w->dilation,
        .py = (int32_t)h->pad,
        .px = (int32_t)w->pad,
        .shift = s->shift,
        .out = sgs_out_range(s->y, (int)a->act, a->lo, a->hi),
    };
    return sgs_lower_emit(l, &r.head, n, (int64_t)r.y.n * r.y.h * r.y.w * s->co * p->taps, d);
}

/* Groups are records of their own on channel windows. */
static sgs_status emit_group(sgs_lowering *l, const sgs_node *n, const phase *p, const sgs_sums *s, int64_t first,
                             sgs_diag *d)
{
    const sgs_conv_attr *a = n->attr;
    const line *h = &p->line[0], *w = &p->line[1];
    const int64_t from = first / s->group * s->ci;
    const uint8_t *weights = (const uint8_t *)sgs_const_data(s->w) + first * s->step_o * sgs_type_bytes(s->w->type);
    const ipu_conv r = {
        .head = SGS_REC(sgs_sums_conv(s), conv),
        .y = sgs_ref_channels(outputs_of(l, n, p), first, s->group),
        .x = sgs_ref_channels(inputs_of(l, n, p), from, s->ci),
        .w = sgs_pack_conv(l, s->w->type, weights, s->group, s->taps, s->ci),
        .bias = sgs_sums_bias(l, s, first, s->group),
        .mult = sgs_sums_mult(l, s, first, s->group),
        .pad = sgs_lower_zeros(l, s->x, from, s->ci),
        .kh = (int32_t)h->taps,
        .kw = (int32_t)w->taps,
        .sy = 1,
        .sx = 1,
        .dy = (int32_t)h->dilation,
        .dx = (int32_t)w->dilation,
        .py = (int32_t)h->pad,
        .px = (int32_t)w->pad,
        .shift = s->shift,
        .out = sgs_out_range(s->y, (int)a->act, a->lo, a->hi),
    };
    return sgs_lower_emit(l, &r.head, n, (int64_t)r.y.n * r.y.h * r.y.w * s->group * p->taps * s->ci, d);
}

static sgs_status lower_phase(sgs_lowering *l, const sgs_node *n, const phase *p, sgs_diag *d)
{
    const int64_t groups = ((const sgs_conv_attr *)n->attr)->groups, taps = p->taps ? p->taps : 1;
    sgs_value w = *n->in[1];
    const int64_t co = w.dim[0], ci = w.dim[3];
    const bool depthwise = groups > 1 && co == groups && ci == 1;
    gather(l, p, depthwise, &w);
    sgs_sums s = { .x = n->in[0],
                   .w = &w,
                   .bias = n->nin > 2 ? n->in[2] : NULL,
                   .y = n->out[0],
                   .co = co,
                   .taps = taps,
                   .ci = ci,
                   .step_o = depthwise ? 1 : taps * ci,
                   .step_tap = depthwise ? co : ci,
                   .step_c = 1,
                   .group = co / groups };
    SGS_TRY(sgs_sums_make(l, n, &s, d));
    if (depthwise)
        return emit_depthwise(l, n, p, &s, d);
    for (int64_t first = 0; first < co; first += s.group)
        SGS_TRY(emit_group(l, n, p, &s, first, d));
    return SGS_OK;
}

static sgs_status deconv_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_conv_attr *a = n->attr;
    const int64_t *y = n->out[0]->dim;
    if (!n->in[1]->constant)
        return sgs_lower_fail(l, n, d, "expected constant weights");
    for (int64_t h = 0; h < a->stride[0] && h < y[1]; h++)
        for (int64_t w = 0; w < a->stride[1] && w < y[2]; w++) {
            const phase p = phase_of(n, h, w);
            SGS_TRY(lower_phase(l, n, &p, d));
        }
    return SGS_OK;
}

/* ---- from TensorFlow ---- */

/* The size of one axis of the result is given: that of what a convolution with these attributes would make x of. */
static void settle_size(sgs_spell *p, int i, int64_t have, int64_t size, const sgs_window2d *w, sgs_deconv_attr *a)
{
    const char *axis = i ? "width" : "height";
    int64_t natural, count = 0;
    if (p->status == SGS_OK)
        p->status = reach(have, w->kernel[i], w->stride[i], w->dilation[i], axis, &natural, p->d);
    if (p->status == SGS_OK && (size < 1 || size >= MOST))
        sgs_sp_fail(p, "%s: expected a size of 1 to 2147483647, found %lld", axis, (long long)size);
    if (p->status == SGS_OK)
        p->status = sgs_window(size, w->kernel[i], w->stride[i], w->dilation[i], w->pad[i] + w->pad[2 + i], &count, axis, p->d);
    if (p->status == SGS_OK && count != have)
        sgs_sp_fail(p, "%s: a convolution makes %lld of %lld, the input has %lld", axis, (long long)count, (long long)size, (long long)have);
    if (p->status != SGS_OK)
        return;
    const int64_t rest = size + w->pad[i] - natural;
    a->conv.pad[i] = w->pad[i];
    a->conv.pad[2 + i] = rest < 0 ? -rest : 0;
    a->extra[i] = rest > 0 ? rest : 0;
}

static sgs_status from_tf_deconv(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    int64_t size[4] = { 0 };
    const int n = sgs_tf_ints(p, 0, size, 4);
    sgs_value *w = sgs_sp_in(p, 1), *x = sgs_sp_in(p, 2), *y;
    const bool first = sgs_tf_first(p);
    if (p->status == SGS_OK && (x->rank != 4 || w->rank != 4 || (n != 4 && n != 2)))
        sgs_sp_fail(p, "expected a size of 4 numbers, input and weights of 4 dimensions, found %d, %d and %d", n, x->rank, w->rank);
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_tf_last(p, x, first);
    const int64_t *out = n == 2 ? size : size + (first ? 2 : 1), co = w->dim[2];
    sgs_window2d win = { .kernel = { w->dim[0], w->dim[1] } };
    sgs_tf_window(p, out, first, &win);
    if (p->status == SGS_OK && w->dim[3] != x->dim[3])
        sgs_sp_fail(p, "weights for %lld channels do not fit %lld", (long long)w->dim[3], (long long)x->dim[3]);
    sgs_deconv_attr a = { .conv = { .groups = 1 } };
    memcpy(a.conv.stride, win.stride, sizeof win.stride);
    memcpy(a.conv.dilation, win.dilation, sizeof win.dilation);
    for (int i = 0; i < 2; i++)
        settle_size(p, i, x->dim[1 + i], out[i], &win, &a);
    w = sgs_sp_transpose(p, w, (const int64_t[]){ 2, 0, 1, 3 });
    SGS_TRY(p->status);
    sgs_value *bias = sgs_const_new(im->g, SGS_F32, 1, &co, NULL, true);
    SGS_TRY(sgs_emit(im, s, &sgs_op_deconv, 3, (sgs_value *[]){ x, w, bias }, &a, &y, d));
    sgs_sp_out(p, 0, sgs_tf_back(p, y, first));
    return p->status;
}

/* ---- row
 * ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_deconv = {
    .name = "deconv",
    .family = "deconv",
    .nin_min = 2,
    .nin_max = 3,
    .nout = 1, /* x, w[, bias] -> y */
    .attr_bytes = sizeof(sgs_deconv_attr),
    .attr = deconv_attrs,
    .infer = deconv_infer,
    .eval = deconv_eval,
    .to_tflite = deconv_to_tflite,
    .float_only = true,
    .qrule = SGS_Q_CONV,
    .lower = deconv_lower,
    .kernel = "conv",
};

static const sgs_op *const ops[] = { &sgs_op_deconv, NULL };
static const sgs_from onnx[] = { { "ConvTranspose", from_onnx_convtranspose, 1 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "TRANSPOSE_CONV", deconv_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Conv2DBackpropInput", from_tf_deconv, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_deconv = { "deconv", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
