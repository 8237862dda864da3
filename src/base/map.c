#include <string.h>

#include "base/map.h"

static size_t hash(const char *s)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

/* The key's slot, or the free one where it would stand. */
static struct sgs_map_slot *find(const sgs_map *m, const char *key)
{
    size_t i = hash(key) & (m->cap - 1);
    while (m->slot[i].key && strcmp(m->slot[i].key, key))
        i = (i + 1) & (m->cap - 1);
    return &m->slot[i];
}

void *sgs_map_get(const sgs_map *m, const char *key)
{
    return m->cap ? find(m, key)->value : NULL;
}

static void grow(sgs_map *m)
{
    sgs_map old = *m;
    m->cap = old.cap ? old.cap * 2 : 64;
    m->slot = sgs_alloc_n(m->a, m->cap, sizeof *m->slot);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slot[i].key)
            *find(m, old.slot[i].key) = old.slot[i];
}

void sgs_map_set(sgs_map *m, const char *key, void *value)
{
    if (2 * (m->n + 1) > m->cap)
        grow(m);
    struct sgs_map_slot *s = find(m, key);
    m->n += !s->key;
    s->key = key;
    s->value = value;
}
