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
#include "runtime/image.h"
#include "sim/results.h"
#include "sim/show.h"
#include "sim/simulator.h"

#define BATCH_MOST 8    /* elements of a run, where the image takes any number */
#define DRAWN_SCORE 0.3 /* boxes that score less only make a drawing hard to read */

typedef enum category { UNKNOWN, CLASSES, BOXES, CATEGORIES } category;
static const char *const category_name[] = { "Unknown", "Classification", "Detection" };
static const char *const category_file[] = { "unknown", "classification", "detection" };

typedef struct simulation {
    const sgs_simulate_options *o;
    sgs_arena *arena;
    sgs_simulator *model;
    sgs_samples *samples;
    int nin, nout;
    const sgs_io_info **in, **out; /* of one element */
    sgs_input_config *config;      /* [nin]: what the model says of them */
    int batch, room;               /* elements of the run that is prepared; that the buffers hold */
    uint8_t **buffer;              /* [nin]: what goes into the model, element by element */
    const void **result;           /* [nout], of one element */
    const char **picture;          /* [samples]: names for the result files */
    const char *model_name, *folder;
    category category;
    const char **label;
    int nlabel;
    sgs_canvas *canvas; /* of BOXES */
    sgs_detection *box;
    double *ms; /* [samples] */
} simulation;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- the ini, where given, against the model ------------------------------------------------------------------- */

/* The settings of the model as far as it shows them. */
static void shown_config(const simulation *s, sgs_config *c)
{
    *c = (sgs_config){ .arena = s->arena, .nin = s->nin, .nout = s->nout };
    c->in = SGS_NEW_N(s->arena, sgs_input_config, s->nin);
    c->out = SGS_NEW_N(s->arena, sgs_output_config, s->nout);
    for (int i = 0; i < s->nin; i++)
        c->in[i] = s->config[i];
    for (int i = 0; i < s->nout; i++)
        c->out[i] = (sgs_output_config){ .name = s->out[i]->name, .nchw = !strcmp(s->out[i]->layout, "NCHW") };
}

static sgs_status check_ini(const simulation *s, sgs_diag *d)
{
    if (!s->o->input_config)
        return SGS_OK;
    sgs_config *c, model;
    SGS_TRY(sgs_config_read(&c, s->o->input_config, d));
    shown_config(s, &model);
    sgs_status status = sgs_config_compare(c, &model, d);
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
    if (end - p >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        p += 3;
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
    return SGS_OK;
}

static sgs_status take_labels(simulation *s, sgs_diag *d)
{
    if (!s->o->label)
        return SGS_OK;
    SGS_TRY(read_labels(s, d));
    const int64_t scores = sgs_io_count(s->out[0]);
    if (s->category != CLASSES || s->nlabel >= scores)
        return SGS_OK;
    sgs_fail(d, SGS_E_DATA, "expected a label for each of the %lld scores, found %d lines", (long long)scores,
             s->nlabel);
    sgs_fail_at(d, s->o->label, 0, NULL);
    return SGS_E_DATA;
}

static sgs_status check_classes(const simulation *s, sgs_diag *d)
{
    if (s->nout == 1 && is_vector(s->out[0]))
        return SGS_OK;
    sgs_fail(d, SGS_E_USAGE,
             "-c Classification: expected a model with one output that is a vector of scores, found %d output%s%s",
             s->nout, s->nout == 1 ? "" : "s", s->nout == 1 ? " of several dimensions" : "");
    return sgs_fail_at(d, s->o->model, 0, NULL);
}

static sgs_status check_boxes(simulation *s, sgs_diag *d)
{
    if (sgs_detections_check(s->nout, s->out, d) != SGS_OK)
        return sgs_fail_at(d, s->o->model, 0, NULL);
    s->box = SGS_NEW_N(s->arena, sgs_detection, sgs_detections_most(s->nout, s->out));
    return SGS_OK;
}

/* That which the compiler was given for an image; models say none. */
static category category_of(const simulation *s)
{
    const ipu_model *image = sgs_simulator_opened(s->model).image;
    return image ? (category)((const ipu_header *)(const void *)image->image)->category : UNKNOWN;
}

static sgs_status take_category(simulation *s, sgs_diag *d)
{
    const sgs_simulate_options *o = s->o;
    const category own = category_of(s);
    const char *name = o->category ? o->category : category_name[own];
    if (!o->category && own != UNKNOWN)
        sgs_log_line(&o->log, "no -c: %s, as the image was compiled for", name);
    while (s->category < CATEGORIES && strcmp(name, category_name[s->category]))
        s->category++;
    if (s->category == CATEGORIES)
        return sgs_fail(d, SGS_E_USAGE, "-c: expected Classification, Detection or Unknown, found '%s'", name);
    if (o->draw_result && s->category != BOXES)
        return sgs_fail(d, SGS_E_USAGE, "--draw_result has no effect without -c Detection");
    if (o->label && s->category != CLASSES && !o->draw_result)
        return sgs_fail(d, SGS_E_USAGE, "-l has no effect without -c Classification or --draw_result");
    if (s->category == CLASSES)
        SGS_TRY(check_classes(s, d));
    if (s->category == BOXES)
        SGS_TRY(check_boxes(s, d));
    return take_labels(s, d);
}

/* ---- the console ----------------------------------------------------------------------------------------------- */

static void show_net(const simulation *s)
{
    sgs_log_line(&s->o->log, "Net:");
    sgs_show_batches(&s->o->log, sgs_simulator_batches(s->model));
    for (int i = 0; i < s->nin; i++)
        sgs_show_tensor(&s->o->log, "input", i, s->in[i]);
    for (int i = 0; i < s->nout; i++)
        sgs_show_tensor(&s->o->log, "output", i, s->out[i]);
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

static uint8_t *element(const simulation *s, int input, int k)
{
    return s->buffer[input] + (size_t)k * s->in[input]->bytes;
}

static sgs_status take_input(simulation *s, int i, int k, const sgs_array *array, sgs_diag *d)
{
    const sgs_io_info *t = s->in[i];
    int64_t dim[8];
    for (int r = 0; r < t->rank; r++)
        dim[r] = t->dim[r];
    const sgs_want want = { .name = t->name, .type = type_of(t->dtype), .rank = t->rank, .dim = dim };
    if (sgs_simulator_kind(s->model) == SGS_FLOAT)
        return sgs_samples_take(s->samples, i, array, &want, element(s, i, k), d);
    return sgs_samples_board(s->samples, i, array, &s->config[i], &want, element(s, i, k), d);
}

static sgs_status save_inputs(const simulation *s, int k, const sgs_results *r, sgs_diag *d)
{
    char suffix[32];
    for (int i = 0; i < s->nin; i++) {
        if (s->o->save_input) {
            snprintf(suffix, sizeof suffix, "input%d.npy", i);
            SGS_TRY(sgs_results_npy(r, suffix, s->in[i], element(s, i, k), d));
        }
        if (s->o->dump_rawdata) {
            snprintf(suffix, sizeof suffix, s->nin == 1 ? "bin" : "input%d.bin", i);
            SGS_TRY(sgs_results_bytes(r, suffix, element(s, i, k), s->in[i]->bytes, d));
        }
    }
    return SGS_OK;
}

/* Height and width of the network's picture; 0, 0: none of its inputs is one. */
static void net_size(const simulation *s, int32_t size[2])
{
    size[0] = size[1] = 0;
    for (int i = 0; i < s->nin && !size[0]; i++) {
        const bool first = !strcmp(s->in[i]->layout, "NCHW");
        if (s->in[i]->rank == 4 && !sgs_format_raw(sgs_format_find(s->in[i]->format)))
            memcpy(size, s->in[i]->dim + 1 + first, 2 * sizeof *size);
    }
}

/* Of files that are no pictures boxes are given in the network's. */
static sgs_status find_size(const simulation *s, const char *path, int32_t size[2], sgs_diag *d)
{
    sgs_span none;
    SGS_TRY(sgs_canvas_draw(s->canvas, path, "", size, &none, d));
    if (size[0])
        return SGS_OK;
    if (s->o->draw_result) {
        sgs_fail(d, SGS_E_DATA, "--draw_result: OpenCV reads no picture from it");
        return sgs_fail_at(d, path, 0, NULL);
    }
    net_size(s, size);
    if (size[0])
        return SGS_OK;
    sgs_fail(d, SGS_E_DATA,
             "-c Detection: OpenCV reads no picture from it, nor has the model one among its inputs: there is no size "
             "to give boxes in");
    return sgs_fail_at(d, path, 0, NULL);
}

/* Boxes that score enough, the best last. */
static void list_boxes(const simulation *s, int n, const int32_t size[2], sgs_buf *b)
{
    for (int i = n - 1; i >= 0; i--) {
        const sgs_detection *x = s->box + i;
        if (!(x->score >= DRAWN_SCORE))
            continue;
        sgs_buf_printf(b, "%.3f %.3f %.3f %.3f %lld ", x->left * size[1], x->top * size[0], x->right * size[1],
                       x->bottom * size[0], (long long)x->category);
        if (x->category >= 1 && x->category <= s->nlabel)
            sgs_buf_printf(b, "%s", s->label[x->category - 1]);
        else
            sgs_buf_printf(b, "%lld", (long long)x->category);
        sgs_buf_printf(b, " %.2f\n", x->score);
    }
}

static sgs_status save_boxes(const simulation *s, int sample, const sgs_results *r, sgs_diag *d)
{
    const char *path = sgs_samples_path(s->samples, sample, 0);
    const int n = sgs_detections_read(s->nout, s->out, s->result, s->box);
    int32_t size[2];
    SGS_TRY(find_size(s, path, size, d));
    if (s->o->draw_result) {
        sgs_buf boxes = { 0 };
        sgs_span png;
        list_boxes(s, n, size, &boxes);
        sgs_buf_printf(&boxes, "\n");
        sgs_status status = sgs_canvas_draw(s->canvas, path, boxes.p, size, &png, d);
        if (status == SGS_OK)
            status = sgs_results_drawing(r, s->o->draw_result, png, d);
        sgs_buf_free(&boxes);
        SGS_TRY(status);
    }
    return sgs_results_detections(r, s->box, n, size, d);
}

static sgs_status save_outputs(const simulation *s, int sample, int k, const sgs_results *r, sgs_diag *d)
{
    char suffix[32];
    for (int i = 0; i < s->nout; i++) {
        s->result[i] = (const uint8_t *)sgs_simulator_get_output(s->model, i) + (size_t)k * s->out[i]->bytes;
        snprintf(suffix, sizeof suffix, "output%d.npy", i);
        if (s->o->dump_output)
            SGS_TRY(sgs_results_npy(r, suffix, s->out[i], s->result[i], d));
    }
    if (s->category == BOXES)
        return save_boxes(s, sample, r, d);
    if (s->category == CLASSES)
        return sgs_results_classes(r, s->out[0], s->result[0], s->label, s->nlabel, d);
    return sgs_results_unknown(r, s->nout, s->out, s->result, d);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sgs_results results_of(const simulation *s, int sample)
{
    return (sgs_results){ s->folder, s->model_name, s->picture[sample], s->o->skip_garbage };
}

static void show_sample(const simulation *s, int sample)
{
    if (s->o->show_log)
        sgs_log_line(&s->o->log, "%s: %.3f ms", sgs_samples_path(s->samples, sample, 0), s->ms[sample]);
}

/* ---- a run: one sample, or as many as an image takes at once --------------------------------------------------- */

/* The largest batch that the samples fill; where there are too few, the smallest. */
static int choose_batch(const simulation *s, int samples)
{
    const sgs_batches *b = sgs_simulator_batches(s->model);
    int best = b->size[0];
    if (!b->one_buf) {
        best = best < BATCH_MOST ? best : BATCH_MOST;
        return samples < best ? samples : best;
    }
    for (int i = 1; i < b->count; i++) {
        const int n = b->size[i];
        if (best > samples ? n < best : n <= samples && n > best)
            best = n;
    }
    return best;
}

static sgs_status start_batch(simulation *s, int samples, sgs_diag *d)
{
    const int n = choose_batch(s, samples);
    SGS_TRY(sgs_simulator_set_batch(s->model, n, d));
    for (int i = 0; i < s->nin && n > s->room; i++) {
        s->buffer[i] = sgs_try_alloc(s->arena, (size_t)n * s->in[i]->bytes + 1);
        if (!s->buffer[i])
            return sgs_fail(d, SGS_E_LIMIT, "no memory for %d times '%s'", n, s->in[i]->name);
    }
    s->batch = n;
    s->room = s->room > n ? s->room : n;
    return SGS_OK;
}

static sgs_status prepare(simulation *s, int sample, int k, sgs_array *array, sgs_diag *d)
{
    const sgs_results r = results_of(s, sample);
    bool end;
    SGS_TRY(sgs_samples_next(s->samples, array, &end, d));
    for (int i = 0; i < s->nin; i++)
        SGS_TRY(take_input(s, i, k, &array[i], d));
    return save_inputs(s, k, &r, d);
}

/* The batch is as large as the image wants it: the last sample stands in for those that are not there. */
static sgs_status invoke(simulation *s, int filled, sgs_diag *d)
{
    for (int i = 0; i < s->nin; i++) {
        for (int k = filled; k < s->batch; k++)
            memcpy(element(s, i, k), element(s, i, filled - 1), s->in[i]->bytes);
        SGS_TRY(sgs_simulator_set_input(s->model, i, s->buffer[i], (size_t)s->batch * s->in[i]->bytes, d));
    }
    return sgs_simulator_invoke(s->model, d);
}

/* From sample `first` on; *n: how many went through. */
static sgs_status run_batch(simulation *s, int first, int *n, sgs_array *array, sgs_diag *d)
{
    const int left = sgs_samples_count(s->samples) - first;
    SGS_TRY(start_batch(s, left, d));
    *n = s->batch < left ? s->batch : left;
    for (int k = 0; k < *n; k++)
        SGS_TRY(prepare(s, first + k, k, array, d));
    const double start = now();
    SGS_TRY(invoke(s, *n, d));
    const double ms = (now() - start) * 1e3 / s->batch;
    for (int k = 0; k < *n; k++) {
        const sgs_results r = results_of(s, first + k);
        s->ms[first + k] = ms;
        show_sample(s, first + k);
        SGS_TRY(save_outputs(s, first + k, k, &r, d));
    }
    return SGS_OK;
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

/* --continue_run: what an earlier run has finished is left out. */
static void leave_out(simulation *s)
{
    const int n = sgs_samples_count(s->samples);
    bool *keep = SGS_NEW_N(s->arena, bool, n);
    int kept = 0;
    for (int i = 0; i < n; i++) {
        const sgs_results r = results_of(s, i);
        keep[i] = !sgs_results_there(&r, category_file[s->category]);
        if (keep[i])
            s->picture[kept++] = s->picture[i];
    }
    sgs_samples_keep(s->samples, keep);
    if (kept < n)
        sgs_log_line(&s->o->log, "%d of %d results are in %s already", n - kept, n, s->folder);
}

static sgs_status run_all(simulation *s, sgs_diag *d)
{
    name_pictures(s, sgs_samples_count(s->samples));
    if (s->o->continue_run)
        leave_out(s);
    const int n = sgs_samples_count(s->samples);
    sgs_array *array = SGS_NEW_N(s->arena, sgs_array, s->nin);
    s->ms = SGS_NEW_N(s->arena, double, n);
    for (int i = 0, done; i < n; i += done) {
        sgs_log_progress(&s->o->log, "simulate", i, n);
        SGS_TRY(run_batch(s, i, &done, array, d));
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
    if (n)
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

/* The description of one element. */
static const sgs_io_info *of_one(const simulation *s, const sgs_io_info *info, int batch)
{
    sgs_io_info *one = SGS_NEW(s->arena, sgs_io_info);
    *one = *info;
    one->bytes /= (size_t)batch;
    if (one->rank)
        one->dim[0] /= batch;
    if (one->array_rank)
        one->array_dim[0] /= batch;
    return one;
}

static sgs_status take_model(simulation *s, sgs_diag *d)
{
    const sgs_batches *b = sgs_simulator_batches(s->model);
    const int batch = b->one_buf ? b->size[0] : 1; /* as it was opened */
    s->nin = sgs_simulator_inputs(s->model);
    s->nout = sgs_simulator_outputs(s->model);
    s->in = SGS_NEW_N(s->arena, const sgs_io_info *, s->nin);
    s->out = SGS_NEW_N(s->arena, const sgs_io_info *, s->nout);
    s->buffer = SGS_NEW_N(s->arena, uint8_t *, s->nin);
    s->result = SGS_NEW_N(s->arena, const void *, s->nout);
    for (int i = 0; i < s->nin; i++)
        s->in[i] = of_one(s, sgs_simulator_input(s->model, i), batch);
    for (int i = 0; i < s->nout; i++)
        s->out[i] = of_one(s, sgs_simulator_output(s->model, i), batch);
    s->config = SGS_NEW_N(s->arena, sgs_input_config, s->nin + 1);
    for (int i = 0; i < s->nin; i++)
        SGS_TRY(sgs_input_config_of(s->in[i], &s->config[i], d));
    return SGS_OK;
}

static sgs_status simulate(simulation *s, sgs_diag *d)
{
    const sgs_simulate_options *o = s->o;
    const sgs_target *target;
    SGS_TRY(sgs_target_find(o->soc_version, &target, d));
    SGS_TRY(sgs_simulator_open(&s->model, o->model, &o->simulator, d));
    SGS_TRY(take_model(s, d));
    const bool float_model = sgs_simulator_kind(s->model) == SGS_FLOAT;
    if (float_model && o->dump_rawdata)
        return sgs_fail(d, SGS_E_USAGE,
                        "--dump_rawdata writes what a board is given: it needs a fixed or an offline model");
    SGS_TRY(check_ini(s, d));
    SGS_TRY(take_category(s, d));
    SGS_TRY(sgs_samples_open(&s->samples, &o->samples, s->nin, float_model, d));
    if (s->category == BOXES)
        SGS_TRY(sgs_canvas_open(&s->canvas, d));
    SGS_TRY(make_folders(s->folder, d));
    if (o->draw_result)
        SGS_TRY(make_folders(o->draw_result, d));
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
    sgs_canvas_close(s.canvas);
    sgs_samples_close(s.samples);
    if (s.model)
        sgs_simulator_close(s.model);
    sgs_arena_free(s.arena);
    return status;
}
