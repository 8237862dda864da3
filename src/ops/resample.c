#include "ops/resample.h"

#include <math.h>
#include <string.h>

/* ---- one axis ---- */

typedef struct axis {
    const sgs_resample *r;
    int64_t in, out;
    double scale;
    double first, last; /* of the crop */
} axis;

/* Where pixel `at` of the result lies in the input. */
static double coordinate(const axis *a, int64_t at)
{
    const double o = (double)at, in = (double)a->in, width = a->scale * in, half = (o + 0.5) / a->scale - 0.5;
    if (a->r->crop)
        return a->first * (in - 1) + (a->out == 1 ? (a->last - a->first) * (in - 1) / 2
                                                  : o * (a->last - a->first) * (in - 1) / ((double)a->out - 1));
    switch (a->r->coord) {
    case SGS_COORD_ASYMMETRIC:
        return o / a->scale;
    case SGS_COORD_ALIGN_CORNERS:
        return a->out == 1 ? 0 : o * (in - 1) / ((double)a->out - 1);
    case SGS_COORD_PYTORCH_HALF_PIXEL:
        return a->out == 1 ? 0 : half;
    case SGS_COORD_HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - (double)a->out / width) + half;
    case SGS_COORD_TF_HALF_PIXEL_FOR_NN:
        return (o + 0.5) / a->scale;
    default:
        return half;
    }
}

static bool lies_outside(const axis *a, int64_t at)
{
    const double x = coordinate(a, at);
    return a->r->crop && !(x >= 0 && x <= (double)(a->in - 1));
}

static double nearest(const axis *a, double x)
{
    const double below = floor(x), part = x - below;
    switch (a->r->round) {
    case SGS_ROUND_PREFER_CEIL:
        return part >= 0.5 ? below + 1 : below;
    case SGS_ROUND_PREFER_FLOOR:
        return part > 0.5 ? below + 1 : below;
    case SGS_ROUND_CEIL:
        return ceil(x);
    case SGS_ROUND_SIMPLE:
        return a->scale < 1 ? ceil(x) : below;
    default:
        return below;
    }
}

/* The kernel at distance t. */
static double weight(const sgs_resample *r, double t)
{
    const double a = (double)r->cubic;
    t = fabs(t);
    if (r->kernel == SGS_KERNEL_LINEAR)
        return t < 1 ? 1 - t : 0;
    return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static int64_t inside(const axis *a, int64_t i)
{
    return i < 0 ? 0 : i < a->in ? i : a->in - 1;
}

/* Row `at` of the matrix: what each pixel of the input gives. */
static void fill_row(const axis *a, int64_t at, float *row, int64_t step)
{
    const double x = fmin(fmax(coordinate(a, at), -1e6), (double)a->in + 1e6);
    if (lies_outside(a, at))
        return;
    if (a->r->kernel == SGS_KERNEL_NEAREST) {
        row[inside(a, (int64_t)nearest(a, x)) * step] = 1;
        return;
    }
    const double narrow = a->r->antialias ? fmin(a->scale, 1) : 1;
    const int64_t reach = (int64_t)ceil((a->r->kernel == SGS_KERNEL_CUBIC ? 2 : 1) / narrow),
                  middle = (int64_t)floor(x);
    double sum = 0;
    for (int64_t i = middle - reach; i <= middle + reach + 1; i++)
        if (!a->r->exclude_outside || (i >= 0 && i < a->in))
            sum += weight(a->r, ((double)i - x) * narrow);
    for (int64_t i = middle - reach; i <= middle + reach + 1 && sum != 0; i++)
        if (!a->r->exclude_outside || (i >= 0 && i < a->in)) {
            float *to = &row[inside(a, i) * step];
            *to = (float)((double)*to + weight(a->r, ((double)i - x) * narrow) / sum);
        }
}

/* [in][out] */
static sgs_value *matrix(sgs_spell *p, const axis *a)
{
    const int64_t dim[] = { a->in, a->out };
    void *data;
    sgs_value *m = sgs_sp_const(p, SGS_F32, 2, dim, &data);
    if (!m)
        return NULL;
    memset(data, 0, (size_t)sgs_value_bytes(m));
    for (int64_t at = 0; at < a->out; at++)
        fill_row(a, at, (float *)data + at, a->out);
    return m;
}

/* ---- all axes ---- */

static axis axis_of(const sgs_resample *r, const sgs_value *x, int k, const int64_t *size, const float *scale)
{
    axis a = { .r = r, .in = x->dim[k], .out = size[k], .last = 1 };
    a.scale = scale[k] > 0 ? (double)scale[k] : (double)size[k] / (double)x->dim[k];
    if (r->crop) {
        a.first = (double)r->crop[k];
        a.last = (double)r->crop[x->rank + k];
    }
    return a;
}

static bool stays(const axis *a)
{
    return a->in == a->out && a->scale == 1 && (!a->r->crop || (a->first == 0 && a->last == 1));
}

/* Axis k stands last for the product. */
static sgs_value *along(sgs_spell *p, const axis *a, sgs_value *x, int k)
{
    int64_t perm[SGS_MAX_RANK];
    const int last = x->rank - 1;
    sgs_value *m = matrix(p, a);
    for (int i = 0; i <= last; i++)
        perm[i] = i == k ? last : i == last ? k : i;
    if (!m)
        return x;
    if (last == 0) /* a vector is a row */
        return sgs_sp_squeeze(p, sgs_sp_two(p, &sgs_op_matmul, sgs_sp_unsqueeze(p, x, 0), m), 0);
    x = k == last ? x : sgs_sp_transpose(p, x, perm);
    x = sgs_sp_two(p, &sgs_op_matmul, x, m);
    return k == last ? x : sgs_sp_transpose(p, x, perm);
}

/* The value outside, added where some axis lies outside and the products gave 0. */
static sgs_value *with_outside(sgs_spell *p, const axis *a, int rank, const int64_t *size, float v, sgs_value *x)
{
    int64_t dim[SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 }, count = 1;
    void *data;
    for (int k = 0; k < rank; k++) {
        dim[k] = stays(&a[k]) ? 1 : size[k];
        count *= dim[k];
    }
    sgs_value *m = sgs_sp_const(p, SGS_F32, rank, dim, &data);
    if (!m)
        return x;
    for (int64_t i = 0; i < count; i++) {
        bool out = false;
        for (int k = 0; k < rank; k++)
            out = out || (!stays(&a[k]) && lies_outside(&a[k], index[k]));
        ((float *)data)[i] = out ? v : 0;
        sgs_next_index(index, rank, dim);
    }
    return sgs_sp_two(p, &sgs_op_add, x, m);
}

sgs_value *sgs_emit_resampled(sgs_spell *p, const sgs_resample *r, sgs_value *x, const int64_t *size,
                              const float *scale)
{
    axis a[SGS_MAX_RANK];
    const int rank = x->rank;
    for (int k = 0; k < rank; k++) {
        if (p->status == SGS_OK && (x->dim[k] < 1 || size[k] < 1))
            sgs_sp_fail(p, "cannot resize %lld pixels to %lld", (long long)x->dim[k], (long long)size[k]);
        a[k] = axis_of(r, x, k, size, scale);
    }
    sgs_value *y = sgs_sp_own(p, x);
    for (int k = 0; k < rank && p->status == SGS_OK; k++)
        if (!stays(&a[k]))
            y = along(p, &a[k], y, k);
    return r->crop && r->outside != 0.0f && p->status == SGS_OK ? with_outside(p, a, rank, size, r->outside, y) : y;
}
