/* Inside the program `sgs`: a row and a file for each command, options described by tables. */
#ifndef SGS_CLI_H
#define SGS_CLI_H

#include "openipu/sgs.h"

#define CLI_OK 0
#define CLI_ERROR 1
#define CLI_USAGE 2

/* ---- options.c ------------------------------------------------------------------------------------------------- */

typedef enum cli_kind {
    CLI_TEXT,   /* const char * */
    CLI_FLAG,   /* bool */
    CLI_COUNT,  /* int, a whole number from 1 */
    CLI_LIST,   /* sgs_paths: all that stands behind it up to the next option */
    CLI_REFUSED /* known, not there: `help` is the sentence */
} cli_kind;

typedef struct cli_option {
    const char *names; /* "-m --model --model_file" */
    cli_kind kind;
    size_t offset;     /* in the command's struct */
    const char *value; /* what the help calls it: "FILE" */
    bool required;
    const char *fallback; /* the default, as the help shows it */
    const char *help;
} cli_option;

typedef struct cli_syntax {
    const char *command;      /* "sgs convert onnx" */
    const char *tool;         /* the manual's name: "SGS_converter.py onnx" */
    const char *what;         /* one line */
    const cli_option *option; /* ends with names NULL */
    bool plain;               /* an argument without a name is the value of option[0] */
} cli_syntax;

/* Fills the struct at args.  Returns CLI_OK, CLI_USAGE after saying what is wrong, or -1 after printing the help. */
int cli_parse(const cli_syntax *s, int argc, char **argv, void *args);

/* Says that an option's value is none of the known ones. */
int cli_bad_value(const char *option, const char *known, const char *found);
/* The value of --cpu_mask, NULL: none was given; CLI_OK or CLI_USAGE. */
int cli_cpu_mask(const char *text, sgs_simulator_options *o);

/* Options that several commands share; X is the command's struct. */
/* clang-format off */
#define CLI_MODEL(X, what) \
    { "-m --model --model_file", CLI_TEXT, offsetof(X, model), "FILE", true, NULL, what }
#define CLI_GRAPHDEF(X) \
    { "-m --graph_def_file --model_file", CLI_TEXT, offsetof(X, model), "FILE", true, NULL, "the frozen graph, NAME.pb" }
#define CLI_INI(X, must) \
    { "--input_config", CLI_TEXT, offsetof(X, input_config), "FILE", must, NULL, "input_config.ini" }
#define CLI_WEIGHTS(X) \
    { "--weight_file", CLI_TEXT, offsetof(X, weight_file), "FILE", false, NULL, \
      "the weights, NAME.caffemodel: needed where a layer has any" }
#define CLI_NO_WEIGHTS { "--weight_file", CLI_REFUSED, 0, NULL, false, NULL, "belongs to the platform caffe" }
#define CLI_LITE(X) \
    { "--signature", CLI_TEXT, offsetof(X, signature), "NAME", false, "that of the first subgraph", \
      "which of the model's signatures" }, \
    { "--keep_quant", CLI_FLAG, offsetof(X, keep_quant), NULL, false, NULL, \
      "a quantized model keeps its own scales instead of being calibrated" }
#define CLI_ARRAYS(X) \
    { "--input_arrays", CLI_TEXT, offsetof(X, input_arrays), "A,B", false, "the ini's inputs", \
      "tensors where the network begins; the ini says the same" }, \
    { "--output_arrays", CLI_TEXT, offsetof(X, output_arrays), "C,D", false, "the ini's outputs", \
      "tensors where it ends; the ini says the same" }
#define CLI_SHAPES(X) \
    { "--input_shapes", CLI_TEXT, offsetof(X, input_shapes), "1,3,224,224[:...]", false, "the model's", \
      "shapes in the model's own layout and order" }
#define CLI_INI_SHAPES(X, must) \
    { "--input_shapes", CLI_TEXT, offsetof(X, input_shapes), "1,224,224,3[:...]", must, NULL, \
      "shapes of the ini's inputs, in its order" }
#define CLI_GRAPH(X) \
    { "--skip_simplify", CLI_FLAG, offsetof(X, skip_simplify), NULL, false, NULL, "only what correctness needs" }, \
    { "--verify", CLI_FLAG, offsetof(X, verify), NULL, false, NULL, "check the graph after every pass" }, \
    { "--dump-after", CLI_TEXT, offsetof(X, dump_after), "PASS", false, NULL, "print the graph after this pass" }
#define CLI_OUTPUT(X, must, deflt, what) \
    { "-o --output --output_file", CLI_TEXT, offsetof(X, output), "FILE", must, deflt, what }
#define CLI_QUANT_FILE(X) \
    { "--quant_file", CLI_TEXT, offsetof(X, quant_file), "FILE", false, NULL, \
      "quantization parameters to take, JSON or pickle" }
#define CLI_Q_MODE(X, must) \
    { "-q --q_mode", CLI_TEXT, offsetof(X, q_mode), "Q10|Q11|Q12|Q13|Q20|Q21|Q22|Q23", must, NULL, \
      "quantization mode; Q1 is Q11, Q2 is Q22" }
#define CLI_SOC(X) \
    { "--soc_version", CLI_TEXT, offsetof(X, soc_version), "NAME", false, "CHIP, which runs everywhere", \
      "target; show_sdk_info.py lists them" }
#define CLI_CPU_MASK(X) \
    { "--cpu_mask", CLI_TEXT, offsetof(X, cpu_mask), "NAME[,NAME]", false, "all", \
      "kernels to use: c, avx2, avxvnni, avx512vnni, avx512vbmi, neon, dotprod, i8mm, rvv, all" }
#define CLI_SAMPLES(X, must) \
    { "-i --image", CLI_TEXT, offsetof(X, samples.images), "PATH", must, NULL, \
      "a picture, a folder, or a list file (.txt .list .lst)" }, \
    { "-n --preprocess", CLI_TEXT, offsetof(X, samples.preprocess), "FILE[,FILE]", must, NULL, \
      "preprocessing script, or the name of one in preprocess_method, for each input" }, \
    { "--num_process", CLI_COUNT, offsetof(X, samples.num_process), "N", false, "10, at most the processors", \
      "preprocessing processes" }, \
    { "--preprocess_timeout", CLI_COUNT, offsetof(X, samples.timeout), "SECONDS", false, "300", \
      "longest time for one sample" }
/* clang-format on */

/* ---- platforms.c: the first word of SGS_converter.py and ConvertTool.py ---------------------------------------- */

/* CLI_OK (*platform filled), else an exit status after saying why; -1 after printing the help. */
int cli_platform(const char *command, const char *tool, int argc, char **argv, sgs_platform *platform);
/* A file whose name belongs to another platform is an error that names it. */
int cli_check_model(sgs_platform platform, const char *model);
/* The platform whose files are named so; onnx where the name tells nothing. */
int cli_platform_of(const char *model, sgs_platform *platform);

/* ---- console.c ------------------------------------------------------------------------------------------------- */

/* Lines to stdout, warnings to stderr, a progress bar where stderr is a terminal. */
sgs_log cli_log(void);
/* Prints the diagnostic; the exit status for it. */
int cli_fail(const sgs_diag *d);
/* On SIGINT, SIGTERM, SIGHUP and SIGPIPE unfinished files go and children end. */
void cli_catch_signals(void);
/* A folder for intermediate files, emptied and removed by cli_scratch_remove and by those signals; NULL: an error was
 * printed. */
const char *cli_scratch_make(const char *const *file_name, int n);
void cli_scratch_remove(void);

/* ---- one file each --------------------------------------------------------------------------------------------- */

int cli_convert(int argc, char **argv);
int cli_convert_tool(int argc, char **argv);
int cli_analyze(int argc, char **argv);
int cli_calibrate(int argc, char **argv);
int cli_torch_calibrate(int argc, char **argv);
int cli_compile(int argc, char **argv);
int cli_simulate(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_extract(int argc, char **argv);
int cli_info(int argc, char **argv);
int cli_profile(int argc, char **argv);
int cli_save_quant_param(int argc, char **argv);

#endif
