#include <stdlib.h>
#include <string.h>

#include "image_maker.h"
#include "runtime/kernels.h"
#include "runtime/sha256.h"

static const struct {
    uint16_t bytes, nref;
} shape_of[IPU_KIND_COUNT] = {
#define X(kind, family, kernel) [kind] = { sizeof(ipu_##family), IPU_NREF_##family },
    IPU_KINDS(X)
#undef X
};

/* ---- bytes ------------------------------------------------------------------------------------------------- */

static uint32_t append(maker_bytes *b, const void *data, size_t n, size_t align)
{
    size_t at = (b->n + align - 1) / align * align;
    if (at + n > b->cap) {
        b->cap = 2 * (at + n) + 256;
        b->p = realloc(b->p, b->cap);
        if (!b->p)
            abort();
    }
    memset(b->p + b->n, 0, at - b->n);
    if (data)
        memcpy(b->p + at, data, n);
    else
        memset(b->p + at, 0, n);
    b->n = at + n;
    return (uint32_t)at;
}

uint32_t maker_random(image_maker *m, uint32_t below)
{
    m->seed = m->seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(m->seed >> 4) * below >> 28);
}

static ipu_ref window(ipu_space space, ipu_type type, int32_t h, int32_t w, int32_t c)
{
    int32_t each = ipu_type_bytes(type);
    return (ipu_ref){ .space = (uint8_t)space,
                      .type = (uint8_t)type,
                      .n = 1,
                      .h = h,
                      .w = w,
                      .c = c,
                      .img = h * w * c * each,
                      .row = w * c * each,
                      .pix = c * each,
                      .step = each };
}

ipu_ref maker_const(image_maker *m, ipu_type type, const void *data, int32_t count)
{
    ipu_ref r = window(IPU_CONST, type, 1, 1, count);
    r.off = append(&m->consts, data, (size_t)count * (size_t)r.step, IPU_ALIGN);
    return r;
}

ipu_ref maker_zeros(image_maker *m, ipu_type type, int32_t count)
{
    return maker_const(m, type, NULL, count);
}

ipu_ref maker_arena(image_maker *m, ipu_type type, int32_t h, int32_t w, int32_t c)
{
    ipu_ref r = window(IPU_ARENA, type, h, w, c);
    r.off = m->alloc[m->nalloc++] = m->arena;
    m->arena += ((uint32_t)r.img + IPU_ALIGN - 1) / IPU_ALIGN * IPU_ALIGN;
    return r;
}

static ipu_ref add_io(image_maker *m, ipu_space space, const char *name, ipu_ref r, uint16_t index)
{
    float one = 1;
    ipu_io io = { .type = r.type, .rank = 4, .dim = { 1, r.h, r.w, r.c }, .bytes = (uint32_t)r.img, .axis = -1 };
    io.name = append(&m->consts, name, strlen(name) + 1, 1);
    if (r.type != IPU_F32) {
        io.nscale = 1;
        io.scale = append(&m->consts, &one, 4, 4);
        io.zero = append(&m->consts, NULL, 4, 4);
    }
    append(&m->io, &io, sizeof io, 4);
    r.space = (uint8_t)space;
    r.index = index;
    return r;
}

ipu_ref maker_input(image_maker *m, const char *name, ipu_type type, int32_t h, int32_t w, int32_t c)
{
    return add_io(m, IPU_INPUT, name, window(IPU_INPUT, type, h, w, c), (uint16_t)m->ninput++);
}

ipu_ref maker_output(image_maker *m, const char *name, ipu_type type, int32_t h, int32_t w, int32_t c)
{
    return add_io(m, IPU_OUTPUT, name, window(IPU_OUTPUT, type, h, w, c), (uint16_t)m->noutput++);
}

static int32_t up(int32_t n, int32_t to)
{
    return (n + to - 1) / to * to;
}

ipu_ref maker_picture(image_maker *m, const char *name, ipu_format format, const int32_t dim[3], int32_t height_align, int32_t width_align)
{
    const int32_t h = up(dim[0], height_align), w = up(dim[1], width_align);
    ipu_ref r = format == IPU_FMT_NV12 ? window(IPU_INPUT, IPU_U8, h / 2 * 3, w, 1)
                                       : window(IPU_INPUT, IPU_U8, h, w, format == IPU_FMT_BGRA ? 4 : dim[2]);
    r = add_io(m, IPU_INPUT, name, r, (uint16_t)m->ninput++);
    ipu_io *io = (void *)(m->io.p + m->io.n - sizeof *io);
    io->format = (uint8_t)format;
    io->origin = (uint8_t)(dim[2] == 1 ? IPU_FMT_GRAY : IPU_FMT_RGB);
    for (int i = 0; i < 3; i++)
        io->dim[1 + i] = dim[i];
    io->dim[IPU_IO_WIDTH] = width_align;
    io->dim[IPU_IO_HEIGHT] = height_align;
    m->features |= IPU_FEATURE_PICTURES;
    return r;
}

void maker_record(image_maker *m, ipu_kind kind, void *rec)
{
    ipu_rec head = { (uint16_t)kind, shape_of[kind].nref, shape_of[kind].bytes };
    memcpy(rec, &head, sizeof head);
    append(&m->ops, rec, head.bytes, 4);
    ipu_cost cost = { .name = append(&m->consts, "layer", 6, 1) };
    append(&m->cost, &cost, sizeof cost, 4);
    m->nop++;
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

void maker_rehash(uint8_t *image, size_t bytes)
{
    uint8_t hash[32] = { 0 };
    ipu_sha256 s;
    memcpy(image + offsetof(ipu_header, hash), hash, sizeof hash);
    ipu_sha256_init(&s);
    ipu_sha256_add(&s, image, bytes);
    ipu_sha256_end(&s, hash);
    memcpy(image + offsetof(ipu_header, hash), hash, sizeof hash);
}

static ipu_section place(maker_bytes *file, maker_bytes *part)
{
    ipu_section s = { append(file, part->p, part->n, IPU_ALIGN), (uint32_t)part->n };
    free(part->p);
    *part = (maker_bytes){ 0 };
    return s;
}

uint8_t *maker_finish(image_maker *m, size_t *bytes)
{
    maker_bytes file = { 0 }, provenance = { 0 };
    ipu_header h = { .version = IPU_IMAGE_VERSION,
                     .header_bytes = sizeof h,
                     .features = m->features,
                     .arena_bytes = m->arena,
                     .ninput = m->ninput,
                     .noutput = m->noutput,
                     .nop = m->nop };
    memcpy(h.magic, IPU_IMAGE_MAGIC, sizeof h.magic);
    append(&provenance, "made-by test\n", 13, 1);
    append(&file, NULL, sizeof h, 1);
    if (m->sizes.count) {
        h.features |= IPU_FEATURE_BATCH;
        append(&file, &m->sizes, sizeof m->sizes, 1);
        h.header_bytes += (uint32_t)sizeof m->sizes;
    }
    h.io = place(&file, &m->io);
    h.ops = place(&file, &m->ops);
    h.consts = place(&file, &m->consts);
    h.provenance = place(&file, &provenance);
    h.cost = place(&file, &m->cost);
    h.file_bytes = (uint32_t)file.n;
    uint8_t *image = aligned_alloc(IPU_ALIGN, (file.n + IPU_ALIGN - 1) / IPU_ALIGN * IPU_ALIGN);
    if (!image)
        abort();
    memcpy(image, file.p, file.n);
    memcpy(image, &h, sizeof h);
    free(file.p);
    maker_rehash(image, *bytes = file.n);
    *m = (image_maker){ 0 };
    return image;
}

/* ---- building blocks --------------------------------------------------------------------------------------------- */

static const ipu_out u8_out = { -128, 127, 128 }, s16_out = { -32767, 32767, 0 };

static ipu_out range_of(ipu_type t)
{
    return t == IPU_U8 ? u8_out : s16_out;
}

/* One weight: small, signed. */
static int32_t weight(image_maker *m, int wide)
{
    if (!wide && m->four)
        return (int32_t)maker_random(m, 15) - 7;
    return wide ? (int32_t)maker_random(m, 65535) - 32767 : (int32_t)maker_random(m, 255) - 127;
}

/* Standard deviation of the sum, roughly: its share of the output range becomes the multiplier. */
static ipu_ref multipliers(image_maker *m, ipu_type x, ipu_type y, int32_t terms, int32_t channels)
{
    double unit = x == IPU_U8 && m->four ? 73.0 * 4.3 : x == IPU_U8 ? 73.0 * 74.0 : 18900.0 * 9000.0, root = 1;
    while (root * root < terms)
        root += 0.25;
    ipu_ref r = maker_zeros(m, IPU_F32, up(channels, 16));
    for (int32_t o = 0; o < channels; o++) {
        float f = (float)((y == IPU_U8 ? 60.0 : 9000.0) / (unit * root) * (0.5 + maker_random(m, 1024) / 1024.0));
        memcpy(m->consts.p + r.off + 4 * (uint32_t)o, &f, sizeof f);
    }
    return r;
}

static void put_weight(image_maker *m, ipu_ref w, int64_t at, int32_t v)
{
    int16_t s = (int16_t)v;
    int8_t b = (int8_t)v;
    memcpy(m->consts.p + w.off + at * w.step, w.type == IPU_S8 ? (void *)&b : (void *)&s, (size_t)w.step);
}

/* Of weights that lie two in a byte, `step` elements further in the same place. */
static void put_four_bits(image_maker *m, ipu_ref w, int32_t k, int32_t i, int32_t step, int32_t v)
{
    m->consts.p[w.off + (uint32_t)(k / 2 * step + i)] |= (uint8_t)((v & 15) << (k % 2 * 4));
}

static ipu_ref biases(image_maker *m, ipu_type x, int32_t channels, const int32_t *sum, int32_t zero)
{
    ipu_ref r = maker_zeros(m, x == IPU_U8 ? IPU_S32 : IPU_S64, up(channels, 16));
    for (int32_t o = 0; o < channels; o++) {
        int64_t v = weight(m, 1) / 8 - (int64_t)zero * sum[o];
        memcpy(m->consts.p + r.off + o * r.step, &v, (size_t)r.step); /* little-endian: the low half is the S32 */
    }
    return r;
}

static ipu_ref pads(image_maker *m, ipu_type x, int32_t c, int32_t zero)
{
    ipu_ref r = maker_zeros(m, x, c);
    if (x == IPU_U8)
        memset(m->consts.p + r.off, zero, (size_t)c);
    return r;
}

ipu_ref maker_conv(image_maker *m, ipu_ref x, ipu_type y, int32_t co, int32_t k, int32_t stride)
{
    int wide = x.type == IPU_S16, four = !wide && m->four, zero = wide ? 0 : 128;
    int32_t ci = x.c, g = wide ? 2 : 4, steps = k * k * up(ci, g) / g, sum[256] = { 0 };
    ipu_conv r = {
        .kh = k, .kw = k, .sy = stride, .sx = stride, .dy = 1, .dx = 1, .py = k / 2, .px = k / 2, .out = range_of(y)
    };
    r.x = x;
    r.y = maker_arena(m, y, (x.h + stride - 1) / stride, (x.w + stride - 1) / stride, co);
    if (four)
        r.w = maker_zeros(m, IPU_U8, up(co, 16) * ((steps + 1) / 2) * g);
    else
        r.w = maker_zeros(m, wide ? IPU_S16 : IPU_S8, up(co, 16) * steps * g);
    for (int32_t o = 0; o < co; o++)
        for (int32_t t = 0; t < k * k; t++)
            for (int32_t i = 0; i < ci; i++) {
                int32_t v = weight(m, wide);
                const int32_t step = t * (up(ci, g) / g) + i / g;
                sum[o] += v;
                if (four)
                    put_four_bits(m, r.w, step, o / 16 * ((steps + 1) / 2) * 64 + o % 16 * g + i % g, 64, v);
                else
                    put_weight(m, r.w, (((int64_t)(o / 16) * steps + step) * 16 + o % 16) * g + i % g, v);
            }
    r.bias = biases(m, x.type, co, sum, zero);
    r.mult = multipliers(m, x.type, y, k * k * ci, co);
    r.pad = pads(m, x.type, ci, zero);
    if (wide) {
        r.shift = 8;
        for (int32_t o = 0; o < co; o++) { /* the multiplier makes up for the shift */
            float f;
            memcpy(&f, m->consts.p + r.mult.off + 4 * (uint32_t)o, 4);
            f *= 256;
            memcpy(m->consts.p + r.mult.off + 4 * (uint32_t)o, &f, 4);
        }
    }
    maker_record(m, wide ? IPU_CONV_S16 : four ? IPU_CONV_U8S4 : IPU_CONV_U8, &r);
    m->features |= four ? IPU_FEATURE_FOUR_BITS : 0;
    return r.y;
}

ipu_ref maker_depthwise(image_maker *m, ipu_ref x, ipu_type y, int32_t k, int32_t stride)
{
    int wide = x.type == IPU_S16, four = !wide && m->four, zero = wide ? 0 : 128;
    int32_t c = x.c, sum[256] = { 0 };
    ipu_depthwise r = {
        .kh = k, .kw = k, .sy = stride, .sx = stride, .dy = 1, .dx = 1, .py = k / 2, .px = k / 2, .out = range_of(y)
    };
    r.x = x;
    r.y = maker_arena(m, y, (x.h + stride - 1) / stride, (x.w + stride - 1) / stride, c);
    r.w = four ? maker_zeros(m, IPU_U8, (k * k + 1) / 2 * up(c, 16)) : maker_zeros(m, wide ? IPU_S16 : IPU_S8, k * k * up(c, 16));
    for (int32_t t = 0; t < k * k; t++)
        for (int32_t i = 0; i < c; i++) {
            int32_t v = weight(m, wide) / (wide ? 16 : 1);
            sum[i] += v;
            if (four)
                put_four_bits(m, r.w, t, i, up(c, 16), v);
            else
                put_weight(m, r.w, (int64_t)t * up(c, 16) + i, v);
        }
    r.bias = biases(m, x.type, c, sum, zero);
    r.mult = multipliers(m, x.type, y, k * k, c);
    r.pad = pads(m, x.type, c, zero);
    maker_record(m, wide ? IPU_DEPTHWISE_S16 : four ? IPU_DEPTHWISE_U8S4 : IPU_DEPTHWISE_U8, &r);
    m->features |= four ? IPU_FEATURE_FOUR_BITS : 0;
    return r.y;
}

/* ---- a network of every kind
 * ----------------------------------------------------------------------------------------- */

static ipu_ref number(image_maker *m, ipu_type t, int32_t v, float f)
{
    return maker_const(m, t, t == IPU_F32 ? (void *)&f : (void *)&v, 1);
}

static ipu_ref quantize(image_maker *m, ipu_ref x, ipu_type t, float mult)
{
    ipu_quantize r = { .x = x, .mult = number(m, IPU_F32, 0, mult), .out = range_of(t) };
    r.zero = number(m, IPU_S32, x.type == IPU_U8 ? 128 : 0, 0);
    r.y = x.type == t && !m->separate ? x : maker_arena(m, t, x.h, x.w, x.c); /* x: in place */
    maker_record(m, IPU_QUANTIZE, &r);
    return r.y;
}

static ipu_ref add(image_maker *m, ipu_ref a, ipu_ref b)
{
    ipu_arith r = { .y = a, .a = a, .b = b, .ma = 0.75f, .mb = 0.6f, .out = s16_out }; /* y in a's place */
    if (m->separate)
        r.y = maker_arena(m, IPU_S16, a.h, a.w, a.c);
    maker_record(m, IPU_ADD_S16, &r);
    return r.y;
}

static ipu_ref pool(image_maker *m, ipu_ref x, int32_t k, int32_t stride)
{
    ipu_pool r = { .x = x, .kh = k, .kw = k, .sy = stride, .sx = stride, .py = k / 2, .px = k / 2 };
    r.y = maker_arena(m, (ipu_type)x.type, (x.h + stride - 1) / stride, (x.w + stride - 1) / stride, x.c);
    maker_record(m, IPU_MAXPOOL, &r);
    return r.y;
}

static ipu_ref average(image_maker *m, ipu_ref x, int32_t kh, int32_t kw)
{
    ipu_pool r = { .x = x, .kh = kh, .kw = kw, .sy = 1, .sx = 1, .out = s16_out };
    r.y = maker_arena(m, IPU_S16, 1, 1, x.c);
    float mult[256] = { 1 };
    for (int i = 1; i <= kh * kw; i++)
        mult[i] = 1.0f / (float)i;
    r.mult = maker_const(m, IPU_F32, mult, kh * kw + 1);
    maker_record(m, IPU_AVGPOOL_S16, &r);
    return r.y;
}

static void softmax(image_maker *m, ipu_ref x, ipu_ref y)
{
    int16_t table[1025];
    double e = 32767;
    for (int i = 0; i < 1025; i++, e *= 0.98449643703) /* exp(-1/64) */
        table[i] = (int16_t)(e + 0.5);
    ipu_softmax r = { .x = x, .y = y, .m_in = 4096.0f / 2048, .m_out = 32768, .out = { 0, 32767, 0 } };
    r.table = maker_const(m, IPU_S16, table, 1025);
    maker_record(m, IPU_SOFTMAX_S16, &r);
}

static void copy(image_maker *m, ipu_ref y, ipu_ref x)
{
    ipu_copy r = { .y = y, .x = x };
    maker_record(m, IPU_COPY, &r);
}

static ipu_ref channels(ipu_ref r, int32_t from, int32_t count)
{
    r.off += (uint32_t)(from * r.step);
    r.c = count;
    return r;
}

/* Two parts beside each other in one buffer, one copied, one computed; then a residual convolution with a second
 * output. */
static ipu_ref concat_and_residual(image_maker *m, ipu_ref a, ipu_ref b)
{
    ipu_ref both = maker_arena(m, IPU_U8, a.h, a.w, a.c + b.c);
    copy(m, channels(both, 0, a.c), a);
    ipu_clamp clamp = { .y = channels(both, a.c, b.c), .x = b, .lo = 100, .hi = 240 };
    maker_record(m, IPU_CLAMP, &clamp);
    ipu_ref wide = maker_conv(m, both, IPU_S16, both.c, 1, 1);
    ipu_ref deep = maker_depthwise(m, wide, IPU_S16, 3, 1);
    maker_conv(m, deep, IPU_S16, wide.c, 1, 1);
    ipu_conv *last = (ipu_conv *)(void *)(m->ops.p + m->ops.n - sizeof *last);
    last->add = wide;
    if (!m->separate)
        last->y = wide; /* in place */
    last->m_conv = 0.5f;
    last->m_add = 0.75f;
    last->sum = s16_out;
    last->y2 = maker_arena(m, IPU_U8, wide.h, wide.w, wide.c);
    last->m_y2 = 1.0f / 128;
    last->out2 = u8_out;
    ipu_ref y2 = last->y2;
    return maker_conv(m, y2, IPU_S16, 24, 3, 2);
}

/* A convolution and a depthwise one with weights of four bits, of odd numbers of steps and of taps. */
static ipu_ref four_bits(image_maker *m, ipu_ref x)
{
    m->four = 1;
    ipu_ref y = maker_depthwise(m, maker_conv(m, x, IPU_U8, 9, 1, 1), IPU_U8, 3, 1);
    m->four = 0;
    return y;
}

static ipu_ref padded(image_maker *m, ipu_ref x)
{
    ipu_pad r = { .x = x, .py = 1, .px = 2 };
    r.y = maker_arena(m, (ipu_type)x.type, x.h + 5, x.w + 4, x.c);
    r.value = pads(m, (ipu_type)x.type, x.c, 128);
    maker_record(m, IPU_PAD, &r);
    return r.y;
}

static ipu_ref resized(image_maker *m, ipu_ref x, ipu_kind kind, int32_t h, int32_t w)
{
    int32_t index[64];
    int16_t weight[64];
    ipu_resize r = { .x = x, .taps = kind == IPU_RESIZE_S16 ? 2 : 1 };
    r.y = maker_arena(m, (ipu_type)x.type, h, w, x.c);
    for (int i = 0; i < 64; i++)
        weight[i] = (int16_t)(i % 2 ? 2048 - weight[i - 1] : (int)maker_random(m, 2049));
    for (int i = 0; i < r.taps * h; i++)
        index[i] = (int32_t)maker_random(m, (uint32_t)x.h);
    r.iy = maker_const(m, IPU_S32, index, r.taps * h);
    for (int i = 0; i < r.taps * w; i++)
        index[i] = (int32_t)maker_random(m, (uint32_t)x.w);
    r.ix = maker_const(m, IPU_S32, index, r.taps * w);
    if (kind == IPU_RESIZE_S16) {
        r.wy = maker_const(m, IPU_S16, weight, 2 * h);
        r.wx = maker_const(m, IPU_S16, weight, 2 * w);
        r.m = 1.25f / (1 << (2 * IPU_RESIZE_BITS - IPU_RESIZE_SHIFT));
        r.out = s16_out;
    }
    maker_record(m, kind, &r);
    return r.y;
}

/* Where the first channels of another layer point to, up to two pictures away. */
static ipu_ref sampled(image_maker *m, ipu_ref x, ipu_ref grid)
{
    ipu_gridsample r = { .x = x, .grid = grid, .taps = 4, .outside = IPU_GRID_EDGES, .out = s16_out };
    r.y = maker_arena(m, IPU_S16, grid.h, grid.w, x.c);
    r.my = x.h << 24, r.ky = 24;
    r.mx = x.w << 24, r.kx = 24;
    r.m = 1.0f / (1 << IPU_GRID_BITS);
    maker_record(m, IPU_GRIDSAMPLE_S16, &r);
    return r.y;
}

static ipu_ref clamped(image_maker *m, ipu_ref x, int32_t lo, int32_t hi)
{
    ipu_clamp r = { .y = x, .x = x, .lo = lo, .hi = hi };
    if (m->separate)
        r.y = maker_arena(m, (ipu_type)x.type, x.h, x.w, x.c);
    maker_record(m, IPU_CLAMP, &r);
    return r.y;
}

/* The convolution made last, its result through a table. */
static ipu_ref tabled(image_maker *m, ipu_ref y)
{
    uint8_t table[IPU_INDEX];
    for (int i = 0; i < IPU_INDEX; i++)
        table[i] = (uint8_t)maker_random(m, 256);
    ipu_ref bytes = maker_const(m, IPU_U8, table, IPU_INDEX);
    ipu_conv *last = (ipu_conv *)(void *)(m->ops.p + m->ops.n - sizeof *last);
    last->table = bytes;
    last->out = (ipu_out){ -512, IPU_INDEX - 1 - 512, 512 };
    return y;
}

void maker_network_build(image_maker *m)
{
    m->seed = 7;
    ipu_ref picture = maker_input(m, "picture", IPU_U8, 17, 13, 3), data = maker_input(m, "data", IPU_F32, 9, 7, 5);
    ipu_ref scores = maker_output(m, "scores", IPU_S16, 1, 1, 10), map = maker_output(m, "map", IPU_F32, 5, 4, 24);
    ipu_ref turned = maker_output(m, "turned", IPU_U8, 20, 7, 9);
    ipu_ref a = pool(m, tabled(m, maker_conv(m, picture, IPU_U8, 20, 3, 1)), 3, 2); /* [9][7][20] */
    ipu_ref b = quantize(m, maker_conv(m, quantize(m, data, IPU_S16, 8192), IPU_S16, 20, 3, 1), IPU_U8, 1.0f / 128);
    ipu_ref c = concat_and_residual(m, a, maker_depthwise(m, b, IPU_U8, 3, 1)); /* S16 [5][4][24] */
    ipu_ref same = quantize(m, c, IPU_S16, 0.875f);
    ipu_ref sum = add(m, same,
                      maker_conv(m, padded(m, four_bits(m, maker_conv(m, quantize(m, c, IPU_U8, 1.0f / 128), IPU_U8, 9, 1, 1))),
                                 IPU_S16, 24, 3, 2)); /* padded to [10][8], back to [5][4] */
    sum = clamped(m, sum, -9000, 30000);
    sum = add(m, sum, average(m, sum, 5, 4));
    ipu_quantize out = {
        .y = map, .x = sum, .mult = number(m, IPU_F32, 0, 1.0f / 4096), .zero = number(m, IPU_S32, 0, 0)
    };
    maker_record(m, IPU_DEQUANTIZE, &out);
    ipu_ref again = resized(m, resized(m, sum, IPU_RESIZE_S16, 7, 8), IPU_RESIZE_NEAREST, 5, 4), grid = c;
    grid.c = 2;
    again = sampled(m, again, grid);
    softmax(m, maker_conv(m, average(m, again, 5, 4), IPU_S16, 10, 1, 1), scores);
    ipu_ref walk = a; /* [h][w][c] -> [c][w][h] */
    walk.h = a.c, walk.row = a.step, walk.w = a.w, walk.pix = a.pix, walk.c = a.h, walk.step = a.row;
    copy(m, turned, walk);
}

uint8_t *maker_network(size_t *bytes)
{
    image_maker m = { 0 };
    maker_network_build(&m);
    return maker_finish(&m, bytes);
}

/* R, G, B from a camera's picture; what a screen shows, without its fourth byte, and a grey picture, both without their margins. */
static void pictures(image_maker *m)
{
    static const int32_t camera[3] = { 9, 13, 3 }, screen[3] = { 7, 5, 3 }, grey[3] = { 5, 9, 1 };
    ipu_ref a = maker_picture(m, "camera", IPU_FMT_NV12, camera, 4, 16), b = maker_picture(m, "screen", IPU_FMT_BGRA, screen, 1, 16),
            c = maker_picture(m, "grey", IPU_FMT_GRAY, grey, 2, 8);
    ipu_nv12 r = { .y = maker_output(m, "colours", IPU_U8, 9, 13, 3), .luma = a, .chroma = a };
    r.luma.h = 9, r.luma.w = 13;
    r.chroma.off = 12 * 16;
    r.chroma.h = 5, r.chroma.w = 7, r.chroma.c = 2, r.chroma.pix = 2;
    maker_record(m, IPU_NV12, &r);
    ipu_ref seen = maker_output(m, "seen", IPU_U8, 7, 5, 3), flat = maker_output(m, "flat", IPU_U8, 5, 9, 1);
    b.h = 7, b.w = 5, b.c = 3;
    copy(m, seen, b);
    c.h = 5, c.w = 9;
    copy(m, flat, c);
}

uint8_t *maker_kind(int kind, size_t *bytes)
{
    static const ipu_sizes sizes[MAKER_KINDS] = { { 0 }, { IPU_N_BUF, 1, { 3 } }, { IPU_ONE_BUF, 3, { 4, 2, 9 } }, { 0 } };
    image_maker m = { .sizes = sizes[kind] };
    if (kind == 3)
        pictures(&m);
    else
        maker_network_build(&m);
    return maker_finish(&m, bytes);
}

void *maker_network_input(int i, size_t bytes)
{
    image_maker m = { .seed = 99 + (uint32_t)i };
    uint8_t *p = malloc(bytes);
    if (!p)
        abort();
    for (size_t k = 0; i == 0 && k < bytes; k++)
        p[k] = (uint8_t)maker_random(&m, 256);
    for (size_t k = 0; i == 1 && k < bytes / 4; k++) {
        float f = ((float)maker_random(&m, 65536) - 32768) / 8192;
        memcpy(p + 4 * k, &f, 4);
    }
    return p;
}
