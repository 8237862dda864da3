/* ReLU and clip as operations of their own: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_clamp_check)
{
    const ipu_clamp *o = (const void *)rec;
    int32_t lo = o->y.type == IPU_U8 ? 0 : -32768, hi = o->y.type == IPU_U8 ? 255 : 32767;
    return ipu_rec_ok(rec, 2, sizeof *o) && ipu_activation(&o->y) && o->x.type == o->y.type && ipu_same_shape(&o->x, &o->y) &&
           o->lo <= o->hi && ipu_between(o->lo, lo, hi) && ipu_between(o->hi, lo, hi);
}

IPU_KERNEL(ipu_clamp_c)
{
    const ipu_clamp *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            const void *from = ipu_pixel(&o->x, p[1], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                int32_t q = ipu_get(o->x.type, from, c);
                q = q < o->lo ? o->lo : q;
                ipu_put(o->y.type, to, c, q > o->hi ? o->hi : q);
            }
        }
}
