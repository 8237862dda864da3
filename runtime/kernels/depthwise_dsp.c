/* Depthwise convolution with DSP instructions: bytes of four channels become two pairs of words, SMLABB and SMLATT add the product of one half each.
 * Where the taps of a pixel lie is found once for all its channels; kernels of more taps than there is room for, 196 bytes of stack, are left to C. */
#include "dsp.h"

#if IPU_DSP

enum { TAPS = 49, CHANNELS = 16 };

typedef struct job {
    const ipu_depthwise *o;
    void *const *p;
    int32_t taps, plane; /* plane: bytes of the weights of a tap */
} job;

static job job_of(const ipu_rec *rec, void *const p[])
{
    const ipu_depthwise *o = (const void *)rec;
    return (job){ .o = o, .p = p, .taps = o->kh * o->kw, .plane = (o->y.c + 15) / 16 * 16 * ipu_type_bytes(o->x.type) };
}

/* The pixels that the taps of output (y, x) read, or the padding value. */
static void find_taps(const job *j, int32_t y, int32_t x, const uint8_t **q)
{
    const ipu_depthwise *o = j->o;
    const uint8_t *picture = ipu_pixel(&o->x, j->p[1], y / o->y.h * o->x.h, 0);
    int32_t iy = y % o->y.h * o->sy - o->py;

    for (int32_t ky = 0; ky < o->kh; ky++, iy += o->dy) {
        int32_t ix = x * o->sx - o->px;
        for (int32_t kx = 0; kx < o->kw; kx++, ix += o->dx) {
            const int in = (uint32_t)iy < (uint32_t)o->x.h && (uint32_t)ix < (uint32_t)o->x.w;
            *q++ = in ? picture + (ptrdiff_t)iy * o->x.row + (ptrdiff_t)ix * o->x.pix : j->p[5];
        }
    }
}

/* ---- U8 ---- */

/* Four channels from c on, of which `bytes` may be read. */
IPU_INLINE void four_u8(const job *j, const uint8_t *const *q, int32_t c, int bytes, int32_t *sum)
{
    const int32_t *bias = (const int32_t *)j->p[3] + c;
    const int8_t *w = (const int8_t *)j->p[2] + c;
    int32_t s0 = bias[0], s1 = bias[1], s2 = bias[2], s3 = bias[3];

    for (const uint8_t *const *end = q + j->taps; q != end; q++, w += j->plane) {
        uint32_t v = (*q)[c];
        if (bytes == 4)
            v = dsp_word(*q + c);
        else
            for (int i = 1; i < bytes; i++)
                v |= (uint32_t)(*q)[c + i] << 8 * i;
        const uint32_t u = dsp_word(w), xe = dsp_even_u8(v), xo = dsp_odd_u8(v), we = dsp_even_s8(u), wo = dsp_odd_s8(u);
        s0 = __smlabb((int32_t)xe, (int32_t)we, s0), s2 = __smlatt((int32_t)xe, (int32_t)we, s2);
        s1 = __smlabb((int32_t)xo, (int32_t)wo, s1), s3 = __smlatt((int32_t)xo, (int32_t)wo, s3);
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}

static void sums_u8(const job *j, const uint8_t *const *q, int32_t c, int n, int32_t *sum)
{
    int i = 0;

    for (; i + 4 <= n; i += 4)
        four_u8(j, q, c + i, 4, sum + i);
    if (i < n)
        four_u8(j, q, c + i, n - i, sum + i);
}

/* ---- S16 ---- */

/* Channels c and c + 1, or c alone. */
IPU_INLINE void two_s16(const job *j, const uint8_t *const *q, int32_t c, int n, int64_t *sum)
{
    const int64_t *bias = (const int64_t *)j->p[3] + c;
    const int8_t *w = (const int8_t *)j->p[2] + 2 * c;
    uint64_t s0 = (uint64_t)bias[0], s1 = (uint64_t)bias[1];

    for (const uint8_t *const *end = q + j->taps; q != end; q++, w += j->plane) {
        const int32_t u = (int32_t)dsp_word(w), v = n == 2 ? (int32_t)dsp_word(*q + 2 * c) : ((const int16_t *)(const void *)*q)[c];
        s0 += (uint64_t)(int64_t)((int16_t)u * (int16_t)v); /* SMLALBB */
        s1 += (uint64_t)(int64_t)((u >> 16) * (v >> 16));   /* SMLALTT */
    }
    sum[0] = (int64_t)s0, sum[1] = (int64_t)s1;
}

static void sums_s16(const job *j, const uint8_t *const *q, int32_t c, int n, int32_t *sum)
{
    int64_t two[2];

    for (int i = 0; i < n; i += 2) {
        if (i + 1 < n)
            two_s16(j, q, c + i, 2, two);
        else
            two_s16(j, q, c + i, 1, two);
        sum[i] = ipu_narrow(two[0], j->o->shift), sum[i + 1] = ipu_narrow(two[1], j->o->shift);
    }
}

/* ---- the whole ---- */

/* Sums of n channels from c on; there is room for CHANNELS. */
typedef void sums_fn(const job *j, const uint8_t *const *q, int32_t c, int n, int32_t *sum);

static void depthwise(const job *j, int32_t y0, int32_t y1, sums_fn *sums)
{
    const ipu_depthwise *o = j->o;
    const dsp_store store = { o->out, j->p[6] };
    const uint8_t *q[TAPS];
    int32_t sum[CHANNELS];

    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = 0; x < o->y.w; x++) {
            uint8_t *to = ipu_pixel(&o->y, j->p[0], y, x);
            find_taps(j, y, x, q);
            for (int32_t c = 0; c < o->y.c; c += CHANNELS) {
                const int n = o->y.c - c < CHANNELS ? o->y.c - c : CHANNELS;
                sums(j, q, c, n, sum);
                dsp_put(&store, o->y.type, (const float *)j->p[4] + c, sum, n, to + c * o->y.step);
            }
        }
}

IPU_KERNEL(ipu_depthwise_u8_dsp)
{
    const job j = job_of(rec, p);

    if (j.taps > TAPS)
        ipu_depthwise_u8_c(rec, p, y0, y1);
    else
        depthwise(&j, y0, y1, sums_u8);
}

IPU_KERNEL(ipu_depthwise_s16_dsp)
{
    const job j = job_of(rec, p);

    if (j.taps > TAPS)
        ipu_depthwise_s16_c(rec, p, y0, y1);
    else
        depthwise(&j, y0, y1, sums_s16);
}

#endif
