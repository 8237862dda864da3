/* roialign: boxes of an NHWC picture, each cut into bins; a bin is the mean or the largest of points read between
 * pixels. */
#include <math.h>

#include "ops/util.h"

typedef struct roi_attr {
    int64_t size[2]; /* height and width of the result */
    int64_t samples; /* points along a bin's height and width; 0: as many as pixels are there, rounded up */
    int64_t largest; /* else the mean */
    int64_t half;    /* pixels' middles lie at halves */
    float scale;     /* of the boxes' coordinates */
} roi_attr;

static const sgs_attr roi_attrs[] = { SGS_ATTR_V(roi_attr, size, 2), SGS_ATTR_I(roi_attr, samples),
                                      SGS_ATTR_I(roi_attr, largest), SGS_ATTR_I(roi_attr, half),
                                      SGS_ATTR_F(roi_attr, scale),   SGS_ATTR_END };

/* ---- shapes ---- */

static sgs_status roi_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const roi_attr *a = n->attr;
    const sgs_value *x = n->in[0], *box = n->in[1], *batch = n->in[2];
    char tb[128], ti[128];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    if (box->rank != 2 || box->dim[1] != 4 || batch->rank != 1 || batch->dim[0] != box->dim[0] || box->type != SGS_F32)
        return sgs_fail(d, SGS_E_MODEL, "expected float boxes of [count,4] and as many batch indices, found %s %s and %s",
                        sgs_type_word(box->type), sgs_dims_text(tb, sizeof tb, box->rank, box->dim),
                        sgs_dims_text(ti, sizeof ti, batch->rank, batch->dim));
    if (batch->type != SGS_S32 && batch->type != SGS_S64)
        return sgs_fail(d, SGS_E_MODEL, "batch indices: expected integers, found %s", sgs_type_word(batch->type));
    for (int i = 0; i < 2; i++)
        if (a->size[i] < 1 || a->size[i] > 65536 || x->dim[1 + i] < 1)
            return sgs_fail(d, SGS_E_MODEL, "%s: expected 1 to 65536 pixels of an input that is not empty, found %lld of %lld", i ? "width" : "height",
                            (long long)a->size[i], (long long)x->dim[1 + i]);
    if (a->samples < 0 || a->samples > 65536 || !isfinite(a->scale))
        return sgs_fail(d, SGS_E_MODEL, "sampling_ratio must lie in 0..65536 and spatial_scale be finite, found %lld and %g", (long long)a->samples,
                        (double)a->scale);
    sgs_shape_like(out, x);
    out->dim[0] = box->dim[0];
    out->dim[1] = a->size[0];
    out->dim[2] = a->size[1];
    return SGS_OK;
}

/* ---- evaluation ---- */

/* Where a point lies between two pixels of n; false: outside. */
typedef struct between {
    int64_t at[2];
    double weight[2];
} between;

static bool find(double v, int64_t n, between *b)
{
    if (!(v >= -1 && v <= (double)n))
        return false;
    v = v < 0 ? 0 : v;
    b->at[0] = (int64_t)v;
    if (b->at[0] >= n - 1) {
        b->at[0] = n - 1;
        v = (double)(n - 1);
    }
    b->at[1] = b->at[0] + 1 < n ? b->at[0] + 1 : b->at[0];
    b->weight[1] = v - (double)b->at[0];
    b->weight[0] = 1 - b->weight[1];
    return true;
}

typedef struct span { /* a box along one axis */
    double start, bin;
    int64_t samples;
} span;

static span span_of(const roi_attr *a, int axis, float first, float last)
{
    const double offset = a->half ? 0.5 : 0, from = (double)first * (double)a->scale - offset,
                 to = (double)last * (double)a->scale - offset;
    const double length = a->half ? to - from : fmax(to - from, 1);
    span s = { .start = from, .bin = length / (double)a->size[axis] };
    s.samples = a->samples ? a->samples : (int64_t)fmin(fmax(ceil(s.bin), 0), 4096);
    return s;
}

/* One element of the result. */
static float bin_of(const roi_attr *a, const sgs_tensor *x, const float *image, const span s[2], int64_t q, int64_t r,
                    int64_t channel)
{
    double sum = 0, best = -INFINITY;
    for (int64_t i = 0; i < s[0].samples; i++)
        for (int64_t j = 0; j < s[1].samples; j++) {
            between y, z;
            const double v = s[0].start + ((double)q + ((double)i + 0.5) / (double)s[0].samples) * s[0].bin;
            const double u = s[1].start + ((double)r + ((double)j + 0.5) / (double)s[1].samples) * s[1].bin;
            const bool inside = find(v, x->dim[1], &y) && find(u, x->dim[2], &z);
            double point = 0, most = inside ? -INFINITY : 0;
            for (int k = 0; k < 4 && inside; k++) {
                const double part = y.weight[k / 2] * z.weight[k % 2] *
                                    (double)image[(y.at[k / 2] * x->dim[2] + z.at[k % 2]) * x->dim[3] + channel];
                point += part;
                most = part > most ? part : most;
            }
            sum += point;
            best = most > best ? most : best; /* ONNX takes the largest of the weighted pixels, not of the points */
        }
    const double count = fmax((double)(s[0].samples * s[1].samples), 1);
    return (float)(a->largest ? (isinf(best) ? 0 : best) : sum / count);
}

static sgs_status roi_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const roi_attr *a = n->attr;
    const int64_t image = in->dim[1] * in->dim[2] * in->dim[3];
    float *to = out->data;
    for (int64_t i = 0; i < out->dim[0]; i++) {
        const int64_t batch =
            in[2].type == SGS_S64 ? ((const int64_t *)in[2].data)[i] : ((const int32_t *)in[2].data)[i];
        const float *box = (const float *)in[1].data + 4 * i; /* x1, y1, x2, y2 */
        const span s[2] = { span_of(a, 0, box[1], box[3]), span_of(a, 1, box[0], box[2]) };
        if (batch < 0 || batch >= in->dim[0])
            return sgs_fail(d, SGS_E_DATA, "batch index %lld lies outside %lld pictures", (long long)batch,
                            (long long)in->dim[0]);
        for (int64_t q = 0; q < a->size[0]; q++)
            for (int64_t r = 0; r < a->size[1]; r++)
                for (int64_t c = 0; c < in->dim[3]; c++)
                    *to++ = bin_of(a, in, (const float *)in->data + batch * image, s, q, r, c);
    }
    return SGS_OK;
}

/* ---- from ONNX ---- */

static sgs_status from_onnx_roialign(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const char *const modes[] = { "avg", "max", NULL }, *const middles[] = { "output_half_pixel", "half_pixel",
                                                                                    NULL };
    sgs_value *in[3], *y;
    roi_attr a = { .size = { 1, 1 }, .scale = 1, .half = s->opset >= 16 };
    for (int i = 0; i < 3; i++)
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
    SGS_TRY(sgs_src_choice(im, s, "mode", modes, &a.largest, d));
    SGS_TRY(sgs_src_choice(im, s, "coordinate_transformation_mode", middles, &a.half, d));
    SGS_TRY(sgs_src_int(s, "output_height", &a.size[0], d));
    SGS_TRY(sgs_src_int(s, "output_width", &a.size[1], d));
    SGS_TRY(sgs_src_int(s, "sampling_ratio", &a.samples, d));
    SGS_TRY(sgs_src_float(s, "spatial_scale", &a.scale, d));
    SGS_TRY(sgs_need_rank(in[0], 4, "RoiAlign's input", d));
    SGS_TRY(sgs_emit_nhwc(im, s, in[0], &in[0], d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_roialign, 3, in, &a, &y, d));
    SGS_TRY(sgs_emit_nchw(im, s, y, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- row ---- */

const sgs_op sgs_op_roialign = {
    .name = "roialign",
    .family = "roialign",
    .nin_min = 3,
    .nin_max = 3,
    .nout = 1, /* x, boxes, batch indices -> y */
    .attr_bytes = sizeof(roi_attr),
    .attr = roi_attrs,
    .infer = roi_infer,
    .eval = roi_eval,
    .kernel = "",
};

static const sgs_op *const ops[] = { &sgs_op_roialign, NULL };
static const sgs_from onnx[] = { { "RoiAlign", from_onnx_roialign, 10 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_roialign = { "roialign", ops, .onnx = onnx };
