/* From the sums of a convolution to its results, with NEON: 16 output channels of one pixel at a time. */
#ifndef IPU_ARM_CONV_STORE_NEON_H
#define IPU_ARM_CONV_STORE_NEON_H

#include "neon.h"
#include "runtime/kernels/simd/conv_rows.h"

typedef struct conv_store {
    f128_out out, sum, out2;
    float32x4_t m_conv, m_add, m_y2;
    int32x4_t zero, zero1; /* zero points of the convolution and of y, which y2 starts from */
} conv_store;

static conv_store conv_store_of(const conv_job *j)
{
    const ipu_conv *r = j->r;
    conv_store s = { .out = f128_out_of(&r->out), .sum = f128_out_of(&r->sum), .out2 = f128_out_of(&r->out2) };
    s.m_conv = vdupq_n_f32(r->m_conv);
    s.m_add = vdupq_n_f32(r->m_add);
    s.m_y2 = vdupq_n_f32(r->m_y2);
    s.zero = vdupq_n_s32(r->out.zero);
    s.zero1 = vdupq_n_s32(j->add ? r->sum.zero : r->out.zero);
    return s;
}

/* Results v become those with the residual at `add`, n channels. */
IPU_INLINE void conv_residual(const conv_store *s, const uint8_t *add, int32x4_t *v, int n)
{
    int32x4_t a[4];

    s128_get_s16(add, n, a);
    IPU_UNROLL for (int h = 0; h < 4; h++)
    {
        const float32x4_t c = vmulq_f32(vcvtq_f32_s32(vsubq_s32(v[h], s->zero)), s->m_conv);
        v[h] = f128_store(vaddq_f32(c, vmulq_f32(vcvtq_f32_s32(a[h]), s->m_add)), &s->sum);
    }
}

/* Pixel i of the tile, n channels from co on: from sums to y and, where asked for, the residual and y2, or through the table. */
IPU_INLINE void conv_finish(const conv_job *j, const conv_store *s, const conv_tile *t, int i, int32_t co, const int32x4_t *sum, int n)
{
    uint8_t *y = j->y + t->y[i];
    int32x4_t v[4];

    IPU_UNROLL for (int h = 0; h < 4; h++) v[h] = f128_requant(sum[h], vld1q_f32(j->mult + co + 4 * h), &s->out);
    if (j->add)
        conv_residual(s, j->add + t->add[i] + 2 * (ptrdiff_t)co, v, n);
    if (j->table)
        s128_put_table(y + co, v, n, j->table);
    else if (j->r->y.type == IPU_U8)
        s128_put_u8(y + co, v, n);
    else
        s128_put_s16(y + 2 * (ptrdiff_t)co, v, n);
    if (j->y2) {
        IPU_UNROLL for (int h = 0; h < 4; h++) v[h] = f128_requant(vsubq_s32(v[h], s->zero1), s->m_y2, &s->out2);
        s128_put_u8(j->y2 + t->y2[i] + co, v, n);
    }
}

/* Pixels [at, at + P) of the tile, whose sums of 16 channels each are given. */
IPU_INLINE void conv_finish_all(const conv_job *j, const conv_store *s, const conv_tile *t, int at, int32_t co, int32x4_t (*sum)[4], const int P)
{
    const int32_t left = j->r->y.c - co;
    const int n = left < CONV_LANES ? left : CONV_LANES;

    IPU_UNROLL for (int i = 0; i < P; i++) conv_finish(j, s, t, at + i, co, sum[i], n);
}

#endif
