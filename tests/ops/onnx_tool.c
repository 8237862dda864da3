/* Imports an ONNX file as the tests want it: prints the graph's text form, or runs it on raw little-endian inputs.
 *
 *   onnx_tool [--shapes S] [--passes] [--text] [--run IN.bin... --out PREFIX] MODEL.onnx
 *
 * --passes runs the pass pipeline.  --run gives one file per graph input; output i goes to PREFIX.i.bin, a line "name type dims" each to
 * standard output.  Exit status 1 and one message when something is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import/onnx.h"
#include "ops/util.h"
#include "pass/pass.h"

static int fail(const sgs_diag *d)
{
    char text[4096];
    sgs_diag_format(d, text, sizeof text);
    fputs(text, stderr);
    return 1;
}

/* ---- evaluation, node by node ---------------------------------------------------------------------------------------------- */

static void **storage;

static sgs_tensor tensor_of(const sgs_value *v)
{
    sgs_tensor t = { 0 };
    if (v) {
        sgs_shape_like(&t, v);
        t.data = v->data ? (void *)(uintptr_t)v->data : storage[v->id];
    }
    return t;
}

static sgs_status run_node(const sgs_node *n, sgs_diag *d)
{
    sgs_tensor in[64], out[8];
    if (n->nin > 64 || n->nout > 8)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "too many operands for this tool");
    for (int i = 0; i < n->nin; i++)
        in[i] = tensor_of(n->in[i]);
    for (int i = 0; i < n->nout; i++) {
        storage[n->out[i]->id] = malloc((size_t)sgs_value_bytes(n->out[i]) + 1);
        out[i] = tensor_of(n->out[i]);
    }
    sgs_eval_state st = { 0 };
    sgs_status s = sgs_eval(n, in, out, &st, d);
    if (st.destroy)
        st.destroy(st.p);
    return s;
}

static sgs_status load(const sgs_value *v, const char *path, sgs_diag *d)
{
    sgs_file f;
    size_t n = (size_t)sgs_value_bytes(v);
    SGS_TRY(sgs_file_open(&f, path, d));
    if (f.data.n != n)
        return sgs_fail(d, SGS_E_DATA, "%s: expected %zu bytes, found %zu", path, n, f.data.n);
    storage[v->id] = malloc(n + 1);
    memcpy(storage[v->id], f.data.p, n);
    sgs_file_close(&f);
    return SGS_OK;
}

static sgs_status run(sgs_graph *g, char **in, int nin, const char *prefix, sgs_diag *d)
{
    storage = calloc((size_t)g->nvalue + 1, sizeof *storage);
    if (nin != g->nin)
        return sgs_fail(d, SGS_E_USAGE, "the graph has %d inputs, %d files given", g->nin, nin);
    for (int i = 0; i < nin; i++)
        SGS_TRY(load(g->in[i], in[i], d));
    for (const sgs_node *n = g->first; n; n = n->next)
        SGS_TRY(run_node(n, d));
    for (int i = 0; i < g->nout; i++) {
        char path[1024], dims[128];
        sgs_tensor t = tensor_of(g->out[i]);
        snprintf(path, sizeof path, "%s.%d.bin", prefix, i);
        SGS_TRY(sgs_file_write(path, t.data, (size_t)sgs_value_bytes(g->out[i]), d));
        printf("%s %s %s\n", sgs_value_label(g, g->out[i]), sgs_type_name(t.type), sgs_dims_text(dims, sizeof dims, t.rank, t.dim));
    }
    for (int i = 0; i < g->nvalue; i++)
        free(storage[i]);
    free(storage);
    return SGS_OK;
}

int main(int argc, char **argv)
{
    sgs_onnx_options o = { 0 };
    const char *model = NULL, *prefix = NULL;
    bool passes = false, text = false;
    char **in = argv;
    int nin = -1;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--shapes") && i + 1 < argc)
            o.input_shapes = argv[++i];
        else if (!strcmp(argv[i], "--passes"))
            passes = true;
        else if (!strcmp(argv[i], "--text"))
            text = true;
        else if (!strcmp(argv[i], "--run"))
            for (in = argv + i + 1, nin = 0; i + 1 < argc && strncmp(argv[i + 1], "--", 2); i++)
                nin++;
        else if (!strcmp(argv[i], "--out") && i + 1 < argc)
            prefix = argv[++i];
        else
            model = argv[i];
    }
    if (!model || (nin >= 0 && !prefix)) {
        fputs("usage: onnx_tool [--shapes S] [--passes] [--text] [--run IN.bin... --out PREFIX] MODEL.onnx\n", stderr);
        return 2;
    }
    sgs_diag d = { 0 };
    sgs_graph *g;
    sgs_pass_options p = { .verify = true };
    sgs_status s = sgs_onnx_import(&g, model, &o, &d);
    if (s == SGS_OK && passes)
        s = sgs_run_passes(g, &p, &d);
    if (s == SGS_OK && text) {
        sgs_buf b = { 0 };
        sgs_print_options po = { .max_elements = 8 };
        sgs_graph_print_with(g, &po, &b);
        fputs(b.p, stdout);
        sgs_buf_free(&b);
    }
    if (s == SGS_OK && nin >= 0)
        s = run(g, in, nin, prefix, &d);
    sgs_graph_free(g);
    return s == SGS_OK ? 0 : fail(&d);
}
