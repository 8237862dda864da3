/* 8-bit convolution and fully connected with AVX-512 VNNI: one vpdpbusd for four input channels.  Sums may wrap on the way; the total is exact
 * (ARITHMETIC.md 4). */
#include "conv_tile_vnni512.h"

IPU_INLINE void conv_tile_of(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const int P,
                             const int NB)
{
    __m512i acc[CONV_TILE * 4];

    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512i bias = _mm512_loadu_si512((const int32_t *)j->bias + co + b * CONV_LANES);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i * NB + b] = bias;
    }
    conv_sum(j, t, j->w + co / CONV_LANES * j->block, acc, P, NB, IPU_U8);
    conv_put(j, s, t, co, acc, P, NB);
}

#define CONV_TILE_FN(P, NB)                                                                                            \
    static __attribute__((noinline)) void conv_tile_##P##_##NB(const conv_job *j, const conv_store *s,                 \
                                                               const conv_tile *t, int32_t co)                         \
    {                                                                                                                  \
        conv_tile_of(j, s, t, co, P, NB);                                                                              \
    }
CONV_TILE_FN(6, 4)
CONV_TILE_FN(3, 4)
CONV_TILE_FN(1, 4)
CONV_TILE_FN(12, 2)
CONV_TILE_FN(6, 2)
CONV_TILE_FN(2, 2)
CONV_TILE_FN(1, 2)
CONV_TILE_FN(12, 1)
CONV_TILE_FN(4, 1)
CONV_TILE_FN(1, 1)

static const conv_size conv_four[] = { { 6, conv_tile_6_4 }, { 3, conv_tile_3_4 }, { 1, conv_tile_1_4 } };
static const conv_size conv_two[] = {
    { 12, conv_tile_12_2 }, { 6, conv_tile_6_2 }, { 2, conv_tile_2_2 }, { 1, conv_tile_1_2 }
};
static const conv_size conv_one[] = { { 12, conv_tile_12_1 }, { 4, conv_tile_4_1 }, { 1, conv_tile_1_1 } };

static void conv_run(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_lookup *lookup)
{
    conv_job j = conv_start(rec, p);

    j.lookup = lookup;
    conv_all(&j, &(const conv_sizes){ conv_four, conv_two, conv_one }, y0, y1);
}

IPU_KERNEL(ipu_conv_u8_vnni512)
{
    conv_run(rec, p, y0, y1, ipu_lookup_one_by_one);
}

IPU_KERNEL(ipu_conv_u8_vbmi512)
{
    conv_run(rec, p, y0, y1, ipu_lookup_vbmi512);
}
