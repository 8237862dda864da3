#ifndef SGS_MODEL_ORDER_H
#define SGS_MODEL_ORDER_H

#include "import/frontend.h"

typedef struct sgs_model_order {
    const sgs_source_node **node;
    int n;
} sgs_model_order;

/* Whether a node has an importer that has not refused it. */
bool sgs_model_takes(const sgs_model *o, const sgs_source_node *n);
/* The nodes that the outputs need, makers first, not looking behind tensors in `stop`.  Cycles are an error. */
sgs_status sgs_model_sort(sgs_model *o, sgs_map *stop, const char *const *outputs, int n, sgs_model_order *order, sgs_diag *d);

typedef struct sgs_model_ends {
    const char *const *input;
    int ninput;
    const char *const *output;
    int noutput;
} sgs_model_ends;

/* Names, each once, in the order of the nodes. */
typedef struct sgs_model_names {
    const char **name;
    int n;
    sgs_map seen;
} sgs_model_names;

/* The largest part that can be taken: its number of nodes, and the tensors between which it lies. */
int sgs_model_cut(sgs_model *o, const sgs_model_order *order, const sgs_model_ends *ends, sgs_model_names *in, sgs_model_names *out);
/* Fails with every unsupported node by name, and in the hint the cut that leaves the largest supported part. */
sgs_status sgs_model_supported(sgs_model *o, const sgs_model_order *order, const sgs_model_ends *ends, sgs_diag *d);

#endif
