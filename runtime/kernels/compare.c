/* Truth values, bytes that are 0 or 1, of two 16-bit tensors and of one another: ARITHMETIC.md 17. */
#include "common.h"

IPU_CHECK(ipu_compare_check)
{
    const ipu_compare *o = (const void *)rec;
    const int logic = rec->kind == IPU_LOGIC, type = logic ? IPU_U8 : IPU_S16;
    return ipu_rec_ok(rec, 3, sizeof *o) && o->y.type == IPU_U8 && o->a.type == type && o->b.type == type &&
           ipu_repeats(&o->a, &o->y) && ipu_repeats(&o->b, &o->y) && ipu_multiplier(o->ma) && ipu_multiplier(o->mb) &&
           ipu_between(o->mode, 0, (logic ? (int)IPU_LOGIC_MODES : (int)IPU_COMPARE_MODES) - 1);
}

static inline int holds(int mode, float a, float b)
{
    switch (mode) {
    case IPU_COMPARE_LESS:
        return a < b;
    case IPU_COMPARE_LESS_EQUAL:
        return a <= b;
    case IPU_COMPARE_EQUAL:
        return a == b;
    default:
        return a != b;
    }
}

static inline int combined(int mode, int a, int b)
{
    return mode == IPU_LOGIC_AND ? a && b : mode == IPU_LOGIC_OR ? a || b : !a != !b;
}

IPU_KERNEL(ipu_compare_s16_c)
{
    const ipu_compare *o = (const void *)rec;
    const int32_t sa = o->a.c != 1, sb = o->b.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            uint8_t *to = ipu_pixel(&o->y, p[0], y, x);
            const int16_t *a = ipu_repeated(&o->a, &o->y, p[1], y, x), *b = ipu_repeated(&o->b, &o->y, p[2], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (uint8_t)holds(o->mode, (float)a[c * sa] * o->ma, (float)b[c * sb] * o->mb);
        }
}

IPU_KERNEL(ipu_logic_c)
{
    const ipu_compare *o = (const void *)rec;
    const int32_t sa = o->a.c != 1, sb = o->b.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            uint8_t *to = ipu_pixel(&o->y, p[0], y, x);
            const uint8_t *a = ipu_repeated(&o->a, &o->y, p[1], y, x), *b = ipu_repeated(&o->b, &o->y, p[2], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (uint8_t)combined(o->mode, a[c * sa], b[c * sb]);
        }
}
