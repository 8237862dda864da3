/* The index of the largest or smallest of a pixel's channels: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_argmax_check)
{
    const ipu_argmax *o = (const void *)rec;
    return ipu_rec_ok(rec, 2, sizeof *o) && ipu_is_integer(o->x.type) && o->y.type == IPU_S32 && o->y.n == o->x.n &&
           o->y.h == o->x.h && o->y.w == o->x.w && o->y.c == 1 && ipu_between(o->last, 0, 1) &&
           (o->sign == 1 || o->sign == -1);
}

static int32_t index_of(const ipu_argmax *o, const void *p)
{
    int32_t best = ipu_ordered(ipu_get_integer(o->x.type, p, 0), o->sign), at = 0;
    for (int32_t c = 1; c < o->x.c; c++) {
        const int32_t q = ipu_ordered(ipu_get_integer(o->x.type, p, c), o->sign);
        if (q > best || (q == best && o->last)) {
            best = q;
            at = c;
        }
    }
    return at;
}

IPU_KERNEL(ipu_argmax_c)
{
    const ipu_argmax *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++)
            *(int32_t *)ipu_pixel(&o->y, p[0], y, x) = index_of(o, ipu_pixel(&o->x, p[1], y, x));
}
