/* maxpool_index: where the maxima of an NHWC picture's windows stood, as numbers of the channel-first tensor; unpool:
 * elements put where such numbers say, zeros elsewhere. */
#include <string.h>

#include "compile/lower.h"
#include "ops/spell.h"

/* ---- maxpool_index ---- */

static const sgs_attr index_attrs[] = {
    SGS_ATTR_V(sgs_pool_attr, kernel, 2),
    SGS_ATTR_V(sgs_pool_attr, stride, 2),
    SGS_ATTR_V(sgs_pool_attr, pad, 4),
    SGS_ATTR_I(sgs_pool_attr, count_pad),
    SGS_ATTR_V(sgs_pool_attr, dilation, 2),
    SGS_ATTR_I(sgs_pool_index_attr, by_columns),
    SGS_ATTR_END,
};

static sgs_status index_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    SGS_TRY(sgs_pool_infer(g, n, out, d));
    if (sgs_value_count(n->in[0]) > INT32_MAX)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "indices of %lld elements are not supported: 2147483647 are the most", (long long)sgs_value_count(n->in[0]));
    out->type = SGS_S32;
    return SGS_OK;
}

/* The best pixel of the window at row q, column r: its number in the picture. */
static int64_t best_pixel(const sgs_pool_attr *a, const sgs_tensor *x, const float *image, int64_t channel, int64_t q,
                          int64_t r)
{
    const int64_t h = x->dim[1], w = x->dim[2], c = x->dim[3];
    int64_t best = -1;
    for (int64_t i = 0; i < a->kernel[0]; i++)
        for (int64_t j = 0; j < a->kernel[1]; j++) {
            const int64_t y = q * a->stride[0] - a->pad[0] + i * (a->dilation[0] ? a->dilation[0] : 1);
            const int64_t z = r * a->stride[1] - a->pad[1] + j * (a->dilation[1] ? a->dilation[1] : 1);
            if (y < 0 || y >= h || z < 0 || z >= w)
                continue;
            if (best < 0 || image[(y * w + z) * c + channel] > image[best * c + channel])
                best = y * w + z;
        }
    return best;
}

static sgs_status index_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const sgs_pool_index_attr *a = n->attr;
    const int64_t h = in->dim[1], w = in->dim[2], c = in->dim[3];
    int32_t *to = out->data;
    for (int64_t b = 0; b < out->dim[0]; b++)
        for (int64_t q = 0; q < out->dim[1]; q++)
            for (int64_t r = 0; r < out->dim[2]; r++)
                for (int64_t k = 0; k < c; k++) {
                    const int64_t at = best_pixel(&a->pool, in, (const float *)in->data + b * h * w * c, k, q, r);
                    const int64_t pixel = a->by_columns ? at % w * h + at / w : at;
                    *to++ = (int32_t)((b * c + k) * h * w + pixel);
                }
    return SGS_OK;
}

/* ---- unpool ---- */

static const sgs_attr unpool_attrs[] = { SGS_ATTR_VN(sgs_shape_attr, dim, SGS_MAX_RANK, n), SGS_ATTR_END };

static sgs_status unpool_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_shape_attr *a = n->attr;
    int64_t count = 1;
    if (sgs_value_count(n->in[0]) != sgs_value_count(n->in[1]) || n->in[1]->type != SGS_S32)
        return sgs_fail(d, SGS_E_MODEL, "expected an index of int32 for each of %lld elements, found %lld of %s", (long long)sgs_value_count(n->in[0]),
                        (long long)sgs_value_count(n->in[1]), sgs_type_word(n->in[1]->type));
    out->type = n->in[0]->type;
    out->rank = (int)a->n;
    for (int i = 0; i < out->rank; i++) {
        out->dim[i] = a->dim[i];
        if (a->dim[i] < 0 || !sgs_mul64(count, a->dim[i], &count) || count > SGS_MAX_ELEMENTS)
            return sgs_fail(d, SGS_E_MODEL, "dimension %d of the result cannot be %lld", i, (long long)a->dim[i]);
    }
    return SGS_OK;
}

static sgs_status unpool_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st;
    const size_t each = (size_t)sgs_type_bytes(out->type);
    const int64_t count = sgs_tensor_count(out), given = sgs_tensor_count(in);
    memset(out->data, 0, (size_t)count * each);
    for (int64_t i = 0; i < given; i++) {
        const int64_t at = ((const int32_t *)in[1].data)[i];
        if (at < 0 || at >= count)
            return sgs_fail(d, SGS_E_DATA, "index %lld lies outside %lld elements", (long long)at, (long long)count);
        memcpy((char *)out->data + (size_t)at * each, (const char *)in->data + (size_t)i * each, each);
    }
    return SGS_OK;
}

/* ---- from ONNX ---- */

/* What the windows cover, or output_shape, of which what the windows do not reach at the end is zeros; the indices are
 * those of the former. */
static sgs_status from_onnx_unpool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[2] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) }, *given = sgs_src_opt(im, s, 2), *y;
    int64_t wanted[SGS_MAX_RANK] = { 0 };
    int n = 0;
    if (p->status == SGS_OK && in[0]->rank != 3 && in[0]->rank != 4)
        sgs_sp_refuse(p, "only 1-D and 2-D unpooling is supported: expected an input of 3 or 4 dimensions, found %d", in[0]->rank);
    if (p->status != SGS_OK)
        return p->status;
    sgs_shape_attr a = { .n = in[0]->rank };
    sgs_window2d w = { 0 };
    SGS_TRY(sgs_src_window(im, s, in[0], &w, false, d));
    memcpy(a.dim, in[0]->dim, sizeof a.dim);
    const int axes = in[0]->rank - 2;
    for (int i = 0; i < axes; i++) {
        const int k = i + 2 - axes;
        if (w.stride[k] > INT32_MAX || in[0]->dim[2 + i] > INT32_MAX)
            return sgs_src_fail(im, s, d, "strides and sizes must lie in 1..2147483647, found %lld and %lld", (long long)w.stride[k], (long long)in[0]->dim[2 + i]);
        a.dim[2 + i] = (in[0]->dim[2 + i] - 1) * w.stride[k] + w.kernel[k] - w.pad[k] - w.pad[2 + k];
    }
    in[1] = sgs_sp_cast(p, in[1], SGS_S32);
    if (given) {
        SGS_TRY(sgs_src_const_ints(s, given, wanted, SGS_MAX_RANK, &n, d));
        if (n != a.n)
            sgs_sp_fail(p, "output_shape: expected %d sizes, found %d", (int)a.n, n);
    }
    if (p->status != SGS_OK)
        return p->status;
    SGS_TRY(sgs_emit(im, s, &sgs_op_unpool, 2, in, &a, &y, d));
    sgs_pad_attr more = { .n = a.n };
    for (int i = 0; i < n; i++) {
        if (wanted[i] < 0 || wanted[i] > SGS_MAX_ELEMENTS)
            return sgs_src_fail(im, s, d, "output_shape: expected sizes of 0 to 2^40, found %lld", (long long)wanted[i]);
        more.after[i] = wanted[i] - a.dim[i];
    }
    sgs_sp_out(p, 0, n ? sgs_sp_one(p, &sgs_op_pad, y, &more) : y);
    return p->status;
}

/* ---- lowering: ARITHMETIC.md 6 ---- */

static sgs_status index_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_pool_index_attr *a = n->attr;
    const sgs_pool_attr *p = &a->pool;
    const sgs_value *x = n->in[0];
    if (!sgs_is_activation(x) || !sgs_one_scale(x))
        return sgs_lower_fail(l, n, d, "expected uint8 or int16 with one scale");
    ipu_peaks r = { .head = SGS_REC(IPU_MAXPOOL_INDEX, peaks), .y = sgs_lower_ref(l, n->out[0]), .x = sgs_lower_ref(l, x), .by_columns = (int32_t)a->by_columns };
    r.kh = (int32_t)p->kernel[0], r.kw = (int32_t)p->kernel[1];
    r.sy = (int32_t)p->stride[0], r.sx = (int32_t)p->stride[1];
    r.dy = p->dilation[0] ? (int32_t)p->dilation[0] : 1, r.dx = p->dilation[1] ? (int32_t)p->dilation[1] : 1;
    r.py = (int32_t)p->pad[0], r.px = (int32_t)p->pad[1];
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* v's elements one behind the other: as rows of one element, or as the array that a record takes. */
static sgs_status listed(sgs_lowering *l, const sgs_node *n, const sgs_value *v, bool array, ipu_ref *list, sgs_diag *d)
{
    const ipu_ref from = sgs_lower_ref(l, v);
    *list = sgs_lower_temp(l, &from);
    SGS_TRY(sgs_lower_copy(l, list, &from, n, d));
    const int32_t count = (int32_t)sgs_value_count(v), each = ipu_type_bytes(from.type);
    list->n = list->w = 1;
    list->h = array ? 1 : count;
    list->c = array ? count : 1;
    list->step = each;
    list->pix = list->row = array ? each * count : each;
    list->img = list->row * list->h;
    return SGS_OK;
}

/* The list's elements in the shape of v. */
static sgs_status from_list(sgs_lowering *l, const sgs_node *n, const sgs_value *v, const ipu_ref *list, sgs_diag *d)
{
    const ipu_ref to = sgs_lower_ref(l, v);
    ipu_ref r = to;
    r.space = list->space, r.index = list->index, r.off = list->off;
    r.step = ipu_type_bytes(r.type);
    r.pix = r.step * r.c;
    r.row = r.pix * r.w;
    r.img = r.row * r.h;
    return sgs_lower_copy(l, &to, &r, n, d);
}

/* Into a list that is one zero over and over. */
static sgs_status unpool_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const bool u8 = x->type == SGS_U8;
    const uint8_t byte = (uint8_t)sgs_zero(x, 0);
    const int32_t none = 0;
    if (!sgs_one_scale(x) || n->in[1]->type != SGS_S32)
        return sgs_lower_fail(l, n, d, "expected one scale, and indices of int32");
    if (sgs_value_count(y) > INT32_MAX / 4)
        return sgs_lower_fail(l, n, d, "more elements than can be taken one by one");
    ipu_scatter r = { .head = SGS_REC(IPU_SCATTER, scatter), .mode = IPU_SCATTER_REPLACE };
    SGS_TRY(listed(l, n, x, false, &r.u, d));
    SGS_TRY(listed(l, n, n->in[1], true, &r.index, d));
    r.x = sgs_lower_const(l, (ipu_type)r.u.type, u8 ? (const void *)&byte : (const void *)&none, 1);
    r.x.h = (int32_t)sgs_value_count(y);
    r.x.row = r.x.img = 0;
    ipu_ref like = r.x;
    like.row = like.img = like.pix;
    r.y = sgs_lower_temp(l, &like);
    SGS_TRY(sgs_lower_emit(l, &r.head, n, 0, d));
    return from_list(l, n, y, &r.y, d);
}

/* ---- rows ---- */

const sgs_op sgs_op_maxpool_index = {
    .name = "maxpool_index",
    .family = "unpool",
    .nin_min = 1,
    .nin_max = 1,
    .nout = 1,
    .attr_bytes = sizeof(sgs_pool_index_attr),
    .attr = index_attrs,
    .infer = index_infer,
    .eval = index_eval,
    .float_only = true,
    .qrule = SGS_Q_S16,
    .lower = index_lower,
    .kernel = "peaks",
};
const sgs_op sgs_op_unpool = {
    .name = "unpool",
    .family = "unpool",
    .nin_min = 2,
    .nin_max = 2,
    .nout = 1,
    /* x, indices -> y */ .attr_bytes = sizeof(sgs_shape_attr),
    .attr = unpool_attrs,
    .infer = unpool_infer,
    .eval = unpool_eval,
    .qrule = SGS_Q_MOVE,
    .ndata = 1,
    .lower = unpool_lower,
    .kernel = "scatter",
};

static const sgs_op *const ops[] = { &sgs_op_maxpool_index, &sgs_op_unpool, NULL };
static const sgs_from onnx[] = { { "MaxUnpool", from_onnx_unpool, 9 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_unpool = { "unpool", ops, .onnx = onnx };
