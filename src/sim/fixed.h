/* A fixed graph made ready to run: its records, one after the other, each value in memory of its own. */
#ifndef SGS_FIXED_H
#define SGS_FIXED_H

#include "ir/ir.h"
#include "openipu/ipu.h"

typedef struct sgs_fixed sgs_fixed;
/* The graph and the kernels must outlive it.  par: NULL or the caller's threads, for all runs. */
sgs_status sgs_fixed_new(sgs_fixed **f, sgs_graph *g, const ipu_kernels *kernels, const ipu_parallel *par, sgs_diag *d);
/* One more of the same graph, with memory of its own, at a small part of the cost; `first` must outlive it. */
sgs_status sgs_fixed_again(sgs_fixed **f, const sgs_fixed *first, sgs_diag *d);
void sgs_fixed_free(sgs_fixed *f);
/* Memory of graph input or output i; an input keeps what was written until it is written again. */
void *sgs_fixed_input(const sgs_fixed *f, int i);
const void *sgs_fixed_output(const sgs_fixed *f, int i);
/* Runs find graph input i there, in the place of its memory. */
void sgs_fixed_lend(sgs_fixed *f, int i, void *data);
/* Memory of any value of the graph, written by a run; NULL: a constant. */
void *sgs_fixed_data(const sgs_fixed *f, const sgs_value *v);
/* One node alone, on what the memory of its inputs holds. */
void sgs_fixed_run_node(sgs_fixed *f, const sgs_node *n);
/* Adds to the biases of node n, a convolution, by output channel, in the units of its sums, for the runs to come. */
void sgs_fixed_add_bias(sgs_fixed *f, const sgs_node *n, const double *delta);
/* Node n, a convolution of 8 or 4 bits, has other weights, biases and scales of weights than when f was made: runs of all `count` from here on
 * take these.  Those behind f[0] were made again from it.  On failure they keep what they had. */
sgs_status sgs_fixed_take_weights(sgs_fixed *const *f, int count, const sgs_node *n, sgs_diag *d);
/* Multiplications of one node, and the bytes that its weights and biases take in an image. */
int64_t sgs_fixed_mac(const sgs_fixed *f, const sgs_node *n);
int64_t sgs_fixed_const_bytes(const sgs_fixed *f, const sgs_node *n);
sgs_status sgs_fixed_run(sgs_fixed *f, sgs_diag *d);

#endif
