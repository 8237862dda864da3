/* Functions of a GraphDef's library: a call becomes the function's nodes. */
#include <stdlib.h>
#include <string.h>

#include "import/tf_read.h"
#include "import/tf_schema.h"

/* ---- FunctionDef ---- */

static sgs_status no_room(sgs_diag *d)
{
    return sgs_fail(d, SGS_E_LIMIT, "the nodes exceed the memory limit");
}

static sgs_status add_string(sgs_model *o, const char ***list, int *n, const sgs_field *f, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "a name", d));
    const char **s = sgs_push(o->a, list, n, sizeof *s);
    if (!s)
        return no_room(d);
    *s = sgs_proto_string(o->a, f);
    return SGS_OK;
}

/* The name of an argument. */
static sgs_status read_arg(sgs_model *o, const sgs_field *arg, const char ***list, int *n, sgs_diag *d)
{
    sgs_span msg = arg->bytes;
    sgs_field f;
    SGS_TRY(sgs_proto_want(arg, SGS_WIRE_BYTES, "an argument", d));
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            return SGS_OK;
        if (f.number == ARG_NAME)
            SGS_TRY(add_string(o, list, n, &f, d));
    }
}

static sgs_status read_signature(sgs_model *o, const sgs_field *signature, sgs_tf_function *fn, sgs_diag *d)
{
    sgs_span msg = signature->bytes;
    sgs_field f;
    SGS_TRY(sgs_proto_want(signature, SGS_WIRE_BYTES, "a signature", d));
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            return SGS_OK;
        if (f.number == SIGNATURE_NAME) {
            SGS_TRY(sgs_proto_want(&f, SGS_WIRE_BYTES, "a name", d));
            fn->name = sgs_proto_string(o->a, &f);
        } else if (f.number == SIGNATURE_INPUT) {
            SGS_TRY(read_arg(o, &f, &fn->arg, &fn->narg, d));
        } else if (f.number == SIGNATURE_OUTPUT) {
            SGS_TRY(read_arg(o, &f, &fn->out, &fn->nout, d));
        }
    }
}

static sgs_status read_ret(sgs_model *o, const sgs_field *entry, sgs_tf_function *fn, sgs_diag *d)
{
    sgs_span msg = entry->bytes;
    sgs_field f;
    int n = fn->nret;
    SGS_TRY(sgs_proto_want(entry, SGS_WIRE_BYTES, "a result", d));
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            break;
        if (f.number == MAP_KEY)
            SGS_TRY(add_string(o, &fn->ret_name, &n, &f, d));
        else if (f.number == MAP_VALUE)
            SGS_TRY(add_string(o, &fn->ret_from, &fn->nret, &f, d));
    }
    return n == fn->nret ? SGS_OK : sgs_fail(d, SGS_E_FORMAT, "a function's result has no name or no tensor");
}

sgs_status sgs_tf_read_function(sgs_model *o, sgs_span msg, sgs_tf_function **list, int *n, sgs_diag *d)
{
    sgs_tf_function *fn = sgs_push(o->a, list, n, sizeof *fn);
    sgs_field f;
    if (!fn)
        return no_room(d);
    fn->name = "";
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            return SGS_OK;
        if (f.number == FUNCTION_SIGNATURE)
            SGS_TRY(read_signature(o, &f, fn, d));
        else if (f.number == FUNCTION_RET)
            SGS_TRY(read_ret(o, &f, fn, d));
        else if (f.number == FUNCTION_NODE) {
            SGS_TRY(sgs_proto_want(&f, SGS_WIRE_BYTES, "node", d));
            SGS_TRY(sgs_tf_read_node(o, f.bytes, &fn->node, &fn->nnode, d));
        }
    }
}

/* ---- calls ---- */

static const sgs_tf_function *find_function(const sgs_tf_graph *g, const char *name, size_t n)
{
    for (int i = 0; i < g->nfunction; i++)
        if (strlen(g->function[i].name) == n && !memcmp(g->function[i].name, name, n))
            return &g->function[i];
    return NULL;
}

static const sgs_tf_function *called(const sgs_tf_graph *g, const sgs_tf_node *n)
{
    const sgs_src_attr *f = sgs_src_find(&n->s, "f");
    if (!strcmp(n->s.op, "PartitionedCall") || !strcmp(n->s.op, "StatefulPartitionedCall"))
        return f && f->kind == SGS_SRC_STRING ? find_function(g, (const char *)f->s.p, f->s.n) : NULL;
    return g->nfunction ? find_function(g, n->s.op, strlen(n->s.op)) : NULL;
}

/* Where a named output of an operator begins among all: "node:values:0". */
static int first_port(const sgs_tf_function *fn, const char *node, size_t nnode, const char *out, size_t nout)
{
    static const char *const named[][9] = { { "TopKV2", "values", "indices" },
                                            { "Switch", "output_false", "output_true" },
                                            { "Merge", "output", "value_index" },
                                            { "TensorArrayV3", "handle", "flow" },
                                            { "LSTMBlockCell", "i", "cs", "f", "o", "ci", "co", "h" },
                                            { "BlockLSTM", "i", "cs", "f", "o", "ci", "co", "h" },
                                            { "GRUBlockCell", "r", "u", "c", "h" } };
    for (int i = 0; i < fn->nnode; i++) {
        if (strlen(fn->node[i].s.name) != nnode || memcmp(fn->node[i].s.name, node, nnode))
            continue;
        for (size_t k = 0; k < sizeof named / sizeof *named; k++)
            for (int port = 1; named[k][port] && !strcmp(fn->node[i].s.op, named[k][0]); port++)
                if (strlen(named[k][port]) == nout && !memcmp(named[k][port], out, nout))
                    return port - 1;
    }
    return 0;
}

/* A tensor of the function's as the graph around the call names it. */
static const char *outside(sgs_tf_graph *g, const sgs_tf_function *fn, const sgs_tf_node *call, const char *text)
{
    const bool control = text[0] == '^';
    const char *colon = strchr(text, ':'), *last = strrchr(text, ':');
    for (int i = 0; i < fn->narg && i < call->nin; i++)
        if (!strcmp(fn->arg[i], text))
            return call->in[i].text;
    if (control)
        return sgs_format(g->o->a, "^%s/%s", call->s.name, text + 1);
    if (!colon || colon == last)
        return sgs_format(g->o->a, "%s/%s", call->s.name, text);
    const int first = first_port(fn, text, (size_t)(colon - text), colon + 1, (size_t)(last - colon - 1));
    return sgs_format(g->o->a, "%s/%.*s:%ld", call->s.name, (int)(colon - text), text,
                      first + strtol(last + 1, NULL, 10));
}

/* Attributes that the call gives. */
static const sgs_src_attr *bound(sgs_tf_graph *g, const sgs_tf_node *call, const sgs_source_node *s)
{
    sgs_src_attr *list = sgs_alloc_n(g->o->a, (size_t)s->nattr + 1, sizeof *list);
    for (int i = 0; i < s->nattr; i++) {
        list[i] = s->attr[i];
        for (int k = 0; k < call->s.nattr && list[i].kind == SGS_SRC_OTHER && list[i].s.n; k++)
            if (strlen(call->s.attr[k].name) == list[i].s.n &&
                !memcmp(call->s.attr[k].name, list[i].s.p, list[i].s.n)) {
                list[i] = call->s.attr[k];
                list[i].name = s->attr[i].name;
            }
    }
    return list;
}

static sgs_status copy_node(sgs_tf_graph *g, const sgs_tf_function *fn, const sgs_tf_node *call,
                            const sgs_tf_node *from, sgs_diag *d)
{
    sgs_tf_node *n = sgs_push(g->o->a, &g->node, &g->n, sizeof *n);
    if (!n)
        return no_room(d);
    *n = *from;
    n->s.name = sgs_format(g->o->a, "%s/%s", call->s.name, from->s.name);
    n->s.attr = bound(g, call, &from->s);
    n->in = sgs_alloc_n(g->o->a, (size_t)from->nin + 1, sizeof *n->in);
    for (int i = 0; i < from->nin; i++)
        n->in[i] = (sgs_tf_input){ .text = outside(g, fn, call, from->in[i].text), .node = -1 };
    return sgs_tf_add_name(g, g->n - 1, d);
}

static sgs_status result(sgs_tf_graph *g, const sgs_tf_function *fn, const sgs_tf_node *call, int i, sgs_tf_input *to,
                         sgs_diag *d)
{
    for (int k = 0; k < fn->nret; k++)
        if (!strcmp(fn->ret_name[k], fn->out[i])) {
            *to = (sgs_tf_input){ .text = outside(g, fn, call, fn->ret_from[k]), .node = -1 };
            return SGS_OK;
        }
    return sgs_fail(d, SGS_E_MODEL, "function '%s' does not say which tensor is its output '%s'", fn->name, fn->out[i]);
}

static sgs_status expand(sgs_tf_graph *g, int i, const sgs_tf_function *fn, sgs_diag *d)
{
    const sgs_tf_node call = g->node[i]; /* the list moves */
    for (int k = 0; k < fn->nnode; k++)
        SGS_TRY(copy_node(g, fn, &call, &fn->node[k], d));
    sgs_tf_input *in = sgs_alloc_n(g->o->a, (size_t)fn->nout + 1, sizeof *in);
    for (int k = 0; k < fn->nout; k++)
        SGS_TRY(result(g, fn, &call, k, &in[k], d));
    g->node[i].s.op = "IdentityN";
    g->node[i].in = in;
    g->node[i].nin = fn->nout;
    return SGS_OK;
}

sgs_status sgs_tf_inline(sgs_tf_graph *g, sgs_diag *d)
{
    enum { MOST_CALLS = 4096 };
    int calls = 0;
    for (int i = 0; i < g->n; i++) {
        const sgs_tf_function *fn = called(g, &g->node[i]);
        if (!fn)
            continue;
        if (++calls > MOST_CALLS)
            return sgs_fail(d, SGS_E_LIMIT, "more than %d calls of functions: function '%s' may call itself",
                            MOST_CALLS, fn->name);
        SGS_TRY(expand(g, i, fn, d));
    }
    return SGS_OK;
}
