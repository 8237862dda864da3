/* Inside preprocess/: the list of pictures, and one worker process. */
#ifndef SGS_WORKERS_H
#define SGS_WORKERS_H

#include "preprocess/preprocess.h"

/* ---- pictures.c: what -i names (DECISIONS 11) ------------------------------------------------------------------ */

typedef struct sgs_pictures {
    int count, ninput;
    char **path; /* [count * ninput] */
} sgs_pictures;
sgs_status sgs_pictures_list(sgs_pictures *p, sgs_arena *a, const char *images, int ninput, sgs_diag *d);

/* ---- worker.c: one process of the user's interpreter ----------------------------------------------------------- */

extern const char sgs_worker_source[], sgs_draw_source[]; /* frames.py and worker.py, frames.py and draw.py */

typedef struct sgs_crew {
    const char *source;        /* what the interpreter runs */
    const char *const *script; /* [ninput] */
    int ninput;
    bool norm;
    bool files;  /* answers hold the files' colours too */
    int timeout; /* seconds */
    const char *python;
    int life[2]; /* a pipe: while life[1] is open, the workers live */
} sgs_crew;

typedef struct sgs_worker {
    int pid, talk; /* 0, -1: not running */
} sgs_worker;

const char *sgs_python(sgs_arena *a);
sgs_status sgs_worker_start(sgs_worker *w, const sgs_crew *crew, sgs_diag *d);
/* Asks for a sample: ninput paths. */
sgs_status sgs_worker_ask(sgs_worker *w, const sgs_crew *crew, char *const *path, sgs_diag *d);
/* Arrays of an answer. */
int sgs_crew_arrays(const sgs_crew *crew);
/* Waits for the answer; data[i] is reallocated to hold array[i]. */
sgs_status sgs_worker_answer(sgs_worker *w, const sgs_crew *crew, char *const *path, sgs_array *array, void **data,
                             sgs_diag *d);
void sgs_worker_dismiss(sgs_worker *w);        /* nothing more will be asked */
void sgs_worker_end(sgs_worker *w, bool kill); /* waits a little, then kills */

/* ---- preprocess.c, for take.c: the picture of the last answer -------------------------------------------------- */

const char *sgs_samples_last(const sgs_samples *s, int input, const char **script, bool *norm);

#endif
