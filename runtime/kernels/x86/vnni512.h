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

/* The first n of 16 lanes as U8; the lanes fit. */
IPU_INLINE void s512_put_u8(uint8_t *y, __m512i v, int n)
{
    _mm_mask_storeu_epi8(y, (__mmask16)((1u << n) - 1), _mm512_cvtepi32_epi8(v));
}

/* The same as S16. */
IPU_INLINE void s512_put_s16(uint8_t *y, __m512i v, int n)
{
    _mm256_mask_storeu_epi16(y, (__mmask16)((1u << n) - 1), _mm512_cvtepi32_epi16(v));
}

#endif
