/* Weighted sums of 2 or 4 rows and columns with AVX2: eight channels at a time, rows first. */
#include "avx2.h"

/* The pixels that make one of y, and the weights of their rows and columns. */
typedef struct resize_taps {
    const uint8_t *pixel[IPU_RESIZE_TAPS][IPU_RESIZE_TAPS]; /* [column][row] */
    const int16_t *wy, *wx;
} resize_taps;

/* ipu_narrow of eight sums, in 64-bit lanes: four even ones, four odd ones.  A logical shift leaves the same low half.
 */
IPU_INLINE __m256i resize_narrow(__m256i even, __m256i odd)
{
    const __m256i half = _mm256_set1_epi64x(1 << (IPU_RESIZE_SHIFT - 1));

    even = _mm256_srli_epi64(_mm256_add_epi64(even, half), IPU_RESIZE_SHIFT);
    odd = _mm256_slli_epi64(_mm256_add_epi64(odd, half), 32 - IPU_RESIZE_SHIFT);
    return _mm256_blend_epi32(even, odd, 0xaa);
}

/* Eight channels from byte `at` of each pixel.  A column's sum fits 32 bits: IMAGE.md bounds the weights. */
IPU_INLINE void resize_eight(const resize_taps *t, ptrdiff_t at, const int taps, __m256 m, const f256_out *out,
                             uint8_t *y)
{
    __m256i even = _mm256_setzero_si256(), odd = even;

    IPU_UNROLL for (int j = 0; j < taps; j++)
    {
        const __m256i w = _mm256_set1_epi32(t->wx[j]);
        __m256i column = _mm256_setzero_si256();
        IPU_UNROLL for (int i = 0; i < taps; i++)
        {
            const __m256i x = s256_get8_s16(t->pixel[j][i] + at);
            column = _mm256_add_epi32(column, _mm256_mullo_epi32(x, _mm256_set1_epi32(t->wy[i])));
        }
        even = _mm256_add_epi64(even, _mm256_mul_epi32(column, w));
        odd = _mm256_add_epi64(odd, _mm256_mul_epi32(_mm256_srli_epi64(column, 32), w));
    }
    s256_put8_s16(y + at, f256_requant(resize_narrow(even, odd), m, out));
}

static void resize_one(const resize_taps *t, ptrdiff_t at, int taps, float m, const ipu_out *out, uint8_t *y)
{
    int64_t sum = 0;

    for (int j = 0; j < taps; j++)
        for (int i = 0; i < taps; i++)
            sum += (int64_t)t->wy[i] * t->wx[j] * s16_at(t->pixel[j][i] + at);
    s16_to(y + at, ipu_requant(ipu_narrow(sum, IPU_RESIZE_SHIFT), m, out));
}

IPU_INLINE void resize_pixel(const ipu_resize *r, const resize_taps *t, const int taps, const f256_out *out, uint8_t *y)
{
    const ptrdiff_t end = 2 * (ptrdiff_t)r->y.c;
    const __m256 m = _mm256_set1_ps(r->m);
    ptrdiff_t at = 0;

    for (; at + 16 <= end; at += 16)
        resize_eight(t, at, taps, m, out, y);
    if (at < end && end >= 16)
        resize_eight(t, end - 16, taps, m, out, y);
    else
        for (; at < end; at += 2)
            resize_one(t, at, taps, r->m, &r->out, y);
}

IPU_INLINE void resize_rows(const ipu_resize *r, void *const p[], int32_t y0, int32_t y1, const int taps)
{
    const f256_out out = f256_out_of(&r->out);
    const int32_t *iy = p[2], *ix = p[3];
    resize_taps t;

    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / r->y.h, h = row % r->y.h;
        const uint8_t *x = (const uint8_t *)p[1] + (ptrdiff_t)n * r->x.img;
        uint8_t *y = (uint8_t *)p[0] + (ptrdiff_t)n * r->y.img + (ptrdiff_t)h * r->y.row;
        t.wy = (const int16_t *)p[4] + (ptrdiff_t)h * taps;
        for (int32_t w = 0; w < r->y.w; w++, y += r->y.pix) {
            t.wx = (const int16_t *)p[5] + (ptrdiff_t)w * taps;
            for (int j = 0; j < taps; j++)
                for (int i = 0; i < taps; i++)
                    t.pixel[j][i] = x + (ptrdiff_t)iy[(ptrdiff_t)h * taps + i] * r->x.row +
                                    (ptrdiff_t)ix[(ptrdiff_t)w * taps + j] * r->x.pix;
            resize_pixel(r, &t, taps, &out, y);
        }
    }
}

IPU_KERNEL(ipu_resize_s16_avx2)
{
    const ipu_resize *r = (const ipu_resize *)rec;

    if (r->taps == 2)
        resize_rows(r, p, y0, y1, 2);
    else
        resize_rows(r, p, y0, y1, 4);
}
