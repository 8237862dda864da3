/* From statistics to the fixed-point model: the level's recipe, then one model by it. */
#include <string.h>

#include "quant/refine.h"

/* Those of a graph of the same file, at least as wide as ties ask; the quantizer uses the table up. */
static sgs_range *ranges(const sgs_making *m, sgs_graph *g)
{
    sgs_range *range = SGS_NEW_N(g->arena, sgs_range, g->nvalue + 1);
    memcpy(range, m->range, (size_t)m->g->nvalue * sizeof *range);
    for (int i = 0; i < m->g->nvalue; i++) {
        sgs_range *r = &range[i];
        const size_t bytes = (size_t)r->channels * sizeof *r->lo;
        if (!r->channels)
            continue;
        r->lo = memcpy(SGS_NEW_N(g->arena, float, r->channels), r->lo, bytes);
        r->hi = memcpy(SGS_NEW_N(g->arena, float, r->channels), r->hi, bytes);
        if (m->least && m->least[i] > 0 && m->least[i] > r->hi[0]) /* 0: nothing */
            r->hi[0] = m->least[i];
    }
    return range;
}

static sgs_qoptions options(const sgs_making *m, sgs_graph *g, const sgs_recipe *recipe, const sgs_log *log)
{
    sgs_qoptions o = sgs_qoptions_from(m->ini, g);
    o.params = m->params;
    o.least = m->least;
    o.recipe = *recipe;
    o.threads = m->threads;
    o.kept = m->kept;
    o.log = log;
    return o;
}

sgs_status sgs_make_by(sgs_graph **out, const sgs_making *m, const sgs_recipe *recipe, const sgs_log *log, sgs_diag *d)
{
    const sgs_qoptions first = options(m, m->g, recipe, log);
    *out = NULL;
    SGS_TRY(sgs_float_model_read_with(out, m->path, &first, d));
    const sgs_qoptions o = options(m, *out, recipe, log);
    const sgs_status s = sgs_quantize(*out, ranges(m, *out), &o, d);
    if (s == SGS_OK)
        return s;
    sgs_graph_free(*out);
    *out = NULL;
    return s;
}

static sgs_status make(sgs_graph **out, const sgs_making *asked, sgs_arena *a, sgs_diag *d)
{
    uint8_t hash[32];
    sgs_making keeps = *asked;
    const sgs_making *m = &keeps;
    keeps.kept = sgs_kept_scales_new(a, m->g->nvalue);
    const sgs_recipe recipe = sgs_refine(m, a);
    SGS_TRY(sgs_make_by(out, m, &recipe, m->log, d));
    SGS_TRY(sgs_frame_images(*out, m->ini, d));
    sgs_statistics_hash(m->statistics, hash);
    sgs_fixed_mark(*out, m->ini, &m->mode, hash);
    return sgs_graph_verify(*out, d);
}

sgs_status sgs_make_fixed(sgs_graph **out, const sgs_making *m, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    *out = NULL;
    if (!a)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    const sgs_status s = make(out, m, a, d);
    sgs_arena_free(a);
    if (s == SGS_OK)
        return s;
    sgs_graph_free(*out);
    *out = NULL;
    return s;
}
