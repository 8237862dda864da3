/* Means of what convolutions read, in fixed point: with them the bias takes back what all layers before have shifted,
 * not only its own weights' rounding (Nagel et al., "Data-Free Quantization", empirically and in sequence).  One layer
 * after another: a layer's means are those that corrected layers before it leave.  All at once would correct a shift
 * again at each layer that it passes.  Some samples run side by side, a layer at a time. */
#include <math.h>

#include "base/log.h"
#include "openipu/ipu_host.h"
#include "quant/refine.h"

enum { FEWEST = 2, MOST = 16 /* samples */ };
#define MOST_BYTES ((int64_t)32 << 20) /* of their memory, but for the fewest */
#define MOST_WORK 1e11                 /* multiplications of all of them, but for the fewest */

typedef struct sequence {
    const sgs_trials *t;
    const sgs_range *range;
    sgs_arena *a;
    sgs_graph *fixed;
    const sgs_node **of; /* by id: the convolution of the float graph that made the value */
    int n, sample[MOST]; /* those to fit to that take part */
    sgs_fixed *f[MOST];
    const sgs_node *at; /* under way */
    const sgs_value *was; /* what it reads, in the float graph */
    double *away, *delta; /* of its means, of its biases */
    const double *seen;
} sequence;

enum { SOME = 16 }; /* channels that a thread takes */

static sgs_status share_channels(sequence *q, int64_t channels,
                                 sgs_status (*run)(void *user, int place, int i, sgs_diag *d))
{
    const sgs_work w = { .n = (int)((channels + SOME - 1) / SOME), .run = run, .user = q };
    return sgs_share(sgs_trials_making(q->t)->threads, &w, NULL);
}

/* ---- which samples, which convolutions ---- */

static int64_t bytes_of(const sgs_graph *g)
{
    int64_t bytes = 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            bytes += n->in[i] && n->in[i]->constant ? sgs_value_bytes(n->in[i]) : 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        bytes += sgs_value_bytes(n->out[0]);
    return bytes;
}

static double work_of(const sgs_graph *g)
{
    double work = 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        work += sgs_is_conv(n) ? sgs_multiplications(n) : 0;
    return work;
}

static void choose_samples(sequence *q)
{
    const int64_t bytes = bytes_of(q->fixed);
    const double work = work_of(q->fixed);
    for (int k = 0; k < sgs_trials_samples(q->t) && q->n < MOST; k++)
        if (sgs_trials_fit(q->t, k) &&
            (q->n < FEWEST || ((q->n + 1) * bytes <= MOST_BYTES && (q->n + 1) * work <= MOST_WORK)))
            q->sample[q->n++] = k;
}

static void find_convs(sequence *q)
{
    const sgs_graph *g = sgs_trials_making(q->t)->g;
    q->of = SGS_NEW_N(q->a, const sgs_node *, g->nvalue + 1);
    for (const sgs_node *n = g->first; n; n = n->next)
        if (sgs_is_conv(n))
            q->of[n->out[0]->id] = n;
}

static bool is_measured(const sequence *q, const sgs_node *n)
{
    const int id = n->out[0]->id;
    const sgs_value *x = n->in[0];
    if (!sgs_is_conv(n) || id >= sgs_trials_making(q->t)->g->nvalue || !q->of[id] || !x->quant ||
        (x->type != SGS_U8 && x->type != SGS_S16) || !sgs_fixed_data(q->f[0], x))
        return false;
    const sgs_value *was = q->of[id]->in[0];
    return was->def && sgs_trials_mean(q->t, was, 0) && n->in[1]->quant &&
           q->range[was->id].count && q->range[was->id].channels == x->dim[x->rank - 1];
}

/* ---- means ---- */

static double real_value(const sgs_value *v, const void *data, int64_t i, int64_t c)
{
    const double q = v->type == SGS_U8 ? ((const uint8_t *)data)[i] : ((const int16_t *)data)[i];
    const int k = v->quant->n > 1 ? (int)c : 0;
    return (q - v->quant->zero[k]) * (double)v->quant->scale[k];
}

static int64_t some(int64_t channels, int i)
{
    return channels - i * SOME < SOME ? channels : (i + 1) * SOME;
}

/* How far the means of some channels are from float, sample by sample. */
static sgs_status measure_away(void *user, int place, int i, sgs_diag *d)
{
    (void)place, (void)d;
    const sequence *q = user;
    const sgs_value *v = q->at->in[0];
    const int64_t channels = v->dim[v->rank - 1], count = sgs_value_count(v), end = some(channels, i);
    double share = 1.0 / q->n;
    share /= (double)(count / channels);
    for (int k = 0; k < q->n; k++) {
        const double *clean = sgs_trials_mean(q->t, q->was, q->sample[k]);
        const void *data = sgs_fixed_data(q->f[k], v);
        for (int64_t p = 0; p < count; p += channels)
            for (int64_t c = i * SOME; c < end; c++)
                q->away[c] += real_value(v, data, p + c, c) * share;
        for (int64_t c = i * SOME; c < end; c++)
            q->away[c] -= clean[c] / q->n;
    }
    return SGS_OK;
}

/* What sums of some outputs have too much of, in the units of their bias: rounded weights times what the means are away
 * from float. */
static sgs_status set_delta(void *user, int place, int k, sgs_diag *d)
{
    (void)place, (void)d;
    const sequence *q = user;
    const sgs_value *x = q->at->in[0], *v = q->at->in[1];
    const void *weights = sgs_const_data(v);
    sgs_qweights w;
    sgs_conv_layout(q->at, &w);
    for (int64_t o = k * SOME; o < some(w.outputs, k); o++)
        for (int64_t t = 0; t < w.taps; t++)
            for (int64_t i = 0; i < w.inputs; i++) {
                const int64_t at = o * w.step_o + t * w.step_t + i * w.step_i, c = o / w.group * w.inputs + i;
                const double b = v->type == SGS_S16 ? ((const int16_t *)weights)[at] : ((const int8_t *)weights)[at];
                q->delta[o] -= b * q->seen[t] * q->away[c] / (double)x->quant->scale[x->quant->n > 1 ? c : 0];
            }
    return SGS_OK;
}

/* The means that convolution n reads now that those before it are corrected; its own bias then follows. */
static const double *correct_one(sequence *q, const sgs_node *n)
{
    const sgs_value *x = n->in[0];
    const int64_t channels = x->dim[x->rank - 1], outputs = n->out[0]->dim[n->out[0]->rank - 1];
    sgs_arena *a = q->fixed->arena;
    q->at = n;
    q->was = q->of[n->out[0]->id]->in[0];
    q->away = SGS_NEW_N(a, double, channels + 1);
    q->delta = SGS_NEW_N(a, double, outputs + 1);
    q->seen = sgs_taps_seen(n, SGS_NEW_N(a, double, sgs_value_count(n->in[1]) + 1));
    share_channels(q, channels, measure_away);
    share_channels(q, outputs, set_delta);
    double *mean = SGS_NEW_N(q->a, double, channels + 1);
    for (int64_t c = 0; c < channels; c++)
        mean[c] = q->away[c] + q->range[q->was->id].sum[c] / (double)q->range[q->was->id].count;
    for (int k = 0; k < q->n; k++)
        sgs_fixed_add_bias(q->f[k], n, q->delta);
    return mean;
}

static sgs_status run_node(void *user, int place, int k, sgs_diag *d)
{
    (void)place, (void)d;
    const sequence *q = user;
    sgs_fixed_run_node(q->f[k], q->at);
    return SGS_OK;
}

static void correct_all(sequence *q, const double **mean)
{
    const sgs_log *log = sgs_trials_making(q->t)->log;
    int done = 0, all = 0;
    for (const sgs_node *n = q->fixed->first; n; n = n->next)
        all += sgs_is_conv(n);
    for (const sgs_node *n = q->fixed->first; n; n = n->next) {
        if (is_measured(q, n))
            mean[n->out[0]->id] = correct_one(q, n);
        if (sgs_is_conv(n))
            sgs_log_progress(log, "biases in sequence", done++, all);
        q->at = n;
        sgs_share(sgs_trials_making(q->t)->threads, &(sgs_work){ .n = q->n, .run = run_node, .user = q }, NULL);
    }
    sgs_log_progress_end(log, "biases in sequence");
}

sgs_status sgs_means_given(const sgs_trials *t, sgs_graph *fixed, const double *const **given, sgs_arena *a,
                           sgs_diag *d)
{
    sequence q = { .t = t, .range = sgs_trials_making(t)->range, .a = a, .fixed = fixed };
    const double **mean = SGS_NEW_N(a, const double *, sgs_trials_making(t)->g->nvalue + 1);
    sgs_status status = SGS_OK;
    find_convs(&q);
    choose_samples(&q);
    for (int k = 0; k < q.n && status == SGS_OK; k++) {
        status = k ? sgs_fixed_again(&q.f[k], q.f[0], d)
                   : sgs_fixed_new(&q.f[0], fixed, ipu_kernels_for(ipu_host_cpu()), NULL, d);
        if (status == SGS_OK)
            sgs_trials_give_fixed(t, q.sample[k], fixed, q.f[k]);
    }
    if (status == SGS_OK)
        correct_all(&q, mean);
    for (int k = q.n - 1; k >= 0; k--)
        sgs_fixed_free(q.f[k]);
    *given = mean;
    return status;
}
