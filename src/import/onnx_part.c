/* A part of an ONNX model as a model: messages are copied as they are, but for the ends of the graph. */
#include <string.h>

#include "base/map.h"
#include "import/onnx.h"
#include "import/onnx_schema.h"
#include "import/proto.h"

/* ---- writing wire format ---------------------------------------------------------------------------------------- */

static void put_varint(sgs_buf *b, uint64_t v)
{
    uint8_t text[10];
    size_t n = 0;
    do {
        text[n] = (uint8_t)(v & 0x7f) | (v > 0x7f ? 0x80 : 0);
        v >>= 7;
    } while (text[n++] & 0x80);
    sgs_buf_add(b, text, n);
}

static void put_number(sgs_buf *b, int field, uint64_t v)
{
    put_varint(b, (uint64_t)field << 3 | SGS_WIRE_VARINT);
    put_varint(b, v);
}

static void put_bytes(sgs_buf *b, int field, const void *p, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | SGS_WIRE_BYTES);
    put_varint(b, n);
    sgs_buf_add(b, p, n);
}

static void put_field(sgs_buf *b, const sgs_field *f)
{
    uint8_t raw[8];
    for (int i = 0; i < 8; i++)
        raw[i] = (uint8_t)(f->value >> (8 * i));
    if (f->wire == SGS_WIRE_VARINT) {
        put_number(b, (int)f->number, f->value);
    } else if (f->wire == SGS_WIRE_BYTES) {
        put_bytes(b, (int)f->number, f->bytes.p, f->bytes.n);
    } else {
        put_varint(b, (uint64_t)f->number << 3 | (uint64_t)f->wire);
        sgs_buf_add(b, raw, f->wire == SGS_WIRE_64 ? 8 : 4);
    }
}

/* ---- a description of a tensor ---------------------------------------------------------------------------------- */

/* Integers of a model are 64 bits wide almost always, and here 32. */
static int elem_type(int type)
{
    static const int8_t of[] = {
        [SGS_F32] = DATA_FLOAT, [SGS_U8] = DATA_UINT8,  [SGS_S8] = DATA_INT8,  [SGS_S16] = DATA_INT16,
        [SGS_S32] = DATA_INT64, [SGS_S64] = DATA_INT64, [SGS_BOOL] = DATA_BOOL
    };
    return type >= 0 && (size_t)type < sizeof of && of[type] ? of[type] : DATA_FLOAT;
}

/* ValueInfoProto; rank -1: no shape. */
static void put_info(sgs_buf *to, int field, const char *name, int type, int rank, const int64_t *dim)
{
    sgs_buf shape = { 0 }, tensor = { 0 }, info = { 0 }, kind = { 0 };
    for (int i = 0; i < rank; i++) {
        sgs_buf one = { 0 };
        if (dim[i] >= 0)
            put_number(&one, DIM_VALUE, (uint64_t)dim[i]);
        put_bytes(&shape, SHAPE_DIM, one.p, one.n);
        sgs_buf_free(&one);
    }
    put_number(&tensor, TENSOR_TYPE_ELEM, (uint64_t)elem_type(type));
    if (rank >= 0)
        put_bytes(&tensor, TENSOR_TYPE_SHAPE, shape.p, shape.n);
    put_bytes(&kind, TYPE_TENSOR, tensor.p, tensor.n);
    put_bytes(&info, INFO_NAME, name, strlen(name));
    put_bytes(&info, INFO_TYPE, kind.p, kind.n);
    put_bytes(to, field, info.p, info.n);
    sgs_buf_free(&shape);
    sgs_buf_free(&tensor);
    sgs_buf_free(&kind);
    sgs_buf_free(&info);
}

/* ---- the graph -------------------------------------------------------------------------------------------------- */

typedef struct part {
    sgs_onnx_part *p;
    sgs_arena *a;
    sgs_map used;       /* names the kept nodes read or make */
    sgs_map described;  /* name -> its ValueInfoProto, a sgs_span */
    bool *keep;         /* by place of a node */
    bool all_constants; /* a node with a graph in it may read any */
    int place;
} part;

/* The next field of *msg; false at its end or when *s is an error. */
static bool next_field(sgs_span *msg, sgs_field *f, sgs_status *s, sgs_diag *d)
{
    bool end = false;
    *s = sgs_proto_next(msg, f, &end, d);
    return *s == SGS_OK && !end;
}

/* The string field `number` of a message, or "". */
static sgs_status name_of(part *k, sgs_span msg, uint32_t number, const char **name, sgs_diag *d)
{
    sgs_field f;
    sgs_status s;
    *name = "";
    while (next_field(&msg, &f, &s, d))
        if (f.number == number && f.wire == SGS_WIRE_BYTES)
            *name = sgs_proto_string(k->a, &f);
    return s;
}

static sgs_status has_field(sgs_span msg, uint32_t number, bool *has, sgs_diag *d)
{
    sgs_field f;
    sgs_status s;
    while (next_field(&msg, &f, &s, d))
        *has = *has || f.number == number;
    return s;
}

static sgs_status use_names(part *k, sgs_span node, sgs_diag *d)
{
    sgs_field f;
    sgs_status s;
    while (next_field(&node, &f, &s, d)) {
        if (f.wire == SGS_WIRE_BYTES && (f.number == NODE_INPUT || f.number == NODE_OUTPUT))
            sgs_map_set(&k->used, sgs_proto_string(k->a, &f), k);
        if (f.wire == SGS_WIRE_BYTES && f.number == NODE_ATTR) {
            SGS_TRY(has_field(f.bytes, ATTR_G, &k->all_constants, d));
            SGS_TRY(has_field(f.bytes, ATTR_GRAPHS, &k->all_constants, d));
        }
    }
    return s;
}

typedef sgs_status (*field_fn)(part *k, const sgs_field *f, sgs_buf *to, sgs_diag *d);

static sgs_status each_field(part *k, sgs_span msg, field_fn fn, sgs_buf *to, sgs_diag *d)
{
    sgs_field f;
    sgs_status s;
    while (next_field(&msg, &f, &s, d))
        SGS_TRY(fn(k, &f, to, d));
    return s;
}

/* The next node of the graph; a file with several graphs has more than the one that was read. */
static bool keep_node(part *k)
{
    return k->place < k->p->s->file_nodes && k->keep[k->place++];
}

/* First time through: what is used, what is described. */
static sgs_status note_field(part *k, const sgs_field *f, sgs_buf *to, sgs_diag *d)
{
    (void)to;
    const char *name;
    if (f->wire != SGS_WIRE_BYTES)
        return SGS_OK;
    if (f->number == GRAPH_NODE && keep_node(k))
        return use_names(k, f->bytes, d);
    if (f->number != GRAPH_INPUT && f->number != GRAPH_OUTPUT && f->number != GRAPH_VALUE_INFO)
        return SGS_OK;
    SGS_TRY(name_of(k, f->bytes, INFO_NAME, &name, d));
    if (!sgs_map_get(&k->described, name)) {
        sgs_span *span = sgs_alloc(k->a, sizeof *span);
        *span = f->bytes;
        sgs_map_set(&k->described, name, span);
    }
    return SGS_OK;
}

static bool is_constant(part *k, const sgs_field *f, sgs_diag *d, sgs_status *s)
{
    const char *name;
    *s = name_of(k, f->bytes, TENSOR_NAME, &name, d);
    return k->all_constants || sgs_map_get(&k->used, name);
}

static bool is_end(const part *k, const char *name)
{
    const sgs_survey *s = k->p->s;
    for (int i = 0; i < s->nin; i++)
        if (!strcmp(s->in[i]->name, name))
            return true;
    for (int i = 0; i < s->nout; i++)
        if (!strcmp(s->out[i], name))
            return true;
    return false;
}

/* Second time: what stays.  Graph inputs that are none of the part's ends are old models' constants. */
static sgs_status keep_field(part *k, const sgs_field *f, sgs_buf *to, sgs_diag *d)
{
    const char *name;
    sgs_status s = SGS_OK;
    bool keep = true;
    if (f->wire == SGS_WIRE_BYTES && f->number == GRAPH_NODE)
        keep = keep_node(k);
    if (f->wire == SGS_WIRE_BYTES && f->number == GRAPH_INIT) {
        keep = is_constant(k, f, d, &s);
        if (keep && s == SGS_OK)
            s = has_field(f->bytes, TENSOR_EXTERNAL, &k->p->external, d);
    }
    if (f->wire == SGS_WIRE_BYTES && (f->number == GRAPH_INPUT || f->number == GRAPH_VALUE_INFO)) {
        SGS_TRY(name_of(k, f->bytes, INFO_NAME, &name, d));
        keep = sgs_map_get(&k->used, name) && !is_end(k, name);
    }
    if (keep && f->number != GRAPH_OUTPUT)
        put_field(to, f);
    return s;
}

static void put_end(const part *k, sgs_buf *to, int field, const char *name, const sgs_source_tensor *info)
{
    const sgs_span *given = sgs_map_get(&k->described, name);
    if (given)
        put_bytes(to, field, given->p, given->n);
    else
        put_info(to, field, name, info->type, info->rank, info->dim);
}

static void put_ends(const part *k, sgs_buf *to)
{
    const sgs_survey *s = k->p->s;
    for (int i = 0; i < s->nin; i++)
        put_end(k, to, GRAPH_INPUT, s->in[i]->name, s->in[i]);
    for (int i = 0; i < s->nout; i++) {
        sgs_source_tensor info = { .type = SGS_F32, .rank = -1 };
        if (k->p->outputs) {
            info.type = (int)k->p->outputs[i]->type;
            info.rank = k->p->outputs[i]->rank;
            memcpy(info.dim, k->p->outputs[i]->dim, sizeof info.dim);
        }
        put_end(k, to, GRAPH_OUTPUT, s->out[i], &info);
    }
}

static sgs_status write_graph(part *k, sgs_span graph, sgs_buf *to, sgs_diag *d)
{
    k->place = 0;
    SGS_TRY(each_field(k, graph, note_field, to, d));
    k->place = 0;
    SGS_TRY(each_field(k, graph, keep_field, to, d));
    put_ends(k, to);
    return SGS_OK;
}

/* ---- the model -------------------------------------------------------------------------------------------------- */

static sgs_status model_field(part *k, const sgs_field *f, sgs_buf *to, sgs_diag *d)
{
    sgs_buf graph = { 0 };
    if (f->number != MODEL_GRAPH || f->wire != SGS_WIRE_BYTES) {
        put_field(to, f);
        return SGS_OK;
    }
    const sgs_status s = write_graph(k, f->bytes, &graph, d);
    if (s == SGS_OK)
        put_bytes(to, MODEL_GRAPH, graph.p, graph.n);
    sgs_buf_free(&graph);
    return s;
}

sgs_status sgs_onnx_write_part(sgs_onnx_part *p, sgs_buf *to, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    part k = { .p = p, .a = a, .used = { .a = a }, .described = { .a = a } };
    k.keep = sgs_alloc_n(a, (size_t)p->s->file_nodes + 1, sizeof *k.keep);
    for (int i = 0; i < p->s->nnode; i++)
        k.keep[p->s->node[i].place] = true;
    const sgs_status s = each_field(&k, p->model, model_field, to, d);
    sgs_arena_free(a);
    return s;
}
