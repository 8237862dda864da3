#include "base/strided.h"

#include <string.h>

sgs_strided sgs_strided_dense(const void *from, int each, int rank, const int64_t *dim)
{
    sgs_strided s = { .from = from, .each = each, .rank = rank };
    int64_t step = each;
    for (int i = rank - 1; i >= 0; i--) {
        s.dim[i] = dim[i];
        s.stride[i] = step;
        step *= dim[i];
    }
    return s;
}

int64_t sgs_strided_count(const sgs_strided *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++)
        n *= s->dim[i];
    return n;
}

sgs_strided sgs_strided_turn(const sgs_strided *s, const int64_t *perm)
{
    sgs_strided t = *s;
    for (int i = 0; i < s->rank; i++) {
        t.dim[i] = s->dim[perm[i]];
        t.stride[i] = s->stride[perm[i]];
    }
    return t;
}

/* Axes of one element go, and neighbours that are walked as if they were one become one; at least one is left. */
static sgs_strided merged(const sgs_strided *s)
{
    sgs_strided m = { .from = s->from, .each = s->each };
    for (int i = 0; i < s->rank; i++) {
        int64_t outer = 1;
        if (s->dim[i] == 1)
            continue;
        if (m.rank && m.stride[m.rank - 1] == s->stride[i] * s->dim[i])
            outer = m.dim[--m.rank];
        m.dim[m.rank] = s->dim[i] * outer;
        m.stride[m.rank++] = s->stride[i];
    }
    if (!m.rank) {
        m.dim[0] = 1;
        m.stride[0] = s->each;
        m.rank = 1;
    }
    return m;
}

bool sgs_strided_is_dense(const sgs_strided *s)
{
    const sgs_strided m = merged(s);
    return m.rank == 1 && m.stride[0] == s->each;
}

/* From the last axis on, each merged one is split into the new dims whose product it is. */
bool sgs_strided_reshape(const sgs_strided *s, int rank, const int64_t *dim, sgs_strided *out)
{
    const sgs_strided m = merged(s);
    int axis = rank - 1;
    *out = (sgs_strided){ .from = s->from, .each = s->each, .rank = rank };
    for (int i = m.rank - 1; i >= 0; i--) {
        int64_t within = 1;
        for (; axis >= 0 && (within < m.dim[i] || dim[axis] == 1); within *= dim[axis--]) {
            out->dim[axis] = dim[axis];
            out->stride[axis] = m.stride[i] * within;
        }
        if (within != m.dim[i])
            return false;
    }
    return axis < 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

/* A part of a tensor, and where it goes: steps on both sides. */
typedef struct box {
    int rank, each;
    int64_t dim[SGS_STRIDED_AXES], to[SGS_STRIDED_AXES], from[SGS_STRIDED_AXES];
} box;

/* n elements, of which those read lie `stride` bytes apart. */
static void copy_row(char *to, const char *from, int64_t stride, int64_t n, int bytes)
{
    if (stride == bytes) {
        memcpy(to, from, (size_t)(n * bytes));
        return;
    }
    for (int64_t i = 0; i < n; i++, to += bytes, from += stride)
        switch (bytes) {
        case 1:
            *to = *from;
            break;
        case 2:
            memcpy(to, from, 2);
            break;
        case 4:
            memcpy(to, from, 4);
            break;
        default:
            memcpy(to, from, 8);
            break;
        }
}

/* Rows of the result that are columns of what is read go in square tiles, so that neither side leaves its cache lines
 * half used. */
#define TILE 16

typedef struct turned {
    int64_t across, along;     /* elements side by side in what is read; in the result */
    int64_t to, from;          /* bytes from one to the next: of `across` in the result, of `along` in what is read */
} turned;

static inline void copy_tile(char *to, const char *from, const turned *t, int64_t across, int64_t along, size_t bytes)
{
    for (int64_t i = 0; i < across; i++)
        for (int64_t k = 0; k < along; k++)
            memcpy(to + i * t->to + k * (int64_t)bytes, from + i * (int64_t)bytes + k * t->from, bytes);
}

static void copy_turned(char *to, const char *from, const turned *t, int bytes)
{
    for (int64_t k = 0; k < t->along; k += TILE)
        for (int64_t i = 0; i < t->across; i += TILE) {
            const int64_t across = t->across - i < TILE ? t->across - i : TILE, along = t->along - k < TILE ? t->along - k : TILE;
            char *at = to + i * t->to + k * bytes;
            const char *seen = from + i * bytes + k * t->from;
            if (bytes == 4 && across == TILE && along == TILE)
                copy_tile(at, seen, t, TILE, TILE, 4);
            else if (bytes == 4)
                copy_tile(at, seen, t, across, along, 4);
            else
                copy_tile(at, seen, t, across, along, (size_t)bytes);
        }
}

static void move_axis(box *b, int axis, int to)
{
    const box was = *b;
    for (int i = axis; i < to; i++) {
        b->dim[i] = was.dim[i + 1];
        b->to[i] = was.to[i + 1];
        b->from[i] = was.from[i + 1];
    }
    b->dim[to] = was.dim[axis];
    b->to[to] = was.to[axis];
    b->from[to] = was.from[axis];
}

/* The axis, not the last, whose elements lie side by side in what is read, made the last but one; false: there is none. */
static bool turn(box *b)
{
    const int last = b->rank - 1;
    int at = last - 1;
    while (at >= 0 && b->from[at] != b->each)
        at--;
    if (at < 0 || b->from[last] == b->each)
        return false;
    move_axis(b, at, last - 1);
    return true;
}

/* To the next index of the first `axes` axes, where the pointers follow; false: there was none. */
static bool step(const box *b, int axes, int64_t *index, char **to, const char **from)
{
    for (int i = axes - 1; i >= 0; i--) {
        *to += b->to[i];
        *from += b->from[i];
        if (++index[i] < b->dim[i])
            return true;
        *to -= b->to[i] * b->dim[i];
        *from -= b->from[i] * b->dim[i];
        index[i] = 0;
    }
    return false;
}

static void copy_box(box *b, char *to, const char *from)
{
    int64_t index[SGS_STRIDED_AXES] = { 0 };
    const int last = b->rank - 1, outer = turn(b) ? last - 1 : last;
    do {
        if (outer < last)
            copy_turned(to, from, &(turned){ b->dim[outer], b->dim[last], b->to[outer], b->from[last] }, b->each);
        else
            copy_row(to, from, b->from[last], b->dim[last], b->each);
    } while (step(b, outer, index, &to, &from));
}

/* Whole rows of the axes from `axis` on, of that axis n indices. */
static void copy_rows(const sgs_strided *s, int axis, int64_t n, char *to, const char *from)
{
    box b = { .rank = s->rank - axis, .each = s->each };
    int64_t apart = s->each;
    for (int i = b.rank - 1; i >= 0; i--) {
        b.dim[i] = i ? s->dim[axis + i] : n;
        b.from[i] = s->stride[axis + i];
        b.to[i] = apart;
        apart *= b.dim[i];
    }
    copy_box(&b, to, from);
}

/* The same for elements of the axes from `axis` on: the end of a row, whole rows, the beginning of one. */
static void read_axes(const sgs_strided *s, int axis, int64_t first, int64_t n, char *to, const char *from)
{
    int64_t row = 1;
    for (int i = axis + 1; i < s->rank; i++)
        row *= s->dim[i];
    from += first / row * s->stride[axis];
    first %= row;
    if (first) {
        const int64_t part = n < row - first ? n : row - first;
        read_axes(s, axis + 1, first, part, to, from);
        to += part * s->each;
        from += s->stride[axis];
        n -= part;
    }
    if (n >= row)
        copy_rows(s, axis, n / row, to, from);
    if (n % row)
        read_axes(s, axis + 1, 0, n % row, to + n / row * row * s->each, from + n / row * s->stride[axis]);
}

void sgs_strided_read(const sgs_strided *s, int64_t first, int64_t n, void *to)
{
    const sgs_strided m = merged(s);
    if (n)
        read_axes(&m, 0, first, n, to, s->from);
}
