/* AVX-512 in plain C, so that its kernels are checked on any machine: SIMDe, and, one lane after the other, what SIMDe
 * 0.7.4 of Debian 12 lacks. */
#ifndef PORTABLE_IMMINTRIN_H
#define PORTABLE_IMMINTRIN_H

#define SIMDE_NO_NATIVE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <stdint.h>
#include <string.h>

#ifndef _MM_FROUND_TO_NEAREST_INT
#define _MM_FROUND_TO_NEAREST_INT SIMDE_MM_FROUND_TO_NEAREST_INT
#endif

/* Newer ones have them. */
#undef _mm256_maskz_loadu_epi8
#undef _mm256_maskz_loadu_epi16
#undef _mm512_maskz_loadu_epi8
#undef _mm512_maskz_loadu_epi16
#undef _mm_mask_storeu_epi8
#undef _mm256_mask_storeu_epi8
#undef _mm256_mask_storeu_epi16
#undef _mm512_mask_storeu_epi8
#undef _mm512_mask_storeu_epi16
#undef _mm512_cvtepi32_ps
#undef _mm512_cvtps_epi32
#undef _mm512_cvtepi32_epi8
#undef _mm512_cvtepi32_epi16
#undef _mm512_cvtepi16_epi32
#undef _mm512_cvtepi32_pd
#undef _mm512_cvtpd_ps
#undef _mm512_cvtpd_epi64
#undef _mm512_cvtepi64_epi32
#undef _mm512_sra_epi64
#undef _mm512_srai_epi32
#undef _mm512_srav_epi32

typedef uint16_t __mmask16;
typedef uint32_t __mmask32;
typedef uint64_t __mmask64;

/* A vector as its lanes, and back. */
#define PORTABLE_LANES(type, name, v) \
    type name[sizeof(v) / sizeof(type)]; \
    memcpy(name, &(v), sizeof(v))
#define PORTABLE_VECTOR(type, name) \
    type v_; \
    memcpy(&v_, name, sizeof(v_)); \
    return v_

/* ---- masked loads and stores: nothing is touched whose bit is not set ---- */

#define PORTABLE_LOAD(name, vector, lane, mask)                \
    static inline vector name(mask k, const void *p)           \
    {                                                          \
        lane to[sizeof(vector) / sizeof(lane)] = { 0 };        \
        for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++)  \
            if (k >> i & 1)                                    \
                memcpy(&to[i], (const lane *)p + i, sizeof(lane)); \
        PORTABLE_VECTOR(vector, to);                           \
    }
PORTABLE_LOAD(_mm256_maskz_loadu_epi8, __m256i, int8_t, __mmask32)
PORTABLE_LOAD(_mm256_maskz_loadu_epi16, __m256i, int16_t, __mmask16)
PORTABLE_LOAD(_mm512_maskz_loadu_epi8, __m512i, int8_t, __mmask64)
PORTABLE_LOAD(_mm512_maskz_loadu_epi16, __m512i, int16_t, __mmask32)

#define PORTABLE_STORE(name, vector, lane, mask)               \
    static inline void name(void *p, mask k, vector v)         \
    {                                                          \
        PORTABLE_LANES(lane, from, v);                         \
        for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++) \
            if (k >> i & 1)                                    \
                memcpy((lane *)p + i, &from[i], sizeof(lane)); \
    }
PORTABLE_STORE(_mm_mask_storeu_epi8, __m128i, int8_t, __mmask16)
PORTABLE_STORE(_mm256_mask_storeu_epi8, __m256i, int8_t, __mmask32)
PORTABLE_STORE(_mm256_mask_storeu_epi16, __m256i, int16_t, __mmask16)
PORTABLE_STORE(_mm512_mask_storeu_epi8, __m512i, int8_t, __mmask64)
PORTABLE_STORE(_mm512_mask_storeu_epi16, __m512i, int16_t, __mmask32)

/* ---- conversions ---- */

#define PORTABLE_CONVERT(name, to_vector, to_lane, from_vector, from_lane, convert) \
    static inline to_vector name(from_vector v)                \
    {                                                          \
        PORTABLE_LANES(from_lane, from, v);                    \
        to_lane to[sizeof(from) / sizeof(*from)];              \
        for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++)  \
            to[i] = (to_lane)convert(from[i]);                 \
        PORTABLE_VECTOR(to_vector, to);                        \
    }

/* To nearest, ties to even; what no int32 holds becomes the smallest one. */
static inline int32_t portable_round(float f)
{
    if (!(f >= -2147483648.0f && f < 2147483648.0f))
        return INT32_MIN;
    const double d = f, magic = 6755399441055744.0; /* 1.5 * 2^52 */
    return (int32_t)(d + magic - magic);
}

PORTABLE_CONVERT(_mm512_cvtepi32_ps, __m512, float, __m512i, int32_t, )
PORTABLE_CONVERT(_mm512_cvtps_epi32, __m512i, int32_t, __m512, float, portable_round)
PORTABLE_CONVERT(_mm512_cvtepi32_epi8, __m128i, int8_t, __m512i, int32_t, )
PORTABLE_CONVERT(_mm512_cvtepi32_epi16, __m256i, int16_t, __m512i, int32_t, )
PORTABLE_CONVERT(_mm512_cvtepi16_epi32, __m512i, int32_t, __m256i, int16_t, )
PORTABLE_CONVERT(_mm512_cvtepi32_pd, __m512d, double, __m256i, int32_t, )
PORTABLE_CONVERT(_mm512_cvtpd_ps, __m256, float, __m512d, double, )
PORTABLE_CONVERT(_mm512_cvtpd_epi64, __m512i, int64_t, __m512d, double, ) /* of whole numbers */
PORTABLE_CONVERT(_mm512_cvtepi64_epi32, __m256i, int32_t, __m512i, int64_t, )

/* ---- shifts ---- */

static inline __m512i _mm512_sra_epi64(__m512i v, __m128i count)
{
    PORTABLE_LANES(int64_t, lane, v);
    PORTABLE_LANES(int64_t, by, count);
    for (size_t i = 0; i < sizeof(lane) / sizeof(*lane); i++)
        lane[i] >>= by[0] < 63 ? by[0] : 63;
    PORTABLE_VECTOR(__m512i, lane);
}

static inline __m512i _mm512_srav_epi32(__m512i v, __m512i n)
{
    PORTABLE_LANES(int32_t, a, v);
    PORTABLE_LANES(uint32_t, k, n);
    for (int i = 0; i < 16; i++)
        a[i] >>= k[i] < 31 ? k[i] : 31;
    PORTABLE_VECTOR(__m512i, a);
}

static inline __m512i _mm512_srai_epi32(__m512i v, unsigned by)
{
    PORTABLE_LANES(int32_t, lane, v);
    for (size_t i = 0; i < sizeof(lane) / sizeof(*lane); i++)
        lane[i] >>= by < 31 ? by : 31;
    PORTABLE_VECTOR(__m512i, lane);
}

#endif
