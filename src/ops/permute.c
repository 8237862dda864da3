/* How the attributes of common kinds of op follow a transposition of their inputs. */
#include "ops/op.h"

bool sgs_permute_elementwise(const sgs_node *n, const int64_t *perm, int rank, void *attr)
{
    return true;
}

bool sgs_permute_axis(const sgs_node *n, const int64_t *perm, int rank, void *attr)
{
    sgs_axis_attr *a = attr;
    if (a->axis < 0 || a->axis >= rank)
        return false;
    a->axis = perm[a->axis];
    return true;
}
