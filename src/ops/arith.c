/* add, sub, mul, div, min, max, power: elementwise on two operands with numpy broadcasting.  Integers serve shape
 * arithmetic and constant folding. */
#include <math.h>

#include "ops/arith.h"

#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/nest.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

static const struct arith {
    const sgs_op *op;
    const char *onnx, *tflite;
    ipu_kind kind; /* a subtraction is an addition */
    int mode;      /* of integers */
} table[] = {
    { &sgs_op_add, "Add", "ADD", IPU_ADD_S16, IPU_INTEGER_ADD },
    { &sgs_op_sub, "Sub", "SUB", IPU_ADD_S16, IPU_INTEGER_SUB },
    { &sgs_op_mul, "Mul", "MUL", IPU_MUL_S16, IPU_INTEGER_MUL },
    { &sgs_op_div, "Div", "DIV", IPU_DIV_S16, IPU_INTEGER_DIV },
    { &sgs_op_min, "Min", "MINIMUM", IPU_MIN_S16, IPU_INTEGER_MIN },
    { &sgs_op_max, "Max", "MAXIMUM", IPU_MAX_S16, IPU_INTEGER_MAX },
    { &sgs_op_power, "Pow", "POW", IPU_KIND_COUNT, IPU_INTEGER_POWER }, /* of integers; real ones are spelled out: quant/powers.c */
};

static const struct arith *row_of(const sgs_op *op)
{
    const struct arith *a = table;
    while (a->op != op)
        a++;
    return a;
}

/* ---- shapes --------------------------------------------------------------------------------------------------------
 */

static sgs_status arith_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    sgs_type t = n->in[0]->type;
    if (t != SGS_F32 && t != SGS_F64 && t != SGS_S64 && t != SGS_S32 && t != SGS_S16 && t != SGS_S8 && t != SGS_U8)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(t));
    SGS_TRY(sgs_need_type(n->in[1], t, "second input", d));
    return sgs_broadcast(n->in[0], n->in[1], out, d);
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------
 */

/* n elements side by side of the result; sa, sb: steps of the operands, 0 for one that is repeated. */
typedef struct line {
    const void *a, *b;
    void *y;
    int64_t sa, sb, n;
} line;

#define LOOP(T, expression)                                                                                            \
    for (int64_t i = 0; i < l->n; i++) {                                                                               \
        const T a = ((const T *)l->a)[i * l->sa], b = ((const T *)l->b)[i * l->sb];                                    \
        ((T *)l->y)[i] = (expression);                                                                                 \
    }
#define REAL(T)                                                                                                        \
    if (op == &sgs_op_add)                                                                                             \
        LOOP(T, a + b)                                                                                                 \
    else if (op == &sgs_op_sub)                                                                                        \
        LOOP(T, a - b)                                                                                                 \
    else if (op == &sgs_op_mul)                                                                                        \
        LOOP(T, (a)*b)                                                                                                 \
    else if (op == &sgs_op_div)                                                                                        \
        LOOP(T, a / b)                                                                                                 \
    else if (op == &sgs_op_min)                                                                                        \
        LOOP(T, a < b ? a : b)                                                                                         \
    else if (op == &sgs_op_power)                                                                                      \
        LOOP(T, (T)pow((double)a, (double)b))                                                                          \
    else                                                                                                               \
        LOOP(T, a > b ? a : b)

static void line_f32(const sgs_op *op, const line *l)
{
    REAL(float)
}

static void line_f64(const sgs_op *op, const line *l)
{
    REAL(double)
}

/* Below 1 what is left is 0 unless a is 1 or -1. */
static bool power_overflows(int64_t a, int64_t b, int64_t *r)
{
    *r = 1;
    if (b < 0 || a == 1 || a == -1) {
        *r = a == 1 || (a == -1 && b % 2 == 0) ? 1 : a == -1 ? -1 : 0;
        return a == 0;
    }
    bool bad = false;
    for (int64_t i = 0; i < b && !bad && *r; i++)
        bad = __builtin_mul_overflow(*r, a, r);
    return bad;
}

static sgs_status integer(const sgs_op *op, int64_t a, int64_t b, int64_t *r, sgs_diag *d)
{
    bool bad = false;
    if (op == &sgs_op_div && b == 0)
        return sgs_fail(d, SGS_E_MODEL, "integer division by zero");
    if (op == &sgs_op_add)
        bad = __builtin_add_overflow(a, b, r);
    else if (op == &sgs_op_sub)
        bad = __builtin_sub_overflow(a, b, r);
    else if (op == &sgs_op_mul)
        bad = __builtin_mul_overflow(a, b, r);
    else if (op == &sgs_op_div && (bad = a == INT64_MIN && b == -1) == false)
        *r = a / b;
    else if (op == &sgs_op_power)
        bad = power_overflows(a, b, r);
    else if (op == &sgs_op_min)
        *r = a < b ? a : b;
    else if (op == &sgs_op_max)
        *r = a > b ? a : b;
    return bad ? sgs_fail(d, SGS_E_MODEL, "integer overflow") : SGS_OK;
}

static int64_t integer_at(sgs_type t, const void *p, int64_t i)
{
    switch (t) {
    case SGS_S64:
        return ((const int64_t *)p)[i];
    case SGS_S32:
        return ((const int32_t *)p)[i];
    case SGS_S8:
        return ((const int8_t *)p)[i];
    default:
        return ((const uint8_t *)p)[i];
    }
}

static bool put_integer(sgs_type t, void *p, int64_t i, int64_t v)
{
    switch (t) {
    case SGS_S64:
        ((int64_t *)p)[i] = v;
        return true;
    case SGS_S32:
        ((int32_t *)p)[i] = (int32_t)v;
        return v == (int32_t)v;
    case SGS_S8:
        ((int8_t *)p)[i] = (int8_t)v;
        return v == (int8_t)v;
    default:
        ((uint8_t *)p)[i] = (uint8_t)v;
        return v == (uint8_t)v;
    }
}

static sgs_status line_integer(const sgs_op *op, sgs_type t, const line *l, sgs_diag *d)
{
    for (int64_t i = 0; i < l->n; i++) {
        int64_t r = 0;
        SGS_TRY(integer(op, integer_at(t, l->a, i * l->sa), integer_at(t, l->b, i * l->sb), &r, d));
        if (!put_integer(t, l->y, i, r))
            return sgs_fail(d, SGS_E_MODEL, "integer overflow");
    }
    return SGS_OK;
}

/* Strides in elements. */
static sgs_nest nest_of(const sgs_tensor *in, const sgs_tensor *out)
{
    sgs_nest n = { .rank = out->rank, .operands = 3 };
    memcpy(n.dim, out->dim, (size_t)out->rank * sizeof *out->dim);
    sgs_broadcast_strides(out, out, n.stride[0]);
    sgs_broadcast_strides(&in[0], out, n.stride[1]);
    sgs_broadcast_strides(&in[1], out, n.stride[2]);
    sgs_nest_merge(&n);
    return n;
}

static sgs_status arith_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    if (out->type == SGS_S16)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "arithmetic on int16 belongs to fixed-point models");
    if (!sgs_tensor_count(out))
        return SGS_OK;
    sgs_nest nest = nest_of(in, out);
    int last = nest.rank - 1, each = sgs_type_bytes(out->type);
    int64_t index[SGS_NEST_AXES] = { 0 }, off[SGS_NEST_OPERANDS];
    do {
        sgs_nest_at(&nest, last, index, off);
        const line l = { (const char *)in[0].data + off[1] * each,
                         (const char *)in[1].data + off[2] * each,
                         (char *)out->data + off[0] * each,
                         nest.stride[1][last],
                         nest.stride[2][last],
                         nest.dim[last] };
        if (out->type == SGS_F32)
            line_f32(n->op, &l);
        else if (out->type == SGS_F64)
            line_f64(n->op, &l);
        else
            SGS_TRY(line_integer(n->op, out->type, &l, d));
    } while (sgs_next_index(index, last, nest.dim));
    return SGS_OK;
}

/* ---- from ONNX
 * ------------------------------------------------------------------------------------------------------- */

/* A 64-bit constant that meets a 64-bit input, which we hold in 32 bits.  As a bound it may lie beyond: no number of 32 bits reaches it. */
sgs_status sgs_src_narrow(sgs_import *im, const sgs_source_node *s, bool bound, sgs_value **v, sgs_diag *d)
{
    int64_t count = (*v)->constant ? sgs_value_count(*v) : 0;
    sgs_value *w = sgs_value_new(im->g, SGS_S32, (*v)->rank, (*v)->dim);
    int32_t *to = sgs_try_alloc(im->g->arena, (size_t)count * sizeof *to);
    if (!(*v)->constant || !to)
        return SGS_OK; /* the shapes' check says that the types differ */
    for (int64_t i = 0; i < count; i++) {
        int64_t k = ((const int64_t *)sgs_const_data(*v))[i];
        if (bound)
            k = k < INT32_MIN ? INT32_MIN : k > INT32_MAX ? INT32_MAX : k;
        if (k < INT32_MIN || k > INT32_MAX)
            return sgs_src_refuse(im, s, d, "the constant %lld does not fit 32 bits", (long long)k);
        to[i] = (int32_t)k;
    }
    w->constant = sgs_constant_new(im->g->arena, to);
    *v = w;
    return SGS_OK;
}

sgs_status sgs_emit_pair(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_value *a, sgs_value *b,
                         sgs_value **y, sgs_diag *d)
{
    sgs_value *in[2] = { a, b };
    for (int i = 0; i < 2; i++)
        if (in[i]->type == SGS_S64 && in[1 - i]->type == SGS_S32)
            SGS_TRY(sgs_src_narrow(im, s, op == &sgs_op_min || op == &sgs_op_max, &in[i], d));
    return sgs_emit(im, s, op, 2, in, NULL, y, d);
}

/* Before opset 7 the second operand's dims are those of the first from `axis` on. */
static sgs_status from_axis(sgs_import *im, const sgs_source_node *s, const sgs_value *a, sgs_value **b, sgs_diag *d)
{
    int64_t axis = a->rank - (*b)->rank;
    sgs_shape_attr shape = { .n = a->rank };
    SGS_TRY(sgs_src_int(s, "axis", &axis, d));
    axis += axis < 0 ? a->rank : 0;
    if (axis < 0 || axis + (*b)->rank > a->rank)
        return sgs_src_fail(im, s, d, "an operand of %d dimensions does not fit one of %d from axis %lld on",
                            (*b)->rank, a->rank, (long long)axis);
    for (int i = 0; i < a->rank; i++)
        shape.dim[i] = i >= axis && i < axis + (*b)->rank ? (*b)->dim[i - axis] : 1;
    return sgs_emit(im, s, &sgs_op_reshape, 1, b, &shape, b, d);
}

sgs_status sgs_from_onnx_arith(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    sgs_value *a, *b, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &a, d));
    SGS_TRY(sgs_src_in(im, s, 1, &b, d));
    if (s->opset < 7 && sgs_src_find(s, "axis"))
        SGS_TRY(from_axis(im, s, a, &b, d));
    SGS_TRY(sgs_emit_pair(im, s, op, a, b, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_two(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const struct arith *a = table;
    while (strcmp(a->onnx, s->op))
        a++;
    return sgs_from_onnx_arith(im, s, a->op, d);
}

/* Sum, Mean, Max, Min of one or more: pair by pair, from the left. */
static sgs_status emit_chain(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_value **y, sgs_diag *d)
{
    SGS_TRY(sgs_src_in(im, s, 0, y, d));
    if (s->nin == 1)
        return sgs_emit_same(im, s, *y, y, d);
    for (int i = 1; i < s->nin; i++) {
        sgs_value *next;
        SGS_TRY(sgs_src_in(im, s, i, &next, d));
        SGS_TRY(sgs_emit_pair(im, s, op, *y, next, y, d));
    }
    return SGS_OK;
}

static sgs_status from_onnx_chain(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *y;
    SGS_TRY(emit_chain(im, s,
                       !strcmp(s->op, "Max")   ? &sgs_op_max
                       : !strcmp(s->op, "Min") ? &sgs_op_min
                                               : &sgs_op_add,
                       &y, d));
    if (!strcmp(s->op, "Mean") && s->nin > 1) {
        const float share = 1.0f / (float)s->nin;
        SGS_TRY(sgs_emit_pair(im, s, &sgs_op_mul, y, sgs_const_new(im->g, SGS_F32, 0, NULL, &share, true), &y, d));
    }
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim
 * --------------------------------------------------------------------------------------------------------------- */

static bool is_number(const sgs_value *v)
{
    return v->constant && v->type == SGS_F32 && sgs_value_count(v) == 1;
}

/* TFLite's minimum compares integers as they are; with one constant number it is read back as a clip, a power as one of
 * one variable. */
static sgs_status arith_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    bool extreme = n->op == &sgs_op_min || n->op == &sgs_op_max;
    if ((extreme && n->out[0]->type == SGS_S16) || ((extreme || n->op == &sgs_op_power) && is_number(n->in[1])))
        return sgs_tfl_custom(w, n);
    return sgs_tfl_simple(w, n, row_of(n->op)->tflite, NULL);
}

static sgs_status emit_two(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    sgs_value *a, *b, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &a, d));
    SGS_TRY(sgs_src_in(im, s, 1, &b, d));
    SGS_TRY(sgs_emit_pair(im, s, op, a, b, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

sgs_status sgs_from_tflite_arith(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const struct arith *a = table;
    SGS_TRY(sgs_tfl_no_act(im, s, d));
    while (strcmp(a->tflite, s->op))
        a++;
    return emit_two(im, s, a->op, d);
}

/* ---- lowering: ARITHMETIC.md 7
 * ------------------------------------------------------------------------------------------ */

static void set_multipliers(ipu_arith *r, const sgs_node *n)
{
    double a = sgs_scale(n->in[0], 0), b = sgs_scale(n->in[1], 0), y = sgs_scale(n->out[0], 0);
    if (r->head.kind == IPU_MUL_S16) {
        r->ma = sgs_mult(a * b, y);
    } else if (r->head.kind == IPU_DIV_S16) {
        r->ma = sgs_mult(a / b, y);
    } else {
        r->ma = sgs_mult(a, y);
        r->mb = n->op == &sgs_op_sub ? -sgs_mult(b, y) : sgs_mult(b, y);
    }
}

static sgs_status arith_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *a = n->in[0], *b = n->in[1], *y = n->out[0];
    if (sgs_is_integer(a) && sgs_is_integer(b) && a->type == b->type)
        return sgs_integer_lower(l, n, a, b, row_of(n->op)->mode, d);
    if (n->op == &sgs_op_power || a->type != SGS_S16 || b->type != SGS_S16 || y->type != SGS_S16 || !sgs_one_scale(a) || !sgs_one_scale(b) ||
        !sgs_one_scale(y))
        return sgs_lower_fail(l, n, d, "expected int16 operands with one scale each");
    ipu_arith r = { .head = SGS_REC(row_of(n->op)->kind, arith), .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    set_multipliers(&r, n);
    return sgs_nest_emit(l, n, &r.head, (const sgs_value *const[]){ y, a, b }, 3, d);
}

/* ---- from TensorFlow ---- */

/* Its names of two operands' operators, each pair of which is broadcast. */
static sgs_status from_tf_two(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const struct {
        const char *name;
        const sgs_op *op;
    } of[] = { { "AddV2", &sgs_op_add },     { "BiasAddV1", &sgs_op_add }, { "RealDiv", &sgs_op_div },
               { "TruncateDiv", &sgs_op_div }, { "Maximum", &sgs_op_max },   { "Minimum", &sgs_op_min } };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        if (!strcmp(of[i].name, s->op))
            return sgs_from_onnx_arith(im, s, of[i].op, d);
    return from_onnx_two(im, s, d);
}

static sgs_status from_tf_addn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *y;
    SGS_TRY(emit_chain(im, s, &sgs_op_add, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_tf_biasadd(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *b = sgs_sp_in(p, 1);
    const bool first = sgs_tf_first(p);
    if (p->status == SGS_OK && (b->rank != 1 || x->rank < 2 || b->dim[0] != x->dim[first ? 1 : x->rank - 1]))
        sgs_sp_fail(p, "expected a bias with one number a channel");
    for (int i = 2; p->status == SGS_OK && first && i < x->rank; i++)
        b = sgs_sp_unsqueeze(p, b, i - 1);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_add, x, b));
    return p->status;
}

/* Integers: (a - a mod b) / b, of which nothing is left to round. */
static sgs_status from_tf_floordiv(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *a = sgs_sp_in(p, 0), *b = sgs_sp_in(p, 1);
    if (p->status != SGS_OK)
        return p->status;
    if (a->type == SGS_F32)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_floor, sgs_sp_two(p, &sgs_op_div, a, b), NULL));
    else
        sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_div, sgs_sp_two(p, &sgs_op_sub, a, sgs_sp_two(p, &sgs_op_mod, a, b)), b));
    return p->status;
}

static sgs_status from_tf_square(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (x && strcmp(s->op, "Square")) { /* SquaredDifference */
        sgs_value *b = sgs_sp_in(p, 1);
        x = b ? sgs_sp_two(p, &sgs_op_sub, x, b) : x;
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_mul, x, x));
    return p->status;
}

/* ---- rows
 * --------------------------------------------------------------------------------------------------------------- */

#define ROW(op)                                                                                                        \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "arith",                                                                                             \
        .nin_min = 2,                                                                                                  \
        .nin_max = 2,                                                                                                  \
        .nout = 1, /* a, b -> y */                                                                                     \
        .infer = arith_infer,                                                                                          \
        .eval = arith_eval,                                                                                            \
        .to_tflite = arith_to_tflite,                                                                                  \
        .permute = sgs_permute_elementwise,                                                                            \
        .qrule = SGS_Q_S16,                                                                                            \
        .unfixed = sgs_number_unfixed,                                                                                      \
        .lower = arith_lower,                                                                                          \
    }
ROW(add);
ROW(sub);
ROW(mul);
ROW(div);
ROW(min);
ROW(max);
/* Of two variables. */
const sgs_op sgs_op_power = { .name = "power",
                              .family = "arith",
                              .nin_min = 2,
                              .nin_max = 2,
                              .nout = 1,
                              .infer = arith_infer,
                              .eval = arith_eval,
                              .to_tflite = arith_to_tflite,
                              .permute = sgs_permute_elementwise,
                              .qrule = SGS_Q_S16,
                              .unfixed = sgs_number_unfixed,
                              .lower = arith_lower,
                              .kernel = "integer" };

static const sgs_op *const ops[] = {
    &sgs_op_add, &sgs_op_sub, &sgs_op_mul, &sgs_op_div, &sgs_op_min, &sgs_op_max, &sgs_op_power, NULL
};
static const sgs_from onnx[] = {
    { "Add", from_onnx_two, 1 },   { "Sub", from_onnx_two, 1 },    { "Mul", from_onnx_two, 1 },
    { "Div", from_onnx_two, 1 },   { "Sum", from_onnx_chain, 1 },  { "Max", from_onnx_chain, 1 },
    { "Min", from_onnx_chain, 1 }, { "Mean", from_onnx_chain, 1 }, { NULL, NULL, 0 },
};
static const sgs_from tflite[] = {
    { "ADD", sgs_from_tflite_arith, 0 },
    { "SUB", sgs_from_tflite_arith, 0 },
    { "MUL", sgs_from_tflite_arith, 0 },
    { "DIV", sgs_from_tflite_arith, 0 },
    { NULL, NULL, 0 }, /* MINIMUM and MAXIMUM: clamp.c */
};
static const sgs_from tensorflow[] = {
    { "Add", from_tf_two, 0 },
    { "AddV2", from_tf_two, 0 },
    { "Sub", from_tf_two, 0 },
    { "Mul", from_tf_two, 0 },
    { "Div", from_tf_two, 0 },
    { "RealDiv", from_tf_two, 0 },
    { "TruncateDiv", from_tf_two, 0 },
    { "Maximum", from_tf_two, 0 },
    { "Minimum", from_tf_two, 0 },
    { "AddN", from_tf_addn, 0 },
    { "BiasAdd", from_tf_biasadd, 0 },
    { "BiasAddV1", from_tf_two, 0 },
    { "FloorDiv", from_tf_floordiv, 0 },
    { "Square", from_tf_square, 0 },
    { "SquaredDifference", from_tf_square, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_arith = { "arith", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
