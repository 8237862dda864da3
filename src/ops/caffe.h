/* What the importers of Caffe's layers share.  A layer's tensors are N,C,H,W; its learned arrays stand behind its bottoms. */
#ifndef SGS_OPS_CAFFE_H
#define SGS_OPS_CAFFE_H

#include "ops/spell.h"

/* Bottoms and tops: so many, or an error that says what the layer takes. */
int sgs_caffe_bottoms(const sgs_source_node *s);
void sgs_caffe_expect(sgs_spell *p, int bottoms, int tops);
/* Dimensions a bottom must have: an error else. */
void sgs_caffe_rank(sgs_spell *p, const sgs_value *x, int rank);

/* Learned array k with these dims, axes of 1 aside.  The layer must have `of` arrays.  Where the weights were not given a value that nothing
 * makes stands for it, or, of few elements, a constant: ones.  NULL after an error. */
sgs_value *sgs_caffe_blob(sgs_spell *p, int k, int of, const char *what, int rank, const int64_t *dim);

/* A parameter by its full name, "pooling_param.pad": a list of at most `max`, its length. */
int sgs_caffe_ints(sgs_spell *p, const char *name, int64_t *v, int max);
bool sgs_caffe_has(const sgs_spell *p, const char *name);
bool sgs_caffe_flag(sgs_spell *p, const char *name, bool absent);
/* The parameter as an axis of a tensor of this rank. */
int sgs_caffe_axis(sgs_spell *p, const char *name, int absent, int rank);

/* Sizes that are given once or for height and width apart. */
typedef struct sgs_caffe_sizes {
    const char *both, *h, *w; /* full names of the parameters; h NULL: they stand in the list `both` alone */
    int64_t absent;
} sgs_caffe_sizes;
void sgs_caffe_read_sizes(sgs_spell *p, const sgs_caffe_sizes *z, int64_t out[2]);
void sgs_caffe_at_least(sgs_spell *p, const char *what, const int64_t v[2], int64_t least);

/* An operator of ONNX, of its newest opset, with attributes of its own. */
sgs_src_attr sgs_caffe_int(const char *name, int64_t v);
sgs_src_attr sgs_caffe_float(const char *name, float v);
sgs_src_attr sgs_caffe_list(const char *name, int n, const int64_t *v);
sgs_value *sgs_caffe_call(sgs_spell *p, const char *op, int n, sgs_value *const *in, int nattr, const sgs_src_attr *attr);

/* Where the picture of each channel begins among all elements, [n][c][1][1], pictures of `each` elements. */
sgs_value *sgs_caffe_planes(sgs_spell *p, int64_t n, int64_t c, int64_t each);

/* v as an array that broadcasts over x, its first axis along x's `axis`. */
sgs_value *sgs_caffe_along(sgs_spell *p, sgs_value *v, const sgs_value *x, int axis);

#endif
