/* Convolution on words, with sums of 32 bits. */
#ifndef IPU_X86_CONV_WORDS_AVX2_H
#define IPU_X86_CONV_WORDS_AVX2_H

#include "runtime/kernels/simd/conv.h"

/* Computes rows [y0, y1) of n*h; zero, and nothing done, where there are too few pixels, too long
 * sums, or sums of more than 32 bits.
 * Takes 300 KiB of stack. */
int ipu_conv_words_avx2(const conv_job *j, int32_t y0, int32_t y1);

#endif
