/* Kernels: one signature, one table.  The C kernel of each row is the law; every other version equals it byte for byte
 * (tests/checkasm).  Names: ipu_<what>_<isa>, isa one of c, avx2, avxvnni, vnni512, vbmi512, neon, dotprod, i8mm, dsp, rvv.
 *
 * A kernel computes rows [y0, y1) of its first operand, rows counted over n*h; rows are independent.  p[i] is the address of
 * record operand i (NULL for IPU_NONE).  Records were proved by the row's check.  A kernel reads nothing outside its operands'
 * windows (from a window's first byte to its last: what lies between its pixels may be read but never counts) and writes nothing
 * outside its rows; bytes between windows (strides) stay untouched.
 *
 * In place: the memory planner may give these pairs the very same window, so a kernel reads an element before it writes it and
 * writes none twice (no overlapping tail):  y and a, or y and b, of the arith family;  y and x of IPU_CLAMP, IPU_LUT_S16, IPU_PRELU_S16, IPU_ROUND_S16, IPU_LAYERNORM_S16;  y and x of IPU_QUANTIZE
 * when their elements have one size;  y and add of the convolutions.  No other written window meets another operand.     */
#ifndef IPU_KERNELS_H
#define IPU_KERNELS_H

#include "image.h"

#define IPU_KERNEL(name) void name(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1)
typedef IPU_KERNEL((*ipu_kernel_fn));

/* Proves what the family's kernels assume of a record whose operands already lie inside their spaces: types, shapes that
 * fit each other, parameter ranges.  Returns 0 when something is wrong. */
#define IPU_CHECK(name) int name(const ipu_rec *rec)
typedef IPU_CHECK((*ipu_check_fn));

typedef struct ipu_kernel_row {
    ipu_check_fn check;
    ipu_kernel_fn run;
} ipu_kernel_row;

struct ipu_kernels {
    ipu_kernel_row row[IPU_KIND_COUNT]; /* a row without kernel is NULL, NULL */
};

#define X(kind, family, kernel) IPU_KERNEL(kernel); IPU_CHECK(ipu_##family##_check);
IPU_KINDS(X)
#undef X

/* Kernels with the DSP instructions of 32-bit ARM: of microcontrollers from Cortex-M4 on, which cannot be asked for features, so that the compiler's
 * flags choose.  IPU_C_OR_DSP: what the list of an image's kernels names. */
#if defined(__ARM_FEATURE_DSP) && !defined(__aarch64__)
#define IPU_DSP 1
#define IPU_C_OR_DSP(kernel) kernel##_dsp
#else
#define IPU_DSP 0
#define IPU_C_OR_DSP(kernel) kernel##_c
#endif
#define IPU_DSP_KINDS(X)                   \
    X(IPU_CONV_U8, conv, ipu_conv_u8)      \
    X(IPU_CONV_S16, conv, ipu_conv_s16)    \
    X(IPU_DEPTHWISE_U8, depthwise, ipu_depthwise_u8) \
    X(IPU_DEPTHWISE_S16, depthwise, ipu_depthwise_s16)
#if IPU_DSP
#define X(kind, family, kernel) IPU_KERNEL(kernel##_dsp);
IPU_DSP_KINDS(X)
#undef X
#endif

/* Size of one element in bytes; 0 for an unknown type. */
static inline int32_t ipu_type_bytes(int type)
{
    static const uint8_t bytes[IPU_TYPE_COUNT] = { 1, 1, 2, 2, 4, 8, 4 };
    return type >= 0 && type < IPU_TYPE_COUNT ? bytes[type] : 0;
}

#endif
