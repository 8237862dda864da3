#include "checkasm.h"

#include <stdio.h>

enum { Y, A, B };

static int run(ca *t, ipu_kind kind, const ca_dims d[3], enum ca_layout layout, enum ca_data data)
{
    ipu_arith *r = &t->rec.arith;

    ca_begin(t, kind, 3, sizeof *r);
    for (int i = Y; i <= B; i++)
        ca_ref(t, i, IPU_S16, d[i], layout);
    const int whole = ca_chance(t, 50) ? A : B;
    if (!t->bench && ca_chance(t, 20) && d[whole].n == d[Y].n && d[whole].h == d[Y].h && d[whole].w == d[Y].w &&
        d[whole].c == d[Y].c)
        ca_in_place(t, whole);
    r->ma = 0.02f * (float)ca_range(t, 1, 100) * (kind == IPU_MUL_S16 ? 1e-4f : kind == IPU_DIV_S16 ? 1e4f : 1);
    r->mb = 0.02f * (float)ca_range(t, 1, 100) * (kind == IPU_ADD_S16 && ca_chance(t, 50) ? -1 : 1);
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    for (int i = A; i <= B; i++) {
        ca_fill(t, i, data);
        if (data == CA_ANY && ca_chance(t, 30))
            ca_fill_int(t, i, -3, 3); /* small divisors, zero among them; products that are no multiple of a step */
    }
    t->ops = 1.0 * d[Y].n * d[Y].h * d[Y].w * d[Y].c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d of %dx%dx%d, %dx%dx%d", d[Y].h, d[Y].w, d[Y].c, d[A].h, d[A].w,
             d[A].c, d[B].h, d[B].w, d[B].c);
    return ca_run(t);
}

/* Each axis of y: both operands have it, or one of them has 1 there. */
static void repeat(ca *t, ca_dims d[3])
{
    int32_t *axis[3][4];
    for (int i = 0; i < 3; i++) {
        axis[i][0] = &d[i].n, axis[i][1] = &d[i].h, axis[i][2] = &d[i].w, axis[i][3] = &d[i].c;
        d[i] = d[Y];
    }
    for (int k = 0; k < 4; k++)
        if (ca_chance(t, 40))
            *axis[ca_range(t, A, B)][k] = 1;
}

void ca_arith(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 1000; i++) {
        ca_dims d[3] = { { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 6), ca_range(t, 1, 6),
                           i < 130 ? i + 1 : ca_range(t, 1, 130) } };
        d[A] = d[B] = d[Y];
        if (i >= 130)
            repeat(t, d);
        if (!run(t, kind, d, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE, ca_chance(t, 30) ? CA_EXTREME : CA_ANY))
            return;
    }
}

void ca_arith_bench(ca *t, ipu_kind kind)
{
    const ca_dims big = { 1, 56, 56, 24 }, deep = { 1, 14, 14, 96 }, bias = { 1, 1, 1, 96 };
    if (run(t, kind, (ca_dims[]){ big, big, big }, CA_DENSE, CA_ANY) &&
        run(t, kind, (ca_dims[]){ deep, deep, deep }, CA_DENSE, CA_ANY))
        run(t, kind, (ca_dims[]){ deep, deep, bias }, CA_DENSE, CA_ANY);
}
