/* Constants and shapes: Constant, Shape, Size, ConstantOfShape, Cast.  Shapes are static, so all but Cast are constants from the start. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/integer.h"
#include "ops/nest.h"
#include "ops/tensorflow.h"

static const char *const type_names[] = { "f32", "f64", "s64", "s32", "s16", "s8", "u8", "bool", NULL }; /* in sgs_type's order */
static const sgs_attr cast_attrs[] = { SGS_ATTR_E(sgs_cast_attr, type, type_names), SGS_ATTR_END };

/* ---- cast ------------------------------------------------------------------------------------------------------------ */

static bool castable(int64_t t)
{
    return t == SGS_F32 || t == SGS_F64 || t == SGS_S64 || t == SGS_S32 || t == SGS_S8 || t == SGS_U8 || t == SGS_BOOL;
}

/* Of integers and truth values in a fixed-point model. */
static bool board(int64_t t)
{
    return t == SGS_S32 || t == SGS_S16 || t == SGS_U8 || t == SGS_BOOL;
}

static sgs_status cast_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_cast_attr *a = n->attr;
    const bool fixed = (board(n->in[0]->type) && a->type == SGS_S16) || (n->in[0]->type == SGS_S16 && board(a->type));
    if (!fixed && (!castable(a->type) || !castable(n->in[0]->type)))
        return sgs_fail(d, SGS_E_UNSUPPORTED, "conversion from %s to %s is not supported", sgs_type_word(n->in[0]->type), sgs_type_word((sgs_type)a->type));
    sgs_shape_like(out, n->in[0]);
    out->type = (sgs_type)a->type;
    return SGS_OK;
}

static int64_t get_int(const sgs_tensor *t, int64_t i)
{
    switch (t->type) {
    case SGS_S64: return ((const int64_t *)t->data)[i];
    case SGS_S32: return ((const int32_t *)t->data)[i];
    case SGS_S8: return ((const int8_t *)t->data)[i];
    default: return ((const uint8_t *)t->data)[i];
    }
}

static double get_real(const sgs_tensor *t, int64_t i)
{
    return t->type == SGS_F32 ? (double)((const float *)t->data)[i] : t->type == SGS_F64 ? ((const double *)t->data)[i] : (double)get_int(t, i);
}

/* Towards zero; what does not fit saturates, NaN is 0. */
static int64_t truncated(double v)
{
    return isnan(v) ? 0 : v >= 9.2233720368547758e18 ? INT64_MAX : v <= -9.2233720368547758e18 ? INT64_MIN : (int64_t)v;
}

static sgs_status cast_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st;
    if (in->type == SGS_S16 || out->type == SGS_S16)
        return sgs_fail(d, SGS_E_UNSUPPORTED, "a cast of int16 belongs to fixed-point models");
    bool real = in->type == SGS_F32 || in->type == SGS_F64;
    int64_t count = sgs_tensor_count(out);
    for (int64_t i = 0; i < count; i++) {
        int64_t v = real ? truncated(get_real(in, i)) : get_int(in, i);
        switch (out->type) {
        case SGS_F32: ((float *)out->data)[i] = real ? (float)get_real(in, i) : (float)v; break;
        case SGS_F64: ((double *)out->data)[i] = real ? get_real(in, i) : (double)v; break;
        case SGS_S64: ((int64_t *)out->data)[i] = v; break;
        case SGS_S32: ((int32_t *)out->data)[i] = (int32_t)(uint32_t)v; break;
        case SGS_BOOL: ((uint8_t *)out->data)[i] = real ? get_real(in, i) != 0 : v != 0; break;
        default: ((uint8_t *)out->data)[i] = (uint8_t)v; break;
        }
    }
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

static sgs_status emit_cast(sgs_import *im, const sgs_source_node *s, sgs_value *x, sgs_type t, sgs_diag *d)
{
    const sgs_cast_attr a = { (int64_t)t };
    sgs_value *y;
    if (t == x->type)
        SGS_TRY(sgs_emit_same(im, s, x, &y, d));
    else
        SGS_TRY(sgs_emit(im, s, &sgs_op_cast, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* The number of a data type; before opset 6 its name. */
static sgs_status cast_target(sgs_import *im, const sgs_source_node *s, int64_t *to, sgs_diag *d)
{
    return s->opset < 6 || (sgs_src_find(s, "to") && sgs_src_find(s, "to")->kind == SGS_SRC_STRING) ? sgs_src_choice(im, s, "to", sgs_src_data_types, to, d)
                                                                                                    : sgs_src_int(s, "to", to, d);
}

static sgs_status from_onnx_cast(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    /* TensorProto.DataType; half and double become f32 like every float of the model, integers of 16 bits s32 */
    static const int8_t types[] = { -1, SGS_F32, SGS_U8, SGS_S8, SGS_S32, SGS_S32, SGS_S32, SGS_S64, -1, SGS_BOOL, SGS_F32, SGS_F32, SGS_S64 };
    sgs_value *x;
    int64_t to = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(cast_target(im, s, &to, d));
    if (to < 1 || to >= (int64_t)sizeof types || types[to] < 0)
        return sgs_src_refuse(im, s, d, "to: data type %lld (%s) is not supported", (long long)to, sgs_src_data_type(to));
    return emit_cast(im, s, x, (sgs_type)types[to], d);
}

static sgs_status from_onnx_castlike(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *like;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &like, d));
    return emit_cast(im, s, x, like->type, d);
}

/* Places of the elements other than 0 of a constant: a row for each axis. */
static sgs_status from_onnx_nonzero(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    if (!x->constant)
        return sgs_src_refuse(im, s, d, "'%s' is known only at run time, and so is how much of it is not 0", s->in[0]);
    const sgs_tensor t = { .type = x->type, .data = (void *)(uintptr_t)sgs_const_data(x) };
    const int64_t all = sgs_value_count(x);
    int64_t n = 0, at = 0, index[SGS_MAX_RANK] = { 0 };
    for (int64_t i = 0; i < all; i++)
        n += get_real(&t, i) != 0;
    int64_t *places = sgs_try_alloc(im->g->arena, ((size_t)n * (size_t)x->rank + 1) * sizeof *places);
    if (!places)
        return sgs_src_refuse(im, s, d, "%lld elements exceed the memory limit", (long long)n * x->rank);
    for (int64_t i = 0; i < all; i++) {
        for (int k = 0; k < x->rank && get_real(&t, i) != 0; k++)
            places[k * n + at] = index[k];
        at += get_real(&t, i) != 0;
        sgs_next_index(index, x->rank, x->dim);
    }
    return sgs_src_out(im, s, 0, sgs_const_new(im->g, SGS_S64, 2, (const int64_t[]){ x->rank, n }, places, false), d);
}

/* Exact where doubles are not; the step is not 0. */
static double steps_between(int64_t start, int64_t limit, int64_t step)
{
    const uint64_t far = step > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit,
                   each = step > 0 ? (uint64_t)step : -(uint64_t)step;
    const bool none = step > 0 ? limit <= start : limit >= start;
    return none ? 0 : (double)(far / each + (far % each != 0));
}

/* start, start + step, ... below limit, of constants. */
static sgs_status from_onnx_range(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *in[3];
    sgs_tensor t[3];
    for (int i = 0; i < 3; i++) {
        SGS_TRY(sgs_src_in(im, s, i, &in[i], d));
        if (!in[i]->constant || sgs_value_count(in[i]) != 1)
            return sgs_src_refuse(im, s, d, "'%s' is not one constant number", s->in[i]);
        t[i] = (sgs_tensor){ .type = in[i]->type, .data = (void *)(uintptr_t)sgs_const_data(in[i]) };
    }
    const bool real = t[0].type == SGS_F32 || t[0].type == SGS_F64;
    if (!real && t[0].type != SGS_S64 && t[0].type != SGS_S32)
        return sgs_src_refuse(im, s, d, "expected numbers of float32, float64, int32 or int64, found %s", sgs_type_word(t[0].type));
    const double steps = real || !get_int(&t[2], 0) ? ceil((get_real(&t[1], 0) - get_real(&t[0], 0)) / get_real(&t[2], 0))
                                                    : steps_between(get_int(&t[0], 0), get_int(&t[1], 0), get_int(&t[2], 0));
    if (!(steps < 0x1p31))
        return sgs_src_fail(im, s, d, "expected at most 2^31 steps and a delta other than 0, found start %g, limit %g, delta %g", get_real(&t[0], 0),
                            get_real(&t[1], 0), get_real(&t[2], 0));
    const int64_t n = steps > 0 ? (int64_t)steps : 0, first = real ? 0 : get_int(&t[0], 0), step = real ? 0 : get_int(&t[2], 0);
    const sgs_type type = real ? SGS_F32 : t[0].type;
    char *data = sgs_try_alloc(im->g->arena, (size_t)(n + 1) * 8);
    if (!data)
        return sgs_src_refuse(im, s, d, "%lld elements exceed the memory limit", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (real)
            ((float *)data)[i] = (float)(get_real(&t[0], 0) + (double)i * get_real(&t[2], 0));
        else if (type == SGS_S64)
            ((int64_t *)data)[i] = (int64_t)((uint64_t)first + (uint64_t)i * (uint64_t)step);
        else
            ((int32_t *)data)[i] = (int32_t)((uint64_t)first + (uint64_t)i * (uint64_t)step);
    return sgs_src_out(im, s, 0, sgs_const_new(im->g, type, 1, &n, data, false), d);
}

static sgs_status from_onnx_constant(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const sgs_src_attr *a;
    if ((a = sgs_src_find(s, "value")) && a->kind == SGS_SRC_TENSOR)
        return sgs_src_out(im, s, 0, a->tensor, d);
    int64_t n;
    if ((a = sgs_src_find(s, "value_int")) && a->kind == SGS_SRC_INT)
        return sgs_src_out(im, s, 0, sgs_const_new(im->g, SGS_S64, 0, NULL, &a->i, true), d);
    if ((a = sgs_src_find(s, "value_float")) && a->kind == SGS_SRC_FLOAT)
        return sgs_src_out(im, s, 0, sgs_const_new(im->g, SGS_F32, 0, NULL, &a->f, true), d);
    if ((a = sgs_src_find(s, "value_ints")) && a->kind == SGS_SRC_INTS)
        return sgs_src_out(im, s, 0, sgs_const_new(im->g, SGS_S64, 1, (n = a->n, &n), a->ints, true), d);
    if ((a = sgs_src_find(s, "value_floats")) && a->kind == SGS_SRC_FLOATS)
        return sgs_src_out(im, s, 0, sgs_const_new(im->g, SGS_F32, 1, (n = a->n, &n), a->floats, true), d);
    return sgs_src_refuse(im, s, d, "only dense numeric constants are supported");
}

static sgs_status from_onnx_shape(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    int64_t start = 0, end = x->rank;
    SGS_TRY(sgs_src_int(s, "start", &start, d));
    SGS_TRY(sgs_src_int(s, "end", &end, d));
    start += start < 0 ? x->rank : 0;
    end += end < 0 ? x->rank : 0;
    start = start < 0 ? 0 : start > x->rank ? x->rank : start;
    end = end < start ? start : end > x->rank ? x->rank : end;
    return sgs_src_out(im, s, 0, sgs_const_ints(im->g, x->dim + start, (int)(end - start)), d);
}

static sgs_status from_onnx_size(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    int64_t n = sgs_value_count(x);
    return sgs_src_out(im, s, 0, sgs_const_new(im->g, SGS_S64, 0, NULL, &n, true), d);
}

static sgs_status from_onnx_constantofshape(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    static const float zero = 0;
    sgs_value *shape;
    int64_t dim[SGS_MAX_RANK], count = 1;
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &shape, d));
    SGS_TRY(sgs_src_const_ints(s, shape, dim, SGS_MAX_RANK, &n, d));
    const sgs_src_attr *a = sgs_src_find(s, "value");
    sgs_type t = SGS_F32;
    const void *one = &zero;
    if (a && a->kind == SGS_SRC_TENSOR && sgs_value_count(a->tensor) == 1) {
        t = a->tensor->type;
        one = sgs_const_data(a->tensor);
    } else if (a) {
        return sgs_src_fail(im, s, d, "value must be a tensor of one number");
    }
    for (int i = 0; i < n; i++)
        if (!sgs_mul64(count, dim[i], &count) || count > (int64_t)1 << 32)
            return sgs_src_fail(im, s, d, "impossible shape: sizes must be 0 or more and their product below 2^32");
    size_t each = (size_t)sgs_type_bytes(t);
    char *data = sgs_try_alloc(im->g->arena, (size_t)count * each);
    if (!data)
        return sgs_src_fail(im, s, d, "%lld elements exceed the memory limit", (long long)count);
    for (int64_t i = 0; i < count; i++)
        memcpy(data + (size_t)i * each, one, each);
    return sgs_src_out(im, s, 0, sgs_const_new(im->g, t, n, dim, data, false), d);
}

/* ---- fixed point: between real numbers, integers and truth values ---- */

static const char *cast_unfixed(const sgs_node *n)
{
    const sgs_type x = n->in[0]->type, y = n->out[0]->type;
    return x == SGS_F64 || y == SGS_F64 ? "works on float64, which has no fixed-point form" : NULL;
}

static sgs_status cast_quant(struct sgs_quantizer *q, sgs_node *n, sgs_diag *d)
{
    (void)q, (void)d;
    sgs_cast_attr *a = n->attr;
    a->type = n->out[0]->type; /* a real number is S16 */
    return SGS_OK;
}

/* ARITHMETIC.md 17. */
static sgs_status truth_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    static const int16_t none = 0;
    const sgs_value zero = { .id = -1, .type = SGS_S16, .rank = 0, .constant = &(sgs_constant){ .data = &none } }, *x = n->in[0];
    ipu_compare r = { .head = SGS_REC(IPU_COMPARE_S16, compare), .mode = IPU_COMPARE_DIFFERENT, .ma = sgs_mult(sgs_scale(x, 0), 1), .mb = 1 };
    if (x->type != SGS_S16 || !sgs_one_scale(x))
        return sgs_lower_fail(l, n, d, "expected int16 with one scale, found %s", sgs_type_word(x->type));
    return sgs_nest_emit(l, n, &r.head, (const sgs_value *const[]){ n->out[0], x, &zero }, 3, d);
}

/* Whether an integer is different from 0. */
static sgs_status nonzero_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    static const int32_t none = 0;
    const sgs_value zero = { .id = -1, .type = n->in[0]->type, .rank = 0, .constant = &(sgs_constant){ .data = &none } };
    return sgs_integer_lower(l, n, n->in[0], &zero, IPU_INTEGER_DIFFERENT, d);
}

/* ARITHMETIC.md 19; a truth value is a byte. */
static sgs_status integer_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    ipu_convert r = { .head = SGS_REC(IPU_CONVERT, convert), .y = sgs_lower_ref(l, y), .x = sgs_lower_ref(l, x) };
    if (y->quant) {
        r.head.kind = IPU_TO_REAL;
        r.m = sgs_mult(1, sgs_scale(y, 0));
        r.out = sgs_out_range(y, SGS_ACT_NONE, 0, 0);
    } else if (x->quant) {
        r.head.kind = IPU_TO_INTEGER;
        r.m = sgs_mult(sgs_scale(x, 0), 1);
    }
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

static bool is_real(const sgs_value *v)
{
    return v->type == SGS_S16 && v->quant && sgs_one_scale(v);
}

static sgs_status cast_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    static const int32_t none = 0;
    const sgs_value *x = n->in[0], *y = n->out[0];
    const bool from = sgs_is_integer(x) || x->type == SGS_BOOL;
    if (y->type == SGS_BOOL)
        return from ? nonzero_lower(l, n, d) : truth_lower(l, n, d);
    if ((sgs_is_integer(x) && (sgs_is_integer(y) || is_real(y))) || (sgs_is_integer(y) && (from || is_real(x))))
        return integer_lower(l, n, d);
    if (x->type != SGS_BOOL || y->type != SGS_S16 || !sgs_one_scale(y))
        return sgs_lower_fail(l, n, d, "expected integers, truth values or int16 with one scale, found %s to %s", sgs_type_word(x->type), sgs_type_word(y->type));
    const float m = sgs_mult(1, sgs_scale(y, 0));
    ipu_quantize r = { .head = SGS_REC(IPU_QUANTIZE, quantize), .y = sgs_lower_ref(l, y), .x = sgs_lower_ref(l, x), .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    r.mult = sgs_lower_const(l, IPU_F32, &m, 1);
    r.zero = sgs_lower_const(l, IPU_S32, &none, 1);
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

/* ---- from TensorFlow ---- */

enum { TF_INT32 = 3 };

static sgs_status from_tf_shape(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_type t = sgs_tf_type_of(p, "out_type", TF_INT32);
    for (int i = 0; i < s->nout && p->status == SGS_OK; i++) {
        const sgs_value *x = sgs_sp_wants(p, i) ? sgs_sp_in(p, i) : NULL;
        if (x)
            sgs_sp_out(p, i, sgs_tf_const(p, t, 1, x->dim, x->rank));
    }
    return p->status;
}

static sgs_status from_tf_count(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_value *x = sgs_sp_in(p, 0);
    const sgs_type t = sgs_tf_type_of(p, "out_type", TF_INT32);
    const int64_t n = !x ? 0 : !strcmp(s->op, "Rank") ? x->rank : sgs_value_count(x);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_integer(p, t == SGS_S64 ? SGS_S64 : SGS_S32, n));
    return p->status;
}

static sgs_status from_tf_cast(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    if (x && !sgs_src_find(s, "DstT"))
        sgs_sp_fail(p, "DstT is missing");
    const sgs_type t = sgs_tf_type_of(p, "DstT", TF_INT32);
    return p->status == SGS_OK ? emit_cast(im, s, x, t, d) : p->status;
}

/* One number everywhere. */
static sgs_value *filled(sgs_spell *p, int rank, const int64_t *dim, const sgs_value *one)
{
    void *data;
    const size_t each = (size_t)sgs_type_bytes(one->type);
    sgs_value *v = sgs_sp_const(p, one->type, rank, dim, &data);
    const int64_t count = v ? sgs_value_count(v) : 0;
    for (int64_t i = 0; i < count; i++)
        memcpy((char *)data + (size_t)i * each, sgs_const_data(one), each);
    return v;
}

static sgs_status from_tf_fill(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    int64_t dim[SGS_MAX_RANK];
    const int n = sgs_tf_ints(p, 0, dim, SGS_MAX_RANK);
    sgs_value *one = sgs_sp_in(p, 1), *y = NULL;
    if (p->status == SGS_OK && (sgs_value_count(one) != 1 || one->rank > n))
        sgs_sp_fail(p, "expected one number, found %lld", (long long)sgs_value_count(one));
    if (p->status == SGS_OK && one->constant) {
        y = filled(p, n, dim, one);
    } else if (p->status == SGS_OK) {
        for (int i = one->rank; i < n; i++)
            one = sgs_sp_unsqueeze(p, one, 0);
        y = sgs_sp_own(p, sgs_sp_expand(p, one, dim));
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, y);
    return p->status;
}

static sgs_status from_tf_like(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const sgs_value *x = sgs_sp_in(p, 0);
    const int one = !strcmp(s->op, "OnesLike");
    if (!x)
        return p->status;
    sgs_value *v = filled(p, x->rank, x->dim, x->type == SGS_F32 ? sgs_sp_number(p, (float)one) : sgs_sp_integer(p, x->type, one));
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, v);
    return p->status;
}

static sgs_status from_tf_const(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_src_refuse(im, s, d, "expected a value of numbers, found %s", sgs_src_find(s, "value") ? "another" : "none");
}

static sgs_status from_tf_variable(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    return sgs_src_refuse(im, s, d, "the graph is not frozen: it has variables, whose numbers lie in other files");
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_cast = {
    .name = "cast", .family = "shape", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_cast_attr), .attr = cast_attrs,
    .infer = cast_infer, .eval = cast_eval, .permute = sgs_permute_elementwise, .qrule = SGS_Q_S16, .unfixed = cast_unfixed, .quant = cast_quant, .lower = cast_lower,
    .kernel = "quantize",
};

static const sgs_op *const ops[] = { &sgs_op_cast, NULL };
static const sgs_from onnx[] = {
    { "Constant", from_onnx_constant, 1 }, { "Shape", from_onnx_shape, 1 }, { "Size", from_onnx_size, 1 },
    { "ConstantOfShape", from_onnx_constantofshape, 9 }, { "Cast", from_onnx_cast, 1 },
    { "CastLike", from_onnx_castlike, 15 }, { "Range", from_onnx_range, 11 },
    { "NonZero", from_onnx_nonzero, 9 }, { NULL, NULL, 0 },
};
static const sgs_from tensorflow[] = {
    { "Shape", from_tf_shape, 0 },
    { "ShapeN", from_tf_shape, 0 },
    { "Rank", from_tf_count, 0 },
    { "Size", from_tf_count, 0 },
    { "Cast", from_tf_cast, 0 },
    { "Range", from_onnx_range, 0 },
    { "Fill", from_tf_fill, 0 },
    { "ZerosLike", from_tf_like, 0 },
    { "OnesLike", from_tf_like, 0 },
    { "Const", from_tf_const, -1 },
    { "Variable", from_tf_variable, -1 },
    { "VariableV2", from_tf_variable, -1 },
    { "VarHandleOp", from_tf_variable, -1 },
    { "ReadVariableOp", from_tf_variable, -1 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_shape = { "shape", ops, .onnx = onnx, .tensorflow = tensorflow };
