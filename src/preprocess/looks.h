/* Inside preprocess/: what the script makes of pictures, beside the files themselves. */
#ifndef SGS_LOOKS_H
#define SGS_LOOKS_H

#include "preprocess/preprocess.h"

/* Sums over pictures of one image input. */
typedef struct sgs_looks {
    double same, ours, theirs; /* products of the differences of red and blue in 4 x 4 parts: script and file, script
                                  alone, file alone */
    int64_t parts;
    double step[3], third; /* differences along a row: between elements one apart, by where the first stands modulo 3;
                              three apart */
} sgs_looks;
/* raw: u8, as w says; file: f32 [4,4,3] or NULL. */
void sgs_looks_add(sgs_looks *l, const sgs_input_config *in, const sgs_want *w, const uint8_t *raw, const float *file);
void sgs_looks_say(const sgs_looks *l, const sgs_input_config *in, const char *script, const sgs_log *log);

#endif
