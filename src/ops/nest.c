#include "ops/nest.h"

#include <string.h>

#include "compile/lower.h"
#include "ops/util.h"

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

/* n elements, of which those read lie `stride` bytes apart. */
static void copy_row(char *to, const char *from, int64_t stride, int64_t n, int bytes)
{
    if (stride == bytes) {
        memcpy(to, from, (size_t)(n * bytes));
        return;
    }
    for (int64_t i = 0; i < n; i++, to += bytes, from += stride)
        switch (bytes) {
        case 1:
            *to = *from;
            break;
        case 2:
            memcpy(to, from, 2);
            break;
        case 4:
            memcpy(to, from, 4);
            break;
        default:
            memcpy(to, from, 8);
            break;
        }
}

void sgs_copy_seen(sgs_tensor *out, const void *from, const int64_t *stride)
{
    const int bytes = sgs_type_bytes(out->type);
    sgs_nest n = { .rank = out->rank, .operands = 2 };
    int64_t index[SGS_NEST_AXES] = { 0 }, off[SGS_NEST_OPERANDS];
    if (!sgs_tensor_count(out))
        return;
    sgs_dense_strides(out->rank, out->dim, bytes, n.stride[0]);
    for (int i = 0; i < out->rank; i++) {
        n.dim[i] = out->dim[i];
        n.stride[1][i] = stride[i];
    }
    sgs_nest_merge(&n);
    int last = n.rank - 1;
    do {
        sgs_nest_at(&n, last, index, off);
        copy_row((char *)out->data + off[0], (const char *)from + off[1], n.stride[1][last], n.dim[last], bytes);
    } while (sgs_next_index(index, last, n.dim));
}
