/* 8-bit convolution and fully connected with weights of four bits and AVX2.  vpmaddubsw cannot saturate here, 2 * 255 * 8 being far from 2^15: sums are
 * made of words, of NIB_PAIRS pairs of steps, and then meet in 32 bits. */
#include "runtime/kernels/simd/conv_rows.h"
#include "runtime/kernels/simd/nibbles.h"

#include "conv_store_avx2.h"

enum { NIB_PAIRS = 4, NIB_PIXELS = 12, NIB_AT_ONCE = 6, NIB_SHORT = 128 };
_Static_assert(2 * NIB_PAIRS * 2 * 255 * 8 <= INT16_MAX, "exact sums");

typedef __m256i nib_sums[NIB_AT_ONCE][2]; /* of some pixels, for 16 output channels */

/* ---- sums ---- */

/* One step's weights out of a pair's. */
IPU_INLINE __m256i nib_weights(const int8_t *w, int odd)
{
    const __m256i table = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
    const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)w);

    return _mm256_shuffle_epi8(table, _mm256_and_si256(odd ? _mm256_srli_epi16(v, 4) : v, _mm256_set1_epi8(15)));
}

IPU_INLINE void nib_clear(nib_sums words, const int P)
{
    IPU_UNROLL for (int i = 0; i < P; i++) words[i][0] = words[i][1] = _mm256_setzero_si256();
}

/* sum[P] += words[P], of which two are one channel's. */
IPU_INLINE void nib_meet(nib_sums sum, const nib_sums words, const int P)
{
    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int v = 0; v < 2; v++) sum[i][v] =
            _mm256_add_epi32(sum[i][v], _mm256_madd_epi16(words[i][v], _mm256_set1_epi16(1)));
    }
}

/* words[P] += one step of four input channels. */
IPU_INLINE void nib_step(nib_sums words, const int32_t *x, const int8_t *w, int odd, const int P)
{
    const __m256i w0 = nib_weights(w, odd), w1 = nib_weights(w + 32, odd);

    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        const __m256i xv = _mm256_set1_epi32(x[i]);
        words[i][0] = _mm256_add_epi16(words[i][0], _mm256_maddubs_epi16(xv, w0));
        words[i][1] = _mm256_add_epi16(words[i][1], _mm256_maddubs_epi16(xv, w1));
        /* or gcc adds two steps up first, in memory */
        __asm__("" : "+x"(words[i][0]), "+x"(words[i][1]));
    }
}

IPU_INLINE void nib_step_at(nib_sums words, const uint8_t *const *q, ptrdiff_t k, const int8_t *w, int odd, const int P)
{
    int32_t x[NIB_AT_ONCE];

    IPU_UNROLL for (int i = 0; i < P; i++) memcpy(x + i, q[i] + k, 4);
    nib_step(words, x, w, odd, P);
}

/* Up to NIB_PAIRS pairs of steps from byte k of each pixel's tap on. */
IPU_INLINE void nib_pairs(nib_sums sum, const uint8_t *const *q, ptrdiff_t k, int32_t pairs, const int8_t *w, const int P)
{
    nib_sums words;

    nib_clear(words, P);
    for (; pairs > 0; pairs--, k += 8, w += 64) {
        nib_step_at(words, q, k, w, 0, P);
        nib_step_at(words, q, k + 4, w, 1, P);
    }
    nib_meet(sum, words, P);
}

/* One step alone. */
IPU_INLINE void nib_alone(nib_sums sum, const int32_t *x, const int8_t *w, int odd, const int P)
{
    nib_sums words;

    nib_clear(words, P);
    nib_step(words, x, w, odd, P);
    nib_meet(sum, words, P);
}

/* `bytes` of one tap, whole steps, from the step on that *w and *odd say; both go on. */
IPU_INLINE void nib_tap(nib_sums sum, const uint8_t *const *q, int32_t bytes, const int8_t **w, int *odd, const int P)
{
    int32_t x[NIB_AT_ONCE], k = 0;

    if (*odd && bytes) {
        for (int i = 0; i < P; i++)
            memcpy(x + i, q[i], 4);
        nib_alone(sum, x, *w, 1, P);
        k = 4, *odd = 0, *w += 64;
    }
    for (int32_t n; k + 8 <= bytes; k += 8 * n, *w += 64 * n) {
        n = (bytes - k) / 8 < NIB_PAIRS ? (bytes - k) / 8 : NIB_PAIRS;
        nib_pairs(sum, q, k, n, *w, P);
    }
    if (k < bytes) {
        for (int i = 0; i < P; i++)
            memcpy(x + i, q[i] + k, 4);
        nib_alone(sum, x, *w, 0, P);
        *odd = 1;
    }
}

IPU_INLINE void nib_sum(const conv_job *j, const conv_tile *t, int at, const int8_t *w, nib_sums sum, const int P)
{
    const ipu_conv *r = j->r;
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const uint8_t *q[NIB_AT_ONCE];
    int32_t x[NIB_AT_ONCE];
    int odd = 0;

    for (int32_t ky = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++) {
            const ptrdiff_t off = (ptrdiff_t)ky * r->dy * r->x.row + (ptrdiff_t)kx * r->dx * r->x.pix;
            if (t->inside)
                for (int i = 0; i < P; i++)
                    q[i] = j->x + (t->x[at + i] + off);
            else
                conv_tap(j, t, at, P, ky, kx, q);
            nib_tap(sum, q, whole, &w, &odd, P);
            if (j->tail && !t->inside) {
                for (int i = 0; i < P; i++)
                    x[i] = conv_bytes(q[i] + whole, j->tail);
                nib_alone(sum, x, w, odd, P);
                w += odd ? 64 : 0;
                odd = !odd;
            }
        }
}

/* ---- tiles ---- */

/* Pixels [at, at + P) of a tile. */
IPU_INLINE void nib_pixels(const conv_job *j, const conv_store *s, const conv_tile *t, int at, int32_t co, const int P)
{
    const int32_t left = j->r->y.c - co, *bias = (const int32_t *)j->bias + co;
    nib_sums sum;

    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int v = 0; v < 2; v++) sum[i][v] = _mm256_loadu_si256((const __m256i *)(const void *)(bias + 8 * v));
    }
    nib_sum(j, t, at, j->w + co / CONV_LANES * j->block, sum, P);
    for (int i = 0; i < P; i++)
        conv_finish(j, s, t, at + i, co, sum[i], left < CONV_LANES ? left : CONV_LANES);
}

static void nib_tile(const conv_job *j, const conv_store *s, const conv_tile *t, int n, int32_t co)
{
    int at = 0;
    for (; at + NIB_AT_ONCE <= n; at += NIB_AT_ONCE)
        nib_pixels(j, s, t, at, co, NIB_AT_ONCE);
    for (; at + 2 <= n; at += 2)
        nib_pixels(j, s, t, at, co, 2);
    if (at < n)
        nib_pixels(j, s, t, at, co, 1);
}

IPU_KERNEL(ipu_conv_u8s4_avx2)
{
    conv_job j = conv_start(rec, p);

    if (nibbles_pay(j.r, y1 - y0, NIB_SHORT)) {
        nibbles_conv(j.r, p, y0, y1, ipu_conv_u8_avx2);
        return;
    }
    const conv_store s = conv_store_of(&j);
    j.block = nibbles_block(j.r);
    conv_all(&j, &(const conv_body){ nib_tile, &s, NIB_PIXELS }, y0, y1);
}

IPU_KERNEL(ipu_depthwise_u8s4_avx2)
{
    nibbles_depthwise(rec, p, y0, y1, ipu_depthwise_u8_avx2);
}
