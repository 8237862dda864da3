/* Convolution and fully connected with NEON, exactly.  Sums that fit 32 bits (U8, and S16 whose shift is 0): the weights of 16 output channels and one
 * input channel are words in two vectors, and SMLAL adds their products with a lane of the pixel's words.  Other S16: SMULL makes products of
 * pairs of input channels, SADALP adds each pair to a sum of 64 bits. */
#include "conv_store_neon.h"
#include "runtime/kernels/simd/nibbles.h"

enum { NEON_PIXELS = 4, WIDE_PIXELS = 2 }; /* whose sums are in registers */

/* ---- 32 bits ---- */

/* acc[P] += the two vectors of weights times one lane of x[P] */
#define CONV_LANE(acc, w0, w1, x, lane, P)                                          \
    IPU_UNROLL for (int i = 0; i < (P); i++)                                        \
    {                                                                               \
        (acc)[i][0] = vmlal_laneq_s16((acc)[i][0], vget_low_s16(w0), (x)[i], lane); \
        (acc)[i][1] = vmlal_high_laneq_s16((acc)[i][1], w0, (x)[i], lane);          \
        (acc)[i][2] = vmlal_laneq_s16((acc)[i][2], vget_low_s16(w1), (x)[i], lane); \
        (acc)[i][3] = vmlal_high_laneq_s16((acc)[i][3], w1, (x)[i], lane);          \
    }

/* A group of four input channels in bytes, lanes `lane` to `lane` + 3. */
#define CONV_GROUP_U8(acc, x, w, lane, P)                                                              \
    {                                                                                                  \
        const int8x16x4_t g = vld4q_s8(w);                                                             \
        CONV_LANE(acc, vmovl_s8(vget_low_s8(g.val[0])), vmovl_high_s8(g.val[0]), x, (lane), P)         \
        CONV_LANE(acc, vmovl_s8(vget_low_s8(g.val[1])), vmovl_high_s8(g.val[1]), x, (lane) + 1, P)     \
        CONV_LANE(acc, vmovl_s8(vget_low_s8(g.val[2])), vmovl_high_s8(g.val[2]), x, (lane) + 2, P)     \
        CONV_LANE(acc, vmovl_s8(vget_low_s8(g.val[3])), vmovl_high_s8(g.val[3]), x, (lane) + 3, P)     \
    }

/* A group of two in words. */
#define CONV_GROUP_S16(acc, x, w, lane, P)                                                                       \
    {                                                                                                            \
        const int16x8x2_t g0 = vld2q_s16((const int16_t *)(const void *)(w));                                    \
        const int16x8x2_t g1 = vld2q_s16((const int16_t *)(const void *)((w) + 32));                             \
        CONV_LANE(acc, g0.val[0], g1.val[0], x, (lane), P)                                                       \
        CONV_LANE(acc, g0.val[1], g1.val[1], x, (lane) + 1, P)                                                   \
    }

/* Eight elements of x in words; of the first group alone, `bytes` long. */
IPU_INLINE int16x8_t conv_eight(const uint8_t *q, const int type)
{
    return type == IPU_U8 ? vreinterpretq_s16_u16(vmovl_u8(vld1_u8(q))) : vld1q_s16((const int16_t *)(const void *)q);
}

IPU_INLINE int16x8_t conv_one_group(const uint8_t *q, int bytes, const int type)
{
    const int32x4_t v = bytes == 4 ? s128_four(q) : vdupq_n_s32(conv_bytes(q, bytes));

    return type == IPU_U8 ? vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_s32(vget_low_s32(v)))) : vreinterpretq_s16_s32(v);
}

/* One group of each pixel, of which `bytes` bytes may be read. */
IPU_INLINE void conv_group(int32x4_t (*acc)[4], const uint8_t *const *q, int32_t k, int bytes, const int8_t *w, const int P, const int type)
{
    int16x8_t x[NEON_PIXELS];

    IPU_UNROLL for (int i = 0; i < P; i++) x[i] = conv_one_group(q[i] + k, bytes, type);
    if (type == IPU_U8)
        CONV_GROUP_U8(acc, x, w, 0, P)
    else
        CONV_GROUP_S16(acc, x, w, 0, P)
}

/* Eight input channels. */
IPU_INLINE void conv_groups(int32x4_t (*acc)[4], const uint8_t *const *q, int32_t k, const int8_t *w, const int P, const int type)
{
    int16x8_t x[NEON_PIXELS];

    IPU_UNROLL for (int i = 0; i < P; i++) x[i] = conv_eight(q[i] + k, type);
    if (type == IPU_U8) {
        CONV_GROUP_U8(acc, x, w, 0, P)
        CONV_GROUP_U8(acc, x, w + 64, 4, P)
    } else {
        CONV_GROUP_S16(acc, x, w, 0, P)
        CONV_GROUP_S16(acc, x, w + 64, 2, P)
        CONV_GROUP_S16(acc, x, w + 128, 4, P)
        CONV_GROUP_S16(acc, x, w + 192, 6, P)
    }
}

IPU_INLINE void conv_sum(const conv_job *j, const conv_tile *t, int at, const int8_t *w, int32x4_t (*acc)[4], const int P, const int type)
{
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full), eight = 8 * ipu_type_bytes(type);
    const uint8_t *q[NEON_PIXELS];

    for (int32_t ky = 0; ky < j->r->kh; ky++)
        for (int32_t kx = 0; kx < j->r->kw; kx++) {
            int32_t k = 0;
            conv_taps(j, t, at, ky, kx, q, P);
            for (; k + eight <= whole; k += eight, w += 16 * eight)
                conv_groups(acc, q, k, w, P, type);
            for (; k < whole; k += 4, w += 64)
                conv_group(acc, q, k, 4, w, P, type);
            if (j->tail && !t->inside) {
                conv_group(acc, q, k, j->tail, w, P, type);
                w += 64;
            }
        }
}

/* Four biases; of S16 whose sums fit 32 bits the low halves are enough. */
IPU_INLINE int32x4_t conv_bias(const conv_job *j, int32_t c, const int type)
{
    const int64_t *wide = (const int64_t *)j->bias + c;

    if (type == IPU_U8)
        return vld1q_s32((const int32_t *)j->bias + c);
    return vcombine_s32(vmovn_s64(vld1q_s64(wide)), vmovn_s64(vld1q_s64(wide + 2)));
}

IPU_INLINE void conv_pixels(const conv_job *j, const conv_store *s, const conv_tile *t, int at, int32_t co, const int P, const int type)
{
    int32x4_t acc[NEON_PIXELS][4];

    IPU_UNROLL for (int v = 0; v < 4; v++)
    {
        const int32x4_t bias = conv_bias(j, co + 4 * v, type);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i][v] = bias;
    }
    conv_sum(j, t, at, j->w + co / CONV_LANES * j->block, acc, P, type);
    conv_finish_all(j, s, t, at, co, acc, P);
}

#define CONV_TILE_FN(NAME, TYPE)                                                                                   \
    static void NAME(const conv_job *j, const conv_store *s, const conv_tile *t, int n, int32_t co)                \
    {                                                                                                              \
        int at = 0;                                                                                                \
        for (; at + 4 <= n; at += 4)                                                                               \
            conv_pixels(j, s, t, at, co, 4, TYPE);                                                                 \
        for (; at + 2 <= n; at += 2)                                                                               \
            conv_pixels(j, s, t, at, co, 2, TYPE);                                                                 \
        if (at < n)                                                                                                \
            conv_pixels(j, s, t, at, co, 1, TYPE);                                                                 \
    }
CONV_TILE_FN(conv_tile_u8, IPU_U8)
CONV_TILE_FN(conv_tile_s16, IPU_S16)

/* ---- 64 bits ---- */

/* One pair of input channels, the pixel's in every pair of lanes: 16 sums in order. */
IPU_INLINE void wide_step(int64x2_t *acc, int16x8_t x, const int16x8_t *w)
{
    IPU_UNROLL for (int v = 0; v < 4; v++)
    {
        acc[2 * v] = vpadalq_s32(acc[2 * v], vmull_s16(vget_low_s16(x), vget_low_s16(w[v])));
        acc[2 * v + 1] = vpadalq_s32(acc[2 * v + 1], vmull_high_s16(x, w[v]));
    }
}

IPU_INLINE void wide_pair(int64x2_t (*acc)[8], const uint8_t *const *q, int32_t k, int bytes, const int8_t *w, const int P)
{
    int16x8_t wv[4];

    IPU_UNROLL for (int v = 0; v < 4; v++) wv[v] = vld1q_s16((const int16_t *)(const void *)(w + 16 * v));
    IPU_UNROLL for (int i = 0; i < P; i++)
        wide_step(acc[i], conv_one_group(q[i] + k, bytes, IPU_S16), wv);
}

IPU_INLINE void wide_sum(const conv_job *j, const conv_tile *t, int at, const int8_t *w, int64x2_t (*acc)[8], const int P)
{
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const uint8_t *q[WIDE_PIXELS];

    for (int32_t ky = 0; ky < j->r->kh; ky++)
        for (int32_t kx = 0; kx < j->r->kw; kx++) {
            conv_taps(j, t, at, ky, kx, q, P);
            for (int32_t k = 0; k < whole; k += 4, w += 64)
                wide_pair(acc, q, k, 4, w, P);
            if (j->tail && !t->inside) {
                wide_pair(acc, q, whole, j->tail, w, P);
                w += 64;
            }
        }
}

/* ipu_narrow of four sums: SRSHL rounds before it shifts. */
IPU_INLINE int32x4_t wide_narrow(const int64x2_t *acc, int32_t shift)
{
    const int64x2_t by = vdupq_n_s64(-shift);

    return vcombine_s32(vmovn_s64(vrshlq_s64(acc[0], by)), vmovn_s64(vrshlq_s64(acc[1], by)));
}

IPU_INLINE void wide_pixels(const conv_job *j, const conv_store *s, const conv_tile *t, int at, int32_t co, const int P)
{
    int64x2_t acc[WIDE_PIXELS][8];
    int32x4_t sum[WIDE_PIXELS][4];

    IPU_UNROLL for (int v = 0; v < 8; v++)
    {
        const int64x2_t bias = vld1q_s64((const int64_t *)j->bias + co + 2 * v);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i][v] = bias;
    }
    wide_sum(j, t, at, j->w + co / CONV_LANES * j->block, acc, P);
    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int h = 0; h < 4; h++) sum[i][h] = wide_narrow(acc[i] + 2 * h, j->r->shift);
    }
    conv_finish_all(j, s, t, at, co, sum, P);
}

static void conv_tile_wide(const conv_job *j, const conv_store *s, const conv_tile *t, int n, int32_t co)
{
    int at = 0;

    for (; at + WIDE_PIXELS <= n; at += WIDE_PIXELS)
        wide_pixels(j, s, t, at, co, WIDE_PIXELS);
    if (at < n)
        wide_pixels(j, s, t, at, co, 1);
}

/* ---- the whole ---- */

IPU_KERNEL(ipu_conv_u8_neon)
{
    const conv_job j = conv_start(rec, p);
    const conv_store s = conv_store_of(&j);

    conv_all(&j, &(const conv_body){ conv_tile_u8, &s, 2 * NEON_PIXELS }, y0, y1);
}

IPU_KERNEL(ipu_conv_s16_neon)
{
    const conv_job j = conv_start(rec, p);
    const conv_store s = conv_store_of(&j);

    conv_all(&j, &(const conv_body){ j.r->shift ? conv_tile_wide : conv_tile_s16, &s, 2 * NEON_PIXELS }, y0, y1);
}

/* ---- weights of four bits ---- */

IPU_KERNEL(ipu_conv_u8s4_neon)
{
    nibbles_conv_by(rec, p, y0, y1, ipu_conv_u8_neon);
}

IPU_KERNEL(ipu_depthwise_u8s4_neon)
{
    nibbles_depthwise(rec, p, y0, y1, ipu_depthwise_u8_neon);
}
