/* Convolution and fully connected with AVX2, exactly.  8 bits: both sides widened to 16 bits for vpmaddwd (vpmaddubsw
 * would saturate).  An accumulator holds two partial sums for each of four output channels; they meet at the end. */
#include "conv_bytes_avx2.h"
#include "conv_store_avx2.h"
#include "conv_words_avx2.h"
#include "runtime/kernels/simd/conv_rows.h"
#include "wide_avx2.h"

/* ---- sums ---- */

/* What one pixel adds up for 16 output channels. */
typedef union conv_acc {
    __m256i two[4]; /* U8: two partial sums for each of four channels */
    wide eight[2];  /* S16 */
} conv_acc;

/* Four bytes as words, twice in each half. */
IPU_INLINE __m256i conv_widen(int32_t four)
{
    const __m256i widen =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 1, -1, 2, -1, 3, -1, 0, -1, 1, -1, 2, -1, 3, -1));
    return _mm256_shuffle_epi8(_mm256_set1_epi32(four), widen);
}

IPU_INLINE int32_t conv_four(const uint8_t *q)
{
    int32_t v;
    memcpy(&v, q, 4);
    return v;
}

/* acc[P] += w (16 output channels, four bytes of input channels) * x[P] */
IPU_INLINE void conv_step(conv_acc *acc, const int32_t *x, const int8_t *w, const int P, const int type)
{
    __m256i xv[4];

    IPU_UNROLL for (int i = 0; i < P; i++) xv[i] = type == IPU_U8 ? conv_widen(x[i]) : _mm256_set1_epi32(x[i]);
    if (type == IPU_U8) {
        IPU_UNROLL for (int v = 0; v < 4; v++)
        {
            const __m256i wv = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(w + 16 * v)));
            IPU_UNROLL for (int i = 0; i < P; i++) acc[i].two[v] =
                _mm256_add_epi32(acc[i].two[v], _mm256_madd_epi16(xv[i], wv));
        }
    } else {
        IPU_UNROLL for (int v = 0; v < 2; v++)
        {
            const __m256i wv = _mm256_loadu_si256((const __m256i *)(const void *)(w + 32 * v));
            IPU_UNROLL for (int i = 0; i < P; i++) wide_add(&acc[i].eight[v], xv[i], wv);
        }
    }
}

IPU_INLINE void conv_sum(const conv_job *j, const conv_tile *t, int at, const int8_t *w, conv_acc *acc, const int P,
                         const int type)
{
    const ipu_conv *r = j->r;
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const uint8_t *q[4];
    int32_t x[4];

    for (int32_t ky = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++) {
            const ptrdiff_t off = (ptrdiff_t)ky * r->dy * r->x.row + (ptrdiff_t)kx * r->dx * r->x.pix;
            if (t->inside)
                for (int i = 0; i < P; i++)
                    q[i] = j->x + (t->x[at + i] + off);
            else
                conv_tap(j, t, at, P, ky, kx, q);
            for (int32_t k = 0; k < whole; k += 4, w += 64) {
                for (int i = 0; i < P; i++)
                    x[i] = conv_four(q[i] + k);
                conv_step(acc, x, w, P, type);
            }
            if (j->tail && !t->inside) {
                for (int i = 0; i < P; i++)
                    x[i] = conv_bytes(q[i] + whole, j->tail);
                conv_step(acc, x, w, P, type);
                w += 64;
            }
        }
}

/* The 16 exact sums of one pixel, bias included, as 32 bits. */
IPU_INLINE void conv_total(const conv_job *j, int32_t co, const conv_acc *acc, __m256i *sum, const int type)
{
    for (int h = 0; h < 2; h++) {
        if (type == IPU_U8) {
            const __m256i two = _mm256_hadd_epi32(acc->two[2 * h], acc->two[2 * h + 1]);
            sum[h] = _mm256_add_epi32(
                _mm256_permute4x64_epi64(two, 0xd8),
                _mm256_loadu_si256((const __m256i *)(const void *)((const int32_t *)j->bias + co + 8 * h)));
        } else {
            sum[h] = wide_narrow(&acc->eight[h], (const int64_t *)j->bias + co + 8 * h, j->block / 64, j->r->shift);
        }
    }
}

/* ---- tiles ---- */

/* Pixels [at, at + P) of a tile. */
IPU_INLINE void conv_pixels(const conv_job *j, const conv_store *s, const conv_tile *t, int at, int32_t co, const int P,
                            const int type)
{
    const int32_t left = j->r->y.c - co;
    __m256i sum[2];
    conv_acc acc[4];

    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int v = 0; v < 4; v++) acc[i].two[v] = _mm256_setzero_si256();
    }
    conv_sum(j, t, at, j->w + co / CONV_LANES * j->block, acc, P, type);
    for (int i = 0; i < P; i++) {
        conv_total(j, co, &acc[i], sum, type);
        conv_finish(j, s, t, at + i, co, sum, left < CONV_LANES ? left : CONV_LANES);
    }
}

#define CONV_TILE_FN(NAME, TYPE)                                                                                       \
    static __attribute__((noinline)) void NAME(const conv_job *j, const conv_store *s, const conv_tile *t, int n,      \
                                               int32_t co)                                                             \
    {                                                                                                                  \
        int at = 0;                                                                                                    \
        for (; at + 2 <= n; at += 2)                                                                                   \
            conv_pixels(j, s, t, at, co, 2, TYPE);                                                                     \
        if (at < n)                                                                                                    \
            conv_pixels(j, s, t, at, co, 1, TYPE);                                                                     \
    }
CONV_TILE_FN(conv_tile_u8, IPU_U8)
CONV_TILE_FN(conv_tile_s16, IPU_S16)

static void conv_run(const conv_job *j, int32_t y0, int32_t y1)
{
    const conv_store s = conv_store_of(j);
    const conv_body body = { j->r->x.type == IPU_U8 ? conv_tile_u8 : conv_tile_s16, &s, 8 };

    conv_all(j, &body, y0, y1);
}

IPU_KERNEL(ipu_conv_u8_avx2)
{
    const conv_job j = conv_start(rec, p);

    if (!ipu_conv_bytes_avx2(&j, y0, y1) && !ipu_conv_words_avx2(&j, y0, y1))
        conv_run(&j, y0, y1);
}

IPU_KERNEL(ipu_conv_s16_avx2)
{
    const conv_job j = conv_start(rec, p);

    if (j.block / 64 > WIDE_STEPS)
        ipu_conv_s16_c(rec, p, y0, y1);
    else if (!ipu_conv_words_avx2(&j, y0, y1))
        conv_run(&j, y0, y1);
}
