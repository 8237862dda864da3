#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { Y, X, TABLE };

static void fill_table(ca *t)
{
    for (int i = 0; i <= 1024; i++) {
        const int16_t e = (int16_t)lrint(32767 * exp(-i / 64.0));
        memcpy(t->operand[TABLE].at[0] + 2 * i, &e, 2);
    }
}

static int run(ca *t, ca_dims d, enum ca_layout layout, enum ca_data data, float scale)
{
    ipu_softmax *r = &t->rec.softmax;

    ca_begin(t, IPU_SOFTMAX_S16, 3, sizeof *r);
    ca_ref(t, Y, IPU_S16, d, layout);
    ca_ref(t, X, IPU_S16, d, layout);
    ca_array(t, TABLE, IPU_S16, 1025);
    r->m_in = scale * 4096;
    r->m_out = 32768;
    r->out = (ipu_out){ .lo = -32767, .hi = 32767 };
    ca_place(t, 1u << Y);
    ca_fill(t, X, data);
    fill_table(t);
    t->ops = 1.0 * d.n * d.h * d.w * d.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", d.h, d.w, d.c);
    return ca_run(t);
}

void ca_softmax(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 600; i++) {
        const ca_dims d = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 4), ca_range(t, 1, 4),
                            i < 130 ? i + 1 : ca_range(t, 1, 1100) };
        const float scale = ldexpf((float)ca_range(t, 64, 127) / 128, -ca_range(t, 4, 14));
        if (!run(t, d, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE, ca_chance(t, 20) ? CA_EXTREME : CA_ANY, scale))
            return;
    }
}

void ca_softmax_bench(ca *t, ipu_kind kind)
{
    if (run(t, (ca_dims){ 1, 1, 1, 1000 }, CA_DENSE, CA_ANY, 0.001f))
        run(t, (ca_dims){ 1, 1, 4420, 2 }, CA_DENSE, CA_ANY, 0.001f);
}
