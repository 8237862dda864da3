/* A value is a number of 1, 2, 4 or 8 bytes, or, for what does not fit there, the distance back to it.  A map is a
 * vector of values with its length before it, before that the width of the keys' vector and the distance back to that;
 * behind the values stands a byte of type for each. */
#include "base/flexbuf.h"

#include <string.h>

enum { INT = 1, UINT = 2, FLOAT = 3, INDIRECT_INT = 6, INDIRECT_UINT = 7, INDIRECT_FLOAT = 8, MAP = 9, BOOL = 26 };

typedef struct vector {
    uint64_t at, n, width; /* first element, how many, bytes of each */
} vector;

static bool is_width(uint64_t w)
{
    return w == 1 || w == 2 || w == 4 || w == 8;
}

static bool read_unsigned(sgs_span s, uint64_t at, uint64_t width, uint64_t *v)
{
    *v = 0;
    if (!is_width(width) || width > s.n || at > s.n - width)
        return false;
    for (uint64_t i = 0; i < width; i++)
        *v |= (uint64_t)s.p[at + i] << 8 * i;
    return true;
}

/* What the value at `at` points back to. */
static bool follow(sgs_span s, uint64_t at, uint64_t width, uint64_t *to)
{
    uint64_t back;
    if (!read_unsigned(s, at, width, &back) || back > at)
        return false;
    *to = at - back;
    return true;
}

static bool read_vector(sgs_span s, vector *v)
{
    return v->at >= v->width && read_unsigned(s, v->at - v->width, v->width, &v->n) && v->n <= s.n / v->width &&
           v->at <= s.n - v->n * v->width;
}

static bool root_map(sgs_span s, vector *keys, vector *values)
{
    if (s.n < 3 || !is_width(s.p[s.n - 1]) || s.p[s.n - 2] >> 2 != MAP || s.n < 2 + (size_t)s.p[s.n - 1])
        return false;
    values->width = (uint64_t)1 << (s.p[s.n - 2] & 3);
    if (!follow(s, s.n - 2 - s.p[s.n - 1], s.p[s.n - 1], &values->at) || !read_vector(s, values) ||
        values->at < 3 * values->width)
        return false;
    const uint64_t at = values->at - 3 * values->width;
    if (!follow(s, at, values->width, &keys->at) ||
        !read_unsigned(s, at + values->width, values->width, &keys->width) || !is_width(keys->width))
        return false;
    return read_vector(s, keys) && keys->n == values->n && values->n <= s.n - (values->at + values->n * values->width);
}

static bool is_key(sgs_span s, const vector *keys, uint64_t i, const char *key)
{
    uint64_t at;
    const size_t n = strlen(key) + 1;
    return follow(s, keys->at + i * keys->width, keys->width, &at) && n <= s.n && at <= s.n - n &&
           !memcmp(s.p + at, key, n);
}

static bool read_real(sgs_span s, uint64_t at, uint64_t width, double *v)
{
    uint64_t bits;
    if ((width != 4 && width != 8) || !read_unsigned(s, at, width, &bits))
        return false;
    float single;
    if (width == 4) {
        memcpy(&single, s.p + at, sizeof single);
        *v = (double)single;
    } else {
        memcpy(v, &bits, sizeof *v);
    }
    return true;
}

static bool read_whole(sgs_span s, uint64_t at, uint64_t width, bool is_signed, double *v)
{
    uint64_t bits;
    if (!read_unsigned(s, at, width, &bits))
        return false;
    const int unused = 64 - 8 * (int)width;
    *v = is_signed ? (double)((int64_t)(bits << unused) >> unused) : (double)bits;
    return true;
}

static bool read_value(sgs_span s, const vector *values, uint64_t i, double *v)
{
    const uint8_t packed = s.p[values->at + values->n * values->width + i], type = packed >> 2;
    uint64_t at = values->at + i * values->width, width = values->width;
    if (type >= INDIRECT_INT && type <= INDIRECT_FLOAT) {
        if (!follow(s, at, width, &at))
            return false;
        width = (uint64_t)1 << (packed & 3);
    }
    switch (type) {
    case INT:
    case INDIRECT_INT:
        return read_whole(s, at, width, true, v);
    case UINT:
    case BOOL:
    case INDIRECT_UINT:
        return read_whole(s, at, width, false, v);
    case FLOAT:
    case INDIRECT_FLOAT:
        return read_real(s, at, width, v);
    default:
        return false;
    }
}

bool sgs_flex_is_map(sgs_span s)
{
    vector keys, values;
    return root_map(s, &keys, &values);
}

bool sgs_flex_number(sgs_span s, const char *key, double *v)
{
    vector keys, values;
    if (!root_map(s, &keys, &values))
        return false;
    for (uint64_t i = 0; i < values.n; i++)
        if (is_key(s, &keys, i, key))
            return read_value(s, &values, i, v);
    return false;
}
