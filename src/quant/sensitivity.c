/* How much the outputs suffer from 8 bits at one convolution: the float model runs again from there on, with that input
 * rounded as it would be. A few of the calibration's own samples do; every convolution is measured alone.  Where a
 * level clips, each candidate of clip.c is measured like that too, and one that does not do better than all of the
 * range, by a clear part, is not taken. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "quant/quantize.h"
#include "sim/session.h"

enum {
    SAMPLES = 2,
    CLIP_SAMPLES = 4,
    TRIALS = 3
}; /* on which bits are weighed, on which clips; TRIALS: all of the range, the best clips for two powers */
#define MOST_BYTES ((int64_t)1 << 30) /* of activations; a larger model goes without */
#define SHARED_BYTES ((int64_t)128 << 20) /* of activations at more places than one */
#define LEAST_SHARE 1e-3              /* a channel counts as varying this much of the liveliest one at least */
#define CLEARLY 0.9                   /* of the noise that all of the range brings: what a clip may leave at most */

typedef struct weighing {
    sgs_arena *a;
    sgs_graph *g;
    const sgs_statistics *of;
    const sgs_weigh_options *o;
    const sgs_range *range;
    const sgs_node **fixed; /* by id of a convolution's output: what it became; NULL: 8 bits are simulated */
    bool *four; /* the same: weights have 4 bits in it, an image's reader too; NULL: none have */
    int samples, trials;
    sgs_clip *clip[TRIALS]; /* by value id of an input */
    double *harm[TRIALS];   /* by value id of an input, of all that read it */
    double *alone;          /* by value id of an output */
    _Atomic int done;
    int all;
} weighing;

/* Where one sample after the other is weighed on. */
typedef struct scales {
    weighing *s;
    sgs_session *session;
    float **clean;         /* by output of the graph */
    float *x, *w, *y;      /* room for a rounded input, rounded weights, an output */
    double *lane;          /* room for a number a channel */
    double *noise[TRIALS]; /* by value id of a convolution's output, in this sample */
    const sgs_node *at;    /* a run with hardly any memory: who is rounded, and where it ends */
    int trial;
    sgs_status status;
    sgs_diag *d;
} scales;

/* ---- one convolution ---- */

/* The nearest whole number, for magnitudes below 2^22; unlike rintf's it goes into vectors everywhere. */
static inline float nearest(float x)
{
    return x + 0x1.8p23f - 0x1.8p23f;
}

/* As U8 from end to end, and back. */
static void round_input(sgs_clip c, const float *x, float *y, int64_t n)
{
    const float s = (c.hi - c.lo) / 255, zero = s > 0 ? rintf(-c.lo / s) : 0, least = -zero, most = 255 - zero;
    if (!(s > 0)) {
        memset(y, 0, (size_t)n * sizeof *y);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float q = x[i] / s;
        q = q < least ? least : q;
        q = q > most ? most : q;
        y[i] = nearest(q) * s;
    }
}

/* As integers up to `limit` with a scale for each output channel, and back. */
static void round_weights(const sgs_node *n, float limit, float *y)
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
        const float s = most / limit;
        for (int64_t i = 0; i < each; i++)
            y[first + i * step] = s > 0 ? rintf(w[first + i * step] / s) * s : 0;
    }
}

/* As fixed-point convolution f reads it, and back. */
static void round_as(const sgs_value *f, const float *x, float *y, int64_t n)
{
    const sgs_quant *q = f->quant;
    for (int64_t i = 0; i < n; i++) {
        const int k = q->n > 1 ? (int)(i % q->n) : 0;
        const float s = q->scale[k], zero = (float)q->zero[k];
        y[i] = (fminf(fmaxf(rintf(x[i] / s) + zero, 0), 255) - zero) * s;
    }
}

/* Weights of fixed-point convolution n as real numbers. */
static void weights_of(const sgs_node *n, float *y)
{
    const sgs_quant *x = n->in[0]->quant;
    const int8_t *from = sgs_const_data(n->in[1]);
    double most = 0;
    sgs_qweights w;
    sgs_conv_layout(n, &w);
    for (int k = 0; k < x->n; k++)
        most = fmax(most, (double)x->scale[k]);
    for (int64_t o = 0; o < w.outputs; o++)
        for (int64_t t = 0; t < w.taps; t++)
            for (int64_t i = 0; i < w.inputs; i++) {
                const int64_t at = o * w.step_o + t * w.step_t + i * w.step_i, c = o / w.group * w.inputs + i;
                y[at] =
                    (float)(from[at] * (double)n->in[1]->quant->scale[o] * most / (double)x->scale[x->n > 1 ? c : 0]);
            }
}

/* Those that have 8 bits and no image. */
static const sgs_node **convs_of(sgs_arena *a, const sgs_graph *fixed, int n)
{
    const sgs_node **found = fixed ? SGS_NEW_N(a, const sgs_node *, n + 1) : NULL;
    for (const sgs_node *k = fixed ? fixed->first : NULL; k; k = k->next) {
        const sgs_value *x = k->in[0];
        const bool along =
            sgs_is_conv(k) && x->quant && (x->quant->n == 1 || (x->def && x->quant->axis == x->rank - 1));
        if (along && x->type == SGS_U8 && k->out[0]->id < n)
            found[k->out[0]->id] = k;
    }
    return found;
}

/* to[c] += the sum of y - x over the pixels, channel by channel. */
static void add_differences(const float *x, const float *y, int64_t n, int64_t channels, double *to)
{
    for (int64_t i = 0; i < n; i += channels)
        for (int64_t c = 0; c < channels; c++)
            to[c] += (double)y[i + c] - (double)x[i + c];
}

/* Takes out of y what it has more than x on average, channel by channel: the corrected bias does that. */
static void keep_means(const scales *p, const float *x, float *y, int64_t n, int64_t channels)
{
    double *more = p->lane;
    memset(more, 0, (size_t)channels * sizeof *more);
    add_differences(x, y, n, channels, more);
    for (int64_t c = 0; c < channels; c++)
        more[c] = (double)(float)(more[c] / (double)(n / channels));
    for (int64_t i = 0; i < n; i += channels)
        for (int64_t c = 0; c < channels; c++)
            y[i + c] -= (float)more[c];
}

static sgs_tensor tensor_of(const sgs_value *v, const void *data)
{
    sgs_tensor t = { .type = v->type, .rank = v->rank, .data = (void *)(uintptr_t)data };
    memcpy(t.dim, v->dim, sizeof v->dim);
    return t;
}

/* What it makes of its input with 8 bits, in place of its output; p->y holds that. */
static sgs_status round_node(scales *p, const sgs_node *n, int trial, sgs_diag *d)
{
    const weighing *s = p->s;
    const sgs_value *x = n->in[0], *y = n->out[0];
    float *to = sgs_session_data(p->session, y);
    sgs_eval_state fresh = { 0 };
    sgs_tensor in[3] = { tensor_of(x, p->x), tensor_of(n->in[1], p->w) }, out = tensor_of(y, to);
    if (n->nin > 2 && n->in[2])
        in[2] = tensor_of(n->in[2], sgs_const_data(n->in[2]));
    const sgs_node *as = s->fixed ? s->fixed[y->id] : NULL;
    if (as)
        round_as(as->in[0], sgs_session_data(p->session, x), p->x, sgs_value_count(x));
    else
        round_input(s->clip[trial][x->id], sgs_session_data(p->session, x), p->x, sgs_value_count(x));
    const sgs_status r = sgs_eval(n, in, &out, &fresh, d);
    if (fresh.destroy)
        fresh.destroy(fresh.p);
    keep_means(p, p->y, to, sgs_value_count(y), y->dim[y->rank - 1]);
    return r;
}

static double variance(const sgs_range *r, int64_t c)
{
    const double n = (double)r->count, mean = r->sum[c] / n;
    return fmax(r->square[c] / n - mean * mean, 0);
}

static void add_squares(const float *clean, const float *now, int64_t n, int64_t channels, double *to)
{
    for (int64_t i = 0; i < n; i += channels)
        for (int64_t c = 0; c < channels; c++) {
            const double e = (double)now[i + c] - (double)clean[i + c];
            to[c] += e * e;
        }
}

/* Noise of one output against what its channels vary by; 1 at most for each. */
static double output_noise(const scales *p, const sgs_range *r, const float *clean, const float *now, int64_t n)
{
    double most = 0, share = 0, *e = p->lane;
    memset(e, 0, (size_t)r->channels * sizeof *e);
    add_squares(clean, now, n, r->channels, e);
    for (int64_t c = 0; c < r->channels; c++)
        most = fmax(most, variance(r, c));
    for (int64_t c = 0; c < r->channels && most > 0; c++)
        share += fmin(1, e[c] / (double)(n / r->channels) / fmax(variance(r, c), most * LEAST_SHARE));
    return r->channels ? share / (double)r->channels : 0;
}

static double noise(const scales *p)
{
    const weighing *s = p->s;
    double sum = 0;
    int n = 0;
    for (int i = 0; i < s->g->nout; i++) {
        const sgs_value *v = s->g->out[i];
        if (v->type != SGS_F32 || !s->range[v->id].channels)
            continue;
        sum += output_noise(p, &s->range[v->id], p->clean[i], sgs_session_data(p->session, v), sgs_value_count(v));
        n++;
    }
    return n ? sum / n : 0;
}

static bool is_measured(const weighing *s, const sgs_node *n)
{
    const sgs_value *x = n->in[0];
    return sgs_is_conv(n) && x->type == SGS_F32 && !x->constant && s->range[x->id].channels && n->in[1]->constant;
}

/* ---- trials ---- */

static bool is_new(const weighing *s, int id, int trial)
{
    for (int t = 0; t < trial; t++)
        if (s->clip[t][id].lo == s->clip[trial][id].lo && s->clip[t][id].hi == s->clip[trial][id].hi)
            return false;
    return true;
}

static void choose_trials(weighing *s, int id)
{
    const sgs_range *r = &s->range[id];
    sgs_clip all = { 0 };
    sgs_range_all(r, &all.lo, &all.hi);
    s->clip[0][id] = all;
    for (int t = 1; t < s->trials; t++)
        s->clip[t][id] = r->bins.side[0] || r->bins.side[1] ? sgs_clip_best(&r->bins, all.lo, all.hi, 2 * t) : all;
}

static void round_in_passing(void *user, const sgs_node *n, const sgs_tensor *out)
{
    scales *p = user;
    if (n != p->at)
        return;
    memcpy(p->y, out[0].data, (size_t)sgs_value_bytes(n->out[0]));
    p->status = round_node(p, n, p->trial, p->d);
}

/* Where every activation has its memory, all before n is there, from the clean run, and what lies behind runs again:
 * from the last node to the first, so that what a trial leaves behind the next one makes anew.  Else all runs again. */
static sgs_status run_trial(scales *p, const sgs_node *n, int trial, sgs_diag *d)
{
    if (!p->s->o->saving) {
        SGS_TRY(round_node(p, n, trial, d));
        return sgs_session_resume(p->session, n, d);
    }
    p->at = n;
    p->trial = trial;
    p->d = d;
    p->status = SGS_OK;
    const sgs_status r = sgs_session_run(p->session, d);
    return p->status != SGS_OK ? p->status : r;
}

/* Bits are weighed on the first samples, clips on all of them where there are any. */
static sgs_status measure_node(scales *p, const sgs_node *n, int sample, sgs_diag *d)
{
    const weighing *s = p->s;
    const sgs_value *x = n->in[0], *y = n->out[0];
    int trials = 1;
    for (int t = 1; t < s->trials; t++)
        trials += is_new(s, x->id, t);
    if (sample >= SAMPLES && trials == 1)
        return SGS_OK;
    if (!s->o->saving)
        memcpy(p->y, sgs_session_data(p->session, y), (size_t)sgs_value_bytes(y));
    if (s->fixed && s->fixed[y->id])
        weights_of(s->fixed[y->id], p->w);
    else
        round_weights(n, s->four && s->four[y->id] ? 7 : 127, p->w);
    for (int t = 0; t < s->trials; t++) {
        if (!is_new(s, x->id, t))
            continue;
        SGS_TRY(run_trial(p, n, t, d));
        p->noise[t][y->id] = noise(p);
    }
    return SGS_OK;
}

/* ---- all of them ---- */

static sgs_status run_clean(scales *p, int sample, sgs_diag *d)
{
    const sgs_graph *g = p->s->g;
    const uint8_t *from = sgs_statistics_sample(p->s->of, sample).p;
    for (int i = 0; i < g->nin; i++) {
        const size_t n = (size_t)sgs_value_bytes(g->in[i]);
        memcpy(sgs_session_data(p->session, g->in[i]), from, n);
        from += n;
    }
    p->at = NULL;
    SGS_TRY(sgs_session_run(p->session, d));
    for (int i = 0; i < g->nout; i++)
        if (g->out[i]->type == SGS_F32)
            memcpy(p->clean[i], sgs_session_data(p->session, g->out[i]), (size_t)sgs_value_bytes(g->out[i]));
    return SGS_OK;
}

static sgs_status measure_sample(void *user, int place, int sample, sgs_diag *d)
{
    scales *p = (scales *)user + place;
    weighing *s = p->s;
    for (int t = 0; t < s->trials; t++)
        memset(p->noise[t], 0, (size_t)s->g->nvalue * sizeof *p->noise[t]);
    SGS_TRY(run_clean(p, sample, d));
    for (const sgs_node *n = s->g->last; n; n = n->prev) {
        if (!is_measured(s, n))
            continue;
        sgs_share_progress(s->o->threads, s->o->log, "weigh layers", s->done, s->all);
        SGS_TRY(measure_node(p, n, sample, d));
        s->done++;
    }
    return SGS_OK;
}

static void add_sample(void *user, int place, int sample)
{
    const scales *p = (const scales *)user + place;
    weighing *s = p->s;
    for (const sgs_node *n = s->g->last; n; n = n->prev) {
        if (!is_measured(s, n))
            continue;
        for (int t = 0; t < s->trials; t++)
            s->harm[t][n->in[0]->id] += p->noise[t][n->out[0]->id];
        if (sample < SAMPLES)
            s->alone[n->out[0]->id] += p->noise[0][n->out[0]->id] / s->samples;
    }
}

static int samples_of(const weighing *s)
{
    const int n = sgs_statistics_kept(s->of), most = s->trials > 1 ? CLIP_SAMPLES : SAMPLES;
    return n < most ? n : most;
}

/* What every convolution is tried with. */
static void prepare(weighing *s)
{
    const sgs_graph *g = s->g;
    for (int t = 0; t < TRIALS; t++) {
        s->clip[t] = SGS_NEW_N(s->a, sgs_clip, g->nvalue + 1);
        s->harm[t] = SGS_NEW_N(s->a, double, g->nvalue + 1);
    }
    for (const sgs_node *n = g->first; n; n = n->next) {
        const bool measured = is_measured(s, n);
        s->alone[n->out[0]->id] = measured ? 0 : -1;
        s->all += measured ? samples_of(s) : 0;
        if (sgs_is_conv(n) && s->range[n->in[0]->id].channels)
            choose_trials(s, n->in[0]->id);
    }
}

static void make_room(scales *p)
{
    const weighing *s = p->s;
    int64_t most = 0, channels = 1;
    for (const sgs_node *n = s->g->first; n; n = n->next) {
        for (int i = 0; i < 2 && is_measured(s, n); i++)
            most = sgs_value_bytes(n->in[i]) > most ? sgs_value_bytes(n->in[i]) : most;
        most = sgs_value_bytes(n->out[0]) > most ? sgs_value_bytes(n->out[0]) : most;
        channels = s->range[n->out[0]->id].channels > channels ? s->range[n->out[0]->id].channels : channels;
    }
    p->x = sgs_alloc_n(s->a, (size_t)most + 64, 1);
    p->w = sgs_alloc_n(s->a, (size_t)most + 64, 1);
    p->y = sgs_alloc_n(s->a, (size_t)most + 64, 1);
    p->lane = SGS_NEW_N(s->a, double, channels);
    for (int t = 0; t < TRIALS; t++)
        p->noise[t] = SGS_NEW_N(s->a, double, s->g->nvalue + 1);
    p->clean = SGS_NEW_N(s->a, float *, s->g->nout + 1);
    for (int i = 0; i < s->g->nout; i++)
        p->clean[i] = sgs_alloc_n(s->a, (size_t)sgs_value_bytes(s->g->out[i]) + 64, 1);
}

static bool *fours_of(sgs_arena *a, const sgs_graph *fixed, int n)
{
    bool *four = fixed ? SGS_NEW_N(a, bool, n + 1) : NULL;
    for (const sgs_node *k = fixed ? fixed->first : NULL; k; k = k->next)
        if (sgs_is_conv(k) && k->in[1]->type == SGS_S4 && k->out[0]->id < n)
            four[k->out[0]->id] = true;
    return four;
}

static int64_t activation_bytes(const sgs_graph *g)
{
    int64_t bytes = 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        bytes += sgs_value_bytes(n->out[0]);
    return bytes;
}

static void say_saved(const scales *p)
{
    sgs_log_line(p->s->o->log,
                 "--memory_saving: layers are weighed in %.1f MB of activations instead of %.1f MB, which takes longer",
                 (double)sgs_session_bytes(p->session) / (1 << 20), (double)activation_bytes(p->s->g) / (1 << 20));
}

static sgs_status set_up(scales *p, weighing *s, sgs_diag *d)
{
    p->s = s;
    make_room(p);
    SGS_TRY(sgs_session_new(&p->session, s->g, !s->o->saving, d));
    sgs_session_any_numbers(p->session);
    if (s->o->saving) {
        say_saved(p);
        sgs_session_watch(p->session, round_in_passing, p);
    }
    return SGS_OK;
}

static sgs_status measure(weighing *s, sgs_diag *d)
{
    sgs_work w = { .n = samples_of(s), .run = measure_sample, .add = add_sample };
    if (s->o->saving || s->fixed) /* beside models on trial there is no room for more */
        w.most = 1;
    else
        w.most = (int)(SHARED_BYTES / (activation_bytes(s->g) + 1)) + 1;
    const int places = sgs_places(s->o->threads, &w);
    scales *p = SGS_NEW_N(s->a, scales, places);
    sgs_status status = SGS_OK;
    for (int i = 0; i < places && status == SGS_OK; i++)
        status = set_up(&p[i], s, d);
    w.user = p;
    if (status == SGS_OK)
        status = sgs_share(s->o->threads, &w, d);
    for (int i = 0; i < places; i++)
        sgs_session_free(p[i].session);
    if (status == SGS_OK)
        sgs_log_progress(s->o->log, "weigh layers", s->all, s->all);
    return status;
}

/* For each input the trial that left least noise; all of the range, unless a clip is clearly better. */
static const sgs_clip *best_clips(const weighing *s)
{
    sgs_clip *clip = SGS_NEW_N(s->g->arena, sgs_clip, s->g->nvalue + 1);
    for (int id = 0; id < s->g->nvalue; id++) {
        double least = s->harm[0][id] * CLEARLY;
        clip[id] = s->clip[0][id];
        for (int t = 1; t < s->trials; t++)
            if (is_new(s, id, t) && s->harm[t][id] < least) {
                least = s->harm[t][id];
                clip[id] = s->clip[t][id];
            }
    }
    return clip;
}

static bool has_room(const weighing *s)
{
    const int64_t bytes = activation_bytes(s->g);
    if (s->o->saving || bytes <= MOST_BYTES)
        return true;
    sgs_log_warning(s->o->log,
                    "activations of %lld MB are too many to weigh layers by: every convolution stays 8 bit unless the "
                    "ini asks for 16; "
                    "--memory_saving weighs them, which takes longer",
                    (long long)(bytes >> 20));
    return false;
}

sgs_weighed sgs_weigh(const sgs_statistics *of, sgs_graph *g, const sgs_range *range, const sgs_weigh_options *o)
{
    sgs_diag d = { 0 };
    weighing s = { .of = of, .g = g, .range = range, .o = o, .trials = o->clips ? TRIALS : 1 };
    if (!sgs_statistics_kept(of) || !has_room(&s))
        return (sgs_weighed){ 0 };
    s.a = sgs_arena_new();
    s.samples = sgs_statistics_kept(of) < SAMPLES ? sgs_statistics_kept(of) : SAMPLES;
    s.alone = SGS_NEW_N(g->arena, double, g->nvalue + 1);
    s.fixed = convs_of(s.a, o->fixed, g->nvalue);
    s.four = fours_of(s.a, o->fixed, g->nvalue);
    prepare(&s);
    const sgs_status status = measure(&s, &d);
    sgs_weighed w = { s.alone, s.trials > 1 ? best_clips(&s) : NULL };
    sgs_arena_free(s.a);
    if (status == SGS_OK)
        return w;
    sgs_log_warning(
        o->log, "layers could not be weighed (%s): every convolution stays 8 bit unless the ini asks for 16", d.text);
    return (sgs_weighed){ 0 };
}
