/* torch_calibrator.py: stage 2 by a mode and its configuration. */
#include <stdio.h>

#include "cli.h"

static const cli_option options[] = {
    CLI_MODEL(sgs_calibrate_options, "the float model, X_float.sim"),
    CLI_INI(sgs_calibrate_options, true),
    { "--quant_config", CLI_TEXT, offsetof(sgs_calibrate_options, quant_config), "FILE", true, NULL,
      "quant_config.yaml" },
    CLI_SAMPLES(sgs_calibrate_options, true),
    CLI_Q_MODE(sgs_calibrate_options, true),
    CLI_OUTPUT(sgs_calibrate_options, false, "X_fixed.sim beside the model", "the fixed model, or a folder for it"),
    { "--cal_batchsize", CLI_COUNT, offsetof(sgs_calibrate_options, cal_batchsize), "N", false, "100",
      "pictures at most that are worked on side by side: memory and time, the model is the same" },
    { "--memory_saving", CLI_FLAG, offsetof(sgs_calibrate_options, memory_saving), NULL, false, NULL,
      "weigh layers with less memory, in more time" },
    CLI_SOC(sgs_calibrate_options),
    { 0 },
};
static const cli_syntax syntax = { "sgs torch-calibrate", "torch_calibrator.py",
                                   "A float model and pictures become a fixed-point model, by the modes Q10 to Q23.", options,
                                   false };

int cli_torch_calibrate(int argc, char **argv)
{
    sgs_calibrate_options o = { .resumable = true, .log = cli_log() };
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
