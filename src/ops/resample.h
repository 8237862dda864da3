/* Resizes that resize.c's taps do not cover, as products with a constant matrix along each axis: antialiased ones,
 * crops, any axis. */
#ifndef SGS_OPS_RESAMPLE_H
#define SGS_OPS_RESAMPLE_H

#include "ops/spell.h"

typedef enum sgs_kernel { SGS_KERNEL_NEAREST, SGS_KERNEL_LINEAR, SGS_KERNEL_CUBIC } sgs_kernel;
typedef struct sgs_resample {
    sgs_kernel kernel;
    int64_t coord, round; /* sgs_coord, sgs_round */
    float cubic;          /* coefficient a */
    bool antialias;       /* the kernel is as wide as a pixel of the result */
    bool exclude_outside;
    const float *crop; /* first and last place of each axis, as parts of it: [rank] and [rank]; or NULL */
    float outside;     /* with crop: what lies outside of the input */
} sgs_resample;

/* x resized to `size`; scale: size / input of an axis as the coordinates see it, 0: from the sizes. */
sgs_value *sgs_emit_resampled(sgs_spell *p, const sgs_resample *r, sgs_value *x, const int64_t *size,
                              const float *scale);

#endif
