/* Words of four bytes for the DSP instructions of Armv7E-M and later.  A file NAME_dsp.c is empty where the compiler may not use them (IPU_DSP). */
#ifndef IPU_DSP_H
#define IPU_DSP_H

#include "common.h"
#include "simd/simd.h"

#if IPU_DSP
#include <arm_acle.h>

/* Wherever they lie: these machines load words from any address. */
IPU_INLINE uint32_t dsp_word(const void *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

/* Bytes 0 and 2, and 1 and 3, as halves of a word; compilers do not see that the instruction turns its operand. */
IPU_INLINE uint32_t dsp_even_u8(uint32_t v)
{
    return __uxtb16(v);
}

IPU_INLINE uint32_t dsp_odd_u8(uint32_t v)
{
    __asm__("uxtb16 %0, %1, ror #8" : "=r"(v) : "r"(v));
    return v;
}

IPU_INLINE uint32_t dsp_even_s8(uint32_t v)
{
    return (uint32_t)__sxtb16(v);
}

IPU_INLINE uint32_t dsp_odd_s8(uint32_t v)
{
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(v) : "r"(v));
    return v;
}

/* How n sums become results of one type, or through a table: copied here, as stores of bytes could change what a pointer leads to. */
typedef struct dsp_store {
    ipu_out out;
    const uint8_t *table;
} dsp_store;

IPU_INLINE void dsp_results(dsp_store s, const int type, const float *mult, const int32_t *sum, int n, void *y)
{
    if (s.table)
        for (int i = 0; i < n; i++)
            ((uint8_t *)y)[i] = s.table[ipu_requant(sum[i], mult[i], &s.out)];
    else
        for (int i = 0; i < n; i++)
            ipu_put(type, y, i, ipu_requant(sum[i], mult[i], &s.out));
}

/* y: of U8 or S16. */
static inline void dsp_put(const dsp_store *s, int type, const float *mult, const int32_t *sum, int n, void *y)
{
    if (type == IPU_U8)
        dsp_results(*s, IPU_U8, mult, sum, n, y);
    else
        dsp_results(*s, IPU_S16, mult, sum, n, y);
}

#endif
#endif
