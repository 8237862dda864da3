/* detect: of each picture's boxes the best of each class that overlap no better one too much, as rows of picture, class, score and corners; of static shape:
 * rows that are not filled are -1.  Caffe's DetectionOutput is this behind the decoding of its boxes, which other ops do. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/caffe.h"

typedef struct detection_attr {
    int64_t most;       /* boxes of a class that are looked at, the best */
    int64_t keep;       /* rows of a picture */
    int64_t background; /* a class that is none; -1: all are */
    float overlap;      /* more than this part of both together is too much */
    float score;        /* what scores no more is left out */
    float eta;          /* below 1: what `overlap` is multiplied by at each box that stays, while it is above a half; 0: 1 */
} detection_attr;

static const sgs_attr detection_attrs[] = {
    SGS_ATTR_I(detection_attr, most),  SGS_ATTR_I(detection_attr, keep), SGS_ATTR_I(detection_attr, background), SGS_ATTR_F(detection_attr, overlap),
    SGS_ATTR_F(detection_attr, score), SGS_ATTR_F(detection_attr, eta),  SGS_ATTR_END,
};

enum { ROW = 7 };

/* ---- shapes ---- */

/* boxes [pictures][boxes][1 or classes][x0, y0, x1, y1], scores [pictures][boxes][classes] */
static sgs_status detection_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const detection_attr *a = n->attr;
    const sgs_value *box = n->in[0], *score = n->in[1];
    char tb[128], ts[128];
    SGS_TRY(sgs_need_rank(box, 4, "boxes", d));
    SGS_TRY(sgs_need_rank(score, 3, "scores", d));
    if (box->dim[3] != 4 || score->dim[0] != box->dim[0] || score->dim[1] != box->dim[1] || (box->dim[2] != 1 && box->dim[2] != score->dim[2]))
        return sgs_fail(d, SGS_E_MODEL, "expected boxes of [pictures,boxes,1 or classes,4] and scores of [pictures,boxes,classes], found %s and %s",
                        sgs_dims_text(tb, sizeof tb, 4, box->dim), sgs_dims_text(ts, sizeof ts, 3, score->dim));
    if (isnan(a->overlap) || isnan(a->score) || !(a->eta >= 0 && a->eta <= 1))
        return sgs_fail(d, SGS_E_MODEL, "thresholds must be numbers and eta lie in 0..1, found %g, %g and %g", (double)a->overlap, (double)a->score, (double)a->eta);
    if (a->most < 1 || a->most > box->dim[1] || a->keep < 1 || a->keep > a->most * score->dim[2] || box->dim[1] * score->dim[2] > INT32_MAX || a->background < -1)
        return sgs_fail(d, SGS_E_MODEL, "cannot keep %lld of %lld boxes of %lld classes", (long long)a->keep, (long long)a->most, (long long)score->dim[2]);
    sgs_shape_like(out, box);
    out->dim[0] = out->dim[1] = 1;
    out->dim[2] = box->dim[0] * a->keep;
    out->dim[3] = ROW;
    return SGS_OK;
}

/* ---- evaluation ---- */

typedef struct candidate {
    float score;
    int32_t class, box;
} candidate;

static int best_first(const void *p, const void *q)
{
    const candidate *a = p, *b = q;
    const int order = (b->score > a->score) - (b->score < a->score);
    return order ? order : a->class != b->class ? (a->class > b->class) - (a->class < b->class) : (a->box > b->box) - (a->box < b->box);
}

static int by_class(const void *p, const void *q)
{
    const candidate *a = p, *b = q;
    return a->class != b->class ? (a->class > b->class) - (a->class < b->class) : best_first(p, q);
}

/* The part of both that two boxes have in common. */
static float overlap_of(const float *b, const float *c)
{
    const float w = fminf(b[2], c[2]) - fmaxf(b[0], c[0]), h = fminf(b[3], c[3]) - fmaxf(b[1], c[1]);
    if (!(w > 0 && h > 0))
        return 0;
    return w * h / ((b[2] - b[0]) * (b[3] - b[1]) + (c[2] - c[0]) * (c[3] - c[1]) - w * h);
}

typedef struct picture {
    const detection_attr *a;
    const float *box, *score;
    int64_t boxes, classes, sets; /* sets of boxes: 1 or one a class */
    candidate *list, *kept;
    int64_t nkept;
} picture;

static const float *box_at(const picture *p, const candidate *c)
{
    return p->box + 4 * (c->box * p->sets + (p->sets > 1 ? c->class : 0));
}

/* One class's boxes that stay go behind those of the classes before it. */
static void choose(picture *p, int64_t class)
{
    int64_t n = 0;
    const int64_t first = p->nkept;
    float most = p->a->overlap;
    for (int64_t i = 0; i < p->boxes; i++)
        if (p->score[i * p->classes + class] > p->a->score)
            p->list[n++] = (candidate){ p->score[i * p->classes + class], (int32_t)class, (int32_t)i };
    qsort(p->list, (size_t)n, sizeof *p->list, best_first);
    for (int64_t i = 0; i < n && i < p->a->most; i++) {
        bool covered = false;
        for (int64_t k = first; k < p->nkept && !covered; k++)
            covered = overlap_of(box_at(p, &p->list[i]), box_at(p, &p->kept[k])) > most;
        if (covered)
            continue;
        p->kept[p->nkept++] = p->list[i];
        if (p->a->eta > 0 && p->a->eta < 1 && most > 0.5f)
            most *= p->a->eta;
    }
}

static float *put_rows(picture *p, int64_t number, float *to)
{
    for (int64_t c = 0; c < p->classes; c++)
        if (c != p->a->background)
            choose(p, c);
    if (p->nkept > p->a->keep) {
        qsort(p->kept, (size_t)p->nkept, sizeof *p->kept, best_first);
        p->nkept = p->a->keep;
        qsort(p->kept, (size_t)p->nkept, sizeof *p->kept, by_class);
    }
    for (int64_t i = 0; i < p->nkept; i++, to += ROW) {
        to[0] = (float)number;
        to[1] = (float)p->kept[i].class;
        to[2] = p->kept[i].score;
        memcpy(to + 3, box_at(p, &p->kept[i]), 4 * sizeof *to);
    }
    return to;
}

static sgs_status detection_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const detection_attr *a = n->attr;
    const int64_t boxes = in->dim[1], sets = in->dim[2], classes = in[1].dim[2];
    candidate *list = malloc((size_t)boxes * sizeof *list), *kept = malloc((size_t)(classes * a->most) * sizeof *kept);
    float *to = out->data, *end = to + sgs_tensor_count(out);
    for (int64_t i = 0; i < in->dim[0] && list && kept; i++) {
        picture p = { .a = a, .box = (const float *)in->data + i * boxes * sets * 4, .score = (const float *)in[1].data + i * boxes * classes,
                      .boxes = boxes, .classes = classes, .sets = sets, .list = list, .kept = kept };
        to = put_rows(&p, i, to);
    }
    const bool ok = list && kept;
    free(list);
    free(kept);
    while (to < end)
        *to++ = -1;
    return ok ? SGS_OK : sgs_fail(d, SGS_E_LIMIT, "out of memory");
}

/* ---- from Caffe: boxes from what the network says of them and from the grid's own ---- */

enum { CORNER = 1, CENTER_SIZE, CORNER_SIZE };

typedef struct grid {
    sgs_value *low, *high, *variance[2]; /* corners, and variances of the first and the last two numbers: [1][boxes][1][2] */
} grid;

static sgs_value *two_of(sgs_spell *p, sgs_value *x, int64_t from)
{
    return sgs_sp_slice(p, x, x->rank - 1, from, 2, 1);
}

static grid read_grid(sgs_spell *p, sgs_value *prior, int64_t boxes)
{
    const int64_t apart[] = { 2, boxes, 1, 4 };
    sgs_value *all = sgs_sp_reshape(p, prior, 4, apart), *box = sgs_sp_slice(p, all, 0, 0, 1, 1), *variance = sgs_sp_slice(p, all, 0, 1, 1, 1);
    sgs_value *low = two_of(p, box, 0), *high = two_of(p, box, 2), *first = two_of(p, variance, 0);
    return (grid){ low, high, { first, two_of(p, variance, 2) } };
}

static sgs_value *times(sgs_spell *p, sgs_value *a, sgs_value *b)
{
    return sgs_sp_two(p, &sgs_op_mul, a, b);
}

static sgs_value *plus(sgs_spell *p, sgs_value *a, sgs_value *b)
{
    return sgs_sp_two(p, &sgs_op_add, a, b);
}

/* x: [pictures][boxes][1 or classes][4] */
static sgs_value *decode(sgs_spell *p, sgs_value *x, const grid *g, int64_t code, bool in_target)
{
    sgs_value *first = two_of(p, x, 0), *last = two_of(p, x, 2), *size = sgs_sp_two(p, &sgs_op_sub, g->high, g->low), *ends[2];
    sgs_value *by[2] = { g->variance[0], g->variance[1] };
    for (int i = 0; i < 2 && in_target; i++)
        by[i] = sgs_sp_number(p, 1);
    if (code == CENTER_SIZE) {
        sgs_value *middle = sgs_sp_by(p, &sgs_op_mul, plus(p, g->low, g->high), 0.5f), *half = sgs_sp_by(p, &sgs_op_mul, size, 0.5f);
        middle = plus(p, times(p, first, times(p, size, by[0])), middle);
        half = times(p, sgs_sp_one(p, &sgs_op_exp, times(p, last, by[1]), NULL), half);
        ends[0] = sgs_sp_two(p, &sgs_op_sub, middle, half);
        ends[1] = plus(p, middle, half);
    } else {
        for (int i = 0; i < 2; i++)
            by[i] = code == CORNER_SIZE ? times(p, by[i], size) : by[i];
        ends[0] = plus(p, times(p, first, by[0]), g->low);
        ends[1] = plus(p, times(p, last, by[1]), g->high);
    }
    return sgs_sp_concat(p, 2, ends, 3);
}

typedef struct counts {
    int64_t pictures, boxes, classes, sets;
} counts;

static void count_boxes(sgs_spell *p, sgs_value *const in[3], counts *c)
{
    char t[3][128];
    const int64_t prior = in[2]->rank == 3 && in[2]->dim[0] == 1 && in[2]->dim[1] == 2 ? in[2]->dim[2] : 0;
    c->pictures = in[0]->rank ? in[0]->dim[0] : 0;
    c->boxes = prior / 4;
    c->classes = sgs_sp_int(p, "detection_output_param.num_classes", 0);
    c->sets = sgs_caffe_flag(p, "detection_output_param.share_location", true) ? 1 : c->classes;
    int64_t loc = 0, conf = 0;
    const bool ok = c->pictures > 0 && c->boxes > 0 && prior % 4 == 0 && c->classes > 0 && sgs_mul64(c->pictures * 4, c->boxes, &loc) && sgs_mul64(loc, c->sets, &loc) &&
                    sgs_mul64(c->pictures, c->boxes, &conf) && sgs_mul64(conf, c->classes, &conf);
    if (!ok || sgs_value_count(in[0]) != loc || sgs_value_count(in[1]) != conf)
        sgs_sp_fail(p, "%s of boxes and %s of scores do not fit %lld classes of the boxes %s", sgs_dims_text(t[0], sizeof t[0], in[0]->rank, in[0]->dim),
                    sgs_dims_text(t[1], sizeof t[1], in[1]->rank, in[1]->dim), (long long)c->classes, sgs_dims_text(t[2], sizeof t[2], in[2]->rank, in[2]->dim));
}

/* -1 of top_k and keep_top_k: no limit. */
static detection_attr read_detection(sgs_spell *p, const counts *c)
{
    const int64_t top = sgs_sp_int(p, "detection_output_param.nms_param.top_k", -1), keep = sgs_sp_int(p, "detection_output_param.keep_top_k", -1);
    detection_attr a = { .overlap = sgs_sp_float(p, "detection_output_param.nms_param.nms_threshold", 0.3f), .eta = sgs_sp_float(p, "detection_output_param.nms_param.eta", 1),
                         .background = sgs_sp_int(p, "detection_output_param.background_label_id", 0),
                         .score = sgs_sp_float(p, "detection_output_param.confidence_threshold", -INFINITY) };
    const int64_t real = c->classes - (a.background >= 0 && a.background < c->classes);
    a.most = top >= 0 && top < c->boxes ? top : c->boxes;
    a.keep = keep >= 0 && keep < a.most * real ? keep : a.most * real;
    if (a.most < 1 || a.keep < 1)
        sgs_sp_fail(p, "top_k and keep_top_k: expected -1 or 1 and more, and a class besides the background, found %lld and %lld", (long long)top, (long long)keep);
    if (!(a.overlap >= 0) || !(a.eta > 0 && a.eta <= 1))
        sgs_sp_fail(p, "nms_threshold: expected 0 or more, and eta above 0 and at most 1, found %g and %g", (double)a.overlap, (double)a.eta);
    return a;
}

static sgs_status from_caffe_detection(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[3];
    counts c;
    if (sgs_caffe_bottoms(s) != 3 || s->nout != 1)
        sgs_sp_refuse(p, "expected 3 bottoms, boxes, scores and priors, and 1 top, found %d and %d", sgs_caffe_bottoms(s), s->nout);
    for (int i = 0; i < 3; i++)
        in[i] = sgs_sp_in(p, i);
    if (p->status == SGS_OK)
        count_boxes(p, in, &c);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t loc[] = { c.pictures, c.boxes, c.sets, 4 }, conf[] = { c.pictures, c.boxes, c.classes };
    const detection_attr a = read_detection(p, &c);
    const grid g = read_grid(p, in[2], c.boxes);
    sgs_value *both[] = { NULL, sgs_sp_reshape(p, in[1], 3, conf) }, *y;
    both[0] = decode(p, sgs_sp_reshape(p, in[0], 4, loc), &g, sgs_sp_int(p, "detection_output_param.code_type", CORNER),
                     sgs_caffe_flag(p, "detection_output_param.variance_encoded_in_target", false));
    SGS_TRY(p->status);
    SGS_TRY(sgs_emit(im, s, &sgs_op_detect, 2, both, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering: ARITHMETIC.md 23 ---- */

static int32_t part(float v)
{
    return (int32_t)fmin(rint(ldexp((double)v, IPU_OVERLAP_BITS)), 2 << IPU_OVERLAP_BITS);
}

static sgs_status detection_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const detection_attr *a = n->attr;
    const sgs_value *box = n->in[0], *score = n->in[1], *y = n->out[0], *all[] = { box, score, y };
    for (int i = 0; i < 3; i++)
        if (all[i]->type != SGS_S16 || !sgs_one_scale(all[i]))
            return sgs_lower_fail(l, n, d, "expected int16 operands with one scale each");
    const double s = sgs_scale(score, 0), to = sgs_scale(y, 0);
    const ipu_ref like = { .type = IPU_S16, .n = (int32_t)box->dim[0], .h = (int32_t)score->dim[2], .w = 1, .c = (int32_t)box->dim[1] };
    const ipu_suppress r = { .head = SGS_REC(IPU_SUPPRESS, suppress), .y = sgs_lower_temp(l, &like), .score = sgs_lower_ref(l, score), .box = sgs_lower_ref(l, box),
                             .least = (int32_t)fmax(fmin(floor((double)a->score / s), INT16_MAX), INT16_MIN), .most = (int32_t)a->most,
                             .background = (int32_t)fmin((double)a->background, INT32_MAX), .overlap = part(fmaxf(a->overlap, 0)), .eta = part(a->eta > 0 ? a->eta : 1) };
    const ipu_detect q = { .head = SGS_REC(IPU_DETECT, detect), .y = sgs_lower_ref(l, y), .score = r.y, .box = r.box, .one = sgs_mult(1, to), .m_score = sgs_mult(s, to),
                              .m_box = sgs_mult(sgs_scale(box, 0), to), .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    SGS_TRY(sgs_lower_emit(l, &r.head, n, sgs_value_count(score), d));
    return sgs_lower_emit(l, &q.head, n, sgs_value_count(y), d);
}

/* ---- row ---- */

const sgs_op sgs_op_detect = {
    .name = "detect",
    .family = "detect",
    .nin_min = 2,
    .nin_max = 2,
    .nout = 1,
    /* boxes, scores -> rows */ .attr_bytes = sizeof(detection_attr),
    .attr = detection_attrs,
    .infer = detection_infer,
    .eval = detection_eval,
    .float_only = true,
    .qrule = SGS_Q_S16,
    .lower = detection_lower,
};

static const sgs_op *const ops[] = { &sgs_op_detect, NULL };
static const sgs_from caffe[] = { { "DetectionOutput", from_caffe_detection, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_detect = { "detect", ops, .caffe = caffe };
