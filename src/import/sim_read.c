/* TFLite FlatBuffer -> graph.  Tensors become values under the names "#0", "#1", ... of the import; operators go to their families' readers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/flatbuf.h"
#include "import/sim.h"
#include "import/sim_names.h"
#include "openipu/ipu.h"
#include "ops/source.h"
#include "ops/tflite.h"
#include "ops/util.h"

typedef struct reader {
    sgs_fb f;
    sgs_import im;
    sgs_graph *g;
    sgs_diag *d;
    sgs_fb_vector tensors, buffers, codes, operators;
    sgs_fb_table subgraph;
    const char **key;          /* "#i" by tensor */
    sgs_stand *stand;          /* by tensor; NULL: a foreign file */
    sgs_names_reader names;    /* ok: a file of ours */
    uint64_t spent;            /* bytes of memory that lists of the file took */
} reader;

static sgs_status damaged(reader *r, const char *what)
{
    return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: %s", r->f.error ? r->f.error : what);
}

/* A list of a file may be pointed at from many places; honest files take no more memory than this.  Asked before each allocation. */
static sgs_status spend(reader *r, uint64_t n, uint64_t each)
{
    const uint64_t budget = ((uint64_t)1 << 20) + 32 * (uint64_t)r->f.data.n;
    if (n > budget / each || r->spent > budget - n * each)
        return damaged(r, "its lists overlap");
    r->spent += n * each;
    return SGS_OK;
}

/* ---- tensors ------------------------------------------------------------------------------------------------------------------------ */

static int value_type(int64_t tfl)
{
    static const int8_t types[] = { SGS_F32, SGS_F16, SGS_S32, SGS_U8, SGS_S64, -1, SGS_BOOL, SGS_S16, -1, SGS_S8, SGS_F64, -1, -1, -1, -1, -1, SGS_U16 };
    return tfl >= 0 && tfl < (int64_t)sizeof types ? types[tfl] : -1;
}

typedef struct info {
    sgs_type type;
    int rank;
    int64_t dim[SGS_MAX_RANK], count;
    sgs_fb_table table;
} info;

static const char *name_of(reader *r, sgs_fb_table tensor)
{
    return sgs_fb_string(&r->f, tensor, 3);
}

static sgs_status read_info(reader *r, uint32_t i, info *t)
{
    t->table = sgs_fb_vec_table(&r->f, r->tensors, i);
    int type = value_type(sgs_fb_int(&r->f, t->table, 1, 1, true, 0));
    sgs_fb_vector shape = sgs_fb_vec(&r->f, t->table, 0, 4);
    if (r->f.error)
        return damaged(r, "");
    if (type < 0)
        return sgs_fail(r->d, SGS_E_UNSUPPORTED, "tensor '%s': TFLite element type %lld is not supported", name_of(r, t->table),
                        (long long)sgs_fb_int(&r->f, t->table, 1, 1, true, 0));
    if (shape.n > SGS_MAX_RANK)
        return sgs_fail(r->d, SGS_E_UNSUPPORTED, "tensor '%s' has %u dimensions; at most %d are supported", name_of(r, t->table), shape.n, SGS_MAX_RANK);
    t->type = (sgs_type)type;
    t->rank = (int)shape.n;
    t->count = 1;
    for (uint32_t k = 0; k < shape.n; k++) {
        t->dim[k] = sgs_fb_vec_int(&r->f, shape, k, 4);
        if (t->dim[k] < 0)
            return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s': dimension %u cannot be %lld", name_of(r, t->table), k, (long long)t->dim[k]);
        if (!sgs_mul64(t->count, t->dim[k], &t->count) || t->count > SGS_MAX_ELEMENTS)
            return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s' has more than 2^40 elements", name_of(r, t->table));
    }
    return SGS_OK;
}

/* The bytes of a tensor's buffer; n 0 when it is no constant. */
static sgs_status buffer_bytes(reader *r, const info *t, sgs_span *out)
{
    int64_t index = sgs_fb_int(&r->f, t->table, 2, 4, false, 0);
    *out = (sgs_span){ 0 };
    if (index == 0 || r->buffers.n == 0)
        return SGS_OK;
    if (index >= r->buffers.n)
        return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s' is in buffer %lld, the file has %u", name_of(r, t->table), (long long)index, r->buffers.n);
    sgs_fb_table b = sgs_fb_vec_table(&r->f, r->buffers, (uint32_t)index);
    sgs_fb_vector data = sgs_fb_vec(&r->f, b, 0, 1);
    uint64_t offset = (uint64_t)sgs_fb_int(&r->f, b, 1, 8, false, 0), size = (uint64_t)sgs_fb_int(&r->f, b, 2, 8, false, 0);
    if (r->f.error)
        return damaged(r, "");
    if (data.n)
        *out = (sgs_span){ r->f.data.p + data.pos, data.n };
    else if (offset > 1 || size > 1) {
        if (offset > r->f.data.n || size > r->f.data.n - offset)
            return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s' takes %llu bytes at byte %llu, the file has %zu", name_of(r, t->table),
                            (unsigned long long)size, (unsigned long long)offset, r->f.data.n);
        *out = (sgs_span){ r->f.data.p + offset, (size_t)size };
    }
    return SGS_OK;
}

static sgs_status read_quant(reader *r, const info *t, sgs_value *v)
{
    sgs_fb_table q = sgs_fb_sub(&r->f, t->table, 4);
    sgs_fb_vector lo = sgs_fb_vec(&r->f, q, 0, 4), hi = sgs_fb_vec(&r->f, q, 1, 4), scale = sgs_fb_vec(&r->f, q, 2, 4), zero = sgs_fb_vec(&r->f, q, 3, 8);
    int64_t axis = sgs_fb_int(&r->f, q, 6, 4, true, 0);
    if (r->f.error)
        return damaged(r, "");
    if (!scale.n)
        return SGS_OK;
    if (scale.n > 1 && (axis < 0 || axis >= t->rank))
        return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s' has scales along axis %lld of %d dimensions", name_of(r, t->table), (long long)axis, t->rank);
    if (scale.n > 1 && t->dim[axis] != scale.n)
        return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s': expected %lld scales along axis %lld, found %u", name_of(r, t->table),
                        (long long)t->dim[axis], (long long)axis, scale.n);
    SGS_TRY(spend(r, (uint64_t)scale.n + lo.n, 8));
    sgs_quant *out = sgs_quant_new(r->g, scale.n > 1 ? (int)axis : -1, (int)scale.n);
    for (uint32_t i = 0; i < scale.n; i++) {
        out->scale[i] = sgs_fb_vec_float(&r->f, scale, i);
        int64_t z = i < zero.n ? sgs_fb_vec_int(&r->f, zero, i, 8) : 0;
        if (!isfinite(out->scale[i]) || out->scale[i] <= 0)
            return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s': scales must be finite and above 0, found %g", name_of(r, t->table), (double)out->scale[i]);
        if (z < INT32_MIN || z > INT32_MAX)
            return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s': the zero point %lld does not fit 32 bits", name_of(r, t->table), (long long)z);
        out->zero[i] = (int32_t)z;
    }
    if (lo.n && lo.n == hi.n) {
        out->nrange = (int)lo.n;
        out->lo = SGS_NEW_N(r->g->arena, float, lo.n);
        out->hi = SGS_NEW_N(r->g->arena, float, lo.n);
        for (uint32_t i = 0; i < lo.n; i++) {
            out->lo[i] = sgs_fb_vec_float(&r->f, lo, i);
            out->hi[i] = sgs_fb_vec_float(&r->f, hi, i);
        }
    }
    v->quant = out;
    return SGS_OK;
}

static sgs_status read_constant(reader *r, uint32_t i, const info *t, sgs_span bytes)
{
    int64_t need = t->count * sgs_type_bytes(t->type);
    const void *data = bytes.p ? bytes.p : (const uint8_t *)""; /* no elements, yet a constant */
    if ((int64_t)bytes.n < need)
        return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s' needs %lld bytes, its buffer has %zu", name_of(r, t->table), (long long)need, bytes.n);
    if ((uintptr_t)data % 8 && need) {
        void *copy = sgs_try_alloc(r->g->arena, (size_t)need);
        if (!copy)
            return sgs_fail(r->d, SGS_E_LIMIT, "constants exceed the memory limit");
        data = memcpy(copy, data, (size_t)need);
    }
    sgs_value *v = sgs_const_new(r->g, t->type, t->rank, t->dim, data, false);
    sgs_map_set(&r->im.scope.values, r->key[i], v);
    return read_quant(r, t, v);
}

static sgs_status read_tensors(reader *r)
{
    info t;
    sgs_span bytes;
    SGS_TRY(spend(r, r->tensors.n, 8 + 64 + sizeof(sgs_value)));
    r->key = SGS_NEW_N(r->g->arena, const char *, r->tensors.n + 1);
    if (r->im.as_is)
        r->stand = SGS_NEW_N(r->g->arena, sgs_stand, r->tensors.n + 1);
    for (uint32_t i = 0; i < r->tensors.n; i++) {
        r->key[i] = sgs_format(r->g->arena, "#%u", i);
        if (r->stand)
            r->stand[i] = sgs_names_stand(&r->names);
        SGS_TRY(read_info(r, i, &t));
        SGS_TRY(buffer_bytes(r, &t, &bytes));
        name_of(r, t.table); /* looked at later */
        if (r->f.error)
            return damaged(r, "");
        if (bytes.n || (r->im.as_is && t.count == 0 && sgs_fb_int(&r->f, t.table, 2, 4, false, 0)))
            SGS_TRY(read_constant(r, i, &t, bytes));
    }
    return SGS_OK;
}

/* Tensor k of the file as input or output i of the graph. */
static sgs_status check_tensor(reader *r, const char *what, uint32_t i, int64_t k)
{
    if (k >= 0 && k < r->tensors.n)
        return SGS_OK;
    return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: %s %u is tensor %lld, the file has %u", what, i, (long long)k, r->tensors.n);
}

static sgs_status read_inputs(reader *r)
{
    sgs_fb_vector in = sgs_fb_vec(&r->f, r->subgraph, 1, 4);
    if (in.n > IPU_MAX_IO)
        return sgs_fail(r->d, SGS_E_UNSUPPORTED, "the file has %u inputs; at most %d are supported", in.n, IPU_MAX_IO);
    r->g->in = SGS_NEW_N(r->g->arena, sgs_value *, in.n + 1);
    for (uint32_t i = 0; i < in.n; i++) {
        int64_t k = sgs_fb_vec_int(&r->f, in, i, 4);
        info t;
        SGS_TRY(check_tensor(r, "input", i, k));
        SGS_TRY(read_info(r, (uint32_t)k, &t));
        if (sgs_map_get(&r->im.scope.values, r->key[k]))
            return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: input %u: tensor '%s' is a constant or an input already", i, name_of(r, t.table));
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
    return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: expected %d output%s, found %d", expected, expected == 1 ? "" : "s", found);
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
        return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: tensor '%s' is an input, a constant or made already",
                        name_of(r, sgs_fb_vec_table(&r->f, r->tensors, tensor_number(s, i))));
    return SGS_OK;
}

/* An operator of a custom code that is one of our own ops: attributes from its options. */
static sgs_status read_own(reader *r, const sgs_source_node *s, sgs_fb_table t)
{
    const char *name = s->op + strlen("custom:");
    bool fix2float = !strcmp(name, "Fix2Float");
    const sgs_op *op = fix2float ? &sgs_op_dequantize : sgs_op_find(name);
    sgs_fb_vector options = sgs_fb_vec(&r->f, t, 5, 1);
    if (r->f.error)
        return damaged(r, "");
    if (!op)
        return sgs_fail(r->d, SGS_E_UNSUPPORTED, "custom operator '%s' is not supported", name);
    if (s->nout != op->nout)
        return outputs_fail(r, op->nout, s->nout);
    void *attr = sgs_alloc(r->g->arena, op->attr_bytes + 1);
    if (!fix2float && !sgs_attrs_unpack(op, (sgs_span){ r->f.data.p + options.pos, options.n }, attr))
        return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: the options of custom operator '%s'", name);
    sgs_value **in = SGS_NEW_N(r->g->arena, sgs_value *, s->nin + 1), **out = SGS_NEW_N(r->g->arena, sgs_value *, s->nout);
    for (int i = 0; i < s->nin; i++)
        if (s->in[i][0])
            SGS_TRY(sgs_src_in(&r->im, s, i, &in[i], r->d));
    SGS_TRY(sgs_emit(&r->im, s, op, s->nin, in, attr, out, r->d));
    for (int i = 0; i < s->nout; i++) {
        SGS_TRY(check_new(r, s, i));
        SGS_TRY(sgs_src_out(&r->im, s, i, out[i], r->d));
    }
    return SGS_OK;
}

static sgs_status read_names_of(reader *r, sgs_fb_table t, int slot, int *n, const char *const **out)
{
    sgs_fb_vector v = sgs_fb_vec(&r->f, t, slot, 4);
    SGS_TRY(spend(r, v.n, 3 * sizeof(char *))); /* the list, and the node's own */
    const char **list = SGS_NEW_N(r->g->arena, const char *, v.n + 1);
    *n = 0;
    for (uint32_t i = 0; i < v.n; i++) {
        int64_t k = sgs_fb_vec_int(&r->f, v, i, 4);
        if (k < -1 || k >= (int64_t)r->tensors.n)
            return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: an operator refers to tensor %lld, the file has %u", (long long)k, r->tensors.n);
        list[i] = k < 0 || (r->stand && r->stand[k]) ? "" : r->key[k];
        if (k < 0 || !r->stand || r->stand[k] != SGS_STAND_CUT)
            *n = (int)i + 1;
    }
    *out = list;
    return r->f.error ? damaged(r, "") : SGS_OK;
}

static void read_options(reader *r, sgs_fb_table t, const sgs_tfl_schema *schema, sgs_source_node *s)
{
    sgs_fb_table o = sgs_fb_int(&r->f, t, 3, 1, false, 0) == schema->options ? sgs_fb_sub(&r->f, t, 4) : (sgs_fb_table){ 0 };
    sgs_src_attr *a = SGS_NEW_N(r->g->arena, sgs_src_attr, 8);
    for (const sgs_tfl_field *k = schema->field; k < schema->field + 8 && k->name; k++) {
        sgs_src_attr *x = &a[s->nattr++];
        x->name = k->name;
        x->kind = k->kind == 'f' ? SGS_SRC_FLOAT : SGS_SRC_INT;
        if (k->kind == 'f')
            x->f = sgs_fb_float(&r->f, o, k->slot, (float)k->absent);
        else
            x->i = sgs_fb_int(&r->f, o, k->slot, k->kind == 'b' ? 1 : 4, true, k->absent);
    }
    s->attr = a;
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
    info t;
    SGS_TRY(read_info(r, i, &t));
    bool same = v->rank == t.rank && !memcmp(v->dim, t.dim, (size_t)t.rank * sizeof *t.dim);
    if (!same) {
        char a[128], b[128];
        return sgs_fail(r->d, SGS_E_FORMAT, "tensor '%s' is declared %s; its operator gives %s", name_of(r, t.table), sgs_dims_text(a, sizeof a, t.rank, t.dim),
                        sgs_dims_text(b, sizeof b, v->rank, v->dim));
    }
    if (v->data)
        return SGS_OK;
    if (v->type != t.type && (v->type == SGS_F32 || t.type == SGS_F32))
        return sgs_fail(r->d, SGS_E_FORMAT, "tensor '%s' is declared %s; its operator gives %s", name_of(r, t.table), sgs_type_word(t.type), sgs_type_word(v->type));
    v->type = t.type;
    return read_quant(r, &t, v);
}

static sgs_status read_operator(reader *r, uint32_t i, sgs_value **made)
{
    sgs_fb_table t = sgs_fb_vec_table(&r->f, r->operators, i);
    int64_t index = sgs_fb_int(&r->f, t, 0, 4, false, 0);
    if (index >= r->codes.n && !r->f.error)
        return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: an operator has code %lld, the file has %u", (long long)index, r->codes.n);
    sgs_fb_table code = sgs_fb_vec_table(&r->f, r->codes, (uint32_t)index);
    if (r->f.error)
        return damaged(r, "");
    int64_t old = sgs_fb_int(&r->f, code, 0, 1, true, 0), builtin = sgs_fb_int(&r->f, code, 3, 4, true, 0);
    builtin = builtin > old ? builtin : old;
    const sgs_tfl_schema *schema = builtin == 32 ? NULL : sgs_tfl_by_code((int)builtin);
    sgs_source_node s = { .domain = "", .name = "", .opset = 1 };
    SGS_TRY(read_names_of(r, t, 1, &s.nin, &s.in));
    SGS_TRY(read_names_of(r, t, 2, &s.nout, &s.out));
    sgs_from_fn fn = schema ? find_reader(schema->name) : NULL;
    if (builtin != 32 && !fn)
        return sgs_fail(r->d, SGS_E_UNSUPPORTED, "TFLite operator %lld is not supported", (long long)builtin);
    s.op = schema ? schema->name : sgs_format(r->g->arena, "custom:%s", sgs_fb_string(&r->f, code, 1));
    if (schema)
        read_options(r, t, schema, &s);
    if (s.nout < 1 || (schema && s.nout > 1))
        return outputs_fail(r, 1, s.nout);
    SGS_TRY(check_new(r, &s, 0));
    SGS_TRY(schema ? fn(&r->im, &s, r->d) : read_own(r, &s, t));
    for (int k = 0; k < s.nout; k++)
        SGS_TRY(settle(r, tensor_number(&s, k), sgs_map_get(&r->im.scope.values, s.out[k])));
    *made = sgs_map_get(&r->im.scope.values, s.out[0]);
    return SGS_OK;
}

/* The name of the tensor that operator i makes. */
static const char *output_name(reader *r, uint32_t i)
{
    sgs_fb_vector out = sgs_fb_vec(&r->f, sgs_fb_vec_table(&r->f, r->operators, i), 2, 4);
    const int64_t k = out.n ? sgs_fb_vec_int(&r->f, out, 0, 4) : -1;
    return k < 0 || k >= (int64_t)r->tensors.n ? "" : name_of(r, sgs_fb_vec_table(&r->f, r->tensors, (uint32_t)k));
}

/* Several operators that our writer made of one node become that node again: im.joined tells their readers. */
static sgs_status read_operators(reader *r)
{
    bool goes_on = false;
    for (uint32_t i = 0; i < r->operators.n; i++) {
        sgs_value *made = NULL;
        r->im.joined = goes_on;
        const char *name = r->im.as_is ? sgs_names_node(&r->names, r->g, &goes_on) : NULL;
        sgs_status s = read_operator(r, i, &made);
        if (s != SGS_OK) {
            const char *layer = name ? name : output_name(r, i);
            if (layer[0])
                sgs_fail_at(r->d, NULL, 0, layer);
            return s;
        }
        if (made->def && name)
            made->def->name = name;
    }
    return SGS_OK;
}

static sgs_status read_outputs(reader *r)
{
    sgs_fb_vector out = sgs_fb_vec(&r->f, r->subgraph, 2, 4);
    if (!out.n)
        return damaged(r, "it has no outputs");
    if (out.n > IPU_MAX_IO)
        return sgs_fail(r->d, SGS_E_UNSUPPORTED, "the file has %u outputs; at most %d are supported", out.n, IPU_MAX_IO);
    r->g->out = SGS_NEW_N(r->g->arena, sgs_value *, out.n + 1);
    for (uint32_t i = 0; i < out.n; i++) {
        int64_t k = sgs_fb_vec_int(&r->f, out, i, 4);
        SGS_TRY(check_tensor(r, "output", i, k));
        sgs_value *v = sgs_map_get(&r->im.scope.values, r->key[k]);
        if (!v)
            return sgs_fail(r->d, SGS_E_FORMAT, "damaged file: output %u: nothing makes tensor '%s'", i,
                            name_of(r, sgs_fb_vec_table(&r->f, r->tensors, (uint32_t)k)));
        r->g->out[r->g->nout++] = v;
    }
    return SGS_OK;
}

/* ---- metadata, names ---------------------------------------------------------------------------------------------------------------------- */

static sgs_status read_metadata(reader *r, sgs_fb_table root)
{
    sgs_fb_vector list = sgs_fb_vec(&r->f, root, 6, 4);
    sgs_names_reader *names = &r->names;
    for (uint32_t i = 0; i < list.n; i++) {
        sgs_fb_table m = sgs_fb_vec_table(&r->f, list, i);
        const char *name = sgs_fb_string(&r->f, m, 0);
        int64_t index = sgs_fb_int(&r->f, m, 1, 4, false, 0);
        sgs_fb_table b = index < r->buffers.n ? sgs_fb_vec_table(&r->f, r->buffers, (uint32_t)index) : (sgs_fb_table){ 0 };
        sgs_fb_vector data = sgs_fb_vec(&r->f, b, 0, 1);
        uint64_t offset = (uint64_t)sgs_fb_int(&r->f, b, 1, 8, false, 0), size = (uint64_t)sgs_fb_int(&r->f, b, 2, 8, false, 0);
        if (r->f.error)
            return damaged(r, "");
        sgs_span s = { r->f.data.p + data.pos, data.n };
        if (!data.n && offset <= r->f.data.n && size <= r->f.data.n - offset)
            s = (sgs_span){ r->f.data.p + offset, (size_t)size };
        if (!strcmp(name, SGS_NAMES_META))
            names->left = s;
        else {
            SGS_TRY(spend(r, s.n + strlen(name) + 256, 1));
            sgs_meta_set(r->g, name, s.p, s.n);
        }
    }
    names->ok = r->im.as_is = names->left.n > 0;
    return r->f.error ? damaged(r, "") : SGS_OK;
}

/* Our own files list every alias; foreign ones have one name a tensor. */
static sgs_status read_names(reader *r)
{
    const bool own = r->im.as_is;
    for (uint32_t i = 0; i < r->tensors.n; i++) {
        sgs_value *v = sgs_map_get(&r->im.scope.values, r->key[i]);
        if (own)
            sgs_names_value(&r->names, r->g, v);
        else if (v)
            sgs_value_name(r->g, v, name_of(r, sgs_fb_vec_table(&r->f, r->tensors, i)));
    }
    return own && (!r->names.ok || r->names.left.n) ? damaged(r, "its list of names does not fit its tensors and operators") : SGS_OK;
}

/* ---- entry ------------------------------------------------------------------------------------------------------------------------------------ */

static bool is_tflite(sgs_span s)
{
    return s.n >= 8 && !memcmp(s.p + 4, "TFL3", 4);
}

static sgs_status read_model(reader *r)
{
    if (!is_tflite(r->f.data))
        return sgs_fail(r->d, SGS_E_FORMAT, "this is not a .sim file (no TFL3 mark)");
    sgs_fb_table root = sgs_fb_root(&r->f);
    int64_t version = sgs_fb_int(&r->f, root, 0, 4, false, 0);
    sgs_fb_vector graphs = sgs_fb_vec(&r->f, root, 2, 4);
    r->codes = sgs_fb_vec(&r->f, root, 1, 4);
    r->buffers = sgs_fb_vec(&r->f, root, 4, 4);
    if (!r->f.error && version != 3)
        return sgs_fail(r->d, SGS_E_UNSUPPORTED, "expected version 3 of the TFLite schema, found %lld", (long long)version);
    if (r->f.error || graphs.n < 1)
        return damaged(r, "it has no subgraph");
    if (graphs.n > 1)
        return sgs_fail(r->d, SGS_E_UNSUPPORTED, "the file has %u subgraphs; one is supported", graphs.n);
    r->subgraph = sgs_fb_vec_table(&r->f, graphs, 0);
    r->tensors = sgs_fb_vec(&r->f, r->subgraph, 0, 4);
    r->operators = sgs_fb_vec(&r->f, r->subgraph, 3, 4);
    SGS_TRY(read_metadata(r, root));
    SGS_TRY(read_tensors(r));
    SGS_TRY(read_inputs(r));
    SGS_TRY(read_operators(r));
    SGS_TRY(read_outputs(r));
    SGS_TRY(read_names(r));
    return sgs_graph_verify(r->g, r->d);
}

static sgs_status read_into(sgs_graph *g, sgs_span data, sgs_diag *d)
{
    reader r = { .f = { .data = data }, .g = g, .d = d, .im = { .g = g, .framework = "TFLite", .scope = sgs_src_scope_new(g->arena, NULL), .by_number = true } };
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
    if (!is_tflite(data))
        return SGS_KIND_ANY;
    sgs_fb f = { .data = data };
    sgs_fb_table root = sgs_fb_root(&f);
    sgs_fb_vector list = sgs_fb_vec(&f, root, 6, 4);
    for (uint32_t i = 0; i < list.n && !f.error; i++)
        if (!strcmp(sgs_fb_string(&f, sgs_fb_vec_table(&f, list, i), 0), "sgs.fixed"))
            return SGS_FIXED;
    return SGS_FLOAT;
}
