/* simulate MODEL INPUTS [THREADS]: runs a model or an image through the simulators of sgs.h, as bench/serve.c runs an image.  A run sets the inputs
 * anew and reads the outputs, as a program does with picture after picture.  INPUTS: as there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openipu/sgs.h"
#include "turns.h"

typedef struct work {
    sgs_simulator *s;
    void **in, **out;
    sgs_diag d;
} work;

static void *memory(size_t bytes)
{
    void *p = malloc(bytes + 1);
    if (!p)
        exit(2);
    memset(p, 0, bytes);
    return p;
}

static bool make(work *w, const char *inputs)
{
    size_t at = 0;
    w->in = memory((size_t)sgs_simulator_inputs(w->s) * sizeof *w->in);
    w->out = memory((size_t)sgs_simulator_outputs(w->s) * sizeof *w->out);
    for (int i = 0; i < sgs_simulator_inputs(w->s); i++) {
        const size_t bytes = sgs_simulator_input(w->s, i)->bytes;
        w->in[i] = memory(bytes);
        if (!bench_read(inputs, at, w->in[i], bytes))
            return false;
        at += bytes;
    }
    for (int i = 0; i < sgs_simulator_outputs(w->s); i++)
        w->out[i] = memory(sgs_simulator_output(w->s, i)->bytes);
    return true;
}

static bool run(void *user)
{
    work *w = user;
    for (int i = 0; i < sgs_simulator_inputs(w->s); i++)
        if (sgs_simulator_set_input(w->s, i, w->in[i], sgs_simulator_input(w->s, i)->bytes, &w->d) != SGS_OK)
            return false;
    if (sgs_simulator_invoke(w->s, &w->d) != SGS_OK)
        return false;
    for (int i = 0; i < sgs_simulator_outputs(w->s); i++)
        memcpy(w->out[i], sgs_simulator_get_output(w->s, i), sgs_simulator_output(w->s, i)->bytes);
    return true;
}

int main(int argc, char **argv)
{
    static work w;
    static char text[4096];
    const sgs_simulator_options o = { .threads = argc > 3 ? atoi(argv[3]) : 1 };
    if (argc < 3)
        return 2;
    bool ok = sgs_simulator_open(&w.s, argv[1], &o, &w.d) == SGS_OK && make(&w, argv[2]) && run(&w);
    const int status = ok ? bench_answer(run, &w) : 2;
    if (w.d.code != SGS_OK && sgs_diag_format(&w.d, text, sizeof text))
        fprintf(stderr, "%s\n", text);
    sgs_simulator_close(w.s);
    return status;
}
