#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { Y, X, W, BIAS, MULT, PAD, ADD, Y2, TABLE };

typedef struct shape {
    int32_t ci, co, h, w, kh, kw, sy, sx, dy, dx, py, px, pb, pr; /* padding: above, left, below, right */
    int32_t n;
    int type, add, y2, table;
    int small; /* S16: weights and bias so small that 32 bits hold every sum */
    enum ca_layout layout;
    enum ca_data data;
} shape;

static int32_t out_size(int32_t x, int32_t pad, int32_t k, int32_t d, int32_t s)
{
    const int32_t left = x + pad - (k - 1) * d - 1;
    return left < 0 ? 0 : left / s + 1;
}

/* The smallest shift of ARITHMETIC.md 5 for sums up to bound. */
static int32_t shift_for(int64_t bound)
{
    int32_t k = 0;
    while ((bound >> k) + 1 > INT32_MAX)
        k++;
    return k;
}

/* Multipliers that bring a typical sum to somewhere inside (or a little beyond) the output range. */
static void fill_mult(ca *t, const shape *s, double terms, double product, int32_t shift)
{
    const double typical = sqrt(terms) * product / 3 / (double)((int64_t)1 << shift);
    const double m = (s->table ? 512.0 : s->type == IPU_U8 ? 128.0 : 16384.0) / typical * ca_range(t, 1, 40) / 20.0;
    ca_fill_float(t, MULT, (float)(m / 4), (float)m);
}

static void fill_u8(ca *t, const shape *s, int weight)
{
    const int64_t terms = (int64_t)s->ci * s->kh * s->kw, room = INT32_MAX - terms * 255 * weight;
    const int64_t bias = s->data == CA_EXTREME ? room : room < 1 << 14 ? room : 1 << 14;

    ca_fill_int(t, BIAS, -bias, bias);
    fill_mult(t, s, (double)terms, 255.0 * (weight - 1), 0);
}

/* The largest weights of which so many terms stay within 2^30. */
static int64_t small_weight(const shape *s)
{
    return 32768 / ((int64_t)s->ci * s->kh * s->kw);
}

static void fill_s16_small(ca *t, const shape *s)
{
    const int64_t terms = (int64_t)s->ci * s->kh * s->kw, bias = (1 << 30) - 2;

    ca_fill_int(t, BIAS, -bias, bias);
    t->rec.conv.shift = 0;
    fill_mult(t, s, (double)terms + 1e4, (double)small_weight(s) * 32767.0, 0);
}

static void fill_s16(ca *t, const shape *s)
{
    const int64_t terms = (int64_t)s->ci * s->kh * s->kw;
    const int64_t bias = s->data == CA_EXTREME ? ((int64_t)1 << 61) : ((int64_t)1 << ca_range(t, 20, 40));

    ca_fill_int(t, BIAS, -bias, bias);
    t->rec.conv.shift = shift_for(bias + terms * 32768 * 32768);
    fill_mult(t, s, (double)terms + (double)bias * (double)bias / 1e18, 32767.0 * 32767, t->rec.conv.shift);
}

static ca_dims out_dims(const shape *s)
{
    return (ca_dims){ s->n, out_size(s->h, s->py + s->pb, s->kh, s->dy, s->sy),
                      out_size(s->w, s->px + s->pr, s->kw, s->dx, s->sx), s->co };
}

static void epilogue(ca *t, const shape *s, ca_dims y)
{
    ipu_conv *r = &t->rec.conv;
    r->out = s->table ? ca_index(t) : ca_out(t, s->type);
    r->m_conv = 0.02f * (float)ca_range(t, 1, 100);
    r->m_add = 0.02f * (float)ca_range(t, 1, 100);
    r->m_y2 = 1.0f / 256 * 0.02f * (float)ca_range(t, 1, 100);
    if (s->add) {
        ca_ref(t, ADD, IPU_S16, y, s->layout);
        if (!t->bench && ca_chance(t, 50))
            ca_in_place(t, ADD);
        r->sum = ca_out(t, s->type);
        if (ca_chance(t, 50))
            r->m_conv = r->m_add = 1; /* one scale */
    }
    if (s->y2) {
        ca_ref(t, Y2, IPU_U8, y, s->layout);
        r->out2 = ca_out(t, IPU_U8);
    }
    if (s->table)
        ca_array(t, TABLE, IPU_U8, IPU_INDEX);
}

static void begin(ca *t, ipu_kind kind, const shape *s)
{
    const int wide = kind == IPU_CONV_S16, group = wide ? 2 : 4;
    const int32_t blocks = (s->co + 15) / 16 * 16, steps = s->kh * s->kw * ((s->ci + group - 1) / group);
    const ca_dims y = out_dims(s);
    ipu_conv *r = &t->rec.conv;

    ca_begin(t, kind, 9, sizeof *r);
    ca_ref(t, Y, s->type, y, s->layout);
    ca_ref(t, X, wide ? IPU_S16 : IPU_U8, (ca_dims){ s->n, s->h, s->w, s->ci }, s->layout);
    if (kind == IPU_CONV_U8S4)
        ca_array(t, W, IPU_U8, blocks * ((steps + 1) / 2) * group);
    else
        ca_array(t, W, wide ? IPU_S16 : IPU_S8, blocks * steps * group);
    ca_array(t, BIAS, wide ? IPU_S64 : IPU_S32, blocks);
    ca_array(t, MULT, IPU_F32, blocks);
    ca_array(t, PAD, wide ? IPU_S16 : IPU_U8, s->ci);
    r->kh = s->kh, r->kw = s->kw, r->sy = s->sy, r->sx = s->sx, r->dy = s->dy, r->dx = s->dx, r->py = s->py,
    r->px = s->px;
    epilogue(t, s, y);
    t->ops = 2.0 * y.h * y.w * y.n * s->co * s->ci * s->kh * s->kw;
}

/* Weights of channels past ci and co are zero in an image. */
static void zero_tails(ca *t, const shape *s, int group, int bytes)
{
    const int32_t groups = (s->ci + group - 1) / group, taps = s->kh * s->kw;
    uint8_t *w = t->operand[W].at[0];

    for (int32_t co = 0; co < (s->co + 15) / 16 * 16; co++)
        for (int32_t k = 0; k < taps; k++)
            for (int32_t ci = 0; ci < groups * group; ci++)
                if (co >= s->co || ci >= s->ci)
                    memset(w + (((((ptrdiff_t)(co / 16) * taps + k) * groups + ci / group) * 16 + co % 16) * group +
                                ci % group) *
                                   bytes,
                           0, (size_t)bytes);
}

/* The same of weights of four bits. */
static void zero_tails_four(ca *t, const shape *s)
{
    const int32_t groups = (s->ci + 3) / 4, steps = s->kh * s->kw * groups;
    uint8_t *w = t->operand[W].at[0];

    for (int32_t co = 0; co < (s->co + 15) / 16 * 16; co++)
        for (int32_t k = 0; k < (steps + 1) / 2 * 2; k++)
            for (int32_t i = 0; i < 4; i++)
                if (co >= s->co || k % groups * 4 + i >= s->ci || k >= steps)
                    w[((ptrdiff_t)(co / 16) * ((steps + 1) / 2) + k / 2) * 64 + co % 16 * 4 + i] &= k & 1 ? 0x0f : 0xf0;
}

static void fill_weights(ca *t, ipu_kind kind, const shape *s)
{
    if (kind == IPU_CONV_S16 && s->small)
        ca_fill_int(t, W, -small_weight(s), small_weight(s));
    else if (kind == IPU_CONV_U8S4)
        ca_fill_four_bits(t, W, s->data);
    else
        ca_fill(t, W, s->data);
    if (kind == IPU_CONV_U8S4)
        zero_tails_four(t, s);
    else
        zero_tails(t, s, kind == IPU_CONV_S16 ? 2 : 4, kind == IPU_CONV_S16 ? 2 : 1);
}

static int run(ca *t, ipu_kind kind, const shape *s)
{
    const ca_dims y = out_dims(s);
    if (y.h < 1 || y.w < 1)
        return 1;
    begin(t, kind, s);
    ca_place(t, 1u << Y | (s->y2 ? 1u << Y2 : 0));
    ca_fill(t, X, s->data);
    fill_weights(t, kind, s);
    if (s->add)
        ca_fill(t, ADD, s->data);
    if (s->table)
        ca_fill(t, TABLE, CA_ANY);
    if (kind == IPU_CONV_S16 && s->small)
        fill_s16_small(t, s);
    else if (kind == IPU_CONV_S16)
        fill_s16(t, s);
    else
        fill_u8(t, s, kind == IPU_CONV_U8S4 ? 8 : 128);
    snprintf(t->shape, sizeof t->shape, "%dx%d/%d %d>%d @%dx%d%s%s%s", s->kh, s->kw, s->sx, s->ci, s->co, y.h, y.w,
             s->add ? " +add" : "", s->y2 ? " +y2" : "", s->table ? " +table" : "");
    return ca_run(t);
}

static void random_kernel(ca *t, shape *s)
{
    static const int8_t sizes[][2] = { { 1, 1 }, { 3, 3 }, { 5, 5 }, { 7, 7 }, { 1, 5 },
                                       { 5, 1 }, { 2, 2 }, { 3, 2 }, { 1, 7 }, { 4, 4 } };
    const int8_t *k = sizes[ca_range(t, 0, 9)];
    s->kh = k[0], s->kw = k[1];
    s->sy = ca_range(t, 1, 3), s->sx = ca_chance(t, 60) ? s->sy : ca_range(t, 1, 3);
    s->dy = ca_chance(t, 70) ? 1 : ca_range(t, 1, 3), s->dx = ca_chance(t, 70) ? s->dy : ca_range(t, 1, 3);
    s->py = ca_chance(t, 40) ? 0 : ca_range(t, 0, (s->kh - 1) * s->dy);
    s->px = ca_chance(t, 40) ? 0 : ca_range(t, 0, (s->kw - 1) * s->dx);
    s->pb = ca_range(t, 0, (s->kh - 1) * s->dy);
    s->pr = ca_range(t, 0, (s->kw - 1) * s->dx);
}

static shape random_shape(ca *t)
{
    shape s = { .n = ca_chance(t, 80) ? 1 : ca_range(t, 2, 3) };
    random_kernel(t, &s);
    s.ci = ca_range(t, 1, ca_chance(t, 20) ? 130 : 20);
    s.co = ca_range(t, 1, ca_chance(t, 20) ? 150 : 70);
    s.h = ca_range(t, 1, 12);
    s.w = ca_range(t, 1, 12);
    s.add = ca_chance(t, 20);
    s.y2 = ca_chance(t, 20);
    s.type = s.add || s.y2 || ca_chance(t, 40) ? IPU_S16 : IPU_U8;
    s.table = s.type == IPU_U8 && ca_chance(t, 40);
    s.layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE;
    s.data = ca_chance(t, 25) ? CA_EXTREME : CA_ANY;
    s.small = ca_chance(t, 50);
    return s;
}

/* ci, co, size of x, kernel: weights and activations that outgrow the room a kernel has for them */
static const int16_t longer[][4] = { { 256, 80, 3, 3 },  { 300, 33, 4, 3 },   { 512, 24, 3, 3 }, { 1025, 100, 3, 1 },
                                     { 2304, 40, 3, 1 }, { 2309, 150, 3, 1 }, { 5000, 8, 3, 1 }, { 60, 70, 9, 6 } };

static int run_longer(ca *t, ipu_kind kind)
{
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) {
        const int16_t *l = longer[i];
        shape s = { .n = 1, .ci = l[0], .co = l[1], .h = l[2], .w = l[2], .kh = l[3], .kw = l[3] };
        s.sy = s.sx = s.dy = s.dx = 1;
        s.py = s.px = s.pb = s.pr = l[3] / 2;
        s.type = i & 1 ? IPU_U8 : IPU_S16;
        s.table = i % 4 == 3;
        s.data = i & 2 ? CA_EXTREME : CA_ANY;
        s.small = !(i & 4);
        if (!run(t, kind, &s))
            return 0;
    }
    return 1;
}

void ca_conv(ca *t, ipu_kind kind)
{
    const shape one = { .n = 1, .h = 3, .w = 9, .kh = 1, .kw = 1, .sy = 1, .sx = 1, .dy = 1, .dx = 1 };

    for (int32_t c = 1; c <= 2 * 32 + 1; c++) { /* every tail of input and of output channels */
        shape s = one;
        s.type = c & 1 ? IPU_S16 : IPU_U8;
        s.ci = c, s.co = 17, s.small = c & 2;
        if (!run(t, kind, &s))
            return;
        s.ci = 7, s.co = c, s.type = c & 1 ? IPU_U8 : IPU_S16;
        if (!run(t, kind, &s))
            return;
        s.ci = c, s.co = 2 * c, s.add = c & 1, s.y2 = c & 2, s.type = c & 3 ? IPU_S16 : IPU_U8;
        if (!run(t, kind, &s))
            return;
        s = one;
        s.ci = 9, s.co = c, s.table = 1, s.type = IPU_U8;
        if (!run(t, kind, &s))
            return;
    }
    if (!run_longer(t, kind))
        return;
    for (int i = 0; i < 1200; i++) {
        const shape s = random_shape(t);
        if (!run(t, kind, &s))
            return;
    }
    if (kind != IPU_CONV_U8S4)
        return;
    shape longest = one; /* more products than a kernel may have sums of */
    longest.w = 1, longest.ci = 32800, longest.co = 17, longest.kh = 3, longest.type = IPU_S16, longest.data = CA_EXTREME;
    run(t, kind, &longest);
}

/* ci, co, size of y, kernel, stride, 1: with a residual and a second output */
static const int16_t layers[][6] = {
    { 3, 32, 112, 3, 2, 0 },    { 3, 64, 112, 7, 2, 0 },   { 1, 8, 28, 5, 1, 0 },    { 8, 16, 14, 5, 1, 0 },
    { 3, 8, 80, 3, 2, 0 },      { 32, 16, 112, 1, 1, 0 },  { 16, 96, 112, 1, 1, 0 }, { 96, 24, 56, 1, 1, 0 },
    { 24, 144, 56, 1, 1, 0 },   { 144, 24, 56, 1, 1, 1 },  { 144, 32, 28, 1, 1, 0 }, { 32, 192, 28, 1, 1, 0 },
    { 192, 32, 28, 1, 1, 1 },   { 192, 64, 14, 1, 1, 0 },  { 64, 384, 14, 1, 1, 0 }, { 384, 64, 14, 1, 1, 1 },
    { 384, 96, 14, 1, 1, 0 },   { 96, 576, 14, 1, 1, 0 },  { 576, 96, 14, 1, 1, 1 }, { 576, 160, 7, 1, 1, 0 },
    { 160, 960, 7, 1, 1, 0 },   { 960, 160, 7, 1, 1, 1 },  { 960, 320, 7, 1, 1, 0 }, { 320, 1280, 7, 1, 1, 0 },
    { 1280, 1000, 1, 1, 1, 0 }, { 8, 16, 64, 1, 1, 0 },    { 16, 32, 32, 1, 1, 0 },  { 64, 64, 16, 1, 1, 0 },
    { 128, 128, 8, 1, 1, 0 },   { 256, 256, 4, 1, 1, 0 },  { 64, 64, 56, 3, 1, 0 },  { 128, 128, 28, 3, 1, 0 },
    { 512, 512, 7, 3, 1, 0 },   { 256, 1000, 1, 1, 1, 0 },
};

void ca_conv_bench(ca *t, ipu_kind kind)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const int16_t *l = layers[i];
        const int wide = kind == IPU_CONV_S16;
        shape s = { .n = 1, .ci = l[0], .co = l[1], .kh = l[3], .kw = l[3], .sy = l[4], .sx = l[4], .dy = 1, .dx = 1 };
        s.h = s.w = l[2] * l[4];
        s.py = s.px = s.pb = s.pr = (l[3] - 1) / 2;
        if (l[4] == 2 && l[3] == 3)
            s.py = s.px = 0;
        s.type = wide || l[5] ? IPU_S16 : IPU_U8;
        s.add = s.y2 = l[5];
        s.small = wide;
        if (!run(t, kind, &s))
            return;
    }
}
