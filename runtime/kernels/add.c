/* Addition of two 16-bit tensors: ARITHMETIC.md 7. */
#include "common.h"

static int repeats(int32_t b, int32_t y)
{
    return b == y || b == 1;
}

IPU_CHECK(ipu_add_check)
{
    const ipu_add *o = (const void *)rec;
    const ipu_ref *y = &o->y, *a = &o->a, *b = &o->b;
    return ipu_rec_ok(rec, 3, sizeof *o) && y->type == IPU_S16 && a->type == IPU_S16 && b->type == IPU_S16 && ipu_same_shape(y, a) &&
           repeats(b->n, y->n) && repeats(b->h, y->h) && repeats(b->w, y->w) && repeats(b->c, y->c) &&
           ipu_multiplier(o->ma) && ipu_multiplier(o->mb) && ipu_out_ok(&o->out, IPU_S16);
}

/* b's pixel for row y, column x of the output: axes of length 1 stand still. */
static const int16_t *other(const ipu_add *o, void *b, int32_t y, int32_t x)
{
    int32_t n = o->b.n == 1 ? 0 : y / o->y.h, h = o->b.h == 1 ? 0 : y % o->y.h;
    return ipu_pixel(&o->b, b, n * o->b.h + h, o->b.w == 1 ? 0 : x);
}

IPU_KERNEL(ipu_add_s16_c)
{
    const ipu_add *o = (const void *)rec;
    int32_t step = o->b.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            const int16_t *a = ipu_pixel(&o->a, p[1], y, x), *b = other(o, p[2], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                float fa = (float)a[c] * o->ma, fb = (float)b[c * step] * o->mb;
                to[c] = (int16_t)ipu_store(fa + fb, &o->out);
            }
        }
}
