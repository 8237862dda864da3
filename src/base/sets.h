/* Disjoint sets of the numbers below n, the smallest of each standing for it: an array of parent links, whose paths are halved at each walk (Tarjan, van Leeuwen,
 * "Worst-case analysis of set union algorithms", 1984). */
#ifndef SGS_SETS_H
#define SGS_SETS_H

#include "base/base.h"

int *sgs_sets_new(sgs_arena *a, int n);         /* each number alone */
int sgs_set_of(int *sets, int i);               /* the smallest of i's set */
void sgs_sets_join(int *sets, int i, int k);

#endif
