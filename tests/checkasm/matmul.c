#include "checkasm.h"

#include <stdio.h>

enum { Y, A, B };

/* n and w: matrices; each operand has its own or one for all. */
typedef struct shape {
    int32_t n, w, rows, products, columns, turned;
} shape;

static int run(ca *t, ipu_kind kind, shape s, enum ca_layout layout, enum ca_data data)
{
    const int32_t turned = s.turned;
    ipu_matmul *r = &t->rec.matmul;

    ca_begin(t, kind, 3, sizeof *r);
    ca_ref(t, Y, IPU_S16, (ca_dims){ s.n, s.rows, s.w, s.columns }, layout);
    ca_ref(t, A, IPU_S16, (ca_dims){ ca_chance(t, 30) ? 1 : s.n, s.rows, ca_chance(t, 30) ? 1 : s.w, s.products },
           layout);
    ca_ref(t, B, IPU_S16,
           (ca_dims){ ca_chance(t, 30) ? 1 : s.n, turned ? s.columns : s.products, ca_chance(t, 30) ? 1 : s.w,
                      turned ? s.products : s.columns },
           layout);
    r->turned = turned;
    r->m = 1e-8f * (float)ca_range(t, 1, 6000) / (float)s.products;
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    for (int i = A; i <= B; i++) {
        ca_fill(t, i, data);
        if (data == CA_EXTREME && ca_chance(t, 40))
            ca_fill_int(t, i, -32768, -32768);
    }
    t->ops = 2.0 * s.n * s.w * s.rows * s.products * s.columns;
    snprintf(t->shape, sizeof t->shape, "%dx %dx%dx%d%s", s.n * s.w, s.rows, s.products, s.columns,
             turned ? " turned" : "");
    return ca_run(t);
}

void ca_matmul(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 600; i++) {
        const shape s = { ca_range(t, 1, 3), ca_range(t, 1, 3), ca_range(t, 1, 4),
                          i < 130 ? i + 1 : ca_range(t, 1, 130), i < 130 ? 131 - i : ca_range(t, 1, 70), ca_chance(t, 50) };
        if (!run(t, kind, s, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE, ca_chance(t, 30) ? CA_EXTREME : CA_ANY))
            return;
    }
    for (int i = 0; i < 8; i++) /* long sums: more than what one vector of partial sums holds */
        if (!run(t, kind, (shape){ 1, 1, 1, 131072 + i * 3, 1 + i % 2, i >> 1 & 1 }, CA_DENSE, i < 4 ? CA_EXTREME : CA_ANY))
            return;
}

void ca_matmul_bench(ca *t, ipu_kind kind)
{
    if (run(t, kind, (shape){ 3, 1, 197, 64, 197, 1 }, CA_DENSE, CA_ANY))
        run(t, kind, (shape){ 3, 1, 197, 197, 64, 0 }, CA_DENSE, CA_ANY);
}
