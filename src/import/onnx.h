#ifndef SGS_ONNX_H
#define SGS_ONNX_H

#include "ir/ir.h"

typedef struct sgs_onnx_options {
    const char *input_shapes;          /* --input_shapes, or NULL */
    const char *const *input_name;     /* the ini's inputs and outputs: order of the graph, and where it is cut; n 0: the model's own */
    int ninput;
    const bool *input_nchw;            /* per ini input: a 4-D input stays NCHW */
    const int *input_channels;         /* of a picture, 0 of other inputs; NULL: no pictures */
    const char *const *output_name;
    int noutput;
    const bool *output_nchw;
    const char *ini;                   /* where those names stand, for messages, or NULL */
    int inputs_line, outputs_line;
    int64_t memory_limit;              /* bytes an import may take; 0: 512 MiB and eight times the files' size */
    const sgs_log *log;                /* what was decided on the user's behalf, or NULL */
} sgs_onnx_options;

/* Reads, imports, infers all shapes; 4-D inputs and outputs NHWC unless told otherwise.  Run the pass pipeline next. */
sgs_status sgs_onnx_import(sgs_graph **g, const char *path, const sgs_onnx_options *o, sgs_diag *d);
/* The same from memory, which must outlive the graph; external data lies in the folder of `path`. */
sgs_status sgs_onnx_import_span(sgs_graph **g, const char *path, sgs_span model, const sgs_onnx_options *o, sgs_diag *d);

#endif
