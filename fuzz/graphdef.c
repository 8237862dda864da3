/* TensorFlow's GraphDef: any bytes are imported or refused; what is imported is a good graph, stays one through the
 * passes, and small ones run. */
#include <stdlib.h>

#include "import/frontend.h"
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

static void look(sgs_span model, const sgs_import_options *o)
{
    sgs_survey survey;
    sgs_graph *g;
    sgs_diag d = { 0 };
    const sgs_status s = sgs_model_look_span(&g, &survey, "fuzz.pb", model, o, &d);
    if (s == SGS_OK)
        sgs_graph_free(g);
    else if (s == SGS_E_INTERNAL || !d.text[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sgs_import_options o = { .frontend = &sgs_frontend_tensorflow, .memory_limit = (int64_t)64 << 20 };
    sgs_graph *g;
    sgs_diag d = { 0 };
    look((sgs_span){ data, size }, &o);
    sgs_status s = sgs_model_import_span(&g, "fuzz.pb", (sgs_span){ data, size }, &o, &d);
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
