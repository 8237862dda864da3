/* Stage 2: NAME_float.sim and pictures become NAME_fixed.sim. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "compile/target.h"
#include "config/config.h"
#include "config/quant_config.h"
#include "import/sim.h"
#include "preprocess/preprocess.h"
#include "quant/learned.h"
#include "quant/model.h"
#include "sim/quality.h"
#include "sim/session.h"

typedef struct calibration {
    const sgs_calibrate_options *o;
    sgs_arena *arena;
    sgs_mode mode;
    sgs_quant_config *quant;   /* of -q, or NULL */
    const char *path;          /* of the result */
    const char *learned;       /* of layers that are learned, or NULL */
    sgs_config *config;
    sgs_params *params;        /* of --quant_file, or NULL */
    const sgs_params *brought; /* they, or those of the quant_config, or NULL */
    sgs_graph *g;
    sgs_session *session;
    sgs_samples *samples;
    sgs_statistics *statistics;
    sgs_want *want;            /* [inputs] */
    sgs_quality *quality;
    sgs_variety *variety;
    sgs_graph *fixed;
    sgs_calibrate_report report;
} calibration;

/* ---- the ini and the model ------------------------------------------------------------------------------------------------------ */

static sgs_status open_model(calibration *c, sgs_diag *d)
{
    const sgs_target *target;
    SGS_TRY(sgs_target_find(c->o->soc_version, &target, d));
    if (!c->o->soc_version)
        sgs_log_line(&c->o->log, "no --soc_version: %s, which runs everywhere", target->name);
    SGS_TRY(sgs_config_read(&c->config, c->o->input_config, d));
    SGS_TRY(sgs_float_model_read(&c->g, c->o->model, d));
    SGS_TRY(sgs_float_model_check(c->g, c->o->model, c->config, d));
    c->want = SGS_NEW_N(c->arena, sgs_want, c->g->nin + 1);
    for (int i = 0; i < c->g->nin; i++) {
        const sgs_value *v = c->g->in[i];
        c->want[i] = (sgs_want){ .name = sgs_value_label(c->g, v), .type = v->type, .rank = v->rank, .dim = v->dim };
    }
    return SGS_OK;
}

/* ---- ranges -------------------------------------------------------------------------------------------------------------------------- */

static sgs_status bad_value(const calibration *c, int sample, sgs_diag *d)
{
    const sgs_value *v = sgs_statistics_bad(c->statistics);
    sgs_fail(d, SGS_E_DATA, "with picture '%s' the tensor '%s' holds NaN or infinity", sgs_samples_path(c->samples, sample, 0), sgs_value_label(c->g, v));
    return sgs_fail_at(d, c->o->model, 0, v->def ? sgs_node_label(c->g, v->def) : NULL);
}

static sgs_status one_sample(calibration *c, int sample, const sgs_array *array, sgs_diag *d)
{
    for (int i = 0; i < c->g->nin; i++) {
        void *to = sgs_session_data(c->session, c->g->in[i]);
        SGS_TRY(sgs_samples_take(c->samples, i, &array[i], &c->want[i], to, d));
        sgs_variety_add(c->variety, sample, &c->want[i], to);
    }
    sgs_statistics_inputs(c->statistics, c->session);
    const sgs_status s = sgs_session_run(c->session, d);
    if (sgs_statistics_bad(c->statistics))
        return bad_value(c, sample, d);
    sgs_statistics_end_sample(c->statistics);
    if (s == SGS_OK)
        sgs_quality_keep(c->quality, sample, c->session);
    return s;
}

static void warn_few(const calibration *c, int n)
{
    if (n < SGS_FEW_SAMPLES)
        sgs_log_warning(&c->o->log, "%d picture%s to calibrate with; about 100 give better ranges", n, n == 1 ? "" : "s");
}

static sgs_status observe_all(calibration *c, sgs_diag *d)
{
    int n = sgs_samples_count(c->samples);
    sgs_array *array = SGS_NEW_N(c->arena, sgs_array, c->g->nin + 1);
    warn_few(c, c->o->stats_out ? SGS_FEW_SAMPLES : n);
    sgs_log_line(&c->o->log, "Start to analysis images...");
    sgs_statistics_watch(c->statistics, c->session);
    for (int i = 0; i < n; i++) {
        bool end;
        sgs_log_progress(&c->o->log, "calibrate", i, n);
        SGS_TRY(sgs_samples_next(c->samples, array, &end, d));
        SGS_TRY(one_sample(c, i, array, d));
    }
    sgs_log_progress(&c->o->log, "calibrate", n, n);
    sgs_variety_say(c->variety, c->samples, &c->o->log);
    return SGS_OK;
}

static sgs_status run_samples(calibration *c, sgs_diag *d)
{
    SGS_TRY(sgs_preflight(c->config, &c->o->samples, c->want, &c->o->log, d));
    /* Workers are forked before the session starts anything of its own. */
    SGS_TRY(sgs_samples_open(&c->samples, &c->o->samples, c->g->nin, true, d));
    SGS_TRY(sgs_session_new(&c->session, c->g, false, d));
    c->quality = sgs_quality_new(c->arena, c->g, c->config, sgs_samples_count(c->samples));
    c->variety = sgs_variety_new(c->arena, sgs_samples_count(c->samples));
    return observe_all(c, d);
}

/* What other runs wrote. */
static sgs_status merge(calibration *c, sgs_diag *d)
{
    const sgs_paths *from = &c->o->stats_merge;
    for (int i = 0; i < from->n; i++) {
        const int before = sgs_statistics_count(c->statistics);
        SGS_TRY(sgs_statistics_read(c->statistics, c->o->model, from->path[i], d));
        sgs_log_line(&c->o->log, "%s: %d samples", from->path[i], sgs_statistics_count(c->statistics) - before);
    }
    const int n = sgs_statistics_count(c->statistics), repeated = sgs_statistics_repeated(c->statistics);
    warn_few(c, n);
    if (repeated)
        sgs_log_warning(&c->o->log, "%d of the %d samples were there before: is a file given twice?", repeated, n);
    return SGS_OK;
}

static sgs_status gather(calibration *c, sgs_diag *d)
{
    c->statistics = sgs_statistics_new(c->g, c->mode.level >= SGS_CLIP_LEVEL || c->o->stats_out || c->o->stats_merge.n);
    SGS_TRY(c->o->stats_merge.n ? merge(c, d) : run_samples(c, d));
    sgs_say_dead(c->g, sgs_statistics_ranges(c->statistics), &c->o->log);
    return SGS_OK;
}

/* ---- quantization ---------------------------------------------------------------------------------------------------------------------- */

static sgs_status quantize_shared(calibration *c, sgs_threads *threads, sgs_diag *d)
{
    const sgs_log *log = &c->o->log;
    sgs_making m = { .path = c->o->model,
                     .g = c->g,
                     .ini = c->config,
                     .params = c->brought,
                     .mode = c->mode,
                     .statistics = c->statistics,
                     .range = sgs_statistics_ranges(c->statistics),
                     .saving = c->o->memory_saving,
                     .threads = threads,
                     .learned = c->learned,
                     .log = log };
    const bool weighs = sgs_mode_weighs(&c->mode, c->config, log);
    if (weighs)
        m.weighed = sgs_weigh(c->statistics, c->g, m.range, &(sgs_weigh_options){ .clips = c->mode.level >= SGS_CLIP_LEVEL, .saving = c->o->memory_saving, .threads = threads, .log = log });
    else if (c->o->memory_saving)
        sgs_log_line(log, "--memory_saving: no layers are weighed here; there is nothing to save");
    return sgs_make_fixed(&c->fixed, &m, d);
}

/* What runs samples side by side does so with no more than cal_batchsize. */
static int side_by_side(const calibration *c)
{
    const int n = sgs_threads_wanted(c->o->samples.num_process), most = c->o->cal_batchsize;
    return most && most < n ? most : n;
}

/* Nothing is forked while there are threads: the processes of the user's Python begin before and after. */
static sgs_status quantize(calibration *c, sgs_diag *d)
{
    sgs_threads *threads = sgs_threads_new(side_by_side(c));
    const sgs_status s = quantize_shared(c, threads, d);
    sgs_threads_free(threads);
    return s;
}

/* ---- what it is worth --------------------------------------------------------------------------------------------------------------- */

static void say_quality(const calibration *c)
{
    const sgs_calibrate_report *r = &c->report;
    if (!r->samples)
        return;
    sgs_log_line(&c->o->log, "expected SQNR, the fixed-point model against the float one, on %d of %d pictures:", r->samples, r->of);
    for (int i = 0; i < r->noutput; i++) {
        if (isfinite(r->output[i].sqnr))
            sgs_log_line(&c->o->log, "  %s: %.1f dB", r->output[i].name, r->output[i].sqnr);
        else
            sgs_log_line(&c->o->log, "  %s: %s", r->output[i].name, isnan(r->output[i].sqnr) ? "the float output is zero" : "equal");
    }
}

/* What a board program has to write into inputs of integers. */
static void say_scales(const calibration *c)
{
    for (int i = 0; i < c->fixed->nin; i++) {
        const sgs_value *v = c->fixed->in[i];
        if (sgs_format_raw(c->config->in[i].input) && v->quant)
            sgs_log_line(&c->o->log, "input '%s' takes %s q, value = (q - %d) * %.9g", c->config->in[i].name, sgs_type_name(v->type),
                         v->quant->zero[0], (double)v->quant->scale[0]);
    }
}

/* ---- the stage -------------------------------------------------------------------------------------------------------------------------- */

/* Pictures, or statistics of some; a model, or statistics. */
static sgs_status check_options(const sgs_calibrate_options *o, sgs_diag *d)
{
    if (!o->model || !o->input_config)
        return sgs_fail(d, SGS_E_USAGE, "expected a model and an input_config");
    if (!o->stats_merge.n && (!o->samples.images || !o->samples.preprocess))
        return sgs_fail(d, SGS_E_USAGE, "expected pictures and scripts, -i and -n, or statistics of them, --stats-merge");
    if (o->stats_merge.n && (o->samples.images || o->samples.preprocess))
        return sgs_fail(d, SGS_E_USAGE, "--stats-merge takes the place of -i and -n: expected one of the two");
    if (!o->q_mode != !o->quant_config)
        return sgs_fail(d, SGS_E_USAGE, "-q and --quant_config belong together, found only %s", o->q_mode ? "-q" : "--quant_config");
    if (o->q_mode && o->quant_level)
        return sgs_fail(d, SGS_E_USAGE, "expected -q or --quant_level, found both");
    if (o->quant_file && (o->stats_out || o->stats_merge.n))
        return sgs_fail(d, SGS_E_USAGE, "--quant_file does not go with statistics in files: expected pictures and a model");
    if (o->stats_out && o->output)
        return sgs_fail(d, SGS_E_USAGE, "--stats-out writes statistics and makes no model: expected no -o");
    return SGS_OK;
}

static sgs_status write_model(calibration *c, sgs_diag *d)
{
    SGS_TRY(quantize(c, d));
    SGS_TRY(sgs_sim_write(c->fixed, c->path, d));
    if (c->learned)
        unlink(c->learned);
    say_scales(c);
    if (!c->o->stats_merge.n) {
        sgs_quality_measure(c->quality, c->fixed, &c->o->samples, &c->o->log, &c->report);
        say_quality(c);
    }
    return SGS_OK;
}

static sgs_status find_mode(calibration *c, sgs_diag *d)
{
    const sgs_calibrate_options *o = c->o;
    if (!o->q_mode)
        return sgs_level_find(o->quant_level, o->stats_out ? NULL : &o->log, &c->mode, d);
    SGS_TRY(sgs_quant_config_read(&c->quant, o->quant_config, d));
    return sgs_mode_find(o->q_mode, c->quant, &o->log, &c->mode, d);
}

static sgs_status find_params(calibration *c, sgs_diag *d)
{
    if (c->o->quant_file)
        SGS_TRY(sgs_params_read(&c->params, c->o->quant_file, d));
    c->brought = c->params;
    if (!c->quant || !c->quant->use_preset)
        return SGS_OK;
    if (c->params) {
        sgs_fail(d, SGS_E_USAGE, "parameters come from --quant_file or from PRESET_MIN_MAX_BIT, expected one of the two");
        return sgs_fail_at(d, c->quant->file, c->quant->preset_line, NULL);
    }
    c->brought = &c->quant->preset;
    return SGS_OK;
}

static sgs_status calibrate(calibration *c, sgs_diag *d)
{
    SGS_TRY(check_options(c->o, d));
    SGS_TRY(find_mode(c, d));
    c->path = c->o->stats_out ? c->o->stats_out : sgs_fixed_path(c->arena, c->o->model, c->o->output);
    if (c->o->resumable && c->mode.iterations) {
        c->learned = sgs_format(c->arena, "%s.retrain", c->path);
        SGS_TRY(sgs_learned_check(c->learned, d));
    }
    SGS_TRY(find_params(c, d));
    SGS_TRY(open_model(c, d));
    sgs_qoptions o = sgs_qoptions_from(c->config, c->g);
    o.params = c->brought;
    SGS_TRY(sgs_float_model_plan(c->o->model, &o, d));
    SGS_TRY(sgs_import_data(c->g, &o, d));
    SGS_TRY(gather(c, d));
    sgs_session_free(c->session);
    c->session = NULL;
    SGS_TRY(c->o->stats_out ? sgs_statistics_write(c->statistics, c->o->model, c->path, d) : write_model(c, d));
    sgs_log_line(&c->o->log, c->o->stats_out ? "Gather statistics OK." : "Run convert model OK.");
    return SGS_OK;
}

sgs_status sgs_calibrate(const sgs_calibrate_options *o, char **written, sgs_calibrate_report *r, sgs_diag *d)
{
    if (written)
        *written = NULL;
    calibration c = { .o = o, .arena = sgs_arena_new() };
    if (!c.arena)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_status s = calibrate(&c, d);
    if (s == SGS_OK && written)
        *written = strdup(c.path);
    if (r)
        *r = c.report;
    sgs_samples_close(c.samples);
    sgs_session_free(c.session);
    sgs_graph_free(c.fixed);
    sgs_graph_free(c.g);
    sgs_config_free(c.config);
    sgs_params_free(c.params);
    sgs_quant_config_free(c.quant);
    sgs_arena_free(c.arena);
    return s;
}
