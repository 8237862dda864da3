/* save_quant_param.py. */
#include <stdio.h>

#include "cli.h"

static const cli_option options[] = {
    CLI_MODEL(sgs_save_options, "the fixed model, X_fixed.sim"),
    { "--output_mode", CLI_TEXT, offsetof(sgs_save_options, output_mode), "JSON|Pickle", true, NULL,
      "which kind of file" },
    CLI_OUTPUT(sgs_save_options, false, "X_fixed.json or X_fixed.pkl beside the model", "the file, or a folder for it"),
    { "--data", CLI_FLAG, offsetof(sgs_save_options, data), NULL, false, NULL,
      "also the numbers of constants, as they were rounded" },
    { 0 },
};
static const cli_syntax syntax = { "sgs save-quant-param", "save_quant_param.py",
                                   "Saves how a fixed-point model is quantized: name, min, max and bit of each tensor.",
                                   options, false };

int cli_save_quant_param(int argc, char **argv)
{
    sgs_save_options o = { 0 };
    sgs_diag d = { 0 };
    const int e = cli_parse(&syntax, argc, argv, &o);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    char *written = NULL;
    if (sgs_save_quant_param(&o, &written, &d) != SGS_OK)
        return cli_fail(&d);
    printf("wrote %s\n", written);
    sgs_free(written);
    return CLI_OK;
}
