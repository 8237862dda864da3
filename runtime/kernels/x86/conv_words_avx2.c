/* Convolution with AVX2 where 32 bits hold the sums and there are pixels enough.  U8: weights and activations are
 * widened to words first, each once for many uses, so that the loop over the sums is nothing but vpmaddwd and vpaddd
 * (vpmaddubsw would saturate).  S16 with shift 0: they are words, and as the whole sum fits, it may wrap on the way.
 *
 * The weights of some blocks lie as [pair of inputs][16 output channels][2]; each pixel's inputs, its taps after each
 * other, as words in the same order.  What pads the order to whole groups meets zero weights and may be anything. */
#include "runtime/kernels/simd/conv_narrow.h"
#include "conv_gather_avx2.h"
#include "conv_store_avx2.h"
#include "conv_words_avx2.h"

enum {
    CW_AT_ONCE = 6,             /* pixels whose sums are in registers */
    CW_PIXELS = 2 * CW_AT_ONCE, /* of a tile */
    CW_FEW = 8,                 /* with fewer pixels, widening does not pay */
    CW_X = 56 << 10,            /* bytes of room for words */
    CW_W = 144 << 10,
    CW_SLACK = CONV_GATHER_SLACK
};

typedef struct cw_job {
    const conv_job *j;
    conv_gather g;
    conv_store s;
    int32_t size;        /* of an element of x, bytes */
    int32_t k;           /* words of a pixel */
    int32_t all, blocks; /* blocks; as many as w has room for */
    int16_t *x;
    int16_t *room;    /* for widened weights */
    const int16_t *w; /* of the blocks under way */
} cw_job;

/* ---- weights ---- */

/* Eight output channels of four inputs: two pairs. */
IPU_INLINE void cw_widen(int16_t *to, const int8_t *w)
{
    const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)w);
    const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8), odd = _mm256_srai_epi16(v, 8);

    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xaa));
    _mm256_storeu_si256((__m256i *)(void *)(to + 2 * CONV_LANES),
                        _mm256_blend_epi16(_mm256_srli_epi32(even, 16), odd, 0xaa));
}

/* n blocks from `block` on: S16 lie in the right order as they are. */
static void cw_weights(cw_job *c, int32_t block, int32_t n)
{
    const int8_t *w = c->j->w + block * c->j->block;
    int16_t *to = c->room;

    c->w = c->size == 2 ? (const int16_t *)(const void *)w : c->room;
    if (c->size == 2)
        return;
    for (int32_t i = 0; i < n * c->k; i += 4, w += 4 * CONV_LANES, to += 4 * CONV_LANES) {
        cw_widen(to, w);
        cw_widen(to + CONV_LANES, w + 2 * CONV_LANES);
    }
}

/* ---- sums ---- */

IPU_INLINE __m256i cw_pair(const int16_t *x)
{
    int32_t v;
    memcpy(&v, x, 4);
    return _mm256_set1_epi32(v);
}

/* The sums of P pixels from x on, for 8 * V output channels with weights w, bias included. */
IPU_INLINE void cw_sum(const int16_t *x, int32_t n, const int16_t *w, const int32_t *bias, __m256i (*sum)[2],
                       const int P, const int V)
{
    __m256i acc[CW_AT_ONCE][2], wv[2];

    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int v = 0; v < V; v++) acc[i][v] =
            _mm256_loadu_si256((const __m256i *)(const void *)(bias + 8 * v));
    }
    for (int32_t k = 0; k < n; k += 2, w += 2 * CONV_LANES) {
        IPU_UNROLL for (int v = 0; v < V; v++) wv[v] =
            _mm256_loadu_si256((const __m256i *)(const void *)(w + CONV_LANES * v));
        IPU_UNROLL for (int i = 0; i < P; i++)
        {
            const __m256i xv = cw_pair(x + i * (ptrdiff_t)n + k);
            IPU_UNROLL for (int v = 0; v < V; v++) acc[i][v] =
                _mm256_add_epi32(acc[i][v], _mm256_madd_epi16(xv, wv[v]));
        }
    }
    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int v = 0; v < V; v++) sum[i][v] = acc[i][v];
    }
}

typedef void (*cw_sum_fn)(const int16_t *x, int32_t n, const int16_t *w, const int32_t *bias, __m256i (*sum)[2]);

#define CW_SUM_FN(P, V)                                                                                                \
    static __attribute__((noinline)) void cw_sum_##P##_##V(const int16_t *x, int32_t n, const int16_t *w,              \
                                                           const int32_t *bias, __m256i(*sum)[2])                      \
    {                                                                                                                  \
        cw_sum(x, n, w, bias, sum, P, V);                                                                              \
    }
CW_SUM_FN(1, 1)
CW_SUM_FN(2, 1)
CW_SUM_FN(3, 1)
CW_SUM_FN(4, 1)
CW_SUM_FN(5, 1)
CW_SUM_FN(6, 1)
CW_SUM_FN(1, 2)
CW_SUM_FN(2, 2)
CW_SUM_FN(3, 2)
CW_SUM_FN(4, 2)
CW_SUM_FN(5, 2)
CW_SUM_FN(6, 2)

/* n pixels of the tile, the block of output channels from co on. */
static void cw_pixels(const cw_job *c, const conv_tile *t, int n, int32_t co, const int16_t *w)
{
    static const cw_sum_fn sum_of[2][CW_AT_ONCE + 1] = {
        { 0, cw_sum_1_1, cw_sum_2_1, cw_sum_3_1, cw_sum_4_1, cw_sum_5_1, cw_sum_6_1 },
        { 0, cw_sum_1_2, cw_sum_2_2, cw_sum_3_2, cw_sum_4_2, cw_sum_5_2, cw_sum_6_2 },
    };
    const int two = c->j->r->y.c - co > 8;
    int32_t bias[CONV_LANES];
    __m256i sum[CW_PIXELS + 1][2];

    for (int i = 0; i < CONV_LANES; i++)
        bias[i] = c->size == 2 ? (int32_t)((const int64_t *)c->j->bias)[co + i] : ((const int32_t *)c->j->bias)[co + i];
    for (int at = 0; at < n; at += CW_AT_ONCE)
        sum_of[two][n - at < CW_AT_ONCE ? n - at : CW_AT_ONCE](c->x + at * c->k, c->k, w, bias, sum + at);
    conv_finish_block(c->j, &c->s, t, 0, co, sum, n);
}

/* ---- the whole ---- */

/* Rows [y0, y1) of n*h for the blocks whose weights are in c->w. */
static void cw_rows(const cw_job *c, int32_t first, int32_t blocks, int32_t y0, int32_t y1)
{
    conv_walk walk = conv_walk_from(c->j, y0);
    conv_tile t;

    for (int64_t left = (int64_t)(y1 - y0) * c->j->r->y.w; left > 0; left -= CW_PIXELS) {
        const int n = left < CW_PIXELS ? (int)left : CW_PIXELS;
        conv_gather_fill(&c->g, &t, n, &walk);
        if (c->size == 1)
            conv_gather_tile(&c->g, &t, 0, n, (uint8_t *)c->x, 2 * c->k, 1);
        else
            conv_gather_tile(&c->g, &t, 0, n, (uint8_t *)c->x, 2 * c->k, 0);
        for (int32_t b = 0; b < blocks; b++)
            cw_pixels(c, &t, n, (first + b) * CONV_LANES, c->w + b * c->k * CONV_LANES);
    }
}

static void cw_start(cw_job *c, const conv_job *j)
{
    const int32_t size = ipu_type_bytes(j->r->x.type);

    c->j = j;
    c->g = conv_gather_of(j);
    c->s = conv_store_of(j);
    c->size = size;
    c->k = c->g.k / size;
    c->blocks = size == 2 ? c->all : CW_W / (c->k * CONV_LANES * 2);
}

/* Few channels: rows of x are laid out for a 1x1 convolution; the weights of all blocks have room. */
static void cw_narrow(cw_job *c, const conv_job *j, int32_t y0, int32_t y1)
{
    conv_narrow k;
    conv_job some = conv_narrow_start(j, &k);

    cw_start(c, &some);
    cw_weights(c, 0, c->all);
    for (int32_t row = y0, n; row < y1; row += n) {
        n = conv_narrow_next(j, &k, &some, row, y1);
        cw_rows(c, 0, c->all, 0, n);
    }
}

static void cw_wide(cw_job *c, const conv_job *j, int32_t y0, int32_t y1)
{
    cw_start(c, j);
    for (int32_t b = 0; b < c->all; b += c->blocks) {
        const int32_t n = c->all - b < c->blocks ? c->all - b : c->blocks;
        cw_weights(c, b, n);
        cw_rows(c, b, n, y0, y1);
    }
}

/* S16: whether 32 bits hold every sum.  Else, and in U8, whether there is room. */
static int cw_takes(const conv_job *j, int32_t rows)
{
    const int wide = j->r->x.type == IPU_S16;
    const int64_t k = j->block / CONV_LANES / (wide ? 2 : 1);

    return (int64_t)rows * j->r->y.w >= CW_FEW && k * CW_PIXELS * 2 <= CW_X &&
           (wide ? j->r->shift == 0 : j->block * 2 <= CW_W);
}

int ipu_conv_words_avx2(const conv_job *j, int32_t y0, int32_t y1)
{
    int16_t x[CW_X / 2 + CW_SLACK], w[CW_W / 2];
    cw_job c = { .x = x, .room = w, .all = (j->r->y.c + CONV_LANES - 1) / CONV_LANES };

    if (!cw_takes(j, y1 - y0))
        return 0;
    if (conv_is_narrow(j->r))
        cw_narrow(&c, j, y0, y1);
    else
        cw_wide(&c, j, y0, y1);
    return 1;
}
