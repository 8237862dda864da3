/* Whole numbers: ARITHMETIC.md 14. */
#include "common.h"

IPU_CHECK(ipu_round_check)
{
    const ipu_round *o = (const void *)rec;
    return ipu_rec_ok(rec, 2, sizeof *o) && o->x.type == IPU_S16 && o->y.type == IPU_S16 &&
           ipu_same_shape(&o->x, &o->y) && ipu_between(o->mode, 0, IPU_ROUND_MODES - 1) && o->scale >= 0 &&
           o->scale <= 64.0f && ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16);
}

static float whole(int32_t mode, int32_t x, float scale)
{
    float v = (float)x * scale, r = (float)ipu_rne(v);
    switch (mode) {
    case IPU_ROUND_DOWN:
        return r > v ? r - 1 : r;
    case IPU_ROUND_UP:
        return r < v ? r + 1 : r;
    case IPU_ROUND_NEAREST:
        return r;
    default:
        return (float)((x > 0) - (x < 0));
    }
}

IPU_KERNEL(ipu_round_s16_c)
{
    const ipu_round *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            const int16_t *in = ipu_pixel(&o->x, p[1], y, x);
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (int16_t)ipu_store(whole(o->mode, in[c], o->scale) * o->m, &o->out);
        }
}
