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
            conv_taps(j, t, 0, ky, kx, q, P);
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

/* Says that the sums are registers here, or gcc keeps copies of them in the loops before. */
IPU_INLINE void conv_keep(__m512i *acc, const int P, const int NB)
{
#ifdef __AVX512F__ /* what stands in for it in tests has no such registers */
    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int b = 0; b < NB; b++) __asm__("" : "+v"(acc[i * NB + b]));
    }
#endif
}

/* ---- the walk ---- */

typedef void (*conv_tile_fn)(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co);

/* Tile sizes for a number of blocks, largest first; each list ends in one pixel. */
typedef struct conv_size {
    int pixels;
    conv_tile_fn run;
} conv_size;

/* Tiles of one to four blocks; three, four: NULL where there are none, and no three without four. */
typedef struct conv_sizes {
    const conv_size *of[5];
} conv_sizes;

/* How many groups of so many blocks the channels are computed in. */
typedef struct conv_groups {
    int32_t of[5];
} conv_groups;

/* As few as there can be of groups of one or two blocks, whose tiles load more than they multiply. */
static conv_groups conv_groups_of(const conv_sizes *sizes, int32_t blocks)
{
    conv_groups g = { { 0 } };

    if (sizes->of[3]) {
        g.of[3] = blocks % 4 == 3 ? 1 : blocks % 4 == 2 && blocks > 2 ? 2 : blocks % 4 == 1 && blocks > 5 ? 3 : blocks == 5;
        blocks -= 3 * g.of[3];
    }
    if (sizes->of[4]) {
        g.of[4] = blocks / 4;
        blocks %= 4;
    }
    g.of[2] = blocks / 2;
    g.of[1] = blocks % 2;
    return g;
}

/* Some pixels that follow one another, of which all output channels are computed before those behind: their rows of x are read and those of y filled
 * while they are near.  The last ones may be half as many more. */
enum { CONV_CHUNK = 48, CONV_CHUNK_MOST = CONV_CHUNK * 3 / 2, CONV_LARGEST = 6, CONV_TILES = CONV_CHUNK_MOST / CONV_LARGEST + CONV_LARGEST };

typedef struct conv_chunk {
    conv_tile t[CONV_TILES];
    conv_tile_fn run[CONV_TILES];
    int n;
} conv_chunk;

/* Of the sizes up to n pixels, the one that makes tiles of n about equal, or the largest. */
static const conv_size *conv_size_for(const conv_size *size, int32_t n)
{
    const int32_t tiles = (n + size->pixels - 1) / size->pixels, even = (n + tiles - 1) / tiles;
    const conv_size *s = size;

    while (s->pixels > even)
        s++;
    while (s->pixels < even && size->pixels > n)
        size++;
    return s->pixels == even ? s : size;
}

/* n pixels from k on, which no list of sizes splits into more than CONV_TILES. */
static void conv_chunk_fill(const conv_job *j, const conv_size *sizes, conv_chunk *to, int32_t n, conv_walk k)
{
    to->n = 0;
    while (n > 0) {
        const conv_size *size = conv_size_for(sizes, n);
        conv_fill(j, &to->t[to->n], size->pixels, &k);
        to->run[to->n++] = size->run;
        n -= size->pixels;
    }
}

/* All channels of n pixels from k on. */
static void conv_pixels(const conv_job *j, const conv_store *s, const conv_sizes *sizes, const conv_groups *g, int32_t n, const conv_walk *k)
{
    conv_chunk chunk;
    int32_t co = 0;

    for (int nb = 4; nb > 0; nb--) {
        if (g->of[nb])
            conv_chunk_fill(j, sizes->of[nb], &chunk, n, *k);
        for (int32_t i = 0; i < g->of[nb]; i++, co += nb * CONV_LANES)
            for (int t = 0; t < chunk.n; t++)
                chunk.run[t](j, s, &chunk.t[t], co);
    }
}

static void conv_rows(const conv_job *j, const conv_store *s, const conv_sizes *sizes, int32_t y0, int32_t y1)
{
    const conv_groups groups = conv_groups_of(sizes, (j->r->y.c + CONV_LANES - 1) / CONV_LANES);
    conv_walk k = conv_walk_from(j, y0);

    for (int64_t left = (int64_t)(y1 - y0) * j->r->y.w, n; left > 0; left -= n) {
        n = left <= CONV_CHUNK_MOST ? left : CONV_CHUNK;
        conv_pixels(j, s, sizes, &groups, (int32_t)n, &k);
        conv_walk_skip(j, &k, (int32_t)n);
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
