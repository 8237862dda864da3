/* Caffe's layers that pool: Pooling, with the places of the maxima too, SPP, LRN. */
#include <string.h>

#include "ops/caffe.h"

/* ---- Pooling ---- */

typedef struct pool {
    int64_t kind, kernel[2], stride[2], pad[2];
    bool global, floor;
} pool;
enum { POOL_MAX, POOL_AVE };

static void read_pool(sgs_spell *p, const sgs_value *x, pool *k)
{
    static const sgs_caffe_sizes kernel = { "pooling_param.kernel_size", "pooling_param.kernel_h", "pooling_param.kernel_w", 0 },
                       stride = { "pooling_param.stride", "pooling_param.stride_h", "pooling_param.stride_w", 1 },
                       pad = { "pooling_param.pad", "pooling_param.pad_h", "pooling_param.pad_w", 0 };
    k->kind = sgs_sp_int(p, "pooling_param.pool", POOL_MAX);
    k->global = sgs_caffe_flag(p, "pooling_param.global_pooling", false);
    k->floor = sgs_sp_int(p, "pooling_param.round_mode", 0) == 1 || !sgs_caffe_flag(p, "pooling_param.ceil_mode", true);
    sgs_caffe_read_sizes(p, &kernel, k->kernel);
    sgs_caffe_read_sizes(p, &stride, k->stride);
    sgs_caffe_read_sizes(p, &pad, k->pad);
    if (k->global && (k->kernel[0] || k->pad[0] || k->pad[1]))
        sgs_sp_fail(p, "global_pooling takes no kernel_size and no pad");
    for (int i = 0; i < 2 && k->global && x; i++)
        k->kernel[i] = x->dim[2 + i], k->stride[i] = 1;
    sgs_caffe_at_least(p, "kernel_size", k->kernel, 1);
    sgs_caffe_at_least(p, "stride", k->stride, 1);
    sgs_caffe_at_least(p, "pad", k->pad, 0);
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

/* Where each maximum stood in its own picture, as a whole number: row by row. */
static sgs_value *emit_places(sgs_spell *p, const pool *k, sgs_value *x, const int64_t extra[2])
{
    sgs_pool_index_attr a = { .pool = { .kernel = { k->kernel[0], k->kernel[1] }, .stride = { k->stride[0], k->stride[1] } } };
    sgs_value *y = x;
    for (int i = 0; i < 2; i++) {
        const int64_t end = k->pad[i] + extra[i];
        a.pool.pad[i] = k->pad[i];
        a.pool.pad[2 + i] = end > 0 ? end : 0;
    }
    if (p->status == SGS_OK)
        p->status = sgs_emit_nhwc(p->im, p->s, x, &y, p->d);
    y = sgs_sp_one(p, &sgs_op_maxpool_index, y, &a);
    if (p->status == SGS_OK)
        p->status = sgs_emit_nchw(p->im, p->s, y, &y, p->d);
    sgs_value *first = sgs_caffe_planes(p, x->dim[0], x->dim[1], x->dim[2] * x->dim[3]);
    return sgs_sp_two(p, &sgs_op_sub, y, first);
}

static sgs_status from_caffe_pool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t extra[2];
    pool k;
    sgs_caffe_expect(p, 1, s->nout == 2 ? 2 : 1);
    sgs_caffe_rank(p, x, 4);
    if (p->status != SGS_OK)
        return p->status;
    read_pool(p, x, &k);
    count_windows(p, &k, x, extra);
    if (s->nout == 2 && k.kind != POOL_MAX)
        sgs_sp_fail(p, "a second top, the places of the maxima, asks for pool: MAX");
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, emit_pool(p, &k, x, extra));
    if (p->status == SGS_OK && s->nout == 2)
        sgs_sp_out(p, 1, emit_places(p, &k, x, extra));
    return p->status;
}

/* ---- SPP ---- */

/* Level l of the pyramid has 2^l windows along each axis, as equal as padding makes them. */
static sgs_value *spp_level(sgs_spell *p, sgs_value *x, int64_t kind, int level)
{
    pool k = { .kind = kind };
    int64_t extra[2];
    for (int i = 0; i < 2; i++) {
        const int64_t size = x->dim[2 + i], bins = (int64_t)1 << level;
        k.kernel[i] = k.stride[i] = (size + bins - 1) / bins;
        k.pad[i] = (k.kernel[i] * bins - size + 1) / 2;
        if (k.pad[i] >= k.kernel[i])
            sgs_sp_refuse(p, "level %d has %lld windows along %lld pixels", level, (long long)bins, (long long)size);
    }
    count_windows(p, &k, x, extra);
    return p->status == SGS_OK ? emit_pool(p, &k, x, extra) : x;
}

static sgs_status from_caffe_spp(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    enum { MOST_LEVELS = 16 };
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *level[MOST_LEVELS];
    const int64_t height = sgs_sp_int(p, "spp_param.pyramid_height", 0), kind = sgs_sp_int(p, "spp_param.pool", POOL_MAX);
    sgs_caffe_expect(p, 1, 1);
    sgs_caffe_rank(p, x, 4);
    if (height < 1 || height > MOST_LEVELS)
        sgs_sp_fail(p, "pyramid_height: expected 1 to %d, found %lld", MOST_LEVELS, (long long)height);
    if (kind != POOL_MAX && kind != POOL_AVE)
        sgs_sp_refuse(p, "pool: expected MAX or AVE, found STOCHASTIC");
    for (int i = 0; i < height && p->status == SGS_OK; i++) {
        level[i] = spp_level(p, x, kind, i);
        const int64_t flat[] = { x->dim[0], p->status == SGS_OK ? sgs_value_count(level[i]) / x->dim[0] : 1 };
        level[i] = height > 1 ? sgs_sp_reshape(p, level[i], 2, flat) : level[i];
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, height > 1 ? sgs_sp_concat(p, (int)height, level, 1) : level[0]);
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

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from caffe[] = {
    { "Pooling", from_caffe_pool, 0 }, { "SPP", from_caffe_spp, 0 }, { "LRN", from_caffe_lrn, 0 }, { NULL, NULL, 0 }
};
const sgs_family sgs_family_caffe_pool = { "caffe_pool", ops, .caffe = caffe };
