/* Integers without scale in another type, as real numbers, and back: ARITHMETIC.md 19. */
#include "common.h"

IPU_CHECK(ipu_convert_check)
{
    const ipu_convert *o = (const void *)rec;
    if (!ipu_rec_ok(rec, 2, sizeof *o) || !ipu_same_shape(&o->x, &o->y) || !ipu_is_integer(o->x.type) ||
        !ipu_is_integer(o->y.type))
        return 0;
    if (rec->kind == IPU_CONVERT)
        return 1;
    if (rec->kind == IPU_TO_INTEGER)
        return o->x.type == IPU_S16 && ipu_multiplier(o->m);
    return o->y.type == IPU_S16 && ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16);
}

/* Towards 0, within 32 bits. */
static int32_t truncated(float v)
{
    const float most = 2147483520.0f;
    return (int32_t)(v > most ? most : v < -most ? -most : v);
}

static int32_t converted(const ipu_convert *o, int32_t x)
{
    switch (o->head.kind) {
    case IPU_CONVERT:
        return x;
    case IPU_TO_INTEGER:
        return truncated((float)x * o->m);
    default:
        return ipu_requant(x, o->m, &o->out);
    }
}

static void convert(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1)
{
    const ipu_convert *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            const void *from = ipu_pixel(&o->x, p[1], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                ipu_put_integer(o->y.type, to, c, converted(o, ipu_get_integer(o->x.type, from, c)));
        }
}

IPU_KERNEL(ipu_convert_c)
{
    convert(rec, p, y0, y1);
}

IPU_KERNEL(ipu_to_integer_c)
{
    convert(rec, p, y0, y1);
}

IPU_KERNEL(ipu_to_real_c)
{
    convert(rec, p, y0, y1);
}
