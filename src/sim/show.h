/* Inputs and outputs of a model as text lines. */
#ifndef SGS_SHOW_H
#define SGS_SHOW_H

#include "base/log.h"

/* "input 0: NAME", then type, layout, shape, formats, alignments, scale and bytes; side is "input" or "output". */
void sgs_show_tensor(const sgs_log *log, const char *side, int index, const sgs_io_info *t);
/* A line where the model runs several elements at once. */
void sgs_show_batches(const sgs_log *log, const sgs_batches *batch);

#endif
