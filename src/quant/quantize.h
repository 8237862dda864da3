/* Float graph + observed ranges -> fixed graph.  Stages, one file each:
 *
 *   observe.c    runs the float graph over all samples: ranges per channel, mergeable and order-free
 *   weights.c    L1 max-abs, L2 clip search per output channel
 *   quantize.c   chooses each value's type, inserts QUANTIZE/DEQUANTIZE, converts constants, rewrites the graph
 *   (src/calibrate.c, the stage: reads .sim and ini, drives the above, writes _fixed.sim)
 */
#ifndef SGS_QUANTIZE_H
#define SGS_QUANTIZE_H

#include "ops/op.h"

/* Ranges of one float value over all samples: per channel (last dim), exact in any order of merging. */
typedef struct sgs_range {
    int64_t channels;
    float *lo, *hi;        /* [channels] */
} sgs_range;

typedef struct sgs_quantizer {
    sgs_graph *g;          /* being turned into the fixed graph */
    sgs_range *range;      /* by value id of the float graph */
    int nrange;
    int level;             /* 1, 2 */
} sgs_quantizer;

#endif
