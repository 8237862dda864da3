/* Quantization parameters of a model as files hold them: the manual's list of dictionaries with name, min, max, bit and
 * data. */
#ifndef SGS_QUANT_PARAM_H
#define SGS_QUANT_PARAM_H

#include "config/tree.h"

typedef struct sgs_param {
    const char *name;
    int line;                          /* in the file; 0: unknown */
    int n;                             /* ranges: 0, 1 or one a channel */
    const double *lo, *hi;             /* [n], finite, lo <= hi */
    int bit;                           /* 4, 8, 16, 32, 64; 0: not said */
    const struct sgs_tree_array *data; /* finite values of a constant, or NULL */
} sgs_param;

typedef struct sgs_params {
    const char *file; /* for messages */
    int n;
    const sgs_param *param;
    sgs_arena *arena;
    sgs_file mapped;
} sgs_params;

/* Either from a file or, with bytes that outlive it, from them.  Names are unique. */
sgs_status sgs_params_read(sgs_params **p, const char *path, sgs_diag *d);
sgs_status sgs_params_parse(sgs_params **p, const char *file, sgs_span bytes, sgs_diag *d);
void sgs_params_free(sgs_params *p); /* NULL is fine */
/* Those of a quant_config.yaml's PRESET_MIN_MAX_BIT: without data, null is as good as absent.  Of p the file and the
 * arena are set, which is the tree's; nothing is to be freed but that. */
sgs_status sgs_params_preset(sgs_params *p, const sgs_tree *list, sgs_diag *d);
/* Where entry e stands, for the diagnostic that is being made. */
sgs_status sgs_param_fail_at(const sgs_params *p, const sgs_param *e, sgs_diag *d);

/* ---- writing ---------------------------------------------------------------------------------------------------- */

typedef struct sgs_saved {
    const char *name;
    int n; /* 0: no ranges */
    const double *lo, *hi;
    int bit;
    int rank; /* of data */
    const int64_t *dim;
    const double *data; /* row-major, or NULL: left out */
} sgs_saved;
/* Numbers as the shortest decimals that read back the same; the pickle is of protocol 4, with data as numpy arrays of
 * float64. */
void sgs_saved_json(const sgs_saved *s, int n, sgs_buf *out);
void sgs_saved_pickle(const sgs_saved *s, int n, sgs_buf *out);

#endif
