/* From statistics to the fixed-point model.  Where a level has clips, two models are made, with and without them, and
 * both run on the samples that the statistics kept: a level is no worse than the one below it, on pictures that neither
 * saw. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "openipu/ipu_host.h"
#include "quant/model.h"
#include "sim/fixed.h"
#include "sim/session.h"
#include "sim/values.h"

#define CLEARLY 0.95      /* of the noise without clips: what they may leave at most */
#define LEAST_NOISE 1e-12 /* as a share: 120 dB */
#define SURELY 2          /* standard errors that the mean over samples must be away from that */

/* ---- one model
 * ----------------------------------------------------------------------------------------------------------------------
 */

/* The ranges of a graph of the same file, at least as wide as ties ask; the quantizer uses the table up. */
static sgs_range *ranges(const sgs_making *m, sgs_graph *g)
{
    sgs_range *seen = sgs_statistics_ranges(m->statistics), *range = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 1);
    memcpy(range, seen, (size_t)g->nvalue * sizeof *range);
    for (int i = 0; m->least && i < g->nvalue; i++)
        if (range[i].channels && m->least[i] > 0 && m->least[i] > range[i].hi[0])
            range[i].hi[0] = m->least[i];
    return range;
}

static sgs_qoptions options(const sgs_making *m, sgs_graph *g, bool clips, const sgs_log *log)
{
    sgs_qoptions o = sgs_qoptions_from(m->ini, g);
    o.params = m->params;
    o.least = m->least;
    o.level = m->level;
    o.weighed = m->weighed;
    o.log = log;
    if (!clips)
        o.weighed.clip = NULL;
    return o;
}

static sgs_status make(sgs_graph **out, const sgs_making *m, bool clips, const sgs_log *log, sgs_diag *d)
{
    const sgs_qoptions first = options(m, m->g, clips, log);
    SGS_TRY(sgs_float_model_read_with(out, m->path, &first, d));
    const sgs_qoptions o = options(m, *out, clips, log);
    const sgs_status s = sgs_quantize(*out, ranges(m, *out), &o, d);
    if (s == SGS_OK)
        return s;
    sgs_graph_free(*out);
    *out = NULL;
    return s;
}

/* ---- how near it comes
 * ----------------------------------------------------------------------------------------------------------------- */

typedef struct trial {
    const sgs_making *m;
    sgs_graph *g; /* fixed */
    sgs_fixed *f;
    double *noise; /* [samples][outputs]: as a share of the output's energy */
} trial;

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

static void give(const trial *t, const sgs_qoptions *o, int sample)
{
    const uint8_t *from = sgs_statistics_sample(t->m->statistics, sample).p;
    for (int i = 0; i < t->g->nin; i++) {
        const sgs_value *source = t->m->g->in[i], *v = t->g->in[i];
        void *to = sgs_fixed_input(t->f, i);
        if (source->type == v->type)
            memcpy(to, from, (size_t)sgs_value_bytes(v));
        else if (o->in[i].image)
            give_image(&o->in[i], v, (const float *)(const void *)from, to);
        else
            sgs_round_to(v, to, source->type, from);
        from += sgs_value_bytes(source);
    }
}

static double share_of(const sgs_value *clean, const void *want, const sgs_value *v, const void *found)
{
    double signal = 0, noise = 0;
    for (int64_t i = 0; i < sgs_value_count(v); i++) {
        const double a = sgs_real(clean, want, i), e = sgs_real(v, found, i) - a;
        signal += a * a;
        noise += e * e;
    }
    return signal > 0 ? noise / signal : 0;
}

/* The float model's session has run the same sample. */
static sgs_status run_sample(const trial *t, const sgs_qoptions *o, sgs_session *clean, int sample, sgs_diag *d)
{
    const sgs_graph *g = t->m->g;
    give(t, o, sample);
    SGS_TRY(sgs_fixed_run(t->f, d));
    for (int i = 0; i < g->nout; i++)
        t->noise[sample * g->nout + i] =
            share_of(g->out[i], sgs_session_data(clean, g->out[i]), t->g->out[i], sgs_fixed_output(t->f, i));
    return SGS_OK;
}

static sgs_status run_clean(const sgs_making *m, sgs_session *session, int sample, sgs_diag *d)
{
    const uint8_t *from = sgs_statistics_sample(m->statistics, sample).p;
    for (int i = 0; i < m->g->nin; i++) {
        memcpy(sgs_session_data(session, m->g->in[i]), from, (size_t)sgs_value_bytes(m->g->in[i]));
        from += sgs_value_bytes(m->g->in[i]);
    }
    return sgs_session_run(session, d);
}

static sgs_status run_all(trial t[2], sgs_session *session, sgs_diag *d)
{
    const sgs_making *m = t[0].m;
    const sgs_qoptions o = sgs_qoptions_from(m->ini, m->g);
    for (int k = 0; k < sgs_statistics_kept(m->statistics); k++) {
        sgs_log_progress(m->log, "try clips", k, sgs_statistics_kept(m->statistics));
        SGS_TRY(run_clean(m, session, k, d));
        for (int i = 0; i < 2; i++)
            SGS_TRY(run_sample(&t[i], &o, session, k, d));
    }
    sgs_log_progress(m->log, "try clips", sgs_statistics_kept(m->statistics), sgs_statistics_kept(m->statistics));
    return SGS_OK;
}

static sgs_status try_both(trial t[2], sgs_diag *d)
{
    const sgs_making *m = t[0].m;
    sgs_session *session = NULL;
    sgs_status s = sgs_session_new(&session, m->g, false, d);
    for (int i = 0; i < 2 && s == SGS_OK; i++) {
        t[i].noise = SGS_NEW_N(m->g->arena, double, sgs_statistics_kept(m->statistics) * m->g->nout);
        s = sgs_fixed_new(&t[i].f, t[i].g, ipu_kernels_for(ipu_host_cpu()), NULL, d);
    }
    if (s == SGS_OK)
        s = run_all(t, session, d);
    for (int i = 0; i < 2; i++)
        sgs_fixed_free(t[i].f);
    sgs_session_free(session);
    return s;
}

/* Of one sample; of one output in all samples. */
static double of_sample(const trial *t, int k)
{
    double sum = 0;
    for (int i = 0; i < t->m->g->nout; i++)
        sum += t->noise[k * t->m->g->nout + i];
    return sum;
}

static double of_output(const trial *t, int i)
{
    double sum = 0;
    for (int k = 0; k < sgs_statistics_kept(t->m->statistics); k++)
        sum += t->noise[k * t->m->g->nout + i];
    return sum;
}

/* The logarithm of the noise with clips by that without, sample by sample: surely, not by one sample's luck, below
 * CLEARLY on average. */
static bool is_surely_less(const trial *with, const trial *without)
{
    const int n = sgs_statistics_kept(with->m->statistics);
    double sum = 0, square = 0;
    for (int k = 0; k < n; k++) {
        const double x = log(fmax(of_sample(with, k), LEAST_NOISE) / fmax(of_sample(without, k), LEAST_NOISE));
        sum += x;
        square += x * x;
    }
    const double mean = sum / n, variance = fmax(square / n - mean * mean, 0);
    return n > 1 && mean + SURELY * sqrt(variance / (n - 1)) < log(CLEARLY);
}

static bool is_better(const trial *with, const trial *without)
{
    for (int i = 0; i < with->m->g->nout; i++)
        if (of_output(with, i) > of_output(without, i))
            return false;
    return is_surely_less(with, without);
}

static double decibel(const trial *t)
{
    double sum = 0;
    for (int i = 0; i < t->m->g->nout; i++)
        sum += of_output(t, i);
    return -10 * log10(fmax(sum / (sgs_statistics_kept(t->m->statistics) * t->m->g->nout), 1e-20));
}

static void say(const trial t[2], bool better)
{
    sgs_log_line(t[0].m->log,
                 "8 bits that end before the largest numbers: %.1f dB instead of %.1f dB on %d of the samples%s",
                 decibel(&t[0]), decibel(&t[1]), sgs_statistics_kept(t[0].m->statistics),
                 better ? "" : ", which is not clear enough: ranges stay whole");
}

/* ---- the level's model
 * ---------------------------------------------------------------------------------------------------------------- */

static bool has_clips(const sgs_making *m)
{
    for (int i = 0; i < m->g->nvalue && m->weighed.clip; i++)
        if (m->weighed.clip[i].cuts)
            return true;
    return false;
}

static sgs_status make_better(sgs_graph **out, const sgs_making *m, sgs_diag *d)
{
    static const sgs_log silent;
    trial t[2] = { { .m = m }, { .m = m } }; /* with clips, without */
    sgs_diag why = { 0 };
    sgs_status s = make(&t[0].g, m, true, m->log, d);
    if (s == SGS_OK)
        s = make(&t[1].g, m, false, &silent, d);
    if (s == SGS_OK) {
        const bool ran = try_both(t, &why) == SGS_OK, better = ran && is_better(&t[0], &t[1]);
        if (ran)
            say(t, better);
        *out = t[!better].g;
        t[!better].g = NULL;
    }
    for (int i = 0; i < 2; i++)
        sgs_graph_free(t[i].g);
    return s;
}

sgs_status sgs_make_fixed(sgs_graph **out, const sgs_making *m, sgs_diag *d)
{
    uint8_t hash[32];
    *out = NULL;
    SGS_TRY(has_clips(m) ? make_better(out, m, d) : make(out, m, false, m->log, d));
    sgs_statistics_hash(m->statistics, hash);
    sgs_fixed_mark(*out, m->ini, m->level, hash);
    const sgs_status s = sgs_graph_verify(*out, d);
    if (s == SGS_OK)
        return s;
    sgs_graph_free(*out);
    *out = NULL;
    return s;
}
