/* The best channels of each pixel, best first, or where they were: ARITHMETIC.md 6.
 *
 * The places of the result are a heap while the channels pass by: whatever stands at i is behind, in the order of the
 * result, what stands at 2i + 1 and 2i + 2, so that the last of those that are kept stands in front and goes when
 * something better comes. */
#include "common.h"

IPU_CHECK(ipu_topk_check)
{
    const ipu_topk *o = (const void *)rec;
    const int index = o->y.type == IPU_S32 && ipu_is_integer(o->x.type);
    return ipu_rec_ok(rec, 2, sizeof *o) && (index || (o->y.type == o->x.type && ipu_activation(&o->x))) &&
           o->y.n == o->x.n && o->y.h == o->x.h && o->y.w == o->x.w && o->y.c <= o->x.c &&
           (o->sign == 1 || o->sign == -1);
}

typedef struct line {
    const ipu_topk *o;
    void *y; /* indices of channels or their elements, which need no index: equals are alike */
    const void *x;
} line;

/* How good channel c is. */
static int32_t worth(const line *l, int32_t c)
{
    return ipu_ordered(ipu_get_integer(l->o->x.type, l->x, c), l->o->sign);
}

static int32_t standing(const line *l, int32_t at)
{
    if (l->o->y.type == IPU_S32)
        return worth(l, ((const int32_t *)l->y)[at]);
    return ipu_ordered(ipu_get(l->o->y.type, l->y, at), l->o->sign);
}

static int is_behind(const line *l, int32_t i, int32_t j)
{
    const int32_t a = standing(l, i), b = standing(l, j);
    const int32_t *index = l->y;
    return a != b ? a < b : l->o->y.type == IPU_S32 && index[i] > index[j];
}

static void put(const line *l, int32_t at, int32_t c)
{
    if (l->o->y.type == IPU_S32)
        ((int32_t *)l->y)[at] = c;
    else
        ipu_put(l->o->y.type, l->y, at, ipu_get(l->o->x.type, l->x, c));
}

static void exchange(const line *l, int32_t i, int32_t j)
{
    const int type = l->o->y.type;
    const int32_t q = ipu_get_integer(type, l->y, i);
    ipu_put_integer(type, l->y, i, ipu_get_integer(type, l->y, j));
    ipu_put_integer(type, l->y, j, q);
}

/* What stands at `at` goes down to its place among n. */
static void settle(const line *l, int32_t at, int32_t n)
{
    while (at < n / 2) {
        int32_t child = 2 * at + 1;
        if (child + 1 < n && is_behind(l, child + 1, child))
            child++;
        if (!is_behind(l, child, at))
            return;
        exchange(l, at, child);
        at = child;
    }
}

static void choose(const line *l)
{
    const int32_t k = l->o->y.c;
    for (int32_t c = 0; c < k; c++)
        put(l, c, c);
    for (int32_t at = k / 2 - 1; at >= 0; at--)
        settle(l, at, k);
    for (int32_t c = k; c < l->o->x.c; c++)
        if (worth(l, c) > standing(l, 0)) {
            put(l, 0, c);
            settle(l, 0, k);
        }
    for (int32_t n = k - 1; n > 0; n--) {
        exchange(l, 0, n);
        settle(l, 0, n);
    }
}

IPU_KERNEL(ipu_topk_c)
{
    const ipu_topk *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            const line l = { o, ipu_pixel(&o->y, p[0], y, x), ipu_pixel(&o->x, p[1], y, x) };
            choose(&l);
        }
}
