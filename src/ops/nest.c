#include "ops/nest.h"

#include <string.h>

#include "base/strided.h"
#include "compile/lower.h"
#include "ops/util.h"

static bool is_one_walk(const sgs_nest *n, int outer, int inner)
{
    for (int k = 0; k < n->operands; k++)
        if (n->stride[k][outer] != n->stride[k][inner] * n->dim[inner])
            return false;
    return true;
}

static void set_axis(sgs_nest *n, int to, const sgs_nest *other, int from)
{
    n->dim[to] = other->dim[from];
    for (int k = 0; k < n->operands; k++)
        n->stride[k][to] = other->stride[k][from];
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
        set_axis(n, rank, n, i);
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

void sgs_nest_sort(sgs_nest *n)
{
    const sgs_nest in = *n;
    for (int i = 0; i < n->rank; i++) {
        int before = 0;
        for (int k = 0; k < n->rank; k++)
            before += in.stride[0][k] > in.stride[0][i] || (in.stride[0][k] == in.stride[0][i] && k < i);
        n->dim[before] = in.dim[i];
        for (int k = 0; k < n->operands; k++)
            n->stride[k][before] = in.stride[k][i];
    }
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

void sgs_copy_seen(sgs_tensor *out, const void *from, const int64_t *stride)
{
    sgs_strided s = { .from = from, .each = sgs_type_bytes(out->type), .rank = out->rank };
    for (int i = 0; i < out->rank; i++) {
        s.dim[i] = out->dim[i];
        s.stride[i] = stride[i];
    }
    sgs_strided_read(&s, 0, sgs_tensor_count(out), out->data);
}

/* ---- rows between axes --------------------------------------------------------------------- */

sgs_walked sgs_nest_choose(const sgs_nest *n, int64_t row, int64_t rows)
{
    sgs_walked a = { -1, -1 };
    for (int i = 0; i < n->rank; i++)
        if (n->stride[0][i] >= row * rows)
            a.n = i;
        else if (n->stride[0][i] * n->dim[i] <= row)
            a.w = i;
    return a;
}

sgs_nest sgs_nest_without(const sgs_nest *n, sgs_walked axes)
{
    sgs_nest loop = *n;
    if (axes.n >= 0)
        loop.dim[axes.n] = 1;
    if (axes.w >= 0)
        loop.dim[axes.w] = 1;
    return loop;
}

void sgs_nest_walk(const sgs_nest *n, int k, sgs_walked axes, int64_t dim[4], int64_t stride[4])
{
    const int walk[] = { axes.n, -1, axes.w };
    for (int i = 0; i < 3; i += 2)
        if (walk[i] >= 0 && n->stride[k][walk[i]]) {
            dim[i] = n->dim[walk[i]];
            stride[i] = n->stride[k][walk[i]];
        }
}

/* ---- records --------------------------------------------------------------------------------- */

static ipu_ref *refs(ipu_rec *rec)
{
    return (ipu_ref *)(void *)(rec + 1);
}

/* A record's channels lie side by side; an axis of one element stands in where they don't. */
static void end_in_channels(sgs_nest *n, const sgs_value *const *v)
{
    bool dense = true;
    for (int k = 0; k < n->operands; k++) {
        const int64_t last = n->stride[k][n->rank - 1];
        dense = dense && (last == sgs_type_bytes(v[k]->type) || (k && last == 0));
    }
    if (dense)
        return;
    for (int k = 0; k < n->operands; k++)
        n->stride[k][n->rank] = sgs_type_bytes(v[k]->type);
    n->dim[n->rank++] = 1;
}

/* The window of operand k over the last axes of the nest. */
static ipu_ref window(sgs_lowering *l, const sgs_nest *nest, int k, const sgs_value *v, int64_t off)
{
    int64_t dim[4] = { 1, 1, 1, 1 }, stride[4] = { 0 };
    for (int i = nest->rank - 1, to = 3; i >= 0 && to >= 0; i--, to--) {
        dim[to] = nest->stride[k][i] ? nest->dim[i] : 1;
        stride[to] = nest->stride[k][i];
    }
    return sgs_lower_window(l, v, off, dim, stride);
}

static sgs_status emit_outer(sgs_lowering *l, const sgs_node *n, ipu_rec *rec, const sgs_nest *nest,
                             const sgs_value *const *v, sgs_diag *d)
{
    const int outer = nest->rank > 4 ? nest->rank - 4 : 0;
    int64_t index[SGS_NEST_AXES] = { 0 }, off[SGS_NEST_OPERANDS];
    do {
        sgs_nest_at(nest, outer, index, off);
        for (int k = 0; k < nest->operands; k++)
            refs(rec)[k] = window(l, nest, k, v[k], off[k]);
        SGS_TRY(sgs_lower_emit(l, rec, n, 0, d));
    } while (sgs_next_index(index, outer, nest->dim));
    return SGS_OK;
}

sgs_status sgs_nest_emit(sgs_lowering *l, const sgs_node *n, ipu_rec *rec, const sgs_value *const *v, int operands,
                         sgs_diag *d)
{
    sgs_nest nest = { .rank = v[0]->rank, .operands = operands };
    memcpy(nest.dim, v[0]->dim, (size_t)nest.rank * sizeof *nest.dim);
    for (int k = 0; k < operands; k++)
        sgs_nest_operand(l, &nest, k, v[k]);
    if (nest.rank > 4) {
        sgs_nest_merge(&nest);
        end_in_channels(&nest, v);
        return emit_outer(l, n, rec, &nest, v, d);
    }
    for (int k = 0; k < operands; k++)
        refs(rec)[k] = sgs_lower_ref(l, v[k]);
    return sgs_lower_emit(l, rec, n, 0, d);
}
