#include "base/sets.h"

int *sgs_sets_new(sgs_arena *a, int n)
{
    int *sets = SGS_NEW_N(a, int, n + 1);
    for (int i = 0; i < n; i++)
        sets[i] = i;
    return sets;
}

int sgs_set_of(int *sets, int i)
{
    while (sets[i] != i)
        i = sets[i] = sets[sets[i]];
    return i;
}

void sgs_sets_join(int *sets, int i, int k)
{
    const int a = sgs_set_of(sets, i), b = sgs_set_of(sets, k);
    sets[a > b ? a : b] = a > b ? b : a;
}
