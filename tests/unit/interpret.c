#include <string.h>

#include "interpret.h"

static const void *data_of(const sgs_value *v, void *const *data)
{
    return v->constant ? sgs_const_data(v) : data[v->id];
}

static sgs_tensor tensor_of(const sgs_value *v, const void *data)
{
    sgs_tensor t = { .type = v->type, .rank = v->rank, .data = (void *)(uintptr_t)data };
    memcpy(t.dim, v->dim, sizeof t.dim);
    return t;
}

static bool run_node(sgs_arena *a, const sgs_node *n, void **data, sgs_diag *d)
{
    sgs_tensor *in = SGS_NEW_N(a, sgs_tensor, n->nin + 1), *out = SGS_NEW_N(a, sgs_tensor, n->nout);
    sgs_eval_state state = { 0 };
    for (int i = 0; i < n->nin; i++)
        if (n->in[i])
            in[i] = tensor_of(n->in[i], data_of(n->in[i], data));
    for (int i = 0; i < n->nout; i++) {
        data[n->out[i]->id] = sgs_alloc(a, (size_t)sgs_value_bytes(n->out[i]));
        out[i] = tensor_of(n->out[i], data[n->out[i]->id]);
    }
    bool ok = sgs_eval(n, in, out, &state, d) == SGS_OK;
    if (state.destroy)
        state.destroy(state.p);
    return ok;
}

bool interpret(sgs_graph *g, sgs_arena *a, void **data, sgs_diag *d)
{
    for (const sgs_node *n = g->first; n; n = n->next)
        if (!run_node(a, n, data, d))
            return false;
    return true;
}

void *seeded_input(sgs_arena *a, const sgs_value *v, uint32_t seed)
{
    int64_t n = sgs_value_count(v);
    char *to = sgs_alloc(a, (size_t)sgs_value_bytes(v));
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        float f = (float)(seed >> 8) / 8388608.0f - 1.0f;
        if (v->type == SGS_F32)
            memcpy(to + i * 4, &f, 4);
        else
            to[i * sgs_type_bytes(v->type)] = (char)(seed >> 28);
    }
    return to;
}

double *as_doubles(const sgs_value *v, void *const *data, double *to)
{
    const void *from = data_of(v, data);
    for (int64_t i = 0, n = sgs_value_count(v); i < n; i++)
        *to++ = v->type == SGS_F32   ? (double)((const float *)from)[i]
                : v->type == SGS_S64 ? (double)((const int64_t *)from)[i]
                                     : (double)((const uint8_t *)from)[i * sgs_type_bytes(v->type)];
    return to;
}
