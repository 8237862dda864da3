/* 8-bit depthwise convolution with AVX-512 VNNI, 64 channels at a time.  The bytes of four taps are interleaved, so
 * that one vpdpbusd adds four products for each of 16 channels.  Interleaving leaves the channels of four vectors in
 * the order lane * 16 + vector * 4 + i; the packs at the end undo it.  Weights are interleaved alike, once per 64
 * channels.
 *
 * 3x3 at dilation 1 walks along the row by columns of three taps (the fourth is zero): with stride 1 each column,
 * interleaved once, serves three outputs, with stride 2 every second column serves two. */
#include "depthwise.h"
#include "vnni512.h"

/* What 64 channels need after the sums; bias and mult in interleaved order. */
typedef struct dw_block {
    __m512i bias[4];
    __m512 mult[4];
    f512_out out;
    __mmask64 mask;
    int32_t c, n;    /* first channel, channels */
    uint8_t pad[64]; /* a whole vector: masked loads that meet a page's end are slow */
} dw_block;

/* d[v] = the four bytes a, b, c, e of each channel, side by side. */
IPU_INLINE void dw_mix(__m512i a, __m512i b, __m512i c, __m512i e, __m512i *d)
{
    const __m512i l0 = _mm512_unpacklo_epi8(a, b), h0 = _mm512_unpackhi_epi8(a, b);
    const __m512i l1 = _mm512_unpacklo_epi8(c, e), h1 = _mm512_unpackhi_epi8(c, e);
    d[0] = _mm512_unpacklo_epi16(l0, l1);
    d[1] = _mm512_unpackhi_epi16(l0, l1);
    d[2] = _mm512_unpacklo_epi16(h0, h1);
    d[3] = _mm512_unpackhi_epi16(h0, h1);
}

/* 64 words in memory order to interleaved order: a transpose of 4x4 lanes of four words. */
static void dw_order(const void *src, int32_t n, __m512i *d)
{
    const int32_t *s = src;
    __m512i v[4];
    for (int i = 0; i < 4; i++)
        v[i] = n > 16 * i ? _mm512_loadu_si512(s + 16 * i) : _mm512_setzero_si512();
    const __m512i a = _mm512_shuffle_i32x4(v[0], v[1], 0x44), b = _mm512_shuffle_i32x4(v[0], v[1], 0xee);
    const __m512i c = _mm512_shuffle_i32x4(v[2], v[3], 0x44), e = _mm512_shuffle_i32x4(v[2], v[3], 0xee);
    d[0] = _mm512_shuffle_i32x4(a, c, 0x88);
    d[1] = _mm512_shuffle_i32x4(a, c, 0xdd);
    d[2] = _mm512_shuffle_i32x4(b, e, 0x88);
    d[3] = _mm512_shuffle_i32x4(b, e, 0xdd);
}

static dw_block dw_block_of(const dw_job *j, int32_t c)
{
    dw_block k = { .out = f512_out_of(&j->r->out), .c = c, .n = j->r->x.c - c < 64 ? j->r->x.c - c : 64 };
    __m512i m[4];

    memcpy(k.pad, j->pad + c, (size_t)k.n);
    k.mask = k.n == 64 ? ~(__mmask64)0 : ((__mmask64)1 << k.n) - 1;
    dw_order(j->bias + c, k.n, k.bias);
    dw_order(j->mult + c, k.n, m);
    for (int v = 0; v < 4; v++)
        k.mult[v] = _mm512_castsi512_ps(m[v]);
    return k;
}

IPU_INLINE __m512i dw_weights(const dw_job *j, const dw_block *k, int t)
{
    return t < 0 || t >= j->taps ? _mm512_setzero_si512()
                                 : _mm512_maskz_loadu_epi8(k->mask, j->w + (ptrdiff_t)t * j->cpad + k->c);
}

/* The block's channels of a pixel; FULL: there are 64. */
IPU_INLINE __m512i dw_load(const uint8_t *x, __mmask64 mask, const int FULL)
{
    return FULL ? _mm512_loadu_si512(x) : _mm512_maskz_loadu_epi8(mask, x);
}

IPU_INLINE void dw_put(const dw_job *j, const dw_block *k, const __m512i *acc, uint8_t *y, const int FULL)
{
    __m512i q[4];
    for (int v = 0; v < 4; v++)
        q[v] = f512_requant(acc[v], k->mult[v], &k->out);
    const __m512i a = _mm512_packs_epi32(q[0], q[1]), b = _mm512_packs_epi32(q[2], q[3]);
    const __m512i lo = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), hi = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    const __m512i u = _mm512_packus_epi16(a, b);

    if (j->r->y.type == IPU_U8) {
        if (FULL)
            _mm512_storeu_si512(y, u);
        else
            _mm512_mask_storeu_epi8(y, k->mask, u);
    } else if (FULL) {
        _mm512_storeu_si512(y, _mm512_permutex2var_epi64(a, lo, b));
        _mm512_storeu_si512(y + 64, _mm512_permutex2var_epi64(a, hi, b));
    } else {
        _mm512_mask_storeu_epi16(y, (__mmask32)k->mask, _mm512_permutex2var_epi64(a, lo, b));
        if (k->n > 32)
            _mm512_mask_storeu_epi16(y + 64, (__mmask32)(k->mask >> 32), _mm512_permutex2var_epi64(a, hi, b));
    }
}

IPU_INLINE uint8_t *dw_row(const dw_job *j, const dw_block *k, int32_t row)
{
    const ipu_ref *y = &j->r->y;
    return j->y + (ptrdiff_t)(row / y->h) * y->img + (ptrdiff_t)(row % y->h) * y->row +
           (ptrdiff_t)k->c * ipu_type_bytes(y->type);
}

/* ---- any kernel ---- */

IPU_INLINE void dw_any_block(const dw_job *j, const dw_block *k, const ptrdiff_t *off, int32_t y0, int32_t y1,
                             const int FULL)
{
    const ipu_ref *y = &j->r->y;
    const int groups = (j->taps + 3) / 4;
    const uint8_t *q[DW_TAPS + 3];
    __m512i w[DW_TAPS];

    for (int g = 0; g < groups; g++)
        dw_mix(dw_weights(j, k, 4 * g), dw_weights(j, k, 4 * g + 1), dw_weights(j, k, 4 * g + 2),
               dw_weights(j, k, 4 * g + 3), w + 4 * g);
    for (int t = j->taps; t < 4 * groups; t++)
        q[t] = k->pad; /* meets zero weights */
    for (int32_t row = y0; row < y1; row++) {
        uint8_t *dst = dw_row(j, k, row);
        for (int32_t ox = 0; ox < y->w; ox++, dst += y->pix) {
            __m512i acc[4] = { k->bias[0], k->bias[1], k->bias[2], k->bias[3] }, d[4];
            dw_taps(j, off, row / y->h, row % y->h, ox, k->c, k->pad, q);
            for (int g = 0; g < groups; g++) {
                const uint8_t **s = q + 4 * g;
                dw_mix(dw_load(s[0], k->mask, FULL), dw_load(s[1], k->mask, FULL), dw_load(s[2], k->mask, FULL),
                       dw_load(s[3], k->mask, FULL), d);
                for (int v = 0; v < 4; v++)
                    acc[v] = _mm512_dpbusd_epi32(acc[v], d[v], w[4 * g + v]);
            }
            dw_put(j, k, acc, dst, FULL);
        }
    }
}

static void dw_any(const dw_job *j, int32_t y0, int32_t y1)
{
    ptrdiff_t off[DW_TAPS];

    for (int t = 0; t < j->taps; t++)
        off[t] = dw_tap_offset(j->r, t / j->r->kw, t % j->r->kw);
    for (int32_t c = 0; c < j->r->x.c; c += 64) {
        const dw_block k = dw_block_of(j, c);
        if (k.n == 64)
            dw_any_block(j, &k, off, y0, y1, 1);
        else
            dw_any_block(j, &k, off, y0, y1, 0);
    }
}

/* ---- 3x3 ---- */

/* Three rows of x under one row of y; a row outside x stays on the pad vector. */
typedef struct dw_rows {
    const uint8_t *p[3], *pad;
    ptrdiff_t pix[3];
    int32_t w, x; /* columns of x; the column that is next */
} dw_rows;

static dw_rows dw_rows_of(const dw_job *j, const dw_block *k, int32_t row)
{
    const ipu_depthwise *r = j->r;
    const int32_t iy = row % r->y.h * r->sy - r->py;
    dw_rows s = { .pad = k->pad, .w = r->x.w, .x = -r->px };

    for (int i = 0; i < 3; i++) {
        const int in = (uint32_t)(iy + i) < (uint32_t)r->x.h;
        s.pix[i] = in ? r->x.pix : 0;
        s.p[i] = in ? j->x + (ptrdiff_t)(row / r->y.h) * r->x.img + (ptrdiff_t)(iy + i) * r->x.row + k->c : s.pad;
    }
    return s;
}

/* The next column, interleaved. */
IPU_INLINE void dw_column(dw_rows *s, __mmask64 m, __m512i *d, const int FULL)
{
    const int in = (uint32_t)s->x < (uint32_t)s->w;
    const ptrdiff_t x = s->x++;
    const uint8_t *p[3];

    for (int i = 0; i < 3; i++)
        p[i] = in ? s->p[i] + x * s->pix[i] : s->pad;
    dw_mix(dw_load(p[0], m, FULL), dw_load(p[1], m, FULL), dw_load(p[2], m, FULL), _mm512_setzero_si512(), d);
}

IPU_INLINE void dw_three(const dw_job *j, const dw_block *k, const __m512i *w, const __m512i *a, const __m512i *b,
                         const __m512i *c, uint8_t *y, const int FULL)
{
    __m512i acc[4];
    for (int v = 0; v < 4; v++) {
        acc[v] = _mm512_dpbusd_epi32(k->bias[v], a[v], w[v]);
        acc[v] = _mm512_dpbusd_epi32(acc[v], b[v], w[4 + v]);
        acc[v] = _mm512_dpbusd_epi32(acc[v], c[v], w[8 + v]);
    }
    dw_put(j, k, acc, y, FULL);
}

IPU_INLINE void dw_3x3_row(const dw_job *j, const dw_block *k, const __m512i *w, dw_rows s, uint8_t *y, const int sx,
                           const int FULL)
{
    const __mmask64 m = k->mask;
    const ptrdiff_t pix = j->r->y.pix;
    __m512i a[4], b[4], c[4];
    int32_t left = j->r->y.w;

    dw_column(&s, m, a, FULL);
    if (sx == 1)
        dw_column(&s, m, b, FULL);
    for (;; y += pix) {
        if (sx == 2)
            dw_column(&s, m, b, FULL);
        dw_column(&s, m, c, FULL);
        dw_three(j, k, w, a, b, c, y, FULL);
        if (--left == 0)
            return;
        for (int v = 0; v < 4; v++) {
            a[v] = sx == 1 ? b[v] : c[v];
            b[v] = c[v];
        }
    }
}

IPU_INLINE void dw_3x3_block(const dw_job *j, int32_t c, int32_t y0, int32_t y1, const int sx, const int FULL)
{
    const dw_block k = dw_block_of(j, c);
    __m512i w[12];

    for (int i = 0; i < 3; i++)
        dw_mix(dw_weights(j, &k, i), dw_weights(j, &k, 3 + i), dw_weights(j, &k, 6 + i), _mm512_setzero_si512(),
               w + 4 * i);
    for (int32_t row = y0; row < y1; row++)
        dw_3x3_row(j, &k, w, dw_rows_of(j, &k, row), dw_row(j, &k, row), sx, FULL);
}

IPU_INLINE void dw_3x3(const dw_job *j, int32_t y0, int32_t y1, const int sx)
{
    int32_t c = 0;
    for (; c + 64 <= j->r->x.c; c += 64)
        dw_3x3_block(j, c, y0, y1, sx, 1);
    if (c < j->r->x.c)
        dw_3x3_block(j, c, y0, y1, sx, 0);
}

IPU_KERNEL(ipu_depthwise_u8_vnni512)
{
    const dw_job j = dw_start(rec, p);
    const ipu_depthwise *r = j.r;

    if (j.taps > DW_TAPS)
        ipu_depthwise_u8_c(rec, p, y0, y1);
    else if (r->kh == 3 && r->kw == 3 && r->dy == 1 && r->dx == 1 && r->sx == 1)
        dw_3x3(&j, y0, y1, 1);
    else if (r->kh == 3 && r->kw == 3 && r->dy == 1 && r->dx == 1 && r->sx == 2)
        dw_3x3(&j, y0, y1, 2);
    else
        dw_any(&j, y0, y1);
}
