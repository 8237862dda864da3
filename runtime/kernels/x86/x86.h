/* Kernels for x86-64.  Each .c file is compiled for the instruction set of its name; nothing here may use one. */
#ifndef IPU_X86_H
#define IPU_X86_H

#include "runtime/fixed.h"
#include "runtime/kernels.h"
#include "runtime/mem.h"

#define IPU_INLINE static inline __attribute__((always_inline))

/* Before a loop of at most 16 steps, known at compile time: unroll it, so that arrays of vectors become registers. */
#if defined(__clang__)
#define IPU_UNROLL _Pragma("clang loop unroll(full)")
#else
#define IPU_UNROLL _Pragma("GCC unroll 16")
#endif

IPU_KERNEL(ipu_conv_u8_avx2);
IPU_KERNEL(ipu_conv_s16_avx2);
IPU_KERNEL(ipu_conv_u8_vnni512);
IPU_KERNEL(ipu_conv_s16_vnni512);
IPU_KERNEL(ipu_conv_u8_vbmi512);
IPU_KERNEL(ipu_conv_s16_vbmi512);
IPU_KERNEL(ipu_depthwise_u8_avx2);
IPU_KERNEL(ipu_depthwise_s16_avx2);
IPU_KERNEL(ipu_depthwise_u8_vnni512);
IPU_KERNEL(ipu_depthwise_u8_vbmi512);
IPU_KERNEL(ipu_add_s16_avx2);
IPU_KERNEL(ipu_mul_s16_avx2);
IPU_KERNEL(ipu_div_s16_avx2);
IPU_KERNEL(ipu_min_s16_avx2);
IPU_KERNEL(ipu_max_s16_avx2);
IPU_KERNEL(ipu_layernorm_s16_avx2);
IPU_KERNEL(ipu_lut_s16_avx2);
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

/* y[i] = table[index[i]] for n indices below IPU_INDEX; of ipu_lookup_vbmi512, n is a multiple of LOOKUP_STEP. */
enum { LOOKUP_STEP = 64 };
typedef void ipu_lookup(const uint8_t *table, const uint16_t *index, uint8_t *y, int n);
void ipu_lookup_vbmi512(const uint8_t *table, const uint16_t *index, uint8_t *y, int n);

/* Without VBMI: two loads an element, which gathers do not beat. */
static inline void ipu_lookup_one_by_one(const uint8_t *table, const uint16_t *index, uint8_t *y, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = table[index[i]];
}

/* Bytes from a window's first element to past its last; no stride is negative. */
IPU_INLINE ptrdiff_t ipu_extent(const ipu_ref *r)
{
    return (ptrdiff_t)(r->n - 1) * r->img + (ptrdiff_t)(r->h - 1) * r->row + (ptrdiff_t)(r->w - 1) * r->pix +
           (ptrdiff_t)(r->c - 1) * r->step + ipu_type_bytes(r->type);
}

#endif
