/* The pixels that the sums over axes share. */
#ifndef IPU_SIMD_REDUCE_H
#define IPU_SIMD_REDUCE_H

#include "simd.h"

/* The pixels of x that one pixel of y gathers. */
typedef struct pixels {
    const uint8_t *x;
    int32_t n, h, w;
} pixels;

IPU_INLINE pixels pixels_of(const ipu_reduce *o, const uint8_t *x, int32_t row, int32_t col)
{
    const int32_t n = o->y.n == 1 ? 0 : row / o->y.h, h = o->y.h == 1 ? 0 : row % o->y.h, w = o->y.w == 1 ? 0 : col;

    return (pixels){ x + (ptrdiff_t)n * o->x.img + (ptrdiff_t)h * o->x.row + (ptrdiff_t)w * o->x.pix,
                     o->y.n == 1 ? o->x.n : 1, o->y.h == 1 ? o->x.h : 1, o->y.w == 1 ? o->x.w : 1 };
}

#endif
