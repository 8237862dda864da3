/* What the importers of TensorFlow's operators share. */
#ifndef SGS_OPS_TENSORFLOW_H
#define SGS_OPS_TENSORFLOW_H

#include "ops/spell.h"

/* The type that stands for a DataType; -1: none. */
int sgs_tf_type(int64_t dtype);
/* The same of an attribute; absent: `dtype`. */
sgs_type sgs_tf_type_of(sgs_spell *p, const char *attr, int64_t dtype);
/* Whether data_format says that channels come first; other words than NHWC and NCHW are refused. */
bool sgs_tf_first(sgs_spell *p);
/* A picture of the node's own layout with the channels last, and back. */
sgs_value *sgs_tf_last(sgs_spell *p, sgs_value *x, bool first);
sgs_value *sgs_tf_back(sgs_spell *p, sgs_value *y, bool first);
/* strides, dilations and padding; kernel is filled, h and w are the size of what the window slides over. */
void sgs_tf_window(sgs_spell *p, const int64_t size[2], bool first, sgs_window2d *w);
/* Two numbers of an attribute with one for each axis of a picture; the others must be 1. */
void sgs_tf_pair(sgs_spell *p, const char *attr, bool required, bool first, int64_t v[2]);
/* Constant integers of an input: how many; several dimensions in a row. */
int sgs_tf_ints(sgs_spell *p, int slot, int64_t *v, int most);
int64_t sgs_tf_int(sgs_spell *p, int slot);
/* An axis given as an input. */
int sgs_tf_axis(sgs_spell *p, int slot, int rank);
/* Pairs of an input [rank][2]. */
void sgs_tf_pairs(sgs_spell *p, int slot, int rank, int64_t *before, int64_t *after);
/* Integers as a constant of a type. */
sgs_value *sgs_tf_const(sgs_spell *p, sgs_type t, int rank, const int64_t *v, int64_t n);

#endif
