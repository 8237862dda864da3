/* Nodes, and who uses what they make.
 *
 * While the graph keeps its users, each input slot of a node is linked into the list of its value: all changes of the
 * list of nodes and of their inputs are here, each in constant time for a slot. */
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "ops/op.h"

/* ---- users ----------------------------------------------------------------------------------- */

static struct sgs_used *used(sgs_users *u, const sgs_value *v)
{
    if (v->id >= u->room) {
        int room = 2 * v->id + 16;
        struct sgs_used *of = SGS_NEW_N(u->arena, struct sgs_used, room);
        if (u->room)
            memcpy(of, u->of, (size_t)u->room * sizeof *of);
        u->of = of;
        u->room = room;
    }
    return &u->of[v->id];
}

static void link_use(sgs_users *u, sgs_use *use, const sgs_value *v)
{
    struct sgs_used *to = used(u, v);
    use->prev = NULL;
    use->next = to->first;
    if (to->first)
        to->first->prev = use;
    to->first = use;
    to->nodes++;
}

static void unlink_use(sgs_users *u, sgs_use *use, const sgs_value *v)
{
    struct sgs_used *from = used(u, v);
    *(use->prev ? &use->prev->next : &from->first) = use->next;
    if (use->next)
        use->next->prev = use->prev;
    from->nodes--;
}

/* n's slots, linked. */
static sgs_use *enter(sgs_users *u, sgs_node *n)
{
    sgs_use *use = SGS_NEW_N(u->arena, sgs_use, (int64_t)n->nin + 1);
    for (int i = 0; i < n->nin; i++) {
        use[i].node = n;
        if (n->in[i])
            link_use(u, &use[i], n->in[i]);
    }
    return use;
}

static void leave(sgs_users *u, sgs_node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i])
            unlink_use(u, &n->use[i], n->in[i]);
    n->use = NULL;
}

static sgs_users *count(sgs_graph *g, sgs_arena *a, bool keep)
{
    sgs_users *u = SGS_NEW(a, sgs_users);
    u->arena = a;
    u->room = g->nvalue;
    u->of = SGS_NEW_N(a, struct sgs_used, (int64_t)g->nvalue + 1);
    for (int i = 0; i < g->nout; i++)
        u->of[g->out[i]->id].outputs++;
    for (sgs_node *n = g->last; n; n = n->prev) {
        sgs_use *use = enter(u, n);
        if (keep)
            n->use = use;
    }
    return u;
}

sgs_users *sgs_users_of(sgs_graph *g, sgs_arena *a)
{
    return count(g, a, false);
}

bool sgs_users_keep(sgs_graph *g)
{
    if (g->users)
        return false;
    sgs_arena *a = sgs_arena_new();
    if (!a)
        abort();
    g->users = count(g, a, true);
    return true;
}

void sgs_users_forget(sgs_graph *g)
{
    if (!g->users)
        return;
    for (sgs_node *n = g->first; n; n = n->next)
        n->use = NULL;
    sgs_arena *a = g->users->arena;
    g->users = NULL;
    sgs_arena_free(a);
}

void sgs_users_hold(sgs_graph *g, bool on)
{
    g->users->holds = on;
}

void sgs_users_release(sgs_graph *g)
{
    for (sgs_node *n = g->users->gone, *next; n; n = next) {
        next = n->next;
        n->next = NULL;
        leave(g->users, n);
    }
    g->users->gone = NULL;
}

static struct sgs_used use_of(const sgs_users *u, const sgs_value *v)
{
    return v->id < u->room ? u->of[v->id] : (struct sgs_used){ 0 };
}

sgs_use *sgs_first_use(const sgs_users *u, const sgs_value *v)
{
    return use_of(u, v).first;
}

int sgs_output_count(const sgs_users *u, const sgs_value *v)
{
    return use_of(u, v).outputs;
}

int sgs_user_count(const sgs_users *u, const sgs_value *v)
{
    return use_of(u, v).nodes + use_of(u, v).outputs;
}

sgs_node *sgs_only_user(const sgs_users *u, const sgs_value *v)
{
    struct sgs_used use = use_of(u, v);
    return use.nodes == 1 && !use.outputs ? use.first->node : NULL;
}

static bool is_output(const sgs_graph *g, const sgs_value *v)
{
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] == v)
            return true;
    return false;
}

static bool reads(const sgs_node *n, const sgs_value *v)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v)
            return true;
    return false;
}

bool sgs_has_other_user(const sgs_graph *g, const sgs_value *v, const sgs_node *n)
{
    if (is_output(g, v))
        return true;
    if (g->users) {
        const sgs_use *use = sgs_first_use(g->users, v);
        while (use && use->node == n)
            use = use->next;
        return use != NULL;
    }
    for (const sgs_node *other = g->first; other; other = other->next)
        if (other != n && reads(other, v))
            return true;
    return false;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void link_before(sgs_graph *g, sgs_node *n, sgs_node *before)
{
    n->next = before;
    n->prev = before ? before->prev : g->last;
    *(n->prev ? &n->prev->next : &g->first) = n;
    *(before ? &before->prev : &g->last) = n;
}

sgs_node *sgs_node_new(sgs_graph *g, sgs_node *before, const sgs_op *op, int nin, sgs_value *const *in,
                       const void *attr)
{
    sgs_node *n = SGS_NEW(g->arena, sgs_node);
    n->op = op;
    n->nin = nin;
    n->in = SGS_NEW_N(g->arena, sgs_value *, nin ? nin : 1);
    if (nin)
        memcpy(n->in, in, (size_t)nin * sizeof *in);
    if (op->attr_bytes) {
        n->attr = sgs_alloc(g->arena, op->attr_bytes);
        if (attr)
            memcpy(n->attr, attr, op->attr_bytes);
    }
    link_before(g, n, before);
    if (g->users)
        n->use = enter(g->users, n);
    return n;
}

void sgs_node_set_out(sgs_graph *g, sgs_node *n, int nout, sgs_value *const *out)
{
    n->nout = nout;
    n->out = SGS_NEW_N(g->arena, sgs_value *, nout ? nout : 1);
    for (int i = 0; i < nout; i++) {
        n->out[i] = out[i];
        out[i]->def = n;
    }
}

void sgs_node_set_in(sgs_graph *g, sgs_node *n, int i, sgs_value *v)
{
    if (g->users && n->in[i])
        unlink_use(g->users, &n->use[i], n->in[i]);
    n->in[i] = v;
    if (g->users && v)
        link_use(g->users, &n->use[i], v);
}

void sgs_node_remove(sgs_graph *g, sgs_node *n)
{
    *(n->prev ? &n->prev->next : &g->first) = n->next;
    *(n->next ? &n->next->prev : &g->last) = n->prev;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]->def == n)
            n->out[i]->def = NULL;
    n->next = NULL;
    if (g->users && g->users->holds) {
        n->next = g->users->gone;
        g->users->gone = n;
    } else if (g->users) {
        leave(g->users, n);
    }
}

static void replace_in_nodes(sgs_graph *g, const sgs_value *old, sgs_value *now)
{
    for (sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] == old)
                n->in[i] = now;
}

static void replace_kept(sgs_graph *g, const sgs_value *old, sgs_value *now)
{
    for (sgs_use *use = sgs_first_use(g->users, old); use; use = sgs_first_use(g->users, old))
        sgs_node_set_in(g, use->node, (int)(use - use->node->use), now);
    const int outputs = sgs_output_count(g->users, old);
    used(g->users, old)->outputs = 0;
    used(g->users, now)->outputs += outputs;
}

void sgs_replace_uses(sgs_graph *g, sgs_value *old, sgs_value *now)
{
    if (old == now)
        return;
    if (g->users)
        replace_kept(g, old, now);
    else
        replace_in_nodes(g, old, now);
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] == old)
            g->out[i] = now;
}
