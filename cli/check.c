/* sgs check: what of a model can be taken. */
#include "cli.h"

typedef struct args {
    const char *model, *input_config, *input_shapes;
} args;

static const cli_option options[] = {
    CLI_MODEL(args, "the ONNX model"),
    CLI_INI(args, false),
    { "--input_shapes", CLI_TEXT, offsetof(args, input_shapes), "1,3,224,224[:...]", false, "the model's",
      "shapes in the model's own layout and order" },
    { 0 },
};
static const cli_syntax syntax = { "sgs check", "sgs check",
                                   "Operators, inputs, outputs; what cannot be taken and why; an ini to start from.",
                                   options, true };

int cli_check(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    int e = cli_parse(&syntax, argc, argv, &a);
    if (e == CLI_OK)
        e = cli_check_onnx(a.model);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    const sgs_check_options o = {
        .model_file = a.model, .input_config = a.input_config, .input_shapes = a.input_shapes, .log = cli_log()
    };
    return sgs_check(&o, &d) == SGS_OK ? CLI_OK : cli_fail(&d);
}
