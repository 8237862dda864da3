/* Tensors that lie in memory in an order of their own: each axis has its own step.  Reading one gives its elements row by row. */
#ifndef SGS_STRIDED_H
#define SGS_STRIDED_H

#include "base/base.h"

#define SGS_STRIDED_AXES 8

typedef struct sgs_strided {
    const void *from;      /* element 0, at any address */
    int each;              /* bytes of an element: 1, 2, 4 or 8 */
    int rank;
    int64_t dim[SGS_STRIDED_AXES];
    int64_t stride[SGS_STRIDED_AXES]; /* bytes from one index to the next; 0 repeats, negative ones go back */
} sgs_strided;

/* Side by side, row by row. */
sgs_strided sgs_strided_dense(const void *from, int each, int rank, const int64_t *dim);
bool sgs_strided_is_dense(const sgs_strided *s);
int64_t sgs_strided_count(const sgs_strided *s);
/* Axis i of the result is axis perm[i] of s. */
sgs_strided sgs_strided_turn(const sgs_strided *s, const int64_t *perm);
/* The same elements in the same order with other dims of the same product; false: they do not lie so that steps could say it. */
bool sgs_strided_reshape(const sgs_strided *s, int rank, const int64_t *dim, sgs_strided *out);
/* Elements first .. first + n - 1 in row order. */
void sgs_strided_read(const sgs_strided *s, int64_t first, int64_t n, void *to);

#endif
