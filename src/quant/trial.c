/* A trial: a fixed-point model runs on samples of the calibration, and what it gives is compared with the float
 * model.  Samples that something was fitted to do not judge, where there are enough. */
#include "quant/trial.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "openipu/ipu_host.h"
#include "sim/session.h"
#include "sim/values.h"

#define MOST_WORK 6e10                 /* multiplications of one trial, but for the samples that it has at least */
#define MOST_INPUT_BYTES (16 << 20)    /* of samples, but for the fewest that are kept */
#define MOST_BYTES ((int64_t)64 << 20) /* of float outputs that are kept, but for as many samples */
#define FEW_NUMBERS 4096
#define MANY_NUMBERS 65536
#define BEST_DB 80.0      /* counts as equal */
#define LEAST_NOISE 1e-12 /* as a share: 120 dB */

enum { FEWEST = 4, ENOUGH = 8 /* samples, to judge by others than what was fitted to */ };

/* Of each channel, over samples: the smallest and the largest number of each. */
typedef struct extremes {
    int64_t channels; /* 0: nothing of this value */
    double *sum[2], *square[2];
} extremes;

struct sgs_trials {
    const sgs_making *m;
    sgs_arena *a;
    sgs_qoptions o;         /* what the ini says of inputs */
    int samples, learned;   /* the first so many that the statistics kept: of trials, to learn from */
    const sgs_value **look; /* [nlook] of the float graph: what is compared, outputs first */
    int nlook;
    float **want; /* [nlook]: [samples][elements]; NULL: integers of the model itself, or out of sight */
    sgs_stretch *reach;
    extremes *ends; /* by value id */
    double **mean;  /* by id of what a convolution reads: [samples][channels], in float, of samples to fit to */
    _Atomic int done; /* samples of the run under way, for its progress */
};

/* Where the float model runs on one sample after the other. */
typedef struct runner {
    sgs_trials *t;
    sgs_session *session;
    int sample;
    float **end[2]; /* by value id: the channels' smallest, largest number in this sample */
} runner;

const sgs_making *sgs_trials_making(const sgs_trials *t)
{
    return t->m;
}

int sgs_trials_samples(const sgs_trials *t)
{
    return t->samples;
}

int sgs_trials_more(const sgs_trials *t)
{
    return t->learned;
}

bool sgs_trials_fit(const sgs_trials *t, int k)
{
    return t->samples < ENOUGH || k % 2 == 0 || k >= t->samples;
}

static bool judges(const sgs_trials *t, sgs_judges who, int k)
{
    return who == SGS_ALL_JUDGE || t->samples < ENOUGH || k % 2 == 1;
}

/* ---- the float model ---- */

/* Work that grows with neither time nor machine decides how many. */
static int affordable(const sgs_making *m)
{
    double work = 1;
    int n = sgs_statistics_kept(m->statistics);
    for (const sgs_node *k = m->g->first; k; k = k->next)
        work += sgs_is_conv(k) ? sgs_multiplications(k) : (double)sgs_value_count(k->out[0]);
    while (n > ENOUGH && n * work > MOST_WORK)
        n--;
    return n;
}

/* Of these, as each trial runs on all of them. */
static int on_trial(const sgs_making *m, int n)
{
    const int64_t inputs = n ? MOST_INPUT_BYTES / ((int64_t)sgs_statistics_sample(m->statistics, 0).n + 1) : 0;
    int64_t bytes = 1;
    for (int i = 0; i < m->g->nout; i++)
        bytes += sgs_value_bytes(m->g->out[i]);
    while (n > FEWEST && ((n > SGS_LEAST_KEPT && n > inputs) || n * bytes > MOST_BYTES))
        n--;
    return n;
}

static void add_means(double *mean, const sgs_value *v, const float *x)
{
    const int64_t channels = v->dim[v->rank - 1], count = sgs_value_count(v);
    const double share = (double)channels / (double)count;
    for (int64_t i = 0; i < count; i += channels)
        for (int64_t c = 0; c < channels; c++)
            mean[c] += (double)x[i + c] * share;
}

/* Of samples as different as those that ran, one in some hundreds reaches farther in a channel. */
#define DEVIATIONS 4

static void widen(const float *restrict x, int64_t channels, float *restrict lo, float *restrict hi)
{
    for (int64_t c = 0; c < channels; c++) {
        lo[c] = x[c] < lo[c] ? x[c] : lo[c];
        hi[c] = x[c] > hi[c] ? x[c] : hi[c];
    }
}

static void note_ends(const runner *r, const sgs_value *v, const float *x)
{
    const int64_t channels = r->t->ends[v->id].channels, count = channels ? sgs_value_count(v) : 0;
    for (int k = 0; k < 2 && count; k++)
        memcpy(r->end[k][v->id], x, (size_t)channels * sizeof *x);
    for (int64_t i = channels; i < count; i += channels)
        widen(x + i, channels, r->end[0][v->id], r->end[1][v->id]);
}

static void make_ends(sgs_trials *t)
{
    const sgs_graph *g = t->m->g;
    t->ends = SGS_NEW_N(t->a, extremes, g->nvalue + 1);
    t->reach = SGS_NEW_N(t->a, sgs_stretch, g->nvalue + 1);
    for (const sgs_node *n = g->first; n; n = n->next) {
        const sgs_value *v = n->out[0];
        extremes *e = &t->ends[v->id];
        e->channels = v->type == SGS_F32 && v->rank && sgs_value_count(v) ? t->m->range[v->id].channels : 0;
        for (int k = 0; k < 2 && e->channels; k++) {
            e->sum[k] = SGS_NEW_N(t->a, double, e->channels);
            e->square[k] = SGS_NEW_N(t->a, double, e->channels);
        }
    }
}

static void add_ends(sgs_trials *t, const runner *r)
{
    for (int id = 0; id < t->m->g->nvalue; id++) {
        extremes *e = &t->ends[id];
        for (int k = 0; k < 2; k++)
            for (int64_t c = 0; c < e->channels; c++) {
                const double x = (double)r->end[k][id][c];
                e->sum[k][c] += x;
                e->square[k][c] += x * x;
            }
    }
}

/* Farther than what was seen, where numbers lie on that side at all: an end at zero is one of the operator's. */
static float reach_of(const sgs_trials *t, const extremes *e, int k, int64_t c, float seen)
{
    const double mean = e->sum[k][c] / t->samples, variance = fmax(e->square[k][c] / t->samples - mean * mean, 0),
                 away = DEVIATIONS * sqrt(variance * t->samples / (t->samples - 1));
    if (k)
        return seen > 0 ? fmaxf(seen, (float)(mean + away)) : seen;
    return seen < 0 ? fminf(seen, (float)(mean - away)) : seen;
}

static void set_reach(sgs_trials *t)
{
    for (int id = 0; id < t->m->g->nvalue && t->samples > 1; id++) {
        const extremes *e = &t->ends[id];
        const sgs_range *r = &t->m->range[id];
        float *end[2] = { NULL, NULL };
        for (int k = 0; k < 2 && e->channels; k++) {
            end[k] = SGS_NEW_N(t->a, float, e->channels);
            for (int64_t c = 0; c < e->channels; c++)
                end[k][c] = reach_of(t, e, k, c, k ? r->hi[c] : r->lo[c]);
        }
        t->reach[id] = (sgs_stretch){ end[0], end[1] };
    }
}

const sgs_stretch *sgs_trials_stretch(const sgs_trials *t)
{
    return t->reach;
}

static void keep(const runner *r, int i, const void *data)
{
    const sgs_value *v = r->t->look[i];
    if (r->t->want[i])
        memcpy(r->t->want[i] + r->sample * sgs_value_count(v), data, (size_t)sgs_value_bytes(v));
}

static void watch(void *user, const sgs_node *n, const sgs_tensor *out)
{
    const runner *r = user;
    const sgs_trials *t = r->t;
    const sgs_value *v = n->out[0];
    note_ends(r, v, out[0].data);
    if (t->mean[v->id] && sgs_trials_fit(t, r->sample))
        add_means(t->mean[v->id] + r->sample * v->dim[v->rank - 1], v, out[0].data);
    for (int i = t->m->g->nout; i < t->nlook; i++)
        if (t->look[i] == v)
            keep(r, i, out[0].data);
}

static void add_look(sgs_trials *t, const sgs_value *v)
{
    for (int i = 0; i < t->nlook; i++)
        if (t->look[i] == v)
            return;
    if (v->def && !v->constant && v->type == SGS_F32)
        t->look[t->nlook++] = v;
}

/* A few numbers say little about a model: luck decides them, and a softmax hides the rest where one number is near 1.
 * So what makes a small output counts too, the input of its softmax and what its last convolution reads. */
static void choose_looks(sgs_trials *t)
{
    const sgs_graph *g = t->m->g;
    t->look = SGS_NEW_N(t->a, const sgs_value *, 3 * g->nout + 1);
    for (int i = 0; i < g->nout; i++)
        t->look[t->nlook++] = g->out[i];
    for (int i = 0; i < g->nout; i++) {
        const sgs_node *n = g->out[i]->def;
        for (; n && !sgs_is_conv(n); n = n->nin ? n->in[0]->def : NULL)
            if (n->op == &sgs_op_softmax)
                add_look(t, n->in[0]);
        if (n && sgs_value_count(g->out[i]) < FEW_NUMBERS && sgs_value_count(n->in[0]) < MANY_NUMBERS)
            add_look(t, n->in[0]);
    }
    t->want = SGS_NEW_N(t->a, float *, t->nlook + 1);
    for (int i = 0; i < t->nlook; i++)
        if (t->look[i]->type == SGS_F32)
            t->want[i] = sgs_alloc_n(t->a, (size_t)(t->samples * sgs_value_count(t->look[i]) + 1), sizeof(float));
}

static void make_means(sgs_trials *t)
{
    t->mean = SGS_NEW_N(t->a, double *, t->m->g->nvalue + 1);
    for (const sgs_node *n = t->m->g->first; n; n = n->next)
        if (sgs_is_conv(n) && n->in[0]->def && n->in[0]->type == SGS_F32 && n->in[0]->rank && !t->mean[n->in[0]->id])
            t->mean[n->in[0]->id] = SGS_NEW_N(t->a, double, t->samples * n->in[0]->dim[n->in[0]->rank - 1] + 1);
}

void sgs_trials_give(const sgs_trials *t, int k, sgs_session *session)
{
    const uint8_t *from = sgs_statistics_sample(t->m->statistics, k).p;
    for (int i = 0; i < t->m->g->nin; i++) {
        memcpy(sgs_session_data(session, t->m->g->in[i]), from, (size_t)sgs_value_bytes(t->m->g->in[i]));
        from += sgs_value_bytes(t->m->g->in[i]);
    }
}

static sgs_status run_sample(void *user, int place, int k, sgs_diag *d)
{
    runner *r = (runner *)user + place;
    const sgs_graph *g = r->t->m->g;
    sgs_share_progress(r->t->m->threads, r->t->m->log, "float model", r->t->done, r->t->samples);
    r->sample = k;
    sgs_trials_give(r->t, k, r->session);
    SGS_TRY(sgs_session_run(r->session, d));
    for (int i = 0; i < g->nout; i++)
        keep(r, i, sgs_session_data(r->session, g->out[i]));
    r->t->done++;
    return SGS_OK;
}

static void add_sample(void *user, int place, int k)
{
    (void)k;
    const runner *r = (const runner *)user + place;
    add_ends(r->t, r);
}

static sgs_status make_runner(runner *r, sgs_trials *t, sgs_diag *d)
{
    const sgs_graph *g = t->m->g;
    r->t = t;
    for (int k = 0; k < 2; k++) {
        r->end[k] = SGS_NEW_N(t->a, float *, g->nvalue + 1);
        for (int id = 0; id < g->nvalue; id++)
            r->end[k][id] = t->ends[id].channels ? SGS_NEW_N(t->a, float, t->ends[id].channels) : NULL;
    }
    SGS_TRY(sgs_session_new(&r->session, t->m->g, false, d));
    sgs_session_watch(r->session, watch, r);
    return SGS_OK;
}

static sgs_status run_float(sgs_trials *t, sgs_diag *d)
{
    sgs_work w = { .n = t->samples, .most = t->m->saving, .run = run_sample, .add = add_sample };
    const int places = sgs_places(t->m->threads, &w);
    runner *r = SGS_NEW_N(t->a, runner, places);
    sgs_status status = SGS_OK;
    for (int i = 0; i < places && status == SGS_OK; i++)
        status = make_runner(&r[i], t, d);
    w.user = r;
    if (status == SGS_OK)
        status = sgs_share(t->m->threads, &w, d);
    for (int i = 0; i < places; i++)
        sgs_session_free(r[i].session);
    sgs_log_progress_end(t->m->log, "float model");
    return status;
}

sgs_status sgs_trials_new(sgs_trials **out, const sgs_making *m, sgs_arena *a, sgs_diag *d)
{
    sgs_trials *t = SGS_NEW(a, sgs_trials);
    *t = (sgs_trials){ .m = m, .a = a, .o = sgs_qoptions_from(m->ini, m->g), .learned = affordable(m) };
    t->samples = on_trial(m, t->learned);
    choose_looks(t);
    make_means(t);
    make_ends(t);
    const sgs_status status = run_float(t, d);
    set_reach(t);
    *out = t;
    return status;
}

const double *sgs_trials_mean(const sgs_trials *t, const sgs_value *v, int k)
{
    return t->mean[v->id] ? t->mean[v->id] + k * v->dim[v->rank - 1] : NULL;
}

/* ---- inputs as a board gives them ---- */

/* The pixel that becomes x in channel c of the network. */
static uint8_t pixel(const sgs_qinput *in, int64_t c, double x)
{
    const double p = x * (double)in->std[c] + (double)in->mean[c], within = p > 0 ? p < 255 ? p : 255 : 0;
    return (uint8_t)(within + 0x1p52 - 0x1p52); /* the nearest whole number */
}

/* A picture as the board gives it. */
static void give_image(const sgs_qinput *in, const sgs_value *v, const float *x, uint8_t *to)
{
    const int64_t channels = v->dim[in->channel_axis];
    int64_t inner = 1;
    for (int i = in->channel_axis + 1; i < v->rank; i++)
        inner *= v->dim[i];
    for (int64_t i = 0; i < sgs_value_count(v); i++) {
        const int64_t c = i / inner % channels, from = in->swap ? channels - 1 - c : c;
        to[i] = pixel(in, from, (double)x[i + (from - c) * inner]);
    }
}

void sgs_trials_give_fixed(const sgs_trials *t, int k, const sgs_graph *fixed, sgs_fixed *f)
{
    const uint8_t *from = sgs_statistics_sample(t->m->statistics, k).p;
    for (int i = 0; i < fixed->nin; i++) {
        const sgs_value *source = t->m->g->in[i], *v = fixed->in[i];
        void *to = sgs_fixed_input(f, i);
        if (source->type == v->type)
            memcpy(to, from, (size_t)sgs_value_bytes(v));
        else if (t->o.in[i].image)
            give_image(&t->o.in[i], v, (const float *)(const void *)from, to);
        else
            sgs_round_to(v, to, source->type, from);
        from += sgs_value_bytes(source);
    }
}

/* ---- how near it comes ---- */

struct sgs_noise {
    sgs_trials *t;
    int *sample; /* [n]: which judge */
    int n;
    double *signal, *noise; /* [nlook][n] energies */
};

static const sgs_value *made_as(const sgs_graph *g, int id)
{
    for (const sgs_node *n = g->first; n; n = n->next)
        if (n->out[0]->id == id)
            return n->out[0];
    return NULL;
}

/* What the fixed model has in the place of look i. */
static const sgs_value *counterpart(const sgs_trials *t, const sgs_graph *fixed, int i)
{
    return i < fixed->nout ? fixed->out[i] : made_as(fixed, t->look[i]->id);
}

/* What no model shows is not looked at any more. */
static void drop_unseen(sgs_trials *t, const sgs_graph *fixed, const sgs_fixed *f)
{
    for (int i = fixed->nout; i < t->nlook; i++) {
        const sgs_value *v = counterpart(t, fixed, i);
        if (!v || !sgs_fixed_data(f, v))
            t->want[i] = NULL;
    }
}

/* On the sample that judges as number `at`. */
static void compare(const sgs_noise *z, int at, const sgs_graph *fixed, const sgs_fixed *f)
{
    const sgs_trials *t = z->t;
    for (int i = 0; i < t->nlook; i++) {
        const sgs_value *v = counterpart(t, fixed, i);
        const int64_t n = sgs_value_count(t->look[i]);
        const float *want = t->want[i] ? t->want[i] + z->sample[at] * n : NULL;
        if (!want)
            continue;
        const void *got = i < fixed->nout ? sgs_fixed_output(f, i) : sgs_fixed_data(f, v);
        double signal = 0, noise = 0;
        for (int64_t j = 0; j < n; j++) {
            const double e = sgs_real(v, got, j) - (double)want[j];
            signal += (double)want[j] * (double)want[j];
            noise += e * e;
        }
        z->signal[i * t->samples + at] = signal;
        z->noise[i * t->samples + at] = noise;
    }
}

/* A model on trial. */
typedef struct trial {
    sgs_noise *z;
    const char *what;
    sgs_graph *fixed;
    sgs_fixed **f; /* by place */
} trial;

static sgs_status judge(void *user, int place, int i, sgs_diag *d)
{
    const trial *on = user;
    sgs_trials *t = on->z->t;
    sgs_share_progress(t->m->threads, t->m->log, on->what, t->done, on->z->n);
    sgs_trials_give_fixed(t, on->z->sample[i], on->fixed, on->f[place]);
    SGS_TRY(sgs_fixed_run(on->f[place], d));
    compare(on->z, i, on->fixed, on->f[place]);
    t->done++;
    return SGS_OK;
}

static sgs_status judge_all(trial *on, sgs_diag *d)
{
    sgs_trials *t = on->z->t;
    const sgs_work w = { .n = on->z->n, .most = t->m->saving, .run = judge, .user = on };
    const int places = sgs_places(t->m->threads, &w);
    on->f = SGS_NEW_N(t->a, sgs_fixed *, places + 1);
    sgs_status s = sgs_fixed_new(&on->f[0], on->fixed, ipu_kernels_for(ipu_host_cpu()), NULL, d);
    for (int i = 1; i < places && s == SGS_OK; i++)
        s = sgs_fixed_again(&on->f[i], on->f[0], d);
    if (s == SGS_OK) {
        drop_unseen(t, on->fixed, on->f[0]);
        t->done = 0;
        s = sgs_share(t->m->threads, &w, d);
        sgs_log_progress_end(t->m->log, on->what);
    }
    for (int i = places - 1; i >= 0; i--)
        sgs_fixed_free(on->f[i]);
    return s;
}

sgs_status sgs_trial_measure(sgs_trials *t, const char *what, sgs_graph *fixed, sgs_judges who, sgs_noise **out,
                             sgs_diag *d)
{
    sgs_noise *z = *out = SGS_NEW(t->a, sgs_noise);
    trial on = { .z = z, .what = what, .fixed = fixed };
    *z = (sgs_noise){ .t = t, .sample = SGS_NEW_N(t->a, int, t->samples + 1) };
    z->signal = SGS_NEW_N(t->a, double, t->nlook * t->samples + 1);
    z->noise = SGS_NEW_N(t->a, double, t->nlook * t->samples + 1);
    for (int k = 0; k < t->samples; k++)
        if (judges(t, who, k))
            z->sample[z->n++] = k;
    return judge_all(&on, d);
}

/* ---- numbers of it ---- */

int sgs_noise_samples(const sgs_noise *n)
{
    return n->n;
}

static double share(double noise, double signal)
{
    return signal > 0 ? noise / signal : 0;
}

/* Of look i in its k-th sample; of look i in all of them. */
static double of_sample(const sgs_noise *z, int i, int k)
{
    return share(z->noise[i * z->t->samples + k], z->signal[i * z->t->samples + k]);
}

static double of_look(const sgs_noise *z, int i)
{
    double noise = 0, signal = 0;
    for (int k = 0; k < z->n; k++) {
        noise += z->noise[i * z->t->samples + k];
        signal += z->signal[i * z->t->samples + k];
    }
    return share(noise, signal);
}

static double decibel(double part)
{
    return part > 0 ? fmin(-10 * log10(part), BEST_DB) : BEST_DB;
}

/* The mean over looks; few numbers are mostly luck.  k below 0: of all samples. */
static double weighed_db(const sgs_noise *z, int k)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < z->t->nlook; i++) {
        if (!z->t->want[i])
            continue;
        const double weight = log2(1 + (double)sgs_value_count(z->t->look[i]));
        sum += weight * decibel(k < 0 ? of_look(z, i) : of_sample(z, i, k));
        weights += weight;
    }
    return weights > 0 ? sum / weights : BEST_DB;
}

double sgs_noise_db(const sgs_noise *n)
{
    return weighed_db(n, -1);
}

/* Of the outputs together, each as a share of its own energy. */
static double outputs_of_sample(const sgs_noise *z, int k)
{
    double sum = 0;
    for (int i = 0; i < z->t->m->g->nout; i++)
        sum += z->t->want[i] ? of_sample(z, i, k) : 0;
    return sum;
}

static double output_of_all(const sgs_noise *z, int i)
{
    double sum = 0;
    for (int k = 0; k < z->n; k++)
        sum += of_sample(z, i, k);
    return sum;
}

double sgs_noise_output_db(const sgs_noise *n)
{
    double sum = 0;
    for (int k = 0; k < n->n; k++)
        sum += outputs_of_sample(n, k);
    return -10 * log10(fmax(sum / (n->n * n->t->m->g->nout), 1e-20));
}

/* ---- which is better ---- */

/* Mean of what samples say, and its standard error. */
typedef struct verdict {
    int n;
    double sum, square;
} verdict;

static void hear(verdict *v, double x)
{
    v->n++;
    v->sum += x;
    v->square += x * x;
}

static double mean_of(const verdict *v)
{
    return v->n ? v->sum / v->n : 0;
}

static double error_of(const verdict *v)
{
    const double mean = mean_of(v);
    return v->n > 1 ? sqrt(fmax(v->square / v->n - mean * mean, 0) / (v->n - 1)) : INFINITY;
}

#define ALONE_ERROR 1.0 /* dB: of a single sample, which says nothing of its error */
#define CLEARLY 0.95    /* of the noise before: what may be left at most */
#define SURELY 2        /* standard errors that the mean over samples must be away from that */

/* The logarithm of the outputs' noise in sample k by what it was before. */
static double more_at_outputs(const sgs_noise *now, const sgs_noise *before, int k)
{
    return log(fmax(outputs_of_sample(now, k), LEAST_NOISE) / fmax(outputs_of_sample(before, k), LEAST_NOISE));
}

bool sgs_noise_better(const sgs_noise *now, const sgs_noise *before, double gain)
{
    verdict v = { 0 }, outputs = { 0 };
    for (int k = 0; k < now->n; k++) {
        hear(&v, weighed_db(now, k) - weighed_db(before, k));
        hear(&outputs, more_at_outputs(now, before, k));
    }
    for (int i = 0; i < now->t->m->g->nout; i++)
        if (now->t->want[i] && of_look(now, i) > of_look(before, i) + LEAST_NOISE)
            return false;
    return mean_of(&outputs) <= 0 && mean_of(&v) > gain + (v.n > 1 ? error_of(&v) : ALONE_ERROR) &&
           sgs_noise_db(now) > sgs_noise_db(before);
}

bool sgs_noise_nearer(const sgs_noise *now, const sgs_noise *before)
{
    verdict v = { 0 }, outputs = { 0 };
    for (int k = 0; k < now->n; k++) {
        hear(&v, weighed_db(now, k) - weighed_db(before, k));
        hear(&outputs, more_at_outputs(now, before, k));
    }
    return mean_of(&outputs) <= 0 && mean_of(&v) > 0;
}

bool sgs_noise_surely_less(const sgs_noise *now, const sgs_noise *before)
{
    verdict v = { 0 };
    for (int i = 0; i < now->t->m->g->nout; i++)
        if (now->t->want[i] && output_of_all(now, i) > output_of_all(before, i))
            return false;
    for (int k = 0; k < now->n; k++)
        hear(&v, more_at_outputs(now, before, k));
    return mean_of(&v) + SURELY * error_of(&v) < log(CLEARLY);
}
