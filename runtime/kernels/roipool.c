/* Boxes of a picture, each cut into bins: ARITHMETIC.md 22. */
#include "common.h"

static int step_ok(int32_t mult, int32_t shift)
{
    return mult >= 0 && ipu_between(shift, 0, IPU_ROI_SHIFT);
}

IPU_CHECK(ipu_roipool_check)
{
    const ipu_roipool *o = (const void *)rec;
    const ipu_ref *y = &o->y, *x = &o->x, *box = &o->box;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || y->type != IPU_S16 || x->type != IPU_S16 || box->type != IPU_S16)
        return 0;
    if (y->c != x->c || box->n != 1 || box->h != 1 || box->w != y->n || box->c != 5 || y->h > IPU_ROI_BINS ||
        y->w > IPU_ROI_BINS)
        return 0;
    return step_ok(o->mult, o->shift) && step_ok(o->picture_mult, o->picture_shift) && ipu_multiplier(o->m) &&
           ipu_out_ok(&o->out, IPU_S16);
}

/* q steps as a whole number, halves away from zero. */
static int64_t whole(int32_t q, int32_t mult, int32_t shift)
{
    const int64_t half = (int64_t)1 << shift >> 1, size = ((int64_t)(q < 0 ? -q : q) * mult + half) >> shift;
    return q < 0 ? -size : size;
}

static int64_t clamp(int64_t v, int64_t hi)
{
    return v < 0 ? 0 : v < hi ? v : hi;
}

typedef struct range {
    int64_t from, to;
} range;

/* Pixels of bin i of n between two ends of a box, along an axis of `size`. */
static range bin_of(const ipu_roipool *o, int32_t first, int32_t last, int32_t i, int32_t n, int32_t size)
{
    const int64_t a = whole(first, o->mult, o->shift), b = whole(last, o->mult, o->shift),
                  length = b - a + 1 > 1 ? b - a + 1 : 1;
    return (range){ clamp(i * length / n + a, size), clamp(((i + 1) * length + n - 1) / n + a, size) };
}

/* The bin's largest pixel; 0 of none. */
static int32_t largest(const ipu_ref *x, const uint8_t *image, range h, range w, int32_t c)
{
    int32_t best = h.from < h.to && w.from < w.to ? INT16_MIN : 0;
    for (int64_t i = h.from; i < h.to; i++)
        for (int64_t j = w.from; j < w.to; j++) {
            const int16_t q = ((const int16_t *)(const void *)(image + i * x->row + j * x->pix))[c];
            best = q > best ? q : best;
        }
    return best;
}

IPU_KERNEL(ipu_roipool_s16_c)
{
    const ipu_roipool *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *box = ipu_pixel(&o->box, p[2], 0, y / o->y.h);
        const int64_t picture = clamp(whole(box[0], o->picture_mult, o->picture_shift), o->x.n - 1);
        const uint8_t *image = (const uint8_t *)p[1] + (ptrdiff_t)picture * o->x.img;
        const range h = bin_of(o, box[2], box[4], y % o->y.h, o->y.h, o->x.h);
        for (int32_t x = 0; x < o->y.w; x++) {
            const range w = bin_of(o, box[1], box[3], x, o->y.w, o->x.w);
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (int16_t)ipu_requant(largest(&o->x, image, h, w, c), o->m, &o->out);
        }
    }
}
