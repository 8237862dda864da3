/* Pooling: maximum (ARITHMETIC.md 6) and 16-bit average (7). */
#include "common.h"

IPU_CHECK(ipu_pool_check)
{
    const ipu_pool *o = (const void *)rec;
    int average = rec->kind == IPU_AVGPOOL_S16;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || o->x.type != o->y.type || o->x.n != o->y.n || o->x.c != o->y.c)
        return 0;
    if (!ipu_window_ok(o->kh, o->sy, 1, o->py, o->y.h) || !ipu_window_ok(o->kw, o->sx, 1, o->px, o->y.w))
        return 0;
    /* Every window has a pixel inside x. */
    if (o->py >= o->kh || o->px >= o->kw || (int64_t)(o->y.h - 1) * o->sy - o->py >= o->x.h ||
        (int64_t)(o->y.w - 1) * o->sx - o->px >= o->x.w)
        return 0;
    if (!average)
        return ipu_activation(&o->x) && o->mult.space == IPU_NONE;
    return o->x.type == IPU_S16 && o->kh * o->kw <= 65535 && ipu_array(&o->mult, IPU_F32, o->kh * o->kw + 1) &&
           ipu_out_ok(&o->out, IPU_S16);
}

typedef struct range {
    int32_t from, to;
} range;

/* The part of a window of k pixels at `at` that lies inside n pixels. */
static range inside(int32_t at, int32_t k, int32_t n)
{
    range r = { at < 0 ? 0 : at, at + k < n ? at + k : n };
    return r;
}

static int32_t largest(const ipu_pool *o, void *x, int32_t image, range h, range w, int32_t c)
{
    int32_t best = INT32_MIN;
    for (int32_t iy = h.from; iy < h.to; iy++)
        for (int32_t ix = w.from; ix < w.to; ix++) {
            int32_t q = ipu_get(o->x.type, ipu_pixel(&o->x, x, image * o->x.h + iy, ix), c);
            best = q > best ? q : best;
        }
    return best;
}

IPU_KERNEL(ipu_maxpool_c)
{
    const ipu_pool *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++) {
        range h = inside(y % o->y.h * o->sy - o->py, o->kh, o->x.h);
        for (int32_t x = 0; x < o->y.w; x++) {
            range w = inside(x * o->sx - o->px, o->kw, o->x.w);
            void *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                ipu_put(o->y.type, to, c, largest(o, p[1], y / o->y.h, h, w, c));
        }
    }
}

static int32_t total(const ipu_pool *o, void *x, int32_t image, range h, range w, int32_t c)
{
    int32_t sum = 0;
    for (int32_t iy = h.from; iy < h.to; iy++)
        for (int32_t ix = w.from; ix < w.to; ix++)
            sum += ((const int16_t *)ipu_pixel(&o->x, x, image * o->x.h + iy, ix))[c];
    return sum;
}

IPU_KERNEL(ipu_avgpool_s16_c)
{
    const ipu_pool *o = (const void *)rec;
    const float *mult = p[2];
    for (int32_t y = y0; y < y1; y++) {
        range h = inside(y % o->y.h * o->sy - o->py, o->kh, o->x.h);
        for (int32_t x = 0; x < o->y.w; x++) {
            range w = inside(x * o->sx - o->px, o->kw, o->x.w);
            int32_t n = o->count_pad ? o->kh * o->kw : (h.to - h.from) * (w.to - w.from);
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (int16_t)ipu_requant(total(o, p[1], y / o->y.h, h, w, c), mult[n], &o->out);
        }
    }
}
