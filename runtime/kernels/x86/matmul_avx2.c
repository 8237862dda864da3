/* Products of 16-bit matrices with AVX2.  vpmaddwd takes two products at once: of two rows of b, laid one into the
 * other, or of 16 numbers along both operands where b is turned. */
#include "wide_avx2.h"

enum { COLUMNS = 16 };

/* 16 sums of one row, exact once they were flushed. */
typedef struct sums {
    wide part[2]; /* of columns 0-3 and 8-11, of 4-7 and 12-15 */
    int64_t steps;
    int64_t all[COLUMNS];
} sums;

static int64_t lane(const wide *s, int i, int64_t steps)
{
    uint32_t all[8], high[8];

    _mm256_storeu_si256((__m256i *)(void *)all, s->all);
    _mm256_storeu_si256((__m256i *)(void *)high, s->high);
    return ((int64_t)high[i] << 16) + (uint32_t)(all[i] - (high[i] << 16)) - steps * WIDE_OFFSET;
}

static void sums_flush(sums *s)
{
    for (int i = 0; i < COLUMNS; i++)
        s->all[i] += lane(&s->part[i >> 2 & 1], (i >> 3) * 4 + (i & 3), s->steps);
    s->part[0] = s->part[1] = (wide){ _mm256_setzero_si256(), _mm256_setzero_si256() };
    s->steps = 0;
}

/* n numbers of a row of b, zeros behind them. */
IPU_INLINE __m256i words(const uint8_t *b, const int n)
{
    uint8_t tail[32] = { 0 };

    if (n < COLUMNS) {
        memcpy(tail, b, 2 * (size_t)n);
        b = tail;
    }
    return _mm256_loadu_si256((const __m256i *)(const void *)b);
}

IPU_INLINE void sums_step(sums *s, __m256i first, __m256i second, int32_t pair)
{
    const __m256i a = _mm256_set1_epi32(pair);

    wide_add(&s->part[0], _mm256_unpacklo_epi16(first, second), a);
    wide_add(&s->part[1], _mm256_unpackhi_epi16(first, second), a);
    if (++s->steps == WIDE_STEPS)
        sums_flush(s);
}

IPU_INLINE void sum_columns(const ipu_matmul *o, const uint8_t *a, const uint8_t *b, const int n, sums *s)
{
    const ptrdiff_t row = o->b.row;
    int32_t k = 0, pair;

    for (; k + 2 <= o->a.c; k += 2, b += 2 * row) {
        memcpy(&pair, a + 2 * (ptrdiff_t)k, 4);
        sums_step(s, words(b, n), words(b + row, n), pair);
    }
    if (k < o->a.c)
        sums_step(s, words(b, n), _mm256_setzero_si256(), s16_at(a + 2 * (ptrdiff_t)k) & 0xffff);
    sums_flush(s);
}

static void product(const ipu_matmul *o, uint8_t *y, const uint8_t *a, const uint8_t *b)
{
    for (int32_t j = 0; j < o->y.c; j += COLUMNS) {
        const int n = o->y.c - j < COLUMNS ? o->y.c - j : COLUMNS;
        sums s = { .steps = 0 };
        if (n == COLUMNS)
            sum_columns(o, a, b + 2 * (ptrdiff_t)j, COLUMNS, &s);
        else
            sum_columns(o, a, b + 2 * (ptrdiff_t)j, n, &s);
        for (int i = 0; i < n; i++)
            s16_to(y + 2 * (ptrdiff_t)(j + i), ipu_store((float)s.all[i] * o->m, &o->out));
    }
}

/* Eight numbers of 32 bits, four sums of 64. */
IPU_INLINE __m256i fold(__m256i v)
{
    return _mm256_add_epi64(_mm256_cvtepu32_epi64(_mm256_castsi256_si128(v)),
                            _mm256_cvtepu32_epi64(_mm256_extracti128_si256(v, 1)));
}

/* All eight sums together. */
IPU_INLINE int64_t wide_sum(const wide *s, int64_t steps)
{
    const __m256i low = _mm256_sub_epi32(s->all, _mm256_slli_epi32(s->high, 16));
    const __m256i four = _mm256_add_epi64(_mm256_slli_epi64(fold(s->high), 16), fold(low));
    int64_t v[4];

    _mm256_storeu_si256((__m256i *)(void *)v, four);
    return v[0] + v[1] + v[2] + v[3] - 8 * steps * WIDE_OFFSET;
}

/* Along k numbers that lie side by side. */
static int64_t dot(const uint8_t *a, const uint8_t *b, int32_t k)
{
    wide s = { _mm256_setzero_si256(), _mm256_setzero_si256() };
    int64_t sum = 0;
    int32_t i = 0;

    for (; i + 16 <= k; i += 16)
        wide_add(&s, _mm256_loadu_si256((const __m256i *)(const void *)(a + 2 * (ptrdiff_t)i)),
                 _mm256_loadu_si256((const __m256i *)(const void *)(b + 2 * (ptrdiff_t)i)));
    sum = wide_sum(&s, i / 16);
    for (; i < k; i++)
        sum += (int64_t)s16_at(a + 2 * (ptrdiff_t)i) * s16_at(b + 2 * (ptrdiff_t)i);
    return sum;
}

static void product_turned(const ipu_matmul *o, uint8_t *y, const uint8_t *a, const uint8_t *b)
{
    for (int32_t j = 0; j < o->y.c; j++, b += o->b.row)
        s16_to(y + 2 * (ptrdiff_t)j, ipu_store((float)dot(a, b, o->a.c) * o->m, &o->out));
}

/* The matrix of operand x that serves image n, column w of the result. */
static const uint8_t *matrix(const ipu_ref *x, const void *p, int32_t n, int32_t w)
{
    return (const uint8_t *)p + (x->n == 1 ? 0 : (ptrdiff_t)n * x->img) + (x->w == 1 ? 0 : (ptrdiff_t)w * x->pix);
}

IPU_KERNEL(ipu_matmul_s16_avx2)
{
    const ipu_matmul *o = (const ipu_matmul *)rec;

    for (int32_t row = y0; row < y1; row++)
        for (int32_t w = 0; w < o->y.w; w++) {
            const int32_t n = row / o->y.h, h = row % o->y.h;
            uint8_t *y = (uint8_t *)p[0] + (ptrdiff_t)n * o->y.img + (ptrdiff_t)h * o->y.row + (ptrdiff_t)w * o->y.pix;
            const uint8_t *a = matrix(&o->a, p[1], n, w) + (ptrdiff_t)h * o->a.row, *b = matrix(&o->b, p[2], n, w);
            if (o->turned)
                product_turned(o, y, a, b);
            else
                product(o, y, a, b);
        }
}
_Static_assert(IPU_MATMUL_PRODUCTS <= 16 * WIDE_STEPS, "one vector holds the sums along a row");
