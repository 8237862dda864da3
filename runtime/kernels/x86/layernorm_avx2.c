/* Normalization over the channels of each pixel with AVX2, eight elements at a time. */
#include "avx2.h"

enum { MOST = 32767 }; /* channels: n * x - sum fits 32 bits, n 16 */

/* Sums of up to MOST S16 stay inside 32 bits a lane; of their squares, two of which are at most 2^31, each half of a
 * 64-bit lane is added up as 64 bits. */
static void add_up(const uint8_t *x, int32_t n, int64_t *sum, int64_t *squares)
{
    const __m256i one = _mm256_set1_epi16(1), half = _mm256_set1_epi64x(0xffffffff);
    __m256i s = _mm256_setzero_si256(), q = s;
    int32_t part[8], i = 0;
    int64_t wide[4];

    for (; i + 16 <= n; i += 16) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(x + 2 * i)), t = _mm256_madd_epi16(v, v);
        s = _mm256_add_epi32(s, _mm256_madd_epi16(v, one));
        q = _mm256_add_epi64(q, _mm256_add_epi64(_mm256_and_si256(t, half), _mm256_srli_epi64(t, 32)));
    }
    _mm256_storeu_si256((__m256i *)(void *)part, s);
    _mm256_storeu_si256((__m256i *)(void *)wide, q);
    *sum = 0;
    *squares = wide[0] + wide[1] + wide[2] + wide[3];
    for (int k = 0; k < 8; k++)
        *sum += part[k];
    for (; i < n; i++) {
        *sum += s16_at(x + 2 * i);
        *squares += s16_at(x + 2 * i) * s16_at(x + 2 * i);
    }
}

/* ipu_root of an integer of 24 bits and zeros behind them, from 2^62 on: exact in binary64, whose root is at most
 * rounded up to a whole number. */
IPU_INLINE uint32_t root_of(uint64_t v)
{
    const __m128d d = _mm_set_sd((double)v);
    const uint64_t root = (uint64_t)_mm_cvttsd_si64(_mm_sqrt_sd(d, d));

    return (uint32_t)(root - (root * root > v));
}

/* Eight numbers from i on, or one for all. */
IPU_INLINE __m256 row_at(const float *v, int32_t c, int32_t i)
{
    return c == 1 ? _mm256_set1_ps(*v) : _mm256_loadu_ps(v + i);
}

static void normalize(const ipu_layernorm *o, uint8_t *y, const uint8_t *x, const float *scale, const float *bias)
{
    const int32_t n = o->x.c;
    const f256_out out = f256_out_of(&o->out);
    int64_t sum, squares;
    int32_t i = 0;

    add_up(x, n, &sum, &squares);
    sum = o->centred ? sum : 0;
    const float r = ipu_norm_factor(n, sum, squares, o->epsilon, root_of);
    const __m256i count = _mm256_set1_epi32(n), all = _mm256_set1_epi32((int32_t)sum);
    for (; i + 8 <= n; i += 8) {
        const __m256i c = _mm256_sub_epi32(_mm256_madd_epi16(s256_get8_s16(x + 2 * i), count), all);
        const __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(c), _mm256_set1_ps(r));
        const __m256 g = _mm256_mul_ps(v, row_at(scale, o->scale.c, i));
        s256_put8_s16(y + 2 * i, f256_store(_mm256_add_ps(g, row_at(bias, o->bias.c, i)), &out));
    }
    for (; i < n; i++) {
        const float v = (float)(n * s16_at(x + 2 * i) - (int32_t)sum) * r;
        s16_to(y + 2 * i, ipu_store(v * scale[o->scale.c == 1 ? 0 : i] + bias[o->bias.c == 1 ? 0 : i], &o->out));
    }
}

IPU_KERNEL(ipu_layernorm_s16_avx2)
{
    const ipu_layernorm *o = (const ipu_layernorm *)rec;

    if (o->x.c > MOST) {
        ipu_layernorm_s16_c(rec, p, y0, y1);
        return;
    }
    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / o->y.h, h = row % o->y.h;
        uint8_t *y = (uint8_t *)p[0] + (ptrdiff_t)n * o->y.img + (ptrdiff_t)h * o->y.row;
        const uint8_t *x = (const uint8_t *)p[1] + (ptrdiff_t)n * o->x.img + (ptrdiff_t)h * o->x.row;
        for (int32_t w = 0; w < o->y.w; w++, y += o->y.pix, x += o->x.pix)
            normalize(o, y, x, p[2], p[3]);
    }
}
