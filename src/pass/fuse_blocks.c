/* fuse-blocks: channels taken apart, moved and put together again (reshape, transpose, reshape) so that they become
 * blocks of pixels, or blocks of pixels channels: depth_to_space, space_to_depth. */
#include <string.h>

#include "ops/nest.h"
#include "ops/util.h"
#include "pass/rewrite.h"

/* Elements of y in their order, and where they lie in x: reshape, transpose, reshape. */
static sgs_nest walk_of(const sgs_node *transpose)
{
    const sgs_perm_attr *a = transpose->attr;
    const sgs_value *from = transpose->in[0], *to = transpose->out[0];
    int64_t x[SGS_MAX_RANK], y[SGS_MAX_RANK];
    sgs_nest nest = { .rank = to->rank, .operands = 2 };
    sgs_dense_strides(from->rank, from->dim, 1, x);
    sgs_dense_strides(to->rank, to->dim, 1, y);
    for (int i = 0; i < to->rank; i++) {
        nest.dim[i] = to->dim[i];
        nest.stride[0][i] = y[i];
        nest.stride[1][i] = x[a->perm[i]];
    }
    sgs_nest_merge(&nest);
    return nest;
}

static bool same_walk(const sgs_nest *a, const sgs_nest *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; i < a->rank && same; i++)
        same = a->dim[i] == b->dim[i] && a->stride[0][i] == b->stride[0][i] && a->stride[1][i] == b->stride[1][i];
    return same;
}

#define MOST 256 /* block: its square times any dimension fits 64 bits */

/* Which of the two x -> y could be, with which block; NULL: neither. */
static const sgs_op *candidate(const sgs_value *x, const sgs_value *y, int64_t *block)
{
    const bool opens = y->rank == 4 && x->rank == 4 && y->dim[1] > x->dim[1];
    const sgs_value *large = opens ? y : x, *deep = opens ? x : y;
    if (x->rank != 4 || y->rank != 4 || x->dim[0] != y->dim[0] || deep->dim[1] < 1)
        return NULL;
    *block = large->dim[1] / deep->dim[1];
    const bool fits = *block > 1 && *block <= MOST && deep->dim[1] * *block == large->dim[1] &&
                      deep->dim[2] * *block == large->dim[2] && large->dim[3] * *block * *block == deep->dim[3];
    return !fits ? NULL : opens ? &sgs_op_depth_to_space : &sgs_op_space_to_depth;
}

/* reshape, transpose, reshape; perhaps a transpose to channel-last, which then ends the chain. */
typedef struct chain {
    sgs_node *first, *move, *second, *last; /* last: second, or that transpose */
} chain;

static sgs_node *before(sgs_rewriter *r, const sgs_node *n, const sgs_op *op)
{
    sgs_node *def = n->in[0]->def;
    return def && def->op == op && sgs_used_only_by(r, n->in[0], n) ? def : NULL;
}

static bool to_channel_last(const sgs_node *n)
{
    static const int64_t last[] = { 0, 2, 3, 1 };
    const sgs_perm_attr *a = n->attr;
    return n->op == &sgs_op_transpose && a->n == 4 && !memcmp(a->perm, last, sizeof last);
}

static bool find_chain(sgs_rewriter *r, sgs_node *n, chain *c)
{
    *c = (chain){ .last = n };
    c->second = to_channel_last(n) ? before(r, n, &sgs_op_reshape) : n->op == &sgs_op_reshape ? n : NULL;
    c->move = c->second ? before(r, c->second, &sgs_op_transpose) : NULL;
    c->first = c->move ? before(r, c->move, &sgs_op_reshape) : NULL;
    return c->first != NULL;
}

/* What the operator would do to the elements of the chain's reshapes. */
static sgs_nest walk_as(const sgs_op *op, const sgs_blocks_attr *a, const chain *c)
{
    const sgs_value *x = c->first->in[0], *y = c->second->out[0];
    int64_t xs[SGS_MAX_RANK], ys[SGS_MAX_RANK];
    sgs_dense_strides(4, x->dim, 1, xs);
    sgs_dense_strides(4, y->dim, 1, ys);
    const int64_t turned[] = { ys[0], ys[2], ys[3], ys[1] };
    sgs_nest nest = sgs_blocks_walk(op, a, x->dim, c->last == c->second ? ys : turned, xs);
    sgs_nest_sort(&nest);
    sgs_nest_merge(&nest);
    return nest;
}

static void replace(sgs_rewriter *r, const chain *c, const sgs_op *op, const sgs_blocks_attr *a)
{
    static const int64_t first[] = { 0, 3, 1, 2 };
    sgs_value *y = c->last->out[0], *x = c->first->in[0];
    if (c->last != c->second)
        sgs_hand_names(r->g, y, c->second->out[0], first);
    sgs_value_swallow(r->g, y, c->first->out[0]);
    sgs_value_swallow(r->g, y, c->move->out[0]);
    sgs_put(r, c->last, op, 1, &x, a, y);
    c->last->prev->name = c->move->name;
    sgs_node_remove(r->g, c->last);
}

static bool fuse_blocks(sgs_rewriter *r, sgs_node *n)
{
    chain c;
    sgs_blocks_attr a = { 0 };
    if (!find_chain(r, n, &c))
        return false;
    const sgs_op *op = candidate(c.first->in[0], n->out[0], &a.block);
    if (!op)
        return false;
    const sgs_nest found = walk_of(c.move);
    for (; a.order < 2; a.order++) {
        const sgs_nest nest = walk_as(op, &a, &c);
        if (same_walk(&nest, &found)) {
            replace(r, &c, op, &a);
            return true;
        }
    }
    return false;
}

sgs_status sgs_pass_fuse_blocks(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { fuse_blocks, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
