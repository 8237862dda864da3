/* simulator.py. */
#include <string.h>
#include <strings.h>

#include "cli.h"

typedef struct args {
    const char *model, *input_config, *type, *category, *label, *output, *draw_result, *soc_version, *cpu_mask;
    sgs_samples_options samples;
    bool dump_rawdata, save_input, dump_output, skip_garbage, show_log, continue_run;
    int threads;
} args;

static const cli_option options[] = {
    CLI_MODEL(args, "a float (.sim), fixed (.sim) or offline (.img) model"),
    CLI_SAMPLES(args, true),
    CLI_INI(args, false),
    { "-t --type", CLI_TEXT, offsetof(args, type), "Float|Fixed|Offline", false, "what the file is", "kind of model" },
    { "-c --category", CLI_TEXT, offsetof(args, category), "NAME", false, "the image's, else Unknown",
      "Classification, Detection or Unknown" },
    { "-l --label", CLI_TEXT, offsetof(args, label), "FILE", false, NULL,
      "a label a line, for Classification and --draw_result" },
    { "--output_dir", CLI_TEXT, offsetof(args, output), "FOLDER", false, "./log/output", "where the result files go" },
    { "--dump_rawdata", CLI_FLAG, offsetof(args, dump_rawdata), NULL, false, NULL,
      "PICTURE.bin: the bytes a board program gives the model" },
    { "--save_input", CLI_FLAG, offsetof(args, save_input), NULL, false, NULL,
      "PICTURE.inputN.npy: what went into the model" },
    { "--dump_output", CLI_FLAG, offsetof(args, dump_output), NULL, false, NULL, "PICTURE.outputN.npy: what came out" },
    { "--skip_garbage", CLI_FLAG, offsetof(args, skip_garbage), NULL, false, NULL,
      "integer outputs: no alignment shape in the text files" },
    { "--show_log", CLI_FLAG, offsetof(args, show_log), NULL, false, NULL, "a line for each sample" },
    { "--continue_run", CLI_FLAG, offsetof(args, continue_run), NULL, false, NULL,
      "leave out samples whose result is there already" },
    { "--draw_result", CLI_TEXT, offsetof(args, draw_result), "FOLDER", false, NULL,
      "-c Detection: pictures with their boxes" },
    { "--tool", CLI_REFUSED, 0, NULL, false, NULL,
      "names another simulator program; this one is its own: leave the option out" },
    CLI_SOC(args),
    CLI_CPU_MASK(args),
    { "--threads", CLI_COUNT, offsetof(args, threads), "N", false, "1", "threads of one inference" },
    { 0 },
};
static const cli_syntax syntax = { "sgs simulate", "simulator.py", "Runs a float, fixed or offline model on pictures.",
                                   options, false };

static int take_kind(const char *text, sgs_kind *kind)
{
    static const char *const name[] = { "", "Float", "Fixed", "Offline" };
    for (int k = SGS_FLOAT; text && k <= SGS_OFFLINE; k++)
        if (!strcasecmp(text, name[k]))
            *kind = (sgs_kind)k;
    return !text || *kind ? CLI_OK : cli_bad_value("-t", "Float, Fixed or Offline", text);
}

int cli_simulate(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    sgs_simulate_options o = { .log = cli_log() };
    int e = cli_parse(&syntax, argc, argv, &a);
    if (e == CLI_OK)
        e = take_kind(a.type, &o.simulator.kind);
    if (e == CLI_OK)
        e = cli_cpu_mask(a.cpu_mask, &o.simulator);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    o.model = a.model;
    o.input_config = a.input_config;
    o.samples = a.samples;
    o.simulator.threads = a.threads;
    o.category = a.category;
    o.label = a.label;
    o.output_dir = a.output;
    o.soc_version = a.soc_version;
    o.dump_rawdata = a.dump_rawdata;
    o.save_input = a.save_input;
    o.dump_output = a.dump_output;
    o.skip_garbage = a.skip_garbage;
    o.show_log = a.show_log;
    o.continue_run = a.continue_run;
    o.draw_result = a.draw_result;
    return sgs_simulate(&o, &d) == SGS_OK ? CLI_OK : cli_fail(&d);
}
