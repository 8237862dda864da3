/* The settings as an ini of one spelling: what .sim files carry and messages compare. */
#include <string.h>

#include "config/config.h"

static void print_quoted(sgs_buf *b, char quote, const char *text)
{
    sgs_buf_add(b, &quote, 1);
    for (; *text; text++) {
        if (*text == quote)
            sgs_buf_add(b, &quote, 1);
        sgs_buf_add(b, text, 1);
    }
    sgs_buf_add(b, &quote, 1);
}

/* A single name is quoted twice: one pair of quotes round a whole value makes it a list. */
static void print_names(sgs_buf *b, const char *key, int n, const char *const *name)
{
    sgs_buf list = { 0 };
    for (int i = 0; i < n; i++) {
        if (i)
            sgs_buf_add(&list, ",", 1);
        print_quoted(&list, '"', name[i]);
    }
    sgs_buf_printf(b, "%s=", key);
    if (n == 1)
        print_quoted(b, '\'', list.p);
    else
        sgs_buf_add(b, list.p, list.n);
    sgs_buf_printf(b, ";\n");
    sgs_buf_free(&list);
}

static bool is_plain(const char *name)
{
    for (; *name; name++)
        if (!(*name >= '0' && *name <= '9') && !((*name | 32) >= 'a' && (*name | 32) <= 'z') && !strchr("_./:-", *name))
            return false;
    return true;
}

void sgs_config_print_tensors(sgs_buf *b, int n, const char *const *name)
{
    bool plain = true;
    for (int i = 0; i < n; i++)
        plain = plain && is_plain(name[i]);
    if (!plain) {
        print_names(b, "tensor_arrays", n, name);
        return;
    }
    for (int i = 0; i < n; i++)
        sgs_buf_printf(b, "%s%s", i ? "," : "tensor_arrays=", name[i]);
    sgs_buf_printf(b, ";\n");
}

/* Image inputs stand first; RAWDATA inputs have no set. */
static void print_triples(const sgs_config *c, sgs_buf *b, const char *key, bool std)
{
    int i = 0;
    for (; i < c->nin && !sgs_format_raw(c->in[i].input); i++) {
        const sgs_input_config *in = &c->in[i];
        sgs_buf_printf(b, "%s%s", i ? "," : key, i ? "" : "=");
        for (int k = 0; k < (std ? in->nstd : in->nmean); k++)
            sgs_buf_printf(b, "%s%.9g", k ? ":" : "", std ? in->std[k] : in->mean[k]);
    }
    if (i)
        sgs_buf_printf(b, ";\n");
}

enum column { TRAINING, FORMAT, QUANTIZE, WIDTH, HEIGHT, LAYOUT };

static void print_input_column(const sgs_config *c, sgs_buf *b, const char *key, enum column column)
{
    for (int i = 0; i < c->nin; i++) {
        const sgs_input_config *in = &c->in[i];
        sgs_buf_printf(b, "%s%s", i ? "," : key, i ? "" : "=");
        switch (column) {
        case TRAINING:
            sgs_buf_printf(b, "%s", sgs_format_name(in->training));
            break;
        case FORMAT:
            sgs_buf_printf(b, "%s", sgs_format_name(in->input));
            break;
        case QUANTIZE:
            sgs_buf_printf(b, "%s", in->quantize ? "TRUE" : "FALSE");
            break;
        case WIDTH:
            sgs_buf_printf(b, "%d", in->width_align);
            break;
        case HEIGHT:
            sgs_buf_printf(b, "%d", in->height_align);
            break;
        case LAYOUT:
            sgs_buf_printf(b, "%s", in->nchw ? "NCHW" : "NHWC");
            break;
        }
    }
    sgs_buf_printf(b, ";\n");
}

static void print_output_column(const sgs_config *c, sgs_buf *b, const char *key, enum column column)
{
    for (int i = 0; i < c->nout; i++) {
        const sgs_output_config *out = &c->out[i];
        const char *text = column == QUANTIZE ? (out->dequantize ? "TRUE" : "FALSE")
                           : column == FORMAT ? sgs_format_name(out->format)
                                              : (out->nchw ? "NCHW" : "NHWC");
        sgs_buf_printf(b, "%s%s%s", i ? "," : key, i ? "" : "=", text);
    }
    sgs_buf_printf(b, ";\n");
}

static void print_inputs(const sgs_config *c, sgs_buf *b)
{
    const char **name = SGS_NEW_N(c->arena, const char *, c->nin);
    for (int i = 0; i < c->nin; i++)
        name[i] = c->in[i].name;
    sgs_buf_printf(b, "[INPUT_CONFIG]\n");
    print_names(b, "inputs", c->nin, name);
    print_input_column(c, b, "training_input_formats", TRAINING);
    print_input_column(c, b, "input_formats", FORMAT);
    print_input_column(c, b, "quantizations", QUANTIZE);
    print_triples(c, b, "mean", false);
    print_triples(c, b, "std_value", true);
    print_input_column(c, b, "input_width_alignment", WIDTH);
    print_input_column(c, b, "input_height_alignment", HEIGHT);
    print_input_column(c, b, "input_layouts", LAYOUT);
}

static void print_outputs(const sgs_config *c, sgs_buf *b)
{
    const char **name = SGS_NEW_N(c->arena, const char *, c->nout);
    for (int i = 0; i < c->nout; i++)
        name[i] = c->out[i].name;
    sgs_buf_printf(b, "[OUTPUT_CONFIG]\n");
    print_names(b, "outputs", c->nout, name);
    print_output_column(c, b, "dequantizations", QUANTIZE);
    print_output_column(c, b, "output_formats", FORMAT);
    print_output_column(c, b, "output_layouts", LAYOUT);
}

void sgs_config_print(const sgs_config *c, sgs_buf *b)
{
    print_inputs(c, b);
    print_outputs(c, b);
    if (c->conv_format == SGS_CONV_DEFAULT && !c->ntensor_arrays)
        return;
    sgs_buf_printf(b, "[CONV_CONFIG]\n");
    if (c->conv_format != SGS_CONV_DEFAULT)
        sgs_buf_printf(b, "input_format=%s;\n", sgs_conv_format_name(c->conv_format));
    if (c->ntensor_arrays)
        print_names(b, "tensor_arrays", c->ntensor_arrays, c->tensor_arrays);
}
