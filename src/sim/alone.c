/* One layer in fixed point, all others in float.  A convolution is computed in float with its input and its weights rounded as the fixed
 * model has them; its result is not: that is what its readers round.  So what several layers do adds up.  Every other layer is computed by the
 * fixed model's own kernels.  Then the float model goes on behind it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/layers.h"
#include "sim/values.h"

/* ---- what the fixed model's part reads ----------------------------------------------------------------------------- */

static bool made_by(const sgs_layer *y, const sgs_value *v)
{
    for (int i = 0; i < y->npart; i++)
        for (int k = 0; k < y->part[i]->nout; k++)
            if (y->part[i]->out[k] == v)
                return true;
    return false;
}

/* The float model's numbers in the types of the fixed one; pixels are there already, as the board gives them. */
static void give_inputs(sgs_layers *l, const sgs_layer *y)
{
    for (int i = 0; i < y->npart; i++)
        for (int k = 0; k < y->part[i]->nin; k++) {
            const sgs_value *v = y->part[i]->in[k], *x = v && !v->data ? l->twin[v->id] : NULL;
            void *to = x && !l->picture[v->id] && !made_by(y, v) ? sgs_fixed_data(l->machine, v) : NULL;
            if (to)
                sgs_round_to(v, to, x->type, x->data ? x->data : sgs_session_data(l->session, x));
        }
}

static void run_part(sgs_layers *l, const sgs_layer *y, const sgs_node *but)
{
    for (int i = 0; i < y->npart; i++)
        if (y->part[i] != but)
            sgs_fixed_run_node(l->machine, y->part[i]);
}

/* ---- a convolution ------------------------------------------------------------------------------------------------- */

/* The channel of the input that weight i of a convolution multiplies; output *o. */
static int64_t channel_of(const sgs_node *n, int64_t i, int64_t *o)
{
    const int64_t *w = n->in[1]->dim;
    if (n->op == &sgs_op_fc) {
        *o = i / w[1];
        return i % w[1];
    }
    if (n->op == &sgs_op_depthwise)
        return *o = i % w[3];
    const int64_t each = w[1] * w[2] * w[3], groups = ((const sgs_conv_attr *)n->attr)->groups;
    *o = i / each;
    return *o / (w[0] / groups) * w[3] + i % w[3];
}

static double input_scale(const sgs_node *n)
{
    double most = 0;
    for (int i = 0; i < n->in[0]->quant->n; i++)
        most = fmax(most, (double)n->in[0]->quant->scale[i]);
    return most;
}

/* ARITHMETIC.md 4: where the input has a scale for each channel, the weights have absorbed their ratios. */
static void real_weights(const sgs_node *n, float *w)
{
    const sgs_quant *x = n->in[0]->quant, *q = n->in[1]->quant;
    const double s_x = input_scale(n);
    const int64_t count = sgs_value_count(n->in[1]);
    for (int64_t i = 0, o = 0; i < count; i++) {
        const int64_t c = channel_of(n, i, &o);
        const double ratio = x->n > 1 ? s_x / (double)x->scale[c] : 1;
        w[i] = (float)(sgs_stored(n->in[1]->type, n->in[1]->data, i) * (double)q->scale[q->n > 1 ? o : 0] * ratio);
    }
}

static void real_bias(const sgs_node *n, float *b)
{
    const sgs_value *v = n->nin > 2 ? n->in[2] : NULL;
    const sgs_quant *q = n->in[1]->quant;
    for (int64_t o = 0; v && o < sgs_value_count(v); o++)
        b[o] = (float)(sgs_stored(v->type, v->data, o) * input_scale(n) * (double)q->scale[q->n > 1 ? o : 0]);
}

static sgs_tensor tensor_of(const sgs_value *v, void *data)
{
    sgs_tensor t = { .type = SGS_F32, .rank = v->rank, .data = data };
    memcpy(t.dim, v->dim, sizeof v->dim);
    return t;
}

static float *room(int64_t count)
{
    float *p = calloc((size_t)count + 16, sizeof *p);
    if (!p)
        abort();
    return p;
}

static sgs_status round_conv(sgs_layers *l, const sgs_layer *y, sgs_diag *d)
{
    const sgs_node *n = y->conv;
    const bool biased = n->nin > 2 && n->in[2];
    const int64_t nx = sgs_value_count(n->in[0]);
    float *x = room(nx), *w = room(sgs_value_count(n->in[1])), *b = room(biased ? sgs_value_count(n->in[2]) : 0);
    const void *q = n->in[0]->data ? n->in[0]->data : sgs_fixed_data(l->machine, n->in[0]);
    for (int64_t i = 0; i < nx; i++)
        x[i] = (float)sgs_real(n->in[0], q, i);
    real_weights(n, w);
    real_bias(n, b);
    sgs_tensor in[3] = { tensor_of(n->in[0], x), tensor_of(n->in[1], w) }, out = tensor_of(y->real, sgs_session_data(l->session, y->real));
    if (biased)
        in[2] = tensor_of(n->in[2], b);
    sgs_eval_state fresh = { 0 };
    const sgs_node with_bias = { .op = y->node->op, .nin = biased ? 3 : 2, .nout = 1, .in = n->in, .out = y->node->out, .attr = y->node->attr, .name = y->node->name };
    const sgs_status s = sgs_eval(&with_bias, in, &out, &fresh, d);
    if (fresh.destroy)
        fresh.destroy(fresh.p);
    free(x);
    free(w);
    free(b);
    return s;
}

/* ---- one layer ----------------------------------------------------------------------------------------------------- */

static sgs_status round_layer(sgs_layers *l, const sgs_layer *y, sgs_diag *d)
{
    give_inputs(l, y);
    run_part(l, y, y->conv);
    if (y->conv)
        return round_conv(l, y, d);
    float *to = sgs_session_data(l->session, y->real);
    const void *q = sgs_fixed_data(l->machine, y->fixed);
    for (int64_t i = 0; i < sgs_value_count(y->real); i++)
        to[i] = (float)sgs_real(y->fixed, q, i);
    return SGS_OK;
}

static void count_noise(const sgs_layers *l, sgs_layer *y)
{
    for (int i = 0; i < l->real->nout; i++) {
        const sgs_value *v = l->real->out[i];
        const void *now = v->data ? v->data : sgs_session_data(l->session, v);
        for (int64_t k = 0; k < sgs_value_count(v); k++) {
            const double x = (double)l->clean[i][k], e = sgs_stored(v->type, now, k) - x;
            y->alone[i] += isfinite(e) ? e * e : x * x; /* what overflows is no better than nothing */
        }
    }
}

static void keep_clean(sgs_layers *l)
{
    for (int i = 0; i < l->real->nout; i++) {
        const sgs_value *v = l->real->out[i];
        const void *x = v->data ? v->data : sgs_session_data(l->session, v);
        for (int64_t k = 0; k < sgs_value_count(v); k++) {
            const double a = sgs_stored(v->type, x, k);
            l->clean[i][k] = (float)a;
            l->alone_signal[i] += a * a;
        }
    }
}

/* From the last to the first: what a run leaves behind, the next one makes anew. */
sgs_status sgs_layers_alone(sgs_layers *l, void (*done)(void *user), void *user, sgs_diag *d)
{
    SGS_TRY(sgs_session_run(l->session, d));
    SGS_TRY(sgs_fixed_run(l->machine, d));
    keep_clean(l);
    for (int i = l->n - 1; i >= 0; i--) {
        sgs_layer *y = &l->layer[i];
        done(user);
        if (y->moves)
            continue;
        SGS_TRY(round_layer(l, y, d));
        SGS_TRY(sgs_session_resume(l->session, y->node, d));
        count_noise(l, y);
    }
    return SGS_OK;
}
