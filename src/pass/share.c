/* share: of nodes that compute the same from the same, the first serves for all. */
#include <stdlib.h>
#include <string.h>

#include "pass/rewrite.h"

static bool same_list(const sgs_attr *a, const char *x, const char *y)
{
    const int64_t n = a->count_offset == SGS_ALL ? a->max : *(const int64_t *)(x + a->count_offset);
    if (a->count_offset != SGS_ALL && n != *(const int64_t *)(y + a->count_offset))
        return false;
    return !memcmp(x + a->offset, y + a->offset, (size_t)n * sizeof(int64_t));
}

static bool same_attrs(const sgs_node *m, const sgs_node *n)
{
    const char *x = m->attr, *y = n->attr;
    for (const sgs_attr *a = m->op->attr; a && a->name; a++) {
        const size_t bytes = a->kind == SGS_ATTR_FLOAT ? sizeof(float) : sizeof(int64_t);
        if (a->kind == SGS_ATTR_INTS ? !same_list(a, x, y) : memcmp(x + a->offset, y + a->offset, bytes) != 0)
            return false;
    }
    return true;
}

static bool same(const sgs_node *m, const sgs_node *n)
{
    return m->op == n->op && m->nin == n->nin && n->nout == 1 &&
           !memcmp(m->in, n->in, (size_t)n->nin * sizeof *n->in) && m->out[0]->type == n->out[0]->type &&
           same_attrs(m, n);
}

/* ---- the first of each kind ------------------------------------------------------------------ */

static uint64_t mixed(uint64_t h, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

/* Equal for nodes that are the same. */
static uint64_t hash(const sgs_node *n)
{
    const char *x = n->attr;
    uint64_t h = mixed(0xcbf29ce484222325u, n->op->name, strlen(n->op->name));
    for (int i = 0; i < n->nin; i++)
        h = mixed(h, n->in[i] ? &n->in[i]->id : &(int){ -1 }, sizeof(int));
    for (const sgs_attr *a = n->op->attr; a && a->name; a++) {
        const int64_t count = a->kind != SGS_ATTR_INTS     ? 1
                              : a->count_offset == SGS_ALL ? a->max
                                                           : *(const int64_t *)(x + a->count_offset);
        h = mixed(h, x + a->offset, (size_t)count * (a->kind == SGS_ATTR_FLOAT ? sizeof(float) : sizeof(int64_t)));
    }
    return h;
}

/* Nodes by what they compute: open addressing, less than half full. */
typedef struct firsts {
    sgs_node **at;
    uint64_t mask;
} firsts;

static firsts room_for(const sgs_graph *g)
{
    uint64_t nodes = 1, cap = 16;
    for (const sgs_node *n = g->first; n; n = n->next)
        nodes++;
    while (cap < 2 * nodes)
        cap *= 2;
    firsts f = { calloc(cap, sizeof(sgs_node *)), cap - 1 };
    if (!f.at)
        abort();
    return f;
}

/* The first node that is the same as n: n itself, which is kept for those to come, when there was none. */
static sgs_node *first_of(firsts *f, sgs_node *n)
{
    uint64_t i = hash(n) & f->mask;
    while (f->at[i] && !same(f->at[i], n))
        i = (i + 1) & f->mask;
    if (!f->at[i])
        f->at[i] = n;
    return f->at[i];
}

/* One walk is enough: what a node is made from is shared before it. */
static bool share(sgs_rewriter *r)
{
    bool changed = false;
    firsts f = room_for(r->g);
    for (sgs_node *n = r->g->first; n; n = n->next) {
        sgs_node *first = n->nin && n->in[0] && n->nout == 1 ? first_of(&f, n) : n;
        changed |= first != n && sgs_forward(r, n->out[0], first->out[0]);
    }
    free(f.at);
    return changed;
}

sgs_status sgs_pass_share(sgs_graph *g, bool *changed, sgs_diag *d)
{
    sgs_rewriter r = { .g = g, .d = d };
    const bool mine = sgs_users_keep(g);
    if (share(&r)) {
        sgs_remove_dead(g);
        *changed = true;
    }
    if (mine)
        sgs_users_forget(g);
    return SGS_OK;
}
