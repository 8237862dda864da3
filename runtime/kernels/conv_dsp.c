/* Convolution and fully connected with DSP instructions: SMLAD adds the products of two pairs of words, SMLALD to a sum of 64 bits.
 *
 * A group is four bytes of a pixel, four input channels of U8, which become two pairs of words, or two of S16: one word of memory, as the weights of an
 * output channel for it are.  The sums of two pixels by two output channels, or of one by four, are in registers over a run of groups; between runs
 * those of the pixels and a block of output channels lie on the stack, 256 bytes. */
#include "conv.h"
#include "dsp.h"

#if IPU_DSP

enum { PIXELS = 2, GROUP = 4, STEP = GROUP * IPU_CONV_BLOCK }; /* bytes of a group, and of a block's weights for it */

typedef union sums {
    int32_t s32[PIXELS][IPU_CONV_BLOCK];
    int64_t s64[PIXELS][IPU_CONV_BLOCK];
} sums;

/* Groups that lie `step` bytes apart in each pixel; there is one at least. */
typedef struct run {
    const uint8_t *x[PIXELS];
    const int8_t *w;
    int32_t groups, step;
    int pixels, channels; /* channels: of the block, that y has */
} run;

typedef void add_fn(const run *r, sums *s);

/* ---- sums of 32 bits: they may wrap on the way (ARITHMETIC.md 4, 5) ---- */

typedef struct group {
    uint32_t even, odd; /* S16: even alone */
} group;

IPU_INLINE group x_of(const uint8_t *x, const int type)
{
    const uint32_t v = dsp_word(x);
    return type == IPU_U8 ? (group){ dsp_even_u8(v), dsp_odd_u8(v) } : (group){ v, 0 };
}

IPU_INLINE group w_of(const int8_t *w, const int type)
{
    const uint32_t v = dsp_word(w);
    return type == IPU_U8 ? (group){ dsp_even_s8(v), dsp_odd_s8(v) } : (group){ v, 0 };
}

IPU_INLINE int32_t dot(int32_t sum, group w, group x, const int type)
{
    sum = __smlad((int16x2_t)w.even, (int16x2_t)x.even, sum);
    return type == IPU_U8 ? __smlad((int16x2_t)w.odd, (int16x2_t)x.odd, sum) : sum;
}

/* Two pixels, channels c and c + 1. */
IPU_INLINE void add_two(const run *r, sums *s, int c, const int32_t step, const int type)
{
    const uint8_t *x0 = r->x[0], *x1 = r->x[1];
    const int8_t *w = r->w + GROUP * c, *const end = w + (ptrdiff_t)r->groups * STEP;
    int32_t s00 = s->s32[0][c], s01 = s->s32[0][c + 1], s10 = s->s32[1][c], s11 = s->s32[1][c + 1];

    do {
        const group a = x_of(x0, type), b = x_of(x1, type);
        const group u = w_of(w, type);
        s00 = dot(s00, u, a, type), s10 = dot(s10, u, b, type);
        const group v = w_of(w + GROUP, type);
        s01 = dot(s01, v, a, type), s11 = dot(s11, v, b, type);
        x0 += step, x1 += step, w += STEP;
    } while (w != end);
    s->s32[0][c] = s00, s->s32[0][c + 1] = s01, s->s32[1][c] = s10, s->s32[1][c + 1] = s11;
}

/* One pixel, channels c to c + 3. */
IPU_INLINE void add_one(const run *r, sums *s, int c, const int type)
{
    const uint8_t *x = r->x[0];
    const int8_t *w = r->w + GROUP * c, *const end = w + (ptrdiff_t)r->groups * STEP;
    int32_t *const to = s->s32[0] + c, s0 = to[0], s1 = to[1], s2 = to[2], s3 = to[3];

    do {
        const group a = x_of(x, type);
        s0 = dot(s0, w_of(w, type), a, type);
        s1 = dot(s1, w_of(w + GROUP, type), a, type);
        s2 = dot(s2, w_of(w + 2 * GROUP, type), a, type);
        s3 = dot(s3, w_of(w + 3 * GROUP, type), a, type);
        x += r->step, w += STEP;
    } while (w != end);
    to[0] = s0, to[1] = s1, to[2] = s2, to[3] = s3;
}

IPU_INLINE void add_narrow(const run *r, sums *s, const int type)
{
    if (r->pixels == 1)
        for (int c = 0; c < r->channels; c += 4)
            add_one(r, s, c, type);
    else if (r->step == GROUP)
        for (int c = 0; c < r->channels; c += 2)
            add_two(r, s, c, GROUP, type);
    else
        for (int c = 0; c < r->channels; c += 2)
            add_two(r, s, c, r->step, type);
}

static void add_u8(const run *r, sums *s)
{
    add_narrow(r, s, IPU_U8);
}

static void add_s16(const run *r, sums *s)
{
    add_narrow(r, s, IPU_S16);
}

/* ---- of 64 ---- */

static void add_wide(const run *r, sums *s)
{
    for (int i = 0; i < r->pixels; i++)
        for (int c = 0; c < r->channels; c += 4) {
            const uint8_t *x = r->x[i];
            const int8_t *w = r->w + GROUP * c, *const end = w + (ptrdiff_t)r->groups * STEP;
            int64_t *const to = s->s64[i] + c, s0 = to[0], s1 = to[1], s2 = to[2], s3 = to[3];
            do {
                const int16x2_t a = (int16x2_t)dsp_word(x);
                s0 = __smlald((int16x2_t)dsp_word(w), a, s0);
                s1 = __smlald((int16x2_t)dsp_word(w + GROUP), a, s1);
                s2 = __smlald((int16x2_t)dsp_word(w + 2 * GROUP), a, s2);
                s3 = __smlald((int16x2_t)dsp_word(w + 3 * GROUP), a, s3);
                x += r->step, w += STEP;
            } while (w != end);
            to[0] = s0, to[1] = s1, to[2] = s2, to[3] = s3;
        }
}

/* ---- geometry ---- */

typedef struct job {
    const ipu_conv *o;
    void *const *p;
    add_fn *add;
    int wide;                       /* sums of 64 bits */
    int32_t full, tail, groups;     /* of a pixel: whole groups, bytes in a last, partial one, and how many that is */
    int32_t line;                   /* groups of a kernel's row where its taps are one run, else 0 */
    int dense;                      /* that run's groups lie side by side, else a tap each */
    const uint8_t *end;             /* of x, to behind its last byte */
} job;

static job job_of(const ipu_conv *o, void *const p[], add_fn *add)
{
    const int32_t bytes = o->x.c * ipu_type_bytes(o->x.type);
    job j = { .o = o, .p = p, .add = add, .wide = add == add_wide, .full = bytes / GROUP, .tail = bytes % GROUP };

    j.groups = j.full + (j.tail != 0);
    j.dense = o->kw == 1 || (o->dx == 1 && o->x.pix == bytes && !j.tail);
    j.line = j.dense || j.groups == 1 ? o->kw * j.groups : 0;
    j.end = (const uint8_t *)ipu_pixel(&o->x, p[1], o->x.n * o->x.h - 1, o->x.w - 1) + bytes;
    return j;
}

/* One output pixel, or two side by side. */
typedef struct tile {
    int32_t y, x;
    int pixels;
    const uint8_t *picture; /* that they are made of */
    int32_t iy, ix;         /* tap (0, 0) of the first */
} tile;

static const uint8_t *pixel(const job *j, const tile *t, int32_t iy, int32_t ix)
{
    return t->picture + (ptrdiff_t)iy * j->o->x.row + (ptrdiff_t)ix * j->o->x.pix;
}

/* One tap, of pixels that may lie outside; nothing is read behind a pixel's last channel. */
static void add_tap(const job *j, const tile *t, int32_t iy, int32_t ix, run r, sums *s)
{
    const ipu_conv *o = j->o;
    uint8_t last[PIXELS][GROUP] = { { 0 } };

    for (int i = 0; i < t->pixels; i++, ix += o->sx) {
        const int in = (uint32_t)iy < (uint32_t)o->x.h && (uint32_t)ix < (uint32_t)o->x.w;
        r.x[i] = in ? pixel(j, t, iy, ix) : j->p[5];
        for (int32_t k = 0; k < j->tail; k++)
            last[i][k] = r.x[i][GROUP * j->full + k];
    }
    r.groups = j->full, r.step = GROUP;
    if (j->full)
        j->add(&r, s);
    if (!j->tail)
        return;
    r.x[0] = last[0], r.x[1] = last[1];
    r.w += j->full * STEP, r.groups = 1;
    j->add(&r, s);
}

/* Whether the row of taps lies in x and may be read in whole groups, from *q on. */
static int whole_row(const job *j, const tile *t, int32_t iy, const uint8_t **q)
{
    const ipu_conv *o = j->o;
    const int32_t last = t->ix + (t->pixels - 1) * o->sx + (o->kw - 1) * o->dx;

    if ((uint32_t)iy >= (uint32_t)o->x.h || t->ix < 0 || last >= o->x.w)
        return 0;
    *q = pixel(j, t, iy, t->ix);
    return j->end - pixel(j, t, iy, last) >= j->groups * GROUP;
}

/* The taps of one row of the kernel. */
static void add_row(const job *j, const tile *t, int32_t iy, run r, sums *s)
{
    const ipu_conv *o = j->o;
    const uint8_t *q;

    if (!whole_row(j, t, iy, &q)) {
        for (int32_t k = 0; k < o->kw; k++, r.w += j->groups * STEP)
            add_tap(j, t, iy, t->ix + k * o->dx, r, s);
        return;
    }
    r.groups = j->line ? j->line : j->groups;
    r.step = j->line && !j->dense ? o->dx * o->x.pix : GROUP;
    for (int32_t k = 0; k < (j->line ? 1 : o->kw); k++, r.w += j->groups * STEP) {
        r.x[0] = q + k * o->dx * o->x.pix;
        r.x[1] = t->pixels == 1 ? r.x[0] : r.x[0] + o->sx * o->x.pix;
        j->add(&r, s);
    }
}

static void start(const job *j, int32_t c, int pixels, sums *s)
{
    for (int i = 0; i < pixels; i++)
        for (int k = 0; k < IPU_CONV_BLOCK; k++)
            if (j->wide)
                s->s64[i][k] = ((const int64_t *)j->p[3])[c + k];
            else
                s->s32[i][k] = j->o->x.type == IPU_U8 ? ((const int32_t *)j->p[3])[c + k] : (int32_t)((const int64_t *)j->p[3])[c + k];
}

static void finish(const job *j, const tile *t, int32_t c, int channels, const sums *s)
{
    const ipu_conv *o = j->o;
    int32_t narrow[IPU_CONV_BLOCK];

    for (int i = 0; i < t->pixels; i++) {
        for (int k = 0; k < IPU_CONV_BLOCK && j->wide; k++)
            narrow[k] = ipu_narrow(s->s64[i][k], o->shift);
        const int32_t *sum = j->wide ? narrow : s->s32[i];
        if (j->p[6] || j->p[7])
            ipu_conv_finish(o, j->p, t->y, t->x + i, c, sum);
        else
            dsp_put(&(dsp_store){ o->out, j->p[8] }, o->y.type, (const float *)j->p[4] + c, sum, channels,
                    (uint8_t *)ipu_pixel(&o->y, j->p[0], t->y, t->x + i) + c * o->y.step);
    }
}

static void tile_run(const job *j, const tile *t)
{
    const ipu_conv *o = j->o;
    run r = { .w = j->p[2], .pixels = t->pixels };
    sums s;

    for (int32_t c = 0; c < o->y.c; c += IPU_CONV_BLOCK) {
        r.channels = o->y.c - c < IPU_CONV_BLOCK ? o->y.c - c : IPU_CONV_BLOCK;
        start(j, c, t->pixels, &s);
        for (int32_t k = 0; k < o->kh; k++, r.w += o->kw * j->groups * STEP)
            add_row(j, t, t->iy + k * o->dy, r, &s);
        finish(j, t, c, r.channels, &s);
    }
}

static void conv(const job *j, int32_t y0, int32_t y1)
{
    const ipu_conv *o = j->o;

    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x += PIXELS) {
            tile t = { .y = y, .x = x, .pixels = o->y.w - x < PIXELS ? o->y.w - x : PIXELS };
            t.picture = ipu_pixel(&o->x, j->p[1], y / o->y.h * o->x.h, 0);
            t.iy = y % o->y.h * o->sy - o->py, t.ix = x * o->sx - o->px;
            tile_run(j, &t);
        }
}

IPU_KERNEL(ipu_conv_u8_dsp)
{
    const job j = job_of((const ipu_conv *)rec, p, add_u8);
    conv(&j, y0, y1);
}

IPU_KERNEL(ipu_conv_s16_dsp)
{
    const ipu_conv *o = (const void *)rec;
    const job j = job_of(o, p, o->shift ? add_wide : add_s16);
    conv(&j, y0, y1);
}

#endif
