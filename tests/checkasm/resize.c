/* Resizing: rows and columns in any order, weights as large as the compiler lets them be. */
#include "checkasm.h"

#include <stdio.h>

enum { Y, X, IY, IX, WY, WX };

typedef struct shape {
    ca_dims x;
    int32_t oh, ow, taps;
    int type;
    enum ca_layout layout;
    enum ca_data data;
} shape;

static int run(ca *t, ipu_kind kind, const shape *s)
{
    ipu_resize *r = &t->rec.resize;
    const int weights = kind == IPU_RESIZE_S16;
    const int most = 4095 / s->taps; /* the sum of a row's stays below 2^12 */

    ca_begin(t, kind, 6, sizeof *r);
    ca_ref(t, Y, s->type, (ca_dims){ s->x.n, s->oh, s->ow, s->x.c }, s->layout);
    ca_ref(t, X, s->type, s->x, s->layout);
    ca_array(t, IY, IPU_S32, s->taps * s->oh);
    ca_array(t, IX, IPU_S32, s->taps * s->ow);
    if (weights) {
        ca_array(t, WY, IPU_S16, s->taps * s->oh);
        ca_array(t, WX, IPU_S16, s->taps * s->ow);
        r->m = (float)ca_range(t, 1, 1000) / 4e6f;
        r->out = ca_out(t, IPU_S16);
    }
    r->taps = s->taps;
    ca_place(t, 1u << Y);
    ca_fill(t, X, s->data);
    ca_fill_int(t, IY, 0, s->x.h - 1);
    ca_fill_int(t, IX, 0, s->x.w - 1);
    if (weights) {
        ca_fill_int(t, WY, ca_chance(t, 50) ? -most : most, most);
        ca_fill_int(t, WX, ca_chance(t, 50) ? -most : most, most);
    }
    t->ops = 2.0 * s->x.n * s->oh * s->ow * s->x.c * s->taps * s->taps;
    snprintf(t->shape, sizeof t->shape, "%d taps %s %d @%dx%d", s->taps, s->type == IPU_U8 ? "u8" : "s16", s->x.c,
             s->oh, s->ow);
    return ca_run(t);
}

void ca_resize(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 700; i++) {
        const shape s = { .x = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 7), ca_range(t, 1, 7),
                                 i < 70 ? i + 1 : ca_range(t, 1, 70) },
                          .oh = ca_range(t, 1, 7),
                          .ow = ca_range(t, 1, 7),
                          .taps = kind == IPU_RESIZE_NEAREST ? 1 : 2 * ca_range(t, 1, 2),
                          .type = kind == IPU_RESIZE_S16 || ca_chance(t, 50) ? IPU_S16 : IPU_U8,
                          .layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE,
                          .data = ca_chance(t, 30) ? CA_EXTREME : CA_ANY };
        if (!run(t, kind, &s))
            return;
    }
}

void ca_resize_bench(ca *t, ipu_kind kind)
{
    const int nearest = kind == IPU_RESIZE_NEAREST;
    const shape twice = { .x = { 1, 28, 28, 64 }, .oh = 56, .ow = 56, .taps = nearest ? 1 : 2, .type = IPU_S16 };
    const shape cubic = {
        .x = { 1, 28, 28, 64 }, .oh = 56, .ow = 56, .taps = nearest ? 1 : 4, .type = nearest ? IPU_U8 : IPU_S16
    };

    if (run(t, kind, &twice))
        run(t, kind, &cubic);
}
