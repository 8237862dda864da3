/* SpaceToBatchND and BatchToSpaceND: the pixels of a picture dealt out to pictures of their own, and collected again.
 * A convolution between the two is one with dilations; what stands there otherwise is spelled out in reshapes and
 * transposes. */
#include <string.h>

#include "ops/tensorflow.h"

typedef struct deal {
    int n; /* axes 1 .. n are dealt */
    int64_t block[SGS_MAX_RANK], before[SGS_MAX_RANK], after[SGS_MAX_RANK];
} deal;

/* ---- spelled out ---- */

/* [n][h / b][b][w / b][b][c]; perm takes it to [b][b][n][h / b][w / b][c]. */
typedef struct taken_apart {
    int rank;
    int64_t dim[SGS_MAX_RANK], perm[SGS_MAX_RANK], joined[SGS_MAX_RANK];
} taken_apart;

static taken_apart apart(const deal *a, int rank, const int64_t *dim)
{
    taken_apart t = { .rank = rank + a->n, .dim = { dim[0] }, .joined = { dim[0] } };
    int at = 1;
    for (int i = 1; i < rank; i++) {
        const int64_t b = i <= a->n ? a->block[i - 1] : 1;
        t.perm[a->n + i] = at;
        t.joined[i] = dim[i] / b;
        t.dim[at++] = dim[i] / b;
        t.joined[0] *= b;
        if (i <= a->n) {
            t.perm[i - 1] = at;
            t.dim[at++] = b;
        }
    }
    t.perm[a->n] = 0;
    return t;
}

static sgs_value *dealt(sgs_spell *p, sgs_value *x, const deal *a)
{
    sgs_pad_attr pad = { .n = x->rank };
    bool padded = false;
    for (int i = 0; i < a->n; i++) {
        pad.before[1 + i] = a->before[i];
        pad.after[1 + i] = a->after[i];
        padded = padded || a->before[i] || a->after[i];
    }
    x = padded ? sgs_sp_one(p, &sgs_op_pad, x, &pad) : x;
    for (int i = 0; i < a->n && p->status == SGS_OK; i++)
        if (x->dim[1 + i] % a->block[i])
            sgs_sp_fail(p, "axis %d of %lld elements, padding counted, cannot be dealt out to %lld", 1 + i,
                        (long long)x->dim[1 + i], (long long)a->block[i]);
    if (p->status != SGS_OK)
        return x;
    const taken_apart t = apart(a, x->rank, x->dim);
    return sgs_sp_reshape(p, sgs_sp_transpose(p, sgs_sp_reshape(p, x, t.rank, t.dim), t.perm), x->rank, t.joined);
}

static sgs_value *collected(sgs_spell *p, sgs_value *x, const deal *a)
{
    int64_t dim[SGS_MAX_RANK], apart_dim[SGS_MAX_RANK], back[SGS_MAX_RANK];
    memcpy(dim, x->dim, sizeof dim);
    for (int i = 0; i < a->n; i++) {
        dim[0] /= a->block[i];
        dim[1 + i] *= a->block[i];
    }
    const taken_apart t = apart(a, x->rank, dim);
    for (int i = 0; i < t.rank; i++) {
        apart_dim[i] = t.dim[t.perm[i]];
        back[t.perm[i]] = i;
    }
    return sgs_sp_reshape(p, sgs_sp_transpose(p, sgs_sp_reshape(p, x, t.rank, apart_dim), back), x->rank, dim);
}

static sgs_value *cropped(sgs_spell *p, sgs_value *x, const deal *a)
{
    sgs_slice_attr cut = sgs_slice_all(x);
    bool some = false;
    for (int i = 0; i < a->n; i++) {
        cut.start[1 + i] = a->before[i];
        cut.size[1 + i] -= a->before[i] + a->after[i];
        some = some || a->before[i] || a->after[i];
        if (cut.size[1 + i] < 0)
            sgs_sp_fail(p, "crops of %lld and %lld are more than the %lld elements of axis %d", (long long)a->before[i],
                        (long long)a->after[i], (long long)x->dim[1 + i], 1 + i);
    }
    return some && p->status == SGS_OK ? sgs_sp_one(p, &sgs_op_slice, x, &cut) : x;
}

/* ---- a convolution in between ---- */

static const sgs_node *maker(const sgs_value *v, const sgs_op *op)
{
    return v->def && v->def->op == op ? v->def : NULL;
}

/* What v was dealt out of by these blocks, with the padding; NULL: it was not. */
static sgs_value *origin(const sgs_value *v, deal *a)
{
    const sgs_node *joined = maker(v, &sgs_op_reshape),
                   *turned = joined ? maker(joined->in[0], &sgs_op_transpose) : NULL,
                   *split = turned ? maker(turned->in[0], &sgs_op_reshape) : NULL;
    if (!split || split->in[0]->rank != v->rank)
        return NULL;
    sgs_value *x = split->in[0];
    const taken_apart t = apart(a, x->rank, x->dim);
    const sgs_perm_attr *perm = turned->attr;
    if (split->out[0]->rank != t.rank || memcmp(split->out[0]->dim, t.dim, (size_t)t.rank * sizeof *t.dim) ||
        memcmp(perm->perm, t.perm, (size_t)t.rank * sizeof *t.perm) ||
        memcmp(v->dim, t.joined, (size_t)v->rank * sizeof *v->dim))
        return NULL;
    const sgs_node *padded = maker(x, &sgs_op_pad);
    const sgs_pad_attr *pad = padded ? padded->attr : NULL;
    const bool outer = pad && (pad->before[0] || pad->after[0] || pad->before[x->rank - 1] || pad->after[x->rank - 1]);
    if (!pad || pad->mode != SGS_PAD_CONSTANT || pad->value != 0 || outer)
        return x;
    for (int i = 0; i < a->n; i++) {
        a->before[i] = pad->before[1 + i];
        a->after[i] = pad->after[1 + i];
    }
    return padded->in[0];
}

/* Numbers that are the same for all pixels. */
static bool by_channel(const sgs_value *v)
{
    return v->constant && (sgs_value_count(v) == 1 || v->dim[v->rank - 1] == sgs_value_count(v));
}

/* The operand that a node works on pixel by pixel, -1: another node. */
static int operand(const sgs_node *n)
{
    int at = -1;
    if (n->op->permute != sgs_permute_elementwise || n->nout != 1)
        return -1;
    for (int i = 0; i < n->nin; i++) {
        if (n->in[i] && by_channel(n->in[i]))
            continue;
        if (!n->in[i] || at >= 0 || n->in[i]->rank != n->out[0]->rank)
            return -1;
        at = i;
    }
    return at;
}

enum { LONGEST = 8 };

typedef struct between {
    const sgs_node *node[LONGEST]; /* behind the convolution, the last one first */
    int n;
    const sgs_node *conv;
} between;

static bool find_conv(const sgs_value *v, between *b)
{
    for (b->n = 0; v->def && b->n < LONGEST; b->n++) {
        const sgs_node *n = v->def;
        if (n->op == &sgs_op_conv || n->op == &sgs_op_depthwise) {
            const sgs_conv_attr *a = n->attr;
            b->conv = n;
            return a->stride[0] == 1 && a->stride[1] == 1;
        }
        if (operand(n) < 0)
            return false;
        b->node[b->n] = n;
        v = n->in[operand(n)];
    }
    return false;
}

/* The convolution's own padding surrounds every dealt picture: `block` times that of the whole; what is cropped need
 * not be padded. */
static sgs_value *dilated(sgs_spell *p, sgs_value *x, const deal *in, const deal *out, const sgs_node *conv)
{
    sgs_conv_attr a = *(const sgs_conv_attr *)conv->attr;
    sgs_pad_attr cut = { .n = 4 };
    bool some = false;
    for (int i = 0; i < 2; i++) {
        const int64_t b = i < in->n ? in->block[i] : 1, lead = in->before[i] + a.pad[i] * b - out->before[i],
                      tail = in->after[i] + a.pad[2 + i] * b - out->after[i];
        a.dilation[i] *= b;
        a.pad[i] = lead > 0 ? lead : 0;
        a.pad[2 + i] = tail > 0 ? tail : 0;
        cut.before[1 + i] = lead < 0 ? lead : 0;
        cut.after[1 + i] = tail < 0 ? tail : 0;
        some = some || lead < 0 || tail < 0;
    }
    sgs_value *y = some ? sgs_sp_one(p, &sgs_op_pad, x, &cut) : x, *all[] = { y, conv->in[1], conv->in[2] };
    if (p->status == SGS_OK)
        p->status = sgs_emit(p->im, p->s, conv->op, conv->nin, all, &a, &y, p->d);
    return y;
}

/* What collecting x would give, as a convolution with dilations; NULL: it is none. */
static sgs_value *fused(sgs_spell *p, sgs_value *x, const deal *out)
{
    deal in = { .n = out->n };
    between b = { .n = 0 };
    memcpy(in.block, out->block, sizeof in.block);
    if (x->rank != 4 || out->n > 2 || !find_conv(x, &b))
        return NULL;
    sgs_value *from = origin(b.conv->in[0], &in);
    if (!from)
        return NULL;
    sgs_value *y = dilated(p, from, &in, out, b.conv);
    for (int i = b.n - 1; i >= 0 && p->status == SGS_OK; i--) {
        sgs_value *all[8] = { NULL };
        const sgs_node *n = b.node[i];
        for (int k = 0; k < n->nin && k < 8; k++)
            all[k] = k == operand(n) ? y : n->in[k];
        p->status = sgs_emit(p->im, p->s, n->op, n->nin, all, n->attr, &y, p->d);
    }
    return y;
}

/* ---- from TensorFlow ---- */

/* A list of blocks and pairs for each; the older operators have one block for two axes. */
static bool read_deal(sgs_spell *p, const sgs_value *x, deal *a)
{
    const bool list = strstr(p->s->op, "ND") != NULL;
    if (list)
        a->n = sgs_tf_ints(p, 1, a->block, SGS_MAX_RANK);
    else
        for (a->n = 0; a->n < 2; a->n++)
            a->block[a->n] = sgs_sp_int(p, "block_size", 0);
    if (p->status == SGS_OK && (a->n < 1 || x->rank < 1 + a->n || x->rank + a->n > SGS_MAX_RANK))
        sgs_sp_fail(p, "%d blocks do not fit an input of %d dimensions", a->n, x->rank);
    sgs_tf_pairs(p, list ? 2 : 1, p->status == SGS_OK ? a->n : 0, a->before, a->after);
    int64_t pictures = 1;
    for (int i = 0; i < a->n && p->status == SGS_OK; i++)
        if (a->block[i] < 1 || a->block[i] > 65536 || a->before[i] < 0 || a->after[i] < 0 || a->before[i] > INT32_MAX ||
            a->after[i] > INT32_MAX)
            sgs_sp_fail(p,
                        "axis %d: expected a block of 1 to 65536 and two sizes of 0 or more, found %lld, %lld and %lld",
                        1 + i, (long long)a->block[i], (long long)a->before[i], (long long)a->after[i]);
        else if ((pictures *= a->block[i]) > INT32_MAX)
            sgs_sp_fail(p, "more than 2^31 pictures");
    return p->status == SGS_OK;
}

static sgs_status from_tf_spacetobatch(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0);
    deal a = { .n = 0 };
    if (x && read_deal(p, x, &a))
        sgs_sp_out(p, 0, dealt(p, x, &a));
    return p->status;
}

static sgs_status from_tf_batchtospace(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *y;
    deal a = { .n = 0 };
    int64_t pictures = 1;
    if (!x || !read_deal(p, x, &a))
        return p->status;
    for (int i = 0; i < a.n; i++)
        pictures *= a.block[i];
    if (x->dim[0] % pictures)
        return sgs_src_fail(im, s, d, "%lld pictures cannot be collected by %lld", (long long)x->dim[0],
                            (long long)pictures);
    y = fused(p, x, &a);
    if (!y && p->status == SGS_OK)
        y = cropped(p, collected(p, x, &a), &a);
    if (p->status == SGS_OK)
        sgs_sp_out(p, 0, y);
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from tensorflow[] = {
    { "SpaceToBatchND", from_tf_spacetobatch, 0 },
    { "SpaceToBatch", from_tf_spacetobatch, 0 },
    { "BatchToSpaceND", from_tf_batchtospace, 0 },
    { "BatchToSpace", from_tf_batchtospace, 0 },
    { NULL, NULL, 0 },
};
const sgs_family sgs_family_deal = { "deal", ops, .tensorflow = tensorflow };
