/* fold-dynamic: DynamicQuantizeLinear, a product of whole numbers and the product with both scales are the product of
 * real numbers that they stand for.  What is rounded to 8 bits at run time stays so, by one operator of the float
 * model. */
#include <string.h>

#include "pass/rewrite.h"

#define LONGEST 8 /* operators between the rounded numbers and what is scaled */

/* Operand i of v's producer when that is `op`. */
static sgs_value *arg(const sgs_value *v, const sgs_op *op, int i)
{
    return v && v->def && v->def->op == op ? v->def->in[i] : NULL;
}

static bool is_number(const sgs_value *v, float number)
{
    return v && sgs_is_const_f32(v) && sgs_value_count(v) == 1 && *sgs_const_f32(v) == number;
}

/* ---- what DynamicQuantizeLinear is spelled as ---- */

/* The tensor of whose elements, 0 among them, v is the largest (or smallest). */
static const sgs_value *extreme_of(const sgs_value *v, const sgs_op *op, const sgs_op *reduce)
{
    const sgs_value *one = is_number(arg(v, op, 1), 0) ? arg(arg(v, op, 0), &sgs_op_reshape, 0) : NULL,
                    *x = arg(one, reduce, 0);
    return x && ((const sgs_reduce_attr *)one->def->attr)->n == x->rank ? x : NULL;
}

typedef struct rounded {
    sgs_value *x, *scale, *zero; /* q = round(x / scale) + zero in 0..255 */
} rounded;

static bool is_scale(const rounded *r, const sgs_value **least)
{
    const sgs_value *some = arg(r->scale, &sgs_op_where, 2), *reach = arg(some, &sgs_op_div, 0),
                    *none = arg(r->scale, &sgs_op_where, 0), *most = arg(reach, &sgs_op_sub, 0);
    *least = arg(reach, &sgs_op_sub, 1);
    return is_number(arg(some, &sgs_op_div, 1), 255) && is_number(arg(r->scale, &sgs_op_where, 1), 1) &&
           arg(none, &sgs_op_equal, 0) == reach && is_number(arg(none, &sgs_op_equal, 1), 0) &&
           extreme_of(most, &sgs_op_max, &sgs_op_reduce_max) == r->x &&
           extreme_of(*least, &sgs_op_min, &sgs_op_reduce_min) == r->x;
}

static bool is_byte(const sgs_value *clipped)
{
    const sgs_act_attr *a = arg(clipped, &sgs_op_clip, 0) ? clipped->def->attr : NULL;
    return a && a->lo == 0 && a->hi == 255;
}

static bool is_zero(const rounded *r, const sgs_value *least)
{
    const sgs_value *clipped = arg(r->zero, &sgs_op_cast, 0),
                    *steps = arg(arg(clipped, &sgs_op_clip, 0), &sgs_op_round, 0), *down = arg(steps, &sgs_op_div, 0);
    return is_byte(clipped) && arg(steps, &sgs_op_div, 1) == r->scale && is_number(arg(down, &sgs_op_sub, 0), 0) &&
           arg(down, &sgs_op_sub, 1) == least;
}

/* Whether v is q - zero. */
static bool is_centred(const sgs_value *v, rounded *r)
{
    const sgs_value *q = arg(arg(v, &sgs_op_sub, 0), &sgs_op_cast, 0), *clipped = arg(q, &sgs_op_cast, 0),
                    *sum = arg(clipped, &sgs_op_clip, 0), *steps = arg(arg(sum, &sgs_op_add, 0), &sgs_op_round, 0),
                    *least;
    r->x = arg(steps, &sgs_op_div, 0);
    r->scale = arg(steps, &sgs_op_div, 1);
    r->zero = arg(arg(sum, &sgs_op_add, 1), &sgs_op_cast, 0);
    return r->x && r->zero && q->type == SGS_U8 && r->zero->type == SGS_U8 && is_byte(clipped) &&
           arg(arg(v, &sgs_op_sub, 1), &sgs_op_cast, 0) == r->zero && is_scale(r, &least) && is_zero(r, least);
}

/* ---- the product and its scales ---- */

typedef struct product {
    const sgs_node *step[LONGEST]; /* from the scaled one back to the rounded numbers */
    int n;
    rounded r;
} product;

static bool has_no_bias(const sgs_node *n)
{
    const sgs_value *b = n->nin > 2 ? n->in[2] : NULL;
    for (int64_t i = 0; b && i < sgs_value_count(b); i++)
        if (!b->constant || b->type != SGS_F32 || sgs_const_f32(b)[i] != 0)
            return false;
    return true;
}

static bool is_product(const sgs_node *n)
{
    const bool conv = n->op == &sgs_op_conv || n->op == &sgs_op_depthwise;
    return sgs_is_const_f32(n->in[n->nin > 1]) &&
           (n->op == &sgs_op_matmul ||
            (conv && ((const sgs_conv_attr *)n->attr)->act == SGS_ACT_NONE && has_no_bias(n)));
}

/* Moves, one product with constants, moves. */
static bool find_product(const sgs_value *v, product *p)
{
    const sgs_value *whole = arg(v, &sgs_op_cast, 0);
    int products = 0;
    if (whole && whole->type == SGS_S32 && arg(whole, &sgs_op_cast, 0) && v->type == SGS_F32)
        v = arg(whole, &sgs_op_cast, 0);
    for (p->n = 0; v->def && p->n < LONGEST; v = v->def->in[0]) {
        if (is_centred(v, &p->r))
            return products == 1;
        if (v->def->op != &sgs_op_transpose && v->def->op != &sgs_op_reshape &&
            !(is_product(v->def) && ++products == 1))
            return false;
        p->step[p->n++] = v->def;
    }
    return false;
}

/* The other factor of v when one is x; x alone counts: *other is NULL. */
static bool has_factor(sgs_value *v, const sgs_value *x, sgs_value **other)
{
    *other = v == x                        ? NULL
             : arg(v, &sgs_op_mul, 0) == x ? v->def->in[1]
             : arg(v, &sgs_op_mul, 1) == x ? v->def->in[0]
                                           : NULL;
    return v == x || *other;
}

static bool fold_dynamic(sgs_rewriter *r, sgs_node *n)
{
    product p;
    sgs_value *other = NULL;
    int side = 0;
    if (n->op != &sgs_op_mul)
        return false;
    while (side < 2 && !(find_product(n->in[side], &p) && has_factor(n->in[1 - side], p.r.scale, &other)))
        side++;
    if (side == 2)
        return false;
    sgs_value *y = n->out[0], *v = sgs_put(r, n, &sgs_op_fake_quant_dynamic, 1, &p.r.x, NULL, NULL);
    for (int i = p.n - 1; i >= 0 && v; i--) {
        sgs_value *in[3] = { v };
        memcpy(in + 1, p.step[i]->in + 1, (size_t)(p.step[i]->nin - 1) * sizeof *in);
        v = sgs_put(r, n, p.step[i]->op, p.step[i]->nin, in, p.step[i]->attr, i || other ? NULL : y);
    }
    if (other && v)
        sgs_put(r, n, &sgs_op_mul, 2, (sgs_value *[]){ v, other }, NULL, y);
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_fold_dynamic(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { fold_dynamic, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
