/* input_config.ini: one parser for every tool.  Rules: the manual's chapter 1 as DECISIONS reads it. */
#ifndef SGS_CONFIG_H
#define SGS_CONFIG_H

#include "base/base.h"
#include "openipu/ipu.h"

typedef enum sgs_data_format { /* formats of the manual; raw ones carry their type */
                               SGS_FMT_RGB,
                               SGS_FMT_BGR,
                               SGS_FMT_GRAY,
                               SGS_FMT_RGBA,
                               SGS_FMT_BGRA,
                               SGS_FMT_NV12,
                               SGS_FMT_RAW_U8,
                               SGS_FMT_RAW_S16,
                               SGS_FMT_RAW_F32,
                               SGS_FMT_RAW_U16,
                               SGS_FMT_COUNT
} sgs_data_format;
const char *sgs_format_name(sgs_data_format f);    /* "RGB", "RAWDATA_S16_NHWC" */
sgs_data_format sgs_format_find(const char *name); /* SGS_FMT_COUNT: none of that name */
static inline bool sgs_format_raw(sgs_data_format f)
{
    return f >= SGS_FMT_RAW_U8;
}

/* Channels of a picture in a training format, 0 of raw data. */
static inline int sgs_format_channels(sgs_data_format training)
{
    return sgs_format_raw(training) ? 0 : training == SGS_FMT_GRAY ? 1 : 3;
}

#define SGS_MAX_ALIGNMENT 65536
typedef struct sgs_input_config {
    const char *name;
    sgs_data_format training, input;
    bool quantize;
    int nmean, nstd;       /* 0 on raw inputs, else 1 or 3 */
    float mean[3], std[3]; /* R, G, B order */
    int width_align, height_align;
    bool nchw;
} sgs_input_config;

typedef struct sgs_output_config {
    const char *name;
    bool dequantize;
    sgs_data_format format; /* RAW_F32, RAW_S16 or RAW_U8 */
    bool nchw;
} sgs_output_config;

typedef enum sgs_conv_format {
    SGS_CONV_DEFAULT,
    SGS_CONV_ALL_UINT8,
    SGS_CONV_ALL_INT16,
    SGS_CONV_CONV2D_INT16,
    SGS_CONV_DEPTHWISE_INT16
} sgs_conv_format;
const char *sgs_conv_format_name(sgs_conv_format f); /* "ALL_INT16"; "" for the default */

/* The keys, in the order they are read. */
typedef enum sgs_config_key {
    SGS_KEY_INPUTS,
    SGS_KEY_TRAINING,
    SGS_KEY_FORMATS,
    SGS_KEY_QUANTIZATIONS,
    SGS_KEY_MEAN,
    SGS_KEY_MEAN_RED,
    SGS_KEY_MEAN_GREEN,
    SGS_KEY_MEAN_BLUE,
    SGS_KEY_STD,
    SGS_KEY_WIDTH,
    SGS_KEY_HEIGHT,
    SGS_KEY_LAYOUTS,
    SGS_KEY_OUTPUTS,
    SGS_KEY_DEQUANTIZATIONS,
    SGS_KEY_OUTPUT_FORMATS,
    SGS_KEY_OUTPUT_LAYOUTS,
    SGS_KEY_CONV_FORMAT,
    SGS_KEY_TENSOR_ARRAYS,
    SGS_KEY_COUNT
} sgs_config_key;

typedef struct sgs_config {
    const char *file;
    sgs_arena *arena;
    sgs_input_config *in;
    int nin;
    sgs_output_config *out;
    int nout;
    sgs_conv_format conv_format;
    const char **tensor_arrays;
    int ntensor_arrays;
    int line[SGS_KEY_COUNT]; /* 0: the key is absent */
} sgs_config;

/* Everything that can be checked without the model. */
sgs_status sgs_config_read(sgs_config **c, const char *path, sgs_diag *d);
sgs_status sgs_config_parse(sgs_config **c, const char *file, sgs_span text, sgs_diag *d);
void sgs_config_free(sgs_config *c);
/* Where a key stands; an absent one where the names it goes with stand. */
int sgs_config_line(const sgs_config *c, sgs_config_key key);
/* "KEY: TEXT" at the key's line. */
sgs_status sgs_config_fail(const sgs_config *c, sgs_config_key key, sgs_status code, sgs_diag *d, const char *fmt, ...)
    SGS_PRINTF(5, 6);
/* Whether an ini fits the model it is given with: names, order, formats, layouts (10).  Complains about the ini, naming
 * both. */
sgs_status sgs_config_compare(const sgs_config *ini, const sgs_config *model, sgs_diag *d);
/* A canonical text of the settings, stored in .sim as metadata "sgs.config"; sgs_config_parse reads it back to equal
 * settings. */
void sgs_config_print(const sgs_config *c, sgs_buf *out);
/* "tensor_arrays=a,b;\n" for a user to paste, in quotes where a name needs them. */
void sgs_config_print_tensors(sgs_buf *out, int n, const char *const *name);

#endif
