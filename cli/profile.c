/* Where the time goes. */
#include "cli.h"

typedef struct args {
    const char *model, *cpu_mask;
    int threads, runs;
} args;

static const cli_option options[] = {
    CLI_MODEL(args, "the image, X.img"),
    CLI_CPU_MASK(args),
    { "--threads", CLI_COUNT, offsetof(args, threads), "N", false, "1", "threads of one run" },
    { "--runs", CLI_COUNT, offsetof(args, runs), "N", false, "50", "medians are taken over so many" },
    { 0 },
};
static const cli_syntax syntax = { "sgs profile", "sgs profile", "What each layer of an image takes on this machine, beside what the machine can do at most.", options,
                                   true };

int cli_profile(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    sgs_profile_options o = { .log = cli_log() };
    int e = cli_parse(&syntax, argc, argv, &a);
    if (e == CLI_OK)
        e = cli_cpu_mask(a.cpu_mask, &o.simulator);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    o.model = a.model;
    o.simulator.threads = a.threads;
    o.runs = a.runs;
    return sgs_profile(&o, &d) == SGS_OK ? CLI_OK : cli_fail(&d);
}
