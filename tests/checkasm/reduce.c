#include "checkasm.h"

#include <stdio.h>

enum { Y, X };

static ca_dims gathered(ca *t, ca_dims d, int percent)
{
    int32_t *axis[] = { &d.n, &d.h, &d.w, &d.c };
    for (int i = 0; i < 4; i++)
        if (ca_chance(t, percent))
            *axis[i] = 1;
    return d;
}

static int run(ca *t, ipu_kind kind, ca_dims x, ca_dims y, enum ca_layout layout, enum ca_data data)
{
    static const int types[] = { IPU_U8, IPU_S16, IPU_S32 };
    const int sum = kind == IPU_REDUCE_SUM_S16, type = sum                          ? IPU_S16
                                                       : kind == IPU_REDUCE_SUM_S32 ? IPU_S32
                                                                                    : types[ca_range(t, 0, 2)];
    ipu_reduce *r = &t->rec.reduce;
    const double count = 1.0 * x.n * x.h * x.w * x.c / y.n / y.h / y.w / y.c;

    ca_begin(t, kind, 2, sizeof *r);
    ca_ref(t, Y, type, y, layout);
    ca_ref(t, X, type, x, layout);
    if (sum) {
        r->shift = count > 65535 ? 1 : ca_chance(t, 20) ? ca_range(t, 1, 9) : 0;
        r->m = (float)(0.02 * ca_range(t, 1, 100) / count * (double)(1 << r->shift));
        r->out = ca_out(t, IPU_S16);
    }
    ca_place(t, 1u << Y);
    ca_fill(t, X, data);
    if (data == CA_EXTREME && ca_chance(t, 40) && type != IPU_S32)
        ca_fill_int(t, X, type == IPU_S16 ? -32768 : 255, type == IPU_S16 ? -32768 : 255);
    t->ops = 1.0 * x.n * x.h * x.w * x.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d to %dx%dx%d", x.h, x.w, x.c, y.h, y.w, y.c);
    return ca_run(t);
}

void ca_reduce(ca *t, ipu_kind kind)
{
    const ca_dims long_row = { 1, 1, 1, 140000 }, long_map = { 1, 300, 300, 3 };
    for (int i = 0; i < 900; i++) {
        const ca_dims x = { ca_chance(t, 80) ? 1 : 3, ca_range(t, 1, 6), ca_range(t, 1, 6),
                            i < 130 ? i + 1 : ca_range(t, 1, 130) };
        if (!run(t, kind, x, gathered(t, x, 50), ca_chance(t, 50) ? CA_LOOSE : CA_DENSE,
                 ca_chance(t, 30) ? CA_EXTREME : CA_ANY))
            return;
    }
    if (run(t, kind, long_row, (ca_dims){ 1, 1, 1, 1 }, CA_DENSE, CA_EXTREME))
        run(t, kind, long_map, (ca_dims){ 1, 1, 1, 3 }, CA_DENSE, CA_EXTREME);
}

void ca_reduce_bench(ca *t, ipu_kind kind)
{
    if (run(t, kind, (ca_dims){ 1, 14, 14, 96 }, (ca_dims){ 1, 1, 1, 96 }, CA_DENSE, CA_ANY))
        run(t, kind, (ca_dims){ 1, 14, 14, 96 }, (ca_dims){ 1, 14, 14, 1 }, CA_DENSE, CA_ANY);
}

void ca_argmax(ca *t, ipu_kind kind)
{
    static const int types[] = { IPU_U8, IPU_S16, IPU_S32 };
    for (int i = 0; i < 600; i++) {
        const ca_dims x = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 4), ca_range(t, 1, 4),
                            i < 130 ? i + 1 : ca_range(t, 1, 300) };
        const enum ca_layout layout = ca_chance(t, 50) ? CA_LOOSE : CA_DENSE;
        ca_begin(t, kind, 2, sizeof t->rec.argmax);
        ca_ref(t, Y, IPU_S32, (ca_dims){ x.n, x.h, x.w, 1 }, layout);
        ca_ref(t, X, types[ca_range(t, 0, 2)], x, layout);
        t->rec.argmax.sign = ca_chance(t, 50) ? 1 : -1;
        t->rec.argmax.last = ca_chance(t, 50);
        ca_place(t, 1u << Y);
        ca_fill(t, X, ca_chance(t, 50) ? CA_EXTREME : CA_ANY); /* extremes: many equals */
        t->ops = 1.0 * x.n * x.h * x.w * x.c;
        snprintf(t->shape, sizeof t->shape, "%dx%dx%d", x.h, x.w, x.c);
        if (!ca_run(t))
            return;
    }
}

void ca_argmax_bench(ca *t, ipu_kind kind)
{
    ca_begin(t, kind, 2, sizeof t->rec.argmax);
    ca_ref(t, Y, IPU_S32, (ca_dims){ 1, 64, 64, 1 }, CA_DENSE);
    ca_ref(t, X, IPU_S16, (ca_dims){ 1, 64, 64, 21 }, CA_DENSE);
    t->rec.argmax.sign = 1;
    ca_place(t, 1u << Y);
    ca_fill(t, X, CA_ANY);
    t->ops = 64 * 64 * 21;
    snprintf(t->shape, sizeof t->shape, "64x64x21");
    ca_run(t);
}
