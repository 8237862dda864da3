/* Copies: whole rows where both sides lie close, else element by element in the element's own size.  Nothing here needs
 * AVX2 but the compiler may use it. */
#include "x86.h"

/* n elements of `each` bytes, `step` bytes apart in the source. */
IPU_INLINE void copy_elements(uint8_t *to, const uint8_t *from, int32_t n, ptrdiff_t step, const int each)
{
    for (int32_t i = 0; i < n; i++, to += each, from += step)
        memcpy(to, from, (size_t)each);
}

static void copy_channels(uint8_t *to, const uint8_t *from, int32_t n, ptrdiff_t step, int each)
{
    if (step == each)
        memmove(to, from, (size_t)n * (size_t)each);
    else if (each == 1)
        copy_elements(to, from, n, step, 1);
    else if (each == 2)
        copy_elements(to, from, n, step, 2);
    else if (each == 4)
        copy_elements(to, from, n, step, 4);
    else
        copy_elements(to, from, n, step, 8);
}

IPU_KERNEL(ipu_copy_avx2)
{
    const ipu_copy *r = (const ipu_copy *)rec;
    const ipu_ref *y = &r->y, *x = &r->x;
    const int32_t each = ipu_type_bytes(y->type), dense = y->c * each;
    const int flat = x->step == each && y->pix == dense && x->pix == dense;

    for (int32_t row = y0; row < y1; row++) {
        uint8_t *to = (uint8_t *)p[0] + (ptrdiff_t)(row / y->h) * y->img + (ptrdiff_t)(row % y->h) * y->row;
        const uint8_t *from =
            (const uint8_t *)p[1] + (ptrdiff_t)(row / y->h) * x->img + (ptrdiff_t)(row % y->h) * x->row;
        if (flat) {
            memmove(to, from, (size_t)dense * (size_t)y->w);
            continue;
        }
        for (int32_t i = 0; i < y->w; i++, to += y->pix, from += x->pix)
            copy_channels(to, from, y->c, x->step, each);
    }
}
