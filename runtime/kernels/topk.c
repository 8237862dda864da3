/* The best channels of each pixel, best first, or where they were: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_topk_check)
{
    const ipu_topk *o = (const void *)rec;
    return ipu_rec_ok(rec, 2, sizeof *o) && (o->y.type == IPU_S32 || o->y.type == o->x.type) && ipu_activation(&o->x) &&
           o->y.n == o->x.n && o->y.h == o->x.h && o->y.w == o->x.w && o->y.c <= o->x.c &&
           (o->sign == 1 || o->sign == -1);
}

/* Channel c of x, which stands at place `at` of the result: places hold indices or, of the same order, elements. */
static int32_t stands(const ipu_topk *o, const void *y, const void *x, int32_t at)
{
    if (o->y.type == IPU_S32)
        return ipu_get(o->x.type, x, ((const int32_t *)y)[at]) * o->sign;
    return ipu_get(o->y.type, y, at) * o->sign;
}

static void move(const ipu_topk *o, void *y, int32_t to, int32_t from)
{
    if (o->y.type == IPU_S32)
        ((int32_t *)y)[to] = ((const int32_t *)y)[from];
    else
        ipu_put(o->y.type, y, to, ipu_get(o->y.type, y, from));
}

/* Behind what is as good: of equals the first stays first. */
static void insert(const ipu_topk *o, void *y, const void *x, int32_t c, int32_t held)
{
    const int32_t q = ipu_get(o->x.type, x, c), good = q * o->sign;
    int32_t at = held < o->y.c ? held : o->y.c - 1;
    if (held == o->y.c && stands(o, y, x, at) >= good)
        return;
    for (; at > 0 && stands(o, y, x, at - 1) < good; at--)
        move(o, y, at, at - 1);
    if (o->y.type == IPU_S32)
        ((int32_t *)y)[at] = c;
    else
        ipu_put(o->y.type, y, at, q);
}

IPU_KERNEL(ipu_topk_c)
{
    const ipu_topk *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            const void *from = ipu_pixel(&o->x, p[1], y, x);
            for (int32_t c = 0; c < o->x.c; c++)
                insert(o, to, from, c, c < o->y.c ? c : o->y.c);
        }
}
