/* cumsum, cumprod: each element and those before it (after it, reverse) along one axis; exclusive: without itself. */
#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/spell.h"

typedef struct cum_attr {
    int64_t axis, exclusive, reverse;
} cum_attr;

static const sgs_attr cum_attrs[] = { SGS_ATTR_I(cum_attr, axis), SGS_ATTR_I(cum_attr, exclusive),
                                      SGS_ATTR_I(cum_attr, reverse), SGS_ATTR_END };

static sgs_status cum_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const cum_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    if (x->type != SGS_F32 && x->type != SGS_F64 && x->type != SGS_S64 && x->type != SGS_S32 && x->type != SGS_S16)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(x->type));
    if (a->axis < 0 || a->axis >= x->rank || (a->exclusive | 1) != 1 || (a->reverse | 1) != 1)
        return sgs_fail(d, SGS_E_MODEL, "axis must lie in 0..%d, exclusive and reverse be 0 or 1, found %lld, %lld and %lld", x->rank - 1,
                        (long long)a->axis, (long long)a->exclusive, (long long)a->reverse);
    sgs_shape_like(out, x);
    return SGS_OK;
}

/* ---- evaluation: reals in double, integers modulo 2^64 ---- */

typedef struct acc {
    double real;
    uint64_t whole;
} acc;

static acc read_at(const sgs_tensor *t, int64_t i)
{
    switch (t->type) {
    case SGS_F32:
        return (acc){ .real = (double)((const float *)t->data)[i] };
    case SGS_F64:
        return (acc){ .real = ((const double *)t->data)[i] };
    case SGS_S64:
        return (acc){ .whole = (uint64_t)((const int64_t *)t->data)[i] };
    default:
        return (acc){ .whole = (uint64_t)((const int32_t *)t->data)[i] };
    }
}

static void write_at(sgs_tensor *t, int64_t i, acc v)
{
    switch (t->type) {
    case SGS_F32:
        ((float *)t->data)[i] = (float)v.real;
        break;
    case SGS_F64:
        ((double *)t->data)[i] = v.real;
        break;
    case SGS_S64:
        ((int64_t *)t->data)[i] = (int64_t)v.whole;
        break;
    default:
        ((int32_t *)t->data)[i] = (int32_t)(uint32_t)v.whole;
        break;
    }
}

static void one_line(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, int64_t from, int64_t step)
{
    const cum_attr *a = n->attr;
    const bool product = n->op == &sgs_op_cumprod;
    const int64_t count = in->dim[a->axis];
    acc sum = { product, product };
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = from + (a->reverse ? count - 1 - k : k) * step;
        const acc v = read_at(in, i), next = product ? (acc){ sum.real * v.real, sum.whole * v.whole }
                                                     : (acc){ sum.real + v.real, sum.whole + v.whole };
        write_at(out, i, a->exclusive ? sum : next);
        sum = next;
    }
}

static sgs_status cum_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    const int64_t axis = ((const cum_attr *)n->attr)->axis;
    if (out->type == SGS_S16)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "arithmetic on int16 belongs to fixed-point models");
    int64_t step = 1, outer = 1;
    for (int i = 0; i < in->rank; i++)
        *(i < axis ? &outer : &step) *= i == axis ? 1 : in->dim[i];
    for (int64_t line = 0; line < outer * step; line++)
        one_line(n, in, out, line / step * in->dim[axis] * step + line % step, step);
    return SGS_OK;
}

/* ---- from ONNX ---- */

static sgs_status from_onnx_cum(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *axis = sgs_sp_in(p, 1);
    cum_attr a = { 0 };
    int n = 0;
    if (p->status == SGS_OK)
        p->status = sgs_src_const_ints(s, axis, &a.axis, 1, &n, d);
    if (p->status == SGS_OK && n != 1)
        sgs_sp_fail(p, "expected one axis, found %d", n);
    if (p->status == SGS_OK)
        p->status = sgs_src_axis(im, s, &a.axis, x->rank, d);
    a.exclusive = sgs_sp_int(p, "exclusive", 0) != 0;
    a.reverse = sgs_sp_int(p, "reverse", 0) != 0;
    if (p->status != SGS_OK)
        return p->status;
    sgs_sp_out(p, 0, sgs_sp_one(p, strstr(s->op, "rod") ? &sgs_op_cumprod : &sgs_op_cumsum, x, &a));
    return p->status;
}

/* ---- fixed point ---- */

static void set_scale(ipu_cumsum *r, const sgs_node *n)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    while ((32768 * x->dim[((const cum_attr *)n->attr)->axis] >> r->shift) + 1 > INT32_MAX)
        r->shift++;
    r->m = sgs_mult(sgs_scale(x, 0) * (double)((int64_t)1 << r->shift), sgs_scale(y, 0));
    r->out = sgs_out_range(y, SGS_ACT_NONE, 0, 0);
}

/* The axis becomes the channels. */
static sgs_status cum_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const cum_attr *a = n->attr;
    const sgs_value *x = n->in[0], *y = n->out[0];
    const bool real = x->type == SGS_S16 && x->quant && sgs_one_scale(x) && y->type == SGS_S16 && y->quant && sgs_one_scale(y);
    ipu_cumsum r = { .head = SGS_REC(IPU_CUMSUM, cumsum), .exclusive = (int32_t)a->exclusive, .reverse = (int32_t)a->reverse };
    if (!real && (x->type != SGS_S32 || y->type != SGS_S32))
        return sgs_lower_fail(l, n, d, "expected int32 or int16 with one scale, the same in and out");
    if (real)
        set_scale(&r, n);
    return sgs_lower_along(l, &r.head, n, (int)a->axis, 2, d);
}

/* ---- rows ---- */

#define ROW(op, rule, fixed, lowering, own_kernel)                                                                     \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "cumsum",                                                                                            \
        .nin_min = 1,                                                                                                  \
        .nin_max = 1,                                                                                                  \
        .nout = 1,                                                                                                     \
        .attr_bytes = sizeof(cum_attr),                                                                                \
        .attr = cum_attrs,                                                                                             \
        .infer = cum_infer,                                                                                            \
        .eval = cum_eval,                                                                                              \
        .permute = sgs_permute_axis,                                                                                   \
        .qrule = rule,                                                                                                 \
        .unfixed = fixed,                                                                                              \
        .lower = lowering,                                                                                             \
        .kernel = own_kernel,                                                                                          \
    }
ROW(cumsum, SGS_Q_S16, sgs_number_unfixed, cum_lower, NULL);
ROW(cumprod, SGS_Q_NONE, NULL, NULL, "");

static const sgs_op *const ops[] = { &sgs_op_cumsum, &sgs_op_cumprod, NULL };
static const sgs_from onnx[] = { { "CumSum", from_onnx_cum, 11 }, { "CumProd", from_onnx_cum, 26 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Cumsum", from_onnx_cum, 0 },
    { "Cumprod", from_onnx_cum, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_cumsum = { "cumsum", ops, .onnx = onnx, .tensorflow = tensorflow };
