/* Sums, largest and smallest over axes: ARITHMETIC.md 7 and 6. */
#include "common.h"

static int reduces(const ipu_ref *x, const ipu_ref *y)
{
    return (y->n == x->n || y->n == 1) && (y->h == x->h || y->h == 1) && (y->w == x->w || y->w == 1) &&
           (y->c == x->c || y->c == 1);
}

IPU_CHECK(ipu_reduce_check)
{
    const ipu_reduce *o = (const void *)rec;
    if (!ipu_rec_ok(rec, 2, sizeof *o) || o->x.type != o->y.type || !reduces(&o->x, &o->y) ||
        (int64_t)o->x.n * o->x.h > INT32_MAX)
        return 0;
    if (rec->kind == IPU_REDUCE_SUM_S32)
        return o->x.type == IPU_S32;
    if (rec->kind != IPU_REDUCE_SUM_S16)
        return ipu_is_integer(o->x.type);
    return o->x.type == IPU_S16 && ipu_between(o->shift, 0, 62) && ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16);
}

/* Indices of x that index i of y gathers along one axis. */
typedef struct range {
    int32_t from, to;
} range;

static range gathered(int32_t x, int32_t y, int32_t i)
{
    return y == 1 ? (range){ 0, x } : (range){ i, i + 1 };
}

typedef struct box {
    range n, h, w, c;
} box;

/* Pixel (row y of n*h, column x), channel c of the result. */
static box box_of(const ipu_reduce *o, int32_t y, int32_t x, int32_t c)
{
    return (box){ gathered(o->x.n, o->y.n, y / o->y.h), gathered(o->x.h, o->y.h, y % o->y.h),
                  gathered(o->x.w, o->y.w, x), gathered(o->x.c, o->y.c, c) };
}

static int64_t total(const ipu_reduce *o, void *x, const box *b)
{
    int64_t sum = 0;
    for (int32_t n = b->n.from; n < b->n.to; n++)
        for (int32_t h = b->h.from; h < b->h.to; h++)
            for (int32_t w = b->w.from; w < b->w.to; w++) {
                const int16_t *p = ipu_pixel(&o->x, x, n * o->x.h + h, w);
                for (int32_t c = b->c.from; c < b->c.to; c++)
                    sum += p[c];
            }
    return sum;
}

IPU_KERNEL(ipu_reduce_sum_s16_c)
{
    const ipu_reduce *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                const box b = box_of(o, y, x, c);
                to[c] = (int16_t)ipu_requant(ipu_narrow(total(o, p[1], &b), o->shift), o->m, &o->out);
            }
        }
}

/* The lower bits. */
static uint32_t count(const ipu_reduce *o, void *x, const box *b)
{
    uint32_t sum = 0;
    for (int32_t n = b->n.from; n < b->n.to; n++)
        for (int32_t h = b->h.from; h < b->h.to; h++)
            for (int32_t w = b->w.from; w < b->w.to; w++) {
                const int32_t *p = ipu_pixel(&o->x, x, n * o->x.h + h, w);
                for (int32_t c = b->c.from; c < b->c.to; c++)
                    sum += (uint32_t)p[c];
            }
    return sum;
}

IPU_KERNEL(ipu_reduce_sum_s32_c)
{
    const ipu_reduce *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            int32_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                const box b = box_of(o, y, x, c);
                to[c] = (int32_t)count(o, p[1], &b);
            }
        }
}

/* sign -1: the smallest. */
static int32_t extreme(const ipu_reduce *o, void *x, const box *b, int32_t sign)
{
    int32_t best = INT32_MIN;
    for (int32_t n = b->n.from; n < b->n.to; n++)
        for (int32_t h = b->h.from; h < b->h.to; h++)
            for (int32_t w = b->w.from; w < b->w.to; w++) {
                const void *p = ipu_pixel(&o->x, x, n * o->x.h + h, w);
                for (int32_t c = b->c.from; c < b->c.to; c++) {
                    const int32_t q = ipu_ordered(ipu_get_integer(o->x.type, p, c), sign);
                    best = q > best ? q : best;
                }
            }
    return ipu_ordered(best, sign);
}

static void extremes(const ipu_reduce *o, void *const p[], int32_t y0, int32_t y1, int32_t sign)
{
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                const box b = box_of(o, y, x, c);
                ipu_put_integer(o->y.type, to, c, extreme(o, p[1], &b, sign));
            }
        }
}

IPU_KERNEL(ipu_reduce_max_c)
{
    extremes((const void *)rec, p, y0, y1, 1);
}

IPU_KERNEL(ipu_reduce_min_c)
{
    extremes((const void *)rec, p, y0, y1, -1);
}
