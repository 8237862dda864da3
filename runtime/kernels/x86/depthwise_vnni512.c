/* 8-bit depthwise convolution with AVX-512 VNNI, 64 channels at a time.  The bytes of four taps are interleaved, so
 * that one vpdpbusd adds four products for each of 16 channels.  Interleaving leaves the channels of four vectors in
 * the order lane * 16 + vector * 4 + i; the packs at the end undo it.  Weights are interleaved alike, once per 64
 * channels.
 *
 * 3x3 at dilation 1 walks along the row by columns of three taps (the fourth is zero): with stride 1 each column,
 * interleaved once, serves three outputs, with stride 2 every second column serves two. */
#include "runtime/kernels/simd/depthwise.h"
#include "vnni512.h"

/* What 64 channels need after the sums; bias and mult in interleaved order. */
typedef struct dw_block {
    __m512i bias[4];
    __m512 mult[4];
    f512_out out;
    u512_out bytes;
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
    dw_block k = { .out = f512_out_of(&j->r->out), .bytes = u512_out_of(&j->r->out), .c = c, .n = j->r->x.c - c < 64 ? j->r->x.c - c : 64 };
    __m512i m[4];

    memcpy(k.pad, j->pad + c, (size_t)k.n);
    k.mask = k.n == 64 ? ~(__mmask64)0 : ((__mmask64)1 << k.n) - 1;
    dw_order((const int32_t *)j->bias + c, k.n, k.bias);
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

/* Whether results are bytes, without a table, by small multipliers: that needs fewer constants. */
IPU_INLINE int dw_is_bytes(const dw_job *j)
{
    return j->r->y.type == IPU_U8 && !j->table && ipu_are_small(j->mult, j->r->y.c);
}

/* 64 words through the table to y. */
IPU_INLINE void dw_put_table(const dw_job *j, const dw_block *k, __m512i a, __m512i b, uint8_t *y)
{
    uint16_t index[64];
    uint8_t byte[64];

    _mm512_storeu_si512(index, a);
    _mm512_storeu_si512(index + 32, b);
    j->lookup(j->table, index, byte, 64);
    _mm512_mask_storeu_epi8(y, k->mask, _mm512_loadu_si512(byte));
}

/* BYTES: dw_is_bytes. */
IPU_INLINE void dw_put(const dw_job *j, const dw_block *k, const __m512i *acc, uint8_t *y, const int FULL, const int BYTES)
{
    if (BYTES) {
        const __m512i bytes = u512_requant(acc, k->mult, &k->bytes);
        if (FULL)
            _mm512_storeu_si512(y, bytes);
        else
            _mm512_mask_storeu_epi8(y, k->mask, bytes);
        return;
    }
    __m512i q[4];
    for (int v = 0; v < 4; v++)
        q[v] = f512_requant(acc[v], k->mult[v], &k->out);
    const __m512i a = _mm512_packs_epi32(q[0], q[1]), b = _mm512_packs_epi32(q[2], q[3]);
    const __m512i lo = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), hi = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    const __m512i u = _mm512_packus_epi16(a, b);

    if (j->table) {
        dw_put_table(j, k, _mm512_permutex2var_epi64(a, lo, b), _mm512_permutex2var_epi64(a, hi, b), y);
        return;
    }
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

/* ---- any kernel ---- */

IPU_INLINE void dw_any_block(const dw_job *j, const dw_block *k, const ptrdiff_t *off, int32_t y0, int32_t y1,
                             const int FULL, const int BYTES)
{
    const int groups = (j->taps + 3) / 4;
    ptrdiff_t edge[DW_TAPS + 3];
    __m512i w[DW_TAPS];

    for (int g = 0; g < groups; g++)
        dw_mix(dw_weights(j, k, 4 * g), dw_weights(j, k, 4 * g + 1), dw_weights(j, k, 4 * g + 2),
               dw_weights(j, k, 4 * g + 3), w + 4 * g);
    for (int32_t row = y0; row < y1; row++) {
        dw_walk at = dw_row(j, row, k->c);
        for (int32_t ox = 0; ox < j->r->y.w; ox++, dw_next(j, &at)) {
            __m512i acc[4] = { k->bias[0], k->bias[1], k->bias[2], k->bias[3] }, d[4];
            const ptrdiff_t *to = dw_taps(j, &at, off, k->pad, edge);
            if (to == edge)
                for (int t = j->taps; t < 4 * groups; t++)
                    edge[t] = edge[0]; /* meets zero weights; anything readable will do */
            for (int g = 0; g < groups; g++) {
                const ptrdiff_t *o = to + 4 * g;
                dw_mix(dw_load(dw_at(&at, o[0]), k->mask, FULL), dw_load(dw_at(&at, o[1]), k->mask, FULL),
                       dw_load(dw_at(&at, o[2]), k->mask, FULL), dw_load(dw_at(&at, o[3]), k->mask, FULL), d);
                for (int v = 0; v < 4; v++)
                    acc[v] = _mm512_dpbusd_epi32(acc[v], d[v], w[4 * g + v]);
            }
            dw_put(j, k, acc, at.y, FULL, BYTES);
        }
    }
}

IPU_INLINE void dw_any(const dw_job *j, int32_t y0, int32_t y1, const int BYTES)
{
    ptrdiff_t off[DW_TAPS + 3];

    dw_offsets(j->r, off);
    for (int t = j->taps; t < DW_TAPS + 3; t++)
        off[t] = 0;
    for (int32_t c = 0; c < j->r->x.c; c += 64) {
        const dw_block k = dw_block_of(j, c);
        if (k.n == 64)
            dw_any_block(j, &k, off, y0, y1, 1, BYTES);
        else
            dw_any_block(j, &k, off, y0, y1, 0, BYTES);
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
                         const __m512i *c, uint8_t *y, const int FULL, const int BYTES)
{
    __m512i acc[4];
    for (int v = 0; v < 4; v++) {
        acc[v] = _mm512_dpbusd_epi32(k->bias[v], a[v], w[v]);
        acc[v] = _mm512_dpbusd_epi32(acc[v], b[v], w[4 + v]);
        acc[v] = _mm512_dpbusd_epi32(acc[v], c[v], w[8 + v]);
    }
    dw_put(j, k, acc, y, FULL, BYTES);
}

IPU_INLINE void dw_3x3_row(const dw_job *j, const dw_block *k, const __m512i *w, dw_rows s, uint8_t *y, const int sx,
                           const int FULL, const int BYTES)
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
        dw_three(j, k, w, a, b, c, y, FULL, BYTES);
        if (--left == 0)
            return;
        for (int v = 0; v < 4; v++) {
            a[v] = sx == 1 ? b[v] : c[v];
            b[v] = c[v];
        }
    }
}

IPU_INLINE void dw_3x3_block(const dw_job *j, int32_t c, int32_t y0, int32_t y1, const int sx, const int FULL, const int BYTES)
{
    const dw_block k = dw_block_of(j, c);
    __m512i w[12];

    for (int i = 0; i < 3; i++)
        dw_mix(dw_weights(j, &k, i), dw_weights(j, &k, 3 + i), dw_weights(j, &k, 6 + i), _mm512_setzero_si512(),
               w + 4 * i);
    for (int32_t row = y0; row < y1; row++)
        dw_3x3_row(j, &k, w, dw_rows_of(j, &k, row), dw_row(j, row, c).y, sx, FULL, BYTES);
}

IPU_INLINE void dw_3x3(const dw_job *j, int32_t y0, int32_t y1, const int sx, const int BYTES)
{
    int32_t c = 0;
    for (; c + 64 <= j->r->x.c; c += 64)
        dw_3x3_block(j, c, y0, y1, sx, 1, BYTES);
    if (c < j->r->x.c)
        dw_3x3_block(j, c, y0, y1, sx, 0, BYTES);
}

/* ---- few channels ----
 * Several pixels side by side fill a vector.  The rows of x under a row of y are copied with their padding, the columns
 * that a stride skips apart from each other, so that neighbours in y have neighbours under every tap.               */
enum { FEW_CHANNELS = 21, FEW_BYTES = 32 << 10, FEW_TAPS = 64 };

typedef struct dw_few {
    ipu_depthwise r; /* as if the pixels of a vector were channels of one */
    dw_job job;
    int32_t pixels; /* of a vector */
    int32_t cols;   /* of a copied row in each phase of the stride */
    ptrdiff_t line; /* bytes of a copied row in one phase */
    ptrdiff_t off[FEW_TAPS + 3];
    int32_t bias[64];
    float mult[64];
    int8_t w[FEW_TAPS * 64];
    uint8_t pad[64]; /* one pixel in a whole vector: masked loads that meet a page's end are slow */
    uint8_t x[FEW_BYTES];
} dw_few;

static int32_t dw_few_cols(const ipu_depthwise *r)
{
    return r->y.w + (r->kw - 1) * r->dx / r->sx + 1;
}

static int dw_is_few(const dw_job *j)
{
    const ipu_depthwise *r = j->r;
    const int64_t line = (int64_t)dw_few_cols(r) * r->x.c + 64;

    return r->x.c <= FEW_CHANNELS && j->taps <= FEW_TAPS && r->sx <= 8 && line * r->sx <= FEW_BYTES / r->kh &&
           r->y.pix == r->y.c * ipu_type_bytes(r->y.type);
}

/* The constants, repeated for each pixel of a vector. */
static void dw_few_constants(const dw_job *j, dw_few *k, int32_t n)
{
    const int32_t c = j->r->x.c;

    memset(k->pad, 0, sizeof k->pad);
    memcpy(k->pad, j->pad, (size_t)c);
    memset(k->bias, 0, sizeof k->bias);
    memset(k->mult, 0, sizeof k->mult);
    memset(k->w, 0, sizeof k->w);
    for (int32_t i = 0; i < n; i++) {
        k->bias[i] = ((const int32_t *)j->bias)[i % c];
        k->mult[i] = j->mult[i % c];
        for (int32_t t = 0; t < j->taps; t++)
            k->w[64 * t + i] = j->w[t * j->cpad + i % c];
    }
}

static void dw_few_start(const dw_job *j, dw_few *k)
{
    const ipu_depthwise *r = j->r;

    k->pixels = 64 / r->x.c;
    k->cols = dw_few_cols(r);
    k->line = (ptrdiff_t)k->cols * r->x.c + 64;
    for (int32_t t = 0; t < FEW_TAPS + 3; t++) {
        const int32_t at = t % r->kw * r->dx;
        k->off[t] = t < j->taps ? (t / r->kw * r->sx + at % r->sx) * k->line + (ptrdiff_t)(at / r->sx) * r->x.c : 0;
    }
    dw_few_constants(j, k, k->pixels * r->x.c);
    memset(k->x, 0, (size_t)(k->line * r->sx * r->kh));
    k->r = *r;
    k->r.x.c = k->pixels * r->x.c;
    k->job = *j;
    k->job.r = &k->r;
    k->job.w = k->w;
    k->job.bias = k->bias;
    k->job.mult = k->mult;
    k->job.cpad = 64;
    k->job.pad = k->pad;
}

/* n pixels, `pix` bytes apart; each store covers what the one before wrote too much. */
static uint8_t *dw_few_pixels(uint8_t *to, const uint8_t *from, ptrdiff_t pix, int32_t n, int32_t c)
{
    const __mmask32 m = (__mmask32)(((uint64_t)1 << c) - 1);

    if (pix == c) {
        memcpy(to, from, (size_t)n * (size_t)c);
        return to + (ptrdiff_t)n * c;
    }
    for (int32_t i = 0; i < n; i++, from += pix, to += c)
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_maskz_loadu_epi8(m, from));
    return to;
}

/* One row of x (or of padding, x NULL) in each phase of the stride. */
static void dw_few_row(const dw_job *j, const dw_few *k, const uint8_t *x, uint8_t *to)
{
    const ipu_depthwise *r = j->r;
    const int32_t c = r->x.c, sx = r->sx;

    for (int32_t s = 0; s < sx; s++, to += k->line) {
        /* column i of this phase is column i * sx + s - px of x */
        int32_t left = r->px > s ? (r->px - s + sx - 1) / sx : 0;
        left = !x || left > k->cols ? k->cols : left;
        const int32_t first = left * sx + s - r->px, most = first < r->x.w ? (r->x.w - first + sx - 1) / sx : 0;
        const int32_t in = most < k->cols - left ? most : k->cols - left;
        uint8_t *at = dw_few_pixels(to, k->pad, 0, left, c);
        if (in > 0)
            at = dw_few_pixels(at, x + (ptrdiff_t)first * r->x.pix, (ptrdiff_t)sx * r->x.pix, in, c);
        dw_few_pixels(at, k->pad, 0, k->cols - left - in, c);
    }
}

static void dw_few_rows(const dw_job *j, dw_few *k, int32_t row)
{
    const ipu_depthwise *r = j->r;
    const int32_t n = row / r->y.h, iy0 = row % r->y.h * r->sy - r->py;

    for (int32_t ky = 0; ky < r->kh; ky++) {
        const int32_t iy = iy0 + ky * r->dy;
        const int in = (uint32_t)iy < (uint32_t)r->x.h;
        const uint8_t *x = in ? j->x + ((ptrdiff_t)n * r->x.img + (ptrdiff_t)iy * r->x.row) : NULL;
        dw_few_row(j, k, x, k->x + (ptrdiff_t)ky * r->sx * k->line);
    }
}

/* One vector of y from the copied rows at x. */
IPU_INLINE void dw_few_vector(const dw_few *k, const dw_block *b, const __m512i *w, const uint8_t *x, uint8_t *y,
                              int groups, const int BYTES)
{
    __m512i acc[4] = { b->bias[0], b->bias[1], b->bias[2], b->bias[3] }, d[4];

    for (int g = 0; g < groups; g++) {
        const ptrdiff_t *off = k->off + 4 * g;
        dw_mix(_mm512_loadu_si512(x + off[0]), _mm512_loadu_si512(x + off[1]), _mm512_loadu_si512(x + off[2]),
               _mm512_loadu_si512(x + off[3]), d);
        for (int v = 0; v < 4; v++)
            acc[v] = _mm512_dpbusd_epi32(acc[v], d[v], w[4 * g + v]);
    }
    dw_put(&k->job, b, acc, y, 0, BYTES);
}

IPU_INLINE void dw_few_all(const dw_job *j, int32_t y0, int32_t y1, const int BYTES)
{
    const int32_t each = ipu_type_bytes(j->r->y.type), groups = (j->taps + 3) / 4, w = j->r->y.w, c = j->r->y.c;
    __m512i wv[FEW_TAPS];
    dw_few k;

    dw_few_start(j, &k);
    const dw_block full = dw_block_of(&k.job, 0);
    dw_block last = full;
    last.n = (w - 1) % k.pixels * c + c;
    last.mask = last.n == 64 ? ~(__mmask64)0 : ((__mmask64)1 << last.n) - 1;
    for (int g = 0; g < groups; g++)
        dw_mix(dw_weights(&k.job, &full, 4 * g), dw_weights(&k.job, &full, 4 * g + 1),
               dw_weights(&k.job, &full, 4 * g + 2), dw_weights(&k.job, &full, 4 * g + 3), wv + 4 * g);
    for (int32_t row = y0; row < y1; row++) {
        uint8_t *y = dw_row(j, row, 0).y;
        const uint8_t *x = k.x;
        dw_few_rows(j, &k, row);
        for (int32_t i = 0; i < w; i += k.pixels, x += (ptrdiff_t)k.pixels * c, y += (ptrdiff_t)k.pixels * c * each)
            dw_few_vector(&k, i + k.pixels >= w ? &last : &full, wv, x, y, groups, BYTES);
    }
}

static void dw_few_run(const dw_job *j, int32_t y0, int32_t y1)
{
    if (dw_is_bytes(j))
        dw_few_all(j, y0, y1, 1);
    else
        dw_few_all(j, y0, y1, 0);
}

static void dw_any_run(const dw_job *j, int32_t y0, int32_t y1)
{
    if (dw_is_bytes(j))
        dw_any(j, y0, y1, 1);
    else
        dw_any(j, y0, y1, 0);
}

static void dw_3x3_run(const dw_job *j, int32_t y0, int32_t y1)
{
    if (dw_is_bytes(j))
        j->r->sx == 1 ? dw_3x3(j, y0, y1, 1, 1) : dw_3x3(j, y0, y1, 2, 1);
    else
        j->r->sx == 1 ? dw_3x3(j, y0, y1, 1, 0) : dw_3x3(j, y0, y1, 2, 0);
}

static void dw_run(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_lookup *lookup)
{
    dw_job j = dw_start(rec, p);
    const ipu_depthwise *r = j.r;

    j.lookup = lookup;
    if (j.taps > DW_TAPS)
        ipu_depthwise_u8_c(rec, p, y0, y1);
    else if (dw_is_few(&j))
        dw_few_run(&j, y0, y1);
    else if (r->kh == 3 && r->kw == 3 && r->dy == 1 && r->dx == 1 && r->sx <= 2)
        dw_3x3_run(&j, y0, y1);
    else
        dw_any_run(&j, y0, y1);
}

IPU_KERNEL(ipu_depthwise_u8_vnni512)
{
    dw_run(rec, p, y0, y1, ipu_lookup_one_by_one);
}

IPU_KERNEL(ipu_depthwise_u8_vbmi512)
{
    dw_run(rec, p, y0, y1, ipu_lookup_vbmi512);
}
