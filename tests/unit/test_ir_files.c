/* Runs .ir files: text in, text out.  The first line says what is done, a line "---" stands before what must come out.
 *
 *   # pass NAME, NAME ...   the passes in turn ("pipeline": all), each verified; the result computes the same
 *   # print                 parsed and printed as it is, by id; what was printed prints the same again
 *   # parse                 the text is refused with this message
 *   # verify                the text parses and the verifier refuses it with this message
 *
 * test_ir_files [--show] FILE-OR-FOLDER...      --show prints what comes out instead of comparing it
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pass/pass.h"
#include "interpret.h"

static bool show;

/* ---- one file -------------------------------------------------------------------------------- */

typedef struct test {
    const char *path;
    char what[128]; /* the first line behind "# " */
    sgs_span in;
    char *expected;
    sgs_diag d;
} test;

static bool failed(test *t, const char *why)
{
    char text[2048] = "";
    if (t->d.code)
        sgs_diag_format(&t->d, text, sizeof text);
    printf("%s: %s\n%s", t->path, why, text);
    return false;
}

static bool matches(test *t, const char *found)
{
    if (show) {
        printf("%s", found);
        return true;
    }
    if (!strcmp(found, t->expected))
        return true;
    printf("%s: expected\n%s---- found\n%s----\n", t->path, t->expected, found);
    return false;
}

static bool print_matches(test *t, sgs_graph *g, bool renumber)
{
    sgs_buf b = { 0 };
    sgs_graph_print_with(g, &(sgs_print_options){ .renumber = renumber }, &b);
    bool ok = matches(t, b.p ? b.p : "");
    sgs_buf_free(&b);
    return ok;
}

static bool run_one_pass(test *t, sgs_graph *g, const char *name)
{
    bool changed = false;
    if (!strcmp(name, "pipeline"))
        return sgs_run_passes(g, &(sgs_pass_options){ .verify = true }, &t->d) == SGS_OK ||
               failed(t, "the pipeline failed");
    if (!strcmp(name, "spell-out"))
        return sgs_spell_out(g, &t->d) == SGS_OK || failed(t, "it cannot be spelled out");
    for (const sgs_pass *p = sgs_pipeline; p->name; p++)
        if (!strcmp(p->name, name)) {
            sgs_users_keep(g); /* for the verifier to count them again */
            if (p->run(g, &changed, &t->d) != SGS_OK)
                return failed(t, "the pass failed");
            const bool whole = sgs_graph_verify(g, &t->d) == SGS_OK;
            sgs_users_forget(g);
            return whole || failed(t, "the graph is broken after the pass");
        }
    return failed(t, "no such pass");
}

static bool same_numbers(test *t, const double *a, const double *b, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fabs(a[i]) > most ? fabs(a[i]) : most;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= 2e-6 * most)) {
            printf("%s: output %lld is %.9g before and %.9g after\n", t->path, (long long)i, a[i], b[i]);
            return false;
        }
    return true;
}

/* The outputs for seeded inputs, one behind the other; NULL: it failed. */
static double *evaluate(sgs_graph *g, sgs_arena *a, int64_t *count, sgs_diag *d)
{
    void **data = SGS_NEW_N(a, void *, g->nvalue + 1);
    for (int i = 0; i < g->nin; i++)
        data[g->in[i]->id] = seeded_input(a, g->in[i], (uint32_t)i + 1);
    *count = 0;
    if (!interpret(g, a, data, d))
        return NULL;
    for (int i = 0; i < g->nout; i++)
        *count += sgs_value_count(g->out[i]);
    double *all = SGS_NEW_N(a, double, *count + 1), *to = all;
    for (int i = 0; i < g->nout; i++)
        to = as_doubles(g->out[i], data, to);
    return all;
}

static bool test_pass(test *t, sgs_graph *g)
{
    if (sgs_graph_verify(g, &t->d) != SGS_OK)
        return failed(t, "the input is broken");
    sgs_arena *a = sgs_arena_new();
    int64_t before_count = 0, after_count = 0;
    double *before = evaluate(g, a, &before_count, &t->d);
    bool ok = before || failed(t, "the input cannot be evaluated");
    for (char *name = strtok(t->what + strlen("pass"), ", "); name && ok; name = strtok(NULL, ", "))
        ok = run_one_pass(t, g, name);
    double *after = ok ? evaluate(g, a, &after_count, &t->d) : NULL;
    ok = ok && (after || failed(t, "the result cannot be evaluated"));
    ok = ok && (before_count == after_count || failed(t, "the outputs have other sizes"));
    ok = ok && same_numbers(t, before, after, before_count) && print_matches(t, g, true);
    sgs_arena_free(a);
    return ok;
}

static bool test_print(test *t, sgs_graph *g)
{
    sgs_buf once = { 0 }, twice = { 0 };
    sgs_graph *again = NULL;
    sgs_graph_print(g, &once);
    bool ok = sgs_graph_parse(&again, t->path, (sgs_span){ (uint8_t *)once.p, once.n }, &t->d) == SGS_OK ||
              failed(t, "the printed text");
    if (ok)
        sgs_graph_print(again, &twice);
    ok = ok && ((once.n == twice.n && !memcmp(once.p, twice.p, once.n)) || failed(t, "printing twice differs"));
    ok = ok && print_matches(t, g, false);
    sgs_buf_free(&once);
    sgs_buf_free(&twice);
    sgs_graph_free(again);
    return ok;
}

static bool refused_as_expected(test *t)
{
    char text[2048];
    const char *slash = strrchr(t->path, '/');
    snprintf(t->d.file, sizeof t->d.file, "%s", slash ? slash + 1 : t->path);
    sgs_diag_format(&t->d, text, sizeof text);
    return matches(t, text);
}

static bool test_graph(test *t, sgs_graph *g)
{
    if (!strncmp(t->what, "pass ", 5))
        return test_pass(t, g);
    if (!strcmp(t->what, "print"))
        return test_print(t, g);
    if (!strcmp(t->what, "verify"))
        return sgs_graph_verify(g, &t->d) == SGS_OK ? failed(t, "a broken graph was accepted") : refused_as_expected(t);
    return failed(t, strcmp(t->what, "parse") ? "the first line must be # pass, # print, # parse or # verify"
                                              : "a broken text was accepted");
}

static bool split(test *t, const sgs_file *f, sgs_buf *copy)
{
    sgs_buf_add(copy, f->data.p, f->data.n);
    char *mark = copy->p ? strstr(copy->p, "\n---\n") : NULL;
    if (!mark || sscanf(copy->p, "# %127[^\n]", t->what) != 1)
        return failed(t, "the file needs a first line \"# ...\" and a line \"---\"");
    t->in = (sgs_span){ (uint8_t *)copy->p, (size_t)(mark + 1 - copy->p) };
    t->expected = mark + 5;
    return true;
}

static bool run(const char *path)
{
    test t = { .path = path };
    sgs_file f;
    sgs_buf copy = { 0 };
    sgs_graph *g = NULL;
    if (sgs_file_open(&f, path, &t.d) != SGS_OK)
        return failed(&t, "cannot be read");
    bool ok = split(&t, &f, &copy);
    if (ok && sgs_graph_parse(&g, path, t.in, &t.d) != SGS_OK)
        ok = strcmp(t.what, "parse") ? failed(&t, "does not parse") : refused_as_expected(&t);
    else if (ok)
        ok = test_graph(&t, g);
    sgs_graph_free(g);
    sgs_buf_free(&copy);
    sgs_file_close(&f);
    return ok;
}

static int is_ir(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 3 && !strcmp(e->d_name + n - 3, ".ir");
}

static int ran, bad;

static void run_all(const char *path)
{
    struct dirent **list;
    char file[4096];
    int n = scandir(path, &list, is_ir, alphasort);
    if (n < 0) {
        ran++;
        bad += !run(path);
    }
    for (int i = 0; i < n; i++) {
        snprintf(file, sizeof file, "%s/%s", path, list[i]->d_name);
        ran++;
        bad += !run(file);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--show"))
            show = true;
        else
            run_all(argv[i]);
    }
    if (!show)
        printf("%d files, %d failed\n", ran, bad);
    return bad || !ran;
}
