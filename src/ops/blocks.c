/* depth_to_space, space_to_depth: channels become blocks of pixels, and back. */
#include <string.h>

#include "compile/lower.h"
#include "ops/nest.h"
#include "ops/tensorflow.h"
#include "ops/tflite.h"

#define MOST 65536 /* block */

static const char *const orders[] = { "DCR", "CRD", NULL };
static const sgs_attr blocks_attrs[] = { SGS_ATTR_I(sgs_blocks_attr, block), SGS_ATTR_E(sgs_blocks_attr, order, orders),
                                         SGS_ATTR_END };

/* ---- shapes ---- */

static sgs_status blocks_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    const int64_t b = ((const sgs_blocks_attr *)n->attr)->block, *x = n->in[0]->dim;
    const bool opens = n->op == &sgs_op_depth_to_space;
    char shape[128];
    bool fits = n->in[0]->rank == 4 && b >= 1 && b <= MOST;
    fits = fits && (opens ? x[3] % (b * b) == 0 : x[1] % b == 0 && x[2] % b == 0);
    if (!fits)
        return sgs_fail(d, SGS_E_MODEL, "blocks of %lld do not fit an input %s", (long long)b,
                        sgs_dims_text(shape, sizeof shape, n->in[0]->rank, x));
    sgs_shape_like(out, n->in[0]);
    out->dim[1] = opens ? x[1] * b : x[1] / b;
    out->dim[2] = opens ? x[2] * b : x[2] / b;
    out->dim[3] = opens ? x[3] / (b * b) : x[3] * b * b;
    return SGS_OK;
}

/* ---- the walk ---- */

enum { N, H, W, COLUMN, C, ROW, AXES }; /* the column and the row inside a block */

sgs_nest sgs_blocks_walk(const sgs_op *op, const sgs_blocks_attr *a, const int64_t x[4], const int64_t ystride[4],
                         const int64_t xstride[4])
{
    const bool opens = op == &sgs_op_depth_to_space, crd = a->order != 0;
    const int64_t b = a->block, *large = opens ? ystride : xstride, *deep = opens ? xstride : ystride;
    const int64_t c = opens ? x[3] / (b * b) : x[3];
    const int64_t dim[AXES] = { x[0], opens ? x[1] : x[1] / b, opens ? x[2] : x[2] / b, b, c, b };
    const int64_t pixels[AXES] = { large[0], large[1] * b, large[2] * b, large[2], large[3], large[1] };
    const int64_t channels[AXES] = {
        deep[0], deep[1], deep[2], deep[3] * (crd ? 1 : c), deep[3] * (crd ? b * b : 1), deep[3] * b * (crd ? 1 : c)
    };
    sgs_nest nest = { .rank = AXES, .operands = 2 };
    for (int i = 0; i < AXES; i++) {
        nest.dim[i] = dim[i];
        nest.stride[!opens][i] = pixels[i];
        nest.stride[opens][i] = channels[i];
    }
    return nest;
}

/* ---- evaluation ---- */

static sgs_status blocks_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    (void)st, (void)d;
    int64_t x[SGS_MAX_RANK], y[SGS_MAX_RANK];
    sgs_dense_strides(4, in->dim, sgs_type_bytes(in->type), x);
    sgs_dense_strides(4, out->dim, sgs_type_bytes(out->type), y);
    sgs_nest nest = sgs_blocks_walk(n->op, n->attr, in->dim, y, x);
    sgs_nest_sort(&nest);
    sgs_tensor apart = { .type = out->type, .rank = AXES, .data = out->data };
    memcpy(apart.dim, nest.dim, sizeof apart.dim[0] * AXES);
    sgs_copy_seen(&apart, in->data, nest.stride[1]);
    return SGS_OK;
}

/* ---- from ONNX ---- */

static sgs_status emit_blocks(sgs_spell *p, const sgs_op *op, sgs_value *x, const sgs_blocks_attr *a)
{
    sgs_value *y;
    SGS_TRY(sgs_emit_picture(p->im, p->s, x, &x, p->d));
    SGS_TRY(sgs_emit(p->im, p->s, op, 1, &x, a, &y, p->d));
    SGS_TRY(sgs_emit_unpicture(p->im, p->s, y, 4, &y, p->d));
    return sgs_src_out(p->im, p->s, 0, y, p->d);
}

/* Of one channel both orders are one. */
static sgs_status from_onnx_depthtospace(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    char shape[128];
    sgs_blocks_attr a = { .block = sgs_sp_int(p, "blocksize", 0) };
    const int64_t b = a.block;
    if (p->status == SGS_OK)
        p->status = sgs_src_choice(im, s, "mode", orders, &a.order, d);
    if (p->status == SGS_OK && (x->rank != 4 || b < 1 || b > MOST || x->dim[1] % (b * b)))
        sgs_sp_fail(p, "blocksize %lld does not fit the channels of an input %s", (long long)b,
                    sgs_dims_text(shape, sizeof shape, x->rank, x->dim));
    if (p->status != SGS_OK)
        return p->status;
    a.order = x->dim[1] == b * b ? 0 : a.order;
    return emit_blocks(p, &sgs_op_depth_to_space, x, &a);
}

static sgs_status from_onnx_spacetodepth(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    char shape[128];
    const sgs_blocks_attr a = { .block = sgs_sp_int(p, "blocksize", 0) };
    const int64_t b = a.block;
    if (p->status == SGS_OK && (x->rank != 4 || b < 1 || b > MOST || x->dim[2] % b || x->dim[3] % b))
        sgs_sp_fail(p, "blocksize %lld does not fit height and width of an input %s", (long long)b,
                    sgs_dims_text(shape, sizeof shape, x->rank, x->dim));
    return p->status == SGS_OK ? emit_blocks(p, &sgs_op_space_to_depth, x, &a) : p->status;
}

/* ---- from TensorFlow ---- */

static sgs_status from_tf_blocks(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    const bool first = sgs_tf_first(p), opens = !strcmp(s->op, "DepthToSpace");
    sgs_value *x = sgs_sp_in(p, 0);
    const sgs_blocks_attr a = { .block = sgs_sp_int(p, "block_size", 0) };
    if (p->status != SGS_OK)
        return p->status;
    x = sgs_tf_last(p, x, first);
    x = sgs_sp_one(p, opens ? &sgs_op_depth_to_space : &sgs_op_space_to_depth, x, &a);
    sgs_sp_out(p, 0, sgs_tf_back(p, x, first));
    return p->status;
}

/* ---- .sim ---- */

static sgs_status blocks_to_tflite(sgs_tfl_writer *w, const sgs_node *n, sgs_diag *d)
{
    (void)d;
    const sgs_blocks_attr *a = n->attr;
    const sgs_tfl_option options[] = { { "block_size", (double)a->block }, { NULL, 0 } };
    return a->order
               ? sgs_tfl_custom(w, n)
               : sgs_tfl_simple(w, n, n->op == &sgs_op_depth_to_space ? "DEPTH_TO_SPACE" : "SPACE_TO_DEPTH", options);
}

static sgs_status blocks_from_tflite(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y;
    sgs_blocks_attr a = { 0 };
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(sgs_src_int(s, "block_size", &a.block, d));
    SGS_TRY(sgs_emit(im, s, s->op[0] == 'D' ? &sgs_op_depth_to_space : &sgs_op_space_to_depth, 1, &x, &a, &y, d));
    return sgs_src_out(im, s, 0, y, d);
}

/* ---- lowering ---- */

/* Where the axes do not fit one record, there is one for each row of a block. */
static sgs_nest in_records(const sgs_nest *walk)
{
    sgs_nest all = *walk, rest = *walk;
    sgs_nest_sort(&all);
    sgs_nest_merge(&all);
    if (all.rank <= 4)
        return all;
    rest.rank = ROW;
    sgs_nest_sort(&rest);
    all = rest;
    all.rank = AXES;
    for (int i = 0; i < AXES; i++) {
        const sgs_nest *from = i ? &rest : walk;
        const int at = i ? i - 1 : ROW;
        all.dim[i] = from->dim[at];
        all.stride[0][i] = from->stride[0][at];
        all.stride[1][i] = from->stride[1][at];
    }
    return all;
}

static sgs_status blocks_lower(sgs_lowering *l, const sgs_node *n, sgs_diag *d)
{
    int64_t x[SGS_MAX_RANK], y[SGS_MAX_RANK];
    sgs_lower_strides(l, n->in[0], x);
    sgs_lower_strides(l, n->out[0], y);
    const sgs_nest walk = sgs_blocks_walk(n->op, n->attr, n->in[0]->dim, y, x), nest = in_records(&walk);
    return sgs_lower_walk(l, n, &nest, d);
}

/* ---- rows ---- */

#define BLOCKS(op)                                                                                                     \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "blocks",                                                                                            \
        .nin_min = 1,                                                                                                  \
        .nin_max = 1,                                                                                                  \
        .nout = 1,                                                                                                     \
        .attr_bytes = sizeof(sgs_blocks_attr),                                                                         \
        .attr = blocks_attrs,                                                                                          \
        .infer = blocks_infer,                                                                                         \
        .eval = blocks_eval,                                                                                           \
        .to_tflite = blocks_to_tflite,                                                                                 \
        .qrule = SGS_Q_MOVE,                                                                                           \
        .kernel = "copy",                                                                                              \
        .lower = blocks_lower,                                                                                         \
    }
BLOCKS(depth_to_space);
BLOCKS(space_to_depth);

static const sgs_op *const ops[] = { &sgs_op_depth_to_space, &sgs_op_space_to_depth, NULL };
static const sgs_from onnx[] = { { "DepthToSpace", from_onnx_depthtospace, 1 },
                                 { "SpaceToDepth", from_onnx_spacetodepth, 1 },
                                 { NULL, NULL, 0 } };
static const sgs_from tflite[] = { { "DEPTH_TO_SPACE", blocks_from_tflite, 0 },
                                   { "SPACE_TO_DEPTH", blocks_from_tflite, 0 },
                                   { NULL, NULL, 0 } };
static const sgs_from tensorflow[] = {
    { "DepthToSpace", from_tf_blocks, 0 },
    { "SpaceToDepth", from_tf_blocks, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_blocks = { "blocks", ops, .onnx = onnx, .tflite = tflite, .tensorflow = tensorflow };
