#include "checkasm.h"

#include <stdio.h>

enum { Y, A, B };

/* Each axis of an operand is the result's or, now and then, 1. */
static ca_dims repeated(ca *t, ca_dims d)
{
    int32_t *axis[] = { &d.n, &d.h, &d.w, &d.c };
    for (int i = 0; i < 4; i++)
        if (!t->bench && ca_chance(t, 20))
            *axis[i] = 1;
    return d;
}

static int run(ca *t, ca_dims y, enum ca_layout layout)
{
    ipu_mod *r = &t->rec.mod;
    ca_begin(t, IPU_MOD_S16, 3, sizeof *r);
    ca_ref(t, Y, IPU_S16, y, layout);
    ca_ref(t, A, IPU_S16, repeated(t, y), layout);
    ca_ref(t, B, IPU_S16, repeated(t, y), layout);
    r->truncated = ca_chance(t, 50);
    r->ma = r->mb = IPU_MOD_ONE;
    *(ca_chance(t, 50) ? &r->ma : &r->mb) = ca_range(t, 0, IPU_MOD_ONE);
    r->m = 1e-5f * (float)ca_range(t, 1, 10);
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    for (int i = A; i <= B; i++)
        if (ca_chance(t, 30))
            ca_fill_int(t, i, -3, 3); /* divisors 0 and -1 */
        else
            ca_fill(t, i, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    t->ops = 1.0 * y.n * y.h * y.w * y.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", y.h, y.w, y.c);
    return ca_run(t);
}

void ca_mod(ca *t, ipu_kind kind)
{
    (void)kind;
    for (int i = 0; i < 500; i++) {
        const ca_dims y = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 6), ca_range(t, 1, 6),
                            i < 130 ? i + 1 : ca_range(t, 1, 130) };
        if (!run(t, y, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
}

void ca_mod_bench(ca *t, ipu_kind kind)
{
    (void)kind;
    run(t, (ca_dims){ 1, 56, 56, 24 }, CA_DENSE);
}
