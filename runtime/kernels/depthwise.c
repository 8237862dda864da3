/* Depthwise convolution: ARITHMETIC.md 4 and 5 with one input channel per output channel; with a table 25. */
#include "common.h"

IPU_CHECK(ipu_depthwise_check)
{
    const ipu_depthwise *o = (const void *)rec;
    int s16 = rec->kind == IPU_DEPTHWISE_S16, four = ipu_is_four_bits(rec->kind);
    if (!ipu_rec_ok(rec, 7, sizeof *o) || o->x.type != (s16 ? IPU_S16 : IPU_U8) || !ipu_activation(&o->y))
        return 0;
    if (o->x.n != o->y.n || o->x.c != o->y.c)
        return 0;
    if (!ipu_window_ok(o->kh, o->sy, o->dy, o->py, o->y.h) || !ipu_window_ok(o->kw, o->sx, o->dx, o->px, o->y.w))
        return 0;
    int64_t c = ((int64_t)o->y.c + 15) / 16 * 16, planes = four ? (o->kh * o->kw + 1) / 2 : o->kh * o->kw;
    return ipu_array(&o->w, four ? IPU_U8 : s16 ? IPU_S16 : IPU_S8, c * planes) && ipu_array(&o->bias, s16 ? IPU_S64 : IPU_S32, c) &&
           ipu_array(&o->mult, IPU_F32, c) && ipu_array(&o->pad, s16 ? IPU_S16 : IPU_U8, o->x.c) &&
           ipu_between(o->shift, 0, s16 ? 62 : 0) && ipu_result_ok(&o->out, &o->y, &o->table);
}

/* Result q of channel c to a pixel, or the table's entry q. */
static void put(const ipu_depthwise *o, const uint8_t *table, void *to, int32_t c, int32_t q)
{
    ipu_put(o->y.type, to, c, table ? table[q] : q);
}

/* The pixel that tap (ky, kx) of output (y, x) reads, or the padding value. */
static const void *tap(const ipu_depthwise *o, void *const p[], int32_t y, int32_t x, int32_t k)
{
    int32_t iy = y % o->y.h * o->sy - o->py + k / o->kw * o->dy, ix = x * o->sx - o->px + k % o->kw * o->dx;
    if (iy < 0 || iy >= o->x.h || ix < 0 || ix >= o->x.w)
        return p[5];
    return ipu_pixel(&o->x, p[1], y / o->y.h * o->x.h + iy, ix);
}

IPU_KERNEL(ipu_depthwise_u8_c)
{
    const ipu_depthwise *o = (const void *)rec;
    const int32_t *bias = p[3];
    const float *mult = p[4];
    int32_t taps = o->kh * o->kw, plane = (o->y.c + 15) / 16 * 16;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                const int8_t *w = (const int8_t *)p[2] + c;
                uint32_t acc = (uint32_t)bias[c];
                for (int32_t k = 0; k < taps; k++)
                    acc += (uint32_t)(((const uint8_t *)tap(o, p, y, x, k))[c] * w[(size_t)k * (size_t)plane]);
                put(o, p[6], to, c, ipu_requant((int32_t)acc, mult[c], &o->out));
            }
        }
}

IPU_KERNEL(ipu_depthwise_u8s4_c)
{
    const ipu_depthwise *o = (const void *)rec;
    const int32_t *bias = p[3];
    const float *mult = p[4];
    int32_t taps = o->kh * o->kw, plane = (o->y.c + 15) / 16 * 16;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                const uint8_t *w = (const uint8_t *)p[2] + c;
                uint32_t acc = (uint32_t)bias[c];
                for (int32_t k = 0; k < taps; k++)
                    acc += (uint32_t)(((const uint8_t *)tap(o, p, y, x, k))[c] * ipu_four_bits(w[(size_t)(k / 2) * (size_t)plane], k & 1));
                put(o, p[6], to, c, ipu_requant((int32_t)acc, mult[c], &o->out));
            }
        }
}

IPU_KERNEL(ipu_depthwise_s16_c)
{
    const ipu_depthwise *o = (const void *)rec;
    const int64_t *bias = p[3];
    const float *mult = p[4];
    int32_t taps = o->kh * o->kw, plane = (o->y.c + 15) / 16 * 16;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            void *to = ipu_pixel(&o->y, p[0], y, x);
            for (int32_t c = 0; c < o->y.c; c++) {
                const int16_t *w = (const int16_t *)p[2] + c;
                uint64_t acc = (uint64_t)bias[c];
                for (int32_t k = 0; k < taps; k++)
                    acc += (uint64_t)(int64_t)((int32_t)((const int16_t *)tap(o, p, y, x, k))[c] * w[(size_t)k * (size_t)plane]);
                put(o, p[6], to, c, ipu_requant(ipu_narrow((int64_t)acc, o->shift), mult[c], &o->out));
            }
        }
}
