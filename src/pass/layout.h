/* Questions about transpositions, shared by the passes layout and reshape. */
#ifndef SGS_LAYOUT_H
#define SGS_LAYOUT_H

#include "pass/rewrite.h"

const int64_t *sgs_perm_of(const sgs_node *transpose);
/* Transposing x by perm leaves the order of its elements as it is. */
bool sgs_moves_nothing(const int64_t *perm, const sgs_value *x);
/* Rules: transpose(transpose(x)) is one transpose of x; a transpose by 0,1,2,... is nothing. */
bool sgs_compose_transposes(sgs_rewriter *r, sgs_node *n);
bool sgs_drop_identity_transpose(sgs_rewriter *r, sgs_node *n);

#endif
