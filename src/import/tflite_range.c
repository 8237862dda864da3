/* How far the numbers of a quantized model reach: what its tensors can hold, what its operators can compute. */
#include <math.h>
#include <string.h>

#include "import/tflite_model.h"
#include "ops/util.h"

/* ---- what a tensor can hold ---- */

static const sgs_lite_extent everything = { -INFINITY, INFINITY };

/* What a quantized tensor can hold. */
void sgs_lite_steps(const sgs_lite_tensor *x, sgs_fake_quant_attr *a)
{
    static const int32_t range[][2] = {
        [SGS_U8] = { 0, 255 }, [SGS_S8] = { -128, 127 }, [SGS_S16] = { -32768, 32767 }
    };
    *a = (sgs_fake_quant_attr){ x->quant->scale[0], x->quant->zero[0], range[x->t.type][0], range[x->t.type][1] };
    if (x->t.packed)
        a->least = -8, a->most = 7;
}

bool sgs_lite_has_grid(const sgs_lite_tensor *x)
{
    return x && x->quant && x->quant->n == 1 && (x->t.type == SGS_U8 || x->t.type == SGS_S8 || x->t.type == SGS_S16);
}

sgs_lite_extent sgs_lite_reach(const sgs_lite_tensor *x)
{
    sgs_fake_quant_attr a;
    if (!sgs_lite_has_grid(x))
        return everything;
    sgs_lite_steps(x, &a);
    return (sgs_lite_extent){ (float)(a.least - a.zero) * a.scale, (float)(a.most - a.zero) * a.scale };
}

/* ---- what an operator computes ---- */

static bool is_one_of(const char *op, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(op, *list))
            return true;
    return false;
}

/* Operators whose results lie between the smallest and the largest of their inputs. */
static const char *const within_inputs[] = { "RESHAPE",
                                             "TRANSPOSE",
                                             "SLICE",
                                             "STRIDED_SLICE",
                                             "SPLIT",
                                             "SPLIT_V",
                                             "SQUEEZE",
                                             "EXPAND_DIMS",
                                             "PACK",
                                             "UNPACK",
                                             "CONCATENATION",
                                             "GATHER",
                                             "GATHER_ND",
                                             "TILE",
                                             "BROADCAST_TO",
                                             "MAX_POOL_2D",
                                             "AVERAGE_POOL_2D",
                                             "MEAN",
                                             "REDUCE_MAX",
                                             "REDUCE_MIN",
                                             "RESIZE_BILINEAR",
                                             "RESIZE_NEAREST_NEIGHBOR",
                                             "REVERSE_V2",
                                             "SPACE_TO_DEPTH",
                                             "DEPTH_TO_SPACE",
                                             "SPACE_TO_BATCH_ND",
                                             "BATCH_TO_SPACE_ND",
                                             "MIRROR_PAD",
                                             "MAXIMUM",
                                             "MINIMUM",
                                             "TOPK_V2",
                                             "SELECT",
                                             "SELECT_V2",
                                             "PAD",
                                             "PADV2",
                                             "QUANTIZE",
                                             "DEQUANTIZE",
                                             NULL };

int sgs_lite_fused(const sgs_source_node *n)
{
    int64_t act = SGS_TFL_ACT_NONE;
    sgs_src_int(n, "fused_activation_function", &act, NULL);
    return (int)act;
}

static sgs_lite_extent of_activation(const char *op, int act)
{
    static const struct {
        const char *op;
        int act;
        sgs_lite_extent e;
    } table[] = {
        { "LOGISTIC", -1, { 0, 1 } },
        { "SOFTMAX", -1, { 0, 1 } },
        { "TANH", 4, { -1, 1 } },
        { "RELU", 1, { 0, INFINITY } },
        { "RELU_N1_TO_1", 2, { -1, 1 } },
        { "RELU6", 3, { 0, 6 } },
        { "L2_NORMALIZATION", -1, { -1, 1 } },
        { "RELU_0_TO_1", -1, { 0, 1 } },
        { "LOG_SOFTMAX", -1, { -INFINITY, 0 } },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (act ? table[i].act == act : !strcmp(table[i].op, op))
            return table[i].e;
    return everything;
}

/* Between which numbers the operator's results lie, as far as its kind and its inputs say. */
static sgs_lite_extent computed(const sgs_model *o, const sgs_source_node *n)
{
    sgs_lite_extent e = { INFINITY, -INFINITY };
    const sgs_lite_extent act = of_activation(n->op, sgs_lite_fused(n));
    for (int i = 0; i < n->nin && is_one_of(n->op, within_inputs); i++) {
        const sgs_lite_tensor *x = sgs_lite_find(o, n->in[i]);
        const bool data = x && (x->quant || x->t.type == SGS_F32);
        e.lo = data ? fminf(e.lo, sgs_lite_reach(x).lo) : e.lo;
        e.hi = data ? fmaxf(e.hi, sgs_lite_reach(x).hi) : e.hi;
    }
    if (e.lo > e.hi)
        e = everything;
    return (sgs_lite_extent){ fmaxf(e.lo, act.lo), fminf(e.hi, act.hi) };
}

/* What moves numbers of one grid to another tensor of the same leaves them on it. */
static bool same_grid(const sgs_model *o, const sgs_source_node *n, const sgs_lite_tensor *y)
{
    static const char *const computing[] = { "AVERAGE_POOL_2D", "MEAN", "RESIZE_BILINEAR", NULL };
    if (!is_one_of(n->op, within_inputs) || is_one_of(n->op, computing))
        return false;
    for (int i = 0; i < n->nin; i++) {
        const sgs_lite_tensor *x = sgs_lite_find(o, n->in[i]);
        const bool data = x && (x->quant || x->t.type == SGS_F32);
        if (data && (!sgs_lite_has_grid(x) || x->t.type != y->t.type || x->quant->scale[0] != y->quant->scale[0] ||
                     x->quant->zero[0] != y->quant->zero[0]))
            return false;
    }
    return true;
}

/* Whether a range may be all that is left of an activation: it begins or ends at 0, or is that of RELU_N1_TO_1. */
static bool may_activate(sgs_lite_extent e, float step)
{
    const float near = 1.5f * step;
    return fabsf(e.lo) < near || fabsf(e.hi) < near || (fabsf(e.lo + 1) < near && fabsf(e.hi - 1) < near);
}

/* What is to be done to an output: rounded to steps, or cut to a range; NULL: nothing. */
const sgs_op *sgs_lite_limit(const sgs_model *o, const sgs_source_node *n, const sgs_lite_tensor *y, const void **attr)
{
    static const char *const with_bodies[] = { "IF", "WHILE", NULL }; /* their own nodes have looked after it */
    if (!sgs_lite_has_grid(y) || is_one_of(n->op, with_bodies))
        return NULL;
    if (o->opt->keep_quant) {
        sgs_fake_quant_attr *a = SGS_NEW(o->a, sgs_fake_quant_attr);
        sgs_lite_steps(y, a);
        *attr = a;
        return same_grid(o, n, y) ? NULL : &sgs_op_fake_quant;
    }
    const sgs_lite_extent can = computed(o, n), may = sgs_lite_reach(y);
    const float step = y->quant->scale[0];
    sgs_act_attr *a = SGS_NEW(o->a, sgs_act_attr);
    *a = (sgs_act_attr){ may.lo, may.hi };
    *attr = a;
    return may_activate(may, step) && (can.lo < may.lo - step || can.hi > may.hi + step) ? &sgs_op_clip : NULL;
}
