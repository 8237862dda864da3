/* Variables of a TFLite model, which live in no graph: what is read of one is what was assigned to it before, in this
 * run or by nodes that run once, before the first.  One that is read and then assigned anew is a state. */
#include <string.h>

#include "base/log.h"
#include "import/tflite_model.h"

typedef struct variable {
    const char *now;  /* the tensor that was assigned last, or NULL */
    const char *kept; /* the one that read what a run before left, or NULL */
} variable;

typedef struct variables {
    sgs_lite_model *m;
    sgs_map named, handles; /* its name, a tensor that leads to it -> variable */
    sgs_source_node *node;
    int nnode;
} variables;

static void take_handle(variables *t, const sgs_source_node *s)
{
    const sgs_span box = sgs_src_find(s, "container")->s, name = sgs_src_find(s, "shared_name")->s;
    const char *key =
        sgs_format(t->m->o->a, "%.*s/%.*s", (int)box.n, (const char *)box.p, (int)name.n, (const char *)name.p);
    variable *v = sgs_map_get(&t->named, key);
    if (!v) {
        v = SGS_NEW(t->m->o->a, variable);
        sgs_map_set(&t->named, key, v);
    }
    if (s->nout)
        sgs_map_set(&t->handles, s->out[0], v);
}

static void assign(const variables *t, variable *v, const sgs_source_node *s)
{
    v->now = s->in[1];
    if (v->kept)
        sgs_log_line(t->m->o->opt->log,
                     "'%s' is a state that the model keeps between runs: here every run starts with its first value; "
                     "with '%s' among the inputs and '%s' among the outputs of the configuration you keep it",
                     v->kept, v->kept, v->now);
    v->kept = NULL;
}

/* The node passes on what was assigned. */
static void read(const variables *t, variable *v, bool once, sgs_source_node *s)
{
    const char **in = SGS_NEW(t->m->o->a, const char *);
    if (!v->now) {
        s->nin = 0; /* its importer says so */
        return;
    }
    v->kept = once || v->kept ? v->kept : s->out[0];
    *in = v->now;
    s->op = "DEQUANTIZE";
    s->in = in;
    s->nin = 1;
}

/* A node at its turn; a handle that comes from outside leads nowhere, and what asks for it is refused by name. */
static sgs_status settle(variables *t, const sgs_source_node *from, bool once)
{
    sgs_source_node *s;
    SGS_TRY(sgs_lite_add(t->m, &t->node, &t->nnode, sizeof *s, &s));
    *s = *from;
    variable *v = s->nin ? sgs_map_get(&t->handles, s->in[0]) : NULL;
    if (!strcmp(s->op, "VAR_HANDLE"))
        take_handle(t, s);
    else if (v && s->nin > 1 && !strcmp(s->op, "ASSIGN_VARIABLE"))
        assign(t, v, s);
    else if (v && s->nout && !strcmp(s->op, "READ_VARIABLE"))
        read(t, v, once, s);
    return SGS_OK;
}

/* Nodes and constants of what runs once are the model's, whose runs all begin with it. */
static sgs_status take_body(variables *t, const sgs_src_body *b)
{
    sgs_model *o = t->m->o;
    for (int i = 0; i < b->nnode; i++)
        SGS_TRY(settle(t, &b->node[i], true));
    for (int i = 0; i < b->ninit; i++) {
        sgs_source_const *c;
        SGS_TRY(sgs_lite_add(t->m, &o->init, &o->ninit, sizeof *c, &c));
        *c = (sgs_source_const){ b->init_name[i], b->init[i] };
    }
    return SGS_OK;
}

sgs_status sgs_lite_settle_variables(sgs_lite_model *m)
{
    sgs_model *o = m->o;
    variables t = { .m = m, .named = { .a = o->a }, .handles = { .a = o->a } };
    bool *taken = SGS_NEW_N(o->a, bool, m->nsubgraph);
    for (int i = 0; i < o->nnode; i++) {
        const sgs_source_node *s = &o->node[i];
        const sgs_src_attr *init = strcmp(s->op, "CALL_ONCE") ? NULL : sgs_src_find(s, "init");
        if (init && !taken[init->i])
            SGS_TRY(take_body(&t, init->body));
        if (init)
            taken[init->i] = true;
        SGS_TRY(settle(&t, s, false));
    }
    o->node = t.node;
    o->nnode = t.nnode;
    return SGS_OK;
}
