/* 8-bit convolution and fully connected with AVX-512 VNNI: a register tile of P pixels times NB blocks of 16 output
 * channels, one vpdpbusd for four input channels.  Sums may wrap on the way; the total is exact (ARITHMETIC.md 4). */
#include "conv_narrow.h"
#include "conv_store_vnni512.h"

IPU_INLINE __m512i conv_word(const uint8_t *q)
{
    int32_t v;
    memcpy(&v, q, 4);
    return _mm512_set1_epi32(v);
}

/* One step of K, four input channels: xv of pixel i times wv of each block. */
IPU_INLINE void conv_step(__m512i *acc, __m512i xv, const __m512i *wv, int i, const int NB)
{
    IPU_UNROLL for (int b = 0; b < NB; b++) acc[i * NB + b] = _mm512_dpbusd_epi32(acc[i * NB + b], xv, wv[b]);
}

IPU_INLINE void conv_weights(const int8_t *w, ptrdiff_t block, __m512i *wv, const int NB)
{
    IPU_UNROLL for (int b = 0; b < NB; b++) wv[b] = _mm512_loadu_si512(w + b * block);
}

/* acc[P][NB] += all taps of the tile. */
IPU_INLINE void conv_sum(const conv_job *j, const conv_tile *t, const int8_t *w, __m512i *acc, const int P,
                         const int NB)
{
    const ipu_conv *r = j->r;
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const ptrdiff_t block = j->block;
    const uint8_t *q[CONV_TILE];
    __m512i wv[4];

    for (int32_t ky = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++) {
            const ptrdiff_t off = (ptrdiff_t)ky * r->dy * r->x.row + (ptrdiff_t)kx * r->dx * r->x.pix;
            if (t->inside) {
                IPU_UNROLL for (int i = 0; i < P; i++) q[i] = j->x + (t->x[i] + off);
            } else {
                conv_tap(j, t, 0, P, ky, kx, q);
            }
            for (ptrdiff_t k = 0; k < whole; k += 4, w += 64) {
                conv_weights(w, block, wv, NB);
                IPU_UNROLL for (int i = 0; i < P; i++) conv_step(acc, conv_word(q[i] + k), wv, i, NB);
            }
            if (j->tail && !t->inside) {
                conv_weights(w, block, wv, NB);
                IPU_UNROLL for (int i = 0; i < P; i++)
                    conv_step(acc, _mm512_set1_epi32(conv_bytes(q[i] + whole, j->tail)), wv, i, NB);
                w += 64;
            }
        }
}

IPU_INLINE void conv_tile_of(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const int P,
                             const int NB)
{
    __m512i acc[CONV_TILE * 4];

    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512i bias = _mm512_loadu_si512((const int32_t *)j->bias + co + b * CONV_LANES);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i * NB + b] = bias;
    }
    conv_sum(j, t, j->w + co / CONV_LANES * j->block, acc, P, NB);
    conv_put(j, s, t, co, acc, P, NB);
}

#define CONV_TILE_FN(P, NB)                                                                                            \
    static __attribute__((noinline)) void conv_tile_##P##_##NB(const conv_job *j, const conv_store *s,                 \
                                                               const conv_tile *t, int32_t co)                         \
    {                                                                                                                  \
        conv_tile_of(j, s, t, co, P, NB);                                                                              \
    }
CONV_TILE_FN(6, 4)
CONV_TILE_FN(3, 4)
CONV_TILE_FN(1, 4)
CONV_TILE_FN(12, 2)
CONV_TILE_FN(6, 2)
CONV_TILE_FN(2, 2)
CONV_TILE_FN(1, 2)
CONV_TILE_FN(12, 1)
CONV_TILE_FN(4, 1)
CONV_TILE_FN(1, 1)

typedef void (*conv_tile_fn)(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co);

/* Tile sizes for a number of blocks, largest first; each list ends in one pixel. */
typedef struct conv_size {
    int pixels;
    conv_tile_fn run;
} conv_size;

static const conv_size conv_sizes_4[] = { { 6, conv_tile_6_4 }, { 3, conv_tile_3_4 }, { 1, conv_tile_1_4 } };
static const conv_size conv_sizes_2[] = {
    { 12, conv_tile_12_2 }, { 6, conv_tile_6_2 }, { 2, conv_tile_2_2 }, { 1, conv_tile_1_2 }
};
static const conv_size conv_sizes_1[] = { { 12, conv_tile_12_1 }, { 4, conv_tile_4_1 }, { 1, conv_tile_1_1 } };

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

static void conv_rows(const conv_job *j, const conv_store *s, int32_t y0, int32_t y1)
{
    for (int32_t co = 0; co < j->r->y.c;) {
        const int32_t blocks = (j->r->y.c - co + CONV_LANES - 1) / CONV_LANES;
        const int nb = blocks >= 4 ? 4 : blocks >= 2 ? 2 : 1;
        conv_pixels(j, s, nb == 4 ? conv_sizes_4 : nb == 2 ? conv_sizes_2 : conv_sizes_1, co, y0, y1);
        co += nb * CONV_LANES;
    }
}

static void conv_rows_narrow(const conv_job *j, const conv_store *s, int32_t y0, int32_t y1)
{
    conv_narrow k;
    conv_job some = conv_narrow_start(j, &k);

    for (int32_t row = y0, n; row < y1; row += n) {
        n = conv_narrow_next(j, &k, &some, row, y1);
        conv_rows(&some, s, 0, n);
    }
}

IPU_KERNEL(ipu_conv_u8_vnni512)
{
    const conv_job j = conv_start(rec, p);
    const conv_store s = conv_store_of(&j);

    if (conv_is_narrow(j.r))
        conv_rows_narrow(&j, &s, y0, y1);
    else
        conv_rows(&j, &s, y0, y1);
}
