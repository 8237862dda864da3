/* Addition of two S16 with AVX2, 16 elements at a time. */
#include "avx2.h"

typedef struct add_job {
    __m256 ma, mb;
    f256_out out;
    int one; /* b has one channel, repeated */
} add_job;

static void add_run(const add_job *j, uint8_t *y, const uint8_t *a, const uint8_t *b, int64_t n)
{
    __m256i va[2], vb[2] = { 0 }, v[2];

    if (j->one) {
        int16_t q;
        memcpy(&q, b, 2);
        vb[0] = vb[1] = _mm256_set1_epi32(q);
    }
    for (int64_t k = 0; k < n; k += 16) {
        const int some = n - k < 16 ? (int)(n - k) : 16;
        s256_get_s16(a + 2 * k, some, va);
        if (!j->one)
            s256_get_s16(b + 2 * k, some, vb);
        for (int h = 0; h < 2; h++)
            v[h] = f256_store(_mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(va[h]), j->ma),
                                            _mm256_mul_ps(_mm256_cvtepi32_ps(vb[h]), j->mb)),
                              &j->out);
        s256_put_s16(y + 2 * k, v, some);
    }
}

IPU_KERNEL(ipu_add_s16_avx2)
{
    const ipu_add *r = (const ipu_add *)rec;
    const ipu_ref *y = &r->y, *a = &r->a, *b = &r->b;
    const add_job j = { _mm256_set1_ps(r->ma), _mm256_set1_ps(r->mb), f256_out_of(&r->out), b->c == 1 && y->c > 1 };
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
