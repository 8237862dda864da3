/* fuse-act: a clip behind a convolution of any kind or an fc becomes its activation; clips behind clips become one. */
#include <math.h>

#include "pass/rewrite.h"

static sgs_act_attr range_of(const sgs_conv_attr *a)
{
    switch ((sgs_act)a->act) {
    case SGS_ACT_NONE:
        break;
    case SGS_ACT_RELU:
        return (sgs_act_attr){ 0.0f, INFINITY };
    case SGS_ACT_RELU6:
        return (sgs_act_attr){ 0.0f, 6.0f };
    case SGS_ACT_CLIP:
        return (sgs_act_attr){ a->lo, a->hi };
    }
    return (sgs_act_attr){ -INFINITY, INFINITY };
}

static void set_range(sgs_conv_attr *a, sgs_act_attr c)
{
    a->lo = a->hi = 0;
    if (c.lo == 0 && isinf(c.hi)) {
        a->act = SGS_ACT_RELU;
    } else if (c.lo == 0 && c.hi == 6) {
        a->act = SGS_ACT_RELU6;
    } else if (isinf(c.lo) && c.lo < 0 && isinf(c.hi) && c.hi > 0) {
        a->act = SGS_ACT_NONE;
    } else {
        a->act = SGS_ACT_CLIP;
        a->lo = c.lo;
        a->hi = c.hi;
    }
}

static float clamp(float v, sgs_act_attr c)
{
    v = v < c.lo ? c.lo : v;
    return v > c.hi ? c.hi : v;
}

/* `first`, then `second`: the ends of the first range, clipped by the second. */
static sgs_act_attr both(sgs_act_attr first, sgs_act_attr second)
{
    return (sgs_act_attr){ clamp(first.lo, second), clamp(first.hi, second) };
}

static bool is_clip(const sgs_node *n)
{
    return n && n->op == &sgs_op_clip;
}

/* The producer's output is now what the clip gave, under the clip's name; the name between is swallowed. */
static void end_in(sgs_rewriter *r, sgs_node *producer, sgs_node *clip)
{
    sgs_value *y = clip->out[0];
    sgs_value_swallow(r->g, y, producer->out[0]);
    sgs_node_remove(r->g, clip);
    sgs_node_set_out(r->g, producer, 1, &y);
}

static bool clip_into_conv(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *conv = is_clip(n) ? n->in[0]->def : NULL;
    if (!conv || conv->op->qrule != SGS_Q_CONV || !sgs_used_only_by(r, n->in[0], n))
        return false;
    set_range(conv->attr, both(range_of(conv->attr), *(const sgs_act_attr *)n->attr));
    end_in(r, conv, n);
    return true;
}

/* A run of clips at once: what each of a thousand would cost alone, users and names found anew, grows with its length. */
static bool clip_into_clip(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *first = is_clip(n) ? n->in[0]->def : NULL;
    int run = 0;
    if (!is_clip(first))
        return false;
    for (const sgs_node *k = n; is_clip(k) && sgs_used_only_by(r, k->in[0], k); k = sgs_only_user_of(r, k->out[0]))
        run++;
    if (!run)
        return false;
    sgs_value **gone = SGS_NEW_N(r->g->arena, sgs_value *, run), *y = NULL;
    for (int i = run - 1; i >= 0; i--) {
        sgs_node *next = sgs_only_user_of(r, n->out[0]);
        *(sgs_act_attr *)first->attr = both(*(const sgs_act_attr *)first->attr, *(const sgs_act_attr *)n->attr);
        gone[i] = n->in[0];
        y = n->out[0];
        sgs_node_remove(r->g, n);
        n = next;
    }
    sgs_value_swallow_all(r->g, y, gone, run);
    sgs_node_set_out(r->g, first, 1, &y);
    return true;
}

static bool clip_of_nothing(sgs_rewriter *r, sgs_node *n)
{
    if (!is_clip(n))
        return false;
    const sgs_act_attr *a = n->attr;
    return isinf(a->lo) && a->lo < 0 && isinf(a->hi) && a->hi > 0 && sgs_forward(r, n->out[0], n->in[0]);
}

sgs_status sgs_pass_fuse_act(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { clip_into_conv, clip_into_clip, clip_of_nothing, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
