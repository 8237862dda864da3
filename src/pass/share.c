/* share: of nodes that compute the same from the same, the first serves for all. */
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
    return m->op == n->op && m->nin == n->nin && n->nout == 1 && !memcmp(m->in, n->in, (size_t)n->nin * sizeof *n->in) &&
           m->out[0]->type == n->out[0]->type && same_attrs(m, n);
}

/* Users stand in the order of the list, so that all before n are done before it. */
static bool share(sgs_rewriter *r, sgs_node *n)
{
    const sgs_value *x = n->nin ? n->in[0] : NULL;
    if (!x || sgs_used_once(r, x)) /* which counts the users */
        return false;
    for (int i = r->users->first[x->id]; r->users->node[i] != n; i++)
        if (same(r->users->node[i], n))
            return sgs_forward(r, n->out[0], r->users->node[i]->out[0]);
    return false;
}

sgs_status sgs_pass_share(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { share, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
