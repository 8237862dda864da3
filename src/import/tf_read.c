/* GraphDef -> sgs_model. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "import/onnx.h"
#include "import/tf_read.h"
#include "import/tf_schema.h"
#include "ops/tensorflow.h"

/* ---- messages ---- */

typedef sgs_status (*field_fn)(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d);

static sgs_status each(sgs_model *o, sgs_span msg, field_fn fn, void *into, sgs_diag *d)
{
    sgs_field f;
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            return SGS_OK;
        SGS_TRY(fn(o, into, &f, d));
    }
}

/* The same of a message inside a message. */
static sgs_status within(sgs_model *o, const sgs_field *outer, field_fn fn, void *into, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(outer, SGS_WIRE_BYTES, "a message", d));
    return each(o, outer->bytes, fn, into, d);
}

static sgs_status string(sgs_model *o, const sgs_field *f, const char *what, const char **out, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, what, d));
    *out = sgs_proto_string(o->a, f);
    return SGS_OK;
}

/* One more at the end of a list, or an error. */
static sgs_status add(sgs_model *o, void *list, int *n, size_t size, void *out, sgs_diag *d)
{
    void *p = sgs_push(o->a, list, n, size);
    memcpy(out, &p, sizeof p);
    return p ? SGS_OK : sgs_fail(d, SGS_E_LIMIT, "the nodes exceed the memory limit");
}

/* ---- attributes ---- */

typedef struct attr_lists {
    sgs_src_attr *a;
    sgs_ints ints;
    sgs_floats floats;
    sgs_span *strings;
    int nstrings;
    bool unknown; /* rank */
} attr_lists;

static sgs_status dim_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    (void)o;
    if (f->number == SHAPEDIM_SIZE) {
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_VARINT, "size", d));
        *(int64_t *)into = (int64_t)f->value;
    }
    return SGS_OK;
}

static sgs_status shape_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    attr_lists *l = into;
    int64_t size = 0;
    if (f->number == SHAPEPROTO_UNKNOWN)
        l->unknown = f->value != 0;
    if (f->number != SHAPEPROTO_DIM)
        return SGS_OK;
    SGS_TRY(within(o, f, dim_field, &size, d));
    return sgs_proto_ints(o->a, &(sgs_field){ .wire = SGS_WIRE_VARINT, .value = (uint64_t)size }, &l->ints, d);
}

static sgs_status list_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    attr_lists *l = into;
    sgs_span *s;
    switch (f->number) {
    case LIST_S:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "list of words", d));
        SGS_TRY(add(o, &l->strings, &l->nstrings, sizeof *s, &s, d));
        *s = f->bytes;
        l->a->kind = SGS_SRC_STRINGS;
        return SGS_OK;
    case LIST_I:
    case LIST_B:
    case LIST_TYPE:
        return sgs_proto_ints(o->a, f, &l->ints, d);
    case LIST_F:
        l->a->kind = SGS_SRC_FLOATS;
        return sgs_proto_floats(o->a, f, &l->floats, d);
    default:
        return SGS_OK;
    }
}

static sgs_status func_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    (void)o;
    sgs_src_attr *a = into;
    if (f->number != FUNC_NAME)
        return SGS_OK;
    a->kind = SGS_SRC_STRING;
    a->s = f->bytes;
    return sgs_proto_want(f, SGS_WIRE_BYTES, "function name", d);
}

static sgs_status value_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    attr_lists *l = into;
    sgs_src_attr *a = l->a;
    switch (f->number) {
    case ATTRVALUE_S:
        a->kind = SGS_SRC_STRING;
        a->s = f->bytes;
        return sgs_proto_want(f, SGS_WIRE_BYTES, "attribute s", d);
    case ATTRVALUE_I:
    case ATTRVALUE_B:
    case ATTRVALUE_TYPE:
        a->kind = SGS_SRC_INT;
        a->i = (int64_t)f->value;
        return sgs_proto_want(f, SGS_WIRE_VARINT, "attribute i", d);
    case ATTRVALUE_F:
        a->kind = SGS_SRC_FLOAT;
        a->f = sgs_bits_f32((uint32_t)f->value);
        return sgs_proto_want(f, SGS_WIRE_32, "attribute f", d);
    case ATTRVALUE_SHAPE:
        a->kind = SGS_SRC_INTS;
        return within(o, f, shape_field, l, d);
    case ATTRVALUE_LIST:
        a->kind = SGS_SRC_INTS;
        return within(o, f, list_field, l, d);
    case ATTRVALUE_FUNC:
        return within(o, f, func_field, a, d);
    case ATTRVALUE_PLACEHOLDER:
        a->kind = SGS_SRC_OTHER;
        a->s = f->bytes;
        return sgs_proto_want(f, SGS_WIRE_BYTES, "placeholder", d);
    case ATTRVALUE_TENSOR:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "attribute tensor", d));
        SGS_TRY(sgs_tf_tensor(o, f->bytes, &a->tensor, &a->i, d));
        a->kind = a->tensor ? SGS_SRC_TENSOR : SGS_SRC_OTHER;
        return SGS_OK;
    default:
        return SGS_OK;
    }
}

static sgs_status entry_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    attr_lists *l = into;
    if (f->number == MAP_KEY)
        return string(o, f, "attribute name", &l->a->name, d);
    return f->number == MAP_VALUE ? within(o, f, value_field, l, d) : SGS_OK;
}

static sgs_status read_attr(sgs_model *o, sgs_source_node *s, const sgs_field *f, sgs_diag *d)
{
    attr_lists l = { 0 };
    SGS_TRY(add(o, &s->attr, &s->nattr, sizeof *l.a, &l.a, d));
    *l.a = (sgs_src_attr){ .name = "", .kind = SGS_SRC_OTHER };
    SGS_TRY(within(o, f, entry_field, &l, d));
    if (l.ints.n > INT32_MAX || l.floats.n > INT32_MAX)
        return sgs_fail(d, SGS_E_LIMIT, "attribute %s has too many numbers", l.a->name);
    l.a->kind = l.unknown ? SGS_SRC_OTHER : l.a->kind;
    l.a->ints = l.ints.v;
    l.a->floats = l.floats.v;
    l.a->strings = l.strings;
    l.a->n = l.a->kind == SGS_SRC_STRINGS ? l.nstrings : (int)(l.a->kind == SGS_SRC_FLOATS ? l.floats.n : l.ints.n);
    return SGS_OK;
}

/* ---- nodes ---- */

static sgs_status node_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    sgs_tf_node *n = into;
    sgs_tf_input *in;
    switch (f->number) {
    case NODEDEF_NAME:
        return string(o, f, "node name", &n->s.name, d);
    case NODEDEF_OP:
        return string(o, f, "op", &n->s.op, d);
    case NODEDEF_INPUT:
        SGS_TRY(add(o, &n->in, &n->nin, sizeof *in, &in, d));
        in->node = -1;
        return string(o, f, "node input", &in->text, d);
    case NODEDEF_ATTR:
        return read_attr(o, &n->s, f, d);
    default:
        return SGS_OK;
    }
}

sgs_status sgs_tf_read_node(sgs_model *o, sgs_span msg, sgs_tf_node **list, int *n, sgs_diag *d)
{
    sgs_tf_node *node;
    SGS_TRY(add(o, list, n, sizeof *node, &node, d));
    *node = (sgs_tf_node){ .s = { .op = "", .domain = "", .name = "" }, .live = -1 };
    const sgs_status s = each(o, msg, node_field, node, d);
    return s == SGS_OK ? s : sgs_fail_at(d, o->file, 0, node->s.name);
}

static sgs_status library_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    sgs_tf_graph *g = into;
    if (f->number != LIBRARY_FUNCTION)
        return SGS_OK;
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "function", d));
    return sgs_tf_read_function(o, f->bytes, &g->function, &g->nfunction, d);
}

static sgs_status graph_field(sgs_model *o, void *into, const sgs_field *f, sgs_diag *d)
{
    sgs_tf_graph *g = into;
    if (f->number == GRAPHDEF_LIBRARY)
        return within(o, f, library_field, g, d);
    if (f->number != GRAPHDEF_NODE)
        return SGS_OK;
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "node", d));
    return sgs_tf_read_node(o, f->bytes, &g->node, &g->n, d);
}

/* ---- names ---- */

int sgs_tf_find(const sgs_tf_graph *g, const char *name)
{
    return (int)(uintptr_t)sgs_map_get(&g->by_name, name) - 1;
}

sgs_status sgs_tf_add_name(sgs_tf_graph *g, int i, sgs_diag *d)
{
    const char *name = g->node[i].s.name;
    if (!name[0])
        return sgs_fail(d, SGS_E_MODEL, "node %d (%s) has no name", i, g->node[i].s.op);
    if (sgs_tf_find(g, name) >= 0)
        return sgs_fail(d, SGS_E_MODEL, "two nodes are named '%s'", name);
    sgs_map_set(&g->by_name, name, (void *)(uintptr_t)(i + 1));
    return SGS_OK;
}

/* "^x", "x" or "x:3". */
static sgs_status split_name(sgs_tf_graph *g, const char *text, const char **name, int *port, sgs_diag *d)
{
    enum { MOST = 4095 };
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    *name = text + (text[0] == '^');
    *port = text[0] == '^' ? TF_CONTROL : 0;
    if (!colon || *port == TF_CONTROL)
        return SGS_OK;
    const long v = strtol(colon + 1, &end, 10);
    if (*end || end == colon + 1 || v < 0 || v > MOST)
        return sgs_fail(d, SGS_E_MODEL, "input '%s': expected NODE or NODE:NUMBER with a number of 0..%d", text, MOST);
    *name = sgs_strndup(g->o->a, text, (size_t)(colon - text));
    *port = (int)v;
    return SGS_OK;
}

void sgs_tf_ask(sgs_tf_graph *g, int node, int port)
{
    if (node >= 0 && port >= g->node[node].nport)
        g->node[node].nport = port + 1;
}

sgs_status sgs_tf_resolve(sgs_tf_graph *g, sgs_diag *d)
{
    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < g->node[i].nin; k++) {
            sgs_tf_input *in = &g->node[i].in[k];
            const char *name;
            if (split_name(g, in->text, &name, &in->port, d) != SGS_OK)
                return sgs_fail_at(d, g->o->file, 0, g->node[i].s.name);
            in->node = sgs_tf_find(g, name);
            sgs_tf_ask(g, in->node, in->port);
        }
    return SGS_OK;
}

/* The ini names tensors with or without ":0". */
static void ask_for(sgs_tf_graph *g, const char *text)
{
    const char *name;
    int port;
    sgs_diag none;
    if (split_name(g, text, &name, &port, &none) != SGS_OK || port == TF_CONTROL || sgs_tf_find(g, name) < 0)
        return;
    sgs_tf_ask(g, sgs_tf_find(g, name), port);
    g->node[sgs_tf_find(g, name)].asked = true;
    if (port == 0 && strchr(text, ':'))
        sgs_map_set(&g->spelled, name, g);
}

static void ask_for_all(sgs_tf_graph *g)
{
    const sgs_import_options *opt = g->o->opt;
    for (int i = 0; i < opt->ninput; i++)
        ask_for(g, opt->input_name[i]);
    for (int i = 0; i < opt->noutput; i++)
        ask_for(g, opt->output_name[i]);
}

const char *sgs_tf_tensor_name(sgs_tf_graph *g, int node, int port)
{
    const char *name = g->node[node].s.name;
    return port || sgs_map_get(&g->spelled, name) ? sgs_format(g->o->a, "%s:%d", name, port) : name;
}

static bool listed(sgs_tf_graph *g, const char *name)
{
    for (int i = 0; i < g->o->opt->ninput; i++)
        if (!strcmp(g->o->opt->input_name[i], name))
            return true;
    return false;
}

/* ---- types ---- */

static bool has_op(const sgs_tf_node *n, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (!strcmp(n->s.op, list[i]))
            return true;
    return false;
}

/* Of a node's outputs; those that say nothing make numbers. */
static int64_t dtype_of(const sgs_tf_node *n)
{
    static const char *const truth[] = { "Equal",      "NotEqual",     "Less",       "LessEqual",
                                         "Greater",    "GreaterEqual", "LogicalAnd", "LogicalOr",
                                         "LogicalNot", "All",          "Any",        NULL },
                             *const count[] = { "Shape", "ShapeN", "Size", "Rank", NULL },
                             *const index[] = { "ArgMax", "ArgMin", "Where", NULL };
    static const char *const attrs[] = { "dtype", "DstT", "out_type", "output_type", "Tparams", "T", NULL };
    enum { FLOAT = 1, INT32 = 3, INT64 = 9, BOOL = 10 };
    if (has_op(n, truth))
        return BOOL;
    for (int i = 0; attrs[i]; i++) {
        const sgs_src_attr *a = sgs_src_find(&n->s, attrs[i]);
        if (a && a->kind == SGS_SRC_INT && (i != 5 || !(has_op(n, count) || has_op(n, index))))
            return a->i;
    }
    return has_op(n, count) ? INT32 : has_op(n, index) ? INT64 : FLOAT;
}

/* ONNX's number of a type, by which messages call it. */
static int64_t onnx_number(int64_t dtype)
{
    static const int8_t of[] = { 0, 1, 11, 6, 2, 5, 3, 8, 14, 7, 9, 3, 2, 6, 16, 5, 4, 4, 15, 10, 0, 0, 12, 13 };
    return dtype >= 0 && dtype < (int64_t)sizeof of ? of[dtype] : 0;
}

static sgs_status add_info(sgs_tf_graph *g, sgs_source_tensor **list, int *n, const sgs_tf_node *node, const char *name,
                           sgs_diag *d)
{
    sgs_source_tensor *v;
    const int64_t dtype = dtype_of(node);
    const sgs_src_attr *shape = sgs_src_find(&node->s, "shape");
    SGS_TRY(add(g->o, list, n, sizeof *v, &v, d));
    *v = (sgs_source_tensor){ .name = name,
                              .type = sgs_tf_type(dtype),
                              .data_type = onnx_number(dtype),
                              .narrow = sgs_onnx_narrow(onnx_number(dtype)),
                              .rank = -1 };
    if (!shape || shape->kind != SGS_SRC_INTS || !shape->n || shape->n > SGS_MAX_RANK ||
        strncmp(node->s.op, "Placeholder", 11))
        return SGS_OK; /* old files write a scalar's shape for one that is not known */
    v->rank = shape->n;
    for (int i = 0; i < shape->n; i++)
        v->dim[i] = shape->ints[i] < 0 ? -1 : shape->ints[i];
    return SGS_OK;
}

/* ---- what the rest of the import takes ---- */

void sgs_tf_set_narrow(sgs_model *o, const sgs_value *v, int64_t dtype)
{
    if (sgs_onnx_narrow(onnx_number(dtype)))
        sgs_src_set_narrow(&o->im, v, sgs_onnx_narrow(onnx_number(dtype)));
}

static sgs_status add_init(sgs_tf_graph *g, const char *name, sgs_value *v, int64_t dtype, sgs_diag *d)
{
    sgs_source_const *i;
    SGS_TRY(add(g->o, &g->o->init, &g->o->ninit, sizeof *i, &i, d));
    *i = (sgs_source_const){ name, v };
    sgs_tf_set_narrow(g->o, v, dtype);
    return SGS_OK;
}

sgs_status sgs_tf_source(sgs_tf_graph *g, int i, sgs_source_node *s, sgs_diag *d)
{
    enum { OPSET = 1000 }; /* importers of ONNX's operators that serve TensorFlow's: in their newest form */
    const sgs_tf_node *n = &g->node[i];
    *s = n->s;
    s->opset = OPSET;
    s->nout = n->nport ? n->nport : 1;
    const char **in = sgs_try_alloc(g->o->a, ((size_t)n->nin + 1) * sizeof *in),
               **out = sgs_try_alloc(g->o->a, (size_t)s->nout * sizeof *out);
    if (!in || !out)
        return sgs_fail(d, SGS_E_LIMIT, "the nodes exceed the memory limit");
    for (int k = 0; k < n->nin; k++)
        if (n->in[k].port != TF_CONTROL)
            in[s->nin++] = n->in[k].node < 0 ? n->in[k].text : sgs_tf_tensor_name(g, n->in[k].node, n->in[k].port);
    for (int k = 0; k < s->nout; k++)
        out[k] = n->live < 0 || n->live == k ? sgs_tf_tensor_name(g, i, k) : "";
    s->in = in;
    s->out = out;
    return sgs_tf_take_bodies(g, s, d);
}

static sgs_status add_node(sgs_tf_graph *g, int i, sgs_diag *d)
{
    sgs_source_node *s;
    SGS_TRY(add(g->o, &g->o->node, &g->o->nnode, sizeof *s, &s, d));
    return sgs_tf_source(g, i, s, d);
}

static sgs_status add_one(sgs_tf_graph *g, int i, sgs_diag *d)
{
    const sgs_tf_node *n = &g->node[i];
    const char *name = sgs_tf_tensor_name(g, i, 0);
    const sgs_src_attr *value = !strcmp(n->s.op, "Const") ? sgs_src_find(&n->s, "value") : NULL;
    if (value && value->kind == SGS_SRC_TENSOR)
        return add_init(g, name, value->tensor, value->i, d);
    if (!strcmp(n->s.op, "Placeholder") || (!strcmp(n->s.op, "PlaceholderWithDefault") && listed(g, name)))
        return add_info(g, &g->o->in, &g->o->nin, n, name, d);
    for (int k = 0; n->asked && k < n->nport; k++)
        if (listed(g, sgs_tf_tensor_name(g, i, k)))
            SGS_TRY(add_info(g, &g->o->inner, &g->o->ninner, n, sgs_tf_tensor_name(g, i, k), d));
    return add_node(g, i, d);
}

/* Nodes that no one uses are the outputs, where they make anything of an input. */
static sgs_status add_outputs(sgs_tf_graph *g, sgs_diag *d)
{
    static const char *const ends[] = { "Assert", "Placeholder", NULL };
    bool *used = sgs_alloc_n(g->o->a, (size_t)g->n + 1, sizeof *used);
    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < g->node[i].nin && !g->node[i].dead; k++)
            if (g->node[i].in[k].node >= 0 && g->node[i].in[k].port != TF_CONTROL)
                used[g->node[i].in[k].node] = true;
    for (int i = 0; i < g->n; i++)
        if (!used[i] && g->node[i].fed && !g->node[i].branch && !has_op(&g->node[i], ends))
            SGS_TRY(add_info(g, &g->o->out, &g->o->nout, &g->node[i], sgs_tf_tensor_name(g, i, 0), d));
    return SGS_OK;
}

/* ---- the whole ---- */

static sgs_status read_graph(sgs_tf_graph *g, sgs_span model, sgs_diag *d)
{
    SGS_TRY(each(g->o, model, graph_field, g, d));
    if (!g->n)
        return sgs_fail(d, SGS_E_FORMAT, "the file holds no TensorFlow graph: expected a frozen GraphDef");
    for (int i = 0; i < g->n; i++)
        SGS_TRY(sgs_tf_add_name(g, i, d));
    SGS_TRY(sgs_tf_inline(g, d));
    SGS_TRY(sgs_tf_resolve(g, d));
    ask_for_all(g);
    SGS_TRY(sgs_tf_close_loops(g, d));
    SGS_TRY(sgs_tf_decide(g, d));
    for (int i = 0; i < g->n; i++)
        if (!g->node[i].dead)
            SGS_TRY(add_one(g, i, d));
    SGS_TRY(sgs_tf_make_bodies(g, d));
    return add_outputs(g, d);
}

static sgs_status read_model(sgs_model *o, sgs_span model, sgs_diag *d)
{
    sgs_tf_function *waiting = NULL;
    sgs_tf_graph g = { .o = o, .waiting = &waiting, .by_name = { .a = o->a }, .spelled = { .a = o->a } };
    o->producer = "";
    const sgs_status s = model.n ? read_graph(&g, model, d) : sgs_fail(d, SGS_E_FORMAT, "the file is empty");
    return s == SGS_OK ? s : sgs_fail_at(d, o->file, 0, NULL);
}

static const sgs_from *importers(const sgs_family *f)
{
    return f->tensorflow;
}

const sgs_frontend sgs_frontend_tensorflow = {
    .name = "TensorFlow", .read = read_model, .importers = importers, .channels_last = true, .shapes_by_ini = true
};
