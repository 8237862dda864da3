/* ConvertTool.py: stage 1. */
#include <stdio.h>

#include "cli.h"

typedef struct args {
    const char *model, *weight_file, *input_config, *output, *input_arrays, *output_arrays, *input_shapes, *soc_version,
        *dump_after, *signature;
    bool skip_simplify, verify, keep_quant;
} args;

/* What follows the model's own files, for every platform. */
/* clang-format off */
#define STAGE_1(shapes) \
    CLI_INI(args, true), \
    CLI_OUTPUT(args, true, NULL, "the float model, NAME.sim"), \
    CLI_SOC(args), \
    shapes, \
    CLI_ARRAYS(args), \
    CLI_GRAPH(args), \
    { 0 }
/* clang-format on */

static const cli_option onnx[] = { CLI_MODEL(args, "the ONNX model"), CLI_NO_WEIGHTS, STAGE_1(CLI_SHAPES(args)) };
static const cli_option caffe[] = { CLI_MODEL(args, "the network, NAME.prototxt"), CLI_WEIGHTS(args),
                                    STAGE_1(CLI_SHAPES(args)) };
static const cli_option tflite[] = { CLI_MODEL(args, "the TFLite model"), CLI_NO_WEIGHTS, CLI_LITE(args),
                                     STAGE_1(CLI_SHAPES(args)) };
static const cli_option graphdef[] = { CLI_GRAPHDEF(args), CLI_NO_WEIGHTS, STAGE_1(CLI_INI_SHAPES(args, true)) };
static const cli_syntax syntax[] = {
    [SGS_ONNX] = { "sgs convert-tool onnx", "ConvertTool.py onnx", "An ONNX model becomes a float model (.sim).", onnx,
                   false },
    [SGS_CAFFE] = { "sgs convert-tool caffe", "ConvertTool.py caffe", "A Caffe network becomes a float model (.sim).",
                    caffe, false },
    [SGS_TFLITE] = { "sgs convert-tool tflite", "ConvertTool.py tflite", "A TFLite model becomes a float model (.sim).",
                     tflite, false },
    [SGS_TENSORFLOW] = { "sgs convert-tool tensorflow_graphdef", "ConvertTool.py tensorflow_graphdef",
                         "A frozen TensorFlow graph becomes a float model (.sim).", graphdef, false },
};

int cli_convert_tool(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    sgs_convert_options o = { .log = cli_log() };
    int e = cli_platform("sgs convert-tool", "ConvertTool.py", argc, argv, &o.platform);
    if (e == CLI_OK)
        e = cli_parse(&syntax[o.platform], argc - 1, argv + 1, &a);
    if (e == CLI_OK)
        e = cli_check_model(o.platform, a.model);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    o.model_file = a.model;
    o.weight_file = a.weight_file;
    o.input_config = a.input_config;
    o.input_arrays = a.input_arrays;
    o.output_arrays = a.output_arrays;
    o.output_file = a.output;
    o.input_shapes = a.input_shapes;
    o.signature = a.signature;
    o.keep_quant = a.keep_quant;
    o.skip_simplify = a.skip_simplify;
    o.soc_version = a.soc_version;
    o.verify = a.verify;
    o.dump_after = a.dump_after;
    if (sgs_convert(&o, &d) != SGS_OK)
        return cli_fail(&d);
    printf("wrote %s\n", o.output_file);
    return CLI_OK;
}
