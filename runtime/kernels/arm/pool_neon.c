/* Maximum and average pooling with NEON. */
#include "neon.h"
#include "runtime/kernels/simd/pool.h"

/* Maximum of these bytes (16, 8 or as many as one element has) of every pixel of a window, from byte `at` on. */
IPU_INLINE void pool_max(const ipu_pool *r, const pool_window *k, ptrdiff_t at, uint8_t *y, const int bytes, const int type)
{
    const uint8_t *row = k->x + at;
    uint8_t one[16] = { 0 };
    uint8x16_t best = type == IPU_U8 ? vdupq_n_u8(0) : vreinterpretq_u8_s16(vdupq_n_s16(INT16_MIN));

    for (int32_t i = 0; i < k->h; i++, row += r->x.row)
        for (int32_t x = 0; x < k->w; x++) {
            const uint8_t *q = row + (ptrdiff_t)x * r->x.pix;
            if (bytes < 8)
                memcpy(one, q, (size_t)bytes);
            const uint8x16_t v = bytes == 16 ? vld1q_u8(q) : bytes == 8 ? vcombine_u8(vld1_u8(q), vdup_n_u8(0)) : vld1q_u8(one);
            best = type == IPU_U8 ? vmaxq_u8(best, v) : vreinterpretq_u8_s16(vmaxq_s16(vreinterpretq_s16_u8(best), vreinterpretq_s16_u8(v)));
        }
    vst1q_u8(one, best);
    memcpy(y + at, one, (size_t)bytes);
}

/* All bytes of a pixel, the last vector ending with it. */
IPU_INLINE void pool_max_run(const ipu_pool *r, const pool_window *k, ptrdiff_t end, uint8_t *y, const int bytes, const int type)
{
    ptrdiff_t at = 0;
    for (; at + bytes <= end; at += bytes)
        pool_max(r, k, at, y, bytes, type);
    if (at < end)
        pool_max(r, k, end - bytes, y, bytes, type);
}

IPU_INLINE void pool_max_pixel(const ipu_pool *r, const pool_window *k, uint8_t *y, const int type)
{
    const ptrdiff_t bytes = (ptrdiff_t)r->y.c * ipu_type_bytes(type);

    if (bytes >= 16)
        pool_max_run(r, k, bytes, y, 16, type);
    else if (bytes >= 8)
        pool_max_run(r, k, bytes, y, 8, type);
    else
        pool_max_run(r, k, bytes, y, ipu_type_bytes(type), type);
}

IPU_INLINE uint8_t *pool_row(const ipu_pool *r, void *p, int32_t row)
{
    return (uint8_t *)p + (ptrdiff_t)(row / r->y.h) * r->y.img + (ptrdiff_t)(row % r->y.h) * r->y.row;
}

IPU_KERNEL(ipu_maxpool_neon)
{
    const ipu_pool *r = (const ipu_pool *)rec;

    for (int32_t row = y0; row < y1; row++) {
        uint8_t *to = pool_row(r, p[0], row);
        for (int32_t ox = 0; ox < r->y.w; ox++, to += r->y.pix) {
            const pool_window k = pool_window_of(r, p[1], row / r->y.h, row % r->y.h, ox);
            if (r->y.type == IPU_U8)
                pool_max_pixel(r, &k, to, IPU_U8);
            else
                pool_max_pixel(r, &k, to, IPU_S16);
        }
    }
}

/* One channel, at byte `at` of each pixel. */
static void pool_mean_one(const ipu_pool *r, const pool_window *k, float mult, ptrdiff_t at, uint8_t *y)
{
    int32_t acc = 0;

    for (int32_t i = 0; i < k->h; i++)
        for (int32_t x = 0; x < k->w; x++)
            acc += s16_at(k->x + at + (ptrdiff_t)i * r->x.row + (ptrdiff_t)x * r->x.pix);
    s16_to(y + at, ipu_requant(acc, mult, &r->out));
}

/* Eight channels. */
IPU_INLINE void pool_mean(const ipu_pool *r, const pool_window *k, const f128_out *out, float mult, ptrdiff_t at, uint8_t *y)
{
    const uint8_t *line = k->x + at;
    int32x4_t acc[2] = { vdupq_n_s32(0), vdupq_n_s32(0) };

    for (int32_t i = 0; i < k->h; i++, line += r->x.row)
        for (int32_t x = 0; x < k->w; x++) {
            const int16x8_t v = vld1q_s16((const int16_t *)(const void *)(line + (ptrdiff_t)x * r->x.pix));
            acc[0] = vaddw_s16(acc[0], vget_low_s16(v));
            acc[1] = vaddw_high_s16(acc[1], v);
        }
    for (int h = 0; h < 2; h++)
        acc[h] = f128_requant(acc[h], vdupq_n_f32(mult), out);
    s128_put8_s16(y + at, acc);
}

static void pool_mean_pixel(const ipu_pool *r, const pool_window *k, const f128_out *out, float mult, uint8_t *y)
{
    const ptrdiff_t end = 2 * (ptrdiff_t)r->y.c;
    ptrdiff_t at = 0;

    for (; at + 16 <= end; at += 16)
        pool_mean(r, k, out, mult, at, y);
    if (at < end && end >= 16)
        pool_mean(r, k, out, mult, end - 16, y);
    else
        for (; at < end; at += 2)
            pool_mean_one(r, k, mult, at, y);
}

IPU_KERNEL(ipu_avgpool_s16_neon)
{
    const ipu_pool *r = (const ipu_pool *)rec;
    const float *mult = p[2];
    const f128_out out = f128_out_of(&r->out);

    for (int32_t row = y0; row < y1; row++) {
        uint8_t *to = pool_row(r, p[0], row);
        for (int32_t ox = 0; ox < r->y.w; ox++, to += r->y.pix) {
            const pool_window k = pool_window_of(r, p[1], row / r->y.h, row % r->y.h, ox);
            pool_mean_pixel(r, &k, &out, mult[r->count_pad ? r->kh * r->kw : k.h * k.w], to);
        }
    }
}
