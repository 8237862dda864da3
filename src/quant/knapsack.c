/* Items come one after the other, those of most value for their cost first.  Of the choices among those that came, one
 * that costs no less than another and is worth no more is dropped (Nemhauser and Ullmann, 1969), and so is one that the
 * items to come cannot make better than the best choice known, even if a part of one of them could be taken (Dantzig's
 * bound).  What is left is few for networks: convolutions differ. */
#include "quant/knapsack.h"

#include <stdlib.h>

#define MOST_STATES ((size_t)4 << 20)

/* A choice: of the items that came last this one and, before it, those of `before`. */
typedef struct state {
    int64_t value, cost;
    size_t before; /* place in `all`; 0: none, the empty choice */
    int item;      /* by order; -1: none */
} state;

typedef struct packing {
    sgs_item *item;
    int n, *order;          /* [n]: those worth taking that fit alone */
    int64_t room;
    int64_t *value, *cost;  /* [n + 1]: of the first so many in order */
    state *all;             /* every choice that was kept once: others lead to it */
    size_t nall, room_all, most;
    size_t *live, nlive, *next; /* places in `all`, by cost */
    int64_t best, left;     /* value of the best choice known; most that a dropped one might have had */
    size_t best_state;
    int best_from, best_to; /* it, and the items in order from .. to - 1 */
    bool full;
} packing;

/* ---- order ------------------------------------------------------------------------------------------------------ */

static int by_density(const sgs_item *a, const sgs_item *b)
{
    const double x = (double)a->value * (double)b->cost, y = (double)b->value * (double)a->cost;
    return (x < y) - (x > y);
}

/* Stable, so that equal items keep their places: insertion, n is a few hundred. */
static void put_in_order(packing *p, int n)
{
    for (int i = 0; i < n; i++) {
        sgs_item *it = &p->item[i];
        it->taken = it->value > 0 && !it->cost;
        if (it->value <= 0 || !it->cost || it->cost > p->room)
            continue;
        int k = p->n++;
        for (; k > 0 && by_density(&p->item[p->order[k - 1]], it) > 0; k--)
            p->order[k] = p->order[k - 1];
        p->order[k] = i;
    }
    for (int k = 0; k < p->n; k++) {
        p->value[k + 1] = p->value[k] + p->item[p->order[k]].value;
        p->cost[k + 1] = p->cost[k] + p->item[p->order[k]].cost;
    }
}

/* ---- bounds ----------------------------------------------------------------------------------------------------- */

/* The first item from `from` on that does not fit any more behind those before it. */
static int first_too_many(const packing *p, int from, int64_t room)
{
    int lo = from, hi = p->n;
    while (lo < hi) {
        const int mid = lo + (hi - lo + 1) / 2;
        if (p->cost[mid] - p->cost[from] <= room)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* No choice that begins with s and goes on with items from `from` on has more; the best known may become one of them. */
static int64_t bound(packing *p, size_t at, int from)
{
    const state *s = &p->all[at];
    const int stop = first_too_many(p, from, p->room - s->cost);
    const int64_t value = s->value + p->value[stop] - p->value[from],
                  rest = p->room - s->cost - (p->cost[stop] - p->cost[from]);
    if (value > p->best) {
        p->best = value;
        p->best_state = at;
        p->best_from = from;
        p->best_to = stop;
    }
    if (stop == p->n)
        return value;
    const sgs_item *part = &p->item[p->order[stop]];
    return value + (int64_t)((double)part->value * ((double)rest / (double)part->cost)) + 2; /* 2: for the roundings */
}

/* ---- one item more ---------------------------------------------------------------------------------------------- */

static size_t keep(packing *p, state s)
{
    if (p->nall == p->room_all) {
        const size_t room = 2 * p->room_all;
        state *all = room <= p->most ? realloc(p->all, room * sizeof *all) : NULL;
        size_t *live = all ? realloc(p->live, room * sizeof *live) : NULL;
        size_t *next = live ? realloc(p->next, room * sizeof *next) : NULL;
        p->all = all ? all : p->all;
        p->live = live ? live : p->live;
        p->next = next ? next : p->next;
        p->full = !next;
        if (p->full)
            return 0;
        p->room_all = room;
    }
    p->all[p->nall] = s;
    return p->nall++;
}

/* Appends to the choices by cost what is worth more than all that costs no more, and may still become the best. */
static void append(packing *p, size_t *n, size_t at, int came)
{
    const state *s = &p->all[at], *last = *n ? &p->all[p->next[*n - 1]] : NULL;
    if (last && s->value <= last->value)
        return;
    if (bound(p, at, came) <= p->best)
        return; /* the best known is kept with how it goes on */
    if (last && last->cost == s->cost)
        (*n)--;
    p->next[(*n)++] = at;
}

static void add_item(packing *p, int k)
{
    const sgs_item *it = &p->item[p->order[k]];
    const size_t n = p->nlive;
    size_t made = 0, i = 0, j = 0;
    const size_t first = p->nall;
    for (; made < n && !p->full; made++) {
        const state *s = &p->all[p->live[made]];
        if (s->cost + it->cost > p->room)
            break;
        keep(p, (state){ s->value + it->value, s->cost + it->cost, p->live[made], k });
    }
    size_t live = 0;
    while (!p->full && (i < n || j < made)) {
        const bool old = j == made || (i < n && p->all[p->live[i]].cost <= p->all[first + j].cost);
        append(p, &live, old ? p->live[i++] : first + j++, k + 1);
    }
    if (p->full)
        return;
    size_t *swap = p->live;
    p->live = p->next;
    p->next = swap;
    p->nlive = live;
}

static void take_best(packing *p)
{
    for (int k = p->best_from; k < p->best_to; k++)
        p->item[p->order[k]].taken = true;
    for (size_t at = p->best_state; p->all[at].item >= 0; at = p->all[at].before)
        p->item[p->order[p->all[at].item]].taken = true;
}

/* Most that choices which were not followed to their end might have. */
static int64_t open_value(packing *p, int came)
{
    int64_t most = p->best;
    for (size_t i = 0; i < p->nlive; i++) {
        const int64_t b = bound(p, p->live[i], came);
        most = b > most ? b : most;
    }
    return most - p->best;
}

int64_t sgs_knapsack(sgs_item *item, int n, int64_t room, size_t most)
{
    sgs_arena *a = sgs_arena_new();
    packing p = { .item = item, .room = room, .room_all = 64, .most = most ? most : MOST_STATES, .best = -1 };
    int64_t left = 0;
    if (!a)
        return INT64_MAX;
    p.order = SGS_NEW_N(a, int, n + 1);
    p.value = SGS_NEW_N(a, int64_t, n + 1);
    p.cost = SGS_NEW_N(a, int64_t, n + 1);
    put_in_order(&p, n);
    p.all = malloc(p.room_all * sizeof *p.all);
    p.live = malloc(p.room_all * sizeof *p.live);
    p.next = malloc(p.room_all * sizeof *p.next);
    if (p.all && p.live && p.next) {
        p.nlive = 1;
        p.live[0] = keep(&p, (state){ .item = -1 });
        bound(&p, 0, 0);
        for (int k = 0; k < p.n && !p.full; k++) {
            add_item(&p, k);
            left = p.full ? open_value(&p, k) : 0;
        }
        take_best(&p);
    } else {
        left = INT64_MAX;
    }
    free(p.all);
    free(p.live);
    free(p.next);
    sgs_arena_free(a);
    return left;
}
