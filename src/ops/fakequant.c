/* fake_quant: real numbers on the grid of a quantization that the model itself brings, as ONNX's QuantizeLinear with DequantizeLinear behind it
 * computes them (opset 10).  In fixed point it moves data: what lies on its grid has that quantization.
 * fake_quant_dynamic: the same with 8 bits for whatever the tensor holds, as DynamicQuantizeLinear chooses them.  In fixed point it is gone: the bits are
 * chosen beforehand there. */
#include <math.h>
#include <string.h>

#include "ops/util.h"
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
const sgs_family sgs_family_fakequant = { "fakequant", ops, NULL, NULL };
