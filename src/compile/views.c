/* Data that only moves.  Where it can, a result is a window of its input's buffer, or the input lies in a window of the
 * result's, and nothing happens; else it is copied. */
#include <string.h>

#include "compile/place.h"
#include "ops/util.h"

/* Operators take windows that are walked forwards, whose channels lie side by side and whose axes before the last three
 * are walked as one. */
static bool is_operand(const sgs_value *v, const sgs_place *at)
{
    int64_t n = 1, img = 0;
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] != 1 && at->stride[i] < 0)
            return false;
    if (v->rank && v->dim[v->rank - 1] != 1 && at->stride[v->rank - 1] != sgs_type_bytes(v->type))
        return false;
    for (int i = v->rank - 4; i >= 0; i--) {
        if (v->dim[i] == 1)
            continue;
        if (n != 1 && at->stride[i] != n * img)
            return false;
        img = n == 1 ? at->stride[i] : img;
        n *= v->dim[i];
    }
    return true;
}

/* v may be made where `at` says. */
static bool may_lie(const sgs_lowering *l, const sgs_value *v, const sgs_place *at)
{
    if (!sgs_placeable(l, v) || !is_operand(v, at))
        return false;
    const sgs_place dense = sgs_place_dense(v, at->buffer, at->off);
    return !v->def->op->dense || !v->def->op->dense(v->def) || sgs_place_same(v, at, &dense);
}

/* v's elements from one place of v to another. */
static sgs_status copy_between(sgs_lowering *l, const sgs_node *layer, const sgs_value *v, const sgs_place *to,
                               const sgs_place *from, sgs_diag *d)
{
    sgs_nest n = { .rank = v->rank, .operands = 2 };
    for (int i = 0; i < v->rank; i++) {
        n.dim[i] = v->dim[i];
        n.stride[0][i] = to->stride[i];
        n.stride[1][i] = from->stride[i];
    }
    return sgs_place_copy(l, layer, v->type, to, from, &n, d);
}

/* y is its input seen with other strides: as a view if it may, else as a copy. */
static sgs_status see(sgs_lowering *l, const sgs_node *n, const sgs_value *y, const sgs_place *view, sgs_diag *d)
{
    sgs_place *at = l->at + y->id;
    if (!at->set && !l->plain && view->buffer != SGS_CONSTANTS && is_operand(y, view)) {
        *at = *view;
        return SGS_OK;
    }
    if (sgs_place_same(y, at, view))
        return SGS_OK;
    return copy_between(l, n, y, sgs_place_of(l, y), view, d);
}

sgs_status sgs_lower_seen(sgs_lowering *l, const sgs_node *n, int64_t off, const int64_t *stride, sgs_diag *d)
{
    sgs_place view = *sgs_place_of(l, n->in[0]);
    view.off += off;
    memcpy(view.stride, stride, (size_t)n->out[0]->rank * sizeof *stride);
    return see(l, n, n->out[0], &view, d);
}

/* ---- concatenation ----------------------------------------------------------------------------------------------- */

/* The window of input i in the result's place. */
static sgs_place part_of(sgs_lowering *l, const sgs_node *n, int i)
{
    sgs_place at = *sgs_place_of(l, n->out[0]);
    int64_t axis = ((const sgs_axis_attr *)n->attr)->axis;
    for (int j = 0; j < i; j++)
        at.off += n->in[j]->dim[axis] * at.stride[axis];
    return at;
}

static void place_parts(sgs_lowering *l, const sgs_node *n)
{
    for (int i = 0; i < n->nin; i++) {
        sgs_place part = part_of(l, n, i);
        if (may_lie(l, n->in[i], &part))
            l->at[n->in[i]->id] = part;
    }
}

sgs_status sgs_lower_concat(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    for (int i = 0; i < n->nin; i++) {
        sgs_place part = part_of(l, n, i), *from = sgs_place_of(l, n->in[i]);
        if (!sgs_place_same(n->in[i], from, &part))
            SGS_TRY(copy_between(l, n, n->in[i], &part, from, d));
    }
    return SGS_OK;
}

/* ---- reshape ----------------------------------------------------------------------------------------------------- */

/* Axes [first, end) of v walked as one: the stride of the last of more than one element; 0: they have gaps. */
static int64_t one_walk(const sgs_value *v, const sgs_place *at, int first, int end)
{
    int64_t stride = 0, count = 1;
    for (int i = end - 1; i >= first; i--) {
        if (v->dim[i] == 1)
            continue;
        if (stride && at->stride[i] != stride * count)
            return 0;
        stride = stride ? stride : at->stride[i];
        count *= v->dim[i];
    }
    return stride;
}

/* How y's dims are walked where v lies, y being v reshaped; false: gaps are in the way. */
static bool reshaped(const sgs_value *v, const sgs_place *at, const sgs_value *y, sgs_place *out)
{
    *out = sgs_place_dense(y, at->buffer, at->off);
    for (int i = 0, k = 0; k < y->rank;) {
        int from = i, to = k;
        int64_t a = 1, b = 1;
        do { /* the smallest number of axes of both that hold the same elements */
            if (a <= b && i < v->rank)
                a *= v->dim[i++];
            else
                b *= y->dim[k++];
        } while (a != b && (i < v->rank || k < y->rank));
        int64_t stride = one_walk(v, at, from, i);
        if (a != b || (a > 1 && !stride))
            return false;
        for (int j = k - 1; j >= to; j--) {
            out->stride[j] = stride;
            stride *= y->dim[j];
        }
    }
    return true;
}

static void place_reshaped(sgs_lowering *l, const sgs_node *n)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    sgs_place at;
    if (l->at[y->id].set && reshaped(y, l->at + y->id, x, &at) && may_lie(l, x, &at))
        l->at[x->id] = at;
}

/* What can be seen neither as x's dims where y lies nor as y's where x lies is first made dense. */
sgs_status sgs_lower_reshape(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    sgs_place from = *sgs_place_of(l, x), seen;
    if (reshaped(x, &from, y, &seen))
        return see(l, n, y, &seen, d);
    const sgs_place *to = sgs_place_of(l, y);
    if (reshaped(y, to, x, &seen))
        return copy_between(l, n, x, &seen, &from, d);
    sgs_place middle = sgs_place_new(l, x);
    SGS_TRY(copy_between(l, n, x, &middle, &from, d));
    reshaped(x, &middle, y, &seen);
    return copy_between(l, n, y, to, &seen, d);
}

void sgs_views_place(sgs_lowering *l, const sgs_node *n)
{
    if (n->op == &sgs_op_concat)
        place_parts(l, n);
    else if (n->op == &sgs_op_reshape)
        place_reshaped(l, n);
}
