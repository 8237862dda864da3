/* 8-bit convolution and fully connected with AVX-512 VNNI: one vpdpbusd for four input channels.  Sums may wrap on the way; the total is exact
 * (ARITHMETIC.md 4). */
#include "conv_tile_vnni512.h"

/* DIRECT: the sums go to y from the registers. */
IPU_INLINE void conv_tile_of(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co, const int P, const int NB, const int DIRECT)
{
    __m512i acc[CONV_TILE * 4];

    IPU_UNROLL for (int b = 0; b < NB; b++)
    {
        const __m512i bias = _mm512_loadu_si512((const int32_t *)j->bias + co + b * CONV_LANES);
        IPU_UNROLL for (int i = 0; i < P; i++) acc[i * NB + b] = bias;
    }
    conv_sum(j, t, j->w + co / CONV_LANES * j->block, acc, P, NB, IPU_U8);
    conv_keep(acc, P, NB);
    if (DIRECT)
        conv_put_u8(j, s, t, co, acc, P, NB);
    else
        conv_put(j, s, t, co, acc, P, NB);
}

#define CONV_TILE_FN(NAME, P, NB, DIRECT)                                                                                                             \
    static __attribute__((noinline)) void NAME##_##P##_##NB(const conv_job *j, const conv_store *s, const conv_tile *t, int32_t co)                   \
    {                                                                                                                                                 \
        conv_tile_of(j, s, t, co, P, NB, DIRECT);                                                                                                     \
    }
#define CONV_SIZES(NAME, DIRECT)                                                                                                                      \
    CONV_TILE_FN(NAME, 6, 4, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 5, 4, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 4, 4, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 3, 4, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 1, 4, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 8, 3, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 7, 3, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 4, 3, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 1, 3, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 12, 2, DIRECT)                                                                                                                 \
    CONV_TILE_FN(NAME, 6, 2, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 2, 2, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 1, 2, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 12, 1, DIRECT)                                                                                                                 \
    CONV_TILE_FN(NAME, 4, 1, DIRECT)                                                                                                                  \
    CONV_TILE_FN(NAME, 1, 1, DIRECT)                                                                                                                  \
    static const conv_size NAME##_four[] = { { 6, NAME##_6_4 }, { 5, NAME##_5_4 }, { 4, NAME##_4_4 }, { 3, NAME##_3_4 }, { 1, NAME##_1_4 } };         \
    static const conv_size NAME##_three[] = { { 8, NAME##_8_3 }, { 7, NAME##_7_3 }, { 4, NAME##_4_3 }, { 1, NAME##_1_3 } };                           \
    static const conv_size NAME##_two[] = { { 12, NAME##_12_2 }, { 6, NAME##_6_2 }, { 2, NAME##_2_2 }, { 1, NAME##_1_2 } };                           \
    static const conv_size NAME##_one[] = { { 12, NAME##_12_1 }, { 4, NAME##_4_1 }, { 1, NAME##_1_1 } };                                              \
    static const conv_sizes NAME##_sizes = { { NULL, NAME##_one, NAME##_two, NAME##_three, NAME##_four } };
CONV_SIZES(conv_direct, 1)
CONV_SIZES(conv_through, 0)

static void conv_run(const ipu_rec *rec, void *const p[], int32_t y0, int32_t y1, ipu_lookup_sums *lookup)
{
    conv_job j = conv_start(rec, p);

    j.lookup = lookup;
    conv_all(&j, conv_is_direct(&j) ? &conv_direct_sizes : &conv_through_sizes, y0, y1);
}

IPU_KERNEL(ipu_conv_u8_vnni512)
{
    conv_run(rec, p, y0, y1, conv_lookup);
}

IPU_KERNEL(ipu_conv_u8_vbmi512)
{
    conv_run(rec, p, y0, y1, ipu_lookup_sums_vbmi512);
}
