/* tensor_arrays names tensors, and all convolutions that read one get 16 bits.  Noise of several layers adds up; errors
 * that cancel or strengthen each other make the whole differ from the sum, so the whole is taken to shrink as the sum
 * does. */
#include "quant/raise.h"

#include <math.h>
#include <stdlib.h>

#define LEAST_GAIN 0.1 /* decibels worth a line */

typedef struct candidate {
    const sgs_value *x;
    double share; /* that 16 bits take away */
    int64_t mac, bytes;
    const char *layers;
    bool taken;
} candidate;

typedef struct choice {
    const sgs_raise_question *q;
    candidate *c;
    int n;
    double all, left; /* shares of all layers alone, before and now */
} choice;

static bool can_rise(const sgs_layer *y)
{
    return y->wide && y->node->in[0]->nname;
}

static candidate *candidate_of(choice *c, const sgs_value *x)
{
    for (int i = 0; i < c->n; i++)
        if (c->c[i].x == x)
            return &c->c[i];
    c->c[c->n] = (candidate){ .x = x };
    return &c->c[c->n++];
}

static void collect(choice *c, sgs_arena *a)
{
    const sgs_layers *l = c->q->l;
    for (int i = 0; i < l->n; i++) {
        const sgs_layer *y = &l->layer[i];
        c->all += c->q->share[i];
        if (!can_rise(y))
            continue;
        candidate *k = candidate_of(c, y->node->in[0]);
        const char *label = sgs_node_label(l->real, y->node);
        k->share += fmax(c->q->share[i] - c->q->wide[i], 0);
        k->mac += sgs_fixed_mac(l->machine, y->conv);
        k->bytes += sgs_fixed_const_bytes(l->machine, y->conv);
        k->layers = k->layers ? sgs_format(a, "%s, %s", k->layers, label) : label;
    }
    c->left = c->all;
}

/* What the whole loses when the layers alone lose `left`. */
static double sqnr(const choice *c, double left)
{
    return -10 * log10(fmax(c->q->now * (c->all > 0 ? left / c->all : 1), 1e-9));
}

/* Most share per multiplication first; a tie keeps the graph's order. */
static int by_gain(const void *pa, const void *pb)
{
    const candidate *a = pa, *b = pb;
    const double x = a->share * (double)(b->mac + 1), y = b->share * (double)(a->mac + 1);
    return x > y ? -1 : x < y ? 1 : a->x->id - b->x->id;
}

static void take(choice *c, double goal)
{
    for (int i = 0; i < c->n && sqnr(c, c->left) < goal; i++) {
        c->c[i].taken = true;
        c->left -= c->c[i].share;
    }
    for (int i = c->n - 1; i >= 0;
         i--) { /* cheap ones that were not enough, before the one that was; those that win nothing */
        const double without = sqnr(c, c->left + c->c[i].share);
        if (c->c[i].taken && (without >= goal || sqnr(c, c->left) - without < LEAST_GAIN)) {
            c->c[i].taken = false;
            c->left += c->c[i].share;
        }
    }
}

int sgs_raise_choose(const sgs_raise_question *q, sgs_arena *a, sgs_raise **raise)
{
    choice c = { .q = q, .c = SGS_NEW_N(a, candidate, q->l->n + 1) };
    collect(&c, a);
    qsort(c.c, (size_t)c.n, sizeof *c.c, by_gain);
    take(&c, sqnr(&c, c.all) + q->gain);
    sgs_raise *r = SGS_NEW_N(a, sgs_raise, c.n + 1);
    double left = c.all;
    int n = 0;
    for (int i = 0; i < c.n; i++) {
        const candidate *k = &c.c[i];
        if (!k->taken)
            continue;
        left -= k->share;
        r[n++] = (sgs_raise){ sgs_value_label(q->l->real, k->x), k->layers, k->mac, k->bytes, sqnr(&c, left) };
    }
    *raise = r;
    return n;
}
