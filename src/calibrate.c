/* Stage 2: NAME_float.sim and pictures become NAME_fixed.sim. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "compile/target.h"
#include "config/config.h"
#include "config/quant_param.h"
#include "import/sim.h"
#include "preprocess/preprocess.h"
#include "quant/model.h"
#include "sim/quality.h"
#include "sim/session.h"

typedef struct calibration {
    const sgs_calibrate_options *o;
    sgs_arena *arena;
    int level;
    const char *path;          /* of the result */
    sgs_config *config;
    sgs_params *params;        /* of --quant_file, or NULL */
    sgs_graph *g;
    sgs_session *session;
    sgs_samples *samples;
    sgs_observer observer, now; /* all samples; the one that runs */
    sgs_want *want;            /* [inputs] */
    sgs_quality *quality;
    sgs_variety *variety;
    sgs_sensitivity *sensitivity;
    const double *harm;        /* what it measured */
    sgs_calibrate_report report;
    ipu_sha256 list;           /* over the hashes of the samples that calibrated */
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

/* ---- the ini as the quantizer wants it ------------------------------------------------------------------------------------------------- */

static sgs_qoptions quantizer_options(const calibration *c)
{
    sgs_qoptions o = sgs_qoptions_from(c->config, c->g);
    o.level = c->level;
    o.harm = c->harm;
    o.params = c->params;
    o.log = &c->o->log;
    return o;
}

/* ---- ranges -------------------------------------------------------------------------------------------------------------------------- */

static void watch(void *user, const sgs_node *n, const sgs_tensor *out)
{
    sgs_observe(user, n->out[0], out[0].data);
}

static sgs_status bad_value(const calibration *c, int sample, sgs_diag *d)
{
    sgs_fail(d, SGS_E_DATA, "with picture '%s' the tensor '%s' holds NaN or infinity", sgs_samples_path(c->samples, sample, 0),
             sgs_value_label(c->g, c->now.bad));
    return sgs_fail_at(d, c->o->model, 0, c->now.bad->def ? sgs_node_label(c->g, c->now.bad->def) : NULL);
}

static sgs_status one_sample(calibration *c, int sample, const sgs_array *array, sgs_diag *d)
{
    uint8_t hash[32];
    ipu_sha256 arrays;
    ipu_sha256_init(&arrays);
    for (int i = 0; i < c->g->nin; i++) {
        void *to = sgs_session_data(c->session, c->g->in[i]);
        SGS_TRY(sgs_samples_take(c->samples, i, &array[i], &c->want[i], to, d));
        sgs_sha256_add(&arrays, to, (size_t)sgs_value_bytes(c->g->in[i]));
        sgs_observe(&c->now, c->g->in[i], to);
        sgs_variety_add(c->variety, sample, &c->want[i], to);
    }
    sgs_sensitivity_keep(c->sensitivity, c->session);
    sgs_status s = sgs_session_run(c->session, d);
    if (c->now.bad)
        return bad_value(c, sample, d);
    sgs_observer_fold(&c->observer, &c->now);
    ipu_sha256_end(&arrays, hash);
    sgs_sha256_add(&c->list, hash, sizeof hash);
    if (s == SGS_OK)
        sgs_quality_keep(c->quality, sample, c->session);
    return s;
}

static sgs_status observe_all(calibration *c, sgs_diag *d)
{
    int n = sgs_samples_count(c->samples);
    sgs_array *array = SGS_NEW_N(c->arena, sgs_array, c->g->nin + 1);
    if (n < SGS_FEW_SAMPLES)
        sgs_log_warning(&c->o->log, "%d picture%s to calibrate with; about 100 give better ranges", n, n == 1 ? "" : "s");
    sgs_log_line(&c->o->log, "Start to analysis images...");
    sgs_session_watch(c->session, watch, &c->now);
    for (int i = 0; i < n; i++) {
        bool end;
        sgs_log_progress(&c->o->log, "calibrate", i, n);
        SGS_TRY(sgs_samples_next(c->samples, array, &end, d));
        SGS_TRY(one_sample(c, i, array, d));
    }
    sgs_log_progress(&c->o->log, "calibrate", n, n);
    sgs_variety_say(c->variety, c->samples, &c->o->log);
    sgs_say_dead(c->g, c->observer.range, &c->o->log);
    return SGS_OK;
}

static sgs_status gather(calibration *c, sgs_diag *d)
{
    SGS_TRY(sgs_preflight(c->config, &c->o->samples, c->want, &c->o->log, d));
    /* Workers are forked before the session starts anything of its own. */
    SGS_TRY(sgs_samples_open(&c->samples, &c->o->samples, c->g->nin, true, d));
    SGS_TRY(sgs_session_new(&c->session, c->g, false, d));
    sgs_observer_init(&c->observer, c->g);
    sgs_observer_init(&c->now, c->g);
    c->quality = sgs_quality_new(c->arena, c->g, c->config, sgs_samples_count(c->samples));
    c->variety = sgs_variety_new(c->arena, sgs_samples_count(c->samples));
    c->sensitivity = sgs_sensitivity_new(c->arena, c->g);
    ipu_sha256_init(&c->list);
    return observe_all(c, d);
}

/* ---- quantization ---------------------------------------------------------------------------------------------------------------------- */

static sgs_status quantize(calibration *c, sgs_diag *d)
{
    const sgs_qoptions o = quantizer_options(c);
    uint8_t hash[32];
    SGS_TRY(sgs_quantize(c->g, c->observer.range, &o, d));
    ipu_sha256_end(&c->list, hash);
    sgs_fixed_mark(c->g, c->config, c->level, hash);
    return sgs_graph_verify(c->g, d);
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
    for (int i = 0; i < c->g->nin; i++) {
        const sgs_value *v = c->g->in[i];
        if (sgs_format_raw(c->config->in[i].input) && v->quant)
            sgs_log_line(&c->o->log, "input '%s' takes %s q, value = (q - %d) * %.9g", c->config->in[i].name, sgs_type_name(v->type),
                         v->quant->zero[0], (double)v->quant->scale[0]);
    }
}

/* ---- the stage -------------------------------------------------------------------------------------------------------------------------- */

static sgs_status calibrate(calibration *c, sgs_diag *d)
{
    SGS_TRY(sgs_level_find(c->o->quant_level, &c->o->log, &c->level, d));
    if (c->o->memory_saving)
        sgs_log_line(&c->o->log, "--memory_saving: L%d keeps no pictures in memory; there is nothing to save", c->level);
    c->path = sgs_fixed_path(c->arena, c->o->model, c->o->output);
    if (c->o->quant_file)
        SGS_TRY(sgs_params_read(&c->params, c->o->quant_file, d));
    SGS_TRY(open_model(c, d));
    const sgs_qoptions o = quantizer_options(c);
    SGS_TRY(sgs_float_model_plan(c->o->model, &o, d));
    SGS_TRY(sgs_import_data(c->g, &o, d));
    const bool chooses = sgs_level_chooses_bits(c->level, c->config, &c->o->log);
    SGS_TRY(gather(c, d));
    sgs_session_free(c->session);
    c->session = NULL;
    if (chooses)
        c->harm = sgs_sensitivity_measure(c->sensitivity, c->g, c->observer.range, &c->o->log);
    SGS_TRY(quantize(c, d));
    SGS_TRY(sgs_sim_write(c->g, c->path, d));
    say_scales(c);
    sgs_quality_measure(c->quality, c->g, &c->o->samples, &c->o->log, &c->report);
    say_quality(c);
    sgs_log_line(&c->o->log, "Run convert model OK.");
    return SGS_OK;
}

sgs_status sgs_calibrate(const sgs_calibrate_options *o, char **written, sgs_calibrate_report *r, sgs_diag *d)
{
    if (written)
        *written = NULL;
    if (!o->model || !o->input_config)
        return sgs_fail(d, SGS_E_USAGE, "expected a model and an input_config");
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
    sgs_graph_free(c.g);
    sgs_config_free(c.config);
    sgs_params_free(c.params);
    sgs_arena_free(c.arena);
    return s;
}
