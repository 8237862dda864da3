/* reshape: chains of reshapes become one, and one to the same dims none. */
#include "pass/rewrite.h"

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

sgs_status sgs_pass_reshape(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { chain, identity, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
