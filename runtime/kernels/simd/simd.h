/* What the kernels of all instruction sets share; nothing here may use one. */
#ifndef IPU_SIMD_H
#define IPU_SIMD_H

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

/* y[i] = table[index[i]] for n indices below IPU_INDEX. */
typedef void ipu_lookup(const uint8_t *table, const uint16_t *index, uint8_t *y, int n);

/* Gathers do not beat loads of single bytes.  Indices come four at a time, in the order of bytes that images ask for: an element takes little more than one load. */
static inline void ipu_lookup_one_by_one(const uint8_t *table, const uint16_t *index, uint8_t *y, int n)
{
    int i = 0;

    for (; i + 4 <= n; i += 4) {
        uint64_t four;
        memcpy(&four, index + i, sizeof four);
        y[i] = table[four & 0xffff];
        y[i + 1] = table[four >> 16 & 0xffff];
        y[i + 2] = table[four >> 32 & 0xffff];
        y[i + 3] = table[four >> 48];
    }
    for (; i < n; i++)
        y[i] = table[index[i]];
}

/* y[i] = table[requant(sum[i], mult[i % (16 * blocks)])] for n sums; out is within the table's indices.  Whole steps of 64 are read and written. */
typedef struct ipu_through {
    const uint8_t *table;
    const ipu_out *out;
    const float *mult;
    int blocks;
} ipu_through;
typedef void ipu_lookup_sums(const ipu_through *t, const int32_t *sum, uint8_t *y, int n);

/* Whether sums times these n multipliers stay within 32 bits: no such number is more than 2^31 - 128. */
IPU_INLINE int ipu_are_small(const float *mult, int32_t n)
{
    int large = 0;

    for (int32_t i = 0; i < n; i++)
        large |= !(mult[i] < 1);
    return !large;
}

/* Bytes from a window's first element to past its last; no stride is negative. */
IPU_INLINE ptrdiff_t ipu_extent(const ipu_ref *r)
{
    return (ptrdiff_t)(r->n - 1) * r->img + (ptrdiff_t)(r->h - 1) * r->row + (ptrdiff_t)(r->w - 1) * r->pix +
           (ptrdiff_t)(r->c - 1) * r->step + ipu_type_bytes(r->type);
}

#endif
