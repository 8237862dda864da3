/* The operator table: one family = one file here (attributes, imports, shapes, float evaluation, quantization rule,
 * lowering) + one file in runtime/kernels of the same name.  docs/ADDING-AN-OP.md walks through one.                     */
#ifndef SGS_OP_H
#define SGS_OP_H

#include "ir/ir.h"
#include "runtime/image.h"

/* ---- attributes: a struct the table describes, so that print, parse and compare need no op's help ---------------------- */

typedef enum sgs_attr_kind { SGS_ATTR_INT, SGS_ATTR_FLOAT, SGS_ATTR_INTS, SGS_ATTR_ENUM } sgs_attr_kind;
#define SGS_ALL ((size_t)-1)
typedef struct sgs_attr {
    const char *name;             /* NULL ends the list */
    sgs_attr_kind kind;
    size_t offset;                /* int64_t, float, int64_t[max], int64_t */
    int max;                      /* INTS: array length */
    size_t count_offset;          /* INTS: offset of its int64_t count, or SGS_ALL: always `max` long */
    const char *const *names;     /* ENUM: NULL-terminated */
} sgs_attr;

/* ---- float (and integer) evaluation ------------------------------------------------------------------------------------ */

typedef struct sgs_tensor {       /* dense row-major data of a value */
    sgs_type type;
    int rank;
    int64_t dim[SGS_MAX_RANK];
    void *data;
} sgs_tensor;

/* Per-node state an evaluator may keep between runs of one session (a oneDNN primitive, packed weights). */
typedef struct sgs_eval_state {
    void *p;
    void (*destroy)(void *p);
} sgs_eval_state;

/* ---- quantization rules (quant/quantize.c acts on them) ------------------------------------------------------------------- */

typedef enum sgs_qrule {
    SGS_Q_NONE,    /* no fixed-point form: refused by name */
    SGS_Q_CONV,    /* in[0] U8 or S16, in[1] weights per output channel, in[2] bias; out U8 or S16 with its own range */
    SGS_Q_MOVE,    /* all data inputs and outputs share one quantization, U8 or S16 */
    SGS_Q_S16      /* data inputs and outputs S16, each with its own range */
} sgs_qrule;

typedef struct sgs_qfixed {       /* a quantization known beforehand */
    float scale, lo, hi;
    int32_t zero;                 /* of U8; that of S16 is 0 */
    bool wide;                    /* S16 alone */
} sgs_qfixed;

struct sgs_source_node;           /* ops/source.h: a node of the model file */
struct sgs_import;                /* ops/source.h: the import under way */
struct sgs_spell;                 /* ops/spell.h */
struct sgs_tfl_op;                /* ops/tflite.h */
struct sgs_tfl_writer;
struct sgs_quantizer;             /* quant/quantize.h */
struct sgs_lowering;              /* compile/lower.h */

struct sgs_op {
    const char *name;             /* text form: "conv", "maxpool", ... */
    const char *family;           /* file name without .c */
    int nin_min, nin_max, nout;   /* nin_max -1: any number */
    size_t attr_bytes;
    const sgs_attr *attr;
    /* Output types and dims from inputs and attributes; also the place where attribute ranges are checked. */
    sgs_status (*infer)(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d);
    /* out[i].data is allocated.  The typed evaluator: any type infer allows; integers never pass through float. */
    sgs_status (*eval)(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d);
    bool float_only;              /* eval takes f32 alone: callers go through sgs_eval, which checks */
    /* Optional, for ops that commute with a transposition of all their data inputs: rewrites attr (a copy of the node's) so that the
     * op on x' gives y', where x = transpose(x', perm) and y = transpose(y', perm); that is, axis i of x is axis perm[i] of x'. */
    bool (*permute)(const sgs_node *n, const int64_t *perm, int rank, void *attr);
    sgs_qrule qrule;
    /* Optional, in the place of "data inputs must be float": why this node has no fixed-point form, or NULL. */
    const char *(*unfixed)(const sgs_node *n);
    /* Optional, of SGS_Q_MOVE: whether this node computes with what it moves, in 16 bits. */
    bool (*computes)(const sgs_node *n);
    bool alike;                   /* compares two operands: a constant takes the other's scale where it fits, so that equal numbers stay equal */
    int ndata;                    /* leading inputs that are activations, where the others are weights or tables; 0: all are */
    /* Optional, of an op that fixed point does not know: others that make the same, out[op->nout]. Quantizing begins with it (pass/spell_out.c),
     * unless `unfixed` has a reason. */
    void (*spell)(struct sgs_spell *p, const sgs_node *n, sgs_value **out);
    /* Optional: the S16 output has this quantization whatever was observed, unless data movement ties it to a value that has another.
     * Of an op that moves data: all that moves with it has it, U8 or S16.  False: as observed. */
    bool (*fixed_out)(const sgs_node *n, sgs_qfixed *f);
    /* Optional, of a function of one variable: its value at x, in binary64.  Behind a convolution its result may be bytes, from a table of
     * their own (quant/tabulate.c); then .quant makes that. */
    double (*value)(const sgs_node *n, double x);
    /* Optional: adds the constants (tables) of the fixed-point form: quant/quantize.h.  Inputs and output have their final quantization. */
    sgs_status (*quant)(struct sgs_quantizer *q, sgs_node *n, sgs_diag *d);
    /* Optional: the records of this node write a dense result only; without it they write any window of another buffer. */
    bool (*dense)(const sgs_node *n);
    /* Emits the records of one fixed-point node. */
    sgs_status (*lower)(struct sgs_lowering *l, const sgs_node *n, sgs_diag *d);
    /* .sim: this op as TFLite operators; NULL: written as a custom op of this name with its attributes. */
    sgs_status (*to_tflite)(struct sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d);
    const char *kernel;           /* runtime/kernels/<kernel>.c when not the family's own; "" = none: the op never reaches an image */
};

/* Every op of every family, in order of ops/table.c; NULL past the end. */
const sgs_op *sgs_op_at(int i);
/* op->eval behind a check of the types it can take. */
sgs_status sgs_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d);
/* Evaluates a node whose inputs are all constants; its outputs become constants and the node goes.  One that would blow the graph up,
 * or whose evaluator says "unsupported", is left alone. */
sgs_status sgs_fold_node(sgs_graph *g, sgs_node *n, bool *folded, sgs_diag *d);
const sgs_op *sgs_op_find(const char *name); /* NULL when unknown */

/* Source operator -> importer.  One row per operator name of a framework, in its family's file; ops/table.c lists the families. */
typedef sgs_status (*sgs_from_fn)(struct sgs_import *im, const struct sgs_source_node *s, sgs_diag *d);
typedef struct sgs_from {
    const char *op;               /* "Conv"; TFLite: builtin name; NULL ends */
    sgs_from_fn fn;
    int since;                    /* lowest opset this row understands; 0 any, -1: it only says why the operator is refused */
} sgs_from;

typedef struct sgs_family {
    const char *name;
    const sgs_op *const *ops;     /* NULL-terminated */
    const sgs_from *onnx;         /* may be NULL */
    const sgs_from *tflite;       /* may be NULL */
    const sgs_from *tensorflow;   /* may be NULL */
    const sgs_from *caffe;        /* may be NULL */
} sgs_family;
extern const sgs_family *const sgs_families[]; /* NULL-terminated */

typedef enum sgs_reach {
    SGS_FOLDED,                   /* computed when the model is read: takes constants and shapes */
    SGS_IN_FLOAT,                 /* no fixed-point form yet */
    SGS_IN_FIXED,
} sgs_reach;

typedef struct sgs_limit {        /* of one operator of a framework; for users */
    const char *op;
    sgs_reach reach;
    const char *limits;           /* "fixed: " before what holds in fixed point alone; NULL: none */
} sgs_limit;
extern const sgs_limit sgs_limits[]; /* by name; NULL ends */
extern const sgs_limit sgs_tfl_limits[]; /* of TFLite's operators, where there is something to say */
extern const sgs_limit sgs_caffe_limits[]; /* of Caffe's layers, by name */

/* Attribute structs and rows that passes build by hand. */

typedef enum sgs_act { SGS_ACT_NONE, SGS_ACT_RELU, SGS_ACT_RELU6, SGS_ACT_CLIP } sgs_act;
typedef struct sgs_conv_attr {    /* conv (w [co][kh][kw][ci/groups]), depthwise (w [1][kh][kw][c]) and fc (w [co][ci], spatial fields unused) */
    int64_t stride[2], dilation[2];
    int64_t pad[4];               /* top, left, bottom, right */
    int64_t groups;               /* conv only; depthwise has one channel per group */
    int64_t act;                  /* sgs_act */
    float lo, hi;                 /* SGS_ACT_CLIP */
} sgs_conv_attr;
typedef struct sgs_deconv_attr {  /* deconv: transposed convolution, w [co][kh][kw][ci/groups] */
    sgs_conv_attr conv;           /* pad is taken away from the result; first, so that passes may read it as an sgs_conv_attr */
    int64_t extra[2];             /* rows below and columns right of what the input reaches: the bias alone */
} sgs_deconv_attr;
typedef struct sgs_pool_attr {
    int64_t kernel[2], stride[2], pad[4];
    int64_t count_pad;            /* average: padding counts */
    int64_t dilation[2];          /* 0: 1 */
} sgs_pool_attr;
typedef struct sgs_pool_index_attr { /* maxpool_index */
    sgs_pool_attr pool;
    int64_t by_columns;
} sgs_pool_index_attr;
typedef struct sgs_act_attr {     /* clip: y = min(max(x, lo), hi); infinities allowed */
    float lo, hi;
} sgs_act_attr;
typedef struct sgs_axis_attr {    /* concat, softmax */
    int64_t axis;
} sgs_axis_attr;
typedef struct sgs_perm_attr {    /* transpose */
    int64_t n, perm[SGS_MAX_RANK];
} sgs_perm_attr;
typedef struct sgs_fake_quant_attr { /* q = round(x / scale) + zero in least..most; y = (q - zero) * scale */
    float scale;
    int64_t zero, least, most;
} sgs_fake_quant_attr;
typedef struct sgs_shape_attr {   /* reshape: the whole static shape, no -1 */
    int64_t n, dim[SGS_MAX_RANK];
} sgs_shape_attr;
typedef enum sgs_pad_mode { SGS_PAD_CONSTANT, SGS_PAD_REFLECT, SGS_PAD_EDGE, SGS_PAD_WRAP } sgs_pad_mode;
typedef struct sgs_pad_attr {     /* pad: before[i], after[i] per axis, negative ones cut off */
    int64_t n, before[SGS_MAX_RANK], after[SGS_MAX_RANK];
    float value;                  /* constant only */
    int64_t mode;                 /* sgs_pad_mode */
} sgs_pad_attr;

typedef struct sgs_slice_attr {   /* slice, resolved: y[i] = x[start + i * step], i < size */
    int64_t n, start[SGS_MAX_RANK], size[SGS_MAX_RANK], step[SGS_MAX_RANK];
} sgs_slice_attr;
typedef struct sgs_nv12_attr {    /* nv12 */
    int64_t size[2];              /* height, width */
} sgs_nv12_attr;
typedef enum sgs_coord { /* where pixel o of n lies among m pixels; ONNX's words */
    SGS_COORD_ASYMMETRIC, SGS_COORD_HALF_PIXEL, SGS_COORD_ALIGN_CORNERS, SGS_COORD_PYTORCH_HALF_PIXEL, SGS_COORD_HALF_PIXEL_SYMMETRIC,
    SGS_COORD_TF_HALF_PIXEL_FOR_NN
} sgs_coord;
typedef enum sgs_round { SGS_ROUND_FLOOR, SGS_ROUND_PREFER_CEIL, SGS_ROUND_PREFER_FLOOR, SGS_ROUND_CEIL, SGS_ROUND_SIMPLE } sgs_round;
typedef enum sgs_filter { SGS_FILTER_LINEAR, SGS_FILTER_CUBIC } sgs_filter;
typedef struct sgs_resize_attr {  /* resize_nearest, resize */
    int64_t size[2];              /* height and width of the result */
    float scale_h, scale_w;       /* size / input as the coordinates see it; 0: from the sizes */
    int64_t coord;                /* sgs_coord */
    int64_t round;                /* resize_nearest: sgs_round */
    int64_t filter;               /* resize: sgs_filter */
    float cubic;                  /* coefficient a of the cubic filter */
    int64_t exclude_outside;      /* cubic: pixels outside take no part; else the border goes on */
} sgs_resize_attr;

typedef struct sgs_reduce_attr {  /* reduce_*: axes in growing order */
    int64_t n, axis[SGS_MAX_RANK];
} sgs_reduce_attr;

typedef struct sgs_bn_attr {      /* batchnorm: inputs x, scale, bias, mean, var; channels are the last axis */
    float epsilon;
} sgs_bn_attr;

typedef struct sgs_norm_attr {    /* layernorm, rmsnorm: over the axes from `axis` on */
    int64_t axis;
    float epsilon;
} sgs_norm_attr;

typedef struct sgs_blocks_attr {  /* depth_to_space, space_to_depth: a block of block x block pixels is the channels of one pixel */
    int64_t block;
    int64_t order;                /* 0: DCR, all channels of one pixel side by side; 1: CRD, all pixels of one channel */
} sgs_blocks_attr;

typedef struct sgs_matmul_attr {
    int64_t turned;               /* the second operand has its last two axes exchanged */
} sgs_matmul_attr;

typedef struct sgs_cast_attr {
    int64_t type;                 /* sgs_type */
} sgs_cast_attr;
typedef struct sgs_lut_attr {     /* lut.c: what each function makes of them stands there */
    float alpha, beta;
    int64_t first;                /* of the fixed-point form with a table of bytes: the integer that its first entry is for */
} sgs_lut_attr;
typedef struct sgs_alpha_attr {   /* leakyrelu: slope below 0; thresholdedrelu: what is not above it becomes 0 */
    float alpha;
} sgs_alpha_attr;

/* .permute of elementwise ops, and of ops whose attribute struct begins with sgs_axis_attr: permute.c. */
bool sgs_permute_elementwise(const sgs_node *n, const int64_t *perm, int rank, void *attr);
bool sgs_permute_axis(const sgs_node *n, const int64_t *perm, int rank, void *attr);

extern const sgs_op sgs_op_conv, sgs_op_depthwise, sgs_op_fc;           /* conv.c, depthwise.c, fc.c */
extern const sgs_op sgs_op_deconv;                                      /* deconv.c */
extern const sgs_op sgs_op_add, sgs_op_sub, sgs_op_mul, sgs_op_div, sgs_op_min, sgs_op_max, sgs_op_power; /* arith.c */
/* lut.c: functions of one variable that have a table.  alpha, beta as ONNX names them. */
#define SGS_LUT_OPS(X) \
    X(sigmoid) X(tanh) X(elu) X(selu) X(celu) X(softplus) X(softsign) X(hardsigmoid) X(hardswish) X(silu) X(mish) X(gelu) X(gelu_tanh) \
    X(erf) X(exp) X(log) X(sqrt) X(rsqrt) X(reciprocal) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(asinh) X(acosh) \
    X(atanh) X(pow)
#define X(name) sgs_op_##name,
extern const sgs_op SGS_LUT_OPS(X) sgs_op_prelu, sgs_op_leakyrelu, sgs_op_thresholdedrelu, sgs_op_abs, sgs_op_neg; /* prelu.c */
#undef X
extern const sgs_op sgs_op_floor, sgs_op_ceil, sgs_op_round, sgs_op_sign; /* round.c */
extern const sgs_op sgs_op_reduce_sum, sgs_op_reduce_mean, sgs_op_reduce_max, sgs_op_reduce_min, sgs_op_reduce_prod; /* reduce.c */
extern const sgs_op sgs_op_argmax, sgs_op_argmin;                       /* argmax.c */
extern const sgs_op sgs_op_maxpool, sgs_op_avgpool;                     /* pool.c */
extern const sgs_op sgs_op_maxpool_index, sgs_op_unpool;                /* unpool.c */
sgs_status sgs_pool_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d); /* of attributes that begin with sgs_pool_attr */
extern const sgs_op sgs_op_softmax, sgs_op_clip;                        /* softmax.c, clamp.c */
/* Whether v is nothing but the argument of softmaxes, as it is, moved, summed with something or chosen between. */
bool sgs_feeds_softmax(const sgs_users *u, const sgs_value *v);
extern const sgs_op sgs_op_concat, sgs_op_reshape, sgs_op_transpose;    /* concat.c, reshape.c, transpose.c */
extern const sgs_op sgs_op_pad;                                         /* pad.c */
extern const sgs_op sgs_op_resize_nearest, sgs_op_resize;               /* resize.c */
extern const sgs_op sgs_op_batchnorm, sgs_op_matmul;                    /* batchnorm.c (folded or made depthwise), matmul.c (with a constant becomes fc) */
extern const sgs_op sgs_op_layernorm, sgs_op_rmsnorm;                   /* layernorm.c */
/* Elements of x that are normalized together from this axis on; 65536 (IPU_LAYERNORM_MOST) at most where there is to be a fixed-point form. */
int64_t sgs_norm_count(const sgs_value *x, int64_t axis);
extern const sgs_op sgs_op_quantize, sgs_op_dequantize;                 /* quantize.c */
extern const sgs_op sgs_op_nv12;                                        /* nv12.c */
extern const sgs_op sgs_op_fake_quant, sgs_op_fake_quant_dynamic;       /* fakequant.c */
extern const sgs_op sgs_op_slice, sgs_op_expand, sgs_op_gather;         /* slice.c, expand.c, gather.c */
extern const sgs_op sgs_op_gridsample, sgs_op_roialign, sgs_op_nms, sgs_op_detect, sgs_op_roipool, sgs_op_topk, sgs_op_topk_index, sgs_op_mod, sgs_op_fmod, sgs_op_cumsum, sgs_op_cumprod; /* each in its file */
extern const sgs_op sgs_op_equal, sgs_op_less, sgs_op_greater, sgs_op_lessequal, sgs_op_greaterequal, sgs_op_and, sgs_op_or, sgs_op_xor, sgs_op_not,
    sgs_op_where; /* compare.c */
extern const sgs_op sgs_op_gather_elements, sgs_op_scatter_elements, sgs_op_gather_nd, sgs_op_scatter_nd; /* index.c */
extern const sgs_op sgs_op_depth_to_space, sgs_op_space_to_depth;       /* blocks.c */
extern const sgs_op sgs_op_rnn, sgs_op_gru, sgs_op_lstm; /* recurrent.c */
extern const sgs_op sgs_op_cast; /* shape arithmetic: folded away at import */

#endif
