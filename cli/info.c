/* show_sdk_info.py. */
#include "cli.h"

typedef struct args {
    bool operators;
    bool version; /* older scripts say --version; everything is shown anyway */
} args;

static const cli_option options[] = {
    { "--operators", CLI_FLAG, offsetof(args, operators), NULL, false, NULL, "the operators of each framework and their limits, as Markdown" },
    { "--version", CLI_FLAG, offsetof(args, version), NULL, false, NULL, "the same text" },
    { 0 },
};
static const cli_syntax syntax = { "sgs info", "show_sdk_info.py", "Versions, targets, this machine.", options, false };

int cli_info(int argc, char **argv)
{
    args a = { 0 };
    const sgs_log log = cli_log();
    const int e = cli_parse(&syntax, argc, argv, &a);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    return (a.operators ? sgs_show_operators(&log) : sgs_show_info(&log)) == SGS_OK ? CLI_OK : CLI_ERROR;
}
