/* The .sim container and the simulators, as the tests want them.  MODEL: .onnx (through the passes), .ir (text form),
 * else a .sim.
 *
 *   sim_tool ops                           operators that a fixed-point model may hold
 *   sim_tool text MODEL                    the graph's text form, values numbered as they appear
 *   sim_tool write [--limit N] MODEL OUT.sim
 *   sim_tool trip [--limit N] MODEL        writes to memory, reads back, compares the text forms; silent when equal
 *   sim_tool compile FIXED.sim OUT.img
 *   sim_tool tensors FIXED OUT.bin IN.bin...
 *   sim_tool run [--mask M] [--threads T] [--kind K] MODEL.sim|.img PREFIX IN.bin...
 *
 * --limit: constants of more than N bytes in all go behind the FlatBuffer.
 * tensors runs the graph on the C kernels; OUT.bin is what each operator made, in order of the text form, end to end.
 * run prints "KIND", then a line "in|out NAME DTYPE DIMS TRAINING FORMAT LAYOUT NSCALE" each, fields separated by tabs;
 * output i goes to PREFIX.i.bin.  Exit status 1 and one message when something is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import/model.h"
#include "import/sim.h"
#include "import/sim_names.h"
#include "ops/op.h"
#include "pass/pass.h"
#include "sim/fixed.h"
#include "sim/results.h"

typedef struct options {
    int64_t limit;
    sgs_simulator_options sim;
    int n;
    char **arg; /* what is left */
} options;

static int fail(const sgs_diag *d)
{
    char text[4096];
    sgs_diag_format(d, text, sizeof text);
    fputs(text, stderr);
    return 1;
}

/* ---- models ---------------------------------------------------------------------------------------------------- */

static bool ends_in(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

static sgs_status load_text(sgs_graph **g, const char *path, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, path, d));
    sgs_status s = sgs_graph_parse(g, path, f.data, d);
    sgs_file_close(&f);
    if (s != SGS_OK)
        *g = NULL;
    return s == SGS_OK ? sgs_graph_verify(*g, d) : s;
}

static sgs_status load(sgs_graph **g, const char *path, sgs_diag *d)
{
    const sgs_import_options onnx = { 0 };
    const sgs_pass_options passes = { .verify = true };
    if (ends_in(path, ".ir"))
        return load_text(g, path, d);
    if (!ends_in(path, ".onnx"))
        return sgs_sim_read(g, path, d);
    const sgs_status s = sgs_model_import(g, path, &onnx, d);
    if (s != SGS_OK)
        *g = NULL;
    SGS_TRY(s);
    return sgs_run_passes(*g, &passes, d);
}

static sgs_status write_model(const options *o, sgs_graph *g, sgs_buf *b, sgs_diag *d)
{
    return o->limit < 0 ? sgs_sim_write_buf(g, b, d) : sgs_sim_write_limit(g, b, o->limit, d);
}

static void print(sgs_graph *g, sgs_buf *b)
{
    const sgs_print_options o = { .renumber = true };
    sgs_graph_print_with(g, &o, b);
    sgs_buf_add(b, "", 0);
}

/* ---- commands -------------------------------------------------------------------------------------------------- */

/* What a command makes; main frees it. */
typedef struct work {
    sgs_graph *g, *again;
    sgs_buf once, twice, before, after;
    sgs_simulator *sim;
} work;

static void clean(work *w)
{
    sgs_graph_free(w->g);
    sgs_graph_free(w->again);
    sgs_buf_free(&w->once);
    sgs_buf_free(&w->twice);
    sgs_buf_free(&w->before);
    sgs_buf_free(&w->after);
    sgs_simulator_close(w->sim);
}

static sgs_status show(const options *o, work *w, sgs_diag *d)
{
    SGS_TRY(load(&w->g, o->arg[0], d));
    print(w->g, &w->before);
    fwrite(w->before.p, 1, w->before.n, stdout);
    return SGS_OK;
}

static sgs_status write_out(const options *o, work *w, sgs_diag *d)
{
    SGS_TRY(load(&w->g, o->arg[0], d));
    SGS_TRY(write_model(o, w->g, &w->once, d));
    return sgs_file_write(o->arg[1], w->once.p, w->once.n, d);
}

static sgs_status same(const sgs_buf *a, const sgs_buf *b, const char *what, sgs_diag *d)
{
    if (a->n == b->n && !memcmp(a->p, b->p, a->n))
        return SGS_OK;
    size_t at = 0;
    while (at < a->n && at < b->n && a->p[at] == b->p[at])
        at++;
    const size_t from = at < 200 ? 0 : at - 200;
    return sgs_fail(d, SGS_E_INTERNAL, "%s differ at byte %zu:\n< %.*s\n> %.*s", what, at,
                    (int)(a->n - from < 400 ? a->n - from : 400), a->p + from,
                    (int)(b->n - from < 400 ? b->n - from : 400), b->p + from);
}

static sgs_status trip(const options *o, work *w, sgs_diag *d)
{
    SGS_TRY(load(&w->g, o->arg[0], d));
    print(w->g, &w->before);
    SGS_TRY(write_model(o, w->g, &w->once, d));
    SGS_TRY(sgs_sim_read_span(&w->again, "again.sim", (sgs_span){ (const uint8_t *)w->once.p, w->once.n }, d));
    print(w->again, &w->after);
    SGS_TRY(same(&w->before, &w->after, "the graph and what was read back", d));
    SGS_TRY(write_model(o, w->again, &w->twice, d));
    if (w->once.n != w->twice.n || memcmp(w->once.p, w->twice.p, w->once.n))
        return sgs_fail(d, SGS_E_INTERNAL, "written again, the file has other bytes");
    return SGS_OK;
}

static sgs_status compile(const options *o, work *w, sgs_diag *d)
{
    (void)w;
    const sgs_compile_options c = { .model = o->arg[0], .output = o->arg[1] };
    return sgs_compile(&c, NULL, NULL, d);
}

static void show_io(const char *side, const sgs_io_info *t)
{
    printf("%s\t%s\t%s\t", side, t->name, sgs_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++)
        printf("%s%d", i ? "," : "", t->dim[i]);
    printf("\t%s\t%s\t%s\t%d\n", t->training_format, t->format, t->layout, t->nscale);
}

static sgs_status feed(sgs_simulator *s, int i, const char *path, sgs_diag *d)
{
    sgs_file f;
    SGS_TRY(sgs_file_open(&f, path, d));
    const sgs_status status = sgs_simulator_set_input(s, i, f.data.p, f.data.n, d);
    sgs_file_close(&f);
    return status;
}

static sgs_status use(sgs_simulator *s, const options *o, sgs_diag *d)
{
    static const char *const kind[] = { "any", "float", "fixed", "offline" };
    char path[1024];
    puts(kind[sgs_simulator_kind(s)]);
    for (int i = 0; i < sgs_simulator_inputs(s); i++)
        show_io("in", sgs_simulator_input(s, i));
    for (int i = 0; i < sgs_simulator_outputs(s); i++)
        show_io("out", sgs_simulator_output(s, i));
    for (int i = 0; i < o->n - 2; i++)
        SGS_TRY(feed(s, i, o->arg[2 + i], d));
    SGS_TRY(sgs_simulator_invoke(s, d));
    for (int i = 0; i < sgs_simulator_outputs(s); i++) {
        snprintf(path, sizeof path, "%s.%d.bin", o->arg[1], i);
        SGS_TRY(sgs_file_write(path, sgs_simulator_get_output(s, i), sgs_simulator_output(s, i)->bytes, d));
    }
    return SGS_OK;
}

static sgs_status ops(const options *o, work *w, sgs_diag *d)
{
    (void)o, (void)w, (void)d;
    for (int i = 0; sgs_op_at(i); i++)
        if (sgs_op_at(i)->lower)
            puts(sgs_op_at(i)->name);
    return SGS_OK;
}

/* ---- every tensor of a fixed-point graph ----------------------------------------------------------------------- */

/* What operators make becomes what the graph gives. */
static void give_all(sgs_graph *g)
{
    int n = 0;
    for (const sgs_node *node = g->first; node; node = node->next)
        n += node->nout;
    g->out = SGS_NEW_N(g->arena, sgs_value *, n + 1);
    g->nout = n;
    n = 0;
    for (const sgs_node *node = g->first; node; node = node->next)
        for (int i = 0; i < node->nout; i++)
            g->out[n++] = node->out[i];
}

static sgs_status fill(sgs_fixed *f, const sgs_graph *g, int i, const char *path, sgs_diag *d)
{
    sgs_file in;
    SGS_TRY(sgs_file_open(&in, path, d));
    const bool fits = i < g->nin && in.data.n == (size_t)sgs_value_bytes(g->in[i]);
    if (fits)
        memcpy(sgs_fixed_input(f, i), in.data.p, in.data.n);
    sgs_file_close(&in);
    return fits ? SGS_OK : sgs_fail(d, SGS_E_DATA, "%s does not fit input %d", path, i);
}

static sgs_status run_all(sgs_fixed *f, const sgs_graph *g, const options *o, sgs_buf *out, sgs_diag *d)
{
    for (int i = 2; i < o->n; i++)
        SGS_TRY(fill(f, g, i - 2, o->arg[i], d));
    SGS_TRY(sgs_fixed_run(f, d));
    for (int i = 0; i < g->nout; i++)
        sgs_buf_add(out, sgs_fixed_output(f, i), (size_t)sgs_value_bytes(g->out[i]));
    return sgs_file_write(o->arg[1], out->p, out->n, d);
}

static sgs_status tensors(const options *o, work *w, sgs_diag *d)
{
    sgs_fixed *f;
    SGS_TRY(load(&w->g, o->arg[0], d));
    give_all(w->g);
    SGS_TRY(sgs_fixed_new(&f, w->g, &ipu_kernels_c, NULL, d));
    const sgs_status s = run_all(f, w->g, o, &w->once, d);
    sgs_fixed_free(f);
    return s;
}

static sgs_status run(const options *o, work *w, sgs_diag *d)
{
    SGS_TRY(sgs_simulator_open(&w->sim, o->arg[0], &o->sim, d));
    return use(w->sim, o, d);
}

static const struct command {
    const char *name;
    int least, most;
    sgs_status (*fn)(const options *o, work *w, sgs_diag *d);
} commands[] = {
    { "ops", 0, 0, ops },         { "text", 1, 1, show },        { "write", 2, 2, write_out }, { "trip", 1, 1, trip },
    { "compile", 2, 2, compile }, { "tensors", 2, 66, tensors }, { "run", 2, 66, run },
};

/* An option and its value at argv[0], argv[1]. */
static bool take_option(options *o, char **argv)
{
    if (!strcmp(argv[0], "--limit"))
        o->limit = strtoll(argv[1], NULL, 10);
    else if (!strcmp(argv[0], "--threads"))
        o->sim.threads = atoi(argv[1]);
    else if (!strcmp(argv[0], "--kind"))
        o->sim.kind = (sgs_kind)atoi(argv[1]);
    else if (!strcmp(argv[0], "--mask"))
        o->sim.cpu_mask = (uint32_t)strtoul(argv[1], NULL, 0), o->sim.cpu_mask_set = true;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    options o = { .limit = -1 };
    sgs_diag d = { 0 };
    int at = 2;
    while (at + 1 < argc && take_option(&o, argv + at))
        at += 2;
    o.n = argc - at;
    o.arg = argv + at;
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name) && o.n >= commands[i].least && o.n <= commands[i].most) {
            work w = { 0 };
            const int status = commands[i].fn(&o, &w, &d) == SGS_OK ? 0 : fail(&d);
            clean(&w);
            return status;
        }
    fputs("usage: sim_tool ops|text|write|trip|compile|tensors|run [OPTION VALUE...] ARGUMENT...\n", stderr);
    return 2;
}
