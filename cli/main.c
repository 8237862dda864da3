/* sgs: the tools of the manual as commands of one program. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *tool, *what;
} commands[] = {
    { "convert", cli_convert, "SGS_converter.py", "model -> image, every stage" },
    { "convert-tool", cli_convert_tool, "ConvertTool.py", "stage 1: model -> X_float.sim" },
    { "calibrate", cli_calibrate, "calibrator.py", "stage 2: X_float.sim -> X_fixed.sim" },
    { "torch-calibrate", cli_torch_calibrate, "torch_calibrator.py", "the same by the modes Q10 to Q23" },
    { "compile", cli_compile, "compiler.py", "stage 3: X_fixed.sim -> image" },
    { "simulate", cli_simulate, "simulator.py", "runs a float, fixed or offline model" },
    { "analyze", cli_analyze, "analyze.py", "where a fixed-point model loses accuracy" },
    { "save-quant-param", cli_save_quant_param, "save_quant_param.py",
      "ranges and bits of X_fixed.sim -> JSON or pickle" },
    { "profile", cli_profile, "", "what each layer of an image takes on this machine" },
    { "check", cli_check, "", "what of a model can be taken, and an ini to start from" },
    { "extract", cli_extract, "", "cuts a part out of an ONNX model" },
    { "info", cli_info, "show_sdk_info.py", "versions, targets, this machine; what an image or a model holds" },
    { NULL, NULL, NULL, NULL },
};

static void usage(FILE *to)
{
    fprintf(to, "usage: sgs COMMAND [options]      sgs COMMAND -h explains one\n\n");
    for (const struct command *c = commands; c->name; c++)
        fprintf(to, "  %-16s %-20s %s\n", c->name, c->tool, c->what);
}

int main(int argc, char **argv)
{
    cli_catch_signals();
    const char *name = argc > 1 ? argv[1] : "";
    for (const struct command *c = commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c->run(argc - 2, argv + 2);
    if (!strcmp(name, "-h") || !strcmp(name, "--help") || !strcmp(name, "help"))
        return usage(stdout), CLI_OK;
    if (!strcmp(name, "--version"))
        return printf("OpenIPU %s\n", SGS_VERSION), CLI_OK;
    if (name[0])
        fprintf(stderr, "error: unknown command '%s'\n", name);
    usage(stderr);
    return CLI_USAGE;
}
