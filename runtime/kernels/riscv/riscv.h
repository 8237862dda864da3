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

#endif
