/* calibrator.py: stage 2. */
#include <stdio.h>

#include "cli.h"

static const cli_option options[] = {
    CLI_MODEL(sgs_calibrate_options, "the float model, X_float.sim"),
    CLI_INI(sgs_calibrate_options, true),
    CLI_SAMPLES(sgs_calibrate_options, false),
    CLI_OUTPUT(sgs_calibrate_options, false, "X_fixed.sim beside the model", "the fixed model, or a folder for it"),
    { "--quant_level", CLI_TEXT, offsetof(sgs_calibrate_options, quant_level), "L1|L2|L3|L4|L5", false, "L5",
      "quantization level" },
    { "--memory_saving", CLI_FLAG, offsetof(sgs_calibrate_options, memory_saving), NULL, false, NULL,
      "weigh layers with less memory, in more time" },
    { "--stats-out", CLI_TEXT, offsetof(sgs_calibrate_options, stats_out), "FILE", false, NULL,
      "write statistics of these pictures instead of a model" },
    { "--stats-merge", CLI_LIST, offsetof(sgs_calibrate_options, stats_merge), "FILE...", false, NULL,
      "such files in the place of -i and -n" },
    CLI_SOC(sgs_calibrate_options),
    CLI_QUANT_FILE(sgs_calibrate_options),
    { 0 },
};
static const cli_syntax syntax = { "sgs calibrate", "calibrator.py",
                                   "A float model and pictures become a fixed-point model.", options, false };

int cli_calibrate(int argc, char **argv)
{
    sgs_calibrate_options o = { .log = cli_log() };
    sgs_diag d = { 0 };
    const int e = cli_parse(&syntax, argc, argv, &o);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    char *written = NULL;
    if (sgs_calibrate(&o, &written, NULL, &d) != SGS_OK)
        return cli_fail(&d);
    printf("wrote %s\n", written);
    sgs_free(written);
    return CLI_OK;
}
