/* Where the elements of constants are, and how those that are not yet anywhere are made. */
#include <string.h>

#include "base/strided.h"
#include "ir/ir.h"

#define FACTORS 2                /* as two layers' may follow on one convolution */
#define WORTH ((int64_t)1 << 16) /* bytes from which on elements wait: moving fewer costs nothing */

_Static_assert(SGS_MAX_RANK <= SGS_STRIDED_AXES, "every tensor can be walked");

/* Elements of a mapped file, each once, in some order, and what they are multiplied by: `seen` is by the dims of a value that had them. */
struct sgs_recipe {
    sgs_graph *g;
    sgs_strided seen;
    size_t bytes;
    sgs_factors by[FACTORS];   /* one after the other */
    int nby;
};

sgs_constant *sgs_constant_new(sgs_arena *a, const void *data)
{
    sgs_constant *c = SGS_NEW(a, sgs_constant);
    c->data = data;
    return c;
}

/* ---- recipes --------------------------------------------------------------------------------- */

static sgs_constant *with_recipe(sgs_graph *g, const struct sgs_recipe *r)
{
    sgs_constant *c = sgs_constant_new(g->arena, NULL);
    c->recipe = SGS_NEW(g->arena, struct sgs_recipe);
    *c->recipe = *r;
    return c;
}

static bool is_aligned(const void *p, int each)
{
    return (uintptr_t)p % (uintptr_t)each == 0;
}

/* What is in order already lies where it is. */
static sgs_constant *constant_of(sgs_graph *g, const sgs_strided *seen)
{
    const struct sgs_recipe r = { .g = g, .seen = *seen, .bytes = (size_t)(sgs_strided_count(seen) * seen->each) };
    if (is_aligned(seen->from, seen->each) && sgs_strided_is_dense(seen))
        return sgs_constant_new(g->arena, seen->from);
    return with_recipe(g, &r);
}

sgs_value *sgs_const_in_file(sgs_graph *g, sgs_type t, int rank, const int64_t *dim, const void *at)
{
    sgs_value *v = sgs_value_new(g, t, rank, dim);
    const size_t bytes = (size_t)sgs_value_bytes(v);
    if (sgs_value_bytes(v) >= WORTH || is_aligned(at, sgs_type_bytes(t))) {
        const sgs_strided seen = sgs_strided_dense(at, sgs_type_bytes(t), rank, dim);
        v->constant = constant_of(g, &seen);
        return v;
    }
    void *data = sgs_const_room(g, bytes);
    if (!data)
        return NULL;
    if (bytes)
        memcpy(data, at, bytes);
    v->constant = sgs_constant_new(g->arena, data);
    return v;
}

/* How v's elements are made; false: they lie in memory, or are too few to wait. */
static bool recipe_of(sgs_graph *g, const sgs_value *v, struct sgs_recipe *r)
{
    const size_t bytes = (size_t)sgs_value_bytes(v);
    if (v->constant->recipe) {
        *r = *v->constant->recipe;
        return true;
    }
    *r = (struct sgs_recipe){ .g = g, .seen = sgs_strided_dense(v->constant->data, sgs_type_bytes(v->type), v->rank, v->dim), .bytes = bytes };
    return sgs_value_bytes(v) >= WORTH && sgs_graph_maps(g, (sgs_span){ v->constant->data, bytes });
}

sgs_constant *sgs_constant_turned(sgs_graph *g, const sgs_value *of, const int64_t *perm)
{
    struct sgs_recipe r;
    sgs_strided seen;
    if (!recipe_of(g, of, &r) || r.nby || !sgs_strided_reshape(&r.seen, of->rank, of->dim, &seen))
        return NULL;
    seen = sgs_strided_turn(&seen, perm);
    return constant_of(g, &seen);
}

sgs_constant *sgs_constant_scaled(sgs_graph *g, const sgs_value *of, const sgs_factors *by)
{
    struct sgs_recipe r;
    if (!recipe_of(g, of, &r) || r.nby == FACTORS)
        return NULL;
    double *factor = SGS_NEW_N(g->arena, double, by->n);
    memcpy(factor, by->at, (size_t)by->n * sizeof *factor);
    r.by[r.nby++] = (sgs_factors){ factor, by->n, by->each };
    return with_recipe(g, &r);
}

/* ---- making ---------------------------------------------------------------------------------- */

void sgs_factors_apply(const sgs_factors *f, int64_t first, int64_t n, float *x)
{
    if (!n)
        return;
    int64_t c = first / f->each % f->n, left = f->each - first % f->each;
    for (int64_t i = 0, end; i < n; i = end, left = f->each, c = c + 1 < f->n ? c + 1 : 0) {
        end = left < n - i ? i + left : n;
        for (int64_t k = i; k < end; k++)
            x[k] = (float)((double)x[k] * f->at[c]);
    }
}

void sgs_constant_read(const sgs_constant *c, size_t at, size_t n, void *to)
{
    const struct sgs_recipe *r = c->recipe;
    if (!r) {
        memcpy(to, (const uint8_t *)c->data + at, n);
        return;
    }
    const int64_t first = (int64_t)at / r->seen.each, count = (int64_t)n / r->seen.each;
    sgs_strided_read(&r->seen, first, count, to);
    for (int i = 0; i < r->nby; i++)
        sgs_factors_apply(&r->by[i], first, count, to);
}

const void *sgs_constant_make(sgs_constant *c)
{
    const struct sgs_recipe *r = c->recipe;
    void *data = sgs_alloc_loose(r->g->arena, r->bytes);
    sgs_constant_read(c, 0, r->bytes, data);
    sgs_graph_forget(r->g, (sgs_span){ r->seen.from, r->bytes });
    c->data = data;
    c->recipe = NULL;
    return data;
}

const void *sgs_constant_rows(const sgs_constant *c)
{
    if (!c->recipe)
        return c->data;
    return !c->recipe->nby && sgs_strided_is_dense(&c->recipe->seen) ? c->recipe->seen.from : NULL;
}

const void *sgs_constant_source(const sgs_constant *c)
{
    return c->recipe ? c->recipe->seen.from : c->data;
}
