/* OpenIPU toolchain: model file -> NAME_float.sim -> NAME_fixed.sim -> NAME.img, and the simulators of all three.
 *
 * Every function returns a status and, on failure, fills the diagnostic; nothing prints or exits.  Strings are UTF-8, paths as the
 * operating system takes them.  An options struct starts as all zeros = the documented defaults.                              */
#ifndef OPENIPU_SGS_H
#define OPENIPU_SGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SGS_VERSION "0.1.0"

typedef enum sgs_status {
    SGS_OK = 0,
    SGS_E_USAGE,        /* arguments or options */
    SGS_E_CONFIG,       /* input_config.ini */
    SGS_E_FILE,         /* cannot read or write */
    SGS_E_FORMAT,       /* a damaged or foreign file */
    SGS_E_MODEL,        /* the model breaks its own rules */
    SGS_E_UNSUPPORTED,  /* a correct model that we cannot take */
    SGS_E_SCRIPT,       /* the user's preprocess.py */
    SGS_E_DATA,         /* pictures or arrays */
    SGS_E_LIMIT,        /* memory or size limit */
    SGS_E_INTERNAL      /* a bug of ours */
} sgs_status;

/* What went wrong, where, and what to do.  Empty strings and line 0 mean "does not apply". */
typedef struct sgs_diag {
    sgs_status code;
    char file[512];
    int line;
    char layer[256];    /* by the user's own name */
    char text[1536];    /* what is wrong; expected, found */
    char hint[768];     /* what to do */
} sgs_diag;
/* "error: FILE:LINE: layer 'L': TEXT\n  HINT\n" into buf; returns the length it needed, as snprintf does. */
int sgs_diag_format(const sgs_diag *d, char *buf, size_t n);

/* Where messages and progress go; all members may be NULL. */
typedef struct sgs_log {
    void (*line)(void *user, bool warning, const char *text);                          /* one line, no newline */
    void (*progress)(void *user, const char *what, int64_t done, int64_t total);       /* done == total: finished; both 1: and
                                                                                        * not worth a line */
    void *user;
} sgs_log;

/* ---- stage 1: model -> float ---------------------------------------------------------------------------------- */

typedef enum sgs_platform { SGS_ONNX = 0, SGS_CAFFE, SGS_TFLITE, SGS_TENSORFLOW } sgs_platform;

typedef struct sgs_convert_options {
    sgs_platform platform;
    const char *model_file;       /* of Caffe the prototxt */
    const char *weight_file;      /* of Caffe the caffemodel; NULL where there is none */
    const char *input_config;
    const char *input_arrays, *output_arrays; /* "a,b": inputs and outputs said once more, as the ini has them; or NULL */
    const char *output_file;      /* must end in .sim */
    const char *input_shapes;     /* "1,3,224,224:1,10" in the model's own layout and order; a scalar's is empty; or NULL.
                                   * TensorFlow: in the order of the ini's inputs */
    bool skip_simplify;           /* only what correctness needs: no fusions or clean-ups beyond it */
    const char *signature;        /* of TFLite: which of the model's signatures; NULL: that of the first subgraph */
    bool keep_quant;              /* of TFLite: a quantized model keeps its own scales */
    const char *soc_version;      /* NULL: generic */
    bool verify;                  /* run the verifier after every pass */
    const char *dump_after;       /* pass name: its text form goes to log lines, or NULL */
    sgs_log log;
} sgs_convert_options;
sgs_status sgs_convert(const sgs_convert_options *o, sgs_diag *d);

/* ---- before anything: what of a model can be taken ------------------------------------------------------------ */

typedef struct sgs_check_options {
    sgs_platform platform;
    const char *model_file;
    const char *weight_file;      /* Caffe's, or NULL: shapes alone */
    const char *input_config;     /* inputs and outputs where it cuts the model, or NULL: the model's own */
    const char *input_shapes;
    const char *signature;        /* TFLite's */
    sgs_log log;
} sgs_check_options;
/* Log lines: inputs, outputs, a table of operators, what cannot be taken in float or in fixed point and why, the largest part
 * that can, and an input_config.ini to start from.  SGS_E_UNSUPPORTED when something cannot be taken. */
sgs_status sgs_check(const sgs_check_options *o, sgs_diag *d);

typedef struct sgs_extract_options {
    const char *model_file;
    const char *output_file;      /* in the model's folder, where the model keeps data in files beside it */
    const char *const *input, *const *output; /* tensors between which the part lies */
    int ninput, noutput;
    const char *input_shapes;     /* of the whole model: gives the new inputs theirs */
} sgs_extract_options;
/* Writes a part of an ONNX model, its nodes and weights as they are: the manual's onnx.utils.extract_model. */
sgs_status sgs_extract(const sgs_extract_options *o, sgs_diag *d);

/* ---- samples: pictures through the user's preprocess scripts ------------------------------------------------------ */

typedef struct sgs_samples_options {
    const char *images;           /* -i: one file, a folder, or a list (.txt .list .lst) */
    const char *preprocess;       /* -n: script paths, comma-separated, one per input */
    int num_process;              /* 0: 10, or the machine's processors where they are fewer; so many threads quantize, too */
    int timeout;                  /* seconds a script may take for one sample; 0: 300 */
} sgs_samples_options;

/* ---- stage 2: float -> fixed ------------------------------------------------------------------------------------------ */

typedef struct sgs_paths {
    const char *const *path;
    int n;
} sgs_paths;
typedef struct sgs_calibrate_options {
    const char *model;            /* X_float.sim */
    const char *input_config;
    sgs_samples_options samples;
    const char *output;           /* a file, an existing folder, or NULL (DECISIONS 7) */
    const char *quant_level;      /* "L1" to "L5"; NULL: "L5" */
    const char *q_mode;           /* "Q1", "Q10" to "Q13", "Q2", "Q20" to "Q23" in the place of a level, or NULL */
    const char *quant_config;     /* quant_config.yaml, which q_mode needs: docs/CALIBRATION.md */
    int cal_batchsize;            /* so many samples at most are worked on side by side; 0: as many as there are threads.  The model is the same */
    const char *quant_file;       /* quantization parameters to take, JSON or pickle, or NULL: docs/QUANT_PARAM.md */
    bool memory_saving;           /* layers are weighed in less memory and more time; the model is the same */
    bool resumable;               /* layers that a mode has learned are kept in a file, the model's name with .retrain, until the model is written: the
                                   * same call goes on behind them */
    const char *stats_out;        /* a file for the statistics: then no model is made, output is NULL; or NULL */
    sgs_paths stats_merge;        /* files of statistics in the place of samples, in any order: samples are all NULL and 0 */
    const char *soc_version;
    sgs_log log;
} sgs_calibrate_options;
/* Expected quality: the fixed-point model against the float one on `samples` of the calibration's `of` samples. */
typedef struct sgs_calibrate_report {
    int samples, of;              /* samples 0: not measured, a warning said why */
    int noutput;                  /* those that do not fit here are left out */
    struct {
        char name[256];
        double sqnr;              /* dB; infinite: equal on all of them; NaN: the float output is all zeros */
    } output[64];
} sgs_calibrate_report;
/* *written and *r may be NULL; *written receives the path of what was written, to be freed with sgs_free. */
sgs_status sgs_calibrate(const sgs_calibrate_options *o, char **written, sgs_calibrate_report *r, sgs_diag *d);

/* What a fixed-point model is quantized with, as a file that quant_file takes: the same pictures and level then give the same model. */
typedef struct sgs_save_options {
    const char *model;            /* X_fixed.sim */
    const char *output;           /* a file, an existing folder, or NULL: X_fixed.json or .pkl beside the model */
    const char *output_mode;      /* "JSON", "Pickle" */
    bool data;                    /* also the numbers of constants, where they are the float model's, rounded */
} sgs_save_options;
sgs_status sgs_save_quant_param(const sgs_save_options *o, char **written, sgs_diag *d);

/* ---- stage 3: fixed -> image --------------------------------------------------------------------------------------------- */

typedef struct sgs_compile_options {
    const char *model;            /* X_fixed.sim */
    const char *output;           /* a file, an existing folder, or NULL (DECISIONS 8) */
    const char *batch;            /* "1"; of n_buf the most elements of a run, of one_buf "1,4,8": 1 to 10 numbers of them */
    const char *batch_mode;       /* "n_buf": each element has buffers of its own; "one_buf": they are stacked in one */
    const char *category;         /* "Unknown" */
    const char *soc_version;
    const char *kernels_file;     /* also write the C file that lists the kernels this image needs, or NULL */
    sgs_log log;
} sgs_compile_options;
typedef struct sgs_compile_report {
    int64_t image_bytes, arena_bytes, arena_lower_bound, const_bytes, mac;
    int nop;
} sgs_compile_report;
sgs_status sgs_compile(const sgs_compile_options *o, char **written, sgs_compile_report *r, sgs_diag *d);
/* The options alone, before there is a fixed model; with the ini it will be made with (or NULL) its outputs count too. */
sgs_status sgs_compile_check(const sgs_compile_options *o, const char *input_config, sgs_diag *d);

/* ---- simulators -------------------------------------------------------------------------------------------------------------- */

typedef enum sgs_kind { SGS_KIND_ANY = 0, SGS_FLOAT, SGS_FIXED, SGS_OFFLINE } sgs_kind;
typedef enum sgs_dtype { SGS_DT_FLOAT32, SGS_DT_UINT8, SGS_DT_INT16, SGS_DT_UINT16, SGS_DT_INT32, SGS_DT_BOOL } sgs_dtype;

typedef struct sgs_io_info {
    const char *name;
    sgs_dtype dtype;
    int rank;
    int32_t dim[8];               /* of a picture what the network sees of it */
    int array_rank;               /* the array that goes in or comes out, dense row-major: dim; of a picture in fixed point what a board gives,  */
    int32_t array_dim[8];         /* as ipu.h lays it out, with all that its format and alignments add */
    size_t bytes;                 /* of that array */
    const char *training_format;  /* "RGB", "RAWDATA_F32_NHWC", ... ; "" where unknown (outputs) */
    const char *format;           /* input_formats / output_formats */
    const char *layout;           /* "NHWC", "NCHW" */
    int width_align, height_align; /* of image inputs; 0 elsewhere */
    int nscale;                   /* quantization of what goes in or comes out; 0: none */
    const float *scale;
    const int32_t *zero;
} sgs_io_info;

/* How many elements an image runs at once: n_buf any number up to size[0], one_buf one of the sizes.  Everything else: n_buf, 1. */
typedef struct sgs_batches {
    bool one_buf;
    int count;                    /* of sizes, 1 to 10 */
    int size[10];
} sgs_batches;

typedef struct sgs_simulator sgs_simulator;
typedef struct sgs_simulator_options {
    sgs_kind kind;                /* ANY: read from the file */
    uint32_t cpu_mask;            /* IPU_CPU_* allowed to fixed and offline kernels; 0 with cpu_mask_set: C only */
    bool cpu_mask_set;            /* false: everything this machine has */
    int threads;                  /* 0: 1 */
} sgs_simulator_options;
/* The simulator owns what info pointers refer to.  One run at a time per simulator; several simulators may run side by side. */
sgs_status sgs_simulator_open(sgs_simulator **s, const char *path, const sgs_simulator_options *o, sgs_diag *d);
void sgs_simulator_close(sgs_simulator *s);
sgs_kind sgs_simulator_kind(const sgs_simulator *s);
int sgs_simulator_inputs(const sgs_simulator *s);
int sgs_simulator_outputs(const sgs_simulator *s);
const sgs_io_info *sgs_simulator_input(const sgs_simulator *s, int i);   /* NULL out of range */
const sgs_io_info *sgs_simulator_output(const sgs_simulator *s, int i);
const sgs_batches *sgs_simulator_batches(const sgs_simulator *s);
/* What a script returns with norm=False, a picture of t's dims in its training_format, as the array that goes into input t of a fixed-point model or
 * of an image, which has room for t->bytes.  What is no picture is copied. */
sgs_status sgs_to_input_format(const sgs_io_info *t, const void *picture, size_t bytes, void *array, sgs_diag *d);
/* Describes such an input by its formats alone: name, dim, training_format, format, layout and alignments are set before, the array's dims and bytes
 * by this.  SGS_E_USAGE: there is no such input. */
sgs_status sgs_describe_input(sgs_io_info *t, sgs_diag *d);
/* Elements of the runs that follow; at first 1, of a one_buf image its first size.  Inputs and outputs hold those elements one behind the other: their
 * first dimension and their bytes are that many times as large, and inputs are to be set anew.  n that the model does not run is an error. */
sgs_status sgs_simulator_set_batch(sgs_simulator *s, int n, sgs_diag *d);
/* Copies `bytes` (which must equal the input's) in. */
sgs_status sgs_simulator_set_input(sgs_simulator *s, int i, const void *data, size_t bytes, sgs_diag *d);
/* The same without a copy: runs read the data, aligned to its elements, where it lies, until that input is set again or the batch changes. */
sgs_status sgs_simulator_lend_input(sgs_simulator *s, int i, const void *data, size_t bytes, sgs_diag *d);
sgs_status sgs_simulator_invoke(sgs_simulator *s, sgs_diag *d);
/* Valid until the next invoke or close; NULL before the first invoke. */
const void *sgs_simulator_get_output(const sgs_simulator *s, int i);

typedef struct sgs_tensor_info {
    const char *name;             /* the user's, or "%N" of a tensor without one */
    const char *dtype;            /* "FLOAT32", "UINT8", "INT8", "INT16", "INT32", "INT64", ... */
    const char *qtype;            /* of a float model: the type that the ini it was converted with and the default rule give it in
                                   * fixed point, "" where the model has no fixed-point form; "" in other models */
    int rank;
    int32_t dim[8];
    bool constant;
    int nrange;                   /* what calibration saw: 0, 1 or one a channel */
    const float *lo, *hi;
    int nscale;                   /* 0: not quantized; else 1 or one a channel */
    const float *scale;
    const int32_t *zero;
} sgs_tensor_info;

typedef struct sgs_op_info {
    const char *name;             /* the user's, or what stands for it in messages */
    const char *op;               /* "conv", "add", ... */
    int nin, nout;
    const int *in, *out;          /* places in the list of tensors; -1: an optional input that is absent */
} sgs_op_info;

typedef struct sgs_details {
    int ntensor, nop;
    const sgs_tensor_info *tensor; /* in order of their names' bytes */
    const sgs_op_info *op;         /* in the order they run */
} sgs_details;
/* Every tensor and operator of a .sim; of an image, which holds neither by name, the inputs and outputs alone.  Made at the first call,
 * the simulator's own until it closes; not while it runs. */
sgs_status sgs_simulator_details(sgs_simulator *s, const sgs_details **details, sgs_diag *d);

typedef struct sgs_simulate_options {
    const char *model;
    const char *input_config;     /* optional; when given it must agree with the model */
    sgs_samples_options samples;
    sgs_simulator_options simulator;
    const char *category;         /* "Classification", "Detection", "Unknown"; NULL: the image's own, of a model Unknown */
    const char *label;            /* a label a line, for Classification and for drawings, or NULL */
    const char *output_dir;       /* NULL: "./log/output"; made where it is missing */
    const char *soc_version;      /* NULL: generic; only its name is checked */
    bool dump_rawdata;            /* IMAGE.bin (several inputs: IMAGE.inputI.bin): the bytes a board program hands to the model */
    bool save_input;              /* IMAGE.inputI.npy: what went into the model */
    bool dump_output;             /* IMAGE.outputI.npy: what came out, bit for bit */
    bool skip_garbage;            /* integer outputs: only the original shape in the text files */
    bool show_log;                /* a line for each sample */
    bool continue_run;            /* leaves out samples whose text file is there already */
    const char *draw_result;      /* Detection: a folder for the pictures with the boxes drawn on them, made where it is missing; or NULL */
    sgs_log log;
} sgs_simulate_options;
sgs_status sgs_simulate(const sgs_simulate_options *o, sgs_diag *d);

/* ---- where the accuracy went ----------------------------------------------------------------------------------------------------- */

typedef struct sgs_analyze_options {
    const char *model;            /* X_fixed.sim */
    const char *float_model;      /* the float model it was made from; NULL: X_float.sim beside it, or X.sim */
    const char *input_config;     /* optional; when given it must agree with the model */
    sgs_samples_options samples;
    int layer_samples;            /* samples on which each layer runs alone, spread evenly; 0: 4, or all where there are fewer */
    double gain;                  /* decibels that the suggestion shall win; 0: 6 */
    int top;                      /* layers that the log lists; 0: 20 */
    const char *json_file, *tsv_file; /* the analysis for programs, or NULL */
    sgs_log log;
} sgs_analyze_options;

/* One layer of the float model whose result the fixed-point model holds under the same name.  Decibels: infinite where both are equal, NaN
 * where there is nothing to compare. */
typedef struct sgs_layer_loss {
    const char *name, *op;        /* the user's name; "conv", "add", ... */
    const char *tensor;           /* the result's name */
    int bits;                     /* of a convolution its weights' and its input's, of others the result's: 8 or 16 */
    bool weighted;                /* a convolution, transposed, depthwise or fully connected too */
    double sqnr, cosine, max_error, saturation; /* the result in the whole fixed-point model against the float model; saturation: the share of
                                   * elements at an end of the integers' range whose float value lies beyond it */
    double alone;                 /* SQNR at the model's outputs with nothing but this layer in fixed point; NaN: it only moves integers */
    double share;                 /* of the noise that all layers alone bring: 0 to 1 */
    int64_t mac;                  /* multiplications */
} sgs_layer_loss;

typedef struct sgs_raise {        /* a tensor for [CONV_CONFIG] tensor_arrays: convolutions that read it get 16 bits */
    const char *tensor, *layers;  /* its name; those convolutions, "a, b" */
    int64_t mac, image_bytes;     /* multiplications that become 16-bit ones; bytes by which their constants grow */
    double sqnr;                  /* expected with this one and those before it */
} sgs_raise;

typedef struct sgs_analysis {
    int samples, layer_samples;
    int noutput, nlayer, nraise;
    const struct sgs_output_loss {
        const char *name;
        double sqnr;
    } *output;
    double sqnr;                  /* of all outputs: their noise, as shares of their signals, averaged */
    const sgs_layer_loss *layer;  /* the dearest first: by `alone`, those without behind the others */
    int64_t mac;                  /* of all layers */
    double gain;                  /* decibels that were asked for; the suggestion may fall short of them */
    const sgs_raise *raise;       /* the suggestion, the best for its multiplications first; nraise 0: 16 bits would not help */
    const char *conv_config;      /* "tensor_arrays=...;" with what the model's ini names already; "" without a suggestion */
} sgs_analysis;
/* Runs the float and the fixed-point model side by side: says by log lines, and in *a, which layers lose what and which to give 16 bits.
 * *a, which may be NULL, is to be freed with sgs_analysis_free. */
sgs_status sgs_analyze(const sgs_analyze_options *o, sgs_analysis **a, sgs_diag *d);
void sgs_analysis_free(sgs_analysis *a);

/* ---- stage 2 by hand: arrays in the place of pictures, models that call one another, several processes ---------------------------- */

typedef struct sgs_calibrator sgs_calibrator;
sgs_status sgs_calibrator_open(sgs_calibrator **c, const char *model, const char *input_config, const char *soc_version, sgs_diag *d);
void sgs_calibrator_close(sgs_calibrator *c);
/* The float model: what it takes and gives, its inputs and outputs.  The calibrator's own.  Operators that fixed point does not know, recurrent
 * layers, are spelled out in those that they become. */
sgs_simulator *sgs_calibrator_model(sgs_calibrator *c);
/* Runs the model on the inputs that were set; statistics of every tensor are kept apart until they are taken. */
sgs_status sgs_calibrator_invoke(sgs_calibrator *c, sgs_diag *d);
/* The statistics of the runs since the last call, as bytes that sgs_calibrator_add takes here or in another process of the same program;
 * to be freed with sgs_free.  *n 0, *data NULL: there were none. */
sgs_status sgs_calibrator_take(sgs_calibrator *c, void **data, size_t *n, sgs_diag *d);
/* Adds to what the fixed-point model will be made from.  The same bytes in any order give the same model. */
sgs_status sgs_calibrator_add(sgs_calibrator *c, const void *data, size_t n, sgs_diag *d);

/* Forgets all of it, taken or not, added and tied: as it was opened. */
void sgs_calibrator_clear(sgs_calibrator *c);
/* Quantization parameters to take, from a file or, where bytes is not NULL, from n bytes that messages call `path` and that outlive the calibrator:
 * before anything runs, as they may hold values of constants.  path NULL: none any more.  Statistics are forgotten, and sgs_calibrator_model is
 * another. */
sgs_status sgs_calibrator_import(sgs_calibrator *c, const char *path, const void *bytes, size_t n, sgs_diag *d);
/* Between adding and writing with the same level: output `output` of a is handed to input `input` of b as it is.  Where both are scaled S16,
 * the narrower gets the scale of the wider; *changed says so: then ties that were made before are made again, until none changes. */
sgs_status sgs_calibrator_tie(sgs_calibrator *a, int output, sgs_calibrator *b, int input, const char *quant_level, bool *changed, sgs_diag *d);

typedef struct sgs_calibrator_options {
    const char *output;           /* a file, an existing folder, or NULL (DECISIONS 7) */
    const char *quant_level;      /* as sgs_calibrate_options */
    int threads;                  /* that share what levels try; 0: as sgs_samples_options.num_process.  The model is the same */
    sgs_log log;
} sgs_calibrator_options;
/* The fixed-point model from all that was added; *written as in sgs_calibrate. */
sgs_status sgs_calibrator_write(sgs_calibrator *c, const sgs_calibrator_options *o, char **written, sgs_diag *d);

/* ---- information ---------------------------------------------------------------------------------------------------------------- */

typedef struct sgs_layer_cost {   /* of one layer of an image, or of that which a fixed-point model becomes: the part of it that one kernel computes */
    const char *name;             /* the user's */
    const char *kernel;           /* "CONV_U8", a row of docs/IMAGE.md */
    int records;                  /* how often the kernel is called for it: once a group, once a step */
    int64_t mac;                  /* multiply-accumulates */
    int64_t read, write;          /* bytes of activations */
    int64_t constants;            /* bytes of weights and tables read */
    int weight_bits;              /* of a convolution's or fully connected layer's weights: 4, 8, 16; 0: it is neither */
    int64_t weights;              /* their bytes, packed */
} sgs_layer_cost;

/* What a program on the board has to know of an image.  A model (.sim) has inputs, outputs, sizes and operators. */
typedef struct sgs_model_info {
    sgs_kind kind;
    int64_t file_bytes, const_bytes;
    int ninput, noutput;          /* in the order of the ini, as ipu_input and ipu_output count them */
    const sgs_io_info *input, *output; /* of one element, whatever the batch */
    sgs_batches batch;
    int nkernel;
    const struct sgs_kernel_use {
        const char *name;         /* of an image its kernels, "CONV_U8"; of a model its operators, "conv" */
        int count;
    } *kernel;                    /* those that are used */
    /* of an image alone, else 0 and NULL */
    uint32_t version;             /* of the format */
    const char *target;           /* as --soc_version takes it; "" where this program does not know it */
    const char *category;         /* "Unknown", "Classification", "Detection" */
    int64_t arena_bytes;          /* ipu_arena_size, whatever the batch */
    int alignment;                /* of image and arena in memory: bytes */
    const char *provenance;       /* lines "key value\n": what it was made from */
    int64_t mac;                  /* these three of a fixed-point model too: what its image will have */
    int nlayer;
    const sgs_layer_cost *layer;  /* in the order they run */
} sgs_model_info;
/* Describes an image or a model by log lines and in *info, both of which may be NULL; *info is to be freed with sgs_model_info_free. */
sgs_status sgs_describe(const char *path, const sgs_log *log, sgs_model_info **info, sgs_diag *d);
void sgs_model_info_free(sgs_model_info *info);

/* ---- time ------------------------------------------------------------------------------------------------------------------------- */

typedef struct sgs_profile_options {
    const char *model;            /* X.img */
    sgs_simulator_options simulator; /* which kernels, how many threads */
    int runs;                     /* medians are taken over so many; 0: 50 */
    sgs_log log;
} sgs_profile_options;
/* Runs an image on made inputs; log lines say what each layer takes, beside its multiply-accumulates and what the machine can do at most. */
sgs_status sgs_profile(const sgs_profile_options *o, sgs_diag *d);

enum { SGS_PEAK_BYTES = 1, SGS_PEAK_WORDS = 2, SGS_PEAK_FLOATS = 4 };
typedef struct sgs_peak {
    const char *text;             /* "u8 x s8, vpdpbusd zmm" */
    unsigned numbers;             /* SGS_PEAK_*: what kernels of those numbers can reach at most with exact sums, if no row before it says so */
    double gops;                  /* 10^9 multiplications and additions a second, of all threads */
} sgs_peak;
/* Measures the multiply-adds that the mask allows and this machine has, over registers alone: how many rows were filled, at most `most`. */
int sgs_measure_peaks(uint32_t cpu_mask, int threads, sgs_peak *peak, int most);

/* ---- more information ------------------------------------------------------------------------------------------------------------- */

/* The tool version, targets and this machine's CPU features as text lines through log. */
sgs_status sgs_show_info(const sgs_log *log);
/* The operators of ONNX and the layers of Caffe with their limits, Markdown tables, as text lines through log: docs/OPERATORS.md. */
sgs_status sgs_show_operators(const sgs_log *log);
/* Whether we compile for that chip; NULL is the generic one. */
sgs_status sgs_check_soc_version(const char *soc_version, sgs_diag *d);
void sgs_free(void *p);
/* Removes unfinished output files and ends child processes; async-signal-safe, for a program's SIGINT and SIGTERM handlers. */
void sgs_cleanup(void);

#ifdef __cplusplus
}
#endif
#endif
