/* The .sim reader: what reads verifies, and what is written of it reads back to the same text. */
#include <stdlib.h>
#include <string.h>

#include "import/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void print(sgs_graph *g, sgs_buf *b)
{
    const sgs_print_options o = { .renumber = true };
    sgs_graph_print_with(g, &o, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    sgs_graph *g, *again;
    sgs_diag d = { 0 };
    sgs_buf file = { 0 }, before = { 0 }, after = { 0 };
    sgs_sim_kind((sgs_span){ data, n });
    if (sgs_sim_read_span(&g, "fuzz.sim", (sgs_span){ data, n }, &d) != SGS_OK)
        return 0;
    if (sgs_graph_verify(g, &d) != SGS_OK)
        abort();
    print(g, &before);
    if (sgs_sim_write_buf(g, &file, &d) == SGS_OK) {
        if (sgs_sim_read_span(&again, "again.sim", (sgs_span){ (const uint8_t *)file.p, file.n }, &d) != SGS_OK)
            abort();
        print(again, &after);
        if (before.n != after.n || (before.n && memcmp(before.p, after.p, before.n)))
            abort();
        sgs_graph_free(again);
    }
    sgs_buf_free(&file);
    sgs_buf_free(&before);
    sgs_buf_free(&after);
    sgs_graph_free(g);
    return 0;
}
