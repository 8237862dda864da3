#include "checkasm.h"

#include <math.h>
#include <stdio.h>

enum { Y, X, SCALE, BIAS };

/* Numbers all over the range, or so close together that their variance is a few units. */
static void fill(ca *t)
{
    const int middle = ca_range(t, -32768, 32767), reach = ca_range(t, 0, 3);
    if (!t->bench && ca_chance(t, 30))
        ca_fill_int(t, X, middle < -32760 ? -32768 : middle - reach, middle > 32760 ? 32767 : middle + reach);
    else
        ca_fill(t, X, !t->bench && ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
}

static int run(ca *t, ca_dims d, enum ca_layout layout)
{
    ipu_layernorm *r = &t->rec.layernorm;

    ca_begin(t, IPU_LAYERNORM_S16, 4, sizeof *r);
    ca_ref(t, Y, IPU_S16, d, layout);
    ca_ref(t, X, IPU_S16, d, layout);
    ca_array(t, SCALE, IPU_F32, t->bench || ca_chance(t, 70) ? d.c : 1);
    ca_array(t, BIAS, IPU_F32, t->bench || ca_chance(t, 70) ? d.c : 1);
    if (!t->bench && ca_chance(t, 20))
        ca_in_place(t, X);
    r->centred = t->bench || ca_chance(t, 70);
    r->epsilon = ca_chance(t, 20) ? 0 : ldexpf((float)ca_range(t, 64, 127), ca_range(t, -20, 90));
    r->out = ca_out(t, IPU_S16);
    ca_place(t, 1u << Y);
    fill(t);
    ca_fill_float(t, SCALE, -9000, 9000);
    ca_fill_float(t, BIAS, -20000, 20000);
    t->ops = 1.0 * d.n * d.h * d.w * d.c;
    snprintf(t->shape, sizeof t->shape, "%dx%dx%d", d.h, d.w, d.c);
    return ca_run(t);
}

void ca_layernorm(ca *t, ipu_kind kind)
{
    (void)kind;
    for (int i = 0; i < 800; i++) {
        const ca_dims d = { ca_chance(t, 80) ? 1 : 2, ca_range(t, 1, 4), ca_range(t, 1, 4),
                            i < 130 ? i + 1 : ca_range(t, 1, 1100) };
        if (!run(t, d, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
    for (int i = 0; i < 12; i++)
        if (!run(t, (ca_dims){ 1, 1, 1, i & 1 ? IPU_LAYERNORM_MOST : 32760 + i }, CA_DENSE))
            return;
}

void ca_layernorm_bench(ca *t, ipu_kind kind)
{
    (void)kind;
    if (run(t, (ca_dims){ 1, 197, 1, 768 }, CA_DENSE))
        run(t, (ca_dims){ 1, 56, 56, 96 }, CA_DENSE);
}
