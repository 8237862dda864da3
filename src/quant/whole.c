/* Real values that hold whole numbers alone: a scale that is a power of two stores them exactly. */
#include <math.h>

#include "quant/quantize.h"

static bool is_whole_const(const sgs_value *c)
{
    for (int64_t i = 0; c->type == SGS_F32 && i < sgs_value_count(c); i++)
        if (sgs_const_f32(c)[i] != rintf(sgs_const_f32(c)[i]))
            return false;
    return true;
}

static bool makes_whole(const sgs_op *op)
{
    return op == &sgs_op_floor || op == &sgs_op_ceil || op == &sgs_op_round || op == &sgs_op_sign;
}

/* ReLU6 ends at a whole number. */
static bool keeps_whole_act(const sgs_node *n)
{
    return ((const sgs_conv_attr *)n->attr)->act != SGS_ACT_CLIP;
}

static bool keeps_whole(const sgs_node *n)
{
    static const sgs_op *const ops[] = { &sgs_op_add, &sgs_op_sub, &sgs_op_mul,   &sgs_op_min,    &sgs_op_max,
                                         &sgs_op_abs, &sgs_op_neg, &sgs_op_where, &sgs_op_matmul, &sgs_op_reduce_sum };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (n->op == ops[i])
            return true;
    if (sgs_is_conv(n))
        return is_whole_const(n->in[1]) && (n->nin < 3 || !n->in[2] || is_whole_const(n->in[2])) && keeps_whole_act(n);
    const sgs_act_attr *clip = n->attr;
    if (n->op == &sgs_op_clip)
        return (!isfinite(clip->lo) || clip->lo == rintf(clip->lo)) &&
               (!isfinite(clip->hi) || clip->hi == rintf(clip->hi));
    const sgs_pad_attr *pad = n->attr;
    return n->op->qrule == SGS_Q_MOVE && (n->op != &sgs_op_pad || pad->value == rintf(pad->value));
}

static bool gives_whole(const sgs_node *n, const bool *whole)
{
    if (makes_whole(n->op) || (n->op == &sgs_op_cast && sgs_is_plain(n->in[0])))
        return true;
    if (!keeps_whole(n))
        return false;
    for (int i = 0; i < sgs_data_inputs(n); i++)
        if (n->in[i] && !(sgs_is_plain(n->in[i]) || (n->in[i]->constant ? is_whole_const(n->in[i]) : whole[n->in[i]->id])))
            return false;
    return true;
}

const bool *sgs_whole_values(const sgs_graph *g, const sgs_range *range, int nrange)
{
    bool *whole = SGS_NEW_N(g->arena, bool, g->nvalue + 1);
    for (int i = 0; i < g->nin; i++) {
        const int id = g->in[i]->id;
        whole[id] = id < nrange && range[id].count && !range[id].fractions;
    }
    for (const sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            whole[n->out[i]->id] = gives_whole(n, whole);
    return whole;
}

double sgs_whole_scale(double most)
{
    double scale = 1;
    while (scale * 32767 < most)
        scale *= 2;
    while (most > 0 && scale * 32767 / 2 >= most && scale > 0x1p-15)
        scale /= 2;
    return scale;
}
