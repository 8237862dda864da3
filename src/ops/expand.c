/* expand: a tensor repeated along axes of one element, to a static shape of its rank; ONNX Expand and Tile. */
#include <string.h>

#include "compile/lower.h"
#include "ops/nest.h"
#include "ops/tflite.h"
#include "ops/util.h"

static const sgs_attr expand_attrs[] = { SGS_ATTR_VN(sgs_shape_attr, dim, SGS_MAX_RANK, n), SGS_ATTR_END };

/* ---- shapes ------------------------------------------------------------------------------------------------------- */

static sgs_status expand_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const sgs_shape_attr *a = n->attr;
    const sgs_value *x = n->in[0];
    int64_t count = 1;
    char from[128], to[128];
    if (a->n != x->rank)
        return sgs_fail(d, SGS_E_MODEL, "expected %d dimensions, found %lld", x->rank, (long long)a->n);
    out->type = x->type;
    out->rank = (int)a->n;
    for (int i = 0; i < out->rank; i++) {
        out->dim[i] = a->dim[i];
        if (a->dim[i] < 0 || !sgs_mul64(count, a->dim[i], &count) || (x->dim[i] != 1 && x->dim[i] != a->dim[i]))
            return sgs_fail(d, SGS_E_MODEL, "cannot expand %s to %s", sgs_dims_text(from, sizeof from, x->rank, x->dim),
                            sgs_dims_text(to, sizeof to, (int)a->n, a->dim));
    }
    return SGS_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------------------------------- */

static sgs_status expand_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)n, (void)st, (void)d;
    int64_t stride[SGS_MAX_RANK];
    sgs_broadcast_strides(in, out, stride);
    for (int i = 0; i < out->rank; i++)
        stride[i] *= sgs_type_bytes(out->type);
    sgs_copy_seen(out, in->data, stride);
    return SGS_OK;
}

/* ---- from ONNX ------------------------------------------------------------------------------------------------------- */

/* The shape is broadcast with the input's: either may have the ones. */
static sgs_status from_onnx_expand(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *shape, *y;
    sgs_shape_attr a = { 0 }, ones = { 0 };
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &shape, d));
    int64_t given[SGS_MAX_RANK];
    SGS_TRY(sgs_src_const_ints(s, shape, given, SGS_MAX_RANK, &n, d));
    a.n = ones.n = n > x->rank ? n : x->rank;
    for (int i = 0; i < a.n; i++) {
        int64_t theirs = i - (a.n - n) >= 0 ? given[i - (a.n - n)] : 1, ours = i - (a.n - x->rank) >= 0 ? x->dim[i - (a.n - x->rank)] : 1;
        ones.dim[i] = ours;
        a.dim[i] = theirs == 1 ? ours : theirs;
    }
    if (x->rank < ones.n)
        SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, &x, &ones, &x, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_expand, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

typedef struct tiling {
    sgs_shape_attr split, wide, back;
} tiling;

/* x[d0, d1] tiled r0, r1 times: x as [1, d0, 1, d1], expanded to [r0, d0, r1, d1], as [r0*d0, r1*d1].  Axes that are not repeated stay
 * whole.  False: too many dimensions. */
static bool plan_tiling(const sgs_value *x, const int64_t *repeat, tiling *t)
{
    *t = (tiling){ .back = { .n = x->rank } };
    for (int i = 0; i < x->rank; i++) {
        bool apart = repeat[i] != 1 && x->dim[i] != 1;
        if (t->split.n + apart >= SGS_MAX_RANK)
            return false;
        if (apart) {
            t->split.dim[t->split.n++] = 1;
            t->wide.dim[t->wide.n++] = repeat[i];
        }
        t->split.dim[t->split.n++] = x->dim[i];
        t->wide.dim[t->wide.n++] = apart ? x->dim[i] : x->dim[i] * repeat[i];
        t->back.dim[i] = x->dim[i] * repeat[i];
    }
    return true;
}

/* In two turns, the first axes and the others, where one has too many dimensions. */
static sgs_status emit_tile(sgs_import *im, const sgs_source_node *s, sgs_value *x, const int64_t *repeat, sgs_value **y, sgs_diag *d)
{
    int64_t now[SGS_MAX_RANK], later[SGS_MAX_RANK];
    bool twice = false;
    tiling t;
    for (int i = 0; i < x->rank; i++) {
        int64_t product;
        if (repeat[i] < 0 || !sgs_mul64(x->dim[i], repeat[i], &product))
            return sgs_src_fail(im, s, d, "repeats must be 0 or more and the result below 2^63 elements, found %lld", (long long)repeat[i]);
        now[i] = repeat[i];
        later[i] = 1;
    }
    for (int i = x->rank - 1; !plan_tiling(x, now, &t); i--) { /* nothing repeated fits */
        later[i] = now[i];
        twice = twice || now[i] != 1;
        now[i] = 1;
    }
    SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, &x, &t.split, &x, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_expand, 1, &x, &t.wide, &x, d));
    SGS_TRY(sgs_emit(im, s, &sgs_op_reshape, 1, &x, &t.back, y, d));
    return twice ? emit_tile(im, s, *y, later, y, d) : SGS_OK;
}

static sgs_status from_onnx_tile(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *list, *y;
    int64_t repeat[SGS_MAX_RANK];
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &list, d));
    SGS_TRY(sgs_src_const_ints(s, list, repeat, SGS_MAX_RANK, &n, d));
    if (n != x->rank)
        return sgs_src_fail(im, s, d, "expected %d repeats, one per dimension, found %d", x->rank, n);
    SGS_TRY(emit_tile(im, s, x, repeat, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- .sim --------------------------------------------------------------------------------------------------------------- */

static sgs_status expand_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_shape_attr *a = n->attr;
    int64_t times[SGS_MAX_RANK];
    for (int i = 0; i < a->n; i++)
        times[i] = n->in[0]->dim[i] == a->dim[i] ? 1 : a->dim[i];
    if (!a->n || !sgs_tfl_fits(times, (int)a->n))
        return sgs_tfl_custom(w, n);
    int in[2] = { sgs_tfl_value(w, n->in[0]), sgs_tfl_const_s32(w, times, (int)a->n) };
    sgs_tfl_emit(w, "TILE", in, 2, sgs_tfl_value(w, n->out[0]), NULL);
    return SGS_OK;
}

static sgs_status expand_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *list, *y;
    int64_t times[SGS_MAX_RANK];
    int n = 0;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_in(im, s, 1, &list, d));
    SGS_TRY(sgs_src_const_ints(s, list, times, SGS_MAX_RANK, &n, d));
    if (n != x->rank)
        return sgs_src_fail(im, s, d, "expected %d repeats, one per dimension, found %d", x->rank, n);
    sgs_shape_attr a = { .n = n };
    bool plain = true; /* one element repeated, or none */
    for (int i = 0; i < n; i++) {
        plain = plain && (times[i] == 1 || x->dim[i] == 1);
        a.dim[i] = x->dim[i] == 1 ? times[i] : x->dim[i];
    }
    if (plain)
        SGS_TRY(sgs_emit(im, s, &sgs_op_expand, 1, &x, &a, &y, d));
    else
        SGS_TRY(emit_tile(im, s, x, times, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ------------------------------------------------------------------------------------------------------- */

static sgs_status expand_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    const sgs_value *x = n->in[0], *y = n->out[0];
    sgs_move m;
    sgs_move_whole(&m, y, x);
    for (int i = 0; i < y->rank; i++)
        m.axis[i] = x->dim[i] == y->dim[i] ? i : -1;
    return sgs_lower_move(l, n, &m, d);
}

static bool expand_permute(const sgs_node *n, const int64_t *perm, int rank, void *attr)
{
    const sgs_shape_attr *from = n->attr;
    sgs_shape_attr *to = attr;
    for (int i = 0; i < rank; i++)
        to->dim[perm[i]] = from->dim[i];
    return true;
}

/* ---- row ---------------------------------------------------------------------------------------------------------------- */

const sgs_op sgs_op_expand = {
    .name = "expand", .family = "expand", .nin_min = 1, .nin_max = 1, .nout = 1, .attr_bytes = sizeof(sgs_shape_attr), .attr = expand_attrs,
    .infer = expand_infer, .eval = expand_eval, .to_tflite = expand_to_tflite, .permute = expand_permute, .qrule = SGS_Q_MOVE, .kernel = "copy",
    .lower = expand_lower,
};

static const sgs_op *const ops[] = { &sgs_op_expand, NULL };
static const sgs_from onnx[] = { { "Expand", from_onnx_expand, 8 }, { "Tile", from_onnx_tile, 6 }, { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "TILE", expand_from_tflite, 0 }, { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "Tile", from_onnx_tile, 0 },
    { "BroadcastTo", from_onnx_expand, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_expand = { "expand", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
