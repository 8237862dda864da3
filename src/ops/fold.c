/* One node of constants becomes constants, unless it makes an output of the graph: outputs are made by nodes. */
#include <stdlib.h>

#include "ops/op.h"

#define FREE_BYTES ((int64_t)64 << 20) /* a folded output may take this much whatever it is made from */
#define GROWTH 4                       /* and beyond that, this many times its inputs */

static bool inputs_known(const sgs_node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && !n->in[i]->constant)
            return false;
    return n->nin > 0;
}

static bool makes_output(const sgs_graph *g, const sgs_node *n)
{
    for (int i = 0; i < g->nout; i++)
        if (g->out[i]->def == n)
            return true;
    return false;
}

static bool is_small_enough(const sgs_node *n)
{
    int64_t in = 0, out = 0;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i])
            in += sgs_value_bytes(n->in[i]);
    for (int i = 0; i < n->nout; i++)
        out += sgs_value_bytes(n->out[i]);
    return out <= FREE_BYTES || out / GROWTH <= in;
}

static void tensor_of(sgs_tensor *t, const sgs_value *v, void *data)
{
    *t = (sgs_tensor){ .type = v->type, .rank = v->rank, .data = data };
    for (int i = 0; i < v->rank; i++)
        t->dim[i] = v->dim[i];
}

static sgs_status run(sgs_graph *g, const sgs_node *n, sgs_tensor *in, sgs_tensor *out, sgs_diag *d)
{
    sgs_eval_state state = { 0 };
    for (int i = 0; i < n->nin; i++)
        if (n->in[i])
            tensor_of(&in[i], n->in[i], (void *)(uintptr_t)sgs_const_data(n->in[i]));
    for (int i = 0; i < n->nout; i++) {
        void *data = sgs_const_room(g, (size_t)sgs_value_bytes(n->out[i]));
        if (!data)
            return sgs_fail(d, SGS_E_LIMIT, "no memory for the constant %s", sgs_value_label(g, n->out[i]));
        tensor_of(&out[i], n->out[i], data);
    }
    sgs_status s = sgs_eval(n, in, out, &state, d);
    if (state.destroy)
        state.destroy(state.p);
    return s;
}

/* made: what the outputs will be, once their node is gone. */
static sgs_status evaluate(sgs_graph *g, const sgs_node *n, sgs_constant *made, sgs_diag *d)
{
    sgs_tensor *t = calloc((size_t)(n->nin + n->nout), sizeof *t), *out = t + n->nin;
    if (!t)
        abort();
    const sgs_status s = run(g, n, t, out, d);
    for (int i = 0; i < n->nout; i++)
        made[i].data = out[i].data;
    free(t);
    return s;
}

/* Where one node moves elements at most, its output's may stay where they are: nobody moves them twice. */
static sgs_constant *unmoved(sgs_graph *g, const sgs_node *n)
{
    if (n->op == &sgs_op_reshape)
        return n->in[0]->constant;
    return n->op == &sgs_op_transpose ? sgs_constant_turned(g, n->in[0], ((const sgs_perm_attr *)n->attr)->perm) : NULL;
}

static void make_constants(sgs_node *n, sgs_constant *made)
{
    for (int i = 0; i < n->nout; i++)
        n->out[i]->constant = &made[i];
}

/* A moved constant is the same tensor: its names come along unless someone else still uses it as it was. */
static void move_names(sgs_graph *g, sgs_node *n)
{
    bool moves = n->op == &sgs_op_transpose || n->op == &sgs_op_reshape;
    if (moves && n->in[0]->nname && !sgs_has_other_user(g, n->in[0], n))
        sgs_value_take_names(g, n->out[0], n->in[0]);
}

sgs_status sgs_fold_node(sgs_graph *g, sgs_node *n, bool *folded, sgs_diag *d)
{
    *folded = false;
    if (!inputs_known(n) || makes_output(g, n) || !n->op->eval || !is_small_enough(n))
        return SGS_OK;
    n->out[0]->constant = unmoved(g, n);
    if (!n->out[0]->constant) {
        sgs_constant *made = SGS_NEW_N(g->arena, sgs_constant, n->nout);
        sgs_status s = evaluate(g, n, made, d);
        if (s == SGS_E_UNSUPPORTED)
            return SGS_OK;
        if (s != SGS_OK) {
            sgs_fail_at(d, g->file, 0, sgs_node_label(g, n));
            return s;
        }
        make_constants(n, made);
    }
    move_names(g, n);
    sgs_node_remove(g, n);
    *folded = true;
    return SGS_OK;
}
