/* floor, ceil, round (to even), sign. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/spell.h"
#include "ops/tflite.h"

static const struct round {
    const sgs_op *op;
    const char *onnx, *tflite;
    ipu_round_mode mode;
} table[] = {
    { &sgs_op_floor, "Floor", "FLOOR", IPU_ROUND_DOWN },
    { &sgs_op_ceil, "Ceil", "CEIL", IPU_ROUND_UP },
    { &sgs_op_round, "Round", "ROUND", IPU_ROUND_NEAREST },
    { &sgs_op_sign, "Sign", "SIGN", IPU_ROUND_SIGN },
};

static const struct round *row_of(const sgs_op *op)
{
    const struct round *r = table;
    while (r->op != op)
        r++;
    return r;
}

/* ---- shapes, evaluation
 * ----------------------------------------------------------------------------------------------- */

static sgs_status round_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g, (void)d;
    sgs_shape_like(out, n->in[0]);
    return SGS_OK;
}

static double whole(ipu_round_mode mode, double x)
{
    switch (mode) {
    case IPU_ROUND_DOWN:
        return floor(x);
    case IPU_ROUND_UP:
        return ceil(x);
    case IPU_ROUND_NEAREST:
        return rint(x);
    default:
        return x > 0 ? 1 : x < 0 ? -1 : x;
    }
}

static int64_t sign_of(int64_t x)
{
    return (x > 0) - (x < 0);
}

static sgs_status round_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st;
    int64_t count = sgs_tensor_count(out);
    ipu_round_mode mode = row_of(n->op)->mode;
    bool integer = mode == IPU_ROUND_SIGN && (out->type == SGS_S64 || out->type == SGS_S32);
    if (out->type != SGS_F32 && out->type != SGS_F64 && !integer)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "type %s is not supported", sgs_type_word(out->type));
    for (int64_t i = 0; i < count; i++)
        switch (out->type) {
        case SGS_F32:
            ((float *)out->data)[i] = (float)whole(mode, (double)((const float *)in->data)[i]);
            break;
        case SGS_F64:
            ((double *)out->data)[i] = whole(mode, ((const double *)in->data)[i]);
            break;
        case SGS_S64:
            ((int64_t *)out->data)[i] = sign_of(((const int64_t *)in->data)[i]);
            break;
        default:
            ((int32_t *)out->data)[i] = (int32_t)sign_of(((const int32_t *)in->data)[i]);
            break;
        }
    return SGS_OK;
}

/* ---- from ONNX, TFLite
 * --------------------------------------------------------------------------------------------------- */

/* The sign of integers that are no constants: what lies between -1 and 1. */
static sgs_status sign_from_onnx(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    SGS_TRY(p->status);
    if (sgs_has_integer_form(x->type) && !x->constant) {
        x = sgs_sp_two(p, &sgs_op_max, x, sgs_sp_integer(p, x->type, -(x->type != SGS_U8)));
        x = sgs_sp_two(p, &sgs_op_min, x, sgs_sp_integer(p, x->type, 1));
    } else {
        x = sgs_sp_one(p, &sgs_op_sign, x, NULL);
    }
    sgs_sp_out(p, 0, x);
    return p->status;
}

static sgs_status round_from(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const struct round *r = table;
    sgs_value *x, *y;
    while (strcmp(r->onnx, s->op) && strcmp(r->tflite, s->op))
        r++;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_emit(im, s, r->op, 1, &x, NULL, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status from_tf_rint(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_round, 1, &x, NULL, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

static sgs_status round_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    return n->out[0]->type == SGS_F32 ? sgs_tfl_simple(w, n, row_of(n->op)->tflite, NULL) : sgs_tfl_custom(w, n);
}

/* ---- lowering: ARITHMETIC.md 14
 * ------------------------------------------------------------------------------------------ */

#define COARSE 64 /* a step this large has no fraction worth looking at */

static sgs_status lower_coarse(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const float m = sgs_mult(sgs_scale(n->in[0], 0), sgs_scale(n->out[0], 0));
    const int32_t zero = 0;
    ipu_quantize r = { .head = SGS_REC(IPU_QUANTIZE, quantize),
                       .y = sgs_lower_ref(l, n->out[0]),
                       .x = sgs_lower_ref(l, n->in[0]),
                       .mult = sgs_lower_const(l, IPU_F32, &m, 1),
                       .zero = sgs_lower_const(l, IPU_S32, &zero, 1),
                       .out = sgs_out_range(n->out[0], SGS_ACT_NONE, 0, 0) };
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

static sgs_status round_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const struct round *row = row_of(n->op);
    if (x->type != SGS_S16 || y->type != SGS_S16 || !sgs_one_scale(x) || !sgs_one_scale(y))
        return sgs_lower_fail(l, n, d, "expected int16 in and out with one scale each");
    bool coarse = sgs_scale(x, 0) > COARSE;
    if (coarse && row->mode != IPU_ROUND_SIGN)
        return lower_coarse(l, n, d);
    ipu_round r = { .head = SGS_REC(IPU_ROUND_S16, round),
                    .y = sgs_lower_ref(l, y),
                    .x = sgs_lower_ref(l, x),
                    .mode = row->mode,
                    .scale = coarse ? COARSE : (float)sgs_scale(x, 0),
                    .m = sgs_mult(1, sgs_scale(y, 0)),
                    .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- rows
 * --------------------------------------------------------------------------------------------------------------- */

#define ROW(op)                                                                                                        \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "round",                                                                                             \
        .nin_min = 1,                                                                                                  \
        .nin_max = 1,                                                                                                  \
        .nout = 1,                                                                                                     \
        .infer = round_infer,                                                                                          \
        .eval = round_eval,                                                                                            \
        .to_tflite = round_to_tflite,                                                                                  \
        .permute = sgs_permute_elementwise,                                                                            \
        .qrule = SGS_Q_S16,                                                                                            \
        .lower = round_lower,                                                                                          \
    }
ROW(floor);
ROW(ceil);
ROW(round);
ROW(sign);

static const sgs_op *const ops[] = { &sgs_op_floor, &sgs_op_ceil, &sgs_op_round, &sgs_op_sign, NULL };
static const sgs_from onnx[] = { { "Floor", round_from, 1 },
                                 { "Ceil", round_from, 1 },
                                 { "Round", round_from, 11 },
                                 { "Sign", sign_from_onnx, 9 },
                                 { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "FLOOR", round_from, 0 },
                                   { "CEIL", round_from, 0 },
                                   { "ROUND", round_from, 0 },
                                   { "SIGN", round_from, 0 },
                                   { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Floor", round_from, 0 },
    { "Ceil", round_from, 0 },
    { "Round", round_from, 0 },
    { "Rint", from_tf_rint, 0 },
    { "Sign", round_from, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_round = { "round", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
