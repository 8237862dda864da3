/* Graphs within and functions.  Which branch is taken and how often a loop runs must be known when the shapes are: the
 * nodes take the place of the node that has them, those of a loop once for each iteration. */
#include "ops/control.h"

#include <string.h>

/* ---- building a body ---- */

/* Both kinds of excess come from files that are small: each body may hold others. */
static sgs_status check_size(sgs_import *im, const sgs_source_node *s, const sgs_body_run *r, sgs_diag *d)
{
    im->built += r->body->nnode ? r->body->nnode : 1;
    if (im->depth >= SGS_SRC_DEPTH)
        return sgs_src_refuse(im, s, d, "graphs and functions are nested deeper than %d", SGS_SRC_DEPTH);
    if (im->built <= SGS_SRC_NODES)
        return SGS_OK;
    sgs_src_refuse(
        im, s, d,
        "the nodes of graphs and functions come to %lld, each counted as often as it is built: %d are the most",
        (long long)im->built, SGS_SRC_NODES);
    if (r->rounds)
        sgs_hint(d, "a loop is written out, iteration by iteration: this was number %lld", (long long)r->round + 1);
    return SGS_E_UNSUPPORTED;
}

static void bind_inputs(sgs_import *im, const sgs_body_run *r)
{
    const sgs_src_body *b = r->body;
    for (int i = 0; i < b->nin; i++)
        sgs_src_bind(im, b->in[i], r->in[i]);
    for (int i = 0; i < b->ninit; i++)
        sgs_src_bind(im, b->init_name[i], (sgs_src_bound){ b->init[i], NULL });
}

static sgs_status build_nodes(sgs_import *im, const sgs_body_run *r, bool *full, sgs_diag *d)
{
    const sgs_src_body *b = r->body;
    bind_inputs(im, r);
    for (int i = 0; i < b->nnode; i++) {
        *full = !sgs_try_alloc(im->g->arena, 1);
        SGS_TRY(*full ? SGS_E_LIMIT : sgs_src_build(im, &b->node[i], d));
    }
    for (int i = 0; i < b->nout; i++)
        r->out[i] = sgs_src_get(im, b->out[i]);
    return SGS_OK;
}

static sgs_status check_outputs(sgs_import *im, const sgs_source_node *s, const sgs_body_run *r, sgs_diag *d)
{
    for (int i = 0; i < r->body->nout; i++)
        if (!r->out[i].v && !r->out[i].list)
            return sgs_src_fail(im, s, d, "output '%s' of its %s does not exist", r->body->out[i], r->what);
    return SGS_OK;
}

static const char *place_of(sgs_import *im, const sgs_source_node *s, const sgs_body_run *r)
{
    const char *around = im->place ? im->place : "";
    if (r->rounds)
        return sgs_format(im->g->arena, "%s%s[%lld]/", around, sgs_src_label(s), (long long)r->round);
    return r->sealed ? sgs_format(im->g->arena, "%s%s/", around, sgs_src_label(s)) : im->place;
}

sgs_status sgs_build_body(sgs_import *im, const sgs_source_node *s, const sgs_body_run *r, sgs_diag *d)
{
    bool full = false;
    SGS_TRY(check_size(im, s, r, d));
    const sgs_src_scope around = im->scope;
    const bool unnamed = im->unnamed;
    const char *place = im->place;
    im->scope = sgs_src_scope_new(im->g->arena, r->sealed ? NULL : &around);
    im->unnamed = true;
    im->place = place_of(im, s, r);
    im->depth++;
    const sgs_status built = build_nodes(im, r, &full, d);
    im->scope = around;
    im->unnamed = unnamed;
    im->place = place;
    im->depth--;
    if (full)
        return sgs_src_refuse(im, s, d, "the nodes of its graphs exceed the memory limit");
    SGS_TRY(built);
    return check_outputs(im, s, r, d);
}

sgs_status sgs_body_out(sgs_import *im, const sgs_source_node *s, int i, sgs_src_bound b, sgs_diag *d)
{
    sgs_value *y;
    if (i >= s->nout || !s->out[i][0])
        return SGS_OK;
    if (b.list)
        return sgs_src_out_list(im, s, i, b.list, d);
    if (im->unnamed || (b.v->def && !b.v->nname)) /* free to take the name, if there is one */
        return sgs_src_out(im, s, i, b.v, d);
    SGS_TRY(sgs_emit_same(im, s, b.v, &y, d));
    return sgs_src_out(im, s, i, y, d);
}

sgs_status sgs_src_body_of(sgs_import *im, const sgs_source_node *s, const char *name, const sgs_src_body **b,
                           sgs_diag *d)
{
    const sgs_src_attr *a = sgs_src_find(s, name);
    if (!a || a->kind != SGS_SRC_BODY)
        return sgs_src_fail(im, s, d, "%s is missing: expected a graph", name);
    *b = a->body;
    return SGS_OK;
}

/* ---- If ---- */

static sgs_status from_onnx_if(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *condition;
    const sgs_src_body *b;
    SGS_TRY(sgs_src_in(im, s, 0, &condition, d));
    if (!condition->constant || condition->type != SGS_BOOL || sgs_value_count(condition) != 1) {
        sgs_src_refuse(im, s, d, "its condition '%s' is known only at run time", s->in[0]);
        sgs_hint(d, "export the model with the branch that it shall take, or cut it before this node");
        return SGS_E_UNSUPPORTED;
    }
    const char *name = *(const uint8_t *)sgs_const_data(condition) ? "then_branch" : "else_branch";
    SGS_TRY(sgs_src_body_of(im, s, name, &b, d));
    if (b->nout < s->nout)
        return sgs_src_fail(im, s, d, "%s: expected a graph of %d output%s, found %d", name, s->nout,
                            s->nout == 1 ? "" : "s", b->nout);
    if (b->nin)
        return sgs_src_fail(im, s, d, "%s: expected a graph without inputs, found %d", name, b->nin);
    sgs_src_bound *out = SGS_NEW_N(im->g->arena, sgs_src_bound, b->nout + 1);
    SGS_TRY(sgs_build_body(im, s, &(sgs_body_run){ .body = b, .out = out, .what = name }, d));
    for (int i = 0; i < s->nout; i++)
        SGS_TRY(sgs_body_out(im, s, i, out[i], d));
    return SGS_OK;
}

/* ---- what Loop and Scan share ---- */

typedef struct loop {
    sgs_spell *p;
    const sgs_src_body *body;
    int nstate, nscan;       /* tensors that go from one iteration to the next; that are collected */
    sgs_src_bound *in, *out; /* of the body: its own before and behind the states included */
    sgs_value ***scan;       /* [nscan][rounds] */
    int64_t rounds, room;
} loop;

/* `first`: inputs of the body before its states; `before`: its outputs before them. */
static void start(loop *l)
{
    sgs_arena *a = l->p->im->g->arena;
    l->in = SGS_NEW_N(a, sgs_src_bound, l->body->nin + 1);
    l->out = SGS_NEW_N(a, sgs_src_bound, l->body->nout + 1);
    l->scan = SGS_NEW_N(a, sgs_value **, l->nscan + 1);
}

/* The body once more; keep: what it gives to be collected is. */
static void run_once(loop *l, bool keep)
{
    sgs_spell *p = l->p;
    const sgs_body_run r = {
        .body = l->body, .in = l->in, .out = l->out, .what = "body", .rounds = true, .round = l->rounds
    };
    if (p->status == SGS_OK)
        p->status = sgs_build_body(p->im, p->s, &r, p->d);
    const bool grows = p->status == SGS_OK && keep && l->rounds == l->room;
    l->room = grows ? 2 * l->room + 1 : l->room;
    for (int i = 0; i < l->nscan && p->status == SGS_OK; i++) {
        const sgs_src_bound b = l->out[l->body->nout - l->nscan + i];
        if (!b.v)
            sgs_sp_fail(p, "output '%s' of its body is a sequence of tensors: expected a tensor",
                        l->body->out[l->body->nout - l->nscan + i]);
        sgs_value **more = grows ? SGS_NEW_N(p->im->g->arena, sgs_value *, l->room) : l->scan[i];
        if (grows && l->rounds)
            memcpy(more, l->scan[i], (size_t)l->rounds * sizeof *more);
        l->scan[i] = more;
        if (keep)
            more[l->rounds] = b.v;
    }
    l->rounds += keep;
}

/* One tensor of all, along an axis of its own. */
static sgs_value *stacked(sgs_spell *p, sgs_value **item, int n, int64_t axis)
{
    for (int i = 0; i < n; i++)
        item[i] = sgs_sp_unsqueeze(p, item[i], (int)axis);
    return sgs_sp_concat(p, n, item, (int)axis);
}

static void give_states(loop *l, const sgs_src_bound *state)
{
    sgs_spell *p = l->p;
    for (int i = 0; i < l->nstate && p->status == SGS_OK; i++)
        p->status = sgs_body_out(p->im, p->s, i, state[i], p->d);
}

/* ---- Loop ---- */

/* One number that is known now; absent: `none`. */
static int64_t known(sgs_spell *p, int i, const char *what, int64_t none)
{
    int64_t v = none;
    int n = 0;
    sgs_value *x = sgs_src_opt(p->im, p->s, i);
    if (i >= p->s->nin - p->s->ncaptured || !p->s->in[i][0] || p->status != SGS_OK)
        return none;
    if (x && x->constant && x->type == SGS_BOOL && sgs_value_count(x) == 1)
        return *(const uint8_t *)sgs_const_data(x) != 0;
    if (!x || !x->constant)
        sgs_sp_refuse(p, "its %s '%s' is known only at run time", what, p->s->in[i]);
    else
        p->status = sgs_src_const_ints(p->s, x, &v, 1, &n, p->d);
    return v;
}

/* Whether the body that has run wants to run again. */
static bool goes_on(loop *l)
{
    const sgs_value *c = l->p->status == SGS_OK ? l->out[0].v : NULL;
    if (l->p->status == SGS_OK && (!c || !c->constant || c->type != SGS_BOOL || sgs_value_count(c) != 1))
        sgs_sp_refuse(l->p, "whether it goes on after iteration %lld, '%s' of its body, is known only at run time",
                      (long long)l->rounds, l->body->out[0]);
    return l->p->status == SGS_OK && *(const uint8_t *)sgs_const_data(c);
}

/* Of a loop that never runs: no elements of what a first iteration would give, which nobody uses. */
static sgs_value *none_collected(loop *l, int i)
{
    sgs_value *one = sgs_sp_unsqueeze(l->p, l->out[1 + l->nstate + i].v, 0);
    return sgs_sp_slice(l->p, one, 0, 0, 0, 1);
}

static sgs_src_bound state_in(sgs_spell *p, int i)
{
    const sgs_src_bound b = sgs_src_get(p->im, p->s->in[i]);
    if (!b.v && !b.list)
        sgs_sp_fail(p, "input %d is missing", i);
    return b;
}

static void check_loop(loop *l)
{
    const sgs_source_node *s = l->p->s;
    const int own = s->nin - s->ncaptured;
    if (l->nscan < 0 || l->nstate < 0 || own != l->nstate + 2)
        sgs_sp_fail(l->p,
                    "a body of %d inputs and %d outputs does not fit %d inputs: expected one input and one output or "
                    "more for each of them but the first",
                    l->body->nin, l->body->nout, own);
    else if (s->nout > l->nstate + l->nscan)
        sgs_sp_fail(l->p, "expected a body of %d outputs or more, found %d", s->nout + 1, l->body->nout);
}

static sgs_status from_onnx_loop(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const uint8_t yes = 1;
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    loop l = { .p = p };
    SGS_TRY(sgs_src_body_of(im, s, "body", &l.body, d));
    l.nstate = l.body->nin - 2;
    l.nscan = l.body->nout - 1 - l.nstate;
    check_loop(&l);
    const int64_t trips = known(p, 0, "trip count", INT64_MAX);
    bool again = known(p, 1, "condition", 1) && trips > 0;
    SGS_TRY(p->status);
    start(&l);
    sgs_src_bound *state = l.in + 2;
    for (int i = 0; i < l.nstate; i++)
        state[i] = state_in(p, 2 + i);
    again = again && p->status == SGS_OK;
    l.in[1].v = sgs_const_new(im->g, SGS_BOOL, 0, NULL, &yes, true);
    while (again) {
        l.in[0].v = sgs_const_new(im->g, SGS_S64, 0, NULL, &l.rounds, true);
        run_once(&l, true);
        again = goes_on(&l) && l.rounds < trips;
        SGS_TRY(p->status);
        memcpy(state, l.out + 1, (size_t)l.nstate * sizeof *state);
    }
    if (!l.rounds && l.nscan) {
        l.in[0].v = sgs_const_new(im->g, SGS_S64, 0, NULL, &l.rounds, true);
        run_once(&l, false);
    }
    give_states(&l, state);
    for (int i = 0; i < l.nscan && p->status == SGS_OK; i++)
        if (sgs_sp_wants(p, l.nstate + i))
            sgs_sp_out(p, l.nstate + i, l.rounds ? stacked(p, l.scan[i], (int)l.rounds, 0) : none_collected(&l, i));
    return p->status;
}

/* ---- Scan ---- */

typedef struct scan {
    loop l;
    int ninput; /* tensors it goes along */
    int64_t length, *axis, *back, *out_axis, *out_back;
} scan;

static int64_t *list(sgs_spell *p, const char *name, int n)
{
    int count = 0;
    int64_t *v = SGS_NEW_N(p->im->g->arena, int64_t, n + 1);
    if (p->status == SGS_OK)
        p->status = sgs_src_ints(p->s, name, v, n, n, &count, p->d);
    return v;
}

static sgs_value *scanned(const scan *c, int i)
{
    return sgs_src_get(c->l.p->im, c->l.p->s->in[c->l.nstate + i]).v;
}

/* All of one length along their axes. */
static void find_length(scan *c)
{
    sgs_spell *p = c->l.p;
    for (int i = 0; i < c->ninput && p->status == SGS_OK; i++) {
        sgs_value *x = sgs_sp_in(p, c->l.nstate + i);
        if (p->status == SGS_OK)
            p->status = sgs_src_axis(p->im, p->s, &c->axis[i], x->rank, p->d);
        const int64_t length = p->status == SGS_OK ? x->dim[c->axis[i]] : 0;
        c->length = i ? c->length : length;
        if (p->status == SGS_OK && length != c->length)
            sgs_sp_fail(p, "input '%s' has %lld elements along its axis, the first one %lld", p->s->in[c->l.nstate + i],
                        (long long)length, (long long)c->length);
    }
    if (p->status == SGS_OK && c->length < 1)
        sgs_sp_refuse(p, "there is nothing to go along: an axis of 0 elements");
}

static void read_scan(scan *c)
{
    sgs_spell *p = c->l.p;
    const sgs_source_node *s = p->s;
    const sgs_src_body *b = c->l.body;
    const int64_t n = sgs_sp_int(p, "num_scan_inputs", 0);
    if (p->status == SGS_OK &&
        (n < 1 || n > b->nin || s->nin - s->ncaptured != b->nin || s->nout > b->nout || b->nout < b->nin - n))
        sgs_sp_fail(
            p, "a body of %d inputs and %d outputs does not fit %d inputs, %lld of them to go along, and %d outputs",
            b->nin, b->nout, s->nin - s->ncaptured, (long long)n, s->nout);
    if (p->status != SGS_OK)
        return;
    c->ninput = (int)n;
    c->l.nstate = b->nin - c->ninput;
    c->l.nscan = b->nout - c->l.nstate;
    c->axis = list(p, "scan_input_axes", c->ninput);
    c->back = list(p, "scan_input_directions", c->ninput);
    c->out_axis = list(p, "scan_output_axes", c->l.nscan);
    c->out_back = list(p, "scan_output_directions", c->l.nscan);
    find_length(c);
}

static void give_scan(scan *c, int i)
{
    sgs_spell *p = c->l.p;
    sgs_value **item = c->l.scan[i], *swap;
    const int n = (int)c->length;
    if (p->status == SGS_OK)
        p->status = sgs_src_axis(p->im, p->s, &c->out_axis[i], item[0]->rank + 1, p->d);
    for (int k = 0; c->out_back[i] && k < n / 2; k++)
        swap = item[k], item[k] = item[n - 1 - k], item[n - 1 - k] = swap;
    if (p->status == SGS_OK)
        sgs_sp_out(p, c->l.nstate + i, stacked(p, item, n, c->out_axis[i]));
}

static sgs_status from_onnx_scan(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    scan c = { .l = { .p = p } };
    SGS_TRY(sgs_src_body_of(im, s, "body", &c.l.body, d));
    read_scan(&c);
    SGS_TRY(p->status);
    start(&c.l);
    for (int i = 0; i < c.l.nstate; i++)
        c.l.in[i] = state_in(p, i);
    for (int64_t k = 0; k < c.length && p->status == SGS_OK; k++) {
        for (int i = 0; i < c.ninput; i++) {
            sgs_value *part = sgs_sp_slice(p, scanned(&c, i), (int)c.axis[i], c.back[i] ? c.length - 1 - k : k, 1, 1);
            c.l.in[c.l.nstate + i].v = sgs_sp_squeeze(p, part, (int)c.axis[i]);
        }
        run_once(&c.l, true);
        memcpy(c.l.in, c.l.out, (size_t)c.l.nstate * sizeof *c.l.in);
    }
    give_states(&c.l, c.l.in);
    for (int i = 0; i < c.l.nscan && p->status == SGS_OK; i++)
        if (sgs_sp_wants(p, c.l.nstate + i))
            give_scan(&c, i);
    return p->status;
}

/* ---- functions of the model ---- */

typedef struct call {
    sgs_import *im;
    const sgs_source_node *s;
    const sgs_src_function *f;
} call;

static const sgs_src_attr *attr_of(const call *c, const char *name)
{
    const sgs_src_attr *a = sgs_src_find(c->s, name);
    for (int i = 0; i < c->f->nattr && !a; i++)
        if (!strcmp(c->f->attr[i].name, name))
            a = &c->f->attr[i];
    return a;
}

/* An input of the function for which the caller gives nothing. */
static bool is_absent(const call *c, const char *name)
{
    for (int i = 0; i < c->f->body.nin; i++)
        if (!strcmp(c->f->body.in[i], name))
            return i >= c->s->nin || !c->s->in[i][0];
    return false;
}

static sgs_source_node *settle(const call *c, const sgs_source_node *from, int n);

/* The attributes of a node with the caller's values; those that nobody gives stay away.  NULL: no memory. */
static sgs_src_attr *settle_attrs(const call *c, const sgs_source_node *from, int *n)
{
    sgs_src_attr *to = sgs_try_alloc(c->im->g->arena, ((size_t)from->nattr + 1) * sizeof *to);
    *n = 0;
    for (int i = 0; i < from->nattr && to; i++) {
        const sgs_src_attr *a = &from->attr[i], *value = a->ref ? attr_of(c, a->ref) : a;
        if (!value)
            continue;
        to[*n] = *value;
        to[*n].name = a->name;
        to[*n].ref = NULL;
        if (!a->ref && a->kind == SGS_SRC_BODY) {
            sgs_src_body *b = sgs_try_alloc(c->im->g->arena, sizeof *b);
            if (b) {
                *b = *a->body;
                b->node = settle(c, a->body->node, a->body->nnode);
            }
            if (!b || !b->node)
                return NULL;
            to[*n].body = b;
        }
        (*n)++;
    }
    return to;
}

static sgs_source_node *settle(const call *c, const sgs_source_node *from, int n)
{
    sgs_source_node *to = sgs_try_alloc(c->im->g->arena, ((size_t)n + 1) * sizeof *to);
    for (int i = 0; i < n && to; i++) {
        to[i] = from[i];
        const char **in = sgs_try_alloc(c->im->g->arena, ((size_t)from[i].nin + 1) * sizeof *in);
        to[i].attr = settle_attrs(c, &from[i], &to[i].nattr);
        to[i].in = in;
        if (!to[i].attr || !in)
            return NULL;
        for (int k = 0; k < from[i].nin; k++)
            in[k] = is_absent(c, from[i].in[k]) ? "" : from[i].in[k];
    }
    return to;
}

sgs_status sgs_from_function(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const sgs_src_function *f = sgs_src_function_of(im, s);
    const call c = { im, s, f };
    for (const sgs_src_call *k = im->call; k; k = k->from)
        if (k->f == f)
            return sgs_src_refuse(im, s, d, "the function calls itself");
    if (s->nin > f->body.nin || s->nout > f->body.nout)
        return sgs_src_fail(im, s, d,
                            "the function has %d inputs and %d outputs: expected as many or fewer, found %d and %d",
                            f->body.nin, f->body.nout, s->nin, s->nout);
    sgs_src_body b = f->body;
    b.node = settle(&c, f->body.node, f->body.nnode);
    if (!b.node)
        return sgs_src_refuse(im, s, d, "the nodes of its graphs exceed the memory limit");
    sgs_src_bound *in = SGS_NEW_N(im->g->arena, sgs_src_bound, b.nin + 1),
                  *out = SGS_NEW_N(im->g->arena, sgs_src_bound, b.nout + 1);
    for (int i = 0; i < s->nin; i++)
        in[i] = sgs_src_get(im, s->in[i]);
    const sgs_src_call here = { f, im->call };
    im->call = &here;
    const sgs_status built = sgs_build_body(
        im, s, &(sgs_body_run){ .body = &b, .in = in, .out = out, .what = "function", .sealed = true }, d);
    im->call = here.from;
    SGS_TRY(built);
    for (int i = 0; i < s->nout; i++)
        SGS_TRY(sgs_body_out(im, s, i, out[i], d));
    return SGS_OK;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = {
    { "If", from_onnx_if, 1 }, { "Loop", from_onnx_loop, 1 }, { "Scan", from_onnx_scan, 9 }, { NULL, NULL, 0 }
};
const sgs_family sgs_family_control = { "control", ops, .onnx = onnx };
