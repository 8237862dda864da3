/* fixed.h for 8 lanes of AVX2, and stores of 32-bit results as U8 and S16. */
#ifndef IPU_X86_AVX2_H
#define IPU_X86_AVX2_H

#include "x86.h"

#include <immintrin.h>

typedef struct f256_out {
    __m256 lo, hi;
    __m256i zero;
} f256_out;

IPU_INLINE f256_out f256_out_of(const ipu_out *o)
{
    return (f256_out){ _mm256_set1_ps(o->lo), _mm256_set1_ps(o->hi), _mm256_set1_epi32(o->zero) };
}

/* ipu_store: the operand order of max and min keeps ipu_clampf's answer for equal operands. */
IPU_INLINE __m256i f256_store(__m256 g, const f256_out *o)
{
    g = _mm256_min_ps(o->hi, _mm256_max_ps(o->lo, g));
    return _mm256_add_epi32(_mm256_cvtps_epi32(g), o->zero);
}

IPU_INLINE __m256i f256_requant(__m256i acc, __m256 m, const f256_out *o)
{
    return f256_store(_mm256_mul_ps(_mm256_cvtepi32_ps(acc), m), o);
}

/* A sum times a multiplier that stays within 32 bits, rounded: nothing need be cut before the conversion. */
IPU_INLINE __m256i f256_round(__m256i acc, __m256 m)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(acc), m));
}

/* ipu_out of a U8 result for lanes within 32 bits.  Clamping behind the rounding gives what clamping before it does, the bounds being whole. */
typedef struct u256_out {
    __m256i lo8, hi8, zero16;
} u256_out;

IPU_INLINE u256_out u256_out_of(const ipu_out *o)
{
    return (u256_out){ _mm256_set1_epi8((char)(ipu_rne(o->lo) + o->zero)), _mm256_set1_epi8((char)(ipu_rne(o->hi) + o->zero)), _mm256_set1_epi16((short)o->zero) };
}

/* Two vectors of words to 32 bytes: in each half, 8 of the first and 8 of the second. */
IPU_INLINE __m256i u256_pack(__m256i a, __m256i b, const u256_out *o)
{
    const __m256i u = _mm256_packus_epi16(_mm256_adds_epi16(a, o->zero16), _mm256_adds_epi16(b, o->zero16));

    return _mm256_min_epu8(_mm256_max_epu8(u, o->lo8), o->hi8);
}

/* ipu_out of an S16 result without a zero point, for words. */
typedef struct s256_limits {
    __m256i lo, hi;
} s256_limits;

IPU_INLINE s256_limits s256_limits_of(const ipu_out *o)
{
    return (s256_limits){ _mm256_set1_epi16((short)ipu_rne(o->lo)), _mm256_set1_epi16((short)ipu_rne(o->hi)) };
}

IPU_INLINE __m256i s256_between(__m256i w, const s256_limits *l)
{
    return _mm256_min_epi16(_mm256_max_epi16(w, l->lo), l->hi);
}

/* 16 lanes, in memory order, as words. */
IPU_INLINE __m256i s256_words(const __m256i *v)
{
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(v[0], v[1]), 0xd8);
}

/* The first n of 16 lanes as U8; the lanes fit. */
IPU_INLINE void s256_put_u8(uint8_t *y, const __m256i *v, int n)
{
    const __m256i w = s256_words(v);
    const __m128i u = _mm_packus_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
    uint8_t tail[16];

    if (n >= 16) {
        _mm_storeu_si128((__m128i *)(void *)y, u);
        return;
    }
    _mm_storeu_si128((__m128i *)(void *)tail, u);
    memcpy(y, tail, (size_t)n);
}

/* The same as S16. */
IPU_INLINE void s256_put_s16(uint8_t *y, const __m256i *v, int n)
{
    uint8_t tail[32];

    if (n >= 16) {
        _mm256_storeu_si256((__m256i *)(void *)y, s256_words(v));
        return;
    }
    _mm256_storeu_si256((__m256i *)(void *)tail, s256_words(v));
    memcpy(y, tail, 2 * (size_t)n);
}

/* The table's entries for the first n of 16 lanes. */
IPU_INLINE void s256_put_table(uint8_t *y, const __m256i *v, int n, const uint8_t *table)
{
    uint16_t index[16];

    _mm256_storeu_si256((__m256i *)(void *)index, s256_words(v));
    ipu_lookup_one_by_one(table, index, y, n);
}

/* The first n of 16 S16 in memory as two vectors of lanes; the rest is 0. */
IPU_INLINE void s256_get_s16(const uint8_t *x, int n, __m256i *v)
{
    uint8_t tail[32] = { 0 };

    if (n < 16) {
        memcpy(tail, x, 2 * (size_t)n);
        x = tail;
    }
    v[0] = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
    v[1] = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(x + 16)));
}

/* Eight lanes. */
IPU_INLINE void s256_put8_u8(uint8_t *y, __m256i v)
{
    const __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((__m128i *)(void *)y, _mm_packus_epi16(w, w));
}

IPU_INLINE void s256_put8_s16(uint8_t *y, __m256i v)
{
    const __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storeu_si128((__m128i *)(void *)y, w);
}

IPU_INLINE __m256i s256_get8_s16(const uint8_t *x)
{
    return _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
}

IPU_INLINE int32_t s16_at(const uint8_t *x)
{
    int16_t v;
    memcpy(&v, x, 2);
    return v;
}

IPU_INLINE void s16_to(uint8_t *y, int32_t v)
{
    const int16_t w = (int16_t)v;
    memcpy(y, &w, 2);
}

#endif
