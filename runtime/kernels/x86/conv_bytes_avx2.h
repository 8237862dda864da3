/* Convolution on bytes, by products that are added in words. */
#ifndef IPU_X86_CONV_BYTES_AVX2_H
#define IPU_X86_CONV_BYTES_AVX2_H

#include "runtime/kernels/simd/conv.h"

/* Computes rows [y0, y1) of n*h; zero, and nothing done, where there are too few pixels or too many products of one.
 * Takes 200 KiB of stack. */
int ipu_conv_bytes_avx2(const conv_job *j, int32_t y0, int32_t y1);

#endif
