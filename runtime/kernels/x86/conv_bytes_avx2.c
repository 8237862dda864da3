/* 8-bit convolution with AVX2 where there are pixels enough: vpmaddubsw, whose sums of two products saturate at 16 bits, made exact.
 *
 * The largest sum of some products depends on the weights alone: 255 times those of one sign.  Few weights are large and few of those are neighbours, so that 16 bits
 * mostly hold not two products but four or eight.  For each step of that many products the weights of all output channels give a limit, the largest activation
 * with which no sum leaves 16 bits.  Activations are cut to it; what was cut off, of few pixels and few steps, is multiplied on its own.  So one vpmaddwd
 * serves up to four vpmaddubsw, and every sum is exact. */
#include "runtime/kernels/simd/conv_narrow.h"
#include "conv_bytes_avx2.h"
#include "conv_gather_avx2.h"
#include "conv_store_avx2.h"

enum {
    CB_AT_ONCE = 4,             /* pixels whose sums are in registers */
    CB_PIXELS = 3 * CB_AT_ONCE, /* of a tile */
    CB_SHORT = 64,              /* with fewer products of a pixel, or */
    CB_JUDGED = 5,              /* pixels by which the way is chosen */
    CB_FEW = 48,                /* with fewer pixels, or a single block of outputs, cutting does not pay */
    CB_K = 5 << 10,             /* most products of a pixel */
    CB_X = 60 << 10,            /* bytes of room for activations */
    CB_CUT = 8 << 10,           /* room for what is cut off */
    CB_GROUPS = 4,              /* most groups of four products in one sum of words */
    CB_NEAR = 1 << 10,          /* products whose weights and activations stay near: whole steps */
    CB_PAIR = 2,                /* cuts of a pixel come in pairs, the last one may be nothing */
    CB_BYTE = 128               /* what may be cut off in one piece: the product of two such with weights of one sign fits */
};

/* What was cut off a group of four activations. */
typedef struct cb_cut {
    int32_t k, four;
} cb_cut;

/* What a group of four activations of one pixel takes, in quarters of a cycle: with so many groups at once, with words; and what one does that is cut.  limit: as it
 * usually is. */
typedef struct cb_way {
    int groups, time, limit;
} cb_way;
static const cb_way cb_ways[] = { { 4, 5, 75 }, { 2, 6, 110 }, { 1, 8, 155 } };
enum { CB_WAYS = 3, CB_TIME_WORDS = 10, CB_TIME_CUT = 12 };

/* Room for what is cut off, or for sums of weights before anything is. */
typedef union cb_room {
    cb_cut cut[CB_CUT];
    int16_t reach[CB_K / 4 * 16];
} cb_room;

typedef struct cb_job {
    const conv_job *j;
    conv_gather g;
    conv_store s;
    int32_t blocks, stride; /* of channels; bytes from pixel to pixel */
    int way;                /* of cb_ways: how many groups' products are added in words */
    uint8_t *x, *limit;     /* limit: of each activation of a pixel */
    cb_room *room;
    int32_t first[CB_PIXELS + 1]; /* cuts of pixel i: from first[i] to first[i + 1] */
} cb_job;

/* ---- limits ---- */

IPU_INLINE __m256i cb_load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* most[16] = at least twice what weights of one sign reach in 16 sums of two, over `groups` groups of four from w on, one vector of them each.  With s the sum of some
 * weights and a that of their magnitudes, those of one sign reach (a + |s|) / 2. */
IPU_INLINE void cb_reach(int16_t *most, const int8_t *w, int groups)
{
    const __m256i one = _mm256_set1_epi8(1);
    __m256i s = _mm256_setzero_si256(), a = s;

    for (int r = 0; r < groups; r++, w += 64) {
        const __m256i v = cb_load(w);
        s = _mm256_add_epi16(s, _mm256_maddubs_epi16(one, v));
        a = _mm256_add_epi16(a, _mm256_maddubs_epi16(_mm256_abs_epi8(v), one));
    }
    _mm256_storeu_si256((__m256i *)(void *)most, _mm256_max_epi16(cb_load(most), _mm256_add_epi16(a, _mm256_abs_epi16(s))));
}

IPU_INLINE uint8_t cb_limit(int most)
{
    return (uint8_t)(most > 32767 / 255 ? 32767 / most : 255);
}

/* The most of 16 sums, in words 0 and 1 for the first and the second two of each group. */
IPU_INLINE uint32_t cb_most(const int16_t *most)
{
    const __m256i v = cb_load(most);
    const __m128i four = _mm_max_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i two = _mm_max_epi16(four, _mm_srli_si128(four, 8));

    return (uint32_t)_mm_cvtsi128_si32(_mm_srli_epi16(_mm_max_epi16(two, _mm_srli_si128(two, 4)), 1));
}

/* Groups of the step at k: the last ones stand alone. */
IPU_INLINE int cb_groups_at(const cb_job *c, int32_t k)
{
    const int at_once = cb_ways[c->way].groups;
    return c->g.k - k >= 4 * at_once ? at_once : 1;
}

static void cb_limits(cb_job *c)
{
    int16_t *most = c->room->reach;

    memset(most, 0, (size_t)c->g.k / 4 * CONV_VECTOR);
    for (int32_t b = 0; b < c->blocks; b++) {
        const int8_t *w = c->j->w + b * c->j->block;
        int16_t *to = most;
        for (int32_t k = 0; k < c->g.k; k += 4 * cb_groups_at(c, k), to += 16) {
            cb_reach(to, w + 16 * k, cb_groups_at(c, k));
            cb_reach(to, w + 16 * k + CONV_VECTOR, cb_groups_at(c, k));
        }
    }
    memset(c->limit, 255, (size_t)c->stride);
    for (int32_t k = 0; k < c->g.k; k += 4 * cb_groups_at(c, k), most += 16) {
        const uint32_t two = cb_most(most);
        for (int i = 0; i < 4 * cb_groups_at(c, k); i++)
            c->limit[k + i] = cb_limit(i & 2 ? two >> 16 : two & 0xffff);
    }
}

/* ---- activations ---- */

/* Notes pieces of what was cut off the group at k, none of whose bytes is more than CB_BYTE. */
IPU_INLINE cb_cut *cb_note(cb_cut *to, int32_t k, const uint8_t *over)
{
    __m128i four = _mm_loadu_si32(over);

    do {
        const __m128i piece = _mm_min_epu8(four, _mm_set1_epi8((char)CB_BYTE));
        *to++ = (cb_cut){ k, _mm_cvtsi128_si32(piece) };
        four = _mm_subs_epu8(four, piece);
    } while (_mm_cvtsi128_si32(four));
    return to;
}

/* Up to 64 groups of one pixel from x on to their limits; what is cut off, to over.  Returns a bit for each group of which something was. */
IPU_INLINE uint64_t cb_cut_groups(uint8_t *x, const uint8_t *limit, uint8_t *over, int32_t bytes)
{
    uint64_t some = 0;

    for (int32_t k = 0; k < bytes; k += CONV_VECTOR) {
        const __m256i v = cb_load(x + k), most = cb_load(limit + k), rest = _mm256_subs_epu8(v, most);
        const __m256i none = _mm256_cmpeq_epi32(rest, _mm256_setzero_si256());
        _mm256_storeu_si256((__m256i *)(void *)(x + k), _mm256_min_epu8(v, most));
        _mm256_storeu_si256((__m256i *)(void *)(over + k), rest);
        some |= (uint64_t)(0xff & ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(none))) << (k / 4);
    }
    return some;
}

/* The activations of one pixel to their limits; returns the end of the cuts. */
IPU_INLINE cb_cut *cb_cut_pixel(const cb_job *c, uint8_t *x, cb_cut *cut)
{
    enum { AT_ONCE = 256 };
    uint8_t over[AT_ONCE];

    for (int32_t k = 0; k < c->stride; k += AT_ONCE) {
        uint64_t some = cb_cut_groups(x + k, c->limit + k, over, c->stride - k < AT_ONCE ? c->stride - k : AT_ONCE);
        for (; some; some &= some - 1) {
            const int at = 4 * __builtin_ctzll(some);
            cut = cb_note(cut, k + at, over + at);
        }
    }
    while ((cut - c->room->cut) % CB_PAIR)
        *cut++ = (cb_cut){ 0, 0 };
    return cut;
}

/* Pixels of the tile from `at` on, n at most, as many as there is room for what may be cut off them; returns their number. */
static int cb_tile(cb_job *c, const conv_tile *t, int at, int n)
{
    const cb_cut *last = c->room->cut + CB_CUT - c->g.k / 4 * 2 - CB_PAIR;
    cb_cut *cut = c->room->cut;
    int i = 0;

    conv_gather_tile(&c->g, t, at, n, c->x, c->stride, 0); /* all, before any is cut: what was just written in other pieces is slow to read */
    for (; i < n && cut <= last; i++) {
        uint8_t *x = c->x + i * c->stride;
        c->first[i] = (int32_t)(cut - c->room->cut);
        cut = cb_cut_pixel(c, x, cut);
    }
    c->first[i] = (int32_t)(cut - c->room->cut);
    return i;
}

/* ---- sums ---- */

IPU_INLINE __m256i cb_four(const uint8_t *x)
{
    int32_t v;
    memcpy(&v, x, 4);
    return _mm256_set1_epi32(v);
}

/* The sum of G groups of four products for eight output channels: words hold it. */
IPU_INLINE __m256i cb_products(const uint8_t *x, const __m256i *w, const int G)
{
    __m256i sum = _mm256_maddubs_epi16(cb_four(x), w[0]);

    IPU_UNROLL for (int r = 1; r < G; r++) sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(cb_four(x + 4 * r), w[r]));
    return _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
}

/* One step of G groups.  Activations are loaded again for each V: to keep them takes more registers than there are. */
IPU_INLINE void cb_step(__m256i (*acc)[2], const uint8_t *x, ptrdiff_t stride, const int8_t *w, const int P, const int V, const int G)
{
    IPU_UNROLL for (int v = 0; v < V; v++)
    {
        __m256i wv[CB_GROUPS];
        IPU_UNROLL for (int r = 0; r < G; r++) wv[r] = cb_load(w + 64 * r + CONV_VECTOR * v);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i][v] = _mm256_add_epi32(acc[i][v], cb_products(x + i * stride, wv, G));
        __asm__ volatile("" ::: "memory");
    }
}

/* sum[P] += n products of P pixels from x on, for 8 * V output channels with weights w. */
IPU_INLINE void cb_sum(const uint8_t *x, ptrdiff_t stride, int32_t n, const int8_t *w, __m256i (*sum)[2], const int P, const int V, const int G)
{
    const int32_t whole = n - n % (4 * G);
    __m256i acc[CB_AT_ONCE][2];
    int32_t k = 0;

    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int v = 0; v < V; v++) acc[i][v] = sum[i][v];
    }
    for (; k < whole; k += 4 * G, w += 64 * G)
        cb_step(acc, x + k, stride, w, P, V, G);
    for (; G > 1 && k < n; k += 4, w += 64)
        cb_step(acc, x + k, stride, w, P, V, 1);
    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int v = 0; v < V; v++) sum[i][v] = acc[i][v];
    }
}

typedef void cb_sum_fn(const uint8_t *x, ptrdiff_t stride, int32_t n, const int8_t *w, __m256i (*sum)[2]);

#define CB_SUM_FN(P, V, G)                                                                                                                      \
    static __attribute__((noinline)) void cb_sum_##P##_##V##_##G(const uint8_t *x, ptrdiff_t stride, int32_t n, const int8_t *w, __m256i(*sum)[2]) \
    {                                                                                                                                           \
        cb_sum(x, stride, n, w, sum, P, V, G);                                                                                                  \
    }
#define CB_SUM_FNS(G)  \
    CB_SUM_FN(1, 1, G) \
    CB_SUM_FN(2, 1, G) \
    CB_SUM_FN(3, 1, G) \
    CB_SUM_FN(4, 1, G) \
    CB_SUM_FN(1, 2, G) \
    CB_SUM_FN(2, 2, G) \
    CB_SUM_FN(3, 2, G) \
    CB_SUM_FN(4, 2, G)
#define CB_SUMS(V, G) { cb_sum_1_##V##_##G, cb_sum_2_##V##_##G, cb_sum_3_##V##_##G, cb_sum_4_##V##_##G }
CB_SUM_FNS(1)
CB_SUM_FNS(2)
CB_SUM_FNS(4)

/* Bias, and what was cut off pixel i. */
IPU_INLINE void cb_begin(const cb_job *c, int i, int32_t co, const int8_t *w, __m256i *sum)
{
    const int32_t *bias = (const int32_t *)c->j->bias + co;
    const cb_cut *cut = c->room->cut + c->first[i], *end = c->room->cut + c->first[i + 1];
    __m256i low = cb_load(bias), high = cb_load(bias + 8);

    for (; cut < end; cut += CB_PAIR) {
        IPU_UNROLL for (int r = 0; r < CB_PAIR; r++)
        {
            const int8_t *of = w + cut[r].k * CONV_LANES;
            const __m256i four = _mm256_set1_epi32(cut[r].four), one = _mm256_set1_epi16(1);
            low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_maddubs_epi16(four, cb_load(of)), one));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_maddubs_epi16(four, cb_load(of + CONV_VECTOR)), one));
        }
    }
    sum[0] = low;
    sum[1] = high;
}

/* The n pixels of the tile from `first` on, which are in c->x, the block of output channels from co on. */
static void cb_pixels(const cb_job *c, const conv_tile *t, int first, int n, int32_t co)
{
    static cb_sum_fn *const sum_of[CB_WAYS][2][CB_AT_ONCE] = { { CB_SUMS(1, 4), CB_SUMS(2, 4) }, { CB_SUMS(1, 2), CB_SUMS(2, 2) }, { CB_SUMS(1, 1), CB_SUMS(2, 1) } };
    const int two = c->j->r->y.c - co > 8;
    const int8_t *w = c->j->w + co / CONV_LANES * c->j->block;
    __m256i sum[CB_PIXELS + 1][2];

    for (int i = 0; i < n; i++)
        cb_begin(c, i, co, w, sum[i]);
    for (int32_t k = 0, some; k < c->g.k; k += some) {
        some = c->g.k - k < CB_NEAR ? c->g.k - k : CB_NEAR;
        for (int at = 0; at < n; at += CB_AT_ONCE)
            sum_of[c->way][two][(n - at < CB_AT_ONCE ? n - at : CB_AT_ONCE) - 1](c->x + at * c->stride + k, c->stride, some, w + k * CONV_LANES, sum + at);
    }
    conv_finish_block(c->j, &c->s, t, first, co, sum, n);
}

/* ---- which way ---- */

/* Quarters of a cycle that n pixels take with `each` for a group of four activations, of which so many are cut. */
static int64_t cb_time(const cb_job *c, int64_t each, int n, int64_t cuts)
{
    return each * n * (c->g.k / 4) + CB_TIME_CUT * cuts;
}

/* How many groups of n pixels, gathered in x, one limit cuts. */
static int64_t cb_cuts(const cb_job *c, int n, int limit)
{
    const __m256i most = _mm256_set1_epi8((char)limit), none = _mm256_setzero_si256();
    int64_t cuts = 0;

    for (int i = 0; i < n; i++)
        for (int32_t k = 0; k < c->g.k; k += CONV_VECTOR) {
            const __m256i over = _mm256_subs_epu8(cb_load(c->x + i * c->stride + k), most);
            cuts += 8 - __builtin_popcount((unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(over, none))));
        }
    return cuts;
}

/* Chooses the way by n pixels of the tile; zero where words take about as much time. */
static int cb_choose(cb_job *c, const conv_tile *t, int n)
{
    const int64_t words = cb_time(c, CB_TIME_WORDS, n, 0), most = words - words / 8;
    int64_t best = most;

    conv_gather_tile(&c->g, t, 0, n, c->x, c->stride, 0);
    for (int i = 0; i < n; i++)
        memset(c->x + i * c->stride + c->g.k, 0, (size_t)(c->stride - c->g.k)); /* what lies there shall not decide */
    c->way = CB_WAYS;
    for (int way = 0; way < CB_WAYS; way++) {
        const int64_t time = cb_time(c, cb_ways[way].time, n, cb_cuts(c, n, cb_ways[way].limit));
        if (time < best) {
            best = time;
            c->way = way;
        }
    }
    if (c->way == CB_WAYS)
        return 0;
    cb_limits(c);
    const int some = cb_tile(c, t, 0, n);
    return cb_time(c, cb_ways[c->way].time, some, c->first[some]) * n < most * some;
}

/* Fewer groups at once where so much was cut off n pixels that this took longer than it was to save. */
static void cb_adapt(cb_job *c, int n)
{
    if (c->way == CB_WAYS - 1 || cb_time(c, cb_ways[c->way].time, n, c->first[n]) < cb_time(c, 2 * CB_TIME_WORDS, n, 0))
        return;
    c->way++;
    cb_limits(c);
}

/* ---- the whole ---- */

static void cb_rows(cb_job *c, int32_t y0, int32_t y1)
{
    conv_walk walk = conv_walk_from(c->j, y0);
    conv_tile t;

    for (int64_t left = (int64_t)(y1 - y0) * c->j->r->y.w; left > 0; left -= CB_PIXELS) {
        const int n = left < CB_PIXELS ? (int)left : CB_PIXELS;
        conv_gather_fill(&c->g, &t, n, &walk);
        for (int at = 0, some; at < n; at += some) {
            some = cb_tile(c, &t, at, n - at);
            for (int32_t co = 0; co < c->j->r->y.c; co += CONV_LANES)
                cb_pixels(c, &t, at, some, co);
            cb_adapt(c, some);
        }
    }
}

/* Zero where words take less time: judged by a few pixels from the middle. */
static int cb_start(cb_job *c, const conv_job *j, int32_t y0, int32_t y1)
{
    const ipu_conv *r = j->r;
    conv_walk walk = conv_walk_from(j, y0 + (y1 - y0) / 2);
    conv_tile t = { .inside = 0 };

    c->j = j;
    c->g = conv_gather_of(j);
    c->s = conv_store_of(j);
    c->blocks = (r->y.c + CONV_LANES - 1) / CONV_LANES;
    c->stride = (c->g.k + CONV_VECTOR - 1) / CONV_VECTOR * CONV_VECTOR;
    const int n = r->y.w < CB_JUDGED ? r->y.w : CB_JUDGED;
    conv_gather_fill(&c->g, &t, n, &walk);
    return cb_choose(c, &t, n);
}

/* Few channels: rows of x are laid out for a 1x1 convolution. */
static int cb_narrow(cb_job *c, const conv_job *j, int32_t y0, int32_t y1)
{
    conv_narrow k;
    conv_job some = conv_narrow_start(j, &k);

    for (int32_t row = y0, n; row < y1; row += n) {
        n = conv_narrow_next(j, &k, &some, row, y1);
        if (row == y0 && !cb_start(c, &some, 0, n))
            return 0;
        cb_rows(c, 0, n);
    }
    return 1;
}

int ipu_conv_bytes_avx2(const conv_job *j, int32_t y0, int32_t y1)
{
    uint8_t x[CB_X + CONV_GATHER_SLACK], limit[CB_K + CONV_VECTOR];
    cb_room room;
    cb_job c = { .x = x, .limit = limit, .room = &room };

    const int64_t k = j->block / CONV_LANES;

    if ((int64_t)(y1 - y0) * j->r->y.w < CB_FEW || k < CB_SHORT || k > CB_K || j->r->y.c <= CONV_LANES)
        return 0;
    if (conv_is_narrow(j->r))
        return cb_narrow(&c, j, y0, y1);
    if (!cb_start(&c, j, y0, y1))
        return 0;
    cb_rows(&c, y0, y1);
    return 1;
}
