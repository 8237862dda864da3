/* Matrix products of two 16-bit activations: ARITHMETIC.md 16. */
#include "common.h"

enum { BLOCK = 16 }; /* columns summed at a time */

static int batch_ok(const ipu_ref *x, const ipu_ref *y)
{
    return (x->n == y->n || x->n == 1) && (x->w == y->w || x->w == 1);
}

IPU_CHECK(ipu_matmul_check)
{
    const ipu_matmul *o = (const void *)rec;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || o->y.type != IPU_S16 || o->a.type != IPU_S16 || o->b.type != IPU_S16)
        return 0;
    if (!batch_ok(&o->a, &o->y) || !batch_ok(&o->b, &o->y) || o->a.h != o->y.h || !ipu_between(o->turned, 0, 1))
        return 0;
    return ipu_between(o->a.c, 1, IPU_MATMUL_PRODUCTS) && (o->turned ? o->b.c : o->b.h) == o->a.c &&
           (o->turned ? o->b.h : o->b.c) == o->y.c && ipu_multiplier(o->m) && ipu_out_ok(&o->out, IPU_S16);
}

/* The products of some columns from b on, whose rows lie `row` bytes apart. */
static void sum_columns(const ipu_matmul *o, const int16_t *a, const uint8_t *b, int32_t columns, int64_t *acc)
{
    for (int32_t j = 0; j < columns; j++)
        acc[j] = 0;
    for (int32_t k = 0; k < o->a.c; k++, b += o->b.row) {
        const int16_t *line = (const int16_t *)(const void *)b;
        for (int32_t j = 0; j < columns; j++)
            acc[j] += (int32_t)a[k] * line[j];
    }
}

/* The same where the columns are b's rows. */
static void sum_rows(const ipu_matmul *o, const int16_t *a, const uint8_t *b, int32_t columns, int64_t *acc)
{
    for (int32_t j = 0; j < columns; j++, b += o->b.row) {
        const int16_t *line = (const int16_t *)(const void *)b;
        acc[j] = 0;
        for (int32_t k = 0; k < o->a.c; k++)
            acc[j] += (int32_t)a[k] * line[k];
    }
}

/* One row of the result of one matrix. */
static void product(const ipu_matmul *o, int16_t *y, const int16_t *a, const uint8_t *b)
{
    const ptrdiff_t each = o->turned ? o->b.row : (ptrdiff_t)sizeof *y;
    int64_t acc[BLOCK];
    for (int32_t j = 0; j < o->y.c; j += BLOCK) {
        const int32_t n = o->y.c - j < BLOCK ? o->y.c - j : BLOCK;
        if (o->turned)
            sum_rows(o, a, b + j * each, n, acc);
        else
            sum_columns(o, a, b + j * each, n, acc);
        for (int32_t i = 0; i < n; i++)
            y[j + i] = (int16_t)ipu_store((float)acc[i] * o->m, &o->out);
    }
}

IPU_KERNEL(ipu_matmul_s16_c)
{
    const ipu_matmul *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            const int32_t n = y / o->y.h, row = y % o->y.h;
            const int16_t *a = ipu_pixel(&o->a, p[1], (o->a.n == 1 ? 0 : n) * o->a.h + row, o->a.w == 1 ? 0 : x);
            const uint8_t *b = ipu_pixel(&o->b, p[2], (o->b.n == 1 ? 0 : n) * o->b.h, o->b.w == 1 ? 0 : x);
            product(o, ipu_pixel(&o->y, p[0], y, x), a, b);
        }
}
