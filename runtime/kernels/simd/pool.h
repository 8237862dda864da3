/* The windows that the pooling kernels share. */
#ifndef IPU_SIMD_POOL_H
#define IPU_SIMD_POOL_H

#include "simd.h"

/* The part of a window that lies in x. */
typedef struct pool_window {
    const uint8_t *x;
    int32_t h, w;
} pool_window;

IPU_INLINE pool_window pool_window_of(const ipu_pool *r, const uint8_t *x, int32_t n, int32_t oy, int32_t ox)
{
    const int32_t top = oy * r->sy - r->py, left = ox * r->sx - r->px;
    const int32_t ya = top < 0 ? 0 : top, xa = left < 0 ? 0 : left;
    const int32_t yb = top + r->kh < r->x.h ? top + r->kh : r->x.h, xb = left + r->kw < r->x.w ? left + r->kw : r->x.w;

    return (pool_window){ x + (ptrdiff_t)n * r->x.img + (ptrdiff_t)ya * r->x.row + (ptrdiff_t)xa * r->x.pix, yb - ya,
                          xb - xa };
}

#endif
