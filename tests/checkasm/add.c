#include "checkasm.h"

#include <stdio.h>

enum { Y, A, B };

static int run(ca *t, ca_dims y, ca_dims b, enum ca_layout layout, enum ca_data data)
{
    ipu_add *r = &t->rec.add;

    ca_begin(t, IPU_ADD_S16, 3, sizeof *r);
    ca_ref(t, Y, IPU_S16, y, layout);
    ca_ref(t, A, IPU_S16, y, layout);
    ca_ref(t, B, IPU_S16, b, layout);
    if (!t->bench && ca_chance(t, 20))
        ca_in_place(t, A);
    r->ma = 0.02f * (float)ca_range(t, 1, 100);
    r->mb = 0.02f * (float)ca_range(t, 1, 100);
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    ca_fill(t, A, data);
    ca_fill(t, B, data);
    t->ops = 1.0 * y.n * y.h * y.w * y.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d + %dx%dx%d", y.h, y.w, y.c, b.h, b.w, b.c);
    return ca_run(t);
}

void ca_add(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 1000; i++) {
        const ca_dims y = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 6), ca_range(t, 1, 6),
                            i < 130 ? i + 1 : ca_range(t, 1, 130) };
        const ca_dims b = { ca_chance(t, 50) ? y.n : 1, ca_chance(t, 60) ? y.h : 1, ca_chance(t, 60) ? y.w : 1,
                            ca_chance(t, 70) ? y.c : 1 };
        if (!run(t, y, i < 130 ? y : b, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE, ca_chance(t, 30) ? CA_EXTREME : CA_ANY))
            return;
    }
}

void ca_add_bench(ca *t, ipu_kind kind)
{
    const ca_dims big = { 1, 56, 56, 24 }, deep = { 1, 14, 14, 96 }, bias = { 1, 1, 1, 96 };
    if (run(t, big, big, CA_DENSE, CA_ANY) && run(t, deep, deep, CA_DENSE, CA_ANY))
        run(t, deep, bias, CA_DENSE, CA_ANY);
}
