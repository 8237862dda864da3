/* What the functions of sgs.h, and what lies right under them, say of arguments and models that the tools' own checks
 * keep away, or that only memory would show. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "compile/emit.h"
#include "compile/plan.h"
#include "import/sim.h"
#include "openipu/sgs.h"
#include "preprocess/preprocess.h"

static char folder[64];

/* A message as a user reads it, of the model at `path` (NULL: none). */
static void says(sgs_status s, const sgs_diag *d, const char *path, const char *text)
{
    char said[4096], want[4096];
    assert_int_not_equal(s, SGS_OK);
    sgs_diag_format(d, said, sizeof said);
    snprintf(want, sizeof want, "error: %s%s%s\n", path ? path : "", path ? ": " : "", text);
    assert_string_equal(said, want);
}

/* Graph text as a .sim file in the test's folder. */
static const char *model(const char *name, const char *text)
{
    static char path[128];
    sgs_graph *g;
    sgs_diag d = { 0 };
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(sgs_graph_parse(&g, name, (sgs_span){ (const uint8_t *)text, strlen(text) }, &d), SGS_OK);
    sgs_sim_write(g, path, &d);
    assert_string_equal(d.text, "");
    sgs_graph_free(g);
    return path;
}

static void nothing_given(void **state)
{
    sgs_diag d = { 0 };
    says(sgs_convert(&(sgs_convert_options){ 0 }, &d), &d, NULL, "expected model_file, input_config and output_file");
    says(sgs_check(&(sgs_check_options){ .platform = (sgs_platform)99, .model_file = "m" }, &d), &d, NULL,
         "expected a platform, found number 99");
    says(sgs_check(&(sgs_check_options){ 0 }, &d), &d, NULL, "expected model_file");
    says(sgs_extract(&(sgs_extract_options){ 0 }, &d), &d, NULL, "expected model_file and output_file");
    says(sgs_calibrate(&(sgs_calibrate_options){ 0 }, NULL, NULL, &d), &d, NULL,
         "expected a model and an input_config");
    says(sgs_compile(&(sgs_compile_options){ 0 }, NULL, NULL, &d), &d, NULL, "no model given: --model X_fixed.sim");
    sgs_model_info *info = (sgs_model_info *)&d;
    says(sgs_describe(NULL, NULL, &info, &d), &d, NULL, "expected an image or a model to describe");
    assert_null(info);
    says(sgs_profile(&(sgs_profile_options){ 0 }, &d), &d, NULL, "expected an image to profile");
}

/* A model that is no image runs one element. */
static void batch_of_a_model(void **state)
{
    sgs_diag d = { 0 };
    sgs_simulator *s;
    const char *path = model("one.sim", "input %0 \"x\" f32[1,2]\n%1 \"y\" f32[1,2] = add %0, %0\noutput %1\n");
    assert_int_equal(sgs_simulator_open(&s, path, NULL, &d), SGS_OK);
    assert_false(sgs_simulator_batches(s)->one_buf);
    assert_int_equal(sgs_simulator_batches(s)->count * 10 + sgs_simulator_batches(s)->size[0], 11);
    assert_int_equal(sgs_simulator_set_batch(s, 1, &d), SGS_OK);
    says(sgs_simulator_set_batch(s, 2, &d), &d, path, "expected a batch of 1, found 2");
    assert_int_equal(sgs_simulator_input(s, 0)->bytes, 8);
    sgs_simulator_close(s);
}

/* Without a log and without anywhere to put it too. */
static void described(void **state)
{
    sgs_diag d = { 0 };
    sgs_model_info *info;
    const char *path =
        model("described.sim",
              "input %0 \"x\" f32[1,2,3]\nconst %1 \"c\" f32[3] = {1,2,3}\n%2 \"y\" f32[1,2,3] = add %0, %1\n"
              "%3 \"z\" f32[1,2,3] = add %2, %1\noutput %3\n");
    assert_int_equal(sgs_describe(path, NULL, NULL, &d), SGS_OK);
    assert_int_equal(sgs_describe(path, NULL, &info, &d), SGS_OK);
    assert_int_equal(info->kind, SGS_FLOAT);
    assert_int_equal(info->const_bytes, 12);
    assert_int_equal(info->ninput * 10 + info->noutput, 11);
    assert_string_equal(info->input->name, "x");
    assert_int_equal(info->output->bytes, 24);
    assert_int_equal(info->nkernel, 1);
    assert_string_equal(info->kernel->name, "add");
    assert_int_equal(info->kernel->count, 2);
    assert_int_equal(info->nlayer, 0);
    assert_null(info->target);
    sgs_model_info_free(info);
    sgs_model_info_free(NULL);
}

static void no_samples(void **state)
{
    sgs_diag d = { 0 };
    sgs_samples *s;
    says(sgs_samples_open(&s, &(sgs_samples_options){ .images = "" }, 1, true, &d), &d, NULL,
         "expected a picture, a folder or a list file behind -i, found nothing");
    says(sgs_samples_open(&s, &(sgs_samples_options){ .images = "/dev/null", .preprocess = "" }, 1, true, &d), &d, NULL,
         "expected a preprocessing script behind -n, found nothing");
}

static void after_a_failed_sample(void **state)
{
    char script[128];
    sgs_diag d = { 0 };
    sgs_samples *s;
    sgs_array array;
    bool end;
    snprintf(script, sizeof script, "%s/bad.py", folder);
    FILE *f = fopen(script, "w");
    fputs("def image_preprocess(path, norm=True):\n    return 1 / 0\n", f);
    fclose(f);
    const sgs_samples_options o = { .images = "/dev/null", .preprocess = script, .num_process = 1 };
    assert_int_equal(sgs_samples_open(&s, &o, 1, true, &d), SGS_OK);
    assert_int_equal(sgs_samples_next(s, &array, &end, &d), SGS_E_SCRIPT);
    says(sgs_samples_next(s, &array, &end, &d), &d, NULL, "no samples after a failed one");
    sgs_samples_close(s);
}

/* ---- a float and a fixed-point model that do not belong together ---- */

#define ONE_INI                                                                                                        \
    "[INPUT_CONFIG]\\x0ainputs=x;\\x0ainput_formats=RAWDATA_F32_NHWC;\\x0a[OUTPUT_CONFIG]\\x0aoutputs=y;\\x0a"
#define TWO_INI                                                                                                        \
    "[INPUT_CONFIG]\\x0ainputs=x,z;\\x0ainput_formats=RAWDATA_F32_NHWC,RAWDATA_F32_NHWC;\\x0a[OUTPUT_CONFIG]"          \
    "\\x0aoutputs=y;"                                                                                                  \
    "\\x0a"
#define FIXED_GRAPH                                                                                                    \
    "input %0 \"x\" f32[1,4]\n"                                                                                        \
    "%1 \"q\" s16[1,4] @{scale=0.1, zero=0} = quantize %0\n"                                                           \
    "%2 \"y\" f32[1,4] = dequantize %1\n"                                                                              \
    "output %2\n"

/* What sgs_analyze says of these two; `about`: of which file. */
static void analysis_says(const char *fixed, const char *real, const char *about, const char *text)
{
    char fixed_path[128], real_path[128], script[128];
    sgs_diag d = { 0 };
    snprintf(fixed_path, sizeof fixed_path, "%s", model("pair_fixed.sim", fixed));
    snprintf(real_path, sizeof real_path, "%s", model("pair_float.sim", real));
    snprintf(script, sizeof script, "%s/none.py", folder);
    FILE *f = fopen(script, "w");
    fclose(f);
    const sgs_analyze_options o = { .model = fixed_path,
                                    .samples = { .images = "/dev/null", .preprocess = script, .num_process = 1 } };
    says(sgs_analyze(&o, NULL, &d), &d, strcmp(about, "fixed") ? real_path : fixed_path, text);
}

static void models_that_do_not_belong(void **state)
{
    static const char fixed[] = "meta \"sgs.fixed\" \"1\"\nmeta \"sgs.config\" \"" ONE_INI "\"\n" FIXED_GRAPH;
    static const char real[] = "input %0 \"x\" f32[1,4]\n%1 \"other\" f32[1,4] = clip %0 {lo=0, hi=1}\noutput %1\n";
    sgs_diag d = { 0 };
    says(sgs_analyze(&(sgs_analyze_options){ 0 }, NULL, &d), &d, NULL, "expected a fixed-point model");
    sgs_analysis_free(NULL);
    analysis_says("meta \"sgs.fixed\" \"1\"\n" FIXED_GRAPH, real, "fixed",
                  "expected a fixed-point model that carries its configuration, as the calibrator writes it");
    analysis_says("meta \"sgs.fixed\" \"1\"\nmeta \"sgs.config\" \"" TWO_INI "\"\n" FIXED_GRAPH, real, "fixed",
                  "expected a fixed-point model with the inputs and outputs of its configuration");
    analysis_says(fixed, real, "float", "no tensor of the float model is in the fixed-point model by that name");
    analysis_says(fixed, "input %0 \"x\" f32[1,4]\n%1 \"y\" f32[1,4] = clip %0 {lo=0, hi=1}\noutput %1\noutput %0\n",
                  "float", "expected 1 inputs and 1 outputs, as the fixed-point model has, found 1 and 2");
    analysis_says(fixed, "input %0 \"x\" f32[1,5]\n%1 \"y\" f32[1,5] = clip %0 {lo=0, hi=1}\noutput %1\n", "float",
                  "input 'x' has another shape in the fixed-point model");
    analysis_says(fixed, "input %0 \"x\" f32[1,4]\n%1 \"y\" f32[1,8] = concat %0, %0 {axis=1}\noutput %1\n", "float",
                  "output 'y' has another shape in the fixed-point model");
}

/* ---- plans and images ---- */

static void memory_of_targets(void **state)
{
    sgs_diag d = { 0 };
    sgs_plan_result r;
    sgs_plan_buffer b[] = { { 1000, 0, 1, 0 }, { 2000, 1, 2, 0 } }, huge[] = { { INT64_MAX / 2, 0, 1, 0 } };
    says(sgs_plan(b, 2, 64, 3000, &r, &d), &d, NULL, "the arena needs 3072 bytes; the target has 3000");
    says(sgs_plan(huge, 1, 64, INT64_MAX, &r, &d), &d, NULL, "the activations do not fit into 64-bit sizes");
}

static const char wide[] = "meta \"sgs.fixed\" \"1\"\n"
                           "input %0 \"x\" s16[1,20000,20000,1] @{scale=0.1, zero=0}\n"
                           "%1 \"t\" s16[1,20000,20000,1] @{scale=0.1, zero=0} = clip %0 {lo=0, hi=1}\n"
                           "%2 \"u\" s16[1,20000,20000,1] @{scale=0.1, zero=0} = round %1\n"
                           "%3 \"y\" s16[1,1,1,1] @{scale=0.1, zero=0} = reduce_max %2 {axis=[1,2]}\n"
                           "output %3\n";

static const char both[] = "meta \"sgs.fixed\" \"1\"\n"
                           "input %0 \"x\" s16[1,16000,16000,1] @{scale=0.1, zero=0}\n"
                           "input %4 \"z\" s16[1,1000,16000,1] @{scale=0.1, zero=0}\n"
                           "const %5 \"k\" s16[1,1000,16000,1] @{scale=0.1, zero=0} = splat(3)\n"
                           "%1 \"t\" s16[1,16000,16000,1] @{scale=0.1, zero=0} = clip %0 {lo=0, hi=1}\n"
                           "%2 \"u\" s16[1,16000,16000,1] @{scale=0.1, zero=0} = round %1\n"
                           "%3 \"y\" s16[1,1,1,1] @{scale=0.1, zero=0} = reduce_max %2 {axis=[1,2]}\n"
                           "%6 \"w\" s16[1,1000,16000,1] @{scale=0.1, zero=0} = add %4, %5\n"
                           "output %3\n"
                           "output %6\n";

#define ROOM                                                                                                           \
    "give the model smaller inputs when it is converted (--input_shapes), ask for 16 bits in fewer "                   \
    "layers, or compile for a larger target (--soc_version)"

static void memory_of_a_microcontroller(void **state)
{
    sgs_diag d = { 0 };
    const char *path = model("wide.sim", wide);
    says(sgs_compile(&(sgs_compile_options){ .model = path, .soc_version = "cortex-m4" }, NULL, NULL, &d), &d, path,
         "the arena needs 800000000 bytes; the target has 536870912\n  " ROOM);
    path = model("both.sim", both);
    says(sgs_compile(&(sgs_compile_options){ .model = path, .soc_version = "cortex-m4" }, NULL, NULL, &d), &d, path,
         "image and arena need 544001184 bytes; target cortex-m4 has 536870912\n  " ROOM);
}

static void types_of_images(void **state)
{
    sgs_diag d = { 0 };
    sgs_simulator *s;
    char *written = NULL;
    const char *path = model(
        "s64.sim",
        "meta \"sgs.fixed\" \"1\"\ninput %0 \"x\" s64[4]\n%1 \"y\" s64[2,2] = reshape %0 {dim=[2,2]}\noutput %1\n");
    says(sgs_compile(&(sgs_compile_options){ .model = path }, NULL, NULL, &d), &d, path,
         "'x' has type int64, which no input or output of an image has");
    path =
        model("s8.sim",
              "meta \"sgs.fixed\" \"1\"\ninput %0 \"x\" s8[4]\n%1 \"y\" s8[2,2] = reshape %0 {dim=[2,2]}\noutput %1\n");
    assert_int_equal(sgs_compile(&(sgs_compile_options){ .model = path, .output = folder }, &written, NULL, &d),
                     SGS_OK);
    says(sgs_simulator_open(&s, written, &(sgs_simulator_options){ 0 }, &d), &d, written,
         "'x' has a type that no simulator takes or gives");
    sgs_free(written);
}

static void images(void **state)
{
    sgs_diag d = { 0 };
    sgs_buf out = { 0 };
    sgs_program p = { 0 };
    sgs_image_io io = { .name = "x", .type = IPU_U8, .rank = 3, .dim = { 70000, 70000, 2 }, .axis = -1 };
    sgs_image_info one = { .ninput = 1, .io = &io, .provenance = "" },
                   many = { .ninput = IPU_MAX_IO + 1, .noutput = 2, .provenance = "" };
    says(sgs_emit_image(&p, &one, &out, &d), &d, NULL, "'x' is larger than the 4 GiB an image can describe");
    says(sgs_emit_image(&p, &many, &out, &d), &d, NULL,
         "the model has 65 inputs and 2 outputs; an image takes 64 of each");
    sgs_buf_free(&out);
}

/* ---- simulators ---- */

static void cannot_open(const char *text, const char *said)
{
    sgs_diag d = { 0 };
    sgs_simulator *s;
    const char *path = model("m.sim", text);
    says(sgs_simulator_open(&s, path, &(sgs_simulator_options){ 0 }, &d), &d, path, said);
}

static void simulators_that_do_not_open(void **state)
{
    cannot_open("input %0 \"x\" s64[4]\n%1 \"y\" s64[4] = clip %0 {hi=inf}\noutput %1\n",
                "'x' has type int64, which no simulator takes or gives");
    cannot_open("input %0 \"x\" f32[1,40000,40000]\n%1 \"y\" f32[1,40000,40000] = clip %0 {hi=inf}\noutput %1\n",
                "the model needs more than 8192 MB for its activations");
    cannot_open("input %0 \"x\" f32[4]\n%1 \"y\" s16[4] @{scale=0.1, zero=0} = quantize %0\noutput %1\n",
                "layer 'y': quantize has no float evaluation: this is not a float model");
}

/* A file whose configuration says another array than its input is. */
static void pictures_that_do_not_fit(void **state)
{
    cannot_open("meta \"sgs.fixed\" \"1\"\nmeta \"sgs.config\" \"[INPUT_CONFIG]\\x0ainputs=x\\x0ainput_formats=RGBA\\x0amean=0\\x0astd_value=1"
                "\\x0a[OUTPUT_CONFIG]\\x0aoutputs=y\\x0a\"\ninput %0 \"x\" u8[1,4,4,4]\n"
                "%1 \"y\" u8[1,3,4,3] = slice %0 {start=[0,0,0,0], size=[1,3,4,3], step=[1,1,1,1]}\noutput %1\n",
                "input 'x' is not as large as its configuration says: RGBA, alignment 1 x 1");
    sgs_diag d = { 0 };
    uint8_t picture[12] = { 0 }, board[16];
    sgs_io_info t = { .name = "x", .training_format = "RGB", .format = "RGBA", .layout = "NHWC", .rank = 4, .dim = { 1, 2, 2, 3 },
                      .width_align = 1, .height_align = 1 };
    assert_int_equal(sgs_describe_input(&t, &d), SGS_OK);
    assert_int_equal(t.bytes, sizeof board);
    assert_int_equal(sgs_to_input_format(&t, picture, sizeof picture, board, &d), SGS_OK);
    says(sgs_to_input_format(&t, picture, 16, board, &d), &d, NULL, "input 'x': expected a picture of 12 bytes, found 16");
    t.width_align = t.height_align = 65536;
    says(sgs_describe_input(&t, &d), &d, NULL, "input 'x' has 2 GiB or more");
}

enum { NUMBERS = 600, NONE_AT = 515 };

/* What invoke says of numbers one of which is none; a model takes as many of them as it has room for. */
static void fails_on(const char *path, const char *said)
{
    float x[NUMBERS] = { 1, 2, 3 };
    sgs_diag d = { 0 };
    sgs_simulator *s;
    x[NONE_AT] = NAN;
    assert_int_equal(sgs_simulator_open(&s, path, &(sgs_simulator_options){ 0 }, &d), SGS_OK);
    assert_int_equal(sgs_simulator_set_input(s, 0, x, sgs_simulator_input(s, 0)->bytes, &d), SGS_OK);
    says(sgs_simulator_invoke(s, &d), &d, path, said);
    sgs_simulator_close(s);
}

static void numbers_that_are_none(void **state)
{
    char *image = NULL;
    fails_on(model("m.sim", "input %0 \"x\" f32[600]\n%1 \"y\" f32[600] = clip %0 {hi=inf}\noutput %1\n"),
             "input 'x' holds NaN or infinity");
    const char *path = model("m.sim", "meta \"sgs.fixed\" \"1\"\ninput %0 \"x\" f32[600]\n"
                                      "%1 \"y\" s16[600] @{scale=0.1, zero=0} = quantize %0\noutput %1\n");
    fails_on(path, "input 'x': element 515 is NaN or infinity");
    assert_int_equal(sgs_compile(&(sgs_compile_options){ .model = path, .output = folder }, &image, NULL, NULL),
                     SGS_OK);
    fails_on(image, "an input holds NaN or infinity, or an index beyond the rows it is for");
    sgs_free(image);
}

/* Files that somebody else made: operators on int16 in a model that says it is a float model. */
static void no_float_models(void **state)
{
    fails_on(
        model("m.sim",
              "input %0 \"x\" s16[8] @{scale=0.1, zero=0}\n%1 \"y\" s16[8] @{scale=0.1, zero=0} = sin %0\noutput %1\n"),
        "layer 'y': sin takes float32, found int16");
    fails_on(model("m.sim", "input %0 \"x\" s16[8] @{scale=0.1, zero=0}\n%1 \"y\" s16[8] @{scale=0.1, zero=0} = add "
                            "%0, %0\noutput %1\n"),
             "layer 'y': arithmetic on int16 belongs to fixed-point models");
    fails_on(model("m.sim",
                   "input %0 \"x\" s16[8] @{scale=0.1, zero=0}\n%1 \"y\" bool[8] = cast %0 {type=bool}\noutput %1\n"),
             "layer 'y': a cast of int16 belongs to fixed-point models");
}

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/test_api-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given),
        cmocka_unit_test(described),
        cmocka_unit_test(batch_of_a_model),
        cmocka_unit_test(no_samples),
        cmocka_unit_test(after_a_failed_sample),
        cmocka_unit_test(models_that_do_not_belong),
        cmocka_unit_test(memory_of_targets),
        cmocka_unit_test(memory_of_a_microcontroller),
        cmocka_unit_test(images),
        cmocka_unit_test(types_of_images),
        cmocka_unit_test(simulators_that_do_not_open),
        cmocka_unit_test(pictures_that_do_not_fit),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(no_float_models),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
