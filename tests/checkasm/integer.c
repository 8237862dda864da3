#include "checkasm.h"

#include <stdio.h>

enum { Y, A, B, X = 1 };

static int random_type(ca *t)
{
    static const int types[] = { IPU_U8, IPU_S16, IPU_S32 };
    return types[ca_range(t, 0, 2)];
}

/* Each axis of an operand is the result's or, now and then, 1. */
static ca_dims repeated(ca *t, ca_dims d)
{
    int32_t *axis[] = { &d.n, &d.h, &d.w, &d.c };
    for (int i = 0; i < 4; i++)
        if (ca_chance(t, 20))
            *axis[i] = 1;
    return d;
}

static int run_integer(ca *t, ca_dims y, enum ca_layout layout)
{
    const int type = random_type(t);
    ca_begin(t, IPU_INTEGER, 3, sizeof t->rec.integer);
    t->rec.integer.mode = ca_range(t, 0, IPU_INTEGER_MODES - 1);
    ca_ref(t, Y, t->rec.integer.mode < IPU_INTEGER_LESS ? type : IPU_U8, y, layout);
    for (int i = A; i <= B; i++)
        ca_ref(t, i, type, t->bench ? y : repeated(t, y), layout);
    ca_place(t, 1u << Y);
    for (int i = A; i <= B; i++)
        if (ca_chance(t, 50))
            ca_fill_int(t, i, type == IPU_U8 ? 0 : -3, 3); /* equals, divisors 0 and -1 */
        else
            ca_fill(t, i, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    t->ops = 1.0 * y.n * y.h * y.w * y.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", y.h, y.w, y.c);
    return ca_run(t);
}

static int run_convert(ca *t, ipu_kind kind, ca_dims y, enum ca_layout layout)
{
    ca_begin(t, kind, 2, sizeof t->rec.convert);
    ca_ref(t, Y, kind == IPU_TO_REAL ? IPU_S16 : random_type(t), y, layout);
    ca_ref(t, X, kind == IPU_TO_INTEGER ? IPU_S16 : random_type(t), y, layout);
    if (kind != IPU_CONVERT)
        t->rec.convert.m = ca_chance(t, 20) ? 1e30f : 0.02f * (float)ca_range(t, 1, 100);
    if (kind == IPU_TO_REAL)
        t->rec.convert.out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    ca_fill(t, X, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    t->ops = 1.0 * y.n * y.h * y.w * y.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", y.h, y.w, y.c);
    return ca_run(t);
}

void ca_integer(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 600; i++) {
        const ca_dims y = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 6), ca_range(t, 1, 6),
                            i < 130 ? i + 1 : ca_range(t, 1, 130) };
        const enum ca_layout layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE;
        if (kind == IPU_INTEGER ? !run_integer(t, y, layout) : !run_convert(t, kind, y, layout))
            return;
    }
}

void ca_integer_bench(ca *t, ipu_kind kind)
{
    const ca_dims y = { 1, 56, 56, 24 };
    if (kind == IPU_INTEGER)
        run_integer(t, y, CA_DENSE);
    else
        run_convert(t, kind, y, CA_DENSE);
}
