/* Caffe's layers that move elements or look at shapes alone: Concat, Slice, Crop, Permute, Reshape, Flatten, Reverse, Tile, ShuffleChannel, Split,
 * Dropout, ContinuationIndicator, PriorBox. */
#include <math.h>
#include <string.h>

#include "ops/caffe.h"

/* ---- the same tensor again ---- */

/* Dropout does nothing outside of training; Split has a top for each who reads. */
static sgs_status from_caffe_same(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (!strcmp(s->op, "Dropout"))
        sgs_caffe_expect(p, 1, 1);
    for (int i = 0; i < s->nout && p->status == SGS_OK; i++)
        sgs_sp_out(p, i, sgs_sp_own(p, x));
    return p->status;
}

/* ---- Concat, Slice ---- */

/* The newer name of the axis, or the older one, which may not count from the end. */
static int axis_of(sgs_spell *p, const char *now, const char *older, int rank)
{
    if (sgs_caffe_has(p, now) && sgs_caffe_has(p, older))
        sgs_sp_fail(p, "%s and %s are the same: expected one of them", now, older);
    return sgs_caffe_axis(p, sgs_caffe_has(p, older) ? older : now, 1, rank);
}

static sgs_status from_caffe_concat(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const int n = sgs_caffe_bottoms(s);
    sgs_value **in = SGS_NEW_N(im->g->arena, sgs_value *, n + 1);
    if (n < 1 || s->nout != 1)
        sgs_sp_fail(p, "expected bottoms and 1 top, found %d and %d", n, s->nout);
    for (int i = 0; i < n; i++)
        in[i] = sgs_sp_in(p, i);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = axis_of(p, "concat_param.axis", "concat_param.concat_dim", in[0]->rank);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, n == 1 ? sgs_sp_own(p, in[0]) : sgs_sp_concat(p, n, in, axis));
    return p->status;
}

enum { MOST_TOPS = 4096 };

/* Where each top begins, and the end of the last. */
static void slice_points(sgs_spell *p, int64_t size, int64_t *at)
{
    const int tops = p->s->nout;
    const int n = sgs_caffe_ints(p, "slice_param.slice_point", at + 1, MOST_TOPS);
    if (p->status == SGS_OK && n && n != tops - 1)
        sgs_sp_fail(p, "expected %d slice_point for %d tops, found %d", tops - 1, tops, n);
    if (p->status == SGS_OK && !n && size % tops)
        sgs_sp_fail(p, "%lld elements cannot be cut into %d equal parts", (long long)size, tops);
    at[0] = 0;
    for (int i = 1; !n && i < tops; i++)
        at[i] = size / tops * i;
    at[tops] = size;
    for (int i = 0; i < tops; i++)
        if (at[i + 1] <= at[i])
            sgs_sp_fail(p, "slice_point: expected growing numbers below %lld, found %lld behind %lld", (long long)size, (long long)at[i + 1], (long long)at[i]);
}

static sgs_status from_caffe_slice(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (sgs_caffe_bottoms(s) != 1 || s->nout < 1 || s->nout > MOST_TOPS)
        sgs_sp_fail(p, "expected 1 bottom and 1 to %d tops, found %d and %d", MOST_TOPS, sgs_caffe_bottoms(s), s->nout);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = axis_of(p, "slice_param.axis", "slice_param.slice_dim", x->rank);
    int64_t *at = SGS_NEW_N(im->g->arena, int64_t, MOST_TOPS + 2);
    if (p->status == SGS_OK)
        slice_points(p, x->dim[axis], at);
    for (int i = 0; i < s->nout && p->status == SGS_OK; i++)
        sgs_sp_out(p, i, sgs_sp_slice(p, x, axis, at[i], at[i + 1] - at[i], 1));
    return p->status;
}

/* ---- Crop ---- */

/* From the axis on, the first bottom is cut to the sizes of the second. */
static sgs_status from_caffe_crop(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *like = sgs_sp_in(p, 1);
    int64_t offset[SGS_MAX_RANK] = { 0 };
    char a[128], b[128];
    sgs_caffe_expect(p, 2, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int n = sgs_caffe_ints(p, "crop_param.offset", offset, SGS_MAX_RANK), axis = sgs_caffe_axis(p, "crop_param.axis", 2, x->rank);
    if (n > 1 && n != x->rank - axis)
        sgs_sp_fail(p, "offset: expected 1 or %d numbers, found %d", x->rank - axis, n);
    if (like->rank != x->rank)
        sgs_sp_fail(p, "expected bottoms of as many dimensions, found %s and %s", sgs_dims_text(a, sizeof a, x->rank, x->dim), sgs_dims_text(b, sizeof b, like->rank, like->dim));
    for (int i = axis; i < x->rank && p->status == SGS_OK; i++) {
        const int64_t from = offset[n > 1 ? i - axis : 0];
        if (from + like->dim[i] > x->dim[i])
            sgs_sp_fail(p, "%lld elements from %lld on do not lie within the %lld of axis %d", (long long)like->dim[i], (long long)from, (long long)x->dim[i], i);
        else
            x = sgs_sp_slice(p, x, i, from, like->dim[i], 1);
    }
    sgs_sp_out(p, 0, x);
    return p->status;
}

/* ---- Permute, ShuffleChannel, Reverse, Tile ---- */

/* Axes that are not listed follow in their order. */
static sgs_status from_caffe_permute(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t order[SGS_MAX_RANK];
    bool used[SGS_MAX_RANK] = { false };
    sgs_caffe_expect(p, 1, 1);
    int n = sgs_caffe_ints(p, "permute_param.order", order, SGS_MAX_RANK);
    if (p->status != SGS_OK)
        return p->status;
    for (int i = 0; i < n; i++) {
        if (order[i] >= x->rank || used[order[i]])
            return sgs_src_fail(im, s, d, "order: expected each of the axes 0 to %d once, found %lld", x->rank - 1, (long long)order[i]);
        used[order[i]] = true;
    }
    for (int i = 0; i < x->rank; i++)
        if (!used[i])
            order[n++] = i;
    sgs_sp_out(p, 0, sgs_sp_transpose(p, x, order));
    return p->status;
}

static sgs_status from_caffe_shuffle(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const int64_t group = sgs_sp_int(p, "shuffle_channel_param.group", 1), turned[] = { 0, 2, 1, 3, 4 };
    sgs_caffe_expect(p, 1, 1);
    sgs_caffe_rank(p, x, 4);
    if (p->status == SGS_OK && (group < 1 || x->dim[1] % group))
        sgs_sp_fail(p, "group: expected a divisor of %lld channels, found %lld", (long long)x->dim[1], (long long)group);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t apart[] = { x->dim[0], group, x->dim[1] / group, x->dim[2], x->dim[3] };
    sgs_sp_out(p, 0, sgs_sp_reshape(p, sgs_sp_transpose(p, sgs_sp_reshape(p, x, 5, apart), turned), 4, x->dim));
    return p->status;
}

static sgs_status from_caffe_reverse(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    sgs_caffe_expect(p, 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = sgs_caffe_axis(p, "reverse_param.axis", 0, x->rank);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_slice(p, x, axis, x->dim[axis] - 1, x->dim[axis], -1));
    return p->status;
}

static sgs_status from_caffe_tile(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t repeats[SGS_MAX_RANK];
    sgs_caffe_expect(p, 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = sgs_caffe_axis(p, "tile_param.axis", 1, x->rank);
    const int64_t tiles = sgs_sp_int(p, "tile_param.tiles", 0);
    for (int i = 0; i < x->rank; i++)
        repeats[i] = i == axis ? tiles : 1;
    if (tiles < 1)
        sgs_sp_fail(p, "tiles: expected 1 or more, found %lld", (long long)tiles);
    sgs_value *in[] = { x, sgs_const_ints(im->g, repeats, x->rank) };
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_caffe_call(p, "Tile", 2, in, 0, NULL));
    return p->status;
}

/* ---- Reshape, Flatten ---- */

/* Of the axes first .. first + n - 1: 0 keeps the axis in its place, one -1 takes what is left. */
static sgs_status from_caffe_reshape(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t dim[SGS_MAX_RANK], to[3 * SGS_MAX_RANK], known = 1;
    int n = sgs_caffe_ints(p, "reshape_param.shape.dim", dim, SGS_MAX_RANK), rank = 0, open = -1;
    char text[128];
    sgs_caffe_expect(p, 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int first = sgs_caffe_axis(p, "reshape_param.axis", 0, x->rank + 1);
    const int64_t axes = sgs_sp_int(p, "reshape_param.num_axes", -1);
    if (p->status == SGS_OK && (axes < -1 || axes > x->rank - first))
        sgs_sp_fail(p, "num_axes: expected -1 to %d, found %lld", x->rank - first, (long long)axes);
    const int end = axes < 0 ? x->rank : first + (int)axes;
    for (int i = 0; i < first; i++)
        to[rank++] = x->dim[i];
    for (int i = 0; i < n; i++, rank++) {
        to[rank] = dim[i];
        if (dim[i] == 0 && first + i >= end)
            sgs_sp_fail(p, "shape: dim 0 at place %d keeps an axis, and there is none", i);
        else if (dim[i] == 0)
            to[rank] = x->dim[first + i];
        else if (dim[i] == -1 && open < 0)
            open = rank;
        else if (dim[i] < 0)
            sgs_sp_fail(p, "shape: expected sizes and at most one -1, found %s", sgs_dims_text(text, sizeof text, n, dim));
    }
    for (int i = end; i < x->rank; i++)
        to[rank++] = x->dim[i];
    for (int i = 0; i < rank && p->status == SGS_OK; i++)
        if (i != open && !sgs_mul64(known, to[i], &known))
            sgs_sp_fail(p, "shape: %s is too large", sgs_dims_text(text, sizeof text, n, dim));
    const int64_t count = sgs_value_count(x);
    if (p->status == SGS_OK && rank > SGS_MAX_RANK)
        sgs_sp_refuse(p, "at most %d dimensions are supported, found %d", SGS_MAX_RANK, rank);
    if (p->status == SGS_OK && (open < 0 ? known != count : !known || count % known))
        sgs_sp_fail(p, "shape: %lld elements do not fit %s", (long long)count, sgs_dims_text(text, sizeof text, rank, to));
    if (p->status != SGS_OK)
        return p->status;
    if (open >= 0)
        to[open] = count / known;
    sgs_sp_out(p, 0, sgs_sp_reshape(p, x, rank, to));
    return p->status;
}

static sgs_status from_caffe_flatten(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t to[SGS_MAX_RANK + 1], flat = 1;
    int rank = 0;
    sgs_caffe_expect(p, 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int first = sgs_caffe_axis(p, "flatten_param.axis", 1, x->rank), last = sgs_caffe_axis(p, "flatten_param.end_axis", -1, x->rank);
    if (p->status == SGS_OK && last < first)
        sgs_sp_fail(p, "end_axis: expected %d or more, found %d", first, last);
    for (int i = 0; i < x->rank; i++) {
        if (i >= first && i <= last)
            flat *= x->dim[i];
        if (i < first || i >= last)
            to[rank++] = i == last ? flat : x->dim[i];
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_reshape(p, x, rank, to));
    return p->status;
}

/* ---- constants from shapes ---- */

/* 0 for the first step of a sequence, 1 for those that continue it: time along the axis, sequences along the next. */
static sgs_status from_caffe_continuation(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_value *x = sgs_sp_in(p, 0);
    void *data;
    sgs_caffe_expect(p, 1, 1);
    if (p->status != SGS_OK)
        return p->status;
    const int axis = sgs_caffe_axis(p, "continuation_indicator_param.axis", 0, x->rank);
    if (p->status == SGS_OK && axis + 1 >= x->rank)
        sgs_sp_fail(p, "expected an axis of sequences behind axis %d of time, found %d dimensions", axis, x->rank);
    sgs_value *v = p->status == SGS_OK ? sgs_sp_const(p, SGS_F32, 2, x->dim + axis, &data) : NULL;
    for (int64_t i = 0; v && i < sgs_value_count(v); i++)
        ((float *)data)[i] = i < v->dim[1] ? 0 : 1;
    if (v)
        sgs_sp_out(p, 0, v);
    return p->status;
}

/* An array that the network learned, for other layers to read. */
static sgs_status from_caffe_parameter(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    int64_t dim[SGS_MAX_RANK];
    const int n = sgs_caffe_ints(p, "parameter_param.shape.dim", dim, SGS_MAX_RANK);
    sgs_caffe_expect(p, 0, 1);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_caffe_blob(p, 0, 1, "the parameter", n, dim));
    return p->status;
}

/* The elements of the first bottom along its first axis that the second one counts up. */
static sgs_status from_caffe_reindex(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) };
    const sgs_src_attr axis = sgs_caffe_int("axis", 0);
    sgs_caffe_expect(p, 2, 1);
    sgs_caffe_rank(p, in[1], 1);
    if (p->status == SGS_OK)
        in[1] = sgs_sp_cast(p, in[1], SGS_S32);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_caffe_call(p, "Gather", 2, in, 1, &axis));
    return p->status;
}

enum { MOST_PRIORS = 64 };

typedef struct priors {
    float small[MOST_PRIORS], large[MOST_PRIORS], ratio[2 * MOST_PRIORS + 1], variance[4], offset;
    int nsmall, nlarge, nratio;
    int64_t picture[2], cells[2]; /* height, width */
    float step[2];
    bool clip;
} priors;

static int floats(sgs_spell *p, const char *name, float *v, int max)
{
    const sgs_src_attr *a = sgs_src_find(p->s, name);
    if (a && a->n > max)
        sgs_sp_refuse(p, "%s: at most %d numbers are supported, found %d", name, max, a->n);
    const int n = a && p->status == SGS_OK ? a->n : 0;
    if (n)
        memcpy(v, a->floats, (size_t)n * sizeof *v);
    return n;
}

/* 1 is always there; each other stands once, with its inverse where boxes may be turned. */
static void read_ratios(sgs_spell *p, priors *k)
{
    float given[MOST_PRIORS];
    const int n = floats(p, "prior_box_param.aspect_ratio", given, MOST_PRIORS);
    const bool flip = sgs_caffe_flag(p, "prior_box_param.flip", true);
    k->ratio[k->nratio++] = 1;
    for (int i = 0; i < n; i++) {
        bool known = false;
        for (int j = 0; j < k->nratio; j++)
            known = known || fabs((double)given[i] - (double)k->ratio[j]) < 1e-6;
        if (!(given[i] > 0))
            sgs_sp_fail(p, "aspect_ratio: expected numbers above 0, found %g", (double)given[i]);
        if (known)
            continue;
        k->ratio[k->nratio++] = given[i];
        if (flip)
            k->ratio[k->nratio++] = 1.0f / given[i];
    }
}

static void read_priors(sgs_spell *p, const sgs_value *x, const sgs_value *picture, priors *k)
{
    *k = (priors){ .variance = { 0.1f, 0.1f, 0.1f, 0.1f }, .cells = { x->dim[2], x->dim[3] } };
    k->nsmall = floats(p, "prior_box_param.min_size", k->small, MOST_PRIORS);
    k->nlarge = floats(p, "prior_box_param.max_size", k->large, MOST_PRIORS);
    const int variances = floats(p, "prior_box_param.variance", k->variance, 4);
    for (int i = 1; i < 4 && variances == 1; i++)
        k->variance[i] = k->variance[0];
    read_ratios(p, k);
    if (p->status == SGS_OK && !k->nsmall)
        sgs_sp_fail(p, "min_size is missing");
    if (k->nlarge && k->nlarge != k->nsmall)
        sgs_sp_fail(p, "expected as many max_size as min_size, %d, found %d", k->nsmall, k->nlarge);
    if (variances > 1 && variances != 4)
        sgs_sp_fail(p, "variance: expected 1 or 4 numbers, found %d", variances);
    for (int i = 0; i < k->nsmall; i++)
        if (!(k->small[i] > 0) || (k->nlarge && !(k->large[i] > k->small[i])))
            sgs_sp_fail(p, "expected min_size above 0 and max_size above it, found %g and %g", (double)k->small[i], (double)(k->nlarge ? k->large[i] : k->small[i]));
    const int64_t both = sgs_sp_int(p, "prior_box_param.img_size", 0);
    const float step = sgs_sp_float(p, "prior_box_param.step", 0);
    k->picture[0] = sgs_sp_int(p, "prior_box_param.img_h", both);
    k->picture[1] = sgs_sp_int(p, "prior_box_param.img_w", both);
    k->step[0] = sgs_sp_float(p, "prior_box_param.step_h", step);
    k->step[1] = sgs_sp_float(p, "prior_box_param.step_w", step);
    const bool given = k->picture[0] && k->picture[1];
    for (int i = 0; i < 2 && !given; i++)
        k->picture[i] = picture->dim[2 + i];
    const bool steps = k->step[0] > 0 && k->step[1] > 0;
    for (int i = 0; i < 2 && !steps; i++)
        k->step[i] = (float)k->picture[i] / (float)k->cells[i];
    k->offset = sgs_sp_float(p, "prior_box_param.offset", 0.5f);
    k->clip = sgs_caffe_flag(p, "prior_box_param.clip", false);
}

/* One box around a cell's middle, as parts of the picture. */
static float *put_box(const priors *k, float *to, const float middle[2], float h, float w)
{
    const float corner[4] = { (middle[1] - w / 2) / (float)k->picture[1], (middle[0] - h / 2) / (float)k->picture[0], (middle[1] + w / 2) / (float)k->picture[1],
                              (middle[0] + h / 2) / (float)k->picture[0] };
    for (int i = 0; i < 4; i++)
        *to++ = k->clip ? fminf(fmaxf(corner[i], 0), 1) : corner[i];
    return to;
}

static float *put_cell(const priors *k, float *to, int64_t row, int64_t column)
{
    const float middle[2] = { ((float)row + k->offset) * k->step[0], ((float)column + k->offset) * k->step[1] };
    for (int i = 0; i < k->nsmall; i++) {
        const float size = k->small[i], between = k->nlarge ? sqrtf(size * k->large[i]) : 0;
        to = put_box(k, to, middle, size, size);
        if (k->nlarge)
            to = put_box(k, to, middle, between, between);
        for (int r = 1; r < k->nratio; r++)
            to = put_box(k, to, middle, size / sqrtf(k->ratio[r]), size * sqrtf(k->ratio[r]));
    }
    return to;
}

/* Boxes of a grid: [1][boxes, variances][4 of each]. */
static sgs_status from_caffe_priorbox(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_value *x = sgs_sp_in(p, 0), *picture = sgs_sp_in(p, 1);
    priors k;
    void *data;
    sgs_caffe_expect(p, 2, 1);
    sgs_caffe_rank(p, x, 4);
    sgs_caffe_rank(p, picture, 4);
    if (p->status != SGS_OK)
        return p->status;
    read_priors(p, x, picture, &k);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t each = k.nsmall * (int64_t)k.nratio + k.nlarge, boxes = k.cells[0] * k.cells[1] * each, dim[] = { 1, 2, boxes * 4 };
    sgs_value *v = sgs_sp_const(p, SGS_F32, 3, dim, &data);
    if (!v)
        return p->status;
    float *to = data;
    for (int64_t i = 0; i < k.cells[0]; i++)
        for (int64_t j = 0; j < k.cells[1]; j++)
            to = put_cell(&k, to, i, j);
    for (int64_t i = 0; i < boxes * 4; i++)
        *to++ = k.variance[i % 4];
    sgs_sp_out(p, 0, v);
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from caffe[] = {
    { "Concat", from_caffe_concat, 0 },
    { "Slice", from_caffe_slice, 0 },
    { "Crop", from_caffe_crop, 0 },
    { "Permute", from_caffe_permute, 0 },
    { "Reshape", from_caffe_reshape, 0 },
    { "Flatten", from_caffe_flatten, 0 },
    { "Reverse", from_caffe_reverse, 0 },
    { "Tile", from_caffe_tile, 0 },
    { "ShuffleChannel", from_caffe_shuffle, 0 },
    { "Split", from_caffe_same, 0 },
    { "Dropout", from_caffe_same, 0 },
    { "ContinuationIndicator", from_caffe_continuation, 0 },
    { "PriorBox", from_caffe_priorbox, 0 },
    { "Parameter", from_caffe_parameter, 0 },
    { "BatchReindex", from_caffe_reindex, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_caffe_move = { "caffe_move", ops, .caffe = caffe };
