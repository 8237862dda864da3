/* serve IMAGE INPUTS [THREADS [CPU-MASK]]: runs an image for whoever asks on stdin.  A line `run N` is answered by what N runs took, of each the
 * milliseconds and those of processors.
 * INPUTS: a file of the inputs' bytes, one behind the other.  CPU-MASK: of what the machine has, decimal or 0x... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "openipu/ipu_host.h"

typedef struct room {
    ipu_model m;
    ipu_parallel par;
    void *arena, *in[IPU_MAX_IO], *out[IPU_MAX_IO];
} room;

static void *memory(size_t bytes)
{
    void *p = aligned_alloc(IPU_ALIGN, (bytes + IPU_ALIGN) / IPU_ALIGN * IPU_ALIGN);
    if (!p)
        exit(2);
    memset(p, 0, bytes);
    return p;
}

static void read_inputs(room *r, const char *path)
{
    ipu_tensor t;
    FILE *f = fopen(path, "rb");
    for (int i = 0; ipu_input(&r->m, i, &t) == IPU_OK; i++) {
        r->in[i] = memory(t.bytes);
        if (!f || fread(r->in[i], 1, t.bytes, f) != t.bytes) {
            fprintf(stderr, "%s: expected %zu bytes of input %d\n", path, t.bytes, i);
            exit(2);
        }
    }
    fclose(f);
}

static void make_room(room *r, const char *path, int threads, uint32_t mask)
{
    size_t bytes;
    ipu_tensor t;
    const void *image = ipu_host_map(path, &bytes);
    const ipu_status s = image ? ipu_load(&r->m, image, bytes, ipu_kernels_for(ipu_host_cpu() & mask)) : IPU_E_ARG;
    if (s != IPU_OK || !ipu_host_pool_new(threads, &r->par)) {
        fprintf(stderr, "%s: %s\n", path, ipu_status_text(s));
        exit(2);
    }
    r->arena = memory(ipu_arena_size(&r->m));
    for (int i = 0; ipu_output(&r->m, i, &t) == IPU_OK; i++)
        r->out[i] = memory(t.bytes);
}

static double milliseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void run(room *r, const ipu_parallel *par)
{
    const double cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID), begin = milliseconds(CLOCK_MONOTONIC);
    if (ipu_run(&r->m, r->arena, (const void *const *)r->in, r->out, par) != IPU_OK)
        exit(2);
    const double end = milliseconds(CLOCK_MONOTONIC);
    printf("%.4f %.4f ", end - begin, milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

int main(int argc, char **argv)
{
    static room r;
    int n;
    const int threads = argc > 3 ? atoi(argv[3]) : 1;
    if (argc < 3)
        return 2;
    make_room(&r, argv[1], threads, argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 0) : UINT32_MAX);
    read_inputs(&r, argv[2]);
    printf("ready\n");
    fflush(stdout);
    while (scanf(" run %d", &n) == 1) {
        for (int i = 0; i < n; i++)
            run(&r, threads > 1 ? &r.par : NULL);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
