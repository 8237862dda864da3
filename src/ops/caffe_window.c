/* Caffe's layers over windows of pixels: Convolution, Deconvolution, Pooling, LRN, Interp, Upsample. */
#include <math.h>
#include <string.h>

#include "ops/caffe.h"

/* ---- sizes given once or for height and width apart ---- */

typedef struct sizes {
    const char *both, *h, *w; /* full names of the parameters */
    int64_t absent;
} sizes;

static void read_sizes(sgs_spell *p, const sizes *z, int64_t out[2])
{
    int n = 0;
    out[0] = out[1] = z->absent;
    const sgs_src_attr *a = sgs_src_find(p->s, z->both);
    if (a && a->kind == SGS_SRC_INTS)
        n = sgs_caffe_ints(p, z->both, out, 2);
    else if (a)
        out[0] = sgs_sp_int(p, z->both, z->absent), n = 1;
    if (n == 1)
        out[1] = out[0];
    if (n && z->h && (sgs_caffe_has(p, z->h) || sgs_caffe_has(p, z->w)))
        sgs_sp_fail(p, "%s is given once or for height and width, not both", z->both);
    if (z->h) {
        out[0] = sgs_sp_int(p, z->h, out[0]);
        out[1] = sgs_sp_int(p, z->w, out[1]);
    }
}

static void at_least(sgs_spell *p, const char *what, const int64_t v[2], int64_t least)
{
    for (int i = 0; i < 2; i++)
        if (v[i] < least || v[i] > INT32_MAX)
            sgs_sp_fail(p, "%s: expected %lld or more, found %lld", what, (long long)least, (long long)v[i]);
}

/* ---- Convolution ---- */

typedef struct conv {
    int64_t outputs, group, kernel[2], stride[2], pad[2], dilation[2];
    bool bias;
} conv;

static void read_conv(sgs_spell *p, conv *c)
{
    static const sizes kernel = { "convolution_param.kernel_size", "convolution_param.kernel_h", "convolution_param.kernel_w", 0 },
                       stride = { "convolution_param.stride", "convolution_param.stride_h", "convolution_param.stride_w", 1 },
                       pad = { "convolution_param.pad", "convolution_param.pad_h", "convolution_param.pad_w", 0 },
                       dilation = { "convolution_param.dilation", NULL, NULL, 1 };
    c->outputs = sgs_sp_int(p, "convolution_param.num_output", 0);
    c->group = sgs_sp_int(p, "convolution_param.group", 1);
    c->bias = sgs_caffe_flag(p, "convolution_param.bias_term", true);
    read_sizes(p, &kernel, c->kernel);
    read_sizes(p, &stride, c->stride);
    read_sizes(p, &pad, c->pad);
    read_sizes(p, &dilation, c->dilation);
    at_least(p, "kernel_size", c->kernel, 1);
    at_least(p, "stride", c->stride, 1);
    at_least(p, "pad", c->pad, 0);
    at_least(p, "dilation", c->dilation, 1);
    if (c->outputs < 1)
        sgs_sp_fail(p, "num_output: expected 1 or more, found %lld", (long long)c->outputs);
    if (sgs_sp_int(p, "convolution_param.axis", 1) != 1)
        sgs_sp_refuse(p, "axis: channels are expected at axis 1, found %lld", (long long)sgs_sp_int(p, "convolution_param.axis", 1));
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

/* ---- Pooling ---- */

typedef struct pool {
    int64_t kind, kernel[2], stride[2], pad[2];
    bool global, floor;
} pool;
enum { POOL_MAX, POOL_AVE };

static void read_pool(sgs_spell *p, const sgs_value *x, pool *k)
{
    static const sizes kernel = { "pooling_param.kernel_size", "pooling_param.kernel_h", "pooling_param.kernel_w", 0 },
                       stride = { "pooling_param.stride", "pooling_param.stride_h", "pooling_param.stride_w", 1 },
                       pad = { "pooling_param.pad", "pooling_param.pad_h", "pooling_param.pad_w", 0 };
    k->kind = sgs_sp_int(p, "pooling_param.pool", POOL_MAX);
    k->global = sgs_caffe_flag(p, "pooling_param.global_pooling", false);
    k->floor = sgs_sp_int(p, "pooling_param.round_mode", 0) == 1 || !sgs_caffe_flag(p, "pooling_param.ceil_mode", true);
    read_sizes(p, &kernel, k->kernel);
    read_sizes(p, &stride, k->stride);
    read_sizes(p, &pad, k->pad);
    if (k->global && (k->kernel[0] || k->pad[0] || k->pad[1]))
        sgs_sp_fail(p, "global_pooling takes no kernel_size and no pad");
    for (int i = 0; i < 2 && k->global && x; i++)
        k->kernel[i] = x->dim[2 + i], k->stride[i] = 1;
    at_least(p, "kernel_size", k->kernel, 1);
    at_least(p, "stride", k->stride, 1);
    at_least(p, "pad", k->pad, 0);
    for (int i = 0; i < 2; i++)
        if (k->pad[i] >= k->kernel[i])
            sgs_sp_fail(p, "pad must be smaller than the kernel, found %lld and %lld", (long long)k->pad[i], (long long)k->kernel[i]);
    if (k->kind != POOL_MAX && k->kind != POOL_AVE)
        sgs_sp_refuse(p, "pool: expected MAX or AVE, found STOCHASTIC");
}

/* Windows begin inside the picture or its first padding; a last one that is not whole counts.  extra: rows it reaches behind the padding, or, below 0,
 * rows of the padding that no window reaches. */
static void count_windows(sgs_spell *p, const pool *k, const sgs_value *x, int64_t extra[2])
{
    for (int i = 0; i < 2 && p->status == SGS_OK; i++) {
        const int64_t size = x->dim[2 + i], room = size + 2 * k->pad[i] - k->kernel[i];
        if (room < 0) {
            sgs_sp_fail(p, "a window of %lld pixels does not fit a padded %s of %lld", (long long)k->kernel[i], i ? "width" : "height", (long long)(size + 2 * k->pad[i]));
            return;
        }
        int64_t n = (k->floor ? room / k->stride[i] : (room + k->stride[i] - 1) / k->stride[i]) + 1;
        if ((k->pad[0] || k->pad[1]) && (n - 1) * k->stride[i] >= size + k->pad[i])
            n--;
        if ((n - 1) * k->stride[i] >= size + k->pad[i])
            sgs_sp_fail(p, "the last window lies outside of the picture");
        extra[i] = (n - 1) * k->stride[i] - room;
    }
}

/* Padding counts in an average, what a window reaches behind it does not: then the padding becomes zeros of the picture's own. */
static sgs_value *emit_pool(sgs_spell *p, const pool *k, sgs_value *x, const int64_t extra[2])
{
    const bool average = k->kind == POOL_AVE, padded = k->pad[0] || k->pad[1], first = average && padded && (extra[0] > 0 || extra[1] > 0);
    sgs_pool_attr a = { .kernel = { k->kernel[0], k->kernel[1] }, .stride = { k->stride[0], k->stride[1] }, .count_pad = average && padded && !first };
    for (int i = 0; i < 2; i++) {
        const int64_t end = first ? extra[i] : k->pad[i] + extra[i];
        a.pad[i] = first ? 0 : k->pad[i];
        a.pad[2 + i] = end > 0 ? end : 0;
    }
    const sgs_pad_attr zeros = { .n = 4, .before = { 0, 0, k->pad[0], k->pad[1] }, .after = { 0, 0, k->pad[0], k->pad[1] } };
    if (first)
        x = sgs_sp_one(p, &sgs_op_pad, x, &zeros);
    sgs_value *y = x;
    if (p->status == SGS_OK)
        p->status = sgs_emit_nhwc(p->im, p->s, x, &y, p->d);
    y = sgs_sp_one(p, average ? &sgs_op_avgpool : &sgs_op_maxpool, y, &a);
    if (p->status == SGS_OK)
        p->status = sgs_emit_nchw(p->im, p->s, y, &y, p->d);
    return y;
}

static sgs_status from_caffe_pool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t extra[2];
    pool k;
    sgs_caffe_expect(p, 1, 1);
    sgs_caffe_rank(p, x, 4);
    if (p->status != SGS_OK)
        return p->status;
    read_pool(p, x, &k);
    count_windows(p, &k, x, extra);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, emit_pool(p, &k, x, extra));
    return p->status;
}

/* ---- LRN ---- */

/* Over a square of pixels: x (1 + alpha mean of squares) ^ -beta, the mean over all of the square. */
static sgs_value *within_channel(sgs_spell *p, sgs_value *x, int64_t size, float alpha, float beta)
{
    const pool k = { .kind = POOL_AVE, .kernel = { size, size }, .stride = { 1, 1 }, .pad = { size / 2, size / 2 } };
    const sgs_lut_attr power = { .alpha = -beta };
    const int64_t none[2] = { 0, 0 };
    sgs_value *y = emit_pool(p, &k, sgs_sp_two(p, &sgs_op_mul, x, x), none);
    y = sgs_sp_by(p, &sgs_op_add, sgs_sp_by(p, &sgs_op_mul, y, alpha), 1);
    return sgs_sp_two(p, &sgs_op_mul, x, sgs_sp_one(p, &sgs_op_pow, y, &power));
}

static sgs_status from_caffe_lrn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const int64_t size = sgs_sp_int(p, "lrn_param.local_size", 5);
    const float alpha = sgs_sp_float(p, "lrn_param.alpha", 1), beta = sgs_sp_float(p, "lrn_param.beta", 0.75f), k = sgs_sp_float(p, "lrn_param.k", 1);
    const bool within = sgs_sp_int(p, "lrn_param.norm_region", 0) == 1;
    sgs_caffe_expect(p, 1, 1);
    sgs_caffe_rank(p, x, 4);
    if (size < 1 || size % 2 == 0 || size > 65535)
        sgs_sp_fail(p, "local_size: expected an odd number, found %lld", (long long)size);
    if (p->status != SGS_OK)
        return p->status;
    const sgs_src_attr attr[] = { sgs_caffe_int("size", size), sgs_caffe_float("alpha", alpha), sgs_caffe_float("beta", beta), sgs_caffe_float("bias", k) };
    sgs_sp_out(p, 0, within ? within_channel(p, x, size, alpha, beta) : sgs_caffe_call(p, "LRN", 1, &x, 4, attr));
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

/* Each pixel becomes a block of equal ones. */
static sgs_status from_caffe_upsample(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const int64_t both = sgs_sp_int(p, "upsample_param.scale", 0);
    const int64_t scale[2] = { sgs_sp_int(p, "upsample_param.scale_h", both), sgs_sp_int(p, "upsample_param.scale_w", both) };
    if (sgs_caffe_bottoms(s) == 2)
        sgs_sp_refuse(p, "with the places of maxima as second bottom is not supported");
    sgs_caffe_expect(p, 1, 1);
    sgs_caffe_rank(p, x, 4);
    if (scale[0] < 1 || scale[1] < 1 || scale[0] > 65536 || scale[1] > 65536)
        sgs_sp_fail(p, "upsample_param.scale: expected 1 or more, found %lld and %lld", (long long)scale[0], (long long)scale[1]);
    if (p->status != SGS_OK)
        return p->status;
    const sgs_resize_attr a = { .size = { x->dim[2] * scale[0], x->dim[3] * scale[1] }, .coord = SGS_COORD_ASYMMETRIC, .round = SGS_ROUND_FLOOR };
    sgs_sp_out(p, 0, emit_resize(p, &sgs_op_resize_nearest, x, &a));
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from caffe[] = {
    { "Convolution", from_caffe_conv, 0 },          { "ConvolutionDepthwise", from_caffe_conv, 0 },
    { "DepthwiseConvolution", from_caffe_conv, 0 }, { "Deconvolution", from_caffe_conv, 0 },
    { "Pooling", from_caffe_pool, 0 },              { "LRN", from_caffe_lrn, 0 },
    { "Interp", from_caffe_interp, 0 },             { "Upsample", from_caffe_upsample, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_caffe_window = { "caffe_window", ops, .caffe = caffe };
