#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/ini.h"

#define MAX_BYTES ((size_t)1 << 20)
#define MAX_ITEMS 4096

typedef struct cursor {
    sgs_ini *ini;
    const char *p, *end; /* what is left of the line */
    int line;
    const char *section; /* NULL before the first */
    bool comments;       /* `;` and `#` end a value */
    sgs_diag *d;
} cursor;

static sgs_status bad(const cursor *c, const char *fmt, ...) SGS_PRINTF(2, 3);
static sgs_status bad(const cursor *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sgs_fail(c->d, SGS_E_CONFIG, "%s", text);
    sgs_fail_at(c->d, c->ini->file, c->line, NULL);
    return SGS_E_CONFIG;
}

static bool blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\f' || ch == '\v';
}

/* Spaces that editors and web pages leave: no-break, zero-width, full-width, byte order mark. */
static const char *const odd_blanks[] = { "\xc2\xa0", "\xe2\x80\x8b", "\xe3\x80\x80", "\xef\xbb\xbf" };
/* Full-width forms of , ; : = # and what was meant. */
static const struct {
    const char *wide, plain;
} punctuation[] = {
    { "\xef\xbc\x8c", ',' }, { "\xef\xbc\x9b", ';' }, { "\xef\xbc\x9a", ':' },
    { "\xef\xbc\x9d", '=' }, { "\xef\xbc\x83", '#' },
};

/* Bytes of the blank that [p, end) begins with (from = 0) or ends with; 0: none. */
static size_t blank_bytes(const char *p, const char *end, bool at_end)
{
    if (p < end && blank(at_end ? end[-1] : *p))
        return 1;
    for (size_t i = 0; i < sizeof odd_blanks / sizeof *odd_blanks; i++) {
        const size_t n = strlen(odd_blanks[i]);
        if ((size_t)(end - p) >= n && !memcmp(at_end ? end - n : p, odd_blanks[i], n))
            return n;
    }
    return 0;
}

static void skip_blanks(cursor *c)
{
    for (size_t n; (n = blank_bytes(c->p, c->end, false));)
        c->p += n;
}

static const char *trimmed_end(const char *from, const char *to)
{
    for (size_t n; (n = blank_bytes(from, to, true));)
        to -= n;
    return to;
}

static bool same_word(const char *word, const char *p, size_t n)
{
    return strlen(word) == n && strncasecmp(word, p, n) == 0;
}

/* ---- what is known --------------------------------------------------------------------------------------------- */

static const char *known_section(const sgs_ini *ini, const char *p, size_t n)
{
    for (int i = 0; i < ini->nknown; i++)
        if (same_word(ini->known[i].section, p, n))
            return ini->known[i].section;
    return NULL;
}

static const sgs_ini_key *known_key(const sgs_ini *ini, const char *section, const char *p, size_t n)
{
    for (int i = 0; i < ini->nknown; i++)
        if ((!section || !strcmp(ini->known[i].section, section)) && same_word(ini->known[i].key, p, n))
            return &ini->known[i];
    return NULL;
}

static sgs_status unknown_section(const cursor *c, const char *name)
{
    sgs_buf list = { 0 };
    const char *names[16];
    int n = 0;
    for (int i = 0; i < c->ini->nknown && n < 16; i++) {
        if (n && !strcmp(names[n - 1], c->ini->known[i].section))
            continue;
        names[n++] = c->ini->known[i].section;
        sgs_buf_printf(&list, "%s[%s]", n > 1 ? ", " : "", names[n - 1]);
    }
    sgs_status s = bad(c, "expected one of the sections %s, found [%.80s]", list.p, name);
    const char *near = sgs_nearest(name, names, n);
    if (near)
        sgs_hint(c->d, "did you mean [%s]?", near);
    sgs_buf_free(&list);
    return s;
}

static sgs_status unknown_key(const cursor *c, const char *name)
{
    sgs_buf list = { 0 };
    const char *names[64];
    int n = 0;
    for (int i = 0; i < c->ini->nknown && n < 64; i++) {
        if (strcmp(c->ini->known[i].section, c->section))
            continue;
        names[n++] = c->ini->known[i].key;
        sgs_buf_printf(&list, "%s%s", n > 1 ? ", " : "", names[n - 1]);
    }
    sgs_status s = bad(c, "unknown key '%.80s' in [%s]; known: %s", name, c->section, list.p);
    const sgs_ini_key *elsewhere = known_key(c->ini, NULL, name, strlen(name));
    const char *near = sgs_nearest(name, names, n);
    if (elsewhere)
        sgs_hint(c->d, "'%s' belongs to [%s]", elsewhere->key, elsewhere->section);
    else if (near)
        sgs_hint(c->d, "did you mean '%s'?", near);
    sgs_buf_free(&list);
    return s;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static sgs_status quoted_item(cursor *c, sgs_ini_item *item)
{
    const char quote = *c->p++;
    sgs_buf b = { 0 };
    for (;; c->p++) {
        if (c->p == c->end) {
            sgs_buf_free(&b);
            return bad(c, "a quote (%c) is opened but not closed on this line", quote);
        }
        if (*c->p == quote) {
            c->p++;
            if (c->p == c->end || *c->p != quote)
                break;
        }
        sgs_buf_add(&b, c->p, 1);
    }
    *item = (sgs_ini_item){ sgs_strndup(c->ini->arena, b.p ? b.p : "", b.n), true };
    sgs_buf_free(&b);
    skip_blanks(c);
    return SGS_OK;
}

static bool at_value_end(const cursor *c)
{
    return c->p == c->end || (c->comments && (*c->p == ';' || *c->p == '#'));
}

static sgs_status expect_plain(const cursor *c, const char *from, const char *to)
{
    for (const char *p = from; p < to; p++)
        for (size_t i = 0; i < sizeof punctuation / sizeof *punctuation; i++)
            if (to - p >= 3 && !memcmp(p, punctuation[i].wide, 3))
                return bad(c, "expected a plain '%c', found the full-width '%s' in '%.*s'", punctuation[i].plain,
                           punctuation[i].wide, to - from > 80 ? 80 : (int)(to - from), from);
    return SGS_OK;
}

static sgs_status read_item(cursor *c, sgs_ini_item *item)
{
    skip_blanks(c);
    if (c->p < c->end && (*c->p == '"' || *c->p == '\'')) {
        SGS_TRY(quoted_item(c, item));
        if (!at_value_end(c) && *c->p != ',')
            return bad(c, "expected ',' or the end of the value after the quoted entry '%.80s', found '%.20s'",
                       item->text, sgs_strndup(c->ini->arena, c->p, (size_t)(c->end - c->p)));
        return SGS_OK;
    }
    const char *start = c->p;
    while (!at_value_end(c) && *c->p != ',')
        c->p++;
    *item = (sgs_ini_item){ sgs_strndup(c->ini->arena, start, (size_t)(trimmed_end(start, c->p) - start)), false };
    return expect_plain(c, start, c->p);
}

static sgs_status read_list(cursor *c, sgs_ini_entry *e)
{
    sgs_buf items = { 0 };
    sgs_status s = SGS_OK;
    for (;;) {
        sgs_ini_item item;
        s = read_item(c, &item);
        if (s == SGS_OK && e->n == MAX_ITEMS)
            s = bad(c, "expected at most %d entries in a list", MAX_ITEMS);
        if (s != SGS_OK)
            break;
        sgs_buf_add(&items, &item, sizeof item);
        e->n++;
        if (at_value_end(c))
            break;
        c->p++; /* the comma */
    }
    if (s == SGS_OK) {
        e->item = SGS_NEW_N(c->ini->arena, sgs_ini_item, e->n);
        memcpy(e->item, items.p, items.n);
        if (e->n == 1 && !e->item[0].quoted && !e->item[0].text[0])
            e->n = 0;
    }
    sgs_buf_free(&items);
    return s;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static sgs_status section(cursor *c)
{
    const char *close = memchr(c->p, ']', (size_t)(c->end - c->p));
    if (!close)
        return bad(c, "expected ']' after the section's name");
    c->p++;
    skip_blanks(c);
    const char *to = trimmed_end(c->p, close);
    c->section = known_section(c->ini, c->p, (size_t)(to - c->p));
    if (!c->section)
        return unknown_section(c, sgs_strndup(c->ini->arena, c->p, (size_t)(to - c->p)));
    c->p = close + 1;
    const int most = (int)(sizeof c->ini->section / sizeof *c->ini->section);
    if (!sgs_ini_section_line(c->ini, c->section) && c->ini->nsection < most)
        c->ini->section[c->ini->nsection++] = (struct sgs_ini_section){ c->section, c->line };
    return SGS_OK;
}

static sgs_status setting(cursor *c)
{
    const char *start = c->p;
    while (c->p < c->end && *c->p != '=' && *c->p != '#' && *c->p != ';')
        c->p++;
    const char *to = trimmed_end(start, c->p);
    const char *name = sgs_strndup(c->ini->arena, start, (size_t)(to - start));
    SGS_TRY(expect_plain(c, start, to));
    if (c->p == c->end || *c->p != '=' || to == start)
        return bad(c, "expected KEY = VALUE or [SECTION], found '%.80s'", name);
    if (!c->section)
        return bad(c, "expected a section ([%s]) before the key '%.80s'", c->ini->known[0].section, name);
    const sgs_ini_key *key = known_key(c->ini, c->section, name, strlen(name));
    if (!key)
        return unknown_key(c, name);
    for (int i = 0; i < c->ini->n; i++)
        if (c->ini->entry[i].key == key)
            return bad(c, "'%s' is set twice; the first time on line %d", key->key, c->ini->entry[i].line);
    c->p++;
    sgs_ini_entry *e = &c->ini->entry[c->ini->n++];
    *e = (sgs_ini_entry){ .key = key, .line = c->line };
    return read_list(c, e);
}

/* Behind a `;`: does another setting or section follow, or a comment? */
static bool setting_follows(const cursor *c)
{
    const char stop = *c->p == '[' ? ']' : '=';
    const char *from = c->p + (stop == ']'), *q = from;
    while (q < c->end && *q != stop && *q != ';' && *q != '#')
        q++;
    if (q == c->end || *q != stop)
        return false;
    const size_t n = (size_t)(trimmed_end(from, q) - from);
    return stop == ']' ? known_section(c->ini, from, n) != NULL : known_key(c->ini, NULL, from, n) != NULL;
}

static bool all_in(const char *p, const char *end, const char *set)
{
    while (p < end && *p && strchr(set, *p))
        p++;
    return p == end;
}

/* One word of printable ASCII. */
static bool is_word(const char *p, const char *end)
{
    for (; p < end; p++)
        if (p[0] <= ' ' || p[0] >= 127)
            return false;
    return true;
}

/* Behind the `;` of a value, where no setting follows: a comment, unless it was meant as one more entry, that is, a
 * number or a word right behind the `;`. */
static sgs_status remark(cursor *c)
{
    const bool close = !blank_bytes(c->p, c->end, false);
    skip_blanks(c);
    const char *to = c->p;
    while (to < c->end && *to != ';' && *to != '#')
        to++;
    to = trimmed_end(c->p, to);
    const bool slashes = to - c->p > 1 && !memcmp(c->p, "//", 2);
    if (to == c->p || slashes || !(all_in(c->p, to, "0123456789+-.:eE, ") || (close && is_word(c->p, to))))
        return SGS_OK;
    sgs_status s = bad(c, "expected the end of the line or a comment behind ';', found '%.*s'",
                       to - c->p > 80 ? 80 : (int)(to - c->p), c->p);
    sgs_hint(c->d, "entries are separated with ','; a comment behind ';' begins with '#'");
    return s;
}

static sgs_status parse_line(cursor *c)
{
    bool start = true; /* of the line, or right behind a section's header */
    for (;;) {
        const char *from = c->p;
        skip_blanks(c);
        if (at_value_end(c))
            return SGS_OK;
        if (!start && !setting_follows(c)) {
            c->p = from;
            return remark(c);
        }
        start = *c->p == '[';
        SGS_TRY(start ? section(c) : setting(c));
        if (!start && c->p < c->end && *c->p == ';')
            c->p++;
    }
}

sgs_status sgs_ini_parse(sgs_ini *ini, sgs_span text, sgs_diag *d)
{
    cursor c = { .ini = ini, .line = 1, .comments = true, .d = d };
    if (text.n > MAX_BYTES)
        return bad(&c, "expected a text file of at most %zu bytes, found %zu", MAX_BYTES, text.n);
    if (text.n >= 2 && ((text.p[0] == 0xff && text.p[1] == 0xfe) || (text.p[0] == 0xfe && text.p[1] == 0xff)))
        return bad(&c, "the file is UTF-16; save it as UTF-8");
    ini->entry = SGS_NEW_N(ini->arena, sgs_ini_entry, ini->nknown);
    if (!text.n)
        return SGS_OK;
    const char *p = (const char *)text.p, *end = p + text.n;
    if (text.n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        p += 3;
    for (; p < end; c.line++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        c.p = p;
        c.end = nl ? nl : end;
        p = nl ? nl + 1 : end;
        if (memchr(c.p, 0, (size_t)(c.end - c.p)))
            return bad(&c, "expected a text file, found a zero byte");
        SGS_TRY(parse_line(&c));
    }
    return SGS_OK;
}

int sgs_ini_section_line(const sgs_ini *ini, const char *name)
{
    for (int i = 0; i < ini->nsection; i++)
        if (!strcmp(ini->section[i].name, name))
            return ini->section[i].line;
    return 0;
}

const sgs_ini_entry *sgs_ini_get(const sgs_ini *ini, const char *section_name, const char *key)
{
    for (int i = 0; i < ini->n; i++)
        if (!strcmp(ini->entry[i].key->section, section_name) && !strcmp(ini->entry[i].key->key, key))
            return &ini->entry[i];
    return NULL;
}

sgs_status sgs_ini_relist(const sgs_ini *ini, const sgs_ini_entry *e, sgs_ini_entry *list, sgs_diag *d)
{
    *list = *e;
    if (e->n != 1 || !e->item[0].quoted)
        return SGS_OK;
    sgs_ini copy = *ini;
    const char *text = e->item[0].text;
    cursor c = { .ini = &copy, .p = text, .end = text + strlen(text), .line = e->line, .d = d };
    list->n = 0;
    return read_list(&c, list);
}
