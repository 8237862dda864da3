/* Depthwise convolution with NEON: the weights of a block of channels are widened to words once, SMLAL adds their products with a pixel's.  The last
 * channels are done as the last eight, again where needed; fewer than eight go through a copy.  TAPS: their number where it is known at
 * compile time, or 0.  WIDE: 32 bits don't hold the sums. */
#include "neon.h"
#include "runtime/kernels/simd/depthwise.h"

enum { DW_UNITS = 4 }; /* of eight channels, in a block at most */

typedef struct dw_block {
    const dw_job *j;
    f128_out out;
    int32_t c, n; /* first channel; channels of a unit: 8, or fewer in a pixel with fewer */
    ptrdiff_t off[DW_TAPS];
    int16x8_t w[DW_TAPS * DW_UNITS];
} dw_block;

/* Eight sums: as 32 bits, or as 64. */
typedef union dw_acc {
    int32x4_t four[2];
    int64x2_t two[4];
} dw_acc;

/* Eight channels as words; of n channels, with FEW, the rest is zero. */
IPU_INLINE int16x8_t dw_eight(const uint8_t *x, int32_t n, const int type, const int FEW)
{
    uint8_t copy[16] = { 0 };

    if (FEW) {
        memcpy(copy, x, (size_t)(n * ipu_type_bytes(type)));
        x = copy;
    }
    return type == IPU_U8 ? vreinterpretq_s16_u16(vmovl_u8(vld1_u8(x))) : vld1q_s16((const int16_t *)(const void *)x);
}

static int16x8_t dw_weights(const dw_job *j, int32_t c, int t)
{
    const ptrdiff_t at = (ptrdiff_t)t * j->cpad + c;

    return ipu_type_bytes(j->r->w.type) == 1 ? vmovl_s8(vld1_s8(j->w + at)) : vld1q_s16((const int16_t *)(const void *)j->w + at);
}

/* U times eight results to y: U8 or S16, the first n of them with FEW. */
IPU_INLINE void dw_put(uint8_t *y, int32x4_t (*v)[2], int type, int32_t n, const int U, const int FEW)
{
    uint8_t tail[16];
    uint8_t *to = FEW ? tail : y;

    IPU_UNROLL for (int u = 0; u < U; u++)
    {
        if (type == IPU_U8)
            s128_put8_u8(to + 8 * u, v[u]);
        else
            s128_put8_s16(to + 16 * u, v[u]);
    }
    if (FEW)
        memcpy(y, tail, (size_t)(n * ipu_type_bytes(type)));
}

/* U times n results through the table to y. */
IPU_INLINE void dw_put_table(uint8_t *y, int32x4_t (*v)[2], const uint8_t *table, int32_t n, const int U)
{
    uint16_t index[8 * DW_UNITS];

    IPU_UNROLL for (int u = 0; u < U; u++) s128_put8_s16((uint8_t *)(index + 8 * u), v[u]);
    ipu_lookup_one_by_one(table, index, y, 8 * (U - 1) + n);
}

/* Tap t of U units, added up. */
IPU_INLINE void dw_step(const dw_block *b, const uint8_t *p, int t, dw_acc *acc, const int type, const int U, const int FEW, const int WIDE)
{
    IPU_UNROLL for (int u = 0; u < U; u++)
    {
        const int16x8_t x = dw_eight(p + 8 * ipu_type_bytes(type) * u, b->n, type, FEW), w = b->w[t * U + u];
        if (WIDE) {
            const int32x4_t lo = vmull_s16(vget_low_s16(x), vget_low_s16(w)), hi = vmull_high_s16(x, w);
            acc[u].two[0] = vaddw_s32(acc[u].two[0], vget_low_s32(lo));
            acc[u].two[1] = vaddw_high_s32(acc[u].two[1], lo);
            acc[u].two[2] = vaddw_s32(acc[u].two[2], vget_low_s32(hi));
            acc[u].two[3] = vaddw_high_s32(acc[u].two[3], hi);
        } else {
            acc[u].four[0] = vmlal_s16(acc[u].four[0], vget_low_s16(x), vget_low_s16(w));
            acc[u].four[1] = vmlal_high_s16(acc[u].four[1], x, w);
        }
    }
}

/* What the sums of unit u start from. */
IPU_INLINE dw_acc dw_begin(const dw_block *b, int u, const int type, const int WIDE)
{
    const int64_t *wide = (const int64_t *)b->j->bias + b->c + 8 * u;
    const int32_t *narrow = (const int32_t *)b->j->bias + b->c + 8 * u;
    dw_acc acc;

    for (int h = 0; h < 4 && type == IPU_S16; h++)
        acc.two[h] = vld1q_s64(wide + 2 * h);
    for (int h = 0; h < 2 && !WIDE; h++)
        acc.four[h] = type == IPU_U8 ? vld1q_s32(narrow + 4 * h) : vcombine_s32(vmovn_s64(acc.two[2 * h]), vmovn_s64(acc.two[2 * h + 1]));
    return acc;
}

/* What they come to, half h of them. */
IPU_INLINE int32x4_t dw_end(const dw_block *b, const dw_acc *acc, int h, const int WIDE)
{
    const int64x2_t by = vdupq_n_s64(-b->j->r->shift); /* SRSHL rounds before it shifts: ipu_narrow */

    if (!WIDE)
        return acc->four[h];
    return vcombine_s32(vmovn_s64(vrshlq_s64(acc->two[2 * h], by)), vmovn_s64(vrshlq_s64(acc->two[2 * h + 1], by)));
}

/* One pixel of U units. */
IPU_INLINE void dw_pixel(const dw_block *b, const dw_walk *k, const ptrdiff_t *off, const int type, const int U, const int FEW, const int TAPS,
                         const int WIDE)
{
    const float *mult = b->j->mult + b->c;
    dw_acc acc[DW_UNITS];
    int32x4_t v[DW_UNITS][2];

    IPU_UNROLL for (int u = 0; u < U; u++) acc[u] = dw_begin(b, u, type, WIDE);
    if (TAPS) {
        IPU_UNROLL for (int t = 0; t < TAPS; t++) dw_step(b, dw_at(k, off[t]), t, acc, type, U, FEW, WIDE);
    } else {
        for (int t = 0; t < b->j->taps; t++)
            dw_step(b, dw_at(k, off[t]), t, acc, type, U, FEW, WIDE);
    }
    IPU_UNROLL for (int u = 0; u < U; u++)
    {
        IPU_UNROLL for (int h = 0; h < 2; h++) v[u][h] = f128_requant(dw_end(b, &acc[u], h, WIDE), vld1q_f32(mult + 8 * u + 4 * h), &b->out);
    }
    if (b->j->table)
        dw_put_table(k->y, v, b->j->table, b->n, U);
    else
        dw_put(k->y, v, b->j->r->y.type, b->n, U, FEW);
}

/* Rows [y0, y1) of 8 * U channels from c on. */
IPU_INLINE void dw_channels(dw_block *b, int32_t c, int32_t y0, int32_t y1, const int type, const int U, const int FEW, const int TAPS, const int WIDE)
{
    const dw_job *j = b->j;
    const uint8_t *pad = j->pad + c * ipu_type_bytes(type);
    ptrdiff_t edge[DW_TAPS];

    b->c = c;
    for (int t = 0; t < j->taps; t++)
        for (int u = 0; u < U; u++)
            b->w[t * U + u] = dw_weights(j, c + 8 * u, t);
    for (int32_t row = y0; row < y1; row++) {
        dw_walk k = dw_row(j, row, c);
        for (int32_t ox = 0; ox < j->r->y.w; ox++, dw_next(j, &k))
            dw_pixel(b, &k, dw_taps(j, &k, b->off, pad, edge), type, U, FEW, TAPS, WIDE);
    }
}

IPU_INLINE void dw_all(dw_block *b, int32_t y0, int32_t y1, const int type, const int TAPS, const int WIDE)
{
    const int32_t end = b->j->r->x.c;
    int32_t c = 0;

    for (; c + 32 <= end && !WIDE; c += 32)
        dw_channels(b, c, y0, y1, type, 4, 0, TAPS, WIDE);
    for (; c + 16 <= end; c += 16)
        dw_channels(b, c, y0, y1, type, 2, 0, TAPS, WIDE);
    for (; c + 8 <= end; c += 8)
        dw_channels(b, c, y0, y1, type, 1, 0, TAPS, WIDE);
    if (c < end && end >= 8)
        dw_channels(b, end - 8, y0, y1, type, 1, 0, TAPS, WIDE);
    else if (c < end)
        dw_channels(b, 0, y0, y1, type, 1, 1, TAPS, WIDE);
}

IPU_INLINE void dw_run(const dw_job *j, int32_t y0, int32_t y1, const int type, const int WIDE)
{
    dw_block b;

    b.j = j;
    b.out = f128_out_of(&j->r->out);
    b.n = j->r->x.c < 8 ? j->r->x.c : 8;
    dw_offsets(j->r, b.off);
    if (j->taps == 9)
        dw_all(&b, y0, y1, type, 9, WIDE);
    else
        dw_all(&b, y0, y1, type, 0, WIDE);
}

IPU_KERNEL(ipu_depthwise_u8_neon)
{
    const dw_job j = dw_start(rec, p);

    if (j.taps > DW_TAPS)
        ipu_depthwise_u8_c(rec, p, y0, y1);
    else
        dw_run(&j, y0, y1, IPU_U8, 0);
}

IPU_KERNEL(ipu_depthwise_s16_neon)
{
    const dw_job j = dw_start(rec, p);

    if (j.taps > DW_TAPS)
        ipu_depthwise_s16_c(rec, p, y0, y1);
    else if (j.r->shift)
        dw_run(&j, y0, y1, IPU_S16, 1);
    else
        dw_run(&j, y0, y1, IPU_S16, 0);
}
