#include "sim/values.h"

#include <math.h>

#include "runtime/load.h"

double sgs_stored(sgs_type t, const void *data, int64_t i)
{
    switch (t) {
    case SGS_F32:
        return (double)((const float *)data)[i];
    case SGS_F64:
        return ((const double *)data)[i];
    case SGS_S64:
        return (double)((const int64_t *)data)[i];
    case SGS_S32:
        return ((const int32_t *)data)[i];
    case SGS_S16:
        return ((const int16_t *)data)[i];
    case SGS_U16:
        return ((const uint16_t *)data)[i];
    case SGS_S8:
    case SGS_S4:
        return ((const int8_t *)data)[i];
    default:
        return ((const uint8_t *)data)[i];
    }
}

int64_t sgs_scale_index(const sgs_value *v, int64_t i)
{
    int64_t inner = 1;
    if (!v->quant || v->quant->n == 1)
        return 0;
    for (int k = v->quant->axis + 1; k < v->rank; k++)
        inner *= v->dim[k];
    return i / inner % v->quant->n;
}

double sgs_real(const sgs_value *v, const void *data, int64_t i)
{
    const double x = sgs_stored(v->type, data, i);
    const int64_t c = sgs_scale_index(v, i);
    return v->quant ? (x - v->quant->zero[c]) * (double)v->quant->scale[c] : x;
}

bool sgs_ends(sgs_type t, int32_t *least, int32_t *most)
{
    *least = t == SGS_U8 ? 0 : -32767;
    *most = t == SGS_U8 ? 255 : 32767;
    return t == SGS_U8 || t == SGS_S16;
}

/* Looked at block by block without a way out in between, which keeps compilers from taking several numbers at once. */
int64_t sgs_finite(const float *x, int64_t n)
{
    enum { BLOCK = 256 };
    for (int64_t begin = 0, end; begin < n; begin = end) {
        uint32_t bad = 0;
        end = n - begin < BLOCK ? n : begin + BLOCK;
        for (int64_t i = begin; i < end; i++)
            bad |= (uint32_t)!ipu_finite(x[i]);
        for (; bad && ipu_finite(x[begin]); begin++)
            ;
        if (bad)
            return begin;
    }
    return n;
}

static void put(sgs_type t, void *data, int64_t i, double x)
{
    switch (t) {
    case SGS_F32:
        ((float *)data)[i] = (float)x;
        break;
    case SGS_S64:
        ((int64_t *)data)[i] = (int64_t)x;
        break;
    case SGS_S32:
        ((int32_t *)data)[i] = (int32_t)fmin(fmax(x, INT32_MIN), INT32_MAX);
        break;
    case SGS_S16:
        ((int16_t *)data)[i] = (int16_t)x;
        break;
    case SGS_U16:
        ((uint16_t *)data)[i] = (uint16_t)x;
        break;
    default:
        ((uint8_t *)data)[i] = (uint8_t)x;
    }
}

void sgs_round_to(const sgs_value *v, void *data, sgs_type from, const void *x)
{
    int32_t least, most;
    const bool ends = sgs_ends(v->type, &least, &most) && v->quant;
    const int64_t count = sgs_value_count(v);
    for (int64_t i = 0; i < count; i++) {
        double y = sgs_stored(from, x, i);
        const int64_t c = sgs_scale_index(v, i);
        if (v->quant)
            y = rint(y / (double)v->quant->scale[c]) + v->quant->zero[c];
        put(v->type, data, i, ends ? fmin(fmax(y, least), most) : y);
    }
}
