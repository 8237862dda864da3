/* Spelling a source operator out in operators of ours.  The first error stays in `status` and ends the emission: what
 * is asked for afterwards gives back its first operand, so that a caller looks at `status` once, at the end.
 *
 * One of them to an argument list: C leaves open which of two arguments comes first, and tensors are numbered as they come (tests/test_order.py). */
#ifndef SGS_OPS_SPELL_H
#define SGS_OPS_SPELL_H

#include "ops/util.h"

typedef struct sgs_spell {
    sgs_import *im;
    const sgs_source_node *s;
    sgs_diag *d;
    sgs_status status;
} sgs_spell;

sgs_value *sgs_sp_one(sgs_spell *p, const sgs_op *op, sgs_value *x, const void *attr);
sgs_value *sgs_sp_two(sgs_spell *p, const sgs_op *op, sgs_value *a, sgs_value *b);
/* a + b, or a where b is NULL; a * b; x by weights [outputs][inputs]. */
sgs_value *sgs_sp_sum(sgs_spell *p, sgs_value *a, sgs_value *b);
sgs_value *sgs_sp_product(sgs_spell *p, sgs_value *a, sgs_value *b);
sgs_value *sgs_sp_weighted(sgs_spell *p, sgs_value *x, sgs_value *w);
sgs_value *sgs_sp_number(sgs_spell *p, float v);
/* One integer of a type. */
sgs_value *sgs_sp_integer(sgs_spell *p, sgs_type t, int64_t v);
/* x op v */
sgs_value *sgs_sp_by(sgs_spell *p, const sgs_op *op, sgs_value *x, float v);
sgs_value *sgs_sp_reshape(sgs_spell *p, sgs_value *x, int rank, const int64_t *dim);
/* x with an axis of one element before `axis`, or without that axis. */
sgs_value *sgs_sp_unsqueeze(sgs_spell *p, sgs_value *x, int axis);
sgs_value *sgs_sp_squeeze(sgs_spell *p, sgs_value *x, int axis);
/* perm[rank of x] */
sgs_value *sgs_sp_transpose(sgs_spell *p, sgs_value *x, const int64_t *perm);
/* Elements start, start + step, ... along one axis. */
sgs_value *sgs_sp_slice(sgs_spell *p, sgs_value *x, int axis, int64_t start, int64_t size, int64_t step);
sgs_value *sgs_sp_concat(sgs_spell *p, int n, sgs_value *const *list, int axis);
/* Axes of one element repeated; x has this rank. */
sgs_value *sgs_sp_expand(sgs_spell *p, sgs_value *x, const int64_t *dim);
/* As it is when it has the type already. */
sgs_value *sgs_sp_cast(sgs_spell *p, sgs_value *x, sgs_type t);
/* a where the condition holds, else b. */
sgs_value *sgs_sp_choose(sgs_spell *p, sgs_value *condition, sgs_value *a, sgs_value *b);
/* 0, 1, ... n - 1 as f32 or s32. */
sgs_value *sgs_sp_count(sgs_spell *p, sgs_type t, int64_t n);
/* The elements that an index of x's rank points to along one axis. */
sgs_value *sgs_sp_take(sgs_spell *p, sgs_value *x, sgs_value *index, int64_t axis);
/* Over axes first .. rank - 1, which stay. */
sgs_value *sgs_sp_reduce(sgs_spell *p, const sgs_op *op, sgs_value *x, int first);
/* The same tensor as a value that can take another name. */
sgs_value *sgs_sp_own(sgs_spell *p, sgs_value *x);
/* A constant to be filled; NULL when there is no room for it. */
sgs_value *sgs_sp_const(sgs_spell *p, sgs_type t, int rank, const int64_t *dim, void **data);
/* Another source operator with this node's attributes and these inputs, through its own importer. */
sgs_value *sgs_sp_call(sgs_spell *p, const char *op, int n, sgs_value *const *in);
/* The same with other attributes, of which several outputs may be taken: y[nout], NULL where nothing was made. */
typedef struct sgs_call {
    const char *op;
    int nin, nattr, nout;
    sgs_value *const *in;         /* NULL: absent */
    const sgs_src_attr *attr;
    sgs_value **y;
} sgs_call;
void sgs_sp_call_with(sgs_spell *p, const sgs_call *c);
/* sgs_src_fail, sgs_src_refuse */
void sgs_sp_fail(sgs_spell *p, const char *fmt, ...) SGS_PRINTF(2, 3);
void sgs_sp_refuse(sgs_spell *p, const char *fmt, ...) SGS_PRINTF(2, 3);

/* Inputs and attributes; an input that is missing is an error and gives NULL, so look at `status` before using it. */
sgs_value *sgs_sp_in(sgs_spell *p, int i);
int64_t sgs_sp_int(sgs_spell *p, const char *name, int64_t absent);
float sgs_sp_float(sgs_spell *p, const char *name, float absent);
int64_t sgs_sp_axis(sgs_spell *p, const char *name, int64_t absent, int rank);
/* Ties an output that someone wants. */
void sgs_sp_out(sgs_spell *p, int i, sgs_value *v);
bool sgs_sp_wants(const sgs_spell *p, int i);

#endif
