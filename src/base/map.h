/* String -> pointer map in an arena; keys are kept by reference. */
#ifndef SGS_MAP_H
#define SGS_MAP_H

#include "base/base.h"

typedef struct sgs_map {
    sgs_arena *a;
    struct sgs_map_slot {
        const char *key;
        void *value;
    } *slot;
    size_t n, cap;         /* cap: 0 or a power of two */
} sgs_map;

void *sgs_map_get(const sgs_map *m, const char *key);         /* NULL when absent */
void sgs_map_set(sgs_map *m, const char *key, void *value);   /* adds or replaces */

#endif
