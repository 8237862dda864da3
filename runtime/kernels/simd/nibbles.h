/* Weights of four bits as bytes: where each serves for pixels enough they are unpacked beforehand, and the 8-bit kernel does the rest. */
#ifndef IPU_SIMD_NIBBLES_H
#define IPU_SIMD_NIBBLES_H

#include "conv_narrow.h"

/* n pairs of weights: the lower ones to `even`, the upper ones, unless that is NULL, to `odd`. */
IPU_INLINE void nibbles_apart(const uint8_t *two, int32_t n, int8_t *even, int8_t *odd)
{
    for (int32_t i = 0; i < n; i++)
        even[i] = (int8_t)(((two[i] & 15) ^ 8) - 8);
    for (int32_t i = 0; i < n && odd; i++)
        odd[i] = (int8_t)((two[i] >> 4 ^ 8) - 8);
}

/* ---- convolutions ---- */

enum {
    NIBBLES_STEP = 4 * CONV_LANES,
    NIBBLES_FEW = 32,           /* pixels: with fewer, unpacking beforehand does not pay */
    NIBBLES_ROOM = NARROW_WEIGHTS * 4 /* whole groups of four channels are at most four times as many bytes */
};

IPU_INLINE int32_t nibbles_steps(const ipu_conv *r)
{
    return r->kh * r->kw * ((r->x.c + 3) / 4);
}

/* Bytes of a block of 16 output channels, packed. */
IPU_INLINE ptrdiff_t nibbles_block(const ipu_conv *r)
{
    return ((ptrdiff_t)nibbles_steps(r) + 1) / 2 * NIBBLES_STEP;
}

/* Whether those rows are better done with bytes: so many pixels of sums of fewer than `least` products, 512 at most; of longer ones the unpacking on the way
 * is a small part.  Then the weights of a block of outputs have room. */
IPU_INLINE int nibbles_pay(const ipu_conv *r, int32_t rows, int32_t least)
{
    return conv_is_narrow(r) || ((int64_t)r->kh * r->kw * r->x.c < least && (int64_t)rows * r->y.w >= NIBBLES_FEW);
}

/* One block as bytes. */
static void nibbles_unpack(const ipu_conv *r, const uint8_t *two, int8_t *to)
{
    const int32_t steps = nibbles_steps(r);

    for (int32_t k = 0; k < steps; k += 2, two += NIBBLES_STEP, to += 2 * NIBBLES_STEP)
        nibbles_apart(two, NIBBLES_STEP, to, k + 1 < steps ? to + NIBBLES_STEP : NULL);
}

/* Output channels [c, c + n) of the record, c a multiple of 16, as one of bytes with weights w. */
IPU_INLINE void nibbles_channels(const ipu_conv *r, void *const p[], int32_t c, int32_t n, int8_t *w, ipu_conv *bytes, void **q)
{
    *bytes = *r;
    bytes->head.kind = IPU_CONV_U8;
    bytes->y.c = bytes->add.c = bytes->y2.c = n;
    memcpy(q, p, IPU_MAX_REF * sizeof *q);
    q[0] = (uint8_t *)p[0] + (ptrdiff_t)c * r->y.step;
    q[2] = w;
    q[3] = (int32_t *)p[3] + c;
    q[4] = (float *)p[4] + c;
    q[IPU_CONV_ADD] = p[IPU_CONV_ADD] ? (int16_t *)p[IPU_CONV_ADD] + c : NULL;
    q[IPU_CONV_Y2] = p[IPU_CONV_Y2] ? (uint8_t *)p[IPU_CONV_Y2] + c : NULL;
}

/* Rows [y0, y1) by the 8-bit kernel `run`, as many output channels at a time as there is room for. */
static void nibbles_conv(const ipu_conv *r, void *const p[], int32_t y0, int32_t y1, ipu_kernel_fn run)
{
    const int32_t block = nibbles_steps(r) * NIBBLES_STEP, most = NIBBLES_ROOM / block * CONV_LANES;
    const uint8_t *two = p[2];
    _Alignas(4) int8_t w[NIBBLES_ROOM]; /* kernels may read the four channels of an output as a word */
    void *q[IPU_MAX_REF];
    ipu_conv bytes;

    for (int32_t c = 0, n; c < r->y.c; c += n) {
        n = r->y.c - c < most ? r->y.c - c : most;
        for (int32_t k = 0; k < n; k += CONV_LANES, two += nibbles_block(r))
            nibbles_unpack(r, two, w + k / CONV_LANES * block);
        nibbles_channels(r, p, c, n, w, &bytes, q);
        run(&bytes.head, q, y0, y1);
    }
}

/* The same; where the weights of 16 channels have no room, by the C kernel. */
IPU_INLINE void nibbles_conv_by(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_kernel_fn run)
{
    const ipu_conv *r = (const ipu_conv *)rec;

    if ((ptrdiff_t)nibbles_steps(r) * NIBBLES_STEP > NIBBLES_ROOM)
        ipu_conv_u8s4_c(rec, p, y0, y1);
    else
        nibbles_conv(r, p, y0, y1, run);
}

/* ---- depthwise ---- */

/* Channels [c, c + n) of the record as one of bytes; w: their weights, unpacked. */
IPU_INLINE void nibbles_slice(const ipu_depthwise *r, void *const p[], int32_t c, int32_t n, int8_t *w, ipu_depthwise *bytes, void **q)
{
    const int32_t taps = r->kh * r->kw, plane = (r->x.c + 15) & ~15, own = (n + 15) & ~15;
    const uint8_t *two = (const uint8_t *)p[2] + c;

    for (int32_t k = 0; k < taps; k += 2, two += plane)
        nibbles_apart(two, own, w + k * own, k + 1 < taps ? w + (k + 1) * own : NULL);
    *bytes = *r;
    bytes->head.kind = IPU_DEPTHWISE_U8;
    bytes->x.c = bytes->y.c = n;
    q[0] = (uint8_t *)p[0] + (ptrdiff_t)c * r->y.step;
    q[1] = (uint8_t *)p[1] + c;
    q[2] = w;
    q[3] = (int32_t *)p[3] + c;
    q[4] = (float *)p[4] + c;
    q[5] = (uint8_t *)p[5] + c;
    q[6] = p[6];
}

/* Rows [y0, y1) by the 8-bit kernel `run`, some channels at a time. */
IPU_INLINE void nibbles_depthwise(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_kernel_fn run)
{
    enum { ROOM = 16 << 10 };
    const ipu_depthwise *r = (const ipu_depthwise *)rec;
    const int32_t taps = r->kh * r->kw, most = ROOM / taps & ~15;
    int8_t w[ROOM];
    void *q[IPU_MAX_REF];
    ipu_depthwise bytes;

    if (!most) {
        ipu_depthwise_u8s4_c(rec, p, y0, y1);
        return;
    }
    for (int32_t c = 0, n; c < r->x.c; c += n) {
        n = r->x.c - c < most ? r->x.c - c : most;
        nibbles_slice(r, p, c, n, w, &bytes, q);
        run(&bytes.head, q, y0, y1);
    }
}

#endif
