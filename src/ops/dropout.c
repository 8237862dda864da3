/* Dropout: in inference what it is given, in training mode with a seed a product with what the seed drops.  The generator is the one of
 * ONNX's reference evaluator, numpy's RandomState: the Mersenne twister MT19937 (Matsumoto and Nishimura 1998), its numbers of 53 bits. */
#include <string.h>

#include "ops/arith.h"
#include "ops/util.h"

/* ---- random numbers ---- */

enum { TWISTER = 624, TWIST = 397 };

typedef struct twister {
    uint32_t word[TWISTER];
    int at;
} twister;

static twister seeded(uint32_t seed)
{
    twister t = { .at = TWISTER };
    t.word[0] = seed;
    for (uint32_t i = 1; i < TWISTER; i++)
        t.word[i] = 1812433253u * (t.word[i - 1] ^ t.word[i - 1] >> 30) + i;
    return t;
}

static void twist(twister *t)
{
    for (int i = 0; i < TWISTER; i++) {
        const uint32_t y = (t->word[i] & 0x80000000u) | (t->word[(i + 1) % TWISTER] & 0x7fffffffu);
        t->word[i] = t->word[(i + TWIST) % TWISTER] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    t->at = 0;
}

static uint32_t next_word(twister *t)
{
    if (t->at == TWISTER)
        twist(t);
    uint32_t y = t->word[t->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* At least 0, below 1. */
static double next_number(twister *t)
{
    const uint32_t high = next_word(t) >> 5, low = next_word(t) >> 6;
    return (high * 0x1p26 + low) * 0x1p-53;
}

/* ---- from ONNX ---- */

typedef struct dropping {
    bool training;
    float ratio;
    int64_t seed;
} dropping;

static sgs_status read_ratio(sgs_import *im, const sgs_source_node *s, float *ratio, sgs_diag *d)
{
    const sgs_value *v = sgs_src_opt(im, s, 1);
    if (!v)
        return SGS_OK;
    if (!v->constant || v->type != SGS_F32 || sgs_value_count(v) != 1)
        return sgs_src_refuse(im, s, d, "ratio: expected one constant number in training mode");
    *ratio = *sgs_const_f32(v);
    if (!(*ratio >= 0 && *ratio < 1))
        return sgs_src_fail(im, s, d, "ratio: expected at least 0 and below 1, found %g", (double)*ratio);
    return SGS_OK;
}

/* Before opset 12 there is no third input, so no training mode. */
static sgs_status read_dropping(sgs_import *im, const sgs_source_node *s, dropping *p, sgs_diag *d)
{
    const sgs_value *training = sgs_src_opt(im, s, 2);
    *p = (dropping){ .ratio = 0.5f };
    if (!training || (training->constant && !*(const uint8_t *)sgs_const_data(training)))
        return SGS_OK;
    SGS_TRY(read_ratio(im, s, &p->ratio, d));
    p->training = p->ratio > 0;
    if (p->training && (!training->constant || !sgs_src_find(s, "seed")))
        return sgs_src_refuse(im, s, d, "training mode without a seed is not supported: export the model for inference");
    SGS_TRY(sgs_src_int(s, "seed", &p->seed, d));
    return p->seed >= 0 && p->seed <= UINT32_MAX
               ? SGS_OK
               : sgs_src_fail(im, s, d, "seed: expected 0 to 4294967295, found %lld", (long long)p->seed);
}

/* True where an element stays. */
static void draw(const dropping *p, uint8_t *stays, int64_t count)
{
    twister t = seeded((uint32_t)p->seed);
    for (int64_t i = 0; i < count; i++)
        stays[i] = !p->training || next_number(&t) >= (double)p->ratio;
}

static sgs_status no_room(sgs_import *im, const sgs_source_node *s, int64_t count, sgs_diag *d)
{
    return sgs_src_refuse(im, s, d, "its mask of %lld elements exceeds the memory limit", (long long)count);
}

static sgs_status make_mask(sgs_import *im, const sgs_source_node *s, const dropping *p, sgs_value **mask, sgs_diag *d)
{
    sgs_value *x;
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    const int64_t count = sgs_value_count(x);
    uint8_t *stays = sgs_try_alloc(im->g->arena, (size_t)count + 1);
    if (!stays)
        return no_room(im, s, count, d);
    draw(p, stays, count);
    *mask = sgs_const_new(im->g, SGS_BOOL, x->rank, x->dim, stays, false);
    return SGS_OK;
}

/* What stays grows by what the dropped ones lack. */
static sgs_status drop(sgs_import *im, const sgs_source_node *s, const dropping *p, const sgs_value *mask, sgs_value **y, sgs_diag *d)
{
    sgs_value *in[2];
    SGS_TRY(sgs_src_in(im, s, 0, &in[0], d));
    const int64_t count = sgs_value_count(mask);
    float *factor = sgs_try_alloc(im->g->arena, ((size_t)count + 1) * sizeof *factor);
    if (!factor)
        return no_room(im, s, count, d);
    for (int64_t i = 0; i < count; i++)
        factor[i] = ((const uint8_t *)sgs_const_data(mask))[i] ? 1 / (1 - p->ratio) : 0;
    in[1] = sgs_const_new(im->g, SGS_F32, mask->rank, mask->dim, factor, false);
    return sgs_emit(im, s, &sgs_op_mul, 2, in, NULL, y, d);
}

static sgs_status from_onnx_dropout(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    sgs_value *x, *y, *mask = NULL;
    dropping p;
    const bool asked = s->nout > 1 && s->out[1][0];
    SGS_TRY(sgs_src_in(im, s, 0, &x, d));
    SGS_TRY(read_dropping(im, s, &p, d));
    if (asked || p.training)
        SGS_TRY(make_mask(im, s, &p, &mask, d));
    if (p.training)
        SGS_TRY(drop(im, s, &p, mask, &y, d));
    else
        SGS_TRY(sgs_emit_same(im, s, x, &y, d));
    SGS_TRY(sgs_src_out(im, s, 0, y, d));
    return asked ? sgs_src_out(im, s, 1, mask, d) : SGS_OK;
}

/* ---- rows ---- */

static const sgs_op *const ops[] = { NULL };
static const sgs_from onnx[] = { { "Dropout", from_onnx_dropout, 1 }, { NULL, NULL, 0 } };
const sgs_family sgs_family_dropout = { "dropout", ops, .onnx = onnx };
