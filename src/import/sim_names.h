/* What TFLite has no place for, in one metadata buffer: which tensors stand for absent ones; names of nodes, which operators together are
 * one node; aliases, swallowed names, reasons and axes of tensors.  And attributes of custom ops as bytes. */
#ifndef SGS_SIM_NAMES_H
#define SGS_SIM_NAMES_H

#include "ops/op.h"

#define SGS_NAMES_META "sgs.names"

typedef enum sgs_stand { /* a tensor that only the schema needs; the node has */
    SGS_STAND_NONE, /* none there: it is a tensor of its own */
    SGS_STAND_CUT,  /* a shorter list of inputs */
    SGS_STAND_NULL  /* NULL in its place */
} sgs_stand;

typedef struct sgs_names_tensor {
    const sgs_value *value; /* NULL: made by the writer */
    sgs_stand stand;
} sgs_names_tensor;

void sgs_names_pack(const sgs_names_tensor *tensor, int ntensor, const sgs_node *const *node, int nnode, sgs_buf *out);

typedef struct sgs_names_reader {
    sgs_span left;
    bool ok;
} sgs_names_reader;
/* In the order they were packed: per tensor its stand, per operator, per tensor its names.  Strings are copied into the graph's arena. */
sgs_stand sgs_names_stand(sgs_names_reader *r);
const char *sgs_names_node(sgs_names_reader *r, sgs_graph *g, bool *goes_on); /* NULL: none; goes_on: the next operator is part of this node */
void sgs_names_value(sgs_names_reader *r, sgs_graph *g, sgs_value *v);        /* v NULL: skipped */

void sgs_attrs_pack(const sgs_node *n, sgs_buf *out);
/* Into op->attr_bytes of zeroed memory; false when the bytes do not fit the op. */
bool sgs_attrs_unpack(const sgs_op *op, sgs_span bytes, void *attr);

/* sgs_sim_write_buf with another limit for constants inside the FlatBuffer: for tests. */
sgs_status sgs_sim_write_limit(sgs_graph *g, sgs_buf *out, int64_t inline_limit, sgs_diag *d);

#endif
