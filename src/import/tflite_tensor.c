/* Tensors of a foreign TFLite model: names, types, constants. */
#include <string.h>

#include "base/log.h"
#include "import/tflite_model.h"
#include "openipu/ipu.h"
#include "ops/util.h"

/* ---- names ---- */

static sgs_status take_name(sgs_lite_model *m, int i)
{
    sgs_lite_tensor *x = &m->tensor[i];
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
static sgs_status take_names(sgs_lite_model *m)
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

static sgs_status read_signature(sgs_lite_model *m, sgs_lite_tensor *x)
{
    const sgs_fb_vector s = sgs_fb_vec(&m->t.f, x->t.table, 7, 4);
    for (int i = 0; i < x->t.rank; i++) {
        x->signature[i] = s.n == (uint32_t)x->t.rank ? sgs_fb_vec_int(&m->t.f, s, (uint32_t)i, 4) : x->t.dim[i];
        x->free_shape = x->free_shape || x->signature[i] < 0;
    }
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

static sgs_status read_tensor(sgs_lite_model *m, int i)
{
    sgs_lite_tensor *x = &m->tensor[i];
    sgs_quant *q = NULL;
    SGS_TRY(sgs_tfl_tensor_at(&m->t, (uint32_t)i, &x->t));
    SGS_TRY(read_signature(m, x));
    if (has_steps(&x->t))
        SGS_TRY(sgs_tfl_quant(&m->t, &x->t, m->o->im.g, &q));
    x->quant = q;
    x->variable = sgs_fb_int(&m->t.f, x->t.table, 5, 1, false, 0) != 0;
    return m->t.f.error ? sgs_tfl_damaged(&m->t, "") : SGS_OK;
}

sgs_status sgs_lite_read_tensors(sgs_lite_model *m)
{
    SGS_TRY(sgs_tfl_spend(&m->t, m->t.tensors.n, sizeof *m->tensor));
    m->ntensor = (int)m->t.tensors.n;
    m->tensor = SGS_NEW_N(m->o->a, sgs_lite_tensor, m->ntensor + 1);
    for (int i = 0; i < m->ntensor; i++)
        SGS_TRY(read_tensor(m, i));
    return take_names(m);
}

/* The type that a tensor has in the graph; *narrow: what the file says where that is wider. */
static sgs_type graph_type(const sgs_lite_tensor *x, const sgs_type **narrow)
{
    static const sgs_type kinds[] = { SGS_U16, SGS_S16 };
    *narrow = NULL;
    if (x->quant || x->t.type == SGS_F16 || x->t.type == SGS_F64)
        return SGS_F32;
    if (x->t.type == SGS_U16 || x->t.type == SGS_S16)
        return *narrow = &kinds[x->t.type == SGS_S16], SGS_S32;
    return x->t.type;
}

void sgs_lite_describe(const sgs_lite_tensor *x, bool free_sizes, sgs_source_tensor *info)
{
    /* What ONNX calls the types of TFLite, for messages. */
    static const int8_t numbers[] = { 1, 10, 6, 2, 7, 8, 9, 5, 14, 3, 11, 15, 13, 0, 0, 12, 4, 22, 16 };
    const sgs_type *narrow;
    const sgs_type t = graph_type(x, &narrow);
    *info =
        (sgs_source_tensor){ .name = x->name, .type = x->t.known ? (int)t : -1, .narrow = narrow, .rank = x->t.rank };
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

static void dequantize(const sgs_lite_tensor *x, const void *data, float *out)
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

static void convert(const sgs_lite_tensor *x, const void *data, void *out)
{
    for (int64_t i = 0; i < x->t.count; i++)
        if (x->t.type == SGS_F16)
            ((float *)out)[i] = sgs_half(((const uint16_t *)data)[i]);
        else if (x->t.type == SGS_F64)
            ((float *)out)[i] = (float)((const double *)data)[i];
        else
            ((int32_t *)out)[i] = (int32_t)whole(x->t.type, data, i);
}

static void no_room(sgs_lite_model *m)
{
    sgs_fail(m->t.d, SGS_E_LIMIT, "constants exceed the memory limit");
}

static void *room(sgs_lite_model *m, int64_t bytes)
{
    void *p = sgs_const_room(m->o->im.g, (size_t)bytes + 1);
    if (!p)
        no_room(m);
    return p;
}

/* `data` where it can be read in place, else a copy on a multiple of 8. */
static const void *aligned(sgs_lite_model *m, const void *data, int64_t bytes)
{
    void *copy = (uintptr_t)data % 8 && bytes ? room(m, bytes) : NULL;
    return copy ? memcpy(copy, data, (size_t)bytes) : (uintptr_t)data % 8 && bytes ? NULL : data;
}

/* Elements that the graph holds in another type or quantization than the file; NULL: no room. */
static const void *converted(sgs_lite_model *m, const sgs_lite_tensor *x, sgs_type t, const void *stored, int64_t bytes)
{
    const void *data = aligned(m, stored, bytes);
    if (data && x->t.packed) {
        int8_t *wide = room(m, x->t.count);
        if (wide)
            sgs_tfl_unpack(data, x->t.count, wide);
        data = wide;
    }
    if (!data || t == x->t.type)
        return data;
    void *real = room(m, x->t.count * sgs_type_bytes(t));
    if (real && x->quant)
        dequantize(x, data, real);
    else if (real)
        convert(x, data, real);
    m->nquantized += x->t.type != SGS_S32 && x->t.type != SGS_S64 && t == SGS_F32;
    return real;
}

/* NULL: no room. */
static sgs_value *constant_of(sgs_lite_model *m, const sgs_lite_tensor *x, sgs_type t, const void *stored, int64_t bytes)
{
    sgs_graph *g = m->o->im.g;
    if (t != x->t.type || x->t.packed) {
        const void *data = converted(m, x, t, stored, bytes);
        return data ? sgs_const_new(g, t, x->t.rank, x->t.dim, data, false) : NULL;
    }
    sgs_value *v = sgs_const_in_file(g, t, x->t.rank, x->t.dim, stored);
    if (!v)
        no_room(m);
    return v;
}

static sgs_status make_constant(sgs_lite_model *m, sgs_lite_tensor *x, sgs_span bytes, sgs_value **v)
{
    const sgs_type *narrow, t = graph_type(x, &narrow);
    const int64_t stored = x->t.packed ? (x->t.count + 1) / 2 : x->t.count * sgs_type_bytes(x->t.type);
    SGS_TRY(sgs_tfl_need_type(&m->t, &x->t));
    if ((int64_t)bytes.n < stored)
        return sgs_fail(m->t.d, SGS_E_FORMAT, "damaged file: tensor '%s' needs %lld bytes, its buffer has %zu", x->name,
                        (long long)stored, bytes.n);
    if (sgs_fb_sub(&m->t.f, x->t.table, 6).pos)
        return sgs_fail(m->t.d, SGS_E_UNSUPPORTED, "tensor '%s' is sparse, which is not supported", x->name);
    *v = constant_of(m, x, t, bytes.n ? (const void *)bytes.p : "", stored);
    if (!*v)
        return SGS_E_LIMIT;
    if (narrow)
        sgs_src_set_narrow(&m->o->im, *v, narrow);
    return SGS_OK;
}

/* A state is what it is before the first run. */
static sgs_status make_state(sgs_lite_model *m, sgs_lite_tensor *x, sgs_value **v)
{
    const sgs_type *narrow, t = graph_type(x, &narrow);
    void *zeros = room(m, x->t.count * sgs_type_bytes(t));
    if (!zeros)
        return SGS_E_LIMIT;
    memset(zeros, 0, (size_t)(x->t.count * sgs_type_bytes(t)));
    sgs_log_line(m->o->opt->log,
                 "'%s' is a state that the model keeps between runs: here every run starts with zeros; with '%s' among "
                 "the inputs and '%s:next' among the outputs of the configuration you keep it",
                 x->name, x->name, x->name);
    *v = sgs_const_new(m->o->im.g, t, x->t.rank, x->t.dim, zeros, false);
    return SGS_OK;
}

sgs_status sgs_lite_add(sgs_lite_model *m, void *list, int *n, size_t size, void *made)
{
    void *p = sgs_push(m->o->a, list, n, size);
    memcpy(made, &p, sizeof p);
    return p ? SGS_OK : sgs_fail(m->t.d, SGS_E_LIMIT, "constants exceed the memory limit");
}

static bool listed(const char *const *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i], name))
            return true;
    return false;
}

bool sgs_lite_is_kept(const sgs_lite_model *m, const sgs_lite_tensor *x)
{
    return x->variable && listed(m->o->opt->input_name, m->o->opt->ninput, x->name);
}

const char *sgs_lite_next(sgs_lite_model *m, const sgs_lite_tensor *x)
{
    const char *name = x->variable ? sgs_format(m->o->a, "%s:next", x->name) : "";
    return listed(m->o->opt->output_name, m->o->opt->noutput, name) && !sgs_map_get(&m->by_name, name) ? name : "";
}

sgs_status sgs_lite_read_constants(sgs_lite_model *m, sgs_source_const **list, int *n)
{
    for (int i = 0; i < m->ntensor; i++) {
        sgs_lite_tensor *x = &m->tensor[i];
        sgs_span bytes;
        sgs_value *v = NULL;
        SGS_TRY(sgs_tfl_buffer(&m->t, &x->t, &bytes));
        if (x->made)
            continue;
        if (bytes.n || (x->t.known && !x->t.count && !x->input))
            SGS_TRY(make_constant(m, x, bytes, &v));
        else if (x->variable && x->t.known && !x->input && !sgs_lite_is_kept(m, x))
            SGS_TRY(make_state(m, x, &v));
        else
            continue;
        x->constant = true;
        sgs_source_const *c;
        SGS_TRY(sgs_lite_add(m, list, n, sizeof *c, &c));
        *c = (sgs_source_const){ x->name, v };
    }
    return SGS_OK;
}

/* ---- while it is built ---- */

const sgs_lite_tensor *sgs_lite_find(const sgs_model *o, const char *name)
{
    return sgs_map_get(&((const sgs_lite_model *)o->own)->by_name, name);
}
