/* From the sums of a convolution to its results, with AVX2: 16 output channels of one pixel at a time. */
#ifndef IPU_X86_CONV_STORE_AVX2_H
#define IPU_X86_CONV_STORE_AVX2_H

#include "avx2.h"
#include "runtime/kernels/simd/conv.h"

typedef struct conv_store {
    f256_out out, sum, out2;
    __m256 m_conv, m_add, m_y2;
    __m256i zero, zero1; /* zero points of the convolution and of y, which y2 starts from */
} conv_store;

static conv_store conv_store_of(const conv_job *j)
{
    const ipu_conv *r = j->r;
    conv_store s = { .out = f256_out_of(&r->out), .sum = f256_out_of(&r->sum), .out2 = f256_out_of(&r->out2) };
    s.m_conv = _mm256_set1_ps(r->m_conv);
    s.m_add = _mm256_set1_ps(r->m_add);
    s.m_y2 = _mm256_set1_ps(r->m_y2);
    s.zero = _mm256_set1_epi32(r->out.zero);
    s.zero1 = _mm256_set1_epi32(j->add ? r->sum.zero : r->out.zero);
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

#endif
