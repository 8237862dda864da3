/* Functions of one S16 with AVX2, eight elements at a time: tables, two slopes, whole numbers. */
#include "avx2.h"
#include "runtime/kernels/simd/lut.h"
#include "runtime/kernels/simd/unary.h"

/* ---- tables ---- */

/* Eight elements; the exponent of a float is the place of the leading bit. */
IPU_INLINE __m256i lut_places_8(lut_block *b, int at, __m256i x)
{
    const __m256i a = _mm256_min_epi32(_mm256_abs_epi32(x), _mm256_set1_epi32(32767));
    const __m256i e = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(a)), 23);
    const __m256i h = _mm256_max_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(127 + IPU_LUT_BITS)), _mm256_setzero_si256());
    const __m256i k = _mm256_srlv_epi32(a, h), f = _mm256_sub_epi32(a, _mm256_sllv_epi32(k, h));
    const __m256i side = _mm256_and_si256(_mm256_srai_epi32(x, 31), _mm256_set1_epi32(IPU_LUT_SIDE));
    const __m256i rest = _mm256_sub_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), h), f);

    _mm256_storeu_si256((__m256i *)(void *)(b->weights + at), _mm256_add_epi32(rest, _mm256_slli_epi32(f, 16)));
    _mm256_storeu_si256((__m256i *)(void *)(b->h + at), h);
    return _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(h, IPU_LUT_BITS), k), side);
}

static void lut_places(lut_block *b, int at, const uint8_t *x)
{
    const __m256i v[2] = { lut_places_8(b, at, s256_get8_s16(x)), lut_places_8(b, at + 8, s256_get8_s16(x + 16)) };
    _mm256_storeu_si256((__m256i *)(void *)(b->place + at), s256_words(v));
}

IPU_INLINE __m256i lut_between_8(const lut_block *b, int at)
{
    const __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)(b->h + at));
    const __m256i pair = _mm256_loadu_si256((const __m256i *)(const void *)(b->pair + at)), weights = _mm256_loadu_si256((const __m256i *)(const void *)(b->weights + at));
    const __m256i half = _mm256_srli_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), h), 1);

    return _mm256_srav_epi32(_mm256_add_epi32(_mm256_madd_epi16(pair, weights), half), h);
}

static void lut_between(const lut_block *b, int at, uint8_t *y)
{
    const __m256i v[2] = { lut_between_8(b, at), lut_between_8(b, at + 8) };
    _mm256_storeu_si256((__m256i *)(void *)y, s256_words(v));
}

static void lut_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    (void)rec;
    lut_blocks_run(p[2], y, x, n, lut_places, lut_between);
}

IPU_KERNEL(ipu_lut_s16_avx2)
{
    unary_rows(rec, p, y0, y1, lut_run, 1);
}

/* A difference beyond 16 bits ends where the clamp ends it too. */
IPU_INLINE void lut_sixteen(const uint8_t *table, __m256i first, const uint8_t *x, uint8_t *y)
{
    const __m256i v = _mm256_subs_epi16(_mm256_loadu_si256((const __m256i *)(const void *)x), first);
    const __m256i i = _mm256_min_epi16(_mm256_max_epi16(v, _mm256_setzero_si256()), _mm256_set1_epi16(IPU_INDEX - 1));
    uint16_t index[16];

    _mm256_storeu_si256((__m256i *)(void *)index, i);
    ipu_lookup_one_by_one(table, index, y, 16);
}

static void lut_u8_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const int32_t first = ((const ipu_lut *)rec)->first;
    const __m256i all = _mm256_set1_epi16((int16_t)first);
    int64_t k = 0;

    for (; k + 16 <= n; k += 16)
        lut_sixteen(p[2], all, x + 2 * k, y + k);
    for (; k < n; k++)
        y[k] = ((const uint8_t *)p[2])[ipu_index(s16_at(x + 2 * k), first)];
}

IPU_KERNEL(ipu_lut_u8_avx2)
{
    unary_rows(rec, p, y0, y1, lut_u8_run, 1);
}

/* ---- two slopes ---- */

static void prelu_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const ipu_prelu *r = (const ipu_prelu *)rec;
    const float *mult = p[2];
    const int each = r->mult.c != 1;
    const f256_out out = f256_out_of(&r->out);
    const __m256 m = _mm256_set1_ps(r->m);
    __m256 other = _mm256_set1_ps(mult[0]);
    int64_t k = 0;

    for (; k + 8 <= n; k += 8) {
        const __m256i v = s256_get8_s16(x + 2 * k);
        const __m256 above = _mm256_castsi256_ps(_mm256_cmpgt_epi32(v, _mm256_set1_epi32(r->threshold)));
        if (each)
            other = _mm256_loadu_ps(mult + k);
        s256_put8_s16(y + 2 * k, f256_requant(v, _mm256_blendv_ps(other, m, above), &out));
    }
    for (; k < n; k++) {
        const int32_t v = s16_at(x + 2 * k);
        s16_to(y + 2 * k, ipu_requant(v, v > r->threshold ? r->m : mult[each ? k : 0], &r->out));
    }
}

IPU_KERNEL(ipu_prelu_s16_avx2)
{
    unary_rows(rec, p, y0, y1, prelu_run, ((const ipu_prelu *)rec)->mult.c == 1);
}

/* ---- whole numbers ---- */

IPU_INLINE __m256 round_eight(const ipu_round *r, __m256i x)
{
    const __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(x), _mm256_set1_ps(r->scale));
    switch (r->mode) {
    case IPU_ROUND_DOWN:
        return _mm256_floor_ps(v);
    case IPU_ROUND_UP:
        return _mm256_ceil_ps(v);
    case IPU_ROUND_NEAREST:
        return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    default:
        return _mm256_cvtepi32_ps(_mm256_sign_epi32(_mm256_set1_epi32(1), x));
    }
}

static void round_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const ipu_round *r = (const ipu_round *)rec;
    const f256_out out = f256_out_of(&r->out);
    const __m256 m = _mm256_set1_ps(r->m);
    int64_t k = 0;

    (void)p;
    for (; k + 8 <= n; k += 8)
        s256_put8_s16(y + 2 * k, f256_store(_mm256_mul_ps(round_eight(r, s256_get8_s16(x + 2 * k)), m), &out));
    for (; k < n; k++) {
        const __m256 g = _mm256_mul_ps(round_eight(r, _mm256_set1_epi32(s16_at(x + 2 * k))), m);
        s16_to(y + 2 * k, _mm256_cvtsi256_si32(f256_store(g, &out)));
    }
}

IPU_KERNEL(ipu_round_s16_avx2)
{
    unary_rows(rec, p, y0, y1, round_run, 1);
}
