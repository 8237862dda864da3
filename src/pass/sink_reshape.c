/* sink-reshape: f(reshape(a), reshape(b), const) becomes reshape(f(a, b, const)) for elementwise f and for batch
 * normalization, so that what follows a convolution over rows, which is a picture one pixel high, meets it. */
#include "pass/rewrite.h"

static sgs_value *source_of(const sgs_value *v)
{
    return v && v->def && v->def->op == &sgs_op_reshape ? v->def->in[0] : NULL;
}

/* The value whose dims f works on when it no longer sees reshapes; NULL: its inputs differ. */
static const sgs_value *common_source(const sgs_node *f)
{
    const sgs_value *like = NULL;
    for (int i = 0; i < f->nin; i++) {
        const sgs_value *x = source_of(f->in[i]);
        if (!x)
            continue;
        if (!sgs_same_dims(f->in[i], f->out[0]) || (like && !sgs_same_dims(like, x)))
            return NULL;
        like = x;
    }
    return like;
}

static bool keeps_last(const sgs_value *y, const sgs_value *x)
{
    return y->rank && x->rank && y->dim[y->rank - 1] == x->dim[x->rank - 1];
}

/* One number for all, or one for each element of the last axis, which stays. */
static bool spreads_alike(const sgs_value *c, const sgs_value *y, const sgs_value *x)
{
    int64_t count = c->constant ? sgs_value_count(c) : 0;
    return count == 1 ||
           (count && keeps_last(y, x) && c->rank && c->dim[c->rank - 1] == count && y->dim[y->rank - 1] == count);
}

static bool may_sink(const sgs_node *f, const sgs_value *x)
{
    bool bn = f->op == &sgs_op_batchnorm;
    if (f->nout != 1 || f->out[0]->quant ||
        !(bn ? keeps_last(f->out[0], x) : f->op->permute == sgs_permute_elementwise))
        return false;
    for (int i = 0; i < f->nin; i++)
        if (!source_of(f->in[i]) && (!f->in[i] || !spreads_alike(f->in[i], f->out[0], x)))
            return false;
    return true;
}

/* A constant of more axes than x would lengthen the result. */
static sgs_value *shortened(sgs_rewriter *r, sgs_node *f, sgs_value *c, const sgs_value *x)
{
    int64_t count = sgs_value_count(c);
    return c->rank <= x->rank ? c : sgs_put_reshape(r, f, c, x->rank ? 1 : 0, &count, NULL);
}

static bool sink(sgs_rewriter *r, sgs_node *f)
{
    const sgs_value *x = common_source(f);
    if (!x || !may_sink(f, x))
        return false;
    sgs_value *y = f->out[0], **in = SGS_NEW_N(r->g->arena, sgs_value *, f->nin);
    for (int i = 0; i < f->nin; i++) {
        sgs_value *from = source_of(f->in[i]);
        if (from && sgs_used_only_by(r, f->in[i], f))
            sgs_value_swallow(r->g, y, f->in[i]);
        in[i] = from ? from : shortened(r, f, f->in[i], x);
        if (!in[i])
            return true;
    }
    sgs_value *z = sgs_put(r, f, f->op, f->nin, in, f->attr, NULL);
    if (!z)
        return true;
    z->def->name = f->name;
    sgs_put_reshape(r, f, z, y->rank, y->dim, y);
    sgs_node_remove(r->g, f);
    return true;
}

sgs_status sgs_pass_sink_reshape(sgs_graph *g, bool *changed, sgs_diag *d)
{
    static const sgs_rule rules[] = { sink, NULL };
    SGS_TRY(sgs_rewrite(g, rules, changed, d));
    return *changed ? sgs_pass_fold_const(g, changed, d) : SGS_OK;
}
