/* Functions of one S16 by their tables with AVX-512 VNNI. */
#include "vnni512.h"
#include "runtime/kernels/simd/lut.h"
#include "runtime/kernels/simd/unary.h"

/* The exponent of a float is the place of the leading bit. */
static void lut_places(lut_block *b, int at, const uint8_t *p)
{
    const __m512i x = _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i a = _mm512_min_epi32(_mm512_abs_epi32(x), _mm512_set1_epi32(32767));
    const __m512i e = _mm512_srli_epi32(_mm512_castps_si512(_mm512_cvtepi32_ps(a)), 23);
    const __m512i h = _mm512_max_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(127 + IPU_LUT_BITS)), _mm512_setzero_si512());
    const __m512i k = _mm512_srlv_epi32(a, h), f = _mm512_sub_epi32(a, _mm512_sllv_epi32(k, h));
    const __m512i side = _mm512_and_si512(_mm512_srai_epi32(x, 31), _mm512_set1_epi32(IPU_LUT_SIDE));
    const __m512i place = _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(h, IPU_LUT_BITS), k), side);

    _mm256_storeu_si256((__m256i *)(void *)(b->place + at), _mm512_cvtepi32_epi16(place));
    _mm512_storeu_si512(b->weights + at, _mm512_add_epi32(_mm512_sub_epi32(_mm512_sllv_epi32(one, h), f), _mm512_slli_epi32(f, 16)));
    _mm512_storeu_si512(b->h + at, h);
}

static void lut_between(const lut_block *b, int at, uint8_t *y)
{
    const __m512i h = _mm512_loadu_si512(b->h + at);
    const __m512i half = _mm512_srli_epi32(_mm512_sllv_epi32(_mm512_set1_epi32(1), h), 1);
    const __m512i sum = _mm512_dpwssd_epi32(half, _mm512_loadu_si512(b->pair + at), _mm512_loadu_si512(b->weights + at));

    _mm256_storeu_si256((__m256i *)(void *)y, _mm512_cvtepi32_epi16(_mm512_srav_epi32(sum, h)));
}

static void lut_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    (void)rec;
    lut_blocks_run(p[2], y, x, n, lut_places, lut_between);
}

IPU_KERNEL(ipu_lut_s16_vnni512)
{
    unary_rows(rec, p, y0, y1, lut_run, 1);
}
