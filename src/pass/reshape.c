/* reshape: what neither moves nor means anything goes: chains of reshapes and of transposes become one, identities none, and a
 * transpose that moves axes of one element only is a reshape.                                                                 */
#include <string.h>

#include "pass/layout.h"

static bool chain(sgs_rewriter *r, sgs_node *n)
{
    sgs_node *first = n->op == &sgs_op_reshape ? n->in[0]->def : NULL;
    if (!first || first->op != &sgs_op_reshape)
        return false;
    if (sgs_used_only_by(r, first->out[0], n))
        sgs_value_swallow(r->g, n->out[0], first->out[0]);
    n->in[0] = first->in[0];
    return true;
}

static bool identity(sgs_rewriter *r, sgs_node *n)
{
    return n->op == &sgs_op_reshape && sgs_same_dims(n->in[0], n->out[0]) && sgs_forward(r, n->out[0], n->in[0]);
}

static bool trivial(sgs_rewriter *r, sgs_node *n)
{
    if (n->op != &sgs_op_transpose || !sgs_moves_nothing(sgs_perm_of(n), n->in[0]))
        return false;
    sgs_value *y = n->out[0];
    sgs_put_reshape(r, n, n->in[0], y->rank, y->dim, y);
    n->prev->name = n->name;
    sgs_node_remove(r->g, n);
    return true;
}

sgs_status sgs_pass_reshape(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { sgs_compose_transposes, sgs_drop_identity_transpose, trivial, chain, identity, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
