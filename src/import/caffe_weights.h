/* A caffemodel: the learned arrays of layers, by the layers' names. */
#ifndef SGS_CAFFE_WEIGHTS_H
#define SGS_CAFFE_WEIGHTS_H

#include "import/frontend.h"

typedef struct sgs_caffe_blobs {
    int n, cap;
    sgs_value **blob;
} sgs_caffe_blobs;

typedef struct sgs_caffe_weights {
    sgs_map layer;        /* name -> sgs_caffe_blobs */
    const char **name;    /* of layers with blobs */
    int n;
} sgs_caffe_weights;

/* Reads the file into constants of o's graph; floats that lie well in it are not copied. */
sgs_status sgs_caffe_read_weights(sgs_model *o, const char *path, sgs_caffe_weights *w, sgs_diag *d);

#endif
