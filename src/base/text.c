#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define WORD_MAX 128

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours between two short words; longer ones count as far. */
static int distance(const char *a, const char *b)
{
    const size_t na = strlen(a), nb = strlen(b);
    if (na > WORD_MAX || nb > WORD_MAX)
        return WORD_MAX;
    int rows[3][WORD_MAX + 1];
    int *row = rows[0], *above = rows[1], *above2 = rows[2];
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int *spare = above2;
        above2 = above;
        above = row;
        row = spare;
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return row[nb];
}

const char *sgs_nearest(const char *word, const char *const *names, int n)
{
    const char *best = NULL;
    int best_distance = (int)strlen(word) / 2 + 1;
    for (int i = 0; i < n; i++) {
        int k = distance(word, names[i]);
        if (k < best_distance) {
            best_distance = k;
            best = names[i];
        }
    }
    return best;
}

/* Bytes of the UTF-8 character at s, 0 when it is none. */
static int utf8_bytes(const unsigned char *s)
{
    static const uint32_t least_code[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const int n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
    uint32_t code = n > 1 ? s[0] & (0x7fu >> n) : s[0];
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return n && (code < least_code[n] || code > 0x10ffff || surrogate) ? 0 : n;
}

void sgs_make_printable(char *text)
{
    for (unsigned char *s = (unsigned char *)text; *s;) {
        const int n = utf8_bytes(s);
        const bool control = n == 1 ? (s[0] < 0x20 && s[0] != '\n' && s[0] != '\t') || s[0] == 0x7f : n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
        if (n == 0 || control)
            *s = '?';
        s += n && !control ? n : 1;
    }
}

bool sgs_mul64(int64_t a, int64_t b, int64_t *r)
{
    return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, r);
}

bool sgs_add64(int64_t a, int64_t b, int64_t *r)
{
    return !__builtin_add_overflow(a, b, r);
}
