/* fixed.h for lanes of V, and stores of 32-bit results as U8 and S16: vl lanes, in groups of four or eight registers. */
#ifndef IPU_RISCV_RVV_H
#define IPU_RISCV_RVV_H

#include "riscv.h"

#include <riscv_vector.h>

/* The intrinsics' names have a prefix since version 0.11. */
#if defined(__riscv_v_intrinsic) && __riscv_v_intrinsic >= 11000
#define RVV(name) __riscv_##name
#else
#define RVV(name) name
#endif

/* For groups of 32-bit lanes M, halves of them H and quarters Q:
 *   rvv_store_M      ipu_store; vfmax and vfmin give the bound where the other is a NaN, and conversions round to nearest even
 *   rvv_requant_M    ipu_requant
 *   rvv_put_M        lanes to y as U8 or S16; they fit
 *   rvv_table_M      the table's bytes for them to y */
#define RVV_RESULTS(M, H, Q)                                                                                        \
    IPU_INLINE vint32##M##_t rvv_store_##M(vfloat32##M##_t g, const ipu_out *o, size_t vl)                          \
    {                                                                                                               \
        g = RVV(vfmin_vf_f32##M)(RVV(vfmax_vf_f32##M)(g, o->lo, vl), o->hi, vl);                                    \
        return RVV(vadd_vx_i32##M)(RVV(vfcvt_x_f_v_i32##M)(g, vl), o->zero, vl);                                    \
    }                                                                                                               \
    IPU_INLINE vint32##M##_t rvv_requant_##M(vint32##M##_t acc, vfloat32##M##_t m, const ipu_out *o, size_t vl)     \
    {                                                                                                               \
        return rvv_store_##M(RVV(vfmul_vv_f32##M)(RVV(vfcvt_f_x_v_f32##M)(acc, vl), m, vl), o, vl);                 \
    }                                                                                                               \
    IPU_INLINE void rvv_put_##M(uint8_t *y, vint32##M##_t v, int type, size_t vl)                                   \
    {                                                                                                               \
        const vint16##H##_t w = RVV(vncvt_x_x_w_i16##H)(v, vl);                                                     \
        if (type == IPU_U8)                                                                                         \
            RVV(vse8_v_i8##Q)((int8_t *)y, RVV(vncvt_x_x_w_i8##Q)(w, vl), vl);                                      \
        else                                                                                                        \
            RVV(vse16_v_i16##H)((int16_t *)(void *)y, w, vl);                                                       \
    }                                                                                                               \
    IPU_INLINE void rvv_table_##M(uint8_t *y, vint32##M##_t v, const uint8_t *table, size_t vl)                     \
    {                                                                                                               \
        const vuint16##H##_t at = RVV(vreinterpret_v_i16##H##_u16##H)(RVV(vncvt_x_x_w_i16##H)(v, vl));              \
        RVV(vse8_v_u8##Q)(y, RVV(vluxei16_v_u8##Q)(table, at, vl), vl);                                             \
    }
RVV_RESULTS(m4, m2, m1)
RVV_RESULTS(m8, m4, m2)

#endif
