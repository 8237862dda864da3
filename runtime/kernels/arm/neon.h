/* fixed.h for lanes of NEON, and loads and stores of 32-bit results as U8 and S16. */
#ifndef IPU_ARM_NEON_H
#define IPU_ARM_NEON_H

#include "arm.h"

#include <arm_neon.h>

typedef struct f128_out {
    float32x4_t lo, hi;
    int32x4_t zero;
} f128_out;

IPU_INLINE f128_out f128_out_of(const ipu_out *o)
{
    return (f128_out){ vdupq_n_f32(o->lo), vdupq_n_f32(o->hi), vdupq_n_s32(o->zero) };
}

/* ipu_store: of a NaN and a bound the bound comes out. */
IPU_INLINE int32x4_t f128_store(float32x4_t g, const f128_out *o)
{
    return vaddq_s32(vcvtnq_s32_f32(vminnmq_f32(vmaxnmq_f32(g, o->lo), o->hi)), o->zero);
}

IPU_INLINE int32x4_t f128_requant(int32x4_t acc, float32x4_t m, const f128_out *o)
{
    return f128_store(vmulq_f32(vcvtq_f32_s32(acc), m), o);
}

/* Eight lanes, in memory order, as words; they fit. */
IPU_INLINE int16x8_t s128_words(const int32x4_t *v)
{
    return vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1]));
}

/* The first n of 16 lanes as U8; the lanes fit. */
IPU_INLINE void s128_put_u8(uint8_t *y, const int32x4_t *v, int n)
{
    const uint8x16_t u = vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(s128_words(v)), vmovn_s16(s128_words(v + 2))));
    uint8_t tail[16];

    if (n >= 16) {
        vst1q_u8(y, u);
        return;
    }
    vst1q_u8(tail, u);
    memcpy(y, tail, (size_t)n);
}

/* The same as S16. */
IPU_INLINE void s128_put_s16(uint8_t *y, const int32x4_t *v, int n)
{
    int16_t tail[16];
    int16_t *to = n >= 16 ? (int16_t *)(void *)y : tail;

    vst1q_s16(to, s128_words(v));
    vst1q_s16(to + 8, s128_words(v + 2));
    if (n < 16)
        memcpy(y, tail, 2 * (size_t)n);
}

/* The table's entries for the first n of 16 lanes. */
IPU_INLINE void s128_put_table(uint8_t *y, const int32x4_t *v, int n, const uint8_t *table)
{
    uint16_t index[16];

    s128_put_s16((uint8_t *)index, v, 16);
    ipu_lookup_one_by_one(table, index, y, n);
}

/* Eight S16 in memory as two vectors of lanes. */
IPU_INLINE void s128_get8_s16(const uint8_t *x, int32x4_t *v)
{
    const int16x8_t w = vld1q_s16((const int16_t *)(const void *)x);

    v[0] = vmovl_s16(vget_low_s16(w));
    v[1] = vmovl_high_s16(w);
}

/* The first n of 16 S16 in memory as four vectors; the rest is 0. */
IPU_INLINE void s128_get_s16(const uint8_t *x, int n, int32x4_t *v)
{
    uint8_t tail[32] = { 0 };

    if (n < 16) {
        memcpy(tail, x, 2 * (size_t)n);
        x = tail;
    }
    s128_get8_s16(x, v);
    s128_get8_s16(x + 16, v + 2);
}

/* Eight lanes to memory. */
IPU_INLINE void s128_put8_u8(uint8_t *y, const int32x4_t *v)
{
    vst1_u8(y, vreinterpret_u8_s8(vmovn_s16(s128_words(v))));
}

IPU_INLINE void s128_put8_s16(uint8_t *y, const int32x4_t *v)
{
    vst1q_s16((int16_t *)(void *)y, s128_words(v));
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

/* Four bytes, in every lane. */
IPU_INLINE int32x4_t s128_four(const uint8_t *x)
{
    int32_t v;
    memcpy(&v, x, 4);
    return vdupq_n_s32(v);
}

#endif
