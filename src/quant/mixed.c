/* What more bits take away, sensitivity.c measured; what they cost is the weights' other half.  So the best choice for
 * an average number of bits is a knapsack's, and it is solved exactly (knapsack.c).  Ties (Yao et al., "HAWQ-V3", 2021)
 * make one item of several convolutions. */
#include "quant/mixed.h"

#include <math.h>

#include "base/sets.h"
#include "quant/knapsack.h"

#define UNITS 0x1p50 /* of harm: all there is */

struct sgs_mixture {
    const sgs_graph *g;
    sgs_arena *a;
    int narrow;
    int *tie;      /* by id of a convolution's output: sets of those that are tied */
    double *harm;  /* by set: of all of them */
    int64_t *count; /* by set: weights */
    double all_harm, all_count;
};

/* ---- ties ------------------------------------------------------------------------------------------------------- */

static int variable_inputs(const sgs_node *n)
{
    int k = 0;
    for (int i = 0; i < n->nin; i++)
        k += n->in[i] && !n->in[i]->constant;
    return k;
}

/* The convolution whose result v is, behind activations and the like; NULL: none. */
static const sgs_node *source(const sgs_value *v)
{
    const sgs_node *n = v->def;
    while (n && !sgs_is_conv(n) && variable_inputs(n) == 1 && !n->in[0]->constant)
        n = n->in[0]->def;
    return n && sgs_is_conv(n) ? n : NULL;
}

static void tie_all(const sgs_mixture *m)
{
    int *reader = SGS_NEW_N(m->a, int, m->g->nvalue + 1); /* by value id: 1 + output's id of a convolution that reads it */
    for (const sgs_node *n = m->g->first; n; n = n->next) {
        if (sgs_is_conv(n)) {
            int *other = &reader[n->in[0]->id];
            if (*other)
                sgs_sets_join(m->tie, *other - 1, n->out[0]->id);
            *other = n->out[0]->id + 1;
        }
        const bool sum = n->op == &sgs_op_add && variable_inputs(n) == 2;
        const sgs_node *a = sum ? source(n->in[0]) : NULL, *b = sum ? source(n->in[1]) : NULL;
        if (a && b)
            sgs_sets_join(m->tie, a->out[0]->id, b->out[0]->id);
    }
}

/* ---- the mixture ------------------------------------------------------------------------------------------------ */

sgs_mixture *sgs_mixture_new(const sgs_graph *g, int narrow, const double *harm, sgs_arena *a)
{
    sgs_mixture *m = SGS_NEW(a, sgs_mixture);
    *m = (sgs_mixture){ .g = g, .a = a, .narrow = narrow };
    m->tie = sgs_sets_new(a, g->nvalue);
    m->harm = SGS_NEW_N(a, double, g->nvalue + 1);
    m->count = SGS_NEW_N(a, int64_t, g->nvalue + 1);
    tie_all(m);
    for (const sgs_node *n = g->first; n; n = n->next) {
        if (!sgs_is_conv(n))
            continue;
        const int id = n->out[0]->id, r = sgs_set_of(m->tie, id);
        m->harm[r] += fmax(harm[id], 0);
        m->count[r] += sgs_value_count(n->in[1]);
        m->all_harm += fmax(harm[id], 0);
        m->all_count += (double)sgs_value_count(n->in[1]);
    }
    return m;
}

static int collect(const sgs_mixture *m, sgs_item *item, int *root_of)
{
    int n = 0;
    for (int i = 0; i < m->g->nvalue; i++) {
        if (!m->count[i])
            continue;
        root_of[n] = i;
        item[n++] = (sgs_item){ .value = m->all_harm > 0 ? llrint(m->harm[i] / m->all_harm * UNITS) : 0,
                                .cost = m->count[i] };
    }
    return n;
}

sgs_mixed sgs_mixture_at(const sgs_mixture *m, double rate)
{
    uint8_t *bits = SGS_NEW_N(m->a, uint8_t, m->g->nvalue + 1);
    bool *wide = SGS_NEW_N(m->a, bool, m->g->nvalue + 1);
    int *root_of = SGS_NEW_N(m->a, int, m->g->nvalue + 1);
    sgs_item *item = SGS_NEW_N(m->a, sgs_item, m->g->nvalue + 1);
    sgs_mixed x = { .bits = bits, .harm = m->all_harm };
    double used = 0;
    const int n = collect(m, item, root_of);
    /* A little more: 0.6 is a little less than it says. */
    const int64_t room = (int64_t)((16 * rate / m->narrow - 1) * m->all_count + 1e-6);
    x.missed = (double)sgs_knapsack(item, n, room, 0) / UNITS * m->all_harm;
    for (int i = 0; i < n; i++) {
        wide[root_of[i]] = item[i].taken;
        used += item[i].taken ? (double)item[i].cost : 0;
        x.harm -= item[i].taken ? m->harm[root_of[i]] : 0;
    }
    for (const sgs_node *k = m->g->first; k; k = k->next)
        if (sgs_is_conv(k)) {
            const bool is = wide[sgs_set_of(m->tie, k->out[0]->id)];
            bits[k->out[0]->id] = (uint8_t)(is ? 2 * m->narrow : m->narrow);
            x.wide += is;
            x.of++;
        }
    x.harm = fmax(x.harm, 0);
    x.rate = m->narrow * (1 + (m->all_count > 0 ? used / m->all_count : 0)) / 16;
    return x;
}
