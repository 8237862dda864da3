#include "import/caffe_weights.h"

#include <string.h>

#include "import/caffe_schema.h"
#include "ops/util.h"

typedef struct reader {
    sgs_model *o;
    sgs_caffe_weights *w;
    int cap;
} reader;

/* ---- one array -------------------------------------------------------------------------------------------------- */

typedef struct blob {
    sgs_ints dims;
    int64_t legacy[4];       /* num, channels, height, width */
    bool shaped, old;
    sgs_span packed, doubles;
    sgs_floats floats;       /* one by one */
} blob;

static sgs_status blob_field(sgs_arena *a, const sgs_field *f, blob *b, sgs_diag *d)
{
    switch (f->number) {
    case BLOB_NUM:
    case BLOB_CHANNELS:
    case BLOB_HEIGHT:
    case BLOB_WIDTH:
        b->old = true;
        b->legacy[f->number - BLOB_NUM] = (int64_t)f->value;
        return sgs_proto_want(f, SGS_WIRE_VARINT, "a size of a blob", d);
    case BLOB_DATA:
        if (f->wire == SGS_WIRE_32)
            return sgs_proto_floats(a, f, &b->floats, d);
        b->packed = f->bytes;
        return sgs_proto_want(f, SGS_WIRE_BYTES, "a blob's data", d);
    case BLOB_DOUBLES: b->doubles = f->bytes; return sgs_proto_want(f, SGS_WIRE_BYTES, "a blob's double_data", d);
    case BLOB_SHAPE: {
        sgs_span s = f->bytes;
        sgs_field g;
        SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "a blob's shape", d));
        for (bool end;;) {
            SGS_TRY(sgs_proto_next(&s, &g, &end, d));
            if (end)
                break;
            if (g.number == SHAPE_DIMS)
                SGS_TRY(sgs_proto_ints(a, &g, &b->dims, d));
        }
        b->shaped = true;
        return SGS_OK;
    }
    default: return SGS_OK;
    }
}

static sgs_status blob_dims(const blob *b, int *rank, int64_t *dim, int64_t *count, sgs_diag *d)
{
    char text[192];
    *rank = b->shaped ? (int)(b->dims.n <= SGS_MAX_RANK ? b->dims.n : SGS_MAX_RANK + 1) : b->old ? 4 : 0;
    if (*rank > SGS_MAX_RANK)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "a blob of %lld dimensions: at most %d are supported", (long long)b->dims.n, SGS_MAX_RANK);
    *count = 1;
    if (*rank)
        memcpy(dim, b->shaped ? b->dims.v : b->legacy, (size_t)*rank * sizeof *dim);
    for (int i = 0; i < *rank; i++)
        if (!sgs_mul64(*count, dim[i], count) || *count > SGS_MAX_ELEMENTS)
            return sgs_fail(d, SGS_E_FORMAT, "a blob of impossible shape %s", sgs_dims_text(text, sizeof text, *rank, dim));
    return SGS_OK;
}

/* NULL: the memory limit is reached. */
static sgs_value *value_of(sgs_graph *g, const blob *b, int rank, const int64_t *dim, int64_t count)
{
    if (!b->doubles.n && b->packed.n)
        return sgs_const_in_file(g, SGS_F32, rank, dim, b->packed.p);
    if (!b->doubles.n && b->floats.n)
        return sgs_const_new(g, SGS_F32, rank, dim, b->floats.v, false);
    float *data = sgs_const_room(g, (size_t)count * sizeof(float));
    for (int64_t i = 0; data && i < count; i++) {
        uint64_t bits;
        memcpy(&bits, b->doubles.p + 8 * i, sizeof bits);
        data[i] = (float)sgs_bits_f64(bits);
    }
    sgs_graph_forget(g, b->doubles);
    return data ? sgs_const_new(g, SGS_F32, rank, dim, data, false) : NULL;
}

static sgs_status blob_amount(const blob *b, int64_t count, sgs_diag *d)
{
    const int64_t have = b->doubles.n ? (int64_t)(b->doubles.n / 8) : b->packed.n ? (int64_t)(b->packed.n / 4) : b->floats.n;
    if (b->packed.n % 4 || b->doubles.n % 8)
        return sgs_fail(d, SGS_E_FORMAT, "damaged protobuf data: a blob's numbers are %zu bytes long, no multiple of %d", b->packed.n % 4 ? b->packed.n : b->doubles.n,
                        b->packed.n % 4 ? 4 : 8);
    if (have != count)
        return sgs_fail(d, SGS_E_FORMAT, "a blob's shape is of %lld elements, found %lld", (long long)count, (long long)have);
    return SGS_OK;
}

static sgs_status read_blob(reader *r, sgs_span msg, sgs_value **v, sgs_diag *d)
{
    blob b = { .legacy = { 1, 1, 1, 1 } };
    int64_t dim[SGS_MAX_RANK], count;
    int rank;
    sgs_field f;
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            break;
        SGS_TRY(blob_field(r->o->a, &f, &b, d));
    }
    SGS_TRY(blob_dims(&b, &rank, dim, &count, d));
    SGS_TRY(blob_amount(&b, count, d));
    *v = value_of(r->o->im.g, &b, rank, dim, count);
    return *v ? SGS_OK : sgs_fail(d, SGS_E_LIMIT, "%lld elements exceed the memory limit", (long long)count);
}

/* ---- layers ---------------------------------------------------------------------------------------------------- */

typedef struct numbers {     /* of the fields that matter, in one of three kinds of layers; 0: it has none */
    uint32_t name, blobs, older;
} numbers;
static const numbers v0 = { V0_NAME, V0_BLOBS, 0 }, v1 = { V1_NAME, V1_BLOBS, V1_V0 }, now = { LAYER_NAME, LAYER_BLOBS, 0 };

static sgs_status no_room(sgs_diag *d)
{
    return sgs_fail(d, SGS_E_LIMIT, "the network exceeds the memory limit");
}

static sgs_status add_blob(reader *r, sgs_caffe_blobs *l, sgs_span msg, sgs_diag *d)
{
    if (l->n == l->cap) {
        const int cap = l->cap ? l->cap * 2 : 4;
        sgs_value **more = cap < 1 << 24 ? sgs_try_alloc(r->o->a, (size_t)cap * sizeof *more) : NULL;
        if (!more)
            return no_room(d);
        if (l->n)
            memcpy(more, l->blob, (size_t)l->n * sizeof *more);
        l->blob = more;
        l->cap = cap;
    }
    return read_blob(r, msg, &l->blob[l->n++], d);
}

static sgs_status note_layer(reader *r, const char *name, sgs_caffe_blobs *l, sgs_diag *d)
{
    if (r->w->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 64;
        const char **more = r->cap < 1 << 24 ? sgs_try_alloc(r->o->a, (size_t)r->cap * sizeof *more) : NULL;
        if (!more)
            return no_room(d);
        if (r->w->n)
            memcpy(more, r->w->name, (size_t)r->w->n * sizeof *more);
        r->w->name = more;
    }
    r->w->name[r->w->n++] = name;
    sgs_map_set(&r->w->layer, name, l);
    return SGS_OK;
}

/* What is wrong with a layer is said with its name, as far as it was read. */
static sgs_status in_layer(const char *name, sgs_status s, sgs_diag *d)
{
    return s == SGS_OK ? s : sgs_fail_at(d, NULL, 0, name[0] ? name : NULL);
}

static sgs_status layer_fields(reader *r, sgs_span msg, const numbers *k, const char **name, sgs_caffe_blobs *l, sgs_diag *d)
{
    sgs_field f;
    for (bool end;;) {
        SGS_TRY(in_layer(*name, sgs_proto_next(&msg, &f, &end, d), d));
        if (end)
            return SGS_OK;
        if (f.number == k->name) {
            SGS_TRY(sgs_proto_want(&f, SGS_WIRE_BYTES, "a layer's name", d));
            *name = sgs_proto_string(r->o->a, &f);
        } else if (f.number == k->blobs) {
            SGS_TRY(in_layer(*name, sgs_proto_want(&f, SGS_WIRE_BYTES, "a blob", d), d));
            SGS_TRY(in_layer(*name, add_blob(r, l, f.bytes, d), d));
        } else if (k->older && f.number == k->older && f.wire == SGS_WIRE_BYTES) {
            SGS_TRY(layer_fields(r, f.bytes, &v0, name, l, d));
        }
    }
}

static sgs_status read_layer(reader *r, sgs_span msg, const numbers *k, sgs_diag *d)
{
    const char *name = "";
    sgs_caffe_blobs *l = sgs_try_alloc(r->o->a, sizeof *l);
    if (!l)
        return no_room(d);
    *l = (sgs_caffe_blobs){ 0 };
    SGS_TRY(layer_fields(r, msg, k, &name, l, d));
    return l->n ? note_layer(r, name, l, d) : SGS_OK;
}

static sgs_status read_net(reader *r, sgs_span msg, sgs_diag *d)
{
    sgs_field f;
    bool any = false;
    for (bool end;;) {
        SGS_TRY(sgs_proto_next(&msg, &f, &end, d));
        if (end)
            return any ? SGS_OK : sgs_fail(d, SGS_E_FORMAT, "the file holds no layers of a Caffe network");
        if (f.number != NET_LAYER && f.number != NET_V1)
            continue;
        any = true;
        SGS_TRY(sgs_proto_want(&f, SGS_WIRE_BYTES, "a layer", d));
        SGS_TRY(read_layer(r, f.bytes, f.number == NET_V1 ? &v1 : &now, d));
    }
}

sgs_status sgs_caffe_read_weights(sgs_model *o, const char *path, sgs_caffe_weights *w, sgs_diag *d)
{
    sgs_span file = { 0 };
    reader r = { .o = o, .w = w };
    *w = (sgs_caffe_weights){ .layer = { .a = o->a } };
    sgs_status s = SGS_OK;
    if (o->opt->weights)
        file = *o->opt->weights;
    else
        s = sgs_graph_map(o->im.g, path, &file, d);
    if (s == SGS_OK && !o->opt->memory_limit) {
        o->fair += SGS_MODEL_GROWTH * file.n;
        sgs_arena_limit(o->a, o->fair);
    }
    if (s == SGS_OK)
        s = read_net(&r, file, d);
    return s == SGS_OK ? s : sgs_fail_at(d, path, 0, NULL);
}
