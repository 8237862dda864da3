/* A script's array against what the model takes: dims equal, elements converted only where no value changes (DECISIONS
 * 14). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "preprocess/workers.h"

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

static const char *dims_text(char *buf, size_t n, int rank, const int64_t *dim)
{
    size_t at = (size_t)snprintf(buf, n, "(");
    for (int i = 0; i < rank && at < n; i++)
        at += (size_t)snprintf(buf + at, n - at, "%s%lld", i ? ", " : "", (long long)dim[i]);
    if (at < n)
        snprintf(buf + at, n - at, rank == 1 ? ",)" : ")");
    return buf;
}

/* dim of the model read through `order` is what was found. */
static bool permuted(const sgs_array *a, const sgs_want *w, const int order[4])
{
    bool same = a->rank == 4 && w->rank == 4;
    for (int i = 0; same && i < 4; i++)
        same = a->dim[i] == w->dim[order[i]];
    return same;
}

static void shape_hint(const sgs_array *a, const sgs_want *w, sgs_diag *d)
{
    if (a->rank + 1 == w->rank && w->dim[0] == 1 && !memcmp(a->dim, w->dim + 1, (size_t)a->rank * sizeof *a->dim))
        sgs_hint(d, "the first dimension is missing: return np.expand_dims(image, 0)");
    else if (permuted(a, w, (const int[]){ 0, 3, 1, 2 }))
        sgs_hint(d, "the script returns NCHW, the model takes NHWC: return np.transpose(image, (0, 2, 3, 1)), or set "
                    "input_layouts = NCHW in the ini");
    else if (permuted(a, w, (const int[]){ 0, 2, 3, 1 }))
        sgs_hint(d, "the script returns NHWC, the model takes NCHW: return np.transpose(image, (0, 3, 1, 2)), or set "
                    "input_layouts = NHWC in the ini");
    else if (permuted(a, w, (const int[]){ 0, 2, 1, 3 }))
        sgs_hint(d, "height and width are swapped; a numpy picture is (height, width, channels), cv2.resize takes "
                    "(width, height)");
}

/* ---- elements -------------------------------------------------------------------------------------------------- */

typedef struct number {
    bool real; /* v; else i */
    double v;
    int64_t i;
} number;

static double half(uint16_t h)
{
    const int e = h >> 10 & 31, m = h & 1023;
    const double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return h & 0x8000 ? -v : v;
}

static number real(double v)
{
    return (number){ .real = true, .v = v };
}

static number whole(int64_t i)
{
    return (number){ .i = i, .v = (double)i };
}

static number element(const sgs_array *a, size_t i)
{
    switch (a->type) {
    case SGS_F32:
        return real(((const float *)a->data)[i]);
    case SGS_F64:
        return real(((const double *)a->data)[i]);
    case SGS_F16:
        return real(half(((const uint16_t *)a->data)[i]));
    case SGS_S64:
        return whole(((const int64_t *)a->data)[i]);
    case SGS_S32:
        return whole(((const int32_t *)a->data)[i]);
    case SGS_S16:
        return whole(((const int16_t *)a->data)[i]);
    case SGS_S8:
    case SGS_S4:
        return whole(((const int8_t *)a->data)[i]);
    case SGS_U16:
        return whole(((const uint16_t *)a->data)[i]);
    case SGS_U8:
    case SGS_BOOL:
    case SGS_TYPE_COUNT:
        break;
    }
    return whole(((const uint8_t *)a->data)[i]);
}

static bool is_float(sgs_type t)
{
    return t == SGS_F32 || t == SGS_F64 || t == SGS_F16;
}

static void limits(sgs_type t, int64_t *lo, int64_t *hi)
{
    static const struct {
        int64_t lo, hi;
    } of[SGS_TYPE_COUNT] = {
        [SGS_S64] = { INT64_MIN, INT64_MAX },
        [SGS_S32] = { INT32_MIN, INT32_MAX },
        [SGS_S16] = { -32768, 32767 },
        [SGS_S8] = { -128, 127 },
        [SGS_U8] = { 0, 255 },
        [SGS_U16] = { 0, 65535 },
        [SGS_BOOL] = { 0, 1 },
        [SGS_S4] = { -8, 7 },
    };
    *lo = of[t].lo;
    *hi = of[t].hi;
}

/* Stores n as out[i]; false when the type cannot hold it. */
static bool put_whole(number n, sgs_type t, void *out, size_t i)
{
    int64_t lo, hi;
    limits(t, &lo, &hi);
    if (n.real) {
        if (!(n.v >= -9007199254740992.0 && n.v <= 9007199254740992.0) || n.v != floor(n.v))
            return false;
        n.i = (int64_t)n.v;
    }
    if (n.i < lo || n.i > hi)
        return false;
    switch (sgs_type_bytes(t)) {
    case 1:
        ((uint8_t *)out)[i] = (uint8_t)n.i;
        break;
    case 2:
        ((uint16_t *)out)[i] = (uint16_t)n.i;
        break;
    case 4:
        ((uint32_t *)out)[i] = (uint32_t)n.i;
        break;
    default:
        ((uint64_t *)out)[i] = (uint64_t)n.i;
        break;
    }
    return true;
}

static bool put_real(number n, sgs_type t, void *out, size_t i)
{
    if (!isfinite(n.v) || (!n.real && (n.i > ((int64_t)1 << 53) || n.i < -((int64_t)1 << 53))))
        return false;
    if (t == SGS_F64) {
        ((double *)out)[i] = n.v;
        return true;
    }
    const float f = (float)n.v;
    ((float *)out)[i] = f;
    return (double)f == n.v;
}

/* ---- complaints ------------------------------------------------------------------------------------------------ */

typedef struct place {
    const char *script, *picture;
    bool norm;
} place;

static void found_range(const sgs_array *a, size_t n, double *lo, double *hi)
{
    *lo = INFINITY;
    *hi = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        const double v = element(a, i).v;
        *lo = v < *lo ? v : *lo;
        *hi = v > *hi ? v : *hi;
    }
}

static sgs_status value_fail(const place *at, const sgs_array *a, const sgs_want *w, size_t count, double v,
                             sgs_diag *d)
{
    double lo, hi;
    found_range(a, count, &lo, &hi);
    if (!isfinite(v)) {
        sgs_fail(d, SGS_E_DATA,
                 "image_preprocess(norm=%s): expected numbers for input '%.200s', found %s for picture '%.400s'",
                 at->norm ? "True" : "False", w->name, isnan(v) ? "NaN" : "infinity", at->picture);
    } else {
        sgs_fail(d, SGS_E_DATA,
                 "image_preprocess(norm=%s): expected %s for input '%.200s', found %s with values from %g to %g, of "
                 "which %.17g is no %s, for "
                 "picture '%.400s'",
                 at->norm ? "True" : "False", sgs_type_name(w->type), w->name, sgs_type_name(a->type), lo, hi, v,
                 sgs_type_name(w->type), at->picture);
        if (w->type == SGS_F32)
            sgs_hint(d, "return the array as float32: image.astype(np.float32)");
        else if (!at->norm && w->type == SGS_U8)
            sgs_hint(d, "with norm=False the script returns the picture as it is, uint8 from 0 to 255; the model "
                        "normalizes it");
        else
            sgs_hint(d, "an array is converted only where no value changes");
    }
    sgs_fail_at(d, at->script, 0, NULL);
    return SGS_E_DATA;
}

static sgs_status convert(const place *at, const sgs_array *a, const sgs_want *w, size_t count, void *out, sgs_diag *d)
{
    if (a->type == w->type && !is_float(a->type)) {
        memcpy(out, a->data, a->bytes);
        return SGS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        const number n = element(a, i);
        if (!(is_float(w->type) ? put_real(n, w->type, out, i) : put_whole(n, w->type, out, i)))
            return value_fail(at, a, w, count, n.v, d);
    }
    return SGS_OK;
}

sgs_status sgs_samples_take(const sgs_samples *s, int input, const sgs_array *a, const sgs_want *w, void *out,
                            sgs_diag *d)
{
    place at;
    at.picture = sgs_samples_last(s, input, &at.script, &at.norm);
    size_t count = 1;
    bool same = a->rank == w->rank;
    for (int i = 0; same && i < w->rank; i++) {
        same = a->dim[i] == w->dim[i];
        count *= (size_t)w->dim[i];
    }
    if (same)
        return convert(&at, a, w, count, out, d);
    char expected[256], found[256];
    sgs_fail(d, SGS_E_DATA,
             "image_preprocess(norm=%s): expected shape %s for input '%.200s', found %s for picture '%.400s'",
             at.norm ? "True" : "False", dims_text(expected, sizeof expected, w->rank, w->dim), w->name,
             dims_text(found, sizeof found, a->rank, a->dim), at.picture);
    shape_hint(a, w, d);
    sgs_fail_at(d, at.script, 0, NULL);
    return SGS_E_DATA;
}
