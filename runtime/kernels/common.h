/* What the C kernels and checks share: operand addresses and the small predicates of checks. */
#ifndef IPU_KERNELS_COMMON_H
#define IPU_KERNELS_COMMON_H

#include "runtime/fixed.h"
#include "runtime/kernels.h"
#include "runtime/mem.h"

/* Address of pixel (row y of n*h, column x) of a window at p. */
static inline void *ipu_pixel(const ipu_ref *r, void *p, int32_t y, int32_t x)
{
    int32_t n = y / r->h, h = y % r->h;
    return (uint8_t *)p + (ptrdiff_t)n * r->img + (ptrdiff_t)h * r->row + (ptrdiff_t)x * r->pix;
}

/* The pixel of operand x for row `row`, column `col` of a result like y: axes of length 1 stand still. */
static inline const void *ipu_repeated(const ipu_ref *x, const ipu_ref *y, void *p, int32_t row, int32_t col)
{
    int32_t n = x->n == 1 ? 0 : row / y->h, h = x->h == 1 ? 0 : row % y->h;
    return ipu_pixel(x, p, n * x->h + h, x->w == 1 ? 0 : col);
}

/* Stores q as U8 or S16. */
static inline void ipu_put(int type, void *p, int32_t c, int32_t q)
{
    if (type == IPU_U8)
        ((uint8_t *)p)[c] = (uint8_t)q;
    else
        ((int16_t *)p)[c] = (int16_t)q;
}

static inline int32_t ipu_get(int type, const void *p, int32_t c)
{
    return type == IPU_U8 ? ((const uint8_t *)p)[c] : ((const int16_t *)p)[c];
}

/* Whether integers without scale have that type. */
static inline int ipu_is_integer(int type)
{
    return type == IPU_U8 || type == IPU_S16 || type == IPU_S32;
}

/* An integer without scale; of what is stored its type takes the lower bits. */
static inline int32_t ipu_get_integer(int type, const void *p, int32_t c)
{
    return type == IPU_S32 ? ((const int32_t *)p)[c] : ipu_get(type, p, c);
}

static inline void ipu_put_integer(int type, void *p, int32_t c, int32_t q)
{
    if (type == IPU_S32)
        ((int32_t *)p)[c] = q;
    else
        ipu_put(type, p, c, q);
}

/* With sign -1 the smallest of integers is the largest of these. */
static inline int32_t ipu_ordered(int32_t q, int32_t sign)
{
    return sign < 0 ? ~q : q;
}

/* An index counted from the end where it is negative; what lies outside is the first or the last. */
static inline int32_t ipu_row(int32_t i, int32_t rows)
{
    i += i < 0 ? rows : 0;
    return i < 0 ? 0 : i < rows ? i : rows - 1;
}

/* One of two weights of four bits: those of the lower or, odd, of the upper ones. */
static inline int32_t ipu_four_bits(uint8_t two, int odd)
{
    return ((two >> (odd ? 4 : 0) & 15) ^ 8) - 8;
}

/* ---- predicates ---------------------------------------------------------------------------------------------- */

static inline int ipu_rec_ok(const ipu_rec *r, int nref, size_t bytes)
{
    return r->nref == nref && r->bytes == bytes;
}

static inline int ipu_activation(const ipu_ref *r)
{
    return r->type == IPU_U8 || r->type == IPU_S16;
}

static inline int ipu_same_shape(const ipu_ref *a, const ipu_ref *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c;
}

/* Every axis of x is y's, or 1: repeated. */
static inline int ipu_repeats(const ipu_ref *x, const ipu_ref *y)
{
    return (x->n == y->n || x->n == 1) && (x->h == y->h || x->h == 1) && (x->w == y->w || x->w == 1) &&
           (x->c == y->c || x->c == 1);
}

/* A constant array of at least n elements. */
static inline int ipu_array(const ipu_ref *r, int type, int64_t n)
{
    return r->space == IPU_CONST && r->type == type && r->n == 1 && r->h == 1 && r->w == 1 && r->c >= n;
}

static inline int ipu_between(int32_t v, int32_t lo, int32_t hi)
{
    return v >= lo && v <= hi;
}

/* Finite, below 2^127: NaN fails every comparison. */
static inline int ipu_multiplier(float m)
{
    return m > -1.7e38f && m < 1.7e38f;
}

/* Whole bounds that ipu_store can round, whose results fit the type. */
static inline int ipu_out_ok(const ipu_out *o, int type)
{
    int32_t lo = type == IPU_U8 ? 0 : -32768, hi = type == IPU_U8 ? 255 : 32767;
    if (!(o->lo >= -131072.0f && o->lo <= o->hi && o->hi <= 131072.0f) || !ipu_between(o->zero, lo, hi))
        return 0;
    return ipu_rne(o->lo) + o->zero >= lo && ipu_rne(o->hi) + o->zero <= hi;
}

/* What sums become: results of y's type, or with a table the index of an entry that is y. */
static inline int ipu_result_ok(const ipu_out *o, const ipu_ref *y, const ipu_ref *table)
{
    if (table->space == IPU_NONE)
        return ipu_out_ok(o, y->type);
    return y->type == IPU_U8 && ipu_array(table, IPU_U8, IPU_INDEX) && ipu_out_ok(o, IPU_S16) &&
           ipu_rne(o->lo) + o->zero >= 0 && ipu_rne(o->hi) + o->zero < IPU_INDEX;
}

#define IPU_MAX_KERNEL 4096

/* Kernel size, stride, dilation and padding in ranges where output coordinates cannot overflow. */
static inline int ipu_window_ok(int32_t k, int32_t stride, int32_t dilation, int32_t pad, int32_t out)
{
    return ipu_between(k, 1, IPU_MAX_KERNEL) && ipu_between(stride, 1, 1 << 24) && ipu_between(dilation, 1, 1 << 18) &&
           ipu_between(pad, 0, 1 << 30) && (int64_t)(out - 1) * stride + (int64_t)(k - 1) * dilation <= INT32_MAX - (1 << 30);
}

#endif
