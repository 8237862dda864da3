/* Where values lie: what lower.c (the walk over the graph) and views.c (operators that only move data) share. */
#ifndef SGS_PLACE_H
#define SGS_PLACE_H

#include "compile/lower.h"
#include "ops/nest.h"

#define SGS_CONSTANTS (-1) /* in the place of a buffer's number: the const section */

typedef struct sgs_place {
    bool set;
    int buffer;
    int64_t off, stride[SGS_MAX_RANK]; /* bytes; of an axis with one element: anything */
} sgs_place;

typedef struct sgs_const_span {
    uint32_t off;
    int64_t bytes;
} sgs_const_span;

struct sgs_lowering {
    sgs_program *p;
    sgs_graph *g;
    sgs_place *at; /* by value id */
    int record_cap, buffer_cap;
    sgs_const_span *consts;
    int nconst, const_cap;
    int *const_at; /* of consts, by their bytes: 1 + index, 0: free; open addressing, less than half full */
    size_t nconst_at;
    bool plain;        /* no views: every value lies in a buffer of its own */
    const char *limit; /* the first size that the image cannot express; reported by sgs_lower_emit */
};

/* ---- lower.c ---- */

sgs_place sgs_place_dense(const sgs_value *v, int buffer, int64_t off);
sgs_place sgs_place_new(sgs_lowering *l, const sgs_value *v);
/* v's place, made when it has none. */
sgs_place *sgs_place_of(sgs_lowering *l, const sgs_value *v);
/* Made by a record of this graph and not yet given a place. */
bool sgs_placeable(const sgs_lowering *l, const sgs_value *v);
bool sgs_place_same(const sgs_value *v, const sgs_place *a, const sgs_place *b);
/* The window of v there. */
ipu_ref sgs_place_window(sgs_lowering *l, const sgs_value *v, const sgs_place *at);
/* [n][h][w][c] from byte `off` of a buffer on. */
ipu_ref sgs_place_ref(sgs_lowering *l, sgs_type t, int buffer, int64_t off, const int64_t dim[4],
                      const int64_t stride[4]);

/* ---- move.c ---- */

/* Elements of type t from one place to another: operand 0 of the nest walks `to`, operand 1 `from`, of which only
 * buffer and offset count. */
sgs_status sgs_place_copy(sgs_lowering *l, const sgs_node *layer, sgs_type t, const sgs_place *to,
                          const sgs_place *from, const sgs_nest *over, sgs_diag *d);

/* ---- views.c ---- */

/* Backwards over the graph: places for the inputs of n where its result lies. */
void sgs_views_place(sgs_lowering *l, const sgs_node *n);

#endif
