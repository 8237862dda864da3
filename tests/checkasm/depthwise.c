#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { Y, X, W, BIAS, MULT, PAD, TABLE };

typedef struct shape {
    int32_t n, c, h, w, kh, kw, sy, sx, dy, dx, py, px, pb, pr;
    int type, table;
    int small; /* S16: weights and bias so small that 32 bits hold every sum */
    enum ca_layout layout;
    enum ca_data data;
} shape;

static int32_t out_size(int32_t x, int32_t pad, int32_t k, int32_t d, int32_t s)
{
    const int32_t left = x + pad - (k - 1) * d - 1;
    return left < 0 ? 0 : left / s + 1;
}

static void fill_sums(ca *t, ipu_kind kind, const shape *s)
{
    const int wide = kind == IPU_DEPTHWISE_S16;
    const int64_t terms = s->kh * s->kw, weight = s->small ? 32768 / terms : wide ? 32768 : kind == IPU_DEPTHWISE_U8S4 ? 8 : 128;
    const int64_t most = terms * weight * (wide ? 32768 : 255);
    int64_t bias = wide && s->small ? (1 << 30) - 2 : wide ? (int64_t)1 << ca_range(t, 10, 40) : 1 << 10;
    double typical;

    if (s->data == CA_EXTREME && !s->small)
        bias = wide ? (int64_t)1 << 61 : INT32_MAX - most;
    ca_fill_int(t, BIAS, -bias, bias);
    while (wide && ((bias + most) >> t->rec.depthwise.shift) + 1 > INT32_MAX)
        t->rec.depthwise.shift++;
    typical = (sqrt((double)terms) * (double)most / (double)terms / 3 + (double)bias / 2) /
              (double)((int64_t)1 << t->rec.depthwise.shift);
    const double m = (s->table ? 512.0 : s->type == IPU_U8 ? 128.0 : 16384.0) / typical * ca_range(t, 1, 40) / 20.0;
    ca_fill_float(t, MULT, (float)(m / 4), (float)m);
}

/* Weights of channels past c are zero in an image. */
static void zero_tails(ca *t, const shape *s, int32_t planes, int bytes)
{
    const int32_t cpad = (s->c + 15) / 16 * 16;
    for (int32_t k = 0; k < planes; k++)
        memset(t->operand[W].at[0] + (ptrdiff_t)(k * cpad + s->c) * bytes, 0, (size_t)((cpad - s->c) * bytes));
}

static int run(ca *t, ipu_kind kind, const shape *given)
{
    shape of = *given;
    const shape *const s = &of;
    const int wide = kind == IPU_DEPTHWISE_S16;
    const int32_t oh = out_size(s->h, s->py + s->pb, s->kh, s->dy, s->sy),
                  ow = out_size(s->w, s->px + s->pr, s->kw, s->dx, s->sx);
    const int32_t cpad = (s->c + 15) / 16 * 16;
    ipu_depthwise *r = &t->rec.depthwise;

    of.small &= wide;
    if (oh < 1 || ow < 1)
        return 1;
    ca_begin(t, kind, 7, sizeof *r);
    ca_ref(t, Y, s->type, (ca_dims){ s->n, oh, ow, s->c }, s->layout);
    ca_ref(t, X, wide ? IPU_S16 : IPU_U8, (ca_dims){ s->n, s->h, s->w, s->c }, s->layout);
    if (kind == IPU_DEPTHWISE_U8S4)
        ca_array(t, W, IPU_U8, cpad * ((s->kh * s->kw + 1) / 2));
    else
        ca_array(t, W, wide ? IPU_S16 : IPU_S8, cpad * s->kh * s->kw);
    ca_array(t, BIAS, wide ? IPU_S64 : IPU_S32, cpad);
    ca_array(t, MULT, IPU_F32, cpad);
    ca_array(t, PAD, wide ? IPU_S16 : IPU_U8, s->c);
    r->kh = s->kh, r->kw = s->kw, r->sy = s->sy, r->sx = s->sx, r->dy = s->dy, r->dx = s->dx, r->py = s->py,
    r->px = s->px;
    r->out = s->table ? ca_index(t) : ca_out(t, s->type);
    if (s->table)
        ca_array(t, TABLE, IPU_U8, IPU_INDEX);
    ca_place(t, 1u << Y);
    ca_fill(t, X, s->data);
    if (s->small)
        ca_fill_int(t, W, -32768 / (s->kh * s->kw), 32768 / (s->kh * s->kw));
    else if (kind == IPU_DEPTHWISE_U8S4)
        ca_fill_four_bits(t, W, s->data);
    else
        ca_fill(t, W, s->data);
    if (s->table)
        ca_fill(t, TABLE, CA_ANY);
    zero_tails(t, s, kind == IPU_DEPTHWISE_U8S4 ? (s->kh * s->kw + 1) / 2 : s->kh * s->kw, wide ? 2 : 1);
    fill_sums(t, kind, s);
    t->ops = 2.0 * s->n * oh * ow * s->c * s->kh * s->kw;
    snprintf(t->shape, sizeof t->shape, "%dx%d/%d %d @%dx%d%s", s->kh, s->kw, s->sx, s->c, oh, ow, s->table ? " +table" : "");
    return ca_run(t);
}

static shape random_shape(ca *t)
{
    static const int8_t sizes[][2] = { { 1, 1 }, { 3, 3 }, { 3, 3 }, { 5, 5 }, { 7, 7 },
                                       { 1, 5 }, { 5, 1 }, { 2, 2 }, { 3, 2 }, { 9, 9 } };
    const int8_t *k = sizes[ca_range(t, 0, 9)];
    shape s = { .n = ca_chance(t, 80) ? 1 : ca_range(t, 2, 3),
                .kh = k[0],
                .kw = k[1],
                .c = ca_range(t, 1, ca_chance(t, 20) ? 200 : 70) };

    s.sy = ca_range(t, 1, 3), s.sx = ca_chance(t, 60) ? s.sy : ca_range(t, 1, 3);
    s.dy = ca_chance(t, 70) ? 1 : ca_range(t, 1, 3), s.dx = ca_chance(t, 70) ? s.dy : ca_range(t, 1, 3);
    s.py = ca_range(t, 0, (s.kh - 1) * s.dy), s.px = ca_range(t, 0, (s.kw - 1) * s.dx);
    s.pb = ca_range(t, 0, (s.kh - 1) * s.dy), s.pr = ca_range(t, 0, (s.kw - 1) * s.dx);
    s.h = ca_range(t, 1, 12), s.w = ca_range(t, 1, 12);
    s.type = ca_chance(t, 60) ? IPU_U8 : IPU_S16;
    s.table = s.type == IPU_U8 && ca_chance(t, 40);
    s.layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE;
    s.data = ca_chance(t, 25) ? CA_EXTREME : CA_ANY;
    s.small = ca_chance(t, 50);
    return s;
}

void ca_depthwise(ca *t, ipu_kind kind)
{
    for (int32_t c = 1; c <= 2 * 64 + 1; c++) { /* every tail */
        shape s = {
            .n = 1, .c = c, .h = 5, .w = 7, .kh = 3, .kw = 3, .sy = 1 + (c & 1), .sx = 1 + (c & 1), .dy = 1, .dx = 1
        };
        s.py = s.px = s.pb = s.pr = c >> 1 & 1;
        s.type = c % 3 ? IPU_U8 : IPU_S16;
        if (!run(t, kind, &s))
            return;
    }
    for (int i = 0; i < 1200; i++) {
        const shape s = random_shape(t);
        if (!run(t, kind, &s))
            return;
    }
    const shape large = {
        .n = 1, .c = 33, .h = 17, .w = 18, .kh = 17, .kw = 17, .sy = 1, .sx = 1, .dy = 1, .dx = 1, .px = 1
    };
    if (!run(t, kind, &large))
        return;
    shape huge = large; /* more taps than a kernel has room for */
    huge.c = 17, huge.h = huge.kh = 40, huge.w = 33, huge.kw = 32;
    run(t, kind, &huge);
}

/* channels, size of y, kernel, stride */
static const int16_t layers[][4] = {
    { 32, 112, 3, 1 }, { 96, 56, 3, 2 },  { 144, 56, 3, 1 }, { 144, 28, 3, 2 }, { 192, 28, 3, 1 }, { 192, 14, 3, 2 },
    { 384, 14, 3, 1 }, { 576, 14, 3, 1 }, { 576, 7, 3, 2 },  { 960, 7, 3, 1 },  { 8, 112, 3, 1 },  { 16, 56, 3, 2 },
    { 64, 28, 3, 1 },  { 128, 14, 3, 1 }, { 256, 7, 3, 1 },  { 96, 56, 5, 1 },  { 240, 28, 5, 2 }, { 64, 28, 7, 1 },
};

void ca_depthwise_bench(ca *t, ipu_kind kind)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const int16_t *l = layers[i];
        shape s = { .n = 1,
                    .c = l[0],
                    .h = l[1] * l[3],
                    .w = l[1] * l[3],
                    .kh = l[2],
                    .kw = l[2],
                    .sy = l[3],
                    .sx = l[3],
                    .dy = 1,
                    .dx = 1 };
        s.py = s.px = s.pb = s.pr = (l[2] - 1) / 2;
        s.small = 1;
        s.type = kind == IPU_DEPTHWISE_S16 ? IPU_S16 : IPU_U8;
        if (!run(t, kind, &s))
            return;
    }
}
