/* Images built by hand, record by record, so that runtime tests need no toolchain. */
#ifndef TEST_IMAGE_MAKER_H
#define TEST_IMAGE_MAKER_H

#include "runtime/image.h"

typedef struct maker_bytes {
    uint8_t *p;
    size_t n, cap;
} maker_bytes;

typedef struct image_maker {
    maker_bytes io, ops, consts, cost;
    uint32_t ninput, noutput, nop, arena;
    ipu_sizes sizes;    /* count 0: no batch */
    uint32_t features;  /* beside that of a batch */
    uint32_t seed;      /* of maker_random */
    int separate;       /* the network writes nothing in place */
    int four;           /* convolutions of bytes have weights of four bits */
    uint32_t alloc[64]; /* where each piece of the arena begins */
    int nalloc;
} image_maker;

uint32_t maker_random(image_maker *m, uint32_t below);
ipu_ref maker_const(image_maker *m, ipu_type type, const void *data, int32_t count);
ipu_ref maker_zeros(image_maker *m, ipu_type type, int32_t count);
/* [1][h][w][c] in the arena, in an input, in an output (all inputs before the first output). */
ipu_ref maker_arena(image_maker *m, ipu_type type, int32_t h, int32_t w, int32_t c);
ipu_ref maker_input(image_maker *m, const char *name, ipu_type type, int32_t h, int32_t w, int32_t c);
ipu_ref maker_output(image_maker *m, const char *name, ipu_type type, int32_t h, int32_t w, int32_t c);
/* A picture as a board gives it: the whole buffer, of which `dim` is what the network sees; U8. */
ipu_ref maker_picture(image_maker *m, const char *name, ipu_format format, const int32_t dim[3], int32_t height_align, int32_t width_align);
/* Fills kind, nref and bytes of a record and appends it. */
void maker_record(image_maker *m, ipu_kind kind, void *rec);
/* The image, IPU_ALIGN-aligned, with its hash; free() it.  The maker is empty afterwards. */
uint8_t *maker_finish(image_maker *m, size_t *bytes);
/* Computes the hash anew, as after damage on purpose. */
void maker_rehash(uint8_t *image, size_t bytes);

/* Building blocks with seeded weights that use the whole range of their outputs. */
ipu_ref maker_conv(image_maker *m, ipu_ref x, ipu_type y, int32_t co, int32_t k, int32_t stride);
ipu_ref maker_depthwise(image_maker *m, ipu_ref x, ipu_type y, int32_t k, int32_t stride);

/* A network of every record kind: inputs U8 [17][13][3] and F32 [9][7][5], outputs S16 softmax, F32 and U8. */
uint8_t *maker_network(size_t *bytes);
void maker_network_build(image_maker *m); /* the same, not finished */
/* One of MAKER_KINDS images: that network, with a batch of each mode, and pictures with alignments. */
#define MAKER_KINDS 4
uint8_t *maker_kind(int kind, size_t *bytes);
/* Input i for it, seeded; free() it. */
void *maker_network_input(int i, size_t bytes);

#endif
