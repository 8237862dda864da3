/* Arithmetic and comparisons of integers without scale: ARITHMETIC.md 19. */
#include "common.h"

IPU_CHECK(ipu_integer_check)
{
    const ipu_integer *o = (const void *)rec;
    if (!ipu_rec_ok(rec, 3, sizeof *o) || !ipu_between(o->mode, 0, IPU_INTEGER_MODES - 1) || !ipu_is_integer(o->a.type))
        return 0;
    return o->b.type == o->a.type && o->y.type == (o->mode < IPU_INTEGER_LESS ? o->a.type : IPU_U8) &&
           ipu_repeats(&o->a, &o->y) && ipu_repeats(&o->b, &o->y);
}

/* Towards 0; there is no 64-bit quotient on small machines. */
static int32_t quotient(int32_t a, int32_t b)
{
    if (b == 0)
        return 0;
    return b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b;
}

static int32_t rest(int32_t a, int32_t b)
{
    return b == 0 || b == -1 ? 0 : a % b;
}

/* Of the divisor's sign. */
static int32_t modulo(int32_t a, int32_t b)
{
    const int32_t r = rest(a, b);
    return r && (r < 0) != (b < 0) ? r + b : r;
}

static int32_t power(int32_t a, int32_t b)
{
    uint32_t y = 1, square = (uint32_t)a;
    if (b < 0)
        return a == 1 || (a == -1 && b % 2 == 0) ? 1 : a == -1 ? -1 : 0;
    for (; b; b >>= 1, square *= square)
        y *= b & 1 ? square : 1;
    return (int32_t)y;
}

static int32_t combined(int32_t mode, int32_t a, int32_t b)
{
    switch (mode) {
    case IPU_INTEGER_ADD:
        return (int32_t)((uint32_t)a + (uint32_t)b);
    case IPU_INTEGER_SUB:
        return (int32_t)((uint32_t)a - (uint32_t)b);
    case IPU_INTEGER_MUL:
        return (int32_t)((uint32_t)a * (uint32_t)b);
    case IPU_INTEGER_DIV:
        return quotient(a, b);
    case IPU_INTEGER_MOD:
        return modulo(a, b);
    case IPU_INTEGER_REST:
        return rest(a, b);
    case IPU_INTEGER_POWER:
        return power(a, b);
    case IPU_INTEGER_MIN:
        return a < b ? a : b;
    case IPU_INTEGER_MAX:
        return a > b ? a : b;
    case IPU_INTEGER_LESS:
        return a < b;
    case IPU_INTEGER_LESS_EQUAL:
        return a <= b;
    case IPU_INTEGER_EQUAL:
        return a == b;
    default:
        return a != b;
    }
}

IPU_KERNEL(ipu_integer_c)
{
    const ipu_integer *o = (const void *)rec;
    const int32_t sa = o->a.c != 1, sb = o->b.c != 1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            const void *a = ipu_repeated(&o->a, &o->y, p[1], y, x), *b = ipu_repeated(&o->b, &o->y, p[2], y, x);
            for (int32_t c = 0; c < o->y.c; c++)
                ipu_put_integer(
                    o->y.type, to, c,
                    combined(o->mode, ipu_get_integer(o->a.type, a, c * sa), ipu_get_integer(o->b.type, b, c * sb)));
        }
}
