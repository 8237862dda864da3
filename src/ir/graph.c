#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "ops/op.h"

struct sgs_mapped {
    const char *path;
    sgs_file file;
    struct sgs_mapped *next;
};

sgs_graph *sgs_graph_new(const char *file)
{
    sgs_arena *a = sgs_arena_new();
    if (!a)
        abort();
    sgs_graph *g = SGS_NEW(a, sgs_graph);
    g->arena = a;
    g->file = sgs_strdup(a, file ? file : "");
    return g;
}

void sgs_graph_free(sgs_graph *g)
{
    if (!g)
        return;
    sgs_users_forget(g);
    sgs_arena *a = g->arena;
    for (struct sgs_mapped *m = g->mapped; m; m = m->next)
        sgs_file_close(&m->file);
    sgs_arena_free(a);
}

sgs_status sgs_graph_map(sgs_graph *g, const char *path, sgs_span *data, sgs_diag *d)
{
    struct sgs_mapped *m = g->mapped;
    while (m && strcmp(m->path, path))
        m = m->next;
    if (!m) {
        m = SGS_NEW(g->arena, struct sgs_mapped);
        SGS_TRY(sgs_file_open(&m->file, path, d));
        m->path = sgs_strdup(g->arena, path);
        m->next = g->mapped;
        g->mapped = m;
    }
    *data = m->file.data;
    return SGS_OK;
}

bool sgs_graph_maps(const sgs_graph *g, sgs_span data)
{
    for (const struct sgs_mapped *m = g->mapped; m; m = m->next)
        if (data.p >= m->file.data.p && data.n <= m->file.data.n && data.p <= m->file.data.p + (m->file.data.n - data.n))
            return true;
    return false;
}

void sgs_graph_forget(const sgs_graph *g, sgs_span data)
{
    if (sgs_graph_maps(g, data))
        sgs_file_forget(data);
}

/* ---- constants' elements --------------------------------------------------------------------- */

/* What constants of the graph hold; n: how many there are. */
static const void **held_elements(const sgs_graph *g, size_t *n)
{
    size_t most = (size_t)g->nout + 1;
    for (const sgs_node *node = g->first; node; node = node->next)
        most += (size_t)node->nin;
    const void **held = malloc(most * sizeof *held);
    if (!held)
        abort();
    *n = 0;
    for (const sgs_node *node = g->first; node; node = node->next)
        for (int i = 0; i < node->nin; i++)
            if (node->in[i] && node->in[i]->constant)
                held[(*n)++] = node->in[i]->constant->data;
    for (int i = 0; i < g->nout; i++)
        if (g->out[i]->constant)
            held[(*n)++] = g->out[i]->constant->data;
    return held;
}

void sgs_graph_collect(sgs_graph *g)
{
    size_t n;
    if (sgs_arena_loose(g->arena) <= g->plenty)
        return;
    const void **held = held_elements(g, &n);
    sgs_arena_keep(g->arena, held, n);
    free(held);
    g->plenty = sgs_arena_loose(g->arena) / 4 * 5 + ((size_t)1 << 20);
}

/* In how many places constants of the graph have these elements. */
static int count_holders(const sgs_graph *g, const sgs_constant *c)
{
    int count = 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            count += n->in[i] && n->in[i]->constant == c;
    for (int i = 0; i < g->nout; i++)
        count += g->out[i]->constant == c;
    return count;
}

bool sgs_const_is_own(const sgs_graph *g, const sgs_value *v)
{
    return (v->constant->recipe || sgs_arena_is_loose(g->arena, v->constant->data)) && count_holders(g, v->constant) == 1;
}

void sgs_const_drop(sgs_graph *g, sgs_value *v)
{
    if (count_holders(g, v->constant))
        return;
    sgs_arena_drop(g->arena, v->constant->data);
    v->constant = NULL;
}

void *sgs_const_room(sgs_graph *g, size_t bytes)
{
    return sgs_try_alloc_loose(g->arena, bytes);
}

/* ---- values ---------------------------------------------------------------------------------- */

sgs_value *sgs_value_new(sgs_graph *g, sgs_type t, int rank, const int64_t *dim)
{
    sgs_value *v = SGS_NEW(g->arena, sgs_value);
    v->id = g->nvalue++;
    v->type = t;
    v->rank = rank;
    if (rank)
        memcpy(v->dim, dim, (size_t)rank * sizeof *dim);
    return v;
}

sgs_value *sgs_value_like(sgs_graph *g, const sgs_value *v)
{
    return sgs_value_new(g, v->type, v->rank, v->dim);
}

sgs_value *sgs_const_new(sgs_graph *g, sgs_type t, int rank, const int64_t *dim, const void *data, bool copy)
{
    sgs_value *v = sgs_value_new(g, t, rank, dim);
    size_t n = (size_t)sgs_value_bytes(v);
    if (copy) {
        void *mine = sgs_alloc_loose(g->arena, n);
        if (n && data)
            memcpy(mine, data, n);
        data = mine;
    }
    v->constant = sgs_constant_new(g->arena, data);
    return v;
}

sgs_value *sgs_const_view(sgs_graph *g, const sgs_value *of, int rank, const int64_t *dim)
{
    sgs_value *v = sgs_value_new(g, of->type, rank, dim);
    v->constant = of->constant;
    return v;
}

int64_t sgs_value_count(const sgs_value *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++)
        n *= v->dim[i];
    return n;
}

int64_t sgs_value_bytes(const sgs_value *v)
{
    return sgs_value_count(v) * sgs_type_bytes(v->type);
}

sgs_quant *sgs_quant_new(sgs_graph *g, int axis, int n)
{
    sgs_quant *q = SGS_NEW(g->arena, sgs_quant);
    q->axis = axis;
    q->n = n;
    q->scale = SGS_NEW_N(g->arena, float, n);
    q->zero = SGS_NEW_N(g->arena, int32_t, n);
    return q;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool listed(const char **list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i], name))
            return true;
    return false;
}

/* Appends the names that are not there yet; one new array for all of them, as lists may be shared and hold thousands. */
static void append(sgs_graph *g, const char ***list, int *n, const char *const *add, int nadd)
{
    if (!nadd)
        return;
    int have = *n;
    const char **more = SGS_NEW_N(g->arena, const char *, (int64_t)have + nadd);
    if (have)
        memcpy(more, *list, (size_t)have * sizeof *more);
    for (int i = 0; i < nadd; i++)
        if (!listed(*list, have, add[i]))
            more[(*n)++] = add[i];
    *list = more;
}

bool sgs_value_has_name(const sgs_value *v, const char *name)
{
    return listed(v->name, v->nname, name);
}

void sgs_value_name(sgs_graph *g, sgs_value *v, const char *name)
{
    if (name && name[0] && !sgs_value_has_name(v, name))
        append(g, &v->name, &v->nname, &(const char *){ sgs_strdup(g->arena, name) }, 1);
}

void sgs_value_take_names(sgs_graph *g, sgs_value *to, sgs_value *from)
{
    append(g, &to->name, &to->nname, from->name, from->nname);
    append(g, &to->swallowed, &to->nswallowed, from->swallowed, from->nswallowed);
    from->name = from->swallowed = NULL;
    from->nname = from->nswallowed = 0;
}

void sgs_value_drop_name(sgs_value *v, const char *name)
{
    int kept = 0;
    for (int i = 0; i < v->nname; i++)
        if (strcmp(v->name[i], name))
            v->name[kept++] = v->name[i];
    v->nname = kept;
}

void sgs_value_swallow(sgs_graph *g, sgs_value *by, sgs_value *gone)
{
    sgs_value_swallow_all(g, by, &gone, 1);
}

void sgs_value_swallow_all(sgs_graph *g, sgs_value *by, sgs_value *const *gone, int n)
{
    int64_t count = 0;
    int at = 0;
    for (int i = 0; i < n; i++)
        count += (int64_t)gone[i]->nname + gone[i]->nswallowed;
    const char **all = SGS_NEW_N(g->arena, const char *, count + 1);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < gone[i]->nname; k++)
            all[at++] = gone[i]->name[k];
        for (int k = 0; k < gone[i]->nswallowed; k++)
            all[at++] = gone[i]->swallowed[k];
        gone[i]->name = gone[i]->swallowed = NULL;
        gone[i]->nname = gone[i]->nswallowed = 0;
    }
    append(g, &by->swallowed, &by->nswallowed, all, at);
}

const char *sgs_value_label(sgs_graph *g, const sgs_value *v)
{
    return v->nname ? v->name[0] : sgs_format(g->arena, "%%%d", v->id);
}

const char *sgs_node_label(sgs_graph *g, const sgs_node *n)
{
    if (n->name && n->name[0])
        return n->name;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]->nname)
            return n->out[i]->name[0];
    return sgs_format(g->arena, "%s %%%d", n->op->name, n->nout ? n->out[0]->id : -1);
}

/* ---- asking ---------------------------------------------------------------------------------- */

typedef bool (*matcher)(const sgs_value *v, const char *name);

static sgs_value *find(sgs_graph *g, const char *name, matcher match)
{
    for (int i = 0; i < g->nin; i++)
        if (match(g->in[i], name))
            return g->in[i];
    for (int i = 0; i < g->nout; i++)
        if (match(g->out[i], name))
            return g->out[i];
    for (sgs_node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++)
            if (match(n->out[i], name))
                return n->out[i];
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->constant && match(n->in[i], name))
                return n->in[i];
    }
    return NULL;
}

static bool holds(const sgs_value *v, const char *name)
{
    return listed(v->swallowed, v->nswallowed, name);
}

sgs_value *sgs_find_value(sgs_graph *g, const char *name)
{
    return find(g, name, sgs_value_has_name);
}

sgs_value *sgs_find_swallowed(sgs_graph *g, const char *name)
{
    return find(g, name, holds);
}

/* ---- metadata -------------------------------------------------------------------------------- */

void sgs_meta_set(sgs_graph *g, const char *name, const void *data, size_t n)
{
    sgs_meta **at = &g->meta;
    while (*at && strcmp((*at)->name, name))
        at = &(*at)->next;
    if (!*at) {
        *at = SGS_NEW(g->arena, sgs_meta);
        (*at)->name = sgs_strdup(g->arena, name);
    }
    (*at)->data = (sgs_span){ (const uint8_t *)sgs_strndup(g->arena, n ? data : "", n), n };
}

const sgs_meta *sgs_meta_get(const sgs_graph *g, const char *name)
{
    for (const sgs_meta *m = g->meta; m; m = m->next)
        if (!strcmp(m->name, name))
            return m;
    return NULL;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static sgs_status check_dims(const sgs_tensor *t, sgs_diag *d)
{
    int64_t count = 1;
    if (t->rank < 0 || t->rank > SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "the output would have rank %d; at most %d is supported", t->rank,
                        SGS_MAX_RANK);
    for (int i = 0; i < t->rank; i++)
        if (!sgs_mul64(count, t->dim[i], &count) || count > SGS_MAX_ELEMENTS)
            return sgs_fail(d, SGS_E_LIMIT, "the output would have more than 2^40 elements");
    return SGS_OK;
}

static bool fixed_point(sgs_type t)
{
    return t == SGS_U8 || t == SGS_S16;
}

bool sgs_type_fits(const sgs_value *v, sgs_type inferred)
{
    return v->type == inferred || (v->quant && fixed_point(v->type) && fixed_point(inferred));
}

static bool same_dims(const sgs_value *v, const sgs_tensor *t)
{
    return sgs_type_fits(v, t->type) && v->rank == t->rank && !memcmp(v->dim, t->dim, (size_t)t->rank * sizeof *t->dim);
}

static sgs_status check_inputs(const sgs_node *n, sgs_diag *d)
{
    const sgs_op *op = n->op;
    if (n->nin < op->nin_min)
        return sgs_fail(d, SGS_E_MODEL, "expected at least %d input%s, found %d", op->nin_min, op->nin_min == 1 ? "" : "s", n->nin);
    if (op->nin_max >= 0 && n->nin > op->nin_max)
        return sgs_fail(d, SGS_E_MODEL, "expected at most %d input%s, found %d", op->nin_max, op->nin_max == 1 ? "" : "s", n->nin);
    for (int i = 0; i < op->nin_min; i++)
        if (!n->in[i])
            return sgs_fail(d, SGS_E_MODEL, "input %d is missing", i);
    return SGS_OK;
}

static sgs_status make_outputs(sgs_graph *g, sgs_node *n, const sgs_tensor *t)
{
    sgs_value **v = SGS_NEW_N(g->arena, sgs_value *, n->op->nout);
    for (int i = 0; i < n->op->nout; i++)
        v[i] = sgs_value_new(g, t[i].type, t[i].rank, t[i].dim);
    sgs_node_set_out(g, n, n->op->nout, v);
    return SGS_OK;
}

static sgs_status check_outputs(const sgs_node *n, const sgs_tensor *t, sgs_diag *d)
{
    for (int i = 0; i < n->op->nout; i++)
        if (!same_dims(n->out[i], &t[i]))
            return sgs_fail(d, SGS_E_INTERNAL, "output %d has another type or shape than %s gives", i,
                            n->op->name);
    return SGS_OK;
}

static sgs_status infer(sgs_graph *g, sgs_node *n, sgs_diag *d)
{
    SGS_TRY(check_inputs(n, d));
    sgs_tensor *t = SGS_NEW_N(g->arena, sgs_tensor, n->op->nout);
    SGS_TRY(n->op->infer(g, n, t, d));
    for (int i = 0; i < n->op->nout; i++)
        SGS_TRY(check_dims(&t[i], d));
    return n->out ? check_outputs(n, t, d) : make_outputs(g, n, t);
}

sgs_status sgs_infer(sgs_graph *g, sgs_node *n, sgs_diag *d)
{
    sgs_status s = infer(g, n, d);
    if (s != SGS_OK)
        sgs_fail_at(d, g->file, 0, sgs_node_label(g, n));
    return s;
}
