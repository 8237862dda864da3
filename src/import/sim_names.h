/* What TFLite has no place for, in one metadata buffer: aliases, swallowed names and reasons of tensors, names of nodes.  And attributes of custom
 * ops as bytes. */
#ifndef SGS_SIM_NAMES_H
#define SGS_SIM_NAMES_H

#include "ops/op.h"

#define SGS_NAMES_META "sgs.names"

void sgs_names_pack(const sgs_value *const *value, int nvalue, const sgs_node *const *node, int nnode, sgs_buf *out);

typedef struct sgs_names_reader {
    sgs_span left;
    bool ok;
} sgs_names_reader;
/* In the order they were packed: per tensor, then per operator.  Strings are copied into the graph's arena. */
void sgs_names_value(sgs_names_reader *r, sgs_graph *g, sgs_value *v);     /* v NULL: skipped */
const char *sgs_names_node(sgs_names_reader *r, sgs_graph *g);            /* NULL: none */

void sgs_attrs_pack(const sgs_node *n, sgs_buf *out);
/* Into op->attr_bytes of zeroed memory; false when the bytes do not fit the op. */
bool sgs_attrs_unpack(const sgs_op *op, sgs_span bytes, void *attr);

/* sgs_sim_write_buf with another limit for constants inside the FlatBuffer: for tests. */
sgs_status sgs_sim_write_limit(sgs_graph *g, sgs_buf *out, int64_t inline_limit, sgs_diag *d);

#endif
