/* Sums over axes with AVX2: channels side by side where they stay, along them where they are gathered. */
#include "avx2.h"
#include "runtime/kernels/simd/reduce.h"

enum { CHUNK = 32767 }; /* sums of that many S16, or of pairs of them, stay inside 32 bits */

/* Eight or sixteen sums: 32 bits at a time, 64 in the end. */
typedef struct sums {
    __m256i part[2];
    int32_t steps; /* since the last flush */
    int64_t all[16];
} sums;

static void sums_flush(sums *s)
{
    int32_t part[16];

    _mm256_storeu_si256((__m256i *)(void *)part, s->part[0]);
    _mm256_storeu_si256((__m256i *)(void *)(part + 8), s->part[1]);
    for (int i = 0; i < 16; i++)
        s->all[i] += part[i];
    s->part[0] = s->part[1] = _mm256_setzero_si256();
    s->steps = 0;
}

IPU_INLINE void sums_step(sums *s)
{
    if (++s->steps == CHUNK)
        sums_flush(s);
}

/* k channels (16, or the last few) of every pixel, from byte `at` on. */
IPU_INLINE void add_channels(const ipu_reduce *o, const pixels *p, ptrdiff_t at, const int k, sums *s)
{
    __m256i v[2];

    for (int32_t n = 0; n < p->n; n++)
        for (int32_t h = 0; h < p->h; h++) {
            const uint8_t *x = p->x + (ptrdiff_t)n * o->x.img + (ptrdiff_t)h * o->x.row + at;
            for (int32_t w = 0; w < p->w; w++, x += o->x.pix) {
                s256_get_s16(x, k, v);
                s->part[0] = _mm256_add_epi32(s->part[0], v[0]);
                s->part[1] = _mm256_add_epi32(s->part[1], v[1]);
                sums_step(s);
            }
        }
    sums_flush(s);
}

static void channels_stay(const ipu_reduce *o, const pixels *p, int16_t *y)
{
    for (int32_t c = 0; c < o->y.c; c += 16) {
        sums s = { .all = { 0 } };
        const int k = o->y.c - c < 16 ? o->y.c - c : 16;
        if (k == 16)
            add_channels(o, p, 2 * (ptrdiff_t)c, 16, &s);
        else
            add_channels(o, p, 2 * (ptrdiff_t)c, k, &s);
        for (int i = 0; i < k; i++)
            y[c + i] = (int16_t)ipu_requant(ipu_narrow(s.all[i], o->shift), o->m, &o->out);
    }
}

static int64_t add_pixel(const uint8_t *x, int32_t c, sums *s)
{
    const __m256i one = _mm256_set1_epi16(1);
    int64_t rest = 0;
    int32_t i = 0;

    for (; i + 16 <= c; i += 16) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(x + 2 * (ptrdiff_t)i));
        s->part[0] = _mm256_add_epi32(s->part[0], _mm256_madd_epi16(v, one));
        sums_step(s);
    }
    for (; i < c; i++)
        rest += s16_at(x + 2 * (ptrdiff_t)i);
    return rest;
}

static void channels_gathered(const ipu_reduce *o, const pixels *p, int16_t *y)
{
    sums s = { .all = { 0 } };
    int64_t sum = 0;

    for (int32_t n = 0; n < p->n; n++)
        for (int32_t h = 0; h < p->h; h++)
            for (int32_t w = 0; w < p->w; w++)
                sum += add_pixel(p->x + (ptrdiff_t)n * o->x.img + (ptrdiff_t)h * o->x.row + (ptrdiff_t)w * o->x.pix,
                                 o->x.c, &s);
    sums_flush(&s);
    for (int i = 0; i < 8; i++)
        sum += s.all[i];
    *y = (int16_t)ipu_requant(ipu_narrow(sum, o->shift), o->m, &o->out);
}

IPU_KERNEL(ipu_reduce_sum_s16_avx2)
{
    const ipu_reduce *o = (const ipu_reduce *)rec;
    const ipu_ref *y = &o->y;

    for (int32_t row = y0; row < y1; row++)
        for (int32_t col = 0; col < y->w; col++) {
            const pixels from = pixels_of(o, p[1], row, col);
            uint8_t *to = (uint8_t *)p[0] + (ptrdiff_t)(row / y->h) * y->img + (ptrdiff_t)(row % y->h) * y->row +
                          (ptrdiff_t)col * y->pix;
            if (o->x.c == y->c)
                channels_stay(o, &from, (int16_t *)(void *)to);
            else
                channels_gathered(o, &from, (int16_t *)(void *)to);
        }
}
