/* What a user asks for: a level of calibrator.py or a mode of torch_calibrator.py. */
#ifndef SGS_MODE_H
#define SGS_MODE_H

#include "base/base.h"

struct sgs_quant_config;

/* Who says which convolutions have 8 bits and which 16; an ini with an input_format always does, whatever stands here. */
typedef enum sgs_bits {
    SGS_BITS_WEIGHED, /* 16 where 8 harm most, until the network is good enough (bits.c) */
    SGS_BITS_8,
    SGS_BITS_16,
    SGS_BITS_MIXED /* 16 in the place of 8, or 8 of 4, where they help most, for weights of so many bits on the average
                      (mixed.c) */
} sgs_bits;

typedef struct sgs_mode {
    const char *name; /* "L5", "Q13" */
    int level;        /* what is tried: that of this level */
    sgs_bits bits;
    int narrow;  /* MIXED: 4 or 8, the fewer bits */
    double rate; /* MIXED: bits of weights on the average, as a share of 16; 0: recommended by measuring */
    int iterations; /* in which a layer's weights are learned; 0: they are not */
} sgs_mode;

/* "L1" to "L5"; NULL: L5, and a log line says so. */
sgs_status sgs_level_find(const char *quant_level, const sgs_log *log, sgs_mode *mode, sgs_diag *d);
/* "Q1", "Q10" to "Q13", "Q2", "Q20" to "Q23", with what its configuration says; warnings about what has no effect. */
sgs_status sgs_mode_find(const char *q_mode, const struct sgs_quant_config *q, const sgs_log *log, sgs_mode *mode,
                         sgs_diag *d);

#endif
