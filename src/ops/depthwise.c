/* depthwise: y[n,h,w,c] = act(b[c] + sum x[n, h*s+i*d-p, ..., c] * w[0,i,j,c]), x NHWC, w [1][kh][kw][c]. */
#include "ops/util.h"

static const sgs_attr depthwise_attrs[] = {
    SGS_ATTR_V(sgs_conv_attr, stride, 2), SGS_ATTR_V(sgs_conv_attr, dilation, 2),       SGS_ATTR_V(sgs_conv_attr, pad, 4),
    SGS_ATTR_E(sgs_conv_attr, act, sgs_act_names), SGS_ATTR_F(sgs_conv_attr, lo), SGS_ATTR_F(sgs_conv_attr, hi), SGS_ATTR_END,
};

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status depthwise_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_conv_attr *a = n->attr;
    const sgs_value *x = n->in[0], *w = n->in[1];
    SGS_TRY(sgs_need_rank(x, 4, "input", d));
    SGS_TRY(sgs_need_rank(w, 4, "weights", d));
    sgs_shape_like(out, x);
    if (w->dim[0] != 1 || w->dim[3] != x->dim[3])
        return sgs_fail(d, SGS_E_MODEL, "expected one weight plane for each of %lld channels, found %lldx%lld", (long long)x->dim[3],
                        (long long)w->dim[0], (long long)w->dim[3]);
    for (int i = 0; i < 2; i++)
        SGS_TRY(sgs_window(x->dim[1 + i], w->dim[1 + i], a->stride[i], a->dilation[i], a->pad[i] + a->pad[2 + i], &out->dim[1 + i],
                           i ? "width" : "height", d));
    for (int i = 0; i < 4; i++)
        if (a->pad[i] < 0)
            return sgs_fail(d, SGS_E_MODEL, "padding must be 0 or more, found %lld", (long long)a->pad[i]);
    if (n->nin > 2 && n->in[2] && (n->in[2]->rank != 1 || n->in[2]->dim[0] != x->dim[3]))
        return sgs_fail(d, SGS_E_MODEL, "expected %lld biases, one per channel", (long long)x->dim[3]);
    return SGS_OK;
}

/* ---- float ---------------------------------------------------------------------------------------------------------- */

typedef struct place {
    int64_t n, y, x;
} place;

static float depthwise_sum(const sgs_conv_attr *a, const sgs_tensor *in, place at, int64_t c)
{
    const int64_t *xd = in[0].dim, *wd = in[1].dim;
    double sum = 0;
    for (int64_t i = 0; i < wd[1]; i++)
        for (int64_t j = 0; j < wd[2]; j++) {
            int64_t y = at.y * a->stride[0] + i * a->dilation[0] - a->pad[0], x = at.x * a->stride[1] + j * a->dilation[1] - a->pad[1];
            if (y >= 0 && y < xd[1] && x >= 0 && x < xd[2])
                sum += (double)((const float *)in[0].data)[((at.n * xd[1] + y) * xd[2] + x) * xd[3] + c] *
                       (double)((const float *)in[1].data)[(i * wd[2] + j) * wd[3] + c];
        }
    return (float)sum;
}

static sgs_status depthwise_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const sgs_conv_attr *a = n->attr;
    const float *bias = n->nin > 2 && n->in[2] ? in[2].data : NULL;
    float *y = out->data;
    place at;
    for (at.n = 0; at.n < out->dim[0]; at.n++)
        for (at.y = 0; at.y < out->dim[1]; at.y++)
            for (at.x = 0; at.x < out->dim[2]; at.x++)
                for (int64_t c = 0; c < out->dim[3]; c++)
                    *y++ = sgs_apply_act(depthwise_sum(a, in, at, c) + (bias ? bias[c] : 0.0f), a->act, a->lo, a->hi);
    return SGS_OK;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_depthwise = {
    .name = "depthwise", .family = "depthwise", .nin_min = 2, .nin_max = 3, .nout = 1, /* x, w[, bias] -> y */
    .attr_bytes = sizeof(sgs_conv_attr), .attr = depthwise_attrs,
    .infer = depthwise_infer, .eval = depthwise_eval, .float_only = true, .qrule = SGS_Q_CONV,
};

static const sgs_op *const ops[] = { &sgs_op_depthwise, NULL };
const sgs_family sgs_family_depthwise = { "depthwise", ops, NULL, NULL }; /* ONNX: Conv, in conv.c */
