/* What the stages that calibrate share: a float model before, a fixed-point model after. */
#ifndef SGS_QUANT_MODEL_H
#define SGS_QUANT_MODEL_H

#include "config/config.h"
#include "quant/mode.h"
#include "quant/quantize.h"

#define SGS_FEW_SAMPLES 10 /* fewer get a warning */

/* Whether that mode asks what 8 bits do to the outputs: to choose between 8 and 16, with a warning where the ini takes
 * that from it, or to choose where 8 bits end. */
bool sgs_mode_weighs(const sgs_mode *mode, const sgs_config *c, const sgs_log *log);
/* X_float.sim -> X_fixed.sim, any other X.sim -> X_fixed.sim; beside the model, in the folder `out`, or the file `out`.
 */
const char *sgs_fixed_path(sgs_arena *a, const char *model, const char *out);
/* Whether g, read from `path`, is a float model that ConvertTool made with an ini of the same names, formats and
 * layouts. */
sgs_status sgs_float_model_check(const sgs_graph *g, const char *path, const sgs_config *ini, sgs_diag *d);
/* That model as the quantizer takes it: operators that fixed point does not know are spelled out.  The same ids
 * whenever it is read. */
sgs_status sgs_float_model_read(sgs_graph **g, const char *path, sgs_diag *d);
/* The same with the values of constants that o->params brings. */
sgs_status sgs_float_model_read_with(sgs_graph **g, const char *path, const sgs_qoptions *o, sgs_diag *d);
/* Whether it has a fixed-point form, on a graph of its own; o is of another one of the same file. */
sgs_status sgs_float_model_plan(const char *path, const sgs_qoptions *o, sgs_diag *d);
/* Puts in front of the images what takes them out of the arrays that a board gives (sgs_board_framed). */
sgs_status sgs_frame_images(sgs_graph *g, const sgs_config *ini, sgs_diag *d);
/* Notes in g, by now fixed, what made it; `list` is of the arrays that calibrated. */
void sgs_fixed_mark(sgs_graph *g, const sgs_config *ini, const sgs_mode *mode, const uint8_t list[32]);

/* ---- make.c ---- */

typedef struct sgs_making {
    const char *path; /* of the float model */
    sgs_graph *g;     /* it, as it was calibrated */
    const sgs_config *ini;
    const struct sgs_params *params; /* what the user brings, or NULL */
    sgs_mode mode;
    const sgs_statistics *statistics;
    const sgs_range *range; /* what they say */
    sgs_weighed weighed;
    bool saving;        /* less memory, more time */
    const float *least; /* by value id: what its range holds at least; 0: nothing; NULL: nothing at all */
    sgs_threads *threads;  /* share what it costs; NULL: none do.  The model is the same */
    sgs_kept_scales *kept; /* of models made before; sgs_make_fixed has its own */
    const char *learned;   /* a file for layers whose weights are learned, as long as not all are; NULL: none */
    const sgs_log *log;
} sgs_making;
/* The fixed-point model of that mode, marked as such; to be freed. */
sgs_status sgs_make_fixed(sgs_graph **out, const sgs_making *m, sgs_diag *d);
/* That of one recipe, not marked; what it says goes to `log`. */
sgs_status sgs_make_by(sgs_graph **out, const sgs_making *m, const sgs_recipe *recipe, const sgs_log *log, sgs_diag *d);

#endif
