/* Maximum and average pooling with AVX2. */
#include "avx2.h"

/* The part of a window that lies in x. */
typedef struct pool_window {
    const uint8_t *x;
    int32_t h, w;
} pool_window;

static pool_window pool_window_of(const ipu_pool *r, const uint8_t *x, int32_t n, int32_t oy, int32_t ox)
{
    const int32_t top = oy * r->sy - r->py, left = ox * r->sx - r->px;
    const int32_t ya = top < 0 ? 0 : top, xa = left < 0 ? 0 : left;
    const int32_t yb = top + r->kh < r->x.h ? top + r->kh : r->x.h, xb = left + r->kw < r->x.w ? left + r->kw : r->x.w;

    return (pool_window){ x + (ptrdiff_t)n * r->x.img + (ptrdiff_t)ya * r->x.row + (ptrdiff_t)xa * r->x.pix, yb - ya,
                          xb - xa };
}

/* Maximum of some bytes (at most 32) of every pixel of a window. */
IPU_INLINE __m256i pool_max(const ipu_pool *r, const pool_window *k, ptrdiff_t at, int some, const int type)
{
    const uint8_t *row = k->x + at;
    __m256i best = type == IPU_U8 ? _mm256_setzero_si256() : _mm256_set1_epi16(INT16_MIN), v = best;

    for (int32_t y = 0; y < k->h; y++, row += r->x.row)
        for (int32_t x = 0; x < k->w; x++) {
            const uint8_t *q = row + (ptrdiff_t)x * r->x.pix;
            if (some < 32)
                memcpy(&v, q, (size_t)some);
            else
                v = _mm256_loadu_si256((const __m256i *)(const void *)q);
            best = type == IPU_U8 ? _mm256_max_epu8(best, v) : _mm256_max_epi16(best, v);
        }
    return best;
}

IPU_INLINE void pool_max_pixel(const ipu_pool *r, const pool_window *k, uint8_t *y, const int type)
{
    const ptrdiff_t bytes = (ptrdiff_t)r->y.c * ipu_type_bytes(type);

    for (ptrdiff_t at = 0; at < bytes; at += 32) {
        const int some = bytes - at < 32 ? (int)(bytes - at) : 32;
        const __m256i v = pool_max(r, k, at, some, type);
        if (some < 32)
            memcpy(y + at, &v, (size_t)some);
        else
            _mm256_storeu_si256((__m256i *)(void *)(y + at), v);
    }
}

IPU_KERNEL(ipu_maxpool_avx2)
{
    const ipu_pool *r = (const ipu_pool *)rec;
    const ipu_ref *y = &r->y;

    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / y->h, oy = row % y->h;
        uint8_t *dst = (uint8_t *)p[0] + (ptrdiff_t)n * y->img + (ptrdiff_t)oy * y->row;
        for (int32_t ox = 0; ox < y->w; ox++, dst += y->pix) {
            const pool_window k = pool_window_of(r, p[1], n, oy, ox);
            if (y->type == IPU_U8)
                pool_max_pixel(r, &k, dst, IPU_U8);
            else
                pool_max_pixel(r, &k, dst, IPU_S16);
        }
    }
}

static void pool_mean_pixel(const ipu_pool *r, const pool_window *k, const f256_out *out, float mult, uint8_t *y)
{
    const __m256 m = _mm256_set1_ps(mult);
    __m256i v[2], acc[2];

    for (int32_t c = 0; c < r->y.c; c += 16) {
        const int some = r->y.c - c < 16 ? r->y.c - c : 16;
        const uint8_t *line = k->x + 2 * (ptrdiff_t)c;
        acc[0] = acc[1] = _mm256_setzero_si256();
        for (int32_t i = 0; i < k->h; i++, line += r->x.row)
            for (int32_t x = 0; x < k->w; x++) {
                s256_get_s16(line + (ptrdiff_t)x * r->x.pix, some, v);
                acc[0] = _mm256_add_epi32(acc[0], v[0]);
                acc[1] = _mm256_add_epi32(acc[1], v[1]);
            }
        v[0] = f256_requant(acc[0], m, out);
        v[1] = f256_requant(acc[1], m, out);
        s256_put_s16(y + 2 * (ptrdiff_t)c, v, some);
    }
}

IPU_KERNEL(ipu_avgpool_s16_avx2)
{
    const ipu_pool *r = (const ipu_pool *)rec;
    const ipu_ref *y = &r->y;
    const float *mult = p[2];
    const f256_out out = f256_out_of(&r->out);

    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / y->h, oy = row % y->h;
        uint8_t *dst = (uint8_t *)p[0] + (ptrdiff_t)n * y->img + (ptrdiff_t)oy * y->row;
        for (int32_t ox = 0; ox < y->w; ox++, dst += y->pix) {
            const pool_window k = pool_window_of(r, p[1], n, oy, ox);
            pool_mean_pixel(r, &k, &out, mult[r->count_pad ? r->kh * r->kw : k.h * k.w], dst);
        }
    }
}
