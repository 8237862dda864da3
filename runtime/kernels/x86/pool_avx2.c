/* Maximum and average pooling with AVX2. */
#include "avx2.h"
#include "runtime/kernels/simd/pool.h"

/* `bytes` (32, 16, 8 or as many as one element has) as the lower end of a vector. */
IPU_INLINE __m256i pool_load(const uint8_t *x, const int bytes)
{
    uint32_t v = 0;

    if (bytes == 32)
        return _mm256_loadu_si256((const __m256i *)(const void *)x);
    if (bytes == 16)
        return _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)x));
    if (bytes == 8)
        return _mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)(const void *)x));
    memcpy(&v, x, (size_t)bytes);
    return _mm256_castsi128_si256(_mm_cvtsi32_si128((int)v));
}

IPU_INLINE void pool_store(uint8_t *y, __m256i v, const int bytes)
{
    if (bytes == 32) {
        _mm256_storeu_si256((__m256i *)(void *)y, v);
    } else if (bytes == 16) {
        _mm_storeu_si128((__m128i *)(void *)y, _mm256_castsi256_si128(v));
    } else if (bytes == 8) {
        _mm_storel_epi64((__m128i *)(void *)y, _mm256_castsi256_si128(v));
    } else {
        const int one = _mm_cvtsi128_si32(_mm256_castsi256_si128(v));
        memcpy(y, &one, (size_t)bytes);
    }
}

/* Maximum of these bytes of every pixel of a window, from byte `at` on. */
IPU_INLINE void pool_max(const ipu_pool *r, const pool_window *k, ptrdiff_t at, uint8_t *y, const int bytes,
                         const int type)
{
    const uint8_t *row = k->x + at;
    __m256i best = type == IPU_U8 ? _mm256_setzero_si256() : _mm256_set1_epi16(INT16_MIN);

    for (int32_t i = 0; i < k->h; i++, row += r->x.row)
        for (int32_t x = 0; x < k->w; x++) {
            const __m256i v = pool_load(row + (ptrdiff_t)x * r->x.pix, bytes);
            best = type == IPU_U8 ? _mm256_max_epu8(best, v) : _mm256_max_epi16(best, v);
        }
    pool_store(y + at, best, bytes);
}

/* All bytes of a pixel, the last vector ending with it. */
IPU_INLINE void pool_max_run(const ipu_pool *r, const pool_window *k, ptrdiff_t end, uint8_t *y, const int bytes,
                             const int type)
{
    ptrdiff_t at = 0;
    for (; at + bytes <= end; at += bytes)
        pool_max(r, k, at, y, bytes, type);
    if (at < end)
        pool_max(r, k, end - bytes, y, bytes, type);
}

IPU_INLINE void pool_max_pixel(const ipu_pool *r, const pool_window *k, uint8_t *y, const int type)
{
    const int each = ipu_type_bytes(type);
    const ptrdiff_t bytes = (ptrdiff_t)r->y.c * each;

    if (bytes >= 32)
        pool_max_run(r, k, bytes, y, 32, type);
    else if (bytes >= 16)
        pool_max_run(r, k, bytes, y, 16, type);
    else if (bytes >= 8)
        pool_max_run(r, k, bytes, y, 8, type);
    else
        pool_max_run(r, k, bytes, y, each, type);
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
IPU_INLINE void pool_mean(const ipu_pool *r, const pool_window *k, const f256_out *out, float mult, ptrdiff_t at,
                          uint8_t *y)
{
    const uint8_t *line = k->x + at;
    __m256i acc = _mm256_setzero_si256();

    for (int32_t i = 0; i < k->h; i++, line += r->x.row)
        for (int32_t x = 0; x < k->w; x++)
            acc = _mm256_add_epi32(acc, s256_get8_s16(line + (ptrdiff_t)x * r->x.pix));
    s256_put8_s16(y + at, f256_requant(acc, _mm256_set1_ps(mult), out));
}

static void pool_mean_pixel(const ipu_pool *r, const pool_window *k, const f256_out *out, float mult, uint8_t *y)
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
