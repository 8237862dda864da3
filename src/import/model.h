#ifndef SGS_MODEL_H
#define SGS_MODEL_H

#include "ir/ir.h"

typedef struct sgs_source_tensor {   /* ValueInfoProto of an input or output */
    const char *name;
    int type;                    /* sgs_type, or -1: unknown or not supported */
    int64_t data_type;           /* the file's own number of it */
    const sgs_type *narrow;      /* what the file says where the graph has a wider type, else NULL */
    int rank;                    /* -1: not given */
    bool no_tensor;              /* a sequence, a map, an optional */
    int64_t dim[SGS_MAX_RANK];   /* -1: symbolic */
    const char *symbol[SGS_MAX_RANK];
} sgs_source_tensor;

typedef struct sgs_frontend sgs_frontend; /* frontend.h */
/* That of a platform; a number that is none is an error. */
sgs_status sgs_frontend_of(sgs_platform platform, const sgs_frontend **f, sgs_diag *d);

typedef struct sgs_import_options {
    const sgs_frontend *frontend;      /* NULL: ONNX */
    const char *weight_file;           /* where the model's weights are a file of their own */
    const sgs_span *weights;           /* its bytes, which must outlive the graph; NULL: the file is opened */
    bool shapes_alone;                 /* sgs_model_import: a graph of such a model without its weights will do */
    const char *input_shapes;          /* --input_shapes, or NULL */
    const char *const *input_name;     /* the ini's inputs and outputs: order of the graph, and where it is cut; n 0: the model's own */
    int ninput;
    const bool *input_nchw;            /* per ini input: a 4-D input stays NCHW */
    const int *input_channels;         /* of a picture, 0 of other inputs; NULL: no pictures */
    const char *const *output_name;
    int noutput;
    const bool *output_nchw;
    const char *signature;             /* TFLite: which of the model's signatures; NULL: the first subgraph's */
    bool keep_quant;                   /* TFLite: tensors keep the scales that the file gives them */
    const char *ini;                   /* where those names stand, for messages, or NULL */
    int inputs_line, outputs_line;
    const struct sgs_map *without;     /* sgs_model_look: nodes that count as refused, label -> why; or NULL */
    int64_t memory_limit;              /* bytes an import may take; 0: 512 MiB and eight times the files' size */
    const sgs_log *log;                /* what was decided on the user's behalf, or NULL */
} sgs_import_options;

struct sgs_config;
/* Inputs, outputs and layouts as the ini has them, which must outlive the options. */
sgs_import_options sgs_import_options_from(const struct sgs_config *c);

/* Reads, imports, infers all shapes; 4-D inputs and outputs NHWC unless told otherwise.  Run the pass pipeline next. */
sgs_status sgs_model_import(sgs_graph **g, const char *path, const sgs_import_options *o, sgs_diag *d);
/* The same from memory, which must outlive the graph; external data lies in the folder of `path`. */
sgs_status sgs_model_import_span(sgs_graph **g, const char *path, sgs_span model, const sgs_import_options *o, sgs_diag *d);

/* ---- what can be taken ---- */

typedef struct sgs_survey_node { /* of a node that the outputs need */
    const char *op, *domain, *label;
    const char *why;             /* it cannot be taken; NULL: it can, as far as is known */
    int place;                   /* among the nodes of the file */
} sgs_survey_node;

typedef struct sgs_survey { /* lives as long as the graph that comes with it */
    const char *framework, *producer;
    int64_t opset;
    int nnode, nrefused, file_nodes; /* nodes the outputs need; of them refused; in the file */
    sgs_survey_node *node;
    const sgs_source_tensor **in;    /* the model's, or those asked for */
    const char *const *out;
    int nin, nout;
    bool channels_last;          /* the model's own 4-D inputs and outputs are N,H,W,C */
    bool weightless;             /* its weights were not given: what fixed point makes of it is not known */
    const char *unshaped;        /* why an input has no static shape: nodes were judged by their operators alone; or NULL */
    const char *const *cut_in, *const *cut_out; /* the largest part that can be taken, where some is refused */
    int ncut_in, ncut_out, cut_nodes;
} sgs_survey;

/* Imports as sgs_model_import does, but goes on behind what it cannot take.  The graph is whole where s->nrefused is 0 and s->unshaped
 * NULL; else it only holds the survey's memory. */
sgs_status sgs_model_look(sgs_graph **g, sgs_survey *s, const char *path, const sgs_import_options *o, sgs_diag *d);
/* The same from memory, which must outlive the graph. */
sgs_status sgs_model_look_span(sgs_graph **g, sgs_survey *s, const char *path, sgs_span model, const sgs_import_options *o, sgs_diag *d);

#endif
