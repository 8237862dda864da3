/* Which nodes are needed and in what order; which of them we cannot take, and the cut that would help. */
#include <string.h>

#include "import/model_order.h"

/* ---- the operator table ----------------------------------------------------------------------------------------------------- */

static bool own_domain(const sgs_source_node *n)
{
    return !n->domain[0] || !strcmp(n->domain, "ai.onnx");
}

bool sgs_model_takes(const sgs_model *o, const sgs_source_node *n)
{
    return sgs_src_importer_of(&o->im, n) && !(o->refused && o->refused[n - o->node]);
}

/* ---- order --------------------------------------------------------------------------------------------------------------------- */

/* A second origin of a tensor is an error. */
static sgs_status twice(sgs_model *o, const char *name, const char *first, const sgs_source_node *n, sgs_diag *d)
{
    sgs_fail(d, SGS_E_MODEL, "tensor '%s' is %s, yet %s makes it%s", name, first, n->op, strcmp(first, "made by another node") ? "" : " too");
    return sgs_fail_at(d, o->file, 0, sgs_src_label(n));
}

/* Who makes each tensor: one node at most, and none makes what is an input or an initializer. */
static sgs_status index_makers(sgs_model *o, sgs_map *maker, sgs_diag *d)
{
    sgs_map inputs = { .a = o->a };
    for (int i = 0; i < o->nin; i++) {
        if (sgs_map_get(&inputs, o->in[i].name)) {
            sgs_fail(d, SGS_E_MODEL, "two inputs are named '%s'", o->in[i].name);
            return sgs_fail_at(d, o->file, 0, NULL);
        }
        sgs_map_set(&inputs, o->in[i].name, o);
    }
    for (int i = 0; i < o->nnode; i++)
        for (int k = 0; k < o->node[i].nout; k++) {
            const char *name = o->node[i].out[k];
            const char *first = !name[0] ? NULL : sgs_map_get(maker, name) ? "made by another node" : sgs_map_get(&inputs, name) ? "an input"
                                : sgs_map_get(&o->im.scope.values, name) ? "an initializer" : NULL;
            if (first)
                return twice(o, name, first, &o->node[i], d);
            if (name[0])
                sgs_map_set(maker, name, &o->node[i]);
        }
    return SGS_OK;
}

typedef struct visit {
    sgs_model *o;
    sgs_map *maker, *stop;
    uint8_t *state;            /* per node: 0 new, 1 open, 2 done */
    int *stack, *slot, depth;
    sgs_model_order *order;
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

sgs_status sgs_model_sort(sgs_model *o, sgs_map *stop, const char *const *outputs, int n, sgs_model_order *order, sgs_diag *d)
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

/* The model in levels: a tensor's level counts the unsupported nodes on the worst path to it.  The supported nodes of one level are a part
 * that can be cut out: a path between two of them cannot leave the level. */
enum { CONSTANT = -1 };    /* level of what depends on no input */

typedef struct levels {
    sgs_model *o;
    const sgs_model_order *order;
    const sgs_model_ends *ends;
    int *level;                /* by place in the order */
    sgs_map maker;             /* tensor -> &level[its node] */
    sgs_map input;             /* the graph's inputs */
    int best, size;            /* the level of most supported nodes */
} levels;

static bool taken(const levels *l, int i)
{
    return l->level[i] == l->best && sgs_model_takes(l->o, l->order->node[i]);
}

static int level_of(const levels *l, const char *tensor)
{
    const int *at = sgs_map_get(&l->maker, tensor);
    const sgs_value *v = sgs_map_get(&l->o->im.scope.values, tensor);
    if (v && v->constant) /* what was computed from shapes alone is no end of a part */
        return CONSTANT;
    return sgs_map_get(&l->input, tensor) ? 0 : at ? *at : CONSTANT;
}

static void find_levels(levels *l)
{
    int n = l->order->n, *count = sgs_alloc_n(l->o->a, (size_t)n + 2, sizeof *count);
    l->level = sgs_alloc_n(l->o->a, (size_t)n + 1, sizeof *l->level);
    for (int i = 0; i < l->ends->ninput; i++)
        sgs_map_set(&l->input, l->ends->input[i], l);
    for (int i = 0; i < n; i++) {
        const sgs_source_node *s = l->order->node[i];
        int at = CONSTANT;
        for (int k = 0; k < s->nin; k++)
            at = level_of(l, s->in[k]) > at ? level_of(l, s->in[k]) : at;
        bool supported = sgs_model_takes(l->o, s);
        l->level[i] = supported ? at : (at < 0 ? 0 : at) + 1;
        for (int k = 0; k < s->nout; k++)
            sgs_map_set(&l->maker, s->out[k], &l->level[i]);
        if (supported && at >= 0 && ++count[at] > l->size) {
            l->size = count[at];
            l->best = at;
        }
    }
}

static void add_name(sgs_model_names *l, const char *name)
{
    if (!name[0] || sgs_map_get(&l->seen, name))
        return;
    sgs_map_set(&l->seen, name, l);
    l->name[l->n++] = name;
}

/* Tensors that enter and leave the best part. */
static void list_ends(const levels *l, sgs_model_names *in, sgs_model_names *out)
{
    sgs_map own = { .a = l->o->a };
    for (int i = 0; i < l->order->n; i++)
        for (int k = 0; k < l->order->node[i]->nout && taken(l, i); k++)
            sgs_map_set(&own, l->order->node[i]->out[k], &own);
    for (int i = 0; i < l->order->n; i++) {
        const sgs_source_node *s = l->order->node[i];
        for (int k = 0; k < s->nin; k++) {
            bool inside = sgs_map_get(&own, s->in[k]) != NULL;
            if (taken(l, i) && !inside && level_of(l, s->in[k]) != CONSTANT)
                add_name(in, s->in[k]);
            if (!taken(l, i) && inside && level_of(l, s->in[k]) != CONSTANT)
                add_name(out, s->in[k]);
        }
    }
    for (int i = 0; i < l->ends->noutput; i++)
        if (sgs_map_get(&own, l->ends->output[i]))
            add_name(out, l->ends->output[i]);
}

int sgs_model_cut(sgs_model *o, const sgs_model_order *order, const sgs_model_ends *ends, sgs_model_names *in, sgs_model_names *out)
{
    levels l = { .o = o, .order = order, .ends = ends, .maker = { .a = o->a }, .input = { .a = o->a } };
    size_t most = (size_t)ends->noutput + 1;
    for (int i = 0; i < order->n; i++)
        most += (size_t)order->node[i]->nin;
    *in = (sgs_model_names){ .name = sgs_alloc_n(o->a, most, sizeof *in->name), .seen = { .a = o->a } };
    *out = (sgs_model_names){ .name = sgs_alloc_n(o->a, most, sizeof *out->name), .seen = { .a = o->a } };
    find_levels(&l);
    if (l.size)
        list_ends(&l, in, out);
    return l.size;
}

/* A quoted list for Python. */
static void add_quoted(sgs_buf *b, const sgs_model_names *l)
{
    for (int i = 0; i < l->n; i++) {
        sgs_buf_printf(b, "%s'", i ? ", " : "");
        for (const char *c = l->name[i]; *c; c++)
            sgs_buf_printf(b, "%s%c", *c == '\'' || *c == '\\' ? "\\" : "", *c);
        sgs_buf_printf(b, "'");
    }
}

/* As the ini takes them. */
static const char *listed(sgs_model *o, const sgs_model_names *l)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < l->n && b.n < 200; i++)
        sgs_buf_printf(&b, "%s\"%s\"", i ? "," : "", l->name[i]);
    const char *text = sgs_strndup(o->a, b.p ? b.p : "", b.n);
    sgs_buf_free(&b);
    return text;
}

static void hint_cut(sgs_model *o, const sgs_model_order *order, const sgs_model_ends *ends, sgs_diag *d)
{
    sgs_model_names in, out;
    sgs_buf b = { 0 };
    const int size = sgs_model_cut(o, order, ends, &in, &out);
    if (!size)
        return;
    sgs_buf_printf(&b, "[");
    add_quoted(&b, &in);
    sgs_buf_printf(&b, "], [");
    add_quoted(&b, &out);
    sgs_buf_printf(&b, "]");
    if (o->frontend != &sgs_frontend_onnx)
        sgs_hint(d, "%d of %d nodes can be taken together, with inputs=%s and outputs=%s in input_config.ini", size, order->n, listed(o, &in), listed(o, &out));
    else if (b.n < 500)
        sgs_hint(d, "%d of %d nodes can be taken together: onnx.utils.extract_model('%s', 'cut.onnx', %s)", size, order->n, o->file, b.p);
    else
        sgs_hint(d, "%d of %d nodes can be taken together, between %d and %d tensors", size, order->n, in.n, out.n);
    sgs_buf_free(&b);
}

static void add_node(sgs_buf *b, const sgs_source_node *n)
{
    const char *domain = own_domain(n) ? "" : n->domain;
    sgs_buf_printf(b, "%s%s%s%s '%s'", b->n ? ", " : "", domain, domain[0] ? "." : "", n->op, sgs_src_label(n));
}

sgs_status sgs_model_supported(sgs_model *o, const sgs_model_order *order, const sgs_model_ends *ends, sgs_diag *d)
{
    int bad = 0, shown = 0;
    sgs_buf b = { 0 };
    for (int i = 0; i < order->n; i++) {
        if (sgs_src_importer_of(&o->im, order->node[i]))
            continue;
        bad++;
        if (b.n < 1200) {
            add_node(&b, order->node[i]);
            shown++;
        }
    }
    if (!bad)
        return SGS_OK;
    if (bad > shown)
        sgs_buf_printf(&b, " and %d more", bad - shown);
    const char *opset = o->opset ? sgs_format(o->a, " (opset %lld)", (long long)o->opset) : "";
    sgs_fail(d, SGS_E_UNSUPPORTED, "%d node%s not supported%s: %s", bad, bad > 1 ? "s are" : " is", opset, b.p);
    sgs_fail_at(d, o->file, 0, NULL);
    sgs_buf_free(&b);
    hint_cut(o, order, ends, d);
    return SGS_E_UNSUPPORTED;
}
