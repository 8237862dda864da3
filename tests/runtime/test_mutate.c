/* Thousands of images damaged on purpose: what the loader lets pass must run within its memory (build with sanitizers
 * to see). With an argument: that many rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_maker.h"
#include "openipu/ipu_host.h"
#include "try_image.h"

static const uint32_t interesting[] = { 0,          1,          2,          3,          4,          15,
                                        16,         17,         63,         64,         127,        128,
                                        255,        256,        4095,       65535,      65536,      1u << 24,
                                        0x7fffffff, 0x80000000, 0xffffffff, 0x7f800000, 0x7fc00000, 0x00000001 };

/* A place in what is not weights, mostly: header, descriptors and records are where the proofs are. */
static size_t place(image_maker *rng, const uint8_t *good, size_t bytes)
{
    const ipu_header *h = (const void *)good;
    switch (maker_random(rng, 8)) {
    case 0:
        return maker_random(rng, h->header_bytes);
    case 1:
        return h->io.off + maker_random(rng, h->io.bytes);
    case 2:
        return maker_random(rng, (uint32_t)bytes);
    default:
        return h->ops.off + maker_random(rng, h->ops.bytes);
    }
}

static void damage(image_maker *rng, const uint8_t *good, uint8_t *image, size_t bytes)
{
    size_t at = place(rng, good, bytes);
    uint32_t v;
    if (maker_random(rng, 3) == 0) {
        image[at] ^= (uint8_t)(1u << maker_random(rng, 8));
        return;
    }
    at &= ~(size_t)3;
    if (at + 4 > bytes)
        return;
    memcpy(&v, image + at, 4);
    switch (maker_random(rng, 4)) {
    case 0:
        v = interesting[maker_random(rng, sizeof interesting / sizeof *interesting)];
        break;
    case 1:
        v += maker_random(rng, 9) - 4;
        break;
    case 2:
        v *= 2;
        break;
    default:
        v /= 2;
        break;
    }
    memcpy(image + at, &v, 4);
}

/* `rounds` damages of one kind of image; what became of them. */
static void try_kind(int kind, int rounds, int count[3])
{
    size_t bytes;
    uint8_t *good = maker_kind(kind, &bytes), *bad = aligned_alloc(IPU_ALIGN, (bytes + IPU_ALIGN - 1) / IPU_ALIGN * IPU_ALIGN);
    image_maker rng = { .seed = 2024 + (uint32_t)kind };
    const ipu_kernels *table[2] = { &ipu_kernels_c, ipu_kernels_for(ipu_host_cpu()) };
    for (int i = 0; i < rounds; i++) {
        memcpy(bad, good, bytes);
        for (uint32_t k = 1 + maker_random(&rng, 2); k; k--)
            damage(&rng, good, bad, bytes);
        maker_rehash(bad, bytes);
        count[try_image(bad, bytes, table[i & 1])]++;
    }
    free(bad);
    free(good);
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 1500;
    int blind = 0;
    for (int kind = 0; kind < MAKER_KINDS; kind++) {
        int count[3] = { 0 };
        try_kind(kind, rounds, count);
        printf("kind %d, %d images: %d refused, %d ran, %d passed but were too much work\n", kind, rounds, count[TRIED_REFUSED],
               count[TRIED_RAN], count[TRIED_TOO_LARGE]);
        blind |= !count[TRIED_REFUSED] || !count[TRIED_RAN]; /* then it looked at nothing */
    }
    return blind;
}
