#include "ops/integer.h"

#include "compile/lower.h"
#include "ops/nest.h"

bool sgs_is_integer(const sgs_value *v)
{
    return !v->quant && (v->type == SGS_U8 || v->type == SGS_S16 || v->type == SGS_S32);
}

bool sgs_has_integer_form(sgs_type t)
{
    return t == SGS_S64 || t == SGS_S32 || t == SGS_S8 || t == SGS_U8;
}

const char *sgs_number_unfixed(const sgs_node *n)
{
    const sgs_type t = n->in[0]->type;
    return t == SGS_F32 || sgs_has_integer_form(t) ? NULL : "works on float64, which has no fixed-point form";
}

sgs_status sgs_integer_lower(sgs_lowering *l, const sgs_node *n, const sgs_value *a, const sgs_value *b, int mode,
                             sgs_diag *d)
{
    const sgs_value *y = n->out[0];
    ipu_integer r = { .head = SGS_REC(IPU_INTEGER, integer), .mode = mode };
    return sgs_nest_emit(l, n, &r.head, (const sgs_value *const[]){ y, a, b }, 3, d);
}
