/* What the levels do: L1 and L2 have a recipe, L3 to L5 choose theirs by trials. */
#ifndef SGS_REFINE_H
#define SGS_REFINE_H

#include "quant/trial.h"

/* What m->level makes of the statistics, in a; what it tries and keeps is said in the log. */
sgs_recipe sgs_refine(const sgs_making *m, sgs_arena *a);

/* ---- correct.c ---- */

/* sgs_recipe.given of a fixed graph: what its convolutions read, on the samples of the trials.  In a. */
sgs_status sgs_means_given(const sgs_trials *t, sgs_graph *fixed, const double *const **given, sgs_arena *a,
                           sgs_diag *d);

/* ---- factor.c ---- */

/* s [n][n] above the diagonal -> R with R'R = s; false: it is no covariance. */
bool sgs_factorize(double *s, int64_t n);

/* sgs_recipe.factor of the float graph, from what its convolutions read on the samples of the trials.  In a. */
sgs_status sgs_factors_measure(const sgs_trials *t, const float *const **factors, sgs_arena *a, sgs_diag *d);

/* ---- retrain.c ---- */

/* sgs_recipe.learned for what that recipe makes, by the iterations of the mode; NULL: there is nothing to learn.  In a. */
sgs_status sgs_retrain(const sgs_trials *t, const sgs_recipe *recipe, const sgs_learned **learned, sgs_arena *a,
                       sgs_diag *d);

#endif
