/* Finished sums of a convolution with AVX-512: requantized, with a residual and a second output where the record has them, or through its table, to y. */
#ifndef IPU_X86_CONV_STORE_VNNI512_H
#define IPU_X86_CONV_STORE_VNNI512_H

#include "runtime/kernels/simd/conv.h"
#include "vnni512.h"

/* What happens to finished sums; constants of one call. */
typedef struct conv_store {
    f512_out out, sum, out2;
    __m512i lo8, hi8, zero16; /* out, for U8 */
    __m512 m_conv, m_add, m_y2;
    __m512i zero; /* y's zero point, where it is S16 */
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
    s.zero = _mm512_set1_epi32(j->add ? r->sum.zero : r->out.zero);
    return s;
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

/* All of the tile through the table to y; n channels. */
IPU_INLINE void conv_put_table(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const __m512i *acc, int n, const int P, const int NB)
{
    const int all = P * NB * CONV_LANES, steps = (all + LOOKUP_STEP - 1) / LOOKUP_STEP;
    uint16_t index[CONV_TILE * 4 * CONV_LANES];
    uint8_t byte[CONV_TILE * 4 * CONV_LANES + 64]; /* whole vectors are read */

    if (all < LOOKUP_STEP)
        memset(index, 0, LOOKUP_STEP * sizeof *index);
    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512 mult = _mm512_loadu_ps(j->mult + co + b * CONV_LANES);
        IPU_UNROLL for (int i = 0; i < P; i++)
            s512_put_s16((uint8_t *)(index + (i * NB + b) * CONV_LANES), f512_requant(acc[i * NB + b], mult, &s->out), CONV_LANES);
    }
    j->lookup(j->table, index, byte, steps * LOOKUP_STEP);
    for (int i = 0; i < P; i++)
        conv_store_part(j->y + t->y[i] + co, _mm512_loadu_si512(byte + i * NB * CONV_LANES), 0, NB, n);
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

/* ipu_store but for the zero point, which the next step would take off again: clamped, whole. */
IPU_INLINE __m512 conv_whole(__m512 g, const f512_out *o)
{
    return _mm512_roundscale_ps(_mm512_min_ps(o->hi, _mm512_max_ps(o->lo, g)), _MM_FROUND_TO_NEAREST_INT);
}

/* n channels of them. */
IPU_INLINE void conv_put_s16(const conv_store *s, conv_place at, __m512i acc, __m512 mult, int n)
{
    __m512 v = conv_whole(_mm512_mul_ps(_mm512_cvtepi32_ps(acc), mult), &s->out);

    if (at.add) {
        const __m256i a = _mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), at.add);
        const __m512 fa = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(a)), s->m_add);
        v = conv_whole(_mm512_add_ps(_mm512_mul_ps(v, s->m_conv), fa), &s->sum);
    }
    s512_put_s16(at.y, _mm512_add_epi32(_mm512_cvtps_epi32(v), s->zero), n);
    if (at.y2)
        s512_put_u8(at.y2, f512_store(_mm512_mul_ps(v, s->m_y2), &s->out2), n);
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

/* A tile's sums acc[P][NB] of the output channels from co on to y. */
IPU_INLINE void conv_put(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const __m512i *acc, const int P, const int NB)
{
    const int32_t left = j->r->y.c - co;
    const int n = left < NB * CONV_LANES ? left : NB * CONV_LANES;

    if (j->table)
        conv_put_table(j, s, t, co, acc, n, P, NB);
    else if (j->r->y.type == IPU_U8)
        conv_put_u8(j, s, t, co, acc, n, P, NB);
    else
        conv_put_words(j, s, t, co, acc, n, P, NB);
}

#endif
