/* What a division of real numbers leaves: ARITHMETIC.md 7. */
#include "common.h"

IPU_CHECK(ipu_mod_check)
{
    const ipu_mod *o = (const void *)rec;
    return ipu_rec_ok(rec, 3, sizeof *o) && o->y.type == IPU_S16 && o->a.type == IPU_S16 && o->b.type == IPU_S16 &&
           ipu_repeats(&o->a, &o->y) && ipu_repeats(&o->b, &o->y) && ipu_between(o->truncated, 0, 1) &&
           ipu_between(o->ma, 0, IPU_MOD_ONE) && ipu_between(o->mb, 0, IPU_MOD_ONE) && ipu_multiplier(o->m) &&
           ipu_out_ok(&o->out, IPU_S16);
}

/* In steps that both operands have. */
static int32_t stepped(int16_t q, int32_t mult)
{
    return ipu_narrow((int64_t)q * mult, IPU_MOD_SHIFT);
}

static int32_t rest(const ipu_mod *o, int16_t qa, int16_t qb)
{
    const int32_t a = stepped(qa, o->ma), b = stepped(qb, o->mb);
    if (!b)
        return 0;
    const int32_t r = a % b; /* both lie within 2^30 */
    return !o->truncated && r && (r < 0) != (b < 0) ? r + b : r;
}

IPU_KERNEL(ipu_mod_s16_c)
{
    const ipu_mod *o = (const void *)rec;
    const int32_t sa = o->a.c != 1, sb = o->b.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            const int16_t *a = ipu_repeated(&o->a, &o->y, p[1], y, x), *b = ipu_repeated(&o->b, &o->y, p[2], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                to[c] = (int16_t)ipu_requant(rest(o, a[c * sa], b[c * sb]), o->m, &o->out);
        }
}
