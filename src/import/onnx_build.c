/* Which nodes are needed and in what order; which of them we cannot take, and the cut that would help. */
#include <string.h>

#include "import/onnx_build.h"

/* ---- the operator table ----------------------------------------------------------------------------------------------------- */

static bool own_domain(const sgs_source_node *n)
{
    return !n->domain[0] || !strcmp(n->domain, "ai.onnx");
}

const sgs_from *sgs_onnx_importer(const sgs_source_node *n)
{
    if (!own_domain(n))
        return NULL;
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = (*f)->onnx; r && r->op; r++)
            if (!strcmp(r->op, n->op) && n->opset >= r->since)
                return r;
    return NULL;
}

/* ---- order --------------------------------------------------------------------------------------------------------------------- */

/* Who makes each tensor; two makers are an error. */
static sgs_status index_makers(sgs_onnx *o, sgs_map *maker, sgs_diag *d)
{
    for (int i = 0; i < o->nnode; i++)
        for (int k = 0; k < o->node[i].nout; k++) {
            const char *name = o->node[i].out[k];
            if (!name[0])
                continue;
            if (sgs_map_get(maker, name)) {
                sgs_fail(d, SGS_E_MODEL, "tensor '%s' is made by two nodes", name);
                return sgs_fail_at(d, o->file, 0, o->node[i].name);
            }
            sgs_map_set(maker, name, &o->node[i]);
        }
    return SGS_OK;
}

typedef struct visit {
    sgs_onnx *o;
    sgs_map *maker, *stop;
    uint8_t *state;            /* per node: 0 new, 1 open, 2 done */
    int *stack, *slot, depth;
    sgs_onnx_order *order;
} visit;

static sgs_status enter(visit *v, const char *tensor, sgs_diag *d)
{
    sgs_source_node *n = tensor[0] && !sgs_map_get(v->stop, tensor) ? sgs_map_get(v->maker, tensor) : NULL;
    if (!n)
        return SGS_OK;
    int i = (int)(n - v->o->node);
    if (v->state[i] == 1) {
        sgs_fail(d, SGS_E_MODEL, "the graph has a cycle through tensor '%s'", tensor);
        return sgs_fail_at(d, v->o->file, 0, n->name[0] ? n->name : tensor);
    }
    if (v->state[i] == 0) {
        v->state[i] = 1;
        v->stack[v->depth] = i;
        v->slot[v->depth++] = 0;
    }
    return SGS_OK;
}

/* Depth first with a stack of its own: a model cannot overflow ours. */
static sgs_status walk(visit *v, const char *tensor, sgs_diag *d)
{
    SGS_TRY(enter(v, tensor, d));
    while (v->depth) {
        int i = v->stack[v->depth - 1], k = v->slot[v->depth - 1]++;
        const sgs_source_node *n = &v->o->node[i];
        if (k < n->nin) {
            SGS_TRY(enter(v, n->in[k], d));
            continue;
        }
        v->state[i] = 2;
        v->order->node[v->order->n++] = &v->o->node[i];
        v->depth--;
    }
    return SGS_OK;
}

sgs_status sgs_onnx_sort(sgs_onnx *o, sgs_map *stop, const char *const *outputs, int n, sgs_onnx_order *order, sgs_diag *d)
{
    sgs_map maker = { .a = o->a };
    SGS_TRY(index_makers(o, &maker, d));
    size_t count = (size_t)o->nnode + 1;
    visit v = { .o = o, .maker = &maker, .stop = stop, .order = order };
    v.state = sgs_alloc_n(o->a, count, 1);
    v.stack = sgs_alloc_n(o->a, count, sizeof(int));
    v.slot = sgs_alloc_n(o->a, count, sizeof(int));
    order->node = sgs_alloc_n(o->a, count, sizeof *order->node);
    order->n = 0;
    for (int i = 0; i < n; i++)
        SGS_TRY(walk(&v, outputs[i], d));
    return SGS_OK;
}

/* ---- what we cannot take ----------------------------------------------------------------------------------------------------- */

static void list_names(sgs_buf *b, const char *const *names, int n, int most)
{
    for (int i = 0; i < n && i < most; i++)
        sgs_buf_printf(b, "%s'%s'", i ? ", " : "", names[i]);
    if (n > most)
        sgs_buf_printf(b, ", ... (%d more)", n - most);
}

/* Tensors that the supported part of the graph gives to the rest: where to cut. */
static int frontier(sgs_onnx *o, const sgs_onnx_order *order, const char **names)
{
    sgs_map good = { .a = o->a }, listed = { .a = o->a };
    int n = 0, mark;
    bool *ok = sgs_alloc_n(o->a, (size_t)order->n + 1, sizeof *ok);
    sgs_map made = { .a = o->a };
    for (int i = 0; i < order->n; i++) {
        const sgs_source_node *s = order->node[i];
        ok[i] = sgs_onnx_importer(s) != NULL;
        for (int k = 0; k < s->nin && ok[i]; k++)
            ok[i] = !sgs_map_get(&made, s->in[k]) || sgs_map_get(&good, s->in[k]);
        for (int k = 0; k < s->nout; k++) {
            sgs_map_set(&made, s->out[k], &mark);
            if (ok[i])
                sgs_map_set(&good, s->out[k], &mark);
        }
    }
    for (int i = 0; i < order->n; i++)
        for (int k = 0; k < order->node[i]->nin && !ok[i]; k++) {
            const char *name = order->node[i]->in[k];
            if (!name[0] || !sgs_map_get(&good, name) || sgs_map_get(&listed, name))
                continue;
            sgs_map_set(&listed, name, &mark);
            names[n++] = name;
        }
    return n;
}

static void hint_cut(sgs_onnx *o, const sgs_onnx_order *order, const char *const *inputs, int ninput, sgs_diag *d)
{
    int total = 0;
    for (int i = 0; i < order->n; i++)
        total += order->node[i]->nin;
    const char **names = sgs_alloc_n(o->a, (size_t)total + 1, sizeof *names);
    int n = frontier(o, order, names);
    if (!n)
        return;
    sgs_buf b = { 0 };
    sgs_buf_printf(&b, "the part before them can be taken: onnx.utils.extract_model('%s', 'cut.onnx', [", o->file);
    list_names(&b, inputs, ninput, 8);
    sgs_buf_printf(&b, "], [");
    list_names(&b, names, n, 12);
    sgs_buf_printf(&b, "])");
    sgs_hint(d, "%s", b.p);
    sgs_buf_free(&b);
}

sgs_status sgs_onnx_supported(sgs_onnx *o, const sgs_onnx_order *order, const char *const *inputs, int ninput, sgs_diag *d)
{
    int bad = 0;
    sgs_buf b = { 0 };
    for (int i = 0; i < order->n; i++) {
        const sgs_source_node *n = order->node[i];
        if (sgs_onnx_importer(n))
            continue;
        if (bad < 40)
            sgs_buf_printf(&b, "%s%s%s%s '%s'", bad ? ", " : "", own_domain(n) ? "" : n->domain, own_domain(n) ? "" : ".", n->op,
                           n->name[0] ? n->name : n->nout ? n->out[0] : "");
        bad++;
    }
    if (!bad)
        return SGS_OK;
    sgs_fail(d, SGS_E_UNSUPPORTED, "%d node%s not supported (opset %lld): %s%s", bad, bad > 1 ? "s are" : " is", (long long)o->opset, b.p, bad > 40 ? ", ..." : "");
    sgs_fail_at(d, o->file, 0, NULL);
    sgs_buf_free(&b);
    hint_cut(o, order, inputs, ninput, d);
    return SGS_E_UNSUPPORTED;
}
