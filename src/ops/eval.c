#include "ops/util.h"

sgs_status sgs_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    if (!n->op->eval)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "%s cannot be evaluated in a float model", n->op->name);
    for (int i = 0; i < n->nin && n->op->float_only; i++)
        if (n->in[i] && in[i].type != SGS_F32)
            return sgs_fail(d, SGS_E_UNSUPPORTED, "%s takes float32, found %s", n->op->name, sgs_type_word(in[i].type));
    return n->op->eval(n, in, out, st, d);
}
