/* How near a fixed-point model comes to its float model: both on some of the calibration's own samples, the float model
 * while it calibrates, the fixed one as a board runs it, with what the script returns for norm=False. */
#ifndef SGS_QUALITY_H
#define SGS_QUALITY_H

#include "preprocess/preprocess.h"
#include "sim/session.h"

#define SGS_QUALITY_SAMPLES 10 /* compared at most: enough to see a decibel, few enough to cost seconds */

typedef struct sgs_quality sgs_quality;
/* For a float graph that will see `samples` samples; all must outlive it. */
sgs_quality *sgs_quality_new(sgs_arena *a, const sgs_graph *g, const sgs_config *c, int samples);
/* After a float run: keeps the outputs, and the raw inputs, of a sample that will be compared. */
void sgs_quality_keep(sgs_quality *q, int sample, sgs_session *session);
/* Runs g, by now the fixed graph, on those samples.  What keeps it from measuring is a warning and r->samples 0. */
void sgs_quality_measure(sgs_quality *q, sgs_graph *g, const sgs_samples_options *o, const sgs_log *log,
                         sgs_calibrate_report *r);

#endif
