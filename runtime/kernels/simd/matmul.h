/* The walk of 16-bit matrix products that every instruction set shares: blocks of rows by panels of columns by chunks of products.
 *
 * A panel of b is laid out by pairs of products, each number split into 256 times an upper part and a lower byte, so that products with
 * 16-bit numbers of a add up in 32 bits: |lower * a| <= 255 * 32768, and MATMUL_DEPTH of them stay below 2^31.  Sums of chunks meet in doubles,
 * exactly: they are whole numbers below 2^51 (IPU_MATMUL_PRODUCTS). */
#ifndef IPU_SIMD_MATMUL_H
#define IPU_SIMD_MATMUL_H

#include "simd.h"

enum { MATMUL_ROWS = 48, MATMUL_COLUMNS = 32, MATMUL_DEPTH = 256 };
_Static_assert(255LL * 32768 * MATMUL_DEPTH <= INT32_MAX, "sums of lower parts fit 32 bits");

/* [pair][column]: two numbers of 16 bits in each word.  Of an odd number of products the first pair holds but one, 0 behind it; columns that b lacks are 0. */
typedef struct matmul_panel {
    _Alignas(64) uint32_t lower[MATMUL_DEPTH / 2][MATMUL_COLUMNS];
    _Alignas(64) uint32_t upper[MATMUL_DEPTH / 2][MATMUL_COLUMNS];
    int32_t pairs;
} matmul_panel;

typedef struct matmul_block {
    const ipu_matmul *o;
    const uint8_t *a, *b;       /* the first row; the matrix */
    int32_t column, columns;    /* of the panel */
    int32_t k, products;        /* this chunk's first product and how many */
    matmul_panel panel;
    _Alignas(64) double sum[MATMUL_ROWS][MATMUL_COLUMNS];
} matmul_block;

/* What an instruction set brings: sums from `row` on += the products of some rows of a, from the first on, with the panel, `left` rows at most; returns how
 * many it took.  y of a row's sums, n columns. */
typedef struct matmul_isa {
    int (*tile)(matmul_block *t, const uint8_t *a, int32_t row, int32_t left);
    void (*store)(const ipu_matmul *o, uint8_t *y, const double *sum, int32_t n);
    int whole; /* numbers stay whole, in panel.lower: it has sums of 64 bits */
} matmul_isa;

/* ---- packing ---- */

IPU_INLINE uint16_t matmul_number(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}

IPU_INLINE uint32_t matmul_pair(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* Columns of b as they lie: row k of b holds product k of every column. */
IPU_INLINE void matmul_pack_rows(matmul_block *t, const uint8_t *b, int32_t n)
{
    const int odd = t->products % 2;

    for (int32_t c = 0; odd && c < n; c++)
        t->panel.lower[0][c] = matmul_number(b + 2 * c);
    for (int32_t i = odd; i < t->panel.pairs; i++) {
        const uint8_t *first = b + (ptrdiff_t)(2 * i - odd) * t->o->b.row, *second = first + t->o->b.row;
        for (int32_t c = 0; c < n; c++)
            t->panel.lower[i][c] = matmul_number(first + 2 * c) | (uint32_t)matmul_number(second + 2 * c) << 16;
    }
}

/* Turned: row c of b is a column. */
IPU_INLINE void matmul_pack_columns(matmul_block *t, const uint8_t *b, int32_t n)
{
    const int odd = t->products % 2;

    for (int32_t c = 0; c < n; c++, b += t->o->b.row) {
        if (odd)
            t->panel.lower[0][c] = matmul_number(b);
        for (int32_t i = odd; i < t->panel.pairs; i++)
            t->panel.lower[i][c] = matmul_pair(b + 4 * (ptrdiff_t)i - 2 * odd);
    }
}

/* Words of two 16-bit numbers into their lower bytes and their upper ones, these with sign. */
IPU_INLINE void matmul_split(matmul_panel *p)
{
    for (int32_t i = 0; i < p->pairs; i++)
        for (int32_t c = 0; c < MATMUL_COLUMNS; c++) {
            const uint32_t v = p->lower[i][c];
            p->upper[i][c] = ((uint32_t)((int32_t)(v << 16) >> 24) & 0xffffu) | ((uint32_t)((int32_t)v >> 24) << 16);
            p->lower[i][c] = v & 0x00ff00ffu;
        }
}

IPU_INLINE void matmul_pack(matmul_block *t, int whole)
{
    const ptrdiff_t along = t->o->turned ? 2 : t->o->b.row, across = t->o->turned ? t->o->b.row : 2;
    const uint8_t *b = t->b + t->k * along + t->column * across;

    if (t->columns < MATMUL_COLUMNS)
        memset(t->panel.lower, 0, (size_t)t->panel.pairs * sizeof t->panel.lower[0]);
    if (t->o->turned)
        matmul_pack_columns(t, b, t->columns);
    else
        matmul_pack_rows(t, b, t->columns);
    if (!whole)
        matmul_split(&t->panel);
}

/* ---- the walk ---- */

/* The chunk of products from k on; returns 0 where there is none. */
IPU_INLINE int matmul_chunk(matmul_block *t, int32_t k)
{
    const int32_t left = t->o->a.c - k;

    t->k = k;
    t->products = left < MATMUL_DEPTH ? left : MATMUL_DEPTH;
    t->panel.pairs = (t->products + 1) / 2;
    return left > 0;
}

/* MATMUL_ROWS rows at most, of the panel's columns; `packed`: the panel is there already. */
IPU_INLINE void matmul_some(matmul_block *t, const matmul_isa *isa, uint8_t *y, int32_t row, int32_t rows, int packed)
{
    memset(t->sum, 0, (size_t)rows * sizeof t->sum[0]);
    for (int32_t k = 0; matmul_chunk(t, k); k += MATMUL_DEPTH) {
        if (!packed)
            matmul_pack(t, isa->whole);
        for (int32_t r = 0; r < rows;)
            r += isa->tile(t, t->a + (ptrdiff_t)(row + r) * t->o->a.row + 2 * (ptrdiff_t)k, r, rows - r);
    }
    for (int32_t r = 0; r < rows; r++)
        isa->store(t->o, y + (ptrdiff_t)(row + r) * t->o->y.row + 2 * (ptrdiff_t)t->column, t->sum[r], t->columns);
}

/* Rows of one matrix from t->a and y on. */
IPU_INLINE void matmul_matrix(matmul_block *t, const matmul_isa *isa, uint8_t *y, int32_t rows)
{
    const int one = t->o->a.c <= MATMUL_DEPTH; /* chunk, which every row needs */

    for (t->column = 0; t->column < t->o->y.c; t->column += MATMUL_COLUMNS) {
        const int32_t left = t->o->y.c - t->column;
        t->columns = left < MATMUL_COLUMNS ? left : MATMUL_COLUMNS;
        for (int32_t row = 0; row < rows; row += MATMUL_ROWS)
            matmul_some(t, isa, y, row, rows - row < MATMUL_ROWS ? rows - row : MATMUL_ROWS, one && row > 0);
    }
}

/* The matrix of operand x that serves image n, column w of the result. */
IPU_INLINE const uint8_t *matmul_operand(const ipu_ref *x, const void *p, int32_t n, int32_t w)
{
    return (const uint8_t *)p + (x->n == 1 ? 0 : (ptrdiff_t)n * x->img) + (x->w == 1 ? 0 : (ptrdiff_t)w * x->pix);
}

IPU_INLINE void matmul_rows(const ipu_matmul *o, void *const p[], int32_t y0, int32_t y1, const matmul_isa *isa)
{
    matmul_block t;
    t.o = o;

    for (int32_t row = y0, rows; row < y1; row += rows) {
        const int32_t n = row / o->y.h, h = row % o->y.h;
        rows = o->y.h - h < y1 - row ? o->y.h - h : y1 - row;
        for (int32_t w = 0; w < o->y.w; w++) {
            uint8_t *y = (uint8_t *)p[0] + (ptrdiff_t)n * o->y.img + (ptrdiff_t)h * o->y.row + (ptrdiff_t)w * o->y.pix;
            t.a = matmul_operand(&o->a, p[1], n, w) + (ptrdiff_t)h * o->a.row;
            t.b = matmul_operand(&o->b, p[2], n, w);
            matmul_matrix(&t, isa, y, rows);
        }
    }
}

#endif
