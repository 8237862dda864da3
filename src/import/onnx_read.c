/* ModelProto -> sgs_model. */
#include <string.h>

#include "import/model_order.h"
#include "import/onnx.h"
#include "import/onnx_schema.h"

typedef sgs_status (*field_fn)(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d);

/* Hands every field of a message to fn. */
static sgs_status each(sgs_model *o, sgs_span msg, field_fn fn, void *into, int depth, sgs_diag *d)
{
    if (depth > SGS_PROTO_DEPTH)
        return sgs_fail(d, SGS_E_FORMAT, "messages are nested deeper than %d", SGS_PROTO_DEPTH);
    sgs_field f;
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            return SGS_OK;
        SGS_TRY(fn(o, into, &f, depth, d));
    }
}

static sgs_status string(sgs_model *o, const sgs_field *f, const char *what, const char **out, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, what, d));
    *out = sgs_proto_string(o->a, f);
    return SGS_OK;
}

void *sgs_push(sgs_arena *a, void *list, int *n, size_t size)
{
    char *p;
    memcpy(&p, list, sizeof p);
    if ((*n & (*n - 1)) == 0) {
        char *more = *n < 1 << 28 ? sgs_try_alloc(a, (*n ? (size_t)*n * 2 : 1) * size) : NULL;
        if (!more)
            return NULL;
        if (*n)
            memcpy(more, p, (size_t)*n * size);
        memcpy(list, &more, sizeof more);
        p = more;
    }
    return p + (size_t)(*n)++ * size;
}

static sgs_status no_room(const char *what, sgs_diag *d)
{
    return sgs_fail(d, SGS_E_LIMIT, "the list of %s exceeds the memory limit", what);
}

/* ---- attributes ------------------------------------------------------------------------------------------------------------ */

typedef struct attr_lists {
    sgs_src_attr *a;
    sgs_ints ints;
    sgs_floats floats;
    sgs_span *strings;
    int nstrings;
    sgs_src_body *body;
    int64_t type;
    bool seen_i, seen_f, seen_s, seen_t, other;
} attr_lists;

static sgs_status read_body(sgs_model *o, sgs_span graph, int depth, sgs_src_body **out, sgs_diag *d);

static sgs_status attr_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    attr_lists *l = into;
    const char *name;
    sgs_span *s;
    switch (f->number) {
    case ATTR_NAME: return string(o, f, "attribute name", &l->a->name, d);
    case ATTR_REF: return string(o, f, "attribute ref_attr_name", &l->a->ref, d);
    case ATTR_F: l->a->f = sgs_bits_f32((uint32_t)f->value); l->seen_f = true; return sgs_proto_want(f, SGS_WIRE_32, "attribute f", d);
    case ATTR_I: l->a->i = (int64_t)f->value; l->seen_i = true; return sgs_proto_want(f, SGS_WIRE_VARINT, "attribute i", d);
    case ATTR_S: l->a->s = f->bytes; l->seen_s = true; return sgs_proto_want(f, SGS_WIRE_BYTES, "attribute s", d);
    case ATTR_T:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "attribute t", d));
        l->seen_t = true;
        return sgs_onnx_tensor(o, f->bytes, &name, &l->a->tensor, d);
    case ATTR_FLOATS: return sgs_proto_floats(o->a, f, &l->floats, d);
    case ATTR_INTS: return sgs_proto_ints(o->a, f, &l->ints, d);
    case ATTR_TYPE: l->type = (int64_t)f->value; return sgs_proto_want(f, SGS_WIRE_VARINT, "attribute type", d);
    case ATTR_STRINGS:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "attribute strings", d));
        s = sgs_push(o->a, &l->strings, &l->nstrings, sizeof *s);
        if (!s)
            return no_room("strings", d);
        *s = f->bytes;
        return SGS_OK;
    case ATTR_G: SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "attribute g", d)); return read_body(o, f->bytes, depth + 1, &l->body, d);
    case ATTR_TENSORS:
    case ATTR_GRAPHS:
    case ATTR_SPARSE:
    case ATTR_SPARSES: l->other = true; return SGS_OK;
    default: return SGS_OK;
    }
}

/* By the declared type; files older than the type field are read by what is there. */
static sgs_src_kind attr_kind(const attr_lists *l)
{
    switch (l->type) {
    case KIND_FLOAT: return SGS_SRC_FLOAT;
    case KIND_INT: return SGS_SRC_INT;
    case KIND_STRING: return SGS_SRC_STRING;
    case KIND_TENSOR: return l->seen_t ? SGS_SRC_TENSOR : SGS_SRC_OTHER;
    case KIND_FLOATS: return SGS_SRC_FLOATS;
    case KIND_INTS: return SGS_SRC_INTS;
    case KIND_STRINGS: return SGS_SRC_STRINGS;
    case KIND_GRAPH: return l->body ? SGS_SRC_BODY : SGS_SRC_OTHER;
    case KIND_NONE: break;
    default: return SGS_SRC_OTHER;
    }
    return l->other ? SGS_SRC_OTHER : l->seen_t ? SGS_SRC_TENSOR : l->seen_s ? SGS_SRC_STRING : l->ints.n ? SGS_SRC_INTS
           : l->floats.n ? SGS_SRC_FLOATS : l->nstrings ? SGS_SRC_STRINGS : l->seen_f ? SGS_SRC_FLOAT : SGS_SRC_INT;
}

static sgs_status read_attr(sgs_model *o, const sgs_src_attr **list, int *n, sgs_span msg, int depth, sgs_diag *d)
{
    sgs_src_attr *a = sgs_push(o->a, list, n, sizeof *a);
    if (!a)
        return no_room("attributes", d);
    attr_lists l = { .a = a };
    a->name = "";
    SGS_TRY(each(o, msg, attr_field, &l, depth, d));
    if (a->ref && !a->ref[0])
        a->ref = NULL;
    if (l.ints.n > INT32_MAX || l.floats.n > INT32_MAX)
        return sgs_fail(d, SGS_E_LIMIT, "attribute %s has too many numbers", a->name);
    a->kind = attr_kind(&l);
    a->ints = l.ints.v;
    a->floats = l.floats.v;
    a->strings = l.strings;
    a->body = l.body;
    a->n = a->kind == SGS_SRC_STRINGS ? l.nstrings : (int)(a->kind == SGS_SRC_FLOATS ? l.floats.n : l.ints.n);
    return SGS_OK;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------------------- */

static sgs_status node_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    sgs_source_node *n = into;
    const char **name;
    switch (f->number) {
    case NODE_INPUT: name = sgs_push(o->a, &n->in, &n->nin, sizeof *name); return name ? string(o, f, "node input", name, d) : no_room("inputs", d);
    case NODE_OUTPUT: name = sgs_push(o->a, &n->out, &n->nout, sizeof *name); return name ? string(o, f, "node output", name, d) : no_room("outputs", d);
    case NODE_NAME: return string(o, f, "node name", &n->name, d);
    case NODE_OP: return string(o, f, "op_type", &n->op, d);
    case NODE_ATTR: SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "attribute", d)); return read_attr(o, &n->attr, &n->nattr, f->bytes, depth + 1, d);
    case NODE_DOMAIN: return string(o, f, "domain", &n->domain, d);
    case NODE_OVERLOAD: return string(o, f, "overload", &n->overload, d);
    default: return SGS_OK;
    }
}

/* ---- inputs and outputs ---------------------------------------------------------------------------------------------------- */

static sgs_status dim_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    (void)depth;
    sgs_source_tensor *v = into;
    if (f->number == DIM_PARAM)
        return string(o, f, "dim_param", &v->symbol[v->rank - 1], d);
    if (f->number == DIM_VALUE) {
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_VARINT, "dim_value", d));
        v->dim[v->rank - 1] = (int64_t)f->value < 0 ? -1 : (int64_t)f->value;
    }
    return SGS_OK;
}

static sgs_status shape_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    sgs_source_tensor *v = into;
    if (f->number != SHAPE_DIM)
        return SGS_OK;
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "dim", d));
    if (v->rank >= SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has more than %d dimensions", v->name, SGS_MAX_RANK);
    v->dim[v->rank++] = -1;
    return each(o, f->bytes, dim_field, v, depth + 1, d);
}

static sgs_status tensor_type_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    static const int8_t types[] = { -1, SGS_F32, SGS_U8, SGS_S8, SGS_S32, SGS_S32, SGS_S32, SGS_S64, -1, SGS_BOOL, SGS_F32, SGS_F32, SGS_S64 };
    sgs_source_tensor *v = into;
    if (f->number == TENSOR_TYPE_ELEM) {
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_VARINT, "elem_type", d));
        v->data_type = (int64_t)f->value;
        v->type = f->value < sizeof types ? types[f->value] : -1;
        v->narrow = sgs_onnx_narrow((int64_t)f->value);
    } else if (f->number == TENSOR_TYPE_SHAPE) {
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "shape", d));
        v->rank = 0;
        return each(o, f->bytes, shape_field, v, depth + 1, d);
    }
    return SGS_OK;
}

static sgs_status type_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    sgs_source_tensor *v = into;
    v->no_tensor = v->no_tensor || (f->number != TYPE_TENSOR && f->wire == SGS_WIRE_BYTES && f->number != TYPE_DENOTATION);
    if (f->number != TYPE_TENSOR)
        return SGS_OK;
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "tensor_type", d));
    return each(o, f->bytes, tensor_type_field, into, depth + 1, d);
}

static sgs_status info_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    sgs_source_tensor *v = into;
    if (f->number == INFO_NAME)
        return string(o, f, "name", &v->name, d);
    if (f->number != INFO_TYPE)
        return SGS_OK;
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "type", d));
    return each(o, f->bytes, type_field, v, depth + 1, d);
}

/* ---- graph and model --------------------------------------------------------------------------------------------------------- */

static sgs_status read_info(sgs_model *o, sgs_source_tensor **list, int *n, const sgs_field *f, int depth, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "graph input or output", d));
    sgs_source_tensor *v = sgs_push(o->a, list, n, sizeof *v);
    if (!v)
        return no_room("values", d);
    *v = (sgs_source_tensor){ .name = "", .type = -1, .rank = -1 };
    return each(o, f->bytes, info_field, v, depth + 1, d);
}

static sgs_status read_init(sgs_model *o, const sgs_field *f, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "initializer", d));
    sgs_source_const *i = sgs_push(o->a, &o->init, &o->ninit, sizeof *i);
    if (!i)
        return no_room("initializers", d);
    return sgs_onnx_tensor(o, f->bytes, &i->name, &i->value, d);
}

static sgs_status read_node(sgs_model *o, const sgs_field *f, int depth, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "node", d));
    sgs_source_node *n = sgs_push(o->a, &o->node, &o->nnode, sizeof *n);
    if (!n)
        return no_room("nodes", d);
    *n = (sgs_source_node){ .op = "", .domain = "", .name = "" };
    return each(o, f->bytes, node_field, n, depth + 1, d);
}

static sgs_status graph_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    (void)into;
    switch (f->number) {
    case GRAPH_NODE: return read_node(o, f, depth, d);
    case GRAPH_INIT: return read_init(o, f, d);
    case GRAPH_INPUT: return read_info(o, &o->in, &o->nin, f, depth, d);
    case GRAPH_OUTPUT: return read_info(o, &o->out, &o->nout, f, depth, d);
    case GRAPH_VALUE_INFO: return read_info(o, &o->inner, &o->ninner, f, depth, d);
    case GRAPH_SPARSE_INIT: return sgs_fail(d, SGS_E_UNSUPPORTED, "sparse initializers are not supported");
    default: return SGS_OK;
    }
}

/* Lists of a graph within, or of a function, stand in the place of those of the graph around it meanwhile. */
static sgs_model set_aside(sgs_model *o)
{
    const sgs_model around = *o;
    o->in = o->out = o->inner = NULL;
    o->init = NULL;
    o->node = NULL;
    o->nin = o->nout = o->ninner = o->ninit = o->nnode = 0;
    return around;
}

static void put_back(sgs_model *o, const sgs_model *around)
{
    o->in = around->in, o->out = around->out, o->inner = around->inner, o->init = around->init, o->node = around->node;
    o->nin = around->nin, o->nout = around->nout, o->ninner = around->ninner, o->ninit = around->ninit, o->nnode = around->nnode;
}

static const char **names_of(sgs_model *o, const sgs_source_tensor *list, int n)
{
    const char **names = sgs_alloc_n(o->a, (size_t)n + 1, sizeof *names);
    for (int i = 0; i < n; i++)
        names[i] = list[i].name;
    return names;
}

static sgs_status read_body(sgs_model *o, sgs_span graph, int depth, sgs_src_body **out, sgs_diag *d)
{
    const sgs_model around = set_aside(o);
    sgs_src_body *b = SGS_NEW(o->a, sgs_src_body);
    const sgs_status s = each(o, graph, graph_field, NULL, depth, d);
    *b = (sgs_src_body){ .node = o->node, .nnode = o->nnode, .ninit = o->ninit, .nin = o->nin, .nout = o->nout };
    b->init_name = sgs_alloc_n(o->a, (size_t)o->ninit + 1, sizeof *b->init_name);
    b->init = sgs_alloc_n(o->a, (size_t)o->ninit + 1, sizeof *b->init);
    b->in = names_of(o, o->in, o->nin);
    b->out = names_of(o, o->out, o->nout);
    for (int i = 0; i < o->ninit; i++) {
        b->init_name[i] = o->init[i].name;
        b->init[i] = o->init[i].value;
    }
    *out = b;
    put_back(o, &around);
    return s;
}

/* What the bodies of a node take from around them becomes inputs of the node. */
static sgs_status add_captured(sgs_model *o, sgs_source_node *n, const sgs_src_body *b, sgs_diag *d)
{
    sgs_map own = { .a = o->a };
    for (int i = 0; i < b->nin; i++)
        sgs_map_set(&own, b->in[i], o);
    for (int i = 0; i < b->ninit; i++)
        sgs_map_set(&own, b->init_name[i], o);
    for (int i = 0; i < b->nnode; i++)
        for (int k = 0; k < b->node[i].nout; k++)
            sgs_map_set(&own, b->node[i].out[k], o);
    for (int i = 0; i <= b->nnode; i++) {
        const int count = i < b->nnode ? b->node[i].nin : b->nout;
        const char *const *names = i < b->nnode ? b->node[i].in : b->out;
        for (int k = 0; k < count; k++) {
            if (!names[k][0] || sgs_map_get(&own, names[k]))
                continue;
            const char **in = sgs_push(o->a, &n->in, &n->nin, sizeof *in);
            if (!in)
                return no_room("inputs", d);
            *in = names[k];
            n->ncaptured++;
            sgs_map_set(&own, names[k], o);
        }
    }
    return SGS_OK;
}

/* The nodes that a body needs, makers first. */
static sgs_status sort_body(sgs_model *o, sgs_src_body *b, sgs_diag *d)
{
    sgs_map stop = { .a = o->a };
    sgs_model_order order = { 0 };
    for (int i = 0; i < b->nin; i++)
        sgs_map_set(&stop, b->in[i], o);
    for (int i = 0; i < b->ninit; i++)
        sgs_map_set(&stop, b->init_name[i], o);
    const sgs_model around = set_aside(o);
    o->node = b->node;
    o->nnode = b->nnode;
    const sgs_status s = sgs_model_sort(o, &stop, b->out, b->nout, &order, d);
    put_back(o, &around);
    b->node = sgs_alloc_n(o->a, (size_t)order.n + 1, sizeof *b->node);
    b->nnode = order.n;
    for (int i = 0; i < order.n; i++)
        b->node[i] = *order.node[i];
    return s;
}

static sgs_status finish_nodes(sgs_model *o, sgs_source_node *node, int n, int64_t opset, sgs_diag *d)
{
    for (int i = 0; i < n; i++) {
        node[i].opset = opset > 1000 ? 1000 : (int)opset;
        for (int k = 0; k < node[i].nattr; k++) {
            sgs_src_body *b = node[i].attr[k].kind == SGS_SRC_BODY ? (sgs_src_body *)(uintptr_t)node[i].attr[k].body : NULL;
            if (!b)
                continue;
            SGS_TRY(finish_nodes(o, b->node, b->nnode, opset, d));
            SGS_TRY(sort_body(o, b, d));
            SGS_TRY(add_captured(o, &node[i], b, d));
        }
    }
    return SGS_OK;
}

typedef struct opset_id {
    const char *domain;
    int64_t version;
} opset_id;

static sgs_status opset_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    (void)depth;
    opset_id *id = into;
    if (f->number == OPSET_DOMAIN)
        return string(o, f, "opset domain", &id->domain, d);
    if (f->number == OPSET_VERSION) {
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_VARINT, "opset version", d));
        id->version = (int64_t)f->value;
    }
    return SGS_OK;
}

/* ONNX's own operators alone have versions that we tell apart. */
static sgs_status read_opset(sgs_model *o, const sgs_field *f, int depth, int64_t *version, sgs_diag *d)
{
    opset_id id = { "", 0 };
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "opset_import", d));
    SGS_TRY(each(o, f->bytes, opset_field, &id, depth + 1, d));
    if (!id.domain[0] || !strcmp(id.domain, "ai.onnx"))
        *version = id.version;
    else if (!*version)
        *version = 1; /* of ONNX's own the file says nothing, and may have none */
    return SGS_OK;
}

/* ---- functions --------------------------------------------------------------------------------------------------------------- */

typedef struct function_parts {
    sgs_src_function *f;
    int64_t opset;
    const sgs_src_attr *attr;
} function_parts;

static sgs_status function_name(sgs_model *o, const sgs_field *f, const char *what, const char ***list, int *n, sgs_diag *d)
{
    const char **name = sgs_push(o->a, list, n, sizeof *name);
    return name ? string(o, f, what, name, d) : no_room(what, d);
}

static sgs_status function_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    function_parts *p = into;
    switch (f->number) {
    case FUNC_NAME: return string(o, f, "function name", &p->f->name, d);
    case FUNC_DOMAIN: return string(o, f, "function domain", &p->f->domain, d);
    case FUNC_OVERLOAD: return string(o, f, "function overload", &p->f->overload, d);
    case FUNC_INPUT: return function_name(o, f, "function inputs", &p->f->body.in, &p->f->body.nin, d);
    case FUNC_OUTPUT: return function_name(o, f, "function outputs", &p->f->body.out, &p->f->body.nout, d);
    case FUNC_OPSET: return read_opset(o, f, depth, &p->opset, d);
    case FUNC_NODE: return read_node(o, f, depth, d);
    case FUNC_ATTR:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "attribute", d));
        return read_attr(o, &p->attr, &p->f->nattr, f->bytes, depth + 1, d);
    default: return SGS_OK;
    }
}

static sgs_status read_function(sgs_model *o, sgs_span msg, sgs_src_function *f, sgs_diag *d)
{
    const sgs_model around = set_aside(o);
    function_parts p = { .f = f, .opset = o->opset };
    *f = (sgs_src_function){ .domain = "", .name = "", .overload = "" };
    sgs_status s = each(o, msg, function_field, &p, 1, d);
    f->body.node = o->node;
    f->body.nnode = o->nnode;
    f->attr = p.attr;
    put_back(o, &around);
    if (s == SGS_OK)
        s = finish_nodes(o, f->body.node, f->body.nnode, p.opset, d);
    return s == SGS_OK ? sort_body(o, &f->body, d) : s;
}

/* ---- the model --------------------------------------------------------------------------------------------------------------- */

typedef struct model_parts {
    sgs_span graph, *function;
    int nfunction;
    bool has_graph;
} model_parts;

static sgs_status model_field(sgs_model *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    model_parts *m = into;
    sgs_span *function;
    switch (f->number) {
    case MODEL_PRODUCER: return string(o, f, "producer_name", &o->producer, d);
    case MODEL_GRAPH: m->graph = f->bytes; m->has_graph = true; return sgs_proto_want(f, SGS_WIRE_BYTES, "graph", d);
    case MODEL_OPSET: return read_opset(o, f, depth, &o->opset, d);
    case MODEL_FUNCTION:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "function", d));
        function = sgs_push(o->a, &m->function, &m->nfunction, sizeof *function);
        if (!function)
            return no_room("functions", d);
        *function = f->bytes;
        return SGS_OK;
    default: return SGS_OK;
    }
}

static sgs_status read_functions(sgs_model *o, const model_parts *m, sgs_diag *d)
{
    sgs_src_function *list = sgs_try_alloc(o->a, ((size_t)m->nfunction + 1) * sizeof *list);
    if (!list)
        return no_room("functions", d);
    for (int i = 0; i < m->nfunction; i++) {
        SGS_TRY(read_function(o, m->function[i], &list[i], d));
        sgs_src_add_function(&o->im, &list[i]);
    }
    return SGS_OK;
}

static sgs_status read_model(sgs_model *o, sgs_span model, sgs_diag *d)
{
    model_parts m = { 0 };
    o->producer = "";
    sgs_status s = model.n ? each(o, model, model_field, &m, 0, d) : sgs_fail(d, SGS_E_FORMAT, "the file is empty");
    if (s == SGS_OK && !m.has_graph)
        s = sgs_fail(d, SGS_E_FORMAT, "the file holds no ONNX graph");
    if (s == SGS_OK && o->opset < 1)
        s = sgs_fail(d, SGS_E_FORMAT, "the file does not say its opset");
    if (s == SGS_OK)
        s = read_functions(o, &m, d);
    if (s == SGS_OK)
        s = each(o, m.graph, graph_field, NULL, 1, d);
    if (s == SGS_OK)
        s = finish_nodes(o, o->node, o->nnode, o->opset, d);
    if (s != SGS_OK)
        sgs_fail_at(d, o->file, 0, NULL);
    return s;
}

static const sgs_from *importers(const sgs_family *f)
{
    return f->onnx;
}

const sgs_frontend sgs_frontend_onnx = { .name = "ONNX", .read = read_model, .importers = importers };
