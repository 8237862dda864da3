/* docs/ARITHMETIC.md in C: the one definition of every rounding.  Plain IEEE binary32, round to nearest even, no contraction
 * (-ffp-contract=off), no flush to zero; soft-float gives the same bits.                                                 */
#ifndef IPU_FIXED_H
#define IPU_FIXED_H

#include "image.h"

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "OpenIPU needs float arithmetic in binary32 (on x86: SSE2)"
#endif

/* Nearest integer, ties to even, for |x| < 2^22: adding 1.5*2^23 leaves no fraction bits. */
static inline int32_t ipu_rne(float x)
{
    const float magic = 12582912.0f;
    float t = x + magic;
    return (int32_t)(t - magic);
}

/* As maxps and minps do: a NaN, which only a damaged image can bring about, becomes lo. */
static inline float ipu_clampf(float x, float lo, float hi)
{
    x = x > lo ? x : lo;
    return x < hi ? x : hi;
}

/* The smaller, the larger of two numbers as minps and maxps give them. */
static inline float ipu_minf(float a, float b)
{
    return a < b ? a : b;
}

static inline float ipu_maxf(float a, float b)
{
    return a > b ? a : b;
}

/* ARITHMETIC.md 7: a divisor of 0 counts as this. */
#define IPU_DIV_ZERO 0x1p-100f

/* real value (in steps of the output) -> stored integer.  ARITHMETIC.md 3. */
static inline int32_t ipu_store(float real, const ipu_out *o)
{
    return ipu_rne(ipu_clampf(real, o->lo, o->hi)) + o->zero;
}

/* ARITHMETIC.md 3: requantize an exact 32-bit sum. */
static inline int32_t ipu_requant(int32_t acc, float m, const ipu_out *o)
{
    return ipu_store((float)acc * m, o);
}

/* ARITHMETIC.md 5: rounding right shift of a 64-bit sum; the compiler proved that it fits. */
static inline int32_t ipu_narrow(int64_t acc, int32_t shift)
{
    if (shift)
        acc = (int64_t)((uint64_t)acc + ((uint64_t)1 << (shift - 1))) >> shift;
    return (int32_t)acc;
}

/* ARITHMETIC.md 8: 1025-entry table, u in [0, 65535], linear between entries. */
static inline int32_t ipu_table(const int16_t *t, int32_t u)
{
    int32_t i = u >> 6, f = u & 63;
    return t[i] + (((t[i + 1] - t[i]) * f + 32) >> 6);
}

/* ARITHMETIC.md 12: entries as close as the numbers of a float with 7 bits of fraction, linear between them. */
static inline int32_t ipu_lut_at(const int16_t *t, int32_t x)
{
    const int16_t *side = x < 0 ? t + IPU_LUT_SIDE : t;
    int32_t a = x < 0 ? -x : x;
    a = a < 32767 ? a : 32767;
    int32_t e = 31 - __builtin_clz((uint32_t)a | 1), h = e > IPU_LUT_BITS ? e - IPU_LUT_BITS : 0;
    int32_t i = (h << IPU_LUT_BITS) + (a >> h), f = a & ((1 << h) - 1);
    return side[i] + (((side[i + 1] - side[i]) * f + (1 << h >> 1)) >> h);
}

/* ARITHMETIC.md 25: the entry of a table of bytes. */
static inline int32_t ipu_index(int32_t x, int32_t first)
{
    int32_t i = x - first;
    return i < 0 ? 0 : i < IPU_INDEX ? i : IPU_INDEX - 1;
}

/* The whole part of the root. */
static inline uint32_t ipu_root(uint64_t v)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit; bit >>= 2) {
        const uint64_t more = root + bit;
        root >>= 1;
        if (v >= more) {
            v -= more;
            root += bit;
        }
    }
    return (uint32_t)root;
}

typedef union ipu_binary32 {
    float real;
    uint32_t bits;
} ipu_binary32;

/* ARITHMETIC.md 20: r of d, a number of 1 or more below 2^102; root is ipu_root, or gives the same. */
static inline float ipu_rsqrt(float d, uint32_t (*root)(uint64_t))
{
    const ipu_binary32 v = { .real = d };
    const int32_t e = (int32_t)(v.bits >> 23) - 127, up = 39 + (e & 1), h = (up + 23 - e) / 2;
    const uint64_t whole = (uint64_t)((v.bits & 0x7fffff) | 0x800000) << up; /* d * 4^h */
    const ipu_binary32 power = { .bits = (uint32_t)(127 + h) << 23 };
    return power.real / (float)root(whole);
}

/* ARITHMETIC.md 20: r of n numbers, of which these are the sum (0 where they are not centred) and the sum of the squares. */
static inline float ipu_norm_factor(int64_t n, int64_t sum, int64_t squares, float epsilon, uint32_t (*root)(uint64_t))
{
    return ipu_rsqrt(ipu_maxf((float)(n * squares - sum * sum) + epsilon, 1.0f), root);
}

/* ---- pictures: ARITHMETIC.md 24 ------------------------------------------------------------------------------ */

/* A sum of 2^-14 as a byte. */
static inline uint8_t ipu_colour(int32_t sum)
{
    sum += 1 << 13;
    return (uint8_t)(sum < 0 ? 0 : sum >> 14 > 255 ? 255 : sum >> 14);
}

static inline void ipu_yuv_to_rgb(uint8_t y, const uint8_t uv[2], uint8_t rgb[3])
{
    const int32_t grey = y * (1 << 14), u = uv[0] - 128, v = uv[1] - 128;
    rgb[0] = ipu_colour(grey + 25802 * v);
    rgb[1] = ipu_colour(grey - 3069 * u - 7670 * v);
    rgb[2] = ipu_colour(grey + 30402 * u);
}

#endif
