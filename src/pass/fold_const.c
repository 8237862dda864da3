/* fold-const: constants in, constants out.  dead: what nobody uses goes. */
#include "pass/rewrite.h"

sgs_status sgs_pass_fold_const(sgs_graph *g, bool *changed, sgs_diag *d)
{
    for (sgs_node *n = g->first, *next; n; n = next) {
        bool folded;
        next = n->next;
        SGS_TRY(sgs_fold_node(g, n, &folded, d));
        *changed |= folded;
        sgs_graph_collect(g);
    }
    return SGS_OK;
}

sgs_status sgs_pass_dead(sgs_graph *g, bool *changed, sgs_diag *d)
{
    *changed |= sgs_remove_dead(g);
    return SGS_OK;
}
