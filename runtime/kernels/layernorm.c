/* Normalization over the channels of each pixel: ARITHMETIC.md 20. */
#include "common.h"

static int is_row(const ipu_ref *r, int32_t c)
{
    return ipu_array(r, IPU_F32, c) || (r->c == 1 && ipu_array(r, IPU_F32, 1));
}

IPU_CHECK(ipu_layernorm_check)
{
    const ipu_layernorm *o = (const void *)rec;
    return ipu_rec_ok(rec, 4, sizeof *o) && o->x.type == IPU_S16 && o->y.type == IPU_S16 &&
           ipu_same_shape(&o->x, &o->y) && o->x.c <= IPU_LAYERNORM_MOST && is_row(&o->scale, o->y.c) &&
           is_row(&o->bias, o->y.c) && ipu_between(o->centred, 0, 1) && o->epsilon >= 0 &&
           o->epsilon <= IPU_LAYERNORM_EPSILON && ipu_out_ok(&o->out, IPU_S16);
}

static void normalize(const ipu_layernorm *o, int16_t *y, const int16_t *x, const float *scale, const float *bias)
{
    const int32_t by_scale = o->scale.c != 1, by_bias = o->bias.c != 1;
    const int64_t n = o->x.c;
    int64_t sum = 0, squares = 0;
    for (int32_t c = 0; c < o->x.c; c++) {
        sum += x[c];
        squares += (int32_t)x[c] * x[c];
    }
    sum = o->centred ? sum : 0;
    const float r = ipu_norm_factor(n, sum, squares, o->epsilon, ipu_root);
    for (int32_t c = 0; c < o->x.c; c++) {
        const float v = (float)(n * x[c] - sum) * r;
        y[c] = (int16_t)ipu_store(v * scale[c * by_scale] + bias[c * by_bias], &o->out);
    }
}

IPU_KERNEL(ipu_layernorm_s16_c)
{
    const ipu_layernorm *o = (const void *)rec;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++)
            normalize(o, ipu_pixel(&o->y, p[0], y, x), ipu_pixel(&o->x, p[1], y, x), p[2], p[3]);
}
