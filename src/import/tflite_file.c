#include "import/tflite_file.h"

#include <math.h>
#include <string.h>

#include "ops/util.h"

/* Numbers of the schema's enumerations. */
enum { INT4 = 17, LAST_TYPE = 19, CUSTOM = 32 };

/* ---- faults, limits ---- */

sgs_status sgs_tfl_damaged(sgs_tfl_file *t, const char *what)
{
    return sgs_fail(t->d, SGS_E_FORMAT, "damaged file: %s", t->f.error ? t->f.error : what);
}

sgs_status sgs_tfl_spend(sgs_tfl_file *t, uint64_t n, uint64_t each)
{
    const uint64_t budget = ((uint64_t)1 << 20) + 32 * (uint64_t)t->f.data.n;
    if (n > budget / each || t->spent > budget - n * each)
        return sgs_tfl_damaged(t, "its lists overlap");
    t->spent += n * each;
    return SGS_OK;
}

/* ---- tensors ---- */

static int value_type(int64_t tfl)
{
    static const int8_t types[] = { SGS_F32, SGS_F16, SGS_S32, SGS_U8, SGS_S64, -1, SGS_BOOL, SGS_S16, -1,
                                    SGS_S8,  SGS_F64, -1,      -1,     -1,      -1, -1,       SGS_U16 };
    return tfl >= 0 && tfl < (int64_t)sizeof types ? types[tfl] : -1;
}

const char *sgs_tfl_tensor_name(sgs_tfl_file *t, sgs_fb_table tensor)
{
    return sgs_fb_string(&t->f, tensor, 3);
}

sgs_status sgs_tfl_tensor_at(sgs_tfl_file *t, uint32_t i, sgs_tfl_tensor *x)
{
    x->table = sgs_fb_vec_table(&t->f, t->tensors, i);
    x->number = sgs_fb_int(&t->f, x->table, 1, 1, true, 0);
    sgs_fb_vector shape = sgs_fb_vec(&t->f, x->table, 0, 4);
    if (t->f.error)
        return sgs_tfl_damaged(t, "");
    if (x->number < 0 || x->number > LAST_TYPE)
        return sgs_tfl_need_type(t, &(sgs_tfl_tensor){ .number = x->number, .table = x->table });
    if (shape.n > SGS_MAX_RANK)
        return sgs_fail(t->d, SGS_E_UNSUPPORTED, "tensor '%s' has %u dimensions; at most %d are supported",
                        sgs_tfl_tensor_name(t, x->table), shape.n, SGS_MAX_RANK);
    x->packed = x->number == INT4;
    const int type = x->packed ? SGS_S8 : value_type(x->number);
    x->known = type >= 0;
    x->type = x->known ? (sgs_type)type : SGS_F32;
    x->rank = (int)shape.n;
    x->count = 1;
    for (uint32_t k = 0; k < shape.n; k++) {
        x->dim[k] = sgs_fb_vec_int(&t->f, shape, k, 4);
        if (x->dim[k] < 0)
            return sgs_fail(t->d, SGS_E_FORMAT, "damaged file: tensor '%s': dimension %u cannot be %lld",
                            sgs_tfl_tensor_name(t, x->table), k, (long long)x->dim[k]);
        if (!sgs_mul64(x->count, x->dim[k], &x->count) || x->count > SGS_MAX_ELEMENTS)
            return sgs_fail(t->d, SGS_E_FORMAT, "damaged file: tensor '%s' has more than 2^40 elements",
                            sgs_tfl_tensor_name(t, x->table));
    }
    return SGS_OK;
}

sgs_status sgs_tfl_need_type(sgs_tfl_file *t, const sgs_tfl_tensor *x)
{
    if (x->known)
        return SGS_OK;
    return sgs_fail(t->d, SGS_E_UNSUPPORTED, "tensor '%s': TFLite element type %lld is not supported",
                    sgs_tfl_tensor_name(t, x->table), (long long)x->number);
}

sgs_status sgs_tfl_buffer(sgs_tfl_file *t, const sgs_tfl_tensor *x, sgs_span *out)
{
    int64_t index = sgs_fb_int(&t->f, x->table, 2, 4, false, 0);
    *out = (sgs_span){ 0 };
    if (index == 0 || t->buffers.n == 0)
        return SGS_OK;
    if (index >= t->buffers.n)
        return sgs_fail(t->d, SGS_E_FORMAT, "damaged file: tensor '%s' is in buffer %lld, the file has %u",
                        sgs_tfl_tensor_name(t, x->table), (long long)index, t->buffers.n);
    sgs_fb_table b = sgs_fb_vec_table(&t->f, t->buffers, (uint32_t)index);
    sgs_fb_vector data = sgs_fb_vec(&t->f, b, 0, 1);
    uint64_t offset = (uint64_t)sgs_fb_int(&t->f, b, 1, 8, false, 0),
             size = (uint64_t)sgs_fb_int(&t->f, b, 2, 8, false, 0);
    if (t->f.error)
        return sgs_tfl_damaged(t, "");
    if (data.n)
        *out = (sgs_span){ t->f.data.p + data.pos, data.n };
    else if (offset > 1 || size > 1) {
        if (offset > t->f.data.n || size > t->f.data.n - offset)
            return sgs_fail(
                t->d, SGS_E_FORMAT, "damaged file: tensor '%s' takes %llu bytes at byte %llu, the file has %zu",
                sgs_tfl_tensor_name(t, x->table), (unsigned long long)size, (unsigned long long)offset, t->f.data.n);
        *out = (sgs_span){ t->f.data.p + offset, (size_t)size };
    }
    return SGS_OK;
}

sgs_status sgs_tfl_quant(sgs_tfl_file *t, const sgs_tfl_tensor *x, sgs_graph *g, sgs_quant **made)
{
    sgs_fb_table q = sgs_fb_sub(&t->f, x->table, 4);
    sgs_fb_vector lo = sgs_fb_vec(&t->f, q, 0, 4), hi = sgs_fb_vec(&t->f, q, 1, 4), scale = sgs_fb_vec(&t->f, q, 2, 4),
                  zero = sgs_fb_vec(&t->f, q, 3, 8);
    int64_t axis = sgs_fb_int(&t->f, q, 6, 4, true, 0);
    if (t->f.error)
        return sgs_tfl_damaged(t, "");
    if (!scale.n)
        return SGS_OK;
    if (scale.n > 1 && (axis < 0 || axis >= x->rank))
        return sgs_fail(t->d, SGS_E_FORMAT, "damaged file: tensor '%s' has scales along axis %lld of %d dimensions",
                        sgs_tfl_tensor_name(t, x->table), (long long)axis, x->rank);
    if (scale.n > 1 && x->dim[axis] != scale.n)
        return sgs_fail(t->d, SGS_E_FORMAT, "damaged file: tensor '%s': expected %lld scales along axis %lld, found %u",
                        sgs_tfl_tensor_name(t, x->table), (long long)x->dim[axis], (long long)axis, scale.n);
    SGS_TRY(sgs_tfl_spend(t, (uint64_t)scale.n + lo.n, 8));
    sgs_quant *out = sgs_quant_new(g, scale.n > 1 ? (int)axis : -1, (int)scale.n);
    for (uint32_t i = 0; i < scale.n; i++) {
        out->scale[i] = sgs_fb_vec_float(&t->f, scale, i);
        int64_t z = i < zero.n ? sgs_fb_vec_int(&t->f, zero, i, 8) : 0;
        if (!isfinite(out->scale[i]) || out->scale[i] <= 0)
            return sgs_fail(t->d, SGS_E_FORMAT,
                            "damaged file: tensor '%s': scales must be finite and above 0, found %g",
                            sgs_tfl_tensor_name(t, x->table), (double)out->scale[i]);
        if (z < INT32_MIN || z > INT32_MAX)
            return sgs_fail(t->d, SGS_E_FORMAT, "damaged file: tensor '%s': the zero point %lld does not fit 32 bits",
                            sgs_tfl_tensor_name(t, x->table), (long long)z);
        out->zero[i] = (int32_t)z;
    }
    if (lo.n && lo.n == hi.n) {
        out->nrange = (int)lo.n;
        out->lo = SGS_NEW_N(t->a, float, lo.n);
        out->hi = SGS_NEW_N(t->a, float, lo.n);
        for (uint32_t i = 0; i < lo.n; i++) {
            out->lo[i] = sgs_fb_vec_float(&t->f, lo, i);
            out->hi[i] = sgs_fb_vec_float(&t->f, hi, i);
        }
    }
    *made = out;
    return SGS_OK;
}

void sgs_tfl_unpack(const uint8_t *from, int64_t n, int8_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        const int v = i % 2 ? from[i / 2] >> 4 : from[i / 2] & 15;
        to[i] = (int8_t)(v >= 8 ? v - 16 : v);
    }
}

/* ---- operators ---- */

sgs_status sgs_tfl_code_of(sgs_tfl_file *t, sgs_fb_table op, sgs_tfl_code *out)
{
    const int64_t index = sgs_fb_int(&t->f, op, 0, 4, false, 0);
    if (index >= t->codes.n && !t->f.error)
        return sgs_fail(t->d, SGS_E_FORMAT, "damaged file: an operator has code %lld, the file has %u",
                        (long long)index, t->codes.n);
    sgs_fb_table code = sgs_fb_vec_table(&t->f, t->codes, (uint32_t)index);
    const int64_t old = sgs_fb_int(&t->f, code, 0, 1, true, 0), builtin = sgs_fb_int(&t->f, code, 3, 4, true, 0);
    const char *custom = sgs_fb_string(&t->f, code, 1);
    if (t->f.error)
        return sgs_tfl_damaged(t, "");
    out->builtin = (int)(builtin > old ? builtin : old);
    out->custom = out->builtin == CUSTOM ? custom : NULL;
    out->schema = out->custom ? NULL : sgs_tfl_by_code(out->builtin);
    return SGS_OK;
}

static sgs_status read_list(sgs_tfl_file *t, sgs_fb_table options, int slot, sgs_src_attr *a)
{
    const sgs_fb_vector list = sgs_fb_vec(&t->f, options, slot, 4);
    SGS_TRY(sgs_tfl_spend(t, list.n, sizeof *a->ints));
    int64_t *v = SGS_NEW_N(t->a, int64_t, list.n + 1);
    for (uint32_t i = 0; i < list.n; i++)
        v[i] = sgs_fb_vec_int(&t->f, list, i, 4);
    a->kind = SGS_SRC_INTS;
    a->n = (int)list.n;
    a->ints = v;
    return SGS_OK;
}

static void read_word(sgs_tfl_file *t, sgs_fb_table options, int slot, sgs_src_attr *a)
{
    const char *word = sgs_fb_string(&t->f, options, slot);
    a->kind = SGS_SRC_STRING;
    a->s = (sgs_span){ (const uint8_t *)word, strlen(word) };
}

sgs_status sgs_tfl_options(sgs_tfl_file *t, sgs_fb_table op, const sgs_tfl_schema *schema, sgs_source_node *s)
{
    const bool given = sgs_fb_int(&t->f, op, 3, 1, false, 0) == schema->options;
    const sgs_fb_table o = given ? sgs_fb_sub(&t->f, op, 4) : (sgs_fb_table){ 0 };
    sgs_src_attr *a = SGS_NEW_N(t->a, sgs_src_attr, 8);
    for (const sgs_tfl_field *k = schema->field; k < schema->field + 8 && k->name; k++) {
        sgs_src_attr *x = &a[s->nattr++];
        x->name = k->name;
        x->kind = k->kind == 'f' ? SGS_SRC_FLOAT : SGS_SRC_INT;
        if (k->kind == 'v')
            SGS_TRY(read_list(t, o, k->slot, x));
        else if (k->kind == 's')
            read_word(t, o, k->slot, x);
        else if (k->kind == 'f')
            x->f = sgs_fb_float(&t->f, o, k->slot, (float)k->absent);
        else
            x->i = sgs_fb_int(&t->f, o, k->slot, k->kind == 'b' ? 1 : 4, true, k->absent);
    }
    s->attr = a;
    return t->f.error ? sgs_tfl_damaged(t, "") : SGS_OK;
}

/* ---- the whole ---- */

bool sgs_tfl_is_model(sgs_span s)
{
    return s.n >= 8 && !memcmp(s.p + 4, "TFL3", 4);
}

sgs_status sgs_tfl_open(sgs_tfl_file *t, uint32_t *subgraphs)
{
    t->root = sgs_fb_root(&t->f);
    const int64_t version = sgs_fb_int(&t->f, t->root, 0, 4, false, 0);
    const sgs_fb_vector graphs = sgs_fb_vec(&t->f, t->root, 2, 4);
    t->codes = sgs_fb_vec(&t->f, t->root, 1, 4);
    t->buffers = sgs_fb_vec(&t->f, t->root, 4, 4);
    if (!t->f.error && version != 3)
        return sgs_fail(t->d, SGS_E_UNSUPPORTED, "expected version 3 of the TFLite schema, found %lld",
                        (long long)version);
    if (t->f.error || graphs.n < 1)
        return sgs_tfl_damaged(t, "it has no subgraph");
    *subgraphs = graphs.n;
    return SGS_OK;
}

sgs_status sgs_tfl_enter(sgs_tfl_file *t, uint32_t subgraph)
{
    t->subgraph = sgs_fb_vec_table(&t->f, sgs_fb_vec(&t->f, t->root, 2, 4), subgraph);
    t->tensors = sgs_fb_vec(&t->f, t->subgraph, 0, 4);
    t->operators = sgs_fb_vec(&t->f, t->subgraph, 3, 4);
    return t->f.error ? sgs_tfl_damaged(t, "") : SGS_OK;
}
