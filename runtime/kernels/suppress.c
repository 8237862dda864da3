/* Of each class the scores of the boxes that stay: ARITHMETIC.md 23. */
#include "common.h"

IPU_CHECK(ipu_suppress_check)
{
    const ipu_suppress *o = (const void *)rec;
    const ipu_ref *y = &o->y, *score = &o->score, *box = &o->box;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || y->type != IPU_S16 || score->type != IPU_S16 || box->type != IPU_S16)
        return 0;
    if (y->w != 1 || score->n != 1 || score->h != y->n || score->w != y->c || score->c != y->h)
        return 0;
    if (box->n != y->n || box->h != y->c || (box->w != 1 && box->w != y->h) || box->c != 4)
        return 0;
    return o->most >= 1 && ipu_between(o->least, INT16_MIN, INT16_MAX) &&
           ipu_between(o->overlap, 0, 2 << IPU_OVERLAP_BITS) && ipu_between(o->eta, 0, 1 << IPU_OVERLAP_BITS);
}

static int64_t area(const int16_t *b)
{
    return (int64_t)(b[2] - b[0]) * (b[3] - b[1]);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* More than `most` of what two boxes cover is covered by both. */
static int covers(const int16_t *a, const int16_t *b, int64_t most)
{
    const int64_t w = smaller(a[2], b[2]) - larger(a[0], b[0]), h = smaller(a[3], b[3]) - larger(a[1], b[1]);
    return w > 0 && h > 0 && (w * h << IPU_OVERLAP_BITS) > most * (area(a) + area(b) - w * h);
}

/* One class of one picture. */
typedef struct job {
    const ipu_suppress *o;
    const void *score, *box;
    int16_t *y;
    int32_t picture, class;
} job;

static int32_t score_of(const job *j, int32_t i)
{
    return ((const int16_t *)ipu_pixel(&j->o->score, (void *)(uintptr_t)j->score, j->picture, i))[j->class];
}

static const int16_t *box_of(const job *j, int32_t i)
{
    return ipu_pixel(&j->o->box, (void *)(uintptr_t)j->box, j->picture * j->o->box.h + i,
                     j->o->box.w > 1 ? j->class : 0);
}

/* The best that comes behind box `last`; -1: none. */
static int32_t next(const job *j, int32_t last)
{
    const int32_t before = last < 0 ? INT32_MAX : score_of(j, last);
    int32_t best = -1, most = j->o->least;
    for (int32_t i = 0; i < j->o->y.c; i++) {
        const int32_t q = score_of(j, i);
        if (q > most && (q < before || (q == before && i > last))) {
            best = i;
            most = q;
        }
    }
    return best;
}

static int is_covered(const job *j, int32_t i, int64_t most)
{
    for (int32_t k = 0; k < j->o->y.c; k++)
        if (j->y[k] != IPU_GONE && covers(box_of(j, i), box_of(j, k), most))
            return 1;
    return 0;
}

static void choose(const job *j)
{
    const ipu_suppress *o = j->o;
    int64_t most = o->overlap;
    int32_t at = -1;
    for (int32_t n = 0; n < o->most && (at = next(j, at)) >= 0; n++) {
        if (is_covered(j, at, most))
            continue;
        j->y[at] = (int16_t)score_of(j, at);
        if (most > 1 << (IPU_OVERLAP_BITS - 1))
            most = ipu_narrow(most * o->eta, IPU_OVERLAP_BITS);
    }
}

IPU_KERNEL(ipu_suppress_c)
{
    const ipu_suppress *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++) {
        const job j = { o, p[1], p[2], ipu_pixel(&o->y, p[0], y, 0), y / o->y.h, y % o->y.h };
        for (int32_t i = 0; i < o->y.c; i++)
            j.y[i] = IPU_GONE;
        if (j.class != o->background)
            choose(&j);
    }
}
