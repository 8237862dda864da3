/* What the passes are made of: a rule is a question about one node, answered by a changed graph or by "no". */
#ifndef SGS_REWRITE_H
#define SGS_REWRITE_H

#include "pass/pass.h"

typedef struct sgs_rewriter {
    sgs_graph *g;
    sgs_diag *d;
    sgs_status status; /* a rule that fails sets it and returns true */
    int64_t patience;  /* changes left before it must be a bug */
} sgs_rewriter;

/* True: the graph was changed (or status set).  A rule may remove n and nodes before it.  The graph's users are kept, so
 * rules change inputs with sgs_node_set_in. */
typedef bool (*sgs_rule)(sgs_rewriter *r, sgs_node *n);

/* Tries the rules (NULL-terminated) at every node until none applies any more; removes what became unused. */
sgs_status sgs_rewrite(sgs_graph *g, const sgs_rule *rules, bool *changed, sgs_diag *d);
/* Removes nodes whose outputs nobody uses. */
bool sgs_remove_dead(sgs_graph *g);

/* ---- questions ------------------------------------------------------------------------------- */

/* The one user of a value; NULL: there are others, or none. */
sgs_node *sgs_only_user_of(sgs_rewriter *r, const sgs_value *v);
/* v is used by n alone, once, and is no output of the graph. */
bool sgs_used_only_by(sgs_rewriter *r, const sgs_value *v, const sgs_node *n);
/* One use: one input slot of one node, or one output of the graph. */
bool sgs_used_once(sgs_rewriter *r, const sgs_value *v);
bool sgs_is_graph_output(sgs_rewriter *r, const sgs_value *v);
bool sgs_is_const_f32(const sgs_value *v);
/* sgs_feeds_softmax */
bool sgs_only_weighed(sgs_rewriter *r, const sgs_value *v);
/* Transposing these dims by perm leaves all elements in their order: the axes of more than one stay as they follow each
 * other. */
bool sgs_keeps_order(const int64_t *perm, int rank, const int64_t *dim);
bool sgs_same_dims(const sgs_value *a, const sgs_value *b);
/* v's producer when that is a convolution of any kind or an fc without activation, with constant weights (and bias), used
 * by n alone. */
sgs_node *sgs_open_conv(sgs_rewriter *r, sgs_value *v, const sgs_node *n);
/* The value of a constant that broadcasts one number to each of `channels` of the last axis (or one to all); NULL
 * otherwise. */
const float *sgs_per_channel(sgs_rewriter *r, const sgs_value *v, int64_t channels);

/* ---- changes --------------------------------------------------------------------------------- */

/* A node before `before`.  Its output is `out`, which leaves its old producer, or a new value when out is NULL.  NULL:
 * status is set. */
sgs_value *sgs_put(sgs_rewriter *r, sgs_node *before, const sgs_op *op, int nin, sgs_value *const *in, const void *attr,
                   sgs_value *out);
sgs_value *sgs_put_transpose(sgs_rewriter *r, sgs_node *before, sgs_value *x, const int64_t *perm, sgs_value *out);
sgs_value *sgs_put_reshape(sgs_rewriter *r, sgs_node *before, sgs_value *x, int rank, const int64_t *dim,
                           sgs_value *out);
/* `old` and `now` are the same tensor: its uses and names move.  False, and nothing done, when an output of the graph
 * would become its input, a constant, or another output. */
bool sgs_forward(sgs_rewriter *r, sgs_value *old, sgs_value *now);

/* `gone`, which is transpose(now, perm), will be no more.  Where it is `now` as a channel-first framework sees it, its
 * names go on with `now`; otherwise they are swallowed. */
void sgs_hand_names(sgs_graph *g, sgs_value *now, sgs_value *gone, const int64_t *perm);

/* A constant of v's elements to write into: v itself where it is used once and nobody else has them, else a copy. */
sgs_value *sgs_writable(sgs_rewriter *r, sgs_value *v);
/* Scales the convolution `conv` per output channel and shifts it: y' = y * scale[c] + shift[c] (either may be NULL); y'
 * is `out`, an output of a node that this replaces. */
bool sgs_scale_conv(sgs_rewriter *r, sgs_node *conv, const double *scale, const double *shift, sgs_value *out,
                    sgs_value *shift_source);

/* The passes. */
sgs_status sgs_pass_fold_const(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_dead(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_share(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fold_dynamic(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fold_matmul(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_layout(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fold_bn(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fold_arith(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fuse_func(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fuse_norm(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fold_bias(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fold_mask(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fold_pad(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fuse_blocks(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_fuse_act(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_sink_reshape(sgs_graph *g, bool *changed, sgs_diag *d);
sgs_status sgs_pass_reshape(sgs_graph *g, bool *changed, sgs_diag *d);

#endif
