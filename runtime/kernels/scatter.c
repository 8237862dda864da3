/* Rows put where an index points, or combined with what is there: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_scatter_check)
{
    const ipu_scatter *o = (const void *)rec;
    const ipu_ref *i = &o->index, *y = &o->y;
    if (!ipu_rec_ok(rec, 4, sizeof *o) || !ipu_between(o->mode, 0, IPU_SCATTER_MODES - 1) || i->type != IPU_S32 ||
        i->n != 1 || i->h != 1 || i->w != 1 || y->n != 1 || y->w != 1 || !ipu_same_shape(&o->x, y))
        return 0;
    if (o->x.type != y->type || o->u.type != y->type || o->u.n != 1 || o->u.h != i->c || o->u.w != 1 || o->u.c != y->c)
        return 0;
    switch (o->mode) {
    case IPU_SCATTER_REPLACE:
        return 1;
    case IPU_SCATTER_ADD:
        return y->type == IPU_S32;
    case IPU_SCATTER_MUL:
        return y->type == IPU_S32 || (y->type == IPU_S16 && ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16));
    default:
        return ipu_activation(y) || y->type == IPU_S32;
    }
}

/* Integers of 32 bits have no scale. */
static int32_t combined(const ipu_scatter *o, int32_t y, int32_t u)
{
    switch (o->mode) {
    case IPU_SCATTER_ADD:
        return (int32_t)((uint32_t)y + (uint32_t)u);
    case IPU_SCATTER_MUL:
        return o->y.type == IPU_S32 ? (int32_t)((uint32_t)y * (uint32_t)u) : ipu_requant(y * u, o->m, &o->out);
    case IPU_SCATTER_MAX:
        return y > u ? y : u;
    default:
        return y < u ? y : u;
    }
}

static void put(const ipu_scatter *o, void *y, const void *u)
{
    if (o->mode == IPU_SCATTER_REPLACE) {
        memcpy(y, u, (size_t)o->y.c * (size_t)ipu_type_bytes(o->y.type));
        return;
    }
    for (int32_t c = 0; c < o->y.c; c++)
        ipu_put_integer(o->y.type, y, c,
                        combined(o, ipu_get_integer(o->y.type, y, c), ipu_get_integer(o->y.type, u, c)));
}

IPU_KERNEL(ipu_scatter_c)
{
    const ipu_scatter *o = (const void *)rec;
    const int32_t *index = p[2];
    for (int32_t y = y0; y < y1; y++)
        memcpy(ipu_pixel(&o->y, p[0], y, 0), ipu_pixel(&o->x, p[1], y, 0),
               (size_t)o->y.c * (size_t)ipu_type_bytes(o->y.type));
    for (int32_t k = 0; k < o->index.c; k++) {
        const int32_t y = ipu_row(index[k], o->y.h);
        if (y >= y0 && y < y1)
            put(o, ipu_pixel(&o->y, p[0], y, 0), ipu_pixel(&o->u, p[3], k, 0));
    }
}
