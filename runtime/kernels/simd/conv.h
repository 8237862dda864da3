/* The geometry that every SIMD convolution shares: output pixels of the rows asked for, in order, in tiles of a
 * few pixels that one call computes for some blocks of 16 output channels.  Activations are read in place.
 *
 * A tile is `inside` when every tap of every pixel lies in x and may be read in whole groups of four channels.  Of
 * other tiles each tap is looked up: a pixel outside x is the pad vector, and a last group is read byte by byte. */
#ifndef IPU_SIMD_CONV_H
#define IPU_SIMD_CONV_H

#include "simd.h"

enum { CONV_LANES = 16, CONV_TILE = 16 }; /* output channels of a weight block; most pixels of a tile */

typedef struct conv_job {
    const ipu_conv *r;
    const uint8_t *x, *pad, *add;
    const int8_t *w;
    const void *bias;
    const float *mult;
    const uint8_t *table;
    ipu_lookup_sums *lookup; /* of the AVX-512 kernels */
    uint8_t *y, *y2;
    int32_t full, tail;       /* four-byte groups of input channels; bytes in the last, partial one */
    ptrdiff_t block;          /* bytes of one block of weights */
    int32_t reach_y, reach_x; /* from the first tap to the last, in pixels */
    ptrdiff_t reach;          /* in bytes, to past the last group of channels */
    ptrdiff_t x_bytes;
} conv_job;

typedef struct conv_tile {
    ptrdiff_t x[CONV_TILE]; /* offset of tap (0, 0) from j->x; outside of it where iy, ix say so */
    int32_t iy[CONV_TILE], ix[CONV_TILE]; /* unless inside */
    ptrdiff_t y[CONV_TILE], add[CONV_TILE], y2[CONV_TILE];
    int inside;
} conv_tile;

/* The next output pixel, and where its row begins in each operand. */
typedef struct conv_walk {
    int32_t n, oy, ox;
    ptrdiff_t x, y, add, y2; /* x: of the row's tap (0, 0), left padding included */
} conv_walk;

IPU_INLINE void conv_row(const conv_job *j, conv_walk *k)
{
    const ipu_conv *r = j->r;
    const int32_t iy = k->oy * r->sy - r->py;

    k->x = (ptrdiff_t)k->n * r->x.img + (ptrdiff_t)iy * r->x.row - (ptrdiff_t)r->px * r->x.pix;
    k->y = (ptrdiff_t)k->n * r->y.img + (ptrdiff_t)k->oy * r->y.row;
    k->add = (ptrdiff_t)k->n * r->add.img + (ptrdiff_t)k->oy * r->add.row;
    k->y2 = (ptrdiff_t)k->n * r->y2.img + (ptrdiff_t)k->oy * r->y2.row;
}

/* At the first pixel of a row of n*h. */
IPU_INLINE conv_walk conv_walk_from(const conv_job *j, int32_t row)
{
    conv_walk k = { .n = row / j->r->y.h, .oy = row % j->r->y.h };
    conv_row(j, &k);
    return k;
}

IPU_INLINE void conv_walk_on(const conv_job *j, conv_walk *k, int32_t pixels)
{
    k->ox += pixels;
    if (k->ox < j->r->y.w)
        return;
    k->ox = 0;
    if (++k->oy == j->r->y.h) {
        k->oy = 0;
        k->n++;
    }
    conv_row(j, k);
}

/* Over so many pixels of any number of rows. */
IPU_INLINE void conv_walk_skip(const conv_job *j, conv_walk *k, int32_t pixels)
{
    for (int32_t run; pixels > 0; pixels -= run) {
        run = j->r->y.w - k->ox < pixels ? j->r->y.w - k->ox : pixels;
        conv_walk_on(j, k, run);
    }
}

/* What follows from the shapes. */
IPU_INLINE void conv_shape(conv_job *j)
{
    const ipu_conv *r = j->r;

    j->full = r->x.c * ipu_type_bytes(r->x.type) / 4;
    j->tail = r->x.c * ipu_type_bytes(r->x.type) % 4;
    j->block = (ptrdiff_t)r->kh * r->kw * (j->full + (j->tail != 0)) * 4 * CONV_LANES;
    j->x_bytes = ipu_extent(&r->x);
    j->reach_y = (r->kh - 1) * r->dy;
    j->reach_x = (r->kw - 1) * r->dx;
    j->reach = (ptrdiff_t)j->reach_y * r->x.row + (ptrdiff_t)j->reach_x * r->x.pix + 4 * (j->full + (j->tail != 0));
}

IPU_INLINE conv_job conv_start(const ipu_rec *rec, void *const p[])
{
    conv_job j = { .r = (const ipu_conv *)rec, .y = p[0], .x = p[1], .w = p[2], .bias = p[3], .mult = p[4] };

    j.pad = p[5];
    j.add = p[6];
    j.y2 = p[7];
    j.table = p[8];
    conv_shape(&j);
    return j;
}

/* d[at + i] = first + i * step for n of a tile's pixels; those behind, up to its end, may be written too. */
IPU_INLINE void conv_line(ptrdiff_t *d, int at, ptrdiff_t first, ptrdiff_t step, int n)
{
    if (at == 0)
        for (int i = 0; i < CONV_TILE; i++) /* so many each time, which compilers make a few vectors of */
            d[i] = first + i * step;
    else
        for (int i = 0; i < n; i++)
            d[at + i] = first + i * step;
}

/* Fills tile t from pixel `at` on with n pixels of one row, but for iy and ix; returns whether they are inside. */
IPU_INLINE int conv_fill_run(const conv_job *j, conv_tile *t, int at, int n, const conv_walk *k)
{
    const ipu_conv *r = j->r;
    const int32_t iy = k->oy * r->sy - r->py, ix = k->ox * r->sx - r->px, last = ix + (n - 1) * r->sx;
    const ptrdiff_t step = (ptrdiff_t)r->sx * r->x.pix, x = k->x + k->ox * step;

    conv_line(t->x, at, x, step, n);
    conv_line(t->y, at, k->y + (ptrdiff_t)k->ox * r->y.pix, r->y.pix, n);
    if (j->add)
        conv_line(t->add, at, k->add + (ptrdiff_t)k->ox * r->add.pix, r->add.pix, n);
    if (j->y2)
        conv_line(t->y2, at, k->y2 + (ptrdiff_t)k->ox * r->y2.pix, r->y2.pix, n);
    return iy >= 0 && ix >= 0 && iy < r->x.h - j->reach_y && last < r->x.w - j->reach_x &&
           x + (n - 1) * step + j->reach <= j->x_bytes;
}

/* The places in x of tap (0, 0) of n pixels from k on. */
IPU_INLINE void conv_fill_places(const conv_job *j, conv_tile *t, int n, conv_walk k)
{
    const ipu_conv *r = j->r;

    for (int at = 0, run; at < n; at += run) {
        const int32_t iy = k.oy * r->sy - r->py, ix = k.ox * r->sx - r->px;
        run = r->y.w - k.ox < n - at ? r->y.w - k.ox : n - at;
        for (int i = 0; i < run; i++) {
            t->iy[at + i] = iy;
            t->ix[at + i] = ix + i * r->sx;
        }
        conv_walk_on(j, &k, run);
    }
}

/* Fills tile t with n pixels from *k on, which advances. */
IPU_INLINE void conv_fill(const conv_job *j, conv_tile *t, int n, conv_walk *k)
{
    const conv_walk first = *k;

    t->inside = 1;
    for (int at = 0, run; at < n; at += run) {
        run = j->r->y.w - k->ox < n - at ? j->r->y.w - k->ox : n - at;
        t->inside &= conv_fill_run(j, t, at, run, k);
        conv_walk_on(j, k, run);
    }
    if (!t->inside)
        conv_fill_places(j, t, n, first);
}

/* Where the n pixels of a tile from `at` on, which is not inside, read tap (ky, kx). */
IPU_INLINE void conv_tap(const conv_job *j, const conv_tile *t, int at, int n, int32_t ky, int32_t kx,
                         const uint8_t **q)
{
    const ipu_conv *r = j->r;
    const int32_t oy = ky * r->dy, ox = kx * r->dx;
    const ptrdiff_t off = (ptrdiff_t)oy * r->x.row + (ptrdiff_t)ox * r->x.pix;

    for (int i = 0; i < n; i++) {
        const int in =
            (uint32_t)(t->iy[at + i] + oy) < (uint32_t)r->x.h && (uint32_t)(t->ix[at + i] + ox) < (uint32_t)r->x.w;
        q[i] = in ? j->x + (t->x[at + i] + off) : j->pad;
    }
}

/* The same for P pixels of any tile. */
IPU_INLINE void conv_taps(const conv_job *j, const conv_tile *t, int at, int32_t ky, int32_t kx, const uint8_t **q, const int P)
{
    const ptrdiff_t off = (ptrdiff_t)ky * j->r->dy * j->r->x.row + (ptrdiff_t)kx * j->r->dx * j->r->x.pix;

    if (t->inside) {
        IPU_UNROLL for (int i = 0; i < P; i++) q[i] = j->x + (t->x[at + i] + off);
    } else {
        conv_tap(j, t, at, P, ky, kx, q);
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

/* Whether words hold what a record of 16-bit results adds, all of it in one scale without zero points, and no number leaves 32 bits before it is cut to 16. */
IPU_INLINE int conv_is_whole(const conv_job *j)
{
    const ipu_conv *r = j->r;
    const int add = r->out.zero == 0 && (!j->add || (r->m_conv == 1 && r->m_add == 1 && r->sum.zero == 0));
    const int copy = !j->y2 || (r->m_y2 < 0x1p15f && r->m_y2 >= 0x1p-100f);

    return add && copy && ipu_are_small(j->mult, r->y.c);
}

#endif
