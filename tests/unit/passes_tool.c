/* Imports an ONNX file, runs the passes with the verifier, runs what is left on one seeded or given float input, and
 * tells all:
 *
 *   passes_tool MODEL.onnx IN.bin OUT.bin [skip_simplify]
 *
 * Standard output has one line each, tab-separated: "op OP LABEL", "value NAME OFFSET DIMS" (every name of every value
 * made by a node; OFFSET counts floats in OUT.bin), "swallowed NAME VALUE", "const NAME" (constants that nodes use),
 * "output NAME". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import/model.h"
#include "interpret.h"
#include "pass/pass.h"

static int fail(const sgs_diag *d)
{
    char text[4096];
    sgs_diag_format(d, text, sizeof text);
    fputs(text, stderr);
    return 1;
}

static void tell_value(const sgs_value *v, int64_t offset)
{
    for (int i = 0; i < v->nname; i++) {
        printf("value\t%s\t%lld\t", v->name[i], (long long)offset);
        for (int k = 0; k < v->rank; k++)
            printf("%s%lld", k ? "," : "", (long long)v->dim[k]);
        printf("\n");
    }
    for (int i = 0; i < v->nswallowed; i++)
        printf("swallowed\t%s\t%s\n", v->swallowed[i], v->nname ? v->name[0] : "");
}

static sgs_status tell(sgs_graph *g, void *const *data, const char *path, sgs_diag *d)
{
    sgs_buf all = { 0 };
    for (int i = 0; i < g->nin; i++) {
        tell_value(g->in[i], (int64_t)all.n / 4);
        sgs_buf_add(&all, data[g->in[i]->id], (size_t)sgs_value_bytes(g->in[i]));
    }
    for (const sgs_node *n = g->first; n; n = n->next) {
        printf("op\t%s\t%s\n", n->op->name, sgs_node_label(g, n));
        for (int i = 0; i < n->nin; i++)
            for (int k = 0; n->in[i] && n->in[i]->constant && k < n->in[i]->nname; k++)
                printf("const\t%s\n", n->in[i]->name[k]);
        tell_value(n->out[0], (int64_t)all.n / 4);
        sgs_buf_add(&all, data[n->out[0]->id], (size_t)sgs_value_bytes(n->out[0]));
    }
    for (int i = 0; i < g->nout; i++)
        printf("output\t%s\n", sgs_value_label(g, g->out[i]));
    sgs_status s = sgs_file_write(path, all.p, all.n, d);
    sgs_buf_free(&all);
    return s;
}

int main(int argc, char **argv)
{
    sgs_diag d = { 0 };
    sgs_graph *g;
    sgs_file in;
    sgs_arena *a = sgs_arena_new();
    if (argc < 4)
        return 2;
    sgs_pass_options o = { .verify = true, .skip_simplify = argc > 4 };
    if (sgs_model_import(&g, argv[1], NULL, &d) != SGS_OK || sgs_run_passes(g, &o, &d) != SGS_OK ||
        sgs_file_open(&in, argv[2], &d) != SGS_OK)
        return fail(&d);
    if (g->nin != 1 || in.data.n != (size_t)sgs_value_bytes(g->in[0]))
        return fprintf(stderr, "the model does not have one input of this size\n"), 2;
    void **data = SGS_NEW_N(a, void *, g->nvalue + 1);
    data[g->in[0]->id] = (void *)(uintptr_t)in.data.p;
    if (!interpret(g, a, data, &d) || tell(g, data, argv[3], &d) != SGS_OK)
        return fail(&d);
    sgs_file_close(&in);
    sgs_graph_free(g);
    sgs_arena_free(a);
    return 0;
}
