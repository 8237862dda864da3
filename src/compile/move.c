/* Movement as COPY records: any axes of x walked in any order, at any pace, some of them not at all. */
#include <string.h>

#include "compile/place.h"
#include "ops/util.h"

void sgs_move_whole(sgs_move *m, const sgs_value *y, const sgs_value *x)
{
    *m = (sgs_move){ .y = y, .x = x };
    for (int i = 0; i < y->rank; i++) {
        m->count[i] = y->dim[i];
        m->axis[i] = i;
        m->step[i] = 1;
    }
}

/* Byte offsets of the first elements, and the walk from there; operand 0 is y. */
static void walk(sgs_lowering *l, const sgs_move *m, sgs_nest *nest, int64_t off[2])
{
    int64_t y[SGS_MAX_RANK], x[SGS_MAX_RANK];
    sgs_lower_strides(l, m->y, y);
    sgs_lower_strides(l, m->x, x);
    off[0] = off[1] = 0;
    *nest = (sgs_nest){ .rank = m->y->rank, .operands = 2 };
    for (int i = 0; i < m->x->rank; i++)
        off[1] += m->from[i] * x[i];
    for (int i = 0; i < nest->rank; i++) {
        off[0] += m->to[i] * y[i];
        nest->dim[i] = m->count[i];
        nest->stride[0][i] = y[i];
        nest->stride[1][i] = m->axis[i] < 0 ? 0 : x[m->axis[i]] * m->step[i];
    }
}

/* Axes that x walks backwards go in front, where each index is a record of its own: a window has no negative strides.
 */
static int backward_first(sgs_nest *n)
{
    sgs_nest in = *n;
    int to = 0, backward = 0;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < in.rank; i++) {
            if ((in.stride[1][i] < 0) != (turn == 0))
                continue;
            n->dim[to] = in.dim[i];
            n->stride[0][to] = in.stride[0][i];
            n->stride[1][to++] = in.stride[1][i];
        }
        backward = turn ? backward : to;
    }
    return backward;
}

/* A record's channels lie side by side in y; an axis of one element stands in where they don't. */
static void end_in_channels(sgs_nest *n, int64_t each)
{
    if (n->stride[0][n->rank - 1] == each && n->stride[1][n->rank - 1] >= 0)
        return;
    n->dim[n->rank] = 1;
    n->stride[0][n->rank] = n->stride[1][n->rank] = each;
    n->rank++;
}

/* Of one operand: its window over the axes behind the outer ones. */
static ipu_ref window(sgs_lowering *l, sgs_type t, const sgs_nest *n, int k, const sgs_place *at, int64_t off,
                      int outer)
{
    int64_t dim[4] = { 1, 1, 1, 1 }, stride[4] = { 0 };
    for (int i = n->rank - 1, to = 3; i >= outer; i--, to--) {
        dim[to] = n->dim[i];
        stride[to] = n->stride[k][i];
    }
    return sgs_place_ref(l, t, at->buffer, at->off + off, dim, stride);
}

sgs_status sgs_place_copy(sgs_lowering *l, const sgs_node *n, sgs_type t, const sgs_place *to, const sgs_place *from,
                          const sgs_nest *over, sgs_diag *d)
{
    sgs_nest nest = *over;
    int64_t index[SGS_NEST_AXES] = { 0 }, off[SGS_NEST_OPERANDS];
    sgs_nest_merge(&nest);
    int backward = backward_first(&nest);
    end_in_channels(&nest, sgs_type_bytes(t));
    int outer = nest.rank - 4 > backward ? nest.rank - 4 : backward;
    do {
        sgs_nest_at(&nest, outer, index, off);
        ipu_ref y = window(l, t, &nest, 0, to, off[0], outer), x = window(l, t, &nest, 1, from, off[1], outer);
        SGS_TRY(sgs_lower_copy(l, &y, &x, n, d));
    } while (sgs_next_index(index, outer, nest.dim));
    return SGS_OK;
}

sgs_status sgs_lower_move(sgs_lowering *l, const sgs_node *n, const sgs_move *m, sgs_diag *d)
{
    sgs_nest nest;
    int64_t start[2];
    walk(l, m, &nest, start);
    sgs_place y = *sgs_place_of(l, m->y), x = *sgs_place_of(l, m->x);
    y.off += start[0];
    x.off += start[1];
    return sgs_place_copy(l, n, m->y->type, &y, &x, &nest, d);
}

sgs_status sgs_lower_walk(sgs_lowering *l, const sgs_node *n, const sgs_nest *over, sgs_diag *d)
{
    const sgs_value *y = n->out[0];
    return sgs_place_copy(l, n, y->type, sgs_place_of(l, y), sgs_place_of(l, n->in[0]), over, d);
}
