/* layernorm, rmsnorm: what shares the indices of all axes before `axis` gets mean 0 (layernorm) and mean square 1, then
 * a scale and a bias for each element: constants of the trailing dims, perhaps with ones in front. */
#include <math.h>
#include <string.h>

#include "compile/lower.h"
#include "ops/tflite.h"
#include "ops/util.h"

static const sgs_attr norm_attrs[] = { SGS_ATTR_I(sgs_norm_attr, axis), SGS_ATTR_F(sgs_norm_attr, epsilon),
                                       SGS_ATTR_END };

static int axis_of(const sgs_node *n)
{
    return (int)((const sgs_norm_attr *)n->attr)->axis;
}

int64_t sgs_norm_count(const sgs_value *x, int64_t axis)
{
    int64_t count = 1;
    for (int i = (int)axis; i < x->rank; i++)
        count *= x->dim[i];
    return count;
}

/* ---- shapes ---- */

/* v's dims are x's from `axis` on, with ones in front. */
static bool is_trailing(const sgs_value *v, const sgs_value *x, int axis)
{
    const int more = x->rank - v->rank;
    for (int i = 0; i < v->rank; i++)
        if (i + more < 0 || v->dim[i] != (i + more < axis ? 1 : x->dim[i + more]))
            return false;
    return more <= axis;
}

static sgs_status norm_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_norm_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    char tx[128], tv[128];
    if (a->axis < 0 || a->axis >= x->rank || !(a->epsilon >= 0) || isinf(a->epsilon))
        return sgs_fail(d, SGS_E_MODEL, "axis must lie in 0..%d and epsilon be 0 or more, found %lld and %g",
                        x->rank - 1, (long long)a->axis, (double)a->epsilon);
    for (int i = 1; i < n->nin; i++) {
        const char *what = i == 1 ? "scale" : "bias";
        SGS_TRY(sgs_need_type(n->in[i], SGS_F32, what, d));
        if (!is_trailing(n->in[i], x, (int)a->axis))
            return sgs_fail(d, SGS_E_MODEL, "a %s of shape %s does not fit an input %s from axis %lld on", what,
                            sgs_dims_text(tv, sizeof tv, n->in[i]->rank, n->in[i]->dim),
                            sgs_dims_text(tx, sizeof tx, x->rank, x->dim), (long long)a->axis);
    }
    sgs_shape_like(out, x);
    return SGS_OK;
}

/* Axes that are normalized over stay where they are; scale and bias with them. */
static bool norm_permute(const sgs_node *n, const int64_t *perm, int rank, void *attr)
{
    (void)attr;
    for (int i = axis_of(n); i < rank; i++)
        if (perm[i] != i)
            return false;
    return true;
}

/* ---- evaluation ---- */

static double mean_of(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    return sum / (double)n;
}

/* scale and bias may be NULL. */
static void one_row(const sgs_node *n, const float *x, const float *scale, const float *bias, float *y, int64_t count)
{
    const double mean = n->op == &sgs_op_layernorm ? mean_of(x, count) : 0;
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    const double deviation = sqrt(squares / (double)count + (double)((const sgs_norm_attr *)n->attr)->epsilon);
    for (int64_t i = 0; i < count; i++) {
        const double v = ((double)x[i] - mean) / deviation;
        y[i] = (float)(v * (scale ? (double)scale[i] : 1) + (bias ? (double)bias[i] : 0));
    }
}

static sgs_status norm_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    const int64_t each = sgs_norm_count(n->in[0], axis_of(n)), count = sgs_tensor_count(out);
    const float *x = in[0].data, *scale = n->nin > 1 ? in[1].data : NULL, *bias = n->nin > 2 ? in[2].data : NULL;
    for (int64_t at = 0; at < count; at += each)
        one_row(n, x + at, scale, bias, (float *)out->data + at, each);
    return SGS_OK;
}

/* ---- lowering: ARITHMETIC.md 20 ---- */

static bool lies_dense(sgs_lowering *l, const sgs_value *v)
{
    int64_t stride[SGS_MAX_RANK], dense[SGS_MAX_RANK];
    sgs_lower_strides(l, v, stride);
    sgs_dense_strides(v->rank, v->dim, sgs_type_bytes(v->type), dense);
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] != 1 && stride[i] != dense[i])
            return false;
    return true;
}

/* The whole of a dense value as rows of n elements. */
static ipu_ref rows_of(sgs_lowering *l, const sgs_value *v, int64_t n)
{
    const int64_t dim[4] = { 1, sgs_value_count(v) / n, 1, n }, row = n * sgs_type_bytes(v->type);
    return sgs_lower_window(l, v, 0, dim, (const int64_t[]){ row * dim[1], row, row, sgs_type_bytes(v->type) });
}

/* The same of a dense copy of v, which has gaps. */
static sgs_status copied_rows(sgs_lowering *l, const sgs_node *n, const sgs_value *v, int64_t each, ipu_ref *r,
                              sgs_diag *d)
{
    const ipu_ref from = sgs_lower_ref(l, v);
    *r = sgs_lower_temp(l, &from);
    SGS_TRY(sgs_lower_copy(l, r, &from, n, d));
    r->n = r->w = 1;
    r->h = (int32_t)(sgs_value_count(v) / each);
    r->c = (int32_t)each;
    r->img = r->row = r->pix = r->c * r->step;
    return SGS_OK;
}

/* Over several axes y is dense: norm_dense. */
static sgs_status take_operands(sgs_lowering *l, const sgs_node *n, ipu_layernorm *r, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const int64_t each = sgs_norm_count(x, axis_of(n));
    const bool gaps = !lies_dense(l, x), several = axis_of(n) != x->rank - 1;
    if (!several && (gaps || !lies_dense(l, y))) {
        r->y = sgs_lower_ref(l, y);
        r->x = sgs_lower_ref(l, x);
        return SGS_OK;
    }
    r->y = rows_of(l, y, each);
    if (gaps)
        return copied_rows(l, n, x, each, &r->x, d);
    r->x = rows_of(l, x, each);
    return SGS_OK;
}

/* v over s_y, or one number where it is absent. */
static ipu_ref over_scale(sgs_lowering *l, const sgs_value *v, float absent, double s_y)
{
    const int64_t count = v ? sgs_value_count(v) : 1;
    const float *from = v ? sgs_const_data(v) : &absent;
    float *to = SGS_NEW_N(sgs_lower_arena(l), float, count);
    for (int64_t i = 0; i < count; i++)
        to[i] = sgs_mult((double)from[i], s_y);
    return sgs_lower_const(l, IPU_F32, to, count);
}

static sgs_status norm_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    const double each = (double)sgs_norm_count(x, axis_of(n)), s_x = sgs_scale(x, 0), s_y = sgs_scale(y, 0);
    const double epsilon = (double)((const sgs_norm_attr *)n->attr)->epsilon * each * each / (s_x * s_x);
    if (x->type != SGS_S16 || y->type != SGS_S16 || !sgs_one_scale(x) || !sgs_one_scale(y))
        return sgs_lower_fail(l, n, d, "expected int16 in and out with one scale each");
    for (int i = 1; i < n->nin; i++)
        if (!n->in[i]->constant)
            return sgs_lower_fail(l, n, d, "expected a constant scale and bias");
    if (each > IPU_LAYERNORM_MOST)
        return sgs_lower_fail(l, n, d, "expected at most %d elements from axis %d on, found %.0f", IPU_LAYERNORM_MOST,
                              axis_of(n), each);
    ipu_layernorm r = { .head = SGS_REC(IPU_LAYERNORM_S16, layernorm),
                        .centred = n->op == &sgs_op_layernorm,
                        .epsilon = (float)fmin(epsilon, (double)IPU_LAYERNORM_EPSILON),
                        .out = sgs_out_range(y, SGS_ACT_NONE, 0, 0) };
    r.scale = over_scale(l, n->nin > 1 ? n->in[1] : NULL, 1, s_y);
    r.bias = over_scale(l, n->nin > 2 ? n->in[2] : NULL, 0, s_y);
    SGS_TRY(take_operands(l, n, &r, d));
    return sgs_lower_emit(l, &r.head, n, 0, d);
}

static bool norm_dense(const sgs_node *n)
{
    return axis_of(n) != n->in[0]->rank - 1;
}

/* ---- rows ---- */

#define ROW(op) /* x[, scale[, bias]] -> y */                                                                          \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "layernorm",                                                                                         \
        .nin_min = 1,                                                                                                  \
        .nin_max = 3,                                                                                                  \
        .nout = 1,                                                                                                     \
        .attr_bytes = sizeof(sgs_norm_attr),                                                                           \
        .attr = norm_attrs,                                                                                            \
        .infer = norm_infer,                                                                                           \
        .eval = norm_eval,                                                                                             \
        .float_only = true,                                                                                            \
        .permute = norm_permute,                                                                                       \
        .qrule = SGS_Q_S16,                                                                                            \
        .ndata = 1,                                                                                                    \
        .dense = norm_dense,                                                                                           \
        .lower = norm_lower,                                                                                           \
    }
ROW(layernorm);
ROW(rmsnorm);

static const sgs_op *const ops[] = { &sgs_op_layernorm, &sgs_op_rmsnorm, NULL };
const sgs_family sgs_family_layernorm = { .name = "layernorm", .ops = ops };
