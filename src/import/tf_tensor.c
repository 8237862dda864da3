/* TensorProto -> constant.  Half, bfloat16 and double become f32, integers of 16 bits s32. */
#include <string.h>

#include "import/tf_read.h"
#include "import/tf_schema.h"
#include "ops/tensorflow.h"
#include "ops/util.h"

typedef struct tensor {
    sgs_model *o;
    int64_t dtype;
    sgs_ints dims, bits; /* numbers, those of double as their bits */
    sgs_floats floats;
    sgs_span content;
    bool unknown; /* rank */
} tensor;

/* ---- reading the message ---- */

static sgs_status read_dim(tensor *t, sgs_span msg, sgs_diag *d)
{
    sgs_field f, size = { .wire = SGS_WIRE_VARINT };
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            return sgs_proto_ints(t->o->a, &size, &t->dims, d);
        if (f.number == SHAPEDIM_SIZE) {
            SGS_TRY(sgs_proto_want(&f, SGS_WIRE_VARINT, "size", d));
            size.value = f.value;
        }
    }
}

static sgs_status read_shape(tensor *t, sgs_span msg, sgs_diag *d)
{
    sgs_field f;
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            return SGS_OK;
        if (f.number == SHAPEPROTO_UNKNOWN)
            t->unknown = f.value != 0;
        if (f.number != SHAPEPROTO_DIM)
            continue;
        SGS_TRY(sgs_proto_want(&f, SGS_WIRE_BYTES, "dim", d));
        SGS_TRY(read_dim(t, f.bytes, d));
    }
}

static sgs_status read_field(tensor *t, const sgs_field *f, sgs_diag *d)
{
    switch (f->number) {
    case TENSORPROTO_DTYPE:
        t->dtype = (int64_t)f->value;
        return sgs_proto_want(f, SGS_WIRE_VARINT, "dtype", d);
    case TENSORPROTO_SHAPE:
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "tensor_shape", d));
        return read_shape(t, f->bytes, d);
    case TENSORPROTO_CONTENT:
        t->content = f->bytes;
        return sgs_proto_want(f, SGS_WIRE_BYTES, "tensor_content", d);
    case TENSORPROTO_FLOATS:
        return sgs_proto_floats(t->o->a, f, &t->floats, d);
    case TENSORPROTO_DOUBLES:
        return sgs_proto_doubles(t->o->a, f, &t->bits, d);
    case TENSORPROTO_INTS:
    case TENSORPROTO_INT64S:
    case TENSORPROTO_BOOLS:
    case TENSORPROTO_HALVES:
    case TENSORPROTO_UINT32S:
    case TENSORPROTO_UINT64S:
        return sgs_proto_ints(t->o->a, f, &t->bits, d);
    default:
        return SGS_OK;
    }
}

/* ---- conversion ---- */

enum { FLOAT = 1, DOUBLE = 2, INT16 = 5, BOOL = 10, BFLOAT16 = 14, QINT16 = 15, HALF = 19 };

static int source_bytes(int64_t dtype)
{
    static const int8_t bytes[] = { 0, 4, 8, 4, 1, 2, 1, 0, 0, 8, 1, 1, 1, 4, 2, 2, 2, 2, 0, 2, 0, 0, 4, 8 };
    return dtype >= 0 && dtype < (int64_t)sizeof bytes ? bytes[dtype] : 0;
}

/* In a list that is too short the last number stands for all that follow. */
static uint64_t bits_at(const tensor *t, int64_t i)
{
    const int64_t given = t->dtype == FLOAT ? t->floats.n : t->bits.n, at = i < given ? i : given - 1;
    uint64_t v = 0;
    if (t->content.n)
        memcpy(&v, t->content.p + i * source_bytes(t->dtype), (size_t)source_bytes(t->dtype));
    else if (given && t->dtype == FLOAT)
        memcpy(&v, &t->floats.v[at], sizeof(float));
    else if (given)
        v = (uint64_t)t->bits.v[at];
    return v;
}

static void convert_one(const tensor *t, sgs_type to, void *out, int64_t i)
{
    const uint64_t v = bits_at(t, i);
    const bool narrow_sign = t->dtype == INT16 || t->dtype == QINT16;
    if (to == SGS_F32)
        ((float *)out)[i] = t->dtype == HALF       ? sgs_half((uint16_t)v)
                            : t->dtype == DOUBLE   ? (float)sgs_bits_f64(v)
                            : t->dtype == BFLOAT16 ? sgs_bits_f32((uint32_t)v << 16)
                                                   : sgs_bits_f32((uint32_t)v);
    else if (to == SGS_S64)
        ((int64_t *)out)[i] = (int64_t)v;
    else if (to == SGS_S32)
        ((int32_t *)out)[i] = narrow_sign ? (int16_t)(uint16_t)v : (int32_t)(uint32_t)v;
    else
        ((uint8_t *)out)[i] = to == SGS_BOOL ? v != 0 : (uint8_t)v;
}

static sgs_status element_count(const tensor *t, int64_t *count, sgs_diag *d)
{
    char text[192];
    *count = 1;
    if (t->dims.n > SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "at most %d dimensions are supported, found %lld", SGS_MAX_RANK,
                        (long long)t->dims.n);
    for (int64_t i = 0; i < t->dims.n; i++)
        if (t->dims.v[i] < 0 || !sgs_mul64(*count, t->dims.v[i], count) || *count > SGS_MAX_ELEMENTS)
            return sgs_fail(d, SGS_E_FORMAT,
                            "impossible dimensions %s: sizes must be 0 or more and their product at most 2^40",
                            sgs_dims_text(text, sizeof text, (int)t->dims.n, t->dims.v));
    return SGS_OK;
}

/* NULL: the memory limit is reached. */
static sgs_value *converted(const tensor *t, sgs_type type, int64_t count)
{
    sgs_graph *g = t->o->im.g;
    void *data = sgs_const_room(g, (size_t)(count * sgs_type_bytes(type)));
    if (!data)
        return NULL;
    for (int64_t i = 0; i < count; i++)
        convert_one(t, type, data, i);
    sgs_graph_forget(g, t->content);
    return sgs_const_new(g, type, (int)t->dims.n, t->dims.v, data, false);
}

static sgs_status make(const tensor *t, sgs_type type, sgs_value **out, sgs_diag *d)
{
    int64_t count;
    SGS_TRY(element_count(t, &count, d));
    const int64_t want = count * source_bytes(t->dtype);
    if (t->content.n && (int64_t)t->content.n != want)
        return sgs_fail(d, SGS_E_FORMAT, "expected %lld bytes of data for %lld elements, found %zu", (long long)want,
                        (long long)count, t->content.n);
    const bool in_place = t->dtype == FLOAT && t->content.n;
    *out = in_place ? sgs_const_in_file(t->o->im.g, type, (int)t->dims.n, t->dims.v, t->content.p)
                    : converted(t, type, count);
    if (!*out)
        return sgs_fail(d, SGS_E_LIMIT, "%lld elements exceed the memory limit", (long long)count);
    return SGS_OK;
}

sgs_status sgs_tf_tensor(sgs_model *o, sgs_span msg, sgs_value **out, int64_t *dtype, sgs_diag *d)
{
    tensor t = { .o = o };
    sgs_field f;
    *out = NULL;
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            break;
        SGS_TRY(read_field(&t, &f, d));
    }
    *dtype = t.dtype;
    const int type = sgs_tf_type(t.dtype);
    return type < 0 || t.unknown ? SGS_OK : make(&t, (sgs_type)type, out, d);
}
