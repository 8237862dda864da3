/* fold-bias: arithmetic with one constant a channel behind a convolution or fc goes into its weights and bias.
 * fold-matmul: a product with a constant right side is an fc.                                                  */
#include <math.h>
#include <string.h>

#include "pass/rewrite.h"

static double *doubles(sgs_rewriter *r, const float *v, int64_t n)
{
    double *to = SGS_NEW_N(r->g->arena, double, n);
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)v[i];
    return to;
}

static bool reciprocals(double *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        v[i] = 1.0 / v[i];
        if (!isfinite(v[i]))
            return false;
    }
    return true;
}

static void negate(double *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        v[i] = -v[i];
}

/* conv (op) constant, with the convolution at input `slot`. */
static bool fold_arith(sgs_rewriter *r, sgs_node *n, int slot)
{
    sgs_value *x = n->in[slot], *c = n->in[1 - slot];
    if (!sgs_is_const_f32(c) || !sgs_same_dims(x, n->out[0]))
        return false;
    int64_t channels = x->rank ? x->dim[x->rank - 1] : 0;
    sgs_node *conv = sgs_open_conv(r, x, n);
    const float *v = conv ? sgs_per_channel(r, c, channels) : NULL;
    if (!v)
        return false;
    double *k = doubles(r, v, channels);
    if (n->op == &sgs_op_add)
        return sgs_scale_conv(r, conv, NULL, k, n->out[0], c);
    if (n->op == &sgs_op_sub && slot == 0) {
        negate(k, channels);
        return sgs_scale_conv(r, conv, NULL, k, n->out[0], NULL);
    }
    if (n->op == &sgs_op_mul || (n->op == &sgs_op_div && slot == 0 && reciprocals(k, channels)))
        return sgs_scale_conv(r, conv, k, NULL, n->out[0], NULL);
    return false;
}

static bool fold_bias(sgs_rewriter *r, sgs_node *n)
{
    bool arith = n->op == &sgs_op_add || n->op == &sgs_op_sub || n->op == &sgs_op_mul || n->op == &sgs_op_div;
    return arith && (fold_arith(r, n, 0) || fold_arith(r, n, 1));
}

sgs_status sgs_pass_fold_bias(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { fold_bias, NULL };
    return sgs_rewrite(g, rules, changed, d);
}

/* ---- matmul ---------------------------------------------------------------------------------- */

/* [k,n] or [1,..,1,k,n] whose leading ones do not lengthen the result. */
static bool is_matrix(const sgs_value *b, int out_rank)
{
    for (int i = 0; i < b->rank - 2; i++)
        if (b->dim[i] != 1)
            return false;
    return b->rank >= 2 && b->rank <= out_rank;
}

static bool matmul_to_fc(sgs_rewriter *r, sgs_node *n)
{
    static const int64_t swap[] = { 1, 0 };
    if (n->op != &sgs_op_matmul || !sgs_is_const_f32(n->in[1]))
        return false;
    sgs_value *a = n->in[0], *b = n->in[1], *y = n->out[0];
    if (a->rank != y->rank || !is_matrix(b, y->rank))
        return false;
    if (b->rank > 2)
        b = sgs_put_reshape(r, n, b, 2, b->dim + b->rank - 2, NULL);
    b = b ? sgs_put_transpose(r, n, b, swap, NULL) : NULL;
    sgs_conv_attr attr = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    sgs_value *in[] = { a, b };
    if (b && sgs_put(r, n, &sgs_op_fc, 2, in, &attr, y))
        y->def->name = n->name;
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_fold_matmul(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { matmul_to_fc, NULL };
    SGS_TRY(sgs_rewrite(g, rules, changed, d));
    return *changed ? sgs_pass_fold_const(g, changed, d) : SGS_OK;
}
