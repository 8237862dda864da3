/* TFLite_Detection_PostProcess: the tail of a detector.  What a network says of each anchor becomes boxes; of those
 * whose best class scores enough the best are taken one by one, and what overlaps one too much goes; the regular kind
 * chooses class by class, with nms.  All of it is spelled out in operators that have fixed-point forms. */
#include <math.h>
#include <string.h>

#include "base/flexbuf.h"
#include "ops/spell.h"

#define MOST_DETECTIONS 100

typedef struct options {
    int64_t most, each, classes,
        per_class; /* detections; classes of one; of the scores without a background; per_class: of the regular kind */
    bool regular;
    float score, overlap, scale[4]; /* scale: of y, x, height, width */
} options;

typedef struct tail {
    sgs_spell *p;
    options o;
    int64_t boxes;
    sgs_value *corner[4]; /* top, left, bottom, right: [boxes] */
    sgs_value *scores;    /* [boxes][classes], without the background */
} tail;

/* ---- reading ---- */

static double option(sgs_spell *p, const char *key, double absent)
{
    const sgs_src_attr *a = sgs_src_find(p->s, "custom_options");
    if (a)
        sgs_flex_number(a->s, key, &absent);
    return absent;
}

static int64_t counted(sgs_spell *p, const char *key, double absent, double most)
{
    const double v = option(p, key, absent);
    if (p->status == SGS_OK && !(v >= 1 && v <= most))
        sgs_sp_refuse(p, "%s: expected 1 to %g, found %g", key, most, v);
    return p->status == SGS_OK ? (int64_t)v : 1;
}

static void read_options(sgs_spell *p, options *o)
{
    static const char *const scales[] = { "y_scale", "x_scale", "h_scale", "w_scale" };
    const sgs_src_attr *a = sgs_src_find(p->s, "custom_options");
    if (!a || !sgs_flex_is_map(a->s))
        sgs_sp_fail(p, "its options are no map");
    o->most = counted(p, "max_detections", 0, MOST_DETECTIONS);
    o->each = counted(p, "max_classes_per_detection", 1, 100);
    o->classes = counted(p, "num_classes", 0, 1 << 20);
    o->per_class = counted(p, "detections_per_class", 100, 1 << 20);
    o->regular = option(p, "use_regular_nms", 0) != 0;
    o->score = (float)option(p, "nms_score_threshold", 0);
    o->overlap = (float)option(p, "nms_iou_threshold", 0);
    for (int i = 0; i < 4; i++) {
        o->scale[i] = (float)option(p, scales[i], 1);
        if (p->status == SGS_OK && !(fabsf(o->scale[i]) > 0))
            sgs_sp_fail(p, "%s cannot be %g", scales[i], (double)o->scale[i]);
    }
    if (p->status == SGS_OK && !(o->overlap > 0 && o->overlap <= 1))
        sgs_sp_fail(p, "nms_iou_threshold: expected more than 0, at most 1, found %g", (double)o->overlap);
}

static void check_inputs(tail *t, const sgs_value *boxes, const sgs_value *scores, const sgs_value *anchors)
{
    char a[128], b[128], c[128];
    const bool fit = boxes->rank == 3 && boxes->dim[0] == 1 && boxes->dim[2] >= 4 && scores->rank == 3 &&
                     scores->dim[0] == 1 && scores->dim[1] == boxes->dim[1] && scores->dim[2] >= t->o.classes &&
                     anchors->rank == 2 && anchors->dim[0] == boxes->dim[1] && anchors->dim[1] == 4;
    if (!fit)
        sgs_sp_fail(t->p, "expected boxes [1,N,4], scores [1,N,%lld or more] and anchors [N,4], found %s, %s and %s",
                    (long long)t->o.classes, sgs_dims_text(a, sizeof a, boxes->rank, boxes->dim),
                    sgs_dims_text(b, sizeof b, scores->rank, scores->dim),
                    sgs_dims_text(c, sizeof c, anchors->rank, anchors->dim));
    else if (!anchors->constant)
        sgs_sp_refuse(t->p, "the anchors are known only at run time");
}

/* ---- boxes ---- */

/* Column i of [n][4] or [1][n][4]. */
static sgs_value *column(sgs_spell *p, sgs_value *x, int i)
{
    const int64_t n = x->dim[x->rank - 2];
    return sgs_sp_reshape(p, sgs_sp_slice(p, x, x->rank - 1, i, 1, 1), 1, &n);
}

/* Middles and sizes, relative to the anchors, as corners. */
static void decode(tail *t, sgs_value *boxes, sgs_value *anchors)
{
    sgs_spell *p = t->p;
    for (int i = 0; i < 2; i++) {
        sgs_value *anchor = column(p, anchors, i), *size = column(p, anchors, 2 + i);
        sgs_value *shift =
            sgs_sp_two(p, &sgs_op_mul, sgs_sp_by(p, &sgs_op_mul, column(p, boxes, i), 1 / t->o.scale[i]), size);
        sgs_value *middle = sgs_sp_two(p, &sgs_op_add, shift, anchor);
        sgs_value *grown =
            sgs_sp_one(p, &sgs_op_exp, sgs_sp_by(p, &sgs_op_mul, column(p, boxes, 2 + i), 1 / t->o.scale[2 + i]), NULL);
        sgs_value *half = sgs_sp_two(p, &sgs_op_mul, grown, sgs_sp_by(p, &sgs_op_mul, size, 0.5f));
        t->corner[i] = sgs_sp_two(p, &sgs_op_sub, middle, half);
        t->corner[2 + i] = sgs_sp_two(p, &sgs_op_add, middle, half);
    }
}

static sgs_value *all_corners(tail *t)
{
    sgs_value *list[4];
    for (int i = 0; i < 4; i++)
        list[i] = sgs_sp_unsqueeze(t->p, t->corner[i], 1);
    return sgs_sp_concat(t->p, 4, list, 1);
}

/* ---- choosing ---- */

static sgs_value *pick(sgs_spell *p, sgs_value *x, sgs_value *index)
{
    sgs_value *in[] = { x, index }, *y = NULL;
    sgs_sp_call_with(p, &(sgs_call){ .op = "Gather", .nin = 2, .nout = 1, .in = in, .y = &y });
    return y ? y : x;
}

static sgs_value *best_of(sgs_spell *p, sgs_value *x)
{
    sgs_value *y = NULL;
    sgs_sp_call_with(p, &(sgs_call){ .op = "ArgMax", .nin = 1, .nout = 1, .in = &x, .y = &y });
    return p->status == SGS_OK ? sgs_sp_cast(p, y, SGS_S32) : x;
}

/* How long both share an axis, 0 where they do not. */
static sgs_value *shared(tail *t, int axis, sgs_value *index)
{
    sgs_spell *p = t->p;
    sgs_value *end = sgs_sp_two(p, &sgs_op_min, t->corner[2 + axis], pick(p, t->corner[2 + axis], index));
    sgs_value *begin = sgs_sp_two(p, &sgs_op_max, t->corner[axis], pick(p, t->corner[axis], index));
    return sgs_sp_one(p, &sgs_op_clip, sgs_sp_two(p, &sgs_op_sub, end, begin), &(sgs_act_attr){ 0, INFINITY });
}

/* Those that overlap box `index` too much, and itself: shared / (both - shared) > overlap, without the quotient. */
static sgs_value *covered(tail *t, sgs_value *area, sgs_value *index, sgs_value *count)
{
    sgs_spell *p = t->p;
    sgs_value *high = shared(t, 0, index), *wide = shared(t, 1, index),
              *common = sgs_sp_two(p, &sgs_op_mul, high, wide);
    sgs_value *both = sgs_sp_by(p, &sgs_op_mul, sgs_sp_two(p, &sgs_op_add, area, pick(p, area, index)),
                                t->o.overlap / (1 + t->o.overlap));
    sgs_value *much = sgs_sp_two(p, &sgs_op_greater, common, both),
              *itself = sgs_sp_two(p, &sgs_op_equal, count, index);
    return sgs_sp_two(p, &sgs_op_or, much, itself);
}

typedef struct chosen {
    sgs_value *box, *found; /* [most]: numbers of boxes, and whether there is such a box */
} chosen;

/* The best that is left, again and again. */
static chosen choose(tail *t, sgs_value *score)
{
    sgs_spell *p = t->p;
    sgs_value *box[MOST_DETECTIONS], *found[MOST_DETECTIONS];
    sgs_value *sides[2], *area, *count = sgs_sp_count(p, SGS_S32, t->boxes), *least = sgs_sp_number(p, t->o.score),
                                *gone = sgs_sp_number(p, t->o.score - 0.25f);
    for (int i = 0; i < 2; i++)
        sides[i] = sgs_sp_two(p, &sgs_op_sub, t->corner[2 + i], t->corner[i]);
    area = sgs_sp_two(p, &sgs_op_mul, sides[0], sides[1]);
    for (int64_t i = 0; i < t->o.most && p->status == SGS_OK; i++) {
        box[i] = best_of(p, score);
        found[i] = sgs_sp_two(p, &sgs_op_greaterequal, pick(p, score, box[i]), least);
        if (i + 1 < t->o.most)
            score = sgs_sp_choose(p, covered(t, area, box[i], count), gone, score);
    }
    if (p->status != SGS_OK)
        return (chosen){ NULL, NULL };
    sgs_value *boxes = sgs_sp_concat(p, (int)t->o.most, box, 0);
    return (chosen){ boxes, sgs_sp_concat(p, (int)t->o.most, found, 0) };
}

/* ---- results ---- */

/* 1 where something was found, else 0. */
static sgs_value *as_ones(sgs_spell *p, sgs_value *found)
{
    sgs_value *one = sgs_sp_number(p, 1), *zero = sgs_sp_number(p, 0);
    return sgs_sp_choose(p, found, one, zero);
}

/* x where something was found, else 0; found [most][1], x [most][n]; as [1][most * each(, 4)]. */
static void give(tail *t, int output, sgs_value *found, sgs_value *x, int rank, const int64_t *dim)
{
    sgs_spell *p = t->p;
    sgs_sp_out(p, output, sgs_sp_reshape(p, sgs_sp_choose(p, found, x, sgs_sp_number(p, 0)), rank, dim));
}

static void give_all(tail *t, const chosen *c, sgs_value *best, sgs_value *class)
{
    sgs_spell *p = t->p;
    const int64_t most = t->o.most, each = t->o.each, flat[] = { 1, most * each }, boxes[] = { 1, most * each, 4 },
                  one[] = { 1 }, copies[] = { most, each, 4 };
    sgs_value *found = sgs_sp_unsqueeze(p, c->found, 1), *box = pick(p, all_corners(t), c->box);
    sgs_value *filled = sgs_sp_choose(p, found, box, sgs_sp_number(p, 0));
    sgs_sp_out(p, 0, sgs_sp_reshape(p, sgs_sp_expand(p, sgs_sp_unsqueeze(p, filled, 1), copies), 3, boxes));
    give(t, 1, found, sgs_sp_cast(p, pick(p, class, c->box), SGS_F32), 2, flat);
    give(t, 2, found, pick(p, best, c->box), 2, flat);
    sgs_value *ones = as_ones(p, c->found);
    sgs_sp_out(p, 3, sgs_sp_reshape(p, sgs_sp_reduce(p, &sgs_op_reduce_sum, ones, 0), 1, one));
}

/* Each box once, with its best classes. */
static void fast(tail *t)
{
    sgs_spell *p = t->p;
    const int64_t each = t->o.each;
    sgs_value *in[] = { t->scores, sgs_const_ints(p->im->g, &each, 1) }, *y[2] = { NULL, NULL };
    sgs_sp_call_with(p, &(sgs_call){ .op = "TopK", .nin = 2, .nout = 2, .in = in, .y = y }); /* [boxes][each] */
    if (p->status != SGS_OK)
        return;
    sgs_value *score = sgs_sp_reshape(p, sgs_sp_slice(p, y[0], 1, 0, 1, 1), 1, &t->boxes);
    const chosen c = choose(t, score);
    if (p->status == SGS_OK)
        give_all(t, &c, y[0], y[1]);
}

/* ---- the regular kind: class by class, then the best of all ---- */

static void regular(tail *t)
{
    sgs_spell *p = t->p;
    const int64_t n = t->boxes, classes = t->o.classes, most = t->o.most, cube[] = { 1, n, 4 },
                  turned[] = { 1, classes, n }, places = n * classes;
    const int64_t flat[] = { 1, most }, boxes[] = { 1, most, 4 }, one[] = { 1 },
                  per_class = t->o.per_class < n ? t->o.per_class : n;
    sgs_value *corners = all_corners(t);
    /* nms wants more than the threshold, this operator as much */
    sgs_value *all = sgs_sp_reshape(p, corners, 3, cube),
              *by_class = sgs_sp_reshape(p, sgs_sp_transpose(p, t->scores, (const int64_t[]){ 1, 0 }), 3, turned),
              *overlap = sgs_sp_number(p, t->o.overlap), *least = sgs_sp_number(p, nextafterf(t->o.score, -INFINITY));
    sgs_value *in[] = { all, by_class, sgs_const_ints(p->im->g, &per_class, 1), overlap, least }, *rows = NULL,
              *y[2] = { NULL, NULL };
    sgs_sp_call_with(p, &(sgs_call){ .op = "NonMaxSuppression", .nin = 5, .nout = 1, .in = in, .y = &rows });
    if (p->status != SGS_OK)
        return;
    const int64_t list = rows->dim[0];
    if (list < most) {
        sgs_sp_refuse(p, "%lld detections of at most %lld", (long long)most, (long long)list);
        return;
    }
    sgs_value *class = sgs_sp_reshape(p, sgs_sp_slice(p, rows, 1, 1, 1, 1), 1, &list),
              *box = sgs_sp_reshape(p, sgs_sp_slice(p, rows, 1, 2, 1, 1), 1, &list);
    sgs_value *zero = sgs_sp_integer(p, SGS_S32, 0), *none = sgs_sp_two(p, &sgs_op_less, box, zero);
    sgs_value *place =
        sgs_sp_two(p, &sgs_op_add, sgs_sp_two(p, &sgs_op_mul, box, sgs_sp_integer(p, SGS_S32, classes)), class);
    sgs_value *scores = sgs_sp_reshape(p, t->scores, 1, &places);
    sgs_value *score = pick(p, scores, sgs_sp_choose(p, none, zero, place));
    score = sgs_sp_choose(p, none, sgs_sp_number(p, t->o.score - 1), score);
    sgs_value *top[] = { score, sgs_const_ints(p->im->g, &most, 1) };
    sgs_sp_call_with(p, &(sgs_call){ .op = "TopK", .nin = 2, .nout = 2, .in = top, .y = y });
    if (p->status != SGS_OK)
        return;
    sgs_value *at = sgs_sp_cast(p, y[1], SGS_S32),
              *found = sgs_sp_two(p, &sgs_op_greaterequal, y[0], sgs_sp_number(p, t->o.score)),
              *wide = sgs_sp_unsqueeze(p, found, 1);
    sgs_value *rest = sgs_sp_choose(p, none, zero, box);
    give(t, 0, wide, pick(p, corners, pick(p, rest, at)), 3, boxes);
    give(t, 1, found, sgs_sp_cast(p, pick(p, class, at), SGS_F32), 2, flat);
    give(t, 2, found, y[0], 2, flat);
    sgs_value *ones = as_ones(p, found);
    sgs_sp_out(p, 3, sgs_sp_reshape(p, sgs_sp_reduce(p, &sgs_op_reduce_sum, ones, 0), 1, one));
}

static sgs_status from_post_process(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    tail t = { .p = p };
    sgs_value *boxes = sgs_sp_in(p, 0), *scores = sgs_sp_in(p, 1), *anchors = sgs_sp_in(p, 2);
    read_options(p, &t.o);
    if (p->status == SGS_OK)
        check_inputs(&t, boxes, scores, anchors);
    if (p->status != SGS_OK)
        return p->status;
    t.boxes = boxes->dim[1];
    if (t.o.each > t.o.classes)
        t.o.each = t.o.classes;
    if (t.o.most > t.boxes)
        sgs_sp_refuse(p, "%lld detections of at most %lld", (long long)t.o.most, (long long)t.boxes);
    const int64_t table[] = { t.boxes, scores->dim[2] };
    t.scores = sgs_sp_slice(p, sgs_sp_reshape(p, scores, 2, table), 1, scores->dim[2] - t.o.classes, t.o.classes, 1);
    decode(&t, boxes, anchors);
    if (p->status == SGS_OK)
        (t.o.regular ? regular : fast)(&t);
    return p->status;
}

static const sgs_op *const ops[] = { NULL };
static const sgs_from tflite[] = { { "custom:TFLite_Detection_PostProcess", from_post_process, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_detection = { "detection", ops, .tflite = tflite };
