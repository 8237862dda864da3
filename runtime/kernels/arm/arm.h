/* Kernels for AArch64.  Each .c file is compiled for the instruction set of its name: NEON, which every AArch64 has, its dot products
 * (Armv8.2), or its products of bytes of mixed sign (i8mm).  Nothing here may use one. */
#ifndef IPU_ARM_H
#define IPU_ARM_H

#include "runtime/kernels/simd/simd.h"

IPU_KERNEL(ipu_conv_u8_neon);
IPU_KERNEL(ipu_conv_s16_neon);
IPU_KERNEL(ipu_depthwise_u8_neon);
IPU_KERNEL(ipu_depthwise_s16_neon);
IPU_KERNEL(ipu_conv_u8_dotprod);
IPU_KERNEL(ipu_conv_u8_i8mm);

#endif
