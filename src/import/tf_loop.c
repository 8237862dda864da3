/* Loops of a GraphDef's frames as one While each: Enter brings a tensor into the frame, a Merge takes it in the first
 * turn and NextIteration's in the others, a Switch hands it to the body or, when LoopCond says no, to Exit. */
#include <string.h>

#include "import/tf_read.h"

typedef struct variable { /* nodes; -1: none */
    int enter, merge, next, switched;
} variable;

typedef struct frame {
    sgs_span name;
    variable *v;
    int n, loop_cond;
    int *fixed, nfixed; /* Enter nodes of what stays as it is */
    int *of;            /* node -> 1 + the variable whose Enter, Merge or Switch it is; 0: none */
} frame;

static bool is(const sgs_tf_node *n, const char *op)
{
    return !strcmp(n->s.op, op) || (!strncmp(n->s.op, "Ref", 3) && !strcmp(n->s.op + 3, op));
}

static sgs_status no_room(sgs_diag *d)
{
    return sgs_fail(d, SGS_E_LIMIT, "the nodes exceed the memory limit");
}

/* The node that makes input k, where it has this operator; -1: it does not. */
static int maker(const sgs_tf_graph *g, const sgs_tf_node *n, int k, const char *op)
{
    const int i = k < n->nin && n->in[k].port != TF_CONTROL ? n->in[k].node : -1;
    return i >= 0 && is(&g->node[i], op) ? i : -1;
}

static bool in_frame(const sgs_tf_node *enter, sgs_span name)
{
    const sgs_src_attr *a = sgs_src_find(&enter->s, "frame_name");
    return a && a->kind == SGS_SRC_STRING && a->s.n == name.n && !memcmp(a->s.p, name.p, name.n);
}

/* ---- finding a frame's nodes ---- */

static sgs_status add_variable(sgs_tf_graph *g, frame *f, int merge, sgs_diag *d)
{
    const sgs_tf_node *m = &g->node[merge];
    const int first = maker(g, m, 0, "Enter") >= 0 ? 0 : 1;
    const variable v = { maker(g, m, first, "Enter"), merge, maker(g, m, !first, "NextIteration"), -1 };
    if (v.enter < 0 || v.next < 0 || g->node[v.next].nin < 1 || g->node[v.enter].nin < 1 ||
        !in_frame(&g->node[v.enter], f->name))
        return SGS_OK;
    variable *to = sgs_push(g->o->a, &f->v, &f->n, sizeof *to);
    if (!to)
        return no_room(d);
    *to = v;
    f->of[v.enter] = f->of[merge] = f->n;
    return SGS_OK;
}

static sgs_status add_fixed(sgs_tf_graph *g, frame *f, int enter, sgs_diag *d)
{
    if (f->of[enter])
        return SGS_OK;
    int *to = sgs_push(g->o->a, &f->fixed, &f->nfixed, sizeof *to);
    if (!to)
        return no_room(d);
    *to = enter;
    return SGS_OK;
}

static sgs_status find_nodes(sgs_tf_graph *g, frame *f, sgs_diag *d)
{
    for (int i = 0; i < g->n; i++)
        if (!g->node[i].dead && is(&g->node[i], "Merge"))
            SGS_TRY(add_variable(g, f, i, d));
    for (int i = 0; i < g->n; i++)
        if (is(&g->node[i], "Enter") && g->node[i].nin && in_frame(&g->node[i], f->name))
            SGS_TRY(add_fixed(g, f, i, d));
    for (int i = 0; i < g->n; i++) {
        const bool taken = is(&g->node[i], "Switch");
        const int merge = taken ? maker(g, &g->node[i], 0, "Merge") : -1,
                  cond = taken ? maker(g, &g->node[i], 1, "LoopCond") : -1;
        if (merge < 0 || cond < 0 || !f->of[merge])
            continue;
        f->v[f->of[merge] - 1].switched = i;
        f->of[i] = f->of[merge];
        f->loop_cond = cond;
    }
    return SGS_OK;
}

/* ---- the loop ---- */

/* Nodes at which the walk through cond or body ends: those of the frame, and what closes a loop of another one. */
static uint8_t *border(const sgs_tf_graph *g, const frame *f)
{
    uint8_t *state = sgs_try_alloc(g->o->a, (size_t)g->n);
    for (int i = 0; i < g->n && state; i++)
        state[i] = is(&g->node[i], "NextIteration") ? SGS_TF_DONE : 0;
    for (int i = 0; i < f->n && state; i++) {
        state[f->v[i].merge] = state[f->v[i].enter] = SGS_TF_DONE;
        if (f->v[i].switched >= 0)
            state[f->v[i].switched] = SGS_TF_DONE;
    }
    for (int i = 0; i < f->nfixed && state; i++)
        state[f->fixed[i]] = SGS_TF_DONE;
    if (state)
        state[f->loop_cond] = SGS_TF_DONE;
    return state;
}

/* `state`: which nodes the body consists of, with the border. */
static sgs_status take_body(sgs_tf_graph *g, const frame *f, bool whole, sgs_src_body *b, uint8_t *state, sgs_diag *d)
{
    const int n = f->n + f->nfixed;
    sgs_tf_input *out = sgs_try_alloc(g->o->a, ((size_t)n + 1) * sizeof *out);
    b->in = sgs_try_alloc(g->o->a, ((size_t)n + 1) * sizeof *b->in);
    if (!out || !b->in || !state)
        return no_room(d);
    for (int i = 0; i < f->n; i++) {
        const variable *v = &f->v[i];
        b->in[b->nin++] =
            whole && v->switched >= 0 ? sgs_tf_tensor_name(g, v->switched, 1) : sgs_tf_tensor_name(g, v->merge, 0);
        out[i] = g->node[v->next].in[0];
    }
    for (int i = 0; i < f->nfixed; i++) {
        b->in[b->nin++] = sgs_tf_tensor_name(g, f->fixed[i], 0);
        out[f->n + i] = (sgs_tf_input){ .node = f->fixed[i], .text = g->node[f->fixed[i]].s.name };
    }
    if (whole)
        return sgs_tf_fill_body(g, b, out, n, state, d);
    return sgs_tf_fill_body(g, b, g->node[f->loop_cond].in, 1, state, d);
}

/* Whether the walk met nothing that the configuration names, and neither a loop nor a branch that is still open. */
static bool is_closed(const sgs_tf_graph *g, const uint8_t *border, const uint8_t *state)
{
    static const char *const open[] = { "Exit", "Enter", "Merge", "Placeholder" };
    for (int i = 0; i < g->n; i++) {
        bool fits = !g->node[i].asked || is(&g->node[i], "Const") || is(&g->node[i], "NextIteration");
        for (size_t k = 0; k < sizeof open / sizeof *open && !border[i]; k++)
            fits = fits && !is(&g->node[i], open[k]);
        if (state[i] && !fits)
            return false;
    }
    return true;
}

static sgs_status add_while(sgs_tf_graph *g, const frame *f, const sgs_src_body *cond, const sgs_src_body *body,
                            sgs_diag *d)
{
    const int n = f->n + f->nfixed;
    sgs_src_attr *attr = SGS_NEW_N(g->o->a, sgs_src_attr, 2);
    sgs_tf_input *in = sgs_try_alloc(g->o->a, ((size_t)n + 1) * sizeof *in);
    sgs_tf_node *w = sgs_push(g->o->a, &g->node, &g->n, sizeof *w);
    if (!in || !w)
        return no_room(d);
    for (int i = 0; i < n; i++)
        in[i] = g->node[i < f->n ? f->v[i].enter : f->fixed[i - f->n]].in[0];
    attr[0] = (sgs_src_attr){ .name = "cond", .kind = SGS_SRC_BODY, .body = cond };
    attr[1] = (sgs_src_attr){ .name = "body", .kind = SGS_SRC_BODY, .body = body };
    const char *name = sgs_strndup(g->o->a, (const char *)f->name.p, f->name.n);
    while (sgs_tf_find(g, name) >= 0 || !name[0])
        name = sgs_format(g->o->a, "%s_loop", name);
    *w = (sgs_tf_node){
        .s = { .op = "While", .domain = "", .name = name, .attr = attr, .nattr = 2 }, .in = in, .nin = n, .live = -1
    };
    return sgs_tf_add_name(g, g->n - 1, d);
}

/* Exits take their tensors from the While, the last node; what went into it is no part of the graph any more. */
static void settle(sgs_tf_graph *g, const frame *f, const uint8_t *state)
{
    const int loop = g->n - 1;
    for (int i = 0; i < loop; i++) {
        sgs_tf_node *n = &g->node[i];
        const int from = is(n, "Exit") ? maker(g, n, 0, "Switch") : -1;
        if (from >= 0 && f->of[from] && n->in[0].port == 0) {
            n->s.op = "Identity";
            n->nin = 1;
            n->in[0] = (sgs_tf_input){ .node = loop, .port = f->of[from] - 1, .text = n->in[0].text };
            sgs_tf_ask(g, loop, f->of[from] - 1);
        }
        n->dead = n->dead || (state[i] && !is(n, "Const") && !is(n, "NextIteration"));
    }
    for (int k = 0; k < f->n; k++)
        g->node[f->v[k].next].dead = true;
}

/* *closed stays as it is where the frame is left alone. */
static sgs_status close_frame(sgs_tf_graph *g, sgs_span name, bool *closed, sgs_diag *d)
{
    frame f = { .name = name, .loop_cond = -1, .of = sgs_try_alloc(g->o->a, (size_t)g->n * sizeof *f.of) };
    sgs_src_body *cond = SGS_NEW(g->o->a, sgs_src_body), *body = SGS_NEW(g->o->a, sgs_src_body);
    if (!f.of)
        return no_room(d);
    SGS_TRY(find_nodes(g, &f, d));
    if (f.loop_cond < 0 || g->node[f.loop_cond].nin < 1)
        return SGS_OK;
    uint8_t *around = border(g, &f), *state = border(g, &f), *of_cond = border(g, &f);
    SGS_TRY(take_body(g, &f, true, body, state, d));
    SGS_TRY(take_body(g, &f, false, cond, of_cond, d));
    for (int i = 0; i < g->n && around; i++)
        state[i] = state[i] ? state[i] : of_cond[i];
    if (!around || !is_closed(g, around, state))
        return around ? SGS_OK : no_room(d);
    SGS_TRY(add_while(g, &f, cond, body, d));
    settle(g, &f, state);
    *closed = true;
    return SGS_OK;
}

/* Inner loops are closed before the ones around them: those wait for a round in which they meet none. */
sgs_status sgs_tf_close_loops(sgs_tf_graph *g, sgs_diag *d)
{
    enum { MOST_FRAMES = 64 };
    sgs_span name[MOST_FRAMES];
    bool done[MOST_FRAMES] = { false };
    int n = 0;
    for (int i = 0; i < g->n && n < MOST_FRAMES; i++) {
        const sgs_src_attr *a = is(&g->node[i], "Enter") ? sgs_src_find(&g->node[i].s, "frame_name") : NULL;
        bool known = !a || a->kind != SGS_SRC_STRING;
        for (int k = 0; k < n && !known; k++)
            known = in_frame(&g->node[i], name[k]);
        if (!known)
            name[n++] = a->s;
    }
    for (bool more = n > 0; more;) {
        more = false;
        for (int k = 0; k < n; k++) {
            const bool was = done[k];
            if (!was)
                SGS_TRY(close_frame(g, name[k], &done[k], d));
            more = more || done[k] != was;
        }
    }
    return SGS_OK;
}
