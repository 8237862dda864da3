/* How much the outputs suffer from 8 bits at one convolution: the float model runs again from there on, with that input
 * rounded as it would be.  A few of the calibration's own samples do; every convolution is measured alone. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "quant/quantize.h"
#include "sim/session.h"

enum { SAMPLES = 2 };
#define MOST_BYTES ((int64_t)1 << 30) /* of activations; a larger model goes without */
#define LEAST_SHARE 1e-3              /* a channel counts as varying this much of the liveliest one at least */

struct sgs_sensitivity {
    sgs_arena *a;
    const sgs_graph *g;
    int n;
    uint8_t *in[SAMPLES]; /* the graph's inputs in a row */
    const sgs_range *range;
    sgs_session *session;
    float **clean;    /* by output of the graph */
    float *x, *w, *y; /* room for a rounded input, rounded weights, an output */
};

sgs_sensitivity *sgs_sensitivity_new(sgs_arena *a, const sgs_graph *g)
{
    sgs_sensitivity *s = SGS_NEW(a, sgs_sensitivity);
    *s = (sgs_sensitivity){ .a = a, .g = g };
    return s;
}

static size_t input_bytes(const sgs_graph *g)
{
    size_t n = 0;
    for (int i = 0; i < g->nin; i++)
        n += (size_t)sgs_value_bytes(g->in[i]);
    return n;
}

void sgs_sensitivity_pack(sgs_session *session, sgs_buf *out)
{
    const sgs_graph *g = sgs_session_graph(session);
    for (int i = 0; i < g->nin; i++)
        sgs_buf_add(out, sgs_session_data(session, g->in[i]), (size_t)sgs_value_bytes(g->in[i]));
}

size_t sgs_sensitivity_take(sgs_sensitivity *s, sgs_span bytes)
{
    const size_t n = input_bytes(s->g);
    if (bytes.n < n)
        return 0;
    if (s->n < SAMPLES) {
        s->in[s->n] = sgs_alloc_n(s->a, n + 1, 1);
        memcpy(s->in[s->n++], bytes.p, n);
    }
    return n;
}

void sgs_sensitivity_keep(sgs_sensitivity *s, sgs_session *session)
{
    sgs_buf b = { 0 };
    if (s->n == SAMPLES)
        return;
    sgs_sensitivity_pack(session, &b);
    sgs_sensitivity_take(s, (sgs_span){ (const uint8_t *)b.p, b.n });
    sgs_buf_free(&b);
}

/* ---- one convolution ---- */

/* As U8 with the one scale of the value's range, and back. */
static void round_input(const sgs_range *r, const float *x, float *y, int64_t n)
{
    float lo = 0, hi = 0;
    sgs_range_all(r, &lo, &hi);
    const float s = (hi - lo) / 255, zero = s > 0 ? rintf(-lo / s) : 0;
    for (int64_t i = 0; i < n; i++)
        y[i] = s > 0 ? (fminf(fmaxf(rintf(x[i] / s) + zero, 0), 255) - zero) * s : 0;
}

/* As S8 with a scale for each output channel, and back. */
static void round_weights(const sgs_node *n, float *y)
{
    const sgs_value *v = n->in[1];
    const float *w = sgs_const_data(v);
    const bool last = n->op == &sgs_op_depthwise; /* output channels are the last dimension, else the first */
    const int64_t outputs = v->dim[last ? 3 : 0], each = sgs_value_count(v) / outputs;
    for (int64_t o = 0; o < outputs; o++) {
        const int64_t first = last ? o : o * each, step = last ? outputs : 1;
        float most = 0;
        for (int64_t i = 0; i < each; i++)
            most = fmaxf(most, fabsf(w[first + i * step]));
        const float s = most / 127;
        for (int64_t i = 0; i < each; i++)
            y[first + i * step] = s > 0 ? rintf(w[first + i * step] / s) * s : 0;
    }
}

/* Takes out of y what it has more than x on average, channel by channel: the corrected bias does that. */
static void keep_means(const float *x, float *y, int64_t n, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int64_t i = c; i < n; i += channels)
            sum += (double)y[i] - (double)x[i];
        const float mean = (float)(sum / (double)(n / channels));
        for (int64_t i = c; i < n; i += channels)
            y[i] -= mean;
    }
}

static sgs_tensor tensor_of(const sgs_value *v, const void *data)
{
    sgs_tensor t = { .type = v->type, .rank = v->rank, .data = (void *)(uintptr_t)data };
    memcpy(t.dim, v->dim, sizeof v->dim);
    return t;
}

/* The convolution with 8 bits, in place of its output. */
static sgs_status round_node(sgs_sensitivity *s, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const int64_t count = sgs_value_count(y);
    float *to = sgs_session_data(s->session, y);
    sgs_eval_state fresh = { 0 };
    sgs_tensor in[3] = { tensor_of(x, s->x), tensor_of(n->in[1], s->w) }, out = tensor_of(y, to);
    if (n->nin > 2 && n->in[2])
        in[2] = tensor_of(n->in[2], sgs_const_data(n->in[2]));
    round_input(&s->range[x->id], sgs_session_data(s->session, x), s->x, sgs_value_count(x));
    round_weights(n, s->w);
    memcpy(s->y, to, (size_t)count * sizeof *to);
    const sgs_status r = sgs_eval(n, in, &out, &fresh, d);
    if (fresh.destroy)
        fresh.destroy(fresh.p);
    keep_means(s->y, to, count, y->dim[y->rank - 1]);
    return r;
}

static double variance(const sgs_range *r, int64_t c)
{
    const double n = (double)r->count, mean = r->sum[c] / n;
    return fmax(r->square[c] / n - mean * mean, 0);
}

/* Noise of one output against what its channels vary by; 1 at most for each. */
static double output_noise(const sgs_range *r, const float *clean, const float *now, int64_t n)
{
    double most = 0, share = 0;
    for (int64_t c = 0; c < r->channels; c++)
        most = fmax(most, variance(r, c));
    for (int64_t c = 0; c < r->channels && most > 0; c++) {
        double e = 0;
        for (int64_t i = c; i < n; i += r->channels)
            e += ((double)now[i] - (double)clean[i]) * ((double)now[i] - (double)clean[i]);
        share += fmin(1, e / (double)(n / r->channels) / fmax(variance(r, c), most * LEAST_SHARE));
    }
    return r->channels ? share / (double)r->channels : 0;
}

static double noise(const sgs_sensitivity *s, const sgs_graph *g)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < g->nout; i++) {
        const sgs_value *v = g->out[i];
        if (v->type != SGS_F32 || !s->range[v->id].channels)
            continue;
        sum += output_noise(&s->range[v->id], s->clean[i], sgs_session_data(s->session, v), sgs_value_count(v));
        n++;
    }
    return n ? sum / n : 0;
}

static bool is_measured(const sgs_sensitivity *s, const sgs_node *n)
{
    const sgs_value *x = n->in[0];
    return sgs_is_conv(n) && x->type == SGS_F32 && !x->constant && s->range[x->id].channels && n->in[1]->constant;
}

/* ---- all of them ---- */

static sgs_status run_clean(sgs_sensitivity *s, const sgs_graph *g, int sample, sgs_diag *d)
{
    const uint8_t *from = s->in[sample];
    for (int i = 0; i < g->nin; i++) {
        const size_t n = (size_t)sgs_value_bytes(g->in[i]);
        memcpy(sgs_session_data(s->session, g->in[i]), from, n);
        from += n;
    }
    SGS_TRY(sgs_session_run(s->session, d));
    for (int i = 0; i < g->nout; i++)
        if (g->out[i]->type == SGS_F32)
            memcpy(s->clean[i], sgs_session_data(s->session, g->out[i]), (size_t)sgs_value_bytes(g->out[i]));
    return SGS_OK;
}

/* From the last to the first: what a run leaves behind, the next one makes anew. */
static sgs_status measure_sample(sgs_sensitivity *s, const sgs_graph *g, double *harm, int *done, int all,
                                 const sgs_log *log, sgs_diag *d)
{
    for (const sgs_node *n = g->last; n; n = n->prev) {
        if (!is_measured(s, n))
            continue;
        sgs_log_progress(log, "weigh layers", (*done)++, all);
        SGS_TRY(round_node(s, n, d));
        SGS_TRY(sgs_session_resume(s->session, n, d));
        harm[n->out[0]->id] += noise(s, g) / s->n;
    }
    return SGS_OK;
}

static sgs_status measure(sgs_sensitivity *s, sgs_graph *g, double *harm, const sgs_log *log, sgs_diag *d)
{
    int64_t most = 0;
    int done = 0, all = 0;
    for (const sgs_node *n = g->first; n; n = n->next) {
        harm[n->out[0]->id] = is_measured(s, n) ? 0 : -1;
        all += is_measured(s, n) ? s->n : 0;
        for (int i = 0; i < 2 && is_measured(s, n); i++)
            most = sgs_value_bytes(n->in[i]) > most ? sgs_value_bytes(n->in[i]) : most;
        most = sgs_value_bytes(n->out[0]) > most ? sgs_value_bytes(n->out[0]) : most;
    }
    s->x = sgs_alloc_n(s->a, (size_t)most + 64, 1);
    s->w = sgs_alloc_n(s->a, (size_t)most + 64, 1);
    s->y = sgs_alloc_n(s->a, (size_t)most + 64, 1);
    s->clean = SGS_NEW_N(s->a, float *, g->nout + 1);
    for (int i = 0; i < g->nout; i++)
        s->clean[i] = sgs_alloc_n(s->a, (size_t)sgs_value_bytes(g->out[i]) + 64, 1);
    SGS_TRY(sgs_session_new(&s->session, g, true, d));
    sgs_session_any_numbers(s->session);
    for (int i = 0; i < s->n; i++) {
        SGS_TRY(run_clean(s, g, i, d));
        SGS_TRY(measure_sample(s, g, harm, &done, all, log, d));
    }
    sgs_log_progress(log, "weigh layers", all, all);
    return SGS_OK;
}

const double *sgs_sensitivity_measure(sgs_sensitivity *s, sgs_graph *g, const sgs_range *range, const sgs_log *log)
{
    double *harm = SGS_NEW_N(s->a, double, g->nvalue + 1);
    int64_t bytes = 0;
    sgs_diag d = { 0 };
    for (const sgs_node *n = g->first; n; n = n->next)
        bytes += sgs_value_bytes(n->out[0]);
    if (bytes > MOST_BYTES)
        sgs_log_warning(log,
                        "activations of %lld MB are too many to weigh layers by: every convolution stays 8 bit unless "
                        "the ini asks for 16",
                        (long long)(bytes >> 20));
    if (!s->n || bytes > MOST_BYTES)
        return NULL;
    s->range = range;
    const sgs_status status = measure(s, g, harm, log, &d);
    sgs_session_free(s->session);
    s->session = NULL;
    if (status != SGS_OK)
        sgs_log_warning(
            log, "layers could not be weighed (%s): every convolution stays 8 bit unless the ini asks for 16", d.text);
    return status == SGS_OK ? harm : NULL;
}
