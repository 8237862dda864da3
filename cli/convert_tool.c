/* ConvertTool.py: stage 1. */
#include <stdio.h>

#include "cli.h"

typedef struct args {
    const char *model, *input_config, *output, *input_shapes, *soc_version, *dump_after;
    bool skip_simplify, verify;
} args;

static const cli_option options[] = {
    CLI_MODEL(args, "the ONNX model"),
    CLI_INI(args, true),
    CLI_OUTPUT(args, true, NULL, "the float model, NAME.sim"),
    CLI_SOC(args),
    { "--input_shapes", CLI_TEXT, offsetof(args, input_shapes), "1,3,224,224[:...]", false, "the model's",
      "shapes in the model's own layout and order" },
    { "--skip_simplify", CLI_FLAG, offsetof(args, skip_simplify), NULL, false, NULL, "only what correctness needs" },
    { "--verify", CLI_FLAG, offsetof(args, verify), NULL, false, NULL, "check the graph after every pass" },
    { "--dump-after", CLI_TEXT, offsetof(args, dump_after), "PASS", false, NULL, "print the graph after this pass" },
    { "--weight_file", CLI_REFUSED, 0, NULL, false, NULL,
      "belongs to the platform caffe, which comes with a later version" },
    { 0 },
};
static const cli_syntax syntax = { "sgs convert-tool onnx", "ConvertTool.py onnx",
                                   "An ONNX model becomes a float model (.sim).", options, false };

int cli_convert_tool(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    sgs_convert_options o = { .log = cli_log() };
    int e = cli_platform("sgs convert-tool", "ConvertTool.py", argc, argv, &o.platform);
    if (e == CLI_OK)
        e = cli_parse(&syntax, argc - 1, argv + 1, &a);
    if (e == CLI_OK)
        e = cli_check_onnx(a.model);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    o.model_file = a.model;
    o.input_config = a.input_config;
    o.output_file = a.output;
    o.input_shapes = a.input_shapes;
    o.skip_simplify = a.skip_simplify;
    o.soc_version = a.soc_version;
    o.verify = a.verify;
    o.dump_after = a.dump_after;
    if (sgs_convert(&o, &d) != SGS_OK)
        return cli_fail(&d);
    printf("wrote %s\n", o.output_file);
    return CLI_OK;
}
