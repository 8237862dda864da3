/* 8-bit convolution and fully connected with weights of four bits and AVX-512 VNNI.
 *
 * Two steps of K share a vector of weights.  Each comes out of it as the upper half of bytes, the lower half zero: two instructions for the one, one for
 * the other, and the sums are 16 times as large.  Modulo 2^32 that is exact where |sum| < 2^27: up to NIBBLES_MOST products of 8 * 255. */
#include "conv_tile_vnni512.h"

#include "runtime/kernels/simd/nibbles.h"

enum { NIBBLES_MOST = 65536, NIB_SHORT = 512 };
_Static_assert(8LL * 255 * NIBBLES_MOST < 1LL << 27, "exact sums");

/* ---- sums ---- */

/* 16 times the weights of the even or the odd step of a pair. */
IPU_INLINE void nib_weights(const int8_t *w, ptrdiff_t block, int odd, __m512i *wv, const int NB)
{
    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512i v = _mm512_loadu_si512(w + b * block);
        wv[b] = _mm512_and_si512(odd ? v : _mm512_slli_epi16(v, 4), _mm512_set1_epi8((char)0xf0));
    }
}

/* The step that reads byte k of each pixel's tap. */
IPU_INLINE void nib_step(__m512i *acc, const uint8_t *const *q, ptrdiff_t k, const int8_t *w, ptrdiff_t block, int odd, const int P, const int NB)
{
    __m512i wv[4];

    nib_weights(w, block, odd, wv, NB);
    IPU_UNROLL for (int i = 0; i < P; i++) conv_step(acc, conv_word(q[i] + k), wv, i, NB, IPU_U8);
}

/* The last, partial group of channels, read byte by byte. */
IPU_INLINE void nib_tail(const conv_job *j, __m512i *acc, const uint8_t *const *q, const int8_t *w, int odd, const int P, const int NB)
{
    __m512i wv[4];

    nib_weights(w, j->block, odd, wv, NB);
    IPU_UNROLL for (int i = 0; i < P; i++)
        conv_step(acc, _mm512_set1_epi32(conv_bytes(q[i] + 4 * (ptrdiff_t)j->full, j->tail)), wv, i, NB, IPU_U8);
}

/* acc[P][NB] += 16 times all taps of the tile. */
IPU_INLINE void nib_sum(const conv_job *j, const conv_tile *t, const int8_t *w, __m512i *acc, const int P, const int NB)
{
    const int32_t whole = 4 * (t->inside ? j->full + (j->tail != 0) : j->full);
    const ptrdiff_t block = j->block;
    const uint8_t *q[CONV_TILE];
    int odd = 0;

    for (int32_t ky = 0; ky < j->r->kh; ky++)
        for (int32_t kx = 0; kx < j->r->kw; kx++) {
            ptrdiff_t k = 0;
            conv_taps(j, t, 0, ky, kx, q, P);
            if (odd && whole) {
                nib_step(acc, q, 0, w, block, 1, P, NB);
                k = 4, odd = 0, w += 64;
            }
            for (; k + 8 <= whole; k += 8, w += 64) {
                nib_step(acc, q, k, w, block, 0, P, NB);
                nib_step(acc, q, k + 4, w, block, 1, P, NB);
            }
            if (k < whole) {
                nib_step(acc, q, k, w, block, 0, P, NB);
                odd = 1;
            }
            if (j->tail && !t->inside) {
                nib_tail(j, acc, q, w, odd, P, NB);
                w += odd ? 64 : 0;
                odd = !odd;
            }
        }
}

IPU_INLINE void nib_tile(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const int P, const int NB)
{
    __m512i acc[CONV_TILE * 4];

    IPU_UNROLL for (int i = 0; i < P; i++)
    {
        IPU_UNROLL for (int b = 0; b < NB; b++) acc[i * NB + b] = _mm512_setzero_si512();
    }
    nib_sum(j, t, j->w + co / CONV_LANES * j->block, acc, P, NB);
    conv_keep(acc, P, NB);
    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512i bias = _mm512_loadu_si512((const int32_t *)j->bias + co + b * CONV_LANES);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i * NB + b] = _mm512_add_epi32(_mm512_srai_epi32(acc[i * NB + b], 4), bias);
    }
    conv_put(j, s, t, co, acc, P, NB);
}

/* ---- the whole ---- */

#define CONV_TILE_FN(P, NB)                                                                                            \
    static __attribute__((noinline)) void nib_tile_##P##_##NB(const conv_job *j, const conv_store *s,                  \
                                                              const conv_tile *t, int32_t co)                          \
    {                                                                                                                  \
        nib_tile(j, s, t, co, P, NB);                                                                                  \
    }
CONV_TILE_FN(6, 4)
CONV_TILE_FN(3, 4)
CONV_TILE_FN(1, 4)
CONV_TILE_FN(12, 2)
CONV_TILE_FN(6, 2)
CONV_TILE_FN(1, 2)
CONV_TILE_FN(12, 1)
CONV_TILE_FN(4, 1)
CONV_TILE_FN(1, 1)

static const conv_size nib_four[] = { { 6, nib_tile_6_4 }, { 3, nib_tile_3_4 }, { 1, nib_tile_1_4 } };
static const conv_size nib_two[] = { { 12, nib_tile_12_2 }, { 6, nib_tile_6_2 }, { 1, nib_tile_1_2 } };
static const conv_size nib_one[] = { { 12, nib_tile_12_1 }, { 4, nib_tile_4_1 }, { 1, nib_tile_1_1 } };

static void nib_run(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_lookup_sums *lookup)
{
    conv_job j = conv_start(rec, p);

    j.lookup = lookup;
    j.block = nibbles_block(j.r);
    const conv_store s = conv_store_of(&j);
    conv_rows(&j, &s, &(const conv_sizes){ { NULL, nib_one, nib_two, NULL, nib_four } }, y0, y1);
}

static void nib_conv(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_lookup_sums *lookup, ipu_kernel_fn bytes)
{
    const ipu_conv *r = (const ipu_conv *)rec;

    if (nibbles_pay(r, y1 - y0, NIB_SHORT))
        nibbles_conv(r, p, y0, y1, bytes);
    else if ((int64_t)r->kh * r->kw * r->x.c <= NIBBLES_MOST)
        nib_run(rec, p, y0, y1, lookup);
    else
        ipu_conv_u8s4_c(rec, p, y0, y1);
}

IPU_KERNEL(ipu_conv_u8s4_vnni512)
{
    nib_conv(rec, p, y0, y1, conv_lookup, ipu_conv_u8_vnni512);
}

IPU_KERNEL(ipu_conv_u8s4_vbmi512)
{
    nib_conv(rec, p, y0, y1, ipu_lookup_sums_vbmi512, ipu_conv_u8_vbmi512);
}

IPU_KERNEL(ipu_depthwise_u8s4_vnni512)
{
    nibbles_depthwise(rec, p, y0, y1, ipu_depthwise_u8_vnni512);
}

IPU_KERNEL(ipu_depthwise_u8s4_vbmi512)
{
    nibbles_depthwise(rec, p, y0, y1, ipu_depthwise_u8_vbmi512);
}
