/* The geometry that the depthwise kernels share. */
#ifndef IPU_SIMD_DEPTHWISE_H
#define IPU_SIMD_DEPTHWISE_H

#include "simd.h"

enum { DW_TAPS = 256 }; /* most taps that the kernels here take; larger ones are the C kernel's */

typedef struct dw_job {
    const ipu_depthwise *r;
    const uint8_t *x, *pad;
    const int8_t *w;
    const void *bias;
    const float *mult;
    const uint8_t *table;
    ipu_lookup *lookup;
    uint8_t *y;
    int32_t taps, cpad; /* cpad: channels of a weight plane */
} dw_job;

IPU_INLINE dw_job dw_start(const ipu_rec *rec, void *const p[])
{
    const ipu_depthwise *r = (const ipu_depthwise *)rec;
    dw_job j = { .r = r, .y = p[0], .x = p[1], .w = p[2], .bias = p[3], .mult = p[4], .pad = p[5], .table = p[6] };
    j.taps = r->kh * r->kw;
    j.cpad = (r->x.c + 15) & ~15;
    return j;
}

/* Offsets of the taps from tap (0, 0). */
static void dw_offsets(const ipu_depthwise *r, ptrdiff_t *off)
{
    for (int32_t ky = 0, t = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++, t++)
            off[t] = (ptrdiff_t)ky * r->dy * r->x.row + (ptrdiff_t)kx * r->dx * r->x.pix;
}

/* Output pixels of one row in turn: addresses of tap (0, 0), which may lie outside x, and of y. */
typedef struct dw_walk {
    int32_t iy, ix;
    uintptr_t x;
    uint8_t *y;
} dw_walk;

/* At the first pixel of row `row` of n*h, channel c. */
IPU_INLINE dw_walk dw_row(const dw_job *j, int32_t row, int32_t c)
{
    const ipu_depthwise *r = j->r;
    const int32_t n = row / r->y.h, oy = row % r->y.h;
    dw_walk k = { .iy = oy * r->sy - r->py, .ix = -r->px };

    k.x = (uintptr_t)j->x + (uintptr_t)((ptrdiff_t)n * r->x.img + (ptrdiff_t)k.iy * r->x.row +
                                        (ptrdiff_t)k.ix * r->x.pix + (ptrdiff_t)c * r->x.step);
    k.y = j->y + ((ptrdiff_t)n * r->y.img + (ptrdiff_t)oy * r->y.row + (ptrdiff_t)c * r->y.step);
    return k;
}

IPU_INLINE void dw_next(const dw_job *j, dw_walk *k)
{
    k->ix += j->r->sx;
    k->x += (uintptr_t)((ptrdiff_t)j->r->sx * j->r->x.pix);
    k->y += j->r->y.pix;
}

/* Where the taps of a pixel lie, relative to k->x: `off`, or, with some outside x, `edge`, where these lead to the pad
 * vector (from the block's first channel on). */
IPU_INLINE const ptrdiff_t *dw_taps(const dw_job *j, const dw_walk *k, const ptrdiff_t *off, const uint8_t *pad,
                                    ptrdiff_t *edge)
{
    const ipu_depthwise *r = j->r;

    if (k->iy >= 0 && k->ix >= 0 && k->iy + (r->kh - 1) * r->dy < r->x.h && k->ix + (r->kw - 1) * r->dx < r->x.w)
        return off;
    for (int32_t ky = 0, t = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++, t++) {
            const int in =
                (uint32_t)(k->iy + ky * r->dy) < (uint32_t)r->x.h && (uint32_t)(k->ix + kx * r->dx) < (uint32_t)r->x.w;
            edge[t] = in ? off[t] : (ptrdiff_t)((uintptr_t)pad - k->x);
        }
    return edge;
}

IPU_INLINE const uint8_t *dw_at(const dw_walk *k, ptrdiff_t off)
{
    return (const uint8_t *)(k->x + (uintptr_t)off);
}

#endif
