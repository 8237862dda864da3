/* 8 or 16 bits, convolution by convolution.  sensitivity.c says what 8 bits at one convolution do to the outputs; what
 * several do adds up.  16 bits go where they take away most noise for the multiplications they double, until the rest
 * is low enough or too much is wide.  How low: a network that decides (one row out, the largest counts) bears more
 * noise than one whose numbers are used as they are (boxes, landmarks, pictures). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "quant/quantize.h"

#define DECISION 3.2e-3 /* noise that may be left, as a share of the outputs' variance: 25 dB */
#define NUMBERS 3.2e-4  /* 35 dB */
#define MOST_WIDE 0.75  /* of all multiplications */

enum { LINE = 110 };

typedef struct choice {
    sgs_node *n;
    double harm; /* share of the outputs' variance */
    double cost; /* multiplications */
} choice;

typedef struct choices {
    choice *c;
    int n, wide;
    double all, used, rest; /* multiplications of the graph, of wide convolutions; noise left */
} choices;

/* Most harm per multiplication first; a tie keeps the graph's order. */
static int by_gain(const void *pa, const void *pb)
{
    const choice *a = pa, *b = pb;
    const double x = a->harm * b->cost, y = b->harm * a->cost;
    return x > y ? -1 : x < y ? 1 : a->n->out[0]->id - b->n->out[0]->id;
}

/* What 16 bits leave is not estimated: 60 at most. */
static double decibel(double share)
{
    return -10 * log10(fmax(share, 1e-6));
}

bool sgs_gives_numbers(const sgs_graph *g)
{
    for (int i = 0; i < g->nout; i++)
        if (g->out[i]->rank && sgs_value_count(g->out[i]) > g->out[i]->dim[g->out[i]->rank - 1])
            return true;
    return false;
}

static double bearable(const sgs_graph *g)
{
    return sgs_gives_numbers(g) ? NUMBERS : DECISION;
}

static void collect(sgs_quantizer *q, choices *l)
{
    for (sgs_node *n = q->g->first; n; n = n->next) {
        const int id = n->out[0]->id;
        if (!sgs_is_conv(n))
            continue;
        l->all += sgs_multiplications(n);
        if (sgs_takes_image(q, n) || q->o->recipe.harm[id] < 0)
            continue;
        l->c[l->n++] = (choice){ n, q->o->recipe.harm[id], sgs_multiplications(n) };
        l->rest += q->o->recipe.harm[id];
        q->reason[id] = sgs_format(q->g->arena, "8 bit: alone leaves %.0f dB", decibel(q->o->recipe.harm[id]));
    }
}

static void widen(sgs_quantizer *q, choices *l, const choice *c)
{
    const int id = c->n->out[0]->id;
    q->wide[id] = 1;
    q->reason[id] = sgs_format(q->g->arena, "16 bit: 8 alone would leave %.0f dB", decibel(c->harm));
    l->rest -= c->harm;
    l->used += c->cost;
    l->wide++;
}

/* Names in lines of a readable length. */
static void list_wide(const sgs_quantizer *q, const choices *l, const uint8_t *wide)
{
    sgs_buf b = { 0 };
    for (const sgs_node *n = q->g->first; n; n = n->next) {
        if (!sgs_is_conv(n) || !wide[n->out[0]->id])
            continue;
        const char *label = sgs_node_label(q->g, n);
        if (b.n && b.n + strlen(label) > LINE) {
            sgs_log_line(q->o->log, "  %s", b.p);
            b.n = 0;
        }
        sgs_buf_printf(&b, "%s%s", b.n ? ", " : "", label);
    }
    if (l->wide)
        sgs_log_line(q->o->log, "  %s", b.p);
    sgs_buf_free(&b);
}

static const char *why(const sgs_quantizer *q, int id)
{
    const sgs_recipe *r = &q->o->recipe;
    const int bits = r->bits[id];
    if (!r->harm || r->harm[id] < 0)
        return sgs_format(q->g->arena, "%d bit: the mode's", bits);
    if (bits > r->narrow)
        return sgs_format(q->g->arena, "%d bit: %d alone would leave %.0f dB", bits, r->narrow, decibel(r->harm[id]));
    return sgs_format(q->g->arena, "%d bit: alone leaves %.0f dB", bits, decibel(r->harm[id]));
}

static void take(sgs_quantizer *q, int id)
{
    const int bits = q->o->recipe.bits[id];
    q->wide[id] = bits == 16;
    if (!q->four[id] && bits == 4)
        q->four[id] = SGS_FOUR_CHOSEN;
    q->reason[id] = why(q, id);
}

void sgs_take_bits(sgs_quantizer *q)
{
    choices l = { 0 };
    const sgs_recipe *r = &q->o->recipe;
    uint8_t *more = SGS_NEW_N(q->g->arena, uint8_t, q->g->nvalue + 1);
    double bits = 0;
    for (sgs_node *n = q->g->first; n; n = n->next) {
        const int id = n->out[0]->id;
        if (!sgs_is_conv(n) || id >= r->nbits)
            continue;
        const double count = (double)sgs_value_count(n->in[1]);
        take(q, id);
        more[id] = r->bits[id] > r->narrow;
        l.n++;
        l.wide += more[id];
        l.all += count;
        bits += count * r->bits[id];
    }
    sgs_log_line(q->o->log, "%d bits for %d of %d convolutions: weights have %.2f bits on the average, mp_rate %.3f",
                 2 * r->narrow, l.wide, l.n, l.all > 0 ? bits / l.all : 0, l.all > 0 ? bits / l.all / 16 : 0);
    if (l.wide < l.n)
        list_wide(q, &l, more);
}

void sgs_choose_bits(sgs_quantizer *q)
{
    choices l = { .c = SGS_NEW_N(q->g->arena, choice, q->g->nvalue + 1) };
    const double strict = q->o->recipe.strict, enough = bearable(q->g) / (strict > 0 ? strict : 1);
    collect(q, &l);
    const double before = l.rest;
    qsort(l.c, (size_t)l.n, sizeof *l.c, by_gain);
    for (int i = 0; i < l.n && l.rest > enough; i++)
        if (l.used + l.c[i].cost <= MOST_WIDE * l.all)
            widen(q, &l, &l.c[i]);
    if (!l.wide)
        return;
    sgs_log_line(
        q->o->log,
        "16 bits for %d of %d convolutions, %.0f %% of the multiplications: estimated SQNR %.0f dB instead of %.0f dB",
        l.wide, l.n, 100 * l.used / l.all, decibel(l.rest), decibel(before));
    list_wide(q, &l, q->wide);
}
