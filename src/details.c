/* Tensors and operators of an open model, as a user is told of them. */
#include <stdlib.h>
#include <string.h>

#include "import/sim.h"
#include "quant/model.h"
#include "sim/simulator.h"

typedef struct listing {
    sgs_opened m;
    sgs_tensor_info *tensor;
    int n;
    int *place;            /* by value id: its place in `tensor`, before and after sorting */
    const sgs_type *qtype; /* by value id, or NULL */
} listing;

static const char *type_name(sgs_type t)
{
    static const char *const name[SGS_TYPE_COUNT] = {
        [SGS_F32] = "FLOAT32", [SGS_F64] = "FLOAT64", [SGS_S64] = "INT64", [SGS_S32] = "INT32",  [SGS_S16] = "INT16",
        [SGS_S8] = "INT8",     [SGS_U8] = "UINT8",    [SGS_BOOL] = "BOOL", [SGS_U16] = "UINT16", [SGS_F16] = "FLOAT16",
        [SGS_S4] = "INT4"
    };
    return name[t];
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

static void add_value(listing *l, const sgs_value *v)
{
    if (!v || l->place[v->id] >= 0)
        return;
    sgs_tensor_info *t = &l->tensor[l->n];
    *t = (sgs_tensor_info){ .name = sgs_value_label(l->m.g, v),
                            .dtype = type_name(v->type),
                            .qtype = l->qtype && l->qtype[v->id] < SGS_TYPE_COUNT ? type_name(l->qtype[v->id]) : "",
                            .rank = v->rank,
                            .constant = v->constant != NULL };
    for (int i = 0; i < v->rank; i++)
        t->dim[i] = (int32_t)(v->dim[i] > INT32_MAX ? INT32_MAX : v->dim[i]);
    if (v->quant) {
        t->nrange = v->quant->nrange;
        t->lo = v->quant->lo;
        t->hi = v->quant->hi;
        t->nscale = v->quant->n;
        t->scale = v->quant->scale;
        t->zero = v->quant->zero;
    }
    l->place[v->id] = l->n++;
}

typedef struct order {
    const char *name;
    int place;
} order;

static int by_name(const void *a, const void *b)
{
    const order *x = a, *y = b;
    const int c = strcmp(x->name, y->name);
    return c ? c : x->place - y->place;
}

/* In order of name; `place` follows. */
static void sort_tensors(listing *l)
{
    order *o = SGS_NEW_N(l->m.arena, order, l->n + 1);
    int *now = SGS_NEW_N(l->m.arena, int, l->n + 1);
    sgs_tensor_info *sorted = SGS_NEW_N(l->m.arena, sgs_tensor_info, l->n + 1);
    for (int i = 0; i < l->n; i++)
        o[i] = (order){ l->tensor[i].name, i };
    qsort(o, (size_t)l->n, sizeof *o, by_name);
    for (int i = 0; i < l->n; i++) {
        sorted[i] = l->tensor[o[i].place];
        now[o[i].place] = i;
    }
    for (int i = 0; i < l->m.g->nvalue; i++)
        if (l->place[i] >= 0)
            l->place[i] = now[l->place[i]];
    l->tensor = sorted;
}

static void list_tensors(listing *l)
{
    const sgs_graph *g = l->m.g;
    l->tensor = SGS_NEW_N(l->m.arena, sgs_tensor_info, g->nvalue + 1);
    l->place = SGS_NEW_N(l->m.arena, int, g->nvalue + 1);
    for (int i = 0; i < g->nvalue; i++)
        l->place[i] = -1;
    for (int i = 0; i < g->nin; i++)
        add_value(l, g->in[i]);
    for (const sgs_node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nin; i++)
            add_value(l, n->in[i]);
        for (int i = 0; i < n->nout; i++)
            add_value(l, n->out[i]);
    }
    for (int i = 0; i < g->nout; i++)
        add_value(l, g->out[i]);
    sort_tensors(l);
}

/* What the quantizer would make of each value: planned on a graph of its own, which has the same ids, and more where
 * operators are spelled out.  NULL: there is no fixed-point form. */
static const sgs_type *plan_types(const sgs_opened *m)
{
    sgs_graph *g;
    if (!m->config || sgs_meta_get(m->g, "sgs.fixed") || sgs_float_model_read(&g, m->path, NULL) != SGS_OK)
        return NULL;
    sgs_type *type = SGS_NEW_N(m->arena, sgs_type, g->nvalue + 1);
    for (int i = 0; i < g->nvalue; i++)
        type[i] = SGS_TYPE_COUNT;
    bool same = g->nvalue >= m->g->nvalue && g->nin == m->config->nin && g->nout == m->config->nout;
    if (same) {
        const sgs_qoptions o = sgs_qoptions_from(m->config, g);
        same = sgs_quantize_types(g, &o, type, NULL) == SGS_OK;
    }
    sgs_graph_free(g);
    return same ? type : NULL;
}

/* ---- operators ------------------------------------------------------------------------------------------------- */

static const int *places(const listing *l, sgs_value *const *v, int n)
{
    int *at = SGS_NEW_N(l->m.arena, int, n + 1);
    for (int i = 0; i < n; i++)
        at[i] = v[i] ? l->place[v[i]->id] : -1;
    return at;
}

static void list_operators(const listing *l, sgs_details *details)
{
    int n = 0;
    for (const sgs_node *node = l->m.g->first; node; node = node->next)
        n++;
    sgs_op_info *op = SGS_NEW_N(l->m.arena, sgs_op_info, n + 1);
    details->op = op;
    details->nop = n;
    for (const sgs_node *node = l->m.g->first; node; node = node->next)
        *op++ = (sgs_op_info){ .name = sgs_node_label(l->m.g, node),
                               .op = node->op->name,
                               .nin = node->nin,
                               .nout = node->nout,
                               .in = places(l, node->in, node->nin),
                               .out = places(l, node->out, node->nout) };
}

/* ---- an image: what it says of itself -------------------------------------------------------------------------- */

static int by_tensor_name(const void *a, const void *b)
{
    return strcmp(((const sgs_tensor_info *)a)->name, ((const sgs_tensor_info *)b)->name);
}

static sgs_tensor_info io_tensor(const sgs_io_info *io)
{
    static const char *const dtype[] = {
        [SGS_DT_FLOAT32] = "FLOAT32", [SGS_DT_UINT8] = "UINT8", [SGS_DT_INT16] = "INT16",
        [SGS_DT_UINT16] = "UINT16",   [SGS_DT_INT32] = "INT32", [SGS_DT_BOOL] = "BOOL"
    };
    sgs_tensor_info t = { .name = io->name,
                          .dtype = dtype[io->dtype],
                          .qtype = "",
                          .rank = io->rank,
                          .nscale = io->nscale,
                          .scale = io->scale,
                          .zero = io->zero };
    memcpy(t.dim, io->dim, sizeof t.dim);
    return t;
}

static void list_image(const sgs_simulator *s, sgs_arena *a, sgs_details *details)
{
    const int nin = sgs_simulator_inputs(s), nout = sgs_simulator_outputs(s);
    sgs_tensor_info *t = SGS_NEW_N(a, sgs_tensor_info, nin + nout + 1);
    for (int i = 0; i < nin; i++)
        t[i] = io_tensor(sgs_simulator_input(s, i));
    for (int i = 0; i < nout; i++)
        t[nin + i] = io_tensor(sgs_simulator_output(s, i));
    qsort(t, (size_t)(nin + nout), sizeof *t, by_tensor_name);
    details->tensor = t;
    details->ntensor = nin + nout;
}

sgs_status sgs_simulator_details(sgs_simulator *s, const sgs_details **details, sgs_diag *d)
{
    listing l = { .m = sgs_simulator_opened(s) };
    sgs_details *made = *l.m.details ? NULL : SGS_NEW(l.m.arena, sgs_details);
    if (made && l.m.g) {
        l.qtype = plan_types(&l.m);
        list_tensors(&l);
        list_operators(&l, made);
        made->tensor = l.tensor;
        made->ntensor = l.n;
    } else if (made) {
        list_image(s, l.m.arena, made);
    }
    if (made)
        *l.m.details = made;
    *details = *l.m.details;
    return SGS_OK;
}
