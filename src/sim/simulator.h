/* What an open simulator (sgs.h) stands on, for what describes it. */
#ifndef SGS_SIMULATOR_H
#define SGS_SIMULATOR_H

#include "config/config.h"
#include "openipu/ipu.h"
#include "sim/session.h"

typedef struct sgs_opened {
    sgs_arena *arena;
    const char *path;
    sgs_graph *g;             /* NULL: an image */
    const sgs_config *config; /* NULL: the model carries none */
    sgs_session *session;     /* NULL: no float model */
    const sgs_details **details;
    const ipu_model *image; /* NULL: no image, nor what follows, with which it runs an element */
    void *scratch, **in, **out;
    const ipu_parallel *par; /* NULL: one thread */
} sgs_opened;
sgs_opened sgs_simulator_opened(sgs_simulator *s);
/* What its description says of an input; refuses what is none. */
sgs_status sgs_input_config_of(const sgs_io_info *t, sgs_input_config *in, sgs_diag *d);
/* A float model, with the graph that the quantizer takes: sgs_spell_out. */
sgs_status sgs_simulator_open_spelled(sgs_simulator **out, const char *path, sgs_diag *d);
/* A model to be described and not run: nothing is made that a run needs. */
sgs_status sgs_simulator_open_described(sgs_simulator **out, const char *path, sgs_diag *d);

#endif
