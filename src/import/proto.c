#include <string.h>

#include "import/proto.h"

static sgs_status broken(sgs_diag *d, const char *what)
{
    return sgs_fail(d, SGS_E_FORMAT, "damaged protobuf data: %s", what);
}

static bool varint(sgs_span *s, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < 10 && (size_t)i < s->n; i++) {
        uint8_t b = s->p[i];
        if (i == 9 && b > 1)
            return false;
        *v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (!(b & 0x80)) {
            s->p += i + 1;
            s->n -= (size_t)i + 1;
            return true;
        }
    }
    return false;
}

static bool fixed(sgs_span *s, int bytes, uint64_t *v)
{
    if (s->n < (size_t)bytes)
        return false;
    *v = 0;
    for (int i = 0; i < bytes; i++)
        *v |= (uint64_t)s->p[i] << (8 * i);
    s->p += bytes;
    s->n -= (size_t)bytes;
    return true;
}

sgs_status sgs_proto_next(sgs_span *msg, sgs_field *f, bool *end, sgs_diag *d)
{
    uint64_t tag;
    *f = (sgs_field){ 0 };
    *end = msg->n == 0;
    if (*end)
        return SGS_OK;
    if (!varint(msg, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return broken(d, "a field's tag");
    f->number = (uint32_t)(tag >> 3);
    f->wire = (sgs_wire)(tag & 7);
    switch (tag & 7) {
    case SGS_WIRE_VARINT: return varint(msg, &f->value) ? SGS_OK : broken(d, "a varint");
    case SGS_WIRE_64: return fixed(msg, 8, &f->value) ? SGS_OK : broken(d, "it ends inside a number");
    case SGS_WIRE_32: return fixed(msg, 4, &f->value) ? SGS_OK : broken(d, "it ends inside a number");
    case SGS_WIRE_BYTES:
        if (!varint(msg, &f->value))
            return broken(d, "a length");
        if (f->value > msg->n)
            return sgs_fail(d, SGS_E_FORMAT, "damaged protobuf data: field %u says %llu bytes, %zu are left: the file is truncated or not a model", f->number,
                            (unsigned long long)f->value, msg->n);
        f->bytes = (sgs_span){ msg->p, (size_t)f->value };
        msg->p += f->value;
        msg->n -= (size_t)f->value;
        return SGS_OK;
    default: return broken(d, "an unknown wire type: the file is not a protobuf model");
    }
}

/* Room for `added` more. */
static void *grow(sgs_arena *a, void *v, int64_t n, int64_t *cap, int64_t added, size_t each)
{
    if (n + added <= *cap)
        return v;
    int64_t more = *cap ? *cap * 2 : 16;
    more = more < n + added ? n + added : more;
    void *to = sgs_try_alloc(a, (size_t)more * each);
    if (to && n)
        memcpy(to, v, (size_t)n * each);
    *cap = to ? more : *cap;
    return to;
}

static sgs_status more_ints(sgs_arena *a, sgs_ints *out, int64_t added, sgs_diag *d)
{
    void *p = grow(a, out->v, out->n, &out->cap, added, sizeof *out->v);
    if (!p)
        return sgs_fail(d, SGS_E_LIMIT, "a list of integers exceeds the memory limit");
    out->v = p;
    return SGS_OK;
}

static sgs_status push_int(sgs_arena *a, sgs_ints *out, uint64_t v, sgs_diag *d)
{
    SGS_TRY(more_ints(a, out, 1, d));
    out->v[out->n++] = (int64_t)v;
    return SGS_OK;
}

/* Bytes that end a varint. */
static int64_t ends(sgs_span s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] < 0x80;
    return n;
}

sgs_status sgs_proto_ints(sgs_arena *a, const sgs_field *f, sgs_ints *out, sgs_diag *d)
{
    if (f->wire == SGS_WIRE_VARINT)
        return push_int(a, out, f->value, d);
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "a list of integers", d));
    const int64_t count = ends(f->bytes);
    if (count) /* at once: a list that doubles takes more memory than an honest file may */
        SGS_TRY(more_ints(a, out, count, d));
    for (sgs_span s = f->bytes; s.n;) {
        uint64_t v;
        if (!varint(&s, &v))
            return broken(d, "a varint in a packed list");
        SGS_TRY(push_int(a, out, v, d));
    }
    return SGS_OK;
}

static sgs_status push_float(sgs_arena *a, sgs_floats *out, uint32_t bits, sgs_diag *d)
{
    void *p = grow(a, out->v, out->n, &out->cap, 1, sizeof *out->v);
    if (!p)
        return sgs_fail(d, SGS_E_LIMIT, "a list of numbers exceeds the memory limit");
    out->v = p;
    out->v[out->n++] = sgs_bits_f32(bits);
    return SGS_OK;
}

sgs_status sgs_proto_floats(sgs_arena *a, const sgs_field *f, sgs_floats *out, sgs_diag *d)
{
    if (f->wire == SGS_WIRE_32)
        return push_float(a, out, (uint32_t)f->value, d);
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "a list of numbers", d));
    if (f->bytes.n % 4)
        return broken(d, "a packed list of floats whose length is no multiple of 4");
    for (sgs_span s = f->bytes; s.n;) {
        uint64_t v = 0;
        fixed(&s, 4, &v);
        SGS_TRY(push_float(a, out, (uint32_t)v, d));
    }
    return SGS_OK;
}

sgs_status sgs_proto_doubles(sgs_arena *a, const sgs_field *f, sgs_ints *out, sgs_diag *d)
{
    sgs_span s = f->bytes;
    sgs_field one = *f;
    one.wire = SGS_WIRE_VARINT;
    if (f->wire == SGS_WIRE_64)
        return sgs_proto_ints(a, &one, out, d);
    SGS_TRY(sgs_proto_want(f, SGS_WIRE_BYTES, "double_data", d));
    for (; s.n >= 8; s.p += 8, s.n -= 8) {
        memcpy(&one.value, s.p, 8);
        SGS_TRY(sgs_proto_ints(a, &one, out, d));
    }
    return s.n ? sgs_fail(d, SGS_E_FORMAT, "double_data is no multiple of 8 bytes long") : SGS_OK;
}

sgs_status sgs_proto_want(const sgs_field *f, sgs_wire wire, const char *name, sgs_diag *d)
{
    if (f->wire == wire)
        return SGS_OK;
    return sgs_fail(d, SGS_E_FORMAT, "damaged protobuf data: %s (field %u) has wire type %d, expected %d", name, f->number, (int)f->wire, (int)wire);
}

char *sgs_proto_string(sgs_arena *a, const sgs_field *f)
{
    const void *nul = f->bytes.n ? memchr(f->bytes.p, 0, f->bytes.n) : NULL;
    size_t n = nul ? (size_t)((const uint8_t *)nul - f->bytes.p) : f->bytes.n;
    char *s = sgs_alloc(a, n + 1);
    if (n)
        memcpy(s, f->bytes.p, n);
    return s;
}

float sgs_bits_f32(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double sgs_bits_f64(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
