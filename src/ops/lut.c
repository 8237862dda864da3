/* Functions of one variable.  Each is written once, in binary64: the float model rounds its values, the fixed-point
 * model gets a table of them. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/arith.h"
#include "ops/spell.h"
#include "ops/tflite.h"
#include "quant/quantize.h"

#define SQRT_HALF 0.70710678118654752440
#define SQRT_2_PI 0.79788456080286535588 /* sqrt(2/pi) */

static const sgs_attr lut_attrs[] = { SGS_ATTR_F(sgs_lut_attr, alpha), SGS_ATTR_F(sgs_lut_attr, beta), SGS_ATTR_I(sgs_lut_attr, first),
                                     SGS_ATTR_END };

/* ---- the functions -------------------------------------------------------------------------------------------------
 */

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* clang-format off */
/* F(name, what it gives of x with a, b) */
#define FORMULAS(F)                                                                 \
    F(sigmoid, 1 / (1 + exp(-x)))                                                   \
    F(tanh, tanh(x))                                                                \
    F(elu, x > 0 ? x : a * expm1(x))                                                \
    F(selu, b * (x > 0 ? x : a * expm1(x)))                                          \
    F(celu, x > 0 ? x : a * expm1(x / a))                                           \
    F(softplus, softplus(x))                                                        \
    F(softsign, x / (1 + fabs(x)))                                                  \
    F(hardsigmoid, clamp(a * x + b, 0, 1))                                           \
    F(hardswish, x * clamp(x / 6 + 0.5, 0, 1))                                       \
    F(silu, x / (1 + exp(-a * x)))                                                  \
    F(mish, x * tanh(softplus(x)))                                                   \
    F(gelu, 0.5 * x * (1 + erf(x * SQRT_HALF)))                                     \
    F(gelu_tanh, 0.5 * x * (1 + tanh(SQRT_2_PI * (x + 0.044715 * x * x * x))))      \
    F(erf, erf(x))                                                                  \
    F(exp, exp(x))                                                                  \
    F(log, log(x))                                                                  \
    F(sqrt, sqrt(x))                                                                \
    F(rsqrt, 1 / sqrt(x))                                                           \
    F(reciprocal, 1 / x)                                                            \
    F(sin, sin(x))                                                                  \
    F(cos, cos(x))                                                                  \
    F(tan, tan(x))                                                                  \
    F(asin, asin(x))                                                                \
    F(acos, acos(x))                                                                \
    F(atan, atan(x))                                                                \
    F(sinh, sinh(x))                                                                \
    F(cosh, cosh(x))                                                                \
    F(asinh, asinh(x))                                                              \
    F(acosh, acosh(x))                                                              \
    F(atanh, atanh(x))                                                              \
    F(pow, pow(x, a))
/* clang-format on */

#define F(name, expression)                                                                                            \
    static double name##_of(double x, double a, double b)                                                              \
    {                                                                                                                  \
        (void)a, (void)b;                                                                                              \
        return expression;                                                                                             \
    }
FORMULAS(F)
#undef F

typedef enum extent { OBSERVED, UP_TO_1, WITHIN_1 } extent; /* of the output in fixed point */

typedef struct function {
    const sgs_op *op;
    double (*of)(double x, double a, double b);
    extent extent;
    const char *onnx, *tflite;
    struct {
        const char *name; /* as ONNX calls it; NULL: none */
        float value;      /* without it */
    } attr[2];
} function;

static const function table[] = {
#define ROW(name, ...)                                                                                                 \
    {                                                                                                                  \
        &sgs_op_##name, name##_of, __VA_ARGS__                                                                         \
    }
    ROW(sigmoid, UP_TO_1, "Sigmoid", "LOGISTIC", { { 0 } }),
    ROW(tanh, WITHIN_1, "Tanh", "TANH", { { 0 } }),
    ROW(elu, OBSERVED, "Elu", "ELU", { { "alpha", 1 } }),
    ROW(selu, OBSERVED, "Selu", NULL,
        { { "alpha", 1.67326319217681884765625f }, { "gamma", 1.05070102214813232421875f } }),
    ROW(celu, OBSERVED, "Celu", NULL, { { "alpha", 1 } }),
    ROW(softplus, OBSERVED, "Softplus", NULL, { { 0 } }),
    ROW(softsign, WITHIN_1, "Softsign", NULL, { { 0 } }),
    ROW(hardsigmoid, UP_TO_1, "HardSigmoid", NULL, { { "alpha", 0.2f }, { "beta", 0.5f } }),
    ROW(hardswish, OBSERVED, "HardSwish", "HARD_SWISH", { { 0 } }),
    ROW(silu, OBSERVED, "Swish", NULL, { { "alpha", 1 } }),
    ROW(mish, OBSERVED, "Mish", NULL, { { 0 } }),
    ROW(gelu, OBSERVED, NULL, "GELU", { { 0 } }),
    ROW(gelu_tanh, OBSERVED, NULL, "GELU", { { 0 } }),
    ROW(erf, WITHIN_1, "Erf", NULL, { { 0 } }),
    ROW(exp, OBSERVED, "Exp", "EXP", { { 0 } }),
    ROW(log, OBSERVED, "Log", "LOG", { { 0 } }),
    ROW(sqrt, OBSERVED, "Sqrt", "SQRT", { { 0 } }),
    ROW(rsqrt, OBSERVED, NULL, "RSQRT", { { 0 } }),
    ROW(reciprocal, OBSERVED, "Reciprocal", NULL, { { 0 } }),
    ROW(sin, WITHIN_1, "Sin", "SIN", { { 0 } }),
    ROW(cos, WITHIN_1, "Cos", "COS", { { 0 } }),
    ROW(tan, OBSERVED, "Tan", NULL, { { 0 } }),
    ROW(asin, OBSERVED, "Asin", NULL, { { 0 } }),
    ROW(acos, OBSERVED, "Acos", NULL, { { 0 } }),
    ROW(atan, OBSERVED, "Atan", NULL, { { 0 } }),
    ROW(sinh, OBSERVED, "Sinh", NULL, { { 0 } }),
    ROW(cosh, OBSERVED, "Cosh", NULL, { { 0 } }),
    ROW(asinh, OBSERVED, "Asinh", NULL, { { 0 } }),
    ROW(acosh, OBSERVED, "Acosh", NULL, { { 0 } }),
    ROW(atanh, OBSERVED, "Atanh", NULL, { { 0 } }),
    ROW(pow, OBSERVED, NULL, NULL, { { 0 } }),
#undef ROW
};

static const function *function_of(const sgs_op *op)
{
    const function *f = table;
    while (f->op != op)
        f++;
    return f;
}

/* ---- shapes --------------------------------------------------------------------------------------------------------
 */

static sgs_status lut_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_lut_attr *a = n->attr;
    if (n->op == &sgs_op_celu && a->alpha == 0)
        return sgs_fail(d, SGS_E_MODEL, "alpha must be other than 0");
    sgs_shape_like(out, n->in[0]);
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------
 */

static sgs_status lut_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const sgs_lut_attr *a = n->attr;
    const function *f = function_of(n->op);
    int64_t count = sgs_tensor_count(out);
    for (int64_t i = 0; i < count; i++)
        ((float *)out->data)[i] = (float)f->of((double)((const float *)in->data)[i], (double)a->alpha, (double)a->beta);
    return SGS_OK;
}

/* ---- from ONNX
 * ------------------------------------------------------------------------------------------------------- */

static sgs_status emit_one(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_lut_attr a, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_emit(im, s, op, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_onnx_function(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const function *f = table;
    while (!f->onnx || strcmp(f->onnx, s->op))
        f++;
    float v[2] = { 0 };
    for (int i = 0; i < 2 && f->attr[i].name; i++) {
        v[i] = f->attr[i].value;
        SGS_TRY(sgs_src_float(s, f->attr[i].name, &v[i], d));
    }
    return emit_one(im, s, f->op, (sgs_lut_attr){ .alpha = v[0], .beta = v[1] }, d);
}

static sgs_status from_onnx_gelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const char *const words[] = { "none", "tanh", NULL };
    int64_t rough = 0;
    SGS_TRY(sgs_src_choice(im, s, "approximate", words, &rough, d));
    return emit_one(im, s, rough ? &sgs_op_gelu_tanh : &sgs_op_gelu, (sgs_lut_attr){ 0 }, d);
}

/* The one number a constant holds. */
static bool number(const sgs_value *v, float *x)
{
    if (!v->constant || sgs_value_count(v) != 1 || (v->type != SGS_F32 && v->type != SGS_S64 && v->type != SGS_S32))
        return false;
    *x = v->type == SGS_F32   ? *sgs_const_f32(v)
         : v->type == SGS_S64 ? (float)*(const int64_t *)sgs_const_data(v)
                              : (float)*(const int32_t *)sgs_const_data(v);
    return true;
}

/* x to a constant power; 2 is a product, which is exact. */
static sgs_status power(sgs_import *im, const sgs_source_node *s, sgs_value *x, float e, sgs_value **y, sgs_diag *d)
{
    sgs_value *twice[2] = { x, x };
    const sgs_lut_attr a = { .alpha = e == 0.5f || e == -0.5f || e == -1.0f ? 0 : e };
    if (e == 1)
        return sgs_emit_same(im, s, x, y, d);
    if (e == 2)
        return sgs_emit(im, s, &sgs_op_mul, 2, twice, NULL, y, d);
    const sgs_op *op = e == 0.5f    ? &sgs_op_sqrt
                       : e == -0.5f ? &sgs_op_rsqrt
                       : e == -1    ? &sgs_op_reciprocal
                                    : &sgs_op_pow;
    return sgs_emit(im, s, op, 1, &x, &a, y, d);
}

/* A constant b to the power of x: exp(x log b). */
static sgs_status exponential(sgs_import *im, const sgs_source_node *s, float b, sgs_value *x, sgs_value **y,
                              sgs_diag *d)
{
    const float factor = (float)log((double)b);
    const sgs_lut_attr a = { 0 };
    sgs_value *in[2] = { x, sgs_const_new(im->g, SGS_F32, 0, NULL, &factor, true) };
    SGS_TRY(sgs_emit(im, s, &sgs_op_mul, 2, in, NULL, y, d));
    return sgs_emit(im, s, &sgs_op_exp, 1, y, &a, y, d);
}

static bool is_integer(const sgs_value *v)
{
    return v->type == SGS_S64 || v->type == SGS_S32;
}

static sgs_status cast(sgs_import *im, const sgs_source_node *s, sgs_value **v, sgs_type t, sgs_diag *d)
{
    const sgs_cast_attr a = { t };
    return (*v)->type == t ? SGS_OK : sgs_emit(im, s, &sgs_op_cast, 1, v, &a, v, d);
}

/* Of a real and whole numbers: computed in real ones, given in the type of the base. */
static sgs_status mixed_power(sgs_import *im, const sgs_source_node *s, sgs_value *x, sgs_value *e, sgs_value **y,
                              sgs_diag *d)
{
    sgs_value *in[2] = { x, e };
    for (int i = 0; i < 2; i++)
        SGS_TRY(cast(im, s, &in[i], SGS_F32, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_power, 2, in, NULL, y, d));
    return cast(im, s, y, x->type, d);
}

static sgs_status from_onnx_pow(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *e, *y;
    float v;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &e, d));
    if (x->type == SGS_F32 && number(e, &v) && e->rank <= x->rank)
        SGS_TRY(power(im, s, x, v, &y, d));
    else if (x->type == SGS_F32 && e->type == SGS_F32 && number(x, &v) && x->rank <= e->rank && v > 0)
        SGS_TRY(exponential(im, s, v, e, &y, d));
    else if ((x->type == SGS_F32 && is_integer(e)) || (is_integer(x) && e->type == SGS_F32))
        SGS_TRY(mixed_power(im, s, x, e, &y, d));
    else
        return sgs_from_onnx_arith(im, s, &sgs_op_power, d);
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim
 * --------------------------------------------------------------------------------------------------------------- */

static sgs_status pow_to_tflite(sgs_tfl_writer *w, const sgs_node *n)
{
    const sgs_lut_attr *a = n->attr;
    int in[2] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const(w, SGS_F32, 0, NULL, &a->alpha) };
    sgs_tfl_emit(w, "POW", in, 2, sgs_tfl_value(w, n->out[0]), NULL);
    return SGS_OK;
}

/* Whether the attributes are those that a builtin reader gives the op. */
static bool plain(const sgs_node *n, float alpha, float beta)
{
    const sgs_lut_attr *a = n->attr;
    return sgs_tfl_is(a->alpha, alpha) && sgs_tfl_is(a->beta, beta);
}

static sgs_status lut_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const char *op = function_of(n->op)->tflite;
    const sgs_tfl_option rough[] = { { "approximate", n->op == &sgs_op_gelu_tanh }, { NULL, 0 } };
    if (n->out[0]->type != SGS_F32 || n->nin > 1)
        return sgs_tfl_custom(w, n);
    if (n->op == &sgs_op_pow && sgs_tfl_is(((const sgs_lut_attr *)n->attr)->beta, 0))
        return pow_to_tflite(w, n);
    if (!op || !plain(n, n->op == &sgs_op_elu ? 1 : 0, 0))
        return sgs_tfl_custom(w, n);
    return sgs_tfl_simple(w, n, op, !strcmp(op, "GELU") ? rough : NULL);
}

static sgs_status from_tflite_function(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const function *f = table;
    int64_t rough = 0;
    while (!f->tflite || strcmp(f->tflite, s->op))
        f++;
    SGS_TRY(sgs_src_int(s, "approximate", &rough, d));
    return emit_one(im, s, rough ? &sgs_op_gelu_tanh : f->op, (sgs_lut_attr){ .alpha = f->op == &sgs_op_elu ? 1 : 0 }, d);
}

static sgs_status pow_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *e;
    float v;
    SGS_TRY(sgs_src_in(im, s, 1, &e, d));
    if (!number(e, &v))
        return sgs_from_tflite_arith(im, s, d);
    return emit_one(im, s, &sgs_op_pow, (sgs_lut_attr){ .alpha = v }, d);
}

static sgs_status square_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    sgs_value *in[2] = { x, x };
    SGS_TRY(sgs_emit(im, s, &sgs_op_mul, 2, in, NULL, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- fixed point: ARITHMETIC.md 12 and 25
 * ------------------------------------------------------------------------------------------ */

static bool lut_fixed_out(const sgs_node *n, sgs_qfixed *f)
{
    extent e = function_of(n->op)->extent;
    *f = (sgs_qfixed){ 0x1p-15f, e == WITHIN_1 ? -1 : 0, 1, 0, false };
    return e != OBSERVED;
}

/* Where the function has values: beyond an end it keeps the one there. */
typedef struct domain {
    double lo, hi;
} domain;

static domain domain_of(const sgs_node *n)
{
    double e = (double)((const sgs_lut_attr *)n->attr)->alpha;
    if (n->op == &sgs_op_log || n->op == &sgs_op_sqrt || n->op == &sgs_op_rsqrt ||
        (n->op == &sgs_op_pow && e != rint(e)))
        return (domain){ 0, INFINITY };
    if (n->op == &sgs_op_asin || n->op == &sgs_op_acos || n->op == &sgs_op_atanh)
        return (domain){ -1, 1 };
    return (domain){ n->op == &sgs_op_acosh ? 1 : -INFINITY, INFINITY };
}

/* Infinite at a pole. */
static double lut_value(const sgs_node *n, double x)
{
    const sgs_lut_attr *a = n->attr;
    const domain d = domain_of(n);
    const double v = function_of(n->op)->of(clamp(x, d.lo, d.hi), (double)a->alpha, (double)a->beta);
    return isnan(v) ? 0 : v;
}

/* The value at x in steps of the output, as a table holds it.  At a pole it is an end of the range: which one, x's sign
 * says. */
static int16_t entry(const sgs_node *n, double x)
{
    return (int16_t)rint(clamp(lut_value(n, x) / sgs_scale(n->out[0], 0), -32767, 32767));
}

/* What entry i of a side stands for, in steps of the input. */
static double magnitude(int i)
{
    int octave = i >> IPU_LUT_BITS, within = i & ((1 << IPU_LUT_BITS) - 1);
    return octave < 2 ? i : ((1 << IPU_LUT_BITS) + within) << (octave - 1);
}

/* The table of bytes: entry i is for the integer first + i. */
static void quant_bytes(sgs_quantizer *q, sgs_node *n)
{
    uint8_t t[IPU_INDEX];
    sgs_lut_attr *a = SGS_NEW(q->g->arena, sgs_lut_attr);
    *a = *(const sgs_lut_attr *)n->attr;
    a->first = q->first[n->in[0]->id];
    n->attr = a;
    for (int i = 0; i < IPU_INDEX; i++)
        t[i] = sgs_byte_at(n, n->out[0]->quant, (double)(a->first + i) * sgs_scale(n->in[0], 0));
    sgs_q_append(q, n, SGS_U8, IPU_INDEX, t);
}

static sgs_status lut_quant(sgs_quantizer *q, sgs_node *n, sgs_diag *d)
{
    (void)d;
    int16_t t[2 * IPU_LUT_SIDE];
    if (n->out[0]->type == SGS_U8) {
        quant_bytes(q, n);
        return SGS_OK;
    }
    for (int i = 0; i < IPU_LUT_SIDE; i++) {
        double x = magnitude(i) * sgs_scale(n->in[0], 0);
        t[i] = entry(n, x);
        t[IPU_LUT_SIDE + i] = entry(n, -x);
    }
    sgs_q_append(q, n, SGS_S16, 2 * IPU_LUT_SIDE, t);
    return SGS_OK;
}

static sgs_status lut_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0], *t = n->nin > 1 ? n->in[1] : NULL;
    const bool bytes = y->type == SGS_U8;
    const int64_t entries = bytes ? IPU_INDEX : 2 * IPU_LUT_SIDE, first = ((const sgs_lut_attr *)n->attr)->first;
    if (x->type != SGS_S16 || !sgs_is_activation(y) || !sgs_one_scale(x) || !sgs_one_scale(y))
        return sgs_lower_fail(l, n, d, "expected int16 in, and int16 or uint8 out, with one scale each");
    if (!t || !t->constant || t->type != y->type || sgs_value_count(t) != entries)
        return sgs_lower_fail(l, n, d, "expected a constant table of %d %s entries", (int)entries, sgs_type_word(y->type));
    if (first < -32767 || first > 32767 || (first && !bytes))
        return sgs_lower_fail(l, n, d, "expected first between -32767 and 32767, and only for a table of bytes, found %lld", (long long)first);
    ipu_lut r = { .head = SGS_REC(bytes ? IPU_LUT_U8 : IPU_LUT_S16, lut),
                  .y = sgs_lower_ref(l, y),
                  .x = sgs_lower_ref(l, x),
                  .table = sgs_lower_const(l, bytes ? IPU_U8 : IPU_S16, sgs_const_data(t), entries),
                  .first = (int32_t)first };
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_rsqrt(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return emit_one(im, s, &sgs_op_rsqrt, (sgs_lut_attr){ 0 }, d);
}

static sgs_status from_tf_inv(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return emit_one(im, s, &sgs_op_reciprocal, (sgs_lut_attr){ 0 }, d);
}

/* log(1 + x) and exp(x) - 1 */
static sgs_status from_tf_near_zero(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_lut_attr none = { 0 };
    sgs_value *x = sgs_sp_in(p, 0);
    if (!x)
        return p->status;
    if (!strcmp(s->op, "Log1p"))
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_log, sgs_sp_by(p, &sgs_op_add, x, 1), &none));
    else
        sgs_sp_out(p, 0, sgs_sp_by(p, &sgs_op_sub, sgs_sp_one(p, &sgs_op_exp, x, &none), 1));
    return p->status;
}

/* ---- rows
 * --------------------------------------------------------------------------------------------------------------- */

/* x[, table of the fixed-point model] -> y */
#define X(op)                                                                                                          \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "lut",                                                                                               \
        .nin_min = 1,                                                                                                  \
        .nin_max = 2,                                                                                                  \
        .nout = 1,                                                                                                     \
        .attr_bytes = sizeof(sgs_lut_attr),                                                                            \
        .attr = lut_attrs,                                                                                             \
        .infer = lut_infer,                                                                                            \
        .eval = lut_eval,                                                                                              \
        .float_only = true,                                                                                            \
        .to_tflite = lut_to_tflite,                                                                                    \
        .permute = sgs_permute_elementwise,                                                                            \
        .qrule = SGS_Q_S16,                                                                                            \
        .ndata = 1,                                                                                                    \
        .value = lut_value,                                                                                            \
        .fixed_out = lut_fixed_out,                                                                                    \
        .quant = lut_quant,                                                                                            \
        .lower = lut_lower,                                                                                            \
    };
SGS_LUT_OPS(X)
#undef X

#define X(op) &sgs_op_##op,
static const sgs_op *const ops[] = { SGS_LUT_OPS(X) NULL };
#undef X
static const sgs_from onnx[] = {
    { "Sigmoid", from_onnx_function, 1 },
    { "Tanh", from_onnx_function, 1 },
    { "Elu", from_onnx_function, 1 },
    { "Selu", from_onnx_function, 1 },
    { "Celu", from_onnx_function, 12 },
    { "Softplus", from_onnx_function, 1 },
    { "Softsign", from_onnx_function, 1 },
    { "HardSigmoid", from_onnx_function, 6 },
    { "HardSwish", from_onnx_function, 14 },
    { "Swish", from_onnx_function, 24 },
    { "Mish", from_onnx_function, 18 },
    { "Gelu", from_onnx_gelu, 20 },
    { "Erf", from_onnx_function, 9 },
    { "Exp", from_onnx_function, 1 },
    { "Log", from_onnx_function, 1 },
    { "Sqrt", from_onnx_function, 1 },
    { "Reciprocal", from_onnx_function, 1 },
    { "Sin", from_onnx_function, 7 },
    { "Tan", from_onnx_function, 7 },
    { "Asin", from_onnx_function, 7 },
    { "Acos", from_onnx_function, 7 },
    { "Atan", from_onnx_function, 7 },
    { "Sinh", from_onnx_function, 9 },
    { "Cosh", from_onnx_function, 9 },
    { "Asinh", from_onnx_function, 9 },
    { "Acosh", from_onnx_function, 9 },
    { "Atanh", from_onnx_function, 9 },
    { "Cos", from_onnx_function, 7 },
    { "Pow", from_onnx_pow, 1 },
    { NULL, NULL, 0 },
};
static const sgs_from tflite[] = {
    { "LOGISTIC", from_tflite_function, 0 }, { "TANH", from_tflite_function, 0 },
    { "ELU", from_tflite_function, 0 },      { "HARD_SWISH", from_tflite_function, 0 },
    { "GELU", from_tflite_function, 0 },     { "EXP", from_tflite_function, 0 },
    { "LOG", from_tflite_function, 0 },      { "SQRT", from_tflite_function, 0 },
    { "RSQRT", from_tflite_function, 0 },    { "SIN", from_tflite_function, 0 },
    { "COS", from_tflite_function, 0 },      { "POW", pow_from_tflite, 0 },
    { "SQUARE", square_from_tflite, 0 },     { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "Sigmoid", from_onnx_function, 0 },
    { "Tanh", from_onnx_function, 0 },
    { "Elu", from_onnx_function, 0 },
    { "Selu", from_onnx_function, 0 },
    { "Softplus", from_onnx_function, 0 },
    { "Softsign", from_onnx_function, 0 },
    { "Erf", from_onnx_function, 0 },
    { "Exp", from_onnx_function, 0 },
    { "Log", from_onnx_function, 0 },
    { "Sqrt", from_onnx_function, 0 },
    { "Reciprocal", from_onnx_function, 0 },
    { "Sin", from_onnx_function, 0 },
    { "Cos", from_onnx_function, 0 },
    { "Tan", from_onnx_function, 0 },
    { "Asin", from_onnx_function, 0 },
    { "Acos", from_onnx_function, 0 },
    { "Atan", from_onnx_function, 0 },
    { "Sinh", from_onnx_function, 0 },
    { "Cosh", from_onnx_function, 0 },
    { "Asinh", from_onnx_function, 0 },
    { "Acosh", from_onnx_function, 0 },
    { "Atanh", from_onnx_function, 0 },
    { "Rsqrt", from_tf_rsqrt, 0 },
    { "Inv", from_tf_inv, 0 },
    { "Pow", from_onnx_pow, 0 },
    { "Log1p", from_tf_near_zero, 0 },
    { "Expm1", from_tf_near_zero, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_lut = { "lut", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
