/* The walk of convolutions that do one block of 16 output channels of a tile at a time. */
#ifndef IPU_SIMD_CONV_ROWS_H
#define IPU_SIMD_CONV_ROWS_H

#include "conv_narrow.h"

/* What an instruction set brings: the sums and results of the first n pixels of a tile, 16 output channels from co on. */
struct conv_store;
typedef struct conv_body {
    void (*run)(const conv_job *j, const struct conv_store *s, const conv_tile *t, int n, int32_t co);
    const struct conv_store *store;
    int pixels; /* of a tile; CONV_TILE at most */
} conv_body;

/* Tiles outside, so that their geometry serves all output channels, while the weights stay near; else channels outside. */
static void conv_rows(const conv_job *j, const conv_body *b, int32_t y0, int32_t y1)
{
    enum { NEAR = 24 << 10 };
    const int32_t end = j->r->y.c, blocks = (end + CONV_LANES - 1) / CONV_LANES;
    const int32_t stride = blocks * j->block <= NEAR ? end : CONV_LANES;
    conv_tile t;

    for (int32_t from = 0; from < end; from += stride) {
        conv_walk k = conv_walk_from(j, y0);
        for (int64_t left = (int64_t)(y1 - y0) * j->r->y.w; left > 0; left -= b->pixels) {
            const int n = left < b->pixels ? (int)left : b->pixels;
            conv_fill(j, &t, n, &k);
            for (int32_t co = from; co < end && co < from + stride; co += CONV_LANES)
                b->run(j, b->store, &t, n, co);
        }
    }
}

static void conv_rows_narrow(const conv_job *j, const conv_body *b, int32_t y0, int32_t y1)
{
    conv_narrow k;
    conv_job some = conv_narrow_start(j, &k);

    for (int32_t row = y0, n; row < y1; row += n) {
        n = conv_narrow_next(j, &k, &some, row, y1);
        conv_rows(&some, b, 0, n);
    }
}

/* The rows [y0, y1) of n*h of the record. */
static void conv_all(const conv_job *j, const conv_body *b, int32_t y0, int32_t y1)
{
    if (conv_is_narrow(j->r))
        conv_rows_narrow(j, b, y0, y1);
    else
        conv_rows(j, b, y0, y1);
}

#endif
