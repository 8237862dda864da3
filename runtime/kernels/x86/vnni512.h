/* fixed.h for 16 lanes of AVX-512, and stores of 32-bit results as U8 and S16. */
#ifndef IPU_X86_VNNI512_H
#define IPU_X86_VNNI512_H

#include "x86.h"

#include <immintrin.h>

typedef struct f512_out {
    __m512 lo, hi;
    __m512i zero;
} f512_out;

IPU_INLINE f512_out f512_out_of(const ipu_out *o)
{
    return (f512_out){ _mm512_set1_ps(o->lo), _mm512_set1_ps(o->hi), _mm512_set1_epi32(o->zero) };
}

/* ipu_store: the operand order of max and min keeps ipu_clampf's answer for equal operands. */
IPU_INLINE __m512i f512_store(__m512 g, const f512_out *o)
{
    g = _mm512_min_ps(o->hi, _mm512_max_ps(o->lo, g));
    return _mm512_add_epi32(_mm512_cvtps_epi32(g), o->zero);
}

IPU_INLINE __m512i f512_requant(__m512i acc, __m512 m, const f512_out *o)
{
    return f512_store(_mm512_mul_ps(_mm512_cvtepi32_ps(acc), m), o);
}

/* The first n of NB * 16 lanes, in memory order, as U8; the lanes fit. */
IPU_INLINE void s512_put_u8(uint8_t *y, const __m512i *v, const int NB, int n)
{
    if (NB == 4) {
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        const __m512i a = _mm512_packs_epi32(v[0], v[1]), b = _mm512_packs_epi32(v[2], v[3]);
        const __m512i u = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(a, b));
        if (n == 64)
            _mm512_storeu_si512(y, u);
        else
            _mm512_mask_storeu_epi8(y, ((__mmask64)1 << n) - 1, u);
        return;
    }
    IPU_UNROLL for (int b = 0; b < NB; b++, n -= 16)
    {
        const __m128i u = _mm512_cvtepi32_epi8(v[b]);
        if (n >= 16)
            _mm_storeu_si128((__m128i *)(void *)(y + 16 * b), u);
        else
            _mm_mask_storeu_epi8(y + 16 * b, (__mmask16)((1u << n) - 1), u);
    }
}

/* The same as S16. */
IPU_INLINE void s512_put_s16(uint8_t *y, const __m512i *v, const int NB, int n)
{
    IPU_UNROLL for (int b = 0; b < NB; b++, n -= 16)
    {
        const __m256i u = _mm512_cvtepi32_epi16(v[b]);
        if (n >= 16)
            _mm256_storeu_si256((__m256i *)(void *)(y + 32 * b), u);
        else
            _mm256_mask_storeu_epi16(y + 32 * b, (__mmask16)((1u << n) - 1), u);
    }
}

#endif
