/* Convolution and fully connected with AVX-VNNI: vpdpbusd multiplies bytes as they are, four input channels a step; vpdpwssd multiplies words, two a step,
 * of S16 whose sums fit 32 bits.  Sums may wrap on the way; the total is exact (ARITHMETIC.md 4).  Other S16 is the AVX2 kernel's.
 *
 * Without AVX-VNNI the compiler knows the same instructions, in AVX-512's encoding, by other names: so tests build it (checkasm avxvnni portable). */
#include "conv_store_avx2.h"
#include "runtime/kernels/simd/conv_rows.h"

#if defined(__AVXVNNI__)
#define DPBUSD _mm256_dpbusd_avx_epi32
#define DPWSSD _mm256_dpwssd_avx_epi32
#else
#define DPBUSD _mm256_dpbusd_epi32
#define DPWSSD _mm256_dpwssd_epi32
#endif

enum { VNNI_PIXELS = 6 }; /* whose sums are in registers: 12 of 16 */

/* ---- sums ---- */

IPU_INLINE __m256i conv_load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* acc[P] += 16 output channels by one group of four bytes of each pixel */
IPU_INLINE void conv_step(__m256i (*acc)[2], const int32_t *x, const int8_t *w, const int P, const int type)
{
    const __m256i w0 = conv_load(w), w1 = conv_load(w + 32);

    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        const __m256i v = _mm256_set1_epi32(x[i]);
        acc[i][0] = type == IPU_U8 ? DPBUSD(acc[i][0], v, w0) : DPWSSD(acc[i][0], v, w0);
        acc[i][1] = type == IPU_U8 ? DPBUSD(acc[i][1], v, w1) : DPWSSD(acc[i][1], v, w1);
    }
}

IPU_INLINE void conv_sum(const conv_job *j, const conv_tile *t, int at, const int8_t *w, __m256i (*acc)[2], const int P, const int type)
{
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const uint8_t *q[VNNI_PIXELS];
    int32_t x[VNNI_PIXELS];

    for (int32_t ky = 0; ky < j->r->kh; ky++)
        for (int32_t kx = 0; kx < j->r->kw; kx++) {
            conv_taps(j, t, at, ky, kx, q, P);
            for (int32_t k = 0; k < whole; k += 4, w += 64) {
                IPU_UNROLL for (int i = 0; i < P; i++) memcpy(x + i, q[i] + k, 4);
                conv_step(acc, x, w, P, type);
            }
            if (j->tail && !t->inside) {
                IPU_UNROLL for (int i = 0; i < P; i++) x[i] = conv_bytes(q[i] + whole, j->tail);
                conv_step(acc, x, w, P, type);
                w += 64;
            }
        }
}

/* ---- tiles ---- */

/* Eight biases; of S16 whose sums fit 32 bits the low halves are enough. */
IPU_INLINE __m256i conv_bias(const conv_job *j, int32_t c, const int type)
{
    int32_t low[8];

    if (type == IPU_U8)
        return conv_load((const int32_t *)j->bias + c);
    for (int i = 0; i < 8; i++)
        low[i] = (int32_t)((const int64_t *)j->bias)[c + i];
    return conv_load(low);
}

/* Pixels [at, at + P) of a tile. */
IPU_INLINE void conv_pixels(const conv_job *j, const conv_store *s, const conv_tile *t, int at, int32_t co, const int P, const int type)
{
    const int32_t left = j->r->y.c - co;
    __m256i acc[VNNI_PIXELS][2];

    IPU_UNROLL for (int v = 0; v < 2; v++)
    {
        const __m256i bias = conv_bias(j, co + 8 * v, type);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i][v] = bias;
    }
    conv_sum(j, t, at, j->w + co / CONV_LANES * j->block, acc, P, type);
    for (int i = 0; i < P; i++)
        conv_finish(j, s, t, at + i, co, acc[i], left < CONV_LANES ? left : CONV_LANES);
}

#define CONV_TILE_FN(NAME, TYPE)                                                                          \
    static void NAME(const conv_job *j, const conv_store *s, const conv_tile *t, int n, int32_t co)       \
    {                                                                                                     \
        int at = 0;                                                                                       \
        for (; at + VNNI_PIXELS <= n; at += VNNI_PIXELS)                                                  \
            conv_pixels(j, s, t, at, co, VNNI_PIXELS, TYPE);                                              \
        for (; at + 3 <= n; at += 3)                                                                      \
            conv_pixels(j, s, t, at, co, 3, TYPE);                                                        \
        for (; at < n; at++)                                                                              \
            conv_pixels(j, s, t, at, co, 1, TYPE);                                                        \
    }
CONV_TILE_FN(conv_tile_u8, IPU_U8)
CONV_TILE_FN(conv_tile_s16, IPU_S16)

static void conv_run(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1)
{
    const conv_job j = conv_start(rec, p);
    const conv_store s = conv_store_of(&j);

    conv_all(&j, &(const conv_body){ j.r->x.type == IPU_U8 ? conv_tile_u8 : conv_tile_s16, &s, 2 * VNNI_PIXELS }, y0, y1);
}

IPU_KERNEL(ipu_conv_u8_avxvnni)
{
    conv_run(rec, p, y0, y1);
}

IPU_KERNEL(ipu_conv_s16_avxvnni)
{
    if (((const ipu_conv *)rec)->shift)
        ipu_conv_s16_avx2(rec, p, y0, y1);
    else
        conv_run(rec, p, y0, y1);
}
