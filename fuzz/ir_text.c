/* The IR's text form: what parses prints, what is printed parses to the same, and the passes keep a good graph good. */
#include <stdlib.h>
#include <string.h>

#include "pass/pass.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Folding and flattening cost as many steps as there are elements. */
static bool is_small(const sgs_graph *g)
{
    for (const sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            if (sgs_value_count(n->out[i]) > 1 << 12)
                return false;
    return true;
}

static void print_parses(sgs_graph *g)
{
    sgs_buf once = { 0 }, twice = { 0 };
    sgs_graph *again;
    sgs_graph_print(g, &once);
    if (sgs_graph_parse(&again, "printed", (sgs_span){ (const uint8_t *)once.p, once.n }, NULL) != SGS_OK)
        abort();
    sgs_graph_print(again, &twice);
    if (once.n != twice.n || (once.n && memcmp(once.p, twice.p, once.n)))
        abort();
    sgs_graph_free(again);
    sgs_buf_free(&once);
    sgs_buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    sgs_graph *g;
    sgs_diag d = { 0 };
    if (sgs_graph_parse(&g, "fuzz", (sgs_span){ data, n }, &d) != SGS_OK)
        return 0;
    print_parses(g);
    if (sgs_graph_verify(g, &d) == SGS_OK && is_small(g)) {
        sgs_status s = sgs_run_passes(g, &(sgs_pass_options){ .verify = true }, &d);
        if (s == SGS_E_INTERNAL)
            abort();
        print_parses(g);
    }
    sgs_graph_free(g);
    return 0;
}
