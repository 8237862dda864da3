/* Changes of type and scale with AVX2, eight elements at a time. */
#include "avx2.h"

typedef struct quantize_job {
    const ipu_quantize *r;
    const float *mult;
    const int32_t *zero;
    f256_out out;
    int per_mult, per_zero; /* per channel; else one for all */
} quantize_job;

/* Eight elements as lanes of integers (U8, S16) or of floats (F32). */
IPU_INLINE __m256i quantize_get(const uint8_t *x, const int type)
{
    if (type == IPU_U8)
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)x));
    if (type == IPU_S16)
        return s256_get8_s16(x);
    return _mm256_loadu_si256((const __m256i *)(const void *)x);
}

IPU_INLINE void quantize_put(uint8_t *y, __m256i v, const int type)
{
    if (type == IPU_U8)
        s256_put8_u8(y, v);
    else if (type == IPU_S16)
        s256_put8_s16(y, v);
    else
        _mm256_storeu_si256((__m256i *)(void *)y, v);
}

/* Element k of a run alone. */
IPU_INLINE void quantize_one(const quantize_job *j, uint8_t *y, const uint8_t *x, int64_t k, const int from,
                             const int to)
{
    const float m = j->mult[j->per_mult ? k : 0];
    const int32_t z = j->zero[j->per_zero ? k : 0];
    float g;

    if (from == IPU_F32)
        memcpy(&g, x + 4 * k, 4);
    else
        g = (float)(int32_t)((uint32_t)(from == IPU_U8 ? x[k] : s16_at(x + 2 * k)) - (uint32_t)z);
    g *= m;
    if (to == IPU_F32)
        memcpy(y + 4 * k, &g, 4);
    else if (to == IPU_U8)
        y[k] = (uint8_t)ipu_store(g, &j->r->out);
    else
        s16_to(y + 2 * k, ipu_store(g, &j->r->out));
}

/* n elements side by side, one multiplier or those of the channels from 0 on. */
IPU_INLINE void quantize_run(const quantize_job *j, uint8_t *y, const uint8_t *x, int64_t n, const int from,
                             const int to)
{
    __m256 m = _mm256_set1_ps(j->mult[0]);
    __m256i z = _mm256_set1_epi32(j->zero[0]);
    int64_t k = 0;

    for (; k + 8 <= n; k += 8) {
        __m256i v = quantize_get(x + k * ipu_type_bytes(from), from);
        if (j->per_mult)
            m = _mm256_loadu_ps(j->mult + k);
        if (j->per_zero)
            z = _mm256_loadu_si256((const __m256i *)(const void *)(j->zero + k));
        const __m256 f = from == IPU_F32 ? _mm256_castsi256_ps(v) : _mm256_cvtepi32_ps(_mm256_sub_epi32(v, z));
        const __m256 g = _mm256_mul_ps(f, m);
        v = to == IPU_F32 ? _mm256_castps_si256(g) : f256_store(g, &j->out);
        quantize_put(y + k * ipu_type_bytes(to), v, to);
    }
    for (; k < n; k++)
        quantize_one(j, y, x, k, from, to);
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
