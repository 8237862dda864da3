/* A list of blocks; small requests are carved from the newest, large ones get a block of their own, very large ones from the system itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"

#define BLOCK ((size_t)1 << 18)
#define ALIGN ((size_t)64)
#define HUGE ((size_t)2 << 20) /* a large page: one fault where small ones take 512, which would cost more than to fill them */

typedef struct block {
    struct block *next;
    size_t used, cap;
    bool loose;
    void *map;             /* of the system's memory that this lies in; NULL: malloc's */
    size_t mapped;
} block;

struct sgs_arena {
    block *head;           /* the block being carved */
    size_t total, limit;   /* bytes in use */
    size_t loose;          /* of those, in loose blocks */
    block *spare;          /* mapped blocks given back: pages that are there already cost less than new ones */
    size_t spared;         /* their bytes */
};

/* How memory is asked for. */
typedef struct request {
    size_t bytes;
    bool limited, loose;
} request;

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) & ~(ALIGN - 1);
}

static uint8_t *bytes_of(block *b)
{
    return (uint8_t *)b + round_up(sizeof(block));
}

sgs_arena *sgs_arena_new(void)
{
    return calloc(1, sizeof(sgs_arena));
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static block *malloc_block(size_t bytes)
{
    block *b = aligned_alloc(ALIGN, bytes);
    if (b)
        memset(b, 0, bytes);
    return b;
}

/* On a multiple of HUGE, in large pages as far as they reach; what the system gives is zero. */
static block *map_block(size_t bytes)
{
    uint8_t *map = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    block *b = (block *)(void *)(map + (HUGE - (uintptr_t)map % HUGE) % HUGE);
#ifdef MADV_HUGEPAGE
    madvise(b, bytes / HUGE * HUGE, MADV_HUGEPAGE);
#endif
    b->map = map;
    b->mapped = bytes + HUGE;
    return b;
}

/* Zeroed. */
static block *new_block(size_t cap)
{
    const size_t bytes = round_up(sizeof(block)) + cap;
    block *b = bytes < HUGE ? malloc_block(bytes) : map_block(bytes);
    if (b)
        b->cap = cap;
    return b;
}

static void free_block(block *b)
{
    if (b->map)
        munmap(b->map, b->mapped);
    else
        free(b);
}

/* ---- the arena -------------------------------------------------------------------------------------------------- */

static void free_blocks(block *b)
{
    for (block *next; b; b = next) {
        next = b->next;
        free_block(b);
    }
}

void sgs_arena_free(sgs_arena *a)
{
    if (!a)
        return;
    free_blocks(a->head);
    free_blocks(a->spare);
    free(a);
}

void sgs_arena_limit(sgs_arena *a, size_t bytes)
{
    a->limit = bytes;
}

/* A spare block that fits and is not much too large, zeroed; NULL: there is none. */
static block *take_spare(sgs_arena *a, size_t bytes)
{
    block **at = &a->spare;
    while (*at && ((*at)->cap < bytes || (*at)->cap / 5 * 4 > bytes))
        at = &(*at)->next;
    block *b = *at;
    if (!b)
        return NULL;
    *at = b->next;
    a->spared -= b->cap;
    memset(bytes_of(b), 0, bytes);
    return b;
}

/* A large request goes behind the head, which keeps its room for small ones. */
static void *own_block(sgs_arena *a, const request *r)
{
    block *b = take_spare(a, r->bytes);
    if (!b)
        b = new_block(r->bytes);
    if (!b)
        return NULL;
    b->used = r->bytes;
    b->loose = r->loose;
    a->loose += r->loose ? r->bytes : 0;
    if (a->head) {
        b->next = a->head->next;
        a->head->next = b;
    } else {
        a->head = b;
    }
    return bytes_of(b);
}

static void *carve(sgs_arena *a, const request *r)
{
    if (r->bytes > BLOCK / 4)
        return own_block(a, r);
    if (!a->head || a->head->cap - a->head->used < r->bytes) {
        block *b = new_block(BLOCK);
        if (!b)
            return NULL;
        b->next = a->head;
        a->head = b;
    }
    void *p = bytes_of(a->head) + a->head->used;
    a->head->used += r->bytes;
    return p;
}

static void *get(sgs_arena *a, request r)
{
    if (r.bytes > SIZE_MAX / 2)
        return NULL;
    r.bytes = round_up(r.bytes ? r.bytes : 1);
    if (r.limited && a->limit && (r.bytes > a->limit || a->total > a->limit - r.bytes))
        return NULL;
    void *p = carve(a, &r);
    a->total += p ? r.bytes : 0;
    return p;
}

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

void *sgs_try_alloc(sgs_arena *a, size_t bytes)
{
    return get(a, (request){ .bytes = bytes, .limited = true });
}

void *sgs_alloc(sgs_arena *a, size_t bytes)
{
    return must(get(a, (request){ .bytes = bytes }));
}

void *sgs_try_alloc_loose(sgs_arena *a, size_t bytes)
{
    return get(a, (request){ .bytes = bytes, .limited = true, .loose = true });
}

void *sgs_alloc_loose(sgs_arena *a, size_t bytes)
{
    return must(get(a, (request){ .bytes = bytes, .loose = true }));
}

void *sgs_alloc_n(sgs_arena *a, size_t n, size_t each)
{
    if (each && n > SIZE_MAX / each)
        abort();
    return sgs_alloc(a, n * each);
}

char *sgs_strndup(sgs_arena *a, const char *s, size_t n)
{
    char *r = sgs_alloc(a, n + 1);
    memcpy(r, s, n);
    return r;
}

char *sgs_strdup(sgs_arena *a, const char *s)
{
    return sgs_strndup(a, s, strlen(s));
}

char *sgs_format(sgs_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *r = sgs_alloc(a, (size_t)n + 1);
    vsnprintf(r, (size_t)n + 1, fmt, again);
    va_end(again);
    return r;
}

/* ---- what nobody leads into any more ---------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t)*(const void *const *)a, y = (uintptr_t)*(const void *const *)b;
    return (x > y) - (x < y);
}

/* Whether one of the sorted pointers leads into the block. */
static bool is_held(block *b, const void **held, size_t n)
{
    const uintptr_t from = (uintptr_t)bytes_of(b);
    size_t low = 0;
    while (low < n) {
        const size_t middle = low + (n - low) / 2;
        const uintptr_t p = (uintptr_t)held[middle];
        if (p >= from && p - from < b->used)
            return true;
        if (p < from)
            low = middle + 1;
        else
            n = middle;
    }
    return false;
}

size_t sgs_arena_loose(const sgs_arena *a)
{
    return a->loose;
}

/* The loose block at *at leaves the list.  Of what is in use, a quarter may be spare. */
static void give_back(sgs_arena *a, block **at)
{
    block *b = *at;
    *at = b->next;
    a->total -= b->used;
    a->loose -= b->used;
    if (!b->map || a->spared + b->cap > a->loose / 4) {
        free_block(b);
        return;
    }
    b->next = a->spare;
    a->spare = b;
    a->spared += b->cap;
}

bool sgs_arena_is_loose(const sgs_arena *a, const void *p)
{
    for (block *b = a->head; b; b = b->next)
        if (b->loose && bytes_of(b) == p)
            return true;
    return false;
}

void sgs_arena_drop(sgs_arena *a, const void *p)
{
    for (block **at = &a->head; *at; at = &(*at)->next)
        if ((*at)->loose && bytes_of(*at) == p) {
            give_back(a, at);
            return;
        }
}

void sgs_arena_keep(sgs_arena *a, const void **held, size_t n)
{
    if (n)
        qsort(held, n, sizeof *held, by_address);
    for (block **at = &a->head; *at;)
        if ((*at)->loose && !is_held(*at, held, n))
            give_back(a, at);
        else
            at = &(*at)->next;
}
