/* Clamp of U8 and S16 with AVX2. */
#include "avx2.h"

typedef struct clamp_job {
    __m256i lo, hi;
    int type;
} clamp_job;

IPU_INLINE __m256i clamp_of(const clamp_job *j, __m256i v)
{
    return j->type == IPU_U8 ? _mm256_min_epu8(_mm256_max_epu8(v, j->lo), j->hi)
                             : _mm256_min_epi16(_mm256_max_epi16(v, j->lo), j->hi);
}

static void clamp_run(const clamp_job *j, uint8_t *y, const uint8_t *x, int64_t bytes)
{
    __m256i v = _mm256_setzero_si256();

    for (; bytes >= 32; bytes -= 32, y += 32, x += 32)
        _mm256_storeu_si256((__m256i *)(void *)y, clamp_of(j, _mm256_loadu_si256((const __m256i *)(const void *)x)));
    if (!bytes)
        return;
    memcpy(&v, x, (size_t)bytes);
    v = clamp_of(j, v);
    memcpy(y, &v, (size_t)bytes);
}

IPU_KERNEL(ipu_clamp_avx2)
{
    const ipu_clamp *r = (const ipu_clamp *)rec;
    const ipu_ref *y = &r->y, *x = &r->x;
    const int32_t dense = y->c * ipu_type_bytes(y->type);
    const int flat = y->pix == dense && x->pix == dense;
    clamp_job j = { .type = y->type };

    if (y->type != IPU_U8 && y->type != IPU_S16) {
        ipu_clamp_c(rec, p, y0, y1);
        return;
    }
    j.lo = y->type == IPU_U8 ? _mm256_set1_epi8((char)r->lo) : _mm256_set1_epi16((short)r->lo);
    j.hi = y->type == IPU_U8 ? _mm256_set1_epi8((char)r->hi) : _mm256_set1_epi16((short)r->hi);
    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / y->h, h = row % y->h;
        uint8_t *py = (uint8_t *)p[0] + (ptrdiff_t)n * y->img + (ptrdiff_t)h * y->row;
        const uint8_t *px = (const uint8_t *)p[1] + (ptrdiff_t)n * x->img + (ptrdiff_t)h * x->row;
        for (int32_t i = 0; i < (flat ? 1 : y->w); i++, py += y->pix, px += x->pix)
            clamp_run(&j, py, px, flat ? (int64_t)dense * y->w : dense);
    }
}
