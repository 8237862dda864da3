/* Which convolutions have more bits, 16 in the place of 8 or 8 of 4, where all weights together may have so many on the
 * average. */
#ifndef SGS_MIXED_H
#define SGS_MIXED_H

#include "quant/quantize.h"

typedef struct sgs_mixture sgs_mixture;
/* harm: by value id (sgs_weighed), of g: what `narrow` bits, 4 or 8, bring that twice as many take away.  In a. */
sgs_mixture *sgs_mixture_new(const sgs_graph *g, int narrow, const double *harm, sgs_arena *a);

typedef struct sgs_mixed {
    const uint8_t *bits;   /* by id of a convolution's output (sgs_recipe); in the mixture's memory */
    int wide, of;          /* convolutions of more bits, and all */
    double rate;           /* bits of weights on the average, as a share of 16 */
    double harm;           /* that those of fewer bits leave together */
    double missed;         /* so much less some other choice may leave; 0: none leaves less */
} sgs_mixed;
/* The choice that leaves least harm at this rate, from a sixteenth of `narrow` to twice that.  Convolutions that read the same value, and those whose
 * results one addition joins, have the same bits. */
sgs_mixed sgs_mixture_at(const sgs_mixture *m, double rate);

#endif
