/* The files a simulator run leaves: the manual's text forms, arrays as .npy, raw bytes for the board. */
#ifndef SGS_RESULTS_H
#define SGS_RESULTS_H

#include "sim/detections.h"

typedef struct sgs_results {
    const char *folder;
    const char *model;   /* file name, for the text files */
    const char *picture; /* file name of the sample */
    bool skip_garbage;   /* no word of alignment */
} sgs_results;

/* Whether the text file is there; category "unknown", "classification" or "detection". */
bool sgs_results_there(const sgs_results *r, const char *category);

/* "unknown_MODEL_PICTURE.txt": every output with name, shape and values. */
sgs_status sgs_results_unknown(const sgs_results *r, int n, const sgs_io_info *const *info, const void *const *data,
                               sgs_diag *d);
/* "classification_MODEL_PICTURE.txt": the five best scores; label[nlabel] may be NULL. */
sgs_status sgs_results_classes(const sgs_results *r, const sgs_io_info *info, const void *data,
                               const char *const *label, int nlabel, sgs_diag *d);
/* "detection_MODEL_PICTURE.txt": a line of JSON with a comma behind it for each box, in pixels of a picture of size[0]
 * rows, size[1] columns. */
sgs_status sgs_results_detections(const sgs_results *r, const sgs_detection *box, int n, const int32_t size[2],
                                  sgs_diag *d);
/* The same name in another folder, .png. */
sgs_status sgs_results_drawing(const sgs_results *r, const char *folder, sgs_span png, sgs_diag *d);
/* PICTURE.SUFFIX as a numpy file, PICTURE.SUFFIX as bytes. */
sgs_status sgs_results_npy(const sgs_results *r, const char *suffix, const sgs_io_info *info, const void *data,
                           sgs_diag *d);
sgs_status sgs_results_bytes(const sgs_results *r, const char *suffix, const void *data, size_t n, sgs_diag *d);

const char *sgs_dtype_name(sgs_dtype t); /* "float32", as numpy says */
/* Element i as a real number: of what stays integers, that for which they stand. */
double sgs_io_real(const sgs_io_info *info, const void *data, int64_t i);
int64_t sgs_io_count(const sgs_io_info *info);

#endif
