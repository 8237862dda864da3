/* 8-bit convolution and fully connected with AVX-512 VNNI: a register tile of P pixels times NB blocks of 16 output
 * channels, one vpdpbusd for four input channels.  Sums may wrap on the way; the total is exact (ARITHMETIC.md 4). */
#include "conv_narrow.h"
#include "vnni512.h"

/* What happens to finished sums; constants of one call. */
typedef struct conv_store {
    f512_out out, sum, out2;
    __m512i lo8, hi8, zero16; /* out, for U8 */
    __m512 m_conv, m_add, m_y2;
    __m512i zero, zero1; /* zero points of the convolution and of y, which y2 starts from */
} conv_store;

static conv_store conv_store_of(const conv_job *j)
{
    const ipu_conv *r = j->r;
    conv_store s = { .out = f512_out_of(&r->out), .sum = f512_out_of(&r->sum), .out2 = f512_out_of(&r->out2) };
    s.lo8 = _mm512_set1_epi8((char)(ipu_rne(r->out.lo) + r->out.zero));
    s.hi8 = _mm512_set1_epi8((char)(ipu_rne(r->out.hi) + r->out.zero));
    s.zero16 = _mm512_set1_epi16((short)r->out.zero);
    s.m_conv = _mm512_set1_ps(r->m_conv);
    s.m_add = _mm512_set1_ps(r->m_add);
    s.m_y2 = _mm512_set1_ps(r->m_y2);
    s.zero = _mm512_set1_epi32(r->out.zero);
    s.zero1 = _mm512_set1_epi32(j->add ? r->sum.zero : r->out.zero);
    return s;
}

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

/* Four vectors of sums to 64 bytes in their order.  Clamping after the rounding gives the same as before it, the bounds
 * being rounded too; above, where the conversion could overflow, it is done before. */
IPU_INLINE __m512i conv_bytes_of(const conv_store *s, const __m512i *acc, const __m512 *m)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i v[4];

    IPU_UNROLL for (int q = 0; q < 4; q++) v[q] =
        _mm512_cvtps_epi32(_mm512_min_ps(s->out.hi, _mm512_mul_ps(_mm512_cvtepi32_ps(acc[q]), m[q])));
    const __m512i a = _mm512_adds_epi16(_mm512_packs_epi32(v[0], v[1]), s->zero16);
    const __m512i b = _mm512_adds_epi16(_mm512_packs_epi32(v[2], v[3]), s->zero16);
    const __m512i u = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(a, b));

    return _mm512_min_epu8(_mm512_max_epu8(u, s->lo8), s->hi8);
}

/* The first n bytes (at most 16 * NB) of part q of u to y. */
IPU_INLINE void conv_store_part(uint8_t *y, __m512i u, const int q, const int NB, int n)
{
    if (NB == 4)
        _mm512_mask_storeu_epi8(y, ~(__mmask64)0 >> (64 - n), u);
    else if (NB == 2)
        _mm256_mask_storeu_epi8(y, ~(__mmask32)0 >> (32 - n),
                                q ? _mm512_extracti64x4_epi64(u, 1) : _mm512_castsi512_si256(u));
    else
        _mm_mask_storeu_epi8(y, (__mmask16)(0xffff >> (16 - n)),
                             q == 0   ? _mm512_castsi512_si128(u)
                             : q == 1 ? _mm512_extracti32x4_epi32(u, 1)
                             : q == 2 ? _mm512_extracti32x4_epi32(u, 2)
                                      : _mm512_extracti32x4_epi32(u, 3));
}

/* All of the tile to y, U8, without residual or second output; n channels. */
IPU_INLINE void conv_put_u8(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const __m512i *acc,
                            int n, const int P, const int NB)
{
    const int step = 4 / NB; /* pixels in 64 bytes */
    __m512 m[4];

    IPU_UNROLL for (int q = 0; q < 4; q++) m[q] = _mm512_loadu_ps(j->mult + co + q % NB * CONV_LANES);
    IPU_UNROLL for (int i = 0; i < P; i += step)
    {
        __m512i v[4];
        IPU_UNROLL for (int q = 0; q < 4; q++) v[q] = i + q / NB < P ? acc[i * NB + q] : acc[i * NB];
        const __m512i u = conv_bytes_of(s, v, m);
        IPU_UNROLL for (int q = 0; q < step; q++) if (i + q < P) conv_store_part(j->y + t->y[i + q] + co, u, q, NB, n);
    }
}

/* What is behind the sums of 16 channels of a pixel with S16 result: a residual, a second output, both or neither. */
typedef struct conv_place {
    uint8_t *y, *y2;
    const uint8_t *add;
} conv_place;

IPU_INLINE conv_place conv_place_of(const conv_job *j, const conv_tile *t, int i, int32_t co)
{
    return (conv_place){ j->y + t->y[i] + 2 * (ptrdiff_t)co, j->y2 ? j->y2 + t->y2[i] + co : NULL,
                         j->add ? j->add + t->add[i] + 2 * (ptrdiff_t)co : NULL };
}

/* n channels of them. */
IPU_INLINE void conv_put_s16(const conv_store *s, conv_place at, __m512i acc, __m512 mult, int n)
{
    __m512i v = f512_requant(acc, mult, &s->out);

    if (at.add) {
        const __m256i a = _mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), at.add);
        const __m512 fa = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(a)), s->m_add);
        v = f512_store(_mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(v, s->zero)), s->m_conv), fa),
                       &s->sum);
    }
    s512_put_s16(at.y, v, n);
    if (at.y2)
        s512_put_u8(at.y2, f512_requant(_mm512_sub_epi32(v, s->zero1), s->m_y2, &s->out2), n);
}

/* All of the tile, S16; n channels. */
IPU_INLINE void conv_put_words(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const __m512i *acc, int n, const int P, const int NB)
{
    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const int left = n - b * CONV_LANES, some = left < CONV_LANES ? left : CONV_LANES;
        const __m512 mult = _mm512_loadu_ps(j->mult + co + b * CONV_LANES);
        if (some <= 0)
            continue;
        IPU_UNROLL for (int i = 0; i < P; i++)
            conv_put_s16(s, conv_place_of(j, t, i, co + b * CONV_LANES), acc[i * NB + b], mult, some);
    }
}

IPU_INLINE void conv_tile_of(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const int P,
                             const int NB)
{
    __m512i acc[CONV_TILE * 4];
    const int32_t left = j->r->y.c - co;
    const int n = left < NB * CONV_LANES ? left : NB * CONV_LANES;

    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512i bias = _mm512_loadu_si512((const int32_t *)j->bias + co + b * CONV_LANES);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i * NB + b] = bias;
    }
    conv_sum(j, t, j->w + co / CONV_LANES * j->block, acc, P, NB);
    if (j->r->y.type == IPU_U8) {
        conv_put_u8(j, s, t, co, acc, n, P, NB);
        return;
    }
    conv_put_words(j, s, t, co, acc, n, P, NB);
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
