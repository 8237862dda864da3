/* Integers that stay integers: 8-bit ones, 16 and 32 bits on the board.  What an operator reads has one type, by
 * conversions where it has not. */
#include "quant/quantize.h"

bool sgs_is_plain(const sgs_value *v)
{
    const bool narrow = v->type == SGS_S16 || v->type == SGS_U8;
    return v->type == SGS_S32 || v->type == SGS_S64 || v->type == SGS_BOOL || v->type == SGS_S8 ||
           (narrow && !v->quant);
}

sgs_type sgs_plain_type(sgs_type t)
{
    return t == SGS_S64 ? SGS_S32 : t == SGS_S8 ? SGS_S16 : t;
}

static bool is_number(const sgs_value *v)
{
    return v && sgs_is_plain(v) && v->type != SGS_BOOL;
}

bool sgs_takes_indices(const sgs_node *n, int i)
{
    return i == 1 && (n->op == &sgs_op_gather || n->op == &sgs_op_gather_elements || n->op == &sgs_op_gather_nd ||
                      n->op == &sgs_op_scatter_elements || n->op == &sgs_op_scatter_nd);
}

/* Of what is moved: inputs of the model may have the board's type, so it need not be that of the float model. */
static sgs_type moved_type(const sgs_node *n)
{
    sgs_type t = sgs_plain_type(n->in[0]->type);
    for (int i = 1; i < sgs_data_inputs(n); i++)
        if (!sgs_takes_indices(n, i) && sgs_plain_type(n->in[i]->type) != t)
            t = SGS_S32;
    return t;
}

void sgs_plain_values(sgs_graph *g)
{
    for (sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++) {
            const bool moved = n->op->qrule == SGS_Q_MOVE && is_number(n->in[0]);
            if (is_number(n->out[i]))
                n->out[i]->type = moved ? moved_type(n) : sgs_plain_type(n->out[i]->type);
        }
}

/* ---- uses ---- */

static sgs_status converted_const(sgs_graph *g, const sgs_value *c, sgs_type t, sgs_value **y, sgs_diag *d)
{
    *y = sgs_const_new(g, t, c->rank, c->dim, NULL, true);
    for (int64_t i = 0; i < sgs_value_count(c); i++) {
        const int64_t v = c->type == SGS_S64   ? ((const int64_t *)sgs_const_data(c))[i]
                          : c->type == SGS_S32 ? ((const int32_t *)sgs_const_data(c))[i]
                          : c->type == SGS_S16 ? ((const int16_t *)sgs_const_data(c))[i]
                          : c->type == SGS_S8  ? ((const int8_t *)sgs_const_data(c))[i]
                                               : ((const uint8_t *)sgs_const_data(c))[i];
        if (v != (int32_t)v)
            return sgs_fail(d, SGS_E_UNSUPPORTED, "the constant %lld does not fit 32 bits", (long long)v);
        if (t == SGS_S32)
            ((int32_t *)(uintptr_t)sgs_const_data(*y))[i] = (int32_t)v;
        else if (t == SGS_S16)
            ((int16_t *)(uintptr_t)sgs_const_data(*y))[i] = (int16_t)v;
        else
            ((uint8_t *)(uintptr_t)sgs_const_data(*y))[i] = (uint8_t)v;
    }
    return SGS_OK;
}

static sgs_value *converted(sgs_graph *g, sgs_node *before, sgs_value *v, sgs_type t)
{
    const sgs_cast_attr a = { t };
    sgs_value *y = sgs_value_like(g, v);
    y->type = t;
    sgs_node *n = sgs_node_new(g, before, &sgs_op_cast, 1, &v, &a);
    sgs_node_set_out(g, n, 1, &y);
    return y;
}

/* The type that n takes in slot i, where an integer stands. */
static sgs_type needed(const sgs_node *n, int i)
{
    const sgs_value *y = n->out[0];
    if (sgs_takes_indices(n, i))
        return SGS_S32;
    if (is_number(y))
        return y->type;
    const bool alike = n->nin == 2 && is_number(n->in[0]) && is_number(n->in[1]);
    return alike && n->in[0]->type == n->in[1]->type ? sgs_plain_type(n->in[0]->type) : SGS_S32;
}

sgs_status sgs_fit_plain(sgs_quantizer *q, sgs_node *n, sgs_diag *d)
{
    const int count = n->op == &sgs_op_cast ? 0 : sgs_data_inputs(n);
    for (int i = 0; i < count; i++) {
        sgs_value *v = n->in[i];
        if (!is_number(v) || v->type == needed(n, i))
            continue;
        if (!v->constant)
            n->in[i] = converted(q->g, n, v, needed(n, i));
        else if (converted_const(q->g, v, needed(n, i), &n->in[i], d) != SGS_OK)
            return sgs_fail_at(d, q->g->file, 0, sgs_node_label(q->g, n));
    }
    return SGS_OK;
}
