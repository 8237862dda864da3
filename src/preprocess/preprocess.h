/* The user's pictures through the user's own Python: worker processes import preprocess.py and send arrays back over
 * pipes, in order.  preprocess/worker.py is the other end. */
#ifndef SGS_PREPROCESS_H
#define SGS_PREPROCESS_H

#include "config/config.h"
#include "ir/ir.h"

typedef struct sgs_array {
    sgs_type type;
    int rank;
    int64_t dim[SGS_MAX_RANK];
    const void *data; /* dense row-major */
    size_t bytes;
} sgs_array;

typedef struct sgs_samples sgs_samples;
/* Lists the pictures and checks that they and the scripts exist.  ninput: of the model. */
sgs_status sgs_samples_open(sgs_samples **s, const sgs_samples_options *o, int ninput, bool norm, sgs_diag *d);
int sgs_samples_count(const sgs_samples *s);
/* Before the first sgs_samples_next: leaves out every sample i whose keep[i] is false. */
void sgs_samples_keep(sgs_samples *s, const bool *keep);
/* Before the first sgs_samples_next: that gives array[2 * ninput] then; array[ninput + i] is f32 [4,4,3], the mean
 * colours (R, G, B) of the parts of input i's file, or empty where the file is no picture. */
void sgs_samples_files(sgs_samples *s);
const char *sgs_samples_path(const sgs_samples *s, int sample, int input);
const char *const *sgs_samples_scripts(const sgs_samples *s); /* [ninput] */
/* The next sample, in order; array[ninput] stays valid until the next call.  *end true: no more. */
sgs_status sgs_samples_next(sgs_samples *s, sgs_array *array, bool *end, sgs_diag *d);
void sgs_samples_close(sgs_samples *s); /* ends the workers */

/* ---- draw.c: the user's pictures measured and drawn on, by a process of the user's Python -------------------------- */

typedef struct sgs_canvas sgs_canvas;
sgs_status sgs_canvas_open(sgs_canvas **c, sgs_diag *d);
/* size: height and width as OpenCV reads the picture; 0, 0 where it reads none.  `boxes`: "" or the boxes to be drawn, as draw.py takes them; then *png
 * are the bytes of a PNG file, valid until the next call. */
sgs_status sgs_canvas_draw(sgs_canvas *c, const char *path, const char *boxes, int32_t size[2], sgs_span *png, sgs_diag *d);
void sgs_canvas_close(sgs_canvas *c);

/* What the model takes. */
typedef struct sgs_want {
    const char *name; /* of the input, for messages */
    sgs_type type;
    int rank;
    const int64_t *dim;
} sgs_want;
/* Input `input` of the sample that the last sgs_samples_next gave, into out (dense, want's type).  The dims must be
 * equal; elements are converted where no value changes, else it is an error naming
 * script, picture, expected and found. */
sgs_status sgs_samples_take(const sgs_samples *s, int input, const sgs_array *a, const sgs_want *want, void *out,
                            sgs_diag *d);

/* ---- board.c: from what a script returns to what a board gives, as include/openipu/ipu.h lays it out --------------- */

/* Whether the board's channels stand the other way round; those of YUV_NV12 are R, G, B. */
bool sgs_channels_reversed(sgs_data_format training, sgs_data_format input);
/* Whether the board's array is another than the network's picture, or may be: by its format, or by an alignment.  Such an input of a fixed-point
 * model is that array, and the model begins by taking the picture out of it. */
bool sgs_board_framed(const sgs_input_config *in);
/* That array, of a picture of these dims.  False: it has 2 GiB or more. */
bool sgs_board_dims(const sgs_input_config *in, const int64_t dim[4], int64_t board[4]);
/* The same as an error of the ini. */
sgs_status sgs_board_check(const sgs_config *c, int input, const int64_t dim[4], sgs_diag *d);
/* The picture in a fixed-point graph: the input itself where it is not framed. */
sgs_status sgs_board_picture(sgs_graph *g, int input, const sgs_input_config *in, const sgs_value **picture,
                             sgs_diag *d);
/* `in` is an image; what pads it is 0. */
void sgs_to_board(const sgs_input_config *in, const int64_t dim[4], const void *picture, void *board);
/* sgs_samples_take for a fixed-point model, into the array of the board; `want` is the picture. */
sgs_status sgs_samples_board(const sgs_samples *s, int input, const sgs_array *a, const sgs_input_config *in,
                             const sgs_want *want, void *out, sgs_diag *d);

/* Whether samples differ from one another: calibration learns nothing from the same picture again.  Of each sample the
 * means of parts of each input are kept. */
typedef struct sgs_variety sgs_variety;
sgs_variety *sgs_variety_new(sgs_arena *a, int samples);
/* Input `input` of sample `sample`; f32 arrays alone count.  All samples in order, all inputs of one together. */
void sgs_variety_add(sgs_variety *v, int sample, const sgs_want *want, const void *data);
/* A warning where more than half of the samples are nearly the same as an earlier one. */
void sgs_variety_say(const sgs_variety *v, const sgs_samples *s, const sgs_log *log);

/* Before the long step: does the script normalize as the ini says?  Runs the first sample with norm=True and norm=False
 * and compares; what differs becomes a warning with the mean and std_value that the script's numbers show.  Some more
 * pictures with norm=False are compared with their files: warnings where red and blue, or the axes, look mixed up.
 * want: [nin] of the float model.  Fails only where norm=True does. */
sgs_status sgs_preflight(const sgs_config *c, const sgs_samples_options *o, const sgs_want *want, const sgs_log *log,
                         sgs_diag *d);

#endif
