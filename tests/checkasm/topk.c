#include "checkasm.h"

#include <stdio.h>

enum { Y, X, INDEX };

static int run_topk(ca *t, ipu_kind kind, ca_dims x, int32_t k, enum ca_layout layout)
{
    static const int types[] = { IPU_U8, IPU_S16, IPU_S32 };
    const int type = types[ca_range(t, 0, 2)];
    ca_begin(t, kind, 2, sizeof t->rec.topk);
    ca_ref(t, Y, ca_chance(t, 50) ? IPU_S32 : type, (ca_dims){ x.n, x.h, x.w, k }, layout);
    ca_ref(t, X, type, x, layout);
    t->rec.topk.sign = ca_chance(t, 50) ? 1 : -1;
    ca_place(t, 1u << Y);
    ca_fill(t, X, ca_chance(t, 50) ? CA_EXTREME : CA_ANY); /* extremes: many equals */
    t->ops = 1.0 * x.n * x.h * x.w * x.c;
    snprintf(t->shape, sizeof t->shape, "%d of %dx%dx%d", k, x.h, x.w, x.c);
    return ca_run(t);
}

static int run_take(ca *t, ipu_kind kind, ca_dims x, int32_t count, enum ca_layout layout)
{
    static const int types[] = { IPU_U8, IPU_S16, IPU_S32 };
    const int type = types[ca_range(t, 0, 2)];
    ca_begin(t, kind, 3, sizeof t->rec.take);
    ca_ref(t, Y, type, (ca_dims){ x.n, x.h, x.w, count }, layout);
    ca_ref(t, X, type, x, layout);
    ca_ref(t, INDEX, IPU_S32, (ca_dims){ x.n, x.h, x.w, count }, layout);
    ca_place(t, 1u << Y);
    ca_fill(t, X, CA_ANY);
    if (ca_chance(t, 20))
        ca_fill(t, INDEX, CA_ANY); /* outside */
    else
        ca_fill_int(t, INDEX, -x.c - 1, x.c);
    t->ops = 1.0 * x.n * x.h * x.w * count;
    snprintf(t->shape, sizeof t->shape, "%d of %dx%dx%d", count, x.h, x.w, x.c);
    return ca_run(t);
}

void ca_topk(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 500; i++) {
        const ca_dims x = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 4), ca_range(t, 1, 4), ca_range(t, 1, 120) };
        const enum ca_layout layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE;
        if (kind == IPU_TOPK ? !run_topk(t, kind, x, ca_range(t, 1, x.c), layout)
                             : !run_take(t, kind, x, ca_range(t, 1, 60), layout))
            return;
    }
}

void ca_topk_bench(ca *t, ipu_kind kind)
{
    const ca_dims anchors = { 1, 1, 1, 8400 };
    if (kind == IPU_TOPK)
        run_topk(t, kind, anchors, 300, CA_DENSE);
    else
        run_take(t, kind, anchors, 300, CA_DENSE);
}
