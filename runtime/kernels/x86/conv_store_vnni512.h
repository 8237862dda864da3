/* Finished sums of a convolution with AVX-512: requantized, with a residual and a second output where the record has them, or through its table, to y. */
#ifndef IPU_X86_CONV_STORE_VNNI512_H
#define IPU_X86_CONV_STORE_VNNI512_H

#include "runtime/kernels/simd/conv.h"
#include "vnni512.h"

typedef struct conv_store conv_store;

/* Sums of a tile in memory, [pixels][NB][16]. */
typedef struct conv_sums {
    _Alignas(64) int32_t at[CONV_TILE * 4 * CONV_LANES + CONV_LANES]; /* blocks are read in pairs */
} conv_sums;

/* The results of the channels from co on of a tile of some pixels. */
typedef void conv_finish(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const conv_sums *sums, int pixels);

/* What happens to finished sums; constants of one call. */
struct conv_store {
    f512_out out, sum;
    u512_out bytes, bytes2; /* out and out2 */
    __m512 m_conv, m_add, m_y2;
    __m512i zero; /* y's zero point, where it is S16 */
    conv_finish *finish[4]; /* for 1 to 4 blocks */
};

/* The first n of 64 lanes, n at least 1; a shift by 16 * b gives those of block b. */
IPU_INLINE __mmask64 conv_lanes(int n)
{
    return ~(__mmask64)0 >> (64 - n);
}

/* From the packs' order to that of the channels. */
IPU_INLINE __m512i conv_in_order(__m512i u)
{
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), u);
}

/* The bytes `lanes` (of 16 * NB) of part q of u to y. */
IPU_INLINE void conv_store_part(uint8_t *y, __m512i u, const int q, const int NB, __mmask64 lanes)
{
    if (NB >= 3)
        _mm512_mask_storeu_epi8(y, lanes, u);
    else if (NB == 2)
        _mm256_mask_storeu_epi8(y, (__mmask32)lanes, q ? _mm512_extracti64x4_epi64(u, 1) : _mm512_castsi512_si256(u));
    else
        _mm_mask_storeu_epi8(y, (__mmask16)lanes,
                             q == 0   ? _mm512_castsi512_si128(u)
                             : q == 1 ? _mm512_extracti32x4_epi32(u, 1)
                             : q == 2 ? _mm512_extracti32x4_epi32(u, 2)
                                      : _mm512_extracti32x4_epi32(u, 3));
}

/* The channels of y from co on that NB blocks hold. */
IPU_INLINE __mmask64 conv_channels(const conv_job *j, int32_t co, const int NB)
{
    const int32_t left = j->r->y.c - co;
    return conv_lanes(left < NB * CONV_LANES ? left : NB * CONV_LANES);
}

/* ---- sums in registers ---- */

IPU_INLINE __m512 conv_scaled(__m512i acc, __m512 mult)
{
    return _mm512_mul_ps(_mm512_cvtepi32_ps(acc), mult);
}

/* All of the tile to y, U8, without residual, second output or table, by small multipliers. */
IPU_INLINE void conv_put_u8(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const __m512i *acc, const int P, const int NB)
{
    const int step = 4 / NB; /* pixels in 64 bytes */
    const __mmask64 lanes = conv_channels(j, co, NB);
    __m512 m[4];

    IPU_UNROLL for (int q = 0; q < 4; q++) m[q] = _mm512_loadu_ps(j->mult + co + q % NB * CONV_LANES);
    IPU_UNROLL for (int i = 0; i < P; i += step)
    {
        __m512i v[4];
        IPU_UNROLL for (int q = 0; q < 4; q++) v[q] = i + q / NB < P ? acc[i * NB + q] : acc[i * NB];
        const __m512i u = conv_in_order(u512_requant(v, m, &s->bytes));
        IPU_UNROLL for (int q = 0; q < step; q++) if (i + q < P) conv_store_part(j->y + t->y[i + q] + co, u, q, NB, lanes);
    }
}

/* ---- sums in memory ----
 * Results of 16 bits and tables need so many constants that they would push the sums out of the registers: their tiles leave the sums in memory, for a
 * function of their own. */

IPU_INLINE void conv_sums_put(conv_sums *to, const __m512i *acc, const int P, const int NB)
{
    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int b = 0; b < NB; b++) _mm512_store_si512(to->at + (i * NB + b) * CONV_LANES, acc[i * NB + b]);
    }
}

/* The sums of one pixel, requantized but for the zero point, which the next step would take off again: clamped, whole. */
IPU_INLINE __m512 conv_whole(__m512 g, const f512_out *o)
{
    return _mm512_roundscale_ps(_mm512_min_ps(o->hi, _mm512_max_ps(o->lo, g)), _MM_FROUND_TO_NEAREST_INT);
}

/* v[NB] += the residual. */
IPU_INLINE void conv_add(__m512 *v, const conv_store *s, const uint8_t *add, __mmask64 lanes, const int NB)
{
    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m256i a = _mm256_maskz_loadu_epi16((__mmask16)(lanes >> (b * CONV_LANES)), add + 2 * b * CONV_LANES);
        const __m512 fa = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(a)), s->m_add);
        v[b] = conv_whole(_mm512_add_ps(_mm512_mul_ps(v[b], s->m_conv), fa), &s->sum);
    }
}

/* v[NB] to y, S16. */
IPU_INLINE void conv_put_s16(uint8_t *y, const __m512 *v, const conv_store *s, __mmask64 lanes, const int NB)
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i q[4];

    IPU_UNROLL for (int b = 0; b < NB; b++) q[b] = _mm512_add_epi32(_mm512_cvtps_epi32(v[b]), s->zero);
    if (NB % 2)
        _mm256_mask_storeu_epi16(y + 2 * (NB - 1) * CONV_LANES, (__mmask16)(lanes >> ((NB - 1) * CONV_LANES)), _mm512_cvtepi32_epi16(q[NB - 1]));
    IPU_UNROLL for (int b = 0; b + 1 < NB; b += 2)
    {
        const __m512i both = _mm512_permutexvar_epi64(order, _mm512_packs_epi32(q[b], q[b + 1]));
        _mm512_mask_storeu_epi16(y + 2 * b * CONV_LANES, (__mmask32)(lanes >> (b * CONV_LANES)), both);
    }
}

/* The second output, U8. */
IPU_INLINE void conv_put_y2(uint8_t *y2, const __m512 *v, const conv_store *s, __mmask64 lanes, const int NB)
{
    __m512 g[4];

    IPU_UNROLL for (int q = 0; q < 4; q++) g[q] = _mm512_mul_ps(v[q % NB], s->m_y2);
    conv_store_part(y2, conv_in_order(u512_store(g, &s->bytes2)), 0, NB, lanes);
}

/* S16; ADD, COPY: with a residual, with a second output. */
IPU_INLINE void conv_words(const conv_job *j, const conv_store *at, const conv_tile *t, int32_t co, const conv_sums *sums, int pixels, const int NB, const int ADD,
                           const int COPY)
{
    const __mmask64 lanes = conv_channels(j, co, NB);
    const conv_store s = *at;
    __m512 mult[4];

    IPU_UNROLL for (int b = 0; b < NB; b++) mult[b] = _mm512_loadu_ps(j->mult + co + b * CONV_LANES);
    for (int i = 0; i < pixels; i++) {
        __m512 v[4];
        IPU_UNROLL for (int b = 0; b < NB; b++)
            v[b] = conv_whole(conv_scaled(_mm512_load_si512(sums->at + (i * NB + b) * CONV_LANES), mult[b]), &s.out);
        if (ADD)
            conv_add(v, &s, j->add + t->add[i] + 2 * (ptrdiff_t)co, lanes, NB);
        conv_put_s16(j->y + t->y[i] + 2 * (ptrdiff_t)co, v, &s, lanes, NB);
        if (COPY)
            conv_put_y2(j->y2 + t->y2[i] + co, v, &s, lanes, NB);
    }
}

/* ---- sums in memory, whole numbers of one scale ----
 * Where sums, residual and result have one scale (a network's residual additions have, sums.c of the quantizer), what is added are whole numbers: words
 * do it, 32 in a vector.  Clamping behind a rounding gives what clamping before it does, the bounds being whole. */

typedef struct conv_limits {
    __m512i lo, hi;
} conv_limits;

IPU_INLINE conv_limits conv_limits_of(const ipu_out *o)
{
    return (conv_limits){ _mm512_set1_epi16((short)ipu_rne(o->lo)), _mm512_set1_epi16((short)ipu_rne(o->hi)) };
}

IPU_INLINE __m512i conv_between(__m512i w, const conv_limits *l)
{
    return _mm512_min_epi16(_mm512_max_epi16(w, l->lo), l->hi);
}

/* Two blocks of a pixel, in the channels' order. */
IPU_INLINE __m512i conv_pair(const int32_t *sum, const __m512 *mult)
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    const __m512i a = _mm512_cvtps_epi32(conv_scaled(_mm512_load_si512(sum), mult[0]));
    const __m512i b = _mm512_cvtps_epi32(conv_scaled(_mm512_load_si512(sum + CONV_LANES), mult[1]));

    return _mm512_permutexvar_epi64(order, _mm512_packs_epi32(a, b));
}

/* 64 words times m, which is 2^-16 of y2's multiplier, to y2. */
IPU_INLINE void conv_pairs_y2(uint8_t *y2, __m512i low, __m512i high, __m512 m, const u512_out *o, __mmask64 lanes)
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), none = _mm512_setzero_si512();
    __m512i v[4] = { _mm512_unpacklo_epi16(none, low), _mm512_unpackhi_epi16(none, low), _mm512_unpacklo_epi16(none, high), _mm512_unpackhi_epi16(none, high) };

    IPU_UNROLL for (int q = 0; q < 4; q++) v[q] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(v[q]), m));
    _mm512_mask_storeu_epi8(y2, lanes, _mm512_permutexvar_epi64(order, u512_pack(v, o)));
}

/* conv_words where conv_is_whole. */
IPU_INLINE void conv_whole_words(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const conv_sums *sums, int pixels, const int NB,
                                 const int ADD, const int COPY)
{
    const __mmask64 lanes = conv_channels(j, co, NB);
    const conv_limits out = conv_limits_of(&j->r->out), sum = conv_limits_of(&j->r->sum);
    const __m512 m_y2 = _mm512_mul_ps(s->m_y2, _mm512_set1_ps(0x1p-16f));
    const u512_out bytes2 = s->bytes2;
    __m512 mult[4];

    IPU_UNROLL for (int b = 0; b < 4; b++) mult[b] = _mm512_loadu_ps(j->mult + co + b % NB * CONV_LANES);
    for (int i = 0; i < pixels; i++) {
        __m512i w[2];
        IPU_UNROLL for (int h = 0; h < (NB + 1) / 2; h++)
        {
            const __mmask32 some = (__mmask32)(lanes >> (2 * h * CONV_LANES));
            w[h] = conv_between(conv_pair(sums->at + (i * NB + 2 * h) * CONV_LANES, mult + 2 * h), &out);
            if (ADD)
                w[h] = conv_between(_mm512_adds_epi16(w[h], _mm512_maskz_loadu_epi16(some, j->add + t->add[i] + 2 * (co + (ptrdiff_t)2 * h * CONV_LANES))), &sum);
            _mm512_mask_storeu_epi16(j->y + t->y[i] + 2 * (co + (ptrdiff_t)2 * h * CONV_LANES), some, w[h]);
        }
        if (COPY)
            conv_pairs_y2(j->y2 + t->y2[i] + co, w[0], w[NB > 2], m_y2, &bytes2, lanes);
    }
}

/* U8, plain. */
IPU_INLINE void conv_plain(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const conv_sums *sums, int pixels, const int NB)
{
    const __mmask64 lanes = conv_channels(j, co, NB);

    for (int i = 0; i < pixels; i++) {
        __m512 v[4];
        IPU_UNROLL for (int q = 0; q < 4; q++)
            v[q] = conv_scaled(_mm512_load_si512(sums->at + (i * NB + q % NB) * CONV_LANES), _mm512_loadu_ps(j->mult + co + q % NB * CONV_LANES));
        conv_store_part(j->y + t->y[i] + co, conv_in_order(u512_store(v, &s->bytes)), 0, NB, lanes);
    }
}

/* ipu_lookup_sums without VBMI. */
static void conv_lookup(const ipu_through *t, const int32_t *sum, uint8_t *y, int n)
{
    const f512_out out = f512_out_of(t->out);
    uint16_t index[CONV_LANES];

    for (int k = 0; k * CONV_LANES < n; k++) {
        const __m512 mult = _mm512_loadu_ps(t->mult + k % t->blocks * CONV_LANES);
        s512_put_s16((uint8_t *)index, f512_requant(_mm512_loadu_si512(sum + k * CONV_LANES), mult, &out), CONV_LANES);
        ipu_lookup_one_by_one(t->table, index, y + k * CONV_LANES, CONV_LANES);
    }
}

/* U8 through the table. */
IPU_INLINE void conv_table(const conv_job *j, const conv_tile *t, int32_t co, const conv_sums *sums, int pixels, const int NB)
{
    const ipu_through through = { j->table, &j->r->out, j->mult + co, NB };
    const __mmask64 lanes = conv_channels(j, co, NB);
    uint8_t byte[CONV_TILE * 4 * CONV_LANES + 64]; /* whole vectors are read */

    j->lookup(&through, sums->at, byte, pixels * NB * CONV_LANES);
    for (int i = 0; i < pixels; i++)
        conv_store_part(j->y + t->y[i] + co, _mm512_loadu_si512(byte + i * NB * CONV_LANES), 0, NB, lanes);
}

#define CONV_FINISH(NAME, NB, CALL)                                                                                                                    \
    static __attribute__((noinline)) void NAME##_##NB(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const conv_sums *sums,   \
                                                      int pixels)                                                                                      \
    {                                                                                                                                                  \
        CALL;                                                                                                                                          \
    }
#define CONV_FINISHES(NB)                                                                        \
    CONV_FINISH(conv_plain, NB, conv_plain(j, s, t, co, sums, pixels, NB))                       \
    CONV_FINISH(conv_table, NB, conv_table(j, t, co, sums, pixels, NB))                          \
    CONV_FINISH(conv_words, NB, conv_words(j, s, t, co, sums, pixels, NB, 0, 0))                 \
    CONV_FINISH(conv_words_add, NB, conv_words(j, s, t, co, sums, pixels, NB, 1, 0))             \
    CONV_FINISH(conv_words_copy, NB, conv_words(j, s, t, co, sums, pixels, NB, 0, 1))            \
    CONV_FINISH(conv_words_add_copy, NB, conv_words(j, s, t, co, sums, pixels, NB, 1, 1))        \
    CONV_FINISH(conv_whole_words, NB, conv_whole_words(j, s, t, co, sums, pixels, NB, 0, 0))     \
    CONV_FINISH(conv_whole_words_add, NB, conv_whole_words(j, s, t, co, sums, pixels, NB, 1, 0)) \
    CONV_FINISH(conv_whole_words_copy, NB, conv_whole_words(j, s, t, co, sums, pixels, NB, 0, 1)) \
    CONV_FINISH(conv_whole_words_add_copy, NB, conv_whole_words(j, s, t, co, sums, pixels, NB, 1, 1))
CONV_FINISHES(1)
CONV_FINISHES(2)
CONV_FINISHES(3)
CONV_FINISHES(4)

/* ---- which ---- */

#define CONV_ALL(NAME) NAME##_1, NAME##_2, NAME##_3, NAME##_4

static conv_store conv_store_of(const conv_job *j)
{
    static conv_finish *const plain[] = { CONV_ALL(conv_plain) }, *const table[] = { CONV_ALL(conv_table) };
    static conv_finish *const words[][4] = { { CONV_ALL(conv_words) },
                                             { CONV_ALL(conv_words_add) },
                                             { CONV_ALL(conv_words_copy) },
                                             { CONV_ALL(conv_words_add_copy) } };
    static conv_finish *const whole[][4] = { { CONV_ALL(conv_whole_words) },
                                             { CONV_ALL(conv_whole_words_add) },
                                             { CONV_ALL(conv_whole_words_copy) },
                                             { CONV_ALL(conv_whole_words_add_copy) } };
    const ipu_conv *r = j->r;
    conv_store s = { .out = f512_out_of(&r->out), .sum = f512_out_of(&r->sum), .bytes = u512_out_of(&r->out), .bytes2 = u512_out_of(&r->out2) };

    s.m_conv = _mm512_set1_ps(r->m_conv);
    s.m_add = _mm512_set1_ps(r->m_add);
    s.m_y2 = _mm512_set1_ps(r->m_y2);
    s.zero = _mm512_set1_epi32(j->add ? r->sum.zero : r->out.zero);
    memcpy(s.finish, j->table ? table : r->y.type == IPU_U8 ? plain : (conv_is_whole(j) ? whole : words)[(j->add != NULL) + 2 * (j->y2 != NULL)], sizeof s.finish);
    return s;
}

/* Whether conv_put_u8 finishes the record. */
IPU_INLINE int conv_is_direct(const conv_job *j)
{
    return !j->table && j->r->y.type == IPU_U8 && ipu_are_small(j->mult, j->r->y.c);
}

/* A tile's sums acc[P][NB] of the output channels from co on to y, through memory. */
IPU_INLINE void conv_put(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const __m512i *acc, const int P, const int NB)
{
    conv_sums sums;

    conv_sums_put(&sums, acc, P, NB);
    s->finish[NB - 1](j, s, t, co, &sums, P);
}

#endif
