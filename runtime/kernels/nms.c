/* The best boxes of each picture and class that overlap no better one too much: ARITHMETIC.md 21. */
#include "common.h"

IPU_CHECK(ipu_nms_check)
{
    const ipu_nms *o = (const void *)rec;
    const ipu_ref *y = &o->y, *box = &o->boxes, *score = &o->scores;
    if (!ipu_rec_ok(rec, 4, sizeof *o) || y->type != IPU_S32 || y->n != 1 || y->h != 1 || y->c != 3)
        return 0;
    if (box->type != IPU_S16 || box->n != 1 || box->c != 4 || score->type != IPU_S16 || score->n != 1 ||
        score->h != box->h || score->c != box->w)
        return 0;
    return o->order.type == IPU_S32 && ipu_same_shape(&o->order, score) && ipu_between(o->most, 1, y->w) &&
           (int64_t)o->most * score->h * score->w == y->w && ipu_between(o->centre, 0, 1) &&
           ipu_between(o->overlap, -IPU_NMS_ONE, 2 * IPU_NMS_ONE);
}

/* Corners in steps of the boxes' scale, in half steps where boxes are given by their middle. */
typedef struct corners {
    int32_t y0, x0, y1, x1;
} corners;

static corners corners_of(const ipu_nms *o, const int16_t *b)
{
    if (o->centre)
        return (corners){ 2 * b[1] - b[3], 2 * b[0] - b[2], 2 * b[1] + b[3], 2 * b[0] + b[2] };
    return (corners){ b[0] < b[2] ? b[0] : b[2], b[1] < b[3] ? b[1] : b[3], b[0] < b[2] ? b[2] : b[0],
                      b[1] < b[3] ? b[3] : b[1] };
}

static int32_t common(int32_t a0, int32_t a1, int32_t b0, int32_t b1)
{
    return (a1 < b1 ? a1 : b1) - (a0 > b0 ? a0 : b0);
}

static int overlap(const ipu_nms *o, const int16_t *p, const int16_t *q)
{
    const corners a = corners_of(o, p), b = corners_of(o, q);
    const int32_t h = common(a.y0, a.y1, b.y0, b.y1), w = common(a.x0, a.x1, b.x0, b.x1);
    const int64_t first = (int64_t)(a.y1 - a.y0) * (a.x1 - a.x0), second = (int64_t)(b.y1 - b.y0) * (b.x1 - b.x0);
    if (h <= 0 || w <= 0 || first <= 0 || second <= 0)
        return 0;
    const int64_t both = (int64_t)h * w;
    return both * IPU_NMS_ONE > o->overlap * (first + second - both);
}

typedef struct list {
    const ipu_nms *o;
    const uint8_t *boxes; /* of one picture */
    uint8_t *rows;        /* of one class: those that are chosen */
    int32_t chosen;
} list;

static int32_t *row_at(const list *l, int32_t k)
{
    return (void *)(l->rows + (ptrdiff_t)k * l->o->y.pix);
}

static const int16_t *box_at(const list *l, int32_t i)
{
    return (const void *)(l->boxes + (ptrdiff_t)i * l->o->boxes.pix);
}

static int is_covered(const list *l, int32_t box)
{
    for (int32_t k = 0; k < l->chosen; k++)
        if (overlap(l->o, box_at(l, box), box_at(l, row_at(l, k)[2])))
            return 1;
    return 0;
}

/* order: the boxes, best first. */
static void choose(list *l, const int16_t *score, const int32_t *order, int32_t picture, int32_t kind)
{
    for (int32_t i = 0; i < l->o->scores.c && l->chosen < l->o->most; i++) {
        const int32_t box = ipu_row(order[i], l->o->scores.c);
        if (score[box] <= l->o->score)
            return;
        if (is_covered(l, box))
            continue;
        int32_t *row = row_at(l, l->chosen++);
        row[0] = picture;
        row[1] = kind;
        row[2] = box;
    }
}

/* The result is one row: what is chosen lies side by side. */
IPU_KERNEL(ipu_nms_c)
{
    const ipu_nms *o = (const void *)rec;
    list l = { .o = o, .rows = p[0] };
    int32_t made = 0;
    if (y0 == y1)
        return;
    for (int32_t n = 0; n < o->scores.h; n++)
        for (int32_t k = 0; k < o->scores.w; k++) {
            l.boxes = (const uint8_t *)p[1] + (ptrdiff_t)n * o->boxes.row;
            choose(&l, ipu_pixel(&o->scores, p[2], n, k), ipu_pixel(&o->order, p[3], n, k), n, k);
            l.rows = (uint8_t *)row_at(&l, l.chosen);
            made += l.chosen;
            l.chosen = 0;
        }
    for (int32_t k = 0; k < o->y.w - made; k++)
        for (int32_t c = 0; c < 3; c++)
            row_at(&l, k)[c] = -1;
}
