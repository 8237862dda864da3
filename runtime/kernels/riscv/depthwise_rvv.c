/* Depthwise convolution with V: channels in lanes, as many at a time as a group of eight registers has sums.  Their weights are widened to words once; a
 * pixel's bytes are on the way.  Where 32 bits don't hold the sums, 64 do. */
#include "rvv.h"
#include "runtime/kernels/simd/depthwise.h"

enum { DW_MOST = 64 }; /* channels of a block at most */

typedef struct dw_block {
    const dw_job *j;
    int32_t c; /* first channel */
    size_t vl; /* channels */
    ptrdiff_t off[DW_TAPS];
    int32_t bias[DW_MOST];
    int16_t w[DW_TAPS * DW_MOST];
} dw_block;

/* Weights as words and, if 32 bits hold the sums, biases of the block's channels. */
static void dw_load(dw_block *b, const int type, const int WIDE)
{
    const dw_job *j = b->j;
    const size_t vl = b->vl;

    for (int32_t t = 0; t < j->taps; t++) {
        const ptrdiff_t at = (ptrdiff_t)t * j->cpad + b->c;
        const vint16m4_t w = type == IPU_U8 ? RVV(vsext_vf2_i16m4)(RVV(vle8_v_i8m2)(j->w + at, vl), vl)
                                            : RVV(vle16_v_i16m4)((const int16_t *)(const void *)j->w + at, vl);
        RVV(vse16_v_i16m4)(b->w + (size_t)t * vl, w, vl);
    }
    for (size_t i = 0; i < vl && !WIDE; i++)
        b->bias[i] = type == IPU_U8 ? ((const int32_t *)j->bias)[b->c + (int32_t)i] : (int32_t)((const int64_t *)j->bias)[b->c + (int32_t)i];
}

/* Sums of a pixel in 32 bits. */
IPU_INLINE vint32m8_t dw_sum(const dw_block *b, const dw_walk *k, const ptrdiff_t *off, const int type)
{
    const size_t vl = b->vl;
    const int16_t *w = b->w;
    vint32m8_t acc = RVV(vle32_v_i32m8)(b->bias, vl);

    for (int32_t t = 0; t < b->j->taps; t++, w += vl) {
        const uint8_t *at = dw_at(k, off[t]);
        const vint16m4_t x = type == IPU_U8 ? RVV(vreinterpret_v_u16m4_i16m4)(RVV(vzext_vf2_u16m4)(RVV(vle8_v_u8m2)(at, vl), vl))
                                            : RVV(vle16_v_i16m4)((const int16_t *)(const void *)at, vl);
        acc = RVV(vwmacc_vv_i32m8)(acc, x, RVV(vle16_v_i16m4)(w, vl), vl);
    }
    return acc;
}

/* In 64, and what ipu_narrow makes of them. */
IPU_INLINE vint32m4_t dw_sum_wide(const dw_block *b, const dw_walk *k, const ptrdiff_t *off)
{
    const size_t vl = b->vl, shift = (size_t)b->j->r->shift;
    const int16_t *w = b->w;
    vint64m8_t acc = RVV(vle64_v_i64m8)((const int64_t *)b->j->bias + b->c, vl);

    for (int32_t t = 0; t < b->j->taps; t++, w += vl) {
        const vint16m2_t x = RVV(vle16_v_i16m2)((const int16_t *)(const void *)dw_at(k, off[t]), vl);
        acc = RVV(vwadd_wv_i64m8)(acc, RVV(vwmul_vv_i32m4)(x, RVV(vle16_v_i16m2)(w, vl), vl), vl);
    }
    return RVV(vnsra_wx_i32m4)(RVV(vadd_vx_i64m8)(acc, (int64_t)1 << (shift - 1), vl), shift, vl);
}

/* Sums to results, or through the table. */
#define DW_FINISH(M)                                                                                     \
    IPU_INLINE void dw_finish_##M(const dw_block *b, uint8_t *y, vint32##M##_t sum)                      \
    {                                                                                                    \
        const dw_job *j = b->j;                                                                          \
        sum = rvv_requant_##M(sum, RVV(vle32_v_f32##M)(j->mult + b->c, b->vl), &j->r->out, b->vl);       \
        if (j->table)                                                                                    \
            rvv_table_##M(y, sum, j->table, b->vl);                                                      \
        else                                                                                             \
            rvv_put_##M(y, sum, j->r->y.type, b->vl);                                                    \
    }
DW_FINISH(m4)
DW_FINISH(m8)

/* Rows [y0, y1) of the block. */
IPU_INLINE void dw_channels(dw_block *b, int32_t y0, int32_t y1, const int type, const int WIDE)
{
    const dw_job *j = b->j;
    const uint8_t *pad = j->pad + b->c * ipu_type_bytes(type);
    ptrdiff_t edge[DW_TAPS];

    dw_load(b, type, WIDE);
    for (int32_t row = y0; row < y1; row++) {
        dw_walk k = dw_row(j, row, b->c);
        for (int32_t ox = 0; ox < j->r->y.w; ox++, dw_next(j, &k)) {
            const ptrdiff_t *off = dw_taps(j, &k, b->off, pad, edge);
            if (WIDE)
                dw_finish_m4(b, k.y, dw_sum_wide(b, &k, off));
            else
                dw_finish_m8(b, k.y, dw_sum(b, &k, off, type));
        }
    }
}

IPU_INLINE void dw_run(const dw_job *j, int32_t y0, int32_t y1, const int type, const int WIDE)
{
    const size_t room = WIDE ? RVV(vsetvlmax_e64m8)() : RVV(vsetvlmax_e32m8)();
    const int32_t most = room < DW_MOST ? (int32_t)room : DW_MOST, end = j->r->x.c;
    dw_block b;

    b.j = j;
    dw_offsets(j->r, b.off);
    for (int32_t c = 0; c < end; c += most) {
        b.c = c;
        b.vl = (size_t)(end - c < most ? end - c : most);
        dw_channels(&b, y0, y1, type, WIDE);
    }
}

IPU_KERNEL(ipu_depthwise_u8_rvv)
{
    const dw_job j = dw_start(rec, p);

    if (j.taps > DW_TAPS)
        ipu_depthwise_u8_c(rec, p, y0, y1);
    else
        dw_run(&j, y0, y1, IPU_U8, 0);
}

IPU_KERNEL(ipu_depthwise_s16_rvv)
{
    const dw_job j = dw_start(rec, p);

    if (j.taps > DW_TAPS)
        ipu_depthwise_s16_c(rec, p, y0, y1);
    else if (j.r->shift)
        dw_run(&j, y0, y1, IPU_S16, 1);
    else
        dw_run(&j, y0, y1, IPU_S16, 0);
}
