/* Convolution and fully connected: ARITHMETIC.md 4, 5 and, for the residual epilogue, 7; with a table 25. */
#include "conv.h"

#define BLOCK IPU_CONV_BLOCK

/* ---- check ---------------------------------------------------------------------------------------------------- */

static int weights_ok(const ipu_conv *o, int s16)
{
    const int four = ipu_is_four_bits(o->head.kind);
    int64_t blocks = ((int64_t)o->y.c + BLOCK - 1) / BLOCK, group = s16 ? 2 : 4;
    int64_t depth = (o->x.c + group - 1) / group * group;
    if (blocks * o->kh * o->kw > INT32_MAX / BLOCK / depth)
        return 0;
    int64_t n = blocks * BLOCK * (four ? (o->kh * o->kw * (depth / group) + 1) / 2 * group : o->kh * o->kw * depth);
    return ipu_array(&o->w, four ? IPU_U8 : s16 ? IPU_S16 : IPU_S8, n) && ipu_array(&o->bias, s16 ? IPU_S64 : IPU_S32, blocks * BLOCK) &&
           ipu_array(&o->mult, IPU_F32, blocks * BLOCK) && ipu_array(&o->pad, s16 ? IPU_S16 : IPU_U8, o->x.c);
}

static int epilogue_ok(const ipu_conv *o)
{
    int sum = o->add.space != IPU_NONE, copy = o->y2.space != IPU_NONE;
    if (!ipu_result_ok(&o->out, &o->y, &o->table) || (o->table.space != IPU_NONE && (sum || copy)))
        return 0;
    if (sum && !(o->y.type == IPU_S16 && o->add.type == IPU_S16 && ipu_same_shape(&o->y, &o->add) &&
                 ipu_out_ok(&o->sum, IPU_S16) && ipu_multiplier(o->m_conv) && ipu_multiplier(o->m_add)))
        return 0;
    return !copy || (o->y.type == IPU_S16 && o->y2.type == IPU_U8 && ipu_same_shape(&o->y, &o->y2) &&
                     ipu_out_ok(&o->out2, IPU_U8) && ipu_multiplier(o->m_y2));
}

IPU_CHECK(ipu_conv_check)
{
    const ipu_conv *o = (const void *)rec;
    int s16 = rec->kind == IPU_CONV_S16;
    if (!ipu_rec_ok(rec, 9, sizeof *o) || o->x.type != (s16 ? IPU_S16 : IPU_U8) || !ipu_activation(&o->y) || o->x.n != o->y.n)
        return 0;
    if (!ipu_window_ok(o->kh, o->sy, o->dy, o->py, o->y.h) || !ipu_window_ok(o->kw, o->sx, o->dx, o->px, o->y.w))
        return 0;
    return ipu_between(o->shift, 0, s16 ? 62 : 0) && weights_ok(o, s16) && epilogue_ok(o);
}

/* ---- epilogue --------------------------------------------------------------------------------------------------- */

void ipu_conv_finish(const ipu_conv *o, void *const p[], int32_t y, int32_t x, int32_t c, const int32_t *sum)
{
    const float *mult = (const float *)p[4] + c;
    int32_t n = o->y.c - c < BLOCK ? o->y.c - c : BLOCK;
    void *to = ipu_pixel(&o->y, p[0], y, x);
    const int16_t *add = p[6] ? ipu_pixel(&o->add, p[6], y, x) : NULL;
    uint8_t *copy = p[7] ? ipu_pixel(&o->y2, p[7], y, x) : NULL;
    const uint8_t *table = p[8];
    int32_t zero = add ? o->sum.zero : o->out.zero;
    for (int32_t i = 0; i < n; i++) {
        int32_t q = ipu_requant(sum[i], mult[i], &o->out);
        if (add) {
            float a = (float)(q - o->out.zero) * o->m_conv, b = (float)add[c + i] * o->m_add;
            q = ipu_store(a + b, &o->sum);
        }
        ipu_put(o->y.type, to, c + i, table ? table[q] : q);
        if (copy)
            copy[c + i] = (uint8_t)ipu_requant(q - zero, o->m_y2, &o->out2);
    }
}

/* ---- sums --------------------------------------------------------------------------------------------------------- */

/* The pixel that tap (ky, kx) of output (y, x) reads, or the padding value. */
static const void *tap(const ipu_conv *o, void *const p[], int32_t y, int32_t x, int32_t k)
{
    int32_t iy = y % o->y.h * o->sy - o->py + k / o->kw * o->dy, ix = x * o->sx - o->px + k % o->kw * o->dx;
    if (iy < 0 || iy >= o->x.h || ix < 0 || ix >= o->x.w)
        return p[5];
    return ipu_pixel(&o->x, p[1], y / o->y.h * o->x.h + iy, ix);
}

/* acc[16] += 16 weights rows of one tap.  Sums are exact modulo 2^32 (ARITHMETIC.md 4). */
static void dot_u8(uint32_t *acc, const uint8_t *x, const int8_t *w, int32_t ci)
{
    for (int32_t c = 0; c < ci; c++) {
        const int8_t *wc = w + (c >> 2) * BLOCK * 4 + (c & 3);
        for (int i = 0; i < BLOCK; i++)
            acc[i] += (uint32_t)(x[c] * wc[i * 4]);
    }
}

IPU_KERNEL(ipu_conv_u8_c)
{
    const ipu_conv *o = (const void *)rec;
    int32_t taps = o->kh * o->kw;
    size_t tap_bytes = (size_t)(o->x.c + 3) / 4 * 4 * BLOCK;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++)
            for (int32_t c = 0; c < o->y.c; c += BLOCK) {
                const int8_t *w = (const int8_t *)p[2] + (size_t)(c / BLOCK) * (size_t)taps * tap_bytes;
                uint32_t acc[BLOCK];
                memcpy(acc, (const int32_t *)p[3] + c, sizeof acc);
                for (int32_t k = 0; k < taps; k++, w += tap_bytes)
                    dot_u8(acc, tap(o, p, y, x, k), w, o->x.c);
                int32_t sum[BLOCK];
                memcpy(sum, acc, sizeof sum);
                ipu_conv_finish(o, p, y, x, c, sum);
            }
}

/* The same with weights of four bits, w those of the block: of the steps from `step` on. */
static void dot_u8s4(uint32_t *acc, const uint8_t *x, const uint8_t *w, int64_t step, int32_t ci)
{
    for (int32_t c = 0; c < ci; c++) {
        const int64_t s = step + (c >> 2);
        const uint8_t *wc = w + (s >> 1) * BLOCK * 4 + (c & 3);
        for (int i = 0; i < BLOCK; i++)
            acc[i] += (uint32_t)(x[c] * ipu_four_bits(wc[i * 4], s & 1));
    }
}

IPU_KERNEL(ipu_conv_u8s4_c)
{
    const ipu_conv *o = (const void *)rec;
    const int32_t taps = o->kh * o->kw, steps = (o->x.c + 3) / 4;
    const size_t block = ((size_t)taps * (size_t)steps + 1) / 2 * BLOCK * 4;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++)
            for (int32_t c = 0; c < o->y.c; c += BLOCK) {
                const uint8_t *w = (const uint8_t *)p[2] + (size_t)(c / BLOCK) * block;
                uint32_t acc[BLOCK];
                memcpy(acc, (const int32_t *)p[3] + c, sizeof acc);
                for (int32_t k = 0; k < taps; k++)
                    dot_u8s4(acc, tap(o, p, y, x, k), w, (int64_t)k * steps, o->x.c);
                int32_t sum[BLOCK];
                memcpy(sum, acc, sizeof sum);
                ipu_conv_finish(o, p, y, x, c, sum);
            }
}

static void dot_s16(uint64_t *acc, const int16_t *x, const int16_t *w, int32_t ci)
{
    for (int32_t c = 0; c < ci; c++) {
        const int16_t *wc = w + (c >> 1) * BLOCK * 2 + (c & 1);
        for (int i = 0; i < BLOCK; i++)
            acc[i] += (uint64_t)(int64_t)((int32_t)x[c] * wc[i * 2]);
    }
}

IPU_KERNEL(ipu_conv_s16_c)
{
    const ipu_conv *o = (const void *)rec;
    int32_t taps = o->kh * o->kw;
    size_t tap_words = (size_t)(o->x.c + 1) / 2 * 2 * BLOCK;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++)
            for (int32_t c = 0; c < o->y.c; c += BLOCK) {
                const int16_t *w = (const int16_t *)p[2] + (size_t)(c / BLOCK) * (size_t)taps * tap_words;
                uint64_t acc[BLOCK];
                memcpy(acc, (const int64_t *)p[3] + c, sizeof acc);
                for (int32_t k = 0; k < taps; k++, w += tap_words)
                    dot_s16(acc, tap(o, p, y, x, k), w, o->x.c);
                int32_t sum[BLOCK];
                for (int i = 0; i < BLOCK; i++)
                    sum[i] = ipu_narrow((int64_t)acc[i], o->shift);
                ipu_conv_finish(o, p, y, x, c, sum);
            }
}
