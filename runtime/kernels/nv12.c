/* Pictures of brightness and colours as R, G, B: ARITHMETIC.md 24. */
#include "common.h"

IPU_CHECK(ipu_nv12_check)
{
    const ipu_nv12 *o = (const void *)rec;
    const ipu_ref *y = &o->y, *luma = &o->luma, *chroma = &o->chroma;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || y->type != IPU_U8 || luma->type != IPU_U8 || chroma->type != IPU_U8)
        return 0;
    return y->c == 3 && luma->c == 1 && chroma->c == 2 && luma->n == y->n && luma->h == y->h && luma->w == y->w &&
           chroma->n == y->n && chroma->h == y->h / 2 + y->h % 2 && chroma->w == y->w / 2 + y->w % 2;
}

IPU_KERNEL(ipu_nv12_c)
{
    const ipu_nv12 *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++) {
        const uint8_t *luma = ipu_pixel(&o->luma, p[1], y, 0);
        const uint8_t *chroma = ipu_pixel(&o->chroma, p[2], y / o->y.h * o->chroma.h + y % o->y.h / 2, 0);
        uint8_t *to = ipu_pixel(&o->y, p[0], y, 0);
        for (int32_t x = 0; x < o->y.w; x++)
            ipu_yuv_to_rgb(luma[(ptrdiff_t)x * o->luma.pix], chroma + (ptrdiff_t)(x / 2) * o->chroma.pix,
                           to + (ptrdiff_t)x * o->y.pix);
    }
}
