/* Graph passes.  The pipeline is a table that reads downwards; each pass says what it needs done before it. */
#ifndef SGS_PASS_H
#define SGS_PASS_H

#include "ops/op.h"

typedef struct sgs_pass {
    const char *name;
    sgs_status (*run)(sgs_graph *g, bool *changed, sgs_diag *d);
    bool always;           /* run under --skip_simplify too */
} sgs_pass;
#define SGS_UNSIMPLIFIED "sgs.skip_simplify" /* metadata of a graph that only the passes marked `always` have seen */

extern const sgs_pass sgs_pipeline[];  /* ends with name NULL */

typedef struct sgs_pass_options {
    bool skip_simplify, verify;
    const char *dump_after;
    const sgs_log *log;
} sgs_pass_options;
sgs_status sgs_run_passes(sgs_graph *g, const sgs_pass_options *o, sgs_diag *d);
/* A float graph as the quantizer takes it: operators that fixed point does not know are spelled out in others, and the passes walk again.  Of equal
 * graphs it makes equal ones, ids too; one without such operators stays as it is. */
sgs_status sgs_spell_out(sgs_graph *g, sgs_diag *d);

#endif
