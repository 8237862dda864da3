/* Maximum and average pooling with V: channels in lanes. */
#include "rvv.h"
#include "runtime/kernels/simd/pool.h"

IPU_INLINE const uint8_t *pool_at(const ipu_pool *r, const pool_window *k, int32_t i, int32_t x)
{
    return k->x + (ptrdiff_t)i * r->x.row + (ptrdiff_t)x * r->x.pix;
}

static void pool_max_u8(const ipu_pool *r, const pool_window *k, uint8_t *y)
{
    for (size_t c = 0, vl, n = (size_t)r->y.c; c < n; c += vl) {
        vl = RVV(vsetvl_e8m8)(n - c);
        vuint8m8_t best = RVV(vmv_v_x_u8m8)(0, vl);
        for (int32_t i = 0; i < k->h; i++)
            for (int32_t x = 0; x < k->w; x++)
                best = RVV(vmaxu_vv_u8m8)(best, RVV(vle8_v_u8m8)(pool_at(r, k, i, x) + c, vl), vl);
        RVV(vse8_v_u8m8)(y + c, best, vl);
    }
}

static void pool_max_s16(const ipu_pool *r, const pool_window *k, int16_t *y)
{
    for (size_t c = 0, vl, n = (size_t)r->y.c; c < n; c += vl) {
        vl = RVV(vsetvl_e16m8)(n - c);
        vint16m8_t best = RVV(vmv_v_x_i16m8)(INT16_MIN, vl);
        for (int32_t i = 0; i < k->h; i++)
            for (int32_t x = 0; x < k->w; x++)
                best = RVV(vmax_vv_i16m8)(best, RVV(vle16_v_i16m8)((const int16_t *)(const void *)pool_at(r, k, i, x) + c, vl), vl);
        RVV(vse16_v_i16m8)(y + c, best, vl);
    }
}

static void pool_mean(const ipu_pool *r, const pool_window *k, float mult, uint8_t *y)
{
    for (size_t c = 0, vl, n = (size_t)r->y.c; c < n; c += vl) {
        vl = RVV(vsetvl_e32m8)(n - c);
        vint32m8_t sum = RVV(vmv_v_x_i32m8)(0, vl);
        for (int32_t i = 0; i < k->h; i++)
            for (int32_t x = 0; x < k->w; x++)
                sum = RVV(vwadd_wv_i32m8)(sum, RVV(vle16_v_i16m4)((const int16_t *)(const void *)pool_at(r, k, i, x) + c, vl), vl);
        const vfloat32m8_t g = RVV(vfmul_vf_f32m8)(RVV(vfcvt_f_x_v_f32m8)(sum, vl), mult, vl);
        rvv_put_m8(y + 2 * c, rvv_store_m8(g, &r->out, vl), IPU_S16, vl);
    }
}

IPU_INLINE uint8_t *pool_row(const ipu_pool *r, void *p, int32_t row)
{
    return (uint8_t *)p + (ptrdiff_t)(row / r->y.h) * r->y.img + (ptrdiff_t)(row % r->y.h) * r->y.row;
}

IPU_KERNEL(ipu_maxpool_rvv)
{
    const ipu_pool *r = (const ipu_pool *)rec;

    for (int32_t row = y0; row < y1; row++) {
        uint8_t *to = pool_row(r, p[0], row);
        for (int32_t ox = 0; ox < r->y.w; ox++, to += r->y.pix) {
            const pool_window k = pool_window_of(r, p[1], row / r->y.h, row % r->y.h, ox);
            if (r->y.type == IPU_U8)
                pool_max_u8(r, &k, to);
            else
                pool_max_s16(r, &k, (int16_t *)(void *)to);
        }
    }
}

IPU_KERNEL(ipu_avgpool_s16_rvv)
{
    const ipu_pool *r = (const ipu_pool *)rec;
    const float *mult = p[2];

    for (int32_t row = y0; row < y1; row++) {
        uint8_t *to = pool_row(r, p[0], row);
        for (int32_t ox = 0; ox < r->y.w; ox++, to += r->y.pix) {
            const pool_window k = pool_window_of(r, p[1], row / r->y.h, row % r->y.h, ox);
            pool_mean(r, &k, mult[r->count_pad ? r->kh * r->kw : k.h * k.w], to);
        }
    }
}
