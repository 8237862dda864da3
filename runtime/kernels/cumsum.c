/* Sums of the channels before each one: ARITHMETIC.md 7 and 19. */
#include "common.h"

IPU_CHECK(ipu_cumsum_check)
{
    const ipu_cumsum *o = (const void *)rec;
    if (!ipu_rec_ok(rec, 2, sizeof *o) || !ipu_same_shape(&o->x, &o->y) || o->x.type != o->y.type ||
        !ipu_between(o->exclusive, 0, 1) || !ipu_between(o->reverse, 0, 1))
        return 0;
    if (o->x.type == IPU_S32)
        return 1;
    return o->x.type == IPU_S16 && ipu_between(o->shift, 0, 62) && ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16);
}

static void sum_up(const ipu_cumsum *o, int16_t *y, const int16_t *x)
{
    int64_t sum = 0;
    for (int32_t k = 0; k < o->x.c; k++) {
        const int32_t c = o->reverse ? o->x.c - 1 - k : k;
        const int64_t next = sum + x[c];
        y[c] = (int16_t)ipu_requant(ipu_narrow(o->exclusive ? sum : next, o->shift), o->m, &o->out);
        sum = next;
    }
}

static void count_up(const ipu_cumsum *o, int32_t *y, const int32_t *x)
{
    uint32_t sum = 0;
    for (int32_t k = 0; k < o->x.c; k++) {
        const int32_t c = o->reverse ? o->x.c - 1 - k : k;
        const uint32_t next = sum + (uint32_t)x[c];
        y[c] = (int32_t)(o->exclusive ? sum : next);
        sum = next;
    }
}

IPU_KERNEL(ipu_cumsum_c)
{
    const ipu_cumsum *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            const void *from = ipu_pixel(&o->x, p[1], y, x);
            if (o->x.type == IPU_S16)
                sum_up(o, to, from);
            else
                count_up(o, to, from);
        }
}
