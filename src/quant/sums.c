/* One scale of 16 bits for what an addition reads and makes, and so along a chain of residual blocks: then it adds whole numbers, with one rounding, that of
 * the convolution before it, in the place of three, and kernels add words (ARITHMETIC.md 7).  The step that an operand is rounded to is that of the sum, which
 * is rounded to it anyway; what else reads the operand bears it where the scales were not far apart. */
#include <math.h>

#include "base/sets.h"
#include "quant/quantize.h"

#define FAR 8        /* bytes of the operand's own range have 16 of its steps even then: 0.4 % more noise */
#define FAR_FROM_ALL 2 /* where more than bytes is read of it */

/* The groups whose scales are one. */
typedef struct sums {
    sgs_quantizer *q;
    const sgs_users *users;
    int *part;      /* by group, sets */
    float *lo, *hi; /* by part: the smallest and the largest scale that its groups had */
    float *limit;   /* by part: how many times its smallest scale may become */
} sums;

/* A tensor of 16 bits whose scale was chosen by what was seen of it. */
static bool is_free(const sums *s, const sgs_value *v)
{
    const int group = sgs_group_of(s->q, v);
    const sgs_quant *quant = s->q->quant[group];
    return !v->constant && v->type == SGS_F32 && s->q->type[group] == SGS_S16 && !(s->q->kept[group].scale > 0) && !s->q->image[v->id] && !s->q->whole[v->id] &&
           !s->q->first[v->id] && quant && quant->n == 1;
}

static bool is_sum(const sums *s, const sgs_node *n)
{
    return n->op == &sgs_op_add && n->nin == 2 && is_free(s, n->in[0]) && is_free(s, n->in[1]) && is_free(s, n->out[0]);
}

/* Whether sums and convolutions of 8 bits alone read v. */
static bool is_read_in_bytes(const sums *s, const sgs_value *v)
{
    for (const sgs_use *u = sgs_first_use(s->users, v); u; u = u->next)
        if (!is_sum(s, u->node) && !(sgs_is_conv(u->node) && u->node->in[0] == v && !s->q->wide[u->node->out[0]->id]))
            return false;
    return !sgs_output_count(s->users, v);
}

static void begin(sums *s, const sgs_value *v)
{
    const int group = sgs_group_of(s->q, v);
    if (is_free(s, v) && !is_read_in_bytes(s, v))
        s->limit[group] = FAR_FROM_ALL;
}

static void join(sums *s, const sgs_value *a, const sgs_value *b)
{
    const int to = sgs_set_of(s->part, sgs_group_of(s->q, a)), from = sgs_set_of(s->part, sgs_group_of(s->q, b));
    const float lo = fminf(s->lo[to], s->lo[from]), hi = fmaxf(s->hi[to], s->hi[from]);
    if (to == from || hi > s->limit[to] * s->lo[to] || hi > s->limit[from] * s->lo[from])
        return;
    sgs_sets_join(s->part, to, from);
    const int all = sgs_set_of(s->part, to);
    s->limit[all] = fminf(s->limit[to], s->limit[from]);
    s->lo[all] = lo;
    s->hi[all] = hi;
}

static sgs_quant *with_scale(sgs_graph *g, const sgs_quant *quant, float scale)
{
    sgs_quant *other = SGS_NEW(g->arena, sgs_quant);
    *other = *quant;
    other->scale = SGS_NEW(g->arena, float);
    *other->scale = scale;
    return other;
}

void sgs_share_sums(sgs_quantizer *q)
{
    sgs_graph *g = q->g;
    const int n = q->nplan + 1;
    sums s = { q, sgs_users_of(g, g->arena), sgs_sets_new(g->arena, q->nplan), SGS_NEW_N(g->arena, float, n), SGS_NEW_N(g->arena, float, n), SGS_NEW_N(g->arena, float, n) };
    for (int i = 0; i < q->nplan; i++) {
        s.limit[i] = FAR;
        s.lo[i] = s.hi[i] = q->quant[i] ? q->quant[i]->scale[0] : 0;
    }
    for (int i = 0; i < g->nin; i++)
        begin(&s, g->in[i]);
    for (const sgs_node *k = g->first; k; k = k->next)
        begin(&s, k->out[0]);
    for (const sgs_node *k = g->first; k; k = k->next)
        if (is_sum(&s, k)) {
            join(&s, k->out[0], k->in[0]);
            join(&s, k->out[0], k->in[1]);
        }
    for (int i = 0; i < q->nplan; i++)
        if (q->quant[i] && q->group[i] == i && s.hi[sgs_set_of(s.part, i)] > q->quant[i]->scale[0])
            q->quant[i] = with_scale(g, q->quant[i], s.hi[sgs_set_of(s.part, i)]);
}
