/* Functions of one tensor with V: changes of type and scale, tables. */
#include "rvv.h"
#include "runtime/kernels/simd/unary.h"

/* ---- changes of type and scale ---- */

/* Elements `step` bytes apart as integers of 32 bits. */
IPU_INLINE vint32m8_t quantize_get(const uint8_t *x, ptrdiff_t step, int type, size_t vl)
{
    if (type == IPU_U8)
        return RVV(vreinterpret_v_u32m8_i32m8)(RVV(vzext_vf4_u32m8)(step == 1 ? RVV(vle8_v_u8m2)(x, vl) : RVV(vlse8_v_u8m2)(x, step, vl), vl));
    const int16_t *w = (const int16_t *)(const void *)x;
    return RVV(vsext_vf2_i32m8)(step == 2 ? RVV(vle16_v_i16m4)(w, vl) : RVV(vlse16_v_i16m4)(w, step, vl), vl);
}

/* vl elements of x, `step` bytes apart, in steps of the result: channels from c on (each), or all of channel c. */
IPU_INLINE vfloat32m8_t quantize_real(const ipu_quantize *r, void *const p[], const uint8_t *x, ptrdiff_t step, int64_t c, int each, size_t vl)
{
    const float *mult = (const float *)p[2] + (r->mult.c != 1 ? c : 0), *f = (const float *)(const void *)x;
    const int32_t *zero = (const int32_t *)p[3] + (r->zero.c != 1 ? c : 0);
    vfloat32m8_t g;

    if (r->x.type == IPU_F32) {
        g = step == 4 ? RVV(vle32_v_f32m8)(f, vl) : RVV(vlse32_v_f32m8)(f, step, vl);
    } else {
        const vint32m8_t v = quantize_get(x, step, r->x.type, vl);
        g = RVV(vfcvt_f_x_v_f32m8)(each && r->zero.c != 1 ? RVV(vsub_vv_i32m8)(v, RVV(vle32_v_i32m8)(zero, vl), vl) : RVV(vsub_vx_i32m8)(v, *zero, vl), vl);
    }
    return each && r->mult.c != 1 ? RVV(vfmul_vv_f32m8)(g, RVV(vle32_v_f32m8)(mult, vl), vl) : RVV(vfmul_vf_f32m8)(g, *mult, vl);
}

static void quantize_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const ipu_quantize *r = (const ipu_quantize *)rec;

    for (int64_t k = 0, vl; k < n; k += vl) {
        vl = (int64_t)RVV(vsetvl_e32m8)((size_t)(n - k));
        const vfloat32m8_t g = quantize_real(r, p, x + k * r->x.step, r->x.step, k, 1, (size_t)vl);
        rvv_put_m8(y + k * r->y.step, rvv_store_m8(g, &r->out, (size_t)vl), r->y.type, (size_t)vl);
    }
}

static void dequantize_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const ipu_quantize *r = (const ipu_quantize *)rec;

    for (int64_t k = 0, vl; k < n; k += vl) {
        vl = (int64_t)RVV(vsetvl_e32m8)((size_t)(n - k));
        RVV(vse32_v_f32m8)((float *)(void *)y + k, quantize_real(r, p, x + k * r->x.step, r->x.step, k, 1, (size_t)vl), (size_t)vl);
    }
}

/* Pixels of channel c of a row: of planes these are the elements side by side. */
static void quantize_column(const ipu_quantize *r, void *const p[], uint8_t *y, const uint8_t *x, int32_t c)
{
    for (int64_t k = 0, vl; k < r->y.w; k += vl) {
        vl = (int64_t)RVV(vsetvl_e32m8)((size_t)(r->y.w - k));
        const vfloat32m8_t g = quantize_real(r, p, x + k * r->x.pix, r->x.pix, c, 0, (size_t)vl);
        const vint16m4_t w = RVV(vncvt_x_x_w_i16m4)(rvv_store_m8(g, &r->out, (size_t)vl), (size_t)vl);
        if (r->y.type == IPU_U8)
            RVV(vsse8_v_i8m2)((int8_t *)y + k * r->y.pix, r->y.pix, RVV(vncvt_x_x_w_i8m2)(w, (size_t)vl), (size_t)vl);
        else
            RVV(vsse16_v_i16m4)((int16_t *)(void *)(y + k * r->y.pix), r->y.pix, w, (size_t)vl);
    }
}

static void quantize_planes(const ipu_quantize *r, void *const p[], int32_t y0, int32_t y1)
{
    for (int32_t row = y0; row < y1; row++) {
        const int32_t n = row / r->y.h, h = row % r->y.h;
        uint8_t *y = (uint8_t *)p[0] + (ptrdiff_t)n * r->y.img + (ptrdiff_t)h * r->y.row;
        const uint8_t *x = (const uint8_t *)p[1] + (ptrdiff_t)n * r->x.img + (ptrdiff_t)h * r->x.row;
        for (int32_t c = 0; c < r->y.c; c++)
            quantize_column(r, p, y + (ptrdiff_t)c * r->y.step, x + (ptrdiff_t)c * r->x.step, c);
    }
}

/* One multiplier and one zero point: a run may go over a whole row. */
static int quantize_flat(const ipu_rec *rec)
{
    const ipu_quantize *r = (const ipu_quantize *)rec;
    return r->mult.c == 1 && r->zero.c == 1;
}

IPU_KERNEL(ipu_quantize_rvv)
{
    const ipu_quantize *r = (const ipu_quantize *)rec;

    if (r->x.step != ipu_type_bytes(r->x.type))
        quantize_planes(r, p, y0, y1);
    else
        unary_rows(rec, p, y0, y1, quantize_run, quantize_flat(rec));
}

IPU_KERNEL(ipu_dequantize_rvv)
{
    unary_rows(rec, p, y0, y1, dequantize_run, quantize_flat(rec));
}

/* ---- tables ---- */

/* ipu_lut_at; the place of a number's highest bit is the exponent of its float. */
IPU_INLINE vint32m4_t lut_lanes(const int16_t *table, vint32m4_t x, size_t vl)
{
    const vint32m4_t most = RVV(vmax_vv_i32m4)(x, RVV(vrsub_vx_i32m4)(x, 0, vl), vl), a = RVV(vmin_vx_i32m4)(most, 32767, vl);
    const vint32m4_t bits = RVV(vreinterpret_v_f32m4_i32m4)(RVV(vfcvt_f_x_v_f32m4)(RVV(vor_vx_i32m4)(a, 1, vl), vl));
    const vint32m4_t e = RVV(vsub_vx_i32m4)(RVV(vsra_vx_i32m4)(bits, 23, vl), 127 + IPU_LUT_BITS, vl), h = RVV(vmax_vx_i32m4)(e, 0, vl);
    const vuint32m4_t by = RVV(vreinterpret_v_i32m4_u32m4)(h);
    const vint32m4_t k = RVV(vsra_vv_i32m4)(a, by, vl), f = RVV(vsub_vv_i32m4)(a, RVV(vsll_vv_i32m4)(k, by, vl), vl);
    const vint32m4_t side = RVV(vand_vx_i32m4)(RVV(vsra_vx_i32m4)(x, 31, vl), IPU_LUT_SIDE, vl);
    const vint32m4_t i = RVV(vadd_vv_i32m4)(RVV(vadd_vv_i32m4)(RVV(vsll_vx_i32m4)(h, IPU_LUT_BITS, vl), k, vl), side, vl);
    const vuint32m4_t at = RVV(vreinterpret_v_i32m4_u32m4)(RVV(vadd_vv_i32m4)(i, i, vl));
    const vint16m2_t lo = RVV(vluxei32_v_i16m2)(table, at, vl), hi = RVV(vluxei32_v_i16m2)(table + 1, at, vl);
    const vint32m4_t slope = RVV(vmul_vv_i32m4)(RVV(vwsub_vv_i32m4)(hi, lo, vl), f, vl);
    const vint32m4_t half = RVV(vsra_vx_i32m4)(RVV(vsll_vv_i32m4)(RVV(vmv_v_x_i32m4)(1, vl), by, vl), 1, vl);

    return RVV(vwadd_wv_i32m4)(RVV(vsra_vv_i32m4)(RVV(vadd_vv_i32m4)(slope, half, vl), by, vl), lo, vl);
}

static void lut_s16_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    (void)rec;
    for (int64_t k = 0, vl; k < n; k += vl) {
        vl = (int64_t)RVV(vsetvl_e32m4)((size_t)(n - k));
        const vint16m2_t v = RVV(vle16_v_i16m2)((const int16_t *)(const void *)x + k, (size_t)vl);
        rvv_put_m4(y + 2 * k, lut_lanes(p[2], RVV(vsext_vf2_i32m4)(v, (size_t)vl), (size_t)vl), IPU_S16, (size_t)vl);
    }
}

static void lut_u8_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const int32_t first = ((const ipu_lut *)rec)->first;

    for (int64_t k = 0, vl; k < n; k += vl) {
        vl = (int64_t)RVV(vsetvl_e32m8)((size_t)(n - k));
        const vint16m4_t v = RVV(vle16_v_i16m4)((const int16_t *)(const void *)x + k, (size_t)vl);
        const vint32m8_t i = RVV(vmax_vx_i32m8)(RVV(vwsub_vx_i32m8)(v, (int16_t)first, (size_t)vl), 0, (size_t)vl);
        rvv_table_m8(y + k, RVV(vmin_vx_i32m8)(i, IPU_INDEX - 1, (size_t)vl), p[2], (size_t)vl);
    }
}

IPU_KERNEL(ipu_lut_s16_rvv)
{
    unary_rows(rec, p, y0, y1, lut_s16_run, 1);
}

IPU_KERNEL(ipu_lut_u8_rvv)
{
    unary_rows(rec, p, y0, y1, lut_u8_run, 1);
}
