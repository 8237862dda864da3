/* reshape: chains of reshapes become one, and one to the same dims none. */
#include "pass/rewrite.h"

/* A reshape that only moves a lone channel axis to the front, or to the back: a transpose in disguise. */
static bool was_transpose(const sgs_node *n, int64_t perm[4])
{
    static const int64_t first[4] = { 0, 3, 1, 2 };
    const sgs_value *x = n->in[0], *y = n->out[0];
    if (x->rank != 4 || y->rank != 4 || !sgs_keeps_order(first, 4, x->dim))
        return false;
    for (int i = 0; i < 4; i++) {
        perm[i] = first[i];
        if (y->dim[i] != x->dim[first[i]])
            return false;
    }
    return true;
}

static bool chain(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *first = n->op == &sgs_op_reshape ? n->in[0]->def : NULL;
    if (!first || first->op != &sgs_op_reshape)
        return false;
    int64_t perm[4];
    if (was_transpose(first, perm))
        sgs_hand_names(r->g, first->in[0], first->out[0], perm);
    else if (sgs_used_only_by(r, first->out[0], n))
        sgs_value_swallow(r->g, n->out[0], first->out[0]);
    sgs_node_set_in(r->g, n, 0, first->in[0]);
    return true;
}

static bool identity(sgs_rewriter *r, sgs_node *n)
{
    return n->op == &sgs_op_reshape && sgs_same_dims(n->in[0], n->out[0]) && sgs_forward(r, n->out[0], n->in[0]);
}

sgs_status sgs_pass_reshape(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { chain, identity, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
