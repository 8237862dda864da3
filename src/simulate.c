/* The simulator tool: samples through a float, fixed or offline model, results into files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "compile/target.h"
#include "config/config.h"
#include "preprocess/preprocess.h"
#include "sim/results.h"

#define CONSOLE_NAME 200

typedef struct simulation {
    const sgs_simulate_options *o;
    sgs_arena *arena;
    sgs_simulator *model;
    sgs_samples *samples;
    int nin, nout;
    const sgs_io_info **in, **out;
    void **buffer;        /* [nin]: what goes into the model */
    const void **result;  /* [nout] */
    const char **picture; /* [samples]: names for the result files */
    const char *model_name, *folder;
    bool classes;
    const char **label;
    int nlabel;
    double *ms; /* [samples] */
} simulation;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- the ini, where given, against the model ------------------------------------------------------------------- */

static sgs_status disagree(const sgs_config *c, int line, sgs_diag *d, const char *what, const char *name,
                           const char *ini, const char *model)
{
    sgs_fail(d, SGS_E_CONFIG, "%s of '%.200s' differs: %s in the ini, %s in the model", what, name, ini, model);
    sgs_fail_at(d, c->file, line, NULL);
    return SGS_E_CONFIG;
}

static sgs_status count_differs(const sgs_config *c, int line, sgs_diag *d, const char *what, int ini, int model)
{
    sgs_fail(d, SGS_E_CONFIG, "%s: %d in the ini, %d in the model", what, ini, model);
    sgs_fail_at(d, c->file, line, NULL);
    return SGS_E_CONFIG;
}

static sgs_status compare_inputs(const simulation *s, const sgs_config *c, sgs_diag *d)
{
    const int line = c->inputs_line;
    if (c->nin != s->nin)
        return count_differs(c, line, d, "inputs", c->nin, s->nin);
    for (int i = 0; i < s->nin; i++) {
        const sgs_input_config *in = &c->in[i];
        const char *training = sgs_format_name(in->training), *input = sgs_format_name(in->input),
                   *layout = in->nchw ? "NCHW" : "NHWC";
        if (strcmp(in->name, s->in[i]->name))
            return disagree(c, line, d, "the name", in->name, in->name, s->in[i]->name);
        if (strcmp(training, s->in[i]->training_format))
            return disagree(c, line, d, "training_input_formats", in->name, training, s->in[i]->training_format);
        if (strcmp(input, s->in[i]->format))
            return disagree(c, line, d, "input_formats", in->name, input, s->in[i]->format);
        if (strcmp(layout, s->in[i]->layout))
            return disagree(c, line, d, "input_layouts", in->name, layout, s->in[i]->layout);
    }
    return SGS_OK;
}

static sgs_status compare_outputs(const simulation *s, const sgs_config *c, sgs_diag *d)
{
    if (c->nout != s->nout)
        return count_differs(c, c->outputs_line, d, "outputs", c->nout, s->nout);
    for (int i = 0; i < s->nout; i++)
        if (strcmp(c->out[i].name, s->out[i]->name))
            return disagree(c, c->outputs_line, d, "the name", c->out[i].name, c->out[i].name, s->out[i]->name);
    return SGS_OK;
}

static sgs_status check_ini(const simulation *s, sgs_diag *d)
{
    if (!s->o->input_config)
        return SGS_OK;
    sgs_config *c;
    SGS_TRY(sgs_config_read(&c, s->o->input_config, d));
    sgs_status status = compare_inputs(s, c, d);
    if (status == SGS_OK)
        status = compare_outputs(s, c, d);
    sgs_config_free(c);
    return status;
}

/* ---- category -------------------------------------------------------------------------------------------------- */

static bool is_vector(const sgs_io_info *info)
{
    int long_dims = 0;
    for (int i = 0; i < info->rank; i++)
        long_dims += info->dim[i] > 1;
    return long_dims <= 1;
}

static sgs_status read_labels(simulation *s, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, s->o->label, d));
    const char *p = (const char *)f.data.p, *end = f.data.n ? p + f.data.n : p;
    sgs_buf labels = { 0 };
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *to = nl ? nl : end;
        const char *text = sgs_strndup(s->arena, p, (size_t)(to - p) - (to > p && to[-1] == '\r'));
        sgs_buf_add(&labels, &text, sizeof text);
        s->nlabel++;
        p = to + (nl != NULL);
    }
    sgs_file_close(&f);
    s->label = SGS_NEW_N(s->arena, const char *, s->nlabel);
    if (s->nlabel)
        memcpy(s->label, labels.p, labels.n);
    sgs_buf_free(&labels);
    const int64_t scores = sgs_io_count(s->out[0]);
    if (s->nlabel >= scores)
        return SGS_OK;
    sgs_fail(d, SGS_E_DATA, "expected a label for each of the %lld scores, found %d lines", (long long)scores,
             s->nlabel);
    sgs_fail_at(d, s->o->label, 0, NULL);
    return SGS_E_DATA;
}

static sgs_status take_category(simulation *s, sgs_diag *d)
{
    const char *category = s->o->category ? s->o->category : "Unknown";
    s->classes = !strcmp(category, "Classification");
    if (!strcmp(category, "Detection"))
        return sgs_fail(d, SGS_E_UNSUPPORTED,
                        "-c Detection comes with a later version; -c Unknown writes every output");
    if (!s->classes && strcmp(category, "Unknown"))
        return sgs_fail(d, SGS_E_USAGE, "-c: expected Classification, Detection or Unknown, found '%s'", category);
    if (s->o->label && !s->classes)
        return sgs_fail(d, SGS_E_USAGE, "-l has no effect without -c Classification");
    if (!s->classes)
        return SGS_OK;
    if (s->nout != 1 || !is_vector(s->out[0]))
        return sgs_fail(
            d, SGS_E_USAGE,
            "-c Classification: expected a model with one output that is a vector of scores, found %d output%s%s",
            s->nout, s->nout == 1 ? "" : "s", s->nout == 1 ? " of several dimensions" : "");
    return s->o->label ? read_labels(s, d) : SGS_OK;
}

/* ---- the console ----------------------------------------------------------------------------------------------- */

static void show_tensor(const simulation *s, const sgs_io_info *t, const char *side, int index)
{
    sgs_buf b = { 0 };
    for (int i = 0; i < t->rank; i++)
        sgs_buf_printf(&b, "%s%d", i ? " " : "", t->dim[i]);
    sgs_log_line(&s->o->log, "  %s %d: %.*s", side, index, CONSOLE_NAME, t->name);
    sgs_log_line(&s->o->log, "    dtype: %s  layouts: %s  shape: [%s]", sgs_dtype_name(t->dtype),
                 t->layout ? t->layout : "NHWC", b.p ? b.p : "");
    if (t->training_format && t->training_format[0])
        sgs_log_line(&s->o->log, "    training_input_formats: %s  input_formats: %s", t->training_format, t->format);
    sgs_buf_free(&b);
}

static void show_net(const simulation *s)
{
    sgs_log_line(&s->o->log, "Net:");
    for (int i = 0; i < s->nin; i++)
        show_tensor(s, s->in[i], "input", i);
    for (int i = 0; i < s->nout; i++)
        show_tensor(s, s->out[i], "output", i);
}

/* ---- one sample ------------------------------------------------------------------------------------------------ */

static sgs_type type_of(sgs_dtype t)
{
    switch (t) {
    case SGS_DT_FLOAT32:
        return SGS_F32;
    case SGS_DT_UINT8:
        return SGS_U8;
    case SGS_DT_INT16:
        return SGS_S16;
    case SGS_DT_UINT16:
        return SGS_U16;
    case SGS_DT_INT32:
        return SGS_S32;
    case SGS_DT_BOOL:
        break;
    }
    return SGS_BOOL;
}

/* RGB to BGR or back: the script returns training_input_formats, the board gives input_formats. */
static void swap_channels(const sgs_io_info *t, uint8_t *p)
{
    const bool nchw = !strcmp(t->layout, "NCHW");
    const int64_t pixels = sgs_io_count(t) / 3, plane = nchw ? pixels / t->dim[0] : 1;
    for (int64_t i = 0; i < pixels; i++) {
        uint8_t *red = nchw ? p + i / plane * 3 * plane + i % plane : p + 3 * i, *blue = red + 2 * plane;
        const uint8_t keep = *red;
        *red = *blue;
        *blue = keep;
    }
}

static bool order_differs(const sgs_io_info *t)
{
    return t->dtype == SGS_DT_UINT8 && ((!strcmp(t->training_format, "RGB") && !strcmp(t->format, "BGR")) ||
                                        (!strcmp(t->training_format, "BGR") && !strcmp(t->format, "RGB")));
}

static sgs_status set_input(simulation *s, int i, const sgs_array *array, sgs_diag *d)
{
    const sgs_io_info *t = s->in[i];
    int64_t dim[8];
    for (int k = 0; k < t->rank; k++)
        dim[k] = t->dim[k];
    const sgs_want want = { .name = t->name, .type = type_of(t->dtype), .rank = t->rank, .dim = dim };
    SGS_TRY(sgs_samples_take(s->samples, i, array, &want, s->buffer[i], d));
    if (order_differs(t))
        swap_channels(t, s->buffer[i]);
    return sgs_simulator_set_input(s->model, i, s->buffer[i], t->bytes, d);
}

static sgs_status save_inputs(const simulation *s, const sgs_results *r, sgs_diag *d)
{
    char suffix[32];
    for (int i = 0; i < s->nin; i++) {
        if (s->o->save_input) {
            snprintf(suffix, sizeof suffix, "input%d.npy", i);
            SGS_TRY(sgs_results_npy(r, suffix, s->in[i], s->buffer[i], d));
        }
        if (s->o->dump_rawdata) {
            snprintf(suffix, sizeof suffix, s->nin == 1 ? "bin" : "input%d.bin", i);
            SGS_TRY(sgs_results_bytes(r, suffix, s->buffer[i], s->in[i]->bytes, d));
        }
    }
    return SGS_OK;
}

static sgs_status save_outputs(const simulation *s, const sgs_results *r, sgs_diag *d)
{
    char suffix[32];
    for (int i = 0; i < s->nout; i++) {
        s->result[i] = sgs_simulator_get_output(s->model, i);
        snprintf(suffix, sizeof suffix, "output%d.npy", i);
        if (s->o->dump_output)
            SGS_TRY(sgs_results_npy(r, suffix, s->out[i], s->result[i], d));
    }
    if (s->classes)
        return sgs_results_classes(r, s->out[0], s->result[0], s->label, s->nlabel, d);
    return sgs_results_unknown(r, s->nout, s->out, s->result, d);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sgs_status run_sample(simulation *s, int sample, const sgs_array *array, sgs_diag *d)
{
    const sgs_results r = { s->folder, s->model_name, s->picture[sample] };
    for (int i = 0; i < s->nin; i++)
        SGS_TRY(set_input(s, i, &array[i], d));
    SGS_TRY(save_inputs(s, &r, d));
    const double start = now();
    SGS_TRY(sgs_simulator_invoke(s->model, d));
    s->ms[sample] = (now() - start) * 1e3;
    return save_outputs(s, &r, d);
}

/* ---- all samples ----------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(**(const char ***)a, **(const char ***)b);
}

/* File names of the pictures; where two samples share one, their numbers make them different. */
static void name_pictures(simulation *s, int n)
{
    s->picture = SGS_NEW_N(s->arena, const char *, n);
    const char ***order = SGS_NEW_N(s->arena, const char **, n);
    bool *shared = SGS_NEW_N(s->arena, bool, n);
    for (int i = 0; i < n; i++) {
        s->picture[i] = base_name(sgs_samples_path(s->samples, i, 0));
        order[i] = &s->picture[i];
    }
    qsort(order, (size_t)n, sizeof *order, by_name);
    for (int i = 1; i < n; i++)
        if (!strcmp(*order[i], *order[i - 1]))
            shared[order[i] - s->picture] = shared[order[i - 1] - s->picture] = true;
    for (int i = 0; i < n; i++)
        if (shared[i])
            s->picture[i] = sgs_format(s->arena, "%s_%d", s->picture[i], i);
}

static sgs_status run_all(simulation *s, sgs_diag *d)
{
    const int n = sgs_samples_count(s->samples);
    sgs_array *array = SGS_NEW_N(s->arena, sgs_array, s->nin);
    name_pictures(s, n);
    s->ms = SGS_NEW_N(s->arena, double, n);
    for (int i = 0; i < n; i++) {
        bool end;
        sgs_log_progress(&s->o->log, "simulate", i, n);
        SGS_TRY(sgs_samples_next(s->samples, array, &end, d));
        SGS_TRY(run_sample(s, i, array, d));
    }
    sgs_log_progress(&s->o->log, "simulate", n, n);
    return SGS_OK;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void show_times(const simulation *s, double seconds)
{
    const int n = sgs_samples_count(s->samples);
    qsort(s->ms, (size_t)n, sizeof *s->ms, by_size);
    sgs_log_line(&s->o->log, "%.3f ms per inference (median of %d)", s->ms[n / 2], n);
    sgs_log_line(&s->o->log, "Total time elapsed: %.1f s", seconds);
    sgs_log_line(&s->o->log, "results are in %s", s->folder);
    sgs_log_line(&s->o->log, "Run evaluation OK.");
}

/* ---- the tool -------------------------------------------------------------------------------------------------- */

static sgs_status make_folders(const char *path, sgs_diag *d)
{
    sgs_buf part = { 0 };
    sgs_status status = SGS_OK;
    for (const char *p = path; status == SGS_OK; p++) {
        if (*p && *p != '/') {
            sgs_buf_add(&part, p, 1);
            continue;
        }
        if (part.n && mkdir(part.p, 0777) < 0 && errno != EEXIST) {
            status = sgs_fail(d, SGS_E_FILE, "cannot make the folder: %s", strerror(errno));
            sgs_fail_at(d, path, 0, NULL);
        }
        if (!*p)
            break;
        sgs_buf_add(&part, p, 1);
    }
    sgs_buf_free(&part);
    return status;
}

static void take_model(simulation *s)
{
    s->nin = sgs_simulator_inputs(s->model);
    s->nout = sgs_simulator_outputs(s->model);
    s->in = SGS_NEW_N(s->arena, const sgs_io_info *, s->nin);
    s->out = SGS_NEW_N(s->arena, const sgs_io_info *, s->nout);
    s->buffer = SGS_NEW_N(s->arena, void *, s->nin);
    s->result = SGS_NEW_N(s->arena, const void *, s->nout);
    for (int i = 0; i < s->nin; i++) {
        s->in[i] = sgs_simulator_input(s->model, i);
        s->buffer[i] = sgs_alloc(s->arena, s->in[i]->bytes);
    }
    for (int i = 0; i < s->nout; i++)
        s->out[i] = sgs_simulator_output(s->model, i);
}

static sgs_status simulate(simulation *s, sgs_diag *d)
{
    const sgs_simulate_options *o = s->o;
    const sgs_target *target;
    SGS_TRY(sgs_target_find(o->soc_version, &target, d));
    SGS_TRY(sgs_simulator_open(&s->model, o->model, &o->simulator, d));
    take_model(s);
    const bool float_model = sgs_simulator_kind(s->model) == SGS_FLOAT;
    if (float_model && o->dump_rawdata)
        return sgs_fail(d, SGS_E_USAGE,
                        "--dump_rawdata writes what a board is given: it needs a fixed or an offline model");
    SGS_TRY(check_ini(s, d));
    SGS_TRY(take_category(s, d));
    SGS_TRY(sgs_samples_open(&s->samples, &o->samples, s->nin, float_model, d));
    SGS_TRY(make_folders(s->folder, d));
    sgs_log_line(&o->log, "Start to evaluate on %s...", s->model_name);
    show_net(s);
    const double start = now();
    SGS_TRY(run_all(s, d));
    show_times(s, now() - start);
    return SGS_OK;
}

sgs_status sgs_simulate(const sgs_simulate_options *o, sgs_diag *d)
{
    if (!o->model)
        return sgs_fail(d, SGS_E_USAGE, "expected a model");
    simulation s = { .o = o,
                     .arena = sgs_arena_new(),
                     .model_name = base_name(o->model),
                     .folder = o->output_dir ? o->output_dir : "./log/output" };
    if (!s.arena)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    sgs_status status = simulate(&s, d);
    sgs_samples_close(s.samples);
    if (s.model)
        sgs_simulator_close(s.model);
    sgs_arena_free(s.arena);
    return status;
}
