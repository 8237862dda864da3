/* Building the graphs that nodes have as attributes. */
#ifndef SGS_OPS_CONTROL_H
#define SGS_OPS_CONTROL_H

#include "ops/spell.h"

typedef struct sgs_body_run {
    const sgs_src_body *body;
    const sgs_src_bound *in; /* [body->nin] */
    sgs_src_bound *out;      /* [body->nout], filled */
    const char *what;        /* of the node that has it, for messages: "then_branch" */
    bool sealed;             /* sees its inputs alone */
    bool rounds;             /* is built once for each iteration; this one is number `round`, from 0 on */
    int64_t round;
} sgs_body_run;

/* The nodes of a body, in a scope of their own. */
sgs_status sgs_build_body(sgs_import *im, const sgs_source_node *s, const sgs_body_run *r, sgs_diag *d);
/* Ties output i of the node, where someone wants it, to what a body gives. */
sgs_status sgs_body_out(sgs_import *im, const sgs_source_node *s, int i, sgs_src_bound b, sgs_diag *d);
sgs_status sgs_src_body_of(sgs_import *im, const sgs_source_node *s, const char *name, const sgs_src_body **b,
                           sgs_diag *d);

#endif
