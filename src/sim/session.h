/* A float graph made ready to run: oneDNN primitives and packed weights per node, buffers by lifetime.  One thread at a time; sessions of one graph
 * may run side by side, none made meanwhile. */
#ifndef SGS_SESSION_H
#define SGS_SESSION_H

#include "ops/op.h"

typedef struct sgs_session sgs_session;
/* The graph must outlive the session.  keep_all: every value keeps its own buffer (for observers). */
sgs_status sgs_session_new(sgs_session **s, sgs_graph *g, bool keep_all, sgs_diag *d);
void sgs_session_free(sgs_session *s);
const sgs_graph *sgs_session_graph(const sgs_session *s);
int64_t sgs_session_bytes(const sgs_session *s); /* of all buffers */
/* Buffer of any non-constant value (inputs: write before run; others: valid after it, until the next; only with keep_all for inner ones). */
void *sgs_session_data(sgs_session *s, const sgs_value *v);
/* Runs find graph input v there, in the place of what sgs_session_data said. */
void sgs_session_lend(sgs_session *s, const sgs_value *v, void *data);
/* NaN and infinity may go in and come out; else they are errors. */
void sgs_session_any_numbers(sgs_session *s);
sgs_status sgs_session_run(sgs_session *s, sgs_diag *d);
/* With keep_all, after a run: all behind node n again, with what the caller has put in place of its outputs.  Any numbers may come out. */
sgs_status sgs_session_resume(sgs_session *s, const sgs_node *n, sgs_diag *d);
/* Called after each node when set, with the node's outputs still in place: the observer's hook; it works without keep_all. */
void sgs_session_watch(sgs_session *s, void (*fn)(void *user, const sgs_node *n, const sgs_tensor *out), void *user);
/* "oneDNN 2.6.3 avx512_core_vnni ...": the evaluator's identity (DESIGN 9). */
const char *sgs_session_identity(void);

#endif
