/* Switches whose predicate is known: the branch that is never taken goes, the merge behind it passes on the other.  A
 * flag that tells training from inference, and is no input of the ini, is false. */
#include <string.h>

#include "base/log.h"
#include "import/tf_read.h"
#include "ops/tensorflow.h"

static bool is(const sgs_tf_node *n, const char *op)
{
    return !strcmp(n->s.op, op);
}

static bool is_switch(const sgs_tf_node *n)
{
    return is(n, "Switch") || is(n, "RefSwitch");
}

static bool is_merge(const sgs_tf_node *n)
{
    return is(n, "Merge") || is(n, "RefMerge");
}

/* ---- flags ---- */

static bool is_input(const sgs_tf_graph *g, const char *name)
{
    const size_t n = strlen(name);
    for (int i = 0; i < g->o->opt->ninput; i++) {
        const char *in = g->o->opt->input_name[i];
        if (!strncmp(in, name, n) && (!in[n] || !strcmp(in + n, ":0")))
            return true;
    }
    return false;
}

static bool is_flag(const sgs_tf_node *n)
{
    const sgs_src_attr *type = sgs_src_find(&n->s, "dtype"), *shape = sgs_src_find(&n->s, "shape");
    return is(n, "Placeholder") && type && type->kind == SGS_SRC_INT && sgs_tf_type(type->i) == SGS_BOOL &&
           (!shape || shape->kind != SGS_SRC_INTS || !shape->n);
}

static void make_false(sgs_tf_graph *g, sgs_tf_node *n)
{
    static const uint8_t no = 0;
    sgs_src_attr *value = SGS_NEW(g->o->a, sgs_src_attr);
    *value = (sgs_src_attr){ .name = "value",
                             .kind = SGS_SRC_TENSOR,
                             .tensor = sgs_const_new(g->o->im.g, SGS_BOOL, 0, NULL, &no, true) };
    sgs_log_line(g->o->opt->log, "'%s' is no input of the configuration: the flag is false", n->s.name);
    n->s.op = "Const";
    n->s.attr = value;
    n->s.nattr = 1;
}

static void set_flags(sgs_tf_graph *g)
{
    for (int i = 0; i < g->n; i++) {
        if (is_flag(&g->node[i]) && !is_input(g, g->node[i].s.name))
            make_false(g, &g->node[i]);
        if (is(&g->node[i], "PlaceholderWithDefault") && !is_input(g, g->node[i].s.name))
            sgs_log_line(g->o->opt->log, "'%s' is no input of the configuration: it keeps its default",
                         g->node[i].s.name);
    }
}

/* ---- truth values that are known ---- */

enum { UNKNOWN = -1, NOT_ASKED = 0, ASKED = 1, KNOWN = 2 };

static int constant_truth(const sgs_tf_node *n)
{
    const sgs_src_attr *v = sgs_src_find(&n->s, "value");
    const bool one = v && v->kind == SGS_SRC_TENSOR && v->tensor->type == SGS_BOOL && sgs_value_count(v->tensor) == 1;
    return one ? *(const uint8_t *)sgs_const_data(v->tensor) : UNKNOWN;
}

/* How many of its inputs a truth value is made of. */
static int operands(const sgs_tf_graph *g, const sgs_tf_node *n)
{
    const bool passes = is(n, "Identity") || is(n, "StopGradient") || is_switch(n) || is(n, "LogicalNot") ||
                        (is(n, "PlaceholderWithDefault") && !is_input(g, n->s.name));
    const int count = passes ? 1 : is(n, "LogicalAnd") || is(n, "LogicalOr") ? 2 : 0;
    return count <= n->nin ? count : 0;
}

static const sgs_tf_node *operand(const sgs_tf_graph *g, const sgs_tf_node *n, int i)
{
    return n->in[i].node < 0 || n->in[i].port == TF_CONTROL ? NULL : &g->node[n->in[i].node];
}

static int combined(const sgs_tf_graph *g, const sgs_tf_node *n)
{
    const int count = operands(g, n), decisive = is(n, "LogicalOr");
    int v[2] = { UNKNOWN, UNKNOWN };
    for (int i = 0; i < count; i++)
        v[i] = operand(g, n, i) && operand(g, n, i)->asking == KNOWN ? operand(g, n, i)->truth : UNKNOWN;
    if (count == 1)
        return v[0] == UNKNOWN || !is(n, "LogicalNot") ? v[0] : !v[0];
    if (count == 2)
        return v[0] == decisive || v[1] == decisive ? decisive
               : v[0] == UNKNOWN || v[1] == UNKNOWN ? UNKNOWN
                                                    : !decisive;
    return is(n, "Const") ? constant_truth(n) : UNKNOWN;
}

/* Each node is asked once; the stack has room for all of them. */
static int truth_of(sgs_tf_graph *g, int *stack, const sgs_tf_input *in)
{
    int depth = 0;
    if (in->node < 0 || in->port == TF_CONTROL)
        return UNKNOWN;
    if (g->node[in->node].asking == NOT_ASKED) {
        g->node[in->node].asking = ASKED;
        stack[depth++] = in->node;
    }
    while (depth) {
        sgs_tf_node *n = &g->node[stack[depth - 1]];
        const int before = depth;
        for (int i = 0; i < operands(g, n); i++)
            if (operand(g, n, i) && operand(g, n, i)->asking == NOT_ASKED) {
                g->node[n->in[i].node].asking = ASKED;
                stack[depth++] = n->in[i].node;
            }
        if (depth > before)
            continue;
        n->truth = (int8_t)combined(g, n);
        n->asking = KNOWN;
        depth--;
    }
    return g->node[in->node].truth;
}

/* ---- what is never taken ---- */

typedef struct uses { /* who takes what: of node i the entries first[i] .. first[i + 1] */
    int *first, *user;
    int *port;
    int *waiting; /* of a merge: inputs that may still come */
    int *stack, depth;
} uses;

static sgs_status find_uses(sgs_tf_graph *g, uses *u, sgs_diag *d)
{
    size_t edges = 0;
    for (int i = 0; i < g->n; i++)
        edges += (size_t)g->node[i].nin;
    const size_t n = (size_t)g->n + 2;
    u->first = sgs_try_alloc(g->o->a, n * sizeof(int));
    u->waiting = sgs_try_alloc(g->o->a, n * sizeof(int));
    u->stack = sgs_try_alloc(g->o->a, n * sizeof(int));
    u->user = sgs_try_alloc(g->o->a, (edges + 1) * sizeof(int));
    u->port = sgs_try_alloc(g->o->a, (edges + 1) * sizeof(int));
    if (!u->first || !u->waiting || !u->stack || !u->user || !u->port)
        return sgs_fail(d, SGS_E_LIMIT, "the nodes exceed the memory limit");
    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < g->node[i].nin; k++)
            if (g->node[i].in[k].node >= 0)
                u->first[g->node[i].in[k].node + 2]++;
    for (int i = 2; i <= g->n; i++)
        u->first[i] += u->first[i - 1];
    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < g->node[i].nin; k++) {
            const sgs_tf_input *in = &g->node[i].in[k];
            u->waiting[i] += in->port != TF_CONTROL;
            if (in->node < 0)
                continue;
            const int at = u->first[in->node + 1]++;
            u->user[at] = i;
            u->port[at] = in->port;
        }
    return SGS_OK;
}

static void lose(sgs_tf_graph *g, uses *u, int i, int port)
{
    sgs_tf_node *n = &g->node[i];
    if (n->dead || (is_merge(n) && port == TF_CONTROL) || (is_merge(n) && --u->waiting[i] > 0))
        return;
    n->dead = true;
    u->stack[u->depth++] = i;
}

enum { BEHIND_ALL = -2 };

/* Everything behind one output of a node, or behind all that have not been lost yet. */
static void lose_behind(sgs_tf_graph *g, uses *u, int i, int port)
{
    for (int k = u->first[i]; k < u->first[i + 1]; k++)
        if (port == BEHIND_ALL ? g->node[i].live < 0 || u->port[k] != !g->node[i].live : u->port[k] == port)
            lose(g, u, u->user[k], u->port[k]);
}

static void decide_switches(sgs_tf_graph *g, uses *u)
{
    for (int i = 0; i < g->n; i++) {
        sgs_tf_node *n = &g->node[i];
        const int truth = is_switch(n) && n->nin >= 2 ? truth_of(g, u->stack, &n->in[1]) : UNKNOWN;
        if (truth == UNKNOWN || n->dead)
            continue;
        n->live = truth;
        lose_behind(g, u, i, !truth);
        while (u->depth)
            lose_behind(g, u, u->stack[--u->depth], BEHIND_ALL);
    }
}

static bool comes(const sgs_tf_graph *g, const sgs_tf_input *in)
{
    const sgs_tf_node *from = in->node < 0 ? NULL : &g->node[in->node];
    return in->port != TF_CONTROL && from && !from->dead && (from->live < 0 || from->live == in->port);
}

/* Inputs, and whatever else has no inputs (or none that exist) and is no constant. */
static bool is_source(const sgs_tf_graph *g, const sgs_tf_node *n)
{
    for (int k = 0; k < n->nin; k++)
        if (n->in[k].port != TF_CONTROL && n->in[k].node >= 0)
            return is(n, "PlaceholderWithDefault") && is_input(g, n->s.name);
    return !is(n, "Const") && !is(n, "NoOp");
}

static void find_fed(sgs_tf_graph *g, uses *u)
{
    for (int i = 0; i < g->n; i++) {
        if (g->node[i].fed || g->node[i].dead || !is_source(g, &g->node[i]))
            continue;
        g->node[i].fed = true;
        for (u->stack[u->depth++] = i; u->depth;) {
            const int at = u->stack[--u->depth];
            for (int k = u->first[at]; k < u->first[at + 1]; k++) {
                sgs_tf_node *user = &g->node[u->user[k]];
                const bool predicate = is_switch(user) && user->in[0].node != at; /* which branch, not what is in it */
                if (user->fed || user->dead || u->port[k] == TF_CONTROL || predicate)
                    continue;
                user->fed = true;
                u->stack[u->depth++] = u->user[k];
            }
        }
    }
}

/* What was decided is no control flow any more. */
static void pass_on(sgs_tf_graph *g)
{
    for (int i = 0; i < g->n; i++) {
        sgs_tf_node *n = &g->node[i];
        int one = -1, some = 0, data = 0;
        for (int k = 0; k < n->nin && is_merge(n) && !n->dead; k++) {
            data += n->in[k].port != TF_CONTROL;
            if (comes(g, &n->in[k])) {
                one = k;
                some++;
            }
        }
        if (some != 1 || data < 2)
            continue;
        n->in = &n->in[one];
        n->nin = 1;
        n->live = 0;
        n->s.op = "Identity";
    }
    for (int i = 0; i < g->n; i++) {
        sgs_tf_node *n = &g->node[i];
        if ((is_switch(n) || is(n, "Enter")) && n->live < 0 && !n->fed && n->nin) {
            n->s.op = "Identity"; /* a constant is the same in every branch and in every turn */
            n->nin = 1;
        }
        if (is_switch(n) && n->live >= 0) {
            n->s.op = "Identity";
            n->nin = 1;
            n->branch = true;
        }
        if (is(n, "NextIteration") || is(n, "RefNextIteration"))
            n->nin = 0; /* it closes a loop: that is refused by name, not as a cycle */
    }
}

sgs_status sgs_tf_decide(sgs_tf_graph *g, sgs_diag *d)
{
    uses u = { 0 };
    set_flags(g);
    SGS_TRY(find_uses(g, &u, d));
    decide_switches(g, &u);
    find_fed(g, &u);
    pass_on(g);
    return SGS_OK;
}
