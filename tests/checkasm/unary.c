#include "checkasm.h"

#include <stdio.h>
#include <string.h>

enum { Y, X, TABLE };

static void begin(ca *t, ipu_kind kind, int nref, size_t bytes, ca_dims d, enum ca_layout layout)
{
    ca_begin(t, kind, nref, bytes);
    ca_ref(t, Y, IPU_S16, d, layout);
    ca_ref(t, X, IPU_S16, d, layout);
    if (!t->bench && ca_chance(t, 20))
        ca_in_place(t, X);
    t->ops = 1.0 * d.n * d.h * d.w * d.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", d.h, d.w, d.c);
}

static int lut(ca *t, ca_dims d, enum ca_layout layout, enum ca_data data)
{
    begin(t, IPU_LUT_S16, 3, sizeof t->rec.lut, d, layout);
    ca_array(t, TABLE, IPU_S16, 2 * IPU_LUT_SIDE);
    ca_place(t, 1u << Y);
    ca_fill(t, X, data);
    ca_fill(t, TABLE, ca_chance(t, 20) ? CA_EXTREME : CA_ANY);
    if (data == CA_ANY && ca_chance(t, 40))
        ca_fill_int(t, X, -600, 600); /* where entries stand close */
    return ca_run(t);
}

static int lut_u8(ca *t, ca_dims d, enum ca_layout layout, enum ca_data data)
{
    ipu_lut *r = &t->rec.lut;

    ca_begin(t, IPU_LUT_U8, 3, sizeof *r);
    ca_ref(t, Y, IPU_U8, d, layout);
    ca_ref(t, X, IPU_S16, d, layout);
    ca_array(t, TABLE, IPU_U8, IPU_INDEX);
    r->first = ca_chance(t, 50) ? ca_range(t, -IPU_INDEX, 0) : ca_chance(t, 50) ? 32767 : ca_range(t, -32767, 32767);
    ca_place(t, 1u << Y);
    ca_fill(t, X, data);
    if (data == CA_ANY)
        ca_fill_int(t, X, r->first - 100 < -32768 ? -32768 : r->first - 100, r->first + 1200 > 32767 ? 32767 : r->first + 1200);
    ca_fill(t, TABLE, CA_ANY);
    t->ops = 1.0 * d.n * d.h * d.w * d.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", d.h, d.w, d.c);
    return ca_run(t);
}

static int prelu(ca *t, ca_dims d, enum ca_layout layout, enum ca_data data)
{
    ipu_prelu *r = &t->rec.prelu;

    begin(t, IPU_PRELU_S16, 3, sizeof *r, d, layout);
    ca_array(t, TABLE, IPU_F32, ca_chance(t, 50) ? 1 : d.c);
    r->threshold = ca_chance(t, 70) ? 0 : ca_range(t, -40000, 40000);
    r->m = 0.02f * (float)ca_range(t, -100, 100);
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    ca_fill(t, X, data);
    ca_fill_float(t, TABLE, -1.5f, 1.5f);
    return ca_run(t);
}

static int whole(ca *t, ca_dims d, enum ca_layout layout, enum ca_data data)
{
    ipu_round *r = &t->rec.round;

    begin(t, IPU_ROUND_S16, 2, sizeof *r, d, layout);
    r->mode = ca_range(t, 0, IPU_ROUND_MODES - 1);
    r->scale = ca_chance(t, 50) ? 0.125f : 64.0f / (float)ca_range(t, 1, 100000); /* eighths hit halves and wholes */
    r->m = 0.1f * (float)ca_range(t, 1, 10000);
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    ca_fill(t, X, data);
    return ca_run(t);
}

static int run(ca *t, ipu_kind kind, ca_dims d, enum ca_layout layout, enum ca_data data)
{
    return kind == IPU_LUT_S16     ? lut(t, d, layout, data)
           : kind == IPU_LUT_U8    ? lut_u8(t, d, layout, data)
           : kind == IPU_PRELU_S16 ? prelu(t, d, layout, data)
                                   : whole(t, d, layout, data);
}

void ca_unary(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 800; i++) {
        const ca_dims d = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 5), ca_range(t, 1, 5),
                            i < 130 ? i + 1 : ca_range(t, 1, 130) };
        if (!run(t, kind, d, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE, ca_chance(t, 30) ? CA_EXTREME : CA_ANY))
            return;
    }
}

void ca_unary_bench(ca *t, ipu_kind kind)
{
    if (run(t, kind, (ca_dims){ 1, 56, 56, 24 }, CA_DENSE, CA_ANY))
        run(t, kind, (ca_dims){ 1, 14, 14, 96 }, CA_DENSE, CA_ANY);
}
