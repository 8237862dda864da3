/* The walk of arithmetic of two S16 tensors, either of them repeated: runs of elements side by side. */
#ifndef IPU_SIMD_ARITH_H
#define IPU_SIMD_ARITH_H

#include "simd.h"

/* Strides of an operand that may be repeated: 0 along those axes. */
typedef struct arith_steps {
    ptrdiff_t img, row, pix;
} arith_steps;

IPU_INLINE arith_steps arith_steps_of(const ipu_ref *x)
{
    return (arith_steps){ x->n > 1 ? x->img : 0, x->h > 1 ? x->row : 0, x->w > 1 ? x->pix : 0 };
}

/* Its pixels lie side by side as those of y do. */
IPU_INLINE int arith_flat(const ipu_ref *x, const ipu_ref *y)
{
    return x->w == y->w && x->c == y->c && (x->w == 1 || x->pix == x->c * 2);
}

/* A row's runs, and the one that is next. */
typedef struct arith_walk {
    int32_t runs;
    int64_t n; /* elements of a run */
    arith_steps step_a, step_b;
    uint8_t *y;
    const uint8_t *a, *b;
} arith_walk;

IPU_INLINE arith_walk arith_walk_of(const ipu_arith *r)
{
    const ipu_ref *y = &r->y;
    const int flat = arith_flat(y, y) && arith_flat(&r->a, y) && arith_flat(&r->b, y);

    return (arith_walk){ .runs = flat ? 1 : y->w,
                         .n = flat ? (int64_t)y->w * y->c : y->c,
                         .step_a = arith_steps_of(&r->a),
                         .step_b = arith_steps_of(&r->b) };
}

/* To the first run of row `row` of n*h. */
IPU_INLINE void arith_row(const ipu_arith *r, void *const p[], int32_t row, arith_walk *k)
{
    const int32_t n = row / r->y.h, h = row % r->y.h;

    k->y = (uint8_t *)p[0] + (ptrdiff_t)n * r->y.img + (ptrdiff_t)h * r->y.row;
    k->a = (const uint8_t *)p[1] + n * k->step_a.img + h * k->step_a.row;
    k->b = (const uint8_t *)p[2] + n * k->step_b.img + h * k->step_b.row;
}

IPU_INLINE void arith_next(const ipu_arith *r, arith_walk *k)
{
    k->y += r->y.pix, k->a += k->step_a.pix, k->b += k->step_b.pix;
}

#endif
