/* Functions of one S16 by their tables, ARITHMETIC.md 12.  Pairs of entries are loaded one by one, which takes less time than gathers; their places before that and
 * what lies between them behind it are made by vectors, a block of elements each. */
#ifndef IPU_SIMD_LUT_H
#define IPU_SIMD_LUT_H

#include "simd.h"

enum { LUT_BLOCK = 256, LUT_STEP = 16 };

/* Of a block: the place of the entry below, weights 2^h - f and f of it and the next as pairs of words, and h, which divides their sum. */
typedef struct lut_block {
    uint16_t place[LUT_BLOCK];
    int32_t weights[LUT_BLOCK], h[LUT_BLOCK], pair[LUT_BLOCK];
} lut_block;

/* LUT_STEP elements at `at`: all but their pairs, from x; results from all, to y. */
typedef void lut_places_fn(lut_block *b, int at, const uint8_t *x);
typedef void lut_between_fn(const lut_block *b, int at, uint8_t *y);

/* n of at most LUT_BLOCK elements, which may be in place. */
IPU_INLINE void lut_block_run(const int16_t *table, uint8_t *y, const uint8_t *x, int n, lut_places_fn places, lut_between_fn between)
{
    lut_block b;
    const int whole = n - n % LUT_STEP;

    for (int k = 0; k < whole; k += LUT_STEP)
        places(&b, k, x + 2 * k);
    for (int i = 0; i < whole; i++)
        memcpy(b.pair + i, table + b.place[i], sizeof *b.pair);
    for (int i = whole; i < n; i++) {
        int16_t one;
        memcpy(&one, x + 2 * i, sizeof one);
        one = (int16_t)ipu_lut_at(table, one);
        memcpy(y + 2 * i, &one, sizeof one);
    }
    for (int i = 0; i < whole; i += LUT_STEP)
        between(&b, i, y + 2 * i);
}

/* n elements. */
IPU_INLINE void lut_blocks_run(const int16_t *table, uint8_t *y, const uint8_t *x, int64_t n, lut_places_fn places, lut_between_fn between)
{
    for (int64_t k = 0; k < n; k += LUT_BLOCK)
        lut_block_run(table, y + 2 * k, x + 2 * k, n - k < LUT_BLOCK ? (int)(n - k) : LUT_BLOCK, places, between);
}

#endif
