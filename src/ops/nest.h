/* Loops over operands that walk their elements in ways of their own: what evaluation and lowering of elementwise
 * operators and of movement share. */
#ifndef SGS_OPS_NEST_H
#define SGS_OPS_NEST_H

#include "ops/op.h"

#define SGS_NEST_OPERANDS 4
#define SGS_NEST_AXES (2 * SGS_MAX_RANK + 1)

/* Operand 0 is the result.  stride: from one index of the axis to the next, in the caller's unit; 0 where the operand
 * is repeated. */
typedef struct sgs_nest {
    int rank, operands;
    int64_t dim[SGS_NEST_AXES], stride[SGS_NEST_OPERANDS][SGS_NEST_AXES];
} sgs_nest;

/* Axes of one element go, and neighbours that all operands walk as if they were one axis become one.  Ends with rank
 * >= 1. */
void sgs_nest_merge(sgs_nest *n);
/* Axes in the order of the result's elements. */
void sgs_nest_sort(sgs_nest *n);
/* Offsets of the operands at an index of the first `axes` axes. */
void sgs_nest_at(const sgs_nest *n, int axes, const int64_t *index, int64_t off[SGS_NEST_OPERANDS]);
/* Operand k is v where the lowering put it: strides in bytes. */
void sgs_nest_operand(struct sgs_lowering *l, sgs_nest *n, int k, const sgs_value *v);
/* Axes of a nest that one record walks as its n and w: those of the result that lie apart by more than its `rows` rows, and side by side within a row;
 * -1: none.  `row`: bytes from one row of the result to the next. */
typedef struct sgs_walked {
    int n, w;
} sgs_walked;
sgs_walked sgs_nest_choose(const sgs_nest *n, int64_t row, int64_t rows);
/* What is left to loop over. */
sgs_nest sgs_nest_without(const sgs_nest *n, sgs_walked axes);
/* dim and stride of a record's n and w, for operand k. */
void sgs_nest_walk(const sgs_nest *n, int k, sgs_walked axes, int64_t dim[4], int64_t stride[4]);
/* An elementwise record, operand k made of v[k], 0 the result; operands are repeated by numpy's rules.  More than four axes are a record for
 * each index of the outer ones. */
sgs_status sgs_nest_emit(struct sgs_lowering *l, const sgs_node *n, ipu_rec *rec, const sgs_value *const *v, int operands, sgs_diag *d);
/* How depth_to_space or space_to_depth goes over y and x, given x's dims and both strides. */
sgs_nest sgs_blocks_walk(const sgs_op *op, const sgs_blocks_attr *a, const int64_t x[4], const int64_t ystride[4],
                         const int64_t xstride[4]);
/* Fills a tensor with elements that are walked with those strides (in bytes, negative ones too) from `from` on. */
void sgs_copy_seen(sgs_tensor *out, const void *from, const int64_t *stride);

#endif
