/* The layers of a network as they are meant: of one kind, whatever the age of the file, and those of the test phase alone. */
#ifndef SGS_CAFFE_LAYERS_H
#define SGS_CAFFE_LAYERS_H

#include "import/frontend.h"
#include "import/prototxt.h"

typedef enum sgs_caffe_role {
    SGS_CAFFE_COMPUTES,
    SGS_CAFFE_GIVES,      /* its tops are inputs of the network */
    SGS_CAFFE_ENDS,       /* nothing is left of it; its bottoms become outputs */
    SGS_CAFFE_SWALLOWS    /* nothing is left of it, nor are its bottoms outputs */
} sgs_caffe_role;

typedef struct sgs_caffe_layer {
    const char *name, *type;
    int line;
    sgs_caffe_role role;
    const char **bottom, **top;
    int nbottom, ntop;
    sgs_src_attr *attr;   /* "convolution_param.num_output" */
    int nattr;
} sgs_caffe_layer;

/* In the file's order. */
sgs_status sgs_caffe_layers(sgs_model *o, const sgs_text_message *net, sgs_caffe_layer **list, int *n, sgs_diag *d);

#endif
