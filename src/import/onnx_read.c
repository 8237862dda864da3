/* ModelProto -> sgs_onnx.  Field numbers are those of ONNX's public onnx.proto. */
#include <string.h>

#include "import/onnx_read.h"

typedef sgs_status (*field_fn)(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d);

/* Hands every field of a message to fn. */
static sgs_status each(sgs_onnx *o, sgs_span msg, field_fn fn, void *into, int depth, sgs_diag *d)
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

static sgs_status string(sgs_onnx *o, const sgs_field *f, const char *what, const char **out, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, what, d));
    *out = sgs_proto_string(o->a, f);
    return SGS_OK;
}

/* Appends room for one more element; the list doubles. */
static void *push(sgs_arena *a, void *list, int *n, size_t size)
{
    if ((*n & (*n - 1)) == 0) {
        void *more = sgs_alloc_n(a, *n ? (size_t)*n * 2 : 1, size);
        if (*n)
            memcpy(more, list, (size_t)*n * size);
        list = more;
    }
    ++*n;
    return list;
}

/* ---- attributes ------------------------------------------------------------------------------------------------------------ */

typedef struct attr_lists {
    sgs_src_attr *a;
    sgs_ints ints;
    sgs_floats floats;
    int64_t type;
    bool seen_i, seen_f, seen_s, seen_t, other;
} attr_lists;

static sgs_status attr_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    (void)depth;
    attr_lists *l = into;
    const char *name;
    switch (f->number) {
    case 1: return string(o, f, "attribute name", &l->a->name, d);
    case 2: l->a->f = sgs_bits_f32((uint32_t)f->value); l->seen_f = true; return sgs_proto_want(f, SGS_WIRE_32, "attribute f", d);
    case 3: l->a->i = (int64_t)f->value; l->seen_i = true; return sgs_proto_want(f, SGS_WIRE_VARINT, "attribute i", d);
    case 4: l->a->s = f->bytes; l->seen_s = true; return sgs_proto_want(f, SGS_WIRE_BYTES, "attribute s", d);
    case 5:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "attribute t", d));
        l->seen_t = true;
        return sgs_onnx_tensor(o, f->bytes, &name, &l->a->tensor, d);
    case 7: return sgs_proto_floats(o->a, f, &l->floats, d);
    case 8: return sgs_proto_ints(o->a, f, &l->ints, d);
    case 20: l->type = (int64_t)f->value; return sgs_proto_want(f, SGS_WIRE_VARINT, "attribute type", d);
    case 6:
    case 9:
    case 10:
    case 11:
    case 22:
    case 23: l->other = true; return SGS_OK;
    default: return SGS_OK;
    }
}

/* By the declared type; files older than the type field are read by what is there. */
static sgs_src_kind attr_kind(const attr_lists *l)
{
    switch (l->type) {
    case 1: return SGS_SRC_FLOAT;
    case 2: return SGS_SRC_INT;
    case 3: return SGS_SRC_STRING;
    case 4: return l->seen_t ? SGS_SRC_TENSOR : SGS_SRC_OTHER;
    case 6: return SGS_SRC_FLOATS;
    case 7: return SGS_SRC_INTS;
    case 0: break;
    default: return SGS_SRC_OTHER;
    }
    return l->other ? SGS_SRC_OTHER : l->seen_t ? SGS_SRC_TENSOR : l->seen_s ? SGS_SRC_STRING : l->ints.n ? SGS_SRC_INTS
           : l->floats.n ? SGS_SRC_FLOATS : l->seen_f ? SGS_SRC_FLOAT : SGS_SRC_INT;
}

static sgs_status read_attr(sgs_onnx *o, sgs_source_node *n, sgs_span msg, int depth, sgs_diag *d)
{
    sgs_src_attr *list = push(o->a, (void *)(uintptr_t)n->attr, &n->nattr, sizeof *list), *a = &list[n->nattr - 1];
    attr_lists l = { .a = a };
    n->attr = list;
    *a = (sgs_src_attr){ .name = "" };
    SGS_TRY(each(o, msg, attr_field, &l, depth, d));
    if (l.ints.n > INT32_MAX || l.floats.n > INT32_MAX)
        return sgs_fail(d, SGS_E_LIMIT, "attribute %s has too many numbers", a->name);
    a->kind = attr_kind(&l);
    a->ints = l.ints.v;
    a->floats = l.floats.v;
    a->n = (int)(a->kind == SGS_SRC_FLOATS ? l.floats.n : l.ints.n);
    return SGS_OK;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------------------- */

static sgs_status node_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    sgs_source_node *n = into;
    const char **list;
    switch (f->number) {
    case 1:
        n->in = list = push(o->a, (void *)(uintptr_t)n->in, &n->nin, sizeof *list);
        return string(o, f, "node input", &list[n->nin - 1], d);
    case 2:
        n->out = list = push(o->a, (void *)(uintptr_t)n->out, &n->nout, sizeof *list);
        return string(o, f, "node output", &list[n->nout - 1], d);
    case 3: return string(o, f, "node name", &n->name, d);
    case 4: return string(o, f, "op_type", &n->op, d);
    case 5: SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "attribute", d)); return read_attr(o, n, f->bytes, depth + 1, d);
    case 7: return string(o, f, "domain", &n->domain, d);
    default: return SGS_OK;
    }
}

/* ---- inputs and outputs ---------------------------------------------------------------------------------------------------- */

static sgs_status dim_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    (void)depth;
    sgs_onnx_info *v = into;
    if (f->number == 2)
        return string(o, f, "dim_param", &v->symbol[v->rank - 1], d);
    if (f->number == 1) {
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_VARINT, "dim_value", d));
        v->dim[v->rank - 1] = (int64_t)f->value < 0 ? -1 : (int64_t)f->value;
    }
    return SGS_OK;
}

static sgs_status shape_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    sgs_onnx_info *v = into;
    if (f->number != 1)
        return SGS_OK;
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "dim", d));
    if (v->rank >= SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "'%s' has more than %d dimensions", v->name, SGS_MAX_RANK);
    v->dim[v->rank++] = -1;
    return each(o, f->bytes, dim_field, v, depth + 1, d);
}

static sgs_status tensor_type_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    static const int8_t types[] = { -1, SGS_F32, SGS_U8, SGS_S8, SGS_S32, SGS_S32, SGS_S32, SGS_S64, -1, SGS_BOOL, SGS_F32, SGS_F32 };
    sgs_onnx_info *v = into;
    if (f->number == 1) {
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_VARINT, "elem_type", d));
        v->type = f->value < sizeof types ? types[f->value] : -1;
    } else if (f->number == 2) {
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "shape", d));
        v->rank = 0;
        return each(o, f->bytes, shape_field, v, depth + 1, d);
    }
    return SGS_OK;
}

static sgs_status type_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    if (f->number != 1)
        return SGS_OK;
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "tensor_type", d));
    return each(o, f->bytes, tensor_type_field, into, depth + 1, d);
}

static sgs_status info_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    sgs_onnx_info *v = into;
    if (f->number == 1)
        return string(o, f, "name", &v->name, d);
    if (f->number != 2)
        return SGS_OK;
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "type", d));
    return each(o, f->bytes, type_field, v, depth + 1, d);
}

/* ---- graph and model --------------------------------------------------------------------------------------------------------- */

static sgs_status read_info(sgs_onnx *o, sgs_onnx_info **list, int *n, const sgs_field *f, int depth, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "graph input or output", d));
    *list = push(o->a, *list, n, sizeof **list);
    sgs_onnx_info *v = *list + *n - 1;
    *v = (sgs_onnx_info){ .name = "", .type = -1, .rank = -1 };
    return each(o, f->bytes, info_field, v, depth + 1, d);
}

static sgs_status read_init(sgs_onnx *o, const sgs_field *f, sgs_diag *d)
{
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "initializer", d));
    o->init = push(o->a, o->init, &o->ninit, sizeof *o->init);
    sgs_onnx_init *i = &o->init[o->ninit - 1];
    return sgs_onnx_tensor(o, f->bytes, &i->name, &i->value, d);
}

static sgs_status graph_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    (void)into;
    sgs_source_node *n;
    switch (f->number) {
    case 1:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "node", d));
        o->node = push(o->a, o->node, &o->nnode, sizeof *o->node);
        n = &o->node[o->nnode - 1];
        *n = (sgs_source_node){ .op = "", .domain = "", .name = "" };
        return each(o, f->bytes, node_field, n, depth + 1, d);
    case 5: return read_init(o, f, d);
    case 11: return read_info(o, &o->in, &o->nin, f, depth, d);
    case 12: return read_info(o, &o->out, &o->nout, f, depth, d);
    case 13: return read_info(o, &o->inner, &o->ninner, f, depth, d);
    case 15: return sgs_fail(d, SGS_E_UNSUPPORTED, "sparse initializers are not supported");
    default: return SGS_OK;
    }
}

typedef struct opset_id {
    const char *domain;
    int64_t version;
} opset_id;

static sgs_status opset_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    (void)depth;
    opset_id *id = into;
    if (f->number == 1)
        return string(o, f, "opset domain", &id->domain, d);
    if (f->number == 2)
        id->version = (int64_t)f->value;
    return SGS_OK;
}

typedef struct model_parts {
    sgs_span graph;
    bool has_graph;
} model_parts;

static sgs_status model_field(sgs_onnx *o, void *into, const sgs_field *f, int depth, sgs_diag *d)
{
    model_parts *m = into;
    opset_id id = { "", 0 };
    switch (f->number) {
    case 2: return string(o, f, "producer_name", &o->producer, d);
    case 7: m->graph = f->bytes; m->has_graph = true; return sgs_proto_want(f, SGS_WIRE_BYTES, "graph", d);
    case 8:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "opset_import", d));
        SGS_TRY(each(o, f->bytes, opset_field, &id, depth + 1, d));
        if (!id.domain[0] || !strcmp(id.domain, "ai.onnx"))
            o->opset = id.version;
        return SGS_OK;
    default: return SGS_OK;
    }
}

sgs_status sgs_onnx_read(sgs_onnx *o, sgs_span model, sgs_diag *d)
{
    model_parts m = { 0 };
    o->producer = "";
    sgs_status s = model.n ? each(o, model, model_field, &m, 0, d) : sgs_fail(d, SGS_E_FORMAT, "the file is empty");
    if (s == SGS_OK && !m.has_graph)
        s = sgs_fail(d, SGS_E_FORMAT, "the file holds no ONNX graph");
    if (s == SGS_OK && o->opset < 1)
        s = sgs_fail(d, SGS_E_FORMAT, "the file does not say its opset");
    if (s == SGS_OK)
        s = each(o, m.graph, graph_field, NULL, 1, d);
    for (int i = 0; i < o->nnode; i++)
        o->node[i].opset = o->opset > 1000 ? 1000 : (int)o->opset;
    if (s != SGS_OK)
        sgs_fail_at(d, o->file, 0, NULL);
    return s;
}
