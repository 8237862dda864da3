/* Kernels for RISC-V with the vector extension V 1.0, whose registers have 128 bits or more.  Nothing here may use it. */
#ifndef IPU_RISCV_H
#define IPU_RISCV_H

#include "runtime/kernels/simd/simd.h"

IPU_KERNEL(ipu_conv_u8_rvv);
IPU_KERNEL(ipu_conv_u8s4_rvv);
IPU_KERNEL(ipu_conv_s16_rvv);
IPU_KERNEL(ipu_depthwise_u8_rvv);
IPU_KERNEL(ipu_depthwise_u8s4_rvv);
IPU_KERNEL(ipu_depthwise_s16_rvv);
IPU_KERNEL(ipu_add_s16_rvv);
IPU_KERNEL(ipu_mul_s16_rvv);
IPU_KERNEL(ipu_min_s16_rvv);
IPU_KERNEL(ipu_max_s16_rvv);
IPU_KERNEL(ipu_lut_s16_rvv);
IPU_KERNEL(ipu_lut_u8_rvv);
IPU_KERNEL(ipu_maxpool_rvv);
IPU_KERNEL(ipu_avgpool_s16_rvv);
IPU_KERNEL(ipu_quantize_rvv);
IPU_KERNEL(ipu_dequantize_rvv);

#endif
