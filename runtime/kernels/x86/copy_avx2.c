/* Copies: whole rows where both sides lie close, pairs of channels woven together, else element by element in the element's own size. */
#include "avx2.h"

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

/* Pixels of two channels of `each` bytes from two rows: a shuffle of channels. */
IPU_INLINE void copy_woven(uint8_t *to, const uint8_t *a, const uint8_t *b, int32_t n, const int each)
{
    const int32_t step = 16 / each;
    int32_t i = 0;

    for (; i + step <= n; i += step, to += 32) {
        const __m128i u = _mm_loadu_si128((const __m128i *)(const void *)(a + i * each));
        const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(b + i * each));
        const __m128i lo = each == 1 ? _mm_unpacklo_epi8(u, v) : _mm_unpacklo_epi16(u, v);
        const __m128i hi = each == 1 ? _mm_unpackhi_epi8(u, v) : _mm_unpackhi_epi16(u, v);
        _mm_storeu_si128((__m128i *)(void *)to, lo);
        _mm_storeu_si128((__m128i *)(void *)(to + 16), hi);
    }
    for (; i < n; i++, to += 2 * each) {
        memcpy(to, a + i * each, (size_t)each);
        memcpy(to + each, b + i * each, (size_t)each);
    }
}

static void copy_row(uint8_t *to, const uint8_t *from, const ipu_copy *r, int32_t each)
{
    const int woven = r->y.c == 2 && r->y.pix == 2 * each && r->x.pix == each && each <= 2;

    if (woven && each == 1)
        copy_woven(to, from, from + r->x.step, r->y.w, 1);
    else if (woven)
        copy_woven(to, from, from + r->x.step, r->y.w, 2);
    else
        for (int32_t i = 0; i < r->y.w; i++, to += r->y.pix, from += r->x.pix)
            copy_channels(to, from, r->y.c, r->x.step, each);
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
        copy_row(to, from, r, each);
    }
}
