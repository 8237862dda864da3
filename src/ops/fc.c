/* fc: y[..., o] = act(b[o] + sum x[..., c] * w[o,c]).  ONNX Gemm arrives here when its B is constant (pass/fold_matmul). */
#include "compile/lower.h"
#include "ops/dnnl.h"
#include "ops/tflite.h"
#include "ops/util.h"

static const sgs_attr fc_attrs[] = {
    SGS_ATTR_E(sgs_conv_attr, act, sgs_act_names), SGS_ATTR_F(sgs_conv_attr, lo), SGS_ATTR_F(sgs_conv_attr, hi), SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status fc_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_value *x = n->in[0], *w = n->in[1];
    char shape[128];
    SGS_TRY(sgs_need_rank(w, 2, "weights", d));
    if (x->rank < 1 || x->dim[x->rank - 1] != w->dim[1])
        return sgs_fail(d, SGS_E_MODEL, "inner sizes differ: the input has %lld, the weights %lld", x->rank ? (long long)x->dim[x->rank - 1] : 0LL,
                        (long long)w->dim[1]);
    sgs_shape_like(out, x);
    out->dim[x->rank - 1] = w->dim[0];
    if (n->nin > 2 && n->in[2] && (n->in[2]->rank != 1 || n->in[2]->dim[0] != w->dim[0]))
        return sgs_fail(d, SGS_E_MODEL, "expected %lld biases, one per output, found shape %s", (long long)w->dim[0],
                        sgs_dims_text(shape, sizeof shape, n->in[2]->rank, n->in[2]->dim));
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

static sgs_status fc_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    return sgs_dnnl_run_fc(in, n->nin > 2 && n->in[2], out, n->attr, st, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status fc_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    int act = sgs_tfl_act(n->attr);
    const sgs_tfl_option o[] = { { "fused_activation_function", act }, { "keep_num_dims", n->in[0]->rank != 2 }, { NULL, 0 } };
    return act < 0 ? sgs_tfl_custom(w, n) : sgs_tfl_simple(w, n, "FULLY_CONNECTED", o);
}

/* Without keep_num_dims the input counts as rows of the weights' length. */
static sgs_status fc_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[3] = { NULL, NULL, sgs_src_opt(im, s, 2) }, *y;
    sgs_conv_attr a = { 0 };
    int64_t keep = 0, format = 0;
    char shape[128];
    SGS_TRY(sgs_src_in(im, s, 0, &in[0], d));
    SGS_TRY(sgs_src_in(im, s, 1, &in[1], d));
    SGS_TRY(sgs_src_int(s, "keep_num_dims", &keep, d));
    SGS_TRY(sgs_src_int(s, "weights_format", &format, d));
    if (in[1]->rank != 2 || in[1]->dim[1] < 1)
        return sgs_src_fail(im, s, d, "expected weights of 2 dimensions and at least one input, found shape %s",
                            sgs_dims_text(shape, sizeof shape, in[1]->rank, in[1]->dim));
    if (format)
        return sgs_src_refuse(im, s, d, "expected weights in plain order, found weights_format %lld", (long long)format);
    SGS_TRY(sgs_tfl_read_act(im, s, &a, d));
    if (!keep && in[0]->rank != 2) {
        const sgs_shape_attr rows = { .n = 2, .dim = { sgs_value_count(in[0]) / in[1]->dim[1], in[1]->dim[1] } };
        SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, in, &rows, &in[0], d));
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_fc, s->nin > 2 ? 3 : 2, in, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

/* A 1x1 convolution. */
static sgs_status fc_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_conv_attr *a = n->attr;
    const sgs_value *w = n->in[1];
    int64_t co = w->dim[0], ci = w->dim[1];
    sgs_sums s = { .x = n->in[0], .w = w, .bias = n->nin > 2 ? n->in[2] : NULL, .y = n->out[0], .co = co, .taps = 1, .ci = ci,
                   .step_o = ci, .step_c = 1, .group = co };
    SGS_TRY(sgs_sums_make(l, n, &s, d));
    ipu_conv r = {
        .head = SGS_REC(sgs_sums_conv(&s), conv),
        .y = sgs_lower_ref(l, s.y), .x = sgs_lower_ref(l, s.x), .w = sgs_pack_conv(l, w->type, sgs_const_data(w), co, 1, ci),
        .bias = sgs_sums_bias(l, &s, 0, co), .mult = sgs_sums_mult(l, &s, 0, co), .pad = sgs_lower_zeros(l, s.x, 0, ci),
        .kh = 1, .kw = 1, .sy = 1, .sx = 1, .dy = 1, .dx = 1, .shift = s.shift, .out = sgs_out_range(s.y, (int)a->act, a->lo, a->hi),
    };
    return sgs_lower_emit(l, &r.head, n, sgs_value_count(s.y) * ci, d);
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_fc = {
    .name = "fc", .family = "fc", .nin_min = 2, .nin_max = 3, .nout = 1, /* x, w[, bias] -> y */
    .attr_bytes = sizeof(sgs_conv_attr), .attr = fc_attrs,
    .infer = fc_infer, .eval = fc_eval, .to_tflite = fc_to_tflite, .float_only = true, .qrule = SGS_Q_CONV, .kernel = "conv",
    .lower = fc_lower,
};

static const sgs_op *const ops[] = { &sgs_op_fc, NULL };
static const sgs_from tflite[] = { { "FULLY_CONNECTED", fc_from_tflite, 0 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_fc = { "fc", ops, .tflite = tflite };
