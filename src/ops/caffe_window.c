/* Caffe's layers over windows of pixels: Convolution, Deconvolution, Im2col, Interp, Upsample. */
#include <string.h>

#include "ops/caffe.h"

/* ---- Convolution ---- */

typedef struct conv {
    int64_t outputs, group, kernel[2], stride[2], pad[2], dilation[2];
    bool bias;
} conv;

static void read_window(sgs_spell *p, conv *c)
{
    static const sgs_caffe_sizes kernel = { "convolution_param.kernel_size", "convolution_param.kernel_h", "convolution_param.kernel_w", 0 },
                       stride = { "convolution_param.stride", "convolution_param.stride_h", "convolution_param.stride_w", 1 },
                       pad = { "convolution_param.pad", "convolution_param.pad_h", "convolution_param.pad_w", 0 },
                       dilation = { "convolution_param.dilation", NULL, NULL, 1 };
    sgs_caffe_read_sizes(p, &kernel, c->kernel);
    sgs_caffe_read_sizes(p, &stride, c->stride);
    sgs_caffe_read_sizes(p, &pad, c->pad);
    sgs_caffe_read_sizes(p, &dilation, c->dilation);
    sgs_caffe_at_least(p, "kernel_size", c->kernel, 1);
    sgs_caffe_at_least(p, "stride", c->stride, 1);
    sgs_caffe_at_least(p, "pad", c->pad, 0);
    sgs_caffe_at_least(p, "dilation", c->dilation, 1);
    if (sgs_sp_int(p, "convolution_param.axis", 1) != 1)
        sgs_sp_refuse(p, "axis: channels are expected at axis 1, found %lld", (long long)sgs_sp_int(p, "convolution_param.axis", 1));
}

static void read_conv(sgs_spell *p, conv *c)
{
    c->outputs = sgs_sp_int(p, "convolution_param.num_output", 0);
    c->group = sgs_sp_int(p, "convolution_param.group", 1);
    c->bias = sgs_caffe_flag(p, "convolution_param.bias_term", true);
    read_window(p, c);
    if (c->outputs < 1)
        sgs_sp_fail(p, "num_output: expected 1 or more, found %lld", (long long)c->outputs);
}

static void check_groups(sgs_spell *p, const conv *c, const sgs_value *x)
{
    if (p->status == SGS_OK && (c->group < 1 || x->dim[1] % c->group || c->outputs % c->group))
        sgs_sp_fail(p, "%lld groups do not divide %lld input and %lld output channels", (long long)c->group, (long long)x->dim[1], (long long)c->outputs);
}

/* A kernel that reaches over the padded picture has nothing to stand on. */
static void check_reach(sgs_spell *p, const conv *c, const sgs_value *x)
{
    for (int i = 0; i < 2 && p->status == SGS_OK; i++) {
        const int64_t reach = (c->kernel[i] - 1) * c->dilation[i] + 1, room = x->dim[2 + i] + 2 * c->pad[i];
        if (reach > room)
            sgs_sp_fail(p, "a kernel of %lld pixels does not fit a padded %s of %lld", (long long)reach, i ? "width" : "height", (long long)room);
    }
}

static sgs_value *emit_conv(sgs_spell *p, const char *op, const conv *c, sgs_value *const in[3])
{
    const int64_t pads[] = { c->pad[0], c->pad[1], c->pad[0], c->pad[1] };
    const sgs_src_attr attr[] = { sgs_caffe_list("kernel_shape", 2, c->kernel), sgs_caffe_list("strides", 2, c->stride), sgs_caffe_list("pads", 4, pads),
                                  sgs_caffe_list("dilations", 2, c->dilation), sgs_caffe_int("group", c->group) };
    return sgs_caffe_call(p, op, c->bias ? 3 : 2, in, 5, attr);
}

/* The same weights for each bottom. */
static sgs_status from_caffe_conv(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool turned = !strcmp(s->op, "Deconvolution"), depthwise = strstr(s->op, "epthwise") != NULL;
    const int n = sgs_caffe_bottoms(s);
    conv c;
    read_conv(p, &c);
    if (n < 1 || s->nout != n)
        sgs_sp_fail(p, "expected a top for each bottom, found %d and %d", s->nout, n);
    for (int i = 0; i < n && p->status == SGS_OK; i++) {
        sgs_value *in[3] = { sgs_sp_in(p, i) };
        sgs_caffe_rank(p, in[0], 4);
        if (p->status == SGS_OK && depthwise)
            c.group = in[0]->dim[1];
        check_groups(p, &c, in[0]);
        if (!turned)
            check_reach(p, &c, in[0]);
        if (p->status != SGS_OK)
            break;
        const int64_t channels = in[0]->dim[1], w[] = { turned ? channels : c.outputs, (turned ? c.outputs : channels) / c.group, c.kernel[0], c.kernel[1] };
        in[1] = sgs_caffe_blob(p, 0, c.bias ? 2 : 1, "weights", 4, w);
        in[2] = c.bias ? sgs_caffe_blob(p, 1, 2, "bias", 1, &c.outputs) : NULL;
        if (p->status == SGS_OK)
            sgs_sp_out(p, i, emit_conv(p, turned ? "ConvTranspose" : "Conv", &c, in));
    }
    return p->status;
}

/* ---- Im2col ---- */

/* What each tap of a window sees, as channels: those of a channel side by side. */
static sgs_value *emit_taps(sgs_spell *p, const conv *c, sgs_value *x)
{
    const sgs_pad_attr edges = { .n = 4, .before = { 0, 0, c->pad[0], c->pad[1] }, .after = { 0, 0, c->pad[0], c->pad[1] } };
    const int64_t taps = c->kernel[0] * c->kernel[1];
    sgs_value **tap = sgs_alloc_n(p->im->g->arena, (size_t)taps, sizeof *tap);
    int64_t size[2];
    for (int i = 0; i < 2; i++)
        size[i] = (x->dim[2 + i] + 2 * c->pad[i] - (c->kernel[i] - 1) * c->dilation[i] - 1) / c->stride[i] + 1;
    const int64_t shape[] = { x->dim[0], x->dim[1] * taps, size[0], size[1] };
    x = c->pad[0] || c->pad[1] ? sgs_sp_one(p, &sgs_op_pad, x, &edges) : x;
    for (int64_t i = 0; i < taps && p->status == SGS_OK; i++) {
        const int64_t at[] = { i / c->kernel[1] * c->dilation[0], i % c->kernel[1] * c->dilation[1] };
        sgs_value *rows = sgs_sp_slice(p, x, 2, at[0], size[0], c->stride[0]);
        tap[i] = sgs_sp_unsqueeze(p, sgs_sp_slice(p, rows, 3, at[1], size[1], c->stride[1]), 2);
    }
    return p->status == SGS_OK ? sgs_sp_reshape(p, sgs_sp_concat(p, (int)taps, tap, 2), 4, shape) : x;
}

static sgs_status from_caffe_im2col(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    enum { MOST_TAPS = 4096 };
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    conv c;
    sgs_caffe_expect(p, 1, 1);
    sgs_caffe_rank(p, x, 4);
    read_window(p, &c);
    check_reach(p, &c, x);
    if (p->status == SGS_OK && c.kernel[0] > MOST_TAPS / c.kernel[1])
        sgs_sp_refuse(p, "expected windows of at most %d pixels, found %lld by %lld", MOST_TAPS, (long long)c.kernel[0], (long long)c.kernel[1]);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, emit_taps(p, &c, x));
    return p->status;
}

/* ---- Interp, Upsample ---- */

static sgs_value *emit_resize(sgs_spell *p, const sgs_op *op, sgs_value *x, const sgs_resize_attr *a)
{
    sgs_value *y = x;
    if (p->status == SGS_OK)
        p->status = sgs_emit_nhwc(p->im, p->s, x, &y, p->d);
    y = sgs_sp_one(p, op, y, a);
    if (p->status == SGS_OK)
        p->status = sgs_emit_nchw(p->im, p->s, y, &y, p->d);
    return y;
}

/* The size that one of the fields gives an axis of `size` pixels. */
static int64_t interp_size(sgs_spell *p, const char *given, int64_t size)
{
    const int64_t shrink = sgs_sp_int(p, "interp_param.shrink_factor", 1), zoom = sgs_sp_int(p, "interp_param.zoom_factor", 1);
    if (shrink < 1 || zoom < 1 || shrink > 65536 || zoom > 65536) {
        sgs_sp_fail(p, "shrink_factor and zoom_factor: expected 1 or more, found %lld and %lld", (long long)shrink, (long long)zoom);
        return 1;
    }
    if (sgs_caffe_has(p, given))
        return sgs_sp_int(p, given, 1);
    const int64_t small = (size - 1) / shrink + 1;
    return small + (small - 1) * (zoom - 1);
}

/* Padding is 0 or less: so many rows and columns are cut off. */
static sgs_value *cut_edges(sgs_spell *p, sgs_value *x)
{
    const int64_t begin = -sgs_sp_int(p, "interp_param.pad_beg", 0), end = -sgs_sp_int(p, "interp_param.pad_end", 0);
    for (int axis = 2; axis < 4 && p->status == SGS_OK && (begin || end); axis++) {
        if (begin < 0 || end < 0 || begin > INT32_MAX || end > INT32_MAX || begin + end >= x->dim[axis])
            sgs_sp_fail(p, "pad_beg and pad_end: expected 0 or less, and something to be left, found %lld and %lld", (long long)-begin, (long long)-end);
        x = sgs_sp_slice(p, x, axis, begin, x->dim[axis] - begin - end, 1);
    }
    return x;
}

/* Bilinear, corners on corners.  A second bottom is of the size that is wanted. */
static sgs_status from_caffe_interp(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *like = sgs_caffe_bottoms(s) == 2 ? sgs_sp_in(p, 1) : NULL;
    sgs_caffe_expect(p, like ? 2 : 1, 1);
    sgs_caffe_rank(p, x, 4);
    if (like)
        sgs_caffe_rank(p, like, 4);
    if (p->status != SGS_OK)
        return p->status;
    x = cut_edges(p, x);
    sgs_resize_attr a = { .coord = SGS_COORD_ALIGN_CORNERS, .filter = SGS_FILTER_LINEAR };
    a.size[0] = like ? like->dim[2] : interp_size(p, "interp_param.height", x->dim[2]);
    a.size[1] = like ? like->dim[3] : interp_size(p, "interp_param.width", x->dim[3]);
    sgs_sp_out(p, 0, emit_resize(p, &sgs_op_resize, x, &a));
    return p->status;
}

/* Each pixel goes where the mask says, the place of a maximum in the picture that comes out; elsewhere are zeros. */
static void unpool(sgs_spell *p, sgs_value *x, const int64_t scale[2])
{
    sgs_value *mask = sgs_sp_in(p, 1);
    const bool given = sgs_caffe_has(p, "upsample_param.upsample_h") && sgs_caffe_has(p, "upsample_param.upsample_w");
    const int64_t h = given ? sgs_sp_int(p, "upsample_param.upsample_h", 0) : x->dim[2] * scale[0],
                  w = given ? sgs_sp_int(p, "upsample_param.upsample_w", 0) : x->dim[3] * scale[1];
    const sgs_shape_attr a = { .n = 4, .dim = { x->dim[0], x->dim[1], h, w } };
    if (p->status == SGS_OK && (mask->rank != 4 || memcmp(mask->dim, x->dim, 4 * sizeof *x->dim)))
        sgs_sp_fail(p, "expected places of maxima of the first bottom's shape");
    if (h < 1 || w < 1 || h > 65536 || w > 65536 || h * w > INT32_MAX / (x->dim[0] * x->dim[1]))
        sgs_sp_fail(p, "a result of %lld by %lld pixels, expected 1 or more and at most 2147483647 in all channels", (long long)h, (long long)w);
    if (p->status != SGS_OK)
        return;
    mask = sgs_sp_cast(p, mask, SGS_S32);
    sgs_value *first = sgs_caffe_planes(p, x->dim[0], x->dim[1], h * w);
    sgs_value *in[] = { x, sgs_sp_two(p, &sgs_op_add, mask, first) }, *y = x;
    if (p->status == SGS_OK)
        p->status = sgs_emit(p->im, p->s, &sgs_op_unpool, 2, in, &a, &y, p->d);
    sgs_sp_out(p, 0, y);
}

/* Each pixel becomes a block of equal ones, or, with a mask, one of a block. */
static sgs_status from_caffe_upsample(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool masked = sgs_caffe_bottoms(s) == 2;
    sgs_value *x = sgs_sp_in(p, 0);
    const int64_t both = sgs_sp_int(p, "upsample_param.scale", masked ? 2 : 0);
    const int64_t scale[2] = { sgs_sp_int(p, "upsample_param.scale_h", both), sgs_sp_int(p, "upsample_param.scale_w", both) };
    sgs_caffe_expect(p, masked ? 2 : 1, 1);
    sgs_caffe_rank(p, x, 4);
    if (scale[0] < 1 || scale[1] < 1 || scale[0] > 65536 || scale[1] > 65536)
        sgs_sp_fail(p, "upsample_param.scale: expected 1 or more, found %lld and %lld", (long long)scale[0], (long long)scale[1]);
    if (p->status != SGS_OK)
        return p->status;
    if (masked) {
        unpool(p, x, scale);
        return p->status;
    }
    const sgs_resize_attr a = { .size = { x->dim[2] * scale[0], x->dim[3] * scale[1] }, .coord = SGS_COORD_ASYMMETRIC, .round = SGS_ROUND_FLOOR };
    sgs_sp_out(p, 0, emit_resize(p, &sgs_op_resize_nearest, x, &a));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from caffe[] = {
    { "Convolution", from_caffe_conv, 0 },          { "ConvolutionDepthwise", from_caffe_conv, 0 },
    { "DepthwiseConvolution", from_caffe_conv, 0 }, { "Deconvolution", from_caffe_conv, 0 },
    { "Im2col", from_caffe_im2col, 0 },
    { "Interp", from_caffe_interp, 0 },             { "Upsample", from_caffe_upsample, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_caffe_window = { "caffe_window", ops, .caffe = caffe };
