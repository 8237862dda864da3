#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

static const struct platform {
    const char *name;
    bool here;
} platforms[] = {
    { "onnx", true },
    { "caffe", false },
    { "tflite", false },
    { "tensorflow_graphdef", false },
    { "tensorflow_savemodel", false },
    { "keras", false },
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

int cli_platform(const char *command, const char *tool, int argc, char **argv, sgs_platform *platform)
{
    const char *name = argc ? argv[0] : "";
    for (size_t i = 0; i < NPLATFORMS; i++) {
        if (strcmp(platforms[i].name, name))
            continue;
        if (platforms[i].here)
            return *platform = SGS_ONNX, CLI_OK;
        fprintf(stderr, "error: the platform %s comes with a later version; today: onnx\n", name);
        return CLI_ERROR;
    }
    if (!strcmp(name, "-h") || !strcmp(name, "--help") || !strcmp(name, "\xe2\x80\x93h"))
        return list_platforms(stdout, command, tool), -1;
    if (name[0])
        fprintf(stderr, "error: expected a platform, found '%s'\n", name);
    list_platforms(stderr, command, tool);
    return CLI_USAGE;
}

int cli_check_onnx(const char *model)
{
    static const struct {
        const char *suffix, *platform;
    } other[] = {
        { ".prototxt", "caffe" },         { ".caffemodel", "caffe" }, { ".tflite", "tflite" },
        { ".pb", "tensorflow_graphdef" }, { ".h5", "keras" },
    };
    const char *dot = strrchr(model, '.');
    for (size_t i = 0; dot && i < sizeof other / sizeof *other; i++) {
        if (strcasecmp(dot, other[i].suffix))
            continue;
        fprintf(stderr,
                "error: %s: expected an ONNX model, found a name that ends in %s\n  the platform for it is %s, which "
                "comes with a later version\n",
                model, other[i].suffix, other[i].platform);
        return CLI_USAGE;
    }
    return CLI_OK;
}
