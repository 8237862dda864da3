#include "checkasm.h"

#include <stdio.h>

enum { Y, X };

/* Windows may lie wholly outside: then the first pixel counts. */
static int run(ca *t, ca_dims x, int32_t oh, int32_t ow, int32_t kernel, enum ca_layout layout)
{
    ipu_peaks *r = &t->rec.peaks;
    ca_begin(t, IPU_MAXPOOL_INDEX, 2, sizeof *r);
    ca_ref(t, Y, IPU_S32, (ca_dims){ x.n, oh, ow, x.c }, layout);
    ca_ref(t, X, ca_chance(t, 50) ? IPU_S16 : IPU_U8, x, layout);
    r->kh = kernel, r->kw = t->bench ? kernel : ca_range(t, 1, 4);
    r->sy = r->sx = r->dy = r->dx = 2;
    if (!t->bench) {
        r->sy = ca_range(t, 1, 3), r->sx = ca_range(t, 1, 3), r->dy = ca_range(t, 1, 3), r->dx = ca_range(t, 1, 3);
        r->py = ca_range(t, 0, 3), r->px = ca_range(t, 0, 3);
    }
    r->by_columns = ca_chance(t, 50);
    ca_place(t, 1u << Y);
    ca_fill(t, X, ca_chance(t, 50) ? CA_EXTREME : CA_ANY); /* extremes: many equals */
    t->ops = 1.0 * x.n * oh * ow * x.c * r->kh * r->kw;
    snprintf(t->shape, sizeof t->shape, "%dx%d of %dx%dx%d", r->kh, r->kw, x.h, x.w, x.c);
    return ca_run(t);
}

void ca_peaks(ca *t, ipu_kind kind)
{
    (void)kind;
    for (int i = 0; i < 500; i++) {
        const ca_dims x = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 9), ca_range(t, 1, 9), ca_range(t, 1, 40) };
        if (!run(t, x, ca_range(t, 1, 6), ca_range(t, 1, 6), ca_range(t, 1, 4), ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
}

void ca_peaks_bench(ca *t, ipu_kind kind)
{
    (void)kind;
    run(t, (ca_dims){ 1, 112, 112, 64 }, 56, 56, 2, CA_DENSE);
}
