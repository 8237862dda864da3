/* fuse-norm: spelled-out normalizations over the last axes become the operator that they are.
 *
 *   x / sqrt(mean(x x) + epsilon)      ->  rmsnorm(x)
 *   rmsnorm(x - mean(x))               ->  layernorm(x)
 *   norm * constant, norm + constant   ->  its scale, its bias
 *
 * The quotient may be a product with 1 / sqrt.  What lies between x and the result must be used there alone; fold-arith
 * put constants last. */
#include <math.h>
#include <string.h>

#include "pass/rewrite.h"

#define MOST 8

typedef struct match {
    sgs_rewriter *r;
    sgs_value *inner[MOST]; /* what disappears */
    int n;
} match;

/* ---- pieces ---- */

/* v's producer when it is this op and v is used once; v becomes a part of the match. */
static sgs_node *part(match *m, sgs_value *v, const sgs_op *op)
{
    if (!v->def || v->def->op != op || v->quant || !sgs_used_once(m->r, v))
        return NULL;
    m->inner[m->n++] = v;
    return v->def;
}

/* The v of 1 / sqrt(v), with which n multiplies. */
static sgs_value *under_inverse(match *m, sgs_value *inverse)
{
    sgs_node *n = part(m, inverse, &sgs_op_rsqrt);
    if (n)
        return n->in[0];
    n = part(m, inverse, &sgs_op_reciprocal);
    n = n ? part(m, n->in[0], &sgs_op_sqrt) : NULL;
    return n ? n->in[0] : NULL;
}

/* Over all axes from `axis` on, and no more numbers than have a fixed-point form. */
static bool is_trailing(const sgs_node *mean, sgs_norm_attr *a)
{
    const sgs_reduce_attr *axes = mean->attr;
    const sgs_value *x = mean->in[0];
    a->axis = x->rank - axes->n;
    for (int i = 0; i < axes->n; i++)
        if (axes->axis[i] != a->axis + i)
            return false;
    return axes->n > 0 && sgs_norm_count(x, a->axis) <= IPU_LAYERNORM_MOST;
}

/* v = mean(c c) + epsilon: c. */
static sgs_value *mean_square(match *m, sgs_value *v, sgs_norm_attr *a)
{
    sgs_node *sum = part(m, v, &sgs_op_add);
    if (!sum || !sgs_is_const_f32(sum->in[1]) || sgs_value_count(sum->in[1]) != 1)
        return NULL;
    a->epsilon = *sgs_const_f32(sum->in[1]);
    sgs_node *mean = part(m, sum->in[0], &sgs_op_reduce_mean);
    if (!mean || !(a->epsilon >= 0) || isinf(a->epsilon) || !is_trailing(mean, a))
        return NULL;
    const sgs_node *square = part(m, mean->in[0], &sgs_op_mul);
    return square && square->in[0] == square->in[1] ? square->in[0] : NULL;
}

/* ---- the core ---- */

/* n is op of in[].  Parts go at once, in the order of use: what they read has one use fewer for the next rule. */
static bool replace(match *m, sgs_node *n, const sgs_op *op, int nin, sgs_value *const *in, const sgs_norm_attr *a)
{
    sgs_value *y = n->out[0];
    if (in[0]->type != SGS_F32 || in[0]->constant || in[0]->quant || !sgs_same_dims(in[0], y))
        return false;
    for (int i = 0; i < m->n; i++)
        sgs_value_swallow(m->r->g, y, m->inner[i]);
    sgs_put(m->r, n, op, nin, in, a, y);
    n->prev->name = n->name;
    sgs_node_remove(m->r->g, n);
    for (int i = 0; i < m->n; i++)
        sgs_node_remove(m->r->g, m->inner[i]->def);
    return true;
}

/* n = x times or over a root of v. */
static bool normalization(match *m, sgs_node *n, sgs_value *x, sgs_value *v)
{
    sgs_norm_attr a = { 0 };
    return v && mean_square(m, v, &a) == x && replace(m, n, &sgs_op_rmsnorm, 1, &x, &a);
}

static bool quotient(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    const sgs_node *root = n->op == &sgs_op_div ? part(&m, n->in[1], &sgs_op_sqrt) : NULL;
    return root && normalization(&m, n, n->in[0], root->in[0]);
}

static bool product(sgs_rewriter *r, sgs_node *n)
{
    for (int i = 0; i < 2 && n->op == &sgs_op_mul; i++) {
        match m = { .r = r };
        if (normalization(&m, n, n->in[i], under_inverse(&m, n->in[1 - i])))
            return true;
    }
    return false;
}

static bool centre(sgs_rewriter *r, sgs_node *n)
{
    match m = { .r = r };
    sgs_norm_attr a = { 0 };
    const sgs_node *sub = n->op == &sgs_op_rmsnorm ? part(&m, n->in[0], &sgs_op_sub) : NULL,
                   *mean = sub ? part(&m, sub->in[1], &sgs_op_reduce_mean) : NULL;
    if (!mean || mean->in[0] != sub->in[0] || !is_trailing(mean, &a) ||
        a.axis != ((const sgs_norm_attr *)n->attr)->axis)
        return false;
    sgs_value *in[3] = { sub->in[0], n->nin > 1 ? n->in[1] : NULL, n->nin > 2 ? n->in[2] : NULL };
    return replace(&m, n, &sgs_op_layernorm, n->nin, in, n->attr);
}

/* ---- scale and bias ---- */

/* c's number for each element of x from `axis` on; NULL where it differs along an axis before, or is no constant. */
static float *spread(sgs_rewriter *r, const sgs_value *c, const sgs_value *x, int64_t axis)
{
    const int more = x->rank - c->rank;
    int64_t stride[SGS_MAX_RANK] = { 0 }, step = 1;
    if (!sgs_is_const_f32(c) || more < 0)
        return NULL;
    for (int k = x->rank - 1; k >= more; k--) {
        const int64_t count = c->dim[k - more];
        if (count != 1 && (k < axis || count != x->dim[k]))
            return NULL;
        stride[k] = count == 1 ? 0 : step;
        step *= count;
    }
    const int64_t each = sgs_norm_count(x, axis);
    float *to = SGS_NEW_N(r->g->arena, float, each);
    for (int64_t i = 0; i < each; i++) {
        int64_t rest = i, at = 0;
        for (int k = x->rank - 1; k >= axis; k--) {
            at += rest % x->dim[k] * stride[k];
            rest /= x->dim[k];
        }
        to[i] = sgs_const_f32(c)[at];
    }
    return to;
}

/* A constant of the trailing dims: old (op) by, where there is an old one, else `by`. */
static sgs_value *joined(sgs_rewriter *r, const sgs_node *n, const sgs_value *old, const float *by)
{
    const sgs_node *norm = n->in[0]->def;
    const sgs_value *x = norm->in[0];
    const int64_t axis = ((const sgs_norm_attr *)norm->attr)->axis, each = sgs_norm_count(x, axis);
    sgs_value *v = sgs_const_new(r->g, SGS_F32, x->rank - (int)axis, x->dim + axis, by, true);
    for (int64_t i = 0; i < each && old; i++) {
        const double a = (double)sgs_const_f32(old)[i], b = (double)by[i];
        ((float *)(uintptr_t)sgs_const_data(v))[i] = (float)(n->op == &sgs_op_mul ? a * b : a + b);
    }
    return v;
}

static const float *ones(sgs_rewriter *r, int64_t count)
{
    float *v = SGS_NEW_N(r->g->arena, float, count);
    for (int64_t i = 0; i < count; i++)
        v[i] = 1;
    return v;
}

/* The normalization of which n alone takes the result, whose scale and bias, where it has them, are constants. */
static sgs_node *open_norm(sgs_rewriter *r, const sgs_node *n)
{
    sgs_node *norm = n->op == &sgs_op_mul || n->op == &sgs_op_add ? n->in[0]->def : NULL;
    if (!norm || (norm->op != &sgs_op_layernorm && norm->op != &sgs_op_rmsnorm) || n->in[0]->quant ||
        !sgs_used_only_by(r, n->in[0], n) || !sgs_same_dims(n->in[0], n->out[0]))
        return NULL;
    for (int i = 1; i < norm->nin; i++)
        if (!sgs_is_const_f32(norm->in[i]))
            return NULL;
    return norm;
}

/* norm (op) constant */
static bool scale_or_bias(sgs_rewriter *r, sgs_node *n)
{
    const sgs_node *norm = open_norm(r, n);
    const int64_t axis = norm ? ((const sgs_norm_attr *)norm->attr)->axis : 0;
    const float *by = norm ? spread(r, n->in[1], norm->in[0], axis) : NULL;
    if (!by)
        return false;
    const int slot = n->op == &sgs_op_mul ? 1 : 2;
    sgs_value *in[3] = { norm->in[0], norm->nin > 1 ? norm->in[1] : NULL, norm->nin > 2 ? norm->in[2] : NULL };
    sgs_value *now = joined(r, n, in[slot], by);
    if (slot == 1 && in[2])
        in[2] = joined(r, n, in[2], by);
    if (slot == 2 && !in[1])
        in[1] = joined(r, n, NULL, ones(r, sgs_norm_count(in[0], axis)));
    in[slot] = now;
    if (sgs_used_only_by(r, n->in[1], n))
        sgs_value_take_names(r->g, now, n->in[1]);
    sgs_value_swallow(r->g, n->out[0], n->in[0]);
    sgs_put(r, n, norm->op, in[2] ? 3 : 2, in, norm->attr, n->out[0]);
    n->prev->name = norm->name ? norm->name : n->name;
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_fuse_norm(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { quotient, product, centre, scale_or_bias, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
