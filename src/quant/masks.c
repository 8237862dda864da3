/* Numbers that hide elements from a softmax lie far below the others, and a range that reached to them would leave no steps for those.  What is 20 or
 * more below everything that is seen has no weight in 16 bits (ARITHMETIC.md 9 ends at 16), so ranges end there. */
#include <math.h>
#include <string.h>

#include "quant/quantize.h"

#define HIDDEN 20.0f

static bool extent_of(const sgs_range *range, const sgs_value *v, float *lo, float *hi)
{
    if (!v->constant) {
        *lo = INFINITY;
        *hi = -INFINITY;
        sgs_range_all(&range[v->id], lo, hi);
        return range[v->id].channels > 0;
    }
    const float *x = sgs_const_data(v);
    *lo = *hi = x[0];
    for (int64_t i = 1; i < sgs_value_count(v); i++) {
        *lo = fminf(*lo, x[i]);
        *hi = fmaxf(*hi, x[i]);
    }
    return true;
}

static void end_at(sgs_range *r, float lo)
{
    for (int64_t c = 0; c < r->channels; c++) {
        r->lo[c] = fmaxf(r->lo[c], lo);
        r->hi[c] = fmaxf(r->hi[c], lo);
    }
}

/* The constant v with nothing below lo. */
static sgs_value *raised(sgs_graph *g, sgs_value *v, float lo)
{
    sgs_value *y = sgs_const_new(g, SGS_F32, v->rank, v->dim, sgs_const_data(v), true);
    float *to = (float *)(uintptr_t)sgs_const_data(y);
    for (int64_t i = 0; i < sgs_value_count(v); i++)
        to[i] = fmaxf(to[i], lo);
    y->name = v->name;
    y->nname = v->nname;
    return y;
}

static float smallest_from(const sgs_value *c, float least)
{
    float lo = INFINITY;
    for (int64_t i = 0; i < sgs_value_count(c); i++)
        if (sgs_const_f32(c)[i] >= least)
            lo = fminf(lo, sgs_const_f32(c)[i]);
    return lo;
}

/* Where the result of n, a sum or a choice of a constant and another value of that extent, ends; the constant is raised to where it hides all the same. */
static float raise_constant(sgs_graph *g, sgs_node *n, int i, float lo, float hi)
{
    const bool sum = n->op == &sgs_op_add;
    sgs_value *c = n->in[i];
    const float hidden = sum ? lo - hi - HIDDEN : lo - HIDDEN, seen = fminf(smallest_from(c, hidden), sum ? 0 : lo);
    const bool hides = smallest_from(c, -INFINITY) < hidden;
    if (hides)
        n->in[i] = raised(g, c, hidden);
    return (sum ? lo + seen : seen) - (hides ? HIDDEN : 0);
}

static float end_of(sgs_graph *g, const sgs_range *range, sgs_node *n)
{
    const bool sum = n->op == &sgs_op_add;
    const int first = sum ? 0 : 1;
    float lo[2], hi[2];
    for (int i = 0; i < 2; i++)
        if (!extent_of(range, n->in[first + i], &lo[i], &hi[i]))
            return -INFINITY;
    for (int i = 0; i < 2; i++)
        if (n->in[first + i]->constant && !n->in[first + 1 - i]->constant)
            return raise_constant(g, n, first + i, lo[1 - i], hi[1 - i]);
    return sum ? lo[0] + lo[1] : fminf(lo[0], lo[1]);
}

void sgs_end_masks(sgs_graph *g, sgs_range *range)
{
    const int known = g->nvalue;
    sgs_users *u = sgs_users_of(g, g->arena);
    for (sgs_node *n = g->first; n; n = n->next) {
        const bool joins = n->op == &sgs_op_add || n->op == &sgs_op_where, move = n->op->qrule == SGS_Q_MOVE && n->nin == 1;
        sgs_value *y = n->out[0];
        float lo, hi;
        if ((!joins && !move) || y->type != SGS_F32 || y->id >= known || !range[y->id].channels || !sgs_feeds_softmax(u, y))
            continue;
        if (joins)
            end_at(&range[y->id], end_of(g, range, n));
        else if (!n->in[0]->constant && extent_of(range, n->in[0], &lo, &hi))
            end_at(&range[y->id], lo);
    }
}
