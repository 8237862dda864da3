/* One of two tensors by a truth value: ARITHMETIC.md 17 and 19. */
#include "common.h"

IPU_CHECK(ipu_where_check)
{
    const ipu_where *o = (const void *)rec;
    if (!ipu_rec_ok(rec, 4, sizeof *o) || o->truth.type != IPU_U8 || o->a.type != o->y.type || o->b.type != o->y.type ||
        !ipu_repeats(&o->truth, &o->y) || !ipu_repeats(&o->a, &o->y) || !ipu_repeats(&o->b, &o->y))
        return 0;
    return rec->kind == IPU_CHOOSE || (o->y.type == IPU_S16 && ipu_multiplier(o->ma) && ipu_multiplier(o->mb) && ipu_out_ok(&o->out, IPU_S16));
}

IPU_KERNEL(ipu_where_s16_c)
{
    const ipu_where *o = (const void *)rec;
    const int32_t st = o->truth.c != 1, sa = o->a.c != 1, sb = o->b.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            const uint8_t *truth = ipu_repeated(&o->truth, &o->y, p[1], y, x);
            const int16_t *a = ipu_repeated(&o->a, &o->y, p[2], y, x), *b = ipu_repeated(&o->b, &o->y, p[3], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (int16_t)(truth[c * st] ? ipu_requant(a[c * sa], o->ma, &o->out)
                                                : ipu_requant(b[c * sb], o->mb, &o->out));
        }
}

IPU_KERNEL(ipu_choose_c)
{
    const ipu_where *o = (const void *)rec;
    const size_t each = (size_t)ipu_type_bytes(o->y.type);
    const size_t sa = o->a.c != 1 ? each : 0, sb = o->b.c != 1 ? each : 0;
    const int32_t st = o->truth.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            uint8_t *to = ipu_pixel(&o->y, p[0], y, x);
            const uint8_t *truth = ipu_repeated(&o->truth, &o->y, p[1], y, x);
            const uint8_t *a = ipu_repeated(&o->a, &o->y, p[2], y, x), *b = ipu_repeated(&o->b, &o->y, p[3], y, x);
            for (size_t c = 0; c < (size_t)o->y.c; c++)
                memcpy(to + c * each, truth[c * (size_t)st] ? a + c * sa : b + c * sb, each);
        }
}
