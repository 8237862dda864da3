#include "checkasm.h"

#include <stdio.h>

enum { Y, FIRST };

/* Each axis of an operand is the result's or, now and then, 1. */
static ca_dims repeated(ca *t, ca_dims d)
{
    int32_t *axis[] = { &d.n, &d.h, &d.w, &d.c };
    for (int i = 0; i < 4; i++)
        if (ca_chance(t, 20))
            *axis[i] = 1;
    return d;
}

static void parameters(ca *t, ipu_kind kind)
{
    const float ma = 0.02f * (float)ca_range(t, 1, 100), mb = ca_chance(t, 30) ? ma : 0.02f * (float)ca_range(t, 1, 100);
    if (kind == IPU_WHERE_S16) {
        t->rec.where.ma = ma;
        t->rec.where.mb = mb;
        t->rec.where.out = ca_out(t, IPU_S16);
    } else if (kind == IPU_COMPARE_S16) {
        t->rec.compare.ma = ma;
        t->rec.compare.mb = mb;
        t->rec.compare.mode = ca_range(t, 0, IPU_COMPARE_MODES - 1);
    } else if (kind == IPU_LOGIC) {
        t->rec.compare.mode = ca_range(t, 0, IPU_LOGIC_MODES - 1);
    }
}

static int run(ca *t, ipu_kind kind, ca_dims y, enum ca_layout layout)
{
    static const int types[] = { IPU_U8, IPU_S16, IPU_S32 };
    const int where = kind == IPU_WHERE_S16 || kind == IPU_CHOOSE, operands = where ? 4 : 3;
    const int type = kind == IPU_CHOOSE ? types[ca_range(t, 0, 2)] : IPU_S16;
    ca_begin(t, kind, operands, where ? sizeof t->rec.where : sizeof t->rec.compare);
    ca_ref(t, Y, where ? type : IPU_U8, y, layout);
    for (int i = FIRST; i < operands; i++)
        ca_ref(t, i, kind == IPU_LOGIC || (where && i == FIRST) ? IPU_U8 : type, t->bench ? y : repeated(t, y), layout);
    parameters(t, kind);
    ca_place(t, 1u << Y);
    for (int i = FIRST; i < operands; i++)
        if (kind == IPU_LOGIC || (where && i == FIRST))
            ca_fill_int(t, i, 0, ca_chance(t, 80) ? 1 : 255);
        else if (ca_chance(t, 50))
            ca_fill_int(t, i, type == IPU_U8 ? 0 : -3, 3); /* equals */
        else
            ca_fill(t, i, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    t->ops = 1.0 * y.n * y.h * y.w * y.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", y.h, y.w, y.c);
    return ca_run(t);
}

void ca_truth(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 600; i++) {
        const ca_dims y = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 6), ca_range(t, 1, 6), i < 130 ? i + 1 : ca_range(t, 1, 130) };
        if (!run(t, kind, y, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
}

void ca_truth_bench(ca *t, ipu_kind kind)
{
    run(t, kind, (ca_dims){ 1, 56, 56, 24 }, CA_DENSE);
}
