/* fold-arith: arithmetic with constants in its simplest form.
 *
 *   c + x, c * x      ->  x + c, x * c
 *   x - c, x / c      ->  x + (-c), x * (1/c)
 *   (x + c) + d       ->  x + (c + d), and products alike
 *   x + 0, x * 1      ->  x
 *   max(x, number)    ->  a clip, and minimum alike                                          */
#include <math.h>

#include "pass/rewrite.h"

/* An op of two operands, a constant second one and a first that is none. */
static bool with_const(const sgs_node *n, const sgs_op *op)
{
    return n && n->op == op && sgs_is_const_f32(n->in[1]) && !n->in[0]->constant && !n->in[0]->quant;
}

static bool const_last(sgs_rewriter *r, sgs_node *n)
{
    bool turns = n->op == &sgs_op_add || n->op == &sgs_op_mul || n->op == &sgs_op_min || n->op == &sgs_op_max;
    if (!turns || !sgs_is_const_f32(n->in[0]) || n->in[1]->constant)
        return false;
    sgs_value *c = n->in[0];
    sgs_node_set_in(r->g, n, 0, n->in[1]);
    sgs_node_set_in(r->g, n, 1, c);
    return true;
}

/* n becomes op of its first input and c. */
static bool become(sgs_rewriter *r, sgs_node *n, const sgs_op *op, sgs_value *c)
{
    sgs_value *in[2] = { n->in[0], c };
    sgs_put(r, n, op, 2, in, NULL, n->out[0]);
    n->prev->name = n->name;
    sgs_node_remove(r->g, n);
    return true;
}

/* ---- differences and quotients ------------------------------------------------------------------- */

static sgs_value *made_of(sgs_rewriter *r, const sgs_value *c, float (*of)(float))
{
    sgs_value *v = sgs_const_new(r->g, SGS_F32, c->rank, c->dim, NULL, true);
    int64_t count = sgs_value_count(c);
    for (int64_t i = 0; i < count; i++)
        ((float *)(uintptr_t)sgs_const_data(v))[i] = of(sgs_const_f32(c)[i]);
    return v;
}

static float opposite(float x)
{
    return -x;
}

static float reciprocal(float x)
{
    return (float)(1 / (double)x);
}

static bool sub_const(sgs_rewriter *r, sgs_node *n)
{
    return with_const(n, &sgs_op_sub) && become(r, n, &sgs_op_add, made_of(r, n->in[1], opposite));
}

static bool all(const sgs_value *c, bool (*holds)(float))
{
    int64_t count = sgs_value_count(c);
    for (int64_t i = 0; i < count; i++)
        if (!holds(sgs_const_f32(c)[i]))
            return false;
    return true;
}

static bool has_reciprocal(float x)
{
    return isnormal(x) && isnormal(reciprocal(x));
}

static bool div_const(sgs_rewriter *r, sgs_node *n)
{
    return with_const(n, &sgs_op_div) && all(n->in[1], has_reciprocal) &&
           become(r, n, &sgs_op_mul, made_of(r, n->in[1], reciprocal));
}

/* ---- chains ----------------------------------------------------------------------------------------- */

/* Constants of one sum or product are one constant, where that is no larger than they are. */
static bool join(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *first = n->nin ? n->in[0]->def : NULL;
    bool chains = n->op == &sgs_op_add || n->op == &sgs_op_mul;
    if (!chains || !with_const(n, n->op) || !with_const(first, n->op) || !sgs_used_only_by(r, n->in[0], n))
        return false;
    sgs_value *in[2] = { first->in[1], n->in[1] }, *c = sgs_put(r, n, n->op, 2, in, NULL, NULL);
    if (!c)
        return true;
    int64_t count = sgs_value_count(c);
    bool folded = false;
    if (count == sgs_value_count(in[0]) || count == sgs_value_count(in[1]))
        r->status = sgs_fold_node(r->g, n->prev, &folded, r->d);
    if (!folded) {
        sgs_node_remove(r->g, c->def);
        return r->status != SGS_OK;
    }
    sgs_value_swallow(r->g, n->out[0], first->out[0]);
    sgs_node_set_in(r->g, n, 0, first->in[0]);
    sgs_node_set_in(r->g, n, 1, c);
    return true;
}

static bool is_zero(float x)
{
    return x == 0;
}

static bool is_one(float x)
{
    return x == 1;
}

static bool neutral(sgs_rewriter *r, sgs_node *n)
{
    bool nothing =
        (with_const(n, &sgs_op_add) && all(n->in[1], is_zero)) || (with_const(n, &sgs_op_mul) && all(n->in[1], is_one));
    return nothing && sgs_same_dims(n->in[0], n->out[0]) && sgs_forward(r, n->out[0], n->in[0]);
}

/* ---- bounds ------------------------------------------------------------------------------------------- */

static bool bound(sgs_rewriter *r, sgs_node *n)
{
    bool low = with_const(n, &sgs_op_max), high = with_const(n, &sgs_op_min);
    if ((!low && !high) || sgs_value_count(n->in[1]) != 1 || !sgs_same_dims(n->in[0], n->out[0]))
        return false;
    float v = *sgs_const_f32(n->in[1]);
    const sgs_act_attr a = { low ? v : -INFINITY, high ? v : INFINITY };
    sgs_put(r, n, &sgs_op_clip, 1, n->in, &a, n->out[0]);
    n->prev->name = n->name;
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_fold_arith(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { const_last, sub_const, div_const, join, neutral, bound, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
