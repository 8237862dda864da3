/* ONNX's quantized operators, spelled out on whole numbers in f32: exact where sums stay below 2^24. */
#include <math.h>
#include <string.h>

#include "ops/tensorflow.h"

/* ---- scales along an axis ---- */

typedef struct grid { /* how scales and zero points lie on a tensor */
    const sgs_value *x;
    int axis;
    int64_t block; /* 0: one number an index of the axis */
} grid;

/* Each number for `block` elements of the axis, the last ones perhaps for fewer. */
static sgs_value *in_blocks(sgs_spell *p, const grid *g, sgs_value *v)
{
    int64_t covered = 0;
    if (p->status == SGS_OK && (v->rank != g->x->rank || v->rank == SGS_MAX_RANK ||
                                !sgs_mul64(v->dim[g->axis], g->block, &covered) || covered < g->x->dim[g->axis]))
        sgs_sp_fail(p, "scales of blocks must have the input's rank and cover its axis");
    if (p->status != SGS_OK)
        return v;
    int64_t wide[SGS_MAX_RANK + 1], dim[SGS_MAX_RANK];
    for (int i = 0; i < v->rank; i++) {
        wide[i + (i > g->axis)] = v->dim[i];
        dim[i] = i == g->axis ? covered : v->dim[i];
    }
    wide[g->axis + 1] = g->block;
    const int rank = v->rank;
    v = sgs_sp_reshape(p, sgs_sp_expand(p, sgs_sp_unsqueeze(p, v, g->axis + 1), wide), rank, dim);
    return sgs_sp_slice(p, v, g->axis, 0, g->x->dim[g->axis], 1);
}

/* As it broadcasts over x. */
static sgs_value *along(sgs_spell *p, const grid *g, sgs_value *v)
{
    int64_t dim[SGS_MAX_RANK];
    if (g->block)
        return in_blocks(p, g, v);
    if (v->rank != 1 || g->x->rank < 2)
        return v;
    for (int i = 0; i < g->x->rank; i++)
        dim[i] = i == g->axis ? v->dim[0] : 1;
    return sgs_sp_reshape(p, v, g->x->rank, dim);
}

static grid grid_of(sgs_spell *p, const sgs_value *x, const sgs_value *scale)
{
    grid g = { .x = x };
    const bool spread = p->status == SGS_OK && scale->rank > 0 && x->rank > 0;
    g.axis = spread ? (int)sgs_sp_axis(p, "axis", x->rank > 1 ? 1 : 0, x->rank) : 0;
    g.block = sgs_sp_int(p, "block_size", 0);
    if (g.block < 0 || g.block > INT32_MAX)
        sgs_sp_fail(p, "block_size must lie in 0..2147483647, found %lld", (long long)g.block);
    return g;
}

/* ---- whole numbers that were real before ---- */

static bool is_number(const sgs_value *v)
{
    return v->constant && v->type == SGS_F32 && sgs_value_count(v) == 1;
}

/* The operand before v when that is what `op` makes of it and one number, which goes to *c. */
static sgs_value *before(const sgs_value *v, const sgs_op *op, float *c)
{
    const sgs_node *n = v ? v->def : NULL;
    if (!n || n->op != op || !is_number(n->in[1]))
        return NULL;
    *c = *sgs_const_f32(n->in[1]);
    return n->in[0];
}

static sgs_value *inside(const sgs_value *v, const sgs_op *op)
{
    return v && v->def && v->def->op == op ? v->def->in[0] : NULL;
}

/* What `stepped` made x of, and the grid of steps; NULL: x is something else. */
static sgs_value *steps_of(const sgs_value *x, sgs_fake_quant_attr *a)
{
    float zero = 0;
    const sgs_value *clipped = inside(x, &sgs_op_cast), *v = inside(clipped, &sgs_op_clip), *rounded = before(v, &sgs_op_add, &zero);
    sgs_value *steps = inside(rounded ? rounded : v, &sgs_op_round);
    if (!steps || steps->type != SGS_F32)
        return NULL;
    const sgs_act_attr *range = clipped->def->attr;
    *a = (sgs_fake_quant_attr){ 1, (int64_t)zero, (int64_t)range->lo, (int64_t)range->hi };
    return steps;
}

/* Those steps less that zero point (or NULL), as real numbers that never were integers; NULL: x is something else. */
static sgs_value *centred_steps(sgs_spell *p, const sgs_value *x, sgs_value *zero)
{
    sgs_fake_quant_attr a;
    zero = zero ? sgs_sp_cast(p, zero, SGS_F32) : NULL;
    sgs_value *steps = p->status == SGS_OK ? steps_of(x, &a) : NULL;
    if (!steps || (zero && !is_number(zero)) || (float)a.zero != (zero ? *sgs_const_f32(zero) : 0))
        return NULL;
    return sgs_sp_one(p, &sgs_op_fake_quant, steps, &a);
}

/* Whole numbers less their zero point, which may be absent. */
static sgs_value *centred(sgs_spell *p, sgs_value *x, sgs_value *zero)
{
    sgs_value *steps = centred_steps(p, x, zero);
    if (steps)
        return steps;
    x = sgs_sp_cast(p, x, SGS_F32);
    return zero ? sgs_sp_two(p, &sgs_op_sub, x, sgs_sp_cast(p, zero, SGS_F32)) : x;
}

static bool range_of(sgs_type t, sgs_act_attr *r)
{
    switch (t) {
    case SGS_U8:
        *r = (sgs_act_attr){ 0, 255 };
        return true;
    case SGS_S8:
        *r = (sgs_act_attr){ -128, 127 };
        return true;
    case SGS_U16:
        *r = (sgs_act_attr){ 0, 65535 };
        return true;
    case SGS_S16:
        *r = (sgs_act_attr){ -32768, 32767 };
        return true;
    default:
        return false;
    }
}

/* Real steps x to the nearest whole one, off by the zero point (or NULL), as far as the type reaches. */
static sgs_value *stepped(sgs_spell *p, sgs_value *x, sgs_value *zero, sgs_type t)
{
    sgs_act_attr range = { 0, 0 };
    if (!range_of(t, &range))
        sgs_sp_refuse(p, "quantization to %s is not supported", sgs_type_word(t));
    x = sgs_sp_one(p, &sgs_op_round, x, NULL);
    if (zero)
        x = sgs_sp_two(p, &sgs_op_add, x, sgs_sp_cast(p, zero, SGS_F32));
    x = sgs_sp_one(p, &sgs_op_clip, x, &range);
    return sgs_sp_cast(p, x, t == SGS_U16 || t == SGS_S16 ? SGS_S32 : t);
}

/* ---- QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear ---- */

/* The type of the zero point, else of output_dtype. */
static sgs_type target(sgs_spell *p, const sgs_value *zero, int input)
{
    static const int8_t types[] = { SGS_U8, -1, SGS_U8, SGS_S8, SGS_U16, SGS_S16 };
    const int64_t t = sgs_sp_int(p, "output_dtype", 0);
    if (zero)
        return sgs_src_type(p->im, zero);
    if (t < 0 || t >= (int64_t)sizeof types || types[t] < 0)
        sgs_sp_refuse(p, "output_dtype: expected 2, 3, 4 or 5 (UINT8, INT8, UINT16, INT16), found %lld", (long long)t);
    return p->status == SGS_OK ? (sgs_type)types[t] : SGS_U8;
}

static sgs_status from_onnx_quantizelinear(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *scale = sgs_sp_in(p, 1), *zero = sgs_src_opt(im, s, 2);
    const sgs_type t = target(p, zero, 2);
    if (p->status != SGS_OK)
        return p->status;
    const grid g = grid_of(p, x, scale);
    x = sgs_sp_cast(p, x, SGS_F32);
    x = sgs_sp_two(p, &sgs_op_div, x, along(p, &g, scale));
    sgs_sp_out(p, 0, stepped(p, x, zero ? along(p, &g, zero) : NULL, t));
    return p->status;
}

/* x times one number; what a division by the same number was rounded from keeps that number as its step. */
static sgs_value *scaled(sgs_spell *p, sgs_value *x, sgs_value *scale)
{
    float step = 0;
    sgs_value *from = p->status == SGS_OK && x->def && x->def->op == &sgs_op_fake_quant && is_number(scale) ? before(x->def->in[0], &sgs_op_div, &step) : NULL;
    if (!from || step != *sgs_const_f32(scale))
        return sgs_sp_two(p, &sgs_op_mul, x, scale);
    sgs_fake_quant_attr a = *(const sgs_fake_quant_attr *)x->def->attr;
    a.scale = step;
    return sgs_sp_one(p, &sgs_op_fake_quant, from, &a);
}

static sgs_status from_onnx_dequantizelinear(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *scale = sgs_sp_in(p, 1), *zero = sgs_src_opt(im, s, 2);
    if (p->status != SGS_OK)
        return p->status;
    const grid g = grid_of(p, x, scale);
    x = centred(p, x, zero ? along(p, &g, zero) : NULL);
    sgs_sp_out(p, 0, scaled(p, x, along(p, &g, scale)));
    return p->status;
}

static sgs_value *extreme(sgs_spell *p, const sgs_op *reduce, const sgs_op *op, sgs_value *x)
{
    const int64_t none[1] = { 0 };
    return sgs_sp_by(p, op, sgs_sp_reshape(p, sgs_sp_reduce(p, reduce, x, 0), 0, none), 0);
}

/* The pass fold-dynamic knows it by how it is spelled. */
static sgs_status from_onnx_dynamicquantizelinear(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (p->status != SGS_OK)
        return p->status;
    sgs_value *most = extreme(p, &sgs_op_reduce_max, &sgs_op_max, x),
              *least = extreme(p, &sgs_op_reduce_min, &sgs_op_min, x);
    sgs_value *reach = sgs_sp_two(p, &sgs_op_sub, most, least), *none = sgs_sp_two(p, &sgs_op_equal, reach, sgs_sp_number(p, 0));
    sgs_value *one = sgs_sp_number(p, 1), *scale = sgs_sp_choose(p, none, one, sgs_sp_by(p, &sgs_op_div, reach, 255));
    sgs_value *down = sgs_sp_two(p, &sgs_op_sub, sgs_sp_number(p, 0), least);
    sgs_value *zero = stepped(p, sgs_sp_two(p, &sgs_op_div, down, scale), NULL, SGS_U8);
    sgs_sp_out(p, 0, stepped(p, sgs_sp_two(p, &sgs_op_div, x, scale), zero, SGS_U8));
    sgs_sp_out(p, 1, scale);
    sgs_sp_out(p, 2, zero);
    return p->status;
}

/* ---- products ---- */

/* One number a row stands as a column. */
static sgs_value *of_rows(sgs_spell *p, sgs_value *v)
{
    return v && v->rank == 1 && v->dim[0] > 1 ? sgs_sp_unsqueeze(p, v, 1) : v;
}

static sgs_status from_onnx_matmulinteger(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) };
    if (p->status != SGS_OK)
        return p->status;
    in[0] = centred(p, in[0], of_rows(p, sgs_src_opt(im, s, 2)));
    in[1] = centred(p, in[1], sgs_src_opt(im, s, 3));
    sgs_sp_out(p, 0, sgs_sp_cast(p, sgs_sp_call(p, "MatMul", 2, in), SGS_S32));
    return p->status;
}

/* Inputs first, first + 1, ... of both operands and the result: value, scale, zero point. */
static bool read_all(sgs_spell *p, sgs_value **v, int n)
{
    for (int i = 0; i < n; i++)
        v[i] = sgs_sp_in(p, i);
    return p->status == SGS_OK;
}

/* The step of the sums over that of the result. */
static sgs_value *ratio(sgs_spell *p, sgs_value *a, sgs_value *b, sgs_value *y)
{
    return sgs_sp_two(p, &sgs_op_div, sgs_sp_two(p, &sgs_op_mul, a, b), y);
}

static sgs_status from_onnx_qlinearmatmul(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *v[8]; /* a, b, y: value, scale, zero point */
    if (!read_all(p, v, 8))
        return p->status;
    sgs_value *a = centred(p, v[0], of_rows(p, v[2])), *in[] = { a, centred(p, v[3], v[5]) };
    sgs_value *y = sgs_sp_call(p, "MatMul", 2, in), *a_scale = of_rows(p, v[1]), *y_scale = of_rows(p, v[6]);
    y = sgs_sp_two(p, &sgs_op_mul, y, ratio(p, a_scale, v[4], y_scale));
    sgs_sp_out(p, 0, stepped(p, y, of_rows(p, v[7]), sgs_src_type(im, v[7])));
    return p->status;
}

/* One number an output channel: along the first axis of weights, the second of the result. */
static sgs_value *of_channels(sgs_spell *p, sgs_value *v, int axis, int rank)
{
    int64_t dim[SGS_MAX_RANK];
    if (!v || v->rank != 1)
        return v;
    for (int i = 0; i < rank; i++)
        dim[i] = i == axis ? v->dim[0] : 1;
    return sgs_sp_reshape(p, v, rank, dim);
}

static sgs_status from_onnx_convinteger(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) };
    if (p->status != SGS_OK)
        return p->status;
    in[0] = centred(p, in[0], sgs_src_opt(im, s, 2));
    in[1] = centred(p, in[1], of_channels(p, sgs_src_opt(im, s, 3), 0, in[1]->rank));
    sgs_sp_out(p, 0, sgs_sp_cast(p, sgs_sp_call(p, "Conv", 2, in), SGS_S32));
    return p->status;
}

static sgs_status from_onnx_qlinearconv(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *v[8], *bias = sgs_src_opt(im, s, 8); /* x, w: value, scale, zero point; y: scale, zero point */
    if (!read_all(p, v, 8))
        return p->status;
    sgs_value *x = centred(p, v[0], v[2]), *in[] = { x, centred(p, v[3], of_channels(p, v[5], 0, v[3]->rank)), NULL };
    in[2] = bias ? sgs_sp_cast(p, bias, SGS_F32) : NULL;
    const int rank = v[0]->rank;
    sgs_value *y = sgs_sp_call(p, "Conv", bias ? 3 : 2, in);
    y = sgs_sp_two(p, &sgs_op_mul, y, ratio(p, v[1], of_channels(p, v[4], 1, rank), v[6]));
    sgs_sp_out(p, 0, stepped(p, y, v[7], sgs_src_type(im, v[7])));
    return p->status;
}

/* ---- com.microsoft: operators on numbers with a scale and a zero point each, one for a whole tensor ---- */

/* Inputs i, i + 1, i + 2 as the real tensor that they stand for; NULL after an error. */
static sgs_value *real(sgs_spell *p, int i)
{
    sgs_value *x = sgs_sp_in(p, i), *scale = sgs_sp_in(p, i + 1), *zero = sgs_src_opt(p->im, p->s, i + 2);
    return p->status == SGS_OK ? scaled(p, centred(p, x, zero), scale) : NULL;
}

/* y on the grid of inputs i and i + 1, the output; like says its type where there is no zero point. */
static void give_steps(sgs_spell *p, sgs_value *y, int i, const sgs_value *like)
{
    sgs_value *scale = sgs_sp_in(p, i), *zero = sgs_src_opt(p->im, p->s, i + 1);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, stepped(p, sgs_sp_two(p, &sgs_op_div, y, scale), zero, sgs_src_type(p->im, zero ? zero : like)));
}

static sgs_status two_of_steps(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *a = real(p, 0), *b = real(p, 3);
    if (a && b)
        give_steps(p, sgs_sp_two(p, op, a, b), 6, sgs_src_opt(im, s, 0));
    return p->status;
}

static sgs_status from_qlinearadd(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return two_of_steps(im, s, &sgs_op_add, d);
}

static sgs_status from_qlinearmul(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return two_of_steps(im, s, &sgs_op_mul, d);
}

/* An operator of ONNX on inputs 0 to 2, its result on the grid of 3 and 4. */
static sgs_status one_of_steps(sgs_import *im, const sgs_source_node *s, const char *op, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = real(p, 0);
    if (sgs_sp_int(p, "channels_last", 0))
        sgs_sp_refuse(p, "channels_last is not supported");
    if (p->status == SGS_OK)
        give_steps(p, sgs_sp_call(p, op, 1, &x), 3, sgs_src_opt(im, s, 0));
    return p->status;
}

static sgs_status from_qlinearsigmoid(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return one_of_steps(im, s, "Sigmoid", d);
}

static sgs_status from_qlinearleakyrelu(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return one_of_steps(im, s, "LeakyRelu", d);
}

static sgs_status from_qlinearavgpool(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return one_of_steps(im, s, "AveragePool", d);
}

static sgs_status from_qlinearglobalavg(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return one_of_steps(im, s, "GlobalAveragePool", d);
}

/* Its opset is an attribute: softmax meant something else before 13. */
static sgs_status from_qlinearsoftmax(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_source_node at = *s;
    int64_t opset = s->opset;
    SGS_TRY(sgs_src_int(s, "opset", &opset, d));
    at.opset = opset < 13 ? 1 : 13;
    return one_of_steps(im, &at, "Softmax", d);
}

static sgs_status from_qlinearconcat(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const int n = (s->nin - 2) / 3;
    if (n < 1 || s->nin != 2 + 3 * n)
        return sgs_src_fail(im, s, d, "expected a scale, a zero point and three inputs for each part, found %d inputs", s->nin);
    sgs_value **part = SGS_NEW_N(im->g->arena, sgs_value *, n);
    for (int i = 0; i < n; i++)
        part[i] = real(p, 2 + 3 * i);
    const int64_t axis = p->status == SGS_OK ? sgs_sp_axis(p, "axis", 1, part[0]->rank) : 0;
    if (p->status == SGS_OK)
        give_steps(p, sgs_sp_concat(p, n, part, (int)axis), 0, sgs_src_opt(im, s, 2));
    return p->status;
}

/* alpha * (A * B + C), C in steps of both scales; without a scale for the result it is real. */
static sgs_status from_qgemm(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool turned = sgs_sp_int(p, "transB", 0) != 0;
    const float alpha = sgs_sp_float(p, "alpha", 1);
    sgs_value *a = real(p, 0), *b = sgs_sp_in(p, 3), *scale = sgs_sp_in(p, 4), *zero = sgs_src_opt(im, s, 5), *c = sgs_src_opt(im, s, 6);
    if (p->status != SGS_OK)
        return p->status;
    b = centred(p, b, turned ? of_rows(p, zero) : zero);
    b = scaled(p, b, turned ? of_rows(p, scale) : scale);
    c = c ? sgs_sp_cast(p, c, SGS_F32) : NULL;
    c = c ? sgs_sp_two(p, &sgs_op_mul, c, sgs_sp_two(p, &sgs_op_mul, sgs_sp_in(p, 1), scale)) : NULL;
    c = c && alpha != 1 ? sgs_sp_by(p, &sgs_op_mul, c, alpha) : c;
    sgs_value *in[] = { a, b, c }, *y = p->status == SGS_OK ? sgs_sp_call(p, "Gemm", c ? 3 : 2, in) : a;
    if (p->status == SGS_OK && s->nin > 7 && s->in[7][0])
        give_steps(p, y, 7, sgs_src_opt(im, s, 0));
    else
        sgs_sp_out(p, 0, y);
    return p->status;
}

/* MatMulInteger, Cast, the product with both scales and a sum. */
static sgs_status from_matmulintegertofloat(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) }, *a = sgs_sp_in(p, 2), *b = sgs_sp_in(p, 3), *bias = sgs_src_opt(im, s, 6);
    if (p->status != SGS_OK)
        return p->status;
    in[0] = centred(p, in[0], of_rows(p, sgs_src_opt(im, s, 4)));
    in[1] = centred(p, in[1], sgs_src_opt(im, s, 5));
    sgs_value *y = sgs_sp_call(p, "MatMul", 2, in);
    y = sgs_sp_two(p, &sgs_op_mul, y, sgs_sp_two(p, &sgs_op_mul, of_rows(p, a), b));
    sgs_sp_out(p, 0, bias ? sgs_sp_two(p, &sgs_op_add, y, bias) : y);
    return p->status;
}

/* DynamicQuantizeLinear and the same. */
static sgs_status from_dynamicquantizematmul(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[] = { sgs_sp_in(p, 0), sgs_sp_in(p, 1) }, *scale = sgs_sp_in(p, 2), *bias = sgs_src_opt(im, s, 4);
    if (p->status != SGS_OK)
        return p->status;
    in[0] = sgs_sp_one(p, &sgs_op_fake_quant_dynamic, in[0], NULL);
    in[1] = scaled(p, centred(p, in[1], sgs_src_opt(im, s, 3)), scale);
    sgs_value *y = sgs_sp_call(p, "MatMul", 2, in);
    sgs_sp_out(p, 0, bias ? sgs_sp_two(p, &sgs_op_add, y, bias) : y);
    return p->status;
}

/* ---- from TensorFlow ---- */

static float tf_bound(sgs_spell *p, int slot)
{
    const sgs_value *v = sgs_sp_in(p, slot);
    if (v && (!v->constant || v->type != SGS_F32 || sgs_value_count(v) != 1))
        sgs_sp_refuse(p, "input %d: expected one constant number", slot);
    return p->status == SGS_OK ? *sgs_const_f32(v) : 0;
}

/* y = (x + shift) * scale + least */
typedef struct dequantizing {
    float shift, scale, least;
} dequantizing;

static dequantizing dequantizing_of(sgs_spell *p, sgs_type t, float lo, float hi)
{
    enum { MIN_COMBINED, MIN_FIRST, SCALED };
    static const char *const modes[] = { "MIN_COMBINED", "MIN_FIRST", "SCALED", NULL };
    const bool sign = t == SGS_S8 || t == SGS_S16;
    const float steps = t == SGS_S8 || t == SGS_U8 ? 255.0f : 65535.0f, half = (steps + 1) / 2, scale = (hi - lo) / steps;
    int64_t mode = MIN_COMBINED;
    if (p->status == SGS_OK)
        p->status = sgs_src_choice(p->im, p->s, "mode", modes, &mode, p->d);
    if (mode == SCALED) {
        const float least = sgs_sp_int(p, "narrow_range", 0) ? 1 - half : -half;
        return (dequantizing){ 0, sign ? fmaxf(lo / least, hi / (half - 1)) : hi / steps, 0 };
    }
    return (dequantizing){ sign ? half : 0, scale, mode == MIN_FIRST && scale > 0 ? roundf(lo / scale) * scale : lo };
}

static sgs_status from_tf_dequantize(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    const float lo = tf_bound(p, 1), hi = tf_bound(p, 2);
    if (p->status != SGS_OK)
        return p->status;
    const sgs_type t = sgs_src_type(im, x);
    if ((t != SGS_U8 && t != SGS_S8 && t != SGS_U16 && t != SGS_S16) || sgs_sp_int(p, "axis", -1) != -1)
        sgs_sp_refuse(p, "expected integers of 8 or 16 bits with one range, found %s", sgs_type_word(t));
    const dequantizing q = dequantizing_of(p, t, lo, hi);
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_sp_cast(p, x, SGS_F32);
    x = q.shift != 0 ? sgs_sp_by(p, &sgs_op_add, x, q.shift) : x;
    x = sgs_sp_by(p, &sgs_op_mul, x, q.scale);
    sgs_sp_out(p, 0, q.least != 0 ? sgs_sp_by(p, &sgs_op_add, x, q.least) : x);
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = {
    { "QuantizeLinear", from_onnx_quantizelinear, 10 },
    { "DequantizeLinear", from_onnx_dequantizelinear, 10 },
    { "DynamicQuantizeLinear", from_onnx_dynamicquantizelinear, 11 },
    { "MatMulInteger", from_onnx_matmulinteger, 10 },
    { "QLinearMatMul", from_onnx_qlinearmatmul, 10 },
    { "ConvInteger", from_onnx_convinteger, 10 },
    { "QLinearConv", from_onnx_qlinearconv, 10 },
    { "com.microsoft.QuantizeLinear", from_onnx_quantizelinear, 1 },
    { "com.microsoft.DequantizeLinear", from_onnx_dequantizelinear, 1 },
    { "com.microsoft.QLinearAdd", from_qlinearadd, 1 },
    { "com.microsoft.QLinearMul", from_qlinearmul, 1 },
    { "com.microsoft.QLinearSigmoid", from_qlinearsigmoid, 1 },
    { "com.microsoft.QLinearLeakyRelu", from_qlinearleakyrelu, 1 },
    { "com.microsoft.QLinearAveragePool", from_qlinearavgpool, 1 },
    { "com.microsoft.QLinearGlobalAveragePool", from_qlinearglobalavg, 1 },
    { "com.microsoft.QLinearSoftmax", from_qlinearsoftmax, 1 },
    { "com.microsoft.QLinearConcat", from_qlinearconcat, 1 },
    { "com.microsoft.QGemm", from_qgemm, 1 },
    { "com.microsoft.MatMulIntegerToFloat", from_matmulintegertofloat, 1 },
    { "com.microsoft.DynamicQuantizeMatMul", from_dynamicquantizematmul, 1 },
    { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "Dequantize", from_tf_dequantize, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_qdq = { "qdq", ops, .onnx = onnx, .tensorflow = tensorflow };
