/* Arithmetic of two S16 with NEON, eight elements at a time. */
#include "neon.h"
#include "runtime/kernels/simd/arith.h"

typedef struct arith_job {
    const ipu_arith *r;
    float32x4_t ma, mb;
    f128_out out;
    int one_a, one_b; /* one channel, repeated */
} arith_job;

/* In steps of the result. */
IPU_INLINE float32x4_t arith_four(const arith_job *j, int16x4_t a, int16x4_t b, const int kind)
{
    if (kind == IPU_MUL_S16)
        return vmulq_f32(vcvtq_f32_s32(vmull_s16(a, b)), j->ma);
    const float32x4_t fa = vcvtq_f32_s32(vmovl_s16(a)), fb = vcvtq_f32_s32(vmovl_s16(b));
    if (kind == IPU_DIV_S16) {
        const float32x4_t by = vbslq_f32(vceqzq_f32(fb), vdupq_n_f32(IPU_DIV_ZERO), fb);
        return vmulq_f32(vdivq_f32(fa, by), j->ma);
    }
    const float32x4_t ga = vmulq_f32(fa, j->ma), gb = vmulq_f32(fb, j->mb);
    return kind == IPU_MIN_S16 ? vminnmq_f32(ga, gb) : kind == IPU_MAX_S16 ? vmaxnmq_f32(ga, gb) : vaddq_f32(ga, gb);
}

IPU_INLINE int16x8_t arith_eight(const arith_job *j, int16x8_t a, int16x8_t b, const int kind)
{
    const int32x4_t v[2] = { f128_store(arith_four(j, vget_low_s16(a), vget_low_s16(b), kind), &j->out),
                             f128_store(arith_four(j, vget_high_s16(a), vget_high_s16(b), kind), &j->out) };
    return s128_words(v);
}

IPU_INLINE int16x8_t arith_get(const uint8_t *x)
{
    return vld1q_s16((const int16_t *)(const void *)x);
}

IPU_INLINE void arith_run(const arith_job *j, uint8_t *y, const uint8_t *a, const uint8_t *b, int64_t n, const int kind)
{
    int16x8_t va = vdupq_n_s16((int16_t)s16_at(a)), vb = vdupq_n_s16((int16_t)s16_at(b));
    int64_t k = 0;

    for (; k + 8 <= n; k += 8) {
        if (!j->one_a)
            va = arith_get(a + 2 * k);
        if (!j->one_b)
            vb = arith_get(b + 2 * k);
        vst1q_s16((int16_t *)(void *)(y + 2 * k), arith_eight(j, va, vb, kind));
    }
    for (; k < n; k++) { /* one element: the same eight lanes, so that the two cannot differ */
        va = vdupq_n_s16((int16_t)s16_at(j->one_a ? a : a + 2 * k));
        vb = vdupq_n_s16((int16_t)s16_at(j->one_b ? b : b + 2 * k));
        s16_to(y + 2 * k, vgetq_lane_s16(arith_eight(j, va, vb, kind), 0));
    }
}

IPU_INLINE void arith_rows(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, const int kind)
{
    const ipu_arith *r = (const ipu_arith *)rec;
    const arith_job j = { r, vdupq_n_f32(r->ma), vdupq_n_f32(r->mb), f128_out_of(&r->out), r->a.c < r->y.c, r->b.c < r->y.c };
    arith_walk k = arith_walk_of(r);

    for (int32_t row = y0; row < y1; row++) {
        arith_row(r, p, row, &k);
        for (int32_t x = 0; x < k.runs; x++, arith_next(r, &k))
            arith_run(&j, k.y, k.a, k.b, k.n, kind);
    }
}

IPU_KERNEL(ipu_add_s16_neon)
{
    arith_rows(rec, p, y0, y1, IPU_ADD_S16);
}

IPU_KERNEL(ipu_mul_s16_neon)
{
    arith_rows(rec, p, y0, y1, IPU_MUL_S16);
}

IPU_KERNEL(ipu_div_s16_neon)
{
    arith_rows(rec, p, y0, y1, IPU_DIV_S16);
}

IPU_KERNEL(ipu_min_s16_neon)
{
    arith_rows(rec, p, y0, y1, IPU_MIN_S16);
}

IPU_KERNEL(ipu_max_s16_neon)
{
    arith_rows(rec, p, y0, y1, IPU_MAX_S16);
}
