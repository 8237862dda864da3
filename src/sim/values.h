/* Integers of a fixed-point graph as real numbers, and back. */
#ifndef SGS_VALUES_H
#define SGS_VALUES_H

#include "ir/ir.h"

/* Element i as it is stored. */
double sgs_stored(sgs_type t, const void *data, int64_t i);
/* What element i of v stands for: by its scale where it has one. */
double sgs_real(const sgs_value *v, const void *data, int64_t i);
/* Of which entry of v's scales element i is. */
int64_t sgs_scale_index(const sgs_value *v, int64_t i);
/* Ends of the integers that the quantizer writes; false: the type has no scale. */
bool sgs_ends(sgs_type t, int32_t *least, int32_t *most);
/* What v holds in the place of the numbers of `from`, which are real or integers: rounded to the nearest, within the
 * type's ends. */
void sgs_round_to(const sgs_value *v, void *data, sgs_type from, const void *x);
/* How many of the n numbers stand before the first that is NaN or infinity: n where none is. */
int64_t sgs_finite(const float *x, int64_t n);

#endif
