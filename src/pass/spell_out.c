/* Operators of the float graph alone become what fixed point knows. */
#include "ops/spell.h"
#include "pass/pass.h"

static bool has_spelling(const sgs_node *n)
{
    return n->op->spell && !(n->op->unfixed && n->op->unfixed(n));
}

/* `old`, whose node is gone, is what `made` was: its names stay, and its id. */
static void put_in_place(sgs_graph *g, sgs_value *made, sgs_value *old)
{
    sgs_node *def = made->def;
    sgs_replace_uses(g, made, old);
    old->constant = made->constant;
    for (int i = 0; def && i < def->nout; i++)
        if (def->out[i] == made)
            def->out[i] = old;
    old->def = def;
}

static sgs_status spell(sgs_graph *g, sgs_node *n, sgs_diag *d)
{
    sgs_import im = { .g = g, .scope = sgs_src_scope_new(g->arena, NULL), .before = n };
    const sgs_source_node s = { .op = n->op->name, .domain = "", .name = sgs_node_label(g, n) };
    sgs_spell p = { .im = &im, .s = &s, .d = d };
    sgs_value **out = SGS_NEW_N(g->arena, sgs_value *, n->op->nout);
    n->op->spell(&p, n, out);
    SGS_TRY(p.status);
    sgs_node_remove(g, n);
    for (int i = 0; i < n->nout; i++)
        put_in_place(g, out[i], n->out[i]);
    return SGS_OK;
}

sgs_status sgs_spell_out(sgs_graph *g, sgs_diag *d)
{
    const sgs_pass_options passes = { .skip_simplify = sgs_meta_get(g, SGS_UNSIMPLIFIED) != NULL };
    bool any = false;
    for (sgs_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (!has_spelling(n))
            continue;
        SGS_TRY(spell(g, n, d));
        any = true;
    }
    return any ? sgs_run_passes(g, &passes, d) : SGS_OK;
}
