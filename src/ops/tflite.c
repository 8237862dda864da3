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
    { "RESHAPE", 22, 17, { { "new_shape", 0, 'v', 0 } } },
    { "GATHER", 36, 23, { { "axis", 0, 'i', 0 }, { "batch_dims", 1, 'i', 0 } } },
    { "TILE", 69, 51, { { NULL, 0, 0, 0 } } },
    { "SLICE", 65, 48, { { NULL, 0, 0, 0 } } },
    { "STRIDED_SLICE", 45, 32, { { "begin_mask", 0, 'i', 0 }, { "end_mask", 1, 'i', 0 }, { "ellipsis_mask", 2, 'i', 0 }, { "new_axis_mask", 3, 'i', 0 }, { "shrink_axis_mask", 4, 'i', 0 }, { "offset", 5, 'b', 0 } } },
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
    { "DEQUANTIZE", 6, 0, { { NULL, 0, 0, 0 } } },
    { "EMBEDDING_LOOKUP", 7, 0, { { NULL, 0, 0, 0 } } },
    { "L2_NORMALIZATION", 11, 12, { { "fused_activation_function", 0, 'b', 0 } } },
    { "L2_POOL_2D", 12, 5, { { "padding", 0, 'b', 0 }, { "stride_w", 1, 'i', 0 }, { "stride_h", 2, 'i', 0 }, { "filter_width", 3, 'i', 0 }, { "filter_height", 4, 'i', 0 }, { "fused_activation_function", 5, 'b', 0 } } },
    { "LOCAL_RESPONSE_NORMALIZATION", 13, 13, { { "radius", 0, 'i', 0 }, { "bias", 1, 'f', 0 }, { "alpha", 2, 'f', 0 }, { "beta", 3, 'f', 0 } } },
    { "LSTM", 16, 14, { { "fused_activation_function", 0, 'b', 0 }, { "cell_clip", 1, 'f', 0 }, { "proj_clip", 2, 'f', 0 }, { "kernel_type", 3, 'b', 0 } } },
    { "RNN", 24, 7, { { "fused_activation_function", 0, 'b', 0 } } },
    { "SVDF", 27, 6, { { "rank", 0, 'i', 0 }, { "fused_activation_function", 1, 'b', 0 } } },
    { "UNIDIRECTIONAL_SEQUENCE_RNN", 35, 31, { { "time_major", 0, 'b', 0 }, { "fused_activation_function", 1, 'b', 0 } } },
    { "BIDIRECTIONAL_SEQUENCE_RNN", 46, 70, { { "time_major", 0, 'b', 0 }, { "fused_activation_function", 1, 'b', 0 }, { "merge_outputs", 2, 'b', 0 } } },
    { "BATCH_TO_SPACE_ND", 37, 0, { { NULL, 0, 0, 0 } } },
    { "SPACE_TO_BATCH_ND", 38, 0, { { NULL, 0, 0, 0 } } },
    { "SQUEEZE", 43, 30, { { "squeeze_dims", 0, 'v', 0 } } },
    { "UNIDIRECTIONAL_SEQUENCE_LSTM", 44, 71, { { "fused_activation_function", 0, 'b', 0 }, { "cell_clip", 1, 'f', 0 }, { "proj_clip", 2, 'f', 0 }, { "time_major", 3, 'b', 0 }, { "diagonal_recurrent_tensors", 5, 'b', 0 } } },
    { "BIDIRECTIONAL_SEQUENCE_LSTM", 52, 69, { { "fused_activation_function", 0, 'b', 0 }, { "cell_clip", 1, 'f', 0 }, { "proj_clip", 2, 'f', 0 }, { "merge_outputs", 3, 'b', 0 }, { "time_major", 4, 'b', 1 } } },
    { "TOPK_V2", 48, 0, { { NULL, 0, 0, 0 } } },
    { "SPLIT", 49, 35, { { "num_splits", 0, 'i', 0 } } },
    { "LOG_SOFTMAX", 50, 0, { { NULL, 0, 0, 0 } } },
    { "CAST", 53, 37, { { "in_data_type", 0, 'b', 0 }, { "out_data_type", 1, 'b', 0 } } },
    { "LESS", 58, 0, { { NULL, 0, 0, 0 } } },
    { "GREATER", 61, 0, { { NULL, 0, 0, 0 } } },
    { "GREATER_EQUAL", 62, 0, { { NULL, 0, 0, 0 } } },
    { "LESS_EQUAL", 63, 0, { { NULL, 0, 0, 0 } } },
    { "SELECT", 64, 0, { { NULL, 0, 0, 0 } } },
    { "SPARSE_TO_DENSE", 68, 0, { { NULL, 0, 0, 0 } } },
    { "EXPAND_DIMS", 70, 0, { { NULL, 0, 0, 0 } } },
    { "EQUAL", 71, 0, { { NULL, 0, 0, 0 } } },
    { "NOT_EQUAL", 72, 0, { { NULL, 0, 0, 0 } } },
    { "SHAPE", 77, 55, { { "out_type", 0, 'b', 0 } } },
    { "FAKE_QUANT", 80, 58, { { "min", 0, 'f', 0 }, { "max", 1, 'f', 0 }, { "num_bits", 2, 'i', 0 }, { "narrow_range", 3, 'b', 0 } } },
    { "PACK", 83, 59, { { "values_count", 0, 'i', 0 }, { "axis", 1, 'i', 0 } } },
    { "LOGICAL_OR", 84, 0, { { NULL, 0, 0, 0 } } },
    { "ONE_HOT", 85, 61, { { "axis", 0, 'i', 0 } } },
    { "LOGICAL_AND", 86, 0, { { NULL, 0, 0, 0 } } },
    { "LOGICAL_NOT", 87, 0, { { NULL, 0, 0, 0 } } },
    { "UNPACK", 88, 64, { { "num", 0, 'i', 0 }, { "axis", 1, 'i', 0 } } },
    { "FLOOR_DIV", 90, 0, { { NULL, 0, 0, 0 } } },
    { "REDUCE_ANY", 91, 27, { { "keep_dims", 0, 'b', 0 } } },
    { "ZEROS_LIKE", 93, 0, { { NULL, 0, 0, 0 } } },
    { "FILL", 94, 0, { { NULL, 0, 0, 0 } } },
    { "FLOOR_MOD", 95, 0, { { NULL, 0, 0, 0 } } },
    { "RANGE", 96, 0, { { NULL, 0, 0, 0 } } },
    { "SQUARED_DIFFERENCE", 99, 0, { { NULL, 0, 0, 0 } } },
    { "SPLIT_V", 102, 79, { { "num_splits", 0, 'i', 0 } } },
    { "REVERSE_V2", 105, 0, { { NULL, 0, 0, 0 } } },
    { "ADD_N", 106, 0, { { NULL, 0, 0, 0 } } },
    { "GATHER_ND", 107, 0, { { NULL, 0, 0, 0 } } },
    { "RANK", 110, 0, { { NULL, 0, 0, 0 } } },
    { "REVERSE_SEQUENCE", 112, 87, { { "seq_dim", 0, 'i', 0 }, { "batch_dim", 1, 'i', 0 } } },
    { "IF", 118, 92, { { "then_branch", 0, 'g', -1 }, { "else_branch", 1, 'g', -1 } } },
    { "WHILE", 119, 93, { { "cond", 0, 'g', -1 }, { "body", 1, 'g', -1 } } },
    { "SCATTER_ND", 122, 0, { { NULL, 0, 0, 0 } } },
    { "SELECT_V2", 123, 0, { { NULL, 0, 0, 0 } } },
    { "DENSIFY", 124, 0, { { NULL, 0, 0, 0 } } },
    { "CUMSUM", 128, 102, { { "exclusive", 0, 'b', 0 }, { "reverse", 1, 'b', 0 } } },
    { "BROADCAST_TO", 130, 0, { { NULL, 0, 0, 0 } } },
    { "CALL_ONCE", 129, 103, { { "init", 0, 'g', -1 } } },
    { "VAR_HANDLE", 142, 111, { { "container", 0, 's', 0 }, { "shared_name", 1, 's', 0 } } },
    { "READ_VARIABLE", 143, 0, { { NULL, 0, 0, 0 } } },
    { "REDUCE_ALL", 140, 27, { { "keep_dims", 0, 'b', 0 } } },
    { "BROADCAST_ARGS", 145, 0, { { NULL, 0, 0, 0 } } },
    { "DYNAMIC_UPDATE_SLICE", 151, 0, { { NULL, 0, 0, 0 } } },
    { "RELU_0_TO_1", 152, 0, { { NULL, 0, 0, 0 } } },
    { "ATAN2", 156, 0, { { NULL, 0, 0, 0 } } },
};

/* Those that nothing here reads. */
static const char *const other_names[] = {
    [10] = "HASHTABLE_LOOKUP", [15] = "LSH_PROJECTION", [29] = "CONCAT_EMBEDDINGS", [30] = "SKIP_GRAM", [31] = "CALL",
    [33] = "EMBEDDING_LOOKUP_SPARSE", [103] = "UNIQUE", [109] = "WHERE", [113] = "MATRIX_DIAG",
    [115] = "MATRIX_SET_DIAG", [120] = "NON_MAX_SUPPRESSION_V4",
    [121] = "NON_MAX_SUPPRESSION_V5", [125] = "SEGMENT_SUM", [131] = "RFFT2D", [132] = "CONV_3D",
    [133] = "IMAG", [134] = "REAL", [135] = "COMPLEX_ABS", [136] = "HASHTABLE", [137] = "HASHTABLE_FIND",
    [138] = "HASHTABLE_IMPORT", [139] = "HASHTABLE_SIZE", [141] = "CONV_3D_TRANSPOSE",
    [144] = "ASSIGN_VARIABLE", [146] = "RANDOM_STANDARD_NORMAL", [147] = "BUCKETIZE",
    [148] = "RANDOM_UNIFORM", [149] = "MULTINOMIAL", [153] = "UNSORTED_SEGMENT_PROD", [154] = "UNSORTED_SEGMENT_MAX",
    [155] = "UNSORTED_SEGMENT_SUM", [157] = "UNSORTED_SEGMENT_MIN", [159] = "BITCAST", [160] = "BITWISE_XOR",
    [161] = "RIGHT_SHIFT", [162] = "STABLEHLO_LOGISTIC", [163] = "STABLEHLO_ADD", [164] = "STABLEHLO_DIVIDE",
    [165] = "STABLEHLO_MULTIPLY", [166] = "STABLEHLO_MAXIMUM", [167] = "STABLEHLO_RESHAPE", [168] = "STABLEHLO_CLAMP",
    [169] = "STABLEHLO_CONCATENATE", [170] = "STABLEHLO_BROADCAST_IN_DIM", [171] = "STABLEHLO_CONVOLUTION",
    [172] = "STABLEHLO_SLICE", [173] = "STABLEHLO_CUSTOM_CALL", [174] = "STABLEHLO_REDUCE", [175] = "STABLEHLO_ABS",
    [176] = "STABLEHLO_AND", [177] = "STABLEHLO_COSINE", [178] = "STABLEHLO_EXPONENTIAL", [179] = "STABLEHLO_FLOOR",
    [180] = "STABLEHLO_LOG", [181] = "STABLEHLO_MINIMUM", [182] = "STABLEHLO_NEGATE", [183] = "STABLEHLO_OR",
    [184] = "STABLEHLO_POWER", [185] = "STABLEHLO_REMAINDER", [186] = "STABLEHLO_RSQRT", [187] = "STABLEHLO_SELECT",
    [188] = "STABLEHLO_SUBTRACT", [189] = "STABLEHLO_TANH", [190] = "STABLEHLO_SCATTER", [191] = "STABLEHLO_COMPARE",
    [192] = "STABLEHLO_CONVERT", [193] = "STABLEHLO_DYNAMIC_SLICE", [194] = "STABLEHLO_DYNAMIC_UPDATE_SLICE",
    [195] = "STABLEHLO_PAD", [196] = "STABLEHLO_IOTA", [197] = "STABLEHLO_DOT_GENERAL",
    [198] = "STABLEHLO_REDUCE_WINDOW", [199] = "STABLEHLO_SORT", [200] = "STABLEHLO_WHILE",
    [201] = "STABLEHLO_GATHER", [202] = "STABLEHLO_TRANSPOSE", [203] = "DILATE",
    [204] = "STABLEHLO_RNG_BIT_GENERATOR", [205] = "REDUCE_WINDOW", [206] = "STABLEHLO_COMPOSITE",
    [207] = "STABLEHLO_SHIFT_LEFT", [208] = "STABLEHLO_CBRT", [209] = "STABLEHLO_CASE",
};

const char *sgs_tfl_name(int builtin)
{
    const sgs_tfl_schema *k = sgs_tfl_by_code(builtin);
    const bool other = builtin >= 0 && builtin < (int)(sizeof other_names / sizeof *other_names);
    return k ? k->name : other ? other_names[builtin] : NULL;
}

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
