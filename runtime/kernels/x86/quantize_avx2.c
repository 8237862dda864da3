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

/* The element at x alone, of channel k, to element k of y. */
IPU_INLINE void quantize_one(const quantize_job *j, uint8_t *y, const uint8_t *x, int64_t k, const int from, const int to)
{
    const float m = j->mult[j->per_mult ? k : 0];
    const int32_t z = j->zero[j->per_zero ? k : 0];
    float g;

    if (from == IPU_F32)
        memcpy(&g, x, 4);
    else
        g = (float)(int32_t)((uint32_t)(from == IPU_U8 ? *x : s16_at(x)) - (uint32_t)z);
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
        quantize_one(j, y, x + k * ipu_type_bytes(from), k, from, to);
}

/* ---- planes: the pixels of a channel, not the channels of a pixel, lie side by side ---- */

enum { PLANE_RUN = 16, PLANES = 16 }; /* pixels at a time; most channels */

/* PLANE_RUN pixels of floats of channel c; bytes in one store, as they are read again at once. */
IPU_INLINE void plane_run(const quantize_job *j, const uint8_t *x, int32_t c, uint8_t *to, const int type)
{
    const __m256 m = _mm256_set1_ps(j->mult[j->per_mult ? c : 0]);
    const float *f = (const float *)(const void *)x;
    const __m256i a = f256_store(_mm256_mul_ps(_mm256_loadu_ps(f), m), &j->out), b = f256_store(_mm256_mul_ps(_mm256_loadu_ps(f + 8), m), &j->out);

    if (type == IPU_U8) {
        const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
        _mm_storeu_si128((__m128i *)(void *)to, _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
    } else {
        quantize_put(to, a, type);
        quantize_put(to + 16, b, type);
    }
}

/* Byte i of vector k of woven pixels is that of pixel (16k + i) / 3 where its channel is c, else none. */
#define WOVEN(k, c, i) ((16 * (k) + (i)) % 3 == (c) ? (16 * (k) + (i)) / 3 : -1)
#define WOVEN4(k, c, i) WOVEN(k, c, i), WOVEN(k, c, i + 1), WOVEN(k, c, i + 2), WOVEN(k, c, i + 3)
#define WOVEN16(k, c) { WOVEN4(k, c, 0), WOVEN4(k, c, 4), WOVEN4(k, c, 8), WOVEN4(k, c, 12) }

/* PLANE_RUN bytes each of three channels to pixels of three bytes. */
IPU_INLINE void plane_weave3(uint8_t *y, const uint8_t *plane)
{
    static const int8_t place[3][3][16] = { { WOVEN16(0, 0), WOVEN16(0, 1), WOVEN16(0, 2) },
                                            { WOVEN16(1, 0), WOVEN16(1, 1), WOVEN16(1, 2) },
                                            { WOVEN16(2, 0), WOVEN16(2, 1), WOVEN16(2, 2) } };

    for (int k = 0; k < 3; k++) {
        __m128i out = _mm_setzero_si128();
        for (int c = 0; c < 3; c++)
            out = _mm_or_si128(out, _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(plane + PLANE_RUN * c)),
                                                     _mm_loadu_si128((const __m128i *)(const void *)place[k][c])));
        _mm_storeu_si128((__m128i *)(void *)(y + 16 * k), out);
    }
}

/* PLANE_RUN elements each of `channels` to where they stand in pixels. */
static void plane_scatter(const ipu_ref *r, uint8_t *y, const uint8_t *plane)
{
    const int32_t each = ipu_type_bytes(r->type);

    for (int32_t c = 0; c < r->c; c++)
        for (int32_t i = 0; i < PLANE_RUN; i++, plane += each)
            memcpy(y + (ptrdiff_t)i * r->pix + (ptrdiff_t)c * each, plane, (size_t)each);
}

/* Element by element: any step, any type. */
IPU_INLINE void plane_pixel(const quantize_job *j, uint8_t *y, const uint8_t *x, const int from, const int to)
{
    for (int32_t c = 0; c < j->r->y.c; c++, x += j->r->x.step)
        quantize_one(j, y, x, c, from, to);
}

/* A row of x that is planes of few channels, or walked by any other step. */
IPU_INLINE void plane_row(const quantize_job *j, uint8_t *y, const uint8_t *x, const int from, const int to)
{
    const ipu_ref *ry = &j->r->y, *rx = &j->r->x;
    uint8_t plane[PLANES * PLANE_RUN * 2];
    int32_t i = 0;

    if (from == IPU_F32 && rx->pix == (int32_t)sizeof(float) && ry->c <= PLANES)
        for (; i + PLANE_RUN <= ry->w; i += PLANE_RUN, y += (ptrdiff_t)PLANE_RUN * ry->pix, x += PLANE_RUN * sizeof(float)) {
            for (int32_t c = 0; c < ry->c; c++)
                plane_run(j, x + (ptrdiff_t)c * rx->step, c, plane + (ptrdiff_t)c * PLANE_RUN * ipu_type_bytes(to), to);
            if (to == IPU_U8 && ry->c == 3 && ry->pix == 3)
                plane_weave3(y, plane);
            else
                plane_scatter(ry, y, plane);
        }
    for (; i < ry->w; i++, y += ry->pix, x += rx->pix)
        plane_pixel(j, y, x, from, to);
}

/* ---- the whole ---- */

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
        if (x->step != ipu_type_bytes(from)) {
            plane_row(j, py, px, from, to);
            continue;
        }
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
