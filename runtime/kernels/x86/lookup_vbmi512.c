/* Tables of bytes with AVX-512 VBMI: 64 indices at once.  vpermi2b takes 128 entries by seven bits; eight of them take the whole table, and the three bits
 * above say which counts. */
#include "vnni512.h"

enum { PARTS = IPU_INDEX / 128 };

typedef struct lookup_table {
    __m512i t[2 * PARTS];
} lookup_table;

IPU_INLINE lookup_table lookup_load(const uint8_t *table)
{
    lookup_table l;

    IPU_UNROLL for (int i = 0; i < 2 * PARTS; i++) l.t[i] = _mm512_loadu_si512(table + 64 * i);
    return l;
}

/* The entries for two vectors of indices, in the packs' order: eight of each in turn. */
IPU_INLINE __m512i lookup_64(const lookup_table *l, __m512i a, __m512i b)
{
    const __m512i byte = _mm512_set1_epi16(255);
    const __m512i low = _mm512_packus_epi16(_mm512_and_si512(a, byte), _mm512_and_si512(b, byte));
    const __m512i high = _mm512_packus_epi16(_mm512_srli_epi16(a, 8), _mm512_srli_epi16(b, 8));
    const __mmask64 k[3] = { _mm512_movepi8_mask(low), _mm512_test_epi8_mask(high, _mm512_set1_epi8(1)),
                             _mm512_test_epi8_mask(high, _mm512_set1_epi8(2)) };
    __m512i v[PARTS];

    IPU_UNROLL for (int i = 0; i < PARTS; i++) v[i] = _mm512_permutex2var_epi8(l->t[2 * i], low, l->t[2 * i + 1]);
    IPU_UNROLL for (int s = 0; s < 3; s++)
    {
        IPU_UNROLL for (int i = 0; i < PARTS >> (s + 1); i++) v[i] = _mm512_mask_mov_epi8(v[2 * i], k[s], v[2 * i + 1]);
    }
    return v[0];
}

void ipu_lookup_vbmi512(const uint8_t *table, const uint16_t *index, uint8_t *y, int n)
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    const lookup_table l = lookup_load(table);

    for (int i = 0; i < n; i += LOOKUP_STEP) {
        const __m512i v = lookup_64(&l, _mm512_loadu_si512(index + i), _mm512_loadu_si512(index + i + 32));
        _mm512_storeu_si512(y + i, _mm512_permutexvar_epi64(order, v));
    }
}

/* ---- behind sums ---- */

void ipu_lookup_sums_vbmi512(const ipu_through *t, const int32_t *sum, uint8_t *y, int n)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const lookup_table l = lookup_load(t->table);
    const f512_out out = f512_out_of(t->out);
    __m512i v[4];

    for (int i = 0, block = 0; i < n; i += LOOKUP_STEP) {
        IPU_UNROLL for (int q = 0; q < 4; q++)
        {
            v[q] = f512_requant(_mm512_loadu_si512(sum + i + 16 * q), _mm512_loadu_ps(t->mult + 16 * block), &out);
            block = block + 1 == t->blocks ? 0 : block + 1;
        }
        const __m512i bytes = lookup_64(&l, _mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
        _mm512_storeu_si512(y + i, _mm512_permutexvar_epi32(order, bytes));
    }
}

/* ---- IPU_LUT_U8 ---- */

enum { RUN = 512 }; /* elements at once */

/* n of at most RUN elements; a difference beyond 16 bits ends where the clamp ends it too. */
static void lut_run(const uint8_t *table, __m512i first, const uint8_t *x, uint8_t *y, int n)
{
    const __m512i most = _mm512_set1_epi16(IPU_INDEX - 1), none = _mm512_setzero_si512();
    uint16_t index[RUN];
    uint8_t byte[RUN];
    int i = 0;

    for (; i < n; i += 32) {
        const __mmask32 m = n - i < 32 ? ((__mmask32)1 << (n - i)) - 1 : ~(__mmask32)0;
        const __m512i v = _mm512_subs_epi16(_mm512_maskz_loadu_epi16(m, x + 2 * i), first);
        _mm512_storeu_si512(index + i, _mm512_min_epi16(_mm512_max_epi16(v, none), most));
    }
    if (i % LOOKUP_STEP)
        _mm512_storeu_si512(index + i, none);
    ipu_lookup_vbmi512(table, index, byte, (n + LOOKUP_STEP - 1) / LOOKUP_STEP * LOOKUP_STEP);
    memcpy(y, byte, (size_t)n);
}

IPU_KERNEL(ipu_lut_u8_vbmi512)
{
    const ipu_lut *r = (const ipu_lut *)rec;
    const int whole = r->y.w == 1 || (r->y.pix == r->y.c && r->x.pix == 2 * r->x.c);
    const int32_t pixels = whole ? 1 : r->y.w;
    const int64_t n = whole ? (int64_t)r->y.w * r->y.c : r->y.c;
    const __m512i first = _mm512_set1_epi16((int16_t)r->first);

    for (int32_t row = y0; row < y1; row++) {
        uint8_t *y = (uint8_t *)p[0] + (ptrdiff_t)(row / r->y.h) * r->y.img + (ptrdiff_t)(row % r->y.h) * r->y.row;
        const uint8_t *x = (const uint8_t *)p[1] + (ptrdiff_t)(row / r->y.h) * r->x.img + (ptrdiff_t)(row % r->y.h) * r->x.row;
        for (int32_t i = 0; i < pixels; i++, y += r->y.pix, x += r->x.pix)
            for (int64_t k = 0; k < n; k += RUN)
                lut_run(p[2], first, x + 2 * k, y + k, n - k < RUN ? (int)(n - k) : RUN);
    }
}
