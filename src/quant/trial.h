/* Fixed-point models made for a look: they run on samples that the statistics kept, as a board runs them, beside the
 * float model. */
#ifndef SGS_TRIAL_H
#define SGS_TRIAL_H

#include "quant/model.h"
#include "sim/fixed.h"

struct sgs_session;

typedef struct sgs_trials sgs_trials;
/* Runs the float model of m, which must outlive it, on the samples of all trials.  In a. */
sgs_status sgs_trials_new(sgs_trials **t, const sgs_making *m, sgs_arena *a, sgs_diag *d);
const sgs_making *sgs_trials_making(const sgs_trials *t);
int sgs_trials_samples(const sgs_trials *t);
/* Of those and of further samples, which are to learn from. */
int sgs_trials_more(const sgs_trials *t);
/* Whether sample k is one of those that something may be fitted to; where there are enough, the others judge. */
bool sgs_trials_fit(const sgs_trials *t, int k);
/* Writes sample k into a session of the float graph, or, as a board gives it, into the inputs of a fixed one. */
void sgs_trials_give(const sgs_trials *t, int k, struct sgs_session *session);
void sgs_trials_give_fixed(const sgs_trials *t, int k, const sgs_graph *fixed, sgs_fixed *f);
/* Means of the channels of what a convolution of the float graph reads, in its sample k, one to fit to; NULL: an input
 * of the graph, or no number. */
const double *sgs_trials_mean(const sgs_trials *t, const sgs_value *v, int k);

/* sgs_recipe.stretch: of one sample and the next, a channel's largest number varies; so far it may go. */
const sgs_stretch *sgs_trials_stretch(const sgs_trials *t);

/* How far a model was from the float one. */
typedef struct sgs_noise sgs_noise;
typedef enum sgs_judges {
    SGS_ALL_JUDGE,
    SGS_OTHERS_JUDGE /* than those that something may be fitted to */
} sgs_judges;
sgs_status sgs_trial_measure(sgs_trials *t, const char *what, sgs_graph *fixed, sgs_judges judges, sgs_noise **n,
                             sgs_diag *d);
/* The SQNR in dB over all that is looked at; of the outputs alone, their noise added up. */
double sgs_noise_db(const sgs_noise *n);
double sgs_noise_output_db(const sgs_noise *n);
/* How many samples it was measured on. */
int sgs_noise_samples(const sgs_noise *n);
/* By a paired test, sample by sample, of two that were measured on the same samples: whether all that is looked at has
 * come nearer, by `gain` dB and a standard error at least, and no output is farther. */
bool sgs_noise_better(const sgs_noise *now, const sgs_noise *before, double gain);
/* On the average of the samples, however small the difference: for what was found better on samples of its own before. */
bool sgs_noise_nearer(const sgs_noise *now, const sgs_noise *before);
/* As the test, of the outputs alone, and surer. */
bool sgs_noise_surely_less(const sgs_noise *now, const sgs_noise *before);

#endif
