/* sgs extract: the manual's onnx.utils.extract_model without Python. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

typedef struct args {
    const char *model, *output, *inputs, *outputs, *input_shapes;
} args;

static const cli_option options[] = {
    CLI_MODEL(args, "the ONNX model"),
    CLI_OUTPUT(args, true, NULL, "the part, NAME.onnx"),
    { "--inputs", CLI_TEXT, offsetof(args, inputs), "A,B", false, "the model's", "tensors where the part begins" },
    { "--outputs", CLI_TEXT, offsetof(args, outputs), "C,D", false, "the model's", "tensors where it ends" },
    { "--input_shapes", CLI_TEXT, offsetof(args, input_shapes), "1,3,224,224[:...]", false, "the model's",
      "shapes of the whole model's inputs" },
    { 0 },
};
static const cli_syntax syntax = { "sgs extract", "sgs extract",
                                   "The nodes of an ONNX model between two lists of tensors, as a model.", options,
                                   true };

/* A list cut at its commas, in place; a backslash keeps the comma behind it. */
static int split(char *text, const char **item)
{
    int n = 1;
    char *to = text;
    item[0] = text;
    for (const char *from = text; *from; from++) {
        if (*from == ',') {
            *to++ = '\0';
            item[n++] = to;
        } else {
            from += *from == '\\' && from[1] == ',';
            *to++ = *from;
        }
    }
    *to = '\0';
    return n;
}

/* A name for each comma and one more. */
static const char **list_of(const char *text, int *n, char **copy)
{
    const size_t bytes = text ? strlen(text) + 1 : 1;
    const char **item = malloc(bytes * sizeof *item);
    *copy = malloc(bytes);
    *n = 0;
    if (!item || !*copy)
        return NULL;
    if (text)
        *n = split(memcpy(*copy, text, bytes), item);
    return item;
}

int cli_extract(int argc, char **argv)
{
    args a = { 0 };
    sgs_diag d = { 0 };
    int e = cli_parse(&syntax, argc, argv, &a);
    if (e == CLI_OK)
        e = cli_check_model(SGS_ONNX, a.model);
    if (e != CLI_OK)
        return e < 0 ? CLI_OK : e;
    char *in_text, *out_text;
    sgs_extract_options o = { .model_file = a.model, .output_file = a.output, .input_shapes = a.input_shapes };
    const char **in = list_of(a.inputs, &o.ninput, &in_text), **out = list_of(a.outputs, &o.noutput, &out_text);
    o.input = in, o.output = out;
    e = sgs_extract(&o, &d) == SGS_OK ? CLI_OK : cli_fail(&d);
    if (e == CLI_OK)
        printf("wrote %s\n", o.output_file);
    free(in_text), free(out_text);
    free(in), free(out);
    return e;
}
