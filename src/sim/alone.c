/* One layer in fixed point, all others in float.  A convolution is computed in float with its input and its weights
 * rounded as the fixed model has them; its result is not: that is what its readers round.  So what several layers do
 * adds up.  Every other layer is computed by the fixed model's own kernels.  Then the float model goes on behind it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/layers.h"
#include "sim/values.h"

/* ---- what the fixed model's part reads -----------------------------------------------------------------------------
 */

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
            const sgs_value *v = y->part[i]->in[k], *x = v && !v->constant ? l->twin[v->id] : NULL;
            void *to = x && !l->picture[v->id] && !made_by(y, v) ? sgs_fixed_data(l->machine, v) : NULL;
            if (to)
                sgs_round_to(v, to, x->type, x->constant ? sgs_const_data(x) : sgs_session_data(l->session, x));
        }
}

static void run_part(sgs_layers *l, const sgs_layer *y, const sgs_node *but)
{
    for (int i = 0; i < y->npart; i++)
        if (y->part[i] != but)
            sgs_fixed_run_node(l->machine, y->part[i]);
}

/* ---- a convolution -------------------------------------------------------------------------------------------------
 */

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
        w[i] = (float)(sgs_stored(n->in[1]->type, sgs_const_data(n->in[1]), i) * (double)q->scale[q->n > 1 ? o : 0] * ratio);
    }
}

static void real_bias(const sgs_node *n, float *b)
{
    const sgs_value *v = n->nin > 2 ? n->in[2] : NULL;
    const sgs_quant *q = n->in[1]->quant;
    for (int64_t o = 0; v && o < sgs_value_count(v); o++)
        b[o] = (float)(sgs_stored(v->type, sgs_const_data(v), o) * input_scale(n) * (double)q->scale[q->n > 1 ? o : 0]);
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

/* The float layer on another input, weights and bias. */
static sgs_status eval_conv(sgs_layers *l, const sgs_layer *y, float *const with[3], sgs_diag *d)
{
    const sgs_node *n = y->conv;
    const int nin = with[2] ? 3 : 2;
    sgs_tensor in[3] = { { 0 } }, out = tensor_of(y->real, sgs_session_data(l->session, y->real));
    for (int i = 0; i < nin; i++)
        in[i] = tensor_of(n->in[i], with[i]);
    sgs_eval_state fresh = { 0 };
    sgs_node as = *y->node; /* which may have no bias where the fixed one does */
    as.nin = nin;
    as.in = n->in;
    const sgs_status s = sgs_eval(&as, in, &out, &fresh, d);
    if (fresh.destroy)
        fresh.destroy(fresh.p);
    return s;
}

static sgs_status round_conv(sgs_layers *l, const sgs_layer *y, sgs_diag *d)
{
    const sgs_node *n = y->conv;
    const bool biased = n->nin > 2 && n->in[2];
    const int64_t nx = sgs_value_count(n->in[0]);
    float *const with[3] = { room(nx), room(sgs_value_count(n->in[1])),
                             biased ? room(sgs_value_count(n->in[2])) : NULL };
    const void *q = n->in[0]->constant ? sgs_const_data(n->in[0]) : sgs_fixed_data(l->machine, n->in[0]);
    for (int64_t i = 0; i < nx; i++)
        with[0][i] = (float)sgs_real(n->in[0], q, i);
    real_weights(n, with[1]);
    if (biased)
        real_bias(n, with[2]);
    const sgs_status s = eval_conv(l, y, with, d);
    for (int i = 0; i < 3; i++)
        free(with[i]);
    return s;
}

/* With 16 bits weights are as good as floats; the input keeps its range, and what lies beyond it is cut as before. */
static sgs_status widen_conv(sgs_layers *l, const sgs_layer *y, sgs_diag *d)
{
    const sgs_value *v = y->conv->in[0], *x = y->node->in[0], *b = y->node->nin > 2 ? y->node->in[2] : NULL;
    const float *from = x->constant ? sgs_const_data(x) : sgs_session_data(l->session, x);
    const int64_t n = sgs_value_count(x);
    float *to = room(n);
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = sgs_scale_index(v, i);
        const double s = (double)v->quant->scale[c], z = v->quant->zero[c], most = fmax(z, 255 - z) * s,
                     step = most / 32767;
        to[i] = (float)(rint(fmin(fmax((double)from[i], -most), most) / step) * step);
    }
    float *const with[3] = { to, (float *)(uintptr_t)sgs_const_data(y->node->in[1]),
                             b ? (float *)(uintptr_t)sgs_const_data(b) : NULL };
    const sgs_status s = eval_conv(l, y, with, d);
    free(to);
    return s;
}

/* ---- one layer -----------------------------------------------------------------------------------------------------
 */

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

/* Runs on behind the layer. */
static sgs_status count_noise(const sgs_layers *l, const sgs_layer *y, double *noise, sgs_diag *d)
{
    SGS_TRY(sgs_session_resume(l->session, y->node, d));
    for (int i = 0; i < l->real->nout; i++) {
        const sgs_value *v = l->real->out[i];
        const void *now = v->constant ? sgs_const_data(v) : sgs_session_data(l->session, v);
        for (int64_t k = 0; k < sgs_value_count(v); k++) {
            const double x = (double)l->clean[i][k], e = sgs_stored(v->type, now, k) - x;
            noise[i] += isfinite(e) ? e * e : x * x; /* what overflows is no better than nothing */
        }
    }
    return SGS_OK;
}

static sgs_status measure_layer(sgs_layers *l, const sgs_layer *y, sgs_diag *d)
{
    SGS_TRY(round_layer(l, y, d));
    SGS_TRY(count_noise(l, y, y->alone, d));
    if (!y->wide)
        return SGS_OK;
    SGS_TRY(widen_conv(l, y, d));
    return count_noise(l, y, y->wide, d);
}

static void keep_clean(sgs_layers *l)
{
    for (int i = 0; i < l->real->nout; i++) {
        const sgs_value *v = l->real->out[i];
        const void *x = v->constant ? sgs_const_data(v) : sgs_session_data(l->session, v);
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
        done(user);
        if (!l->layer[i].moves)
            SGS_TRY(measure_layer(l, &l->layer[i], d));
    }
    return SGS_OK;
}
