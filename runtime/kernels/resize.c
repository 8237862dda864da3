/* Resizing: the nearest pixel (ARITHMETIC.md 6), weighted sums of 2 or 4 rows and columns (12). */
#include "common.h"

IPU_CHECK(ipu_resize_check)
{
    const ipu_resize *o = (const void *)rec;
    int32_t taps = o->taps;
    if (!ipu_rec_ok(rec, 6, sizeof *o) || o->x.type != o->y.type || o->x.n != o->y.n || o->x.c != o->y.c)
        return 0;
    if (rec->kind == IPU_RESIZE_NEAREST ? taps != 1 : taps != 2 && taps != 4)
        return 0;
    if (!ipu_array(&o->iy, IPU_S32, (int64_t)taps * o->y.h) || !ipu_array(&o->ix, IPU_S32, (int64_t)taps * o->y.w))
        return 0;
    if (rec->kind == IPU_RESIZE_NEAREST)
        return ipu_activation(&o->y) && o->wy.space == IPU_NONE && o->wx.space == IPU_NONE;
    return o->y.type == IPU_S16 && ipu_array(&o->wy, IPU_S16, (int64_t)taps * o->y.h) &&
           ipu_array(&o->wx, IPU_S16, (int64_t)taps * o->y.w) && ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16);
}

IPU_KERNEL(ipu_resize_nearest_c)
{
    const ipu_resize *o = (const void *)rec;
    const int32_t *iy = p[2], *ix = p[3];
    size_t bytes = (size_t)o->y.c * (size_t)ipu_type_bytes(o->y.type);
    for (int32_t y = y0; y < y1; y++) {
        int32_t from = y / o->y.h * o->x.h + iy[y % o->y.h];
        for (int32_t x = 0; x < o->y.w; x++)
            memcpy(ipu_pixel(&o->y, p[0], y, x), ipu_pixel(&o->x, p[1], from, ix[x]), bytes);
    }
}

/* The taps of one row or column. */
typedef struct taps {
    int32_t n;
    const int32_t *index;
    const int16_t *weight;
} taps;

/* Channel c: of image rows from `image` on, the pixels of rows r and columns k. */
static int64_t weighted(const ipu_resize *o, void *x, int32_t image, taps r, taps k, int32_t c)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < r.n; i++)
        for (int32_t j = 0; j < k.n; j++) {
            const int16_t *pixel = ipu_pixel(&o->x, x, image + r.index[i], k.index[j]);
            sum += (int64_t)r.weight[i] * k.weight[j] * pixel[c];
        }
    return sum;
}

IPU_KERNEL(ipu_resize_s16_c)
{
    const ipu_resize *o = (const void *)rec;
    const int32_t *iy = p[2], *ix = p[3];
    const int16_t *wy = p[4], *wx = p[5];
    for (int32_t y = y0; y < y1; y++) {
        int32_t h = y % o->y.h * o->taps;
        const taps rows = { o->taps, iy + h, wy + h };
        for (int32_t x = 0; x < o->y.w; x++) {
            const taps columns = { o->taps, ix + x * o->taps, wx + x * o->taps };
            int16_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                int64_t sum = weighted(o, p[1], y / o->y.h * o->x.h, rows, columns, c);
                to[c] = (int16_t)ipu_requant(ipu_narrow(sum, IPU_RESIZE_SHIFT), o->m, &o->out);
            }
        }
    }
}
