/* The geometry that every 8-bit convolution on x86 shares: output pixels of the rows asked for, in order, in tiles of a
 * few pixels that one call computes for some blocks of 16 output channels.  Activations are read in place.
 *
 * A tile is `inside` when every tap of every pixel lies in x and may be read in whole groups of four channels.  Of
 * other tiles each tap is looked up: a pixel outside x is the pad vector, and a last group is read byte by byte. */
#ifndef IPU_X86_CONV_H
#define IPU_X86_CONV_H

#include "x86.h"

enum { CONV_LANES = 16, CONV_TILE = 16 }; /* output channels of a weight block; most pixels of a tile */

typedef struct conv_job {
    const ipu_conv *r;
    const uint8_t *x, *pad, *add;
    const int8_t *w;
    const int32_t *bias;
    const float *mult;
    uint8_t *y, *y2;
    int32_t full, tail; /* whole groups of four input channels; channels in the last, partial one */
    ptrdiff_t block;    /* bytes of one block of weights */
    ptrdiff_t x_bytes;
} conv_job;

typedef struct conv_tile {
    ptrdiff_t x[CONV_TILE]; /* offset of tap (0, 0) from j->x; outside of it where iy, ix say so */
    int32_t iy[CONV_TILE], ix[CONV_TILE];
    ptrdiff_t y[CONV_TILE], add[CONV_TILE], y2[CONV_TILE];
    int inside;
} conv_tile;

/* The next output pixel. */
typedef struct conv_walk {
    int32_t n, oy, ox;
} conv_walk;

IPU_INLINE ptrdiff_t conv_at(const ipu_ref *r, const conv_walk *k)
{
    return (ptrdiff_t)k->n * r->img + (ptrdiff_t)k->oy * r->row + (ptrdiff_t)k->ox * r->pix;
}

IPU_INLINE void conv_next(const ipu_ref *y, conv_walk *k)
{
    if (++k->ox < y->w)
        return;
    k->ox = 0;
    if (++k->oy < y->h)
        return;
    k->oy = 0;
    k->n++;
}

IPU_INLINE conv_job conv_start(const ipu_rec *rec, void *const p[])
{
    const ipu_conv *r = (const ipu_conv *)rec;
    conv_job j = {
        .r = r, .y = p[0], .x = p[1], .w = p[2], .bias = p[3], .mult = p[4], .pad = p[5], .add = p[6], .y2 = p[7]
    };
    j.full = r->x.c / 4;
    j.tail = r->x.c % 4;
    j.block = (ptrdiff_t)r->kh * r->kw * (j.full + (j.tail != 0)) * 4 * CONV_LANES;
    j.x_bytes = ipu_extent(&r->x);
    return j;
}

/* Fills tile t with n pixels from *k on, which advances. */
IPU_INLINE void conv_fill(const conv_job *j, conv_tile *t, int n, conv_walk *k)
{
    const ipu_conv *r = j->r;
    const int32_t reach_y = (r->kh - 1) * r->dy, reach_x = (r->kw - 1) * r->dx;
    const ptrdiff_t reach =
        (ptrdiff_t)reach_y * r->x.row + (ptrdiff_t)reach_x * r->x.pix + 4 * (j->full + (j->tail != 0));
    int inside = 1;

    for (int i = 0; i < n; i++, conv_next(&r->y, k)) {
        const int32_t iy = k->oy * r->sy - r->py, ix = k->ox * r->sx - r->px;
        const ptrdiff_t x = (ptrdiff_t)k->n * r->x.img + (ptrdiff_t)iy * r->x.row + (ptrdiff_t)ix * r->x.pix;
        inside &= iy >= 0 && ix >= 0 && iy + reach_y < r->x.h && ix + reach_x < r->x.w && x + reach <= j->x_bytes;
        t->x[i] = x;
        t->iy[i] = iy;
        t->ix[i] = ix;
        t->y[i] = conv_at(&r->y, k);
        if (j->add)
            t->add[i] = conv_at(&r->add, k);
        if (j->y2)
            t->y2[i] = conv_at(&r->y2, k);
    }
    t->inside = inside;
}

/* Where the n pixels of a tile read tap (ky, kx). */
IPU_INLINE void conv_tap(const conv_job *j, const conv_tile *t, int n, int32_t ky, int32_t kx, const uint8_t **q)
{
    const ipu_conv *r = j->r;
    const int32_t oy = ky * r->dy, ox = kx * r->dx;
    const ptrdiff_t off = (ptrdiff_t)oy * r->x.row + (ptrdiff_t)ox * r->x.pix;

    for (int i = 0; i < n; i++) {
        const int in = (uint32_t)(t->iy[i] + oy) < (uint32_t)r->x.h && (uint32_t)(t->ix[i] + ox) < (uint32_t)r->x.w;
        q[i] = in ? j->x + t->x[i] + off : j->pad;
    }
}

/* 1 to 3 bytes as the low bytes of a word. */
IPU_INLINE int32_t conv_bytes(const uint8_t *q, int n)
{
    int32_t v = q[0];
    if (n > 1)
        v |= q[1] << 8;
    if (n > 2)
        v |= q[2] << 16;
    return v;
}

#endif
