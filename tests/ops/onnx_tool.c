/* Imports an ONNX or TFLite file as the tests want it: prints the graph's text form, or runs it.
 *
 *   onnx_tool [--shapes S] [--memory BYTES] [--input N]... [--output N]... [--nchw] [--keep] [--signature S] [--passes] [--text] [--run IN.bin... --out PREFIX | --try] MODEL.onnx
 *
 * --memory: the import may take no more.  --input, --output: what input_config.ini would name.
 * --nchw: 4-D inputs and outputs keep the model's order (with --input, --output).
 * --keep, --signature: of MODEL.tflite, as --keep_quant and --signature.
 * --whole: the text form with every element of the constants.
 * --passes runs the pass pipeline.  --run gives one file per graph input, raw little-endian; output i goes to PREFIX.i.bin, a line "name type
 * dims" each to standard output.  --try runs on zeros and prints nothing.  Exit status 1 and one message when something is wrong.
 *
 *   onnx_tool --each FILE...
 *
 * tries each file in turn and prints a line for it: "taken", "refused", or "broken" when the refusal is a bug of ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_file.h"
#include "ops/util.h"
#include "pass/pass.h"
#include "sim/session.h"

#define MOST 32

typedef struct options {
    sgs_import_options import;
    const char *model, *prefix;
    const char *input[MOST], *output[MOST];
    bool nchw[MOST], passes, text, whole, attempt;
    char **in;
    int nin;
} options;

static int fail(const sgs_diag *d)
{
    char text[4096];
    sgs_diag_format(d, text, sizeof text);
    fputs(text, stderr);
    return 1;
}

static sgs_status load(sgs_session *s, const sgs_value *v, const char *path, sgs_diag *d)
{
    sgs_file f;
    size_t n = (size_t)sgs_value_bytes(v);
    SGS_TRY(sgs_file_open(&f, path, d));
    sgs_status st = f.data.n == n ? SGS_OK : sgs_fail(d, SGS_E_DATA, "%s: expected %zu bytes, found %zu", path, n, f.data.n);
    if (st == SGS_OK && n)
        memcpy(sgs_session_data(s, v), f.data.p, n);
    sgs_file_close(&f);
    return st;
}

static sgs_status save(sgs_graph *g, sgs_session *s, const char *prefix, sgs_diag *d)
{
    for (int i = 0; i < g->nout; i++) {
        const sgs_value *v = g->out[i];
        char path[1024], dims[128];
        snprintf(path, sizeof path, "%s.%d.bin", prefix, i);
        SGS_TRY(sgs_file_write(path, sgs_session_data(s, v), (size_t)sgs_value_bytes(v), d));
        printf("%s %s %s\n", sgs_value_label(g, v), sgs_type_name(v->type), sgs_dims_text(dims, sizeof dims, v->rank, v->dim));
    }
    return SGS_OK;
}

static sgs_status run(sgs_graph *g, const options *o, sgs_diag *d)
{
    sgs_session *s;
    if (!o->attempt && o->nin != g->nin)
        return sgs_fail(d, SGS_E_USAGE, "the graph has %d inputs, %d files given", g->nin, o->nin);
    SGS_TRY(sgs_session_new(&s, g, false, d));
    sgs_status st = SGS_OK;
    for (int i = 0; i < g->nin && !o->attempt && st == SGS_OK; i++)
        st = load(s, g->in[i], o->in[i], d);
    if (st == SGS_OK)
        st = sgs_session_run(s, d);
    if (st == SGS_OK && !o->attempt)
        st = save(g, s, o->prefix, d);
    sgs_session_free(s);
    return st;
}

static void print(sgs_graph *g, bool whole)
{
    sgs_buf b = { 0 };
    sgs_print_options po = { .max_elements = whole ? 0 : 8 };
    sgs_graph_print_with(g, &po, &b);
    fputs(b.p, stdout);
    sgs_buf_free(&b);
}

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (!strcmp(a, "--passes") || !strcmp(a, "--text") || !strcmp(a, "--try") || !strcmp(a, "--nchw")) {
            *(a[2] == 'p' ? &o->passes : a[2] == 'n' ? &o->nchw[0] : a[3] == 'e' ? &o->text : &o->attempt) = true;
        } else if (!strcmp(a, "--keep")) {
            o->import.keep_quant = true;
        } else if (!strcmp(a, "--whole")) {
            o->whole = o->text = true;
        } else if (!strcmp(a, "--run")) {
            for (o->in = argv + i + 1, o->nin = 0; i + 1 < argc && strncmp(argv[i + 1], "--", 2); i++)
                o->nin++;
        } else if (a[0] == '-' && i + 1 == argc) {
            return false;
        } else if (!strcmp(a, "--shapes")) {
            o->import.input_shapes = argv[++i];
        } else if (!strcmp(a, "--memory")) {
            o->import.memory_limit = atoll(argv[++i]);
        } else if (!strcmp(a, "--signature")) {
            o->import.signature = argv[++i];
        } else if (!strcmp(a, "--out")) {
            o->prefix = argv[++i];
        } else if (!strcmp(a, "--input") && o->import.ninput < MOST) {
            o->input[o->import.ninput++] = argv[++i];
        } else if (!strcmp(a, "--output") && o->import.noutput < MOST) {
            o->output[o->import.noutput++] = argv[++i];
        } else if (a[0] != '-' && !o->model) {
            o->model = a;
        } else {
            return false;
        }
    }
    return o->model && (o->nin < 0 || o->prefix);
}

static sgs_status work(const options *o, sgs_diag *d)
{
    sgs_graph *g;
    const sgs_pass_options p = { .verify = true };
    sgs_import_options import = o->import;
    SGS_TRY(model_file(o->model, &import, d));
    sgs_status s = sgs_model_import(&g, o->model, &import, d);
    if (s == SGS_OK)
        s = sgs_graph_verify(g, d);
    if (s == SGS_OK && o->passes)
        s = sgs_run_passes(g, &p, d);
    if (s == SGS_OK && o->text)
        print(g, o->whole);
    if (s == SGS_OK && (o->nin >= 0 || o->attempt))
        s = run(g, o, d);
    sgs_graph_free(g);
    return s;
}

static int each(int n, char **files)
{
    for (int i = 0; i < n; i++) {
        const options o = { .model = files[i], .passes = true, .attempt = true, .nin = -1 };
        sgs_diag d = { 0 };
        sgs_status s = work(&o, &d);
        puts(s == SGS_OK ? "taken" : s == SGS_E_INTERNAL || !d.text[0] ? "broken" : "refused");
    }
    return 0;
}

int main(int argc, char **argv)
{
    options o = { .nin = -1 };
    if (argc > 1 && !strcmp(argv[1], "--each"))
        return each(argc - 2, argv + 2);
    if (!parse(argc, argv, &o)) {
        fputs("usage: onnx_tool [--shapes S] [--input N] [--output N] [--nchw] [--passes] [--text] [--run IN.bin... --out PREFIX | --try] MODEL.onnx\n", stderr);
        return 2;
    }
    for (int i = 1; i < MOST; i++)
        o.nchw[i] = o.nchw[0];
    o.import.input_name = o.input;
    o.import.output_name = o.output;
    o.import.input_nchw = o.import.output_nchw = o.nchw;
    sgs_diag d = { 0 };
    return work(&o, &d) == SGS_OK ? 0 : fail(&d);
}
