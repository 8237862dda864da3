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

/* ipu_out of a U8 result.  Clamping behind the rounding gives what clamping before it does, the bounds being whole; above, where a number could be beyond
 * 32 bits, it is done before. */
typedef struct u512_out {
    __m512 hi;
    __m512i lo8, hi8, zero16;
} u512_out;

IPU_INLINE u512_out u512_out_of(const ipu_out *o)
{
    return (u512_out){ _mm512_set1_ps(o->hi), _mm512_set1_epi8((char)(ipu_rne(o->lo) + o->zero)), _mm512_set1_epi8((char)(ipu_rne(o->hi) + o->zero)),
                       _mm512_set1_epi16((short)o->zero) };
}

/* Four vectors of whole numbers to 64 bytes, in the packs' order: four of each vector in turn. */
IPU_INLINE __m512i u512_pack(const __m512i *v, const u512_out *o)
{
    const __m512i a = _mm512_adds_epi16(_mm512_packs_epi32(v[0], v[1]), o->zero16);
    const __m512i b = _mm512_adds_epi16(_mm512_packs_epi32(v[2], v[3]), o->zero16);

    return _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(a, b), o->lo8), o->hi8);
}

/* ipu_store of four vectors. */
IPU_INLINE __m512i u512_store(const __m512 *g, const u512_out *o)
{
    __m512i v[4];

    IPU_UNROLL for (int q = 0; q < 4; q++) v[q] = _mm512_cvtps_epi32(_mm512_min_ps(o->hi, g[q]));
    return u512_pack(v, o);
}

/* ipu_requant of four vectors, whose multipliers are small: nothing need be cut before the conversion. */
IPU_INLINE __m512i u512_requant(const __m512i *acc, const __m512 *m, const u512_out *o)
{
    __m512i v[4];

    IPU_UNROLL for (int q = 0; q < 4; q++) v[q] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(acc[q]), m[q]));
    return u512_pack(v, o);
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
