/* Integer inputs of a model: on the board their numbers go in as they are, with scale 1 and zero point 0.  An integer
 * tensor and its conversion to float then hold the same integers, so the conversion goes, and what moves integers about
 * before it moves them as before. */
#include <string.h>

#include "quant/quantize.h"

typedef struct integers {
    sgs_graph *g;
    bool *is; /* by value id: integers that come from an input */
} integers;

static bool to_real(const sgs_node *n)
{
    return n->op == &sgs_op_cast && n->out[0]->type == SGS_F32;
}

/* Those that are moved. */
static int integer_inputs(const integers *w, const sgs_node *n)
{
    int found = 0;
    for (int i = 0; i < n->nin; i++)
        found += n->in[i] && w->is[n->in[i]->id];
    return found;
}

static bool counts(const integers *w, const sgs_node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && w->is[n->in[i]->id] && sgs_takes_indices(n, i))
            return true;
    return false;
}

/* Follows the integers of the inputs; false where one meets an operator that needs integers as such. */
static bool follow(integers *w)
{
    for (int i = 0; i < w->g->nin; i++)
        w->is[w->g->in[i]->id] = w->g->in[i]->type != SGS_F32;
    for (const sgs_node *n = w->g->first; n; n = n->next) {
        const int found = integer_inputs(w, n);
        if (!found || to_real(n))
            continue;
        if (n->op->qrule != SGS_Q_MOVE || found != n->nin || counts(w, n))
            return false;
        w->is[n->out[0]->id] = true;
    }
    return true;
}

static void drop(integers *w, sgs_range *range, sgs_node *n)
{
    sgs_value *x = n->in[0], *y = n->out[0];
    range[x->id] = range[y->id]; /* no other has looked at integers */
    sgs_replace_uses(w->g, y, x);
    sgs_value_take_names(w->g, x, y);
    sgs_node_remove(w->g, n);
}

void sgs_integers_as_real(sgs_graph *g, sgs_range *range)
{
    integers w = { .g = g, .is = SGS_NEW_N(g->arena, bool, g->nvalue + 1) };
    if (!follow(&w))
        return; /* whatever needs them has a rule of its own, or is refused by name */
    for (sgs_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (to_real(n) && w.is[n->in[0]->id])
            drop(&w, range, n);
    }
    for (int i = 0; i < g->nin; i++)
        if (w.is[g->in[i]->id])
            g->in[i]->type = SGS_F32;
    for (sgs_node *n = g->first; n; n = n->next)
        if (w.is[n->out[0]->id])
            n->out[0]->type = SGS_F32;
}
