/* 8-bit convolution and fully connected with dot products of signed bytes: 128 is taken off the activations, and what the weights make of it is
 * added to the bias, once for all pixels of a call. */
#include "arm.h"

#include <arm_neon.h>

typedef int8x16_t conv_x;
#define conv_x_of(x) vreinterpretq_s8_u8(veorq_u8(x, vdupq_n_u8(128)))
#define CONV_DOT(acc, w, x, lane) vdotq_laneq_s32(acc, w, x, lane)

#include "conv_dot.h"
#include "runtime/kernels/simd/nibbles.h"

enum { DOT_CHANNELS = 512 }; /* whose biases have room */

/* bias + 128 times the sum of all weights, of 16 output channels; may wrap as the sums may. */
static void conv_lift(const conv_job *j, int32_t co, int32_t *to)
{
    const int8_t *w = j->w + co / CONV_LANES * j->block;
    const int8x16_t one = vdupq_n_s8(1);
    int32x4_t sum[4] = { vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0) };

    for (ptrdiff_t k = 0; k < j->block; k += 64)
        IPU_UNROLL for (int v = 0; v < 4; v++) sum[v] = vdotq_s32(sum[v], vld1q_s8(w + k + 16 * v), one);
    IPU_UNROLL for (int v = 0; v < 4; v++)
        vst1q_s32(to + 4 * v, vaddq_s32(vld1q_s32((const int32_t *)j->bias + co + 4 * v), vshlq_n_s32(sum[v], 7)));
}

/* The job of output channels [co, co + r->y.c) alone, whose record is r. */
static conv_job conv_window(const conv_job *j, const ipu_conv *r, int32_t co)
{
    conv_job some = *j;

    some.r = r;
    some.w = j->w + co / CONV_LANES * j->block;
    some.mult = j->mult + co;
    some.y = j->y + (ptrdiff_t)co * r->y.step;
    some.add = j->add ? j->add + (ptrdiff_t)co * r->add.step : NULL;
    some.y2 = j->y2 ? j->y2 + co : NULL;
    return some;
}

IPU_KERNEL(ipu_conv_u8_dotprod)
{
    const conv_job j = conv_start(rec, p);
    ipu_conv r = *j.r;
    int32_t bias[DOT_CHANNELS];

    for (int32_t co = 0; co < j.r->y.c; co += DOT_CHANNELS) {
        r.y.c = j.r->y.c - co < DOT_CHANNELS ? j.r->y.c - co : DOT_CHANNELS;
        conv_job some = conv_window(&j, &r, co);
        for (int32_t c = 0; c < r.y.c; c += CONV_LANES)
            conv_lift(&j, co + c, bias + c);
        some.bias = bias;
        conv_run(&some, y0, y1);
    }
}

IPU_KERNEL(ipu_conv_u8s4_dotprod)
{
    nibbles_conv_by(rec, p, y0, y1, ipu_conv_u8_dotprod);
}
