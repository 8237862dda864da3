#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static void reserve(sgs_buf *b, size_t more)
{
    if (more > SIZE_MAX / 4 - b->n)
        abort();
    size_t need = b->n + more + 1;
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap *= 2;
    char *p = realloc(b->p, cap);
    if (!p)
        abort();
    b->p = p;
    b->cap = cap;
}

void sgs_buf_add(sgs_buf *b, const void *p, size_t n)
{
    reserve(b, n);
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

void sgs_buf_add_part(sgs_buf *b, const sgs_part *part)
{
    if (!part->make) {
        sgs_buf_add(b, part->p, part->n);
        return;
    }
    reserve(b, part->n);
    part->make(part->p, 0, part->n, b->p + b->n);
    b->n += part->n;
    b->p[b->n] = 0;
}

void sgs_buf_printf(sgs_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    reserve(b, (size_t)n);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

void sgs_buf_align(sgs_buf *b, size_t to)
{
    size_t pad = (to - b->n % to) % to;
    reserve(b, pad);
    memset(b->p + b->n, 0, pad + 1);
    b->n += pad;
}

void sgs_buf_free(sgs_buf *b)
{
    free(b->p);
    *b = (sgs_buf){ 0 };
}
