#include "checkasm.h"

#include <stdio.h>

enum { Y, X, MULT, ZERO };

typedef struct shape {
    ca_dims d;
    int from, to, per_mult, per_zero; /* per channel */
    int planes;                       /* the pixels of a channel of x lie side by side */
    enum ca_layout layout;
    enum ca_data data;
} shape;

/* x, n = 1, as c planes of h rows of w pixels; some bytes between them. */
static void as_planes(ca *t)
{
    ipu_ref *x = &t->rec.quantize.x;
    const int32_t each = ipu_type_bytes(x->type);

    x->pix = each;
    x->row = each * (x->w + ca_range(t, 0, 3));
    x->step = x->row * x->h + each * ca_range(t, 0, 2);
    x->img = x->step * x->c;
}

static int run(ca *t, ipu_kind kind, const shape *s)
{
    static const char *const name[] = { [IPU_U8] = "u8", [IPU_S16] = "s16", [IPU_F32] = "f32" };
    ipu_quantize *r = &t->rec.quantize;

    ca_begin(t, kind, 4, sizeof *r);
    ca_ref(t, Y, s->to, s->d, s->layout);
    ca_ref(t, X, s->from, s->d, s->layout);
    if (s->planes)
        as_planes(t);
    else if (!t->bench && s->from == s->to && ca_chance(t, 50))
        ca_in_place(t, X);
    ca_array(t, MULT, IPU_F32, s->per_mult ? s->d.c : 1);
    ca_array(t, ZERO, IPU_S32, s->per_zero ? s->d.c : 1);
    if (kind == IPU_QUANTIZE)
        r->out = ca_out(t, s->to);
    ca_place(t, 1u << Y);
    if (s->from == IPU_F32)
        ca_fill_float(t, X, -3, 3);
    else
        ca_fill(t, X, s->data);
    const float range = (s->to == IPU_U8 ? 128.0f : 32767.0f) / (s->from == IPU_U8    ? 128.0f
                                                                 : s->from == IPU_S16 ? 32767.0f
                                                                                      : 2.0f);
    ca_fill_float(t, MULT, range / 4, range * 2);
    ca_fill_int(t, ZERO, 0, s->from == IPU_U8 ? 255 : 0);
    t->ops = 1.0 * s->d.n * s->d.h * s->d.w * s->d.c;
    snprintf(t->shape, sizeof t->shape, "%s>%s %dx%dx%d%s%s", name[s->from], name[s->to], s->d.h, s->d.w, s->d.c,
             s->per_mult ? " per channel" : "", s->planes ? " planes" : "");
    return ca_run(t);
}

static int quantized(ca *t)
{
    return ca_chance(t, 50) ? IPU_U8 : IPU_S16;
}

void ca_quantize(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 1000; i++) {
        shape s = { .d = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 6), ca_range(t, 1, 6),
                           i < 130 ? i + 1 : ca_range(t, 1, 130) } };
        s.from = kind == IPU_QUANTIZE && ca_chance(t, 30) ? IPU_F32 : quantized(t);
        s.to = kind == IPU_QUANTIZE ? quantized(t) : IPU_F32;
        s.per_mult = ca_chance(t, 50);
        s.per_zero = ca_chance(t, 70) ? s.per_mult : !s.per_mult;
        s.layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE;
        s.data = ca_chance(t, 30) ? CA_EXTREME : CA_ANY;
        if (!run(t, kind, &s))
            return;
    }
    for (int i = 0; i < 300; i++) {
        shape s = { .d = { 1, ca_range(t, 1, 5), ca_range(t, 1, 70), i % 3 ? i % 20 + 1 : 3 }, .planes = 1 };
        s.from = kind == IPU_QUANTIZE && ca_chance(t, 70) ? IPU_F32 : quantized(t);
        s.to = kind == IPU_QUANTIZE ? quantized(t) : IPU_F32;
        s.per_mult = s.per_zero = ca_chance(t, 50);
        s.layout = ca_chance(t, 40) ? CA_LOOSE : CA_DENSE;
        if (kind == IPU_QUANTIZE && !run(t, kind, &s))
            return;
    }
}

void ca_quantize_bench(ca *t, ipu_kind kind)
{
    static const int8_t types[][2] = {
        { IPU_S16, IPU_U8 }, { IPU_U8, IPU_S16 }, { IPU_F32, IPU_U8 }, { IPU_U8, IPU_F32 }, { IPU_S16, IPU_F32 }
    };
    for (int i = 0; i < 5; i++)
        for (int per = 0; per < 2; per++) {
            const shape s = {
                .d = { 1, 56, 56, 24 }, .from = types[i][0], .to = types[i][1], .per_mult = per, .per_zero = per
            };
            if ((kind == IPU_DEQUANTIZE) == (s.to == IPU_F32) && !run(t, kind, &s))
                return;
        }
}
