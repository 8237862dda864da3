#include "config/tree.h"

#include <math.h>
#include <string.h>

#define MEMORY_PER_BYTE 64
#define MEMORY_LEAST ((size_t)16 << 20)

bool sgs_tree_push(sgs_arena *a, struct sgs_tree_list *l, sgs_tree t)
{
    if (l->n == l->room) {
        const size_t room = l->room ? 2 * l->room : 4;
        sgs_tree *item = room < SIZE_MAX / sizeof *item ? sgs_try_alloc_loose(a, room * sizeof *item) : NULL;
        if (!item)
            return false;
        if (l->n)
            memcpy(item, l->item, l->n * sizeof *item);
        sgs_arena_drop(a, l->item);
        l->item = item;
        l->room = room;
    }
    l->item[l->n++] = t;
    return true;
}

const char *sgs_tree_word(const sgs_tree *t)
{
    switch (t->kind) {
    case SGS_TREE_NONE:
        return "nothing";
    case SGS_TREE_TRUTH:
        return "a truth value";
    case SGS_TREE_WHOLE:
        return "a whole number";
    case SGS_TREE_REAL:
        return "a number";
    case SGS_TREE_TEXT:
        return "a text";
    case SGS_TREE_BYTES:
        return "bytes";
    case SGS_TREE_LIST:
        return "a list";
    case SGS_TREE_DICT:
        return "a dictionary";
    case SGS_TREE_ARRAY:
        return "an array";
    case SGS_TREE_OTHER:
        break;
    }
    return "an object";
}

bool sgs_tree_number(const sgs_tree *t, double *v)
{
    *v = t->kind == SGS_TREE_WHOLE ? (double)t->whole : t->real;
    return t->kind == SGS_TREE_WHOLE || t->kind == SGS_TREE_REAL;
}

/* ---- elements --------------------------------------------------------------------------------------------------- */

static double half(uint64_t bits)
{
    const int exponent = (int)(bits >> 10 & 31);
    const double mantissa = (double)(bits & 1023), sign = bits >> 15 ? -1 : 1;
    if (exponent == 31)
        return mantissa > 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(mantissa + 1024, exponent - 25) : ldexp(mantissa, -24));
}

static double number(char letter, int each, uint64_t bits)
{
    float f;
    double v;
    if (letter == 'f' && each == 2)
        return half(bits);
    if (letter == 'f' && each == 4) {
        const uint32_t low = (uint32_t)bits;
        memcpy(&f, &low, sizeof f);
        return (double)f;
    }
    if (letter == 'f') {
        memcpy(&v, &bits, sizeof v);
        return v;
    }
    if (letter == 'i' && each < 8 && bits >> (8 * each - 1))
        return (double)bits - ldexp(1, 8 * each);
    return letter == 'i' ? (double)(int64_t)bits : (double)bits;
}

/* Where element i of the row-major order lies. */
static int64_t place(const struct sgs_tree_array *x, int64_t i)
{
    int64_t at = 0, index[8];
    if (!x->fortran)
        return i;
    for (int k = x->rank - 1; k >= 0; k--) {
        index[k] = i % x->dim[k];
        i /= x->dim[k];
    }
    for (int k = x->rank - 1; k >= 0; k--)
        at = at * x->dim[k] + index[k];
    return at;
}

double sgs_tree_element(const struct sgs_tree_array *x, int64_t i)
{
    const uint8_t *p = x->data + place(x, i) * x->each;
    uint64_t bits = 0;
    for (int k = 0; k < x->each; k++)
        bits |= (uint64_t)p[x->big_endian ? x->each - 1 - k : k] << 8 * k;
    return number(x->letter, x->each, bits);
}

/* ---- which of the two ------------------------------------------------------------------------------------------- */

static size_t blanks(sgs_span s)
{
    size_t n = s.n >= 3 && !memcmp(s.p, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (n < s.n && strchr(" \t\r\n", s.p[n]) && s.p[n])
        n++;
    return n;
}

sgs_status sgs_tree_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span bytes, sgs_diag *d)
{
    const size_t n = blanks(bytes);
    sgs_arena_limit(a, bytes.n < (SIZE_MAX - MEMORY_LEAST) / MEMORY_PER_BYTE ? MEMORY_LEAST + MEMORY_PER_BYTE * bytes.n
                                                                             : SIZE_MAX);
    if (n < bytes.n && (bytes.p[n] == '[' || bytes.p[n] == '{'))
        return sgs_json_parse(t, a, file, bytes, d);
    if (bytes.n && (bytes.p[0] == 0x80 || strchr("(])}", bytes.p[0])) && bytes.p[0])
        return sgs_pickle_parse(t, a, file, bytes, d);
    sgs_fail(d, SGS_E_FORMAT, "expected JSON or a pickle, found %s", bytes.n ? "something else" : "an empty file");
    return sgs_fail_at(d, file, 0, NULL);
}
