#include "import/prototxt.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 64, LONGEST_TOKEN = 65536, MOST_NAMES = 160 };

typedef enum kind { T_END, T_NAME, T_NUMBER, T_STRING, T_SIGN } kind;

typedef struct token {
    kind kind;
    const char *p;
    size_t n;
    int line;
} token;

typedef struct parser {
    sgs_arena *a;
    const char *file, *p, *end;
    int line, depth;
    token t;
    sgs_diag *d;
} parser;

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

static sgs_status wrong(parser *p, int line, const char *text)
{
    sgs_fail(p->d, SGS_E_FORMAT, "%s", text);
    return sgs_fail_at(p->d, p->file, line, NULL);
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_blanks(parser *p)
{
    for (; p->p < p->end; p->p++) {
        if (*p->p == '#')
            while (p->p < p->end && *p->p != '\n')
                p->p++;
        if (p->p == p->end)
            return;
        if (!strchr(" \t\r\n\f\v", *p->p) || !*p->p)
            return;
        p->line += *p->p == '\n';
    }
}

/* From an opening quote to the closing one. */
static sgs_status string_token(parser *p)
{
    const char quote = *p->p++;
    while (p->p < p->end && *p->p != quote && *p->p != '\n')
        p->p += *p->p == '\\' && p->p + 1 < p->end && p->p[1] != '\n' ? 2 : 1;
    if (p->p == p->end || *p->p != quote)
        return wrong(p, p->line, "a string has no closing quote");
    p->p++;
    return SGS_OK;
}

static sgs_status next(parser *p)
{
    skip_blanks(p);
    p->t = (token){ .kind = T_END, .p = p->p, .line = p->line };
    if (p->p == p->end)
        return SGS_OK;
    const char c = *p->p;
    if (c == '"' || c == '\'') {
        p->t.kind = T_STRING;
        SGS_TRY(string_token(p));
    } else if (letter(c)) {
        p->t.kind = T_NAME;
        while (p->p < p->end && (letter(*p->p) || digit(*p->p)))
            p->p++;
    } else if (digit(c) || c == '.' || c == '-' || c == '+') {
        p->t.kind = T_NUMBER;
        for (p->p++; p->p < p->end && (letter(*p->p) || digit(*p->p) || *p->p == '.' || ((*p->p == '-' || *p->p == '+') && (p->p[-1] | 32) == 'e'));)
            p->p++;
    } else if (c && strchr("{}<>[]:,;", c)) {
        p->t.kind = T_SIGN;
        p->p++;
    } else {
        sgs_fail(p->d, SGS_E_FORMAT, "a byte that no text of this kind holds: 0x%02x", (unsigned)(unsigned char)c);
        return sgs_fail_at(p->d, p->file, p->line, NULL);
    }
    p->t.n = (size_t)(p->p - p->t.p);
    return p->t.n <= LONGEST_TOKEN ? SGS_OK : wrong(p, p->t.line, "a word is longer than 65536 bytes");
}

static bool is_sign(const parser *p, char c)
{
    return p->t.kind == T_SIGN && *p->t.p == c;
}

/* What stands there, for messages. */
static const char *found(const parser *p, char *text, size_t n)
{
    const char *quote = p->t.kind == T_STRING ? "" : "'";
    if (p->t.kind == T_END)
        return "the end of the file";
    snprintf(text, n, "%s%.*s%s", quote, p->t.n < 60 ? (int)p->t.n : 60, p->t.p, quote);
    return text;
}

static sgs_status expected(parser *p, const char *what)
{
    char text[80];
    sgs_fail(p->d, SGS_E_FORMAT, "expected %s, found %s", what, found(p, text, sizeof text));
    return sgs_fail_at(p->d, p->file, p->t.line, NULL);
}

/* ---- scalars --------------------------------------------------------------------------------------------------- */

static sgs_status wrong_value(parser *p, const sgs_text_field *f, const char *what)
{
    char text[80];
    sgs_fail(p->d, SGS_E_FORMAT, "%s: expected %s, found %s", f->name, what, found(p, text, sizeof text));
    return sgs_fail_at(p->d, p->file, p->t.line, NULL);
}

/* The token's text with a NUL behind it. */
static const char *token_text(const parser *p, char *buf, size_t n)
{
    snprintf(buf, n, "%.*s", p->t.n < n ? (int)p->t.n : (int)n - 1, p->t.p);
    return buf;
}

static sgs_status read_integer(parser *p, const sgs_text_field *f, sgs_text_value *v)
{
    char buf[40], *end = buf;
    const bool count = f->kind == SGS_TEXT_COUNT;
    errno = 0;
    if (p->t.kind == T_NUMBER && p->t.n < sizeof buf) {
        token_text(p, buf, sizeof buf);
        v->i = strtoll(buf, &end, 0);
    }
    if (end == buf || *end || errno || (count && (v->i < 0 || v->i > UINT32_MAX)))
        return wrong_value(p, f, count ? "a whole number from 0 to 4294967295" : "a whole number");
    return SGS_OK;
}

static sgs_status read_float(parser *p, const sgs_text_field *f, sgs_text_value *v)
{
    char buf[80], *end = buf;
    if (p->t.n < sizeof buf && (p->t.kind == T_NUMBER || p->t.kind == T_NAME)) {
        token_text(p, buf, sizeof buf);
        v->f = strtod(buf, &end);
        end += end != buf && (*end == 'f' || *end == 'F') && digit(end[-1] == '.' ? '0' : end[-1]);
    }
    return end == buf || *end ? wrong_value(p, f, "a number") : SGS_OK;
}

static bool token_is(const parser *p, const char *word)
{
    return p->t.n == strlen(word) && !memcmp(p->t.p, word, p->t.n);
}

static sgs_status read_bool(parser *p, const sgs_text_field *f, sgs_text_value *v)
{
    v->i = token_is(p, "true") || token_is(p, "True") || token_is(p, "t") || token_is(p, "1");
    const bool no = token_is(p, "false") || token_is(p, "False") || token_is(p, "f") || token_is(p, "0");
    return v->i || no ? SGS_OK : wrong_value(p, f, "true or false");
}

static sgs_status read_word(parser *p, const sgs_text_field *f, sgs_text_value *v)
{
    char buf[16];
    for (int i = 0; f->words[i]; i++)
        if (p->t.kind == T_NAME ? token_is(p, f->words[i]) : p->t.kind == T_NUMBER && f->words[i][0] && (snprintf(buf, sizeof buf, "%d", i), token_is(p, buf))) {
            v->i = i;
            return SGS_OK;
        }
    sgs_buf known = { 0 };
    sgs_buf_printf(&known, "one of");
    for (int i = 0; f->words[i]; i++)
        if (f->words[i][0])
            sgs_buf_printf(&known, "%s%s", known.n > 6 ? ", " : " ", f->words[i]);
    const sgs_status s = wrong_value(p, f, known.p);
    sgs_buf_free(&known);
    return s;
}

/* One escape behind its backslash. */
static char unescape(const char **s, const char *end)
{
    static const char from[] = "ntrabfv", to[] = "\n\t\r\a\b\f\v";
    const char c = *(*s)++, *at = c ? strchr(from, c) : NULL;
    int v = 0, n = 0;
    if (at)
        return to[at - from];
    if (c < '0' || c > '7')
        return c;
    for (--*s; n < 3 && *s < end && **s >= '0' && **s <= '7'; n++)
        v = v * 8 + *(*s)++ - '0';
    return (char)v;
}

/* Strings side by side are one. */
static sgs_status read_string(parser *p, const sgs_text_field *f, sgs_text_value *v)
{
    sgs_buf b = { 0 };
    sgs_status st = p->t.kind == T_STRING ? SGS_OK : wrong_value(p, f, "a string in quotes");
    while (st == SGS_OK && p->t.kind == T_STRING) {
        const char *end = p->t.p + p->t.n - 1;
        for (const char *s = p->t.p + 1; s < end;) {
            char c = *s++;
            if (c == '\\' && s < end)
                c = unescape(&s, end);
            sgs_buf_add(&b, &c, 1);
        }
        st = b.n <= LONGEST_TOKEN ? next(p) : wrong(p, p->t.line, "a word is longer than 65536 bytes");
    }
    if (st == SGS_OK && b.n && memchr(b.p, 0, b.n))
        st = wrong(p, v->line, "a string holds a zero byte");
    v->s = sgs_strndup(p->a, b.p ? b.p : "", b.n);
    sgs_buf_free(&b);
    return st;
}

static sgs_status read_scalar(parser *p, const sgs_text_field *f, sgs_text_value *v)
{
    switch (f->kind) {
    case SGS_TEXT_INT:
    case SGS_TEXT_COUNT: SGS_TRY(read_integer(p, f, v)); break;
    case SGS_TEXT_BOOL: SGS_TRY(read_bool(p, f, v)); break;
    case SGS_TEXT_FLOAT: SGS_TRY(read_float(p, f, v)); break;
    case SGS_TEXT_WORD: SGS_TRY(read_word(p, f, v)); break;
    default: return read_string(p, f, v);
    }
    return next(p);
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

static sgs_status read_fields(parser *p, sgs_text_message *m, char close);

/* What opens here must close; its fields are anything. */
static sgs_status skip_value(parser *p)
{
    int open = 0;
    do {
        if (p->t.kind == T_END || (!open && p->t.kind == T_SIGN && !strchr("{<[", *p->t.p)))
            return expected(p, "a value");
        if (p->t.kind == T_SIGN)
            open += strchr("{<[", *p->t.p) ? 1 : strchr("}>]", *p->t.p) ? -1 : 0;
        if (open > DEPTH)
            return wrong(p, p->t.line, "messages are nested deeper than 64");
        SGS_TRY(next(p));
    } while (open);
    return SGS_OK;
}

static sgs_status unknown_field(parser *p, sgs_text_message *m, const token *name)
{
    const char *names[MOST_NAMES], *word = sgs_strndup(p->a, name->p, name->n);
    int n = 0;
    for (const sgs_text_field *f = m->type->field; f->name && n < MOST_NAMES; f++)
        names[n++] = f->name;
    const char *near = sgs_nearest(word, names, n);
    sgs_fail(p->d, SGS_E_FORMAT, "%s has no field '%.100s'", m->type->name, word);
    sgs_fail_at(p->d, p->file, name->line, NULL);
    if (near)
        sgs_hint(p->d, "did you mean '%s'?", near);
    return SGS_E_FORMAT;
}

static bool ends_with(const token *t, const char *tail)
{
    const size_t n = strlen(tail);
    return t->n > n && !memcmp(t->p + t->n - n, tail, n);
}

static sgs_status read_message(parser *p, const sgs_text_type *type, sgs_text_message **m)
{
    if (!is_sign(p, '{') && !is_sign(p, '<'))
        return expected(p, "'{'");
    const char close = is_sign(p, '{') ? '}' : '>';
    *m = sgs_try_alloc(p->a, sizeof **m);
    if (!*m)
        return sgs_fail(p->d, SGS_E_LIMIT, "the network exceeds the memory limit");
    **m = (sgs_text_message){ .type = type, .line = p->t.line };
    if (++p->depth > DEPTH)
        return wrong(p, p->t.line, "messages are nested deeper than 64");
    SGS_TRY(next(p));
    SGS_TRY(read_fields(p, *m, close));
    p->depth--;
    return next(p);
}

static sgs_status add_value(parser *p, sgs_text_message *m, const sgs_text_field *f, int line)
{
    sgs_text_value *v = sgs_try_alloc(p->a, sizeof *v);
    if (!v)
        return sgs_fail(p->d, SGS_E_LIMIT, "the network exceeds the memory limit");
    *v = (sgs_text_value){ .field = f, .line = line };
    if (!f->many && sgs_text_find(m->first, f->name)) {
        sgs_fail(p->d, SGS_E_FORMAT, "%s is given twice", f->name);
        return sgs_fail_at(p->d, p->file, line, NULL);
    }
    SGS_TRY(f->kind == SGS_TEXT_MESSAGE ? read_message(p, f->type, &v->m) : read_scalar(p, f, v));
    if (m->last)
        m->last->next = v;
    else
        m->first = v;
    m->last = v;
    return SGS_OK;
}

/* [a, b, ...] */
static sgs_status read_list(parser *p, sgs_text_message *m, const sgs_text_field *f)
{
    if (!f->many)
        return wrong_value(p, f, "one value");
    SGS_TRY(next(p));
    while (!is_sign(p, ']')) {
        SGS_TRY(add_value(p, m, f, p->t.line));
        if (!is_sign(p, ']') && !is_sign(p, ','))
            return expected(p, "',' or ']'");
        if (is_sign(p, ','))
            SGS_TRY(next(p));
    }
    return next(p);
}

static sgs_status read_field(parser *p, sgs_text_message *m)
{
    const token name = p->t;
    const sgs_text_field *f = m->type->field;
    if (name.kind != T_NAME)
        return expected(p, "the name of a field");
    while (f->name && !token_is(p, f->name))
        f++;
    const bool open = !f->name && m->type->open && ends_with(&name, m->type->open);
    if (!f->name && !open)
        return unknown_field(p, m, &name);
    if (open && !m->unknown) {
        m->unknown = sgs_strndup(p->a, name.p, name.n < 100 ? name.n : 100);
        m->unknown_line = name.line;
    }
    SGS_TRY(next(p));
    const bool colon = is_sign(p, ':'), message = f->name && f->kind == SGS_TEXT_MESSAGE, skipped = open || f->kind == SGS_TEXT_SKIPPED;
    if (colon)
        SGS_TRY(next(p));
    else if (!message && !(skipped && (is_sign(p, '{') || is_sign(p, '<'))))
        return expected(p, "':'");
    if (skipped)
        return skip_value(p);
    return is_sign(p, '[') ? read_list(p, m, f) : add_value(p, m, f, name.line);
}

static sgs_status read_fields(parser *p, sgs_text_message *m, char close)
{
    for (;;) {
        if (p->t.kind == T_END && !close)
            return SGS_OK;
        if (p->t.kind == T_END) {
            sgs_fail(p->d, SGS_E_FORMAT, "the file ends inside the %s that begins in line %d: expected '%c'", m->type->name, m->line, close);
            return sgs_fail_at(p->d, p->file, p->t.line, NULL);
        }
        if (close && is_sign(p, close))
            return SGS_OK;
        SGS_TRY(read_field(p, m));
        if (is_sign(p, ',') || is_sign(p, ';'))
            SGS_TRY(next(p));
    }
}

sgs_status sgs_text_parse(sgs_arena *a, const char *file, sgs_span text, const sgs_text_type *type, sgs_text_message **m, sgs_diag *d)
{
    const char *start = text.n ? (const char *)text.p : "";
    parser p = { .a = a, .p = start, .end = start + text.n, .file = file, .line = 1, .d = d };
    *m = SGS_NEW(a, sgs_text_message);
    **m = (sgs_text_message){ .type = type, .line = 1 };
    SGS_TRY(next(&p));
    return read_fields(&p, *m, '\0');
}

const sgs_text_value *sgs_text_find(const sgs_text_value *v, const char *name)
{
    while (v && strcmp(v->field->name, name))
        v = v->next;
    return v;
}
