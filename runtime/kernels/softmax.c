/* Softmax over the channels of each pixel: ARITHMETIC.md 9. */
#include "common.h"

IPU_CHECK(ipu_softmax_check)
{
    const ipu_softmax *o = (const void *)rec;
    return ipu_rec_ok(rec, 3, sizeof *o) && o->x.type == IPU_S16 && o->y.type == IPU_S16 && ipu_same_shape(&o->x, &o->y) &&
           o->x.c <= 65535 && ipu_array(&o->table, IPU_S16, 1025) && ipu_multiplier(o->m_in) && o->m_in >= 0 &&
           ipu_multiplier(o->m_out) && ipu_out_ok(&o->out, IPU_S16);
}

static int32_t exponential(const ipu_softmax *o, const int16_t *table, int32_t d)
{
    return ipu_table(table, ipu_rne(ipu_clampf((float)d * o->m_in, 0.0f, 65535.0f)));
}

IPU_KERNEL(ipu_softmax_s16_c)
{
    const ipu_softmax *o = (const void *)rec;
    const int16_t *table = p[2];
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            const int16_t *in = ipu_pixel(&o->x, p[1], y, x);
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            int32_t best = in[0], sum = 0;
            for (int32_t c = 1; c < o->x.c; c++)
                best = in[c] > best ? in[c] : best;
            for (int32_t c = 0; c < o->x.c; c++)
                sum = (int32_t)((uint32_t)sum + (uint32_t)exponential(o, table, best - in[c]));
            float m = o->m_out / (float)sum;
            for (int32_t c = 0; c < o->x.c; c++)
                to[c] = (int16_t)ipu_requant(exponential(o, table, best - in[c]), m, &o->out);
        }
}
