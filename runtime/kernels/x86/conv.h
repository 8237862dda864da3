/* The geometry that every convolution on x86 shares: output pixels of the rows asked for, in order, in tiles of a
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
    const void *bias;
    const float *mult;
    uint8_t *y, *y2;
    int32_t full, tail;       /* four-byte groups of input channels; bytes in the last, partial one */
    ptrdiff_t block;          /* bytes of one block of weights */
    int32_t reach_y, reach_x; /* from the first tap to the last, in pixels */
    ptrdiff_t reach;          /* in bytes, to past the last group of channels */
    ptrdiff_t x_bytes;
} conv_job;

typedef struct conv_tile {
    ptrdiff_t x[CONV_TILE]; /* offset of tap (0, 0) from j->x; outside of it where iy, ix say so */
    int32_t iy[CONV_TILE], ix[CONV_TILE];
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
    conv_shape(&j);
    return j;
}

/* d[i] = first + i * step */
IPU_INLINE void conv_line(ptrdiff_t *d, ptrdiff_t first, ptrdiff_t step, int n)
{
    for (int i = 0; i < n; i++, first += step)
        d[i] = first;
}

/* Fills tile t from pixel `at` on with n pixels of one row; returns whether they are inside. */
IPU_INLINE int conv_fill_run(const conv_job *j, conv_tile *t, int at, int n, const conv_walk *k)
{
    const ipu_conv *r = j->r;
    const int32_t iy = k->oy * r->sy - r->py, ix = k->ox * r->sx - r->px, last = ix + (n - 1) * r->sx;
    const ptrdiff_t step = (ptrdiff_t)r->sx * r->x.pix, x = k->x + k->ox * step;

    conv_line(t->x + at, x, step, n);
    conv_line(t->y + at, k->y + (ptrdiff_t)k->ox * r->y.pix, r->y.pix, n);
    if (j->add)
        conv_line(t->add + at, k->add + (ptrdiff_t)k->ox * r->add.pix, r->add.pix, n);
    if (j->y2)
        conv_line(t->y2 + at, k->y2 + (ptrdiff_t)k->ox * r->y2.pix, r->y2.pix, n);
    for (int i = 0; i < n; i++) {
        t->iy[at + i] = iy;
        t->ix[at + i] = ix + i * r->sx;
    }
    return iy >= 0 && ix >= 0 && iy < r->x.h - j->reach_y && last < r->x.w - j->reach_x &&
           x + (n - 1) * step + j->reach <= j->x_bytes;
}

/* Fills tile t with n pixels from *k on, which advances. */
IPU_INLINE void conv_fill(const conv_job *j, conv_tile *t, int n, conv_walk *k)
{
    t->inside = 1;
    for (int at = 0, run; at < n; at += run) {
        run = j->r->y.w - k->ox < n - at ? j->r->y.w - k->ox : n - at;
        t->inside &= conv_fill_run(j, t, at, run, k);
        conv_walk_on(j, k, run);
    }
}

/* Where the n pixels of a tile from `at` on read tap (ky, kx). */
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

/* ---- few input channels ----
 * A row of taps with few channels is one short run of bytes.  For each row of y the rows of x under it are copied,
 * padded left and right, then the bytes that each pixel needs are laid side by side: a 1x1 convolution on kh * kw * ci
 * channels, without a border and without half empty groups of four.  A few rows of y are done at once. */
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
