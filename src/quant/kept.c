/* Scales of weights from one model of a float graph to the next: most of what levels try leaves the weights of most
 * convolutions as they were, and the search for their scales takes long. */
#include <string.h>

#include "quant/quantize.h"

/* What the scales of a convolution's weights depend on, beside the weights: copies. */
typedef struct entry {
    struct entry *next;
    bool search, four;
    const float *ratio;   /* NULL: none */
    const double *energy; /* NULL: all count alike */
    double *scale;
} entry;

struct sgs_kept_scales {
    sgs_arena *a;
    entry **of; /* by id of the convolution's output */
};

sgs_kept_scales *sgs_kept_scales_new(sgs_arena *a, int n)
{
    sgs_kept_scales *k = SGS_NEW(a, sgs_kept_scales);
    *k = (sgs_kept_scales){ a, SGS_NEW_N(a, entry *, n + 1) };
    return k;
}

static bool same(const void *a, const void *b, size_t bytes)
{
    return a && b ? !memcmp(a, b, bytes) : a == b;
}

static void *copy(sgs_arena *a, const void *p, size_t bytes)
{
    return p ? memcpy(sgs_alloc(a, bytes), p, bytes) : NULL;
}

double *sgs_kept_scales_of(sgs_kept_scales *k, int id, const sgs_qweights *w)
{
    const size_t channels = (size_t)(w->outputs / w->group * w->inputs);
    const double *energy = w->search ? w->energy : NULL;
    for (entry *e = k->of[id]; e; e = e->next)
        if (e->search == w->search && e->four == w->four && same(e->ratio, w->ratio, channels * sizeof *w->ratio) &&
            same(e->energy, energy, channels * sizeof *energy))
            return e->scale;
    entry *e = SGS_NEW(k->a, entry);
    *e = (entry){ .next = k->of[id],
                  .search = w->search,
                  .four = w->four,
                  .ratio = copy(k->a, w->ratio, channels * sizeof *w->ratio),
                  .energy = copy(k->a, energy, channels * sizeof *energy),
                  .scale = SGS_NEW_N(k->a, double, w->outputs) };
    k->of[id] = e;
    return e->scale;
}
