/* Rows of what was found: ARITHMETIC.md 23. */
#include "common.h"

IPU_CHECK(ipu_detect_check)
{
    const ipu_detect *o = (const void *)rec;
    const ipu_ref *y = &o->y, *score = &o->score, *box = &o->box;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || y->type != IPU_S16 || score->type != IPU_S16 || box->type != IPU_S16)
        return 0;
    if (y->n != 1 || y->h != 1 || y->c != 7 || score->w != 1 || y->w % score->n)
        return 0;
    if (box->n != score->n || box->h != score->c || (box->w != 1 && box->w != score->h) || box->c != 4)
        return 0;
    return ipu_multiplier(o->one) && ipu_multiplier(o->m_score) && ipu_multiplier(o->m_box) &&
           ipu_out_ok(&o->out, IPU_S16);
}

typedef struct place { /* one of a picture's boxes in one of its classes; score IPU_GONE: none */
    int32_t score, class, box;
} place;

/* Whether a comes before b: the larger score, of equals the smaller class, then the smaller box. */
static int before(place a, place b)
{
    return a.score != b.score ? a.score > b.score : a.class != b.class ? a.class < b.class : a.box < b.box;
}

static place place_at(const ipu_detect *o, void *score, int32_t picture, int32_t class, int32_t box)
{
    const int16_t *row = ipu_pixel(&o->score, score, picture * o->score.h + class, 0);
    return (place){ row[box], class, box };
}

/* The first of classes [from, to) behind `last`. */
static place next(const ipu_detect *o, void *score, int32_t picture, int32_t from, int32_t to, place last)
{
    place best = { IPU_GONE, 0, 0 };
    for (int32_t c = from; c < to; c++)
        for (int32_t i = 0; i < o->score.c; i++) {
            const place at = place_at(o, score, picture, c, i);
            if (at.score != IPU_GONE && before(last, at) && (best.score == IPU_GONE || before(at, best)))
                best = at;
        }
    return best;
}

static const place first = { INT32_MAX, -1, -1 };

static int32_t count(const ipu_detect *o, void *score, int32_t picture)
{
    int32_t n = 0;
    for (int32_t c = 0; c < o->score.h; c++)
        for (int32_t i = 0; i < o->score.c; i++)
            n += place_at(o, score, picture, c, i).score != IPU_GONE;
    return n;
}

/* The last place that still has a row. */
static place last_of(const ipu_detect *o, void *score, int32_t picture, int32_t keep)
{
    place at = first;
    if (count(o, score, picture) <= keep)
        return (place){ IPU_GONE, INT32_MAX, 0 };
    for (int32_t i = 0; i < keep; i++)
        at = next(o, score, picture, 0, o->score.h, at);
    return at;
}

static int16_t whole(const ipu_detect *o, int32_t v)
{
    return (int16_t)ipu_requant(v, o->one, &o->out);
}

static void put(const ipu_detect *o, int16_t *to, void *box, int32_t picture, place at)
{
    const int16_t *from = ipu_pixel(&o->box, box, picture * o->box.h + at.box, o->box.w > 1 ? at.class : 0);
    to[0] = whole(o, picture);
    to[1] = whole(o, at.class);
    to[2] = (int16_t)ipu_requant(at.score, o->m_score, &o->out);
    for (int32_t i = 0; i < 4; i++)
        to[3 + i] = (int16_t)ipu_requant(from[i], o->m_box, &o->out);
}

/* One row of one pixel column after the other: it cannot be parted. */
IPU_KERNEL(ipu_detect_c)
{
    const ipu_detect *o = (const void *)rec;
    const int32_t keep = o->y.w / o->score.n;
    int32_t row = 0;
    for (int32_t n = 0; n < o->score.n && y0 < y1; n++) {
        const place last = last_of(o, p[1], n, keep);
        for (int32_t c = 0; c < o->score.h; c++) {
            place at = next(o, p[1], n, c, c + 1, first);
            for (; at.score != IPU_GONE && !before(last, at); at = next(o, p[1], n, c, c + 1, at))
                put(o, ipu_pixel(&o->y, p[0], 0, row++), p[2], n, at);
        }
    }
    for (; row < o->y.w && y0 < y1; row++) {
        int16_t *to = ipu_pixel(&o->y, p[0], 0, row);
        for (int32_t i = 0; i < 7; i++)
            to[i] = whole(o, -1);
    }
}
