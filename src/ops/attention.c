/* Attention and RotaryEmbedding, made of products, softmax and moves. */
#include <math.h>
#include <string.h>

#include "ops/spell.h"

/* ---- heads ---- */

static const int64_t swap_heads[] = { 0, 2, 1, 3 };

/* [batch][sequence][heads * size] -> [batch][heads][sequence][size]; four dimensions are that already. */
static sgs_value *split_heads(sgs_spell *p, sgs_value *x, int64_t heads)
{
    if (p->status != SGS_OK || x->rank == 4)
        return x;
    char shape[128];
    if (x->rank != 3 || heads < 1 || x->dim[2] % heads)
        sgs_sp_fail(p, "%lld heads do not fit an input %s: expected [batch, sequence, heads * size], or 4 dimensions",
                    (long long)heads, sgs_dims_text(shape, sizeof shape, x->rank, x->dim));
    if (p->status != SGS_OK)
        return x;
    const int64_t dim[] = { x->dim[0], x->dim[1], heads, x->dim[2] / heads };
    return sgs_sp_transpose(p, sgs_sp_reshape(p, x, 4, dim), swap_heads);
}

static sgs_value *join_heads(sgs_spell *p, sgs_value *x)
{
    if (p->status != SGS_OK)
        return x;
    x = sgs_sp_transpose(p, x, swap_heads);
    const int64_t dim[] = { x->dim[0], x->dim[1], x->dim[2] * x->dim[3] };
    return sgs_sp_reshape(p, x, 3, dim);
}

/* Each head of keys or values serves several of queries. */
static sgs_value *share_heads(sgs_spell *p, sgs_value *x, int64_t heads)
{
    if (p->status != SGS_OK || x->dim[1] == heads)
        return x;
    if (!x->dim[1] || heads % x->dim[1])
        sgs_sp_fail(p, "%lld heads of queries cannot share %lld of keys and values: expected a multiple",
                    (long long)heads, (long long)x->dim[1]);
    if (p->status != SGS_OK)
        return x;
    const int64_t wide[] = { x->dim[0], x->dim[1], heads / x->dim[1], x->dim[2], x->dim[3] };
    const int64_t dim[] = { x->dim[0], heads, x->dim[2], x->dim[3] };
    return sgs_sp_reshape(p, sgs_sp_expand(p, sgs_sp_unsqueeze(p, x, 2), wide), 4, dim);
}

/* ---- what is masked ---- */

typedef struct frame { /* query i stands at key offset + i and sees the keys left..right of it; -1: no bound */
    int64_t queries, keys, offset, left, right;
} frame;

/* 0 where a query may look, -infinity elsewhere; NULL: everywhere. */
static sgs_value *frame_mask(sgs_spell *p, const frame *f)
{
    if (p->status != SGS_OK || (f->left < 0 && f->right < 0))
        return NULL;
    const int64_t dim[] = { f->queries, f->keys };
    void *data;
    sgs_value *v = sgs_sp_const(p, SGS_F32, 2, dim, &data);
    float *at = data;
    if (!v)
        return NULL;
    for (int64_t i = 0; i < f->queries; i++)
        for (int64_t j = 0; j < f->keys; j++) {
            const int64_t ahead = j - (i + f->offset);
            const bool seen = (f->right < 0 || ahead <= f->right) && (f->left < 0 || -ahead <= f->left);
            *at++ = seen ? 0.0f : -INFINITY;
        }
    return v;
}

/* The given mask as numbers to add, as wide as the keys: what it lacks is masked. */
static sgs_value *given_mask(sgs_spell *p, sgs_value *mask, int64_t keys)
{
    if (mask->type == SGS_BOOL)
        sgs_sp_refuse(p, "attn_mask: expected numbers to add, found truth values, which are not supported");
    const int64_t lacks = mask->rank && p->status == SGS_OK ? keys - mask->dim[mask->rank - 1] : 0;
    if (lacks <= 0 || mask->dim[mask->rank - 1] == 1)
        return mask;
    int64_t dim[SGS_MAX_RANK] = { 0 };
    for (int i = 0; i < mask->rank; i++)
        dim[i] = i == mask->rank - 1 ? lacks : mask->dim[i];
    const float lowest = -INFINITY;
    const int64_t ones[SGS_MAX_RANK] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    sgs_value *rest = sgs_sp_expand(p, sgs_const_new(p->im->g, SGS_F32, mask->rank, ones, &lowest, true), dim);
    return sgs_sp_concat(p, 2, (sgs_value *[]){ mask, rest }, mask->rank - 1);
}

static sgs_value *add_mask(sgs_spell *p, sgs_value *x, sgs_value *mask)
{
    return mask ? sgs_sp_two(p, &sgs_op_add, x, mask) : x;
}

/* ---- Attention ---- */

typedef struct attention {
    sgs_value *q, *k, *v, *past, *lengths;
    int64_t causal, left, right, shown;
    float cap, scale;
    bool flat; /* three dimensions in and out */
} attention;

static sgs_value *optional(sgs_spell *p, int i)
{
    return sgs_src_opt(p->im, p->s, i);
}

static void with_past(sgs_spell *p, attention *a)
{
    sgs_value *past_k = optional(p, 4), *past_v = optional(p, 5);
    if (!past_k != !past_v)
        sgs_sp_fail(p, "past_key and past_value belong together");
    a->past = past_k;
    if (p->status != SGS_OK || !past_k)
        return;
    a->k = sgs_sp_concat(p, 2, (sgs_value *[]){ past_k, a->k }, 2);
    a->v = sgs_sp_concat(p, 2, (sgs_value *[]){ past_v, a->v }, 2);
}

static void read_attention(sgs_spell *p, attention *a)
{
    const int64_t heads = sgs_sp_int(p, "q_num_heads", 0), kv_heads = sgs_sp_int(p, "kv_num_heads", heads);
    a->q = sgs_sp_in(p, 0);
    a->k = sgs_sp_in(p, 1);
    a->v = sgs_sp_in(p, 2);
    a->lengths = optional(p, 6);
    a->causal = sgs_sp_int(p, "is_causal", 0);
    a->left = sgs_sp_int(p, "left_window_size", -1);
    a->right = sgs_sp_int(p, "right_window_size", -1);
    a->shown = sgs_sp_int(p, "qk_matmul_output_mode", 0);
    a->cap = sgs_sp_float(p, "softcap", 0);
    if (p->status != SGS_OK)
        return;
    a->flat = a->q->rank == 3;
    a->q = split_heads(p, a->q, heads);
    a->k = split_heads(p, a->k, kv_heads);
    a->v = split_heads(p, a->v, kv_heads);
    if (p->status == SGS_OK)
        a->scale = sgs_sp_float(p, "scale", 1 / sqrtf((float)a->q->dim[3]));
    with_past(p, a);
}

static sgs_value *masked(sgs_spell *p, const attention *a, sgs_value *x)
{
    const frame f = { .queries = a->q->dim[2],
                      .keys = a->k->dim[2],
                      .offset = a->past ? a->past->dim[2] : 0,
                      .left = a->left,
                      .right = a->causal ? 0 : a->right };
    sgs_value *mask = optional(p, 3);
    if (a->lengths)
        sgs_sp_refuse(p, "nonpad_kv_seqlen is not supported");
    if (mask)
        x = add_mask(p, x, given_mask(p, mask, f.keys));
    return add_mask(p, x, frame_mask(p, &f));
}

/* softmax(cap(q * k' * scale) + mask) * v */
static sgs_status from_onnx_attention(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    attention a = { 0 };
    read_attention(p, &a);
    if (p->status != SGS_OK)
        return p->status;
    sgs_sp_out(p, 1, a.k);
    sgs_sp_out(p, 2, a.v);
    sgs_value *k = share_heads(p, a.k, a.q->dim[1]), *v = share_heads(p, a.v, a.q->dim[1]);
    sgs_value *stage[4]; /* what qk_matmul_output may show */
    const sgs_axis_attr last = { 3 };
    k = sgs_sp_transpose(p, k, (const int64_t[]){ 0, 1, 3, 2 });
    stage[0] = sgs_sp_two(p, &sgs_op_matmul, sgs_sp_by(p, &sgs_op_mul, a.q, a.scale), k);
    stage[1] = stage[0];
    if (a.cap > 0)
        stage[1] = sgs_sp_by(p, &sgs_op_mul,
                             sgs_sp_one(p, &sgs_op_tanh, sgs_sp_by(p, &sgs_op_mul, stage[0], 1 / a.cap), NULL), a.cap);
    stage[2] = masked(p, &a, stage[1]);
    stage[3] = sgs_sp_one(p, &sgs_op_softmax, stage[2], &last);
    sgs_value *y = sgs_sp_two(p, &sgs_op_matmul, stage[3], v);
    sgs_sp_out(p, 0, a.flat ? join_heads(p, y) : y);
    if (a.shown < 0 || a.shown > 3)
        sgs_sp_fail(p, "qk_matmul_output_mode must lie in 0..3, found %lld", (long long)a.shown);
    if (p->status == SGS_OK && sgs_sp_wants(p, 3))
        sgs_sp_out(p, 3, sgs_sp_own(p, stage[a.shown]));
    return p->status;
}

/* ---- RotaryEmbedding ---- */

/* The table's rows for each position, as [batch][1][sequence][half]. */
static sgs_value *angles(sgs_spell *p, sgs_value *table, sgs_value *position, int64_t half)
{
    const sgs_axis_attr rows = { 0 };
    char shape[128];
    if (position && p->status == SGS_OK) {
        sgs_value *in[] = { table, position };
        p->status = sgs_emit(p->im, p->s, &sgs_op_gather, 2, in, &rows, &table, p->d);
    }
    if (p->status == SGS_OK && (table->rank != 3 || table->dim[2] < half))
        sgs_sp_fail(p, "expected angles of [batch, sequence, %lld], found %s", (long long)half,
                    sgs_dims_text(shape, sizeof shape, table->rank, table->dim));
    if (p->status != SGS_OK)
        return table;
    return sgs_sp_unsqueeze(p, table->dim[2] > half ? sgs_sp_slice(p, table, 2, 0, half, 1) : table, 1);
}

/* Halves of the part that turns: side by side, or every second element. */
static sgs_value *half_of(sgs_spell *p, sgs_value *x, int64_t half, bool interleaved, int which)
{
    return interleaved ? sgs_sp_slice(p, x, 3, which, half, 2) : sgs_sp_slice(p, x, 3, which * half, half, 1);
}

static sgs_value *rotated(sgs_spell *p, sgs_value *x, sgs_value *cosine, sgs_value *sine, bool interleaved)
{
    const int64_t half = x->dim[3] / 2;
    sgs_value *a = half_of(p, x, half, interleaved, 0), *b = half_of(p, x, half, interleaved, 1);
    sgs_value *ac = sgs_sp_two(p, &sgs_op_mul, a, cosine), *bs = sgs_sp_two(p, &sgs_op_mul, b, sine);
    sgs_value *re = sgs_sp_two(p, &sgs_op_sub, ac, bs);
    sgs_value *as = sgs_sp_two(p, &sgs_op_mul, a, sine), *bc = sgs_sp_two(p, &sgs_op_mul, b, cosine);
    sgs_value *im = sgs_sp_two(p, &sgs_op_add, as, bc);
    if (!interleaved)
        return sgs_sp_concat(p, 2, (sgs_value *[]){ re, im }, 3);
    re = sgs_sp_unsqueeze(p, re, 4);
    im = sgs_sp_unsqueeze(p, im, 4);
    return sgs_sp_reshape(p, sgs_sp_concat(p, 2, (sgs_value *[]){ re, im }, 4), 4, x->dim);
}

static sgs_status from_onnx_rotary(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *x = sgs_sp_in(p, 0), *table[2] = { sgs_sp_in(p, 1), sgs_sp_in(p, 2) };
    if (p->status != SGS_OK)
        return p->status;
    const bool flat = x->rank == 3;
    const int64_t heads = sgs_sp_int(p, "num_heads", 0), interleaved = sgs_sp_int(p, "interleaved", 0);
    x = split_heads(p, x, heads);
    int64_t turns = sgs_sp_int(p, "rotary_embedding_dim", 0);
    if (p->status == SGS_OK && (turns < 0 || turns > x->dim[3] || (turns ? turns : x->dim[3]) % 2))
        sgs_sp_fail(p, "rotary_embedding_dim: expected an even part of the head's size, %lld, found %lld",
                    (long long)x->dim[3], (long long)turns);
    if (p->status != SGS_OK)
        return p->status;
    const int64_t size = x->dim[3];
    turns = turns ? turns : size;
    sgs_value *rest = turns < size ? sgs_sp_slice(p, x, 3, turns, size - turns, 1) : NULL;
    for (int i = 0; i < 2; i++)
        table[i] = angles(p, table[i], optional(p, 3), turns / 2);
    if (p->status != SGS_OK)
        return p->status;
    sgs_value *y = rotated(p, rest ? sgs_sp_slice(p, x, 3, 0, turns, 1) : x, table[0], table[1], interleaved != 0);
    if (rest)
        y = sgs_sp_concat(p, 2, (sgs_value *[]){ y, rest }, 3);
    sgs_sp_out(p, 0, flat ? join_heads(p, y) : y);
    return p->status;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = { { "Attention", from_onnx_attention, 23 },
                                 { "RotaryEmbedding", from_onnx_rotary, 23 },
                                 { NULL, NULL, 0 } };
const sgs_family sgs_family_attention = { "attention", ops, .onnx = onnx };
