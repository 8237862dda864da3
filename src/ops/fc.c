/* fc: y[..., o] = act(b[o] + sum x[..., c] * w[o,c]).  ONNX Gemm arrives here when its B is constant (pass/fold_matmul). */
#include "ops/util.h"

static const sgs_attr fc_attrs[] = {
    SGS_ATTR_E(sgs_conv_attr, act, sgs_act_names), SGS_ATTR_F(sgs_conv_attr, lo), SGS_ATTR_F(sgs_conv_attr, hi), SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status fc_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_value *x = n->in[0], *w = n->in[1];
    SGS_TRY(sgs_need_rank(w, 2, "weights", d));
    if (x->rank < 1 || x->dim[x->rank - 1] != w->dim[1])
        return sgs_fail(d, SGS_E_MODEL, "inner sizes differ: the input has %lld, the weights %lld", x->rank ? (long long)x->dim[x->rank - 1] : 0LL,
                        (long long)w->dim[1]);
    sgs_shape_like(out, x);
    out->dim[x->rank - 1] = w->dim[0];
    if (n->nin > 2 && n->in[2] && (n->in[2]->rank != 1 || n->in[2]->dim[0] != w->dim[0]))
        return sgs_fail(d, SGS_E_MODEL, "expected %lld biases, one per output", (long long)w->dim[0]);
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static sgs_status fc_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const sgs_conv_attr *a = n->attr;
    const float *bias = n->nin > 2 && n->in[2] ? in[2].data : NULL;
    int64_t co = in[1].dim[0], ci = in[1].dim[1], rows = sgs_tensor_count(out) / (co ? co : 1);
    const float *x = in[0].data;
    float *y = out->data;
    for (int64_t r = 0; r < rows; r++, x += ci)
        for (int64_t o = 0; o < co; o++) {
            const float *w = (const float *)in[1].data + o * ci;
            double sum = 0;
            for (int64_t c = 0; c < ci; c++)
                sum += (double)x[c] * (double)w[c];
            *y++ = sgs_apply_act((float)sum + (bias ? bias[o] : 0.0f), a->act, a->lo, a->hi);
        }
    return SGS_OK;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_fc = {
    .name = "fc", .family = "fc", .nin_min = 2, .nin_max = 3, .nout = 1, /* x, w[, bias] -> y */
    .attr_bytes = sizeof(sgs_conv_attr), .attr = fc_attrs,
    .infer = fc_infer, .eval = fc_eval, .float_only = true, .qrule = SGS_Q_CONV, .kernel = "conv",
};

static const sgs_op *const ops[] = { &sgs_op_fc, NULL };
const sgs_family sgs_family_fc = { "fc", ops, NULL, NULL };
