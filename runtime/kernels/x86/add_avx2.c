/* Addition of two S16 with AVX2, eight elements at a time. */
#include "avx2.h"

typedef struct add_job {
    const ipu_add *r;
    __m256 ma, mb;
    f256_out out;
    int one; /* b has one channel, repeated */
} add_job;

static void add_run(const add_job *j, uint8_t *y, const uint8_t *a, const uint8_t *b, int64_t n)
{
    __m256i vb = _mm256_set1_epi32(s16_at(b));
    int64_t k = 0;

    for (; k + 8 <= n; k += 8) {
        const __m256 fa = _mm256_mul_ps(_mm256_cvtepi32_ps(s256_get8_s16(a + 2 * k)), j->ma);
        if (!j->one)
            vb = s256_get8_s16(b + 2 * k);
        s256_put8_s16(y + 2 * k, f256_store(_mm256_add_ps(fa, _mm256_mul_ps(_mm256_cvtepi32_ps(vb), j->mb)), &j->out));
    }
    for (; k < n; k++) {
        const float fa = (float)s16_at(a + 2 * k) * j->r->ma, fb = (float)s16_at(j->one ? b : b + 2 * k) * j->r->mb;
        s16_to(y + 2 * k, ipu_store(fa + fb, &j->r->out));
    }
}

IPU_KERNEL(ipu_add_s16_avx2)
{
    const ipu_add *r = (const ipu_add *)rec;
    const ipu_ref *y = &r->y, *a = &r->a, *b = &r->b;
    const add_job j = { r, _mm256_set1_ps(r->ma), _mm256_set1_ps(r->mb), f256_out_of(&r->out), b->c == 1 && y->c > 1 };
    const int32_t dense = y->c * 2;
    const int flat = y->pix == dense && a->pix == dense && b->pix == dense && b->w == y->w && b->c == y->c;
    const int32_t runs = flat ? 1 : y->w;
    const ptrdiff_t b_img = b->n > 1 ? b->img : 0, b_row = b->h > 1 ? b->row : 0, b_pix = b->w > 1 ? b->pix : 0;

    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / y->h, h = row % y->h;
        uint8_t *py = (uint8_t *)p[0] + (ptrdiff_t)n * y->img + (ptrdiff_t)h * y->row;
        const uint8_t *pa = (const uint8_t *)p[1] + (ptrdiff_t)n * a->img + (ptrdiff_t)h * a->row;
        const uint8_t *pb = (const uint8_t *)p[2] + (ptrdiff_t)n * b_img + (ptrdiff_t)h * b_row;
        for (int32_t x = 0; x < runs; x++, py += y->pix, pa += a->pix, pb += b_pix)
            add_run(&j, py, pa, pb, flat ? (int64_t)y->w * y->c : y->c);
    }
}
