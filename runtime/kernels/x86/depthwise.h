/* The geometry that the depthwise kernels on x86 share. */
#ifndef IPU_X86_DEPTHWISE_H
#define IPU_X86_DEPTHWISE_H

#include "x86.h"

enum { DW_TAPS = 256 }; /* most taps that the kernels here take; larger ones are the C kernel's */

typedef struct dw_job {
    const ipu_depthwise *r;
    const uint8_t *x, *pad;
    const int8_t *w;
    const int32_t *bias;
    const float *mult;
    uint8_t *y;
    int32_t taps, cpad; /* cpad: channels of a weight plane */
} dw_job;

IPU_INLINE dw_job dw_start(const ipu_rec *rec, void *const p[])
{
    const ipu_depthwise *r = (const ipu_depthwise *)rec;
    dw_job j = { .r = r, .y = p[0], .x = p[1], .w = p[2], .bias = p[3], .mult = p[4], .pad = p[5] };
    j.taps = r->kh * r->kw;
    j.cpad = (r->x.c + 15) & ~15;
    return j;
}

IPU_INLINE ptrdiff_t dw_tap_offset(const ipu_depthwise *r, int32_t ky, int32_t kx)
{
    return (ptrdiff_t)ky * r->dy * r->x.row + (ptrdiff_t)kx * r->dx * r->x.pix;
}

/* Where the output pixel (oy, ox) of image n reads channel c of each tap.  off: the taps' offsets inside x; pad: the
 * pad vector from c on. */
IPU_INLINE void dw_taps(const dw_job *j, const ptrdiff_t *off, int32_t n, int32_t oy, int32_t ox, int32_t c,
                        const uint8_t *pad, const uint8_t **q)
{
    const ipu_depthwise *r = j->r;
    const int32_t iy = oy * r->sy - r->py, ix = ox * r->sx - r->px;
    const ptrdiff_t x0 = (ptrdiff_t)n * r->x.img + (ptrdiff_t)iy * r->x.row + (ptrdiff_t)ix * r->x.pix + c;

    if (iy >= 0 && ix >= 0 && iy + (r->kh - 1) * r->dy < r->x.h && ix + (r->kw - 1) * r->dx < r->x.w) {
        for (int t = 0; t < j->taps; t++)
            q[t] = j->x + (x0 + off[t]);
        return;
    }
    for (int32_t ky = 0, t = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++, t++) {
            const int in =
                (uint32_t)(iy + ky * r->dy) < (uint32_t)r->x.h && (uint32_t)(ix + kx * r->dx) < (uint32_t)r->x.w;
            q[t] = in ? j->x + (x0 + off[t]) : pad;
        }
}

#endif
