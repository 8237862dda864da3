/* Sums of 16-bit products in 64 bits with AVX2.  vpmaddwd adds two products; the sum, 2^31 at most, is made
 * non-negative by WIDE_OFFSET and split: its 32 bits and its upper 16 are added up apart.  Up to WIDE_STEPS such sums
 * stay exact.        */
#ifndef IPU_X86_WIDE_AVX2_H
#define IPU_X86_WIDE_AVX2_H

#include "avx2.h"

#define WIDE_OFFSET 0x7fff0000 /* - of the least sum, 2 * -32768 * 32767 */
enum { WIDE_STEPS = 65536 };

/* Eight sums. */
typedef struct wide {
    __m256i all, high;
} wide;

IPU_INLINE void wide_add(wide *s, __m256i x, __m256i w)
{
    const __m256i t = _mm256_add_epi32(_mm256_madd_epi16(x, w), _mm256_set1_epi32(WIDE_OFFSET));
    s->all = _mm256_add_epi32(s->all, t);
    s->high = _mm256_add_epi32(s->high, _mm256_srli_epi32(t, 16));
}

/* Four of them with bias: ipu_narrow(sum - offset + bias, shift) in the low halves of 64-bit lanes.  offset: of all
 * steps, rounding included; the sign bit is flipped so that a logical shift will do. */
IPU_INLINE __m256i wide_four(__m128i high, __m128i low, const void *bias, __m256i offset, int32_t shift)
{
    const __m256i h = _mm256_slli_epi64(_mm256_cvtepu32_epi64(high), 16), l = _mm256_cvtepu32_epi64(low);
    const __m256i b = _mm256_sub_epi64(_mm256_loadu_si256((const __m256i *)bias), offset);
    const __m256i v = _mm256_xor_si256(_mm256_add_epi64(_mm256_add_epi64(h, l), b), _mm256_set1_epi64x(INT64_MIN));
    const __m128i k = _mm_cvtsi32_si128(shift);

    return _mm256_sub_epi64(_mm256_srl_epi64(v, k), _mm256_srl_epi64(_mm256_set1_epi64x(INT64_MIN), k));
}

/* The eight sums after `steps` additions, narrowed: ARITHMETIC.md 5.  bias: eight S64. */
IPU_INLINE __m256i wide_narrow(const wide *s, const void *bias, int64_t steps, int32_t shift)
{
    const __m256i low = _mm256_sub_epi32(s->all, _mm256_slli_epi32(s->high, 16));
    const __m256i offset = _mm256_set1_epi64x(steps * WIDE_OFFSET - (shift ? (int64_t)1 << (shift - 1) : 0));
    const __m256i a = wide_four(_mm256_castsi256_si128(s->high), _mm256_castsi256_si128(low), bias, offset, shift);
    const __m256i b = wide_four(_mm256_extracti128_si256(s->high, 1), _mm256_extracti128_si256(low, 1),
                                (const uint8_t *)bias + 32, offset, shift);
    const __m256 ab = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);

    return _mm256_permute4x64_epi64(_mm256_castps_si256(ab), 0xd8);
}

/* The low halves of eight S64: enough where the whole sum fits 32 bits, which may wrap on the way. */
IPU_INLINE __m256i wide_low(const int64_t *bias)
{
    const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)bias);
    const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(bias + 4));
    const __m256 ab = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);

    return _mm256_permute4x64_epi64(_mm256_castps_si256(ab), 0xd8);
}

#endif
