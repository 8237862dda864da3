#include "ops/tflite.h"

#include <string.h>

#include "ops/util.h"

/* BuiltinOperator, BuiltinOptions and the options' fields: numbers of TFLite's public schema. */
static const sgs_tfl_schema schema[] = {
    { "ADD", 0, 11, { { "fused_activation_function", 0, 'b', 0 } } },
    { "AVERAGE_POOL_2D", 1, 5, { { "padding", 0, 'b', 0 }, { "stride_w", 1, 'i', 0 }, { "stride_h", 2, 'i', 0 }, { "filter_width", 3, 'i', 0 },
                                 { "filter_height", 4, 'i', 0 }, { "fused_activation_function", 5, 'b', 0 } } },
    { "CONCATENATION", 2, 10, { { "axis", 0, 'i', 0 }, { "fused_activation_function", 1, 'b', 0 } } },
    { "CONV_2D", 3, 1, { { "padding", 0, 'b', 0 }, { "stride_w", 1, 'i', 0 }, { "stride_h", 2, 'i', 0 }, { "fused_activation_function", 3, 'b', 0 },
                         { "dilation_w_factor", 4, 'i', 1 }, { "dilation_h_factor", 5, 'i', 1 } } },
    { "DEPTHWISE_CONV_2D", 4, 2, { { "padding", 0, 'b', 0 }, { "stride_w", 1, 'i', 0 }, { "stride_h", 2, 'i', 0 }, { "depth_multiplier", 3, 'i', 0 },
                                   { "fused_activation_function", 4, 'b', 0 }, { "dilation_w_factor", 5, 'i', 1 }, { "dilation_h_factor", 6, 'i', 1 } } },
    { "FLOOR", 8, 0, { { NULL, 0, 0, 0 } } },
    { "FULLY_CONNECTED", 9, 8, { { "fused_activation_function", 0, 'b', 0 }, { "weights_format", 1, 'b', 0 }, { "keep_num_dims", 2, 'b', 0 } } },
    { "DEPTH_TO_SPACE", 5, 94, { { "block_size", 0, 'i', 0 } } },
    { "LOGISTIC", 14, 0, { { NULL, 0, 0, 0 } } },
    { "MAX_POOL_2D", 17, 5, { { "padding", 0, 'b', 0 }, { "stride_w", 1, 'i', 0 }, { "stride_h", 2, 'i', 0 }, { "filter_width", 3, 'i', 0 },
                              { "filter_height", 4, 'i', 0 }, { "fused_activation_function", 5, 'b', 0 } } },
    { "MUL", 18, 21, { { "fused_activation_function", 0, 'b', 0 } } },
    { "RELU", 19, 0, { { NULL, 0, 0, 0 } } },
    { "RELU_N1_TO_1", 20, 0, { { NULL, 0, 0, 0 } } },
    { "RELU6", 21, 0, { { NULL, 0, 0, 0 } } },
    { "RESHAPE", 22, 17, { { NULL, 0, 0, 0 } } },
    { "GATHER", 36, 23, { { "axis", 0, 'i', 0 }, { "batch_dims", 1, 'i', 0 } } },
    { "TILE", 69, 51, { { NULL, 0, 0, 0 } } },
    { "SLICE", 65, 48, { { NULL, 0, 0, 0 } } },
    { "STRIDED_SLICE", 45, 32, { { "begin_mask", 0, 'i', 0 }, { "end_mask", 1, 'i', 0 }, { "ellipsis_mask", 2, 'i', 0 }, { "new_axis_mask", 3, 'i', 0 }, { "shrink_axis_mask", 4, 'i', 0 } } },
    { "RESIZE_BILINEAR", 23, 15, { { "align_corners", 2, 'b', 0 }, { "half_pixel_centers", 3, 'b', 0 } } },
    { "SOFTMAX", 25, 9, { { "beta", 0, 'f', 0 } } },
    { "SPACE_TO_DEPTH", 26, 19, { { "block_size", 0, 'i', 0 } } },
    { "TANH", 28, 0, { { NULL, 0, 0, 0 } } },
    { "PAD", 34, 22, { { NULL, 0, 0, 0 } } },
    { "TRANSPOSE", 39, 26, { { NULL, 0, 0, 0 } } },
    { "MEAN", 40, 27, { { "keep_dims", 0, 'b', 0 } } },
    { "SUB", 41, 28, { { "fused_activation_function", 0, 'b', 0 } } },
    { "DIV", 42, 29, { { "fused_activation_function", 0, 'b', 0 } } },
    { "EXP", 47, 33, { { NULL, 0, 0, 0 } } },
    { "PRELU", 54, 0, { { NULL, 0, 0, 0 } } },
    { "MAXIMUM", 55, 39, { { NULL, 0, 0, 0 } } },
    { "ARG_MAX", 56, 40, { { "output_type", 0, 'b', 0 } } },
    { "MINIMUM", 57, 39, { { NULL, 0, 0, 0 } } },
    { "NEG", 59, 42, { { NULL, 0, 0, 0 } } },
    { "PADV2", 60, 43, { { NULL, 0, 0, 0 } } },
    { "SIN", 66, 0, { { NULL, 0, 0, 0 } } },
    { "TRANSPOSE_CONV", 67, 49, { { "padding", 0, 'b', 0 }, { "stride_w", 1, 'i', 0 }, { "stride_h", 2, 'i', 0 }, { "fused_activation_function", 3, 'b', 0 } } },
    { "LOG", 73, 0, { { NULL, 0, 0, 0 } } },
    { "SQRT", 75, 0, { { NULL, 0, 0, 0 } } },
    { "RSQRT", 76, 0, { { NULL, 0, 0, 0 } } },
    { "POW", 78, 56, { { NULL, 0, 0, 0 } } },
    { "SQUARE", 92, 66, { { NULL, 0, 0, 0 } } },
    { "LEAKY_RELU", 98, 75, { { "alpha", 0, 'f', 0 } } },
    { "ABS", 101, 78, { { NULL, 0, 0, 0 } } },
    { "CEIL", 104, 0, { { NULL, 0, 0, 0 } } },
    { "COS", 108, 84, { { NULL, 0, 0, 0 } } },
    { "ELU", 111, 0, { { NULL, 0, 0, 0 } } },
    { "RESIZE_NEAREST_NEIGHBOR", 97, 74, { { "align_corners", 0, 'b', 0 }, { "half_pixel_centers", 1, 'b', 0 } } },
    { "SUM", 74, 27, { { "keep_dims", 0, 'b', 0 } } },
    { "ARG_MIN", 79, 57, { { "output_type", 0, 'b', 0 } } },
    { "REDUCE_PROD", 81, 27, { { "keep_dims", 0, 'b', 0 } } },
    { "REDUCE_MAX", 82, 27, { { "keep_dims", 0, 'b', 0 } } },
    { "REDUCE_MIN", 89, 27, { { "keep_dims", 0, 'b', 0 } } },
    { "MIRROR_PAD", 100, 77, { { "mode", 0, 'b', 0 } } },
    { "QUANTIZE", 114, 0, { { NULL, 0, 0, 0 } } },
    { "ROUND", 116, 0, { { NULL, 0, 0, 0 } } },
    { "HARD_SWISH", 117, 91, { { NULL, 0, 0, 0 } } },
    { "BATCH_MATMUL", 126, 101, { { "adj_x", 0, 'b', 0 }, { "adj_y", 1, 'b', 0 } } },
    { "GELU", 150, 116, { { "approximate", 0, 'b', 0 } } },
    { "SIGN", 158, 123, { { NULL, 0, 0, 0 } } },
};

const sgs_tfl_schema *sgs_tfl_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof schema / sizeof *schema; i++)
        if (!strcmp(schema[i].name, name))
            return &schema[i];
    return NULL;
}

const sgs_tfl_schema *sgs_tfl_by_code(int builtin)
{
    for (size_t i = 0; i < sizeof schema / sizeof *schema; i++)
        if (schema[i].builtin == builtin)
            return &schema[i];
    return NULL;
}

bool sgs_tfl_is(float a, float b)
{
    return !memcmp(&a, &b, sizeof a);
}

bool sgs_tfl_fits(const int64_t *v, int n)
{
    for (int i = 0; i < n; i++)
        if (v[i] < INT32_MIN || v[i] > INT32_MAX)
            return false;
    return true;
}

int sgs_tfl_act(const sgs_conv_attr *a)
{
    if (a->act != SGS_ACT_CLIP && !(sgs_tfl_is(a->lo, 0) && sgs_tfl_is(a->hi, 0)))
        return -1; /* numbers that mean nothing and that nothing else would keep */
    switch (a->act) {
    case SGS_ACT_NONE: return SGS_TFL_ACT_NONE;
    case SGS_ACT_RELU: return SGS_TFL_ACT_RELU;
    case SGS_ACT_RELU6: return SGS_TFL_ACT_RELU6;
    default: return a->lo == -1.0f && a->hi == 1.0f ? SGS_TFL_ACT_RELU_N1_TO_1 : -1;
    }
}

static const char *act_word(sgs_import *im, int64_t tfl)
{
    static const char *const words[] = { "NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT" };
    return tfl >= 0 && tfl < (int64_t)(sizeof words / sizeof *words) ? words[tfl] : sgs_format(im->g->arena, "%lld", (long long)tfl);
}

sgs_status sgs_tfl_read_act(sgs_import *im, const sgs_source_node *s, sgs_conv_attr *a, sgs_diag *d)
{
    static const sgs_act acts[] = { SGS_ACT_NONE, SGS_ACT_RELU, SGS_ACT_CLIP, SGS_ACT_RELU6 };
    int64_t tfl = SGS_TFL_ACT_NONE;
    SGS_TRY(sgs_src_int(s, "fused_activation_function", &tfl, d));
    if (tfl < 0 || tfl > SGS_TFL_ACT_RELU6)
        return sgs_src_refuse(im, s, d, "expected a fused activation of NONE, RELU, RELU6 or RELU_N1_TO_1, found %s", act_word(im, tfl));
    a->act = acts[tfl];
    if (tfl == SGS_TFL_ACT_RELU_N1_TO_1) {
        a->lo = -1.0f;
        a->hi = 1.0f;
    }
    return SGS_OK;
}

sgs_status sgs_tfl_no_act(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    int64_t tfl = SGS_TFL_ACT_NONE;
    SGS_TRY(sgs_src_int(s, "fused_activation_function", &tfl, d));
    return tfl == SGS_TFL_ACT_NONE ? SGS_OK : sgs_src_refuse(im, s, d, "expected no fused activation, found %s", act_word(im, tfl));
}

sgs_status sgs_tfl_read_conv(sgs_import *im, const sgs_source_node *s, const sgs_value *x, const sgs_value *w, sgs_conv_attr *a, sgs_diag *d)
{
    if (x->rank != 4 || w->rank != 4)
        return sgs_src_fail(im, s, d, "expected an input and weights of 4 dimensions, found %d and %d", x->rank, w->rank);
    return sgs_tfl_read_act(im, s, a, d);
}

void sgs_tfl_same(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t *before, int64_t *after)
{
    int64_t out = (in + stride - 1) / stride, need = (out - 1) * stride + (kernel - 1) * dilation + 1 - in;
    need = need > 0 ? need : 0;
    *before = need / 2;
    *after = need - need / 2;
}

sgs_status sgs_tfl_simple(sgs_tfl_writer *w, const sgs_node *n, const char *op, const sgs_tfl_option *options)
{
    int *in = SGS_NEW_N(sgs_tfl_arena(w), int, n->nin + 1);
    for (int i = 0; i < n->nin; i++)
        in[i] = n->in[i] ? sgs_tfl_value(w, n->in[i]) : -1;
    sgs_tfl_emit(w, op, in, n->nin, sgs_tfl_value(w, n->out[0]), options);
    return SGS_OK;
}

int sgs_tfl_padded(sgs_tfl_writer *w, const sgs_value *x, const int64_t pad[4], const int64_t same[4], const void *value, int *padding)
{
    int64_t zero[4] = { 0 }, dim[4] = { x->dim[0], x->dim[1] + pad[0] + pad[2], x->dim[2] + pad[1] + pad[3], x->dim[3] };
    *padding = !memcmp(pad, zero, sizeof zero) ? SGS_TFL_VALID : SGS_TFL_SAME;
    if (*padding == SGS_TFL_VALID || !memcmp(pad, same, sizeof zero))
        return sgs_tfl_value(w, x);
    *padding = SGS_TFL_VALID;
    int32_t pads[8] = { 0, 0, (int32_t)pad[0], (int32_t)pad[2], (int32_t)pad[1], (int32_t)pad[3], 0, 0 };
    int64_t shape[] = { 4, 2 };
    int out = sgs_tfl_temp(w, x, 4, dim), in[3] = { sgs_tfl_value(w, x), sgs_tfl_const(w, SGS_S32, 2, shape, pads), 0 };
    if (value)
        in[2] = sgs_tfl_const(w, x->type, 0, NULL, value);
    sgs_tfl_emit(w, value ? "PADV2" : "PAD", in, value ? 3 : 2, out, NULL);
    return out;
}

/* ---- windows, shared by conv, depthwise and pool -------------------------------------------------------------------------------- */

sgs_status sgs_tfl_read_window(const sgs_source_node *s, const sgs_value *x, sgs_tfl_window *w, sgs_diag *d)
{
    int64_t padding = 0;
    for (int i = 0; i < 2; i++)
        w->dilation[i] = 1;
    SGS_TRY(sgs_src_int(s, "padding", &padding, d));
    SGS_TRY(sgs_src_int(s, "stride_h", &w->stride[0], d));
    SGS_TRY(sgs_src_int(s, "stride_w", &w->stride[1], d));
    SGS_TRY(sgs_src_int(s, "dilation_h_factor", &w->dilation[0], d));
    SGS_TRY(sgs_src_int(s, "dilation_w_factor", &w->dilation[1], d));
    SGS_TRY(sgs_src_int(s, "filter_height", &w->kernel[0], d));
    SGS_TRY(sgs_src_int(s, "filter_width", &w->kernel[1], d));
    if (x->rank != 4)
        return sgs_fail(d, SGS_E_MODEL, "%s: expected an input of 4 dimensions, found %d", s->op, x->rank);
    for (int i = 0; i < 2; i++) {
        int64_t out;
        SGS_TRY(sgs_window((int64_t)1 << 62, w->kernel[i], w->stride[i], w->dilation[i], 0, &out, i ? "width" : "height", d));
        if (padding == SGS_TFL_SAME)
            sgs_tfl_same(x->dim[1 + i], w->kernel[i], w->stride[i], w->dilation[i], &w->pad[i], &w->pad[2 + i]);
    }
    w->same = padding == SGS_TFL_SAME;
    return SGS_OK;
}

bool sgs_tfl_take_pad(sgs_import *im, sgs_value **x, int64_t pad[4], float value)
{
    sgs_node *n = (*x)->def;
    if (!im->joined || !n || n != im->g->last || n->op != &sgs_op_pad)
        return false;
    const sgs_pad_attr *a = n->attr;
    if (a->n != 4 || a->mode != SGS_PAD_CONSTANT || a->before[0] || a->after[0] || a->before[3] || a->after[3] || a->value != value)
        return false;
    pad[0] = a->before[1];
    pad[1] = a->before[2];
    pad[2] = a->after[1];
    pad[3] = a->after[2];
    *x = n->in[0];
    sgs_node_remove(im->g, n);
    return true;
}
