#include "ops/nest.h"

#include "compile/lower.h"

static bool is_one_walk(const sgs_nest *n, int outer, int inner)
{
    for (int k = 0; k < n->operands; k++)
        if (n->stride[k][outer] != n->stride[k][inner] * n->dim[inner])
            return false;
    return true;
}

static void set_axis(sgs_nest *n, int to, int from)
{
    n->dim[to] = n->dim[from];
    for (int k = 0; k < n->operands; k++)
        n->stride[k][to] = n->stride[k][from];
}

void sgs_nest_merge(sgs_nest *n)
{
    int rank = 0;
    for (int i = 0; i < n->rank; i++) {
        if (n->dim[i] == 1)
            continue;
        int64_t outer = 1;
        if (rank && is_one_walk(n, rank - 1, i))
            outer = n->dim[--rank];
        set_axis(n, rank, i);
        n->dim[rank++] *= outer;
    }
    if (!rank) {
        n->dim[rank] = 1;
        for (int k = 0; k < n->operands; k++)
            n->stride[k][rank] = 0;
        rank++;
    }
    n->rank = rank;
}

void sgs_nest_at(const sgs_nest *n, int axes, const int64_t *index, int64_t off[SGS_NEST_OPERANDS])
{
    for (int k = 0; k < n->operands; k++) {
        off[k] = 0;
        for (int i = 0; i < axes; i++)
            off[k] += index[i] * n->stride[k][i];
    }
}

void sgs_nest_operand(sgs_lowering *l, sgs_nest *n, int k, const sgs_value *v)
{
    int64_t stride[SGS_MAX_RANK];
    sgs_lower_strides(l, v, stride);
    for (int i = 0; i < n->rank; i++) {
        int own = i - (n->rank - v->rank);
        n->stride[k][i] = own >= 0 && v->dim[own] == n->dim[i] ? stride[own] : 0;
    }
}
