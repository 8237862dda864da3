/* Comparisons whose result is known because every number on the board is finite: a number equals itself, none is
 * infinite.  What depends on such results alone is known too. */
#include <math.h>
#include <string.h>

#include "quant/quantize.h"

static bool is_output(const sgs_graph *g, const sgs_value *v)
{
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] == v)
            return true;
    return false;
}

static bool is_infinite(const sgs_value *c)
{
    for (int64_t i = 0; c->constant && c->type == SGS_F32 && i < sgs_value_count(c); i++)
        if (!isinf(sgs_const_f32(c)[i]))
            return false;
    return c->constant && c->type == SGS_F32;
}

/* The operand of n that no finite number equals, or -1. */
static int infinite_side(const sgs_node *n)
{
    return n->op != &sgs_op_equal ? -1 : is_infinite(n->in[1]) ? 1 : is_infinite(n->in[0]) ? 0 : -1;
}

static void set_known(sgs_graph *g, sgs_node *n, bool truth)
{
    sgs_value *y = n->out[0];
    const int64_t count = sgs_value_count(y);
    uint8_t *data = sgs_alloc_n(g->arena, (size_t)count + 1, 1);
    memset(data, truth, (size_t)count);
    y->constant = sgs_constant_new(g->arena, data);
    sgs_node_remove(g, n);
}

static bool has_shape_of_result(const sgs_node *n, int i)
{
    const sgs_value *x = n->in[i], *y = n->out[0];
    return x->rank == y->rank && sgs_value_count(x) == sgs_value_count(y);
}

/* An output is made by a node: of nothing that is less than itself. */
static void set_never(sgs_graph *g, sgs_node *n, int infinite)
{
    sgs_value **in = SGS_NEW_N(g->arena, sgs_value *, 2);
    in[0] = in[1] = n->in[1 - infinite];
    n->op = &sgs_op_less;
    n->in = in;
}

static bool is_read(const sgs_graph *g, const sgs_value *v)
{
    for (const sgs_node *n = v->def->next; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] == v)
                return true;
    return is_output(g, v);
}

/* What only such comparisons read. */
static void remove_unread(sgs_graph *g)
{
    for (sgs_node *n = g->last, *prev; n; n = prev) {
        prev = n->prev;
        if (n->nout == 1 && !is_read(g, n->out[0]))
            sgs_node_remove(g, n);
    }
}

sgs_status sgs_know_finite(sgs_graph *g, sgs_diag *d)
{
    bool any = false;
    for (sgs_node *n = g->first, *next; n; n = next) {
        const int infinite = infinite_side(n);
        const bool itself = n->op == &sgs_op_equal && n->in[0] == n->in[1], output = is_output(g, n->out[0]);
        bool folded = false;
        next = n->next;
        if (output && infinite >= 0 && has_shape_of_result(n, 1 - infinite))
            set_never(g, n, infinite);
        else if (!output && (itself || infinite >= 0))
            set_known(g, n, itself && infinite < 0), any = true;
        else if (any)
            SGS_TRY(sgs_fold_node(g, n, &folded, d));
    }
    if (any)
        remove_unread(g);
    return SGS_OK;
}
