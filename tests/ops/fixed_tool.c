/* A float model's way to fixed point on data of the test's own, without configuration or scripts.
 *
 *   fixed_tool [--wide] [--keep] [--shapes S] [--input NAME]... [--output NAME]... MODEL.onnx|MODEL.tflite|MODEL.ir
 * PREFIX IN.bin...
 *
 * --wide: convolutions are 16 bit.  --keep: MODEL.tflite keeps its own scales.  --shapes: as --input_shapes.
 * --input, --output: as the ini lists them.
 * Every input is raw float, or raw integers of the model's own type, which the board takes in 16 bits where that has 8;
 * IN.bin holds one or more samples of it.  The ranges are those of the samples.  Leaves PREFIX_fixed.sim and
 * PREFIX.img, what the float model gives in PREFIX.float.I.bin and the fixed-point one in PREFIX.fixed.I.bin, all
 * samples of output I one behind the other, and prints a line "NAME TYPE [dims]" for each.  The fixed simulator and the
 * image must agree in every byte.  Exit status 1 and one message when something is wrong. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "import/sim.h"
#include "model_file.h"
#include "ops/util.h"
#include "pass/pass.h"
#include "quant/quantize.h"
#include "sim/session.h"

enum { MOST = 16 };

typedef struct work {
    const char *prefix;
    sgs_arena *arena;
    sgs_graph *g;
    sgs_session *session;
    sgs_observer observer;
    sgs_file *in;
    int nin, samples;
    bool wide;
    sgs_import_options import;
    const char *input[MOST], *output[MOST]; /* where they are cut: its names */
    sgs_type *in_type, *out_type;           /* of the float model */
    sgs_buf *expected, *found;              /* by output */
    sgs_simulator *fixed, *offline;
} work;

static bool ends_in(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static sgs_status load_text(sgs_graph **g, const char *path, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, path, d));
    sgs_status s = sgs_graph_parse(g, path, f.data, d);
    sgs_file_close(&f);
    if (s != SGS_OK)
        *g = NULL;
    return s == SGS_OK ? sgs_graph_verify(*g, d) : s;
}

static sgs_status load(work *w, const char *path, sgs_diag *d)
{
    sgs_import_options onnx = w->import;
    const sgs_pass_options passes = { .verify = true };
    SGS_TRY(model_file(path, &onnx, d));
    SGS_TRY(ends_in(path, ".ir") ? load_text(&w->g, path, d) : sgs_model_import(&w->g, path, &onnx, d));
    SGS_TRY(sgs_run_passes(w->g, &passes, d));
    return sgs_spell_out(w->g, d);
}

static sgs_status open_inputs(work *w, char **path, sgs_diag *d)
{
    if (w->nin != w->g->nin)
        return sgs_fail(d, SGS_E_USAGE, "the model has %d inputs, %d files given", w->g->nin, w->nin);
    w->samples = 1; /* of a model without inputs */
    for (int i = 0; i < w->nin; i++) {
        SGS_TRY(sgs_file_open(&w->in[i], path[i], d));
        const size_t each = (size_t)sgs_value_bytes(w->g->in[i]), n = each ? w->in[i].data.n / each : 0;
        if (!each)
            return sgs_fail(d, SGS_E_DATA, "input %d has no elements", i);
        if (w->in[i].data.n % each || !n || (i && (int)n != w->samples))
            return sgs_fail(d, SGS_E_DATA, "%s: expected a multiple of %zu bytes, found %zu", path[i], each,
                            w->in[i].data.n);
        w->samples = (int)n;
    }
    return SGS_OK;
}

static const uint8_t *sample(const work *w, int i, int k)
{
    return w->in[i].data.p + (size_t)k * (w->in[i].data.n / (size_t)w->samples);
}

/* ---- float ------------------------------------------------------------------------------------------------------ */

static void watch(void *user, const sgs_node *n, const sgs_tensor *out)
{
    sgs_observe(user, n->out[0], out[0].data);
}

static sgs_status run_float(work *w, sgs_diag *d)
{
    sgs_observer_init(&w->observer, w->g, false);
    SGS_TRY(sgs_session_new(&w->session, w->g, false, d));
    sgs_session_watch(w->session, watch, &w->observer);
    for (int k = 0; k < w->samples; k++) {
        for (int i = 0; i < w->nin; i++) {
            void *to = sgs_session_data(w->session, w->g->in[i]);
            memcpy(to, sample(w, i, k), (size_t)sgs_value_bytes(w->g->in[i]));
            sgs_observe(&w->observer, w->g->in[i], to);
        }
        SGS_TRY(sgs_session_run(w->session, d));
        for (int i = 0; i < w->g->nout; i++)
            sgs_buf_add(&w->expected[i], sgs_session_data(w->session, w->g->out[i]),
                        (size_t)sgs_value_bytes(w->g->out[i]));
    }
    return SGS_OK;
}

/* ---- fixed ------------------------------------------------------------------------------------------------------ */

static sgs_status quantize(work *w, sgs_diag *d)
{
    const sgs_log quiet = { 0 };
    sgs_qinput *in = SGS_NEW_N(w->arena, sgs_qinput, w->nin + 1);
    sgs_qoutput *out = SGS_NEW_N(w->arena, sgs_qoutput, w->g->nout + 1);
    w->in_type = SGS_NEW_N(w->arena, sgs_type, w->nin + 1);
    w->out_type = SGS_NEW_N(w->arena, sgs_type, w->g->nout + 1);
    for (int i = 0; i < w->nin; i++) {
        w->in_type[i] = w->g->in[i]->type;
        in[i].type = SGS_F32;
    }
    for (int i = 0; i < w->g->nout; i++)
        w->out_type[i] = w->g->out[i]->type;
    for (int i = 0; i < w->g->nout; i++)
        out[i] = (sgs_qoutput){ w->g->out[i]->type == SGS_F32 ? SGS_F32 : SGS_S16, false };
    const sgs_qoptions o = { .recipe = { .search = true, .correct = true },
                             .in = in,
                             .out = out,
                             .conv_format = w->wide ? SGS_CONV_ALL_INT16 : SGS_CONV_DEFAULT,
                             .ini = "input_config.ini",
                             .log = &quiet };
    SGS_TRY(sgs_quantize(w->g, w->observer.range, &o, d));
    sgs_meta_set(w->g, "sgs.fixed", "test\n", 5);
    return sgs_graph_verify(w->g, d);
}

static sgs_status open_both(work *w, sgs_diag *d)
{
    const char *sim = sgs_format(w->arena, "%s_fixed.sim", w->prefix), *img = sgs_format(w->arena, "%s.img", w->prefix);
    const sgs_compile_options c = { .model = sim, .output = img };
    const sgs_simulator_options plain = { .kind = SGS_FIXED, .cpu_mask_set = true }, best = { .kind = SGS_OFFLINE };
    SGS_TRY(sgs_sim_write(w->g, sim, d));
    SGS_TRY(sgs_compile(&c, NULL, NULL, d));
    SGS_TRY(sgs_simulator_open(&w->fixed, sim, &plain, d));
    return sgs_simulator_open(&w->offline, img, &best, d);
}

static double number_at(sgs_type t, const void *p, size_t i)
{
    switch (t) {
    case SGS_F32:
        return (double)((const float *)p)[i];
    case SGS_S64:
        return (double)((const int64_t *)p)[i];
    case SGS_S32:
        return ((const int32_t *)p)[i];
    case SGS_S16:
        return ((const int16_t *)p)[i];
    case SGS_S8:
        return ((const int8_t *)p)[i];
    default:
        return ((const uint8_t *)p)[i];
    }
}

/* n numbers of one type as another; those that the other does not hold are what they are in its ends. */
static const void *as_type(sgs_arena *a, const void *p, size_t n, sgs_type from, sgs_type to)
{
    if (from == to)
        return p;
    char *y = sgs_alloc_n(a, n + 1, 8);
    for (size_t i = 0; i < n; i++) {
        const double v = number_at(from, p, i);
        if (to == SGS_F32)
            ((float *)(void *)y)[i] = (float)v;
        else if (to == SGS_S32)
            ((int32_t *)(void *)y)[i] = (int32_t)v;
        else if (to == SGS_S16)
            ((int16_t *)(void *)y)[i] = (int16_t)(v > 32767 ? 32767 : v < -32767 ? -32767 : v);
        else
            y[i] = (char)(uint8_t)v;
    }
    return y;
}

static sgs_status invoke(const work *w, sgs_simulator *s, int k, sgs_diag *d)
{
    for (int i = 0; i < w->nin; i++) {
        const sgs_value *v = w->g->in[i];
        const void *data = as_type(w->arena, sample(w, i, k), (size_t)sgs_value_count(v), w->in_type[i], v->type);
        SGS_TRY(sgs_simulator_set_input(s, i, data, sgs_simulator_input(s, i)->bytes, d));
    }
    return sgs_simulator_invoke(s, d);
}

static sgs_status run_fixed(work *w, sgs_diag *d)
{
    SGS_TRY(open_both(w, d));
    for (int k = 0; k < w->samples; k++) {
        SGS_TRY(invoke(w, w->fixed, k, d));
        SGS_TRY(invoke(w, w->offline, k, d));
        for (int i = 0; i < sgs_simulator_outputs(w->fixed); i++) {
            const size_t bytes = sgs_simulator_output(w->fixed, i)->bytes;
            const void *fixed = sgs_simulator_get_output(w->fixed, i),
                       *offline = sgs_simulator_get_output(w->offline, i);
            if (memcmp(fixed, offline, bytes))
                return sgs_fail(d, SGS_E_INTERNAL, "output %d of sample %d: fixed and offline differ", i, k);
            sgs_buf_add(&w->found[i], fixed, bytes);
        }
    }
    return SGS_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static sgs_status save(work *w, sgs_diag *d)
{
    char dims[128];
    for (int i = 0; i < w->g->nout; i++) {
        const sgs_value *v = w->g->out[i];
        const size_t count = w->expected[i].n / (size_t)sgs_type_bytes(w->out_type[i]);
        const sgs_type t = w->out_type[i] == SGS_F32 ? SGS_F32 : v->type;
        const void *expected = as_type(w->arena, w->expected[i].p, count, w->out_type[i], t);
        SGS_TRY(sgs_file_write(sgs_format(w->arena, "%s.float.%d.bin", w->prefix, i), expected,
                               count * (size_t)sgs_type_bytes(t), d));
        SGS_TRY(sgs_file_write(sgs_format(w->arena, "%s.fixed.%d.bin", w->prefix, i), w->found[i].p, w->found[i].n, d));
        printf("%s %s %s\n", sgs_value_label(w->g, v), sgs_type_name(v->type),
               sgs_dims_text(dims, sizeof dims, v->rank, v->dim));
    }
    return SGS_OK;
}

static sgs_status run(work *w, char **argv, sgs_diag *d)
{
    SGS_TRY(load(w, argv[1], d));
    w->in = SGS_NEW_N(w->arena, sgs_file, w->nin + 1);
    w->expected = SGS_NEW_N(w->arena, sgs_buf, w->g->nout + 1);
    w->found = SGS_NEW_N(w->arena, sgs_buf, w->g->nout + 1);
    SGS_TRY(open_inputs(w, argv + 3, d));
    SGS_TRY(run_float(w, d));
    SGS_TRY(quantize(w, d));
    SGS_TRY(run_fixed(w, d));
    return save(w, d);
}

static void clean(work *w)
{
    for (int i = 0; i < w->nin && w->in; i++)
        sgs_file_close(&w->in[i]);
    for (int i = 0; w->found && i < w->g->nout; i++) {
        sgs_buf_free(&w->expected[i]);
        sgs_buf_free(&w->found[i]);
    }
    sgs_session_free(w->session);
    sgs_simulator_close(w->fixed);
    sgs_simulator_close(w->offline);
    sgs_graph_free(w->g);
    sgs_arena_free(w->arena);
}

/* How many words the options take. */
static int read_options(work *w, char **argv)
{
    sgs_import_options *o = &w->import;
    int i = 1;
    for (; argv[i]; i += 2)
        if (!strcmp(argv[i], "--wide"))
            w->wide = true, i--;
        else if (!strcmp(argv[i], "--keep"))
            o->keep_quant = true, i--;
        else if (!argv[i + 1])
            break;
        else if (!strcmp(argv[i], "--shapes"))
            o->input_shapes = argv[i + 1];
        else if (!strcmp(argv[i], "--input") && o->ninput < MOST)
            w->input[o->ninput++] = argv[i + 1];
        else if (!strcmp(argv[i], "--output") && o->noutput < MOST)
            w->output[o->noutput++] = argv[i + 1];
        else
            break;
    o->input_name = w->input;
    o->output_name = w->output;
    return i - 1;
}

int main(int argc, char **argv)
{
    sgs_diag d = { 0 };
    work w = { .arena = sgs_arena_new() };
    const int options = read_options(&w, argv);
    argc -= options, argv += options;
    if (argc < 3) {
        fputs("usage: fixed_tool [--wide] [--keep] [--shapes S] [--input NAME]... [--output NAME]... "
              "MODEL.onnx|MODEL.tflite|MODEL.ir PREFIX IN.bin...\n",
              stderr);
        sgs_arena_free(w.arena);
        return 2;
    }
    w.prefix = argv[2];
    w.nin = argc - 3;
    sgs_status s = run(&w, argv, &d);
    clean(&w);
    if (s == SGS_OK)
        return 0;
    char text[4096];
    sgs_diag_format(&d, text, sizeof text);
    fputs(text, stderr);
    return 1;
}
