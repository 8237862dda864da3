/* Kernel tables for CPU features: each starts as the C table; an instruction set replaces what it improves. */
#include "runtime/kernels.h"
#if defined(IPU_X86)
#include "runtime/kernels/x86/x86.h"
#elif defined(IPU_ARM)
#include "runtime/kernels/arm/arm.h"
#elif defined(IPU_RISCV)
#include "runtime/kernels/riscv/riscv.h"
#endif

/* The same designator twice is meant: the later one counts. */
#pragma GCC diagnostic ignored "-Woverride-init"

/* clang-format off */
#define X(kind, family, kernel) [kind] = { ipu_##family##_check, kernel },

#if defined(IPU_X86)

#define AVX2_ROWS                                                 \
    [IPU_CONV_U8] = { ipu_conv_check, ipu_conv_u8_avx2 },          \
    [IPU_CONV_S16] = { ipu_conv_check, ipu_conv_s16_avx2 }, \
    [IPU_DEPTHWISE_U8] = { ipu_depthwise_check, ipu_depthwise_u8_avx2 }, \
    [IPU_CONV_U8S4] = { ipu_conv_check, ipu_conv_u8s4_avx2 }, \
    [IPU_DEPTHWISE_U8S4] = { ipu_depthwise_check, ipu_depthwise_u8s4_avx2 }, \
    [IPU_DEPTHWISE_S16] = { ipu_depthwise_check, ipu_depthwise_s16_avx2 }, \
    [IPU_ADD_S16] = { ipu_arith_check, ipu_add_s16_avx2 },         \
    [IPU_MUL_S16] = { ipu_arith_check, ipu_mul_s16_avx2 },         \
    [IPU_DIV_S16] = { ipu_arith_check, ipu_div_s16_avx2 },         \
    [IPU_MIN_S16] = { ipu_arith_check, ipu_min_s16_avx2 },         \
    [IPU_MAX_S16] = { ipu_arith_check, ipu_max_s16_avx2 },         \
    [IPU_LAYERNORM_S16] = { ipu_layernorm_check, ipu_layernorm_s16_avx2 }, \
    [IPU_LUT_S16] = { ipu_lut_check, ipu_lut_s16_avx2 },           \
    [IPU_LUT_U8] = { ipu_lut_check, ipu_lut_u8_avx2 },             \
    [IPU_PRELU_S16] = { ipu_prelu_check, ipu_prelu_s16_avx2 },     \
    [IPU_ROUND_S16] = { ipu_round_check, ipu_round_s16_avx2 },     \
    [IPU_MAXPOOL] = { ipu_pool_check, ipu_maxpool_avx2 },          \
    [IPU_AVGPOOL_S16] = { ipu_pool_check, ipu_avgpool_s16_avx2 },  \
    [IPU_COPY] = { ipu_copy_check, ipu_copy_avx2 },                \
    [IPU_CLAMP] = { ipu_clamp_check, ipu_clamp_avx2 },             \
    [IPU_RESIZE_S16] = { ipu_resize_check, ipu_resize_s16_avx2 },  \
    [IPU_QUANTIZE] = { ipu_quantize_check, ipu_quantize_avx2 },    \
    [IPU_DEQUANTIZE] = { ipu_quantize_check, ipu_dequantize_avx2 }, \
    [IPU_REDUCE_SUM_S16] = { ipu_reduce_check, ipu_reduce_sum_s16_avx2 }, \
    [IPU_SOFTMAX_S16] = { ipu_softmax_check, ipu_softmax_s16_avx2 }, \
    [IPU_MATMUL_S16] = { ipu_matmul_check, ipu_matmul_s16_avx2 },

#define AVXVNNI_ROWS                                              \
    [IPU_CONV_U8] = { ipu_conv_check, ipu_conv_u8_avxvnni },       \
    [IPU_CONV_S16] = { ipu_conv_check, ipu_conv_s16_avxvnni },

#define VNNI512_ROWS                                              \
    [IPU_CONV_U8] = { ipu_conv_check, ipu_conv_u8_vnni512 },       \
    [IPU_CONV_S16] = { ipu_conv_check, ipu_conv_s16_vnni512 },     \
    [IPU_DEPTHWISE_U8] = { ipu_depthwise_check, ipu_depthwise_u8_vnni512 }, \
    [IPU_CONV_U8S4] = { ipu_conv_check, ipu_conv_u8s4_vnni512 }, \
    [IPU_DEPTHWISE_U8S4] = { ipu_depthwise_check, ipu_depthwise_u8s4_vnni512 }, \
    [IPU_MATMUL_S16] = { ipu_matmul_check, ipu_matmul_s16_vnni512 }, \
    [IPU_LUT_S16] = { ipu_lut_check, ipu_lut_s16_vnni512 },

#define VBMI512_ROWS                                              \
    [IPU_CONV_U8] = { ipu_conv_check, ipu_conv_u8_vbmi512 },       \
    [IPU_CONV_S16] = { ipu_conv_check, ipu_conv_s16_vbmi512 },     \
    [IPU_DEPTHWISE_U8] = { ipu_depthwise_check, ipu_depthwise_u8_vbmi512 }, \
    [IPU_CONV_U8S4] = { ipu_conv_check, ipu_conv_u8s4_vbmi512 }, \
    [IPU_DEPTHWISE_U8S4] = { ipu_depthwise_check, ipu_depthwise_u8s4_vbmi512 }, \
    [IPU_LUT_U8] = { ipu_lut_check, ipu_lut_u8_vbmi512 },

static const ipu_kernels kernels_avx2 = { { IPU_KINDS(X) AVX2_ROWS } };
static const ipu_kernels kernels_avxvnni = { { IPU_KINDS(X) AVX2_ROWS AVXVNNI_ROWS } };
static const ipu_kernels kernels_vnni512 = { { IPU_KINDS(X) AVX2_ROWS VNNI512_ROWS } }; /* such a CPU has AVX2 too */
static const ipu_kernels kernels_vbmi512 = { { IPU_KINDS(X) AVX2_ROWS VNNI512_ROWS VBMI512_ROWS } };
#endif

#if defined(IPU_ARM)
#define NEON_ROWS                                                 \
    [IPU_CONV_U8] = { ipu_conv_check, ipu_conv_u8_neon },          \
    [IPU_CONV_U8S4] = { ipu_conv_check, ipu_conv_u8s4_neon },      \
    [IPU_DEPTHWISE_U8S4] = { ipu_depthwise_check, ipu_depthwise_u8s4_neon }, \
    [IPU_CONV_S16] = { ipu_conv_check, ipu_conv_s16_neon },        \
    [IPU_DEPTHWISE_U8] = { ipu_depthwise_check, ipu_depthwise_u8_neon }, \
    [IPU_DEPTHWISE_S16] = { ipu_depthwise_check, ipu_depthwise_s16_neon }, \
    [IPU_ADD_S16] = { ipu_arith_check, ipu_add_s16_neon }, \
    [IPU_MUL_S16] = { ipu_arith_check, ipu_mul_s16_neon }, \
    [IPU_DIV_S16] = { ipu_arith_check, ipu_div_s16_neon }, \
    [IPU_MIN_S16] = { ipu_arith_check, ipu_min_s16_neon }, \
    [IPU_MAX_S16] = { ipu_arith_check, ipu_max_s16_neon }, \
    [IPU_LUT_S16] = { ipu_lut_check, ipu_lut_s16_neon }, \
    [IPU_PRELU_S16] = { ipu_prelu_check, ipu_prelu_s16_neon }, \
    [IPU_ROUND_S16] = { ipu_round_check, ipu_round_s16_neon }, \
    [IPU_MAXPOOL] = { ipu_pool_check, ipu_maxpool_neon }, \
    [IPU_AVGPOOL_S16] = { ipu_pool_check, ipu_avgpool_s16_neon }, \
    [IPU_CLAMP] = { ipu_clamp_check, ipu_clamp_neon }, \
    [IPU_QUANTIZE] = { ipu_quantize_check, ipu_quantize_neon }, \
    [IPU_DEQUANTIZE] = { ipu_quantize_check, ipu_dequantize_neon }, \
    [IPU_REDUCE_SUM_S16] = { ipu_reduce_check, ipu_reduce_sum_s16_neon }, \
    [IPU_MATMUL_S16] = { ipu_matmul_check, ipu_matmul_s16_neon },

#define DOTPROD_ROWS                                              \
    [IPU_CONV_U8] = { ipu_conv_check, ipu_conv_u8_dotprod },       \
    [IPU_CONV_U8S4] = { ipu_conv_check, ipu_conv_u8s4_dotprod },

#define I8MM_ROWS                                                 \
    [IPU_CONV_U8] = { ipu_conv_check, ipu_conv_u8_i8mm },       \
    [IPU_CONV_U8S4] = { ipu_conv_check, ipu_conv_u8s4_i8mm },

static const ipu_kernels kernels_neon = { { IPU_KINDS(X) NEON_ROWS } };
static const ipu_kernels kernels_dotprod = { { IPU_KINDS(X) NEON_ROWS DOTPROD_ROWS } };
static const ipu_kernels kernels_i8mm = { { IPU_KINDS(X) NEON_ROWS DOTPROD_ROWS I8MM_ROWS } };
#endif

#if defined(IPU_RISCV)
#define RVV_ROWS                                                  \
    [IPU_CONV_U8] = { ipu_conv_check, ipu_conv_u8_rvv },           \
    [IPU_CONV_U8S4] = { ipu_conv_check, ipu_conv_u8s4_rvv },       \
    [IPU_CONV_S16] = { ipu_conv_check, ipu_conv_s16_rvv },       \
    [IPU_DEPTHWISE_U8] = { ipu_depthwise_check, ipu_depthwise_u8_rvv }, \
    [IPU_DEPTHWISE_U8S4] = { ipu_depthwise_check, ipu_depthwise_u8s4_rvv }, \
    [IPU_DEPTHWISE_S16] = { ipu_depthwise_check, ipu_depthwise_s16_rvv }, \
    [IPU_ADD_S16] = { ipu_arith_check, ipu_add_s16_rvv }, \
    [IPU_MUL_S16] = { ipu_arith_check, ipu_mul_s16_rvv }, \
    [IPU_MIN_S16] = { ipu_arith_check, ipu_min_s16_rvv }, \
    [IPU_MAX_S16] = { ipu_arith_check, ipu_max_s16_rvv }, \
    [IPU_LUT_S16] = { ipu_lut_check, ipu_lut_s16_rvv }, \
    [IPU_LUT_U8] = { ipu_lut_check, ipu_lut_u8_rvv }, \
    [IPU_MAXPOOL] = { ipu_pool_check, ipu_maxpool_rvv }, \
    [IPU_AVGPOOL_S16] = { ipu_pool_check, ipu_avgpool_s16_rvv }, \
    [IPU_QUANTIZE] = { ipu_quantize_check, ipu_quantize_rvv }, \
    [IPU_DEQUANTIZE] = { ipu_quantize_check, ipu_dequantize_rvv },

static const ipu_kernels kernels_rvv = { { IPU_KINDS(X) RVV_ROWS } };
#endif

#if IPU_DSP
#define Y(kind, family, kernel) [kind] = { ipu_##family##_check, kernel##_dsp },
static const ipu_kernels kernels_dsp = { { IPU_KINDS(X) IPU_DSP_KINDS(Y) } };
#undef Y
#endif
#undef X
/* clang-format on */

const ipu_kernels *ipu_kernels_for(uint32_t cpu_mask)
{
#if defined(IPU_X86)
    if ((cpu_mask & IPU_CPU_AVX512VNNI) && (cpu_mask & IPU_CPU_AVX512VBMI))
        return &kernels_vbmi512;
    if (cpu_mask & IPU_CPU_AVX512VNNI)
        return &kernels_vnni512;
    if ((cpu_mask & IPU_CPU_AVX2) && (cpu_mask & IPU_CPU_AVXVNNI))
        return &kernels_avxvnni;
    if (cpu_mask & IPU_CPU_AVX2)
        return &kernels_avx2;
#elif defined(IPU_ARM)
    if ((cpu_mask & IPU_CPU_DOTPROD) && (cpu_mask & IPU_CPU_I8MM))
        return &kernels_i8mm;
    if (cpu_mask & IPU_CPU_DOTPROD)
        return &kernels_dotprod;
    if (cpu_mask & IPU_CPU_NEON)
        return &kernels_neon;
#elif defined(IPU_RISCV)
    if (cpu_mask & IPU_CPU_RVV)
        return &kernels_rvv;
#elif IPU_DSP
    if (cpu_mask & IPU_CPU_DSP)
        return &kernels_dsp;
#endif
    (void)cpu_mask;
    return &ipu_kernels_c;
}
