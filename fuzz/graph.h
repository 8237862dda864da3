/* What the fuzz targets of all frameworks do with a model: any bytes are imported or refused, with a message; what is imported is a good graph,
 * stays one through the passes, and small ones run. */
#ifndef FUZZ_GRAPH_H
#define FUZZ_GRAPH_H

#include <stdlib.h>

#include "import/frontend.h"
#include "pass/pass.h"
#include "sim/session.h"

/* A refusal says why, and is no defect of ours. */
static inline void fuzz_check(sgs_status s, const sgs_diag *d)
{
    if (s == SGS_E_INTERNAL || (s != SGS_OK && !d->text[0]))
        abort();
}

/* Running costs as many steps as there are products. */
static inline bool fuzz_is_small(const sgs_graph *g)
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

static inline sgs_status fuzz_run(sgs_graph *g, sgs_diag *d)
{
    sgs_session *s;
    SGS_TRY(sgs_run_passes(g, &(sgs_pass_options){ .verify = true }, d));
    SGS_TRY(sgs_session_new(&s, g, false, d));
    sgs_status st = sgs_session_run(s, d);
    sgs_session_free(s);
    return st;
}

/* What sgs check does. */
static inline void fuzz_look(const char *path, sgs_span model, const sgs_import_options *o)
{
    sgs_survey survey;
    sgs_graph *g;
    sgs_diag d = { 0 };
    const sgs_status s = sgs_model_look_span(&g, &survey, path, model, o, &d);
    fuzz_check(s, &d);
    if (s == SGS_OK)
        sgs_graph_free(g);
}

/* The path's folder has no files: external data is looked for, never found. */
static inline int fuzz_import(const char *path, sgs_span model, const sgs_import_options *o)
{
    sgs_graph *g;
    sgs_diag d = { 0 };
    const sgs_status s = sgs_model_import_span(&g, path, model, o, &d);
    fuzz_check(s, &d);
    if (s != SGS_OK)
        return 0;
    if (sgs_graph_verify(g, &d) != SGS_OK)
        abort();
    if (fuzz_is_small(g))
        fuzz_check(fuzz_run(g, &d), &d);
    sgs_graph_free(g);
    return 0;
}

#endif
