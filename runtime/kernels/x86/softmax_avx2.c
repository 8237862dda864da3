/* Softmax with AVX2, eight channels at a time: ARITHMETIC.md 9.  Exponentials wait in y for their sum. */
#include "avx2.h"

IPU_INLINE int32_t lanes_largest(__m256i v)
{
    int16_t lane[16];
    int32_t all;

    _mm256_storeu_si256((__m256i *)(void *)lane, v);
    all = lane[0];
    for (int i = 1; i < 16; i++)
        all = lane[i] > all ? lane[i] : all;
    return all;
}

static int32_t largest(const uint8_t *x, int32_t c)
{
    int32_t k = 0, all = s16_at(x);

    if (c >= 16) {
        __m256i best = _mm256_set1_epi16((short)all);
        for (; k + 16 <= c; k += 16)
            best = _mm256_max_epi16(best, _mm256_loadu_si256((const __m256i *)(const void *)(x + 2 * k)));
        all = lanes_largest(best);
    }
    for (; k < c; k++)
        all = s16_at(x + 2 * k) > all ? s16_at(x + 2 * k) : all;
    return all;
}

/* ipu_table of the distances d, in steps of the table. */
IPU_INLINE __m256i exponentials(const ipu_softmax *o, const int16_t *table, __m256i d)
{
    const __m256 f = _mm256_mul_ps(_mm256_cvtepi32_ps(d), _mm256_set1_ps(o->m_in));
    const __m256i u = _mm256_cvtps_epi32(_mm256_min_ps(f, _mm256_set1_ps(65535.0f)));
    const __m256i pair = _mm256_i32gather_epi32((const int *)(const void *)table, _mm256_srli_epi32(u, 6), 2);
    const __m256i lo = _mm256_srai_epi32(_mm256_slli_epi32(pair, 16), 16), hi = _mm256_srai_epi32(pair, 16);
    const __m256i rise = _mm256_mullo_epi32(_mm256_sub_epi32(hi, lo), _mm256_and_si256(u, _mm256_set1_epi32(63)));

    return _mm256_add_epi32(lo, _mm256_srai_epi32(_mm256_add_epi32(rise, _mm256_set1_epi32(32)), 6));
}

static int32_t exponential(const ipu_softmax *o, const int16_t *table, int32_t d)
{
    return ipu_table(table, ipu_rne(ipu_clampf((float)d * o->m_in, 0.0f, 65535.0f)));
}

IPU_INLINE int32_t lanes_sum(__m256i v)
{
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));

    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

/* Exponentials to y; returns their sum. */
static int32_t spread(const ipu_softmax *o, const int16_t *table, uint8_t *y, const uint8_t *x)
{
    const int32_t c = o->x.c, best = largest(x, c);
    __m256i sums = _mm256_setzero_si256();
    int32_t k = 0, sum;

    for (; k + 8 <= c; k += 8) {
        const __m256i e = exponentials(o, table, _mm256_sub_epi32(_mm256_set1_epi32(best), s256_get8_s16(x + 2 * k)));
        sums = _mm256_add_epi32(sums, e);
        s256_put8_s16(y + 2 * k, e);
    }
    sum = k ? lanes_sum(sums) : 0;
    for (; k < c; k++) {
        const int32_t e = exponential(o, table, best - s16_at(x + 2 * k));
        sum = (int32_t)((uint32_t)sum + (uint32_t)e);
        s16_to(y + 2 * k, e);
    }
    return sum;
}

static void divide(const ipu_softmax *o, uint8_t *y, int32_t sum)
{
    const float m = o->m_out / (float)sum;
    const f256_out out = f256_out_of(&o->out);
    int32_t k = 0;

    for (; k + 8 <= o->x.c; k += 8)
        s256_put8_s16(y + 2 * k, f256_requant(s256_get8_s16(y + 2 * k), _mm256_set1_ps(m), &out));
    for (; k < o->x.c; k++)
        s16_to(y + 2 * k, ipu_requant(s16_at(y + 2 * k), m, &o->out));
}

IPU_KERNEL(ipu_softmax_s16_avx2)
{
    const ipu_softmax *o = (const ipu_softmax *)rec;

    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / o->y.h, h = row % o->y.h;
        uint8_t *y = (uint8_t *)p[0] + (ptrdiff_t)n * o->y.img + (ptrdiff_t)h * o->y.row;
        const uint8_t *x = (const uint8_t *)p[1] + (ptrdiff_t)n * o->x.img + (ptrdiff_t)h * o->x.row;
        for (int32_t w = 0; w < o->y.w; w++, y += o->y.pix, x += o->x.pix)
            divide(o, y, spread(o, p[2], y, x));
    }
}
