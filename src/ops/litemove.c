/* TFLite operators that move elements, spelled out in slices, reshapes, transposes and concatenations; and what is
 * known of shapes. */
#include <string.h>

#include "ops/spell.h"
#include "ops/tflite.h"

#define SPELL(p, im, s, d) sgs_spell spell_ = { .im = (im), .s = (s), .d = (d) }, *p = &spell_

/* The constant integers of input i; their number. */
static int list(sgs_spell *p, int i, int64_t *v)
{
    const sgs_value *x = sgs_sp_in(p, i);
    int n = 0;
    if (x && p->status == SGS_OK)
        p->status = sgs_src_const_ints(p->s, x, v, SGS_MAX_RANK, &n, p->d);
    return p->status == SGS_OK ? n : 0;
}

/* One axis in input i. */
static int axis_in(sgs_spell *p, int i, int rank)
{
    int64_t v[SGS_MAX_RANK] = { 0 };
    const int n = list(p, i, v);
    if (p->status == SGS_OK && n != 1)
        sgs_sp_fail(p, "expected one axis, found %d", n);
    if (p->status == SGS_OK)
        p->status = sgs_src_axis(p->im, p->s, &v[0], rank, p->d);
    return p->status == SGS_OK ? (int)v[0] : 0;
}

/* ---- joining, splitting ---- */

static sgs_status from_pack(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value **part = sgs_alloc_n(im->g->arena, (size_t)s->nin + 1, sizeof *part), *x = sgs_sp_in(p, 0);
    const int axis = x ? (int)sgs_sp_axis(p, "axis", 0, x->rank + 1) : 0;
    for (int i = 0; i < s->nin && p->status == SGS_OK; i++) {
        x = sgs_sp_in(p, i);
        if (x && x->rank < axis)
            sgs_sp_fail(p, "its inputs differ in their number of dimensions");
        part[i] = x ? sgs_sp_unsqueeze(p, x, axis) : NULL;
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_concat(p, s->nin, part, axis));
    return p->status;
}

static sgs_status from_unpack(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    const int axis = x ? (int)sgs_sp_axis(p, "axis", 0, x->rank) : 0;
    if (p->status == SGS_OK && x->dim[axis] != s->nout)
        sgs_sp_fail(p, "expected %lld outputs, one for each index of axis %d, found %d", (long long)x->dim[axis], axis,
                    s->nout);
    for (int i = 0; i < s->nout && p->status == SGS_OK; i++)
        if (sgs_sp_wants(p, i))
            sgs_sp_out(p, i, sgs_sp_squeeze(p, sgs_sp_slice(p, x, axis, i, 1, 1), axis));
    return p->status;
}

static void slices(sgs_spell *p, sgs_value *x, int axis, const int64_t *size)
{
    int64_t at = 0;
    for (int i = 0; i < p->s->nout && p->status == SGS_OK; at += size[i++]) {
        if (size[i] < 0 || size[i] > x->dim[axis] - at)
            sgs_sp_fail(p, "parts that reach beyond axis %d of %lld", axis, (long long)x->dim[axis]);
        if (p->status == SGS_OK && sgs_sp_wants(p, i))
            sgs_sp_out(p, i, sgs_sp_slice(p, x, axis, at, size[i], 1));
    }
}

static sgs_status from_split(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 1);
    const int axis = x ? axis_in(p, 0, x->rank) : 0;
    if (p->status == SGS_OK && (!s->nout || x->dim[axis] % s->nout))
        sgs_sp_fail(p, "axis %d of %lld cannot be split into %d parts", axis, (long long)x->dim[axis], s->nout);
    if (p->status != SGS_OK)
        return p->status;
    int64_t *size = sgs_alloc_n(im->g->arena, (size_t)s->nout + 1, sizeof *size);
    for (int i = 0; i < s->nout; i++)
        size[i] = x->dim[axis] / s->nout;
    slices(p, x, axis, size);
    return p->status;
}

/* One size may be -1: what the others leave. */
static sgs_status from_split_v(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0), *sizes = sgs_sp_in(p, 1);
    const int axis = x ? axis_in(p, 2, x->rank) : 0;
    int n = 0, open = -1;
    if (p->status != SGS_OK)
        return p->status;
    int64_t *size = sgs_alloc_n(im->g->arena, (size_t)s->nout + 1, sizeof *size), rest = x->dim[axis];
    SGS_TRY(sgs_src_const_ints(s, sizes, size, s->nout, &n, d));
    if (n != s->nout)
        return sgs_src_fail(im, s, d, "expected %d sizes, one for each output, found %d", s->nout, n);
    for (int i = 0; i < n; i++)
        if (size[i] < 0)
            open = i;
        else
            rest -= size[i];
    if (open >= 0)
        size[open] = rest;
    slices(p, x, axis, size);
    return p->status;
}

/* ---- dimensions ---- */

/* Without a list all dimensions of 1 go. */
static sgs_status from_squeeze(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t axes[SGS_MAX_RANK], dim[SGS_MAX_RANK];
    bool gone[SGS_MAX_RANK] = { false };
    int n = 0, rank = 0;
    if (!x)
        return p->status;
    SGS_TRY(sgs_src_ints(s, "squeeze_dims", axes, SGS_MAX_RANK, -1, &n, d));
    for (int i = 0; i < n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &axes[i], x->rank, d));
        if (x->dim[axes[i]] != 1)
            return sgs_src_fail(im, s, d, "dimension %lld cannot go: it is %lld", (long long)axes[i],
                                (long long)x->dim[axes[i]]);
        gone[axes[i]] = true;
    }
    for (int i = 0; i < x->rank; i++)
        if (!(n ? gone[i] : x->dim[i] == 1))
            dim[rank++] = x->dim[i];
    sgs_sp_out(p, 0, sgs_sp_reshape(p, x, rank, dim));
    return p->status;
}

static sgs_status from_expand_dims(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    const int axis = x ? axis_in(p, 1, x->rank + 1) : 0;
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_unsqueeze(p, x, axis));
    return p->status;
}

static sgs_status from_shape(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    const sgs_type t = sgs_sp_int(p, "out_type", 2) == 4 ? SGS_S64 : SGS_S32;
    const int64_t n = x ? x->rank : 0;
    void *data;
    sgs_value *v = x ? sgs_sp_const(p, t, 1, &n, &data) : NULL;
    for (int64_t i = 0; i < n && v; i++)
        if (t == SGS_S64)
            ((int64_t *)data)[i] = x->dim[i];
        else
            ((int32_t *)data)[i] = (int32_t)x->dim[i];
    if (v)
        sgs_sp_out(p, 0, v);
    return p->status;
}

static sgs_status from_rank(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    if (x)
        sgs_sp_out(p, 0, sgs_sp_integer(p, SGS_S32, x->rank));
    return p->status;
}

static sgs_status from_fill(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    int64_t dim[SGS_MAX_RANK], ones[SGS_MAX_RANK];
    const int rank = list(p, 0, dim);
    sgs_value *x = sgs_sp_in(p, 1);
    for (int i = 0; i < rank; i++) {
        ones[i] = 1;
        if (dim[i] < 0)
            sgs_sp_fail(p, "a dimension cannot be %lld", (long long)dim[i]);
    }
    if (p->status == SGS_OK && sgs_value_count(x) != 1)
        sgs_sp_fail(p, "expected one value to fill with, found %lld", (long long)sgs_value_count(x));
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_expand(p, sgs_sp_reshape(p, x, rank, ones), dim));
    return p->status;
}

static sgs_status from_zeros_like(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    void *data;
    sgs_value *v = x ? sgs_sp_const(p, x->type, x->rank, x->dim, &data) : NULL;
    if (v) {
        memset(data, 0, (size_t)sgs_value_bytes(v));
        sgs_sp_out(p, 0, v);
    }
    return p->status;
}

/* ---- order ---- */

static sgs_status from_reverse(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0);
    int64_t axes[SGS_MAX_RANK];
    const int n = list(p, 1, axes);
    if (p->status != SGS_OK)
        return p->status;
    sgs_slice_attr a = sgs_slice_all(x);
    for (int i = 0; i < n; i++) {
        SGS_TRY(sgs_src_axis(im, s, &axes[i], x->rank, d));
        a.start[axes[i]] = x->dim[axes[i]] - 1;
        a.step[axes[i]] = -1;
    }
    sgs_sp_out(p, 0, sgs_sp_one(p, &sgs_op_slice, x, &a));
    return p->status;
}

/* The blocks of SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND along axes 1 .. n, and what is padded or cut there. */
typedef struct blocks {
    int n;
    int64_t size[SGS_MAX_RANK], edge[SGS_MAX_RANK][2];
} blocks;

static sgs_value *read_blocks(sgs_spell *p, blocks *b)
{
    sgs_value *x = sgs_sp_in(p, 0), *edges = sgs_sp_in(p, 2);
    b->n = list(p, 1, b->size);
    if (p->status != SGS_OK)
        return x;
    if (x->rank < 1 + b->n || x->rank + b->n > SGS_MAX_RANK)
        sgs_sp_fail(p, "%d block sizes for an input of %d dimensions", b->n, x->rank);
    if (!edges->constant || edges->type != SGS_S32 || sgs_value_count(edges) != 2 * (int64_t)b->n)
        sgs_sp_fail(p, "expected %d constant numbers of pixels at the edges", 2 * b->n);
    for (int i = 0; i < b->n && p->status == SGS_OK; i++) {
        if (b->size[i] < 1 || b->size[i] > INT32_MAX)
            sgs_sp_fail(p, "a block size cannot be %lld", (long long)b->size[i]);
        for (int k = 0; k < 2; k++) {
            b->edge[i][k] = ((const int32_t *)sgs_const_data(edges))[2 * i + k];
            if (b->edge[i][k] < 0)
                sgs_sp_fail(p, "the number of pixels at an edge cannot be %lld", (long long)b->edge[i][k]);
        }
    }
    return x;
}

static sgs_status from_space_to_batch(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    blocks b;
    int64_t apart[SGS_MAX_RANK], perm[SGS_MAX_RANK], whole[SGS_MAX_RANK];
    sgs_value *x = read_blocks(p, &b);
    if (p->status != SGS_OK)
        return p->status;
    sgs_pad_attr pad = { .n = x->rank };
    for (int i = 0; i < b.n; i++) {
        pad.before[1 + i] = b.edge[i][0];
        pad.after[1 + i] = b.edge[i][1];
    }
    x = sgs_sp_one(p, &sgs_op_pad, x, &pad);
    int rank = 1;
    apart[0] = whole[0] = x->dim[0];
    perm[b.n] = 0;
    for (int i = 0; i < b.n && p->status == SGS_OK; i++) {
        if (x->dim[1 + i] % b.size[i])
            sgs_sp_fail(p, "%lld padded pixels are no whole blocks of %lld", (long long)x->dim[1 + i],
                        (long long)b.size[i]);
        apart[rank] = whole[1 + i] = x->dim[1 + i] / b.size[i];
        apart[rank + 1] = b.size[i];
        perm[i] = rank + 1;
        perm[b.n + 1 + i] = rank;
        rank += 2;
        whole[0] *= b.size[i];
    }
    for (int i = 1 + b.n; i < x->rank; i++, rank++) {
        apart[rank] = whole[i] = x->dim[i];
        perm[rank] = rank;
    }
    const int own = x->rank;
    x = sgs_sp_transpose(p, sgs_sp_reshape(p, x, rank, apart), perm);
    sgs_sp_out(p, 0, sgs_sp_reshape(p, x, own, whole));
    return p->status;
}

static sgs_status from_batch_to_space(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    blocks b;
    int64_t apart[SGS_MAX_RANK], perm[SGS_MAX_RANK], whole[SGS_MAX_RANK], all = 1;
    sgs_value *x = read_blocks(p, &b);
    for (int i = 0; i < b.n && p->status == SGS_OK; i++)
        if (!sgs_mul64(all, b.size[i], &all))
            all = 0;
    if (p->status == SGS_OK && (!all || x->dim[0] % all))
        sgs_sp_fail(p, "a batch of %lld is no whole blocks", (long long)x->dim[0]);
    if (p->status != SGS_OK)
        return p->status;
    const int own = x->rank, rank = own + b.n;
    for (int i = 0; i < b.n; i++)
        apart[i] = b.size[i];
    apart[b.n] = whole[0] = x->dim[0] / all;
    perm[0] = b.n;
    for (int i = 1; i < own; i++) {
        const bool split = i <= b.n;
        apart[b.n + i] = x->dim[i];
        whole[i] = split ? x->dim[i] * b.size[i - 1] : x->dim[i];
        perm[split ? 2 * i - 1 : b.n + i] = b.n + i;
        if (split)
            perm[2 * i] = i - 1;
    }
    x = sgs_sp_reshape(p, sgs_sp_transpose(p, sgs_sp_reshape(p, x, rank, apart), perm), own, whole);
    for (int i = 0; i < b.n && p->status == SGS_OK; i++) {
        const int64_t left = x->dim[1 + i] - b.edge[i][0] - b.edge[i][1];
        if (left < 0)
            sgs_sp_fail(p, "more is cut off than there is: %lld of %lld pixels",
                        (long long)(b.edge[i][0] + b.edge[i][1]), (long long)x->dim[1 + i]);
        else if (left != x->dim[1 + i])
            x = sgs_sp_slice(p, x, 1 + i, b.edge[i][0], left, 1);
    }
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, x);
    return p->status;
}

/* ---- tables ---- */

static sgs_status from_embedding_lookup(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *in[] = { sgs_sp_in(p, 1), sgs_sp_in(p, 0) }, *y = NULL;
    if (p->status != SGS_OK)
        return p->status;
    sgs_sp_call_with(p, &(sgs_call){ .op = "Gather", .nin = 2, .nout = 1, .in = in, .y = &y });
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, y);
    return p->status;
}

static sgs_status from_one_hot(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    sgs_value *x = sgs_sp_in(p, 0), *depth = sgs_sp_in(p, 1), *on = sgs_sp_in(p, 2), *off = sgs_sp_in(p, 3);
    if (p->status != SGS_OK)
        return p->status;
    off = sgs_sp_reshape(p, off, 1, (const int64_t[]){ 1 });
    on = sgs_sp_reshape(p, on, 1, (const int64_t[]){ 1 });
    sgs_value *values[] = { off, on };
    sgs_value *in[] = { x, depth, sgs_sp_concat(p, 2, values, 0) };
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, sgs_sp_call(p, "OneHot", 3, in));
    return p->status;
}

/* Updates of one place add up. */
static sgs_status from_scatter_nd(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    SPELL(p, im, s, d);
    const sgs_src_attr sum = { .name = "reduction", .kind = SGS_SRC_STRING, .s = { (const uint8_t *)"add", 3 } };
    int64_t dim[SGS_MAX_RANK];
    sgs_value *index = sgs_sp_in(p, 0), *update = sgs_sp_in(p, 1), *y = NULL;
    const int rank = list(p, 2, dim);
    void *data;
    sgs_value *zeros = p->status == SGS_OK ? sgs_sp_const(p, update->type, rank, dim, &data) : NULL;
    if (!zeros)
        return p->status;
    memset(data, 0, (size_t)sgs_value_bytes(zeros));
    sgs_value *in[] = { zeros, index, update };
    sgs_sp_call_with(
        p, &(sgs_call){ .op = "ScatterND", .nin = 3, .nout = 1, .nattr = 1, .in = in, .attr = &sum, .y = &y });
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, y);
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from tflite[] = {
    { "PACK", from_pack, 0 },
    { "UNPACK", from_unpack, 0 },
    { "SPLIT", from_split, 0 },
    { "SPLIT_V", from_split_v, 0 },
    { "SQUEEZE", from_squeeze, 0 },
    { "EXPAND_DIMS", from_expand_dims, 0 },
    { "SHAPE", from_shape, 0 },
    { "RANK", from_rank, 0 },
    { "FILL", from_fill, 0 },
    { "ZEROS_LIKE", from_zeros_like, 0 },
    { "REVERSE_V2", from_reverse, 0 },
    { "SPACE_TO_BATCH_ND", from_space_to_batch, 0 },
    { "BATCH_TO_SPACE_ND", from_batch_to_space, 0 },
    { "EMBEDDING_LOOKUP", from_embedding_lookup, 0 },
    { "ONE_HOT", from_one_hot, 0 },
    { "SCATTER_ND", from_scatter_nd, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_litemove = { "litemove", ops, .tflite = tflite };
