#include "checkasm.h"

#include <stdio.h>

enum { Y, X, INDEX, U };

static int run(ca *t, int32_t rows, int32_t count, int32_t c, enum ca_layout layout)
{
    static const int types[] = { IPU_U8, IPU_S16, IPU_S32 };
    const int mode = ca_range(t, 0, IPU_SCATTER_MODES - 1);
    const int type = types[ca_range(t, mode == IPU_SCATTER_ADD ? 2 : mode == IPU_SCATTER_MUL ? 1 : 0, 2)];
    const ca_dims all = { 1, rows, 1, c };
    ca_begin(t, IPU_SCATTER, 4, sizeof t->rec.scatter);
    t->rec.scatter.mode = mode;
    ca_ref(t, Y, type, all, layout);
    ca_ref(t, X, type, all, layout);
    ca_ref(t, INDEX, IPU_S32, (ca_dims){ 1, 1, 1, count }, CA_DENSE);
    ca_ref(t, U, type, (ca_dims){ 1, count, 1, c }, layout);
    if (type != IPU_S32) {
        t->rec.scatter.m = 0.02f * (float)ca_range(t, 1, 100);
        t->rec.scatter.out = ca_out(t, type);
    }
    ca_place(t, 1u << Y);
    ca_fill(t, X, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    ca_fill(t, U, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    if (ca_chance(t, 20))
        ca_fill(t, INDEX, CA_ANY); /* outside */
    else
        ca_fill_int(t, INDEX, -rows - 1, rows); /* some rows twice */
    t->ops = 1.0 * (rows + count) * c;
    snprintf(t->shape, sizeof t->shape, "%d into %dx%d", count, rows, c);
    return ca_run(t);
}

void ca_scatter(ca *t, ipu_kind kind)
{
    (void)kind;
    for (int i = 0; i < 600; i++)
        if (!run(t, ca_range(t, 1, 40), ca_range(t, 1, 40), i < 130 ? i + 1 : ca_range(t, 1, 130),
                 ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
}

void ca_scatter_bench(ca *t, ipu_kind kind)
{
    (void)kind;
    run(t, 8400, 300, 4, CA_DENSE);
}
