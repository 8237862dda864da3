/* fold-mask: -inf and other numbers without end that hide elements from a softmax become numbers that hide them as well: far below all that is seen, and
 * finite, so that calibration can say what the others are. */
#include <math.h>

#include "pass/rewrite.h"

#define HIDDEN -1e6f

static bool hides(const sgs_value *c)
{
    const float *x = sgs_const_data(c);
    bool found = false;
    for (int64_t i = 0; i < sgs_value_count(c); i++) {
        if (isnan(x[i]) || (isinf(x[i]) && x[i] > 0))
            return false;
        found = found || x[i] < HIDDEN;
    }
    return found;
}

static sgs_value *with_an_end(sgs_graph *g, const sgs_value *c)
{
    sgs_value *y = sgs_const_new(g, SGS_F32, c->rank, c->dim, sgs_const_data(c), true);
    float *to = (float *)(uintptr_t)sgs_const_data(y);
    for (int64_t i = 0; i < sgs_value_count(c); i++)
        to[i] = to[i] < HIDDEN ? HIDDEN : to[i];
    return y;
}

static bool fold_mask(sgs_rewriter *r, sgs_node *n)
{
    if (n->op != &sgs_op_add && n->op != &sgs_op_where)
        return false;
    for (int i = n->op == &sgs_op_where; i < n->nin; i++) {
        sgs_value *c = n->in[i];
        if (!sgs_is_const_f32(c) || !hides(c) || !sgs_only_weighed(r, n->out[0]))
            continue;
        sgs_value *y = with_an_end(r->g, c);
        if (sgs_used_once(r, c))
            sgs_value_take_names(r->g, y, c);
        sgs_node_set_in(r->g, n, i, y);
        return true;
    }
    return false;
}

sgs_status sgs_pass_fold_mask(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { fold_mask, NULL };
    return sgs_rewrite(g, rules, changed, d);
}
