/* Runs conformance cases, one after the other, each in a process of its own, so that one that crashes ends only itself.
 *
 *   conformance_tool SECONDS < JOBS
 *
 * A job is a line of fields separated by tabs: MODEL.onnx, PREFIX, the number of inputs, their names and files (raw,
 * little-endian), the outputs' names.  Of a MODEL.tflite inputs and outputs are the model's own, in its order; behind
 * "keep:" it keeps its own scales; of a MODEL.pb an input's name is NAME=SHAPE.  A Caffe network, MODEL.prototxt, with
 * no inputs named gives shapes alone.  A case goes the way of every float model: import, passes, .sim written and read
 * again, the float simulator's session.  PREFIX.txt says how it ended: a line "TYPE DIMS" for each output, whose
 * elements lie in PREFIX.I.bin, or "error STAGE" and the message.  Standard output has a line for each job: its prefix,
 * then "done", "signal N" or "timeout". */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../ops/model_file.h"
#include "import/sim.h"
#include "ops/util.h"
#include "pass/pass.h"
#include "sim/session.h"

#define MOST 256

typedef struct job {
    const char *model, *prefix;
    char *input[MOST];
    const char *file[MOST], *output[MOST];
    int nin, nout;
} job;

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

static char *field(char **rest)
{
    char *f = *rest, *end = f ? strchr(f, '\t') : NULL;
    if (end)
        *end = 0;
    *rest = end ? end + 1 : NULL;
    return f;
}

static bool parse(char *line, job *j)
{
    line[strcspn(line, "\n")] = 0;
    char *rest = line, *name, *count;
    j->model = field(&rest);
    j->prefix = field(&rest);
    count = field(&rest);
    j->nin = count ? atoi(count) : -1;
    if (j->nin < 0 || j->nin > MOST)
        return false;
    for (int i = 0; i < j->nin; i++) {
        j->input[i] = field(&rest);
        j->file[i] = field(&rest);
    }
    for (j->nout = 0; j->nout < MOST && (name = field(&rest)); j->nout++)
        j->output[j->nout] = name;
    return !j->nin || j->file[j->nin - 1];
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

/* TensorFlow's graphs get the shapes that follow their inputs' names. */
static void take_shapes(job *j, sgs_import_options *o, char *shapes, size_t n)
{
    static const bool last[MOST] = { false };
    const size_t len = strlen(j->model);
    if (len < 3 || strcmp(j->model + len - 3, ".pb"))
        return;
    shapes[0] = 0;
    for (int i = 0; i < j->nin; i++) {
        char *shape = strchr(j->input[i], '=');
        snprintf(shapes + strlen(shapes), n - strlen(shapes), "%s%s", i ? ":" : "", shape ? shape + 1 : "");
        if (shape)
            *shape = 0;
    }
    o->input_shapes = shapes;
    o->input_nchw = o->output_nchw = last;
}

static sgs_status shapes(const job *j, FILE *text, sgs_diag *d)
{
    static const bool as_it_is[MOST] = { [0 ... MOST - 1] = true };
    sgs_import_options o = {
        .output_name = (const char *const *)j->output, .noutput = j->nout, .output_nchw = as_it_is, .shapes_alone = true
    };
    sgs_graph *g;
    SGS_TRY(model_file(j->model, &o, d));
    SGS_TRY(sgs_model_import(&g, j->model, &o, d));
    for (int i = 0; i < g->nout; i++) {
        char dims[128];
        fprintf(text, "%s %s\n", sgs_type_name(g->out[i]->type),
                sgs_dims_text(dims, sizeof dims, g->out[i]->rank, g->out[i]->dim));
    }
    sgs_graph_free(g);
    return SGS_OK;
}

/* ---- one case ---------------------------------------------------------------------------------------------------- */

/* The graph as the float simulator gets it. */
static sgs_status make(job *j, sgs_buf *sim, sgs_graph **g, const char **stage, sgs_diag *d)
{
    static const bool as_it_is[MOST] = { [0 ... MOST - 1] = true };
    static char shape_text[4096];
    const bool keep = !strncmp(j->model, "keep:", 5);
    const char *path = keep ? j->model + 5 : j->model, *dot = strrchr(path, '.');
    const bool lite = dot && !strcmp(dot, ".tflite");
    sgs_import_options o = { .keep_quant = keep,
                           .input_name = (const char *const *)j->input,
                           .ninput = lite ? 0 : j->nin,
                           .input_nchw = as_it_is,
                           .output_name = j->output,
                           .noutput = lite ? 0 : j->nout,
                           .output_nchw = as_it_is };
    take_shapes(j, &o, shape_text, sizeof shape_text);
    const sgs_pass_options p = { .verify = true };
    sgs_graph *made;
    *stage = "import";
    SGS_TRY(model_file(path, &o, d));
    SGS_TRY(sgs_model_import(&made, path, &o, d));
    sgs_status s = sgs_graph_verify(made, d);
    if (s == SGS_OK) {
        *stage = "passes";
        s = sgs_run_passes(made, &p, d);
    }
    if (s == SGS_OK) {
        *stage = "sim";
        s = sgs_sim_write_buf(made, sim, d);
    }
    sgs_graph_free(made);
    return s == SGS_OK ? sgs_sim_read_span(g, "case.sim", (sgs_span){ (const uint8_t *)sim->p, sim->n }, d) : s;
}

static sgs_status load(sgs_graph *g, sgs_session *s, const job *j, sgs_diag *d)
{
    for (int i = 0; i < j->nin; i++) {
        const sgs_value *v = i < g->nin ? g->in[i] : NULL;
        const size_t n = v ? (size_t)sgs_value_bytes(v) : 0;
        sgs_file f;
        SGS_TRY(sgs_file_open(&f, j->file[i], d));
        if (!v || f.data.n != n)
            return sgs_fail(d, SGS_E_DATA, "input %d: expected %zu bytes of %s, found %zu", i, n,
                            v ? sgs_type_name(v->type) : "none", f.data.n);
        if (n)
            memcpy(sgs_session_data(s, v), f.data.p, n);
        sgs_file_close(&f);
    }
    return SGS_OK;
}

static sgs_status save(sgs_graph *g, sgs_session *s, const job *j, FILE *text, sgs_diag *d)
{
    for (int i = 0; i < g->nout; i++) {
        const sgs_value *v = g->out[i];
        char path[1024], dims[128];
        snprintf(path, sizeof path, "%s.%d.bin", j->prefix, i);
        SGS_TRY(sgs_file_write(path, v->constant ? sgs_const_data(v) : sgs_session_data(s, v), (size_t)sgs_value_bytes(v), d));
        fprintf(text, "%s %s\n", sgs_type_name(v->type), sgs_dims_text(dims, sizeof dims, v->rank, v->dim));
    }
    return SGS_OK;
}

static sgs_status run(sgs_graph *g, const job *j, FILE *text, sgs_diag *d)
{
    sgs_session *s;
    SGS_TRY(sgs_session_new(&s, g, false, d));
    sgs_session_any_numbers(s);
    sgs_status st = load(g, s, j, d);
    if (st == SGS_OK)
        st = sgs_session_run(s, d);
    if (st == SGS_OK)
        st = save(g, s, j, text, d);
    sgs_session_free(s);
    return st;
}

static int work(job *j)
{
    sgs_buf sim = { 0 };
    sgs_graph *g = NULL;
    sgs_diag d = { 0 };
    const char *stage = "";
    char path[1024], message[4096];
    snprintf(path, sizeof path, "%s.txt", j->prefix);
    FILE *text = fopen(path, "w");
    if (!text)
        return 1;
    const bool run_it = j->nin > 0 || strcmp(j->model + strlen(j->model) - 1, "t"); /* a prototxt */
    sgs_status s = run_it ? make(j, &sim, &g, &stage, &d) : shapes(j, text, &d);
    if (s == SGS_OK && run_it) {
        stage = "run";
        s = run(g, j, text, &d);
        sgs_graph_free(g);
    }
    if (s != SGS_OK) {
        sgs_diag_format(&d, message, sizeof message);
        rewind(text);
        fprintf(text, "error %s%s\n%s", stage,
                s == SGS_E_UNSUPPORTED ? " refused"
                : s == SGS_E_INTERNAL  ? " internal"
                                       : "",
                message);
    }
    sgs_buf_free(&sim);
    return fclose(text) ? 1 : 0;
}

/* ---- a process each ---------------------------------------------------------------------------------------------- */

static int apart(job *j, unsigned seconds)
{
    int status = 0;
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0)
        return 1;
    if (!child) {
        const struct rlimit no_core = { 0, 0 };
        setrlimit(RLIMIT_CORE, &no_core);
        alarm(seconds);
        _exit(work(j));
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        printf("%s\ttimeout\n", j->prefix);
    else if (WIFSIGNALED(status) || WEXITSTATUS(status))
        printf("%s\tsignal %d\n", j->prefix, WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
    else
        printf("%s\tdone\n", j->prefix);
    return 0;
}

int main(int argc, char **argv)
{
    static char line[1 << 16];
    const int seconds = argc == 2 ? atoi(argv[1]) : 0;
    if (seconds < 1) {
        fputs("usage: conformance_tool SECONDS < JOBS\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, stdin)) {
        job j;
        if (!parse(line, &j) || apart(&j, (unsigned)seconds)) {
            fputs("conformance_tool: a job that cannot be run\n", stderr);
            return 1;
        }
    }
    return 0;
}
