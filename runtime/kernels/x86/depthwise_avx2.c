/* Depthwise convolution with AVX2, 32, 16 or 8 channels at a time: two taps side by side as words, one vpmaddwd for
 * both.  The last channels are done as the last eight, again where needed; fewer than eight go through a copy.  TAPS:
 * their number where it is known at compile time, or 0.  WIDE: 32 bits don't hold the sums. */
#include "runtime/kernels/simd/depthwise.h"
#include "wide_avx2.h"

enum { DW_UNITS = 4 }; /* of eight channels, in a block at most */

typedef struct dw_block {
    const dw_job *j;
    f256_out out;
    int32_t c, n; /* first channel; channels of a unit: 8, or fewer in a pixel with fewer */
    ptrdiff_t off[DW_TAPS + 1];
    __m256i w[(DW_TAPS + 1) / 2 * DW_UNITS];
} dw_block;

/* Eight U8 of two taps as words, side by side. */
IPU_INLINE __m256i dw_pair_u8(const uint8_t *a, const uint8_t *b)
{
    return _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(const void *)a),
                                                  _mm_loadl_epi64((const __m128i *)(const void *)b)));
}

/* The same of S16. */
IPU_INLINE __m256i dw_pair_s16(const uint8_t *a, const uint8_t *b)
{
    const __m128i va = _mm_loadu_si128((const __m128i *)(const void *)a);
    const __m128i vb = _mm_loadu_si128((const __m128i *)(const void *)b);
    return _mm256_set_m128i(_mm_unpackhi_epi16(va, vb), _mm_unpacklo_epi16(va, vb));
}

/* Eight channels of two taps; of n channels, with FEW, the rest is zero. */
IPU_INLINE __m256i dw_pair(const uint8_t *a, const uint8_t *b, int32_t n, const int type, const int FEW)
{
    uint8_t ca[16] = { 0 }, cb[16] = { 0 };

    if (FEW) {
        memcpy(ca, a, (size_t)(n * ipu_type_bytes(type)));
        memcpy(cb, b, (size_t)(n * ipu_type_bytes(type)));
        a = ca;
        b = cb;
    }
    return type == IPU_U8 ? dw_pair_u8(a, b) : dw_pair_s16(a, b);
}

/* Weights of taps t and t + 1 alike. */
static __m256i dw_weights(const dw_job *j, int32_t c, int t)
{
    const int each = ipu_type_bytes(j->r->w.type);
    const int8_t *a = j->w + ((ptrdiff_t)t * j->cpad + c) * each, *b = a + (ptrdiff_t)j->cpad * each;
    const __m128i none = _mm_setzero_si128();

    if (each == 1) {
        const __m128i va = _mm_loadl_epi64((const __m128i *)(const void *)a);
        const __m128i vb = t + 1 < j->taps ? _mm_loadl_epi64((const __m128i *)(const void *)b) : none;
        return _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(va, vb));
    }
    const __m128i va = _mm_loadu_si128((const __m128i *)(const void *)a);
    const __m128i vb = t + 1 < j->taps ? _mm_loadu_si128((const __m128i *)(const void *)b) : none;
    return _mm256_set_m128i(_mm_unpackhi_epi16(va, vb), _mm_unpacklo_epi16(va, vb));
}

/* U times eight results to y: U8 or S16, the first n of them with FEW. */
IPU_INLINE void dw_put(uint8_t *y, const __m256i *v, int type, int32_t n, const int U, const int FEW)
{
    uint8_t tail[16];
    uint8_t *to = FEW ? tail : y;

    IPU_UNROLL for (int u = 0; u < U; u += 2)
    {
        if (type == IPU_U8 && u + 1 < U)
            s256_put_u8(to + 8 * u, v + u, 16);
        else if (type == IPU_U8)
            s256_put8_u8(to, v[u]);
        else if (u + 1 < U)
            s256_put_s16(to + 16 * u, v + u, 16);
        else
            s256_put8_s16(to, v[u]);
    }
    if (FEW)
        memcpy(y, tail, (size_t)(n * ipu_type_bytes(type)));
}

/* U times n results through the table to y. */
IPU_INLINE void dw_put_table(uint8_t *y, const __m256i *v, const uint8_t *table, int32_t n, const int U)
{
    uint16_t index[8 * DW_UNITS];

    IPU_UNROLL for (int u = 0; u < U; u++) s256_put8_s16((uint8_t *)(index + 8 * u), v[u]);
    ipu_lookup_one_by_one(table, index, y, 8 * (U - 1) + n);
}

/* Taps t and t + 1 of U units, added up. */
IPU_INLINE void dw_step(const dw_block *b, const dw_walk *k, const ptrdiff_t *off, int t, wide *acc, const int type,
                        const int U, const int FEW, const int WIDE)
{
    const uint8_t *p = dw_at(k, off[t]), *q = dw_at(k, off[t + 1]);
    const int unit = 8 * ipu_type_bytes(type);

    IPU_UNROLL for (int u = 0; u < U; u++)
    {
        const __m256i x = dw_pair(p + unit * u, q + unit * u, b->n, type, FEW), w = b->w[t / 2 * U + u];
        if (WIDE)
            wide_add(&acc[u], x, w);
        else
            acc[u].all = _mm256_add_epi32(acc[u].all, _mm256_madd_epi16(x, w));
    }
}

/* What the sum of unit u starts from, and what it comes to. */
IPU_INLINE __m256i dw_begin(const dw_block *b, int u, const int type, const int WIDE)
{
    if (WIDE)
        return _mm256_setzero_si256();
    if (type == IPU_S16)
        return wide_low((const int64_t *)b->j->bias + b->c + 8 * u);
    return _mm256_loadu_si256((const __m256i *)(const void *)((const int32_t *)b->j->bias + b->c + 8 * u));
}

IPU_INLINE __m256i dw_end(const dw_block *b, int u, const wide *acc, int taps, const int WIDE)
{
    return WIDE ? wide_narrow(acc, (const int64_t *)b->j->bias + b->c + 8 * u, (taps + 1) / 2, b->j->r->shift)
                : acc->all;
}

/* One pixel of U units. */
IPU_INLINE void dw_pixel(const dw_block *b, const dw_walk *k, const ptrdiff_t *off, const int type, const int U,
                         const int FEW, const int TAPS, const int WIDE)
{
    const int taps = TAPS ? TAPS : b->j->taps;
    wide acc[DW_UNITS];
    __m256i v[DW_UNITS];

    IPU_UNROLL for (int u = 0; u < U; u++)
    {
        acc[u].all = dw_begin(b, u, type, WIDE);
        acc[u].high = _mm256_setzero_si256();
    }
    if (TAPS) {
        IPU_UNROLL for (int t = 0; t < TAPS; t += 2) dw_step(b, k, off, t, acc, type, U, FEW, WIDE);
    } else {
        for (int t = 0; t < taps; t += 2)
            dw_step(b, k, off, t, acc, type, U, FEW, WIDE);
    }
    IPU_UNROLL for (int u = 0; u < U; u++) v[u] =
        f256_requant(dw_end(b, u, &acc[u], taps, WIDE), _mm256_loadu_ps(b->j->mult + b->c + 8 * u), &b->out);
    if (b->j->table)
        dw_put_table(k->y, v, b->j->table, b->n, U);
    else
        dw_put(k->y, v, b->j->r->y.type, b->n, U, FEW);
}

/* Rows [y0, y1) of 8 * U channels from c on. */
IPU_INLINE void dw_channels(dw_block *b, int32_t c, int32_t y0, int32_t y1, const int type, const int U, const int FEW,
                            const int TAPS, const int WIDE)
{
    const dw_job *j = b->j;
    const uint8_t *pad = j->pad + c * ipu_type_bytes(type);
    ptrdiff_t edge[DW_TAPS + 1];

    b->c = c;
    for (int t = 0; t < j->taps; t += 2)
        for (int u = 0; u < U; u++)
            b->w[t / 2 * U + u] = dw_weights(j, c + 8 * u, t);
    b->off[j->taps] = edge[j->taps] = 0;
    for (int32_t row = y0; row < y1; row++) {
        dw_walk k = dw_row(j, row, c);
        for (int32_t ox = 0; ox < j->r->y.w; ox++, dw_next(j, &k)) {
            const ptrdiff_t *off = dw_taps(j, &k, b->off, pad, edge);
            if (off == edge)
                edge[j->taps] = edge[0]; /* an odd tap's partner meets zero weights; anything readable will do */
            dw_pixel(b, &k, off, type, U, FEW, TAPS, WIDE);
        }
    }
}

IPU_INLINE void dw_all(dw_block *b, int32_t y0, int32_t y1, const int type, const int TAPS, const int WIDE)
{
    const int32_t end = b->j->r->x.c;
    int32_t c = 0;

    for (; c + 32 <= end; c += 32)
        dw_channels(b, c, y0, y1, type, 4, 0, TAPS, WIDE);
    for (; c + 16 <= end; c += 16)
        dw_channels(b, c, y0, y1, type, 2, 0, TAPS, WIDE);
    for (; c + 8 <= end; c += 8)
        dw_channels(b, c, y0, y1, type, 1, 0, TAPS, WIDE);
    if (c < end && end >= 8)
        dw_channels(b, end - 8, y0, y1, type, 1, 0, TAPS, WIDE);
    else if (c < end)
        dw_channels(b, 0, y0, y1, type, 1, 1, TAPS, WIDE);
}

IPU_INLINE void dw_run(const dw_job *j, int32_t y0, int32_t y1, const int type, const int WIDE)
{
    dw_block b;

    b.j = j;
    b.out = f256_out_of(&j->r->out);
    b.n = j->r->x.c < 8 ? j->r->x.c : 8;
    dw_offsets(j->r, b.off);
    if (j->taps == 9)
        dw_all(&b, y0, y1, type, 9, WIDE);
    else
        dw_all(&b, y0, y1, type, 0, WIDE);
}

IPU_KERNEL(ipu_depthwise_u8_avx2)
{
    const dw_job j = dw_start(rec, p);

    if (j.taps > DW_TAPS)
        ipu_depthwise_u8_c(rec, p, y0, y1);
    else
        dw_run(&j, y0, y1, IPU_U8, 0);
}

IPU_KERNEL(ipu_depthwise_s16_avx2)
{
    const dw_job j = dw_start(rec, p);

    if (j.taps > DW_TAPS)
        ipu_depthwise_s16_c(rec, p, y0, y1);
    else if (j.r->shift)
        dw_run(&j, y0, y1, IPU_S16, 1);
    else
        dw_run(&j, y0, y1, IPU_S16, 0);
}
