/* Copies of windows, axes permuted by strides: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_copy_check)
{
    const ipu_copy *o = (const void *)rec;
    return ipu_rec_ok(rec, 2, sizeof *o) && o->x.type == o->y.type && ipu_same_shape(&o->x, &o->y);
}

IPU_KERNEL(ipu_copy_c)
{
    const ipu_copy *o = (const void *)rec;
    int32_t each = ipu_type_bytes(o->y.type);
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            uint8_t *to = ipu_pixel(&o->y, p[0], y, x);
            const uint8_t *from = ipu_pixel(&o->x, p[1], y, x);
            if (o->x.step == each) {
                memmove(to, from, (size_t)o->y.c * (size_t)each);
                continue;
            }
            for (int32_t c = 0; c < o->y.c; c++)
                memcpy(to + (size_t)c * (size_t)each, from + (size_t)c * (size_t)o->x.step, (size_t)each);
        }
}
