/* Changes of type and scale with NEON, eight elements at a time. */
#include "neon.h"
#include "runtime/kernels/simd/unary.h"

/* Eight elements as lanes of integers. */
IPU_INLINE void quantize_get(const uint8_t *x, int32x4_t *v, const int type)
{
    if (type == IPU_S16) {
        s128_get8_s16(x, v);
        return;
    }
    const int16x8_t w = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(x)));
    v[0] = vmovl_s16(vget_low_s16(w));
    v[1] = vmovl_high_s16(w);
}

/* Half h of eight elements from k on, less their zero points, times their multipliers. */
IPU_INLINE float32x4_t quantize_real(const ipu_quantize *r, void *const p[], int64_t k, int h, int32x4_t v)
{
    const float *mult = p[2];
    const int32_t *zero = p[3];
    const float32x4_t m = r->mult.c != 1 ? vld1q_f32(mult + k + 4 * h) : vdupq_n_f32(mult[0]);
    const int32x4_t z = r->zero.c != 1 ? vld1q_s32(zero + k + 4 * h) : vdupq_n_s32(zero[0]);

    return vmulq_f32(vcvtq_f32_s32(vsubq_s32(v, z)), m);
}

/* Element k of a run alone, in steps of the result. */
static float quantize_one(const ipu_quantize *r, void *const p[], const uint8_t *x, int64_t k, int from)
{
    const float m = ((const float *)p[2])[r->mult.c != 1 ? k : 0];
    const int32_t z = ((const int32_t *)p[3])[r->zero.c != 1 ? k : 0];
    float g;

    if (from == IPU_F32)
        memcpy(&g, x + 4 * k, 4);
    else
        g = (float)(int32_t)((uint32_t)(from == IPU_U8 ? x[k] : s16_at(x + 2 * k)) - (uint32_t)z);
    return g * m;
}

/* Eight of them; F32 has no zero point. */
IPU_INLINE void quantize_eight(const ipu_quantize *r, void *const p[], const uint8_t *x, int64_t k, float32x4_t *g, const int from)
{
    const float *mult = p[2];
    int32x4_t v[2];

    if (from != IPU_F32) {
        quantize_get(x + k * ipu_type_bytes(from), v, from);
        g[0] = quantize_real(r, p, k, 0, v[0]);
        g[1] = quantize_real(r, p, k, 1, v[1]);
        return;
    }
    IPU_UNROLL for (int h = 0; h < 2; h++)
    {
        const float32x4_t f = vld1q_f32((const float *)(const void *)x + k + 4 * h);
        g[h] = vmulq_f32(f, r->mult.c != 1 ? vld1q_f32(mult + k + 4 * h) : vdupq_n_f32(mult[0]));
    }
}

IPU_INLINE void quantize_run(const ipu_quantize *r, void *const p[], uint8_t *y, const uint8_t *x, int64_t n, const int from, const int to)
{
    const f128_out out = f128_out_of(&r->out);
    float32x4_t g[2];
    int64_t k = 0;

    for (; k + 8 <= n; k += 8) {
        quantize_eight(r, p, x, k, g, from);
        const int32x4_t v[2] = { f128_store(g[0], &out), f128_store(g[1], &out) };
        if (to == IPU_U8)
            s128_put8_u8(y + k, v);
        else
            s128_put8_s16(y + 2 * k, v);
    }
    for (; k < n; k++) {
        const int32_t q = ipu_store(quantize_one(r, p, x, k, from), &r->out);
        if (to == IPU_U8)
            y[k] = (uint8_t)q;
        else
            s16_to(y + 2 * k, q);
    }
}

IPU_INLINE void dequantize_run(const ipu_quantize *r, void *const p[], uint8_t *y, const uint8_t *x, int64_t n, const int from)
{
    float32x4_t g[2];
    int64_t k = 0;

    for (; k + 8 <= n; k += 8) {
        quantize_eight(r, p, x, k, g, from);
        vst1q_f32((float *)(void *)y + k, g[0]);
        vst1q_f32((float *)(void *)y + k + 4, g[1]);
    }
    for (; k < n; k++) {
        const float one = quantize_one(r, p, x, k, from);
        memcpy(y + 4 * k, &one, 4);
    }
}

#define QUANTIZE_RUN(NAME, FROM, TO)                                                                                 \
    static void NAME(const ipu_rec *rec, void *const p[], uint8_t *y, const uint8_t *x, int64_t n)                   \
    {                                                                                                                \
        if (TO == IPU_F32)                                                                                           \
            dequantize_run((const ipu_quantize *)rec, p, y, x, n, FROM);                                             \
        else                                                                                                         \
            quantize_run((const ipu_quantize *)rec, p, y, x, n, FROM, TO);                                           \
    }
QUANTIZE_RUN(u8_to_u8, IPU_U8, IPU_U8)
QUANTIZE_RUN(u8_to_s16, IPU_U8, IPU_S16)
QUANTIZE_RUN(u8_to_f32, IPU_U8, IPU_F32)
QUANTIZE_RUN(s16_to_u8, IPU_S16, IPU_U8)
QUANTIZE_RUN(s16_to_s16, IPU_S16, IPU_S16)
QUANTIZE_RUN(s16_to_f32, IPU_S16, IPU_F32)
QUANTIZE_RUN(f32_to_u8, IPU_F32, IPU_U8)
QUANTIZE_RUN(f32_to_s16, IPU_F32, IPU_S16)

/* One multiplier and one zero point: a run may go over a whole row. */
static int quantize_flat(const ipu_rec *rec)
{
    const ipu_quantize *r = (const ipu_quantize *)rec;
    return r->mult.c == 1 && r->zero.c == 1;
}

IPU_KERNEL(ipu_quantize_neon)
{
    static unary_run *const runs[3][2] = { { u8_to_u8, u8_to_s16 }, { s16_to_u8, s16_to_s16 }, { f32_to_u8, f32_to_s16 } };
    const ipu_quantize *r = (const ipu_quantize *)rec;
    const int from = r->x.type == IPU_U8 ? 0 : r->x.type == IPU_S16 ? 1 : 2;

    if (r->x.step != ipu_type_bytes(r->x.type)) /* planes */
        ipu_quantize_c(rec, p, y0, y1);
    else
        unary_rows(rec, p, y0, y1, runs[from][r->y.type != IPU_U8], quantize_flat(rec));
}

IPU_KERNEL(ipu_dequantize_neon)
{
    unary_rows(rec, p, y0, y1, ((const ipu_quantize *)rec)->x.type == IPU_U8 ? u8_to_f32 : s16_to_f32, quantize_flat(rec));
}
