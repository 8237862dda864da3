/* fuse-func: spelled-out functions of one variable become the operator that they are.
 *
 *   x sigmoid(a x)                                          ->  silu
 *   x hardsigmoid(x), x clip(x + 3, 0, 6) / 6               ->  hardswish
 *   x tanh(softplus(x))                                     ->  mish
 *   x (1 + erf(x / sqrt 2)) / 2                             ->  gelu
 *   x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2         ->  gelu_tanh
 *   log(1 + exp(x)), x / (1 + |x|), 1 / (1 + exp(-x))       ->  softplus, softsign, sigmoid
 *   clip(x + 3, 0, 6) / 6                                   ->  hardsigmoid
 *   1 / x, 1 / sqrt(x)                                      ->  reciprocal, rsqrt
 *
 * What lies between x and the result must be used there alone.  fold-arith put constants last. */
#include <math.h>

#include "pass/rewrite.h"

#define MOST 12

typedef struct match {
    sgs_rewriter *r;
    sgs_value *inner[MOST]; /* what disappears */
    int n;
} match;

/* ---- pieces ------------------------------------------------------------------------------------------ */

static bool near(float v, double expected)
{
    return fabs((double)v - expected) <= 1e-5 * fabs(expected);
}

static bool number(const sgs_value *v, float *x)
{
    if (!sgs_is_const_f32(v) || sgs_value_count(v) != 1)
        return false;
    *x = *sgs_const_f32(v);
    return true;
}

/* v's producer when it is this op and v is used once; v becomes a part of the match. */
static sgs_node *part(match *m, sgs_value *v, const sgs_op *op)
{
    if (!v->def || v->def->op != op || v->quant || m->n == MOST || !sgs_used_once(m->r, v))
        return NULL;
    m->inner[m->n++] = v;
    return v->def;
}

/* The argument when v is that function of one variable. */
static sgs_value *argument(match *m, sgs_value *v, const sgs_op *op)
{
    sgs_node *n = part(m, v, op);
    return n ? n->in[0] : NULL;
}

/* v = what is returned (op) the number c. */
static sgs_value *with_number(match *m, sgs_value *v, const sgs_op *op, float *c)
{
    sgs_node *n = part(m, v, op);
    return n && number(n->in[1], c) ? n->in[0] : NULL;
}

static sgs_value *plus(match *m, sgs_value *v, double expected)
{
    float c;
    sgs_value *x = with_number(m, v, &sgs_op_add, &c);
    return x && near(c, expected) ? x : NULL;
}

static sgs_value *times(match *m, sgs_value *v, double expected)
{
    float c;
    sgs_value *x = with_number(m, v, &sgs_op_mul, &c);
    return x && near(c, expected) ? x : NULL;
}

/* A product of up to four values and a number, through products that are used once. */
typedef struct product {
    sgs_value *factor[4];
    int n;
    double number;
} product;

static bool gather(match *m, sgs_node *n, product *p)
{
    for (int i = 0; i < 2; i++) {
        sgs_value *v = n->in[i];
        float c;
        if (number(v, &c)) {
            p->number *= (double)c;
            continue;
        }
        sgs_node *deeper = part(m, v, &sgs_op_mul);
        if (deeper && !gather(m, deeper, p))
            return false;
        if (!deeper && p->n == 4)
            return false;
        if (!deeper)
            p->factor[p->n++] = v;
    }
    return true;
}

static product product_of(match *m, sgs_node *n)
{
    product p = { .number = 1 };
    if (!n || n->op != &sgs_op_mul || !gather(m, n, &p))
        p.n = 0;
    return p;
}

/* ---- the end of a match ---------------------------------------------------------------------------------- */

static bool replace(match *m, sgs_node *n, const sgs_op *op, sgs_value *x, sgs_lut_attr a)
{
    sgs_value *y = n->out[0];
    if (!sgs_same_dims(x, y) || x->constant || x->quant)
        return false;
    for (int i = 0; i < m->n; i++)
        sgs_value_swallow(m->r->g, y, m->inner[i]);
    sgs_put(m->r, n, op, 1, &x, &a, y);
    n->prev->name = n->name;
    sgs_node_remove(m->r->g, n);
    return true;
}

/* ---- x times a function of x ------------------------------------------------------------------------------- */

/* a x of sigmoid(a x). */
static bool is_silu(match *m, sgs_value *x, sgs_value *f, float *a)
{
    sgs_value *in = argument(m, f, &sgs_op_sigmoid);
    *a = 1;
    if (in && in != x)
        in = with_number(m, in, &sgs_op_mul, a);
    return in == x;
}

static bool is_mish(match *m, sgs_value *x, sgs_value *f)
{
    sgs_value *in = argument(m, f, &sgs_op_tanh);
    return in && argument(m, in, &sgs_op_softplus) == x;
}

static bool is_hardsigmoid(match *m, sgs_value *x, sgs_value *f)
{
    sgs_node *n = part(m, f, &sgs_op_hardsigmoid);
    const sgs_lut_attr *a = n ? n->attr : NULL;
    return n && n->in[0] == x && near(a->alpha, 1.0 / 6) && near(a->beta, 0.5);
}

/* clip(x + 3, 0, 6): x. */
static sgs_value *clipped(match *m, sgs_value *f)
{
    sgs_node *n = part(m, f, &sgs_op_clip);
    const sgs_act_attr *a = n ? n->attr : NULL;
    return n && a->lo == 0 && a->hi == 6 ? plus(m, n->in[0], 3) : NULL;
}

static bool is_gelu(match *m, sgs_value *x, sgs_value *f)
{
    sgs_value *e = plus(m, f, 1), *in = e ? argument(m, e, &sgs_op_erf) : NULL;
    return in && times(m, in, 0.70710678118654752) == x;
}

/* 0.044715 x^2 or, with one x more, x^3. */
static bool is_power(match *m, sgs_value *v, const sgs_value *x, int power)
{
    sgs_node *n = part(m, v, &sgs_op_mul);
    product p = product_of(m, n);
    if (p.n == 1 && p.factor[0] != x) { /* 0.044715 pow(x, 3) */
        sgs_node *cube = part(m, p.factor[0], &sgs_op_pow);
        return cube && cube->in[0] == x && ((const sgs_lut_attr *)cube->attr)->alpha == (float)power &&
               near((float)p.number, 0.044715);
    }
    for (int i = 0; i < p.n; i++)
        if (p.factor[i] != x)
            return false;
    return p.n == power && near((float)p.number, 0.044715);
}

/* sqrt(2/pi) (x + 0.044715 x^3), or x (1 + 0.044715 x^2) there. */
static bool is_cubic(match *m, sgs_value *v, sgs_value *x)
{
    product p = product_of(m, part(m, v, &sgs_op_mul));
    if (!p.n || p.n > 2 || !near((float)p.number, 0.79788456080286536))
        return false;
    if (p.n == 1) {
        sgs_node *sum = part(m, p.factor[0], &sgs_op_add);
        return sum && ((sum->in[0] == x && is_power(m, sum->in[1], x, 3)) ||
                       (sum->in[1] == x && is_power(m, sum->in[0], x, 3)));
    }
    sgs_value *other = p.factor[p.factor[0] == x], *square = plus(m, other, 1);
    return (p.factor[0] == x || p.factor[1] == x) && square && is_power(m, square, x, 2);
}

static bool is_gelu_tanh(match *m, sgs_value *x, sgs_value *f)
{
    sgs_value *t = plus(m, f, 1), *in = t ? argument(m, t, &sgs_op_tanh) : NULL;
    return in && is_cubic(m, in, x);
}

/* x, f(x), and the number before them. */
static bool product_rule(match *m, sgs_node *n, sgs_value *x, sgs_value *f, double number)
{
    const match start = *m;
    float a;
    if (number == 1 && is_silu(m, x, f, &a))
        return replace(m, n, &sgs_op_silu, x, (sgs_lut_attr){ .alpha = a });
    *m = start;
    if (number == 1 && is_mish(m, x, f))
        return replace(m, n, &sgs_op_mish, x, (sgs_lut_attr){ 0 });
    *m = start;
    if (number == 1 && is_hardsigmoid(m, x, f))
        return replace(m, n, &sgs_op_hardswish, x, (sgs_lut_attr){ 0 });
    *m = start;
    if (near((float)number, 1.0 / 6) && clipped(m, f) == x)
        return replace(m, n, &sgs_op_hardswish, x, (sgs_lut_attr){ 0 });
    *m = start;
    if (number == 0.5 && is_gelu(m, x, f))
        return replace(m, n, &sgs_op_gelu, x, (sgs_lut_attr){ 0 });
    *m = start;
    return number == 0.5 && is_gelu_tanh(m, x, f) && replace(m, n, &sgs_op_gelu_tanh, x, (sgs_lut_attr){ 0 });
}

static bool products(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    product p = product_of(&m, n);
    const match start = m;
    if (p.n == 2 && product_rule(&m, n, p.factor[0], p.factor[1], p.number))
        return true;
    m = start;
    return p.n == 2 && product_rule(&m, n, p.factor[1], p.factor[0], p.number);
}

/* ---- other functions ----------------------------------------------------------------------------------------- */

static bool softplus(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    sgs_value *sum = n->op == &sgs_op_log ? plus(&m, n->in[0], 1) : NULL,
              *x = sum ? argument(&m, sum, &sgs_op_exp) : NULL;
    return x && replace(&m, n, &sgs_op_softplus, x, (sgs_lut_attr){ 0 });
}

static bool softsign(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    sgs_value *sum = n->op == &sgs_op_div ? plus(&m, n->in[1], 1) : NULL;
    return sum && argument(&m, sum, &sgs_op_abs) == n->in[0] &&
           replace(&m, n, &sgs_op_softsign, n->in[0], (sgs_lut_attr){ 0 });
}

static bool sigmoid(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    sgs_value *sum = n->op == &sgs_op_reciprocal ? plus(&m, n->in[0], 1) : NULL,
              *e = sum ? argument(&m, sum, &sgs_op_exp) : NULL;
    sgs_value *x = e ? argument(&m, e, &sgs_op_neg) : NULL;
    return x && replace(&m, n, &sgs_op_sigmoid, x, (sgs_lut_attr){ 0 });
}

static bool hardsigmoid(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    float c;
    sgs_value *x = n->op == &sgs_op_mul && number(n->in[1], &c) && near(c, 1.0 / 6) ? clipped(&m, n->in[0]) : NULL;
    return x && replace(&m, n, &sgs_op_hardsigmoid, x, (sgs_lut_attr){ .alpha = (float)(1.0 / 6), .beta = 0.5f });
}

static bool reciprocal(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    float c;
    return n->op == &sgs_op_div && number(n->in[0], &c) && c == 1 &&
           replace(&m, n, &sgs_op_reciprocal, n->in[1], (sgs_lut_attr){ 0 });
}

static bool rsqrt(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    sgs_value *x = n->op == &sgs_op_reciprocal ? argument(&m, n->in[0], &sgs_op_sqrt) : NULL;
    return x && replace(&m, n, &sgs_op_rsqrt, x, (sgs_lut_attr){ 0 });
}

sgs_status sgs_pass_fuse_func(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { products, softplus, softsign, sigmoid, hardsigmoid, reciprocal, rsqrt, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
