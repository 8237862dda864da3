/* Where the accuracy went. */
#include <stdio.h>

#include "cli.h"

typedef struct args {
    const char *model, *float_model, *input_config, *json_file, *tsv_file;
    sgs_samples_options samples;
    int layer_samples, gain, top;
} args;

static const cli_option options[] = {
    CLI_MODEL(args, "the fixed-point model, X_fixed.sim"),
    { "--float_model", CLI_TEXT, offsetof(args, float_model), "FILE", false, "X_float.sim beside it",
      "the float model it was calibrated from" },
    CLI_SAMPLES(args, true),
    CLI_INI(args, false),
    { "--layer_pictures", CLI_COUNT, offsetof(args, layer_samples), "N", false, "4",
      "pictures on which each layer runs alone" },
    { "--gain", CLI_COUNT, offsetof(args, gain), "DECIBELS", false, "6", "what the suggestion of 16 bits shall win" },
    { "--top", CLI_COUNT, offsetof(args, top), "N", false, "20", "layers to list, the dearest first" },
    { "--json", CLI_TEXT, offsetof(args, json_file), "FILE", false, NULL, "all of it for programs" },
    { "--tsv", CLI_TEXT, offsetof(args, tsv_file), "FILE", false, NULL, "a line for each layer, between tabulators" },
    { 0 },
};
static const cli_syntax syntax = { "sgs analyze", "analyze.py",
                                   "Which layers of a fixed-point model lose accuracy, and which to give 16 bits.",
                                   options, false };

int cli_analyze(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    const int e = cli_parse(&syntax, argc, argv, &a);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    const sgs_analyze_options o = { .model = a.model,
                                    .float_model = a.float_model,
                                    .input_config = a.input_config,
                                    .samples = a.samples,
                                    .layer_samples = a.layer_samples,
                                    .gain = a.gain,
                                    .top = a.top,
                                    .json_file = a.json_file,
                                    .tsv_file = a.tsv_file,
                                    .log = cli_log() };
    return sgs_analyze(&o, NULL, &d) == SGS_OK ? CLI_OK : cli_fail(&d);
}
