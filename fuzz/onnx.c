/* ONNX: any bytes are imported or refused; what is imported is a good graph, stays one through the passes, and small ones run.  What can be
 * surveyed can be written as a part. */
#include <stdlib.h>

#include "import/model.h"
#include "import/onnx.h"
#include "pass/pass.h"
#include "sim/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Running costs as many steps as there are products. */
static bool is_small(const sgs_graph *g)
{
    int64_t all = 0;
    for (const sgs_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin + n->nout; i++) {
            const sgs_value *v = i < n->nin ? n->in[i] : n->out[i - n->nin];
            int64_t count = v ? sgs_value_count(v) : 0;
            if (count > 1 << 12 || (all += count) > 1 << 15)
                return false;
        }
    return true;
}

static sgs_status run(sgs_graph *g, sgs_diag *d)
{
    sgs_session *s;
    SGS_TRY(sgs_session_new(&s, g, false, d));
    sgs_status st = sgs_session_run(s, d);
    sgs_session_free(s);
    return st;
}

static void write_part(sgs_span model, const sgs_import_options *o)
{
    sgs_survey survey;
    sgs_graph *g;
    sgs_diag d = { 0 };
    sgs_buf b = { 0 };
    if (sgs_model_look_span(&g, &survey, "/nonexistent/fuzz.onnx", model, o, &d) != SGS_OK)
        return;
    sgs_onnx_part p = { .model = model, .s = &survey };
    if (sgs_onnx_write_part(&p, &b, &d) == SGS_E_INTERNAL)
        abort();
    sgs_buf_free(&b);
    sgs_graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sgs_import_options o = { .memory_limit = (int64_t)64 << 20 };
    sgs_graph *g;
    sgs_diag d = { 0 };
    write_part((sgs_span){ data, size }, &o);
    /* A folder without files: external data is looked for, never found. */
    sgs_status s = sgs_model_import_span(&g, "/nonexistent/fuzz.onnx", (sgs_span){ data, size }, &o, &d);
    if (s != SGS_OK) {
        if (s == SGS_E_INTERNAL || !d.text[0])
            abort();
        return 0;
    }
    s = sgs_graph_verify(g, &d);
    if (s != SGS_OK)
        abort();
    if (is_small(g)) {
        s = sgs_run_passes(g, &(sgs_pass_options){ .verify = true }, &d);
        if (s == SGS_OK)
            s = run(g, &d);
        if (s == SGS_E_INTERNAL)
            abort();
    }
    sgs_graph_free(g);
    return 0;
}
