/* The .sim container (float and fixed): a TFLite FlatBuffer.  One reader serves .sim and, later, foreign .tflite files. */
#ifndef SGS_SIM_H
#define SGS_SIM_H

#include "ir/ir.h"

/* Writes the graph with its quantization and metadata; explicit padding leaves as PAD + VALID. */
sgs_status sgs_sim_write(sgs_graph *g, const char *path, sgs_diag *d);
sgs_status sgs_sim_write_buf(sgs_graph *g, sgs_buf *out, sgs_diag *d);
/* Reads one; PAD + VALID folded back.  The graph keeps the file mapped. */
sgs_status sgs_sim_read(sgs_graph **g, const char *path, sgs_diag *d);
sgs_status sgs_sim_read_span(sgs_graph **g, const char *file, sgs_span data, sgs_diag *d);
/* SGS_FLOAT, SGS_FIXED by the presence of the "sgs.fixed" metadata; SGS_OFFLINE for an image; SGS_KIND_ANY: none of ours. */
int sgs_sim_kind(sgs_span data);

#endif
