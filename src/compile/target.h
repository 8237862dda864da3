/* What an image can be compiled for (--soc_version). */
#ifndef SGS_TARGET_H
#define SGS_TARGET_H

#include "base/base.h"

typedef struct sgs_target {
    const char *name;     /* as --soc_version takes it */
    uint32_t id;          /* ipu_header.target; never given to another target */
    const char *baseline; /* the least machine its images run on */
    const char *fast;     /* instruction sets with kernels of their own, "" = the C kernels */
    int64_t memory;       /* limit for image + arena, bytes; 0: the format's own, 4 GiB each */
    int alignment;        /* of the image and the arena, bytes */
} sgs_target;

extern const sgs_target sgs_targets[]; /* the generic one first; ends with name NULL */

/* NULL: the generic target.  An unknown name is refused with a sentence that says what we compile for. */
sgs_status sgs_target_find(const char *soc_version, const sgs_target **t, sgs_diag *d);

#endif
