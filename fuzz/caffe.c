/* Caffe: any text and any bytes of weights, a zero byte between them, are imported or refused; what is imported is a
 * good graph, stays one through the passes, and small ones run. */
#include <stdlib.h>
#include <string.h>

#include "import/model.h"
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

static void check(sgs_status s, const sgs_diag *d)
{
    if (s == SGS_E_INTERNAL || (s != SGS_OK && !d->text[0]))
        abort();
}

/* What sgs check does of a network without its weights. */
static void look(sgs_span text, sgs_import_options o)
{
    sgs_survey survey;
    sgs_graph *g;
    sgs_diag d = { 0 };
    o.weight_file = NULL;
    const sgs_status s = sgs_model_look_span(&g, &survey, "fuzz.prototxt", text, &o, &d);
    check(s, &d);
    if (s == SGS_OK)
        sgs_graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const sgs_span text = { data, end ? (size_t)(end - data) : size },
                   weights = { end ? end + 1 : data + size, end ? size - text.n - 1 : 0 };
    sgs_import_options o = { .weight_file = "fuzz.caffemodel", .weights = &weights, .memory_limit = (int64_t)64 << 20 };
    sgs_graph *g;
    sgs_diag d = { 0 };
    check(sgs_frontend_of(SGS_CAFFE, &o.frontend, &d), &d);
    look(text, o);
    sgs_status s = sgs_model_import_span(&g, "fuzz.prototxt", text, &o, &d);
    check(s, &d);
    if (s != SGS_OK)
        return 0;
    s = sgs_graph_verify(g, &d);
    if (s != SGS_OK)
        abort();
    if (is_small(g)) {
        s = sgs_run_passes(g, &(sgs_pass_options){ .verify = true }, &d);
        if (s == SGS_OK)
            s = run(g, &d);
        check(s, &d);
    }
    sgs_graph_free(g);
    return 0;
}
