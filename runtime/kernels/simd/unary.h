/* The walk of functions of one tensor, operand 1, into operand 0: runs of elements side by side. */
#ifndef IPU_SIMD_UNARY_H
#define IPU_SIMD_UNARY_H

#include "simd.h"

typedef void unary_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n);

/* flat: a run may go over a whole row where pixels lie side by side. */
IPU_INLINE void unary_rows(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, unary_run *run, int flat)
{
    const ipu_ref *y = (const ipu_ref *)(const void *)(rec + 1), *x = y + 1;
    const int whole = flat && (y->w == 1 || (y->pix == y->c * y->step && x->pix == x->c * x->step));
    const int32_t runs = whole ? 1 : y->w;

    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / y->h, h = row % y->h;
        uint8_t *py = (uint8_t *)p[0] + (ptrdiff_t)n * y->img + (ptrdiff_t)h * y->row;
        const uint8_t *px = (const uint8_t *)p[1] + (ptrdiff_t)n * x->img + (ptrdiff_t)h * x->row;
        for (int32_t i = 0; i < runs; i++, py += y->pix, px += x->pix)
            run(rec, p, py, px, whole ? (int64_t)y->w * y->c : y->c);
    }
}

#endif
