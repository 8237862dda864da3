/* Arithmetic of two 16-bit tensors, either of them repeated: ARITHMETIC.md 7. */
#include "common.h"

IPU_CHECK(ipu_arith_check)
{
    const ipu_arith *o = (const void *)rec;
    return ipu_rec_ok(rec, 3, sizeof *o) && o->y.type == IPU_S16 && o->a.type == IPU_S16 && o->b.type == IPU_S16 &&
           ipu_repeats(&o->a, &o->y) && ipu_repeats(&o->b, &o->y) && ipu_multiplier(o->ma) && ipu_multiplier(o->mb) &&
           ipu_out_ok(&o->out, IPU_S16);
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
            const int16_t *a = ipu_repeated(&o->a, &o->y, p[1], y, x), *b = ipu_repeated(&o->b, &o->y, p[2], y, x);
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
