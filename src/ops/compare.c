/* equal, less, greater, lessequal, greaterequal; and, or, xor, not; where: truth values, elementwise with numpy
 * broadcasting. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/arith.h"
#include "ops/integer.h"
#include "ops/nest.h"
#include "ops/tensorflow.h"

static const struct compare {
    const sgs_op *op;
    const char *onnx;
} table[] = {
    { &sgs_op_equal, "Equal" },
    { &sgs_op_less, "Less" },
    { &sgs_op_greater, "Greater" },
    { &sgs_op_lessequal, "LessOrEqual" },
    { &sgs_op_greaterequal, "GreaterOrEqual" },
    { &sgs_op_and, "And" },
    { &sgs_op_or, "Or" },
    { &sgs_op_xor, "Xor" },
};

/* ---- shapes ---- */

static bool is_logic(const sgs_op *op)
{
    return op == &sgs_op_and || op == &sgs_op_or || op == &sgs_op_xor;
}

static bool known_type(sgs_type t)
{
    return t == SGS_F32 || t == SGS_S16 || t == SGS_F64 || t == SGS_S64 || t == SGS_S32 || t == SGS_S8 || t == SGS_U8 || t == SGS_BOOL;
}

static sgs_status compare_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_type t = n->in[0]->type;
    if (is_logic(n->op) ? t != SGS_BOOL : !known_type(t))
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(t));
    SGS_TRY(sgs_need_type(n->in[1], t, "second input", d));
    SGS_TRY(sgs_broadcast(n->in[0], n->in[1], out, d));
    out->type = SGS_BOOL;
    return SGS_OK;
}

static sgs_status not_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    sgs_shape_like(out, n->in[0]);
    return sgs_need_type(n->in[0], SGS_BOOL, "input", d);
}

/* Condition, then, else. */
static sgs_status where_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    sgs_value both = { 0 };
    SGS_TRY(sgs_need_type(n->in[0], SGS_BOOL, "condition", d));
    SGS_TRY(sgs_need_type(n->in[2], n->in[1]->type, "third input", d));
    SGS_TRY(sgs_broadcast(n->in[1], n->in[2], out, d));
    both.rank = out->rank;
    memcpy(both.dim, out->dim, sizeof both.dim);
    SGS_TRY(sgs_broadcast(&both, n->in[0], out, d));
    out->type = n->in[1]->type;
    return SGS_OK;
}

/* ---- evaluation ---- */

/* Numbers of any type as doubles and, where those are not exact, as integers. */
typedef struct number {
    double real;
    int64_t whole;
} number;

static number number_at(const sgs_tensor *t, int64_t i)
{
    switch (t->type) {
    case SGS_F32:
        return (number){ .real = (double)((const float *)t->data)[i] };
    case SGS_F64:
        return (number){ .real = ((const double *)t->data)[i] };
    case SGS_S64:
        return (number){ .whole = ((const int64_t *)t->data)[i] };
    case SGS_S32:
        return (number){ .whole = ((const int32_t *)t->data)[i] };
    case SGS_S8:
        return (number){ .whole = ((const int8_t *)t->data)[i] };
    default:
        return (number){ .whole = ((const uint8_t *)t->data)[i] };
    }
}

static bool holds(const sgs_op *op, number a, number b)
{
    const bool equal = a.real == b.real && a.whole == b.whole,
               less = a.real < b.real || a.whole<b.whole, greater = a.real> b.real || a.whole > b.whole;
    if (op == &sgs_op_equal)
        return equal;
    if (op == &sgs_op_less || op == &sgs_op_lessequal)
        return less || (op == &sgs_op_lessequal && equal);
    if (op == &sgs_op_greater || op == &sgs_op_greaterequal)
        return greater || (op == &sgs_op_greaterequal && equal);
    return op == &sgs_op_and ? a.whole && b.whole : op == &sgs_op_or ? a.whole || b.whole : !a.whole != !b.whole;
}

/* Where element `index` of the result lies in an operand. */
static int64_t element(const int64_t *stride, const int64_t *index, int rank)
{
    int64_t at = 0;
    for (int k = 0; k < rank; k++)
        at += stride[k] * index[k];
    return at;
}

static sgs_status compare_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st,
                               sgs_diag *d)
{
    (void)st, (void)d;
    int64_t sa[SGS_MAX_RANK], sb[SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 }, count = sgs_tensor_count(out);
    sgs_broadcast_strides(&in[0], out, sa);
    sgs_broadcast_strides(&in[1], out, sb);
    for (int64_t i = 0; i < count; i++) {
        const number a = number_at(&in[0], element(sa, index, out->rank)),
                     b = number_at(&in[1], element(sb, index, out->rank));
        ((uint8_t *)out->data)[i] = holds(n->op, a, b);
        sgs_next_index(index, out->rank, out->dim);
    }
    return SGS_OK;
}

static sgs_status not_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st, (void)d;
    const int64_t count = sgs_tensor_count(out);
    for (int64_t i = 0; i < count; i++)
        ((uint8_t *)out->data)[i] = !((const uint8_t *)in->data)[i];
    return SGS_OK;
}

static sgs_status where_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st, (void)d;
    int64_t stride[3][SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 }, count = sgs_tensor_count(out);
    const size_t each = (size_t)sgs_type_bytes(out->type);
    for (int i = 0; i < 3; i++)
        sgs_broadcast_strides(&in[i], out, stride[i]);
    for (int64_t i = 0; i < count; i++) {
        const int k = ((const uint8_t *)in[0].data)[element(stride[0], index, out->rank)] ? 1 : 2;
        memcpy((char *)out->data + (size_t)i * each,
               (const char *)in[k].data + (size_t)element(stride[k], index, out->rank) * each, each);
        sgs_next_index(index, out->rank, out->dim);
    }
    return SGS_OK;
}

/* ---- from ONNX ---- */

static sgs_status from_onnx_compare(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const struct compare *c = table;
    while (strcmp(c->onnx, s->op))
        c++;
    return sgs_from_onnx_arith(im, s, c->op, d);
}

static sgs_status from_onnx_not(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (x)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_not, x, NULL));
    return p->status;
}

static sgs_status from_onnx_where(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *c = sgs_sp_in(p, 0), *a = sgs_sp_in(p, 1), *b = sgs_sp_in(p, 2);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_choose(p, c, a, b));
    return p->status;
}

/* NaN is not equal to itself. */
static sgs_status from_onnx_isnan(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (x)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_not, sgs_sp_two(p, &sgs_op_equal, x, x), NULL));
    return p->status;
}

static sgs_status from_onnx_isinf(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (!x)
        return p->status;
    const bool above = sgs_sp_int(p, "detect_positive", 1) != 0, below = sgs_sp_int(p, "detect_negative", 1) != 0;
    if (above && below)
        x = sgs_sp_one(p, &sgs_op_abs, x, NULL);
    sgs_value *far = sgs_sp_number(p, above ? INFINITY : -INFINITY), *y = sgs_sp_two(p, &sgs_op_equal, x, far);
    sgs_sp_out(p, 0, above || below ? y : sgs_sp_two(p, &sgs_op_less, far, far));
    return p->status;
}

/* ---- fixed point ---- */

static const char *compare_unfixed(const sgs_node *n)
{
    const sgs_type t = n->in[0]->type;
    return t == SGS_F32 || t == SGS_BOOL || sgs_has_integer_form(t) ? NULL : "works on float64, which has no fixed-point form";
}

static const char *where_unfixed(const sgs_node *n)
{
    const sgs_type t = n->in[1]->type;
    return t == SGS_F32 || t == SGS_BOOL || sgs_has_integer_form(t) ? NULL : "works on float64, which has no fixed-point form";
}

static const char *logic_unfixed(const sgs_node *n)
{
    (void)n;
    return NULL;
}

/* ---- lowering: ARITHMETIC.md 17, of integers 19 ---- */

static bool is_whole(const sgs_value *v)
{
    return sgs_is_integer(v) || v->type == SGS_BOOL;
}

static bool is_s16(const sgs_value *v)
{
    return v->type == SGS_S16 && v->quant && sgs_one_scale(v);
}

/* Greater is less with the operands exchanged. */
static sgs_status compare_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const bool exchanged = n->op == &sgs_op_greater || n->op == &sgs_op_greaterequal;
    const sgs_value *a = n->in[exchanged], *b = n->in[!exchanged];
    if (is_whole(a) && is_whole(b) && a->type == b->type)
        return sgs_integer_lower(l, n, a, b,
                                 n->op == &sgs_op_equal ? IPU_INTEGER_EQUAL
                                 : n->op == &sgs_op_less || n->op == &sgs_op_greater ? IPU_INTEGER_LESS : IPU_INTEGER_LESS_EQUAL, d);
    if (!is_s16(a) || !is_s16(b))
        return sgs_lower_fail(l, n, d, "expected int16 operands with one scale each");
    ipu_compare r = { .head = SGS_REC(IPU_COMPARE_S16, compare), .ma = sgs_mult(sgs_scale(a, 0), 1), .mb = sgs_mult(sgs_scale(b, 0), 1) };
    r.mode = n->op == &sgs_op_equal ? IPU_COMPARE_EQUAL
             : n->op == &sgs_op_less || n->op == &sgs_op_greater ? IPU_COMPARE_LESS : IPU_COMPARE_LESS_EQUAL;
    return sgs_nest_emit(l, n, &r.head, (const sgs_value *const[]){ n->out[0], a, b }, 3, d);
}

static sgs_status logic_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    ipu_compare r = { .head = SGS_REC(IPU_LOGIC, compare) };
    r.mode = n->op == &sgs_op_and ? IPU_LOGIC_AND : n->op == &sgs_op_or ? IPU_LOGIC_OR : IPU_LOGIC_XOR;
    return sgs_nest_emit(l, n, &r.head, (const sgs_value *const[]){ n->out[0], n->in[0], n->in[1] }, 3, d);
}

static sgs_status not_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    static const uint8_t yes = 1;
    const sgs_value one = { .id = -1, .type = SGS_BOOL, .rank = 0, .constant = &(sgs_constant){ .data = &yes } };
    ipu_compare r = { .head = SGS_REC(IPU_LOGIC, compare), .mode = IPU_LOGIC_XOR };
    return sgs_nest_emit(l, n, &r.head, (const sgs_value *const[]){ n->out[0], n->in[0], &one }, 3, d);
}

static sgs_status choose_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    ipu_where r = { .head = SGS_REC(IPU_CHOOSE, where) };
    return sgs_nest_emit(l, n, &r.head, (const sgs_value *const[]){ n->out[0], n->in[0], n->in[1], n->in[2] }, 4, d);
}

static sgs_status where_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *a = n->in[1], *b = n->in[2], *y = n->out[0];
    if (is_whole(a) && is_whole(b))
        return choose_lower(l, n, d);
    if (!is_s16(a) || !is_s16(b) || !is_s16(y))
        return sgs_lower_fail(l, n, d, "expected int16 operands with one scale each");
    ipu_where r = { .head = SGS_REC(IPU_WHERE_S16, where),
                    .ma = sgs_mult(sgs_scale(a, 0), sgs_scale(y, 0)),
                    .mb = sgs_mult(sgs_scale(b, 0), sgs_scale(y, 0)),
                    .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    return sgs_nest_emit(l, n, &r.head, (const sgs_value *const[]){ y, n->in[0], a, b }, 4, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_compare(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const struct {
        const char *name;
        const sgs_op *op;
    } of[] = { { "Equal", &sgs_op_equal },          { "Less", &sgs_op_less },
               { "Greater", &sgs_op_greater },      { "LessEqual", &sgs_op_lessequal },
               { "GreaterEqual", &sgs_op_greaterequal }, { "LogicalAnd", &sgs_op_and },
               { "LogicalOr", &sgs_op_or } };
    size_t i = 0;
    while (strcmp(of[i].name, s->op))
        i++;
    return sgs_from_onnx_arith(im, s, of[i].op, d);
}

static sgs_status from_tf_notequal(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) };
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_not, sgs_sp_call(p, "Equal", 2, in), NULL));
    return p->status;
}

/* The older Select takes one truth value for each first index. */
static sgs_status from_tf_select(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *c = sgs_sp_in(p, 0), *a = sgs_sp_in(p, 1), *b = sgs_sp_in(p, 2);
    if (p->status == SGS_OK && !strcmp(s->op, "Select") && c->rank == 1)
        for (int i = 1; i < a->rank; i++)
            c = sgs_sp_unsqueeze(p, c, i);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_choose(p, c, a, b));
    return p->status;
}

/* ---- rows ---- */

#define ROW(op, inputs, rule, evaluation, fixed, lowered)                                                                              \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "compare",                                                                                           \
        .nin_min = inputs,                                                                                             \
        .nin_max = inputs,                                                                                             \
        .nout = 1,                                                                                                     \
        .infer = rule,                                                                                                 \
        .eval = evaluation,                                                                                            \
        .permute = sgs_permute_elementwise,                                                                            \
        .qrule = SGS_Q_S16,                                                                                            \
        .unfixed = fixed##_unfixed,                                                                                    \
        .alike = (inputs) == 2,                                                                                        \
        .lower = lowered,                                                                                          \
    }
ROW(equal, 2, compare_infer, compare_eval, compare, compare_lower);
ROW(less, 2, compare_infer, compare_eval, compare, compare_lower);
ROW(greater, 2, compare_infer, compare_eval, compare, compare_lower);
ROW(lessequal, 2, compare_infer, compare_eval, compare, compare_lower);
ROW(greaterequal, 2, compare_infer, compare_eval, compare, compare_lower);
ROW(and, 2, compare_infer, compare_eval, logic, logic_lower);
ROW(or, 2, compare_infer, compare_eval, logic, logic_lower);
ROW(xor, 2, compare_infer, compare_eval, logic, logic_lower);
ROW(not, 1, not_infer, not_eval, logic, not_lower);

const sgs_op sgs_op_where = { .name = "where",
                              .family = "compare",
                              .nin_min = 3,
                              .nin_max = 3,
                              .nout = 1,
                              .infer = where_infer,
                              .eval = where_eval,
                              .permute = sgs_permute_elementwise,
                              .qrule = SGS_Q_S16,
                              .unfixed = where_unfixed,
                              .lower = where_lower,
                              .kernel = "where" };

static const sgs_op *const ops[] = {
    &sgs_op_equal, &sgs_op_less, &sgs_op_greater, &sgs_op_lessequal, &sgs_op_greaterequal,
    &sgs_op_and,   &sgs_op_or,   &sgs_op_xor,     &sgs_op_not,       &sgs_op_where,
    NULL
};
static const sgs_from onnx[] = {
    { "Equal", from_onnx_compare, 1 },
    { "Less", from_onnx_compare, 1 },
    { "Greater", from_onnx_compare, 1 },
    { "LessOrEqual", from_onnx_compare, 12 },
    { "GreaterOrEqual", from_onnx_compare, 12 },
    { "And", from_onnx_compare, 1 },
    { "Or", from_onnx_compare, 1 },
    { "Xor", from_onnx_compare, 1 },
    { "Not", from_onnx_not, 1 },
    { "Where", from_onnx_where, 9 },
    { "IsNaN", from_onnx_isnan, 9 },
    { "IsInf", from_onnx_isinf, 10 },
    { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "Equal", from_tf_compare, 0 },
    { "Less", from_tf_compare, 0 },
    { "Greater", from_tf_compare, 0 },
    { "LessEqual", from_tf_compare, 0 },
    { "GreaterEqual", from_tf_compare, 0 },
    { "LogicalAnd", from_tf_compare, 0 },
    { "LogicalOr", from_tf_compare, 0 },
    { "NotEqual", from_tf_notequal, 0 },
    { "LogicalNot", from_onnx_not, 0 },
    { "Select", from_tf_select, 0 },
    { "SelectV2", from_tf_select, 0 },
    { "IsNan", from_onnx_isnan, 0 },
    { "IsInf", from_onnx_isinf, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_compare = { "compare", ops, .onnx = onnx, .tensorflow = tensorflow };
