/* Which convolutions of a fixed-point model to give 16 bits, from what each layer loses. */
#ifndef SGS_RAISE_H
#define SGS_RAISE_H

#include "sim/layers.h"

typedef struct sgs_raise_question {
    const sgs_layers *l;
    const double *share; /* by layer: its noise at the outputs when it is alone, as a share of their signal */
    const double *wide;  /* the same of a convolution with 16 bits instead of 8 */
    double now;          /* that share of the whole model */
    double gain;         /* decibels to win */
} sgs_raise_question;
/* Those that win it for the fewest multiplications, in *raise, in a's memory; returns how many.  Where all there are do
 * not win it, all that win a tenth of a decibel; 0: none does. */
int sgs_raise_choose(const sgs_raise_question *q, sgs_arena *a, sgs_raise **raise);

#endif
