/* 8-bit convolution and fully connected by instructions that add four products of bytes to each lane: the weights' own layout, 16 output by 4 input
 * channels, is four vectors of them, and a lane of 16 input channels of a pixel meets all four.
 *
 * The file that includes this defines
 *   conv_x         16 input channels of a pixel as they are multiplied
 *   conv_x_of      makes them of 16 bytes
 *   CONV_DOT(acc, w, x, lane)     acc += w times one lane of x
 * Sums may wrap on the way; the total is exact (ARITHMETIC.md 4). */
#ifndef IPU_ARM_CONV_DOT_H
#define IPU_ARM_CONV_DOT_H

#include "conv_store_neon.h"

enum { DOT_PIXELS = 6 }; /* whose sums are in registers: 24 of 32 */

/* Four input channels, lane `lane` of each pixel's x: 16 output channels. */
#define CONV_STEP(acc, x, w, lane, P)                                                               \
    IPU_UNROLL for (int v = 0; v < 4; v++)                                                          \
    {                                                                                               \
        const int8x16_t wv = vld1q_s8((w) + 64 * (lane) + 16 * v);                                  \
        IPU_UNROLL for (int i = 0; i < (P); i++) (acc)[i][v] = CONV_DOT((acc)[i][v], wv, (x)[i], lane); \
    }

IPU_INLINE void conv_sixteen(int32x4_t (*acc)[4], const uint8_t *const *q, int32_t k, const int8_t *w, const int P)
{
    conv_x x[DOT_PIXELS];

    IPU_UNROLL for (int i = 0; i < P; i++) x[i] = conv_x_of(vld1q_u8(q[i] + k));
    CONV_STEP(acc, x, w, 0, P)
    CONV_STEP(acc, x, w, 1, P)
    CONV_STEP(acc, x, w, 2, P)
    CONV_STEP(acc, x, w, 3, P)
}

/* bytes: of the group, 4 where as many may be read. */
IPU_INLINE void conv_four(int32x4_t (*acc)[4], const uint8_t *const *q, int32_t k, int bytes, const int8_t *w, const int P)
{
    conv_x x[DOT_PIXELS];

    IPU_UNROLL for (int i = 0; i < P; i++)
        x[i] = conv_x_of(vreinterpretq_u8_s32(bytes == 4 ? s128_four(q[i] + k) : vdupq_n_s32(conv_bytes(q[i] + k, bytes))));
    CONV_STEP(acc, x, w, 0, P)
}

IPU_INLINE void conv_sum(const conv_job *j, const conv_tile *t, int at, const int8_t *w, int32x4_t (*acc)[4], const int P)
{
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const uint8_t *q[DOT_PIXELS];

    for (int32_t ky = 0; ky < j->r->kh; ky++)
        for (int32_t kx = 0; kx < j->r->kw; kx++) {
            int32_t k = 0;
            conv_taps(j, t, at, ky, kx, q, P);
            for (; k + 16 <= whole; k += 16, w += 256)
                conv_sixteen(acc, q, k, w, P);
            for (; k < whole; k += 4, w += 64)
                conv_four(acc, q, k, 4, w, P);
            if (j->tail && !t->inside) {
                conv_four(acc, q, k, j->tail, w, P);
                w += 64;
            }
        }
}

IPU_INLINE void conv_pixels(const conv_job *j, const conv_store *s, const conv_tile *t, int at, int32_t co, const int P)
{
    int32x4_t acc[DOT_PIXELS][4];

    IPU_UNROLL for (int v = 0; v < 4; v++)
    {
        const int32x4_t bias = vld1q_s32((const int32_t *)j->bias + co + 4 * v);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i][v] = bias;
    }
    conv_sum(j, t, at, j->w + co / CONV_LANES * j->block, acc, P);
    conv_finish_all(j, s, t, at, co, acc, P);
}

static void conv_tile_run(const conv_job *j, const conv_store *s, const conv_tile *t, int n, int32_t co)
{
    int at = 0;

    for (; at + 6 <= n; at += 6)
        conv_pixels(j, s, t, at, co, 6);
    for (; at + 3 <= n; at += 3)
        conv_pixels(j, s, t, at, co, 3);
    for (; at < n; at++)
        conv_pixels(j, s, t, at, co, 1);
}

static void conv_run(const conv_job *j, int32_t y0, int32_t y1)
{
    const conv_store s = conv_store_of(j);

    conv_all(j, &(const conv_body){ conv_tile_run, &s, 2 * DOT_PIXELS }, y0, y1);
}

#endif
