/* What the convolutions in C and those with DSP instructions share. */
#ifndef IPU_KERNELS_CONV_H
#define IPU_KERNELS_CONV_H

#include "common.h"

#define IPU_CONV_BLOCK 16 /* output channels of a packed block */

/* Up to 16 sums of one pixel, from channel c on, to y (and the residual, and y2), or through the table. */
void ipu_conv_finish(const ipu_conv *o, void *const p[], int32_t y, int32_t x, int32_t c, const int32_t *sum);

#endif
