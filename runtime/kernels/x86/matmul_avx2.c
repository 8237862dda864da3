/* Products of 16-bit matrices with AVX2: vpmaddwd makes sums of two products, eight at once. */
#include "avx2.h"
#include "runtime/kernels/simd/matmul.h"

enum { PARTS = 2 }; /* eights of columns in registers */

IPU_INLINE void add_sums(double *sum, __m128i lower, __m128i upper)
{
    const __m256d v = _mm256_add_pd(_mm256_mul_pd(_mm256_cvtepi32_pd(upper), _mm256_set1_pd(256)), _mm256_cvtepi32_pd(lower));

    _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_loadu_pd(sum), v));
}

IPU_INLINE __m256i add_products(__m256i sum, __m256i a, const uint32_t *b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, _mm256_load_si256((const __m256i *)(const void *)b)));
}

/* R rows by pair k of products, whose numbers of a are given. */
IPU_INLINE void step(const matmul_block *t, const uint32_t *a, int32_t column, int32_t k, __m256i *lower, __m256i *upper, const int R)
{
    IPU_UNROLL for (int i = 0; i < R; i++)
    {
        const __m256i v = _mm256_set1_epi32((int32_t)a[i]);
        IPU_UNROLL for (int q = 0; q < PARTS; q++)
        {
            lower[i * PARTS + q] = add_products(lower[i * PARTS + q], v, t->panel.lower[k] + column + 8 * q);
            upper[i * PARTS + q] = add_products(upper[i * PARTS + q], v, t->panel.upper[k] + column + 8 * q);
        }
    }
}

IPU_INLINE void tile_of(matmul_block *t, const uint8_t *a, int32_t row, int32_t column, const int R)
{
    __m256i lower[3 * PARTS], upper[3 * PARTS];
    uint32_t v[3];

    IPU_UNROLL for (int i = 0; i < R * PARTS; i++) lower[i] = upper[i] = _mm256_setzero_si256();
    if (t->products % 2) {
        IPU_UNROLL for (int i = 0; i < R; i++) v[i] = matmul_number(a + i * (ptrdiff_t)t->o->a.row);
        step(t, v, column, 0, lower, upper, R);
    }
    a -= 2 * (t->products % 2);
    for (int32_t k = t->products % 2; k < t->panel.pairs; k++) {
        IPU_UNROLL for (int i = 0; i < R; i++) v[i] = matmul_pair(a + i * (ptrdiff_t)t->o->a.row + 4 * (ptrdiff_t)k);
        step(t, v, column, k, lower, upper, R);
    }
    IPU_UNROLL for (int i = 0; i < R * PARTS; i++)
    {
        double *sum = t->sum[row + i / PARTS] + column + 8 * (i % PARTS);
        add_sums(sum, _mm256_castsi256_si128(lower[i]), _mm256_castsi256_si128(upper[i]));
        add_sums(sum + 4, _mm256_extracti128_si256(lower[i], 1), _mm256_extracti128_si256(upper[i], 1));
    }
}

static int tile(matmul_block *t, const uint8_t *a, int32_t row, int32_t left)
{
    const int rows = left >= 3 ? 3 : 1;

    for (int32_t column = 0; column < t->columns; column += 8 * PARTS)
        if (rows == 3)
            tile_of(t, a, row, column, 3);
        else
            tile_of(t, a, row, column, 1);
    return rows;
}

static void store(const ipu_matmul *o, uint8_t *y, const double *sum, int32_t n)
{
    const f256_out out = f256_out_of(&o->out);
    const __m256 m = _mm256_set1_ps(o->m);

    for (int32_t c = 0; c < n; c += 16) {
        __m256i v[2];
        for (int q = 0; q < 2; q++, sum += 8) {
            const __m128 a = _mm256_cvtpd_ps(_mm256_loadu_pd(sum)), b = _mm256_cvtpd_ps(_mm256_loadu_pd(sum + 4));
            v[q] = f256_store(_mm256_mul_ps(_mm256_set_m128(b, a), m), &out);
        }
        s256_put_s16(y + 2 * c, v, n - c < 16 ? n - c : 16);
    }
}

IPU_KERNEL(ipu_matmul_s16_avx2)
{
    matmul_rows((const ipu_matmul *)rec, p, y0, y1, &(const matmul_isa){ .tile = tile, .store = store });
}
