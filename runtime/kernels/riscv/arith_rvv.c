/* Arithmetic of two S16 with V. */
#include "rvv.h"
#include "runtime/kernels/simd/arith.h"

/* In steps of the result. */
IPU_INLINE vfloat32m4_t arith_lanes(const ipu_arith *r, vint16m2_t a, vint16m2_t b, size_t vl, const int kind)
{
    if (kind == IPU_MUL_S16)
        return RVV(vfmul_vf_f32m4)(RVV(vfcvt_f_x_v_f32m4)(RVV(vwmul_vv_i32m4)(a, b, vl), vl), r->ma, vl);
    const vfloat32m4_t ga = RVV(vfmul_vf_f32m4)(RVV(vfwcvt_f_x_v_f32m4)(a, vl), r->ma, vl);
    const vfloat32m4_t gb = RVV(vfmul_vf_f32m4)(RVV(vfwcvt_f_x_v_f32m4)(b, vl), r->mb, vl);
    if (kind == IPU_ADD_S16)
        return RVV(vfadd_vv_f32m4)(ga, gb, vl);
    return kind == IPU_MIN_S16 ? RVV(vfmin_vv_f32m4)(ga, gb, vl) : RVV(vfmax_vv_f32m4)(ga, gb, vl);
}

/* Elements from k on, or the one that is repeated. */
IPU_INLINE vint16m2_t arith_get(const uint8_t *x, int64_t k, int one, size_t vl)
{
    const int16_t *w = (const int16_t *)(const void *)x;

    return one ? RVV(vmv_v_x_i16m2)(*w, vl) : RVV(vle16_v_i16m2)(w + k, vl);
}

IPU_INLINE void arith_run(const ipu_arith *r, const arith_walk *w, const int kind)
{
    const int one_a = r->a.c < r->y.c, one_b = r->b.c < r->y.c;

    for (int64_t k = 0; k < w->n;) {
        const size_t vl = RVV(vsetvl_e16m2)((size_t)(w->n - k));
        const vfloat32m4_t g = arith_lanes(r, arith_get(w->a, k, one_a, vl), arith_get(w->b, k, one_b, vl), vl, kind);
        rvv_put_m4(w->y + 2 * k, rvv_store_m4(g, &r->out, vl), IPU_S16, vl);
        k += (int64_t)vl;
    }
}

IPU_INLINE void arith_rows(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, const int kind)
{
    const ipu_arith *r = (const ipu_arith *)rec;
    arith_walk k = arith_walk_of(r);

    for (int32_t row = y0; row < y1; row++) {
        arith_row(r, p, row, &k);
        for (int32_t x = 0; x < k.runs; x++, arith_next(r, &k))
            arith_run(r, &k, kind);
    }
}

IPU_KERNEL(ipu_add_s16_rvv)
{
    arith_rows(rec, p, y0, y1, IPU_ADD_S16);
}

IPU_KERNEL(ipu_mul_s16_rvv)
{
    arith_rows(rec, p, y0, y1, IPU_MUL_S16);
}

IPU_KERNEL(ipu_min_s16_rvv)
{
    arith_rows(rec, p, y0, y1, IPU_MIN_S16);
}

IPU_KERNEL(ipu_max_s16_rvv)
{
    arith_rows(rec, p, y0, y1, IPU_MAX_S16);
}
