/* IF and WHILE of TFLite, If and While of TensorFlow: what decides must be known when the model is read, and the nodes
 * of the subgraphs (functions) take the place of the operator, those of a loop once for each iteration. */
#include <string.h>

#include "ops/control.h"

static sgs_src_bound *bounds(sgs_import *im, int n)
{
    return SGS_NEW_N(im->g->arena, sgs_src_bound, n + 1);
}

static sgs_status check_ends(sgs_import *im, const sgs_source_node *s, const sgs_src_body *b, const char *what, int nin,
                             int nout, sgs_diag *d)
{
    if (b->nin == nin && b->nout >= nout)
        return SGS_OK;
    return sgs_src_fail(im, s, d, "%s: expected a graph of %d inputs and %d outputs, found %d and %d", what, nin, nout,
                        b->nin, b->nout);
}

/* One truth value. */
static bool is_known(const sgs_value *v)
{
    return v && v->constant && v->type == SGS_BOOL && sgs_value_count(v) == 1;
}

static sgs_status from_if(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *condition;
    const sgs_src_body *b;
    SGS_TRY(sgs_src_in(im, s, 0, &condition, d));
    if (!is_known(condition)) {
        sgs_src_refuse(im, s, d, "its condition '%s' is known only at run time", s->in[0]);
        sgs_hint(d, "convert the model with the branch that it shall take, or cut it before this operator");
        return SGS_E_UNSUPPORTED;
    }
    const char *name = *(const uint8_t *)sgs_const_data(condition) ? "then_branch" : "else_branch";
    SGS_TRY(sgs_src_body_of(im, s, name, &b, d));
    SGS_TRY(check_ends(im, s, b, name, s->nin - 1, s->nout, d));
    sgs_src_bound *in = bounds(im, b->nin), *out = bounds(im, b->nout);
    for (int i = 0; i < b->nin; i++)
        in[i] = sgs_src_get(im, s->in[1 + i]);
    SGS_TRY(sgs_build_body(im, s, &(sgs_body_run){ .body = b, .in = in, .out = out, .what = name, .sealed = true }, d));
    for (int i = 0; i < s->nout; i++)
        SGS_TRY(sgs_body_out(im, s, i, out[i], d));
    return SGS_OK;
}

typedef struct loop {
    const sgs_src_body *cond, *body;
    sgs_src_bound *state, *next, *again; /* of body->nin, body->nout, 1 */
    int64_t round;
} loop;

static sgs_status run(sgs_import *im, const sgs_source_node *s, const loop *l, bool whole, sgs_diag *d)
{
    const sgs_body_run r = { .body = whole ? l->body : l->cond,
                             .in = l->state,
                             .out = whole ? l->next : l->again,
                             .what = whole ? "body" : "cond",
                             .sealed = true,
                             .rounds = true,
                             .round = l->round };
    return sgs_build_body(im, s, &r, d);
}

static sgs_status ask(sgs_import *im, const sgs_source_node *s, const loop *l, bool *more, sgs_diag *d)
{
    SGS_TRY(run(im, s, l, false, d));
    if (!is_known(l->again[0].v)) {
        sgs_src_refuse(im, s, d,
                       "whether it goes on before iteration %lld, '%s' of its condition, is known only at run time",
                       (long long)l->round + 1, l->cond->out[0]);
        sgs_hint(d, "a loop is written out, iteration by iteration: its end must come from constants and shapes; "
                    "sgs check names the cut that avoids it");
        return SGS_E_UNSUPPORTED;
    }
    *more = *(const uint8_t *)sgs_const_data(l->again[0].v) != 0;
    return SGS_OK;
}

static sgs_status from_while(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    loop l = { 0 };
    bool more = false;
    SGS_TRY(sgs_src_body_of(im, s, "cond", &l.cond, d));
    SGS_TRY(sgs_src_body_of(im, s, "body", &l.body, d));
    SGS_TRY(check_ends(im, s, l.cond, "cond", s->nin, 1, d));
    SGS_TRY(check_ends(im, s, l.body, "body", s->nin, s->nin, d));
    l.state = bounds(im, s->nin);
    l.next = bounds(im, l.body->nout);
    l.again = bounds(im, l.cond->nout);
    for (int i = 0; i < s->nin; i++)
        l.state[i] = sgs_src_get(im, s->in[i]);
    SGS_TRY(ask(im, s, &l, &more, d));
    while (more) {
        SGS_TRY(run(im, s, &l, true, d));
        memcpy(l.state, l.next, (size_t)s->nin * sizeof *l.state);
        l.round++;
        SGS_TRY(ask(im, s, &l, &more, d));
    }
    for (int i = 0; i < s->nout && i < s->nin; i++)
        SGS_TRY(sgs_body_out(im, s, i, l.state[i], d));
    return SGS_OK;
}

/* One that has a value became a node that passes it on. */
static sgs_status from_read_variable(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_src_refuse(im, s, d, "its variable has no value: nothing that runs once or before this operator assigned one");
    sgs_hint(d, "with '%s' among the inputs of the configuration its value comes from outside", sgs_src_label(s));
    return SGS_E_UNSUPPORTED;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from tflite[] = {
    { "IF", from_if, 0 }, { "READ_VARIABLE", from_read_variable, 0 }, { "WHILE", from_while, 0 }, { NULL, NULL, 0 }
};
static const sgs_from tensorflow[] = { { "If", from_if, 0 },
                                       { "StatelessIf", from_if, 0 },
                                       { "StatelessWhile", from_while, 0 },
                                       { "While", from_while, 0 },
                                       { NULL, NULL, 0 } };
const sgs_family sgs_family_flow = { "flow", ops, .tflite = tflite, .tensorflow = tensorflow };
