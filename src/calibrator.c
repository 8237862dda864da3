/* Stage 2 driven by the caller: a float model that keeps statistics while it runs. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/target.h"
#include "config/quant_param.h"
#include "import/sim.h"
#include "quant/model.h"
#include "sim/simulator.h"

struct sgs_calibrator {
    sgs_simulator *model;
    sgs_opened m;
    const char *path;
    sgs_config *ini;
    sgs_params *params;        /* what the user brings, or NULL */
    sgs_statistics *now, *all; /* since the last take; what was added */
    bool ran;                  /* there is something to take */
    sgs_range *range;          /* what `all` says; NULL: more was added since */
    sgs_weighed weighed[6];    /* by level, of all that was added */
    bool measured[6];
    float *least; /* by value id: what its range holds at least, from ties; 0: none */
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

static sgs_qoptions first_options(const sgs_calibrator *c, sgs_graph *g)
{
    sgs_qoptions o = sgs_qoptions_from(c->ini, g);
    o.params = c->params;
    return o;
}

/* The model anew, with the constants that the user brings, nothing seen yet. */
static sgs_status load_model(sgs_calibrator *c, sgs_diag *d)
{
    sgs_simulator *model;
    SGS_TRY(sgs_simulator_open_spelled(&model, c->path, d));
    sgs_simulator_close(c->model);
    c->model = model;
    c->m = sgs_simulator_opened(model);
    c->range = NULL; /* of the model before */
    memset(c->measured, 0, sizeof c->measured);
    SGS_TRY(sgs_float_model_check(c->m.g, c->path, c->ini, d));
    const sgs_qoptions q = first_options(c, c->m.g);
    SGS_TRY(sgs_float_model_plan(c->path, &q, d));
    SGS_TRY(sgs_import_data(c->m.g, &q, d));
    c->now = sgs_statistics_new(c->m.g, true);
    c->all = sgs_statistics_new(c->m.g, true);
    c->least = SGS_NEW_N(c->m.arena, float, c->m.g->nvalue + 1);
    sgs_statistics_watch(c->now, c->m.session);
    return SGS_OK;
}

static sgs_status open_model(sgs_calibrator *c, const char *soc_version, const char *input_config, sgs_diag *d)
{
    const sgs_target *target;
    SGS_TRY(sgs_target_find(soc_version, &target, d));
    SGS_TRY(sgs_config_read(&c->ini, input_config, d));
    SGS_TRY(load_model(c, d));
    return SGS_OK;
}

sgs_status sgs_calibrator_open(sgs_calibrator **out, const char *model, const char *input_config,
                               const char *soc_version, sgs_diag *d)
{
    sgs_calibrator *c = calloc(1, sizeof *c);
    char *path = strdup(model);
    *out = NULL;
    if (!c || !path) {
        free(c);
        free(path);
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    }
    c->path = path;
    const sgs_status s = open_model(c, soc_version, input_config, d);
    if (s == SGS_OK)
        *out = c;
    else
        sgs_calibrator_close(c);
    return s;
}

void sgs_calibrator_close(sgs_calibrator *c)
{
    if (!c)
        return;
    sgs_simulator_close(c->model);
    sgs_config_free(c->ini);
    sgs_params_free(c->params);
    free((void *)(uintptr_t)c->path);
    free(c);
}

sgs_simulator *sgs_calibrator_model(sgs_calibrator *c)
{
    return c->model;
}

/* ---- statistics ------------------------------------------------------------------------------------------------ */

static sgs_status bad_value(const sgs_calibrator *c, sgs_diag *d)
{
    const sgs_value *v = sgs_statistics_bad(c->now);
    sgs_fail(d, SGS_E_DATA, "the tensor '%s' holds NaN or infinity", sgs_value_label(c->m.g, v));
    return sgs_fail_at(d, c->path, 0, v->def ? sgs_node_label(c->m.g, v->def) : NULL);
}

/* Forgets the runs since the last take. */
static void drop(sgs_calibrator *c)
{
    sgs_statistics_clear(c->now);
    c->ran = false;
}

/* More was added, or less is there. */
static void changed(sgs_calibrator *c)
{
    c->range = NULL;
    memset(c->measured, 0, sizeof c->measured);
}

void sgs_calibrator_clear(sgs_calibrator *c)
{
    drop(c);
    sgs_statistics_clear(c->all);
    memset(c->least, 0, (size_t)c->m.g->nvalue * sizeof *c->least);
    changed(c);
}

/* A session has made its own of the constants: where their values come or go, the model is read again. */
static bool has_data(const sgs_params *p)
{
    for (int i = 0; p && i < p->n; i++)
        if (p->param[i].data)
            return true;
    return false;
}

static sgs_status take_params(sgs_calibrator *c, sgs_params *p, sgs_diag *d)
{
    const bool again = has_data(p) || has_data(c->params);
    sgs_params *old = c->params;
    c->params = p;
    const sgs_qoptions q = first_options(c, c->m.g);
    sgs_status s = p ? sgs_float_model_plan(c->path, &q, d) : SGS_OK;
    if (s == SGS_OK && again)
        s = load_model(c, d);
    if (s != SGS_OK)
        c->params = old;
    sgs_params_free(s == SGS_OK ? old : p);
    return s;
}

sgs_status sgs_calibrator_import(sgs_calibrator *c, const char *path, const void *bytes, size_t n, sgs_diag *d)
{
    sgs_params *p = NULL;
    if (path && bytes)
        SGS_TRY(sgs_params_parse(&p, path, (sgs_span){ bytes, n }, d));
    else if (path)
        SGS_TRY(sgs_params_read(&p, path, d));
    SGS_TRY(take_params(c, p, d));
    sgs_calibrator_clear(c);
    return SGS_OK;
}

sgs_status sgs_calibrator_invoke(sgs_calibrator *c, sgs_diag *d)
{
    const sgs_status s = sgs_simulator_invoke(c->model, d);
    if (s == SGS_OK)
        sgs_statistics_inputs(c->now, c->m.session);
    const sgs_status whole = sgs_statistics_bad(c->now) ? bad_value(c, d) : s;
    c->ran |= whole == SGS_OK;
    if (whole != SGS_OK)
        drop(c);
    return whole;
}

sgs_status sgs_calibrator_take(sgs_calibrator *c, void **data, size_t *n, sgs_diag *d)
{
    sgs_buf b = { 0 };
    *data = NULL;
    *n = 0;
    if (!c->ran)
        return SGS_OK;
    sgs_statistics_end_sample(c->now);
    sgs_statistics_pack(c->now, &b);
    drop(c);
    *data = b.p;
    *n = b.n;
    return SGS_OK;
}

sgs_status sgs_calibrator_add(sgs_calibrator *c, const void *data, size_t n, sgs_diag *d)
{
    if (c->ran)
        return sgs_fail(d, SGS_E_USAGE, "there are statistics that were not taken yet");
    SGS_TRY(sgs_statistics_merge(c->all, (sgs_span){ data, n }, d));
    changed(c);
    return SGS_OK;
}

/* ---- the fixed-point model ------------------------------------------------------------------------------------- */

static const sgs_range *seen(sgs_calibrator *c)
{
    if (!c->range)
        c->range = sgs_statistics_ranges(c->all);
    return c->range;
}

/* The ranges by value id, of this graph and of any other of the same file; the quantizer uses the table up. */
static sgs_range *ranges(sgs_calibrator *c, sgs_graph *g)
{
    sgs_range *range = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 1);
    memcpy(range, seen(c), (size_t)g->nvalue * sizeof *range);
    for (int i = 0; i < g->nvalue; i++) {
        sgs_range *r = &range[i];
        if (!r->channels || !(c->least[i] > 0))
            continue;
        float *hi = SGS_NEW_N(g->arena, float, r->channels);
        memcpy(hi, r->hi, (size_t)r->channels * sizeof *hi);
        hi[0] = hi[0] > c->least[i] ? hi[0] : c->least[i];
        r->hi = hi;
    }
    return range;
}

static sgs_weighed weighed(sgs_calibrator *c, const sgs_mode *mode, sgs_threads *threads, const sgs_log *log)
{
    const int level = mode->level;
    if (!sgs_mode_weighs(mode, c->ini, log))
        return (sgs_weighed){ 0 };
    if (!c->measured[level])
        c->weighed[level] = sgs_weigh(c->all, c->m.g, seen(c), &(sgs_weigh_options){ .clips = level >= SGS_CLIP_LEVEL, .threads = threads, .log = log });
    c->measured[level] = true;
    return c->weighed[level];
}

static sgs_qoptions options(sgs_calibrator *c, sgs_graph *g, const sgs_mode *mode, const sgs_log *log)
{
    sgs_qoptions o = first_options(c, g);
    o.least = c->least;
    o.log = log;
    const sgs_weighed w = weighed(c, mode, NULL, log);
    o.recipe.harm = w.harm;
    o.recipe.clip = w.clip;
    return o;
}

sgs_status sgs_calibrator_write(sgs_calibrator *c, const sgs_calibrator_options *o, char **written, sgs_diag *d)
{
    sgs_mode mode;
    sgs_graph *g;
    if (written)
        *written = NULL;
    SGS_TRY(sgs_level_find(o->quant_level, &o->log, &mode, d));
    const int added = sgs_statistics_count(c->all);
    if (!added) {
        sgs_fail(d, SGS_E_USAGE, "nothing has run: there are no statistics to make a fixed-point model from");
        return sgs_fail_at(d, c->path, 0, NULL);
    }
    if (added < SGS_FEW_SAMPLES)
        sgs_log_warning(&o->log, "%d sample%s to calibrate with; about 100 give better ranges", added,
                        added == 1 ? "" : "s");
    const char *path = sgs_fixed_path(c->m.arena, c->path, o->output);
    sgs_threads *threads = sgs_threads_new(o->threads);
    const sgs_making m = { .path = c->path,
                           .g = c->m.g,
                           .ini = c->ini,
                           .params = c->params,
                           .mode = mode,
                           .statistics = c->all,
                           .range = seen(c),
                           .weighed = weighed(c, &mode, threads, &o->log),
                           .least = c->least,
                           .threads = threads,
                           .log = &o->log };
    sgs_status s = sgs_make_fixed(&g, &m, d);
    sgs_threads_free(threads);
    SGS_TRY(s);
    s = sgs_sim_write(g, path, d);
    sgs_graph_free(g);
    if (s == SGS_OK && written)
        *written = strdup(path);
    return s;
}

/* ---- ties: an output that another model takes as it is ---------------------------------------------------------- */

typedef struct end {
    sgs_calibrator *c;
    int i;
    bool output;
} end;

static const char *end_name(const end *e)
{
    return e->output ? e->c->ini->out[e->i].name : e->c->ini->in[e->i].name;
}

/* Integers with a scale that the calibration chooses. */
static bool scaled_s16(const end *e)
{
    const sgs_config *c = e->c->ini;
    return e->output ? c->out[e->i].format == SGS_FMT_RAW_S16 && !c->out[e->i].dequantize
                     : c->in[e->i].input == SGS_FMT_RAW_S16 && c->in[e->i].quantize;
}

/* The scale it would have now.  Of a level its choice of bits matters here; the search for weights, which takes long,
 * does not. */
static sgs_status scale_of(const end *e, const sgs_mode *mode, float *scale, sgs_diag *d)
{
    static const sgs_log silent;
    sgs_graph *g;
    const sgs_qoptions q = first_options(e->c, e->c->m.g);
    SGS_TRY(sgs_float_model_read_with(&g, e->c->path, &q, d));
    const sgs_qoptions o = options(e->c, g, mode, &silent);
    const sgs_status s = sgs_quantize(g, ranges(e->c, g), &o, d);
    if (s == SGS_OK) {
        const sgs_value *v = e->output ? g->out[e->i] : g->in[e->i];
        *scale = v->type == SGS_S16 && v->quant && v->quant->n == 1 ? v->quant->scale[0] : 0;
    }
    sgs_graph_free(g);
    return s;
}

static void widen(const end *e, float scale)
{
    const sgs_graph *g = e->c->m.g;
    float *least = &e->c->least[e->output ? g->out[e->i]->id : g->in[e->i]->id];
    const float most = (float)((double)scale * 32767);
    *least = most > *least ? most : *least;
}

static sgs_status tie(const end e[2], const sgs_mode *mode, bool *changed, sgs_diag *d)
{
    float scale[2];
    for (int k = 0; k < 2; k++)
        SGS_TRY(scale_of(&e[k], mode, &scale[k], d));
    *changed = scale[0] != scale[1];
    if (!*changed)
        return SGS_OK;
    const int narrow = scale[0] > scale[1]; /* the end with the smaller scale */
    widen(&e[narrow], scale[!narrow]);
    SGS_TRY(scale_of(&e[narrow], mode, &scale[narrow], d));
    return scale[0] == scale[1]
               ? SGS_OK
               : sgs_fail(d, SGS_E_UNSUPPORTED,
                          "output '%s' goes into input '%s' as it is, but the two cannot have one scale: %.9g and %.9g",
                          end_name(&e[0]), end_name(&e[1]), (double)scale[0], (double)scale[1]);
}

sgs_status sgs_calibrator_tie(sgs_calibrator *a, int output, sgs_calibrator *b, int input, const char *quant_level,
                              bool *changed, sgs_diag *d)
{
    sgs_mode mode;
    const end e[2] = { { a, output, true }, { b, input, false } };
    *changed = false;
    SGS_TRY(sgs_level_find(quant_level, NULL, &mode, d));
    if (a == b || output < 0 || output >= a->m.g->nout || input < 0 || input >= b->m.g->nin)
        return sgs_fail(d, SGS_E_USAGE, "expected an output and an input of two calibrators");
    if (!sgs_statistics_count(a->all) || !sgs_statistics_count(b->all) || !scaled_s16(&e[0]) || !scaled_s16(&e[1]))
        return SGS_OK;
    const sgs_status s = tie(e, &mode, changed, d);
    return s == SGS_OK ? s : sgs_fail_at(d, a->path, 0, NULL);
}
