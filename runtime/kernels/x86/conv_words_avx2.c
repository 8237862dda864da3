/* Convolution with AVX2 where 32 bits hold the sums and there are pixels enough.  U8: weights and activations are
 * widened to words first, each once for many uses, so that the loop over the sums is nothing but vpmaddwd and vpaddd
 * (vpmaddubsw would saturate).  S16 with shift 0: they are words, and as the whole sum fits, it may wrap on the way.
 *
 * The weights of some blocks lie as [pair of inputs][16 output channels][2]; each pixel's inputs, its taps after each
 * other, as words in the same order.  What pads the order to whole groups meets zero weights and may be anything. */
#include "runtime/kernels/simd/conv_narrow.h"
#include "conv_store_avx2.h"
#include "conv_words_avx2.h"

enum {
    CW_AT_ONCE = 6,             /* pixels whose sums are in registers */
    CW_PIXELS = 2 * CW_AT_ONCE, /* of a tile */
    CW_FEW = 8,                 /* with fewer pixels, widening does not pay */
    CW_X = 56 << 10,            /* bytes of room for words */
    CW_W = 144 << 10,
    CW_SLACK = 64 /* words that whole vectors may write too many */
};

typedef struct cw_job {
    const conv_job *j;
    conv_store s;
    int32_t size;        /* of an element of x, bytes */
    int32_t tap;         /* words of a tap: whole groups of channels */
    int32_t runs, run;   /* runs of bytes in a row of taps, and their length */
    int32_t words;       /* words from run to run */
    int32_t k;           /* words of a pixel */
    int32_t all, blocks; /* blocks; as many as w has room for */
    int plain;           /* U8 is all that comes out */
    int flat;            /* pixels follow each other in x as in y */
    ptrdiff_t run_step;  /* from run to run in x */
    ptrdiff_t reach;     /* from a pixel's first tap to past the last byte read in whole vectors */
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

/* ---- activations ---- */

IPU_INLINE void cw_words(int16_t *to, const uint8_t *from, const int size)
{
    const __m256i v = size == 2 ? _mm256_loadu_si256((const __m256i *)(const void *)from)
                                : _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)from));
    _mm256_storeu_si256((__m256i *)(void *)to, v);
}

/* n elements and up to 15 more. */
IPU_INLINE void cw_run_sized(int16_t *to, const uint8_t *from, int32_t n, const int size)
{
    for (int32_t i = 0; i < n; i += 16)
        cw_words(to + i, from + i * (ptrdiff_t)size, size);
}

IPU_INLINE void cw_run(const cw_job *c, int16_t *to, const uint8_t *from, int32_t n)
{
    if (c->size == 2)
        cw_run_sized(to, from, n, 2);
    else
        cw_run_sized(to, from, n, 1);
}

/* n elements, no more; whole vectors are written. */
static void cw_run_exact(const cw_job *c, int16_t *to, const uint8_t *from, int32_t n)
{
    const int32_t whole = n / 16 * 16;
    uint8_t last[32] = { 0 };

    cw_run(c, to, from, whole);
    if (whole == n)
        return;
    memcpy(last, from + (ptrdiff_t)whole * c->size, (size_t)((n - whole) * c->size));
    cw_run(c, to + whole, last, 16);
}

/* A pixel with taps outside x, or at its very end. */
static void cw_pixel_edge(const cw_job *c, const conv_tile *t, int i, int16_t *to)
{
    const ipu_conv *r = c->j->r;
    const uint8_t *q;

    for (int32_t ky = 0; ky < r->kh; ky++)
        for (int32_t kx = 0; kx < r->kw; kx++, to += c->tap) {
            conv_tap(c->j, t, i, 1, ky, kx, &q);
            cw_run_exact(c, to, q, r->x.c);
        }
}

static void cw_pixel(const cw_job *c, const conv_tile *t, int i, int16_t *to)
{
    const ipu_conv *r = c->j->r;
    const uint8_t *row = c->j->x + t->x[i];

    if (!t->inside && (t->iy[i] < 0 || t->ix[i] < 0 || t->iy[i] >= r->x.h - c->j->reach_y || t->ix[i] >= r->x.w - c->j->reach_x ||
                       t->x[i] + c->reach > c->j->x_bytes)) {
        cw_pixel_edge(c, t, i, to);
        return;
    }
    for (int32_t ky = 0; ky < r->kh; ky++, row += (ptrdiff_t)r->dy * r->x.row) {
        const uint8_t *q = row;
        for (int32_t n = 0; n < c->runs; n++, q += c->run_step, to += c->words)
            cw_run(c, to, q, c->run);
    }
}

static void cw_tile(const cw_job *c, const conv_tile *t, int n)
{
    if (c->flat && t->x[0] + (ptrdiff_t)(n * c->k + 15) * c->size <= c->j->x_bytes)
        cw_run(c, c->x, c->j->x + t->x[0], n * c->k);
    else
        for (int i = 0; i < n; i++)
            cw_pixel(c, t, i, c->x + i * c->k);
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

/* U8 and nothing besides, of `half` a block or a whole one. */
static void cw_finish_plain(const cw_job *c, const conv_tile *t, int32_t co, __m256i (*sum)[2], int n, int half)
{
    const __m256 m0 = _mm256_loadu_ps(c->j->mult + co), m1 = _mm256_loadu_ps(c->j->mult + co + 8);
    const f256_out out = c->s.out;
    uint8_t *y = c->j->y + co;

    for (int i = 0; i < n; i++) {
        const __m256i v[2] = { f256_requant(sum[i][0], m0, &out), f256_requant(sum[i][1], m1, &out) };
        if (half)
            s256_put8_u8(y + t->y[i], v[0]);
        else
            s256_put_u8(y + t->y[i], v, CONV_LANES);
    }
}

/* n pixels of the tile, the block of output channels from co on. */
static void cw_pixels(const cw_job *c, const conv_tile *t, int n, int32_t co, const int16_t *w)
{
    static const cw_sum_fn sum_of[2][CW_AT_ONCE + 1] = {
        { 0, cw_sum_1_1, cw_sum_2_1, cw_sum_3_1, cw_sum_4_1, cw_sum_5_1, cw_sum_6_1 },
        { 0, cw_sum_1_2, cw_sum_2_2, cw_sum_3_2, cw_sum_4_2, cw_sum_5_2, cw_sum_6_2 },
    };
    const int32_t left = c->j->r->y.c - co, many = left < CONV_LANES ? left : CONV_LANES;
    int32_t bias[CONV_LANES];
    __m256i sum[CW_PIXELS][2];

    for (int i = 0; i < CONV_LANES; i++)
        bias[i] = c->size == 2 ? (int32_t)((const int64_t *)c->j->bias)[co + i] : ((const int32_t *)c->j->bias)[co + i];
    for (int at = 0; at < n; at += CW_AT_ONCE)
        sum_of[many > 8][n - at < CW_AT_ONCE ? n - at : CW_AT_ONCE](c->x + at * c->k, c->k, w, bias, sum + at);
    if (c->plain && many % 8 == 0)
        cw_finish_plain(c, t, co, sum, n, many == 8);
    else
        for (int i = 0; i < n; i++)
            conv_finish(c->j, &c->s, t, i, co, sum[i], many);
}

/* ---- the whole ---- */

/* Rows [y0, y1) of n*h for the blocks whose weights are in c->w. */
static void cw_rows(const cw_job *c, int32_t first, int32_t blocks, int32_t y0, int32_t y1)
{
    conv_walk walk = conv_walk_from(c->j, y0);
    conv_tile t;

    for (int64_t left = (int64_t)(y1 - y0) * c->j->r->y.w; left > 0; left -= CW_PIXELS) {
        const int n = left < CW_PIXELS ? (int)left : CW_PIXELS;
        const conv_walk at = walk;
        conv_fill(c->j, &t, n, &walk);
        if (t.inside && t.x[n - 1] + c->reach > c->j->x_bytes) {
            conv_fill_places(c->j, &t, n, at);
            t.inside = 0; /* a run of cw_pixel reaches further than to the end of a group */
        }
        cw_tile(c, &t, n);
        for (int32_t b = 0; b < blocks; b++)
            cw_pixels(c, &t, n, (first + b) * CONV_LANES, c->w + b * c->k * CONV_LANES);
    }
}

/* Whether the pixels of y follow each other in x as in y: a 1x1 convolution of a window without gaps but those of a
 * tap. */
static int cw_is_flat(const ipu_conv *r, ptrdiff_t tap)
{
    return r->kh * r->kw == 1 && r->sy == 1 && r->sx == 1 && !r->py && !r->px && r->x.pix == tap &&
           r->x.row == tap * r->x.w && (r->x.n == 1 || r->x.img == r->x.row * r->x.h) && r->y.w == r->x.w &&
           r->y.h == r->x.h;
}

static void cw_start(cw_job *c, const conv_job *j)
{
    const ipu_conv *r = j->r;
    const int32_t ci = r->x.c, size = ipu_type_bytes(r->x.type), group = 4 / size;

    c->j = j;
    c->s = conv_store_of(j);
    c->size = size;
    c->tap = (ci + group - 1) / group * group;
    c->k = r->kh * r->kw * c->tap;
    const int whole = r->dx == 1 && r->x.pix == (ptrdiff_t)c->tap * size; /* the taps of a row touch */
    c->runs = whole ? 1 : r->kw;
    c->run = whole ? r->kw * c->tap : ci;
    c->words = whole ? r->kw * c->tap : c->tap;
    c->run_step = (ptrdiff_t)r->dx * r->x.pix;
    c->reach = (ptrdiff_t)j->reach_y * r->x.row + (c->runs - 1) * c->run_step + (c->run + 15) / 16 * 16 * size;
    c->blocks = size == 2 ? c->all : CW_W / (c->k * CONV_LANES * 2);
    c->flat = cw_is_flat(r, (ptrdiff_t)c->tap * size);
    c->plain = r->y.type == IPU_U8 && !j->add && !j->y2 && !j->table;
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
