/* quant_config.yaml: what torch_calibrator.py wants to know beside its options. */
#ifndef SGS_QUANT_CONFIG_H
#define SGS_QUANT_CONFIG_H

#include "config/quant_param.h"

/* A setting that the file does not have, or has as null, has the line 0. */
typedef struct sgs_quant_config {
    const char *file; /* for messages */
    int retrain_line, retrain_iter_num;
    int device_line;
    const char *device; /* "cpu", "cuda" or "cuda:N" */
    int mixed_line, mixed[2]; /* 4 and 8, or 8 and 16 */
    int rate_line;
    double mp_rate; /* above 0, 1 at most; what the pair allows depends on the mode */
    int preset_line;
    bool use_preset;
    sgs_params preset; /* n 0 where use_preset is false */
    sgs_arena *arena;
} sgs_quant_config;

/* Either from a file or from text. */
sgs_status sgs_quant_config_read(sgs_quant_config **q, const char *path, sgs_diag *d);
sgs_status sgs_quant_config_parse(sgs_quant_config **q, const char *file, sgs_span text, sgs_diag *d);
void sgs_quant_config_free(sgs_quant_config *q); /* NULL is fine */

#endif
