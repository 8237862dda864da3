/* Convolution of U8 on words that are widened beforehand. */
#ifndef IPU_X86_CONV_WORDS_AVX2_H
#define IPU_X86_CONV_WORDS_AVX2_H

#include "conv.h"

/* Computes rows [y0, y1) of n*h; zero, and nothing done, where there are too few pixels or too long sums for it.
 * Takes 300 KiB of stack. */
int ipu_conv_words_avx2(const conv_job *j, int32_t y0, int32_t y1);

#endif
