#include "checkasm.h"

#include <stdio.h>

enum { Y, X };

static int run(ca *t, ca_dims x, enum ca_layout layout)
{
    const int type = ca_chance(t, 70) ? IPU_S16 : IPU_S32;
    ca_begin(t, IPU_CUMSUM, 2, sizeof t->rec.cumsum);
    ca_ref(t, Y, type, x, layout);
    ca_ref(t, X, type, x, layout);
    t->rec.cumsum.exclusive = ca_range(t, 0, 1);
    t->rec.cumsum.reverse = ca_range(t, 0, 1);
    if (type == IPU_S16) {
        t->rec.cumsum.shift = ca_chance(t, 50) ? 0 : ca_range(t, 1, 9);
        t->rec.cumsum.m = 0.002f * (float)ca_range(t, 1, 1000);
        t->rec.cumsum.out = ca_out(t, IPU_S16);
    }
    ca_place(t, 1u << Y);
    ca_fill(t, X, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    t->ops = 1.0 * x.n * x.h * x.w * x.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", x.h, x.w, x.c);
    return ca_run(t);
}

void ca_cumsum(ca *t, ipu_kind kind)
{
    (void)kind;
    for (int i = 0; i < 600; i++) {
        const ca_dims x = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 6), ca_range(t, 1, 6),
                            i < 130 ? i + 1 : ca_range(t, 1, 130) };
        if (!run(t, x, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
}

void ca_cumsum_bench(ca *t, ipu_kind kind)
{
    (void)kind;
    run(t, (ca_dims){ 1, 56, 56, 24 }, CA_DENSE);
}
