/* TFLite operators that are others of ours in disguise: arithmetic, comparisons, reductions, normalizations. */
#include <math.h>
#include <string.h>

#include "ops/spell.h"
#include "ops/tflite.h"

#define SPELL(p, im, s, d) sgs_spell spell_ = { .im = (im), .s = (s), .d = (d) }, *p = &spell_

/* ---- what ONNX has under another name ---- */

static const struct twin {
    const char *tflite, *onnx;
    int inputs;
} twins[] = {
    { "LESS", "Less", 2 },
    { "GREATER", "Greater", 2 },
    { "LESS_EQUAL", "LessOrEqual", 2 },
    { "GREATER_EQUAL", "GreaterOrEqual", 2 },
    { "EQUAL", "Equal", 2 },
    { "LOGICAL_AND", "And", 2 },
    { "LOGICAL_OR", "Or", 2 },
    { "LOGICAL_NOT", "Not", 1 },
    { "SELECT_V2", "Where", 3 },
    { "BROADCAST_TO", "Expand", 2 },
    { "GATHER_ND", "GatherND", 2 },
    { "RANGE", "Range", 3 },
    { "LOG_SOFTMAX", "LogSoftmax", 1 },
};

static sgs_value *called(sgs_spell *p, const char *op, int n, sgs_value *const *in)
{
    sgs_value *y = NULL;
    sgs_sp_call_with(p, &(sgs_call){ .op = op, .nin = n, .nout = 1, .in = in, .y = &y });
    return y ? y : in[0];
}

static sgs_value *two(sgs_spell *p, const char *op, sgs_value *a, sgs_value *b)
{
    sgs_value *in[] = { a, b };
    return called(p, op, 2, in);
}

static bool inputs(sgs_spell *p, sgs_value **in, int n)
{
    for (int i = 0; i < n; i++)
        in[i] = sgs_sp_in(p, i);
    return p->status == SGS_OK;
}

static sgs_status from_twin(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    const struct twin *t = twins;
    sgs_value *in[3];
    while (strcmp(t->tflite, s->op))
        t++;
    if (inputs(p, in, t->inputs))
        sgs_sp_out(p, 0, called(p, t->onnx, t->inputs, in));
    return p->status;
}

static sgs_status from_not_equal(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[2];
    if (inputs(p, in, 2))
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_not, two(p, "Equal", in[0], in[1]), NULL));
    return p->status;
}

/* The first version takes whole rows by a list of conditions. */
static sgs_status from_select(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[3];
    if (!inputs(p, in, 3))
        return p->status;
    if (in[0]->rank == 1 && in[1]->rank > 1) {
        int64_t dim[SGS_MAX_RANK] = { in[0]->dim[0] };
        for (int i = 1; i < in[1]->rank; i++)
            dim[i] = 1;
        in[0] = sgs_sp_reshape(p, in[0], in[1]->rank, dim);
    }
    sgs_sp_out(p, 0, called(p, "Where", 3, in));
    return p->status;
}

static sgs_status from_identity(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    if (x)
        sgs_sp_out(p, 0, x->constant ? x : sgs_sp_own(p, x));
    return p->status;
}

static sgs_status from_cast(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const int8_t types[] = { SGS_F32, SGS_F32, SGS_S32, SGS_U8, SGS_S64, -1, SGS_BOOL, SGS_S32, -1,
                                    SGS_S8,  SGS_F32, -1,      -1,     -1,      -1, SGS_S64,  SGS_S32 };
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    const int64_t to = sgs_sp_int(p, "out_data_type", 0);
    if (p->status == SGS_OK && (to < 0 || to >= (int64_t)sizeof types || types[to] < 0))
        sgs_sp_refuse(p, "conversion to TFLite's element type %lld is not supported", (long long)to);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, x->type == (sgs_type)types[to] ? sgs_sp_own(p, x) : sgs_sp_cast(p, x, (sgs_type)types[to]));
    return p->status;
}

/* ---- arithmetic ---- */

static sgs_status from_add_n(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *sum = sgs_sp_in(p, 0);
    for (int i = 1; i < s->nin && p->status == SGS_OK; i++) {
        sgs_value *x = sgs_sp_in(p, i);
        sum = x ? two(p, "Add", sum, x) : sum;
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, s->nin == 1 ? sgs_sp_own(p, sum) : sum);
    return p->status;
}

static sgs_status from_squared_difference(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[2];
    if (!inputs(p, in, 2))
        return p->status;
    sgs_value *x = two(p, "Sub", in[0], in[1]);
    sgs_sp_out(p, 0, two(p, "Mul", x, x));
    return p->status;
}

/* The remainder has the divisor's sign. */
static sgs_value *remainder_of(sgs_spell *p, sgs_value *const *in)
{
    if (in[0]->type != SGS_F32)
        return two(p, "Mod", in[0], in[1]);
    sgs_value *times = sgs_sp_one(p, &sgs_op_floor, two(p, "Div", in[0], in[1]), NULL);
    return two(p, "Sub", in[0], two(p, "Mul", times, in[1]));
}

static sgs_status from_floor_mod(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[2];
    if (inputs(p, in, 2))
        sgs_sp_out(p, 0, remainder_of(p, in));
    return p->status;
}

/* Division of integers rounds to 0: without the remainder nothing is left to round. */
static sgs_status from_floor_div(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[2];
    if (!inputs(p, in, 2))
        return p->status;
    if (in[0]->type == SGS_F32)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_floor, two(p, "Div", in[0], in[1]), NULL));
    else
        sgs_sp_out(p, 0, two(p, "Div", two(p, "Sub", in[0], remainder_of(p, in)), in[1]));
    return p->status;
}

static sgs_value *less_from(sgs_spell *p, float from, sgs_value *x)
{
    return sgs_sp_two(p, &sgs_op_sub, sgs_sp_number(p, from), x);
}

/* What is left of the angle from there on, where the condition holds. */
static sgs_value *turned(sgs_spell *p, sgs_value *condition, float from, sgs_value *angle)
{
    return sgs_sp_choose(p, condition, less_from(p, from, angle), angle);
}

/* The angle of the point (x, y): that of the first eighth of the circle, where the quotient is at most 1, mirrored
 * three times. */
static sgs_status from_atan2(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[2];
    if (!inputs(p, in, 2))
        return p->status;
    sgs_value *y = sgs_sp_one(p, &sgs_op_abs, in[0], NULL), *x = sgs_sp_one(p, &sgs_op_abs, in[1], NULL),
              *zero = sgs_sp_number(p, 0);
    sgs_value *most =
        sgs_sp_one(p, &sgs_op_clip, sgs_sp_two(p, &sgs_op_max, x, y), &(sgs_act_attr){ 1e-30f, INFINITY });
    sgs_value *angle =
        sgs_sp_one(p, &sgs_op_atan, sgs_sp_two(p, &sgs_op_div, sgs_sp_two(p, &sgs_op_min, x, y), most), NULL);
    angle = turned(p, sgs_sp_two(p, &sgs_op_greater, y, x), (float)M_PI_2, angle);
    angle = turned(p, two(p, "Less", in[1], zero), (float)M_PI, angle);
    sgs_sp_out(p, 0, turned(p, two(p, "Less", in[0], zero), 0, angle));
    return p->status;
}

static sgs_status from_relu_0_to_1(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    if (x)
        sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_clip, x, &(sgs_act_attr){ 0, 1 }));
    return p->status;
}

/* The range moves until 0 is one of its steps. */
static sgs_status from_fake_quant(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    const float lo = sgs_sp_float(p, "min", 0), hi = sgs_sp_float(p, "max", 0);
    const int64_t bits = sgs_sp_int(p, "num_bits", 0), narrow = sgs_sp_int(p, "narrow_range", 0);
    if (p->status == SGS_OK && (bits < 2 || bits > 16 || !(lo < hi)))
        sgs_sp_fail(p, "expected 2 to 16 bits and min below max, found %lld, %g and %g", (long long)bits, (double)lo,
                    (double)hi);
    if (p->status != SGS_OK)
        return p->status;
    sgs_fake_quant_attr a = { .least = narrow != 0, .most = ((int64_t)1 << bits) - 1 };
    a.scale = (hi - lo) / (float)(a.most - a.least);
    a.zero = (int64_t)fminf(fmaxf(roundf((float)a.least - lo / a.scale), (float)a.least), (float)a.most);
    sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_fake_quant, x, &a));
    return p->status;
}

/* ---- reductions, normalizations ---- */

static sgs_status from_logical_reduction(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[2];
    const sgs_src_attr keep = { .name = "keepdims", .kind = SGS_SRC_INT, .i = sgs_sp_int(p, "keep_dims", 0) };
    if (!inputs(p, in, 2))
        return p->status;
    sgs_value *x = sgs_sp_cast(p, in[0], SGS_U8), *args[] = { x, in[1] }, *y = NULL;
    sgs_sp_call_with(p, &(sgs_call){ .op = !strcmp(s->op, "REDUCE_ANY") ? "ReduceMax" : "ReduceMin",
                                     .nin = 2,
                                     .nout = 1,
                                     .nattr = 1,
                                     .in = args,
                                     .attr = &keep,
                                     .y = &y });
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_cast(p, y, SGS_BOOL));
    return p->status;
}

/* Over the last axis; a sum of squares below 1e-6 counts as that. */
static sgs_status from_l2_normalization(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    if (x && !x->rank)
        sgs_sp_fail(p, "expected an input of at least 1 dimension, found a scalar");
    if (p->status != SGS_OK)
        return p->status;
    sgs_value *sum = sgs_sp_reduce(p, &sgs_op_reduce_sum, sgs_sp_two(p, &sgs_op_mul, x, x), x->rank - 1);
    sgs_value *length =
        sgs_sp_one(p, &sgs_op_sqrt, sgs_sp_one(p, &sgs_op_clip, sum, &(sgs_act_attr){ 1e-6f, INFINITY }), NULL);
    sgs_sp_out(p, 0, sgs_sp_two(p, &sgs_op_div, x, length));
    return p->status;
}

/* ONNX divides alpha by the window's size, and its channels stand before height and width. */
static sgs_status from_lrn(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0), *y = NULL;
    const int64_t size = 2 * sgs_sp_int(p, "radius", 5) + 1;
    const sgs_src_attr a[] = {
        { .name = "alpha", .kind = SGS_SRC_FLOAT, .f = sgs_sp_float(p, "alpha", 1) * (float)size },
        { .name = "beta", .kind = SGS_SRC_FLOAT, .f = sgs_sp_float(p, "beta", 0.5f) },
        { .name = "bias", .kind = SGS_SRC_FLOAT, .f = sgs_sp_float(p, "bias", 1) },
        { .name = "size", .kind = SGS_SRC_INT, .i = size },
    };
    if (x && x->rank != 4)
        sgs_sp_fail(p, "expected an input of 4 dimensions, found %d", x->rank);
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_sp_transpose(p, x, (const int64_t[]){ 0, 3, 1, 2 });
    sgs_sp_call_with(p, &(sgs_call){ .op = "LRN", .nin = 1, .nout = 1, .nattr = 4, .in = &x, .attr = a, .y = &y });
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_transpose(p, y, (const int64_t[]){ 0, 2, 3, 1 }));
    return p->status;
}

/* The root of the mean of squares. */
static sgs_status from_l2_pool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    sgs_tfl_window w = { .kernel = { 0 } };
    sgs_pool_attr a = { 0 };
    if (x && p->status == SGS_OK)
        p->status = sgs_tfl_read_window(s, x, &w, d);
    if (p->status != SGS_OK)
        return p->status;
    memcpy(a.kernel, w.kernel, sizeof a.kernel);
    memcpy(a.stride, w.stride, sizeof a.stride);
    memcpy(a.pad, w.pad, sizeof a.pad);
    x = sgs_sp_one(p, &sgs_op_avgpool, sgs_sp_two(p, &sgs_op_mul, x, x), &a);
    sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_sqrt, x, NULL));
    return p->status;
}

static sgs_status from_cumsum(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[2];
    if (inputs(p, in, 2))
        sgs_sp_out(p, 0, sgs_sp_call(p, "CumSum", 2, in));
    return p->status;
}

static sgs_status from_topk(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[2], *y[2] = { NULL, NULL };
    if (!inputs(p, in, 2))
        return p->status;
    sgs_sp_call_with(p, &(sgs_call){ .op = "TopK", .nin = 2, .nout = 2, .in = in, .y = y });
    for (int i = 0; i < 2 && p->status == SGS_OK; i++)
        if (sgs_sp_wants(p, i))
            sgs_sp_out(p, i, i ? sgs_sp_cast(p, y[i], SGS_S32) : y[i]);
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from tflite[] = {
    { "LESS", from_twin, 0 },
    { "GREATER", from_twin, 0 },
    { "LESS_EQUAL", from_twin, 0 },
    { "GREATER_EQUAL", from_twin, 0 },
    { "EQUAL", from_twin, 0 },
    { "NOT_EQUAL", from_not_equal, 0 },
    { "LOGICAL_AND", from_twin, 0 },
    { "LOGICAL_OR", from_twin, 0 },
    { "LOGICAL_NOT", from_twin, 0 },
    { "SELECT", from_select, 0 },
    { "SELECT_V2", from_twin, 0 },
    { "BROADCAST_TO", from_twin, 0 },
    { "GATHER_ND", from_twin, 0 },
    { "RANGE", from_twin, 0 },
    { "LOG_SOFTMAX", from_twin, 0 },
    { "DEQUANTIZE", from_identity, 0 },
    { "CAST", from_cast, 0 },
    { "ADD_N", from_add_n, 0 },
    { "SQUARED_DIFFERENCE", from_squared_difference, 0 },
    { "FLOOR_MOD", from_floor_mod, 0 },
    { "FLOOR_DIV", from_floor_div, 0 },
    { "ATAN2", from_atan2, 0 },
    { "RELU_0_TO_1", from_relu_0_to_1, 0 },
    { "FAKE_QUANT", from_fake_quant, 0 },
    { "REDUCE_ANY", from_logical_reduction, 0 },
    { "REDUCE_ALL", from_logical_reduction, 0 },
    { "L2_NORMALIZATION", from_l2_normalization, 0 },
    { "LOCAL_RESPONSE_NORMALIZATION", from_lrn, 0 },
    { "L2_POOL_2D", from_l2_pool, 0 },
    { "CUMSUM", from_cumsum, 0 },
    { "TOPK_V2", from_topk, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_lite = { "lite", ops, .tflite = tflite };
