/* Changes of scale or type: ARITHMETIC.md 7. */
#include "common.h"

static int scales_ok(const ipu_quantize *o)
{
    int32_t c = o->y.c;
    return (ipu_array(&o->mult, IPU_F32, c) || (o->mult.c == 1 && ipu_array(&o->mult, IPU_F32, 1))) &&
           (ipu_array(&o->zero, IPU_S32, c) || (o->zero.c == 1 && ipu_array(&o->zero, IPU_S32, 1)));
}

IPU_CHECK(ipu_quantize_check)
{
    const ipu_quantize *o = (const void *)rec;
    if (!ipu_rec_ok(rec, 4, sizeof *o) || !ipu_same_shape(&o->x, &o->y) || !scales_ok(o))
        return 0;
    if (rec->kind == IPU_DEQUANTIZE)
        return ipu_activation(&o->x) && o->y.type == IPU_F32;
    return (ipu_activation(&o->x) || o->x.type == IPU_F32) && ipu_activation(&o->y) && ipu_out_ok(&o->out, o->y.type);
}

/* An integer with its zero point taken off; the difference wraps for zero points no model has. */
static float centred(const ipu_quantize *o, const void *x, int32_t zero)
{
    return (float)(int32_t)((uint32_t)ipu_get(o->x.type, x, 0) - (uint32_t)zero);
}

IPU_KERNEL(ipu_quantize_c)
{
    const ipu_quantize *o = (const void *)rec;
    const float *mult = p[2];
    const int32_t *zero = p[3];
    int32_t ms = o->mult.c != 1, zs = o->zero.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            const uint8_t *from = ipu_pixel(&o->x, p[1], y, x);
            for (int32_t c = 0; c < o->y.c; c++, from += o->x.step) {
                float v = o->x.type == IPU_F32 ? *(const float *)(const void *)from : centred(o, from, zero[c * zs]);
                ipu_put(o->y.type, to, c, ipu_store(v * mult[c * ms], &o->out));
            }
        }
}

IPU_KERNEL(ipu_dequantize_c)
{
    const ipu_quantize *o = (const void *)rec;
    const float *mult = p[2];
    const int32_t *zero = p[3];
    int32_t ms = o->mult.c != 1, zs = o->zero.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            float *to = ipu_pixel(&o->y, p[0], y, x);
            const uint8_t *from = ipu_pixel(&o->x, p[1], y, x);
            for (int32_t c = 0; c < o->y.c; c++, from += o->x.step)
                to[c] = centred(o, from, zero[c * zs]) * mult[c * ms];
        }
}
