#include "base/flatbuf.h"

#include <string.h>

/* ---- reading -------------------------------------------------------------------------------------------------------------------- */

static bool fault(sgs_fb *f, const char *what)
{
    f->error = f->error ? f->error : what;
    return false;
}

static bool inside(sgs_fb *f, uint64_t pos, uint64_t n)
{
    if (f->error)
        return false;
    return (pos <= f->data.n && n <= f->data.n - pos) || fault(f, "an offset points outside the file");
}

static uint64_t load(const sgs_fb *f, uint64_t pos, int bytes)
{
    uint64_t v = 0;
    memcpy(&v, f->data.p + pos, (size_t)bytes);
    return v;
}

/* Follows the offset at pos; 0 when it leads nowhere. */
static uint32_t follow(sgs_fb *f, uint64_t pos, uint64_t need)
{
    if (!inside(f, pos, 4))
        return 0;
    uint64_t to = pos + load(f, pos, 4);
    if (to == pos || to > UINT32_MAX || !inside(f, to, need))
        return fault(f, "an offset points outside the file"), 0;
    return (uint32_t)to;
}

static sgs_fb_table table_at(sgs_fb *f, uint32_t pos)
{
    sgs_fb_table none = { 0 }, t = { .pos = pos };
    if (!pos || !inside(f, pos, 4))
        return none;
    int64_t vtable = (int64_t)pos - (int32_t)load(f, pos, 4);
    if (vtable < 0 || vtable > UINT32_MAX || !inside(f, (uint64_t)vtable, 4))
        return fault(f, "a table without its vtable"), none;
    t.vtable = (uint32_t)vtable;
    t.vtable_bytes = (uint32_t)load(f, t.vtable, 2);
    t.bytes = (uint32_t)load(f, t.vtable + 2u, 2);
    if (t.vtable_bytes < 4 || t.bytes < 4 || !inside(f, t.vtable, t.vtable_bytes) || !inside(f, pos, t.bytes))
        return fault(f, "a vtable that does not fit"), none;
    return t;
}

sgs_fb_table sgs_fb_root(sgs_fb *f)
{
    return table_at(f, follow(f, 0, 4));
}

/* Position of a field of `bytes`, or 0 when it is absent. */
static uint32_t field(sgs_fb *f, sgs_fb_table t, int slot, uint32_t bytes)
{
    uint32_t entry = 4 + 2 * (uint32_t)slot;
    if (f->error || !t.pos || entry + 2 > t.vtable_bytes)
        return 0;
    uint32_t off = (uint32_t)load(f, t.vtable + entry, 2);
    if (!off)
        return 0;
    if (off < 4 || off + bytes > t.bytes)
        return fault(f, "a field outside its table"), 0;
    return t.pos + off;
}

static int64_t extend(uint64_t v, int bytes)
{
    int shift = 64 - 8 * bytes;
    return (int64_t)(v << shift) >> shift;
}

int64_t sgs_fb_int(sgs_fb *f, sgs_fb_table t, int slot, int bytes, bool is_signed, int64_t absent)
{
    uint32_t at = field(f, t, slot, (uint32_t)bytes);
    if (!at)
        return absent;
    uint64_t v = load(f, at, bytes);
    return is_signed ? extend(v, bytes) : (int64_t)v;
}

static float as_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float v;
    memcpy(&v, &low, sizeof v);
    return v;
}

float sgs_fb_float(sgs_fb *f, sgs_fb_table t, int slot, float absent)
{
    uint32_t at = field(f, t, slot, 4);
    return at ? as_float(load(f, at, 4)) : absent;
}

sgs_fb_table sgs_fb_sub(sgs_fb *f, sgs_fb_table t, int slot)
{
    uint32_t at = field(f, t, slot, 4);
    return at ? table_at(f, follow(f, at, 4)) : (sgs_fb_table){ 0 };
}

sgs_fb_vector sgs_fb_vec(sgs_fb *f, sgs_fb_table t, int slot, int each)
{
    sgs_fb_vector v = { 0 };
    uint32_t at = field(f, t, slot, 4), to = at ? follow(f, at, 4) : 0;
    if (!to)
        return v;
    uint32_t n = (uint32_t)load(f, to, 4);
    if (!inside(f, (uint64_t)to + 4, (uint64_t)n * (uint64_t)each))
        return v;
    v.pos = to + 4;
    v.n = n;
    return v;
}

const char *sgs_fb_string(sgs_fb *f, sgs_fb_table t, int slot)
{
    sgs_fb_vector v = sgs_fb_vec(f, t, slot, 1);
    if (!v.pos)
        return "";
    if (!inside(f, v.pos, (uint64_t)v.n + 1) || f->data.p[v.pos + v.n])
        return fault(f, "a string without its end"), "";
    return (const char *)f->data.p + v.pos;
}

sgs_fb_table sgs_fb_vec_table(sgs_fb *f, sgs_fb_vector v, uint32_t i)
{
    if (i >= v.n)
        return fault(f, "an index outside a vector"), (sgs_fb_table){ 0 };
    return table_at(f, follow(f, v.pos + 4 * (uint64_t)i, 4));
}

int64_t sgs_fb_vec_int(sgs_fb *f, sgs_fb_vector v, uint32_t i, int bytes)
{
    if (i >= v.n)
        return fault(f, "an index outside a vector"), 0;
    return f->error ? 0 : extend(load(f, v.pos + (uint64_t)i * (uint64_t)bytes, bytes), bytes);
}

float sgs_fb_vec_float(sgs_fb *f, sgs_fb_vector v, uint32_t i)
{
    return as_float((uint64_t)sgs_fb_vec_int(f, v, i, 4));
}

/* ---- writing --------------------------------------------------------------------------------------------------------------------- */

static const uint8_t kind_bytes[] = { 1, 4, 8, 4, 4 };

static void put(sgs_buf *b, size_t at, uint64_t v, size_t bytes)
{
    memcpy(b->p + at, &v, bytes);
}

static uint64_t bits_of(const sgs_fb_field *f)
{
    uint32_t bits;
    if (f->kind == SGS_FB_FLOAT) {
        memcpy(&bits, &f->f, sizeof bits);
        return bits;
    }
    return f->kind == SGS_FB_REF ? 0 : (uint64_t)f->i;
}

/* Fields of 8 bytes first, then 4, then 1: each lies on a multiple of its size when the table does on 8, four bytes in. */
size_t sgs_fbw_table(sgs_buf *b, sgs_fb_field *field_list, int n)
{
    uint16_t vtable[SGS_FB_SLOTS + 2] = { 0 };
    int slots = 0;
    uint16_t at = 4;
    for (int i = 0; i < n; i++)
        slots = field_list[i].slot >= slots ? field_list[i].slot + 1 : slots;
    for (int size = 8; size; size = size == 8 ? 4 : size == 4 ? 1 : 0)
        for (int i = 0; i < n; i++)
            if (kind_bytes[field_list[i].kind] == size) {
                vtable[2 + field_list[i].slot] = at;
                at = (uint16_t)(at + size);
            }
    vtable[0] = (uint16_t)(4 + 2 * slots);
    vtable[1] = at;
    sgs_buf_align(b, 2);
    size_t vtable_at = b->n;
    sgs_buf_add(b, vtable, vtable[0]);
    while (b->n % 8 != 4)
        sgs_buf_add(b, "", 1);
    size_t pos = b->n;
    static const uint8_t zeros[16 * 8 + 4];
    sgs_buf_add(b, zeros, at);
    put(b, pos, pos - vtable_at, 4);
    for (int i = 0; i < n; i++) {
        field_list[i].at = pos + vtable[2 + field_list[i].slot];
        put(b, field_list[i].at, bits_of(&field_list[i]), kind_bytes[field_list[i].kind]);
    }
    return pos;
}

void sgs_fbw_link(sgs_buf *b, size_t at, size_t target)
{
    put(b, at, target - at, 4);
}

size_t sgs_fbw_length(sgs_buf *b, size_t n, size_t align)
{
    sgs_buf_align(b, 4);
    while ((b->n + 4) % align)
        sgs_buf_add(b, "\0\0\0", 4);
    size_t pos = b->n;
    uint32_t count = (uint32_t)n;
    sgs_buf_add(b, &count, 4);
    return pos;
}

size_t sgs_fbw_vector(sgs_buf *b, const void *data, size_t n, size_t each, size_t align)
{
    static const uint8_t zeros[64];
    size_t pos = sgs_fbw_length(b, n, align);
    if (data) {
        sgs_buf_add(b, data, n * each);
        return pos;
    }
    for (size_t left = n * each; left; left -= left < sizeof zeros ? left : sizeof zeros)
        sgs_buf_add(b, zeros, left < sizeof zeros ? left : sizeof zeros);
    return pos;
}

size_t sgs_fbw_string(sgs_buf *b, const char *s)
{
    size_t pos = sgs_fbw_vector(b, s, strlen(s), 1, 4);
    sgs_buf_add(b, "", 1);
    return pos;
}
