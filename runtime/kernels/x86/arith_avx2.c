/* Arithmetic of two S16 with AVX2, eight elements at a time. */
#include "avx2.h"
#include "runtime/kernels/simd/arith.h"

typedef struct arith_job {
    const ipu_arith *r;
    __m256 ma, mb;
    f256_out out;
    int one_a, one_b; /* one channel, repeated */
} arith_job;

/* In steps of the result. */
IPU_INLINE __m256 arith_eight(const arith_job *j, __m256i a, __m256i b, const int kind)
{
    if (kind == IPU_MUL_S16)
        return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_mullo_epi32(a, b)), j->ma);
    const __m256 fa = _mm256_cvtepi32_ps(a), fb = _mm256_cvtepi32_ps(b);
    if (kind == IPU_DIV_S16) {
        const __m256 none = _mm256_castsi256_ps(_mm256_cmpeq_epi32(b, _mm256_setzero_si256()));
        const __m256 by = _mm256_blendv_ps(fb, _mm256_set1_ps(IPU_DIV_ZERO), none);
        return _mm256_mul_ps(_mm256_div_ps(fa, by), j->ma);
    }
    const __m256 ga = _mm256_mul_ps(fa, j->ma), gb = _mm256_mul_ps(fb, j->mb);
    return kind == IPU_MIN_S16   ? _mm256_min_ps(ga, gb)
           : kind == IPU_MAX_S16 ? _mm256_max_ps(ga, gb)
                                 : _mm256_add_ps(ga, gb);
}

/* One element: the same eight lanes, so that the two cannot differ. */
IPU_INLINE void arith_one(const arith_job *j, uint8_t *y, const uint8_t *a, const uint8_t *b, const int kind)
{
    const __m256 g = arith_eight(j, _mm256_set1_epi32(s16_at(a)), _mm256_set1_epi32(s16_at(b)), kind);
    s16_to(y, _mm256_cvtsi256_si32(f256_store(g, &j->out)));
}

IPU_INLINE void arith_run(const arith_job *j, uint8_t *y, const uint8_t *a, const uint8_t *b, int64_t n, const int kind)
{
    __m256i va = _mm256_set1_epi32(s16_at(a)), vb = _mm256_set1_epi32(s16_at(b));
    int64_t k = 0;

    for (; k + 8 <= n; k += 8) {
        if (!j->one_a)
            va = s256_get8_s16(a + 2 * k);
        if (!j->one_b)
            vb = s256_get8_s16(b + 2 * k);
        s256_put8_s16(y + 2 * k, f256_store(arith_eight(j, va, vb, kind), &j->out));
    }
    for (; k < n; k++)
        arith_one(j, y + 2 * k, j->one_a ? a : a + 2 * k, j->one_b ? b : b + 2 * k, kind);
}

IPU_INLINE void arith_rows(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, const int kind)
{
    const ipu_arith *r = (const ipu_arith *)rec;
    const arith_job j = {
        r, _mm256_set1_ps(r->ma), _mm256_set1_ps(r->mb), f256_out_of(&r->out), r->a.c < r->y.c, r->b.c < r->y.c
    };
    arith_walk k = arith_walk_of(r);

    for (int32_t row = y0; row < y1; row++) {
        arith_row(r, p, row, &k);
        for (int32_t x = 0; x < k.runs; x++, arith_next(r, &k))
            arith_run(&j, k.y, k.a, k.b, k.n, kind);
    }
}

IPU_KERNEL(ipu_add_s16_avx2)
{
    arith_rows(rec, p, y0, y1, IPU_ADD_S16);
}

IPU_KERNEL(ipu_mul_s16_avx2)
{
    arith_rows(rec, p, y0, y1, IPU_MUL_S16);
}

IPU_KERNEL(ipu_div_s16_avx2)
{
    arith_rows(rec, p, y0, y1, IPU_DIV_S16);
}

IPU_KERNEL(ipu_min_s16_avx2)
{
    arith_rows(rec, p, y0, y1, IPU_MIN_S16);
}

IPU_KERNEL(ipu_max_s16_avx2)
{
    arith_rows(rec, p, y0, y1, IPU_MAX_S16);
}
