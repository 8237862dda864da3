/* Offsets for buffers with known lifetimes: buffers are placed one after the other at the lowest offset where no
 * neighbour in time is in the way.  The order decides; several are tried (largest first is seldom beaten), then chance
 * moves of the best one, until the lower bound is met or the effort is spent.  A network of many equal blocks needs as
 * many moves before its arena shrinks: so a move that leaves less beyond the bound is kept too. */
#include <stdlib.h>
#include <string.h>

#include "compile/plan.h"

#define EFFORT 20000000 /* comparisons; about a tenth of a second */

typedef struct planner {
    sgs_plan_buffer *b;
    int n;
    int64_t align;
    int *order, *best, *sorted; /* sorted: placed buffers by offset */
    int64_t best_arena, lower_bound;
    int64_t excess, best_excess; /* bytes beyond the lower bound, of all buffers: says of two plans of one size which is nearer to a smaller one */
    int64_t effort;
    uint32_t seed;
} planner;

static int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static bool meet(const sgs_plan_buffer *x, const sgs_plan_buffer *y)
{
    return x->first <= y->last && y->first <= x->last;
}

/* Lowest offset for b[i] among the k placed buffers, which are in order of their offsets. */
static int64_t lowest_gap(const planner *p, int i, int k)
{
    int64_t at = 0;
    for (int j = 0; j < k; j++) {
        const sgs_plan_buffer *other = p->b + p->sorted[j];
        if (!meet(p->b + i, other))
            continue;
        if (at + p->b[i].bytes <= other->off)
            return at;
        int64_t end = up(other->off + other->bytes, p->align);
        at = end > at ? end : at;
    }
    return at;
}

static void insert_sorted(planner *p, int i, int k)
{
    int j = k;
    for (; j > 0 && p->b[p->sorted[j - 1]].off > p->b[i].off; j--)
        p->sorted[j] = p->sorted[j - 1];
    p->sorted[j] = i;
}

/* Places all in p->order, which makes p->excess; returns the arena, or stops early beyond best_arena. */
static int64_t place(planner *p)
{
    int64_t arena = 0;
    p->excess = 0;
    for (int k = 0; k < p->n && arena <= p->best_arena; k++) {
        int i = p->order[k];
        p->b[i].off = lowest_gap(p, i, k);
        insert_sorted(p, i, k);
        int64_t end = p->b[i].off + p->b[i].bytes;
        arena = end > arena ? end : arena;
        p->excess += end > p->lower_bound ? end - p->lower_bound : 0;
        p->effort -= k + 1;
    }
    return arena;
}

static void try_order(planner *p)
{
    int64_t arena = place(p);
    if (arena < p->best_arena || (arena == p->best_arena && p->excess <= p->best_excess)) {
        p->best_arena = arena;
        p->best_excess = p->excess;
        memcpy(p->best, p->order, (size_t)p->n * sizeof *p->best);
    }
}

/* ---- orders --------------------------------------------------------------------------------------------------------
 */

static int64_t by_size(const sgs_plan_buffer *x)
{
    return x->bytes;
}

static int64_t by_area(const sgs_plan_buffer *x)
{
    return x->bytes > INT64_MAX >> 32 ? INT64_MAX : x->bytes * (x->last - x->first + 1);
}

static int64_t by_length(const sgs_plan_buffer *x)
{
    return x->last - x->first;
}

static int64_t by_time(const sgs_plan_buffer *x)
{
    return -(int64_t)x->first;
}

/* Largest key first, equal ones by size, then by number: a stable insertion sort keeps it independent of qsort's. */
static void sort(planner *p, int64_t (*key)(const sgs_plan_buffer *x))
{
    for (int k = 0; k < p->n; k++) {
        int j = k;
        int64_t mine = key(p->b + k);
        for (; j > 0; j--) {
            const sgs_plan_buffer *other = p->b + p->order[j - 1];
            int64_t its = key(other);
            if (its > mine || (its == mine && other->bytes >= p->b[k].bytes))
                break;
            p->order[j] = p->order[j - 1];
        }
        p->order[j] = k;
    }
}

static int chance(planner *p, int below)
{
    p->seed = p->seed * 1664525u + 1013904223u;
    return (int)((uint64_t)p->seed * (uint32_t)below >> 32);
}

/* Moves one buffer of the best order to another place. */
static void neighbour(planner *p)
{
    memcpy(p->order, p->best, (size_t)p->n * sizeof *p->order);
    int from = chance(p, p->n), to = chance(p, p->n), moved = p->order[from];
    if (from < to)
        memmove(p->order + from, p->order + from + 1, (size_t)(to - from) * sizeof *p->order);
    else
        memmove(p->order + to + 1, p->order + to, (size_t)(from - to) * sizeof *p->order);
    p->order[to] = moved;
}

static void search(planner *p)
{
    static int64_t (*const key[])(const sgs_plan_buffer *x) = { by_size, by_area, by_length, by_time };
    for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
        sort(p, key[i]);
        try_order(p);
    }
    while (p->n > 2 && p->best_arena > p->lower_bound && p->effort > 0) {
        neighbour(p);
        try_order(p);
    }
    memcpy(p->order, p->best, (size_t)p->n * sizeof *p->order);
    p->best_arena = INT64_MAX;
    p->best_arena = place(p);
}

/* ---- lower bound
 * ------------------------------------------------------------------------------------------------------ */

/* The most is live at some record where a buffer begins. */
static int64_t most_live(const sgs_plan_buffer *b, int n, int64_t align)
{
    int64_t most = 0;
    for (int i = 0; i < n; i++) {
        int64_t live = 0;
        for (int j = 0; j < n; j++)
            if (b[j].first <= b[i].first && b[i].first <= b[j].last)
                live += up(b[j].bytes, align);
        most = live > most ? live : most;
    }
    return most;
}

sgs_status sgs_plan(sgs_plan_buffer *b, int n, int64_t align, int64_t limit, sgs_plan_result *r, sgs_diag *d)
{
    *r = (sgs_plan_result){ 0 };
    int64_t all = 0;
    for (int i = 0; i < n; i++) {
        if (b[i].bytes < 0 || b[i].bytes > INT64_MAX / 2 - align || !sgs_add64(all, b[i].bytes + align, &all))
            return sgs_fail(d, SGS_E_LIMIT, "the activations do not fit into 64-bit sizes");
        b[i].bytes = up(b[i].bytes, align);
    }
    if (n) {
        int *room = malloc(3 * (size_t)n * sizeof *room);
        if (!room)
            return sgs_fail(d, SGS_E_LIMIT, "no memory to plan %d buffers", n);
        planner p = { .b = b,
                      .n = n,
                      .align = align,
                      .order = room,
                      .best = room + n,
                      .sorted = room + 2 * n,
                      .best_arena = INT64_MAX,
                      .lower_bound = most_live(b, n, align),
                      .effort = EFFORT,
                      .seed = 1 };
        search(&p);
        *r = (sgs_plan_result){ p.best_arena, p.lower_bound };
        free(room);
    }
    if (r->arena > limit)
        return sgs_fail(d, SGS_E_LIMIT, "the arena needs %lld bytes; the target has %lld", (long long)r->arena,
                        (long long)limit);
    return SGS_OK;
}
