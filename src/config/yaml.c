/* YAML 1.1 as configurations use it: one document of scalars, lists and dictionaries.  libyaml cuts the text into
 * events; what they hold becomes the tree that JSON and pickles become, with lines.  Plain words are what YAML 1.1 says
 * (null, truth values, numbers), all else is text.  Anchors, aliases and tags say things that no setting needs, so they
 * are refused. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "config/tree.h"

#define DEPTH_MAX 64
#define MEMORY_PER_BYTE 64
#define MEMORY_LEAST ((size_t)16 << 20)

typedef struct reader {
    sgs_arena *a;
    const char *file;
    sgs_span text;
    yaml_parser_t parser;
    yaml_event_t event; /* the one that is looked at; deleted before the next */
    bool has_event;
    int depth;
    sgs_diag *d;
} reader;

static int line_of(const reader *r)
{
    return (int)r->event.start_mark.line + 1;
}

static sgs_status at_line(const reader *r, int line)
{
    return sgs_fail_at(r->d, r->file, line, NULL);
}

static sgs_status no_memory(const reader *r)
{
    sgs_fail(r->d, SGS_E_LIMIT, "the file needs more memory than one of its size may take");
    return at_line(r, 0);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

/* Bytes that are no text have an offset and no line. */
static int line_at(const reader *r, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && i < r->text.n; i++)
        line += r->text.p[i] == '\n';
    return line;
}

static sgs_status no_yaml(const reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(r);
    sgs_fail(r->d, SGS_E_FORMAT, "no YAML: %s", p->problem ? p->problem : "?");
    return at_line(r, p->error == YAML_READER_ERROR ? line_at(r, p->problem_offset) : (int)p->problem_mark.line + 1);
}

static sgs_status next(reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->parser, &r->event);
    return r->has_event ? SGS_OK : no_yaml(r);
}

static sgs_status refuse(const reader *r, const char *what)
{
    sgs_fail(r->d, SGS_E_FORMAT, "%s are not taken here", what);
    sgs_hint(r->d, "write the value itself; quotes round a text that begins with '&', '*' or '!'");
    return at_line(r, line_of(r));
}

/* ---- scalars ---------------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (!strcasecmp(s, *words))
            return true;
    return false;
}

static bool is_whole(const char *s, int64_t *v)
{
    char *end;
    const char *number = s + (*s == '-' || *s == '+');
    if (!*number || strspn(number, "0123456789") != strlen(number))
        return false;
    errno = 0;
    *v = strtoll(s, &end, 10);
    return errno == 0;
}

static bool is_real(const char *s, double *v)
{
    const char *number = s + (*s == '-' || *s == '+');
    const double sign = *s == '-' ? -1 : 1;
    char *end;
    if (!strcasecmp(number, ".inf") || !strcasecmp(s, ".nan")) {
        *v = strcasecmp(number, ".inf") ? (double)NAN : sign * (double)INFINITY;
        return true;
    }
    if (!strpbrk(number, "0123456789") || strspn(number, "0123456789.eE+-") != strlen(number))
        return false;
    *v = strtod(s, &end);
    return !*end;
}

static void resolve(sgs_tree *t, const char *s)
{
    static const char *const none[] = { "", "~", "null", NULL };
    static const char *const yes[] = { "true", "yes", "on", NULL }, *const no[] = { "false", "no", "off", NULL };
    if (is_one_of(s, none)) {
        t->kind = SGS_TREE_NONE;
    } else if (is_one_of(s, yes) || is_one_of(s, no)) {
        t->kind = SGS_TREE_TRUTH;
        t->whole = is_one_of(s, yes);
    } else if (is_whole(s, &t->whole)) {
        t->kind = SGS_TREE_WHOLE;
    } else if (is_real(s, &t->real)) {
        t->kind = SGS_TREE_REAL;
    }
}

static sgs_status scalar(reader *r, sgs_tree *t)
{
    const size_t n = r->event.data.scalar.length;
    const char *from = (const char *)r->event.data.scalar.value;
    struct sgs_tree_bytes *b = sgs_try_alloc(r->a, sizeof *b);
    char *text = sgs_try_alloc(r->a, n + 1);
    if (!b || !text)
        return no_memory(r);
    *b = (struct sgs_tree_bytes){ n, memcpy(text, from, n) };
    text[n] = 0;
    t->kind = SGS_TREE_OTHER;
    if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strlen(text) == n)
        resolve(t, text);
    if (t->kind == SGS_TREE_OTHER) {
        t->kind = SGS_TREE_TEXT;
        t->bytes = b;
    }
    return SGS_OK;
}

/* ---- lists and dictionaries ------------------------------------------------------------------------------------- */

static sgs_status node(reader *r, sgs_tree *t);

static sgs_status open_list(reader *r, sgs_tree *t, sgs_tree_kind kind)
{
    if (++r->depth > DEPTH_MAX) {
        sgs_fail(r->d, SGS_E_LIMIT, "lists and dictionaries are nested deeper than %d", DEPTH_MAX);
        return at_line(r, line_of(r));
    }
    t->kind = kind;
    t->list = sgs_try_alloc(r->a, sizeof *t->list);
    return t->list ? SGS_OK : no_memory(r);
}

static sgs_status item(reader *r, sgs_tree *t)
{
    sgs_tree i = { 0 };
    SGS_TRY(node(r, &i));
    if (!sgs_tree_push(r->a, t->list, i))
        return no_memory(r);
    return next(r);
}

static sgs_status list(reader *r, sgs_tree *t)
{
    SGS_TRY(open_list(r, t, SGS_TREE_LIST));
    SGS_TRY(next(r));
    while (r->event.type != YAML_SEQUENCE_END_EVENT)
        SGS_TRY(item(r, t));
    r->depth--;
    return SGS_OK;
}

/* Keys are few: dictionaries of settings. */
static sgs_status check_key(const reader *r, const struct sgs_tree_list *l)
{
    const sgs_tree *key = &l->item[l->n - 1];
    if (key->kind != SGS_TREE_TEXT) {
        sgs_fail(r->d, SGS_E_FORMAT, "expected a text as a key, found %s", sgs_tree_word(key));
        return at_line(r, (int)key->line);
    }
    for (size_t i = 0; i + 1 < l->n; i += 2)
        if (!strcmp(l->item[i].bytes->p, key->bytes->p)) {
            sgs_fail(r->d, SGS_E_FORMAT, "the key '%.100s' is there twice", key->bytes->p);
            return at_line(r, (int)key->line);
        }
    return SGS_OK;
}

static sgs_status dictionary(reader *r, sgs_tree *t)
{
    SGS_TRY(open_list(r, t, SGS_TREE_DICT));
    SGS_TRY(next(r));
    while (r->event.type != YAML_MAPPING_END_EVENT) {
        SGS_TRY(item(r, t));
        SGS_TRY(check_key(r, t->list));
        SGS_TRY(item(r, t));
    }
    r->depth--;
    return SGS_OK;
}

/* What the current event begins. */
static sgs_status node(reader *r, sgs_tree *t)
{
    const yaml_event_t *e = &r->event;
    t->line = (uint32_t)line_of(r);
    const yaml_char_t *anchor = e->type == YAML_SCALAR_EVENT           ? e->data.scalar.anchor
                                : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.anchor
                                : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.anchor
                                                                       : NULL;
    const yaml_char_t *tag = e->type == YAML_SCALAR_EVENT           ? e->data.scalar.tag
                             : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
                             : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.tag
                                                                    : NULL;
    if (anchor || e->type == YAML_ALIAS_EVENT)
        return refuse(r, "anchors and aliases");
    if (tag)
        return refuse(r, "tags");
    if (e->type == YAML_SCALAR_EVENT)
        return scalar(r, t);
    return e->type == YAML_SEQUENCE_START_EVENT ? list(r, t) : dictionary(r, t);
}

/* One document and nothing behind it; an empty file holds nothing. */
static sgs_status document(reader *r, sgs_tree *t)
{
    SGS_TRY(next(r)); /* the stream's start */
    SGS_TRY(next(r));
    *t = (sgs_tree){ .kind = SGS_TREE_NONE, .line = 1 };
    if (r->event.type == YAML_STREAM_END_EVENT)
        return SGS_OK;
    SGS_TRY(next(r));
    SGS_TRY(node(r, t));
    SGS_TRY(next(r)); /* the document's end */
    SGS_TRY(next(r));
    if (r->event.type == YAML_STREAM_END_EVENT)
        return SGS_OK;
    sgs_fail(r->d, SGS_E_FORMAT, "expected one document, found another one behind it");
    return at_line(r, line_of(r));
}

sgs_status sgs_yaml_parse(sgs_tree *t, sgs_arena *a, const char *file, sgs_span text, sgs_diag *d)
{
    reader r = { .a = a, .file = file, .text = text, .d = d };
    sgs_arena_limit(a, text.n < (SIZE_MAX - MEMORY_LEAST) / MEMORY_PER_BYTE ? MEMORY_LEAST + MEMORY_PER_BYTE * text.n
                                                                            : SIZE_MAX);
    if (!yaml_parser_initialize(&r.parser))
        return no_memory(&r);
    yaml_parser_set_input_string(&r.parser, text.n ? text.p : (const uint8_t *)"", text.n);
    const sgs_status s = document(&r, t);
    if (r.has_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return s;
}
