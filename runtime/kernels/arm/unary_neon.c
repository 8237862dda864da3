/* Functions of one tensor with NEON, eight elements at a time: tables with interpolation, two slopes, whole numbers, clamps. */
#include "neon.h"
#include "runtime/kernels/simd/unary.h"

/* ---- tables ---- */

/* Four lanes of ipu_lut_at: where it looks, and the bits below. */
typedef struct lut_place {
    uint32x4_t index;
    int32x4_t fraction, bits;
} lut_place;

IPU_INLINE lut_place lut_at(int32x4_t x)
{
    const int32x4_t a = vminq_s32(vabsq_s32(x), vdupq_n_s32(32767));
    const int32x4_t e = vsubq_s32(vdupq_n_s32(31 - IPU_LUT_BITS), vclzq_s32(a)), h = vmaxq_s32(e, vdupq_n_s32(0));
    const int32x4_t k = vshlq_s32(a, vnegq_s32(h)), f = vsubq_s32(a, vshlq_s32(k, h));
    const int32x4_t side = vandq_s32(vshrq_n_s32(x, 31), vdupq_n_s32(IPU_LUT_SIDE));

    return (lut_place){ vreinterpretq_u32_s32(vaddq_s32(vaddq_s32(vshlq_n_s32(h, IPU_LUT_BITS), k), side)), f, h };
}

/* The line between the entries there and after. */
IPU_INLINE int32x4_t lut_four(const int16_t *table, int32x4_t x)
{
    const lut_place at = lut_at(x);
    uint32_t index[4];
    int32_t pair[4];

    vst1q_u32(index, at.index);
    IPU_UNROLL for (int i = 0; i < 4; i++) memcpy(pair + i, table + index[i], 4);
    const int32x4_t v = vld1q_s32(pair), lo = vshrq_n_s32(vshlq_n_s32(v, 16), 16), hi = vshrq_n_s32(v, 16);

    return vaddq_s32(lo, vrshlq_s32(vmulq_s32(vsubq_s32(hi, lo), at.fraction), vnegq_s32(at.bits)));
}

static void lut_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    int64_t k = 0;

    (void)rec;
    for (; k + 8 <= n; k += 8) {
        int32x4_t v[2];
        s128_get8_s16(x + 2 * k, v);
        v[0] = lut_four(p[2], v[0]);
        v[1] = lut_four(p[2], v[1]);
        s128_put8_s16(y + 2 * k, v);
    }
    for (; k < n; k++)
        s16_to(y + 2 * k, ipu_lut_at(p[2], s16_at(x + 2 * k)));
}

IPU_KERNEL(ipu_lut_s16_neon)
{
    unary_rows(rec, p, y0, y1, lut_run, 1);
}

/* ---- two slopes ---- */

static void prelu_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const ipu_prelu *r = (const ipu_prelu *)rec;
    const float *mult = p[2];
    const int each = r->mult.c != 1;
    const f128_out out = f128_out_of(&r->out);
    float32x4_t other = vdupq_n_f32(mult[0]);
    int64_t k = 0;

    for (; k + 8 <= n; k += 8) {
        int32x4_t v[2];
        s128_get8_s16(x + 2 * k, v);
        IPU_UNROLL for (int h = 0; h < 2; h++)
        {
            if (each)
                other = vld1q_f32(mult + k + 4 * h);
            v[h] = f128_requant(v[h], vbslq_f32(vcgtq_s32(v[h], vdupq_n_s32(r->threshold)), vdupq_n_f32(r->m), other), &out);
        }
        s128_put8_s16(y + 2 * k, v);
    }
    for (; k < n; k++) {
        const int32_t v = s16_at(x + 2 * k);
        s16_to(y + 2 * k, ipu_requant(v, v > r->threshold ? r->m : mult[each ? k : 0], &r->out));
    }
}

IPU_KERNEL(ipu_prelu_s16_neon)
{
    unary_rows(rec, p, y0, y1, prelu_run, ((const ipu_prelu *)rec)->mult.c == 1);
}

/* ---- whole numbers ---- */

IPU_INLINE int32x4_t round_four(const ipu_round *r, int32x4_t x, const f128_out *out)
{
    const float32x4_t v = vmulq_n_f32(vcvtq_f32_s32(x), r->scale);
    float32x4_t whole = vcvtq_f32_s32(vminq_s32(vmaxq_s32(x, vdupq_n_s32(-1)), vdupq_n_s32(1)));

    if (r->mode == IPU_ROUND_DOWN)
        whole = vrndmq_f32(v);
    else if (r->mode == IPU_ROUND_UP)
        whole = vrndpq_f32(v);
    else if (r->mode == IPU_ROUND_NEAREST)
        whole = vrndnq_f32(v);
    return f128_store(vmulq_n_f32(whole, r->m), out);
}

static void round_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const ipu_round *r = (const ipu_round *)rec;
    const f128_out out = f128_out_of(&r->out);
    int64_t k = 0;

    (void)p;
    for (; k + 8 <= n; k += 8) {
        int32x4_t v[2];
        s128_get8_s16(x + 2 * k, v);
        v[0] = round_four(r, v[0], &out);
        v[1] = round_four(r, v[1], &out);
        s128_put8_s16(y + 2 * k, v);
    }
    for (; k < n; k++)
        s16_to(y + 2 * k, vgetq_lane_s32(round_four(r, vdupq_n_s32(s16_at(x + 2 * k)), &out), 0));
}

IPU_KERNEL(ipu_round_s16_neon)
{
    unary_rows(rec, p, y0, y1, round_run, 1);
}

/* ---- clamps ---- */

IPU_INLINE uint8x16_t clamp_of(const ipu_clamp *r, uint8x16_t v)
{
    const int16x8_t w = vreinterpretq_s16_u8(v);

    if (r->y.type == IPU_U8)
        return vminq_u8(vmaxq_u8(v, vdupq_n_u8((uint8_t)r->lo)), vdupq_n_u8((uint8_t)r->hi));
    return vreinterpretq_u8_s16(vminq_s16(vmaxq_s16(w, vdupq_n_s16((int16_t)r->lo)), vdupq_n_s16((int16_t)r->hi)));
}

static void clamp_run(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)
{
    const ipu_clamp *r = (const ipu_clamp *)rec;
    int64_t bytes = n * r->y.step;
    uint8_t tail[16] = { 0 };

    (void)p;
    for (; bytes >= 16; bytes -= 16, y += 16, x += 16)
        vst1q_u8(y, clamp_of(r, vld1q_u8(x)));
    if (!bytes)
        return;
    memcpy(tail, x, (size_t)bytes);
    vst1q_u8(tail, clamp_of(r, vld1q_u8(tail)));
    memcpy(y, tail, (size_t)bytes);
}

IPU_KERNEL(ipu_clamp_neon)
{
    unary_rows(rec, p, y0, y1, clamp_run, 1);
}
