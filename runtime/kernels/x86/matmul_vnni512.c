/* Products of 16-bit matrices with AVX-512 VNNI: vpdpwssd adds two products to each of 16 sums. */
#include "runtime/kernels/simd/matmul.h"
#include "vnni512.h"

enum { PARTS = MATMUL_COLUMNS / 16 };

IPU_INLINE void add_sums(double *sum, __m512i lower, __m512i upper, const int half)
{
    const __m256i l = half ? _mm512_extracti64x4_epi64(lower, 1) : _mm512_castsi512_si256(lower);
    const __m256i u = half ? _mm512_extracti64x4_epi64(upper, 1) : _mm512_castsi512_si256(upper);
    const __m512d v = _mm512_add_pd(_mm512_mul_pd(_mm512_cvtepi32_pd(u), _mm512_set1_pd(256)), _mm512_cvtepi32_pd(l));

    _mm512_storeu_pd(sum + 8 * half, _mm512_add_pd(_mm512_loadu_pd(sum + 8 * half), v));
}

/* R rows by pair k of products, whose numbers of a are given. */
IPU_INLINE void step(const matmul_block *t, const uint32_t *a, int32_t k, __m512i *lower, __m512i *upper, const int R)
{
    __m512i l[PARTS], u[PARTS];

    IPU_UNROLL for (int q = 0; q < PARTS; q++)
    {
        l[q] = _mm512_loadu_si512(t->panel.lower[k] + 16 * q);
        u[q] = _mm512_loadu_si512(t->panel.upper[k] + 16 * q);
    }
    IPU_UNROLL for (int i = 0; i < R; i++)
    {
        const __m512i v = _mm512_set1_epi32((int32_t)a[i]);
        IPU_UNROLL for (int q = 0; q < PARTS; q++)
        {
            lower[i * PARTS + q] = _mm512_dpwssd_epi32(lower[i * PARTS + q], v, l[q]);
            upper[i * PARTS + q] = _mm512_dpwssd_epi32(upper[i * PARTS + q], v, u[q]);
        }
    }
}

IPU_INLINE void tile_of(matmul_block *t, const uint8_t *a, int32_t row, const int R)
{
    __m512i lower[6 * PARTS], upper[6 * PARTS];
    uint32_t v[6];

    IPU_UNROLL for (int i = 0; i < R * PARTS; i++) lower[i] = upper[i] = _mm512_setzero_si512();
    if (t->products % 2) {
        IPU_UNROLL for (int i = 0; i < R; i++) v[i] = matmul_number(a + i * (ptrdiff_t)t->o->a.row);
        step(t, v, 0, lower, upper, R);
    }
    a -= 2 * (t->products % 2);
    for (int32_t k = t->products % 2; k < t->panel.pairs; k++) {
        IPU_UNROLL for (int i = 0; i < R; i++) v[i] = matmul_pair(a + i * (ptrdiff_t)t->o->a.row + 4 * (ptrdiff_t)k);
        step(t, v, k, lower, upper, R);
    }
    IPU_UNROLL for (int i = 0; i < R * PARTS; i++)
    {
        double *sum = t->sum[row + i / PARTS] + 16 * (i % PARTS);
        add_sums(sum, lower[i], upper[i], 0);
        add_sums(sum, lower[i], upper[i], 1);
    }
}

static int tile(matmul_block *t, const uint8_t *a, int32_t row, int32_t left)
{
    if (left >= 6) {
        tile_of(t, a, row, 6);
        return 6;
    }
    if (left >= 2) {
        tile_of(t, a, row, 2);
        return 2;
    }
    tile_of(t, a, row, 1);
    return 1;
}

static void store(const ipu_matmul *o, uint8_t *y, const double *sum, int32_t n)
{
    const f512_out out = f512_out_of(&o->out);
    const __m512 m = _mm512_set1_ps(o->m);

    for (int32_t c = 0; c < n; c += 16) {
        const __m256 a = _mm512_cvtpd_ps(_mm512_loadu_pd(sum + c)), b = _mm512_cvtpd_ps(_mm512_loadu_pd(sum + c + 8));
        const __m512 v = _mm512_insertf32x8(_mm512_castps256_ps512(a), b, 1);
        s512_put_s16(y + 2 * c, f512_store(_mm512_mul_ps(v, m), &out), n - c < 16 ? n - c : 16);
    }
}

IPU_KERNEL(ipu_matmul_s16_vnni512)
{
    matmul_rows((const ipu_matmul *)rec, p, y0, y1, &(const matmul_isa){ .tile = tile, .store = store });
}
