/* A Caffe network: prototxt and caffemodel. */
#ifndef SGS_CAFFE_IMPORT_H
#define SGS_CAFFE_IMPORT_H

#include "import/frontend.h"

extern const sgs_frontend sgs_frontend_caffe;

#endif
