/* 8-bit depthwise convolution with AVX2, 16 channels at a time: two taps side by side as words, one vpmaddwd for both.
 * The words of two taps leave channels 0-3 and 8-11 in the first vector, 4-7 and 12-15 in the second; the pack undoes
 * it. The last channels are done as the last 16, again where needed; fewer than 16 go through a copy. */
#include "avx2.h"
#include "depthwise.h"

typedef struct dw_block {
    __m256i bias[2];
    __m256 mult[2];
    f256_out out;
    int32_t c, n; /* first channel, channels */
} dw_block;

IPU_INLINE __m256i dw_load8(const int32_t *lo)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)lo)),
                                   _mm_loadu_si128((const __m128i *)(const void *)(lo + 8)), 1);
}

static dw_block dw_block_of(const dw_job *j, int32_t c)
{
    dw_block k = { .out = f256_out_of(&j->r->out), .c = c, .n = j->r->x.c - c < 16 ? j->r->x.c - c : 16 };

    for (int v = 0; v < 2; v++) {
        k.bias[v] = dw_load8(j->bias + c + 4 * v);
        k.mult[v] = _mm256_castsi256_ps(dw_load8((const int32_t *)(const void *)j->mult + c + 4 * v));
    }
    return k;
}

IPU_INLINE __m256i dw_bytes(const uint8_t *q, int32_t n)
{
    uint8_t copy[16] = { 0 };

    if (n < 16) {
        memcpy(copy, q, (size_t)n);
        q = copy;
    }
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)q));
}

IPU_INLINE __m256i dw_weights(const dw_job *j, const dw_block *k, int t)
{
    const int8_t *w = j->w + (ptrdiff_t)t * j->cpad + k->c;
    return t < j->taps ? _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w))
                       : _mm256_setzero_si256();
}

IPU_INLINE void dw_put(const dw_job *j, const dw_block *k, const __m256i *acc, uint8_t *y)
{
    const __m256i a = f256_requant(acc[0], k->mult[0], &k->out), b = f256_requant(acc[1], k->mult[1], &k->out);
    const __m256i w = _mm256_packs_epi32(a, b);
    uint8_t tail[32];

    if (j->r->y.type == IPU_U8)
        _mm_storeu_si128((__m128i *)(void *)(k->n < 16 ? tail : y),
                         _mm_packus_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
    else
        _mm256_storeu_si256((__m256i *)(void *)(k->n < 16 ? tail : y), w);
    if (k->n < 16)
        memcpy(y, tail, (size_t)k->n * (size_t)ipu_type_bytes(j->r->y.type));
}

IPU_INLINE void dw_pixel(const dw_job *j, const dw_block *k, const __m256i *w, const uint8_t **q, uint8_t *y)
{
    __m256i acc[2] = { k->bias[0], k->bias[1] };

    for (int t = 0; t < j->taps; t += 2) {
        const __m256i a = dw_bytes(q[t], k->n), b = dw_bytes(q[t + 1], k->n);
        acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w[t]));
        acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w[t + 1]));
    }
    dw_put(j, k, acc, y);
}

static void dw_block_rows(const dw_job *j, const dw_block *k, const ptrdiff_t *off, int32_t y0, int32_t y1)
{
    const ipu_ref *y = &j->r->y;
    const uint8_t *q[DW_TAPS + 1];
    __m256i w[DW_TAPS + 1];

    for (int t = 0; t < j->taps; t += 2) {
        const __m256i a = dw_weights(j, k, t), b = dw_weights(j, k, t + 1);
        w[t] = _mm256_unpacklo_epi16(a, b);
        w[t + 1] = _mm256_unpackhi_epi16(a, b);
    }
    q[j->taps] = j->pad + k->c; /* meets zero weights where the taps are odd */
    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / y->h, oy = row % y->h;
        uint8_t *dst =
            j->y + (ptrdiff_t)n * y->img + (ptrdiff_t)oy * y->row + (ptrdiff_t)k->c * ipu_type_bytes(y->type);
        for (int32_t ox = 0; ox < y->w; ox++, dst += y->pix) {
            dw_taps(j, off, n, oy, ox, k->c, j->pad + k->c, q);
            dw_pixel(j, k, w, q, dst);
        }
    }
}

IPU_KERNEL(ipu_depthwise_u8_avx2)
{
    const dw_job j = dw_start(rec, p);
    const int32_t c_end = j.r->x.c;
    ptrdiff_t off[DW_TAPS];

    if (j.taps > DW_TAPS) {
        ipu_depthwise_u8_c(rec, p, y0, y1);
        return;
    }
    for (int t = 0; t < j.taps; t++)
        off[t] = dw_tap_offset(j.r, t / j.r->kw, t % j.r->kw);
    for (int32_t c = 0; c < c_end; c += 16) {
        const dw_block k = dw_block_of(&j, c_end - c < 16 && c_end >= 16 ? c_end - 16 : c);
        dw_block_rows(&j, &k, off, y0, y1);
    }
}
