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
#define MOST_BYTES ((int64_t)64 << 20) /* of float outputs that are kept, but for as many samples */
#define FEW_NUMBERS 4096
#define MANY_NUMBERS 65536
#define BEST_DB 80.0      /* counts as equal */
#define LEAST_NOISE 1e-12 /* as a share: 120 dB */

enum { FEWEST = 4, ENOUGH = 8 /* samples, to judge by others than what was fitted to */ };

/* Of each channel, over samples: the smallest and the largest number of each. */
typedef struct extremes {
    double *sum[2], *square[2];
    float *of_one[2]; /* of the sample that runs */
} extremes;

struct sgs_trials {
    const sgs_making *m;
    sgs_arena *a;
    sgs_qoptions o;         /* what the ini says of inputs */
    int samples, run;       /* the first so many that the statistics kept; how many the float model has run */
    const sgs_value **look; /* [nlook] of the float graph: what is compared, outputs first */
    int nlook;
    float **want; /* [nlook]: [samples][elements]; NULL: integers of the model itself, or out of sight */
    sgs_stretch *reach;
    extremes *ends; /* by value id */
    double **mean;  /* by id of what a convolution reads: [samples][channels], in float, of samples to fit to */
};

const sgs_making *sgs_trials_making(const sgs_trials *t)
{
    return t->m;
}

int sgs_trials_samples(const sgs_trials *t)
{
    return t->samples;
}

bool sgs_trials_fit(const sgs_trials *t, int k)
{
    return t->samples < ENOUGH || k % 2 == 0;
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
    int64_t bytes = 1;
    int n = sgs_statistics_kept(m->statistics);
    for (const sgs_node *k = m->g->first; k; k = k->next)
        work += sgs_is_conv(k) ? sgs_multiplications(k) : (double)sgs_value_count(k->out[0]);
    for (int i = 0; i < m->g->nout; i++)
        bytes += sgs_value_bytes(m->g->out[i]);
    while (n > FEWEST && ((n > ENOUGH && n * work > MOST_WORK) || n * bytes > MOST_BYTES))
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

static void add_ends(sgs_trials *t, const sgs_value *v, const float *x)
{
    extremes *e = &t->ends[v->id];
    const int64_t channels = v->rank ? v->dim[v->rank - 1] : 0, count = channels ? sgs_value_count(v) : 0;
    if (v->type != SGS_F32 || !count || !e->sum[0])
        return;
    memcpy(e->of_one[0], x, (size_t)channels * sizeof *x);
    memcpy(e->of_one[1], x, (size_t)channels * sizeof *x);
    for (int64_t i = channels; i < count; i += channels)
        for (int64_t c = 0; c < channels; c++) {
            e->of_one[0][c] = fminf(e->of_one[0][c], x[i + c]);
            e->of_one[1][c] = fmaxf(e->of_one[1][c], x[i + c]);
        }
    for (int k = 0; k < 2; k++)
        for (int64_t c = 0; c < channels; c++) {
            e->sum[k][c] += (double)e->of_one[k][c];
            e->square[k][c] += (double)e->of_one[k][c] * (double)e->of_one[k][c];
        }
}

static void make_ends(sgs_trials *t)
{
    const sgs_graph *g = t->m->g;
    t->ends = SGS_NEW_N(t->a, extremes, g->nvalue + 1);
    t->reach = SGS_NEW_N(t->a, sgs_stretch, g->nvalue + 1);
    for (const sgs_node *n = g->first; n; n = n->next) {
        const int64_t channels = t->m->range[n->out[0]->id].channels;
        for (int k = 0; k < 2 && channels; k++) {
            extremes *e = &t->ends[n->out[0]->id];
            e->sum[k] = SGS_NEW_N(t->a, double, channels);
            e->square[k] = SGS_NEW_N(t->a, double, channels);
            e->of_one[k] = SGS_NEW_N(t->a, float, channels);
        }
    }
}

static void set_reach(sgs_trials *t)
{
    for (int id = 0; id < t->m->g->nvalue; id++) {
        const extremes *e = &t->ends[id];
        const sgs_range *r = &t->m->range[id];
        for (int64_t c = 0; e->sum[0] && t->samples > 1 && c < r->channels; c++)
            for (int k = 0; k < 2; k++) {
                const double mean = e->sum[k][c] / t->samples,
                             variance = fmax(e->square[k][c] / t->samples - mean * mean, 0),
                             away = DEVIATIONS * sqrt(variance * t->samples / (t->samples - 1));
                const bool beyond = k ? r->hi[c] > 0 : r->lo[c] < 0; /* an end at zero is one of the operator's */
                e->of_one[k][c] = !beyond ? (k ? r->hi[c] : r->lo[c])
                                  : k     ? fmaxf(r->hi[c], (float)(mean + away))
                                          : fminf(r->lo[c], (float)(mean - away));
            }
        if (e->sum[0] && t->samples > 1)
            t->reach[id] = (sgs_stretch){ e->of_one[0], e->of_one[1] };
    }
}

const sgs_stretch *sgs_trials_stretch(const sgs_trials *t)
{
    return t->reach;
}

static void keep(sgs_trials *t, int i, const void *data)
{
    if (t->want[i])
        memcpy(t->want[i] + t->run * sgs_value_count(t->look[i]), data, (size_t)sgs_value_bytes(t->look[i]));
}

static void watch(void *user, const sgs_node *n, const sgs_tensor *out)
{
    sgs_trials *t = user;
    const sgs_value *v = n->out[0];
    add_ends(t, v, out[0].data);
    if (t->mean[v->id] && sgs_trials_fit(t, t->run))
        add_means(t->mean[v->id] + t->run * v->dim[v->rank - 1], v, out[0].data);
    for (int i = t->m->g->nout; i < t->nlook; i++)
        if (t->look[i] == v)
            keep(t, i, out[0].data);
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

static sgs_status run_float(sgs_trials *t, sgs_session *session, sgs_diag *d)
{
    const sgs_graph *g = t->m->g;
    for (int k = 0; k < t->samples; k++) {
        sgs_log_progress(t->m->log, "float model", k, t->samples);
        sgs_trials_give(t, k, session);
        SGS_TRY(sgs_session_run(session, d));
        for (int i = 0; i < g->nout; i++)
            keep(t, i, sgs_session_data(session, g->out[i]));
        t->run++;
    }
    sgs_log_progress_end(t->m->log, "float model");
    return SGS_OK;
}

sgs_status sgs_trials_new(sgs_trials **out, const sgs_making *m, sgs_arena *a, sgs_diag *d)
{
    sgs_trials *t = SGS_NEW(a, sgs_trials);
    sgs_session *session;
    *t = (sgs_trials){ .m = m, .a = a, .o = sgs_qoptions_from(m->ini, m->g), .samples = affordable(m) };
    choose_looks(t);
    make_means(t);
    make_ends(t);
    SGS_TRY(sgs_session_new(&session, m->g, false, d));
    sgs_session_watch(session, watch, t);
    const sgs_status status = run_float(t, session, d);
    sgs_session_free(session);
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
static double pixel(const sgs_qinput *in, int64_t c, double x)
{
    return fmin(fmax(rint(x * (double)in->std[c] + (double)in->mean[c]), 0), 255);
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
        to[i] = (uint8_t)pixel(in, from, (double)x[i + (from - c) * inner]);
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
    const sgs_trials *t;
    int *sample; /* [n]: which judged */
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

static void compare(sgs_noise *z, const sgs_graph *fixed, const sgs_fixed *f)
{
    const sgs_trials *t = z->t;
    for (int i = 0; i < t->nlook; i++) {
        const sgs_value *v = counterpart(t, fixed, i);
        const int64_t n = sgs_value_count(t->look[i]);
        const float *want = t->want[i] ? t->want[i] + z->sample[z->n] * n : NULL;
        if (!want)
            continue;
        const void *got = i < fixed->nout ? sgs_fixed_output(f, i) : sgs_fixed_data(f, v);
        double signal = 0, noise = 0;
        for (int64_t j = 0; j < n; j++) {
            const double e = sgs_real(v, got, j) - (double)want[j];
            signal += (double)want[j] * (double)want[j];
            noise += e * e;
        }
        z->signal[i * t->samples + z->n] = signal;
        z->noise[i * t->samples + z->n] = noise;
    }
}

static sgs_status run_all(sgs_noise *z, const char *what, const sgs_graph *fixed, sgs_fixed *f, sgs_judges who,
                          sgs_diag *d)
{
    const sgs_trials *t = z->t;
    for (int k = 0; k < t->samples; k++) {
        if (!judges(t, who, k))
            continue;
        sgs_log_progress(t->m->log, what, k, t->samples);
        sgs_trials_give_fixed(t, k, fixed, f);
        SGS_TRY(sgs_fixed_run(f, d));
        z->sample[z->n] = k;
        compare(z, fixed, f);
        z->n++;
    }
    sgs_log_progress_end(t->m->log, what);
    return SGS_OK;
}

sgs_status sgs_trial_measure(sgs_trials *t, const char *what, sgs_graph *fixed, sgs_judges who, sgs_noise **out,
                             sgs_diag *d)
{
    sgs_noise *z = *out = SGS_NEW(t->a, sgs_noise);
    sgs_fixed *f;
    *z = (sgs_noise){ .t = t, .sample = SGS_NEW_N(t->a, int, t->samples + 1) };
    z->signal = SGS_NEW_N(t->a, double, t->nlook * t->samples + 1);
    z->noise = SGS_NEW_N(t->a, double, t->nlook * t->samples + 1);
    SGS_TRY(sgs_fixed_new(&f, fixed, ipu_kernels_for(ipu_host_cpu()), NULL, d));
    drop_unseen(t, fixed, f);
    const sgs_status s = run_all(z, what, fixed, f, who, d);
    sgs_fixed_free(f);
    return s;
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
