/* Where the accuracy went: the float and the fixed-point model side by side, layer by layer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "import/sim.h"
#include "preprocess/preprocess.h"
#include "quant/model.h"
#include "quant/raise.h"
#include "sim/tables.h"

#define LAYER_SAMPLES 4
#define GAIN 6 /* decibels: half the error */
#define TOP 20

typedef struct result {
    sgs_analysis a; /* first: what sgs_analysis_free is given */
    sgs_arena *arena;
} result;

typedef struct analysis {
    const sgs_analyze_options *o;
    sgs_arena *arena; /* of the result */
    const char *float_path;
    sgs_graph *real, *fixed;
    sgs_config *config; /* the ini where given, else what the fixed model carries */
    sgs_layers *l;
    sgs_samples *with, *without; /* norm=True for the float model, norm=False */
    sgs_array *array;
    int samples, layer_samples;
    uint8_t **kept; /* [layer_samples]: both models' inputs in a row */
    int done;       /* layers that ran alone */
    sgs_analysis *a;
} analysis;

/* ---- the two models ---------------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

/* X_fixed.sim: X_float.sim, else X.sim, as the calibrator names them. */
static sgs_status find_float(analysis *c, sgs_diag *d)
{
    const char *path = c->o->model;
    c->float_path = c->o->float_model;
    if (c->float_path)
        return SGS_OK;
    const size_t cut = ends_with(path, "_fixed.sim") ? 10 : ends_with(path, ".sim") ? 4 : 0;
    const char *stem = sgs_strndup(c->arena, path, strlen(path) - cut),
               *first = sgs_format(c->arena, "%s_float.sim", stem);
    const char *second = sgs_format(c->arena, "%s.sim", stem);
    c->float_path = access(first, R_OK) == 0 ? first : cut == 10 && access(second, R_OK) == 0 ? second : NULL;
    if (c->float_path)
        return SGS_OK;
    sgs_fail(d, SGS_E_FILE, "expected the float model beside it, %s, found none", first);
    sgs_hint(d, "say where it is: --float_model FILE");
    return sgs_fail_at(d, path, 0, NULL);
}

static sgs_status wrong_kind(const char *path, const char *expected, sgs_diag *d)
{
    sgs_fail(d, SGS_E_USAGE, "expected %s", expected);
    return sgs_fail_at(d, path, 0, NULL);
}

static sgs_status read_models(analysis *c, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, c->o->model, d));
    const int kind = sgs_sim_kind(f.data);
    sgs_file_close(&f);
    if (kind != SGS_FIXED)
        return wrong_kind(c->o->model, "a fixed-point model, X_fixed.sim, of this program's calibrator", d);
    SGS_TRY(find_float(c, d));
    SGS_TRY(sgs_file_open(&f, c->float_path, d));
    const int other = sgs_sim_kind(f.data);
    sgs_file_close(&f);
    if (other != SGS_FLOAT)
        return wrong_kind(c->float_path, "a float model, X_float.sim", d);
    SGS_TRY(sgs_sim_read(&c->fixed, c->o->model, d));
    return sgs_float_model_read(&c->real, c->float_path, d);
}

/* "KEY HASH" of line `p` up to its end. */
static int line_of(const char *p, const char *end)
{
    const char *nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    return (int)((nl ? nl : end) - p);
}

/* The fixed model's provenance goes on where that of its float model ends. */
static sgs_status same_origin(const analysis *c, sgs_diag *d)
{
    static const char none[] = "";
    const sgs_meta *r = sgs_meta_get(c->real, "sgs.provenance"), *f = sgs_meta_get(c->fixed, "sgs.provenance");
    const char *p = r ? (const char *)r->data.p : none, *pend = p + (r ? r->data.n : 0);
    const char *q = f ? (const char *)f->data.p : none, *qend = q + (f ? f->data.n : 0);
    while (p < pend) {
        const int n = line_of(p, pend), m = line_of(q, qend);
        if (n != m || memcmp(p, q, (size_t)n)) {
            sgs_fail(d, SGS_E_USAGE,
                     "expected the float model that %.300s was calibrated from, found one that was converted from "
                     "another file (%.*s)",
                     c->o->model, (int)strcspn(p, " \n"), p);
            sgs_hint(d, "calibrate this float model again, or name the right one: --float_model FILE");
            return sgs_fail_at(d, c->float_path, 0, NULL);
        }
        p += n + (p + n < pend);
        q += m + (q + m < qend);
    }
    return SGS_OK;
}

static sgs_status take_config(analysis *c, sgs_diag *d)
{
    const sgs_meta *meta = sgs_meta_get(c->fixed, "sgs.config");
    sgs_config *own;
    if (!meta)
        return wrong_kind(c->o->model,
                          "a fixed-point model that carries its configuration, as the calibrator writes it", d);
    SGS_TRY(sgs_config_parse(&own, c->o->model, meta->data, d));
    if (!c->o->input_config) {
        c->config = own;
        return SGS_OK;
    }
    sgs_status s = sgs_config_read(&c->config, c->o->input_config, d);
    if (s == SGS_OK)
        s = sgs_config_compare(c->config, own, d);
    sgs_config_free(own);
    return s;
}

static sgs_status pair_models(analysis *c, sgs_diag *d)
{
    if (c->config->nin != c->fixed->nin || c->config->nout != c->fixed->nout)
        return wrong_kind(c->o->model, "a fixed-point model with the inputs and outputs of its configuration", d);
    const sgs_status s = sgs_layers_new(&c->l, c->real, c->fixed, c->config, d);
    return s == SGS_OK ? s : sgs_fail_at(d, c->float_path, 0, NULL);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static sgs_want want_of(const sgs_input_config *in, const sgs_value *v)
{
    return (sgs_want){ .name = in->name, .type = v->type, .rank = v->rank, .dim = v->dim };
}

static sgs_status next_sample(analysis *c, sgs_diag *d)
{
    bool end;
    SGS_TRY(sgs_samples_next(c->with, c->array, &end, d));
    for (int i = 0; i < c->real->nin; i++) {
        const sgs_want w = want_of(&c->config->in[i], c->real->in[i]);
        SGS_TRY(sgs_samples_take(c->with, i, &c->array[i], &w, sgs_session_data(c->l->session, c->real->in[i]), d));
    }
    SGS_TRY(sgs_samples_next(c->without, c->array, &end, d));
    for (int i = 0; i < c->fixed->nin; i++) {
        const sgs_input_config *in = &c->config->in[i];
        const sgs_want w = want_of(in, c->l->seen[i]);
        SGS_TRY(sgs_samples_board(c->without, i, &c->array[i], in, &w, sgs_fixed_input(c->l->machine, i), d));
    }
    return SGS_OK;
}

/* Between the models' input memory and p; returns the bytes. */
static size_t move_inputs(analysis *c, uint8_t *p, bool out)
{
    size_t at = 0;
    for (int i = 0; i < c->real->nin; i++) {
        void *const side[2] = { sgs_session_data(c->l->session, c->real->in[i]), sgs_fixed_input(c->l->machine, i) };
        const size_t n[2] = { (size_t)sgs_value_bytes(c->real->in[i]), (size_t)sgs_value_bytes(c->fixed->in[i]) };
        for (int k = 0; k < 2; k++, at += n[k - 1])
            if (p)
                memcpy(out ? p + at : side[k], out ? side[k] : p + at, n[k]);
    }
    return at;
}

/* Whether sample i is one of those on which layers run alone: the k-th is number k * samples / layer_samples. */
static bool is_kept(const analysis *c, int i, int kept)
{
    return kept < c->layer_samples && (int)((int64_t)kept * c->samples / c->layer_samples) == i;
}

static sgs_status side_by_side(analysis *c, sgs_diag *d)
{
    int kept = 0;
    for (int i = 0; i < c->samples; i++) {
        sgs_log_progress(&c->o->log, "compare", i, c->samples);
        SGS_TRY(next_sample(c, d));
        if (is_kept(c, i, kept)) {
            c->kept[kept] = sgs_alloc(c->arena, move_inputs(c, NULL, true) + 1);
            move_inputs(c, c->kept[kept++], true);
        }
        SGS_TRY(sgs_layers_compare(c->l, d));
    }
    sgs_log_progress(&c->o->log, "compare", c->samples, c->samples);
    return SGS_OK;
}

static void say_done(void *user)
{
    analysis *c = user;
    sgs_log_progress(&c->o->log, "layers alone", c->done++, (int64_t)c->layer_samples * c->l->n);
}

static sgs_status layers_alone(analysis *c, sgs_diag *d)
{
    for (int i = 0; i < c->layer_samples; i++) {
        move_inputs(c, c->kept[i], false);
        SGS_TRY(sgs_layers_alone(c->l, say_done, c, d));
    }
    sgs_log_progress(&c->o->log, "layers alone", c->done, c->done);
    return SGS_OK;
}

static sgs_status run(analysis *c, sgs_diag *d)
{
    /* Workers are started before the session starts anything of its own. */
    SGS_TRY(sgs_samples_open(&c->with, &c->o->samples, c->real->nin, true, d));
    SGS_TRY(sgs_samples_open(&c->without, &c->o->samples, c->real->nin, false, d));
    SGS_TRY(pair_models(c, d));
    const int most = c->o->layer_samples ? c->o->layer_samples : LAYER_SAMPLES;
    c->samples = sgs_samples_count(c->with);
    c->layer_samples = c->samples < most ? c->samples : most;
    c->array = SGS_NEW_N(c->arena, sgs_array, c->real->nin + 1);
    c->kept = SGS_NEW_N(c->arena, uint8_t *, c->layer_samples + 1);
    SGS_TRY(side_by_side(c, d));
    return layers_alone(c, d);
}

/* ---- the result -------------------------------------------------------------------------------------------------- */

static double decibels(double signal, double noise)
{
    if (noise == 0)
        return signal > 0 ? INFINITY : NAN;
    return signal > 0 ? 10 * log10(signal / noise) : NAN;
}

/* Noise at the outputs as a share of their signals, averaged over those that have one; NaN: none has. */
static double output_share(const analysis *c, const double *noise, const double *signal)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < c->real->nout; i++)
        if (signal[i] > 0) {
            sum += noise[i] / signal[i];
            n++;
        }
    return n ? sum / n : NAN;
}

static double alone_share(const analysis *c, const double *noise)
{
    return fmax(output_share(c, noise, c->l->alone_signal), 0); /* of outputs that are all zeros: 0 */
}

static int bits_of(const sgs_layer *y)
{
    const sgs_type t = y->conv ? y->conv->in[1]->type : y->fixed->type;
    return 8 * sgs_type_bytes(t);
}

static sgs_layer_loss loss_of(const analysis *c, const sgs_layer *y, double share, double all)
{
    sgs_layer_loss r = { .name = sgs_node_label(c->real, y->node),
                         .op = y->node->op->name,
                         .tensor = sgs_value_label(c->real, y->real),
                         .bits = bits_of(y),
                         .weighted = y->conv != NULL,
                         .sqnr = decibels(y->signal, y->noise),
                         .max_error = y->most,
                         .saturation = y->count ? (double)y->cut / (double)y->count : 0,
                         .alone = y->moves ? (double)NAN : decibels(1, share),
                         .share = all > 0 ? share / all : 0 };
    const double both = sqrt(y->signal) * sqrt(y->power);
    r.cosine = both > 0 ? fmin(y->product / both, 1) : y->signal == y->power;
    for (int i = 0; i < y->npart; i++)
        r.mac += sgs_fixed_mac(c->l->machine, y->part[i]);
    return r;
}

typedef struct place {
    double share;
    int at;
    bool moves;
} place;

static int dearest(const void *pa, const void *pb)
{
    const place *a = pa, *b = pb;
    if (a->moves != b->moves)
        return a->moves - b->moves;
    return a->share > b->share ? -1 : a->share < b->share ? 1 : a->at - b->at;
}

/* Strings of the report outlive the graphs. */
static const char *copy(const analysis *c, const char *text)
{
    return sgs_strdup(c->arena, text);
}

static void list_layers(analysis *c, const double *share, double all)
{
    place *p = SGS_NEW_N(c->arena, place, c->l->n + 1);
    sgs_layer_loss *y = SGS_NEW_N(c->arena, sgs_layer_loss, c->l->n + 1);
    for (int i = 0; i < c->l->n; i++)
        p[i] = (place){ share[i], i, c->l->layer[i].moves };
    qsort(p, (size_t)c->l->n, sizeof *p, dearest);
    for (int i = 0; i < c->l->n; i++) {
        y[i] = loss_of(c, &c->l->layer[p[i].at], p[i].share, all);
        y[i].name = copy(c, y[i].name);
        y[i].tensor = copy(c, y[i].tensor);
        c->a->mac += y[i].mac;
    }
    c->a->layer = y;
    c->a->nlayer = c->l->n;
}

static void list_outputs(analysis *c)
{
    struct sgs_output_loss *o = SGS_NEW_N(c->arena, struct sgs_output_loss, c->real->nout + 1);
    for (int i = 0; i < c->real->nout; i++)
        o[i] = (struct sgs_output_loss){ copy(c, c->config->out[i].name), decibels(c->l->signal[i], c->l->noise[i]) };
    c->a->output = o;
    c->a->noutput = c->real->nout;
}

/* What the ini names already, then the suggestion. */
static void write_line(analysis *c)
{
    const int had = c->config->ntensor_arrays;
    const char **name = SGS_NEW_N(c->arena, const char *, had + c->a->nraise + 1);
    sgs_buf b = { 0 };
    c->a->conv_config = "";
    if (!c->a->nraise)
        return;
    for (int i = 0; i < had; i++)
        name[i] = c->config->tensor_arrays[i];
    for (int i = 0; i < c->a->nraise; i++)
        name[had + i] = c->a->raise[i].tensor;
    sgs_config_print_tensors(&b, had + c->a->nraise, name);
    c->a->conv_config = sgs_strndup(c->arena, b.p, b.n - 1);
    sgs_buf_free(&b);
}

static void suggest(analysis *c, const double *share, double now)
{
    sgs_raise *r;
    double *wide = SGS_NEW_N(c->arena, double, c->l->n + 1);
    for (int i = 0; i < c->l->n; i++)
        wide[i] = c->l->layer[i].wide ? alone_share(c, c->l->layer[i].wide) : share[i];
    const sgs_raise_question q = { c->l, share, wide, now, c->o->gain > 0 ? c->o->gain : GAIN };
    c->a->gain = q.gain;
    c->a->nraise = sgs_raise_choose(&q, c->arena, &r);
    for (int i = 0; i < c->a->nraise; i++) {
        r[i].tensor = copy(c, r[i].tensor);
        r[i].layers = copy(c, r[i].layers);
    }
    c->a->raise = r;
    write_line(c);
}

static void conclude(analysis *c)
{
    double *share = SGS_NEW_N(c->arena, double, c->l->n + 1), all = 0;
    for (int i = 0; i < c->l->n; i++) {
        share[i] = alone_share(c, c->l->layer[i].alone);
        all += share[i];
    }
    const double now = output_share(c, c->l->noise, c->l->signal);
    c->a->samples = c->samples;
    c->a->layer_samples = c->layer_samples;
    c->a->sqnr = decibels(isnan(now) ? 0 : 1, isnan(now) ? 0 : now);
    list_outputs(c);
    list_layers(c, share, all);
    suggest(c, share, now);
}

static sgs_status write_file(const char *path, void (*print)(const sgs_analysis *a, sgs_buf *out),
                             const sgs_analysis *a, sgs_diag *d)
{
    sgs_buf b = { 0 };
    if (!path)
        return SGS_OK;
    print(a, &b);
    const sgs_status s = sgs_file_write(path, b.p, b.n, d);
    sgs_buf_free(&b);
    return s;
}

static sgs_status analyze(analysis *c, sgs_diag *d)
{
    SGS_TRY(read_models(c, d));
    SGS_TRY(same_origin(c, d));
    SGS_TRY(take_config(c, d));
    SGS_TRY(run(c, d));
    conclude(c);
    sgs_analysis_show(c->a, c->o->top > 0 ? c->o->top : TOP, &c->o->log);
    SGS_TRY(write_file(c->o->json_file, sgs_analysis_json, c->a, d));
    return write_file(c->o->tsv_file, sgs_analysis_tsv, c->a, d);
}

sgs_status sgs_analyze(const sgs_analyze_options *o, sgs_analysis **a, sgs_diag *d)
{
    if (a)
        *a = NULL;
    if (!o->model)
        return sgs_fail(d, SGS_E_USAGE, "expected a fixed-point model");
    sgs_arena *arena = sgs_arena_new();
    if (!arena)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    result *r = SGS_NEW(arena, result);
    r->arena = arena;
    analysis c = { .o = o, .arena = arena, .a = &r->a };
    const sgs_status s = analyze(&c, d);
    sgs_samples_close(c.with);
    sgs_samples_close(c.without);
    sgs_layers_free(c.l);
    sgs_graph_free(c.real);
    sgs_graph_free(c.fixed);
    sgs_config_free(c.config);
    if (s == SGS_OK && a)
        *a = &r->a;
    else
        sgs_arena_free(arena);
    return s;
}

void sgs_analysis_free(sgs_analysis *a)
{
    if (a)
        sgs_arena_free(((result *)a)->arena);
}
