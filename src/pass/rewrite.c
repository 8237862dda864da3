#include <stdlib.h>
#include <string.h>

#include "pass/rewrite.h"

/* ---- the loop -------------------------------------------------------------------------------- */

static bool is_linked(const sgs_graph *g, const sgs_node *n)
{
    return n->prev ? n->prev->next == n : g->first == n;
}

/* Each rule brings the graph nearer to an end.  Were two of them to undo each other, that is a bug to be told, not to
 * wait for. */
static int64_t patience(const sgs_graph *g)
{
    int64_t nodes = 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        nodes++;
    return 1000 + 100 * nodes;
}

/* `before`, or the last one before it that is still there; NULL: none is. */
static sgs_node *still_there(const sgs_graph *g, sgs_node *before)
{
    while (before && !is_linked(g, before))
        before = before->prev;
    return before;
}

/* One walk over the nodes.  After a change it goes on behind the last node that is surely still there. */
static bool sweep(sgs_rewriter *r, const sgs_rule *rules)
{
    bool changed = false;
    for (sgs_node *n = r->g->first; n && r->status == SGS_OK;) {
        sgs_node *before = n->prev;
        bool hit = false;
        for (const sgs_rule *rule = rules; *rule && !hit; rule++)
            hit = (*rule)(r, n);
        if (hit) {
            sgs_users_release(r->g);
            sgs_graph_collect(r->g);
            changed = true;
            if (r->patience-- == 0)
                r->status =
                    sgs_fail(r->d, SGS_E_INTERNAL, "the rewriting does not settle (at %s)", sgs_node_label(r->g, n));
        }
        if (hit && !is_linked(r->g, n)) {
            before = still_there(r->g, before);
            n = before ? before->next : r->g->first;
        } else {
            n = n->next;
        }
    }
    return changed;
}

/* What the dead nodes of one walk used becomes free with the next change, or for the next pass: a pass does not go on
 * for that alone, so the factor of a normalization may wait for fuse-norm and need not go into weights. */
sgs_status sgs_rewrite(sgs_graph *g, const sgs_rule *rules, bool *changed, sgs_diag *d)
{
    sgs_rewriter r = { .g = g, .d = d, .patience = patience(g) };
    const bool mine = sgs_users_keep(g);
    while (sweep(&r, rules) && r.status == SGS_OK) {
        sgs_users_hold(g, true);
        sgs_remove_dead(g);
        sgs_users_hold(g, false);
        *changed = true;
    }
    sgs_users_release(g);
    if (mine)
        sgs_users_forget(g);
    return r.status;
}

static bool is_unused(const sgs_node *n, const int *uses)
{
    for (int i = 0; i < n->nout; i++)
        if (uses[n->out[i]->id])
            return false;
    return true;
}

bool sgs_remove_dead(sgs_graph *g)
{
    bool changed = false;
    int *uses = calloc((size_t)g->nvalue + 1, sizeof *uses);
    if (!uses)
        abort();
    for (int i = 0; i < g->nout; i++)
        uses[g->out[i]->id]++;
    for (const sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i])
                uses[n->in[i]->id]++;
    for (sgs_node *n = g->last, *prev; n; n = prev) {
        prev = n->prev;
        if (!is_unused(n, uses))
            continue;
        for (int i = 0; i < n->nin; i++)
            if (n->in[i])
                uses[n->in[i]->id]--;
        if (n->op == &sgs_op_transpose)
            sgs_hand_names(g, n->in[0], n->out[0], ((const sgs_perm_attr *)n->attr)->perm);
        else if (n->op == &sgs_op_reshape)
            sgs_value_swallow(g, n->in[0], n->out[0]); /* a view of it */
        sgs_node_remove(g, n);
        changed = true;
    }
    free(uses);
    return changed;
}

/* ---- questions ------------------------------------------------------------------------------- */

bool sgs_used_only_by(sgs_rewriter *r, const sgs_value *v, const sgs_node *n)
{
    return sgs_only_user(r->g->users, v) == n;
}

sgs_node *sgs_only_user_of(sgs_rewriter *r, const sgs_value *v)
{
    return sgs_only_user(r->g->users, v);
}

bool sgs_only_weighed(sgs_rewriter *r, const sgs_value *v)
{
    return sgs_feeds_softmax(r->g->users, v);
}

bool sgs_used_once(sgs_rewriter *r, const sgs_value *v)
{
    return sgs_user_count(r->g->users, v) == 1;
}

bool sgs_is_graph_output(sgs_rewriter *r, const sgs_value *v)
{
    return sgs_output_count(r->g->users, v) > 0;
}

bool sgs_is_const_f32(const sgs_value *v)
{
    return v && v->constant && v->type == SGS_F32 && !v->quant;
}

bool sgs_same_dims(const sgs_value *a, const sgs_value *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]);
}

static bool has_bias(const sgs_node *n)
{
    return n->nin > 2 && n->in[2];
}

sgs_node *sgs_open_conv(sgs_rewriter *r, sgs_value *v, const sgs_node *n)
{
    sgs_node *conv = v->def;
    if (!conv || conv->op->qrule != SGS_Q_CONV)
        return NULL;
    if (((const sgs_conv_attr *)conv->attr)->act != SGS_ACT_NONE || v->quant)
        return NULL;
    if (!sgs_is_const_f32(conv->in[1]) || (has_bias(conv) && !sgs_is_const_f32(conv->in[2])))
        return NULL;
    return sgs_used_only_by(r, v, n) ? conv : NULL;
}

const float *sgs_per_channel(sgs_rewriter *r, const sgs_value *v, int64_t channels)
{
    if (!sgs_is_const_f32(v))
        return NULL;
    int64_t count = sgs_value_count(v);
    if (count == 1) {
        float *all = SGS_NEW_N(r->g->arena, float, channels);
        for (int64_t i = 0; i < channels; i++)
            all[i] = *sgs_const_f32(v);
        return all;
    }
    return v->rank && count == channels && v->dim[v->rank - 1] == channels ? sgs_const_data(v) : NULL;
}

bool sgs_keeps_order(const int64_t *perm, int rank, const int64_t *dim)
{
    int64_t last = -1;
    for (int i = 0; i < rank; i++) {
        if (dim[perm[i]] == 1)
            continue;
        if (perm[i] < last)
            return false;
        last = perm[i];
    }
    return true;
}

/* ---- changes --------------------------------------------------------------------------------- */

sgs_value *sgs_put(sgs_rewriter *r, sgs_node *before, const sgs_op *op, int nin, sgs_value *const *in, const void *attr,
                   sgs_value *out)
{
    sgs_node *n = sgs_node_new(r->g, before, op, nin, in, attr);
    sgs_users_release(r->g);
    if (out)
        sgs_node_set_out(r->g, n, 1, &out);
    sgs_status s = sgs_infer(r->g, n, r->d);
    if (s != SGS_OK)
        r->status = s;
    return s == SGS_OK ? n->out[0] : NULL;
}

sgs_value *sgs_put_transpose(sgs_rewriter *r, sgs_node *before, sgs_value *x, const int64_t *perm, sgs_value *out)
{
    sgs_perm_attr a = { .n = x->rank };
    memcpy(a.perm, perm, (size_t)x->rank * sizeof *perm);
    return sgs_put(r, before, &sgs_op_transpose, 1, &x, &a, out);
}

sgs_value *sgs_put_reshape(sgs_rewriter *r, sgs_node *before, sgs_value *x, int rank, const int64_t *dim,
                           sgs_value *out)
{
    sgs_shape_attr a = { .n = rank };
    memcpy(a.dim, dim, (size_t)rank * sizeof *dim);
    return sgs_put(r, before, &sgs_op_reshape, 1, &x, &a, out);
}

static bool is_graph_input(const sgs_graph *g, const sgs_value *v)
{
    for (int i = 0; i < g->nin; i++)
        if (g->in[i] == v)
            return true;
    return false;
}

bool sgs_forward(sgs_rewriter *r, sgs_value *old, sgs_value *now)
{
    sgs_graph *g = r->g;
    if (sgs_is_graph_output(r, old)) {
        if (now->constant || is_graph_input(g, now) || sgs_is_graph_output(r, now))
            return false;
        sgs_value_take_names(g, old, now); /* an output keeps its own name in front */
    }
    sgs_replace_uses(g, old, now);
    sgs_value_take_names(g, now, old);
    return true;
}

/* 0, last, 1, 2, ... */
static bool is_channel_first(const int64_t *perm, int rank)
{
    for (int i = 0; i < rank; i++)
        if (perm[i] != (i == 0 ? 0 : i == 1 ? rank - 1 : i - 1))
            return false;
    return true;
}

void sgs_hand_names(sgs_graph *g, sgs_value *now, sgs_value *gone, const int64_t *perm)
{
    if (is_channel_first(perm, now->rank) || (sgs_same_dims(now, gone) && sgs_keeps_order(perm, now->rank, now->dim)))
        sgs_value_take_names(g, now, gone);
    else
        sgs_value_swallow(g, now, gone);
}

/* ---- convolutions ---------------------------------------------------------------------------- */

static int64_t channels_of(const sgs_node *conv)
{
    return conv->out[0]->dim[conv->out[0]->rank - 1];
}

sgs_value *sgs_writable(sgs_rewriter *r, sgs_value *v)
{
    if (sgs_used_once(r, v) && sgs_const_is_own(r->g, v))
        return v;
    return sgs_const_new(r->g, v->type, v->rank, v->dim, sgs_const_data(v), true);
}

/* w * scale: the output channel is the first axis of the weights, of depthwise ones the last. */
static sgs_value *scaled_weights(sgs_rewriter *r, const sgs_node *conv, const double *scale)
{
    sgs_value *w = conv->in[1];
    const int64_t channels = channels_of(conv);
    const sgs_factors by = { scale, channels, conv->op == &sgs_op_depthwise || !channels ? 1 : sgs_value_count(w) / channels };
    sgs_constant *later = sgs_constant_scaled(r->g, w, &by);
    if (later) {
        w = sgs_value_like(r->g, w);
        w->constant = later;
        return w;
    }
    w = sgs_writable(r, w);
    sgs_factors_apply(&by, 0, sgs_value_count(w), (float *)(uintptr_t)sgs_const_data(w));
    return w;
}

static sgs_value *moved_bias(sgs_rewriter *r, const sgs_node *conv, const double *scale, const double *shift)
{
    int64_t channels = channels_of(conv);
    sgs_value *v = sgs_const_new(r->g, SGS_F32, 1, &channels, NULL, true);
    float *to = (float *)(uintptr_t)sgs_const_data(v);
    const float *from = has_bias(conv) ? sgs_const_data(conv->in[2]) : NULL;
    for (int64_t i = 0; i < channels; i++)
        to[i] = (float)((from ? (double)from[i] : 0.0) * (scale ? scale[i] : 1.0) + (shift ? shift[i] : 0.0));
    return v;
}

/* A changed constant goes on under the old one's names unless someone else still uses that. */
static void inherit(sgs_rewriter *r, sgs_value *now, sgs_value *old, const sgs_node *user)
{
    if (now != old && sgs_used_only_by(r, old, user))
        sgs_value_take_names(r->g, now, old);
}

bool sgs_scale_conv(sgs_rewriter *r, sgs_node *conv, const double *scale, const double *shift, sgs_value *out,
                    sgs_value *shift_source)
{
    sgs_node *last = out->def;
    sgs_value *in[3] = { conv->in[0], scale ? scaled_weights(r, conv, scale) : conv->in[1], NULL };
    bool bias = shift || has_bias(conv);
    if (bias)
        in[2] = moved_bias(r, conv, scale, shift);
    inherit(r, in[1], conv->in[1], conv);
    if (has_bias(conv))
        inherit(r, in[2], conv->in[2], conv);
    else if (shift_source)
        inherit(r, in[2], shift_source, last);
    sgs_value_swallow(r->g, out, conv->out[0]);
    sgs_put(r, last, conv->op, bias ? 3 : 2, in, conv->attr, out);
    last->prev->name = conv->name ? conv->name : last->name;
    sgs_node_remove(r->g, last);
    sgs_node_remove(r->g, conv); /* at once: a dead user would keep its constants from handing on their names */
    return true;
}
