/* gridsample: a picture of one to three spatial axes, channels last, read where a grid of [n][...][x, y, z] in -1 .. 1
 * points to. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/util.h"

enum { LINEAR, NEAREST, CUBIC };
enum { ZEROS, BORDER, REFLECTION };

typedef struct grid_attr {
    int64_t filter, outside;
    int64_t corners; /* -1 and 1 are the middles of the outermost pixels, else their edges */
} grid_attr;

static const char *const filter_names[] = { "linear", "nearest", "cubic", NULL };
static const char *const outside_names[] = { "zeros", "border", "reflection", NULL };
static const sgs_attr grid_attrs[] = { SGS_ATTR_E(grid_attr, filter, filter_names),
                                       SGS_ATTR_E(grid_attr, outside, outside_names), SGS_ATTR_I(grid_attr, corners),
                                       SGS_ATTR_END };

/* ---- shapes ---- */

static sgs_status grid_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const grid_attr *a = n->attr;
    const sgs_value *x = n->in[0], *grid = n->in[1];
    const int axes = x->rank - 2;
    char shape[128];
    if (grid->type != SGS_S16)
        SGS_TRY(sgs_need_type(grid, SGS_F32, "grid", d));
    if (axes < 1 || axes > 3)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "expected one to three spatial axes, found %d", axes);
    if (grid->rank != x->rank || grid->dim[grid->rank - 1] != axes || grid->dim[0] != x->dim[0])
        return sgs_fail(d, SGS_E_MODEL, "expected a grid of %d dimensions, [%lld,...,%d], found %s", x->rank,
                        (long long)x->dim[0], axes, sgs_dims_text(shape, sizeof shape, grid->rank, grid->dim));
    sgs_shape_like(out, x);
    for (int i = 1; i <= axes; i++) {
        if (x->dim[i] < 1 || x->dim[i] > INT32_MAX || (a->corners != 0 && a->corners != 1))
            return sgs_fail(d, SGS_E_MODEL, "expected 1 to 2^31 pixels along axis %d and corners 0 or 1, found %lld and %lld", i,
                            (long long)x->dim[i], (long long)a->corners);
        out->dim[i] = grid->dim[i];
    }
    return SGS_OK;
}

/* ---- coordinates ---- */

typedef struct line { /* the pixels of one axis */
    const grid_attr *a;
    int64_t n;
    float lo, hi; /* where the picture ends */
} line;

static line line_of(const grid_attr *a, int64_t n)
{
    return a->corners ? (line){ a, n, 0, (float)n - 1 } : (line){ a, n, -0.5f, (float)n - 0.5f };
}

/* Back and forth between the ends. */
static float reflected(const line *l, float x)
{
    const float range = l->hi - l->lo, out = x < l->lo ? l->lo - x : x - l->hi;
    if (x >= l->lo && x <= l->hi)
        return x;
    if (!(range > 0))
        return l->lo;
    const float turns = floorf(out / range), rest = out - turns * range;
    const bool even = fmodf(turns, 2) == 0;
    return (x < l->lo) == even ? l->lo + rest : l->hi - rest;
}

/* A pixel's coordinate.  What is no number points to nowhere; what is far outside is brought near. */
static float coordinate(const line *l, float at)
{
    const float n = (float)l->n;
    float x = l->a->corners ? (at + 1) / 2 * (n - 1) : ((at + 1) * n - 1) / 2;
    if (l->a->filter == NEAREST)
        x = rintf(x);
    if (isnan(x))
        return -4;
    if (l->a->outside == BORDER && l->a->filter != CUBIC &&
        (x < l->lo || x > l->hi)) /* a cubic filter's pixels are brought inside one by one */
        x = x < 0 ? 0 : n - 1;
    if (l->a->outside == REFLECTION && isfinite(x))
        x = reflected(l, x);
    return fminf(fmaxf(x, -4), n + 4);
}

/* Pixel i as the rule for what is outside gives it; -1: a zero. */
static int64_t pixel(const line *l, int64_t i)
{
    if (i >= 0 && i < l->n)
        return i;
    if (l->a->outside == ZEROS)
        return -1;
    if (l->a->outside == REFLECTION)
        i = (int64_t)reflected(l, (float)i);
    return i < 0 ? 0 : i < l->n ? i : l->n - 1;
}

/* ---- taps: a point of the result is a weighted sum of a few pixels along each axis ---- */

typedef struct taps {
    int n;
    int64_t index[4];
    double weight[4];
} taps;

static double cubic(double t)
{
    const double a = -0.75;
    return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
}

static taps taps_at(const line *l, float at)
{
    const float x = coordinate(l, at), below = floorf(x);
    const double part = (double)x - (double)below;
    taps t = { .n = l->a->filter == NEAREST ? 1 : l->a->filter == LINEAR ? 2 : 4 };
    const int64_t first = (int64_t)below - (t.n == 4);
    for (int i = 0; i < t.n; i++)
        t.index[i] = pixel(l, first + i);
    for (int i = 0; i < t.n; i++)
        t.weight[i] = t.n == 1 ? 1 : t.n == 2 ? (i ? part : 1 - part) : cubic(fabs(i - 1 - part));
    return t;
}

/* ---- evaluation ---- */

/* Adds `weight` times the pixels below `at` that the axes from t on choose. */
static void add_pixels(const line *l, const taps *t, int axes, const float *image, int64_t at, double weight, int64_t c,
                       double *sum)
{
    if (!axes) {
        for (int64_t k = 0; k < c; k++)
            sum[k] += weight * (double)image[at * c + k];
        return;
    }
    for (int i = 0; i < t->n; i++)
        if (t->index[i] >= 0)
            add_pixels(l + 1, t + 1, axes - 1, image, at * l->n + t->index[i], weight * t->weight[i], c, sum);
}

static sgs_status grid_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const int axes = in->rank - 2;
    const int64_t c = in->dim[in->rank - 1];
    int64_t points = 1;
    line l[3];
    for (int i = 0; i < axes; i++) {
        l[i] = line_of(n->attr, in->dim[1 + i]);
        points *= out->dim[1 + i];
    }
    double *sum = malloc((size_t)(c + 1) * sizeof *sum);
    if (!sum)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    const float *at = in[1].data;
    float *to = out->data;
    for (int64_t i = 0; i < out->dim[0] * points; i++, at += axes, to += c) {
        taps t[3];
        for (int k = 0; k < axes; k++)
            t[k] = taps_at(&l[k], at[axes - 1 - k]); /* x, the last axis, comes first */
        memset(sum, 0, (size_t)c * sizeof *sum);
        add_pixels(l, t, axes, in->data, i / points, 1, c, sum);
        for (int64_t k = 0; k < c; k++)
            to[k] = (float)sum[k];
    }
    free(sum);
    return SGS_OK;
}

/* ---- from ONNX ---- */

static sgs_status from_onnx_gridsample(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const char *const old[] = { "bilinear", "nearest", "bicubic", NULL };
    sgs_value *in[2], *y;
    grid_attr a = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &in[0], d));
    SGS_TRY(sgs_src_in(im, s, 1, &in[1], d));
    SGS_TRY(sgs_src_choice(im, s, "mode", s->opset < 20 ? old : filter_names, &a.filter, d));
    SGS_TRY(sgs_src_choice(im, s, "padding_mode", outside_names, &a.outside, d));
    SGS_TRY(sgs_src_int(s, "align_corners", &a.corners, d));
    a.corners = a.corners != 0;
    if (in[0]->rank < 3 || in[0]->rank > 5)
        return sgs_src_refuse(im, s, d, "expected one to three spatial axes, found %d", in[0]->rank - 2);
    sgs_perm_attr last = { .n = in[0]->rank }, back = { .n = in[0]->rank };
    for (int i = 1; i < last.n; i++) {
        last.perm[i] = i + 1 < last.n ? i + 1 : 1;
        back.perm[i] = i > 1 ? i - 1 : last.n - 1;
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &in[0], &last, &in[0], d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_gridsample, 2, in, &a, &y, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_transpose, 1, &y, &back, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- quantization ---- */

static const char *grid_unfixed(const sgs_node *n)
{
    if (n->in[0]->type != SGS_F32)
        return "works on values that are not float";
    return n->in[0]->rank == 4 ? NULL
                               : "samples along one or three axes, which has no fixed-point form; along two it has";
}

/* ---- lowering: ARITHMETIC.md 18 ---- */

/* A step of the grid in pixels of an axis. */
static void pixels_a_step(const grid_attr *a, double scale, int64_t pixels, int32_t *mult, int32_t *shift)
{
    const double step = scale * (double)(a->corners ? pixels - 1 : pixels) * (1 << (IPU_GRID_BITS - 1));
    *shift = IPU_GRID_SHIFT;
    while (*shift > 0 && rint(ldexp(step, *shift)) > INT32_MAX)
        --*shift;
    *mult = (int32_t)fmin(rint(ldexp(step, *shift)), INT32_MAX);
}

static int outside_of(const grid_attr *a)
{
    if (a->outside == REFLECTION)
        return a->corners ? IPU_GRID_MIDDLES : IPU_GRID_EDGES;
    return a->outside == BORDER ? IPU_GRID_BORDER : IPU_GRID_ZEROS;
}

static sgs_status grid_check(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *v[3] = { n->out[0], n->in[0], n->in[1] };
    for (int i = 0; i < 3; i++)
        if (v[i]->type != SGS_S16 || !sgs_one_scale(v[i]))
            return sgs_lower_fail(l, n, d, "expected int16 operands with one scale each");
    if (v[0]->rank != 4)
        return sgs_lower_fail(l, n, d, "expected two spatial axes in fixed point, found %d", v[0]->rank - 2);
    return SGS_OK;
}

static sgs_status grid_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    static const int32_t pixels[] = { [LINEAR] = 2, [NEAREST] = 1, [CUBIC] = 4 };
    const grid_attr *a = n->attr;
    const sgs_value *x = n->in[0], *grid = n->in[1], *y = n->out[0];
    SGS_TRY(grid_check(l, n, d));
    ipu_gridsample r = { .head = SGS_REC(IPU_GRIDSAMPLE_S16, gridsample),
                         .y = sgs_lower_ref(l, y),
                         .x = sgs_lower_ref(l, x),
                         .grid = sgs_lower_ref(l, grid),
                         .taps = pixels[a->filter],
                         .outside = outside_of(a),
                         .m = sgs_mult(sgs_scale(x, 0), sgs_scale(y, 0) * (1 << IPU_GRID_BITS)),
                         .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    pixels_a_step(a, sgs_scale(grid, 0), x->dim[1], &r.my, &r.ky);
    pixels_a_step(a, sgs_scale(grid, 0), x->dim[2], &r.mx, &r.kx);
    return sgs_lower_emit(l, &r.head, n, sgs_value_count(y) * r.taps * r.taps, d);
}

/* ---- row ---- */

const sgs_op sgs_op_gridsample = {
    .name = "gridsample",
    .family = "gridsample",
    .nin_min = 2,
    .nin_max = 2,
    .nout = 1, /* x, grid -> y */
    .attr_bytes = sizeof(grid_attr),
    .attr = grid_attrs,
    .infer = grid_infer,
    .eval = grid_eval,
    .float_only = true,
    .qrule = SGS_Q_S16,
    .unfixed = grid_unfixed,
    .lower = grid_lower,
};

static const sgs_op *const ops[] = { &sgs_op_gridsample, NULL };
static const sgs_from onnx[] = { { "GridSample", from_onnx_gridsample, 16 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_gridsample = { "gridsample", ops, .onnx = onnx };
