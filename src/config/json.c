/* JSON, RFC 8259: one value, nothing behind it.  NaN and Infinity, as Python writes them, are numbers: who reads the
 * tree says what is wrong with them, and where. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/tree.h"

#define DEPTH_MAX 64
#define NUMBER_MAX 320 /* characters: the longest that Python writes of a double has 24 */

typedef struct reader {
    sgs_arena *a;
    const char *file;
    const uint8_t *p, *end;
    uint32_t line;
    int depth;
    sgs_diag *d;
} reader;

static sgs_status at_line(const reader *r)
{
    return sgs_fail_at(r->d, r->file, (int)r->line, NULL);
}

static sgs_status no_memory(const reader *r)
{
    sgs_fail(r->d, SGS_E_LIMIT, "the file needs more memory than one of its size may take");
    return at_line(r);
}

/* What stands at p, for messages. */
static sgs_status expected(const reader *r, const char *what)
{
    char found[16] = "";
    if (r->p < r->end)
        snprintf(found, sizeof found, *r->p >= 0x20 && *r->p < 0x7f ? "'%c'" : "byte 0x%02x", *r->p);
    sgs_fail(r->d, SGS_E_FORMAT, "no JSON: expected %s, found %s", what, r->p < r->end ? found : "the end of the file");
    return at_line(r);
}

static void skip(reader *r)
{
    for (; r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' || *r->p == '\n'); r->p++)
        r->line += *r->p == '\n';
}

/* Past blanks; takes c where it stands there. */
static bool take(reader *r, char c)
{
    skip(r);
    const bool is = r->p < r->end && *r->p == (uint8_t)c;
    r->p += is;
    return is;
}

/* ---- texts ------------------------------------------------------------------------------------------------------ */

static bool hex4(reader *r, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        const char *digits = "0123456789abcdef",
                   *at = r->p < r->end && *r->p ? strchr(digits, *r->p >= 'A' && *r->p <= 'F' ? *r->p + 32 : *r->p)
                                                : NULL;
        if (!at)
            return false;
        *code = *code << 4 | (uint32_t)(at - digits);
    }
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* Behind the backslash. */
static bool escape(reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    uint32_t code, low;
    if (r->p == r->end)
        return false;
    const uint8_t c = *r->p++;
    const char *at = c ? strchr(from, c) : NULL;
    if (at)
        return *(*to)++ = into[at - from], true;
    if (c != 'u' || !hex4(r, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
            return false;
        r->p += 2;
        if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_utf8(*to, code);
    return true;
}

static sgs_status text(reader *r, sgs_tree *t)
{
    const uint8_t *close = ++r->p;
    while (close < r->end && *close != '"')
        close += *close == '\\' && close + 1 < r->end ? 2 : 1;
    struct sgs_tree_bytes *b = sgs_try_alloc(r->a, sizeof *b);
    char *to = sgs_try_alloc(r->a, (size_t)(close - r->p) + 1);
    if (!b || !to)
        return no_memory(r);
    b->p = to;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p < 0x20)
            return expected(r, "a text without line ends in it");
        if (*r->p != '\\')
            *to++ = (char)*r->p++;
        else if (r->p++, !escape(r, &to))
            return expected(r, "one of JSON's escapes behind a backslash");
    }
    if (r->p == r->end)
        return expected(r, "'\"' at the end of a text");
    r->p++;
    b->n = (size_t)(to - b->p);
    *to = 0;
    t->kind = SGS_TREE_TEXT;
    t->bytes = b;
    return SGS_OK;
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* Characters of the number that s begins with, 0: it is none; *whole: without point and exponent. */
static size_t number_length(const char *s, bool *whole)
{
    size_t n = s[0] == '-', k = digits(s + n);
    *whole = true;
    if (!k || (k > 1 && s[n] == '0'))
        return 0;
    n += k;
    if (s[n] == '.') {
        k = digits(s + n + 1);
        if (!k)
            return 0;
        n += k + 1;
        *whole = false;
    }
    if (s[n] == 'e' || s[n] == 'E') {
        const size_t sign = s[n + 1] == '+' || s[n + 1] == '-';
        k = digits(s + n + 1 + sign);
        if (!k)
            return 0;
        n += k + 1 + sign;
        *whole = false;
    }
    return n;
}

static bool take_word(reader *r, const char *text)
{
    const size_t n = strlen(text);
    const bool is = (size_t)(r->end - r->p) >= n && !memcmp(r->p, text, n);
    r->p += is ? n : 0;
    return is;
}

static bool named_number(reader *r, double *v)
{
    static const struct {
        const char *text;
        double value;
    } name[] = { { "NaN", (double)NAN }, { "Infinity", (double)INFINITY }, { "-Infinity", -(double)INFINITY } };
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (take_word(r, name[i].text)) {
            *v = name[i].value;
            return true;
        }
    return false;
}

static sgs_status number(reader *r, sgs_tree *t)
{
    char copy[NUMBER_MAX + 1];
    bool whole;
    size_t n = 0;
    t->kind = SGS_TREE_REAL;
    if (named_number(r, &t->real))
        return SGS_OK;
    while (n < NUMBER_MAX && r->p + n < r->end && r->p[n] && strchr("+-.eE0123456789", r->p[n]))
        n++;
    memcpy(copy, r->p, n);
    copy[n] = 0;
    if (!n || number_length(copy, &whole) != n)
        return expected(r, "a value");
    r->p += n;
    if (whole && n < 19) {
        t->kind = SGS_TREE_WHOLE;
        t->whole = strtoll(copy, NULL, 10);
    } else {
        t->real = strtod(copy, NULL);
    }
    return SGS_OK;
}

/* ---- arrays of numbers ------------------------------------------------------------------------------------------ */

typedef struct numbers {
    double *p;
    size_t n, room;
    struct sgs_tree_array *x;
    int rank; /* known once the first row has ended; 0: not yet */
} numbers;

static bool add_number(reader *r, numbers *to, double v)
{
    if (to->n == to->room) {
        const size_t room = to->room ? 2 * to->room : 8;
        double *p = sgs_try_alloc_loose(r->a, room * sizeof *p);
        if (!p)
            return false;
        if (to->n)
            memcpy(p, to->p, to->n * sizeof *p);
        sgs_arena_drop(r->a, to->p);
        to->p = p;
        to->room = room;
    }
    to->p[to->n++] = v;
    return true;
}

static sgs_status row(reader *r, numbers *to, int depth);

static sgs_status part(reader *r, numbers *to, int depth)
{
    sgs_tree t = { 0 };
    double v;
    skip(r);
    const bool nested = r->p < r->end && *r->p == '[';
    if (to->rank && nested != (depth < to->rank))
        return expected(r, nested ? "a number, as in the rows before" : "a list of numbers, as before");
    if (nested)
        return row(r, to, depth + 1);
    if (r->p < r->end && (*r->p == '"' || *r->p == '{' || *r->p == 't' || *r->p == 'f' || *r->p == 'n'))
        return expected(r, "a number, as before");
    SGS_TRY(number(r, &t));
    sgs_tree_number(&t, &v);
    to->rank = depth;
    return add_number(r, to, v) ? SGS_OK : no_memory(r);
}

/* A list at p, `depth` deep, 1 the outermost. */
static sgs_status row(reader *r, numbers *to, int depth)
{
    const bool first = !to->rank;
    int64_t n = 0;
    if (depth > 8) {
        sgs_fail(r->d, SGS_E_FORMAT, "expected lists of numbers at most 8 deep");
        return at_line(r);
    }
    r->p++;
    if (!take(r, ']')) {
        do {
            SGS_TRY(part(r, to, depth));
            n++;
        } while (take(r, ','));
        if (!take(r, ']'))
            return expected(r, "',' or ']'");
    }
    if (first && !to->rank)
        to->rank = depth;
    if (first)
        to->x->dim[depth - 1] = n;
    if (to->x->dim[depth - 1] != n) {
        sgs_fail(r->d, SGS_E_FORMAT, "expected %lld in this list, as in the one before, found %lld",
                 (long long)to->x->dim[depth - 1], (long long)n);
        return at_line(r);
    }
    return SGS_OK;
}

static sgs_status array(reader *r, sgs_tree *t)
{
    struct sgs_tree_array *x = sgs_try_alloc(r->a, sizeof *x);
    numbers n = { .x = x };
    if (!x)
        return no_memory(r);
    SGS_TRY(row(r, &n, 1));
    x->rank = n.rank;
    x->count = (int64_t)n.n;
    x->letter = 'f';
    x->each = (int)sizeof(double);
    x->data = (const uint8_t *)n.p;
    x->big_endian = !*(const uint8_t *)&(uint16_t){ 1 };
    t->kind = SGS_TREE_ARRAY;
    t->array = x;
    return SGS_OK;
}

/* Whether the list at p holds numbers, or lists of them. */
static bool begins_numbers(const reader *r)
{
    const uint8_t *p = r->p;
    while (p < r->end && (*p == '[' || *p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p < r->end && (*p == '-' || *p == 'N' || *p == 'I' || (*p >= '0' && *p <= '9'));
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static sgs_status value(reader *r, sgs_tree *t);

static sgs_status member(reader *r, struct sgs_tree_list *l)
{
    sgs_tree key = { .line = r->line }, v = { 0 };
    skip(r);
    if (r->p == r->end || *r->p != '"')
        return expected(r, "a key in quotes");
    SGS_TRY(text(r, &key));
    if (!take(r, ':'))
        return expected(r, "':' behind a key");
    SGS_TRY(value(r, &v));
    return sgs_tree_push(r->a, l, key) && sgs_tree_push(r->a, l, v) ? SGS_OK : no_memory(r);
}

static sgs_status element(reader *r, struct sgs_tree_list *l)
{
    sgs_tree v = { 0 };
    SGS_TRY(value(r, &v));
    return sgs_tree_push(r->a, l, v) ? SGS_OK : no_memory(r);
}

static sgs_status list(reader *r, sgs_tree *t, bool dict)
{
    struct sgs_tree_list *l = sgs_try_alloc(r->a, sizeof *l);
    if (!l)
        return no_memory(r);
    t->kind = dict ? SGS_TREE_DICT : SGS_TREE_LIST;
    t->list = l;
    r->p++;
    if (take(r, dict ? '}' : ']'))
        return SGS_OK;
    do
        SGS_TRY(dict ? member(r, l) : element(r, l));
    while (take(r, ','));
    return take(r, dict ? '}' : ']') ? SGS_OK : expected(r, dict ? "',' or '}'" : "',' or ']'");
}

static sgs_status value_here(reader *r, sgs_tree *t)
{
    const uint8_t c = r->p < r->end ? *r->p : 0;
    if (c == '"')
        return text(r, t);
    if (c == '{' || (c == '[' && !begins_numbers(r)))
        return list(r, t, c == '{');
    if (c == '[')
        return array(r, t);
    if (take_word(r, "null"))
        return SGS_OK;
    t->kind = SGS_TREE_TRUTH;
    t->whole = take_word(r, "true");
    if (t->whole || take_word(r, "false"))
        return SGS_OK;
    return number(r, t);
}

static sgs_status value(reader *r, sgs_tree *t)
{
    skip(r);
    *t = (sgs_tree){ .line = r->line };
    if (r->depth == DEPTH_MAX) {
        sgs_fail(r->d, SGS_E_FORMAT, "lists and dictionaries are nested more than %d deep", DEPTH_MAX);
        return at_line(r);
    }
    r->depth++;
    const sgs_status s = value_here(r, t);
    r->depth--;
    return s;
}

sgs_status sgs_json_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span text, sgs_diag *d)
{
    reader r = { .a = a, .file = file, .p = text.p, .end = text.p + text.n, .line = 1, .d = d };
    if (text.n >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3))
        r.p += 3;
    SGS_TRY(value(&r, t));
    skip(&r);
    return r.p == r.end ? SGS_OK : expected(&r, "the end of the file");
}
