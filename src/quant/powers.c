/* Powers of two variables: exp(e log x), where calibration saw none but positive bases. */
#include <math.h>
#include <string.h>

#include "quant/quantize.h"

#define LEAST 1e-30f /* of a power, which may be too small for a float */

typedef struct interval {
    float lo, hi;
} interval;

static interval seen(const sgs_value *v, const sgs_range *range)
{
    interval x = { INFINITY, -INFINITY };
    for (int64_t i = 0; v->constant && i < sgs_value_count(v); i++)
        x = (interval){ fminf(x.lo, sgs_const_f32(v)[i]), fmaxf(x.hi, sgs_const_f32(v)[i]) };
    if (!v->constant)
        sgs_range_all(&range[v->id], &x.lo, &x.hi);
    return x;
}

static bool is_power(const sgs_node *n)
{
    return n->op == &sgs_op_power && n->out[0]->type == SGS_F32;
}

/* One more value before n, which lies in that interval. */
static sgs_value *made(sgs_graph *g, sgs_node *n, const sgs_op *op, sgs_value *const *in, const sgs_value *like,
                       sgs_range *range, interval x)
{
    sgs_value *y = sgs_value_new(g, SGS_F32, like->rank, like->dim);
    sgs_node *made = sgs_node_new(g, n, op, op == &sgs_op_mul ? 2 : 1, in, NULL);
    sgs_node_set_out(g, made, 1, &y);
    range[y->id] = (sgs_range){ .channels = 1, .lo = SGS_NEW(g->arena, float), .hi = SGS_NEW(g->arena, float) };
    *range[y->id].lo = x.lo;
    *range[y->id].hi = x.hi;
    return y;
}

static interval logarithms(interval x)
{
    return (interval){ logf(fmaxf(x.lo, LEAST)), logf(fmaxf(x.hi, LEAST)) };
}

static sgs_value *log_const(sgs_graph *g, const sgs_value *c)
{
    sgs_value *y = sgs_const_new(g, SGS_F32, c->rank, c->dim, sgs_const_data(c), true);
    for (int64_t i = 0; i < sgs_value_count(c); i++)
        ((float *)(uintptr_t)sgs_const_data(y))[i] = logf(sgs_const_f32(c)[i]);
    return y;
}

static sgs_status spell(sgs_graph *g, sgs_node *n, sgs_range *range, sgs_diag *d)
{
    sgs_value *x = n->in[0], *y = n->out[0];
    const interval base = seen(x, range);
    if (!(base.lo > 0)) {
        sgs_fail(d, SGS_E_UNSUPPORTED, "operator power takes bases from %g on; in fixed point they must lie above 0",
                 (double)base.lo);
        return sgs_fail_at(d, g->file, 0, sgs_node_label(g, n));
    }
    sgs_value *log = x->constant ? log_const(g, x) : made(g, n, &sgs_op_log, &x, x, range, logarithms(base));
    sgs_value *both[] = { log, n->in[1] };
    const interval result = seen(y, range);
    sgs_value *product = made(g, n, &sgs_op_mul, both, y, range, logarithms(result));
    sgs_value *power = made(g, n, &sgs_op_exp, &product, y, range, result);
    sgs_replace_uses(g, y, power);
    sgs_value_take_names(g, power, y);
    sgs_node_remove(g, n);
    return SGS_OK;
}

sgs_status sgs_spell_powers(sgs_graph *g, sgs_range **range, sgs_diag *d)
{
    int count = 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        count += is_power(n);
    if (!count)
        return SGS_OK;
    sgs_range *more = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 4 * count + 1);
    memcpy(more, *range, (size_t)g->nvalue * sizeof *more);
    *range = more;
    for (sgs_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (is_power(n))
            SGS_TRY(spell(g, n, more, d));
    }
    return SGS_OK;
}
