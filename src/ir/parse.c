/* The text form, read: docs/ARCHITECTURE.md.  Makes values and nodes as written; sgs_graph_verify judges them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "ops/op.h"

#define MAX_ID (1 << 20)            /* tables by id are made when users are asked for */
#define MAX_MADE ((int64_t)1 << 24) /* elements of a constant that the text does not spell out */
#define MAX_LIST 4096               /* inputs, outputs or names in one place */

typedef struct parser {
    const char *p, *end;
    int line;
    sgs_graph *g;
    sgs_diag *d;
    sgs_value **value; /* by id */
    int nvalue;
    sgs_buf list; /* scratch: a growing array */
} parser;

static sgs_status SGS_PRINTF(2, 3) fail(parser *p, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sgs_fail(p->d, SGS_E_FORMAT, "%s", text);
    sgs_fail_at(p->d, p->g->file, p->line, NULL);
    return SGS_E_FORMAT;
}

static sgs_status out_of_memory(parser *p)
{
    sgs_fail(p->d, SGS_E_LIMIT, "the constants need more memory than a graph may take");
    sgs_fail_at(p->d, p->g->file, p->line, NULL);
    return SGS_E_LIMIT;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static void blanks(parser *p)
{
    while (p->p < p->end && (*p->p == ' ' || *p->p == '\t' || *p->p == '\r'))
        p->p++;
    if (p->p < p->end && *p->p == '#')
        while (p->p < p->end && *p->p != '\n')
            p->p++;
}

/* The next character that counts, or 0 at the end of the text. */
static char peek(parser *p)
{
    blanks(p);
    return p->p < p->end ? *p->p : 0;
}

static bool take(parser *p, char c)
{
    if (!c || peek(p) != c)
        return false;
    p->p++;
    return true;
}

static sgs_status want(parser *p, char c)
{
    if (take(p, c))
        return SGS_OK;
    char found = peek(p);
    if (!found || found == '\n')
        return fail(p, "expected '%c', found the end of the line", c);
    return fail(p, "expected '%c', found '%.12s'", c, (char[]){ found > ' ' && found < 127 ? found : '?', 0 });
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-' || c == '+';
}

typedef struct word {
    char s[64]; /* "" when the next token is no word */
} word;

static word next_word(parser *p)
{
    word w = { "" };
    size_t n = 0;
    blanks(p);
    while (p->p < p->end && word_char(*p->p) && n + 1 < sizeof w.s)
        w.s[n++] = *p->p++;
    return w;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* The byte after a backslash. */
static bool escape(parser *p, char *c)
{
    if (p->p < p->end && (*p->p == '"' || *p->p == '\\')) {
        *c = *p->p++;
        return true;
    }
    if (p->end - p->p < 3 || p->p[0] != 'x' || hex(p->p[1]) < 0 || hex(p->p[2]) < 0)
        return false;
    *c = (char)(hex(p->p[1]) * 16 + hex(p->p[2]));
    p->p += 3;
    return true;
}

static sgs_status bytes(parser *p, sgs_span *out)
{
    SGS_TRY(want(p, '"'));
    p->list.n = 0;
    while (p->p < p->end && *p->p != '"' && *p->p != '\n') {
        char c = *p->p++;
        if (c == '\\' && !escape(p, &c))
            return fail(p, "a backslash in a string stands before \", \\ or xHH");
        sgs_buf_add(&p->list, &c, 1);
    }
    if (p->p >= p->end || *p->p != '"')
        return fail(p, "the string has no closing quote");
    p->p++;
    char *copy = sgs_try_alloc(p->g->arena, p->list.n + 1);
    if (!copy)
        return out_of_memory(p);
    if (p->list.n)
        memcpy(copy, p->list.p, p->list.n);
    *out = (sgs_span){ (uint8_t *)copy, p->list.n };
    return SGS_OK;
}

static sgs_status string(parser *p, const char **out)
{
    sgs_span s;
    SGS_TRY(bytes(p, &s));
    if (!s.n || memchr(s.p, 0, s.n))
        return fail(p, "a name must not be empty or hold a zero byte");
    *out = (const char *)s.p;
    return SGS_OK;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static sgs_status integer(parser *p, int64_t lo, int64_t hi, int64_t *out)
{
    word w = next_word(p);
    char *end;
    errno = 0;
    long long v = strtoll(w.s, &end, strncmp(w.s, "0x", 2) ? 10 : 16);
    if (!w.s[0] || *end)
        return fail(p, "expected a whole number, found '%s'", w.s);
    if (errno || v < lo || v > hi)
        return fail(p, "%s is out of range: expected %lld to %lld", w.s, (long long)lo, (long long)hi);
    *out = v;
    return SGS_OK;
}

/* nan(0xBITS) */
static sgs_status nan_bits(parser *p, uint64_t *bits)
{
    SGS_TRY(want(p, '('));
    word w = next_word(p);
    char *end;
    *bits = strtoull(w.s, &end, 16);
    if (!w.s[0] || *end)
        return fail(p, "expected nan(0xBITS), found '%s'", w.s);
    return want(p, ')');
}

static bool number_word(const word *w)
{
    return w->s[0] && !strchr(w->s, '_') && strncmp(w->s, "nan", 3);
}

static sgs_status f32(parser *p, float *out)
{
    word w = next_word(p);
    char *end;
    if (!strcmp(w.s, "nan")) {
        uint64_t bits;
        SGS_TRY(nan_bits(p, &bits));
        uint32_t low = (uint32_t)bits;
        memcpy(out, &low, sizeof low);
        return isnan(*out) && bits == low ? SGS_OK : fail(p, "these are not the bits of a NaN");
    }
    *out = strtof(w.s, &end);
    return number_word(&w) && !*end ? SGS_OK : fail(p, "expected a number, found '%s'", w.s);
}

static sgs_status f64(parser *p, double *out)
{
    word w = next_word(p);
    char *end;
    if (!strcmp(w.s, "nan")) {
        uint64_t bits;
        SGS_TRY(nan_bits(p, &bits));
        memcpy(out, &bits, sizeof bits);
        return isnan(*out) ? SGS_OK : fail(p, "these are not the bits of a NaN");
    }
    *out = strtod(w.s, &end);
    return number_word(&w) && !*end ? SGS_OK : fail(p, "expected a number, found '%s'", w.s);
}

/* [a,b,...]: at most max of them; *n is how many. */
static sgs_status integers(parser *p, int64_t *out, int max, int *n)
{
    *n = 0;
    SGS_TRY(want(p, '['));
    if (take(p, ']'))
        return SGS_OK;
    do {
        if (*n == max)
            return fail(p, "more than %d numbers in the list", max);
        SGS_TRY(integer(p, INT64_MIN, INT64_MAX, &out[(*n)++]));
    } while (take(p, ','));
    return want(p, ']');
}

/* ---- values ---------------------------------------------------------------------------------- */

static sgs_status id(parser *p, int *out)
{
    int64_t v;
    SGS_TRY(want(p, '%'));
    SGS_TRY(integer(p, 0, MAX_ID - 1, &v));
    *out = (int)v;
    return SGS_OK;
}

static sgs_value *lookup(parser *p, int n)
{
    return n < p->nvalue ? p->value[n] : NULL;
}

static sgs_status define(parser *p, int n, sgs_value *v)
{
    if (lookup(p, n))
        return fail(p, "%%%d is defined twice", n);
    if (n >= p->nvalue) {
        int more = n + n / 2 + 64;
        sgs_value **grown = SGS_NEW_N(p->g->arena, sgs_value *, more);
        if (p->nvalue)
            memcpy(grown, p->value, (size_t)p->nvalue * sizeof *grown);
        p->value = grown;
        p->nvalue = more;
    }
    p->value[n] = v;
    v->id = n;
    if (p->g->nvalue <= n)
        p->g->nvalue = n + 1;
    return SGS_OK;
}

static sgs_status type_and_dims(parser *p, sgs_value *v)
{
    word w = next_word(p);
    int t = 0;
    while (t < SGS_TYPE_COUNT && strcmp(w.s, sgs_type_name((sgs_type)t)))
        t++;
    if (t == SGS_TYPE_COUNT)
        return fail(p, "expected a type such as f32, found '%s'", w.s);
    v->type = (sgs_type)t;
    SGS_TRY(integers(p, v->dim, SGS_MAX_RANK, &v->rank));
    int64_t count = 1;
    for (int i = 0; i < v->rank; i++)
        if (!sgs_mul64(count, v->dim[i], &count) || count > SGS_MAX_ELEMENTS)
            return fail(p, "the dims are negative or give more than 2^40 elements");
    return SGS_OK;
}

static sgs_status float_list(parser *p, float **out, int *n)
{
    sgs_buf list = { 0 };
    sgs_status s = want(p, '[');
    *n = 0;
    while (s == SGS_OK && !take(p, ']')) {
        float f;
        s = *n ? want(p, ',') : SGS_OK;
        if (s == SGS_OK)
            s = f32(p, &f);
        if (s == SGS_OK)
            sgs_buf_add(&list, &f, sizeof f);
        ++*n;
    }
    *out = SGS_NEW_N(p->g->arena, float, list.n / sizeof(float) + 1);
    if (s == SGS_OK && list.n)
        memcpy(*out, list.p, list.n);
    sgs_buf_free(&list);
    return s;
}

static sgs_status zero_list(parser *p, int32_t **out, int *n)
{
    sgs_buf list = { 0 };
    sgs_status s = want(p, '[');
    *n = 0;
    while (s == SGS_OK && !take(p, ']')) {
        int64_t v = 0;
        s = *n ? want(p, ',') : SGS_OK;
        if (s == SGS_OK)
            s = integer(p, INT32_MIN, INT32_MAX, &v);
        int32_t z = (int32_t)v;
        sgs_buf_add(&list, &z, sizeof z);
        ++*n;
    }
    *out = SGS_NEW_N(p->g->arena, int32_t, list.n / sizeof(int32_t) + 1);
    if (s == SGS_OK && list.n)
        memcpy(*out, list.p, list.n);
    sgs_buf_free(&list);
    return s;
}

typedef struct quant_lengths {
    int scale, zero, lo, hi;
} quant_lengths;

static sgs_status quant_field(parser *p, sgs_quant *q, quant_lengths *n)
{
    word w = next_word(p);
    int64_t v;
    SGS_TRY(want(p, '='));
    bool list = peek(p) == '[';
    if (!strcmp(w.s, "axis")) {
        SGS_TRY(integer(p, 0, SGS_MAX_RANK - 1, &v));
        q->axis = (int)v;
        return SGS_OK;
    }
    if (!strcmp(w.s, "scale") && list)
        return float_list(p, &q->scale, &n->scale);
    if (!strcmp(w.s, "scale")) {
        q->scale = SGS_NEW(p->g->arena, float);
        n->scale = 1;
        return f32(p, q->scale);
    }
    if (!strcmp(w.s, "zero") && list)
        return zero_list(p, &q->zero, &n->zero);
    if (!strcmp(w.s, "zero")) {
        SGS_TRY(integer(p, INT32_MIN, INT32_MAX, &v));
        q->zero = SGS_NEW(p->g->arena, int32_t);
        *q->zero = (int32_t)v;
        n->zero = 1;
        return SGS_OK;
    }
    if (!strcmp(w.s, "lo"))
        return float_list(p, &q->lo, &n->lo);
    if (!strcmp(w.s, "hi"))
        return float_list(p, &q->hi, &n->hi);
    if (!strcmp(w.s, "reason"))
        return string(p, &q->reason);
    return fail(p, "unknown quantization field '%s'", w.s);
}

/* @{axis=3, scale=[...], zero=[...], lo=[...], hi=[...], reason="..."} */
static sgs_status quantization(parser *p, sgs_value *v)
{
    sgs_quant *q = SGS_NEW(p->g->arena, sgs_quant);
    quant_lengths n = { 0 };
    q->axis = -1;
    SGS_TRY(want(p, '{'));
    do
        SGS_TRY(quant_field(p, q, &n));
    while (take(p, ','));
    SGS_TRY(want(p, '}'));
    if (n.scale < 1 || n.scale != n.zero || n.lo != n.hi)
        return fail(p, "quantization needs as many zero points (%d) as scales (%d), and as many lo (%d) as hi (%d)",
                    n.zero, n.scale, n.lo, n.hi);
    q->n = n.scale;
    q->nrange = n.lo;
    v->quant = q;
    return SGS_OK;
}

/* A list of names grows by doubling: its length is a power of two whenever it must grow. */
static sgs_status push_name(parser *p, const char ***list, int *n)
{
    const char *s = NULL;
    SGS_TRY(string(p, &s));
    if (*n == MAX_LIST)
        return fail(p, "a value may have at most %d names", MAX_LIST);
    if (!(*n & (*n - 1))) {
        const char **more = SGS_NEW_N(p->g->arena, const char *, *n ? 2 * *n : 1);
        if (*n)
            memcpy(more, *list, (size_t)*n * sizeof *more);
        *list = more;
    }
    (*list)[(*n)++] = s;
    return SGS_OK;
}

/* %1 "name" "alias" ~"swallowed" f32[1,2] @{...} */
static sgs_status value(parser *p, sgs_value **out)
{
    int n;
    sgs_value *v = SGS_NEW(p->g->arena, sgs_value);
    SGS_TRY(id(p, &n));
    SGS_TRY(define(p, n, v));
    while (peek(p) == '"')
        SGS_TRY(push_name(p, &v->name, &v->nname));
    while (take(p, '~'))
        SGS_TRY(push_name(p, &v->swallowed, &v->nswallowed));
    SGS_TRY(type_and_dims(p, v));
    if (take(p, '@'))
        SGS_TRY(quantization(p, v));
    *out = v;
    return SGS_OK;
}

/* ---- constants ------------------------------------------------------------------------------- */

static sgs_status element(parser *p, sgs_type t, char *at)
{
    static const struct {
        int64_t lo, hi;
    } range[SGS_TYPE_COUNT] = {
        [SGS_S64] = { INT64_MIN, INT64_MAX },
        [SGS_S32] = { INT32_MIN, INT32_MAX },
        [SGS_S16] = { -32768, 32767 },
        [SGS_S8] = { -128, 127 },
        [SGS_U8] = { 0, 255 },
        [SGS_BOOL] = { 0, 1 },
        [SGS_U16] = { 0, 65535 },
        [SGS_F16] = { 0, 65535 },
        [SGS_S4] = { -8, 7 },
    };
    if (t == SGS_F32) {
        float f;
        SGS_TRY(f32(p, &f));
        memcpy(at, &f, sizeof f);
        return SGS_OK;
    }
    if (t == SGS_F64) {
        double f;
        SGS_TRY(f64(p, &f));
        memcpy(at, &f, sizeof f);
        return SGS_OK;
    }
    int64_t v;
    SGS_TRY(integer(p, range[t].lo, range[t].hi, &v));
    switch (sgs_type_bytes(t)) {
    case 8:
        memcpy(at, &v, 8);
        break;
    case 4:
        memcpy(at, &(int32_t){ (int32_t)v }, 4);
        break;
    case 2:
        memcpy(at, &(uint16_t){ (uint16_t)v }, 2);
        break;
    default:
        *at = (char)v;
    }
    return SGS_OK;
}

/* The same numbers everywhere: a 64-bit counter, mixed; its top 24 bits make a float in [-1, 1). */
static void fill_seeded(sgs_type t, char *data, int64_t count, uint64_t seed)
{
    size_t each = (size_t)sgs_type_bytes(t);
    for (int64_t i = 0; i < count; i++) {
        uint64_t z = (seed + 1) * 0x9E3779B97F4A7C15u + (uint64_t)i * 0xD1B54A32D192ED03u;
        z = (z ^ (z >> 32)) * 0xD6E8FEB86659FD93u;
        z = (z ^ (z >> 32)) * 0xD6E8FEB86659FD93u;
        z ^= z >> 32;
        double real = (double)(z >> 40) / 8388608.0 - 1.0;
        float f = (float)real;
        int8_t small = t == SGS_BOOL ? (int8_t)(z >> 63) : (int8_t)(z >> 56);
        small = t == SGS_S4 ? (int8_t)(small >> 4) : small;
        char *at = data + (size_t)i * each;
        if (t == SGS_F32)
            memcpy(at, &f, sizeof f);
        else if (t == SGS_F64)
            memcpy(at, &real, sizeof real);
        else if (each == 8)
            memcpy(at, &(int64_t){ small }, each);
        else if (each == 4)
            memcpy(at, &(int32_t){ small }, each);
        else if (each == 2)
            memcpy(at, &(int16_t){ (int16_t)(t == SGS_F16 ? 0x3c00 : small) }, each);
        else
            *at = (char)small;
    }
}

static sgs_status made_const(parser *p, const sgs_value *v, const char *how, char *data, int64_t count)
{
    size_t each = (size_t)sgs_type_bytes(v->type);
    SGS_TRY(want(p, '('));
    if (!strcmp(how, "seed")) {
        int64_t seed;
        SGS_TRY(integer(p, 0, INT64_MAX, &seed));
        fill_seeded(v->type, data, count, (uint64_t)seed);
        return want(p, ')');
    }
    char first[8];
    SGS_TRY(element(p, v->type, first));
    for (int64_t i = 0; i < count; i++)
        memcpy(data + (size_t)i * each, first, each);
    return want(p, ')');
}

static sgs_status listed_const(parser *p, const sgs_value *v, char *data, int64_t count)
{
    size_t each = (size_t)sgs_type_bytes(v->type);
    SGS_TRY(want(p, '{'));
    for (int64_t i = 0; i < count; i++) {
        if (i)
            SGS_TRY(want(p, ','));
        SGS_TRY(element(p, v->type, data + (size_t)i * each));
    }
    if (take(p, ','))
        return fail(p, "more than the %lld elements of the dims", (long long)count);
    return want(p, '}');
}

static sgs_status constant(parser *p)
{
    sgs_value *v;
    SGS_TRY(value(p, &v));
    SGS_TRY(want(p, '='));
    int64_t count = sgs_value_count(v);
    bool listed = peek(p) == '{';
    word how = { "" };
    if (!listed) {
        how = next_word(p);
        if (strcmp(how.s, "splat") && strcmp(how.s, "seed"))
            return fail(p, "expected {...}, splat(x) or seed(n), found '%s'", how.s);
    }
    /* An element in a list takes at least one character. */
    if (count > (listed ? p->end - p->p : MAX_MADE))
        return listed ? fail(p, "fewer than the %lld elements of the dims", (long long)count)
                      : fail(p, "splat and seed make at most %lld elements", (long long)MAX_MADE);
    char *data = sgs_try_alloc(p->g->arena, (size_t)sgs_value_bytes(v));
    if (!data)
        return out_of_memory(p);
    v->constant = sgs_constant_new(p->g->arena, data);
    return listed ? listed_const(p, v, data, count) : made_const(p, v, how.s, data, count);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void *at_offset(sgs_node *n, size_t offset)
{
    return (char *)n->attr + offset;
}

/* A name of the enumeration, or its number (which may be out of range: the verifier's business). */
static sgs_status enum_attr(parser *p, const sgs_attr *a, int64_t *out)
{
    const char *start = p->p;
    word w = next_word(p);
    for (int64_t i = 0; a->names[i]; i++)
        if (!strcmp(w.s, a->names[i])) {
            *out = i;
            return SGS_OK;
        }
    p->p = start;
    if (w.s[0] >= '0' && w.s[0] <= '9')
        return integer(p, 0, INT64_MAX, out);
    int n = 0;
    while (a->names[n])
        n++;
    const char *near = sgs_nearest(w.s, a->names, n);
    return fail(p, "'%s' is no value of %s; did you mean %s?", w.s, a->name, near ? near : a->names[0]);
}

static sgs_status attr_value(parser *p, sgs_node *n, const sgs_attr *a)
{
    switch (a->kind) {
    case SGS_ATTR_INT:
        return integer(p, INT64_MIN, INT64_MAX, at_offset(n, a->offset));
    case SGS_ATTR_FLOAT:
        return f32(p, at_offset(n, a->offset));
    case SGS_ATTR_INTS: {
        int count;
        SGS_TRY(integers(p, at_offset(n, a->offset), a->max, &count));
        if (a->count_offset == SGS_ALL && count != a->max)
            return fail(p, "%s has %d numbers, found %d", a->name, a->max, count);
        if (a->count_offset != SGS_ALL)
            *(int64_t *)at_offset(n, a->count_offset) = count;
        return SGS_OK;
    }
    case SGS_ATTR_ENUM:
        return enum_attr(p, a, at_offset(n, a->offset));
    }
    return SGS_E_INTERNAL;
}

static sgs_status attrs(parser *p, sgs_node *n)
{
    if (take(p, '}'))
        return SGS_OK;
    do {
        word w = next_word(p);
        const sgs_attr *a = n->op->attr;
        while (a && a->name && strcmp(a->name, w.s))
            a++;
        if (!a || !a->name)
            return fail(p, "%s has no attribute '%s'", n->op->name, w.s);
        SGS_TRY(want(p, '='));
        SGS_TRY(attr_value(p, n, a));
    } while (take(p, ','));
    return want(p, '}');
}

static sgs_status op_name(parser *p, const sgs_op **op)
{
    word w = next_word(p);
    *op = sgs_op_find(w.s);
    if (*op)
        return SGS_OK;
    const char *names[256];
    int n = 0;
    for (const sgs_op *o; n < 256 && (o = sgs_op_at(n)); n++)
        names[n] = o->name;
    const char *near = sgs_nearest(w.s, names, n);
    sgs_status s = fail(p, "there is no operator '%s'", w.s);
    if (near)
        sgs_hint(p->d, "did you mean '%s'?", near);
    return s;
}

/* A use: %n defined above, or _ for an absent input. */
static sgs_status use(parser *p, sgs_value **out)
{
    *out = NULL;
    if (take(p, '_'))
        return SGS_OK;
    int n;
    SGS_TRY(id(p, &n));
    *out = lookup(p, n);
    return *out ? SGS_OK : fail(p, "%%%d is used before it is defined", n);
}

/* Uses are read before the node's own outputs are entered, so that none can be its own input. */
static sgs_status inputs(parser *p, const sgs_op *op, sgs_node **out)
{
    sgs_value *in[MAX_LIST];
    int n = 0;
    while (peek(p) == '%' || peek(p) == '_') {
        if (n == MAX_LIST)
            return fail(p, "more than %d inputs", MAX_LIST);
        SGS_TRY(use(p, &in[n++]));
        if (!take(p, ','))
            break;
    }
    *out = sgs_node_new(p->g, NULL, op, n, in, NULL);
    return SGS_OK;
}

static bool is_output(sgs_value *v, sgs_value *const *list, int n)
{
    for (int i = 0; i < n; i++)
        if (list[i] == v)
            return true;
    return false;
}

static sgs_status node(parser *p)
{
    sgs_value *made[64];
    int nmade = 0;
    do {
        if (nmade == 64)
            return fail(p, "more than 64 outputs");
        SGS_TRY(value(p, &made[nmade++]));
    } while (take(p, ','));
    SGS_TRY(want(p, '='));
    const sgs_op *op;
    sgs_node *n;
    SGS_TRY(op_name(p, &op));
    SGS_TRY(inputs(p, op, &n));
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && is_output(n->in[i], made, nmade))
            return fail(p, "%%%d is its own input", n->in[i]->id);
    sgs_node_set_out(p->g, n, nmade, made);
    if (take(p, '{'))
        SGS_TRY(attrs(p, n));
    if (peek(p) != 'a')
        return SGS_OK;
    word as = next_word(p);
    return strcmp(as.s, "as") ? fail(p, "expected as \"NAME\", found '%s'", as.s) : string(p, &n->name);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void append(sgs_graph *g, sgs_value ***list, int *n, sgs_value *v)
{
    if (!(*n & (*n - 1))) {
        sgs_value **more = SGS_NEW_N(g->arena, sgs_value *, *n ? 2 * *n : 1);
        if (*n)
            memcpy(more, *list, (size_t)*n * sizeof *more);
        *list = more;
    }
    (*list)[(*n)++] = v;
}

static sgs_status meta(parser *p)
{
    const char *name = NULL;
    sgs_span data;
    SGS_TRY(string(p, &name));
    SGS_TRY(bytes(p, &data));
    sgs_meta_set(p->g, name, data.p, data.n);
    return SGS_OK;
}

static sgs_status statement(parser *p)
{
    if (peek(p) == '%')
        return node(p);
    word w = next_word(p);
    sgs_value *v;
    if (!strcmp(w.s, "const"))
        return constant(p);
    if (!strcmp(w.s, "meta"))
        return meta(p);
    if (!strcmp(w.s, "input")) {
        SGS_TRY(value(p, &v));
        append(p->g, &p->g->in, &p->g->nin, v);
        return SGS_OK;
    }
    if (!strcmp(w.s, "output")) {
        SGS_TRY(use(p, &v));
        if (!v)
            return fail(p, "an output must be a value");
        append(p->g, &p->g->out, &p->g->nout, v);
        return SGS_OK;
    }
    return fail(p, "expected meta, input, const, output or %%id, found '%s'", w.s);
}

static sgs_status lines(parser *p)
{
    for (p->line = 1; p->p < p->end; p->line++) {
        char c = peek(p);
        if (c && c != '\n')
            SGS_TRY(statement(p));
        c = peek(p);
        if (c && c != '\n')
            return fail(p, "unexpected text at the end of the line");
        if (p->p < p->end)
            p->p++;
    }
    return SGS_OK;
}

sgs_status sgs_graph_parse(sgs_graph **g, const char *file, sgs_span text, sgs_diag *d)
{
    parser p = { .p = (const char *)text.p, .d = d };
    *g = NULL;
    p.end = text.n ? p.p + text.n : p.p;
    p.g = sgs_graph_new(file);
    sgs_arena_limit(p.g->arena, ((size_t)1 << 30) + 64 * text.n);
    sgs_status s = lines(&p);
    sgs_arena_limit(p.g->arena, 0);
    sgs_buf_free(&p.list);
    if (s != SGS_OK) {
        sgs_graph_free(p.g);
        return s;
    }
    *g = p.g;
    return SGS_OK;
}
