/* A function of one variable by its table: ARITHMETIC.md 12. */
#include "common.h"

IPU_CHECK(ipu_lut_check)
{
    const ipu_lut *o = (const void *)rec;
    return ipu_rec_ok(rec, 3, sizeof *o) && o->x.type == IPU_S16 && o->y.type == IPU_S16 &&
           ipu_same_shape(&o->x, &o->y) && ipu_array(&o->table, IPU_S16, 2 * IPU_LUT_SIDE);
}

IPU_KERNEL(ipu_lut_s16_c)
{
    const ipu_lut *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            const int16_t *in = ipu_pixel(&o->x, p[1], y, x);
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (int16_t)ipu_lut_at(p[2], in[c]);
        }
}
