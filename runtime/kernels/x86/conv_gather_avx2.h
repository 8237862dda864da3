/* The inputs of each output pixel of a convolution side by side: its taps after each other, each in whole groups of four bytes, as the weights lie.  What pads a tap
 * to whole groups meets zero weights and may be anything. */
#ifndef IPU_X86_CONV_GATHER_AVX2_H
#define IPU_X86_CONV_GATHER_AVX2_H

#include "runtime/kernels/simd/conv.h"

#include <immintrin.h>

enum { CONV_VECTOR = 32, CONV_GATHER_SLACK = 64 }; /* bytes of a vector; those that may be written behind the last pixel */

typedef struct conv_gather {
    const conv_job *j;
    int32_t tap;        /* bytes of a tap */
    int32_t runs, run;  /* runs of bytes in a row of taps, and their length */
    int32_t span;       /* bytes from run to run where they are side by side */
    int32_t k;          /* bytes of a pixel */
    int flat;           /* pixels follow each other in x as in y: a 1x1 convolution of a window without gaps */
    ptrdiff_t run_step; /* from run to run in x */
    ptrdiff_t reach;    /* from a pixel's first tap to past the last byte read in whole vectors */
} conv_gather;

IPU_INLINE int conv_is_flat(const ipu_conv *r, ptrdiff_t tap)
{
    return r->kh * r->kw == 1 && r->sy == 1 && r->sx == 1 && !r->py && !r->px && r->x.pix == tap && r->x.row == tap * r->x.w &&
           (r->x.n == 1 || r->x.img == r->x.row * r->x.h) && r->y.w == r->x.w && r->y.h == r->x.h;
}

static conv_gather conv_gather_of(const conv_job *j)
{
    const ipu_conv *r = j->r;
    const int32_t bytes = r->x.c * ipu_type_bytes(r->x.type);
    conv_gather g = { .j = j, .tap = (bytes + 3) / 4 * 4, .run_step = (ptrdiff_t)r->dx * r->x.pix };
    const int whole = r->dx == 1 && r->x.pix == g.tap; /* the taps of a row touch */

    g.k = r->kh * r->kw * g.tap;
    g.flat = conv_is_flat(r, g.tap);
    g.runs = whole ? 1 : r->kw;
    g.run = whole ? r->kw * g.tap : bytes;
    g.span = whole ? g.run : g.tap;
    g.reach = (ptrdiff_t)j->reach_y * r->x.row + (g.runs - 1) * g.run_step + (g.run + CONV_VECTOR - 1) / CONV_VECTOR * CONV_VECTOR;
    return g;
}

/* n bytes and up to 31 more; with WIDE to words, up to 15 more. */
IPU_INLINE void conv_copy(uint8_t *to, const uint8_t *from, int32_t n, const int WIDE)
{
    if (WIDE)
        for (int32_t i = 0; i < n; i += CONV_VECTOR / 2)
            _mm256_storeu_si256((__m256i *)(void *)(to + 2 * i), _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(from + i))));
    else
        for (int32_t i = 0; i < n; i += CONV_VECTOR)
            _mm256_storeu_si256((__m256i *)(void *)(to + i), _mm256_loadu_si256((const __m256i *)(const void *)(from + i)));
}

/* A pixel with taps outside x, or at its very end. */
IPU_INLINE void conv_gather_edge(const conv_gather *g, const conv_tile *t, int i, uint8_t *to, const int WIDE)
{
    const ipu_conv *r = g->j->r;
    const int32_t bytes = r->x.c * ipu_type_bytes(r->x.type);
    const uint8_t *q;

    for (int32_t ky = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++, to += g->tap << WIDE) {
            conv_tap(g->j, t, i, 1, ky, kx, &q);
            if (WIDE)
                for (int32_t c = 0; c < bytes; c++)
                    to[2 * c] = q[c], to[2 * c + 1] = 0;
            else
                memcpy(to, q, (size_t)bytes);
        }
}

/* Whether vectors may be read from pixel i's first tap to its last. */
IPU_INLINE int conv_gather_inside(const conv_gather *g, const conv_tile *t, int i)
{
    const ipu_conv *r = g->j->r;

    return t->inside || (t->iy[i] >= 0 && t->ix[i] >= 0 && t->iy[i] < r->x.h - g->j->reach_y && t->ix[i] < r->x.w - g->j->reach_x &&
                         t->x[i] + g->reach <= g->j->x_bytes);
}

IPU_INLINE void conv_gather_pixel(const conv_gather *g, const conv_tile *t, int i, uint8_t *to, const int WIDE)
{
    const ipu_conv *r = g->j->r;
    const uint8_t *row = g->j->x + t->x[i];

    if (!conv_gather_inside(g, t, i)) {
        conv_gather_edge(g, t, i, to, WIDE);
        return;
    }
    for (int32_t ky = 0; ky < r->kh; ky++, row += (ptrdiff_t)r->dy * r->x.row) {
        const uint8_t *q = row;
        for (int32_t n = 0; n < g->runs; n++, q += g->run_step, to += g->span << WIDE)
            conv_copy(to, q, g->run, WIDE);
    }
}

/* n pixels of the tile from `at` on to `to`, `stride` bytes from one to the next; with WIDE each byte becomes a word.  Whole vectors are written. */
IPU_INLINE void conv_gather_tile(const conv_gather *g, const conv_tile *t, int at, int n, uint8_t *to, ptrdiff_t stride, const int WIDE)
{
    if (g->flat && stride == g->k << WIDE && t->x[at] + (ptrdiff_t)n * g->k + CONV_VECTOR <= g->j->x_bytes)
        conv_copy(to, g->j->x + t->x[at], n * g->k, WIDE);
    else
        for (int i = 0; i < n; i++)
            conv_gather_pixel(g, t, at + i, to + i * stride, WIDE);
}

/* conv_fill for gathering: a tile is inside where whole vectors may be read of all its pixels. */
IPU_INLINE void conv_gather_fill(const conv_gather *g, conv_tile *t, int n, conv_walk *walk)
{
    const conv_walk first = *walk;

    conv_fill(g->j, t, n, walk);
    if (t->inside && t->x[n - 1] + g->reach > g->j->x_bytes) {
        conv_fill_places(g->j, t, n, first);
        t->inside = 0;
    }
}

#endif
