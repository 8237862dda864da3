/* Pictures of brightness and colours. */
#include <stdio.h>

#include "checkasm.h"

enum { Y, LUMA, CHROMA };

static int nv12(ca *t, ipu_kind kind, ca_dims y, enum ca_layout layout)
{
    ca_begin(t, kind, 3, sizeof t->rec.nv12);
    ca_ref(t, Y, IPU_U8, y, layout);
    ca_ref(t, LUMA, IPU_U8, (ca_dims){ y.n, y.h, y.w, 1 }, layout);
    ca_ref(t, CHROMA, IPU_U8, (ca_dims){ y.n, (y.h + 1) / 2, (y.w + 1) / 2, 2 }, layout);
    ca_place(t, 1u << Y);
    ca_fill(t, LUMA, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    ca_fill(t, CHROMA, ca_chance(t, 30) ? CA_EXTREME : CA_ANY);
    t->ops = 9.0 * y.n * y.h * y.w;
    snprintf(t->shape, sizeof t->shape, "%d of %dx%d", y.n, y.h, y.w);
    return ca_run(t);
}

void ca_nv12(ca *t, ipu_kind kind)
{
    for (int i = 0; i < 500; i++) {
        const ca_dims y = { ca_range(t, 1, 3), ca_range(t, 1, 9), ca_range(t, 1, 70), 3 };
        if (!nv12(t, kind, y, ca_chance(t, 50) ? CA_LOOSE : CA_DENSE))
            return;
    }
}

void ca_nv12_bench(ca *t, ipu_kind kind)
{
    nv12(t, kind, (ca_dims){ 1, 640, 640, 3 }, CA_DENSE);
}
