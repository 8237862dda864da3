/* A foreign TFLite model -> sgs_model.  Tensors are numbers in the file; here each has a name that no other has, its own
 * where that is free.
 *
 * A quantized tensor is read as the real numbers that it stands for.  Its scale says how far those reach: what its
 * operator computes beyond that is cut off, where it can compute such a thing at all (a ReLU6 may be implied so), and
 * with keep_quant it is rounded to the scale's steps too. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "import/frontend.h"
#include "import/tflite_file.h"
#include "openipu/ipu.h"
#include "ops/util.h"

typedef struct tensor {
    const char *name;
    sgs_tfl_tensor t;
    const sgs_quant *quant; /* of a tensor that is real numbers here; else NULL */
    bool input, output, constant, made, variable, free_shape;
    int64_t signature[SGS_MAX_RANK]; /* free_shape: -1 where --input_shapes may say another size */
} tensor;

typedef struct model {
    sgs_tfl_file t;
    sgs_model *o;
    tensor *tensor;
    int ntensor;
    sgs_map by_name; /* -> tensor */
    int nquantized;  /* constants of 16 bits or fewer, or of half or double precision */
} model;

/* ---- names ---- */

static sgs_status take_name(model *m, int i)
{
    tensor *x = &m->tensor[i];
    if (x->name)
        return SGS_OK;
    const char *own = sgs_tfl_tensor_name(&m->t, x->t.table), *name = own;
    SGS_TRY(sgs_tfl_spend(&m->t, strlen(own), 1));
    for (int k = i; !name[0] || sgs_map_get(&m->by_name, name); k += m->ntensor)
        name = sgs_format(m->o->a, "%s#%d", own, k);
    x->name = name;
    sgs_map_set(&m->by_name, name, x);
    return SGS_OK;
}

/* The ends of the model come first: of two tensors with one name users mean the input or output. */
static sgs_status take_names(model *m)
{
    for (int slot = 1; slot <= 2; slot++) {
        const sgs_fb_vector ends = sgs_fb_vec(&m->t.f, m->t.subgraph, slot, 4);
        for (uint32_t i = 0; i < ends.n && !m->t.f.error; i++) {
            const int64_t k = sgs_fb_vec_int(&m->t.f, ends, i, 4);
            if (k < 0 || k >= m->ntensor)
                return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: %s %u is tensor %lld, the file has %d",
                                slot == 1 ? "input" : "output", i, (long long)k, m->ntensor);
            SGS_TRY(take_name(m, (int)k));
        }
    }
    for (int i = 0; i < m->ntensor; i++)
        SGS_TRY(take_name(m, i));
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

/* ---- tensors ---- */

/* Integers with scales are real numbers; 32 and 64 bits have them where they are sums: biases. */
static bool has_steps(const sgs_tfl_tensor *t)
{
    return t->known &&
           (t->type == SGS_U8 || t->type == SGS_S8 || t->type == SGS_S16 || t->type == SGS_S32 || t->type == SGS_S64);
}

static sgs_status read_signature(model *m, tensor *x)
{
    const sgs_fb_vector s = sgs_fb_vec(&m->t.f, x->t.table, 7, 4);
    for (int i = 0; i < x->t.rank; i++) {
        x->signature[i] = s.n == (uint32_t)x->t.rank ? sgs_fb_vec_int(&m->t.f, s, (uint32_t)i, 4) : x->t.dim[i];
        x->free_shape = x->free_shape || x->signature[i] < 0;
    }
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

static sgs_status read_tensor(model *m, int i)
{
    tensor *x = &m->tensor[i];
    sgs_quant *q = NULL;
    SGS_TRY(sgs_tfl_tensor_at(&m->t, (uint32_t)i, &x->t));
    SGS_TRY(read_signature(m, x));
    if (has_steps(&x->t))
        SGS_TRY(sgs_tfl_quant(&m->t, &x->t, m->o->im.g, &q));
    x->quant = q;
    x->variable = sgs_fb_int(&m->t.f, x->t.table, 5, 1, false, 0) != 0;
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

static sgs_status read_tensors(model *m)
{
    SGS_TRY(sgs_tfl_spend(&m->t, m->t.tensors.n, sizeof *m->tensor));
    m->ntensor = (int)m->t.tensors.n;
    m->tensor = SGS_NEW_N(m->o->a, tensor, m->ntensor + 1);
    for (int i = 0; i < m->ntensor; i++)
        SGS_TRY(read_tensor(m, i));
    return take_names(m);
}

/* The type that a tensor has in the graph; *narrow: what the file says where that is wider. */
static sgs_type graph_type(const tensor *x, const sgs_type **narrow)
{
    static const sgs_type kinds[] = { SGS_U16, SGS_S16 };
    *narrow = NULL;
    if (x->quant || x->t.type == SGS_F16 || x->t.type == SGS_F64)
        return SGS_F32;
    if (x->t.type == SGS_U16 || x->t.type == SGS_S16)
        return *narrow = &kinds[x->t.type == SGS_S16], SGS_S32;
    return x->t.type;
}

static void describe(const tensor *x, bool free_sizes, sgs_source_tensor *info)
{
    /* What ONNX calls the types of TFLite, for messages. */
    static const int8_t numbers[] = { 1, 10, 6, 2, 7, 8, 9, 5, 14, 3, 11, 15, 13, 0, 0, 12, 4, 22, 16 };
    const sgs_type *narrow;
    const sgs_type t = graph_type(x, &narrow);
    *info = (sgs_source_tensor){ .name = x->name, .type = x->t.known ? (int)t : -1, .narrow = narrow, .rank = x->t.rank };
    info->data_type = x->t.number < (int64_t)sizeof numbers ? numbers[x->t.number] : 0;
    for (int i = 0; i < x->t.rank; i++)
        info->dim[i] = free_sizes && x->signature[i] < 0 ? -1 : x->t.dim[i];
}

/* ---- constants ---- */

static int64_t whole(sgs_type t, const void *data, int64_t i)
{
    switch (t) {
    case SGS_U8:
        return ((const uint8_t *)data)[i];
    case SGS_S8:
        return ((const int8_t *)data)[i];
    case SGS_S16:
        return ((const int16_t *)data)[i];
    case SGS_U16:
        return ((const uint16_t *)data)[i];
    case SGS_S32:
        return ((const int32_t *)data)[i];
    default:
        return ((const int64_t *)data)[i];
    }
}

/* Two elements a byte, the first in its lower half. */
static void unpack(const uint8_t *from, int64_t n, int8_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        const int v = i % 2 ? from[i / 2] >> 4 : from[i / 2] & 15;
        to[i] = (int8_t)(v >= 8 ? v - 16 : v);
    }
}

static void dequantize(const tensor *x, const void *data, float *out)
{
    const sgs_quant *q = x->quant;
    int64_t inner = 1;
    for (int i = q->axis + 1; q->n > 1 && i < x->t.rank; i++)
        inner *= x->t.dim[i];
    for (int64_t i = 0; i < x->t.count; i++) {
        const int64_t c = q->n > 1 ? i / inner % q->n : 0;
        out[i] = (float)((double)(whole(x->t.type, data, i) - q->zero[c]) * (double)q->scale[c]);
    }
}

static void convert(const tensor *x, const void *data, void *out)
{
    for (int64_t i = 0; i < x->t.count; i++)
        if (x->t.type == SGS_F16)
            ((float *)out)[i] = sgs_half(((const uint16_t *)data)[i]);
        else if (x->t.type == SGS_F64)
            ((float *)out)[i] = (float)((const double *)data)[i];
        else
            ((int32_t *)out)[i] = (int32_t)whole(x->t.type, data, i);
}

static void *room(model *m, int64_t bytes)
{
    void *p = sgs_try_alloc(m->o->a, (size_t)bytes + 1);
    if (!p)
        sgs_fail(m->t.d, SGS_E_LIMIT, "constants exceed the memory limit");
    return p;
}

/* `data` where it can be read in place, else a copy on a multiple of 8. */
static const void *aligned(model *m, const void *data, int64_t bytes)
{
    void *copy = (uintptr_t)data % 8 && bytes ? room(m, bytes) : NULL;
    return copy ? memcpy(copy, data, (size_t)bytes) : (uintptr_t)data % 8 && bytes ? NULL : data;
}

static sgs_status make_constant(model *m, tensor *x, sgs_span bytes, sgs_value **v)
{
    const sgs_type *narrow, t = graph_type(x, &narrow);
    const int64_t stored = x->t.packed ? (x->t.count + 1) / 2 : x->t.count * sgs_type_bytes(x->t.type),
                  need = x->t.count * sgs_type_bytes(t);
    SGS_TRY(sgs_tfl_need_type(&m->t, &x->t));
    if ((int64_t)bytes.n < stored)
        return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: tensor '%s' needs %lld bytes, its buffer has %zu", x->name,
                        (long long)stored, bytes.n);
    if (sgs_fb_sub(&m->t.f, x->t.table, 6).pos)
        return sgs_fail(m->t.d, SGS_E_UNSUPPORTED, "tensor '%s' is sparse, which is not supported", x->name);
    const void *data = aligned(m, bytes.n ? (const void *)bytes.p : "", stored);
    if (data && x->t.packed) {
        int8_t *wide = room(m, x->t.count);
        if (wide)
            unpack(data, x->t.count, wide);
        data = wide;
    }
    if (data && t != x->t.type) {
        void *real = room(m, need);
        if (real && x->quant)
            dequantize(x, data, real);
        else if (real)
            convert(x, data, real);
        data = real;
        m->nquantized += x->t.type != SGS_S32 && x->t.type != SGS_S64 && t == SGS_F32;
    }
    if (!data)
        return SGS_E_LIMIT;
    *v = sgs_const_new(m->o->im.g, t, x->t.rank, x->t.dim, data, false);
    if (narrow)
        sgs_src_set_narrow(&m->o->im, *v, narrow);
    return SGS_OK;
}

/* A state is what it is before the first run. */
static sgs_status make_state(model *m, tensor *x, sgs_value **v)
{
    const sgs_type *narrow, t = graph_type(x, &narrow);
    void *zeros = room(m, x->t.count * sgs_type_bytes(t));
    if (!zeros)
        return SGS_E_LIMIT;
    memset(zeros, 0, (size_t)(x->t.count * sgs_type_bytes(t)));
    sgs_log_line(m->o->opt->log, "'%s' is a state that the model keeps between runs: here every run starts with zeros",
                 x->name);
    *v = sgs_const_new(m->o->im.g, t, x->t.rank, x->t.dim, zeros, false);
    return SGS_OK;
}

static sgs_status read_constants(model *m)
{
    sgs_model *o = m->o;
    o->init = SGS_NEW_N(o->a, sgs_source_const, m->ntensor + o->nnode + 1);
    for (int i = 0; i < m->ntensor; i++) {
        tensor *x = &m->tensor[i];
        sgs_span bytes;
        sgs_value *v = NULL;
        SGS_TRY(sgs_tfl_buffer(&m->t, &x->t, &bytes));
        if (x->made)
            continue;
        if (bytes.n || (x->t.known && !x->t.count && !x->input))
            SGS_TRY(make_constant(m, x, bytes, &v));
        else if (x->variable && x->t.known && !x->input)
            SGS_TRY(make_state(m, x, &v));
        else
            continue;
        x->constant = true;
        o->init[o->ninit++] = (sgs_source_const){ x->name, v };
    }
    return SGS_OK;
}

/* ---- ranges ---- */

typedef struct extent {
    float lo, hi;
} extent;

static const extent everything = { -INFINITY, INFINITY };

/* What a quantized tensor can hold. */
static void steps_of(const tensor *x, sgs_fake_quant_attr *a)
{
    static const int32_t range[][2] = {
        [SGS_U8] = { 0, 255 }, [SGS_S8] = { -128, 127 }, [SGS_S16] = { -32768, 32767 }
    };
    *a = (sgs_fake_quant_attr){ x->quant->scale[0], x->quant->zero[0], range[x->t.type][0], range[x->t.type][1] };
    if (x->t.packed)
        a->least = -8, a->most = 7;
}

static bool has_grid(const tensor *x)
{
    return x && x->quant && x->quant->n == 1 && (x->t.type == SGS_U8 || x->t.type == SGS_S8 || x->t.type == SGS_S16);
}

static extent reach(const tensor *x)
{
    sgs_fake_quant_attr a;
    if (!has_grid(x))
        return everything;
    steps_of(x, &a);
    return (extent){ (float)(a.least - a.zero) * a.scale, (float)(a.most - a.zero) * a.scale };
}

/* ---- operators ---- */

/* Helpers that ONNX's operators share look at the opset. */
#define AS_OPSET 18

static sgs_status read_operands(model *m, sgs_fb_table t, int slot, int *n, const char *const **out)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, t, slot, 4);
    SGS_TRY(sgs_tfl_spend(&m->t, v.n, 3 * sizeof(char *)));
    const char **list = SGS_NEW_N(m->o->a, const char *, v.n + 1);
    for (uint32_t i = 0; i < v.n; i++) {
        const int64_t k = sgs_fb_vec_int(&m->t.f, v, i, 4);
        if (k < -1 || k >= m->ntensor)
            return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: an operator refers to tensor %lld, the file has %d",
                            (long long)k, m->ntensor);
        list[i] = k < 0 ? "" : m->tensor[k].name;
        SGS_TRY(sgs_tfl_spend(&m->t, strlen(list[i]) + 1, 1)); /* looked up by it */
        if (k >= 0 && slot == 2)
            m->tensor[k].made = true;
    }
    *n = (int)v.n;
    *out = list;
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

/* Custom options are bytes that the operator's importer reads. */
static void read_custom(model *m, sgs_fb_table t, sgs_source_node *s)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, t, 5, 1);
    sgs_src_attr *a = SGS_NEW(m->o->a, sgs_src_attr);
    *a = (sgs_src_attr){ .name = "custom_options", .kind = SGS_SRC_STRING, .s = { m->t.f.data.p + v.pos, v.n } };
    s->nattr = 1;
    s->attr = a;
}

/* A quantized LSTM lists its inner tensors; the fifth is what goes into the projection, and its scale says how far that
 * reaches. */
static sgs_status read_hidden(model *m, sgs_fb_table t, sgs_source_node *s)
{
    enum { HIDDEN = 4 };
    const sgs_fb_vector inner = sgs_fb_vec(&m->t.f, t, 8, 4);
    const int64_t k = inner.n > HIDDEN ? sgs_fb_vec_int(&m->t.f, inner, HIDDEN, 4) : -1;
    if (m->t.f.error || k < 0 || k >= m->ntensor || !strstr(s->op, "LSTM") || !has_grid(&m->tensor[k]))
        return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
    const extent e = reach(&m->tensor[k]);
    sgs_src_attr *a = SGS_NEW_N(m->o->a, sgs_src_attr, s->nattr + 2);
    memcpy(a, s->attr, (size_t)s->nattr * sizeof *a);
    a[s->nattr] = (sgs_src_attr){ .name = "hidden_lo", .kind = SGS_SRC_FLOAT, .f = e.lo };
    a[s->nattr + 1] = (sgs_src_attr){ .name = "hidden_hi", .kind = SGS_SRC_FLOAT, .f = e.hi };
    s->attr = a;
    s->nattr += 2;
    return SGS_OK;
}

static sgs_status read_operator(model *m, uint32_t i, sgs_source_node *s)
{
    const sgs_fb_table t = sgs_fb_vec_table(&m->t.f, m->t.operators, i);
    sgs_tfl_code code;
    SGS_TRY(sgs_tfl_code_of(&m->t, t, &code));
    *s = (sgs_source_node){ .domain = "", .name = "", .opset = AS_OPSET };
    const char *name = code.custom ? NULL : sgs_tfl_name(code.builtin);
    if (!name && !code.custom)
        return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: there is no TFLite operator %d", code.builtin);
    s->op = code.custom ? sgs_format(m->o->a, "custom:%s", code.custom) : name;
    SGS_TRY(read_operands(m, t, 1, &s->nin, &s->in));
    SGS_TRY(read_operands(m, t, 2, &s->nout, &s->out));
    if (code.schema) {
        SGS_TRY(sgs_tfl_options(&m->t, t, code.schema, s));
        return read_hidden(m, t, s);
    }
    if (code.custom)
        read_custom(m, t, s);
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

static sgs_status read_operators(model *m)
{
    SGS_TRY(sgs_tfl_spend(&m->t, m->t.operators.n, sizeof *m->o->node));
    m->o->node = SGS_NEW_N(m->o->a, sgs_source_node, m->t.operators.n + sgs_fb_vec(&m->t.f, m->t.subgraph, 2, 4).n + 1);
    for (uint32_t i = 0; i < m->t.operators.n; i++)
        SGS_TRY(read_operator(m, i, &m->o->node[m->o->nnode++]));
    return SGS_OK;
}

/* ---- inputs, outputs ---- */

/* An output that is an input too, or another output, takes a name of its own and a node that changes nothing. */
static const char *pass_on(model *m, const tensor *x)
{
    sgs_source_node *s = &m->o->node[m->o->nnode++];
    const char *name = x->name, **ends = SGS_NEW_N(m->o->a, const char *, 2);
    for (int k = 2; sgs_map_get(&m->by_name, name); k++)
        name = sgs_format(m->o->a, "%s#%d", x->name, k);
    ends[0] = x->name;
    ends[1] = name;
    sgs_map_set(&m->by_name, name, (void *)(uintptr_t)x);
    *s = (sgs_source_node){ .op = "DEQUANTIZE",
                            .domain = "",
                            .name = "",
                            .opset = AS_OPSET,
                            .nin = 1,
                            .nout = 1,
                            .in = ends,
                            .out = ends + 1 };
    return name;
}

static sgs_status read_ends(model *m, int slot, sgs_source_tensor **list, int *n)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, m->t.subgraph, slot, 4);
    SGS_TRY(sgs_tfl_spend(&m->t, v.n, sizeof **list + sizeof *m->o->node));
    *list = SGS_NEW_N(m->o->a, sgs_source_tensor, v.n + 1);
    for (uint32_t i = 0; i < v.n; i++) {
        tensor *x = &m->tensor[sgs_fb_vec_int(&m->t.f, v, i, 4)];
        sgs_source_tensor *info = &(*list)[(*n)++];
        describe(x, m->o->opt->input_shapes != NULL, info);
        if (slot == 2 && (x->input || x->output))
            info->name = pass_on(m, x);
        x->input = x->input || slot == 1;
        x->output = x->output || slot == 2;
    }
    return SGS_OK;
}

static sgs_status read_inner(model *m)
{
    m->o->inner = SGS_NEW_N(m->o->a, sgs_source_tensor, m->ntensor + 1);
    for (int i = 0; i < m->ntensor; i++)
        if (m->tensor[i].made)
            describe(&m->tensor[i], false, &m->o->inner[m->o->ninner++]);
    return SGS_OK;
}

/* A result's shape that comes at run time cannot say anything else than the file says of the result. */
static sgs_status settle_shape(model *m, sgs_source_node *s)
{
    static const struct {
        const char *op;
        int input, first, count; /* the dimensions of the result that the input has; count 0: all */
    } table[] = { { "TRANSPOSE_CONV", 0, 0, 0 },
                  { "RESHAPE", 1, 0, 0 },
                  { "BROADCAST_TO", 1, 0, 0 },
                  { "RESIZE_BILINEAR", 1, 1, 2 },
                  { "RESIZE_NEAREST_NEIGHBOR", 1, 1, 2 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const int k = table[i].input;
        const tensor *x = k < s->nin ? sgs_map_get(&m->by_name, s->in[k]) : NULL,
                     *y = s->nout ? sgs_map_get(&m->by_name, s->out[0]) : NULL;
        const int count = y && table[i].count ? table[i].count : y ? y->t.rank : 0;
        if (strcmp(s->op, table[i].op) || !x || !x->input || !y || y->free_shape || table[i].first + count > y->t.rank)
            continue;
        const char **in = SGS_NEW_N(m->o->a, const char *, s->nin), *name = sgs_format(m->o->a, "%s#shape", y->name);
        memcpy(in, s->in, (size_t)s->nin * sizeof *in);
        in[k] = name;
        s->in = in;
        m->o->init[m->o->ninit++] =
            (sgs_source_const){ name, sgs_const_ints(m->o->im.g, y->t.dim + table[i].first, count) };
        sgs_log_line(m->o->opt->log, "%s '%s' has the shape that the file gives it, whatever its input '%s' says",
                     s->op, y->name, x->name);
    }
    return SGS_OK;
}

/* ---- which subgraph ---- */

typedef struct signature {
    const char *key;
    uint32_t subgraph;
} signature;

static sgs_status read_signatures(model *m, signature **list, int *n)
{
    const sgs_fb_vector v = sgs_fb_vec(&m->t.f, m->t.root, 7, 4);
    SGS_TRY(sgs_tfl_spend(&m->t, v.n, sizeof **list));
    *list = SGS_NEW_N(m->o->a, signature, v.n + 1);
    for (uint32_t i = 0; i < v.n; i++) {
        const sgs_fb_table t = sgs_fb_vec_table(&m->t.f, v, i);
        (*list)[(*n)++] = (signature){ sgs_fb_string(&m->t.f, t, 2), (uint32_t)sgs_fb_int(&m->t.f, t, 4, 4, false, 0) };
    }
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

static const char *listed(model *m, const signature *s, int n)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < n; i++)
        sgs_buf_printf(&b, "%s'%.100s'", i ? ", " : "", s[i].key);
    const char *text = sgs_strndup(m->o->a, b.p ? b.p : "none", b.p ? b.n : 4);
    sgs_buf_free(&b);
    return text;
}

/* The one asked for by its signature, else the first. */
static sgs_status choose_subgraph(model *m, uint32_t count, uint32_t *chosen)
{
    const char *asked = m->o->opt->signature;
    signature *s;
    int n = 0, found = -1;
    SGS_TRY(read_signatures(m, &s, &n));
    for (int i = 0; i < n && found < 0; i++)
        if (asked ? !strcmp(s[i].key, asked) : s[i].subgraph == 0)
            found = i;
    if (asked && found < 0) {
        sgs_fail(m->t.d, SGS_E_USAGE, "--signature: the model has no signature '%s', it has %s", asked,
                 listed(m, s, n));
        return SGS_E_USAGE;
    }
    *chosen = found < 0 ? 0 : s[found].subgraph;
    if (*chosen >= count)
        return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: signature '%s' is subgraph %u, the file has %u",
                        s[found].key, *chosen, count);
    if (n > 1 && !asked)
        sgs_log_line(m->o->opt->log, "of the model's signatures %s '%s' is read; --signature NAME chooses another",
                     listed(m, s, n), found < 0 ? "" : s[found].key);
    else if (count > 1 && !asked)
        sgs_log_line(m->o->opt->log, "of the model's %u subgraphs the first is read", count);
    return SGS_OK;
}

/* Also those that nothing uses: a file with one that does not fit is no good file. */
static sgs_status check_buffers(model *m)
{
    for (uint32_t i = 0; i < m->t.buffers.n && !m->t.f.error; i++)
        sgs_fb_vec(&m->t.f, sgs_fb_vec_table(&m->t.f, m->t.buffers, i), 0, 1);
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

/* ---- the whole file ---- */

static void say_quantized(const model *m)
{
    const sgs_log *log = m->o->opt->log;
    int grids = 0;
    for (int i = 0; i < m->ntensor; i++)
        grids += m->tensor[i].quant && m->tensor[i].made;
    if (grids && m->o->opt->keep_quant)
        sgs_log_line(log, "the model is quantized, %d tensors and %d constants: --keep_quant keeps its scales", grids,
                     m->nquantized);
    else if (grids)
        sgs_log_line(log,
                     "the model is quantized, %d tensors and %d constants: read as real numbers within the ranges of "
                     "its scales; --keep_quant keeps the scales",
                     grids, m->nquantized);
    else if (m->nquantized)
        sgs_log_line(log, "%d constants are quantized or of half precision: read as float32", m->nquantized);
}

static sgs_status read_all(model *m)
{
    uint32_t subgraphs = 0, chosen = 0;
    if (!sgs_tfl_is_model(m->t.f.data))
        return sgs_fail(m->t.d, SGS_E_FORMAT, "this is not a TFLite model (no TFL3 mark)");
    SGS_TRY(sgs_tfl_open(&m->t, &subgraphs));
    SGS_TRY(choose_subgraph(m, subgraphs, &chosen));
    SGS_TRY(sgs_tfl_enter(&m->t, chosen));
    SGS_TRY(check_buffers(m));
    SGS_TRY(read_tensors(m));
    SGS_TRY(read_operators(m));
    SGS_TRY(read_ends(m, 1, &m->o->in, &m->o->nin));
    SGS_TRY(read_constants(m));
    for (int i = 0; i < m->o->nnode; i++)
        SGS_TRY(settle_shape(m, &m->o->node[i]));
    SGS_TRY(read_ends(m, 2, &m->o->out, &m->o->nout));
    SGS_TRY(read_inner(m));
    say_quantized(m);
    return SGS_OK;
}

static sgs_status read_model(sgs_model *o, sgs_span file, sgs_diag *d)
{
    model *m = SGS_NEW(o->a, model);
    *m = (model){ .t = { .f = { .data = file }, .a = o->a, .d = d }, .o = o, .by_name = { .a = o->a } };
    o->own = m;
    o->producer = "";
    const sgs_status s = read_all(m);
    m->t.d = NULL;
    return s == SGS_OK ? s : sgs_fail_at(d, o->file, 0, NULL);
}

/* ---- building: activations, ranges ---- */

static const tensor *find(const sgs_model *o, const char *name)
{
    return sgs_map_get(&((const model *)o->own)->by_name, name);
}

static bool is_one_of(const char *op, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(op, *list))
            return true;
    return false;
}

/* Operators whose results lie between the smallest and the largest of their inputs. */
static const char *const within_inputs[] = { "RESHAPE",
                                             "TRANSPOSE",
                                             "SLICE",
                                             "STRIDED_SLICE",
                                             "SPLIT",
                                             "SPLIT_V",
                                             "SQUEEZE",
                                             "EXPAND_DIMS",
                                             "PACK",
                                             "UNPACK",
                                             "CONCATENATION",
                                             "GATHER",
                                             "GATHER_ND",
                                             "TILE",
                                             "BROADCAST_TO",
                                             "MAX_POOL_2D",
                                             "AVERAGE_POOL_2D",
                                             "MEAN",
                                             "REDUCE_MAX",
                                             "REDUCE_MIN",
                                             "RESIZE_BILINEAR",
                                             "RESIZE_NEAREST_NEIGHBOR",
                                             "REVERSE_V2",
                                             "SPACE_TO_DEPTH",
                                             "DEPTH_TO_SPACE",
                                             "SPACE_TO_BATCH_ND",
                                             "BATCH_TO_SPACE_ND",
                                             "MIRROR_PAD",
                                             "MAXIMUM",
                                             "MINIMUM",
                                             "TOPK_V2",
                                             "SELECT",
                                             "SELECT_V2",
                                             "PAD",
                                             "PADV2",
                                             "QUANTIZE",
                                             "DEQUANTIZE",
                                             NULL };

static int fused(const sgs_source_node *n)
{
    int64_t act = SGS_TFL_ACT_NONE;
    sgs_src_int(n, "fused_activation_function", &act, NULL);
    return (int)act;
}

static extent of_activation(const char *op, int act)
{
    static const struct {
        const char *op;
        int act;
        extent e;
    } table[] = {
        { "LOGISTIC", -1, { 0, 1 } },
        { "SOFTMAX", -1, { 0, 1 } },
        { "TANH", 4, { -1, 1 } },
        { "RELU", 1, { 0, INFINITY } },
        { "RELU_N1_TO_1", 2, { -1, 1 } },
        { "RELU6", 3, { 0, 6 } },
        { "L2_NORMALIZATION", -1, { -1, 1 } },
        { "RELU_0_TO_1", -1, { 0, 1 } },
        { "LOG_SOFTMAX", -1, { -INFINITY, 0 } },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (act ? table[i].act == act : !strcmp(table[i].op, op))
            return table[i].e;
    return everything;
}

/* Between which numbers the operator's results lie, as far as its kind and its inputs say. */
static extent computed(const sgs_model *o, const sgs_source_node *n)
{
    extent e = { INFINITY, -INFINITY };
    const extent act = of_activation(n->op, fused(n));
    for (int i = 0; i < n->nin && is_one_of(n->op, within_inputs); i++) {
        const tensor *x = find(o, n->in[i]);
        const bool data = x && (x->quant || x->t.type == SGS_F32);
        e.lo = data ? fminf(e.lo, reach(x).lo) : e.lo;
        e.hi = data ? fmaxf(e.hi, reach(x).hi) : e.hi;
    }
    if (e.lo > e.hi)
        e = everything;
    return (extent){ fmaxf(e.lo, act.lo), fminf(e.hi, act.hi) };
}

/* What moves numbers of one grid to another tensor of the same leaves them on it. */
static bool same_grid(const sgs_model *o, const sgs_source_node *n, const tensor *y)
{
    static const char *const computing[] = { "AVERAGE_POOL_2D", "MEAN", "RESIZE_BILINEAR", NULL };
    if (!is_one_of(n->op, within_inputs) || is_one_of(n->op, computing))
        return false;
    for (int i = 0; i < n->nin; i++) {
        const tensor *x = find(o, n->in[i]);
        const bool data = x && (x->quant || x->t.type == SGS_F32);
        if (data && (!has_grid(x) || x->t.type != y->t.type || x->quant->scale[0] != y->quant->scale[0] ||
                     x->quant->zero[0] != y->quant->zero[0]))
            return false;
    }
    return true;
}

/* What is to be done to an output: rounded to steps, or cut to a range; NULL: nothing. */
static const sgs_op *limit_of(const sgs_model *o, const sgs_source_node *n, const tensor *y, const void **attr)
{
    if (!has_grid(y))
        return NULL;
    if (o->opt->keep_quant) {
        sgs_fake_quant_attr *a = SGS_NEW(o->a, sgs_fake_quant_attr);
        steps_of(y, a);
        *attr = a;
        return same_grid(o, n, y) ? NULL : &sgs_op_fake_quant;
    }
    const extent can = computed(o, n), may = reach(y);
    const float step = y->quant->scale[0];
    sgs_act_attr *a = SGS_NEW(o->a, sgs_act_attr);
    *a = (sgs_act_attr){ may.lo, may.hi };
    *attr = a;
    return can.lo < may.lo - step || can.hi > may.hi + step ? &sgs_op_clip : NULL;
}

/* Operators whose importers take the activation themselves, up to which of the schema's numbers. */
static const struct taking {
    const char *op;
    int most;
} taking[] = {
    { "CONV_2D", SGS_TFL_ACT_RELU6 },
    { "DEPTHWISE_CONV_2D", SGS_TFL_ACT_RELU6 },
    { "FULLY_CONNECTED", SGS_TFL_ACT_RELU6 },
    { "TRANSPOSE_CONV", SGS_TFL_ACT_RELU6 },
    { "LSTM", INT8_MAX },
    { "UNIDIRECTIONAL_SEQUENCE_LSTM", INT8_MAX },
    { "BIDIRECTIONAL_SEQUENCE_LSTM", INT8_MAX },
    { "RNN", INT8_MAX },
    { "UNIDIRECTIONAL_SEQUENCE_RNN", INT8_MAX },
    { "SVDF", INT8_MAX },
};

/* The operator that the node's activation is, where it becomes a node of its own; NULL: there is none. */
static const char *activation_of(const sgs_source_node *n)
{
    static const char *const ops[] = { NULL, "RELU", "RELU_N1_TO_1", "RELU6", "TANH" };
    const int act = fused(n);
    for (size_t i = 0; i < sizeof taking / sizeof *taking; i++)
        if (!strcmp(n->op, taking[i].op) && act <= taking[i].most)
            return NULL;
    return act > 0 && act < (int)(sizeof ops / sizeof *ops) ? ops[act] : NULL;
}

/* The node without its activation. */
static const sgs_src_attr *plain_attrs(sgs_model *o, const sgs_source_node *n)
{
    sgs_src_attr *a = SGS_NEW_N(o->a, sgs_src_attr, n->nattr + 1);
    for (int i = 0; i < n->nattr; i++) {
        a[i] = n->attr[i];
        if (!strcmp(a[i].name, "fused_activation_function"))
            a[i].i = SGS_TFL_ACT_NONE;
    }
    return a;
}

static sgs_from_fn importer(const char *op)
{
    for (const sgs_family *const *f = sgs_families; *f; f++)
        for (const sgs_from *r = (*f)->tflite; r && r->op; r++)
            if (!strcmp(r->op, op))
                return r->fn;
    return NULL;
}

/* Output k, made under another name, becomes what the model says. */
static sgs_status finish(sgs_model *o, const sgs_source_node *n, int k, const char *made, sgs_diag *d)
{
    const char *act = activation_of(n), *after = sgs_format(o->a, "\1a%d", k);
    const tensor *y = find(o, n->out[k]);
    const void *attr;
    sgs_value *v = sgs_map_get(&o->im.scope.values, made);
    const sgs_op *limit = limit_of(o, n, y, &attr);
    if (!v)
        return SGS_OK;
    if (act) {
        const sgs_source_node a = { .op = act,
                                    .domain = "",
                                    .name = sgs_src_label(n),
                                    .opset = AS_OPSET,
                                    .nin = 1,
                                    .nout = 1,
                                    .in = &made,
                                    .out = &after };
        SGS_TRY(importer(act)(&o->im, &a, d));
        v = sgs_map_get(&o->im.scope.values, after);
    }
    if (limit && v->type == SGS_F32)
        SGS_TRY(sgs_emit(&o->im, n, limit, 1, &v, attr, &v, d));
    o->im.unnamed = false;
    const sgs_status s = sgs_src_out(&o->im, n, k, v, d);
    o->im.unnamed = true;
    return s;
}

static sgs_status build_in_steps(sgs_model *o, const sgs_source_node *n, sgs_from_fn fn, sgs_diag *d)
{
    sgs_source_node plain = *n;
    const char **out = SGS_NEW_N(o->a, const char *, n->nout + 1);
    for (int k = 0; k < n->nout; k++)
        out[k] = n->out[k][0] ? sgs_format(o->a, "\1o%d", k) : "";
    plain.out = out;
    plain.name = sgs_src_label(n);
    if (activation_of(n))
        plain.attr = plain_attrs(o, n);
    for (int k = 0; k < n->nout; k++)
        sgs_map_set(&o->im.scope.values, out[k], NULL);
    o->im.unnamed = true;
    sgs_status s = fn(&o->im, &plain, d);
    for (int k = 0; k < n->nout && s == SGS_OK; k++)
        if (out[k][0])
            s = finish(o, n, k, out[k], d);
    o->im.unnamed = false;
    return s;
}

/* Real numbers from outside lie on the grid too; pixels do by themselves. */
static sgs_status round_input(sgs_model *o, const sgs_source_node *n, const char *name, sgs_diag *d)
{
    const tensor *x = find(o, name);
    sgs_value *v = x && x->quant ? sgs_map_get(&o->im.scope.values, name) : NULL;
    sgs_fake_quant_attr a;
    if (!v || v->data || v->def || !has_grid(x))
        return SGS_OK;
    for (int i = 0; i < o->opt->ninput; i++)
        if (o->opt->input_channels && o->opt->input_channels[i] && !strcmp(o->opt->input_name[i], name))
            return SGS_OK;
    steps_of(x, &a);
    SGS_TRY(sgs_emit(&o->im, n, &sgs_op_fake_quant, 1, &v, &a, &v, d));
    sgs_map_set(&o->im.scope.values, name, v);
    return SGS_OK;
}

/* The sizes that the file gives a tensor hold as long as nobody asks for others. */
static sgs_status check_sizes(sgs_model *o, const sgs_source_node *n, sgs_diag *d)
{
    for (int k = 0; k < n->nout && !o->opt->input_shapes; k++) {
        const tensor *y = find(o, n->out[k]);
        const sgs_value *v = y ? sgs_map_get(&o->im.scope.values, n->out[k]) : NULL;
        char a[128], b[128];
        if (!v || y->free_shape || !y->t.rank ||
            (v->rank == y->t.rank && !memcmp(v->dim, y->t.dim, (size_t)v->rank * sizeof *v->dim)))
            continue;
        return sgs_src_fail(&o->im, n, d, "its output '%s' is declared %s, its inputs make it %s", y->name,
                            sgs_dims_text(a, sizeof a, y->t.rank, y->t.dim),
                            sgs_dims_text(b, sizeof b, v->rank, v->dim));
    }
    return SGS_OK;
}

static sgs_status build(sgs_model *o, const sgs_source_node *n, sgs_from_fn fn, sgs_diag *d)
{
    bool steps = activation_of(n) != NULL;
    const void *attr;
    for (int k = 0; k < n->nin && o->opt->keep_quant; k++)
        SGS_TRY(round_input(o, n, n->in[k], d));
    for (int k = 0; k < n->nout; k++)
        steps = steps || limit_of(o, n, find(o, n->out[k]), &attr);
    if (!strcmp(n->op, "QUANTIZE"))
        fn = importer("DEQUANTIZE"); /* real numbers on both sides */
    SGS_TRY(steps ? build_in_steps(o, n, fn, d) : fn(&o->im, n, d));
    return check_sizes(o, n, d);
}

static const sgs_from *importers(const sgs_family *f)
{
    return f->tflite;
}

const sgs_frontend sgs_frontend_tflite = {
    .name = "TFLite", .read = read_model, .importers = importers, .channels_last = true, .build = build
};
