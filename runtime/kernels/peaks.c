/* Where the maxima of a pool's windows stand: ARITHMETIC.md 6. */
#include "common.h"

IPU_CHECK(ipu_peaks_check)
{
    const ipu_peaks *o = (const void *)rec;
    const ipu_ref *x = &o->x, *y = &o->y;
    if (!ipu_rec_ok(rec, 2, sizeof *o) || !ipu_activation(x) || y->type != IPU_S32 || y->n != x->n || y->c != x->c)
        return 0;
    const int64_t pixels = (int64_t)x->h * x->w, maps = (int64_t)x->n * x->c;
    return pixels <= INT32_MAX && maps <= INT32_MAX && pixels * maps <= INT32_MAX && ipu_between(o->by_columns, 0, 1) &&
           ipu_window_ok(o->kh, o->sy, o->dy, o->py, y->h) && ipu_window_ok(o->kw, o->sx, o->dx, o->px, y->w);
}

typedef struct spot {
    int32_t row, column;
} spot;

/* Of equals the first, rows before columns; a window that sees no pixel gives the first of the map. */
static spot best_of(const ipu_peaks *o, void *x, int32_t image, spot corner, int32_t c)
{
    int32_t best = INT32_MIN;
    spot at = { 0, 0 };
    for (int32_t i = 0; i < o->kh; i++)
        for (int32_t j = 0; j < o->kw; j++) {
            const spot s = { corner.row + i * o->dy, corner.column + j * o->dx };
            if (s.row < 0 || s.row >= o->x.h || s.column < 0 || s.column >= o->x.w)
                continue;
            const int32_t q = ipu_get(o->x.type, ipu_pixel(&o->x, x, image * o->x.h + s.row, s.column), c);
            if (q > best) {
                best = q;
                at = s;
            }
        }
    return at;
}

IPU_KERNEL(ipu_maxpool_index_c)
{
    const ipu_peaks *o = (const void *)rec;
    const int32_t h = o->x.h, w = o->x.w;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t image = y / o->y.h;
        for (int32_t x = 0; x < o->y.w; x++) {
            const spot corner = { y % o->y.h * o->sy - o->py, x * o->sx - o->px };
            int32_t *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                const spot s = best_of(o, p[1], image, corner, c);
                to[c] = (image * o->y.c + c) * h * w + (o->by_columns ? s.column * h + s.row : s.row * w + s.column);
            }
        }
    }
}
