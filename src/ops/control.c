/* If, whose condition is known when the shapes are: the branch that it chooses takes the node's place. */
#include <string.h>

#include "ops/spell.h"

/* The nodes of a body, whose names are its own. */
static sgs_status build(sgs_import *im, const sgs_src_body *b, sgs_diag *d)
{
    for (int i = 0; i < b->ninit; i++)
        sgs_map_set(&im->values, b->init_name[i], b->init[i]);
    for (int i = 0; i < b->nnode; i++) {
        const sgs_source_node *n = &b->node[i];
        const bool own = !n->domain[0] || !strcmp(n->domain, "ai.onnx");
        const sgs_from_fn fn = own ? sgs_src_importer(n->op, n->opset) : NULL;
        if (!fn)
            return sgs_src_refuse(im, n, d, "not supported");
        const sgs_status s = fn(im, n, d);
        if (s != SGS_OK)
            return sgs_fail_at(d, im->g->file, 0, sgs_src_label(n)), s;
    }
    return SGS_OK;
}

static sgs_status from_onnx_if(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *condition, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &condition, d));
    if (!condition->data || condition->type != SGS_BOOL || sgs_value_count(condition) != 1)
        return sgs_src_refuse(im, s, d, "its condition '%s' is known only at run time", s->in[0]);
    const char *name = *(const uint8_t *)condition->data ? "then_branch" : "else_branch";
    const sgs_src_attr *a = sgs_src_find(s, name);
    if (!a || a->kind != SGS_SRC_BODY)
        return sgs_src_fail(im, s, d, "%s is missing: expected a graph", name);
    if (a->body->nout < s->nout)
        return sgs_src_fail(im, s, d, "%s: expected a graph of %d output%s, found %d", name, s->nout, s->nout == 1 ? "" : "s", a->body->nout);
    const bool before = im->unnamed;
    im->unnamed = true;
    const sgs_status built = build(im, a->body, d);
    im->unnamed = before;
    SGS_TRY(built);
    for (int i = 0; i < s->nout; i++) {
        sgs_value *v = sgs_map_get(&im->values, a->body->out[i]);
        if (!v)
            return sgs_src_fail(im, s, d, "output '%s' of its %s does not exist", a->body->out[i], name);
        SGS_TRY(sgs_emit_same(im, s, v, &y, d));
        SGS_TRY(sgs_src_out(im, s, i, y, d));
    }
    return SGS_OK;
}

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = { { "If", from_onnx_if, 1 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_control = { "control", ops, onnx, NULL };
