/* What a Caffe network's text may hold, and the numbers of what its weights file holds.  The names and numbers are caffe.proto's, with
 * those of the forks whose layers are taken. */
#ifndef SGS_CAFFE_SCHEMA_H
#define SGS_CAFFE_SCHEMA_H

#include "import/prototxt.h"

extern const sgs_text_type sgs_caffe_net;

/* Words of V1LayerParameter.type by their numbers, and the layer types they became. */
extern const char *const sgs_caffe_v1_words[], *const sgs_caffe_v1_types[];

enum { CAFFE_TRAIN, CAFFE_TEST };

/* ---- the weights file ---- */
enum { NET_NAME = 1, NET_V1 = 2, NET_LAYER = 100 };
enum { LAYER_NAME = 1, LAYER_TYPE = 2, LAYER_BLOBS = 7 };
enum { V1_V0 = 1, V1_NAME = 4, V1_BLOBS = 6 };
enum { V0_NAME = 1, V0_BLOBS = 50 };
enum { BLOB_NUM = 1, BLOB_CHANNELS, BLOB_HEIGHT, BLOB_WIDTH, BLOB_DATA = 5, BLOB_SHAPE = 7, BLOB_DOUBLES = 8, SHAPE_DIMS = 1 };

#endif
