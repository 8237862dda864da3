/* TFLite FlatBuffer -> graph.  Tensors become values under the names "#0", "#1", ... of the import; operators go to their families' readers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "import/sim.h"
#include "import/sim_names.h"
#include "import/tflite_file.h"
#include "openipu/ipu.h"
#include "ops/source.h"
#include "ops/tflite.h"
#include "ops/util.h"

typedef struct reader {
    sgs_tfl_file t;
    sgs_import im;
    sgs_graph *g;
    const char **key;          /* "#i" by tensor */
    sgs_stand *stand;          /* by tensor; NULL: a foreign file */
    sgs_names_reader names;    /* ok: a file of ours */
} reader;

static sgs_status read_quant(reader *r, const sgs_tfl_tensor *t, sgs_value *v)
{
    return sgs_tfl_quant(&r->t, t, r->g, &v->quant);
}

static sgs_status no_room(reader *r)
{
    return sgs_fail(r->t.d, SGS_E_LIMIT, "constants exceed the memory limit");
}

static sgs_status read_constant(reader *r, uint32_t i, const sgs_tfl_tensor *t, sgs_span bytes)
{
    int64_t need = t->packed ? (t->count + 1) / 2 : t->count * sgs_type_bytes(t->type);
    const void *data = bytes.p ? bytes.p : (const uint8_t *)""; /* no elements, yet a constant */
    if ((int64_t)bytes.n < need)
        return sgs_fail(r->t.d, SGS_E_FORMAT, "damaged file: tensor '%s' needs %lld bytes, its buffer has %zu", sgs_tfl_tensor_name(&r->t, t->table), (long long)need, bytes.n);
    if (t->packed) {
        SGS_TRY(sgs_tfl_spend(&r->t, (uint64_t)t->count, 1));
        int8_t *whole = sgs_try_alloc(r->g->arena, (size_t)t->count + 1);
        if (!whole)
            return no_room(r);
        sgs_tfl_unpack(data, t->count, whole);
        data = whole;
    } else if ((uintptr_t)data % 8 && need) {
        void *copy = sgs_try_alloc(r->g->arena, (size_t)need);
        if (!copy)
            return no_room(r);
        data = memcpy(copy, data, (size_t)need);
    }
    sgs_value *v = sgs_const_new(r->g, t->type, t->rank, t->dim, data, false);
    sgs_map_set(&r->im.scope.values, r->key[i], v);
    return read_quant(r, t, v);
}

static sgs_status read_tensors(reader *r)
{
    sgs_tfl_tensor t;
    sgs_span bytes;
    SGS_TRY(sgs_tfl_spend(&r->t, r->t.tensors.n, 8 + 64 + sizeof(sgs_value)));
    r->key = SGS_NEW_N(r->g->arena, const char *, r->t.tensors.n + 1);
    if (r->im.as_is)
        r->stand = SGS_NEW_N(r->g->arena, sgs_stand, r->t.tensors.n + 1);
    for (uint32_t i = 0; i < r->t.tensors.n; i++) {
        r->key[i] = sgs_format(r->g->arena, "#%u", i);
        if (r->stand)
            r->stand[i] = sgs_names_stand(&r->names);
        SGS_TRY(sgs_tfl_tensor_at(&r->t, i, &t));
        SGS_TRY(sgs_tfl_buffer(&r->t, &t, &bytes));
        t.known = t.known && (!t.packed || bytes.n); /* constants alone have four bits */
        SGS_TRY(sgs_tfl_need_type(&r->t, &t));
        t.type = t.packed ? SGS_S4 : t.type;
        sgs_tfl_tensor_name(&r->t, t.table); /* looked at later */
        if (r->t.f.error)
            return sgs_tfl_damaged(&r->t, "");
        if (bytes.n || (r->im.as_is && t.count == 0 && sgs_fb_int(&r->t.f, t.table, 2, 4, false, 0)))
            SGS_TRY(read_constant(r, i, &t, bytes));
    }
    return SGS_OK;
}

/* Tensor k of the file as input or output i of the graph. */
static sgs_status check_tensor(reader *r, const char *what, uint32_t i, int64_t k)
{
    if (k >= 0 && k < r->t.tensors.n)
        return SGS_OK;
    return sgs_fail(r->t.d, SGS_E_FORMAT, "damaged file: %s %u is tensor %lld, the file has %u", what, i, (long long)k, r->t.tensors.n);
}

static sgs_status read_inputs(reader *r)
{
    sgs_fb_vector in = sgs_fb_vec(&r->t.f, r->t.subgraph, 1, 4);
    if (in.n > IPU_MAX_IO)
        return sgs_fail(r->t.d, SGS_E_UNSUPPORTED, "the file has %u inputs; at most %d are supported", in.n, IPU_MAX_IO);
    r->g->in = SGS_NEW_N(r->g->arena, sgs_value *, in.n + 1);
    for (uint32_t i = 0; i < in.n; i++) {
        int64_t k = sgs_fb_vec_int(&r->t.f, in, i, 4);
        sgs_tfl_tensor t;
        SGS_TRY(check_tensor(r, "input", i, k));
        SGS_TRY(sgs_tfl_tensor_at(&r->t, (uint32_t)k, &t));
        if (sgs_map_get(&r->im.scope.values, r->key[k]))
            return sgs_fail(r->t.d, SGS_E_FORMAT, "damaged file: input %u: tensor '%s' is a constant or an input already", i, sgs_tfl_tensor_name(&r->t, t.table));
        sgs_value *v = sgs_value_new(r->g, t.type, t.rank, t.dim);
        SGS_TRY(read_quant(r, &t, v));
        sgs_map_set(&r->im.scope.values, r->key[k], v);
        r->g->in[r->g->nin++] = v;
    }
    return SGS_OK;
}

/* ---- operators ------------------------------------------------------------------------------------------------------------------------ */

static sgs_status outputs_fail(reader *r, int expected, int found)
{
    return sgs_fail(r->t.d, SGS_E_FORMAT, "damaged file: expected %d output%s, found %d", expected, expected == 1 ? "" : "s", found);
}

static uint32_t tensor_number(const sgs_source_node *s, int output)
{
    return (uint32_t)strtoul(s->out[output] + 1, NULL, 10);
}

/* Output i is a tensor that nothing made yet. */
static sgs_status check_new(reader *r, const sgs_source_node *s, int i)
{
    if (!s->out[i][0])
        return outputs_fail(r, s->nout, i);
    if (sgs_map_get(&r->im.scope.values, s->out[i]))
        return sgs_fail(r->t.d, SGS_E_FORMAT, "damaged file: tensor '%s' is an input, a constant or made already",
                        sgs_tfl_tensor_name(&r->t, sgs_fb_vec_table(&r->t.f, r->t.tensors, tensor_number(s, i))));
    return SGS_OK;
}

/* An operator of a custom code that is one of our own ops: attributes from its options. */
static sgs_status read_own(reader *r, const sgs_source_node *s, sgs_fb_table t)
{
    const char *name = s->op + strlen("custom:");
    bool fix2float = !strcmp(name, "Fix2Float");
    const sgs_op *op = fix2float ? &sgs_op_dequantize : sgs_op_find(name);
    sgs_fb_vector options = sgs_fb_vec(&r->t.f, t, 5, 1);
    if (r->t.f.error)
        return sgs_tfl_damaged(&r->t, "");
    if (!op)
        return sgs_fail(r->t.d, SGS_E_UNSUPPORTED, "custom operator '%s' is not supported", name);
    if (s->nout != op->nout)
        return outputs_fail(r, op->nout, s->nout);
    void *attr = sgs_alloc(r->g->arena, op->attr_bytes + 1);
    if (!fix2float && !sgs_attrs_unpack(op, (sgs_span){ r->t.f.data.p + options.pos, options.n }, attr))
        return sgs_fail(r->t.d, SGS_E_FORMAT, "damaged file: the options of custom operator '%s'", name);
    sgs_value **in = SGS_NEW_N(r->g->arena, sgs_value *, s->nin + 1), **out = SGS_NEW_N(r->g->arena, sgs_value *, s->nout);
    for (int i = 0; i < s->nin; i++)
        if (s->in[i][0])
            SGS_TRY(sgs_src_in(&r->im, s, i, &in[i], r->t.d));
    SGS_TRY(sgs_emit(&r->im, s, op, s->nin, in, attr, out, r->t.d));
    for (int i = 0; i < s->nout; i++) {
        SGS_TRY(check_new(r, s, i));
        SGS_TRY(sgs_src_out(&r->im, s, i, out[i], r->t.d));
    }
    return SGS_OK;
}

static sgs_status read_names_of(reader *r, sgs_fb_table t, int slot, int *n, const char *const **out)
{
    sgs_fb_vector v = sgs_fb_vec(&r->t.f, t, slot, 4);
    SGS_TRY(sgs_tfl_spend(&r->t, v.n, 3 * sizeof(char *))); /* the list, and the node's own */
    const char **list = SGS_NEW_N(r->g->arena, const char *, v.n + 1);
    *n = 0;
    for (uint32_t i = 0; i < v.n; i++) {
        int64_t k = sgs_fb_vec_int(&r->t.f, v, i, 4);
        if (k < -1 || k >= (int64_t)r->t.tensors.n)
            return sgs_fail(r->t.d, SGS_E_FORMAT, "damaged file: an operator refers to tensor %lld, the file has %u", (long long)k, r->t.tensors.n);
        list[i] = k < 0 || (r->stand && r->stand[k]) ? "" : r->key[k];
        if (k < 0 || !r->stand || r->stand[k] != SGS_STAND_CUT)
            *n = (int)i + 1;
    }
    *out = list;
    return r->t.f.error ? sgs_tfl_damaged(&r->t, "") : SGS_OK;
}

static sgs_from_fn find_reader(const char *op)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *row = (*f)->tflite; row && row->op; row++)
            if (!strcmp(row->op, op))
                return row->fn;
    return NULL;
}

/* The tensor's own type and quantization rule where the op leaves them open; else they must agree. */
static sgs_status settle(reader *r, uint32_t i, sgs_value *v)
{
    sgs_tfl_tensor t;
    SGS_TRY(sgs_tfl_tensor_at(&r->t, i, &t));
    bool same = v->rank == t.rank && !memcmp(v->dim, t.dim, (size_t)t.rank * sizeof *t.dim);
    if (!same) {
        char a[128], b[128];
        return sgs_fail(r->t.d, SGS_E_FORMAT, "tensor '%s' is declared %s; its operator gives %s", sgs_tfl_tensor_name(&r->t, t.table), sgs_dims_text(a, sizeof a, t.rank, t.dim),
                        sgs_dims_text(b, sizeof b, v->rank, v->dim));
    }
    if (v->constant)
        return SGS_OK;
    if (v->type != t.type && (v->type == SGS_F32 || t.type == SGS_F32))
        return sgs_fail(r->t.d, SGS_E_FORMAT, "tensor '%s' is declared %s; its operator gives %s", sgs_tfl_tensor_name(&r->t, t.table), sgs_type_word(t.type), sgs_type_word(v->type));
    v->type = t.type;
    return read_quant(r, &t, v);
}

static sgs_status read_operator(reader *r, uint32_t i, sgs_value **made)
{
    sgs_fb_table t = sgs_fb_vec_table(&r->t.f, r->t.operators, i);
    sgs_tfl_code code;
    SGS_TRY(sgs_tfl_code_of(&r->t, t, &code));
    const sgs_tfl_schema *schema = code.schema;
    sgs_source_node s = { .domain = "", .name = "", .opset = 1 };
    SGS_TRY(read_names_of(r, t, 1, &s.nin, &s.in));
    SGS_TRY(read_names_of(r, t, 2, &s.nout, &s.out));
    sgs_from_fn fn = schema ? find_reader(schema->name) : NULL;
    if (!code.custom && !fn)
        return sgs_fail(r->t.d, SGS_E_UNSUPPORTED, "TFLite operator %d is not supported", code.builtin);
    s.op = schema ? schema->name : sgs_format(r->g->arena, "custom:%s", code.custom);
    if (schema)
        SGS_TRY(sgs_tfl_options(&r->t, t, schema, &s));
    if (s.nout < 1 || (schema && s.nout > 1))
        return outputs_fail(r, 1, s.nout);
    SGS_TRY(check_new(r, &s, 0));
    SGS_TRY(schema ? fn(&r->im, &s, r->t.d) : read_own(r, &s, t));
    for (int k = 0; k < s.nout; k++)
        SGS_TRY(settle(r, tensor_number(&s, k), sgs_map_get(&r->im.scope.values, s.out[k])));
    *made = sgs_map_get(&r->im.scope.values, s.out[0]);
    return SGS_OK;
}

/* The name of the tensor that operator i makes. */
static const char *output_name(reader *r, uint32_t i)
{
    sgs_fb_vector out = sgs_fb_vec(&r->t.f, sgs_fb_vec_table(&r->t.f, r->t.operators, i), 2, 4);
    const int64_t k = out.n ? sgs_fb_vec_int(&r->t.f, out, 0, 4) : -1;
    return k < 0 || k >= (int64_t)r->t.tensors.n ? "" : sgs_tfl_tensor_name(&r->t, sgs_fb_vec_table(&r->t.f, r->t.tensors, (uint32_t)k));
}

/* Several operators that our writer made of one node become that node again: im.joined tells their readers. */
static sgs_status read_operators(reader *r)
{
    bool goes_on = false;
    for (uint32_t i = 0; i < r->t.operators.n; i++) {
        sgs_value *made = NULL;
        r->im.joined = goes_on;
        const char *name = r->im.as_is ? sgs_names_node(&r->names, r->g, &goes_on) : NULL;
        sgs_status s = read_operator(r, i, &made);
        if (s != SGS_OK) {
            const char *layer = name ? name : output_name(r, i);
            if (layer[0])
                sgs_fail_at(r->t.d, NULL, 0, layer);
            return s;
        }
        if (made->def && name)
            made->def->name = name;
    }
    return SGS_OK;
}

static sgs_status read_outputs(reader *r)
{
    sgs_fb_vector out = sgs_fb_vec(&r->t.f, r->t.subgraph, 2, 4);
    if (!out.n)
        return sgs_tfl_damaged(&r->t, "it has no outputs");
    if (out.n > IPU_MAX_IO)
        return sgs_fail(r->t.d, SGS_E_UNSUPPORTED, "the file has %u outputs; at most %d are supported", out.n, IPU_MAX_IO);
    r->g->out = SGS_NEW_N(r->g->arena, sgs_value *, out.n + 1);
    for (uint32_t i = 0; i < out.n; i++) {
        int64_t k = sgs_fb_vec_int(&r->t.f, out, i, 4);
        SGS_TRY(check_tensor(r, "output", i, k));
        sgs_value *v = sgs_map_get(&r->im.scope.values, r->key[k]);
        if (!v)
            return sgs_fail(r->t.d, SGS_E_FORMAT, "damaged file: output %u: nothing makes tensor '%s'", i,
                            sgs_tfl_tensor_name(&r->t, sgs_fb_vec_table(&r->t.f, r->t.tensors, (uint32_t)k)));
        r->g->out[r->g->nout++] = v;
    }
    return SGS_OK;
}

/* ---- metadata, names ---------------------------------------------------------------------------------------------------------------------- */

static sgs_status read_metadata(reader *r, sgs_fb_table root)
{
    sgs_fb_vector list = sgs_fb_vec(&r->t.f, root, 6, 4);
    sgs_names_reader *names = &r->names;
    for (uint32_t i = 0; i < list.n; i++) {
        sgs_fb_table m = sgs_fb_vec_table(&r->t.f, list, i);
        const char *name = sgs_fb_string(&r->t.f, m, 0);
        int64_t index = sgs_fb_int(&r->t.f, m, 1, 4, false, 0);
        sgs_fb_table b = index < r->t.buffers.n ? sgs_fb_vec_table(&r->t.f, r->t.buffers, (uint32_t)index) : (sgs_fb_table){ 0 };
        sgs_fb_vector data = sgs_fb_vec(&r->t.f, b, 0, 1);
        uint64_t offset = (uint64_t)sgs_fb_int(&r->t.f, b, 1, 8, false, 0), size = (uint64_t)sgs_fb_int(&r->t.f, b, 2, 8, false, 0);
        if (r->t.f.error)
            return sgs_tfl_damaged(&r->t, "");
        sgs_span s = { r->t.f.data.p + data.pos, data.n };
        if (!data.n && offset <= r->t.f.data.n && size <= r->t.f.data.n - offset)
            s = (sgs_span){ r->t.f.data.p + offset, (size_t)size };
        if (!strcmp(name, SGS_NAMES_META))
            names->left = s;
        else {
            SGS_TRY(sgs_tfl_spend(&r->t, s.n + strlen(name) + 256, 1));
            sgs_meta_set(r->g, name, s.p, s.n);
        }
    }
    names->ok = r->im.as_is = names->left.n > 0;
    return r->t.f.error ? sgs_tfl_damaged(&r->t, "") : SGS_OK;
}

/* Our own files list every alias; foreign ones have one name a tensor. */
static sgs_status read_names(reader *r)
{
    const bool own = r->im.as_is;
    for (uint32_t i = 0; i < r->t.tensors.n; i++) {
        sgs_value *v = sgs_map_get(&r->im.scope.values, r->key[i]);
        if (own)
            sgs_names_value(&r->names, r->g, v);
        else if (v)
            sgs_value_name(r->g, v, sgs_tfl_tensor_name(&r->t, sgs_fb_vec_table(&r->t.f, r->t.tensors, i)));
    }
    return own && (!r->names.ok || r->names.left.n) ? sgs_tfl_damaged(&r->t, "its list of names does not fit its tensors and operators") : SGS_OK;
}

/* ---- entry ------------------------------------------------------------------------------------------------------------------------------------ */

static sgs_status read_model(reader *r)
{
    if (!sgs_tfl_is_model(r->t.f.data))
        return sgs_fail(r->t.d, SGS_E_FORMAT, "this is not a .sim file (no TFL3 mark)");
    uint32_t graphs = 0;
    SGS_TRY(sgs_tfl_open(&r->t, &graphs));
    if (graphs > 1)
        return sgs_fail(r->t.d, SGS_E_UNSUPPORTED, "the file has %u subgraphs; one is supported", graphs);
    SGS_TRY(sgs_tfl_enter(&r->t, 0));
    SGS_TRY(read_metadata(r, r->t.root));
    SGS_TRY(read_tensors(r));
    SGS_TRY(read_inputs(r));
    SGS_TRY(read_operators(r));
    SGS_TRY(read_outputs(r));
    SGS_TRY(read_names(r));
    return sgs_graph_verify(r->g, r->t.d);
}

static sgs_status read_into(sgs_graph *g, sgs_span data, sgs_diag *d)
{
    reader r = { .t = { .f = { .data = data }, .a = g->arena, .d = d }, .g = g, .im = { .g = g, .framework = "TFLite", .scope = sgs_src_scope_new(g->arena, NULL), .by_number = true } };
    sgs_arena_limit(g->arena, ((size_t)1 << 29) + 8 * data.n);
    sgs_status s = read_model(&r);
    sgs_arena_limit(g->arena, 0);
    if (s != SGS_OK)
        sgs_fail_at(d, g->file, 0, NULL);
    return s;
}

sgs_status sgs_sim_read_span(sgs_graph **out, const char *file, sgs_span data, sgs_diag *d)
{
    sgs_graph *g = sgs_graph_new(file);
    sgs_status s = read_into(g, data, d);
    *out = s == SGS_OK ? g : NULL;
    if (s != SGS_OK)
        sgs_graph_free(g);
    return s;
}

sgs_status sgs_sim_read(sgs_graph **out, const char *path, sgs_diag *d)
{
    sgs_graph *g = sgs_graph_new(path);
    sgs_span data;
    sgs_status s = sgs_graph_map(g, path, &data, d);
    if (s == SGS_OK)
        s = read_into(g, data, d);
    *out = s == SGS_OK ? g : NULL;
    if (s != SGS_OK)
        sgs_graph_free(g);
    return s;
}

int sgs_sim_kind(sgs_span data)
{
    if (ipu_image_version(data.p, data.n))
        return SGS_OFFLINE;
    if (!sgs_tfl_is_model(data))
        return SGS_KIND_ANY;
    sgs_fb f = { .data = data };
    sgs_fb_table root = sgs_fb_root(&f);
    sgs_fb_vector list = sgs_fb_vec(&f, root, 6, 4);
    for (uint32_t i = 0; i < list.n && !f.error; i++)
        if (!strcmp(sgs_fb_string(&f, sgs_fb_vec_table(&f, list, i), 0), "sgs.fixed"))
            return SGS_FIXED;
    return SGS_FLOAT;
}
