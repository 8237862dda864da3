/* Changes of type and scale with AVX2, 16 elements at a time. */
#include "avx2.h"

typedef struct quantize_job {
    const ipu_quantize *r;
    const float *mult;
    const int32_t *zero;
    f256_out out;
    int per_mult, per_zero; /* per channel; else one for all */
} quantize_job;

/* The first n of 16 elements as lanes of integers (U8, S16) or of floats (F32). */
IPU_INLINE void quantize_get(const uint8_t *x, int type, int n, __m256i *v)
{
    uint8_t tail[64] = { 0 };

    if (n < 16) {
        memcpy(tail, x, (size_t)n * (size_t)ipu_type_bytes(type));
        x = tail;
    }
    for (int h = 0; h < 2; h++) {
        if (type == IPU_U8)
            v[h] = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(x + 8 * h)));
        else if (type == IPU_S16)
            v[h] = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(x + 16 * h)));
        else
            v[h] = _mm256_loadu_si256((const __m256i *)(const void *)(x + 32 * h));
    }
}

/* The first n of 16 words. */
IPU_INLINE void quantize_words(const void *src, int n, __m256i *v)
{
    int32_t tail[16] = { 0 };
    const int32_t *s = src;

    if (n < 16) {
        memcpy(tail, s, 4 * (size_t)n);
        s = tail;
    }
    v[0] = _mm256_loadu_si256((const __m256i *)(const void *)s);
    v[1] = _mm256_loadu_si256((const __m256i *)(const void *)(s + 8));
}

IPU_INLINE void quantize_put(uint8_t *y, const __m256i *v, int type, int n)
{
    uint8_t tail[64];

    if (type == IPU_U8) {
        s256_put_u8(y, v, n);
    } else if (type == IPU_S16) {
        s256_put_s16(y, v, n);
    } else {
        uint8_t *to = n < 16 ? tail : y;
        _mm256_storeu_si256((__m256i *)(void *)to, v[0]);
        _mm256_storeu_si256((__m256i *)(void *)(to + 32), v[1]);
        if (n < 16)
            memcpy(y, tail, 4 * (size_t)n);
    }
}

/* n elements side by side, one multiplier or those of the channels from 0 on. */
IPU_INLINE void quantize_run(const quantize_job *j, uint8_t *y, const uint8_t *x, int64_t n, const int from,
                             const int to)
{
    const __m256i m1 = _mm256_castps_si256(_mm256_set1_ps(j->mult[0])), z1 = _mm256_set1_epi32(j->zero[0]);
    __m256i mv[2] = { m1, m1 }, z[2] = { z1, z1 }, v[2];

    for (int64_t k = 0; k < n; k += 16) {
        const int some = n - k < 16 ? (int)(n - k) : 16;
        if (j->per_mult)
            quantize_words(j->mult + k, some, mv);
        if (j->per_zero)
            quantize_words(j->zero + k, some, z);
        quantize_get(x + k * ipu_type_bytes(from), from, some, v);
        for (int h = 0; h < 2; h++) {
            const __m256 f =
                from == IPU_F32 ? _mm256_castsi256_ps(v[h]) : _mm256_cvtepi32_ps(_mm256_sub_epi32(v[h], z[h]));
            const __m256 g = _mm256_mul_ps(f, _mm256_castsi256_ps(mv[h]));
            v[h] = to == IPU_F32 ? _mm256_castps_si256(g) : f256_store(g, &j->out);
        }
        quantize_put(y + k * ipu_type_bytes(to), v, to, some);
    }
}

IPU_INLINE void quantize_rows(const quantize_job *j, void *const p[], int32_t y0, int32_t y1, const int from,
                              const int to)
{
    const ipu_ref *y = &j->r->y, *x = &j->r->x;
    const int flat =
        !j->per_mult && !j->per_zero && y->pix == y->c * ipu_type_bytes(to) && x->pix == y->c * ipu_type_bytes(from);
    const int32_t runs = flat ? 1 : y->w;

    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / y->h, h = row % y->h;
        uint8_t *py = (uint8_t *)p[0] + (ptrdiff_t)n * y->img + (ptrdiff_t)h * y->row;
        const uint8_t *px = (const uint8_t *)p[1] + (ptrdiff_t)n * x->img + (ptrdiff_t)h * x->row;
        for (int32_t i = 0; i < runs; i++, py += y->pix, px += x->pix)
            quantize_run(j, py, px, flat ? (int64_t)y->w * y->c : y->c, from, to);
    }
}

static quantize_job quantize_start(const ipu_rec *rec, void *const p[])
{
    const ipu_quantize *r = (const ipu_quantize *)rec;
    return (quantize_job){ .r = r,
                           .mult = p[2],
                           .zero = p[3],
                           .out = f256_out_of(&r->out),
                           .per_mult = r->mult.c != 1,
                           .per_zero = r->zero.c != 1 };
}

IPU_KERNEL(ipu_quantize_avx2)
{
    const quantize_job j = quantize_start(rec, p);
    const int from = j.r->x.type, to = j.r->y.type;

    if (from == IPU_U8)
        to == IPU_U8 ? quantize_rows(&j, p, y0, y1, IPU_U8, IPU_U8) : quantize_rows(&j, p, y0, y1, IPU_U8, IPU_S16);
    else if (from == IPU_S16)
        to == IPU_U8 ? quantize_rows(&j, p, y0, y1, IPU_S16, IPU_U8) : quantize_rows(&j, p, y0, y1, IPU_S16, IPU_S16);
    else
        to == IPU_U8 ? quantize_rows(&j, p, y0, y1, IPU_F32, IPU_U8) : quantize_rows(&j, p, y0, y1, IPU_F32, IPU_S16);
}

IPU_KERNEL(ipu_dequantize_avx2)
{
    const quantize_job j = quantize_start(rec, p);

    if (j.r->x.type == IPU_U8)
        quantize_rows(&j, p, y0, y1, IPU_U8, IPU_F32);
    else
        quantize_rows(&j, p, y0, y1, IPU_S16, IPU_F32);
}
