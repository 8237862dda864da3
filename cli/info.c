/* show_sdk_info.py; an image's or a model's inputs, outputs, sizes and costs. */
#include <stdio.h>

#include "cli.h"

typedef struct args {
    const char *model, *soc_version;
    bool operators;
    bool version; /* older scripts say --version; everything is shown anyway */
} args;

static const cli_option options[] = {
    { "-m --model --model_file", CLI_TEXT, offsetof(args, model), "FILE", false, NULL,
      "the image or model (.img, .sim) to describe: inputs, outputs, sizes, kernels, cost of each layer" },
    { "--operators", CLI_FLAG, offsetof(args, operators), NULL, false, NULL,
      "the operators of each framework and their limits, as Markdown" },
    { "--version", CLI_FLAG, offsetof(args, version), NULL, false, NULL, "the same text" },
    CLI_SOC(args),
    { 0 },
};
static const cli_syntax syntax = {
    "sgs info", "show_sdk_info.py, show_img_info.py",
    "Versions, targets, this machine; or of an image what a program on the board has to know.", options, true
};

static sgs_status show(const args *a, sgs_diag *d)
{
    const sgs_log log = cli_log();
    const sgs_status s = sgs_check_soc_version(a->soc_version, d);
    if (s != SGS_OK)
        return s;
    if (a->model)
        return sgs_describe(a->model, &log, NULL, d);
    return a->operators ? sgs_show_operators(&log) : sgs_show_info(&log);
}

int cli_info(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    const int e = cli_parse(&syntax, argc, argv, &a);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    if (a.model && a.operators)
        return fprintf(stderr, "error: --operators is about the frameworks, not about %s: leave one of them out\n",
                       a.model),
               CLI_USAGE;
    return show(&a, &d) == SGS_OK ? CLI_OK : cli_fail(&d);
}
