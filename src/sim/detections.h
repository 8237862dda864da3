/* What a detector's outputs say: boxes, classes, scores. */
#ifndef SGS_DETECTIONS_H
#define SGS_DETECTIONS_H

#include "base/base.h"

typedef struct sgs_detection {
    double left, top, right, bottom; /* 0 .. 1: shares of the picture */
    double score;
    int64_t category; /* from 1, as COCO counts them */
} sgs_detection;

/* Whether outputs are those of a detection tail: boxes [1,N,4] (top, left, bottom, right), classes from 0 [1,N], scores
 * [1,N] and how many there are [1], or one of rows of picture, class from 1, score, left, top, right, bottom,
 * [1,1,N,7], which NHWC makes [1,N,7,1]. Otherwise it fails with their shapes. */
sgs_status sgs_detections_check(int nout, const sgs_io_info *const *out, sgs_diag *d);
/* The most detections of one run, and those of a run, in the model's order. */
int64_t sgs_detections_most(int nout, const sgs_io_info *const *out);
int sgs_detections_read(int nout, const sgs_io_info *const *out, const void *const *data, sgs_detection *to);

#endif
