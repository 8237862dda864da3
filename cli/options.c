/* Options as the manual's tools take them: several names for one, unambiguous prefixes, --name=value, typographic
 * dashes for `-`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "openipu/ipu.h"

#define OPTIONS_MAX 64
#define NAME_MAX_LENGTH 64

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* The next blank-separated name of the list; NULL at its end. */
static const char *next_name(const char *list, size_t *n)
{
    list += strspn(list, " ");
    *n = strcspn(list, " ");
    return *n ? list : NULL;
}

static bool has_name(const cli_option *o, const char *name, size_t n)
{
    size_t k;
    for (const char *p = o->names; (p = next_name(p, &k)); p += k)
        if (k == n && !memcmp(p, name, n))
            return true;
    return false;
}

static bool has_prefix(const cli_option *o, const char *name, size_t n)
{
    size_t k;
    for (const char *p = o->names; (p = next_name(p, &k)); p += k)
        if (k > n && n > 2 && p[1] == '-' && !memcmp(p, name, n))
            return true;
    return false;
}

/* The longest name: what messages call an option. */
static const char *title(const cli_option *o)
{
    static char text[2][NAME_MAX_LENGTH];
    static int turn;
    size_t k, best = 0;
    const char *from = o->names;
    for (const char *p = o->names; (p = next_name(p, &k)); p += k) {
        if (k > best && (!best || p[1] == '-')) {
            best = k;
            from = p;
        }
    }
    turn = !turn;
    snprintf(text[turn], sizeof text[turn], "%.*s", (int)best, from);
    return text[turn];
}

/* ---- help ------------------------------------------------------------------------------------------------------ */

static void print_option(const cli_option *o)
{
    char left[128];
    snprintf(left, sizeof left, "%s%s%s", o->names, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-40s %s", left, o->help);
    if (o->fallback)
        printf(" (default: %s)", o->fallback);
    printf("\n");
}

static void print_help(const cli_syntax *s)
{
    printf("usage: %s [options]      as in the manual: %s\n%s\n", s->command, s->tool, s->what);
    for (int required = 1; required >= 0; required--) {
        bool any = false;
        for (const cli_option *o = s->option; o->names; o++) {
            if (o->required != required || o->kind == CLI_REFUSED)
                continue;
            if (!any)
                printf("\n%s:\n", required ? "required" : "optional");
            any = true;
            print_option(o);
        }
    }
    printf("  %-40s %s\n", "-h --help", "this text");
}

/* ---- complaints ------------------------------------------------------------------------------------------------ */

static int complain(const cli_syntax *s, const char *text, const char *arg, const char *hint)
{
    fprintf(stderr, "error: ");
    fprintf(stderr, text, arg);
    fprintf(stderr, "\n");
    if (hint)
        fprintf(stderr, "  %s\n", hint);
    fprintf(stderr, "  %s -h lists the options\n", s->command);
    return CLI_USAGE;
}

/* How many characters two names share at their start, then anywhere: enough to find a misspelt option. */
static int likeness(const char *a, size_t na, const char *b, size_t nb)
{
    int row[2][NAME_MAX_LENGTH + 1] = { { 0 } };
    if (na > NAME_MAX_LENGTH || nb > NAME_MAX_LENGTH)
        return 0;
    for (size_t i = 0; i < na; i++) {
        int *now = row[(i + 1) & 1], *before = row[i & 1];
        now[0] = 0;
        for (size_t j = 0; j < nb; j++) {
            const int skip = now[j] > before[j + 1] ? now[j] : before[j + 1];
            now[j + 1] = a[i] == b[j] ? before[j] + 1 : skip;
        }
    }
    return row[na & 1][nb];
}

static int unknown(const cli_syntax *s, const char *arg, size_t n)
{
    char hint[128] = "";
    int best = (int)n * 2 / 3;
    for (const cli_option *o = s->option; o->names; o++) {
        size_t k;
        for (const char *p = o->names; (p = next_name(p, &k)); p += k) {
            const int like = likeness(arg, n, p, k) - (k > n ? (int)(k - n) / 2 : 0);
            if (like <= best || o->kind == CLI_REFUSED)
                continue;
            best = like;
            snprintf(hint, sizeof hint, "did you mean %.*s?", (int)k, p);
        }
    }
    return complain(s, "unknown option %s", arg, hint[0] ? hint : NULL);
}

static int ambiguous(const cli_syntax *s, const char *arg, size_t n)
{
    char hint[512] = "it may be";
    for (const cli_option *o = s->option; o->names; o++)
        if (has_prefix(o, arg, n))
            snprintf(hint + strlen(hint), sizeof hint - strlen(hint), " %s", title(o));
    return complain(s, "%s is not clear", arg, hint);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* How many dashes arg starts with, typographic ones (hyphen, en dash, em dash, minus ...) included; *rest: what
 * follows. */
static int dashes(char *arg, char **rest, bool *typographic)
{
    static const char *const dash[] = { "\xe2\x80\x90", "\xe2\x80\x91", "\xe2\x80\x92", "\xe2\x80\x93",
                                        "\xe2\x80\x94", "\xe2\x80\x95", "\xe2\x88\x92" };
    int n = 0;
    *typographic = false;
    for (*rest = arg;; n++) {
        size_t i = 0;
        while (i < sizeof dash / sizeof *dash && strncmp(*rest, dash[i], 3))
            i++;
        if (i < sizeof dash / sizeof *dash) {
            *rest += 3;
            *typographic = true;
        } else if (**rest == '-') {
            ++*rest;
        } else {
            return n;
        }
    }
}

/* Typographic dashes become `-`, in place; before a whole word one stands for `--`. */
static char *plain_dashes(char *arg)
{
    char *rest;
    bool typographic;
    const int n = dashes(arg, &rest, &typographic);
    if (!typographic)
        return arg;
    const bool word = n > 1 || (rest[0] && rest[1] && rest[1] != '=');
    char *start = rest - (word ? 2 : 1);
    memset(start, '-', (size_t)(rest - start));
    return start;
}

static const cli_option *find(const cli_syntax *s, const char *arg, size_t n, int *matches)
{
    const cli_option *found = NULL;
    *matches = 0;
    for (const cli_option *o = s->option; o->names; o++)
        if (has_name(o, arg, n))
            return *matches = 1, o;
    for (const cli_option *o = s->option; o->names; o++) {
        if (has_prefix(o, arg, n)) {
            found = o;
            ++*matches;
        }
    }
    return found;
}

static bool is_option(const cli_syntax *s, const char *arg)
{
    int matches;
    return arg[0] == '-' && arg[1] &&
           (find(s, arg, strcspn(arg, "="), &matches) || !strcmp(arg, "-h") || !strcmp(arg, "--help"));
}

static int store(const cli_syntax *s, const cli_option *o, const char *value, void *args)
{
    void *field = (char *)args + o->offset;
    if (o->kind == CLI_FLAG) {
        *(bool *)field = true;
        return CLI_OK;
    }
    if (o->kind == CLI_TEXT) {
        *(const char **)field = value;
        return value[0] ? CLI_OK : complain(s, "%s: expected a value, found nothing", title(o), NULL);
    }
    char *end;
    errno = 0;
    const long v = strtol(value, &end, 10);
    if (end == value || *end || errno || v < 1 || v > 1000000) {
        fprintf(stderr, "error: %s: expected a whole number from 1 to 1000000, found '%s'\n", title(o), value);
        return CLI_USAGE;
    }
    *(int *)field = (int)v;
    return CLI_OK;
}

typedef struct reading {
    const cli_syntax *s;
    int argc, at;
    char **argv;
    bool seen[OPTIONS_MAX];
} reading;

/* argv[at] holds the first one: alone, or behind the option's name. */
static int store_list(reading *r, const cli_option *o, const char *first, void *args)
{
    sgs_paths *list = (sgs_paths *)((char *)args + o->offset);
    char *rest;
    bool typographic;
    r->argv[r->at] += first - r->argv[r->at];
    list->path = (const char *const *)&r->argv[r->at];
    for (list->n = 1; r->at + 1 < r->argc && !dashes(r->argv[r->at + 1], &rest, &typographic); r->at++)
        list->n++;
    for (int i = 0; i < list->n; i++)
        if (!list->path[i][0])
            return complain(r->s, "%s: expected a value, found nothing", title(o), NULL);
    return CLI_OK;
}

/* argv[at] is an option, perhaps with its value in it ("--name=value", "-nvalue"). */
static int read_option(reading *r, const char *arg, void *args)
{
    size_t n = strcspn(arg, "=");
    const char *value = arg[n] ? arg + n + 1 : NULL;
    int matches;
    const cli_option *o = find(r->s, arg, n, &matches);
    if (!o && arg[1] != '-' && arg[1] && arg[2]) {
        o = find(r->s, arg, 2, &matches);
        value = arg + 2 + (arg[2] == '=');
        if (o && o->kind == CLI_FLAG)
            o = NULL;
    }
    if (matches > 1)
        return ambiguous(r->s, arg, n);
    if (!o)
        return unknown(r->s, arg, n);
    if (o->kind == CLI_REFUSED)
        return fprintf(stderr, "error: %s %s\n", title(o), o->help), CLI_ERROR;
    if (r->seen[o - r->s->option])
        return complain(r->s, "%s is given twice", title(o), NULL);
    r->seen[o - r->s->option] = true;
    if (o->kind == CLI_FLAG && value)
        return complain(r->s, "%s takes no value", title(o), NULL);
    if (o->kind != CLI_FLAG && !value) {
        if (r->at + 1 >= r->argc || is_option(r->s, r->argv[r->at + 1]))
            return complain(r->s, "%s: expected a value behind it", title(o), NULL);
        value = r->argv[++r->at];
    }
    if (o->kind == CLI_LIST)
        return store_list(r, o, value, args);
    return store(r->s, o, value, args);
}

static int expect_required(const reading *r)
{
    char missing[512] = "";
    int n = 0;
    for (const cli_option *o = r->s->option; o->names; o++)
        if (o->required && !r->seen[o - r->s->option])
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s%s", n++ ? ", " : "", title(o));
    return n ? complain(r->s, "expected %s", missing, NULL) : CLI_OK;
}

/* Help is given whatever else stands there. */
static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        char *rest;
        bool typographic;
        const int n = dashes(argv[i], &rest, &typographic);
        if ((n == 1 && !strcmp(rest, "h")) || (n && !strcmp(rest, "help")))
            return true;
    }
    return false;
}

int cli_parse(const cli_syntax *s, int argc, char **argv, void *args)
{
    reading r = { .s = s, .argc = argc, .argv = argv };
    if (wants_help(argc, argv))
        return print_help(s), -1;
    for (; r.at < argc; r.at++) {
        const char *arg = plain_dashes(argv[r.at]);
        const bool named = arg[0] == '-' && arg[1];
        if (!named && (!s->plain || r.seen[0]))
            return complain(s, "expected an option, found '%s'", arg, NULL);
        r.seen[0] = r.seen[0] || !named;
        const int e = named ? read_option(&r, arg, args) : store(s, s->option, arg, args);
        if (e != CLI_OK)
            return e;
    }
    return expect_required(&r);
}

/* ---- values that several commands take ----------------------------------------------------------------------- */

int cli_bad_value(const char *option, const char *known, const char *found)
{
    fprintf(stderr, "error: %s: expected %s, found '%s'\n", option, known, found);
    return CLI_USAGE;
}

int cli_cpu_mask(const char *text, sgs_simulator_options *o)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } table[] = {
        { "c", 0 },
        { "avx2", IPU_CPU_AVX2 },
        { "avxvnni", IPU_CPU_AVX2 | IPU_CPU_AVXVNNI },
        { "avx512vnni", IPU_CPU_AVX2 | IPU_CPU_AVX512VNNI },
        { "avx512vbmi", IPU_CPU_AVX2 | IPU_CPU_AVX512VNNI | IPU_CPU_AVX512VBMI },
        { "neon", IPU_CPU_NEON },
        { "dotprod", IPU_CPU_NEON | IPU_CPU_DOTPROD },
        { "i8mm", IPU_CPU_NEON | IPU_CPU_DOTPROD | IPU_CPU_I8MM },
        { "rvv", IPU_CPU_RVV },
    };
    if (!text || !strcmp(text, "all"))
        return CLI_OK;
    o->cpu_mask_set = true;
    for (const char *p = text; p; p = *p ? p + 1 : NULL) {
        const size_t n = strcspn(p, ",");
        size_t i = 0;
        while (i < sizeof table / sizeof *table && (strlen(table[i].name) != n || strncasecmp(table[i].name, p, n)))
            i++;
        if (i == sizeof table / sizeof *table)
            return cli_bad_value("--cpu_mask", "some of c, avx2, avxvnni, avx512vnni, avx512vbmi, neon, dotprod, i8mm, rvv, or all", text);
        o->cpu_mask |= table[i].bits;
        p += n;
        if (!*p)
            break;
    }
    return CLI_OK;
}
