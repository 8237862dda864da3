/* sgs check: what of a model can be taken. */
#include "cli.h"

typedef struct args {
    const char *model, *weight_file, *input_config, *input_shapes, *signature;
} args;

static const cli_option options[] = {
    CLI_MODEL(args, "the model: NAME.onnx, NAME.prototxt, NAME.tflite or NAME.pb"),
    CLI_WEIGHTS(args),
    CLI_INI(args, false),
    CLI_SHAPES(args),
    { "--signature", CLI_TEXT, offsetof(args, signature), "NAME", false, "that of the first subgraph",
      "which of a TFLite model's signatures" },
    { 0 },
};
static const cli_syntax syntax = { "sgs check", "sgs check",
                                   "Operators, inputs, outputs; what cannot be taken and why; an ini to start from.",
                                   options, true };

int cli_check(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    sgs_platform platform = SGS_ONNX;
    int e = cli_parse(&syntax, argc, argv, &a);
    if (e == CLI_OK)
        e = cli_platform_of(a.model, &platform);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    const sgs_check_options o = { .platform = platform,
                                  .model_file = a.model,
                                  .weight_file = a.weight_file,
                                  .input_config = a.input_config,
                                  .input_shapes = a.input_shapes,
                                  .signature = a.signature,
                                  .log = cli_log() };
    return sgs_check(&o, &d) == SGS_OK ? CLI_OK : cli_fail(&d);
}
