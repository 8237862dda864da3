#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pass/rewrite.h"

/* Reads downwards; walked again until a whole walk changes nothing. */
const sgs_pass sgs_pipeline[] = {
    { "fold-const", sgs_pass_fold_const, true },   /* constants in, constants out */
    { "dead", sgs_pass_dead, true },               /* what folding left unused */
    { "share", sgs_pass_share, false },            /* before all that asks whether a value is used once */
    { "fold-dynamic", sgs_pass_fold_dynamic, true }, /* before all that changes how DynamicQuantizeLinear is spelled */
    { "fold-matmul", sgs_pass_fold_matmul, true }, /* needs fold-const: constant right sides. None is left */
    { "fold-mask", sgs_pass_fold_mask, true },     /* needs fold-const: constant masks */
    { "layout", sgs_pass_layout, true },           /* before all fusions: it brings the partners together */
    { "fuse-blocks", sgs_pass_fuse_blocks, false }, /* needs layout: pictures are channel-last; before a reshape of it sinks */
    { "sink-reshape", sgs_pass_sink_reshape, true }, /* after layout: no transpose between. What follows a convolution over rows meets it */
    { "fold-bn", sgs_pass_fold_bn, true },         /* needs layout and sink-reshape: nothing between. None is left */
    { "fold-arith", sgs_pass_fold_arith, false },  /* before fuse-func and fold-bias: they look for sums and products */
    { "fuse-func", sgs_pass_fuse_func, false },    /* before fold-bias: it takes the constants that tell a function */
    { "fuse-norm", sgs_pass_fuse_norm, false },    /* needs layout: axes are last; after fuse-func, for 1/sqrt; before fold-bias, which would take the scale */
    { "fold-bias", sgs_pass_fold_bias, false },    /* needs layout: channels are last */
    { "fold-pad", sgs_pass_fold_pad, false },      /* needs layout */
    { "fuse-act", sgs_pass_fuse_act, false },      /* after fold-bn and fold-bias: nothing may follow an activation */
    { "reshape", sgs_pass_reshape, false },        /* after layout: a reshape is opaque to it */
    { NULL, NULL, false },
};

#define MAX_ROUNDS 16

static sgs_status known(const char *name, sgs_diag *d)
{
    const char *names[sizeof sgs_pipeline / sizeof sgs_pipeline[0]];
    int n = 0;
    for (const sgs_pass *p = sgs_pipeline; p->name; p++) {
        if (!strcmp(p->name, name))
            return SGS_OK;
        names[n++] = p->name;
    }
    const char *near = sgs_nearest(name, names, n);
    sgs_fail(d, SGS_E_USAGE, "there is no pass '%s'", name);
    if (near)
        sgs_hint(d, "did you mean '%s'?", near);
    return SGS_E_USAGE;
}

static void say(const sgs_log *log, const char *text)
{
    if (log && log->line)
        log->line(log->user, false, text);
}

/* Long constants are elided: a log is read by people. */
static void dump(sgs_graph *g, const char *pass, int round, const sgs_log *log)
{
    sgs_buf b = { 0 };
    sgs_buf_printf(&b, "# after %s, round %d\n", pass, round);
    sgs_graph_print_with(g, &(sgs_print_options){ .max_elements = 32 }, &b);
    for (char *line = b.p, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        say(log, line);
    }
    sgs_buf_free(&b);
}

static sgs_status verify(sgs_graph *g, const char *pass, sgs_diag *d)
{
    sgs_diag found = { 0 };
    sgs_status s = sgs_graph_verify(g, &found);
    if (s == SGS_OK)
        return SGS_OK;
    sgs_fail(d, s, "after %s the graph is broken: %s", pass, found.text);
    sgs_fail_at(d, found.file, 0, found.layer[0] ? found.layer : NULL);
    return s;
}

static int passes(void)
{
    int n = 0;
    while (sgs_pipeline[n].name)
        n++;
    return n;
}

static sgs_status walk(sgs_graph *g, const sgs_pass_options *o, int round, bool *changed, sgs_diag *d)
{
    for (const sgs_pass *p = sgs_pipeline; p->name; p++) {
        if (o->skip_simplify && !p->always)
            continue;
        bool did = false;
        if (round == 1)
            sgs_log_progress(o->log, "simplify", p - sgs_pipeline, passes());
        sgs_status s = p->run(g, &did, d);
        if (s != SGS_OK) {
            sgs_fail_at(d, g->file, 0, NULL);
            return s;
        }
        *changed |= did;
        if (o->verify)
            SGS_TRY(verify(g, p->name, d));
        if (o->dump_after && !strcmp(o->dump_after, p->name) && (did || round == 1))
            dump(g, p->name, round, o->log);
    }
    return SGS_OK;
}

/* A transpose that is left is a real operation; the user should know which. */
static void report_transposes(sgs_graph *g, const sgs_log *log)
{
    int count = 0;
    sgs_buf b = { 0 };
    for (const sgs_node *n = g->first; n; n = n->next)
        if (n->op == &sgs_op_transpose && count++ < 8)
            sgs_buf_printf(&b, "%s%s", count > 1 ? ", " : "", sgs_node_label(g, n));
    char *text = sgs_format(g->arena, "%d transpose%s left: %s%s", count, count == 1 ? " is" : "s are", b.p ? b.p : "",
                            count > 8 ? ", ..." : "");
    if (count)
        say(log, text);
    sgs_buf_free(&b);
}

static sgs_status run(sgs_graph *g, const sgs_pass_options *o, sgs_diag *d)
{
    bool changed = true;
    if (o->verify)
        SGS_TRY(verify(g, "import", d));
    for (int round = 1; changed && round <= MAX_ROUNDS; round++) {
        changed = false;
        SGS_TRY(walk(g, o, round, &changed, d));
    }
    sgs_log_progress_end(o->log, "simplify");
    return SGS_OK;
}

sgs_status sgs_run_passes(sgs_graph *g, const sgs_pass_options *o, sgs_diag *d)
{
    if (o->dump_after)
        SGS_TRY(known(o->dump_after, d));
    const bool mine = sgs_users_keep(g);
    sgs_status s = run(g, o, d);
    if (mine)
        sgs_users_forget(g);
    if (s == SGS_OK)
        report_transposes(g, o->log);
    return s;
}
