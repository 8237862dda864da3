/* For every element a channel of its own pixel: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_take_check)
{
    const ipu_take *o = (const void *)rec;
    return ipu_rec_ok(rec, 3, sizeof *o) && o->index.type == IPU_S32 && o->y.type == o->x.type &&
           ipu_same_shape(&o->y, &o->index) && o->y.n == o->x.n && o->y.h == o->x.h && o->y.w == o->x.w;
}

IPU_KERNEL(ipu_take_c)
{
    const ipu_take *o = (const void *)rec;
    const size_t each = (size_t)ipu_type_bytes(o->y.type);
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            uint8_t *to = ipu_pixel(&o->y, p[0], y, x);
            const uint8_t *from = ipu_pixel(&o->x, p[1], y, x);
            const int32_t *index = ipu_pixel(&o->index, p[2], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                memcpy(to + (size_t)c * each, from + (size_t)ipu_row(index[c], o->x.c) * each, each);
        }
}
