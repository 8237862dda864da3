/* 8-bit convolution and fully connected with i8mm: SUDOT multiplies bytes of mixed sign as they are. */
#include "arm.h"

#include <arm_neon.h>

typedef uint8x16_t conv_x;
#define conv_x_of(x) (x)
#define CONV_DOT(acc, w, x, lane) vsudotq_laneq_s32(acc, w, x, lane)

#include "conv_dot.h"
#include "runtime/kernels/simd/nibbles.h"

IPU_KERNEL(ipu_conv_u8_i8mm)
{
    const conv_job j = conv_start(rec, p);

    conv_run(&j, y0, y1);
}

IPU_KERNEL(ipu_conv_u8s4_i8mm)
{
    nibbles_conv_by(rec, p, y0, y1, ipu_conv_u8_i8mm);
}
