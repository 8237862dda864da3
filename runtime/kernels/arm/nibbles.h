/* Weights of four bits: unpacked, some output channels at a time, for the 8-bit kernels of the same instruction set.  Where the weights of 16 channels have
 * no room, the C kernel. */
#ifndef IPU_ARM_NIBBLES_H
#define IPU_ARM_NIBBLES_H

#include "runtime/kernels/simd/nibbles.h"

IPU_INLINE void nibbles_conv_by(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_kernel_fn run)
{
    const ipu_conv *r = (const ipu_conv *)rec;

    if ((ptrdiff_t)nibbles_steps(r) * NIBBLES_STEP > NIBBLES_ROOM)
        ipu_conv_u8s4_c(rec, p, y0, y1);
    else
        nibbles_conv(r, p, y0, y1, run);
}

#endif
