/* From the sums of a convolution to its results, with AVX2: 16 output channels of one pixel at a time. */
#ifndef IPU_X86_CONV_STORE_AVX2_H
#define IPU_X86_CONV_STORE_AVX2_H

#include "avx2.h"
#include "runtime/kernels/simd/conv.h"

enum { CONV_MOST_ZERO = 30000 }; /* words that saturate before a zero point is added lie beyond a table's ends behind it */

typedef struct conv_store {
    f256_out out, sum, out2;
    __m256 m_conv, m_add, m_y2;
    __m256i zero, zero1; /* zero points of the convolution and of y, which y2 starts from */
    int whole;           /* conv_finish_block may take a whole block at once */
} conv_store;

/* With a table: whether words hold its index and what is cut from it. */
IPU_INLINE int conv_is_index(const conv_job *j)
{
    const int32_t zero = j->r->out.zero;

    return zero >= -CONV_MOST_ZERO && zero <= CONV_MOST_ZERO && ipu_are_small(j->mult, j->r->y.c);
}

static conv_store conv_store_of(const conv_job *j)
{
    const ipu_conv *r = j->r;
    conv_store s = { .out = f256_out_of(&r->out), .sum = f256_out_of(&r->sum), .out2 = f256_out_of(&r->out2) };
    s.m_conv = _mm256_set1_ps(r->m_conv);
    s.m_add = _mm256_set1_ps(r->m_add);
    s.m_y2 = _mm256_set1_ps(r->m_y2);
    s.zero = _mm256_set1_epi32(r->out.zero);
    s.zero1 = _mm256_set1_epi32(j->add ? r->sum.zero : r->out.zero);
    s.whole = j->table ? conv_is_index(j) : r->y.type == IPU_U8 ? ipu_are_small(j->mult, r->y.c) : conv_is_whole(j);
    return s;
}

IPU_INLINE void conv_put(uint8_t *y, int type, int32_t co, const __m256i *v, int n)
{
    if (type == IPU_U8)
        s256_put_u8(y + co, v, n);
    else
        s256_put_s16(y + 2 * (ptrdiff_t)co, v, n);
}

/* Pixel i of the tile, n channels from co on: from sums to y and, where asked for, the residual and y2, or through the table. */
IPU_INLINE void conv_finish(const conv_job *j, const conv_store *s, const conv_tile *t, int i, int32_t co,
                            const __m256i *sum, int n)
{
    __m256i v[2], a[2];

    for (int h = 0; h < 2; h++)
        v[h] = f256_requant(sum[h], _mm256_loadu_ps(j->mult + co + 8 * h), &s->out);
    if (j->add) {
        s256_get_s16(j->add + t->add[i] + 2 * (ptrdiff_t)co, n, a);
        for (int h = 0; h < 2; h++)
            v[h] =
                f256_store(_mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(v[h], s->zero)), s->m_conv),
                                         _mm256_mul_ps(_mm256_cvtepi32_ps(a[h]), s->m_add)),
                           &s->sum);
    }
    if (j->table)
        s256_put_table(j->y + t->y[i] + co, v, n < CONV_LANES ? n : CONV_LANES, j->table);
    else
        conv_put(j->y + t->y[i], j->r->y.type, co, v, n);
    if (j->y2) {
        for (int h = 0; h < 2; h++)
            v[h] = f256_requant(_mm256_sub_epi32(v[h], s->zero1), s->m_y2, &s->out2);
        s256_put_u8(j->y2 + t->y2[i] + co, v, n);
    }
}

/* ---- pixels of a whole block at once ----
 * Where no number leaves 32 bits before it is cut, and, of 16 bits, sums, residual and result have one scale (a network's residual additions have, sums.c of the
 * quantizer): then words add them. */

/* Lanes of 32 bits in the channels' order for a block of two vectors: packs interleave the halves of two. */
IPU_INLINE __m256i conv_words_of(const __m256i *sum, __m256 m0, __m256 m1)
{
    return _mm256_packs_epi32(f256_round(sum[0], m0), f256_round(sum[1], m1));
}

/* U8 and nothing besides. */
IPU_INLINE void conv_put_bytes(const conv_job *j, const conv_tile *t, int at, int32_t co, __m256i (*sum)[2], int n)
{
    const __m256 m0 = _mm256_loadu_ps(j->mult + co), m1 = _mm256_loadu_ps(j->mult + co + 8);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const u256_out out = u256_out_of(&j->r->out);
    uint8_t *y = j->y + co;

    for (int i = 0; i < n; i += 2) { /* the second of the last may be one too many: it is not stored */
        const __m256i u = _mm256_permutevar8x32_epi32(u256_pack(conv_words_of(sum[i], m0, m1), conv_words_of(sum[i + 1], m0, m1), &out), order);
        _mm_storeu_si128((__m128i *)(void *)(y + t->y[at + i]), _mm256_castsi256_si128(u));
        if (i + 1 < n)
            _mm_storeu_si128((__m128i *)(void *)(y + t->y[at + i + 1]), _mm256_extracti128_si256(u, 1));
    }
}

/* U8 through the table: the indices of all pixels, then the bytes. */
IPU_INLINE void conv_put_entries(const conv_job *j, const conv_tile *t, int at, int32_t co, __m256i (*sum)[2], int n)
{
    const __m256 m0 = _mm256_loadu_ps(j->mult + co), m1 = _mm256_loadu_ps(j->mult + co + 8);
    const __m256i zero = _mm256_set1_epi16((short)j->r->out.zero);
    const s256_limits ends = { _mm256_set1_epi16((short)(ipu_rne(j->r->out.lo) + j->r->out.zero)), _mm256_set1_epi16((short)(ipu_rne(j->r->out.hi) + j->r->out.zero)) };
    uint16_t index[CONV_TILE][CONV_LANES];

    for (int i = 0; i < n; i++) {
        const __m256i w = _mm256_permute4x64_epi64(conv_words_of(sum[i], m0, m1), 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)index[i], s256_between(_mm256_adds_epi16(w, zero), &ends));
    }
    for (int i = 0; i < n; i++)
        ipu_lookup_one_by_one(j->table, index[i], j->y + t->y[at + i] + co, CONV_LANES);
}

/* S16; ADD, COPY: with a residual, with a second output. */
IPU_INLINE void conv_put_words(const conv_job *j, const conv_tile *t, int at, int32_t co, __m256i (*sum)[2], int n, const int ADD, const int COPY)
{
    const __m256 m0 = _mm256_loadu_ps(j->mult + co), m1 = _mm256_loadu_ps(j->mult + co + 8), m2 = _mm256_set1_ps(j->r->m_y2 * 0x1p-16f);
    const s256_limits out = s256_limits_of(&j->r->out), whole = s256_limits_of(&j->r->sum);
    const u256_out out2 = u256_out_of(&j->r->out2);
    const __m256i none = _mm256_setzero_si256();

    for (int i = 0; i < n; i++) {
        __m256i w = s256_between(_mm256_permute4x64_epi64(conv_words_of(sum[i], m0, m1), 0xd8), &out);
        if (ADD) {
            const uint8_t *add = j->add + t->add[at + i] + 2 * (ptrdiff_t)co;
            w = s256_between(_mm256_adds_epi16(w, _mm256_loadu_si256((const __m256i *)(const void *)add)), &whole);
        }
        _mm256_storeu_si256((__m256i *)(void *)(j->y + t->y[at + i] + 2 * (ptrdiff_t)co), w);
        if (COPY) { /* words times 2^16 times 2^-16 of the multiplier */
            const __m256i v[2] = { _mm256_unpacklo_epi16(none, w), _mm256_unpackhi_epi16(none, w) };
            const __m256i two = conv_words_of(v, m2, m2), u = _mm256_permute4x64_epi64(u256_pack(two, two, &out2), 0xd8);
            _mm_storeu_si128((__m128i *)(void *)(j->y2 + t->y2[at + i] + co), _mm256_castsi256_si128(u));
        }
    }
}

/* n pixels of the tile from `at` on, the block of output channels from co on; sum[n] may be read. */
IPU_INLINE void conv_finish_block(const conv_job *j, const conv_store *s, const conv_tile *t, int at, int32_t co, __m256i (*sum)[2], int n)
{
    const int32_t many = j->r->y.c - co;

    if (!s->whole || many < CONV_LANES)
        for (int i = 0; i < n; i++)
            conv_finish(j, s, t, at + i, co, sum[i], many < CONV_LANES ? many : CONV_LANES);
    else if (j->table)
        conv_put_entries(j, t, at, co, sum, n);
    else if (j->r->y.type == IPU_U8)
        conv_put_bytes(j, t, at, co, sum, n);
    else if (j->add && j->y2)
        conv_put_words(j, t, at, co, sum, n, 1, 1);
    else if (j->add)
        conv_put_words(j, t, at, co, sum, n, 1, 0);
    else if (j->y2)
        conv_put_words(j, t, at, co, sum, n, 0, 1);
    else
        conv_put_words(j, t, at, co, sum, n, 0, 0);
}

#endif
