/* Convolution and fully connected with V, exactly: the weights of 16 output channels and one input channel are words in lanes, and a widening
 * multiply-add takes the pixel's element from an integer register.  The packed layout has the elements of a lane's input channels side by side: a
 * group is loaded as 16 lanes of 32 bits and taken apart by shifts, all with one vector length and type.
 * Sums that fit 32 bits (U8, and S16 whose shift is 0) may wrap on the way; other S16 has products of 32 by 16 bits in 64.
 * Vectors are in neither arrays nor structs: EACH repeats a line for every pixel of a function. */
#include "rvv.h"
#include "runtime/kernels/simd/conv_rows.h"
#include "runtime/kernels/simd/nibbles.h"

enum { RVV_PIXELS = 6, VL = CONV_LANES };

#define EACH_1(LINE) LINE(0)
#define EACH_2(LINE) LINE(0) LINE(1)
#define EACH_3(LINE) EACH_2(LINE) LINE(2)
#define EACH_6(LINE) EACH_3(LINE) LINE(3) LINE(4) LINE(5)

/* ---- results ---- */

/* Results v of n channels, and the residual at `add`. */
IPU_INLINE vint32m4_t conv_residual(const ipu_conv *r, const uint8_t *add, vint32m4_t v, size_t n)
{
    const vint16m2_t a = RVV(vle16_v_i16m2)((const int16_t *)(const void *)add, n);
    const vfloat32m4_t c = RVV(vfcvt_f_x_v_f32m4)(RVV(vsub_vx_i32m4)(v, r->out.zero, n), n);
    const vfloat32m4_t b = RVV(vfmul_vf_f32m4)(RVV(vfwcvt_f_x_v_f32m4)(a, n), r->m_add, n);

    return rvv_store_m4(RVV(vfadd_vv_f32m4)(RVV(vfmul_vf_f32m4)(c, r->m_conv, n), b, n), &r->sum, n);
}

/* Pixel i of the tile, channels from co on: from sums to y and, where asked for, the residual and y2, or through the table. */
static void conv_finish(const conv_job *j, const conv_tile *t, int i, int32_t co, vint32m4_t sum)
{
    const ipu_conv *r = j->r;
    const size_t n = (size_t)(r->y.c - co < VL ? r->y.c - co : VL);
    uint8_t *y = j->y + t->y[i] + (ptrdiff_t)co * ipu_type_bytes(r->y.type);
    vint32m4_t v = rvv_requant_m4(sum, RVV(vle32_v_f32m4)(j->mult + co, n), &r->out, n);

    if (j->add)
        v = conv_residual(r, j->add + t->add[i] + 2 * (ptrdiff_t)co, v, n);
    if (j->table)
        rvv_table_m4(y, v, j->table, n);
    else
        rvv_put_m4(y, v, r->y.type, n);
    if (j->y2) {
        v = RVV(vsub_vx_i32m4)(v, j->add ? r->sum.zero : r->out.zero, n);
        v = rvv_requant_m4(v, RVV(vfmv_v_f_f32m4)(r->m_y2, n), &r->out2, n);
        rvv_put_m4(j->y2 + t->y2[i] + co, v, IPU_U8, n);
    }
}

/* ---- sums ---- */

/* Pixel i's element c of the group at k, of which that many bytes exist; weights behind them are zeros. */
#define AT_U8(i, c, bytes) (int16_t)((c) < (bytes) ? q##i[k + (c)] : 0)
#define AT_S16(i, c, bytes) (int16_t)(2 * (c) < (bytes) ? ((const int16_t *)(const void *)(q##i + k))[c] : 0)

#define LANES32(w) RVV(vle32_v_i32m4)((const int32_t *)(const void *)(w), VL)
#define HALF(v, by) RVV(vnsra_wx_i16m2)(v, by, VL)
#define HIGH_BYTE(v) RVV(vsra_vx_i16m2)(v, 8, VL)
#define LOW_BYTE(v) HIGH_BYTE(RVV(vsll_vx_i16m2)(v, 8, VL))
#define MORE(i, x, w) a##i = RVV(vwmacc_vx_i32m4)(a##i, x, w, VL);

/* Four channels of U8.  bytes: of the group, as above; known at compile time but for the last. */
#define U8_0(i) MORE(i, AT_U8(i, 0, bytes), w0)
#define U8_1(i) MORE(i, AT_U8(i, 1, bytes), w1)
#define U8_2(i) MORE(i, AT_U8(i, 2, bytes), w0)
#define U8_3(i) MORE(i, AT_U8(i, 3, bytes), w1)
#define GROUP_U8(EACH, BYTES)                                             \
    {                                                                     \
        const int bytes = BYTES;                                          \
        const vint32m4_t four = LANES32(w);                               \
        vint16m2_t two = HALF(four, 0), w0 = LOW_BYTE(two), w1 = HIGH_BYTE(two); \
        EACH(U8_0) EACH(U8_1)                                             \
        two = HALF(four, 16), w0 = LOW_BYTE(two), w1 = HIGH_BYTE(two);    \
        EACH(U8_2) EACH(U8_3)                                             \
    }

/* Two channels of S16. */
#define S16_0(i) MORE(i, AT_S16(i, 0, bytes), w0)
#define S16_1(i) MORE(i, AT_S16(i, 1, bytes), w1)
#define GROUP_S16(EACH, BYTES)                                    \
    {                                                             \
        const int bytes = BYTES;                                  \
        const vint32m4_t two = LANES32(w);                        \
        const vint16m2_t w0 = HALF(two, 0), w1 = HALF(two, 16);   \
        EACH(S16_0) EACH(S16_1)                                   \
    }

/* The same in 64 bits. */
#define MORE64(i, x, w) a##i = RVV(vwmacc_vx_i64m8)(a##i, x, w, VL);
#define WIDE_0(i) MORE64(i, AT_S16(i, 0, bytes), w0)
#define WIDE_1(i) MORE64(i, AT_S16(i, 1, bytes), w1)
#define GROUP_WIDE(EACH, BYTES)                                                                                      \
    {                                                                                                                \
        const int bytes = BYTES;                                                                                     \
        const vint32m4_t two = LANES32(w);                                                                           \
        const vint32m4_t w0 = RVV(vsra_vx_i32m4)(RVV(vsll_vx_i32m4)(two, 16, VL), 16, VL), w1 = RVV(vsra_vx_i32m4)(two, 16, VL); \
        EACH(WIDE_0) EACH(WIDE_1)                                                                                    \
    }

IPU_INLINE vint32m4_t bias_u8(const conv_job *j, int32_t co)
{
    return RVV(vle32_v_i32m4)((const int32_t *)j->bias + co, VL);
}

/* The low halves are enough. */
IPU_INLINE vint32m4_t bias_s16(const conv_job *j, int32_t co)
{
    return RVV(vnsra_wx_i32m4)(RVV(vle64_v_i64m8)((const int64_t *)j->bias + co, VL), 0, VL);
}

/* With what ipu_narrow adds. */
IPU_INLINE vint64m8_t bias_wide(const conv_job *j, int32_t co)
{
    return RVV(vadd_vx_i64m8)(RVV(vle64_v_i64m8)((const int64_t *)j->bias + co, VL), (int64_t)1 << (j->r->shift - 1), VL);
}

IPU_INLINE vint32m4_t narrow_wide(const conv_job *j, vint64m8_t sum)
{
    return RVV(vnsra_wx_i32m4)(sum, (size_t)j->r->shift, VL);
}

/* NAME_P: pixels [at, at + P) of the tile, 16 output channels from co on. */
#define PIXEL_TAP(i) const uint8_t *q##i = q[i];
#define CONV_PIXELS(NAME, P, ACC, GROUP, BIAS, BEGIN, END)                                          \
    static void NAME##_##P(const conv_job *j, const conv_tile *t, int at, int32_t co)               \
    {                                                                                               \
        const int8_t *w = j->w + co / CONV_LANES * j->block;                                        \
        const ACC bias = BIAS(j, co);                                                               \
        const uint8_t *q[P];                                                                        \
        EACH_##P(BEGIN)                                                                             \
        for (int32_t ky = 0; ky < j->r->kh; ky++)                                                   \
            for (int32_t kx = 0; kx < j->r->kw; kx++) {                                             \
                int32_t k = 0;                                                                      \
                conv_taps(j, t, at, ky, kx, q, P);                                                  \
                EACH_##P(PIXEL_TAP)                                                                 \
                for (; k < 4 * j->full; k += 4, w += 64)                                            \
                    GROUP(EACH_##P, 4)                                                              \
                if (j->tail) {                                                                      \
                    GROUP(EACH_##P, j->tail)                                                        \
                    w += 64;                                                                        \
                }                                                                                   \
            }                                                                                       \
        EACH_##P(END)                                                                               \
    }

#define BEGIN_32(i) vint32m4_t a##i = bias;
#define END_32(i) conv_finish(j, t, at + i, co, a##i);
#define BEGIN_64(i) vint64m8_t a##i = bias;
#define END_64(i) conv_finish(j, t, at + i, co, narrow_wide(j, a##i));

CONV_PIXELS(conv_u8, 1, vint32m4_t, GROUP_U8, bias_u8, BEGIN_32, END_32)
CONV_PIXELS(conv_u8, 3, vint32m4_t, GROUP_U8, bias_u8, BEGIN_32, END_32)
CONV_PIXELS(conv_u8, 6, vint32m4_t, GROUP_U8, bias_u8, BEGIN_32, END_32)
CONV_PIXELS(conv_s16, 1, vint32m4_t, GROUP_S16, bias_s16, BEGIN_32, END_32)
CONV_PIXELS(conv_s16, 3, vint32m4_t, GROUP_S16, bias_s16, BEGIN_32, END_32)
CONV_PIXELS(conv_s16, 6, vint32m4_t, GROUP_S16, bias_s16, BEGIN_32, END_32)
CONV_PIXELS(conv_wide, 1, vint64m8_t, GROUP_WIDE, bias_wide, BEGIN_64, END_64)
CONV_PIXELS(conv_wide, 2, vint64m8_t, GROUP_WIDE, bias_wide, BEGIN_64, END_64)

#define CONV_TILE_FN(NAME, MANY, SOME)                                                                             \
    static void NAME##_tile(const conv_job *j, const struct conv_store *s, const conv_tile *t, int n, int32_t co)  \
    {                                                                                                              \
        int at = 0;                                                                                                \
        (void)s;                                                                                                   \
        for (; at + MANY <= n; at += MANY)                                                                         \
            NAME##_##MANY(j, t, at, co);                                                                           \
        for (; at + SOME <= n; at += SOME)                                                                         \
            NAME##_##SOME(j, t, at, co);                                                                           \
        for (; at < n; at++)                                                                                       \
            NAME##_1(j, t, at, co);                                                                                \
    }
CONV_TILE_FN(conv_u8, 6, 3)
CONV_TILE_FN(conv_s16, 6, 3)
CONV_TILE_FN(conv_wide, 2, 1)

/* ---- the whole ---- */

IPU_KERNEL(ipu_conv_u8_rvv)
{
    const conv_job j = conv_start(rec, p);

    conv_all(&j, &(const conv_body){ conv_u8_tile, NULL, 2 * RVV_PIXELS }, y0, y1);
}

IPU_KERNEL(ipu_conv_s16_rvv)
{
    const conv_job j = conv_start(rec, p);

    conv_all(&j, &(const conv_body){ j.r->shift ? conv_wide_tile : conv_s16_tile, NULL, 2 * RVV_PIXELS }, y0, y1);
}

/* ---- weights of four bits ---- */

IPU_KERNEL(ipu_conv_u8s4_rvv)
{
    nibbles_conv_by(rec, p, y0, y1, ipu_conv_u8_rvv);
}

IPU_KERNEL(ipu_depthwise_u8s4_rvv)
{
    nibbles_depthwise(rec, p, y0, y1, ipu_depthwise_u8_rvv);
}
