/* SGS_converter.py: every stage in one go. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

typedef struct args {
    const char *model, *weight_file, *input_config, *output, *input_arrays, *output_arrays, *input_shapes, *soc_version,
        *quant_level, *batch, *batch_mode, *category, *kernels_file, *dump_after, *q_mode, *quant_config, *signature,
        *quant_file;
    sgs_samples_options samples;
    bool export_models, skip_simplify, verify, memory_saving, keep_quant;
} args;

/* What follows the model's own files, for every platform. */
/* clang-format off */
#define EVERY_STAGE(shapes) \
    CLI_INI(args, true), \
    CLI_SAMPLES(args, true), \
    CLI_OUTPUT(args, true, NULL, "the image, NAME.img"), \
    CLI_SOC(args), \
    { "--export_models", CLI_FLAG, offsetof(args, export_models), NULL, false, NULL, \
      "keep NAME_float.sim and NAME_fixed.sim beside the image" }, \
    shapes, \
    CLI_ARRAYS(args), \
    CLI_GRAPH(args), \
    { "--quant_level", CLI_TEXT, offsetof(args, quant_level), "L1|L2|L3|L4|L5", false, "L5", \
      "quantization level" }, \
    { "--memory_saving", CLI_FLAG, offsetof(args, memory_saving), NULL, false, NULL, \
      "weigh layers with less memory, in more time" }, \
    { "-b --batch", CLI_TEXT, offsetof(args, batch), "N[,N]", false, "1", "elements of a run: n_buf the most, one_buf up to 10 numbers of them" }, \
    { "--batch_mode", CLI_TEXT, offsetof(args, batch_mode), "n_buf|one_buf", false, "n_buf", "each element has buffers of its own, or they are stacked in one" }, \
    { "-c --category", CLI_TEXT, offsetof(args, category), "NAME", false, "Unknown", \
      "Classification, Detection or Unknown" }, \
    { "--kernels_file", CLI_TEXT, offsetof(args, kernels_file), "FILE.c", false, NULL, \
      "also list the kernels this image needs as C" }, \
    CLI_QUANT_FILE(args), \
    CLI_Q_MODE(args, false), \
    { "--quant_config", CLI_TEXT, offsetof(args, quant_config), "FILE", false, NULL, \
      "quant_config.yaml, which goes with -q" }, \
    { 0 }
/* clang-format on */

static const cli_option onnx[] = { CLI_MODEL(args, "the ONNX model"), CLI_NO_WEIGHTS, EVERY_STAGE(CLI_SHAPES(args)) };
static const cli_option caffe[] = { CLI_MODEL(args, "the network, NAME.prototxt"), CLI_WEIGHTS(args),
                                    EVERY_STAGE(CLI_SHAPES(args)) };
static const cli_option tflite[] = { CLI_MODEL(args, "the TFLite model"), CLI_NO_WEIGHTS, CLI_LITE(args),
                                     EVERY_STAGE(CLI_SHAPES(args)) };
static const cli_option graphdef[] = { CLI_GRAPHDEF(args), CLI_NO_WEIGHTS, EVERY_STAGE(CLI_INI_SHAPES(args, true)) };
static const cli_syntax syntax[] = {
    [SGS_ONNX] = { "sgs convert onnx", "SGS_converter.py onnx", "An ONNX model and pictures become an image.", onnx,
                   false },
    [SGS_CAFFE] = { "sgs convert caffe", "SGS_converter.py caffe", "A Caffe network and pictures become an image.",
                    caffe, false },
    [SGS_TFLITE] = { "sgs convert tflite", "SGS_converter.py tflite", "A TFLite model and pictures become an image.",
                     tflite, false },
    [SGS_TENSORFLOW] = { "sgs convert tensorflow_graphdef", "SGS_converter.py tensorflow_graphdef",
                         "A frozen TensorFlow graph and pictures become an image.", graphdef, false },
};

typedef struct files {
    char float_sim[PATH_MAX], fixed_sim[PATH_MAX];
} files;

/* Before the long steps: can the result be written at all? */
static int check_output(const char *output)
{
    char folder[PATH_MAX];
    struct stat st;
    if (stat(output, &st) == 0 && S_ISDIR(st.st_mode)) {
        fprintf(stderr, "error: --output_file: expected a file, found the folder %s\n", output);
        return CLI_USAGE;
    }
    if (snprintf(folder, sizeof folder, "%s", output) > PATH_MAX - 32) {
        fprintf(stderr, "error: --output_file: the path is too long\n");
        return CLI_USAGE;
    }
    char *slash = strrchr(folder, '/');
    snprintf(slash ? slash + 1 : folder, 2, ".");
    if (access(folder, W_OK) < 0) {
        fprintf(stderr, "error: --output_file: cannot write to the folder of %s: %s\n", output, strerror(errno));
        return CLI_ERROR;
    }
    return CLI_OK;
}

static int check(const args *a, sgs_platform platform)
{
    if (!a->q_mode != !a->quant_config) {
        fprintf(stderr, "error: -q and --quant_config belong together, found only %s\n",
                a->q_mode ? "-q" : "--quant_config");
        return CLI_USAGE;
    }
    if (a->q_mode && a->quant_level) {
        fprintf(stderr, "error: expected -q or --quant_level, found both\n");
        return CLI_USAGE;
    }
    const int e = check_output(a->output);
    return e ? e : cli_check_model(platform, a->model);
}

/* "path/NAME_offline.img" -> "path/NAME", or just "NAME" for the scratch folder. */
static void stem_of(const char *output, bool with_folder, char *stem, size_t n)
{
    const char *slash = strrchr(output, '/');
    snprintf(stem, n, "%s", with_folder || !slash ? output : slash + 1);
    char *name = strrchr(stem, '/') ? strrchr(stem, '/') + 1 : stem, *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = 0;
    const size_t len = strlen(name), tail = strlen("_offline");
    if (len > tail && !strcmp(name + len - tail, "_offline"))
        name[len - tail] = 0;
}

static int name_files(const args *a, files *f)
{
    char stem[PATH_MAX];
    stem_of(a->output, a->export_models, stem, sizeof stem);
    if (a->export_models) {
        snprintf(f->float_sim, sizeof f->float_sim, "%.4000s_float.sim", stem);
        snprintf(f->fixed_sim, sizeof f->fixed_sim, "%.4000s_fixed.sim", stem);
        return CLI_OK;
    }
    char float_name[PATH_MAX], fixed_name[PATH_MAX];
    snprintf(float_name, sizeof float_name, "%.150s_float.sim", stem);
    snprintf(fixed_name, sizeof fixed_name, "%.150s_fixed.sim", stem);
    const char *folder = cli_scratch_make((const char *const[]){ float_name, fixed_name }, 2);
    if (!folder)
        return CLI_ERROR;
    snprintf(f->float_sim, sizeof f->float_sim, "%.3000s/%.200s", folder, float_name);
    snprintf(f->fixed_sim, sizeof f->fixed_sim, "%.3000s/%.200s", folder, fixed_name);
    return CLI_OK;
}

typedef struct results {
    sgs_calibrate_report quality;
    sgs_compile_report image;
} results;

static sgs_status run_stages(const args *a, sgs_platform platform, const files *f, results *r, sgs_diag *d)
{
    const sgs_convert_options convert = { .platform = platform,
                                          .model_file = a->model,
                                          .weight_file = a->weight_file,
                                          .input_config = a->input_config,
                                          .input_arrays = a->input_arrays,
                                          .output_arrays = a->output_arrays,
                                          .output_file = f->float_sim,
                                          .input_shapes = a->input_shapes,
                                          .signature = a->signature,
                                          .keep_quant = a->keep_quant,
                                          .skip_simplify = a->skip_simplify,
                                          .verify = a->verify,
                                          .dump_after = a->dump_after,
                                          .soc_version = a->soc_version,
                                          .log = cli_log() };
    const char *soc_version = a->soc_version ? a->soc_version : "CHIP"; /* the first stage has said so */
    const sgs_calibrate_options calibrate = { .model = f->float_sim,
                                              .input_config = a->input_config,
                                              .samples = a->samples,
                                              .output = f->fixed_sim,
                                              .quant_level = a->quant_level,
                                              .q_mode = a->q_mode,
                                              .quant_config = a->quant_config,
                                              .quant_file = a->quant_file,
                                              .memory_saving = a->memory_saving,
                                              .soc_version = soc_version,
                                              .log = cli_log() };
    const sgs_compile_options compile = { .model = f->fixed_sim,
                                          .output = a->output,
                                          .batch = a->batch,
                                          .batch_mode = a->batch_mode,
                                          .category = a->category,
                                          .kernels_file = a->kernels_file,
                                          .soc_version = soc_version,
                                          .log = cli_log() };
    sgs_status s = sgs_compile_check(&compile, a->input_config, d); /* the last stage's own come after the long one */
    if (s == SGS_OK)
        s = sgs_convert(&convert, d);
    if (s == SGS_OK)
        s = sgs_calibrate(&calibrate, NULL, &r->quality, d);
    if (s == SGS_OK)
        s = sgs_compile(&compile, NULL, &r->image, d);
    return s;
}

/* ---- the closing summary --------------------------------------------------------------------------------------- */

#define TIMED_RUNS 9

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sgs_status set_zeros(sgs_simulator *s, sgs_diag *d)
{
    for (int i = 0; i < sgs_simulator_inputs(s); i++) {
        const size_t bytes = sgs_simulator_input(s, i)->bytes;
        void *zeros = calloc(bytes + 1, 1);
        const sgs_status status = zeros ? sgs_simulator_set_input(s, i, zeros, bytes, d) : SGS_E_LIMIT;
        free(zeros);
        if (status != SGS_OK)
            return status;
    }
    return SGS_OK;
}

/* Median milliseconds of one inference on zeros: on integers the time does not depend on the data.  0: could not be
 * run. */
static double time_image(const char *image)
{
    sgs_diag d = { 0 };
    sgs_simulator *s;
    double ms[TIMED_RUNS] = { 0 };
    if (sgs_simulator_open(&s, image, NULL, &d) != SGS_OK)
        return 0;
    sgs_status status = set_zeros(s, &d);
    if (status == SGS_OK)
        status = sgs_simulator_invoke(s, &d); /* the first run is slower */
    for (int i = 0; i < TIMED_RUNS && status == SGS_OK; i++) {
        const double start = now();
        status = sgs_simulator_invoke(s, &d);
        ms[i] = (now() - start) * 1e3;
    }
    sgs_simulator_close(s);
    qsort(ms, TIMED_RUNS, sizeof *ms, by_size);
    return status == SGS_OK ? ms[TIMED_RUNS / 2] : 0;
}

static void show_file(const char *what, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0)
        printf("  %-6s %12lld bytes  %s\n", what, (long long)st.st_size, path);
}

static void show_quality(const sgs_calibrate_report *r)
{
    for (int i = 0; i < r->noutput; i++) {
        if (isfinite(r->output[i].sqnr))
            printf("  SQNR   %12.1f dB     %s\n", r->output[i].sqnr, r->output[i].name);
        else
            printf("  SQNR   %12s        %s\n", isnan(r->output[i].sqnr) ? "-" : "equal", r->output[i].name);
    }
    if (r->samples)
        printf("         expected: fixed-point against float, on %d of the %d calibration pictures\n", r->samples,
               r->of);
    else
        printf("  SQNR   not measured: see the warning above\n");
}

static void summary(const args *a, const files *f, const results *r)
{
    const double ms = time_image(a->output);
    printf("done:\n");
    if (a->export_models) {
        show_file("float", f->float_sim);
        show_file("fixed", f->fixed_sim);
    }
    show_file("image", a->output);
    printf("  arena  %12lld bytes  (lower bound %lld), %d operations, %lld multiply-accumulates\n",
           (long long)r->image.arena_bytes, (long long)r->image.arena_lower_bound, r->image.nop,
           (long long)r->image.mac);
    if (ms > 0)
        printf("  time   %12.3f ms     one inference, one thread of this machine\n", ms);
    show_quality(&r->quality);
}

int cli_convert(int argc, char **argv)
{
    args a = { 0 };
    files f;
    sgs_diag d = { 0 };
    sgs_platform platform;
    static results r; /* all zeros */
    int e = cli_platform("sgs convert", "SGS_converter.py", argc, argv, &platform);
    if (e == CLI_OK)
        e = cli_parse(&syntax[platform], argc - 1, argv + 1, &a);
    if (e == CLI_OK)
        e = check(&a, platform);
    if (e == CLI_OK)
        e = name_files(&a, &f);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    const sgs_status s = run_stages(&a, platform, &f, &r, &d);
    cli_scratch_remove();
    if (s != SGS_OK)
        return cli_fail(&d);
    summary(&a, &f, &r);
    return CLI_OK;
}
