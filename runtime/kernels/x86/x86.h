/* Kernels for x86-64.  Each .c file is compiled for the instruction set of its name; nothing here may use one. */
#ifndef IPU_X86_H
#define IPU_X86_H

#include "runtime/kernels/simd/simd.h"

IPU_KERNEL(ipu_conv_u8_avx2);
IPU_KERNEL(ipu_conv_s16_avx2);
IPU_KERNEL(ipu_conv_u8_avxvnni);
IPU_KERNEL(ipu_conv_s16_avxvnni);
IPU_KERNEL(ipu_conv_u8_vnni512);
IPU_KERNEL(ipu_conv_s16_vnni512);
IPU_KERNEL(ipu_conv_u8_vbmi512);
IPU_KERNEL(ipu_conv_s16_vbmi512);
IPU_KERNEL(ipu_conv_u8s4_avx2);
IPU_KERNEL(ipu_conv_u8s4_vnni512);
IPU_KERNEL(ipu_conv_u8s4_vbmi512);
IPU_KERNEL(ipu_depthwise_u8_avx2);
IPU_KERNEL(ipu_depthwise_s16_avx2);
IPU_KERNEL(ipu_depthwise_u8_vnni512);
IPU_KERNEL(ipu_depthwise_u8_vbmi512);
IPU_KERNEL(ipu_depthwise_u8s4_avx2);
IPU_KERNEL(ipu_depthwise_u8s4_vnni512);
IPU_KERNEL(ipu_depthwise_u8s4_vbmi512);
IPU_KERNEL(ipu_add_s16_avx2);
IPU_KERNEL(ipu_mul_s16_avx2);
IPU_KERNEL(ipu_div_s16_avx2);
IPU_KERNEL(ipu_min_s16_avx2);
IPU_KERNEL(ipu_max_s16_avx2);
IPU_KERNEL(ipu_layernorm_s16_avx2);
IPU_KERNEL(ipu_lut_s16_avx2);
IPU_KERNEL(ipu_lut_s16_vnni512);
IPU_KERNEL(ipu_lut_u8_avx2);
IPU_KERNEL(ipu_lut_u8_vbmi512);
IPU_KERNEL(ipu_prelu_s16_avx2);
IPU_KERNEL(ipu_round_s16_avx2);
IPU_KERNEL(ipu_maxpool_avx2);
IPU_KERNEL(ipu_avgpool_s16_avx2);
IPU_KERNEL(ipu_resize_s16_avx2);
IPU_KERNEL(ipu_quantize_avx2);
IPU_KERNEL(ipu_dequantize_avx2);
IPU_KERNEL(ipu_clamp_avx2);
IPU_KERNEL(ipu_copy_avx2);
IPU_KERNEL(ipu_reduce_sum_s16_avx2);
IPU_KERNEL(ipu_softmax_s16_avx2);
IPU_KERNEL(ipu_matmul_s16_avx2);
IPU_KERNEL(ipu_matmul_s16_vnni512);

/* Of a number of indices that is a multiple of LOOKUP_STEP. */
enum { LOOKUP_STEP = 64 };
void ipu_lookup_vbmi512(const uint8_t *table, const uint16_t *index, uint8_t *y, int n);
void ipu_lookup_sums_vbmi512(const ipu_through *t, const int32_t *sum, uint8_t *y, int n);

#endif
