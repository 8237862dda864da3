/* Arithmetic of two 16-bit tensors, either of them repeated: ARITHMETIC.md 7. */
#include "common.h"

static int repeats(const ipu_ref *x, const ipu_ref *y)
{
    return (x->n == y->n || x->n == 1) && (x->h == y->h || x->h == 1) && (x->w == y->w || x->w == 1) &&
           (x->c == y->c || x->c == 1);
}

IPU_CHECK(ipu_arith_check)
{
    const ipu_arith *o = (const void *)rec;
    return ipu_rec_ok(rec, 3, sizeof *o) && o->y.type == IPU_S16 && o->a.type == IPU_S16 && o->b.type == IPU_S16 &&
           repeats(&o->a, &o->y) && repeats(&o->b, &o->y) && ipu_multiplier(o->ma) && ipu_multiplier(o->mb) &&
           ipu_out_ok(&o->out, IPU_S16);
}

/* The pixel of operand x for row y, column col of the result: axes of length 1 stand still. */
static const int16_t *pixel_of(const ipu_arith *o, const ipu_ref *x, void *p, int32_t y, int32_t col)
{
    int32_t n = x->n == 1 ? 0 : y / o->y.h, h = x->h == 1 ? 0 : y % o->y.h;
    return ipu_pixel(x, p, n * x->h + h, x->w == 1 ? 0 : col);
}

/* In steps of the result. */
static inline float combined(int kind, const ipu_arith *o, int32_t a, int32_t b)
{
    switch (kind) {
    case IPU_MUL_S16:
        return (float)(a * b) * o->ma;
    case IPU_DIV_S16:
        return (float)a / (b ? (float)b : IPU_DIV_ZERO) * o->ma;
    case IPU_MIN_S16:
        return ipu_minf((float)a * o->ma, (float)b * o->mb);
    case IPU_MAX_S16:
        return ipu_maxf((float)a * o->ma, (float)b * o->mb);
    default:
        return (float)a * o->ma + (float)b * o->mb;
    }
}

static inline void run(int kind, const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1)
{
    const ipu_arith *o = (const void *)rec;
    int32_t sa = o->a.c != 1, sb = o->b.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            const int16_t *a = pixel_of(o, &o->a, p[1], y, x), *b = pixel_of(o, &o->b, p[2], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (int16_t)ipu_store(combined(kind, o, a[c * sa], b[c * sb]), &o->out);
        }
}

IPU_KERNEL(ipu_add_s16_c)
{
    run(IPU_ADD_S16, rec, p, y0, y1);
}

IPU_KERNEL(ipu_mul_s16_c)
{
    run(IPU_MUL_S16, rec, p, y0, y1);
}

IPU_KERNEL(ipu_div_s16_c)
{
    run(IPU_DIV_S16, rec, p, y0, y1);
}

IPU_KERNEL(ipu_min_s16_c)
{
    run(IPU_MIN_S16, rec, p, y0, y1);
}

IPU_KERNEL(ipu_max_s16_c)
{
    run(IPU_MAX_S16, rec, p, y0, y1);
}
