/* roipool: boxes of an NHWC picture, each cut into bins of whole pixels; a bin is the largest of its pixels. */
#include <math.h>

#include "compile/lower.h"
#include "ops/caffe.h"

typedef struct roipool_attr {
    int64_t size[2]; /* height and width of the result */
    float scale;     /* of the boxes' coordinates */
} roipool_attr;

static const sgs_attr roipool_attrs[] = { SGS_ATTR_V(roipool_attr, size, 2), SGS_ATTR_F(roipool_attr, scale), SGS_ATTR_END };

enum { ROI = 5 }; /* picture, x0, y0, x1, y1 */

/* ---- shapes ---- */

static sgs_status roipool_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const roipool_attr *a = n->attr;
    const sgs_value *x = n->in[0], *box = n->in[1];
    char text[128];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    if (box->rank != 2 || box->dim[1] != ROI)
        return sgs_fail(d, SGS_E_MODEL, "expected boxes of [count,5], found %s", sgs_dims_text(text, sizeof text, box->rank, box->dim));
    for (int i = 0; i < 2; i++)
        if (a->size[i] < 1 || a->size[i] > 4096 || x->dim[1 + i] < 1 || x->dim[1 + i] > INT16_MAX)
            return sgs_fail(d, SGS_E_MODEL, "%s: expected 1 to 4096 pixels of an input of 1 to 32767, found %lld of %lld", i ? "width" : "height", (long long)a->size[i],
                            (long long)x->dim[1 + i]);
    if (!isfinite(a->scale) || a->scale <= 0)
        return sgs_fail(d, SGS_E_MODEL, "spatial_scale must be finite and above 0, found %g", (double)a->scale);
    sgs_shape_like(out, x);
    out->dim[0] = box->dim[0];
    out->dim[1] = a->size[0];
    out->dim[2] = a->size[1];
    return SGS_OK;
}

/* ---- evaluation ---- */

/* Whole numbers far outside of every picture are as good as others there. */
static int64_t whole(float v)
{
    return (int64_t)roundf(fminf(fmaxf(v, -0x1p24f), 0x1p24f));
}

typedef struct range {
    int64_t from, to;
} range;

/* The pixels of bin i of n along one axis of `size`; none: from >= to. */
static range bin_of(int64_t first, int64_t last, int64_t i, int64_t n, int64_t size)
{
    const int64_t length = last - first + 1 > 1 ? last - first + 1 : 1;
    const float bin = (float)length / (float)n;
    const int64_t from = (int64_t)floorf((float)i * bin) + first, to = (int64_t)ceilf((float)(i + 1) * bin) + first;
    return (range){ from < 0 ? 0 : from > size ? size : from, to < 0 ? 0 : to > size ? size : to };
}

static void pool_bin(const sgs_tensor *x, const float *image, range y, range z, float *to)
{
    const int64_t channels = x->dim[3];
    const bool empty = y.from >= y.to || z.from >= z.to;
    for (int64_t c = 0; c < channels; c++)
        to[c] = empty ? 0 : -INFINITY;
    for (int64_t i = y.from; i < y.to && !empty; i++)
        for (int64_t j = z.from; j < z.to; j++)
            for (int64_t c = 0; c < channels; c++)
                to[c] = fmaxf(to[c], image[(i * x->dim[2] + j) * channels + c]);
}

static sgs_status roipool_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const roipool_attr *a = n->attr;
    float *to = out->data;
    for (int64_t i = 0; i < out->dim[0]; i++) {
        const float *box = (const float *)in[1].data + ROI * i;
        int64_t at[ROI];
        for (int k = 0; k < ROI; k++)
            at[k] = k ? whole(box[k] * a->scale) : (int64_t)fminf(fmaxf(box[k], -1), (float)in->dim[0]);
        if (at[0] < 0 || at[0] >= in->dim[0])
            return sgs_fail(d, SGS_E_DATA, "box %lld is of picture %lld, of %lld", (long long)i, (long long)at[0], (long long)in->dim[0]);
        const float *image = (const float *)in->data + at[0] * in->dim[1] * in->dim[2] * in->dim[3];
        for (int64_t q = 0; q < a->size[0]; q++)
            for (int64_t r = 0; r < a->size[1]; r++, to += in->dim[3])
                pool_bin(in, image, bin_of(at[2], at[4], q, a->size[0], in->dim[1]), bin_of(at[1], at[3], r, a->size[1], in->dim[2]), to);
    }
    return SGS_OK;
}

/* ---- from Caffe ---- */

/* The boxes may have four dimensions, the last of one element. */
static sgs_status from_caffe_roipooling(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) }, *y;
    const roipool_attr a = { .size = { sgs_sp_int(p, "roi_pooling_param.pooled_h", 0), sgs_sp_int(p, "roi_pooling_param.pooled_w", 0) },
                             .scale = sgs_sp_float(p, "roi_pooling_param.spatial_scale", 1) };
    char text[128];
    sgs_caffe_expect(p, 2, 1);
    sgs_caffe_rank(p, in[0], 4);
    SGS_TRY(p->status);
    const int64_t count = in[1]->rank ? in[1]->dim[0] : 0, rows[] = { count, ROI };
    if (sgs_value_count(in[1]) != count * ROI || !count)
        return sgs_src_fail(im, s, d, "expected boxes of [count,5], found %s", sgs_dims_text(text, sizeof text, in[1]->rank, in[1]->dim));
    in[1] = sgs_sp_reshape(p, in[1], 2, rows);
    SGS_TRY(p->status);
    SGS_TRY(sgs_emit_nhwc(im, s, in[0], &in[0], d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_roipool, 2, in, &a, &y, d));
    SGS_TRY(sgs_emit_nchw(im, s, y, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering: ARITHMETIC.md 22 ---- */

/* A step of the boxes' numbers in units of 1 / scale. */
static void whole_step(double step, int32_t *mult, int32_t *shift)
{
    *shift = IPU_ROI_SHIFT;
    while (*shift > 0 && rint(ldexp(step, *shift)) > INT32_MAX)
        --*shift;
    *mult = (int32_t)fmin(rint(ldexp(step, *shift)), INT32_MAX);
}

static sgs_status roipool_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const roipool_attr *a = n->attr;
    const sgs_value *v[3] = { n->out[0], n->in[0], n->in[1] };
    for (int i = 0; i < 3; i++)
        if (v[i]->type != SGS_S16 || !sgs_one_scale(v[i]))
            return sgs_lower_fail(l, n, d, "expected int16 operands with one scale each");
    ipu_roipool r = { .head = SGS_REC(IPU_ROIPOOL_S16, roipool), .y = sgs_lower_ref(l, v[0]), .x = sgs_lower_ref(l, v[1]), .box = sgs_lower_ref(l, v[2]),
                      .m = sgs_mult(sgs_scale(v[1], 0), sgs_scale(v[0], 0)), .out = sgs_out_range(v[0], SGS_ACT_NONE, 0, 0) };
    whole_step(sgs_scale(v[2], 0) * (double)a->scale, &r.mult, &r.shift);
    whole_step(sgs_scale(v[2], 0), &r.picture_mult, &r.picture_shift);
    return sgs_lower_emit(l, &r.head, n, sgs_value_count(v[0]), d);
}

/* ---- row ---- */

const sgs_op sgs_op_roipool = {
    .name = "roipool",
    .family = "roipool",
    .nin_min = 2,
    .nin_max = 2,
    .nout = 1,
    /* x, boxes -> y */ .attr_bytes = sizeof(roipool_attr),
    .attr = roipool_attrs,
    .infer = roipool_infer,
    .eval = roipool_eval,
    .float_only = true,
    .qrule = SGS_Q_S16,
    .lower = roipool_lower,
};

static const sgs_op *const ops[] = { &sgs_op_roipool, NULL };
static const sgs_from caffe[] = { { "ROIPooling", from_caffe_roipooling, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_roipool = { "roipool", ops, .caffe = caffe };
