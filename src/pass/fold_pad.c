/* fold-pad: a pad of height and width goes into the convolution or pool behind it, where the numbers stay the same. */
#include <math.h>
#include <string.h>

#include "pass/rewrite.h"

static bool is_spatial(const sgs_pad_attr *p)
{
    bool grows = p->before[1] >= 0 && p->before[2] >= 0 && p->after[1] >= 0 && p->after[2] >= 0;
    return p->n == 4 && p->mode == SGS_PAD_CONSTANT && grows && !p->before[0] && !p->after[0] && !p->before[3] && !p->after[3];
}

static void widen(int64_t pad[4], const sgs_pad_attr *p)
{
    pad[0] += p->before[1];
    pad[1] += p->before[2];
    pad[2] += p->after[1];
    pad[3] += p->after[2];
}

static bool pad_into_conv(const sgs_node *n, const sgs_pad_attr *p, sgs_conv_attr *a)
{
    if (p->value != 0)
        return false;
    *a = *(const sgs_conv_attr *)n->attr;
    widen(a->pad, p);
    return true;
}

/* A maximum ignores what lies outside, so the pad must be -inf; an average counts it only under count_pad. */
static bool pad_into_pool(const sgs_node *n, const sgs_pad_attr *p, sgs_pool_attr *a)
{
    *a = *(const sgs_pool_attr *)n->attr;
    bool padded = a->pad[0] || a->pad[1] || a->pad[2] || a->pad[3];
    if (n->op == &sgs_op_maxpool ? !(isinf(p->value) && p->value < 0) : p->value != 0 || (padded && !a->count_pad))
        return false;
    widen(a->pad, p);
    a->count_pad = n->op == &sgs_op_avgpool && (a->pad[0] || a->pad[1] || a->pad[2] || a->pad[3]);
    return true;
}

/* Would the node accept this input and attribute, with the same result dims? */
static bool accepts(sgs_rewriter *r, const sgs_node *n, sgs_value *x, void *attr)
{
    sgs_node trial = *n;
    sgs_value *in[3] = { x, n->nin > 1 ? n->in[1] : NULL, n->nin > 2 ? n->in[2] : NULL };
    sgs_tensor out = { 0 };
    trial.in = in;
    trial.attr = attr;
    return n->op->infer(r->g, &trial, &out, NULL) == SGS_OK && !memcmp(out.dim, n->out[0]->dim, 4 * sizeof out.dim[0]);
}

static bool fold_pad(sgs_rewriter *r, sgs_node *n)
{
    union {
        sgs_conv_attr conv;
        sgs_pool_attr pool;
    } a;
    bool conv = n->op == &sgs_op_conv || n->op == &sgs_op_depthwise;
    bool pool = n->op == &sgs_op_maxpool || n->op == &sgs_op_avgpool;
    sgs_node *pad = conv || pool ? n->in[0]->def : NULL;
    if (!pad || pad->op != &sgs_op_pad || !is_spatial(pad->attr) || sgs_is_graph_output(r, pad->out[0]))
        return false;
    if (conv ? !pad_into_conv(n, pad->attr, &a.conv) : !pad_into_pool(n, pad->attr, &a.pool))
        return false;
    if (!accepts(r, n, pad->in[0], &a))
        return false;
    if (sgs_used_only_by(r, pad->out[0], n))
        sgs_value_swallow(r->g, n->out[0], pad->out[0]);
    memcpy(n->attr, &a, n->op->attr_bytes);
    sgs_node_set_in(r->g, n, 0, pad->in[0]);
    return true;
}

sgs_status sgs_pass_fold_pad(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { fold_pad, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
