#ifndef SGS_ONNX_BUILD_H
#define SGS_ONNX_BUILD_H

#include "import/onnx_read.h"

typedef struct sgs_onnx_order {
    const sgs_source_node **node;
    int n;
} sgs_onnx_order;

/* Whether a node has an importer that has not refused it. */
bool sgs_onnx_takes(const sgs_onnx *o, const sgs_source_node *n);
/* The nodes that the outputs need, makers first, not looking behind tensors in `stop`.  Cycles are an error. */
sgs_status sgs_onnx_sort(sgs_onnx *o, sgs_map *stop, const char *const *outputs, int n, sgs_onnx_order *order, sgs_diag *d);

typedef struct sgs_onnx_ends {
    const char *const *input;
    int ninput;
    const char *const *output;
    int noutput;
} sgs_onnx_ends;

/* Names, each once, in the order of the nodes. */
typedef struct sgs_onnx_names {
    const char **name;
    int n;
    sgs_map seen;
} sgs_onnx_names;

/* The largest part that can be taken: its number of nodes, and the tensors between which it lies. */
int sgs_onnx_cut(sgs_onnx *o, const sgs_onnx_order *order, const sgs_onnx_ends *ends, sgs_onnx_names *in, sgs_onnx_names *out);
/* Fails with every unsupported node by name, and in the hint the cut that leaves the largest supported part. */
sgs_status sgs_onnx_supported(sgs_onnx *o, const sgs_onnx_order *order, const sgs_onnx_ends *ends, sgs_diag *d);

#endif
