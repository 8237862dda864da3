/* Graph -> TFLite FlatBuffer.  Objects lie in the order model, codes, subgraph, tensors, operators, metadata, buffers, so that every offset points
 * forwards; equal graphs give equal bytes. */
#include <math.h>
#include <string.h>

#include "base/flatbuf.h"
#include "import/sim.h"
#include "import/sim_names.h"
#include "ops/tflite.h"

enum { T_FLOAT32 = 0, T_INT32 = 2, T_UINT8 = 3, T_INT64 = 4, T_BOOL = 6, T_INT16 = 7, T_INT8 = 9, T_FLOAT64 = 10, T_UINT16 = 16, T_INT4 = 17 }; /* TensorType */

static const int8_t tensor_type[SGS_TYPE_COUNT] = {
    [SGS_F32] = T_FLOAT32, [SGS_F64] = T_FLOAT64, [SGS_S64] = T_INT64, [SGS_S32] = T_INT32, [SGS_S16] = T_INT16, [SGS_S8] = T_INT8,
    [SGS_U8] = T_UINT8,    [SGS_BOOL] = T_BOOL,   [SGS_U16] = T_UINT16, [SGS_F16] = 1,
    [SGS_S4] = T_INT4,
};

#define CUSTOM 32              /* BuiltinOperator_CUSTOM */
#define INLINE_LIMIT (((int64_t)1 << 31) - (64 << 20)) /* constants of more bytes lie behind the FlatBuffer */
#define ALIGN SGS_PART_UNIT    /* of constants, for those who map the file */
#define PIECE ((size_t)4096)   /* constants from so many bytes on are not copied */

typedef struct tensor {
    sgs_type type;
    int rank;
    int64_t dim[SGS_MAX_RANK];
    const sgs_constant *constant;
    const sgs_value *value;    /* NULL: made by the writer */
    sgs_stand stand;
    const sgs_quant *quant;
} tensor;

typedef struct operator_ {
    int code, nin, nout;
    int *in, *out;
    const sgs_tfl_schema *schema;
    const sgs_tfl_option *options;
    sgs_buf custom;
    const sgs_node *node;
} operator_;

/* Bytes of a constant that the file takes from where they lie, or that are made when they are written. */
typedef struct piece {
    size_t at;                 /* behind so much of the writer's own bytes */
    sgs_part part;
} piece;

typedef struct code {
    int builtin;
    const char *custom;
} code;

struct sgs_tfl_writer {
    sgs_graph *g;
    sgs_arena *a;
    tensor *tensor;
    operator_ *op;
    code *code;
    int ntensor, tensor_cap, nop, op_cap, ncode, code_cap;
    int *index;                /* tensor of a value, by id, plus one */
    const sgs_node *node;      /* being written */
    sgs_buf b;                 /* the file without its pieces */
    piece *piece;
    int npiece, piece_cap;
    size_t apart;              /* bytes of all pieces so far: what is added to b now lies that much further in the file */
    sgs_buf names;
    int64_t inline_limit;      /* constants beyond this many bytes go behind the FlatBuffer */
};

static void *room(sgs_arena *a, void *list, int n, int *cap, size_t each)
{
    if (n < *cap)
        return list;
    *cap = *cap ? *cap * 2 : 64;
    void *more = sgs_alloc_n(a, (size_t)*cap, each);
    if (n)
        memcpy(more, list, (size_t)n * each);
    return more;
}

/* ---- what families call ---------------------------------------------------------------------------------------------------------- */

static int add_tensor(sgs_tfl_writer *w, const tensor *t)
{
    w->tensor = room(w->a, w->tensor, w->ntensor, &w->tensor_cap, sizeof *w->tensor);
    w->tensor[w->ntensor] = *t;
    return w->ntensor++;
}

static tensor plain(sgs_type t, int rank, const int64_t *dim)
{
    tensor x = { .type = t, .rank = rank };
    if (rank)
        memcpy(x.dim, dim, (size_t)rank * sizeof *dim);
    return x;
}

sgs_arena *sgs_tfl_arena(sgs_tfl_writer *w)
{
    return w->a;
}

int sgs_tfl_value(sgs_tfl_writer *w, const sgs_value *v)
{
    if (!w->index[v->id]) {
        tensor t = plain(v->type, v->rank, v->dim);
        t.constant = v->constant;
        t.value = v;
        t.quant = v->quant;
        w->index[v->id] = add_tensor(w, &t) + 1;
    }
    return w->index[v->id] - 1;
}

int sgs_tfl_const(sgs_tfl_writer *w, sgs_type type, int rank, const int64_t *dim, const void *data)
{
    tensor t = plain(type, rank, dim);
    size_t n = (size_t)sgs_type_bytes(type);
    for (int i = 0; i < rank; i++)
        n *= (size_t)dim[i];
    t.constant = sgs_constant_new(w->a, sgs_strndup(w->a, data, n));
    return add_tensor(w, &t);
}

int sgs_tfl_const_s32(sgs_tfl_writer *w, const int64_t *v, int n)
{
    int32_t narrow[2 * SGS_MAX_RANK];
    int64_t dim = n;
    for (int i = 0; i < n; i++)
        narrow[i] = (int32_t)v[i];
    return sgs_tfl_const(w, SGS_S32, 1, &dim, narrow);
}

int sgs_tfl_zeros(sgs_tfl_writer *w, const sgs_node *n, int slot, int64_t count)
{
    tensor t = plain(SGS_F32, 1, &count);
    t.constant = sgs_constant_new(w->a, SGS_NEW_N(w->a, float, count));
    t.stand = slot < n->nin ? SGS_STAND_NULL : SGS_STAND_CUT;
    return add_tensor(w, &t);
}

int sgs_tfl_temp(sgs_tfl_writer *w, const sgs_value *like, int rank, const int64_t *dim)
{
    tensor t = plain(like->type, rank, dim);
    t.quant = like->quant;
    return add_tensor(w, &t);
}

static int code_of(sgs_tfl_writer *w, int builtin, const char *custom)
{
    for (int i = 0; i < w->ncode; i++)
        if (w->code[i].builtin == builtin && (!custom || !strcmp(w->code[i].custom, custom)))
            return i;
    w->code = room(w->a, w->code, w->ncode, &w->code_cap, sizeof *w->code);
    w->code[w->ncode] = (code){ builtin, custom };
    return w->ncode++;
}

static operator_ *add_op(sgs_tfl_writer *w, const int *in, int nin, int nout)
{
    w->op = room(w->a, w->op, w->nop, &w->op_cap, sizeof *w->op);
    operator_ *o = &w->op[w->nop++];
    *o = (operator_){ .nin = nin, .nout = nout, .in = SGS_NEW_N(w->a, int, nin + 1), .out = SGS_NEW_N(w->a, int, nout), .node = w->node };
    if (nin)
        memcpy(o->in, in, (size_t)nin * sizeof *in);
    return o;
}

void sgs_tfl_emit(sgs_tfl_writer *w, const char *op, const int *in, int nin, int out, const sgs_tfl_option *options)
{
    operator_ *o = add_op(w, in, nin, 1);
    int n = 0;
    o->out[0] = out;
    o->schema = sgs_tfl_by_name(op);
    o->code = code_of(w, o->schema->builtin, NULL);
    while (options && options[n].name)
        n++;
    sgs_tfl_option *mine = SGS_NEW_N(w->a, sgs_tfl_option, n + 1);
    if (n)
        memcpy(mine, options, (size_t)n * sizeof *mine);
    o->options = mine;
}

static operator_ *emit_custom(sgs_tfl_writer *w, const sgs_node *n, const char *name)
{
    int *in = SGS_NEW_N(w->a, int, n->nin + 1);
    for (int i = 0; i < n->nin; i++)
        in[i] = n->in[i] ? sgs_tfl_value(w, n->in[i]) : -1;
    operator_ *o = add_op(w, in, n->nin, n->nout);
    for (int i = 0; i < n->nout; i++)
        o->out[i] = sgs_tfl_value(w, n->out[i]);
    o->code = code_of(w, CUSTOM, name);
    return o;
}

sgs_status sgs_tfl_custom_named(sgs_tfl_writer *w, const sgs_node *n, const char *name)
{
    emit_custom(w, n, name);
    return SGS_OK;
}

sgs_status sgs_tfl_custom(sgs_tfl_writer *w, const sgs_node *n)
{
    operator_ *o = emit_custom(w, n, n->op->name);
    sgs_attrs_pack(n, &o->custom);
    return SGS_OK;
}

/* ---- pieces of the file ------------------------------------------------------------------------------------------------------------ */

static sgs_fb_field ref(int slot)
{
    return (sgs_fb_field){ .slot = slot, .kind = SGS_FB_REF };
}

static sgs_fb_field number(int slot, sgs_fbk kind, int64_t v)
{
    return (sgs_fb_field){ .slot = slot, .kind = kind, .i = v };
}

static void link_here(sgs_tfl_writer *w, size_t at, size_t target)
{
    sgs_fbw_link(&w->b, at, target);
}

static void write_codes(sgs_tfl_writer *w, size_t at)
{
    size_t list = sgs_fbw_vector(&w->b, NULL, (size_t)w->ncode, 4, 4);
    link_here(w, at, list);
    for (int i = 0; i < w->ncode; i++) {
        const code *c = &w->code[i];
        sgs_fb_field f[] = { number(0, SGS_FB_8, c->builtin < 127 ? c->builtin : 127), number(2, SGS_FB_32, 1), number(3, SGS_FB_32, c->builtin), ref(1) };
        link_here(w, sgs_fbw_slot(list, (size_t)i), sgs_fbw_table(&w->b, f, c->custom ? 4 : 3));
        if (c->custom)
            link_here(w, f[3].at, sgs_fbw_string(&w->b, c->custom));
    }
}

static size_t write_quant(sgs_tfl_writer *w, const sgs_quant *q)
{
    sgs_fb_field f[] = { ref(0), ref(1), ref(2), ref(3), number(6, SGS_FB_32, q->axis > 0 ? q->axis : 0) };
    int skip = q->nrange ? 0 : 2; /* no ranges: no min, no max */
    size_t pos = sgs_fbw_table(&w->b, f + skip, 5 - skip);
    if (q->nrange) {
        link_here(w, f[0].at, sgs_fbw_vector(&w->b, q->lo, (size_t)q->nrange, 4, 4));
        link_here(w, f[1].at, sgs_fbw_vector(&w->b, q->hi, (size_t)q->nrange, 4, 4));
    }
    link_here(w, f[2].at, sgs_fbw_vector(&w->b, q->scale, (size_t)q->n, 4, 4));
    size_t zeros = sgs_fbw_vector(&w->b, NULL, (size_t)q->n, 8, 8);
    link_here(w, f[3].at, zeros);
    for (int i = 0; i < q->n; i++) {
        int64_t z = q->zero[i];
        memcpy(w->b.p + zeros + 4 + 8 * (size_t)i, &z, 8);
    }
    return pos;
}

static size_t write_shape(sgs_tfl_writer *w, const tensor *t)
{
    int32_t dim[SGS_MAX_RANK];
    for (int i = 0; i < t->rank; i++)
        dim[i] = (int32_t)t->dim[i];
    return sgs_fbw_vector(&w->b, dim, (size_t)t->rank, 4, 4);
}

/* Buffer 0 is the empty one; constant tensor k of the order has buffer k + 1. */
static void write_tensors(sgs_tfl_writer *w, size_t at)
{
    size_t list = sgs_fbw_vector(&w->b, NULL, (size_t)w->ntensor, 4, 4);
    int buffer = 0;
    link_here(w, at, list);
    for (int i = 0; i < w->ntensor; i++) {
        const tensor *t = &w->tensor[i];
        sgs_fb_field f[] = { ref(0), number(1, SGS_FB_8, tensor_type[t->type]), number(2, SGS_FB_32, t->constant ? ++buffer : 0), ref(3), ref(4) };
        link_here(w, sgs_fbw_slot(list, (size_t)i), sgs_fbw_table(&w->b, f, t->quant ? 5 : 4));
        link_here(w, f[0].at, write_shape(w, t));
        link_here(w, f[3].at, sgs_fbw_string(&w->b, t->value && t->value->nname ? t->value->name[0] : ""));
        if (t->quant)
            link_here(w, f[4].at, write_quant(w, t->quant));
    }
}

static size_t write_ints(sgs_tfl_writer *w, const int *v, int n)
{
    return sgs_fbw_vector(&w->b, v, (size_t)n, 4, 4);
}

static size_t write_options(sgs_tfl_writer *w, const operator_ *o)
{
    sgs_fb_field f[8];
    int n = 0;
    for (const sgs_tfl_option *p = o->options; p->name; p++)
        for (const sgs_tfl_field *k = o->schema->field; k < o->schema->field + 8 && k->name; k++)
            if (!strcmp(k->name, p->name))
                f[n++] = (sgs_fb_field){ .slot = k->slot, .kind = k->kind == 'b' ? SGS_FB_8 : k->kind == 'f' ? SGS_FB_FLOAT : SGS_FB_32,
                                         .i = (int64_t)p->value, .f = (float)p->value };
    return sgs_fbw_table(&w->b, f, n);
}

static void write_ops(sgs_tfl_writer *w, size_t at)
{
    size_t list = sgs_fbw_vector(&w->b, NULL, (size_t)w->nop, 4, 4);
    link_here(w, at, list);
    for (int i = 0; i < w->nop; i++) {
        operator_ *o = &w->op[i];
        bool options = o->schema && o->schema->options;
        sgs_fb_field f[6] = { number(0, SGS_FB_32, o->code), ref(1), ref(2) };
        int n = 3;
        if (options) {
            f[n++] = number(3, SGS_FB_8, o->schema->options);
            f[n++] = ref(4);
        } else if (o->custom.n) {
            f[n++] = ref(5);
        }
        link_here(w, sgs_fbw_slot(list, (size_t)i), sgs_fbw_table(&w->b, f, n));
        link_here(w, f[1].at, write_ints(w, o->in, o->nin));
        link_here(w, f[2].at, write_ints(w, o->out, o->nout));
        if (options)
            link_here(w, f[4].at, write_options(w, o));
        else if (o->custom.n)
            link_here(w, f[3].at, sgs_fbw_vector(&w->b, o->custom.p, o->custom.n, 1, 4));
        sgs_buf_free(&o->custom);
    }
}

static void write_subgraph(sgs_tfl_writer *w, size_t at)
{
    size_t list = sgs_fbw_vector(&w->b, NULL, 1, 4, 4);
    sgs_fb_field f[] = { ref(0), ref(1), ref(2), ref(3), ref(4) };
    int *io = SGS_NEW_N(w->a, int, w->g->nin + w->g->nout + 1);
    link_here(w, at, list);
    link_here(w, sgs_fbw_slot(list, 0), sgs_fbw_table(&w->b, f, 5));
    for (int i = 0; i < w->g->nin; i++)
        io[i] = sgs_tfl_value(w, w->g->in[i]);
    link_here(w, f[1].at, write_ints(w, io, w->g->nin));
    for (int i = 0; i < w->g->nout; i++)
        io[i] = sgs_tfl_value(w, w->g->out[i]);
    link_here(w, f[2].at, write_ints(w, io, w->g->nout));
    link_here(w, f[4].at, sgs_fbw_string(&w->b, "main"));
    write_tensors(w, f[0].at);
    write_ops(w, f[3].at);
}

/* ---- buffers -------------------------------------------------------------------------------------------------------------------------- */

typedef struct blob {
    const sgs_constant *made;  /* whose bytes they are; NULL: they lie at p */
    const void *p;
    size_t n;
    size_t offset_at, size_at; /* of a blob behind the FlatBuffer */
} blob;

static void make_elements(const void *constant, size_t at, size_t n, void *to)
{
    sgs_constant_read(constant, at, n, to);
}

/* Pieces are whole multiples of ALIGN long, so that what is aligned in b is aligned in the file. */
static void put_bytes(sgs_tfl_writer *w, const blob *x)
{
    const size_t whole = x->n < PIECE ? 0 : x->n - x->n % ALIGN;
    uint8_t rest[PIECE];
    if (whole) {
        w->piece = room(w->a, w->piece, w->npiece, &w->piece_cap, sizeof *w->piece);
        w->piece[w->npiece++] =
            (piece){ w->b.n, { .p = x->made ? x->made : x->p, .n = whole, .make = x->made ? make_elements : NULL } };
        w->apart += whole;
    }
    if (x->made)
        sgs_constant_read(x->made, whole, x->n - whole, rest);
    sgs_buf_add(&w->b, x->made ? rest : (const uint8_t *)x->p + whole, x->n - whole);
}

static blob blob_of(const sgs_constant *c, size_t bytes)
{
    const void *rows = sgs_constant_rows(c);
    return (blob){ .made = rows || !bytes ? NULL : c, .p = rows, .n = bytes };
}

/* Two elements of four bits a byte, the first in its lower half. */
static blob packed_blob(sgs_tfl_writer *w, const sgs_constant *c, size_t count)
{
    uint8_t *from = sgs_alloc(w->a, count + 1), *to = sgs_alloc(w->a, count / 2 + 1);
    sgs_constant_read(c, 0, count, from);
    from[count] = 0;
    for (size_t i = 0; i < count; i += 2)
        to[i / 2] = (uint8_t)((from[i] & 15) | (from[i + 1] & 15) << 4);
    return (blob){ .p = to, .n = (count + 1) / 2 };
}

/* Constants in tensor order, then the metadata. */
static int list_blobs(sgs_tfl_writer *w, blob **out)
{
    int n = 1, nmeta = 1;
    for (const sgs_meta *m = w->g->meta; m; m = m->next)
        nmeta++;
    *out = SGS_NEW_N(w->a, blob, w->ntensor + nmeta + 1);
    for (int i = 0; i < w->ntensor; i++)
        if (w->tensor[i].constant) {
            size_t bytes = (size_t)sgs_type_bytes(w->tensor[i].type);
            for (int k = 0; k < w->tensor[i].rank; k++)
                bytes *= (size_t)w->tensor[i].dim[k];
            const bool four = w->tensor[i].type == SGS_S4;
            (*out)[n++] = four ? packed_blob(w, w->tensor[i].constant, bytes) : blob_of(w->tensor[i].constant, bytes);
        }
    (*out)[n++] = (blob){ .p = w->names.p, .n = w->names.n };
    for (const sgs_meta *m = w->g->meta; m; m = m->next)
        (*out)[n++] = (blob){ .p = m->data.p, .n = m->data.n };
    return n;
}

static void write_metadata(sgs_tfl_writer *w, size_t at, int first)
{
    int n = 1, i = 1;
    for (const sgs_meta *m = w->g->meta; m; m = m->next)
        n++;
    size_t list = sgs_fbw_vector(&w->b, NULL, (size_t)n, 4, 4);
    link_here(w, at, list);
    sgs_fb_field f[] = { ref(0), number(1, SGS_FB_32, first) };
    link_here(w, sgs_fbw_slot(list, 0), sgs_fbw_table(&w->b, f, 2));
    link_here(w, f[0].at, sgs_fbw_string(&w->b, SGS_NAMES_META));
    for (const sgs_meta *m = w->g->meta; m; m = m->next, i++) {
        f[1].i = first + i;
        link_here(w, sgs_fbw_slot(list, (size_t)i), sgs_fbw_table(&w->b, f, 2));
        link_here(w, f[0].at, sgs_fbw_string(&w->b, m->name));
    }
}

static void write_buffers(sgs_tfl_writer *w, size_t at, blob *blobs, int n)
{
    size_t list = sgs_fbw_vector(&w->b, NULL, (size_t)n, 4, 4);
    int64_t total = 0;
    for (int i = 0; i < n; i++)
        total += (int64_t)(blobs[i].n + ALIGN);
    bool outside = total > w->inline_limit;
    link_here(w, at, list);
    for (int i = 0; i < n; i++) {
        sgs_fb_field f[] = { ref(0), number(1, SGS_FB_64, 0), number(2, SGS_FB_64, 0) };
        bool here = blobs[i].n && !outside;
        const size_t table = here ? sgs_fbw_table(&w->b, f, 1) : sgs_fbw_table(&w->b, f + 1, blobs[i].n ? 2 : 0);
        link_here(w, sgs_fbw_slot(list, (size_t)i), table + w->apart);
        if (here) {
            link_here(w, f[0].at, sgs_fbw_length(&w->b, blobs[i].n, ALIGN));
            put_bytes(w, &blobs[i]);
        }
        blobs[i].offset_at = f[1].at;
        blobs[i].size_at = f[2].at;
    }
    for (int i = 0; i < n && outside; i++) {
        if (!blobs[i].n)
            continue;
        sgs_buf_align(&w->b, ALIGN);
        uint64_t offset = w->b.n + w->apart, size = blobs[i].n;
        put_bytes(w, &blobs[i]);
        memcpy(w->b.p + blobs[i].offset_at, &offset, 8);
        memcpy(w->b.p + blobs[i].size_at, &size, 8);
    }
}

/* ---- the file ---------------------------------------------------------------------------------------------------------------------------- */

static sgs_status write_nodes(sgs_tfl_writer *w, sgs_diag *d)
{
    for (int i = 0; i < w->g->nin; i++)
        sgs_tfl_value(w, w->g->in[i]);
    for (const sgs_node *n = w->g->first; n; n = n->next) {
        w->node = n;
        SGS_TRY(n->op->to_tflite ? n->op->to_tflite(w, n, d) : sgs_tfl_custom(w, n));
    }
    for (int i = 0; i < w->g->nout; i++)
        sgs_tfl_value(w, w->g->out[i]); /* constants among them are tensors too */
    return SGS_OK;
}

static sgs_status check_sizes(const sgs_tfl_writer *w, sgs_diag *d)
{
    for (int i = 0; i < w->ntensor; i++)
        for (int k = 0; k < w->tensor[i].rank; k++)
            if (w->tensor[i].dim[k] > INT32_MAX)
                return sgs_fail(d, SGS_E_LIMIT, "a dimension of %lld does not fit the .sim format", (long long)w->tensor[i].dim[k]);
    return SGS_OK;
}

static void collect_names(sgs_tfl_writer *w)
{
    sgs_names_tensor *tensors = SGS_NEW_N(w->a, sgs_names_tensor, w->ntensor + 1);
    const sgs_node **node = SGS_NEW_N(w->a, const sgs_node *, w->nop + 1);
    for (int i = 0; i < w->ntensor; i++)
        tensors[i] = (sgs_names_tensor){ w->tensor[i].value, w->tensor[i].stand };
    for (int i = 0; i < w->nop; i++)
        node[i] = w->op[i].node;
    sgs_names_pack(tensors, w->ntensor, node, w->nop, &w->names);
}

static void write_file(sgs_tfl_writer *w)
{
    blob *blobs;
    uint32_t start[2] = { 0, 0 };
    collect_names(w);
    int n = list_blobs(w, &blobs), nmeta = 1;
    for (const sgs_meta *m = w->g->meta; m; m = m->next)
        nmeta++;
    memcpy(&start[1], "TFL3", 4);
    sgs_buf_add(&w->b, start, sizeof start);
    sgs_fb_field f[] = { number(0, SGS_FB_32, 3), ref(1), ref(2), ref(3), ref(4), ref(6) };
    link_here(w, 0, sgs_fbw_table(&w->b, f, 6));
    write_codes(w, f[1].at);
    write_subgraph(w, f[2].at);
    link_here(w, f[3].at, sgs_fbw_string(&w->b, "OpenIPU"));
    write_metadata(w, f[5].at, n - nmeta);
    write_buffers(w, f[4].at, blobs, n);
}

/* What is written lies in b and the pieces; the caller ends the writer, whatever comes out. */
static sgs_status begin(sgs_tfl_writer *w, sgs_graph *g, int64_t inline_limit, sgs_diag *d)
{
    *w = (sgs_tfl_writer){ .g = g, .a = sgs_arena_new(), .inline_limit = inline_limit };
    w->index = SGS_NEW_N(w->a, int, g->nvalue + 1);
    SGS_TRY(write_nodes(w, d));
    SGS_TRY(check_sizes(w, d));
    write_file(w);
    return SGS_OK;
}

static void end(sgs_tfl_writer *w)
{
    sgs_buf_free(&w->b);
    sgs_buf_free(&w->names);
    sgs_arena_free(w->a);
}

/* The file from its beginning to its end: own bytes and pieces in turns. */
static size_t list_parts(const sgs_tfl_writer *w, sgs_part **out)
{
    sgs_part *part = *out = SGS_NEW_N(w->a, sgs_part, 2 * w->npiece + 1);
    size_t n = 0, from = 0;
    for (int i = 0; i < w->npiece; i++) {
        const piece *p = &w->piece[i];
        part[n++] = (sgs_part){ .p = w->b.p + from, .n = p->at - from };
        part[n++] = p->part;
        from = p->at;
    }
    part[n++] = (sgs_part){ .p = w->b.p + from, .n = w->b.n - from };
    return n;
}

sgs_status sgs_sim_write_limit(sgs_graph *g, sgs_buf *out, int64_t inline_limit, sgs_diag *d)
{
    sgs_tfl_writer w;
    sgs_part *part;
    *out = (sgs_buf){ 0 };
    sgs_status s = begin(&w, g, inline_limit, d);
    const size_t n = s == SGS_OK ? list_parts(&w, &part) : 0;
    for (size_t i = 0; i < n; i++)
        sgs_buf_add_part(out, &part[i]);
    end(&w);
    return s;
}

sgs_status sgs_sim_write_buf(sgs_graph *g, sgs_buf *out, sgs_diag *d)
{
    return sgs_sim_write_limit(g, out, INLINE_LIMIT, d);
}

sgs_status sgs_sim_write(sgs_graph *g, const char *path, sgs_diag *d)
{
    sgs_tfl_writer w;
    sgs_part *part;
    sgs_status s = begin(&w, g, INLINE_LIMIT, d);
    if (s == SGS_OK) {
        const size_t n = list_parts(&w, &part);
        s = sgs_file_write_parts(path, part, n, d);
    }
    end(&w);
    return s;
}
