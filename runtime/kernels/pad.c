/* A frame of constant pixels: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_pad_check)
{
    const ipu_pad *o = (const void *)rec;
    return ipu_rec_ok(rec, 3, sizeof *o) && ipu_activation(&o->y) && o->x.type == o->y.type && o->x.n == o->y.n && o->x.c == o->y.c &&
           ipu_between(o->py, 0, o->y.h) && ipu_between(o->px, 0, o->y.w) && o->x.h <= o->y.h - o->py && o->x.w <= o->y.w - o->px &&
           ipu_array(&o->value, o->y.type, o->y.c);
}

IPU_KERNEL(ipu_pad_c)
{
    const ipu_pad *o = (const void *)rec;
    size_t bytes = (size_t)o->y.c * (size_t)ipu_type_bytes(o->y.type);
    for (int32_t y = y0; y < y1; y++) {
        int32_t n = y / o->y.h, iy = y % o->y.h - o->py;
        for (int32_t x = 0; x < o->y.w; x++) {
            int32_t ix = x - o->px;
            int in = iy >= 0 && iy < o->x.h && ix >= 0 && ix < o->x.w;
            const void *from = in ? ipu_pixel(&o->x, p[1], n * o->x.h + iy, ix) : p[2];
            memcpy(ipu_pixel(&o->y, p[0], y, x), from, bytes);
        }
    }
}
