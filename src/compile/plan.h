/* Where buffers lie in the arena.  A buffer is live from record `first` to record `last`, both included. */
#ifndef SGS_PLAN_H
#define SGS_PLAN_H

#include "base/base.h"

typedef struct sgs_plan_buffer {
    int64_t bytes; /* rounded up to the alignment by sgs_plan */
    int first, last;
    int64_t off; /* result */
} sgs_plan_buffer;

typedef struct sgs_plan_result {
    int64_t arena;       /* bytes */
    int64_t lower_bound; /* most bytes live at one record: no plan needs less */
} sgs_plan_result;

/* Sets every offset, a multiple of `align`.  Deterministic; SGS_E_LIMIT when offsets would pass `limit`. */
sgs_status sgs_plan(sgs_plan_buffer *b, int n, int64_t align, int64_t limit, sgs_plan_result *r, sgs_diag *d);

#endif
