/* fake_quant: real numbers on the grid of a quantization that the model itself brings, as ONNX's QuantizeLinear with DequantizeLinear behind it
 * computes them (opset 10).  In fixed point it moves data: what lies on its grid has that quantization.
 * fake_quant_dynamic: the same with 8 bits for whatever the tensor holds, as DynamicQuantizeLinear chooses them.  In fixed point it is gone: the bits are
 * chosen beforehand there. */
#include <math.h>
#include <string.h>

#include "ops/tensorflow.h"
#include "quant/quantize.h"

/* ---- attributes, shapes ---- */

static const sgs_attr attrs[] = {
    { "scale", SGS_ATTR_FLOAT, offsetof(sgs_fake_quant_attr, scale), 1, SGS_ALL, NULL },
    { "zero", SGS_ATTR_INT, offsetof(sgs_fake_quant_attr, zero), 1, SGS_ALL, NULL },
    { "least", SGS_ATTR_INT, offsetof(sgs_fake_quant_attr, least), 1, SGS_ALL, NULL },
    { "most", SGS_ATTR_INT, offsetof(sgs_fake_quant_attr, most), 1, SGS_ALL, NULL },
    { 0 },
};

static sgs_status fake_quant_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_fake_quant_attr *a = n->attr;
    if (!(a->scale > 0) || isinf(a->scale))
        return sgs_fail(d, SGS_E_MODEL, "scale must be finite and above 0, found %g", (double)a->scale);
    if (a->least > a->zero || a->zero > a->most || a->least < -32768 || a->most > 65535)
        return sgs_fail(d, SGS_E_MODEL, "expected least <= zero <= most of at most 16 bits, found %lld, %lld and %lld", (long long)a->least,
                        (long long)a->zero, (long long)a->most);
    sgs_shape_like(out, n->in[0]);
    return SGS_OK;
}

/* ---- evaluation ---- */

static sgs_status fake_quant_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const sgs_fake_quant_attr *a = n->attr;
    const float zero = (float)a->zero, least = (float)a->least, most = (float)a->most;
    const float *x = in->data;
    float *y = out->data;
    for (int64_t i = 0; i < sgs_tensor_count(out); i++)
        y[i] = (fminf(fmaxf(rintf(x[i] / a->scale) + zero, least), most) - zero) * a->scale;
    return SGS_OK;
}

/* ---- fixed point ---- */

/* All of 8 bits, signed or not: U8 on the same grid.  All of 16 around 0: S16. */
static bool fake_quant_fixed_out(const sgs_node *n, sgs_qfixed *f)
{
    const sgs_fake_quant_attr *a = n->attr;
    const bool wide = !a->zero && a->least == -32768 && a->most == 32767;
    if (a->most - a->least != 255 && !wide)
        return false;
    *f = (sgs_qfixed){ a->scale, (float)(a->least - a->zero) * a->scale, (float)(a->most - a->zero) * a->scale, wide ? 0 : (int32_t)(a->zero - a->least), wide };
    return true;
}

static void becomes_reshape(sgs_graph *g, sgs_node *n)
{
    const sgs_value *y = n->out[0];
    sgs_shape_attr *shape = SGS_NEW(g->arena, sgs_shape_attr);
    shape->n = y->rank;
    memcpy(shape->dim, y->dim, (size_t)y->rank * sizeof *y->dim);
    n->op = &sgs_op_reshape;
    n->attr = shape;
}

/* Its input is on the grid already; U8 and S16 end where a grid of theirs does, S16 goes on behind one of 8 bits. */
static sgs_status fake_quant_quant(struct sgs_quantizer *q, sgs_node *n, sgs_diag *d)
{
    (void)d;
    sgs_qfixed f;
    if (n->out[0]->type == SGS_S16 && fake_quant_fixed_out(n, &f) && !f.wide) {
        sgs_act_attr *range = SGS_NEW(q->g->arena, sgs_act_attr);
        *range = (sgs_act_attr){ f.lo, f.hi };
        n->op = &sgs_op_clip;
        n->attr = range;
        return SGS_OK;
    }
    becomes_reshape(q->g, n);
    return SGS_OK;
}

/* ---- fake_quant_dynamic ---- */

static sgs_status dynamic_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g, (void)d;
    sgs_shape_like(out, n->in[0]);
    return SGS_OK;
}

static sgs_status dynamic_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st, (void)d;
    const int64_t count = sgs_tensor_count(out);
    const float *x = in->data;
    float *y = out->data, least = 0, most = 0;
    for (int64_t i = 0; i < count; i++) {
        least = fminf(least, x[i]);
        most = fmaxf(most, x[i]);
    }
    const float scale = most - least == 0 ? 1 : (most - least) / 255, zero = fminf(fmaxf(rintf((0 - least) / scale), 0), 255);
    for (int64_t i = 0; i < count; i++)
        y[i] = (fminf(fmaxf(rintf(x[i] / scale) + zero, 0), 255) - zero) * scale;
    return SGS_OK;
}

static sgs_status dynamic_quant(struct sgs_quantizer *q, sgs_node *n, sgs_diag *d)
{
    (void)d;
    becomes_reshape(q->g, n);
    return SGS_OK;
}

/* ---- from TensorFlow ---- */

/* The grid of a range: its ends move so that 0 is on it. */
static void grid_of(sgs_spell *p, float lo, float hi, sgs_fake_quant_attr *a)
{
    const int64_t bits = sgs_sp_int(p, "num_bits", 8), narrow = sgs_sp_int(p, "narrow_range", 0);
    if (p->status == SGS_OK && (bits < 2 || bits > 16))
        sgs_sp_fail(p, "num_bits must lie in 2..16, found %lld", (long long)bits);
    if (p->status == SGS_OK && !(lo <= 0 && hi >= 0 && lo < hi && hi - lo < INFINITY))
        sgs_sp_fail(p, "expected min <= 0 <= max and min < max, found %g and %g", (double)lo, (double)hi);
    if (p->status != SGS_OK)
        return;
    a->least = narrow != 0;
    a->most = ((int64_t)1 << bits) - 1;
    a->scale = (hi - lo) / (float)(a->most - a->least);
    const float zero = (float)a->least - lo / a->scale;
    a->zero = zero < (float)a->least ? a->least : zero > (float)a->most ? a->most : (int64_t)roundf(zero);
}

static float bound_of(sgs_spell *p, int slot)
{
    const sgs_value *v = sgs_sp_in(p, slot);
    if (v && (!v->constant || v->type != SGS_F32 || sgs_value_count(v) != 1))
        sgs_sp_refuse(p, "input %d: expected one constant number", slot);
    return p->status == SGS_OK ? *sgs_const_f32(v) : 0;
}

static sgs_status from_tf_fakequant(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool args = !strcmp(s->op, "FakeQuantWithMinMaxArgs");
    sgs_value *x = sgs_sp_in(p, 0);
    const float lo = args ? sgs_sp_float(p, "min", -6) : bound_of(p, 1), hi = args ? sgs_sp_float(p, "max", 6) : bound_of(p, 2);
    sgs_fake_quant_attr a = { 0 };
    grid_of(p, lo, hi, &a);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_fake_quant, x, &a));
    return p->status;
}

/* ---- rows ---- */

const sgs_op sgs_op_fake_quant = {
    .name = "fake_quant",
    .family = "fakequant",
    .nin_min = 1,
    .nin_max = 1,
    .nout = 1,
    .attr_bytes = sizeof(sgs_fake_quant_attr),
    .attr = attrs,
    .infer = fake_quant_infer,
    .eval = fake_quant_eval,
    .float_only = true,
    .permute = sgs_permute_elementwise,
    .qrule = SGS_Q_MOVE,
    .fixed_out = fake_quant_fixed_out,
    .quant = fake_quant_quant,
    .kernel = "",
};

const sgs_op sgs_op_fake_quant_dynamic = {
    .name = "fake_quant_dynamic",
    .family = "fakequant",
    .nin_min = 1,
    .nin_max = 1,
    .nout = 1,
    .infer = dynamic_infer,
    .eval = dynamic_eval,
    .float_only = true,
    .permute = sgs_permute_elementwise,
    .qrule = SGS_Q_MOVE,
    .quant = dynamic_quant,
    .kernel = "",
};

static const sgs_op *const ops[] = { &sgs_op_fake_quant, &sgs_op_fake_quant_dynamic, NULL };
static const sgs_from tensorflow[] = {
    { "FakeQuantWithMinMaxVars", from_tf_fakequant, 0 },
    { "FakeQuantWithMinMaxArgs", from_tf_fakequant, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_fakequant = { "fakequant", ops, .tensorflow = tensorflow };
