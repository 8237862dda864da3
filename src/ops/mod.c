/* mod, fmod: what a division leaves, of the divisor's sign or of the dividend's; elementwise with numpy broadcasting.
 */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/arith.h"
#include "ops/integer.h"
#include "ops/nest.h"
#include "ops/spell.h"
#include "ops/util.h"

/* ---- shapes ---- */

static bool is_real(sgs_type t)
{
    return t == SGS_F32 || t == SGS_F64;
}

static sgs_status mod_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_type t = n->in[0]->type;
    if (!is_real(t) && t != SGS_S64 && t != SGS_S32 && t != SGS_S16 && t != SGS_S8 && t != SGS_U8)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(t));
    SGS_TRY(sgs_need_type(n->in[1], t, "second input", d));
    return sgs_broadcast(n->in[0], n->in[1], out, d);
}

/* ---- evaluation ---- */

static double real_at(const sgs_tensor *t, int64_t i)
{
    return t->type == SGS_F32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}

static int64_t whole_at(const sgs_tensor *t, int64_t i)
{
    switch (t->type) {
    case SGS_S64:
        return ((const int64_t *)t->data)[i];
    case SGS_S32:
        return ((const int32_t *)t->data)[i];
    case SGS_S8:
        return ((const int8_t *)t->data)[i];
    default:
        return ((const uint8_t *)t->data)[i];
    }
}

static void put_whole(sgs_tensor *t, int64_t i, int64_t v)
{
    switch (t->type) {
    case SGS_S64:
        ((int64_t *)t->data)[i] = v;
        break;
    case SGS_S32:
        ((int32_t *)t->data)[i] = (int32_t)v;
        break;
    default:
        ((uint8_t *)t->data)[i] = (uint8_t)v;
        break;
    }
}

static double real_rest(double a, double b, bool truncated)
{
    const double r = fmod(a, b);
    return !truncated && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static int64_t whole_rest(int64_t a, int64_t b, bool truncated)
{
    const int64_t r = b == -1 ? 0 : a % b; /* INT64_MIN % -1 has no value */
    return !truncated && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static sgs_status mod_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    if (out->type == SGS_S16)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "arithmetic on int16 belongs to fixed-point models");
    int64_t sa[SGS_MAX_RANK], sb[SGS_MAX_RANK], index[SGS_MAX_RANK] = { 0 }, count = sgs_tensor_count(out);
    const bool truncated = n->op == &sgs_op_fmod;
    sgs_broadcast_strides(&in[0], out, sa);
    sgs_broadcast_strides(&in[1], out, sb);
    for (int64_t i = 0; i < count; i++) {
        int64_t a = 0, b = 0;
        for (int k = 0; k < out->rank; k++) {
            a += index[k] * sa[k];
            b += index[k] * sb[k];
        }
        if (!is_real(out->type) && whole_at(&in[1], b) == 0)
            return sgs_fail(d, SGS_E_MODEL, "integer division by zero");
        if (out->type == SGS_F32)
            ((float *)out->data)[i] = (float)real_rest(real_at(&in[0], a), real_at(&in[1], b), truncated);
        else if (out->type == SGS_F64)
            ((double *)out->data)[i] = real_rest(real_at(&in[0], a), real_at(&in[1], b), truncated);
        else
            put_whole(out, i, whole_rest(whole_at(&in[0], a), whole_at(&in[1], b), truncated));
        sgs_next_index(index, out->rank, out->dim);
    }
    return SGS_OK;
}

/* ---- from ONNX ---- */

static sgs_status from_onnx_mod(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    int64_t truncated = 0;
    SGS_TRY(sgs_src_int(s, "fmod", &truncated, d));
    return sgs_from_onnx_arith(im, s, truncated ? &sgs_op_fmod : &sgs_op_mod, d);
}

/* ---- lowering: ARITHMETIC.md 7, of integers 19 ---- */

static int32_t step_of(double scale, double most)
{
    return (int32_t)rint(scale / most * IPU_MOD_ONE);
}

static sgs_status mod_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *const v[] = { n->out[0], n->in[0], n->in[1] };
    if (sgs_is_integer(v[1]) && sgs_is_integer(v[2]) && v[1]->type == v[2]->type)
        return sgs_integer_lower(l, n, v[1], v[2], n->op == &sgs_op_mod ? IPU_INTEGER_MOD : IPU_INTEGER_REST, d);
    for (int i = 0; i < 3; i++)
        if (v[i]->type != SGS_S16 || !v[i]->quant || !sgs_one_scale(v[i]))
            return sgs_lower_fail(l, n, d, "expected integers of one type or int16 with one scale each, found %s and %s", sgs_type_word(v[1]->type),
                                  sgs_type_word(v[2]->type));
    const double a = sgs_scale(v[1], 0), b = sgs_scale(v[2], 0), most = fmax(a, b);
    ipu_mod r = { .head = SGS_REC(IPU_MOD_S16, mod), .truncated = n->op == &sgs_op_fmod, .ma = step_of(a, most), .mb = step_of(b, most),
                  .m = sgs_mult(ldexp(most, -IPU_MOD_SHIFT), sgs_scale(v[0], 0)), .out = sgs_out_range(v[0], SGS_ACT_NONE, 0, 0) };
    return sgs_nest_emit(l, n, &r.head, v, 3, d);
}

/* ---- from TensorFlow ---- */

/* FloorMod takes the divisor's sign, Mod the dividend's. */
static sgs_status from_tf_mod(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *a = sgs_sp_in(p, 0), *b = sgs_sp_in(p, 1);
    const bool floor = !strcmp(s->op, "FloorMod");
    if (p->status != SGS_OK)
        return p->status;
    if (floor && a->type == SGS_F32)
        sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_sub, a, sgs_sp_two(p, &sgs_op_mul, b, sgs_sp_one(p, &sgs_op_floor, sgs_sp_two(p, &sgs_op_div, a, b), NULL))));
    else
        sgs_sp_out(p, 0, sgs_sp_two(p, floor ? &sgs_op_mod : &sgs_op_fmod, a, b));
    return p->status;
}

/* ---- rows ---- */

#define ROW(op)                                                                                                        \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "mod",                                                                                               \
        .nin_min = 2,                                                                                                  \
        .nin_max = 2,                                                                                                  \
        .nout = 1,                                                                                                     \
        .infer = mod_infer,                                                                                            \
        .eval = mod_eval,                                                                                              \
        .permute = sgs_permute_elementwise,                                                                            \
        .qrule = SGS_Q_S16,                                                                                            \
        .unfixed = sgs_number_unfixed,                                                                                 \
        .lower = mod_lower,                                                                                            \
    }
ROW(mod);
ROW(fmod);

static const sgs_op *const ops[] = { &sgs_op_mod, &sgs_op_fmod, NULL };
static const sgs_from onnx[] = { { "Mod", from_onnx_mod, 10 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "FloorMod", from_tf_mod, 0 },
    { "Mod", from_tf_mod, 0 },
    { "TruncateMod", from_tf_mod, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_mod = { "mod", ops, .onnx = onnx, .tensorflow = tensorflow };
