/* Convolutions with few input channels.
 * A row of taps with few channels is one short run of bytes.  For each row of y the rows of x under it are copied,
 * padded left and right, then the bytes that each pixel needs are laid side by side: a 1x1 convolution on kh * kw * ci
 * channels, without a border and without half empty groups of four.  A few rows of y are done at once. */
#ifndef IPU_SIMD_CONV_NARROW_H
#define IPU_SIMD_CONV_NARROW_H

#include "conv.h"

enum { NARROW_RUN = 64, NARROW_ROWS = 16 << 10, NARROW_X = 32 << 10, NARROW_WEIGHTS = 24 << 10 };

typedef struct conv_narrow {
    ipu_conv r;   /* as 1x1 */
    int32_t many; /* rows of y at once */
    int32_t line; /* bytes of one copied row */
    int8_t w[NARROW_WEIGHTS];
    uint8_t rows[NARROW_ROWS + NARROW_RUN], x[NARROW_X + NARROW_RUN];
} conv_narrow;

/* Bytes of the channels of a pixel of x. */
IPU_INLINE int32_t conv_pixel(const ipu_conv *r)
{
    return r->x.c * ipu_type_bytes(r->x.type);
}

IPU_INLINE int conv_is_narrow(const ipu_conv *r)
{
    const int64_t cols = (int64_t)(r->y.w - 1) * r->sx + r->kw, pixel = conv_pixel(r);
    const int64_t run = r->kw * pixel, k = run * r->kh + 3;
    const int64_t blocks = ((int64_t)r->y.c + CONV_LANES - 1) / CONV_LANES;

    return r->dx == 1 && r->kw > 1 && run <= NARROW_RUN && cols * pixel <= NARROW_ROWS / r->kh &&
           k * r->y.w <= NARROW_X && blocks * k * CONV_LANES <= NARROW_WEIGHTS;
}

/* [co/16][kh][kw][ci/4][16][4] to [co/16][kh*kw*ci/4][16][4]; ci counts bytes */
static void conv_narrow_weights(const conv_job *j, int8_t *to)
{
    const ipu_conv *r = j->r;
    const int32_t ci = conv_pixel(r), n = r->kh * r->kw * ci, blocks = (r->y.c + CONV_LANES - 1) / CONV_LANES;
    const int32_t tap = (j->full + (j->tail != 0)) * 64, block = (n + 3) / 4 * 64;

    memset(to, 0, (size_t)blocks * (size_t)block);
    for (int32_t b = 0; b < blocks; b++)
        for (int32_t k = 0; k < n; k++) {
            const int8_t *src = j->w + b * j->block + (ptrdiff_t)(k / ci) * tap + k % ci / 4 * 64 + k % ci % 4;
            int8_t *dst = to + (ptrdiff_t)b * block + k / 4 * 64 + k % 4;
            for (int o = 0; o < CONV_LANES; o++)
                dst[4 * o] = src[4 * o];
        }
}

/* The job that computes some rows of y from the copy. */
static conv_job conv_narrow_start(const conv_job *j, conv_narrow *k)
{
    const ipu_conv *r = j->r;
    ipu_conv *to = &k->r;
    conv_job some = *j;

    *to = *r;
    to->y.n = to->x.n = 1;
    to->x.w = r->y.w, to->x.c = r->kh * r->kw * r->x.c;
    to->x.pix = (conv_pixel(to) + 3) / 4 * 4;
    to->x.row = to->x.pix * to->x.w;
    to->kh = to->kw = to->sy = to->sx = to->dy = to->dx = 1;
    to->py = to->px = 0;
    k->line = ((r->y.w - 1) * r->sx + r->kw) * conv_pixel(r);
    k->many = NARROW_X / 2 / to->x.row > 0 ? NARROW_X / 2 / to->x.row : 1;
    if (j->tail) {
        conv_narrow_weights(j, k->w);
        some.w = k->w;
    }
    memset(k->rows + (ptrdiff_t)r->kh * k->line, 0, NARROW_RUN); /* the last runs reach past the last row */
    some.r = to;
    some.x = k->x;
    conv_shape(&some);
    some.x_bytes = NARROW_X;
    return some;
}

/* n pixels of c bytes, side by side. */
static uint8_t *conv_narrow_pixels(uint8_t *to, const uint8_t *from, ptrdiff_t pix, int32_t n, int32_t c)
{
    if (pix == c) {
        memcpy(to, from, (size_t)n * (size_t)c);
        return to + (ptrdiff_t)n * c;
    }
    for (int32_t i = 0; i < n; i++, from += pix)
        for (int32_t k = 0; k < c; k++)
            *to++ = from[k];
    return to;
}

/* Copies the rows of x under row `oy` of image n of y. */
static void conv_narrow_rows(const conv_job *j, conv_narrow *k, int32_t n, int32_t oy)
{
    const ipu_conv *r = j->r;
    const int32_t ci = conv_pixel(r), cols = k->line / ci;
    const int32_t left = r->px < cols ? r->px : cols, in = r->x.w < cols - left ? r->x.w : cols - left;

    for (int32_t ky = 0; ky < r->kh; ky++) {
        const int32_t iy = oy * r->sy - r->py + ky * r->dy;
        uint8_t *to = k->rows + (ptrdiff_t)ky * k->line;
        if ((uint32_t)iy >= (uint32_t)r->x.h) {
            conv_narrow_pixels(to, j->pad, 0, cols, ci);
            continue;
        }
        to = conv_narrow_pixels(to, j->pad, 0, left, ci);
        to = conv_narrow_pixels(to, j->x + ((ptrdiff_t)n * r->x.img + (ptrdiff_t)iy * r->x.row), r->x.pix, in, ci);
        conv_narrow_pixels(to, j->pad, 0, cols - left - in, ci);
    }
}

/* Lays out the runs of each pixel.  Whole vectors are copied; what is too much, the next run covers. */
IPU_INLINE void conv_narrow_runs(const conv_job *j, const conv_narrow *k, uint8_t *x0, const int vector)
{
    const ipu_conv *r = j->r;
    const ptrdiff_t run = (ptrdiff_t)r->kw * conv_pixel(r), step = (ptrdiff_t)r->sx * conv_pixel(r), line = k->line;
    const int32_t w = r->y.w, kh = r->kh, pix = k->r.x.pix;

    for (int32_t x = 0; x < w; x++) {
        uint8_t *to = x0 + (ptrdiff_t)x * pix;
        const uint8_t *from = k->rows + x * step;
        for (int32_t ky = 0; ky < kh; ky++, to += run, from += line)
            memcpy(to, from, (size_t)vector);
    }
}

/* Readies the job for rows of n*h from `row` on, as many as fit before `end`; returns their number. */
static int32_t conv_narrow_next(const conv_job *j, conv_narrow *k, conv_job *some, int32_t row, int32_t end)
{
    const ipu_conv *r = j->r;
    const int32_t n = row / r->y.h, oy = row % r->y.h, run = r->kw * conv_pixel(r);
    int32_t rows = end - row < r->y.h - oy ? end - row : r->y.h - oy;

    rows = rows < k->many ? rows : k->many;
    for (int32_t i = 0; i < rows; i++) {
        uint8_t *x = k->x + (ptrdiff_t)i * k->r.x.row;
        conv_narrow_rows(j, k, n, oy + i);
        if (run <= 16)
            conv_narrow_runs(j, k, x, 16);
        else if (run <= 32)
            conv_narrow_runs(j, k, x, 32);
        else
            conv_narrow_runs(j, k, x, NARROW_RUN);
    }
    k->r.x.h = k->r.y.h = rows;
    some->y = j->y + ((ptrdiff_t)n * r->y.img + (ptrdiff_t)oy * r->y.row);
    if (j->add)
        some->add = j->add + ((ptrdiff_t)n * r->add.img + (ptrdiff_t)oy * r->add.row);
    if (j->y2)
        some->y2 = j->y2 + ((ptrdiff_t)n * r->y2.img + (ptrdiff_t)oy * r->y2.row);
    return rows;
}

#endif
