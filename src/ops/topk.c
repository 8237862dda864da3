/* topk, topk_index: the k largest or smallest elements along one axis, best first, and where they were; of equals, the
 * one with the lower index first. */
#include <stdlib.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/spell.h"

typedef struct topk_attr {
    int64_t axis, k;
    int64_t least; /* the smallest ones */
} topk_attr;

static const sgs_attr topk_attrs[] = { SGS_ATTR_I(topk_attr, axis), SGS_ATTR_I(topk_attr, k),
                                       SGS_ATTR_I(topk_attr, least), SGS_ATTR_END };

/* ---- shapes ---- */

static sgs_status topk_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const topk_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (a->axis < 0 || a->axis >= x->rank)
        return sgs_fail(d, SGS_E_MODEL, "axis must lie in 0..%d, found %lld", x->rank - 1, (long long)a->axis);
    if (a->k < 0 || a->k > x->dim[a->axis] || x->dim[a->axis] > INT32_MAX || (a->least != 0 && a->least != 1))
        return sgs_fail(d, SGS_E_MODEL, "cannot take %lld of the %lld elements along the axis", (long long)a->k,
                        (long long)x->dim[a->axis]);
    sgs_shape_like(out, x);
    out->type = n->op == &sgs_op_topk_index ? SGS_S32 : x->type;
    out->dim[a->axis] = a->k;
    return SGS_OK;
}

/* ---- evaluation ---- */

typedef struct entry {
    double real;
    int64_t whole;
    int32_t index;
} entry;

/* NaN counts as the largest. */
static int compare(const void *p, const void *q)
{
    const entry *a = p, *b = q;
    const bool nan_a = a->real != a->real, nan_b = b->real != b->real;
    int order = nan_a || nan_b ? nan_a - nan_b : (a->real > b->real) - (a->real < b->real);
    order = order ? order : (a->whole > b->whole) - (a->whole < b->whole);
    return order;
}

static int largest_first(const void *p, const void *q)
{
    const int order = compare(q, p);
    return order ? order : ((const entry *)p)->index - ((const entry *)q)->index;
}

static int smallest_first(const void *p, const void *q)
{
    const int order = compare(p, q);
    return order ? order : ((const entry *)p)->index - ((const entry *)q)->index;
}

static bool read_entry(const sgs_tensor *x, int64_t at, int32_t index, entry *e)
{
    *e = (entry){ .index = index };
    switch (x->type) {
    case SGS_F32:
        e->real = (double)((const float *)x->data)[at];
        return true;
    case SGS_F64:
        e->real = ((const double *)x->data)[at];
        return true;
    case SGS_S64:
        e->whole = ((const int64_t *)x->data)[at];
        return true;
    case SGS_S32:
        e->whole = ((const int32_t *)x->data)[at];
        return true;
    case SGS_S8:
        e->whole = ((const int8_t *)x->data)[at];
        return true;
    case SGS_U8:
        e->whole = ((const uint8_t *)x->data)[at];
        return true;
    default:
        return false;
    }
}

/* The first k of the sorted list, along one line of the result. */
static void put(const sgs_node *n, const entry *list, const sgs_tensor *in, int64_t from, sgs_tensor *out, int64_t to,
                int64_t step)
{
    const size_t each = (size_t)sgs_type_bytes(in->type);
    for (int64_t i = 0; i < ((const topk_attr *)n->attr)->k; i++)
        if (n->op == &sgs_op_topk_index)
            ((int32_t *)out->data)[to + i * step] = list[i].index;
        else
            memcpy((char *)out->data + (size_t)(to + i * step) * each,
                   (const char *)in->data + (size_t)(from + list[i].index * step) * each, each);
}

static sgs_status topk_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const topk_attr *a = n->attr;
    const int64_t count = in->dim[a->axis];
    int64_t step = 1, outer = 1;
    entry *list = malloc((size_t)(count + 1) * sizeof *list);
    bool known = true;
    for (int i = 0; i < in->rank; i++)
        *(i < a->axis ? &outer : &step) *= i == a->axis ? 1 : in->dim[i];
    for (int64_t line = 0; line < outer * step && list; line++) {
        const int64_t from = line / step * count * step + line % step, to = line / step * a->k * step + line % step;
        for (int64_t i = 0; i < count; i++)
            known = read_entry(in, from + i * step, (int32_t)i, &list[i]) && known;
        qsort(list, (size_t)count, sizeof *list, a->least ? smallest_first : largest_first);
        put(n, list, in, from, out, to, step);
    }
    const bool ok = list != NULL;
    free(list);
    if (!known)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(in->type));
    return ok ? SGS_OK : sgs_fail(d, SGS_E_LIMIT, "out of memory");
}

/* ---- from ONNX ---- */

/* k as an attribute before opset 10, then as an input. */
static sgs_status from_onnx_topk(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *k = s->opset >= 10 ? sgs_sp_in(p, 1) : NULL;
    int64_t count[1] = { sgs_sp_int(p, "k", 0) };
    int found = 0;
    if (p->status == SGS_OK && k)
        p->status = sgs_src_const_ints(s, k, count, 1, &found, d);
    if (p->status != SGS_OK)
        return p->status;
    const topk_attr a = { .axis = sgs_sp_axis(p, "axis", -1, x->rank),
                          .k = count[0],
                          .least = !sgs_sp_int(p, "largest", 1) };
    const bool taken = sgs_has_integer_form(
        x->type); /* integers have no order of their own on the board: they are taken by their indices */
    sgs_value *index = taken || sgs_sp_wants(p, 1) ? sgs_sp_one(p, &sgs_op_topk_index, x, &a) : NULL;
    if (sgs_sp_wants(p, 0))
        sgs_sp_out(p, 0, taken ? sgs_sp_take(p, x, index, a.axis) : sgs_sp_one(p, &sgs_op_topk, x, &a));
    if (sgs_sp_wants(p, 1))
        sgs_sp_out(p, 1, index);
    return p->status;
}

/* ---- lowering: the axis becomes the channels ---- */

static sgs_status topk_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const topk_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (!(sgs_is_activation(x) && sgs_one_scale(x)) && !(n->op == &sgs_op_topk_index && sgs_is_integer(x)))
        return sgs_lower_fail(l, n, d, "expected uint8 or int16 with one scale");
    ipu_topk r = { .head = SGS_REC(IPU_TOPK, topk), .sign = a->least ? -1 : 1 };
    return sgs_lower_along(l, &r.head, n, (int)a->axis, 2, d);
}

/* ---- row ---- */

#define ROW(op, rule, fixed)                                                                                           \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "topk",                                                                                              \
        .nin_min = 1,                                                                                                  \
        .nin_max = 1,                                                                                                  \
        .nout = 1,                                                                                                     \
        .attr_bytes = sizeof(topk_attr),                                                                               \
        .attr = topk_attrs,                                                                                            \
        .infer = topk_infer,                                                                                           \
        .eval = topk_eval,                                                                                             \
        .permute = sgs_permute_axis,                                                                                   \
        .qrule = rule,                                                                                                 \
        .unfixed = fixed,                                                                                              \
        .lower = topk_lower,                                                                                           \
    }
ROW(topk, SGS_Q_MOVE, NULL);
ROW(topk_index, SGS_Q_S16, sgs_number_unfixed);

static const sgs_op *const ops[] = { &sgs_op_topk, &sgs_op_topk_index, NULL };
static const sgs_from onnx[] = { { "TopK", from_onnx_topk, 1 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "TopKV2", from_onnx_topk, 0 },
    { "TopK", from_onnx_topk, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_topk = { "topk", ops, .onnx = onnx, .tensorflow = tensorflow };
