#ifndef SGS_ONNX_BUILD_H
#define SGS_ONNX_BUILD_H

#include "import/onnx_read.h"

typedef struct sgs_onnx_order {
    const sgs_source_node **node;
    int n;
} sgs_onnx_order;

/* The importer of a node's operator at the model's opset; NULL: not supported. */
const sgs_from *sgs_onnx_importer(const sgs_source_node *n);
/* The nodes that the outputs need, makers first, not looking behind tensors in `stop`.  Cycles are an error. */
sgs_status sgs_onnx_sort(sgs_onnx *o, sgs_map *stop, const char *const *outputs, int n, sgs_onnx_order *order, sgs_diag *d);
typedef struct sgs_onnx_ends {
    const char *const *input;
    int ninput;
    const char *const *output;
    int noutput;
} sgs_onnx_ends;

/* Fails with every unsupported node by name, and in the hint the cut that leaves the largest supported part. */
sgs_status sgs_onnx_supported(sgs_onnx *o, const sgs_onnx_order *order, const sgs_onnx_ends *ends, sgs_diag *d);

#endif
