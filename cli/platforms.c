/* The first word of SGS_converter.py and ConvertTool.py, and which files belong to it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

static const struct platform {
    const char *name;
    bool here;
    sgs_platform id;
    const char *model;     /* what --model_file is */
    const char *suffix[2]; /* of it, and of its second file */
} platforms[] = {
    { "onnx", true, SGS_ONNX, "an ONNX model", { ".onnx" } },
    { "caffe", true, SGS_CAFFE, "a Caffe network, NAME.prototxt", { ".prototxt", ".caffemodel" } },
    { "tflite", true, SGS_TFLITE, "a TFLite model", { ".tflite" } },
    { "tensorflow_graphdef", true, SGS_TENSORFLOW, "a frozen GraphDef, NAME.pb", { ".pb" } },
    { "tensorflow_savemodel", false, SGS_ONNX, "", { NULL } },
    { "keras", false, SGS_ONNX, "", { ".h5" } },
};
#define NPLATFORMS (sizeof platforms / sizeof *platforms)

static void list_platforms(FILE *to, const char *command, const char *tool)
{
    fprintf(to, "usage: %s PLATFORM [options]      as in the manual: %s PLATFORM [options]\n\nplatforms:\n", command,
            tool);
    for (size_t i = 0; i < NPLATFORMS; i++)
        fprintf(to, "  %-22s %s\n", platforms[i].name, platforms[i].here ? "" : "comes with a later version");
    fprintf(to, "\n%s PLATFORM -h lists the platform's options\n", command);
}

static int refuse_platform(const char *name)
{
    fprintf(stderr, "error: the platform %s comes with a later version; today:", name);
    for (size_t i = 0; i < NPLATFORMS; i++)
        if (platforms[i].here)
            fprintf(stderr, "%s %s", i ? "," : "", platforms[i].name);
    fprintf(stderr, "\n");
    return CLI_ERROR;
}

int cli_platform(const char *command, const char *tool, int argc, char **argv, sgs_platform *platform)
{
    const char *name = argc ? argv[0] : "";
    for (size_t i = 0; i < NPLATFORMS; i++) {
        if (strcmp(platforms[i].name, name))
            continue;
        *platform = platforms[i].id;
        return platforms[i].here ? CLI_OK : refuse_platform(name);
    }
    if (!strcmp(name, "-h") || !strcmp(name, "--help") || !strcmp(name, "\xe2\x80\x93h"))
        return list_platforms(stdout, command, tool), -1;
    if (name[0])
        fprintf(stderr, "error: expected a platform, found '%s'\n", name);
    list_platforms(stderr, command, tool);
    return CLI_USAGE;
}

/* Whose file this is by its name, NULL: nobody's; *second: it is the file that goes with --weight_file. */
static const struct platform *owner(const char *file, const char **suffix, bool *second)
{
    const char *dot = strrchr(file, '.');
    for (size_t i = 0; dot && i < NPLATFORMS; i++)
        for (int k = 0; k < 2; k++)
            if (platforms[i].suffix[k] && !strcasecmp(dot, platforms[i].suffix[k])) {
                *suffix = platforms[i].suffix[k];
                *second = k == 1;
                return &platforms[i];
            }
    return NULL;
}

static const struct platform *of(sgs_platform id)
{
    const struct platform *p = platforms;
    while (p->id != id)
        p++;
    return p;
}

int cli_check_model(sgs_platform platform, const char *model)
{
    const char *suffix;
    bool second;
    const struct platform *want = of(platform), *found = owner(model, &suffix, &second);
    if (!found || (found == want && !second))
        return CLI_OK;
    fprintf(stderr, "error: %s: expected %s, found a name that ends in %s\n", model, want->model, suffix);
    if (found == want)
        fprintf(stderr, "  it goes with --weight_file\n");
    else
        fprintf(stderr, "  the platform for it is %s%s\n", found->name,
                found->here ? "" : ", which comes with a later version");
    return CLI_USAGE;
}

int cli_platform_of(const char *model, sgs_platform *platform)
{
    const char *suffix;
    bool second;
    const struct platform *found = owner(model, &suffix, &second);
    *platform = found && found->here ? found->id : SGS_ONNX;
    return cli_check_model(*platform, model);
}
