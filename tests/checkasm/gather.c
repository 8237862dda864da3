#include "checkasm.h"

#include <stdio.h>

enum { Y, X, INDEX };

static int run(ca *t, ipu_kind kind, ca_dims x, int32_t count, enum ca_layout layout)
{
    static const int types[] = { IPU_U8, IPU_S16, IPU_S32, IPU_F32 }, indices[] = { IPU_U8, IPU_S16, IPU_U16, IPU_S32 };
    const int type = types[ca_range(t, 0, 3)], index = indices[ca_range(t, 0, 3)];

    ca_begin(t, kind, 3, sizeof t->rec.gather);
    ca_ref(t, Y, type, (ca_dims){ x.n, count, x.w, x.c }, layout);
    ca_ref(t, X, type, x, layout);
    ca_ref(t, INDEX, index, (ca_dims){ 1, 1, 1, count }, CA_DENSE);
    ca_place(t, 1u << Y);
    if (type == IPU_F32)
        ca_fill_float(t, X, -1, 1);
    else
        ca_fill(t, X, CA_ANY);
    if (ca_chance(t, 20))
        ca_fill(t, INDEX, CA_EXTREME); /* outside */
    else
        ca_fill_int(t, INDEX, index == IPU_U8 || index == IPU_U16 ? 0 : -x.h - 1, x.h);
    t->ops = 1.0 * x.n * count * x.w * x.c;
    snprintf(t->shape, sizeof t->shape, "%d rows of %dx%dx%d", count, x.h, x.w, x.c);
    return ca_run(t);
}

void ca_gather(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 500; i++) {
        const ca_dims x = { ca_chance(t, 70) ? 1 : 2, ca_range(t, 1, 40), ca_range(t, 1, 4), ca_range(t, 1, 70) };
        if (!run(t, kind, x, ca_range(t, 1, 30), ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
}

void ca_gather_bench(ca *t, ipu_kind kind)
{
    run(t, kind, (ca_dims){ 1, 1000, 1, 384 }, 128, CA_DENSE);
}
