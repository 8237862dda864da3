/* Buffers by lifetime: a value gets the smallest free buffer that holds it, or a new one. */
#include "sim/session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/dnnl.h"
#include "ops/util.h"
#include "sim/values.h"

#define MEMORY_LIMIT ((int64_t)8 << 30)

struct sgs_session {
    sgs_graph *g;
    sgs_arena *a;
    void **data;               /* by value id */
    sgs_eval_state *state;     /* by node, in order */
    int nnode;
    sgs_tensor *in, *out;      /* scratch for one node */
    void (*watch)(void *user, const sgs_node *n, const sgs_tensor *out);
    void *user;
    bool any_numbers;
    int64_t bytes;             /* of all buffers */
};

/* ---- buffers -------------------------------------------------------------------------------------------------------------- */

typedef struct pool {
    sgs_session *s;
    struct buffer {
        void *p;
        int64_t bytes;
        int free_after;        /* node number of the last reader; INT_MAX: never */
    } *buffer;
    int n;
    int64_t total;
} pool;

/* Last node that reads each value; graph outputs and inputs stay. */
static int *last_readers(sgs_session *s)
{
    sgs_graph *g = s->g;
    int *last = SGS_NEW_N(s->a, int, g->nvalue + 1), i = 0;
    for (const sgs_node *n = g->first; n; n = n->next, i++) {
        for (int k = 0; k < n->nout; k++)
            last[n->out[k]->id] = i;
        for (int k = 0; k < n->nin; k++)
            if (n->in[k])
                last[n->in[k]->id] = i;
    }
    for (int k = 0; k < g->nout; k++)
        last[g->out[k]->id] = INT32_MAX;
    for (int k = 0; k < g->nin; k++)
        last[g->in[k]->id] = INT32_MAX;
    return last;
}

static sgs_status place(pool *p, const sgs_value *v, int now, int until, sgs_diag *d)
{
    int64_t bytes = sgs_value_bytes(v) + 64;
    struct buffer *best = NULL;
    for (int i = 0; i < p->n; i++) {
        struct buffer *b = &p->buffer[i];
        if (b->free_after < now && b->bytes >= bytes && (!best || b->bytes < best->bytes))
            best = b;
    }
    if (!best) {
        best = &p->buffer[p->n];
        p->total += bytes;
        best->p = p->total > MEMORY_LIMIT ? NULL : sgs_try_alloc(p->s->a, (size_t)bytes);
        if (!best->p)
            return sgs_fail(d, SGS_E_LIMIT, "the model needs more than %lld MB for its activations", (long long)(MEMORY_LIMIT >> 20));
        best->bytes = bytes;
        p->n++;
    }
    best->free_after = until;
    p->s->data[v->id] = best->p;
    return SGS_OK;
}

static sgs_status plan(sgs_session *s, bool keep_all, sgs_diag *d)
{
    sgs_graph *g = s->g;
    int *last = last_readers(s), i = 0;
    pool p = { .s = s, .buffer = sgs_alloc_n(s->a, (size_t)g->nvalue + 1, sizeof *p.buffer) };
    for (int k = 0; k < g->nin; k++)
        SGS_TRY(place(&p, g->in[k], 0, INT32_MAX, d));
    for (sgs_node *n = g->first; n; n = n->next, i++)
        for (int k = 0; k < n->nout; k++)
            SGS_TRY(place(&p, n->out[k], i, keep_all ? INT32_MAX : last[n->out[k]->id], d));
    s->bytes = p.total;
    return SGS_OK;
}

/* ---- a session ------------------------------------------------------------------------------------------------------------ */

static sgs_status prepare(sgs_session *s, bool keep_all, sgs_diag *d)
{
    int most = 1;
    for (const sgs_node *n = s->g->first; n; n = n->next) {
        s->nnode++;
        most = n->nin > most ? n->nin : most;
        for (int k = 0; k < n->nin; k++)
            if (n->in[k])
                sgs_const_data(n->in[k]); /* made now: while it runs, others may run the same graph */
        if (!n->op->eval) {
            sgs_fail(d, SGS_E_UNSUPPORTED, "%s has no float evaluation: this is not a float model", n->op->name);
            sgs_fail_at(d, s->g->file, 0, sgs_node_label(s->g, n));
            return SGS_E_UNSUPPORTED;
        }
    }
    s->data = SGS_NEW_N(s->a, void *, s->g->nvalue + 1);
    s->state = SGS_NEW_N(s->a, sgs_eval_state, s->nnode + 1);
    s->in = SGS_NEW_N(s->a, sgs_tensor, most);
    s->out = SGS_NEW_N(s->a, sgs_tensor, SGS_MAX_RANK);
    return plan(s, keep_all, d);
}

sgs_status sgs_session_new(sgs_session **out, sgs_graph *g, bool keep_all, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    *out = NULL;
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_session *s = SGS_NEW(a, sgs_session);
    s->a = a;
    s->g = g;
    sgs_status r = prepare(s, keep_all, d);
    if (r == SGS_OK) {
        *out = s;
        return r;
    }
    sgs_fail_at(d, g->file, 0, NULL);
    sgs_session_free(s);
    return r;
}

void sgs_session_free(sgs_session *s)
{
    if (!s)
        return;
    for (int i = 0; s->state && i < s->nnode; i++)
        if (s->state[i].destroy)
            s->state[i].destroy(s->state[i].p);
    sgs_arena_free(s->a);
}

const sgs_graph *sgs_session_graph(const sgs_session *s)
{
    return s->g;
}

int64_t sgs_session_bytes(const sgs_session *s)
{
    return s->bytes;
}

void *sgs_session_data(sgs_session *s, const sgs_value *v)
{
    return s->data[v->id];
}

void sgs_session_lend(sgs_session *s, const sgs_value *v, void *data)
{
    s->data[v->id] = data;
}

void sgs_session_watch(sgs_session *s, void (*fn)(void *user, const sgs_node *n, const sgs_tensor *out), void *user)
{
    s->watch = fn;
    s->user = user;
}

void sgs_session_any_numbers(sgs_session *s)
{
    s->any_numbers = true;
}

/* ---- a run ------------------------------------------------------------------------------------------------------------------ */

static sgs_tensor tensor_of(const sgs_session *s, const sgs_value *v)
{
    sgs_tensor t = { 0 };
    if (v) {
        sgs_shape_like(&t, v);
        t.data = v->constant ? (void *)(uintptr_t)sgs_const_data(v) : s->data[v->id];
    }
    return t;
}

static sgs_status run_node(sgs_session *s, const sgs_node *n, sgs_eval_state *st, sgs_diag *d)
{
    for (int i = 0; i < n->nin; i++)
        s->in[i] = tensor_of(s, n->in[i]);
    for (int i = 0; i < n->nout; i++)
        s->out[i] = tensor_of(s, n->out[i]);
    sgs_status r = sgs_eval(n, s->in, s->out, st, d);
    if (r != SGS_OK)
        sgs_fail_at(d, s->g->file, 0, sgs_node_label(s->g, n));
    else if (s->watch)
        s->watch(s->user, n, s->out);
    return r;
}

static bool all_finite(const sgs_tensor *t)
{
    const int64_t n = t->type == SGS_F32 ? sgs_tensor_count(t) : 0;
    return sgs_finite(t->data, n) == n;
}

/* Runs again, node by node, to name the first one that made something else than numbers. */
static sgs_status find_culprit(sgs_session *s, sgs_diag *d)
{
    int i = 0;
    s->watch = NULL; /* it has seen them */
    for (const sgs_node *n = s->g->first; n; n = n->next) {
        SGS_TRY(run_node(s, n, &s->state[i++], d));
        for (int k = 0; k < n->nout; k++)
            if (!all_finite(&s->out[k])) {
                sgs_fail(d, SGS_E_DATA, "%s gives NaN or infinity", n->op->name);
                return sgs_fail_at(d, s->g->file, 0, sgs_node_label(s->g, n));
            }
    }
    return sgs_fail(d, SGS_E_DATA, "an output is NaN or infinity");
}

static sgs_status check_inputs(sgs_session *s, sgs_diag *d)
{
    for (int k = 0; k < s->g->nin && !s->any_numbers; k++) {
        sgs_tensor t = tensor_of(s, s->g->in[k]);
        if (!all_finite(&t))
            return sgs_fail(d, SGS_E_DATA, "input '%s' holds NaN or infinity", sgs_value_label(s->g, s->g->in[k]));
    }
    return SGS_OK;
}

sgs_status sgs_session_run(sgs_session *s, sgs_diag *d)
{
    int i = 0;
    SGS_TRY(check_inputs(s, d));
    for (const sgs_node *n = s->g->first; n; n = n->next)
        SGS_TRY(run_node(s, n, &s->state[i++], d));
    for (int k = 0; k < s->g->nout && !s->any_numbers; k++) {
        sgs_tensor t = tensor_of(s, s->g->out[k]);
        if (all_finite(&t))
            continue;
        void (*const watch)(void *user, const sgs_node *n, const sgs_tensor *out) = s->watch;
        const sgs_status r = find_culprit(s, d);
        s->watch = watch;
        return r;
    }
    return SGS_OK;
}

sgs_status sgs_session_resume(sgs_session *s, const sgs_node *n, sgs_diag *d)
{
    int i = 1;
    for (const sgs_node *k = s->g->first; k != n; k = k->next)
        i++;
    for (n = n->next; n; n = n->next)
        SGS_TRY(run_node(s, n, &s->state[i++], d));
    return SGS_OK;
}

const char *sgs_session_identity(void)
{
    return sgs_dnnl_identity();
}
