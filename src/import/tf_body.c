/* Functions of a GraphDef's library that an If or a While has: graphs of their own, in the order in which their nodes
 * can be built. */
#include <stdlib.h>
#include <string.h>

#include "import/tf_read.h"

static sgs_status no_room(sgs_diag *d)
{
    return sgs_fail(d, SGS_E_LIMIT, "the nodes exceed the memory limit");
}

/* ---- who has them ---- */

static bool is_one_of(const char *name, const char *const *list)
{
    while (*list && strcmp(*list, name))
        list++;
    return *list != NULL;
}

static sgs_tf_function *function_of(const sgs_tf_graph *g, sgs_span name)
{
    for (int i = 0; i < g->nfunction; i++)
        if (strlen(g->function[i].name) == name.n && !memcmp(g->function[i].name, name.p, name.n))
            return &g->function[i];
    return NULL;
}

sgs_status sgs_tf_take_bodies(sgs_tf_graph *g, sgs_source_node *s, sgs_diag *d)
{
    static const char *const ops[] = { "If", "StatelessIf", "While", "StatelessWhile", NULL }, *const attrs[] = {
        "then_branch", "else_branch", "cond", "body", NULL
    };
    if (!is_one_of(s->op, ops))
        return SGS_OK;
    sgs_src_attr *list = sgs_try_alloc(g->o->a, ((size_t)s->nattr + 1) * sizeof *list);
    for (int i = 0; i < s->nattr && list; i++) {
        list[i] = s->attr[i];
        sgs_tf_function *f =
            is_one_of(list[i].name, attrs) && list[i].kind == SGS_SRC_STRING ? function_of(g, list[i].s) : NULL;
        if (!f)
            continue;
        if (!f->body) {
            f->body = SGS_NEW(g->o->a, sgs_src_body);
            f->next = *g->waiting;
            *g->waiting = f;
        }
        list[i].kind = SGS_SRC_BODY;
        list[i].body = f->body;
    }
    s->attr = list;
    return list ? SGS_OK : no_room(d);
}

/* ---- what they hold ---- */

typedef struct walk { /* depth first, with a stack of its own */
    sgs_tf_graph *g;
    sgs_src_body *b;
    uint8_t *state; /* 0: new, 1: on the stack, SGS_TF_DONE */
    int *stack, *next, depth;
} walk;

static sgs_status add_constant(walk *w, int i, const sgs_src_attr *value, sgs_diag *d)
{
    const char **name = sgs_push(w->g->o->a, &w->b->init_name, &w->b->ninit, sizeof *name);
    int n = w->b->ninit - 1;
    sgs_value **v = sgs_push(w->g->o->a, &w->b->init, &n, sizeof *v);
    if (!name || !v)
        return no_room(d);
    *name = sgs_tf_tensor_name(w->g, i, 0);
    *v = value->tensor;
    sgs_tf_set_narrow(w->g->o, value->tensor, value->i);
    return SGS_OK;
}

static sgs_status finish(walk *w, int i, sgs_diag *d)
{
    const sgs_tf_node *n = &w->g->node[i];
    const sgs_src_attr *value = strcmp(n->s.op, "Const") ? NULL : sgs_src_find(&n->s, "value");
    w->state[i] = SGS_TF_DONE;
    if (value && value->kind == SGS_SRC_TENSOR)
        return add_constant(w, i, value, d);
    sgs_source_node *s = sgs_push(w->g->o->a, &w->b->node, &w->b->nnode, sizeof *s);
    return s ? sgs_tf_source(w->g, i, s, d) : no_room(d);
}

static sgs_status enter(walk *w, const sgs_tf_input *in, sgs_diag *d)
{
    if (in->node < 0 || in->port == TF_CONTROL || w->state[in->node] == SGS_TF_DONE)
        return SGS_OK;
    if (w->state[in->node] == 1)
        return sgs_fail(d, SGS_E_MODEL, "the function has a cycle through '%s'", w->g->node[in->node].s.name);
    w->state[in->node] = 1;
    w->stack[w->depth] = in->node;
    w->next[w->depth++] = 0;
    return SGS_OK;
}

/* The nodes that result `in` needs. */
static sgs_status visit(walk *w, const sgs_tf_input *in, sgs_diag *d)
{
    SGS_TRY(enter(w, in, d));
    while (w->depth) {
        const int i = w->stack[w->depth - 1], k = w->next[w->depth - 1]++;
        if (k < w->g->node[i].nin) {
            SGS_TRY(enter(w, &w->g->node[i].in[k], d));
            continue;
        }
        w->depth--;
        SGS_TRY(finish(w, i, d));
    }
    return SGS_OK;
}

sgs_status sgs_tf_fill_body(sgs_tf_graph *g, sgs_src_body *b, const sgs_tf_input *out, int nout, uint8_t *state,
                            sgs_diag *d)
{
    walk w = { .g = g, .b = b, .state = state };
    w.stack = sgs_try_alloc(g->o->a, ((size_t)g->n + 1) * sizeof *w.stack);
    w.next = sgs_try_alloc(g->o->a, ((size_t)g->n + 1) * sizeof *w.next);
    b->out = sgs_try_alloc(g->o->a, ((size_t)nout + 1) * sizeof *b->out);
    if (!w.stack || !w.next || !b->out)
        return no_room(d);
    for (int i = 0; i < nout; i++) {
        SGS_TRY(visit(&w, &out[i], d));
        b->out[b->nout++] = out[i].node < 0 ? out[i].text : sgs_tf_tensor_name(g, out[i].node, out[i].port);
    }
    return SGS_OK;
}

/* The function as the nodes of a call of it, whose operands are the body's inputs. */
static sgs_status call(sgs_tf_graph *g, sgs_tf_function *f, sgs_diag *d)
{
    sgs_model *o = g->o;
    sgs_src_body *b = f->body;
    sgs_tf_node *n = sgs_push(o->a, &g->node, &g->n, sizeof *n);
    sgs_tf_input *in = sgs_try_alloc(o->a, ((size_t)f->narg + 1) * sizeof *in);
    b->in = sgs_try_alloc(o->a, ((size_t)f->narg + 1) * sizeof *b->in);
    if (!n || !in || !b->in)
        return no_room(d);
    for (; b->nin < f->narg; b->nin++) {
        b->in[b->nin] = sgs_format(o->a, "%s/%s", f->name, f->arg[b->nin]);
        in[b->nin] = (sgs_tf_input){ .text = b->in[b->nin], .node = -1 };
    }
    *n = (sgs_tf_node){ .s = { .op = f->name, .domain = "", .name = f->name }, .live = -1, .in = in, .nin = f->narg };
    SGS_TRY(sgs_tf_add_name(g, 0, d));
    SGS_TRY(sgs_tf_inline(g, d));
    return sgs_tf_resolve(g, d);
}

static sgs_status make_body(const sgs_tf_graph *from, sgs_tf_function *f, sgs_diag *d)
{
    sgs_arena *a = from->o->a;
    sgs_tf_graph g = { .o = from->o,
                       .function = from->function,
                       .nfunction = from->nfunction,
                       .waiting = from->waiting,
                       .by_name = { .a = a },
                       .spelled = { .a = a } };
    SGS_TRY(call(&g, f, d));
    uint8_t *state = sgs_try_alloc(a, (size_t)g.n);
    if (!state)
        return no_room(d);
    state[0] = SGS_TF_DONE; /* the call */
    return sgs_tf_fill_body(&g, f->body, g.node[0].in, f->nout, state, d);
}

sgs_status sgs_tf_make_bodies(sgs_tf_graph *g, sgs_diag *d)
{
    while (*g->waiting) {
        sgs_tf_function *f = *g->waiting;
        *g->waiting = f->next;
        SGS_TRY(make_body(g, f, d));
    }
    return SGS_OK;
}
