/* Rows in the order of an index: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_gather_check)
{
    const ipu_gather *o = (const void *)rec;
    const ipu_ref *i = &o->index;
    const int type = i->type == IPU_U8 || i->type == IPU_S16 || i->type == IPU_U16 || i->type == IPU_S32;
    return ipu_rec_ok(rec, 3, sizeof *o) && type && o->y.type == o->x.type && o->y.n == o->x.n && o->y.w == o->x.w &&
           o->y.c == o->x.c && i->n == 1 && i->h == 1 && i->w == 1 && i->c == o->y.h;
}

static int32_t index_at(int type, const void *p, int32_t k)
{
    switch (type) {
    case IPU_S32:
        return ((const int32_t *)p)[k];
    case IPU_U16:
        return ((const uint16_t *)p)[k];
    default:
        return ipu_get(type, p, k);
    }
}

IPU_KERNEL(ipu_gather_c)
{
    const ipu_gather *o = (const void *)rec;
    const size_t bytes = (size_t)o->y.c * (size_t)ipu_type_bytes(o->y.type);
    for (int32_t y = y0; y < y1; y++) {
        const int32_t row = ipu_row(index_at(o->index.type, p[2], y % o->y.h), o->x.h);
        for (int32_t x = 0; x < o->y.w; x++)
            memcpy(ipu_pixel(&o->y, p[0], y, x), ipu_pixel(&o->x, p[1], y / o->y.h * o->x.h + row, x), bytes);
    }
}
