/* What the operators on integers without scale share: ARITHMETIC.md 19. */
#ifndef SGS_OPS_INTEGER_H
#define SGS_OPS_INTEGER_H

#include "ops/op.h"

/* Whether v is of a fixed-point model's integers: U8, S16 or S32, no scale. */
bool sgs_is_integer(const sgs_value *v);
/* Whether a float model's integers of that type have a fixed-point form. */
bool sgs_has_integer_form(sgs_type t);
/* .unfixed of operators on real numbers and such integers: why n, whose first input decides, has no fixed-point form. */
const char *sgs_number_unfixed(const sgs_node *n);
/* y = a op b; mode: IPU_INTEGER_... */
sgs_status sgs_integer_lower(struct sgs_lowering *l, const sgs_node *n, const sgs_value *a, const sgs_value *b,
                             int mode, sgs_diag *d);

#endif
