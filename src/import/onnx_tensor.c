/* TensorProto -> constant.  Half and double become f32, the small integers s32 (8-bit ones keep their type). */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "import/onnx.h"
#include "import/onnx_schema.h"
#include "ops/util.h"

typedef struct tensor {
    sgs_model *o;
    char *name;
    sgs_ints dims, ints;        /* int32_data, int64_data and uint64_data alike */
    sgs_floats floats;
    sgs_ints doubles;           /* raw bits */
    sgs_span raw;
    bool has_raw, external, strings;
    int64_t type;
    char *location;
    int64_t offset, length;     /* external; length -1: to the end */
} tensor;

/* ---- reading the message ------------------------------------------------------------------------------------------------ */

static sgs_status read_external(tensor *t, sgs_span msg, sgs_diag *d)
{
    char *key = NULL, *value = NULL, *end;
    sgs_field f;
    for (bool done;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &done, d));
        if (done)
            break;
        if (f.wire == SGS_WIRE_BYTES && f.number == ENTRY_KEY)
            key = sgs_proto_string(t->o->a, &f);
        else if (f.wire == SGS_WIRE_BYTES && f.number == ENTRY_VALUE)
            value = sgs_proto_string(t->o->a, &f);
    }
    if (!key || !value)
        return sgs_fail(d, SGS_E_FORMAT, "an external_data entry without key or value");
    if (!strcmp(key, "location"))
        t->location = value;
    int64_t *number = !strcmp(key, "offset") ? &t->offset : !strcmp(key, "length") ? &t->length : NULL;
    if (number) {
        errno = 0;
        *number = strtoll(value, &end, 10);
        if (*end || !*value || *number < 0 || errno)
            return sgs_fail(d, SGS_E_FORMAT, "external_data %s: expected a number, found '%s'", key, value);
    }
    return SGS_OK;
}

static sgs_status read_field(tensor *t, const sgs_field *f, sgs_diag *d)
{
    switch (f->number) {
    case TENSOR_DIMS: return sgs_proto_ints(t->o->a, f, &t->dims, d);
    case TENSOR_TYPE: t->type = (int64_t)f->value; return sgs_proto_want(f, SGS_WIRE_VARINT, "data_type", d);
    case TENSOR_FLOATS: return sgs_proto_floats(t->o->a, f, &t->floats, d);
    case TENSOR_INT32S:
    case TENSOR_INT64S:
    case TENSOR_UINT64S: return sgs_proto_ints(t->o->a, f, &t->ints, d);
    case TENSOR_STRINGS: t->strings = true; return SGS_OK;
    case TENSOR_NAME:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "name", d));
        t->name = sgs_proto_string(t->o->a, f);
        return SGS_OK;
    case TENSOR_RAW:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "raw_data", d));
        t->raw = f->bytes;
        t->has_raw = true;
        return SGS_OK;
    case TENSOR_DOUBLES: return sgs_proto_doubles(t->o->a, f, &t->doubles, d);
    case TENSOR_EXTERNAL: SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "external_data", d)); return read_external(t, f->bytes, d);
    case TENSOR_LOCATION: t->external = f->value == 1; return SGS_OK;
    default: return SGS_OK;
    }
}

/* ---- external files: only beside the model ------------------------------------------------------------------------------ */

static bool safe_location(const char *p)
{
    if (!p[0] || p[0] == '/' || strchr(p, '\\'))
        return false;
    for (const char *s = p; s; s = strchr(s, '/')) {
        s += *s == '/';
        if (!strncmp(s, "..", 2) && (s[2] == '/' || !s[2]))
            return false;
    }
    return true;
}

/* The file's real path must lie inside the model's real folder: no link leads out. */
static sgs_status inside_folder(const char *folder, const char *path, sgs_diag *d)
{
    char *real_folder = realpath(folder, NULL), *real = realpath(path, NULL);
    sgs_status s = SGS_OK;
    size_t n = real_folder ? strlen(real_folder) : 0;
    if (!real)
        s = sgs_fail(d, SGS_E_FILE, "external data file '%s' cannot be found", path);
    else if (!n || strncmp(real, real_folder, n) || (real[n] != '/' && strcmp(real_folder, "/")))
        s = sgs_fail(d, SGS_E_MODEL, "external data file '%s' lies outside the model's folder", path);
    free(real_folder);
    free(real);
    return s;
}

/* A file of weights may be converted like those in the model itself. */
static void allow_for(sgs_model *o, const char *path, size_t bytes)
{
    if (sgs_map_get(&o->files, path) || o->opt->memory_limit)
        return;
    sgs_map_set(&o->files, path, o);
    o->fair += SGS_MODEL_GROWTH * bytes;
    sgs_arena_limit(o->a, o->fair);
}

static sgs_status external_bytes(tensor *t, sgs_diag *d)
{
    sgs_arena *a = t->o->a;
    if (!t->location || !safe_location(t->location))
        return sgs_fail(d, SGS_E_MODEL, "external data must lie in the model's folder, found location '%s'", t->location ? t->location : "");
    const char *slash = strrchr(t->o->file, '/');
    const char *folder = slash ? sgs_strndup(a, t->o->file, slash == t->o->file ? 1 : (size_t)(slash - t->o->file)) : ".";
    const char *path = sgs_format(a, "%s/%s", folder, t->location);
    SGS_TRY(inside_folder(folder, path, d));
    sgs_span data;
    SGS_TRY(sgs_graph_map(t->o->im.g, path, &data, d));
    allow_for(t->o, path, data.n);
    int64_t size = (int64_t)data.n;
    if (t->offset > size || t->length > size - t->offset)
        return sgs_fail(d, SGS_E_FORMAT, "external data file '%s' has %lld bytes; the tensor wants %lld from %lld on", path, (long long)size,
                        (long long)(t->length < 0 ? 0 : t->length), (long long)t->offset);
    t->raw = (sgs_span){ data.p + t->offset, (size_t)(t->length >= 0 ? t->length : size - t->offset) };
    t->has_raw = true;
    return SGS_OK;
}

/* ---- conversion ----------------------------------------------------------------------------------------------------------- */

/* IEEE binary16, exactly. */
float sgs_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
    if (e == 31)
        return sgs_bits_f32(sign | 0x7f800000 | m << 13);
    if (e)
        return sgs_bits_f32(sign | (e + 112) << 23 | m << 13);
    float v = (float)m * 0x1p-24f;
    return sign ? -v : v;
}

static int source_bytes(int64_t type)
{
    static const int8_t bytes[] = { 0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8 };
    return type >= 1 && type < (int64_t)sizeof bytes ? bytes[type] : 0;
}

static int target_type(int64_t type)
{
    static const int8_t types[] = { -1, SGS_F32, SGS_U8, SGS_S8, SGS_S32, SGS_S32, SGS_S32, SGS_S64, -1, SGS_BOOL, SGS_F32, SGS_F32, SGS_S64, -1 };
    return type >= 1 && type < (int64_t)sizeof types ? types[type] : -1;
}

const sgs_type *sgs_onnx_narrow(int64_t data_type)
{
    static const sgs_type types[] = { SGS_U16, SGS_S16 };
    return data_type == DATA_UINT16 ? &types[0] : data_type == DATA_INT16 ? &types[1] : NULL;
}

/* Element i of raw data, as bits. */
static uint64_t raw_bits(const tensor *t, int64_t i)
{
    int n = source_bytes(t->type);
    uint64_t v = 0;
    memcpy(&v, t->raw.p + i * n, (size_t)n);
    return v;
}

static int64_t typed_bits(const tensor *t, int64_t i)
{
    return t->type == DATA_DOUBLE ? t->doubles.v[i] : t->ints.v[i];
}

static void convert_one(const tensor *t, void *out, int64_t i)
{
    uint64_t v = t->has_raw ? raw_bits(t, i) : (uint64_t)typed_bits(t, i);
    switch (t->type) {
    case DATA_FLOAT: ((float *)out)[i] = sgs_bits_f32((uint32_t)v); break;
    case DATA_FLOAT16: ((float *)out)[i] = sgs_half((uint16_t)v); break;
    case DATA_DOUBLE: ((float *)out)[i] = (float)sgs_bits_f64(v); break;
    case DATA_UINT8:
    case DATA_INT8: ((uint8_t *)out)[i] = (uint8_t)v; break;
    case DATA_BOOL: ((uint8_t *)out)[i] = v != 0; break;
    case DATA_INT16: ((int32_t *)out)[i] = (int16_t)(uint16_t)v; break;
    case DATA_UINT16: ((int32_t *)out)[i] = (uint16_t)v; break;
    case DATA_INT32: ((int32_t *)out)[i] = (int32_t)(uint32_t)v; break;
    case DATA_UINT32: ((int64_t *)out)[i] = (uint32_t)v; break;
    default: ((int64_t *)out)[i] = (int64_t)v; break;
    }
}

static sgs_status element_count(const tensor *t, int64_t *count, sgs_diag *d)
{
    char text[192];
    *count = 1;
    if (t->dims.n > SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "at most %d dimensions are supported, found %lld", SGS_MAX_RANK, (long long)t->dims.n);
    for (int64_t i = 0; i < t->dims.n; i++)
        if (!sgs_mul64(*count, t->dims.v[i], count) || *count > SGS_MAX_ELEMENTS)
            return sgs_fail(d, SGS_E_FORMAT, "impossible dimensions %s: sizes must be 0 or more and their product at most 2^40",
                            sgs_dims_text(text, sizeof text, (int)t->dims.n, t->dims.v));
    return SGS_OK;
}

static sgs_status check_amount(const tensor *t, int64_t count, sgs_diag *d)
{
    int each = source_bytes(t->type);
    if (t->has_raw && (int64_t)t->raw.n < count * each)
        return sgs_fail(d, SGS_E_FORMAT, "expected %lld bytes of data for %lld elements, found %zu", (long long)(count * each), (long long)count, t->raw.n);
    int64_t have = t->type == DATA_FLOAT ? t->floats.n : t->type == DATA_DOUBLE ? t->doubles.n : t->ints.n;
    if (!t->has_raw && have < count)
        return sgs_fail(d, SGS_E_FORMAT, "expected %lld elements, found %lld", (long long)count, (long long)have);
    return SGS_OK;
}

/* NULL: the memory limit is reached. */
static sgs_value *converted(const tensor *t, sgs_type type, int64_t count)
{
    sgs_graph *g = t->o->im.g;
    void *data = sgs_const_room(g, (size_t)(count * sgs_type_bytes(type)));
    if (!data)
        return NULL;
    if (t->type == DATA_FLOAT && count)
        memcpy(data, t->floats.v, (size_t)count * sizeof(float));
    for (int64_t i = 0; i < count && t->type != DATA_FLOAT; i++)
        convert_one(t, data, i);
    if (t->has_raw)
        sgs_graph_forget(g, t->raw);
    return sgs_const_new(g, type, (int)t->dims.n, t->dims.v, data, false);
}

static sgs_status make(tensor *t, sgs_value **out, sgs_diag *d)
{
    int64_t count;
    int type = target_type(t->type);
    if (type < 0 || t->strings)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "tensors of data type %lld (%s) are not supported", (long long)t->type, t->strings && type >= 0 ? "with strings" : sgs_src_data_type(t->type));
    SGS_TRY(element_count(t, &count, d));
    if (t->external)
        SGS_TRY(external_bytes(t, d));
    SGS_TRY(check_amount(t, count, d));
    const bool in_place = t->type == DATA_FLOAT && t->has_raw;
    *out = in_place ? sgs_const_in_file(t->o->im.g, SGS_F32, (int)t->dims.n, t->dims.v, t->raw.p) : converted(t, (sgs_type)type, count);
    if (!*out)
        return sgs_fail(d, SGS_E_LIMIT, "%lld elements exceed the memory limit", (long long)count);
    return SGS_OK;
}

sgs_status sgs_onnx_tensor(sgs_model *o, sgs_span msg, const char **name, sgs_value **out, sgs_diag *d)
{
    tensor t = { .o = o, .length = -1 };
    sgs_field f;
    sgs_status s = SGS_OK;
    for (bool done = false; s == SGS_OK;) {
        s = sgs_proto_next(&msg, &f, &done, d);
        if (s != SGS_OK || done)
            break;
        s = read_field(&t, &f, d);
    }
    *name = t.name ? t.name : "";
    if (s == SGS_OK)
        s = make(&t, out, d);
    if (s == SGS_OK && sgs_onnx_narrow(t.type))
        sgs_src_set_narrow(&o->im, *out, sgs_onnx_narrow(t.type));
    if (s != SGS_OK)
        sgs_fail_at(d, o->file, 0, *name);
    return s;
}
