/* nms: of each picture's boxes and each class's scores the best ones that overlap no better one too much, as rows of
 * picture, class, box; of static shape: rows that are not filled are -1. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/spell.h"

typedef struct nms_attr {
    int64_t most;   /* a class's boxes */
    int64_t centre; /* boxes are x, y of the middle, width, height; else y, x of two corners */
    float overlap;  /* more than this part of both together is too much */
    float score;    /* what scores no more is left out */
} nms_attr;

static const sgs_attr nms_attrs[] = { SGS_ATTR_I(nms_attr, most), SGS_ATTR_I(nms_attr, centre),
                                      SGS_ATTR_F(nms_attr, overlap), SGS_ATTR_F(nms_attr, score), SGS_ATTR_END };

/* ---- shapes ---- */

static sgs_status nms_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const nms_attr *a = n->attr;
    const sgs_value *box = n->in[0], *score = n->in[1];
    char tb[128], ts[128];
    SGS_TRY(sgs_need_rank(box, 3, "boxes", d));
    SGS_TRY(sgs_need_rank(score, 3, "scores", d));
    if (box->dim[2] != 4 || score->dim[0] != box->dim[0] || score->dim[2] != box->dim[1])
        return sgs_fail(d, SGS_E_MODEL,
                        "expected boxes of [pictures,boxes,4] and scores of [pictures,classes,boxes], found %s and %s",
                        sgs_dims_text(tb, sizeof tb, 3, box->dim), sgs_dims_text(ts, sizeof ts, 3, score->dim));
    if (isnan(a->overlap) || isnan(a->score))
        return sgs_fail(d, SGS_E_MODEL, "thresholds must be numbers, found %g for the overlap and %g for the score",
                        (double)a->overlap, (double)a->score);
    if (a->most < 0 || a->most > box->dim[1] || box->dim[1] > INT32_MAX || (a->centre | 1) != 1)
        return sgs_fail(d, SGS_E_MODEL, "cannot choose %lld of %lld boxes", (long long)a->most, (long long)box->dim[1]);
    out->type = SGS_S32;
    out->rank = 2;
    out->dim[0] = score->dim[0] * score->dim[1] * a->most;
    out->dim[1] = 3;
    return SGS_OK;
}

/* ---- evaluation ---- */

typedef struct corners {
    float y0, x0, y1, x1;
} corners;

static corners corners_of(const nms_attr *a, const float *b)
{
    if (a->centre)
        return (corners){ b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2 };
    return (corners){ fminf(b[0], b[2]), fminf(b[1], b[3]), fmaxf(b[0], b[2]), fmaxf(b[1], b[3]) };
}

static bool overlaps(const nms_attr *a, const float *p, const float *q)
{
    const corners b = corners_of(a, p), c = corners_of(a, q);
    const float h = fminf(b.y1, c.y1) - fmaxf(b.y0, c.y0), w = fminf(b.x1, c.x1) - fmaxf(b.x0, c.x0);
    const float first = (b.y1 - b.y0) * (b.x1 - b.x0), second = (c.y1 - c.y0) * (c.x1 - c.x0);
    if (h <= 0 || w <= 0 || first <= 0 || second <= 0)
        return false;
    return h * w / (first + second - h * w) > a->overlap;
}

typedef struct candidate {
    float score;
    int32_t box;
} candidate;

static int best_first(const void *p, const void *q)
{
    const candidate *a = p, *b = q;
    const int order = (b->score > a->score) - (b->score < a->score);
    return order ? order : (a->box > b->box) - (a->box < b->box);
}

/* One class of one picture; chosen: room for `most` numbers of boxes. */
static int64_t choose(const nms_attr *a, const float *box, const float *score, int64_t n, candidate *list,
                      int32_t *chosen)
{
    int64_t candidates = 0, found = 0;
    for (int64_t i = 0; i < n; i++)
        if (score[i] > a->score)
            list[candidates++] = (candidate){ score[i], (int32_t)i };
    qsort(list, (size_t)candidates, sizeof *list, best_first);
    for (int64_t i = 0; i < candidates && found < a->most; i++) {
        bool covered = false;
        for (int64_t k = 0; k < found && !covered; k++)
            covered = overlaps(a, box + 4 * list[i].box, box + 4 * chosen[k]);
        if (!covered)
            chosen[found++] = list[i].box;
    }
    return found;
}

static sgs_status nms_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const nms_attr *a = n->attr;
    const int64_t boxes = in->dim[1], classes = in[1].dim[1], rows = out->dim[0];
    candidate *list = malloc((size_t)(boxes + 1) * sizeof *list);
    int32_t *chosen = malloc((size_t)(a->most + 1) * sizeof *chosen), *to = out->data;
    for (int64_t i = 0; i < in[1].dim[0] * classes && list && chosen; i++) {
        const int64_t picture = i / classes;
        const int64_t found = choose(a, (const float *)in->data + picture * boxes * 4,
                                     (const float *)in[1].data + i * boxes, boxes, list, chosen);
        for (int64_t k = 0; k < found; k++, to += 3) {
            to[0] = (int32_t)picture;
            to[1] = (int32_t)(i % classes);
            to[2] = chosen[k];
        }
    }
    const bool ok = list && chosen;
    free(list);
    free(chosen);
    while (to < (int32_t *)out->data + 3 * rows)
        *to++ = -1;
    return ok ? SGS_OK : sgs_fail(d, SGS_E_LIMIT, "out of memory");
}

/* ---- from ONNX ---- */

/* A threshold is a constant of one number, or left out. */
static float threshold(sgs_spell *p, int i, float absent)
{
    const sgs_value *v = sgs_src_opt(p->im, p->s, i);
    if (v && (!v->constant || v->type != SGS_F32 || sgs_value_count(v) != 1))
        sgs_sp_refuse(p, "'%s' is not one constant number", p->s->in[i]);
    return v && p->status == SGS_OK ? *sgs_const_f32(v) : absent;
}

static sgs_status from_onnx_nms(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) }, *most = sgs_src_opt(im, s, 2), *y;
    nms_attr a = { .centre = sgs_sp_int(p, "center_point_box", 0) != 0 };
    int n = 0;
    a.overlap = threshold(p, 3, 0);
    a.score = threshold(p, 4, -INFINITY);
    if (most && p->status == SGS_OK)
        p->status = sgs_src_const_ints(s, most, &a.most, 1, &n, d);
    SGS_TRY(p->status);
    a.most = a.most < 0 ? 0 : in[0]->rank == 3 && a.most > in[0]->dim[1] ? in[0]->dim[1] : a.most;
    SGS_TRY(sgs_emit(im, s, &sgs_op_nms, 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering: ARITHMETIC.md 21 ---- */

static sgs_status nms_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const nms_attr *a = n->attr;
    const sgs_value *box = n->in[0], *score = n->in[1];
    if (box->type != SGS_S16 || score->type != SGS_S16 || !sgs_one_scale(box) || !sgs_one_scale(score))
        return sgs_lower_fail(l, n, d, "expected int16 boxes and scores with one scale each");
    ipu_topk order = { .head = SGS_REC(IPU_TOPK, topk), .x = sgs_lower_ref(l, score), .sign = 1 };
    ipu_ref like = order.x;
    like.type = IPU_S32;
    order.y = sgs_lower_temp(l, &like);
    SGS_TRY(sgs_lower_emit(l, &order.head, n, 0, d));
    ipu_nms r = { .head = SGS_REC(IPU_NMS, nms),
                  .y = sgs_lower_ref(l, n->out[0]),
                  .boxes = sgs_lower_ref(l, box),
                  .scores = order.x,
                  .order = order.y,
                  .most = (int32_t)a->most,
                  .centre = (int32_t)a->centre };
    r.overlap = (int32_t)rint(fmin(fmax((double)a->overlap, -1), 2) * IPU_NMS_ONE);
    r.score = (int32_t)fmin(fmax(floor((double)a->score / sgs_scale(score, 0)), INT32_MIN), INT32_MAX);
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- row ---- */

const sgs_op sgs_op_nms = {
    .name = "nms",
    .family = "nms",
    .nin_min = 2,
    .nin_max = 2,
    .nout = 1,
    /* boxes, scores -> rows */ .attr_bytes = sizeof(nms_attr),
    .attr = nms_attrs,
    .infer = nms_infer,
    .eval = nms_eval,
    .float_only = true,
    .qrule = SGS_Q_S16,
    .lower = nms_lower,
};

static const sgs_op *const ops[] = { &sgs_op_nms, NULL };
static const sgs_from onnx[] = { { "NonMaxSuppression", from_onnx_nms, 10 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_nms = { "nms", ops, .onnx = onnx };
