/* fold-bias: arithmetic with one constant a channel behind a convolution or fc goes into its weights and bias; a
 * product before it goes into the weights, a sum into the bias where no padding stands beside it. fold-matmul: a
 * product with a constant right side is an fc.                                                  */
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

/* ---- before the convolution ------------------------------------------------------------------ */

/* The weights in runs, as long as their last axis. */
typedef struct runs {
    int64_t n, length;
    int64_t each;          /* runs of one output channel; 0 (depthwise): each element has its own */
    int64_t channels;      /* outputs of one group: they take the same inputs */
} runs;

static runs runs_of(const sgs_node *conv)
{
    const sgs_value *w = conv->in[1];
    const int64_t length = w->dim[w->rank - 1], n = sgs_value_count(w) / length;
    if (conv->op == &sgs_op_depthwise)
        return (runs){ n, length, 0, 0 };
    const int64_t groups = conv->op == &sgs_op_fc ? 1 : ((const sgs_conv_attr *)conv->attr)->groups;
    return (runs){ n, length, n / w->dim[0], w->dim[0] / groups };
}

/* The input channel that run i begins with. */
static int64_t first_input(const runs *r, int64_t i)
{
    return r->each ? i / r->each / r->channels * r->length : 0;
}

static bool is_plain_conv(const sgs_node *n)
{
    return (n->op == &sgs_op_conv || n->op == &sgs_op_depthwise || n->op == &sgs_op_fc) && sgs_is_const_f32(n->in[1]) &&
           (n->nin < 3 || !n->in[2] || sgs_is_const_f32(n->in[2])) && sgs_value_count(n->in[1]) > 0;
}

static bool is_padded(const sgs_node *conv)
{
    const int64_t *pad = ((const sgs_conv_attr *)conv->attr)->pad;
    return conv->op != &sgs_op_fc && (pad[0] || pad[1] || pad[2] || pad[3]);
}

static sgs_value *weights_times(sgs_rewriter *r, const sgs_node *conv, const float *c)
{
    const runs all = runs_of(conv);
    sgs_value *w = sgs_writable(r, conv->in[1]);
    float *at = (float *)(uintptr_t)sgs_const_data(w);
    for (int64_t i = 0; i < all.n; i++, at += all.length) {
        const float *by = c + first_input(&all, i);
        for (int64_t k = 0; k < all.length; k++)
            at[k] *= by[k];
    }
    return w;
}

/* bias[o] + sum of w c */
static sgs_value *bias_plus(sgs_rewriter *r, const sgs_node *conv, const float *c)
{
    const sgs_value *y = conv->out[0];
    const runs all = runs_of(conv);
    const float *w = sgs_const_data(conv->in[1]);
    int64_t outputs = y->dim[y->rank - 1];
    double *sum = SGS_NEW_N(r->g->arena, double, outputs);
    sgs_value *v = sgs_const_new(r->g, SGS_F32, 1, &outputs, NULL, true);
    for (int64_t i = 0; i < all.n; i++, w += all.length) {
        const float *by = c + first_input(&all, i);
        for (int64_t k = 0; k < all.length; k++)
            sum[all.each ? i / all.each : k] += (double)w[k] * (double)by[k];
    }
    for (int64_t o = 0; o < outputs; o++)
        ((float *)(uintptr_t)sgs_const_data(v))[o] =
            (float)(sum[o] + (conv->nin > 2 && conv->in[2] ? (double)sgs_const_f32(conv->in[2])[o] : 0));
    return v;
}

/* A constant goes on under the old one's names, which only `user` knew. */
static void succeed(sgs_rewriter *r, sgs_value *now, sgs_value *old, const sgs_node *user)
{
    if (old && now != old && sgs_used_only_by(r, old, user))
        sgs_value_take_names(r->g, now, old);
}

static bool fold_before(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *arith = n->nin ? n->in[0]->def : NULL;
    bool times = arith && arith->op == &sgs_op_mul, plus = arith && arith->op == &sgs_op_add;
    if ((!times && !plus) || !is_plain_conv(n) || (plus && is_padded(n)) || !sgs_used_only_by(r, n->in[0], n))
        return false;
    sgs_value *x = arith->in[0], *old = times ? n->in[1] : n->nin > 2 ? n->in[2] : NULL;
    const float *c = sgs_same_dims(x, n->in[0]) ? sgs_per_channel(r, arith->in[1], x->dim[x->rank - 1]) : NULL;
    if (!c || x->constant)
        return false;
    sgs_value *in[3] = { x, n->in[1], n->nin > 2 ? n->in[2] : NULL };
    in[times ? 1 : 2] = times ? weights_times(r, n, c) : bias_plus(r, n, c);
    succeed(r, in[times ? 1 : 2], old, n);
    sgs_value_swallow(r->g, n->out[0], n->in[0]);
    sgs_put(r, n, n->op, in[2] ? 3 : 2, in, n->attr, n->out[0]);
    n->prev->name = n->name;
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_fold_bias(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { fold_bias, fold_before, NULL };
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
    if (b && !((const sgs_matmul_attr *)n->attr)->turned)
        b = sgs_put_transpose(r, n, b, swap, NULL);
    sgs_conv_attr attr = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    sgs_value *in[] = { a, b };
    if (b && sgs_put(r, n, &sgs_op_fc, 2, in, &attr, y))
        y->def->name = n->name;
    sgs_node_remove(r->g, n);
    return true;
}

static bool is_identity(const sgs_perm_attr *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->perm[i] != i)
            return false;
    return true;
}

/* A right operand whose rows were made columns is read as it lay before: what is left of the transposition moves whole rows. */
static bool turned_right(sgs_rewriter *r, sgs_node *n)
{
    if (n->op != &sgs_op_matmul || !n->in[1]->def || n->in[1]->def->op != &sgs_op_transpose)
        return false;
    const sgs_node *t = n->in[1]->def;
    const int last = n->in[1]->rank - 1;
    sgs_perm_attr p = *(const sgs_perm_attr *)t->attr;
    if (p.perm[last - 1] != last)
        return false;
    p.perm[last - 1] = p.perm[last];
    p.perm[last] = last;
    const sgs_matmul_attr a = { !((const sgs_matmul_attr *)n->attr)->turned };
    sgs_value *in[] = { n->in[0], t->in[0] }, *y = n->out[0];
    if (!is_identity(&p))
        in[1] = sgs_put_transpose(r, n, t->in[0], p.perm, NULL);
    if (sgs_used_only_by(r, n->in[1], n))
        sgs_value_swallow(r->g, y, n->in[1]);
    if (in[1] && sgs_put(r, n, &sgs_op_matmul, 2, in, &a, y))
        y->def->name = n->name;
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_fold_matmul(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { matmul_to_fc, turned_right, NULL };
    SGS_TRY(sgs_rewrite(g, rules, changed, d));
    return *changed ? sgs_pass_fold_const(g, changed, d) : SGS_OK;
}
