/* What the families share: shapes, strides, attribute tables, constants. */
#ifndef SGS_OPS_UTIL_H
#define SGS_OPS_UTIL_H

#include <stddef.h>

#include "ops/op.h"
#include "ops/source.h"

#define SGS_ATTR_I(T, field) { #field, SGS_ATTR_INT, offsetof(T, field), 1, SGS_ALL, NULL }
#define SGS_ATTR_F(T, field) { #field, SGS_ATTR_FLOAT, offsetof(T, field), 1, SGS_ALL, NULL }
#define SGS_ATTR_V(T, field, len) { #field, SGS_ATTR_INTS, offsetof(T, field), len, SGS_ALL, NULL }
#define SGS_ATTR_VN(T, field, len, count) { #field, SGS_ATTR_INTS, offsetof(T, field), len, offsetof(T, count), NULL }
#define SGS_ATTR_E(T, field, list) { #field, SGS_ATTR_ENUM, offsetof(T, field), 1, SGS_ALL, list }
#define SGS_ATTR_END { NULL, SGS_ATTR_INT, 0, 0, SGS_ALL, NULL }

extern const char *const sgs_act_names[];

/* An output like value v. */
void sgs_shape_like(sgs_tensor *out, const sgs_value *v);
sgs_status sgs_need_rank(const sgs_value *v, int rank, const char *what, sgs_diag *d);
sgs_status sgs_need_type(const sgs_value *v, sgs_type t, const char *what, sgs_diag *d);
/* "[1,3,224,224]" into buf (of at least 128 bytes); returns buf. */
const char *sgs_dims_text(char *buf, size_t n, int rank, const int64_t *dim);
/* numpy broadcasting of two shapes. */
sgs_status sgs_broadcast(const sgs_value *a, const sgs_value *b, sgs_tensor *out, sgs_diag *d);
/* Element strides of `t` seen at out's rank: 0 along repeated axes. */
void sgs_broadcast_strides(const sgs_tensor *t, const sgs_tensor *out, int64_t stride[SGS_MAX_RANK]);
/* Of a dense array, from one index of an axis to the next; `each`: of the last axis. */
void sgs_dense_strides(int rank, const int64_t *dim, int64_t each, int64_t *stride);
int64_t sgs_tensor_count(const sgs_tensor *t);
int64_t sgs_common_divisor(int64_t a, int64_t b);
/* Counts an index up, row-major; false after the last. */
bool sgs_next_index(int64_t *index, int rank, const int64_t *dim);

/* Output size of a window along one axis, or an error that names the axis. */
sgs_status sgs_window(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad, int64_t *out, const char *axis, sgs_diag *d);
/* f32 value after a fused activation. */
float sgs_apply_act(float v, int64_t act, float lo, float hi);
/* The real range an activation lets through: -inf .. inf for none. */
void sgs_act_range(int64_t act, float lo, float hi, float *out_lo, float *out_hi);

/* ONNX kernel_shape/strides/dilations/pads/auto_pad of a window operator over one or two dimensions; pad comes out as top, left, bottom, right.
 * Over one dimension, the width, all heights are 1.  The caller may preset kernel. */
typedef struct sgs_window2d {
    int64_t kernel[2], stride[2], dilation[2], pad[4];
    int64_t extra[2];             /* of pad[2], pad[3]: what ceil_mode added */
} sgs_window2d;
sgs_status sgs_src_window(sgs_import *im, const sgs_source_node *s, const sgs_value *x, sgs_window2d *w, bool ceil_mode, sgs_diag *d);
/* A negative axis counts from the end. */
sgs_status sgs_src_axis(sgs_import *im, const sgs_source_node *s, int64_t *axis, int rank, sgs_diag *d);
sgs_value *sgs_const_ints(sgs_graph *g, const int64_t *v, int n);
/* The slice that takes all of x. */
sgs_slice_attr sgs_slice_all(const sgs_value *x);

#endif
