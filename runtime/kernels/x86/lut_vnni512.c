/* Functions of one S16 by their tables with AVX-512 VNNI, ARITHMETIC.md 12.  Pairs of entries are loaded one by one, which takes less time than gathers;
 * their places before that and what lies between them behind it are made by vectors, a block of elements each. */
#include "vnni512.h"

enum { LUT_BLOCK = 256 };

/* Of a block: the place of the entry below, weights 2^h - f and f of it and the next as pairs of words, and h, which divides their sum. */
typedef struct lut_block {
    uint16_t place[LUT_BLOCK];
    int32_t weights[LUT_BLOCK], h[LUT_BLOCK], pair[LUT_BLOCK];
} lut_block;

/* 16 elements; the exponent of a float is the place of the leading bit. */
IPU_INLINE void lut_places(lut_block *b, int at, __m512i x)
{
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i a = _mm512_min_epi32(_mm512_abs_epi32(x), _mm512_set1_epi32(32767));
    const __m512i e = _mm512_srli_epi32(_mm512_castps_si512(_mm512_cvtepi32_ps(a)), 23);
    const __m512i h = _mm512_max_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(127 + IPU_LUT_BITS)), _mm512_setzero_si512());
    const __m512i k = _mm512_srlv_epi32(a, h), f = _mm512_sub_epi32(a, _mm512_sllv_epi32(k, h));
    const __m512i side = _mm512_and_si512(_mm512_srai_epi32(x, 31), _mm512_set1_epi32(IPU_LUT_SIDE));
    const __m512i place = _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(h, IPU_LUT_BITS), k), side);

    _mm256_storeu_si256((__m256i *)(void *)(b->place + at), _mm512_cvtepi32_epi16(place));
    _mm512_storeu_si512(b->weights + at, _mm512_add_epi32(_mm512_sub_epi32(_mm512_sllv_epi32(one, h), f), _mm512_slli_epi32(f, 16)));
    _mm512_storeu_si512(b->h + at, h);
}

/* The results of 16 elements. */
IPU_INLINE __m256i lut_between(const lut_block *b, int at)
{
    const __m512i h = _mm512_loadu_si512(b->h + at);
    const __m512i half = _mm512_srli_epi32(_mm512_sllv_epi32(_mm512_set1_epi32(1), h), 1);
    const __m512i sum = _mm512_dpwssd_epi32(half, _mm512_loadu_si512(b->pair + at), _mm512_loadu_si512(b->weights + at));

    return _mm512_cvtepi32_epi16(_mm512_srav_epi32(sum, h));
}

/* n of at most LUT_BLOCK elements, which may be in place. */
static void lut_run(const int16_t *table, uint8_t *y, const uint8_t *x, int n)
{
    lut_block b;
    int k = 0;

    for (; k + 16 <= n; k += 16)
        lut_places(&b, k, _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(x + 2 * k))));
    for (int i = 0; i < k; i++)
        memcpy(b.pair + i, table + b.place[i], sizeof *b.pair);
    for (int i = k; i < n; i++) {
        int16_t one;
        memcpy(&one, x + 2 * i, sizeof one);
        one = (int16_t)ipu_lut_at(table, one);
        memcpy(y + 2 * i, &one, sizeof one);
    }
    for (int i = 0; i < k; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + 2 * i), lut_between(&b, i));
}

IPU_KERNEL(ipu_lut_s16_vnni512)
{
    const ipu_lut *r = (const ipu_lut *)rec;
    const int whole = r->y.w == 1 || (r->y.pix == 2 * r->y.c && r->x.pix == 2 * r->x.c);
    const int32_t pixels = whole ? 1 : r->y.w;
    const int64_t n = whole ? (int64_t)r->y.w * r->y.c : r->y.c;

    for (int32_t row = y0; row < y1; row++) {
        uint8_t *y = (uint8_t *)p[0] + (ptrdiff_t)(row / r->y.h) * r->y.img + (ptrdiff_t)(row % r->y.h) * r->y.row;
        const uint8_t *x = (const uint8_t *)p[1] + (ptrdiff_t)(row / r->y.h) * r->x.img + (ptrdiff_t)(row % r->y.h) * r->x.row;
        for (int32_t i = 0; i < pixels; i++, y += r->y.pix, x += r->x.pix)
            for (int64_t k = 0; k < n; k += LUT_BLOCK)
                lut_run(p[2], y + 2 * k, x + 2 * k, n - k < LUT_BLOCK ? (int)(n - k) : LUT_BLOCK);
    }
}
