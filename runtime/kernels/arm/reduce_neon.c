/* Sums over axes with NEON where the channels stay; where they are gathered, the C kernel. */
#include "neon.h"
#include "runtime/kernels/simd/reduce.h"

enum { CHUNK = 65535 }; /* sums of that many S16 stay inside 32 bits */

/* Eight sums: 32 bits at a time, 64 in the end. */
typedef struct sums {
    int32x4_t part[2];
    int32_t steps; /* since the last flush */
    int64_t all[8];
} sums;

static void sums_flush(sums *s)
{
    int32_t part[8];

    vst1q_s32(part, s->part[0]);
    vst1q_s32(part + 4, s->part[1]);
    for (int i = 0; i < 8; i++)
        s->all[i] += part[i];
    s->part[0] = s->part[1] = vdupq_n_s32(0);
    s->steps = 0;
}

IPU_INLINE void sums_add(sums *s, int16x8_t v)
{
    s->part[0] = vaddw_s16(s->part[0], vget_low_s16(v));
    s->part[1] = vaddw_high_s16(s->part[1], v);
    if (++s->steps == CHUNK)
        sums_flush(s);
}

/* k channels (8, or the last few) of every pixel, from channel c on, to y. */
IPU_INLINE void channels(const ipu_reduce *o, const pixels *p, int32_t c, const int k, int16_t *y)
{
    sums s = { .part = { vdupq_n_s32(0), vdupq_n_s32(0) } };
    int16_t few[8] = { 0 };

    for (int32_t n = 0; n < p->n; n++)
        for (int32_t h = 0; h < p->h; h++) {
            const uint8_t *x = p->x + (ptrdiff_t)n * o->x.img + (ptrdiff_t)h * o->x.row + 2 * (ptrdiff_t)c;
            for (int32_t w = 0; w < p->w; w++, x += o->x.pix) {
                if (k < 8)
                    memcpy(few, x, 2 * (size_t)k);
                sums_add(&s, vld1q_s16(k < 8 ? few : (const int16_t *)(const void *)x));
            }
        }
    sums_flush(&s);
    for (int i = 0; i < k; i++)
        y[c + i] = (int16_t)ipu_requant(ipu_narrow(s.all[i], o->shift), o->m, &o->out);
}

IPU_KERNEL(ipu_reduce_sum_s16_neon)
{
    const ipu_reduce *o = (const ipu_reduce *)rec;
    const ipu_ref *y = &o->y;

    if (o->x.c != y->c) {
        ipu_reduce_sum_s16_c(rec, p, y0, y1);
        return;
    }
    for (int32_t row = y0; row < y1; row++)
        for (int32_t col = 0; col < y->w; col++) {
            const pixels from = pixels_of(o, p[1], row, col);
            uint8_t *to = (uint8_t *)p[0] + (ptrdiff_t)(row / y->h) * y->img + (ptrdiff_t)(row % y->h) * y->row + (ptrdiff_t)col * y->pix;
            int32_t c = 0;
            for (; c + 8 <= y->c; c += 8)
                channels(o, &from, c, 8, (int16_t *)(void *)to);
            if (c < y->c)
                channels(o, &from, c, y->c - c, (int16_t *)(void *)to);
        }
}
