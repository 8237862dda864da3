/* A list of blocks; small requests are carved from the newest, large ones get a block of their own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define BLOCK ((size_t)1 << 18)
#define ALIGN ((size_t)64)

typedef struct block {
    struct block *next;
    size_t used, cap;
} block;

struct sgs_arena {
    block *head;           /* the block being carved */
    size_t total, limit;
};

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

void sgs_arena_free(sgs_arena *a)
{
    if (!a)
        return;
    for (block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void sgs_arena_limit(sgs_arena *a, size_t bytes)
{
    a->limit = bytes;
}

static block *new_block(size_t cap)
{
    block *b = aligned_alloc(ALIGN, round_up(sizeof(block)) + cap);
    if (b)
        *b = (block){ .cap = cap };
    return b;
}

/* A large request goes behind the head, which keeps its room for small ones. */
static void *own_block(sgs_arena *a, size_t bytes)
{
    block *b = new_block(bytes);
    if (!b)
        return NULL;
    b->used = bytes;
    if (a->head) {
        b->next = a->head->next;
        a->head->next = b;
    } else {
        a->head = b;
    }
    return bytes_of(b);
}

static void *carve(sgs_arena *a, size_t bytes)
{
    if (bytes > BLOCK / 4)
        return own_block(a, bytes);
    if (!a->head || a->head->cap - a->head->used < bytes) {
        block *b = new_block(BLOCK);
        if (!b)
            return NULL;
        b->next = a->head;
        a->head = b;
    }
    void *p = bytes_of(a->head) + a->head->used;
    a->head->used += bytes;
    return p;
}

void *sgs_try_alloc(sgs_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t n = round_up(bytes ? bytes : 1);
    if (a->limit && (n > a->limit || a->total > a->limit - n))
        return NULL;
    void *p = carve(a, n);
    if (!p)
        return NULL;
    a->total += n;
    return memset(p, 0, n);
}

void *sgs_alloc(sgs_arena *a, size_t bytes)
{
    size_t limit = a->limit;
    a->limit = 0;
    void *p = sgs_try_alloc(a, bytes);
    a->limit = limit;
    if (!p)
        abort();
    return p;
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
