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
const char *sgs_format_name(sgs_data_format f); /* "RGB", "RAWDATA_S16_NHWC" */
static inline bool sgs_format_raw(sgs_data_format f)
{
    return f >= SGS_FMT_RAW_U8;
}

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
    int inputs_line, outputs_line; /* for messages about names */
} sgs_config;

/* Everything that can be checked without the model. */
sgs_status sgs_config_read(sgs_config **c, const char *path, sgs_diag *d);
sgs_status sgs_config_parse(sgs_config **c, const char *file, sgs_span text, sgs_diag *d);
void sgs_config_free(sgs_config *c);
/* A canonical text of the settings, stored in .sim as metadata "sgs.config"; sgs_config_parse reads it back to equal
 * settings. */
void sgs_config_print(const sgs_config *c, sgs_buf *out);

#endif
