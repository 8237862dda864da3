/* 16-bit convolution and fully connected with AVX-512 VNNI: ARITHMETIC.md 5.
 *
 * Short sums (shift 0) fit 32 bits, bias included: one vpdpwssd for two input channels, which may wrap on the way.  Of long ones each weight is
 * split into 256 times an upper part and a lower byte; both kinds of products add up in 32 bits for LONG_STEPS steps, |lower * x| being at most
 * 255 * 32768, and then meet in doubles, which hold such whole numbers exactly. */
#include "conv_tile_vnni512.h"

enum { LONG_STEPS = 128, LONG_MOST = 65536 }; /* of two products; LONG_MOST: of all, so that doubles are exact */
_Static_assert(255LL * 32768 * 2 * LONG_STEPS <= INT32_MAX && 2LL * LONG_MOST << 30 <= 1LL << 53, "exact sums");

/* ---- short sums ---- */

/* The lower halves of 16 numbers. */
IPU_INLINE __m512i short_bias(const int64_t *bias)
{
    const __m256i a = _mm512_cvtepi64_epi32(_mm512_loadu_si512(bias)), b = _mm512_cvtepi64_epi32(_mm512_loadu_si512(bias + 8));

    return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}

IPU_INLINE void short_tile(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const int P, const int NB)
{
    __m512i acc[CONV_TILE * 4];

    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512i bias = short_bias((const int64_t *)j->bias + co + b * CONV_LANES);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i * NB + b] = bias;
    }
    conv_sum(j, t, j->w + co / CONV_LANES * j->block, acc, P, NB, IPU_S16);
    conv_put(j, s, t, co, acc, P, NB);
}

/* ---- long sums ---- */

typedef struct long_sums {
    __m512i lower[CONV_TILE], upper[CONV_TILE]; /* [P][NB], LONG_STEPS steps at most */
    int32_t steps;
} long_sums;

IPU_INLINE void long_clear(long_sums *a, const int P, const int NB)
{
    IPU_UNROLL for (int k = 0; k < P * NB; k++) a->lower[k] = a->upper[k] = _mm512_setzero_si512();
    a->steps = 0;
}

IPU_INLINE __m512d long_eight(__m512i lower, __m512i upper, const int half)
{
    const __m256i l = half ? _mm512_extracti64x4_epi64(lower, 1) : _mm512_castsi512_si256(lower);
    const __m256i u = half ? _mm512_extracti64x4_epi64(upper, 1) : _mm512_castsi512_si256(upper);

    return _mm512_add_pd(_mm512_mul_pd(_mm512_cvtepi32_pd(u), _mm512_set1_pd(256)), _mm512_cvtepi32_pd(l));
}

/* Adds the sums so far to total[P * NB][2]. */
IPU_INLINE void long_flush(long_sums *a, __m512d *total, const int P, const int NB)
{
    IPU_UNROLL for (int k = 0; k < P * NB; k++)
    {
        total[2 * k] = _mm512_add_pd(total[2 * k], long_eight(a->lower[k], a->upper[k], 0));
        total[2 * k + 1] = _mm512_add_pd(total[2 * k + 1], long_eight(a->lower[k], a->upper[k], 1));
    }
    long_clear(a, P, NB);
}

/* One step: x[P], two input channels each. */
IPU_INLINE void long_step(long_sums *a, const int32_t *x, const int8_t *w, ptrdiff_t block, const int P, const int NB)
{
    __m512i l[2], u[2];

    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512i v = _mm512_loadu_si512(w + b * block);
        l[b] = _mm512_and_si512(v, _mm512_set1_epi32(0x00ff00ff));
        u[b] = _mm512_srai_epi16(v, 8);
    }
    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        const __m512i xv = _mm512_set1_epi32(x[i]);
        IPU_UNROLL for (int b = 0; b < NB; b++)
        {
            a->lower[i * NB + b] = _mm512_dpwssd_epi32(a->lower[i * NB + b], xv, l[b]);
            a->upper[i * NB + b] = _mm512_dpwssd_epi32(a->upper[i * NB + b], xv, u[b]);
        }
    }
}

/* `steps` of one tap from q on, some at a time; returns the weights behind them. */
IPU_INLINE const int8_t *long_tap(long_sums *a, __m512d *total, const uint8_t *const *q, int32_t steps, const int8_t *w, ptrdiff_t block, const int P,
                                  const int NB)
{
    int32_t x[CONV_TILE];

    for (int32_t k = 0, end; k < steps; k = end) {
        if (a->steps == LONG_STEPS)
            long_flush(a, total, P, NB);
        end = steps - k < LONG_STEPS - a->steps ? steps : k + LONG_STEPS - a->steps;
        a->steps += end - k;
        for (int32_t i = k; i < end; i++, w += 64) {
            IPU_UNROLL for (int n = 0; n < P; n++) memcpy(x + n, q[n] + 4 * (ptrdiff_t)i, 4);
            long_step(a, x, w, block, P, NB);
        }
    }
    return w;
}

IPU_INLINE void long_sum(const conv_job *j, const conv_tile *t, const int8_t *w, __m512d *total, const int P, const int NB)
{
    const int32_t whole = t->inside ? j->full + (j->tail != 0) : j->full;
    const uint8_t *q[CONV_TILE];
    int32_t x[CONV_TILE];
    long_sums a;

    long_clear(&a, P, NB);
    for (int32_t ky = 0; ky < j->r->kh; ky++)
        for (int32_t kx = 0; kx < j->r->kw; kx++) {
            conv_taps(j, t, 0, ky, kx, q, P);
            w = long_tap(&a, total, q, whole, w, j->block, P, NB);
            if (j->tail && !t->inside) {
                if (a.steps == LONG_STEPS)
                    long_flush(&a, total, P, NB);
                for (int i = 0; i < P; i++)
                    x[i] = conv_bytes(q[i] + 4 * (ptrdiff_t)whole, j->tail);
                long_step(&a, x, w, j->block, P, NB);
                a.steps++;
                w += 64;
            }
        }
    long_flush(&a, total, P, NB);
}

/* ipu_narrow of eight sums with bias. */
IPU_INLINE __m256i long_narrow(__m512d total, const int64_t *bias, int32_t shift)
{
    const __m512i half = _mm512_set1_epi64(shift ? (int64_t)1 << (shift - 1) : 0);
    const __m512i v = _mm512_add_epi64(_mm512_add_epi64(_mm512_cvtpd_epi64(total), _mm512_loadu_si512(bias)), half);

    return _mm512_cvtepi64_epi32(_mm512_sra_epi64(v, _mm_cvtsi32_si128(shift)));
}

IPU_INLINE void long_tile(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const int P, const int NB)
{
    const int64_t *bias = (const int64_t *)j->bias + co;
    __m512d total[2 * CONV_TILE];
    __m512i acc[CONV_TILE];

    IPU_UNROLL for (int k = 0; k < 2 * P * NB; k++) total[k] = _mm512_setzero_pd();
    long_sum(j, t, j->w + co / CONV_LANES * j->block, total, P, NB);
    IPU_UNROLL for (int k = 0; k < P * NB; k++)
    {
        const int64_t *its = bias + k % NB * CONV_LANES;
        const __m256i a = long_narrow(total[2 * k], its, j->r->shift), b = long_narrow(total[2 * k + 1], its + 8, j->r->shift);
        acc[k] = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
    }
    conv_put(j, s, t, co, acc, P, NB);
}

/* ---- the whole ---- */

#define CONV_TILE_FN(KIND, P, NB)                                                                                       \
    static __attribute__((noinline)) void KIND##_tile_##P##_##NB(const conv_job *j, const conv_store *s,                \
                                                                 const conv_tile *t, int32_t co)                        \
    {                                                                                                                   \
        KIND##_tile(j, s, t, co, P, NB);                                                                                \
    }
CONV_TILE_FN(short, 6, 4)
CONV_TILE_FN(short, 1, 4)
CONV_TILE_FN(short, 8, 3)
CONV_TILE_FN(short, 1, 3)
CONV_TILE_FN(short, 12, 2)
CONV_TILE_FN(short, 1, 2)
CONV_TILE_FN(short, 12, 1)
CONV_TILE_FN(short, 1, 1)
CONV_TILE_FN(long, 6, 2)
CONV_TILE_FN(long, 2, 2)
CONV_TILE_FN(long, 1, 2)
CONV_TILE_FN(long, 12, 1)
CONV_TILE_FN(long, 1, 1)

static const conv_size short_four[] = { { 6, short_tile_6_4 }, { 1, short_tile_1_4 } };
static const conv_size short_three[] = { { 8, short_tile_8_3 }, { 1, short_tile_1_3 } };
static const conv_size short_two[] = { { 12, short_tile_12_2 }, { 1, short_tile_1_2 } };
static const conv_size short_one[] = { { 12, short_tile_12_1 }, { 1, short_tile_1_1 } };
static const conv_size long_two[] = { { 6, long_tile_6_2 }, { 2, long_tile_2_2 }, { 1, long_tile_1_2 } };
static const conv_size long_one[] = { { 12, long_tile_12_1 }, { 1, long_tile_1_1 } };

static void conv_run(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_lookup_sums *lookup)
{
    conv_job j = conv_start(rec, p);

    j.lookup = lookup;
    if (j.r->shift == 0)
        conv_all(&j, &(const conv_sizes){ { NULL, short_one, short_two, short_three, short_four } }, y0, y1);
    else if (j.block / 64 <= LONG_MOST)
        conv_all(&j, &(const conv_sizes){ { NULL, long_one, long_two, NULL, NULL } }, y0, y1);
    else
        ipu_conv_s16_c(rec, p, y0, y1);
}

IPU_KERNEL(ipu_conv_s16_vnni512)
{
    conv_run(rec, p, y0, y1, conv_lookup);
}

IPU_KERNEL(ipu_conv_s16_vbmi512)
{
    conv_run(rec, p, y0, y1, ipu_lookup_sums_vbmi512);
}
