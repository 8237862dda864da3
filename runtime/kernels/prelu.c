/* Two slopes: ARITHMETIC.md 13. */
#include "common.h"

IPU_CHECK(ipu_prelu_check)
{
    const ipu_prelu *o = (const void *)rec;
    return ipu_rec_ok(rec, 3, sizeof *o) && o->x.type == IPU_S16 && o->y.type == IPU_S16 &&
           ipu_same_shape(&o->x, &o->y) &&
           (ipu_array(&o->mult, IPU_F32, o->y.c) || (o->mult.c == 1 && ipu_array(&o->mult, IPU_F32, 1))) &&
           ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16);
}

IPU_KERNEL(ipu_prelu_s16_c)
{
    const ipu_prelu *o = (const void *)rec;
    const float *mult = p[2];
    int32_t step = o->mult.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            const int16_t *in = ipu_pixel(&o->x, p[1], y, x);
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (int16_t)ipu_requant(in[c], in[c] > o->threshold ? o->m : mult[c * step], &o->out);
        }
}
