/* A function of one variable by its table: ARITHMETIC.md 12 and 25. */
#include "common.h"

IPU_CHECK(ipu_lut_check)
{
    const ipu_lut *o = (const void *)rec;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || o->x.type != IPU_S16 || !ipu_same_shape(&o->x, &o->y))
        return 0;
    if (rec->kind == IPU_LUT_U8)
        return o->y.type == IPU_U8 && ipu_array(&o->table, IPU_U8, IPU_INDEX) && ipu_between(o->first, -32767, 32767);
    return o->y.type == IPU_S16 && ipu_array(&o->table, IPU_S16, 2 * IPU_LUT_SIDE) && o->first == 0;
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

IPU_KERNEL(ipu_lut_u8_c)
{
    const ipu_lut *o = (const void *)rec;
    const uint8_t *table = p[2];
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            const int16_t *in = ipu_pixel(&o->x, p[1], y, x);
            uint8_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = table[ipu_index(in[c], o->first)];
        }
}
