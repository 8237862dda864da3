/* Products of 16-bit matrices with NEON: SMULL makes products of two numbers of a column side by side, SADALP adds the pair to a sum of 64 bits. */
#include "neon.h"
#include "runtime/kernels/simd/matmul.h"

enum { ROWS = 4, COLUMNS = 8 }; /* in registers */

/* R rows by pair k of products, whose numbers of a are given. */
IPU_INLINE void step(const matmul_block *t, const uint32_t *a, int32_t column, int32_t k, int64x2_t (*acc)[4], const int R)
{
    const int16x8_t b0 = vld1q_s16((const int16_t *)(const void *)(t->panel.lower[k] + column));
    const int16x8_t b1 = vld1q_s16((const int16_t *)(const void *)(t->panel.lower[k] + column + 4));

    IPU_UNROLL for (int i = 0; i < R; i++)
    {
        const int16x8_t v = vreinterpretq_s16_u32(vdupq_n_u32(a[i]));
        acc[i][0] = vpadalq_s32(acc[i][0], vmull_s16(vget_low_s16(v), vget_low_s16(b0)));
        acc[i][1] = vpadalq_s32(acc[i][1], vmull_high_s16(v, b0));
        acc[i][2] = vpadalq_s32(acc[i][2], vmull_s16(vget_low_s16(v), vget_low_s16(b1)));
        acc[i][3] = vpadalq_s32(acc[i][3], vmull_high_s16(v, b1));
    }
}

IPU_INLINE void tile_of(matmul_block *t, const uint8_t *a, int32_t row, int32_t column, const int R)
{
    int64x2_t acc[ROWS][4];
    uint32_t v[ROWS];

    IPU_UNROLL for (int i = 0; i < R * 4; i++) acc[i / 4][i % 4] = vdupq_n_s64(0);
    if (t->products % 2) {
        IPU_UNROLL for (int i = 0; i < R; i++) v[i] = matmul_number(a + i * (ptrdiff_t)t->o->a.row);
        step(t, v, column, 0, acc, R);
    }
    a -= 2 * (t->products % 2);
    for (int32_t k = t->products % 2; k < t->panel.pairs; k++) {
        IPU_UNROLL for (int i = 0; i < R; i++) v[i] = matmul_pair(a + i * (ptrdiff_t)t->o->a.row + 4 * (ptrdiff_t)k);
        step(t, v, column, k, acc, R);
    }
    IPU_UNROLL for (int i = 0; i < R * 4; i++)
    {
        double *sum = t->sum[row + i / 4] + column + 2 * (i % 4);
        vst1q_f64(sum, vaddq_f64(vld1q_f64(sum), vcvtq_f64_s64(acc[i / 4][i % 4])));
    }
}

static int tile(matmul_block *t, const uint8_t *a, int32_t row, int32_t left)
{
    const int rows = left >= ROWS ? ROWS : 1;

    for (int32_t column = 0; column < t->columns; column += COLUMNS)
        if (rows == ROWS)
            tile_of(t, a, row, column, ROWS);
        else
            tile_of(t, a, row, column, 1);
    return rows;
}

static void store(const ipu_matmul *o, uint8_t *y, const double *sum, int32_t n)
{
    const f128_out out = f128_out_of(&o->out);

    for (int32_t c = 0; c < n; c += 16) {
        int32x4_t v[4];
        for (int q = 0; q < 4; q++, sum += 4) {
            const float32x4_t f = vcvt_high_f32_f64(vcvt_f32_f64(vld1q_f64(sum)), vld1q_f64(sum + 2));
            v[q] = f128_store(vmulq_n_f32(f, o->m), &out);
        }
        s128_put_s16(y + 2 * c, v, n - c < 16 ? n - c : 16);
    }
}

IPU_KERNEL(ipu_matmul_s16_neon)
{
    matmul_rows((const ipu_matmul *)rec, p, y0, y1, &(const matmul_isa){ .tile = tile, .store = store, .whole = 1 });
}
