/* compiler.py: stage 3. */
#include "cli.h"

static const cli_option options[] = {
    CLI_MODEL(sgs_compile_options, "the fixed model, X_fixed.sim"),
    CLI_OUTPUT(sgs_compile_options, false, "X_fixed.sim_sgsimg.img beside the model", "the image, or a folder for it"),
    { "-b --batch", CLI_TEXT, offsetof(sgs_compile_options, batch), "N[,N]", false, "1",
      "elements of a run: n_buf the most, one_buf up to 10 numbers of them" },
    { "--batch_mode", CLI_TEXT, offsetof(sgs_compile_options, batch_mode), "n_buf|one_buf", false, "n_buf",
      "each element has buffers of its own, or they are stacked in one" },
    { "-c --category", CLI_TEXT, offsetof(sgs_compile_options, category), "NAME", false, "Unknown",
      "Classification, Detection or Unknown" },
    CLI_SOC(sgs_compile_options),
    { "--kernels_file", CLI_TEXT, offsetof(sgs_compile_options, kernels_file), "FILE.c", false, NULL,
      "also list the kernels this image needs as C" },
    { 0 },
};
static const cli_syntax syntax = { "sgs compile", "compiler.py", "A fixed-point model becomes an image.", options,
                                   false };

int cli_compile(int argc, char **argv)
{
    sgs_compile_options o = { .log = cli_log() };
    sgs_diag d = { 0 };
    const int e = cli_parse(&syntax, argc, argv, &o);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    return sgs_compile(&o, NULL, NULL, &d) == SGS_OK ? CLI_OK : cli_fail(&d);
}
