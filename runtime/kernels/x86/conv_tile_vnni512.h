/* Convolution with AVX-512 VNNI: a register tile of P pixels times NB blocks of 16 output channels, and the walk over pixels and blocks. */
#ifndef IPU_X86_CONV_TILE_VNNI512_H
#define IPU_X86_CONV_TILE_VNNI512_H

#include "runtime/kernels/simd/conv_narrow.h"
#include "conv_store_vnni512.h"

/* ---- sums ---- */

IPU_INLINE __m512i conv_word(const uint8_t *q)
{
    int32_t v;
    memcpy(&v, q, 4);
    return _mm512_set1_epi32(v);
}

/* One step of K, four bytes of input channels: xv of pixel i times wv of each block. */
IPU_INLINE void conv_step(__m512i *acc, __m512i xv, const __m512i *wv, int i, const int NB, const int type)
{
    IPU_UNROLL for (int b = 0; b < NB; b++)
        acc[i * NB + b] = type == IPU_U8 ? _mm512_dpbusd_epi32(acc[i * NB + b], xv, wv[b]) : _mm512_dpwssd_epi32(acc[i * NB + b], xv, wv[b]);
}

IPU_INLINE void conv_weights(const int8_t *w, ptrdiff_t block, __m512i *wv, const int NB)
{
    IPU_UNROLL for (int b = 0; b < NB; b++) wv[b] = _mm512_loadu_si512(w + b * block);
}

/* Where the P pixels of a tile read tap (ky, kx). */
IPU_INLINE void conv_taps(const conv_job *j, const conv_tile *t, int32_t ky, int32_t kx, const uint8_t **q, const int P)
{
    const ptrdiff_t off = (ptrdiff_t)ky * j->r->dy * j->r->x.row + (ptrdiff_t)kx * j->r->dx * j->r->x.pix;

    if (t->inside) {
        IPU_UNROLL for (int i = 0; i < P; i++) q[i] = j->x + (t->x[i] + off);
    } else {
        conv_tap(j, t, 0, P, ky, kx, q);
    }
}

/* acc[P][NB] += all taps of the tile, of x's type U8 or S16; sums may wrap on the way. */
IPU_INLINE void conv_sum(const conv_job *j, const conv_tile *t, const int8_t *w, __m512i *acc, const int P,
                         const int NB, const int type)
{
    const ipu_conv *r = j->r;
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const ptrdiff_t block = j->block;
    const uint8_t *q[CONV_TILE];
    __m512i wv[4];

    for (int32_t ky = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++) {
            conv_taps(j, t, ky, kx, q, P);
            for (ptrdiff_t k = 0; k < whole; k += 4, w += 64) {
                conv_weights(w, block, wv, NB);
                IPU_UNROLL for (int i = 0; i < P; i++) conv_step(acc, conv_word(q[i] + k), wv, i, NB, type);
            }
            if (j->tail && !t->inside) {
                conv_weights(w, block, wv, NB);
                IPU_UNROLL for (int i = 0; i < P; i++)
                    conv_step(acc, _mm512_set1_epi32(conv_bytes(q[i] + whole, j->tail)), wv, i, NB, type);
                w += 64;
            }
        }
}

/* ---- the walk ---- */

typedef void (*conv_tile_fn)(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co);

/* Tile sizes for a number of blocks, largest first; each list ends in one pixel. */
typedef struct conv_size {
    int pixels;
    conv_tile_fn run;
} conv_size;

/* Tiles of four, two and one blocks; four: NULL where there is none. */
typedef struct conv_sizes {
    const conv_size *four, *two, *one;
} conv_sizes;

/* All pixels of rows [y0, y1) for the output channels from co on that `size` computes. */
static void conv_pixels(const conv_job *j, const conv_store *s, const conv_size *size, int32_t co, int32_t y0,
                        int32_t y1)
{
    conv_walk k = conv_walk_from(j, y0);
    conv_tile t;

    for (int64_t left = (int64_t)(y1 - y0) * j->r->y.w; left > 0; left -= size->pixels) {
        while (size->pixels > left)
            size++;
        conv_fill(j, &t, size->pixels, &k);
        size->run(j, s, &t, co);
    }
}

static void conv_rows(const conv_job *j, const conv_store *s, const conv_sizes *sizes, int32_t y0, int32_t y1)
{
    for (int32_t co = 0; co < j->r->y.c;) {
        const int32_t blocks = (j->r->y.c - co + CONV_LANES - 1) / CONV_LANES;
        const int nb = blocks >= 4 && sizes->four ? 4 : blocks >= 2 ? 2 : 1;
        conv_pixels(j, s, nb == 4 ? sizes->four : nb == 2 ? sizes->two : sizes->one, co, y0, y1);
        co += nb * CONV_LANES;
    }
}

static void conv_rows_narrow(const conv_job *j, const conv_store *s, const conv_sizes *sizes, int32_t y0, int32_t y1)
{
    conv_narrow k;
    conv_job some = conv_narrow_start(j, &k);

    for (int32_t row = y0, n; row < y1; row += n) {
        n = conv_narrow_next(j, &k, &some, row, y1);
        conv_rows(&some, s, sizes, 0, n);
    }
}

/* The rows [y0, y1) of n*h of the record. */
IPU_INLINE void conv_all(const conv_job *j, const conv_sizes *sizes, int32_t y0, int32_t y1)
{
    const conv_store s = conv_store_of(j);

    if (conv_is_narrow(j->r))
        conv_rows_narrow(j, &s, sizes, y0, y1);
    else
        conv_rows(j, &s, sizes, y0, y1);
}

#endif
