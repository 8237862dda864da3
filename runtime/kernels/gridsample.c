/* A picture read where a grid points to: ARITHMETIC.md 18. */
#include "common.h"

#define ONE (1 << IPU_GRID_BITS) /* a pixel, and the sum of the weights of one axis */

static int step_ok(int32_t mult, int32_t shift)
{
    return mult >= 0 && ipu_between(shift, 0, IPU_GRID_SHIFT);
}

IPU_CHECK(ipu_gridsample_check)
{
    const ipu_gridsample *o = (const void *)rec;
    const ipu_ref *y = &o->y, *x = &o->x, *grid = &o->grid;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || y->type != IPU_S16 || x->type != IPU_S16 || grid->type != IPU_S16)
        return 0;
    if (y->n != x->n || y->c != x->c || y->n != grid->n || y->h != grid->h || y->w != grid->w || grid->c != 2)
        return 0;
    return (o->taps == 1 || o->taps == 2 || o->taps == 4) && ipu_between(o->outside, 0, IPU_GRID_OUTSIDES - 1) &&
           step_ok(o->my, o->ky) && step_ok(o->mx, o->kx) && ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16);
}

/* ---- one axis ---- */

typedef struct line {
    int32_t n, mult, shift;
} line;

typedef struct taps {
    int32_t index[4]; /* -1: a zero */
    int32_t weight[4];
} taps;

/* Where q points to, in 1 / ONE of a pixel from the middle of the first. */
static int64_t position(line l, int32_t q)
{
    const int64_t half = (int64_t)1 << l.shift >> 1;
    return (((int64_t)q * l.mult + half) >> l.shift) + (int64_t)(l.n - 1) * (ONE / 2);
}

/* Pixel i as the rule for what is outside gives it. */
static int32_t pixel(int32_t outside, int64_t n, int64_t i)
{
    if (i >= 0 && i < n)
        return (int32_t)i;
    if (outside == IPU_GRID_ZEROS)
        return -1;
    if (outside == IPU_GRID_BORDER)
        return i < 0 ? 0 : (int32_t)n - 1;
    const int64_t middle = outside == IPU_GRID_MIDDLES, period = middle && n == 1 ? 1 : 2 * (n - middle);
    i %= period;
    i += i < 0 ? period : 0;
    return (int32_t)(i < n ? i : period - 1 + middle - i);
}

/* Of the cubic filter at distance d / ONE from the pixel, at most 1; and at distance 1 + u / ONE. */
static int32_t near_weight(int64_t d)
{
    return ONE + ipu_narrow((5 * d - 9 * ONE) * d * d, 2 * IPU_GRID_BITS + 2);
}

static int32_t far_weight(int64_t u)
{
    return ipu_narrow(-3 * u * (ONE - u) * (ONE - u), 2 * IPU_GRID_BITS + 2);
}

static void cubic_weights(int32_t f, int32_t *w)
{
    w[0] = far_weight(f);
    w[2] = near_weight(ONE - f);
    w[3] = far_weight(ONE - f);
    w[1] = ONE - w[0] - w[2] - w[3];
}

static taps taps_at(const ipu_gridsample *o, line l, int32_t q)
{
    const int64_t at = position(l, q), below = at >> IPU_GRID_BITS;
    const int32_t f = (int32_t)(at & (ONE - 1));
    int64_t first = below;
    taps t;
    if (o->taps == 1) {
        first += f > ONE / 2 || (f == ONE / 2 && (below & 1));
        t.weight[0] = ONE;
    } else if (o->taps == 2) {
        t.weight[0] = ONE - f;
        t.weight[1] = f;
    } else {
        first--;
        cubic_weights(f, t.weight);
    }
    for (int32_t i = 0; i < o->taps; i++)
        t.index[i] = pixel(o->outside, l.n, first + i);
    return t;
}

/* ---- pixels ---- */

typedef struct spot {
    const int16_t *pixel;
    int32_t weight;
} spot;

/* The pixels of one image that count for one point; returns how many. */
static int32_t spots_at(const ipu_gridsample *o, const uint8_t *image, const int16_t *point, spot *s)
{
    const taps column = taps_at(o, (line){ o->x.w, o->mx, o->kx }, point[0]);
    const taps row = taps_at(o, (line){ o->x.h, o->my, o->ky }, point[1]);
    int32_t n = 0;
    for (int32_t i = 0; i < o->taps; i++)
        for (int32_t j = 0; j < o->taps; j++) {
            if (row.index[i] < 0 || column.index[j] < 0)
                continue;
            const uint8_t *at = image + (ptrdiff_t)row.index[i] * o->x.row + (ptrdiff_t)column.index[j] * o->x.pix;
            s[n++] = (spot){ (const void *)at, row.weight[i] * column.weight[j] };
        }
    return n;
}

IPU_KERNEL(ipu_gridsample_s16_c)
{
    const ipu_gridsample *o = (const void *)rec;
    spot s[16];
    for (int32_t y = y0; y < y1; y++) {
        const uint8_t *image = (const uint8_t *)p[1] + (ptrdiff_t)(y / o->y.h) * o->x.img;
        for (int32_t x = 0; x < o->y.w; x++) {
            const int32_t n = spots_at(o, image, ipu_pixel(&o->grid, p[2], y, x), s);
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                int64_t sum = 0;
                for (int32_t i = 0; i < n; i++)
                    sum += (int64_t)s[i].weight * s[i].pixel[c];
                to[c] = (int16_t)ipu_requant(ipu_narrow(sum, IPU_GRID_BITS), o->m, &o->out);
            }
        }
    }
}
