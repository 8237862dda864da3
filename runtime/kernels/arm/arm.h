/* Kernels for AArch64.  Each .c file is compiled for the instruction set of its name: NEON, which every AArch64 has, its dot products
 * (Armv8.2), or its products of bytes of mixed sign (i8mm).  Nothing here may use one. */
#ifndef IPU_ARM_H
#define IPU_ARM_H

#include "runtime/kernels/simd/simd.h"

IPU_KERNEL(ipu_conv_u8_neon);
IPU_KERNEL(ipu_conv_u8s4_neon);
IPU_KERNEL(ipu_conv_s16_neon);
IPU_KERNEL(ipu_depthwise_u8_neon);
IPU_KERNEL(ipu_depthwise_u8s4_neon);
IPU_KERNEL(ipu_depthwise_s16_neon);
IPU_KERNEL(ipu_add_s16_neon);
IPU_KERNEL(ipu_mul_s16_neon);
IPU_KERNEL(ipu_div_s16_neon);
IPU_KERNEL(ipu_min_s16_neon);
IPU_KERNEL(ipu_max_s16_neon);
IPU_KERNEL(ipu_lut_s16_neon);
IPU_KERNEL(ipu_prelu_s16_neon);
IPU_KERNEL(ipu_round_s16_neon);
IPU_KERNEL(ipu_maxpool_neon);
IPU_KERNEL(ipu_avgpool_s16_neon);
IPU_KERNEL(ipu_clamp_neon);
IPU_KERNEL(ipu_quantize_neon);
IPU_KERNEL(ipu_dequantize_neon);
IPU_KERNEL(ipu_reduce_sum_s16_neon);
IPU_KERNEL(ipu_matmul_s16_neon);
IPU_KERNEL(ipu_conv_u8_dotprod);
IPU_KERNEL(ipu_conv_u8s4_dotprod);
IPU_KERNEL(ipu_conv_u8_i8mm);
IPU_KERNEL(ipu_conv_u8s4_i8mm);

#endif
