#include "sim/quality.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "openipu/ipu_host.h"
#include "sim/fixed.h"
#include "sim/values.h"

typedef struct kept {
    int64_t count; /* elements of one sample; 0: not kept */
    float *v;      /* [compared samples][count] */
} kept;

struct sgs_quality {
    sgs_arena *arena;
    const sgs_config *config;
    int samples, compared;
    kept *in, *out;
    double *signal, *noise; /* [outputs] */
    bool *warned;           /* [inputs] */
};

/* ---- the float side -------------------------------------------------------------------------------------------- */

static kept make_kept(sgs_quality *q, const sgs_value *v)
{
    const int64_t n = sgs_value_count(v);
    return (kept){ n, sgs_alloc_n(q->arena, (size_t)n * (size_t)q->compared + 1, sizeof(float)) };
}

sgs_quality *sgs_quality_new(sgs_arena *a, const sgs_graph *g, const sgs_config *c, int samples)
{
    sgs_quality *q = SGS_NEW(a, sgs_quality);
    *q = (sgs_quality){ .arena = a, .config = c, .samples = samples };
    q->compared = samples < SGS_QUALITY_SAMPLES ? samples : SGS_QUALITY_SAMPLES;
    q->in = SGS_NEW_N(a, kept, g->nin + 1);
    q->out = SGS_NEW_N(a, kept, g->nout + 1);
    q->signal = SGS_NEW_N(a, double, g->nout + 1);
    q->noise = SGS_NEW_N(a, double, g->nout + 1);
    q->warned = SGS_NEW_N(a, bool, g->nin + 1);
    for (int i = 0; i < g->nin; i++)
        if (sgs_format_raw(c->in[i].training))
            q->in[i] = make_kept(q, g->in[i]);
    for (int i = 0; i < g->nout; i++)
        q->out[i] = make_kept(q, g->out[i]);
    return q;
}

/* Compared samples lie evenly among all: the k-th is number k * samples / compared. */
static int sample_of(const sgs_quality *q, int k)
{
    return (int)((int64_t)k * q->samples / q->compared);
}

static int place_of(const sgs_quality *q, int sample)
{
    const int k = (int)(((int64_t)sample * q->compared + q->samples - 1) / q->samples);
    return k < q->compared && sample_of(q, k) == sample ? k : -1;
}

static void keep(kept *to, int place, const sgs_value *v, const void *data)
{
    for (int64_t i = 0; i < to->count; i++)
        to->v[place * to->count + i] = (float)sgs_stored(v->type, data, i);
}

void sgs_quality_keep(sgs_quality *q, int sample, sgs_session *session)
{
    const sgs_graph *g = sgs_session_graph(session);
    const int place = place_of(q, sample);
    if (place < 0)
        return;
    for (int i = 0; i < g->nin; i++)
        keep(&q->in[i], place, g->in[i], sgs_session_data(session, g->in[i]));
    for (int i = 0; i < g->nout; i++)
        keep(&q->out[i], place, g->out[i], sgs_session_data(session, g->out[i]));
}

/* ---- the fixed side -------------------------------------------------------------------------------------------- */

static bool as_it_is(const sgs_value *v)
{
    return v->quant && v->quant->scale[0] == 1 && !v->quant->zero[0];
}

static void warn_raw(const char *script, const char *input, const sgs_value *v, double want, double gave, double means,
                     const sgs_log *log)
{
    sgs_log_warning(
        log,
        "%s: for input '%.200s' norm=True gives %g where norm=False gives %g, which the fixed-point model takes "
        "for %g",
        script, input, want, gave, means);
    if (v->quant && !as_it_is(v))
        sgs_log_warning(
            log,
            "with quantizations=TRUE norm=False returns round(value / %.9g) + %d; with quantizations=FALSE it "
            "returns the numbers as they are",
            (double)v->quant->scale[0], v->quant->zero[0]);
}

/* A raw input holds the numbers that the float model saw, within a step (boards truncate): a script that returns others
 * is the likeliest reason for a model that works as float alone. */
static void check_raw(sgs_quality *q, int i, int place, const sgs_value *v, const void *data, const char *script,
                      const sgs_log *log)
{
    const float *float_side = q->in[i].v + place * q->in[i].count;
    for (int64_t k = 0; k < q->in[i].count && !q->warned[i]; k++) {
        const double want = (double)float_side[k], means = sgs_real(v, data, k);
        const double step = as_it_is(v) ? 0 : v->quant ? (double)v->quant->scale[0] : 1e-5 * fabs(want);
        q->warned[i] = fabs(want - means) > 1.01 * step;
        if (q->warned[i])
            warn_raw(script, q->config->in[i].name, v, want, sgs_stored(v->type, data, k), means, log);
    }
}

static sgs_status give(sgs_quality *q, sgs_fixed *f, sgs_graph *g, const sgs_samples *s, const sgs_array *array,
                       int place, const char *const *script, const sgs_log *log, sgs_diag *d)
{
    for (int i = 0; i < g->nin; i++) {
        const sgs_value *v;
        const sgs_input_config *in = &q->config->in[i];
        SGS_TRY(sgs_board_picture(g, i, in, &v, d));
        const sgs_want want = { .name = in->name, .type = v->type, .rank = v->rank, .dim = v->dim };
        void *to = sgs_fixed_input(f, i);
        SGS_TRY(sgs_samples_board(s, i, &array[i], in, &want, to, d));
        check_raw(q, i, place, v, to, script[i], log);
    }
    return SGS_OK;
}

static void compare(sgs_quality *q, const sgs_fixed *f, const sgs_graph *g, int place)
{
    for (int i = 0; i < g->nout; i++) {
        const void *data = sgs_fixed_output(f, i);
        for (int64_t k = 0; k < q->out[i].count; k++) {
            const double want = (double)q->out[i].v[place * q->out[i].count + k],
                         error = sgs_real(g->out[i], data, k) - want;
            q->signal[i] += want * want;
            q->noise[i] += error * error;
        }
    }
}

static sgs_status run_all(sgs_quality *q, sgs_fixed *f, sgs_graph *g, sgs_samples *s, const sgs_log *log, sgs_diag *d)
{
    sgs_array *array = SGS_NEW_N(q->arena, sgs_array, g->nin + 1);
    const char *const *script = sgs_samples_scripts(s);
    for (int k = 0; k < q->compared; k++) {
        bool end;
        sgs_log_progress(log, "compare with float", k, q->compared);
        SGS_TRY(sgs_samples_next(s, array, &end, d));
        SGS_TRY(give(q, f, g, s, array, k, script, log, d));
        SGS_TRY(sgs_fixed_run(f, d));
        compare(q, f, g, k);
    }
    sgs_log_progress(log, "compare with float", q->compared, q->compared);
    return SGS_OK;
}

static sgs_status measure(sgs_quality *q, sgs_graph *g, const sgs_samples_options *o, const sgs_log *log, sgs_diag *d)
{
    sgs_samples *s;
    sgs_fixed *f = NULL;
    SGS_TRY(sgs_samples_open(&s, o, g->nin, false, d));
    bool *use = SGS_NEW_N(q->arena, bool, q->samples);
    for (int i = 0; i < q->samples; i++)
        use[i] = place_of(q, i) >= 0;
    sgs_samples_keep(s, use);
    sgs_status status = sgs_fixed_new(&f, g, ipu_kernels_for(ipu_host_cpu()), NULL, d);
    if (status == SGS_OK)
        status = run_all(q, f, g, s, log, d);
    sgs_fixed_free(f);
    sgs_samples_close(s);
    return status;
}

static double decibels(double signal, double noise)
{
    if (noise == 0)
        return signal > 0 ? INFINITY : NAN;
    return signal > 0 ? 10 * log10(signal / noise) : NAN;
}

static void report(const sgs_quality *q, const sgs_graph *g, sgs_calibrate_report *r)
{
    const int most = (int)(sizeof r->output / sizeof *r->output);
    r->samples = q->compared;
    r->noutput = g->nout < most ? g->nout : most;
    for (int i = 0; i < r->noutput; i++) {
        snprintf(r->output[i].name, sizeof r->output[i].name, "%s", q->config->out[i].name);
        r->output[i].sqnr = decibels(q->signal[i], q->noise[i]);
    }
}

void sgs_quality_measure(sgs_quality *q, sgs_graph *g, const sgs_samples_options *o, const sgs_log *log,
                         sgs_calibrate_report *r)
{
    sgs_diag why = { 0 };
    *r = (sgs_calibrate_report){ .of = q->samples };
    if (measure(q, g, o, log, &why) == SGS_OK) {
        report(q, g, r);
        return;
    }
    sgs_log_warning(log, "the fixed-point model was made but not compared with the float model: %s%s%s", why.file,
                    why.file[0] ? ": " : "", why.text);
}
