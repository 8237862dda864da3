/* serve IMAGE INPUTS [THREADS [CPU-MASK]]: runs an image for whoever asks on stdin.  A line `run N` is answered by what N runs took, of each the
 * milliseconds and those of processors.
 * INPUTS: a file of the inputs' bytes, one behind the other.  CPU-MASK: of what the machine has, decimal or 0x... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openipu/ipu_host.h"
#include "turns.h"

typedef struct room {
    ipu_model m;
    ipu_parallel par;
    int threads;
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
    size_t at = 0;
    for (int i = 0; ipu_input(&r->m, i, &t) == IPU_OK; i++, at += t.bytes) {
        r->in[i] = memory(t.bytes);
        if (!bench_read(path, at, r->in[i], t.bytes))
            exit(2);
    }
}

static void make_room(room *r, const char *path, int threads, uint32_t mask)
{
    size_t bytes;
    ipu_tensor t;
    r->threads = threads;
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

static bool run(void *user)
{
    room *r = user;
    return ipu_run(&r->m, r->arena, (const void *const *)r->in, r->out, r->threads > 1 ? &r->par : NULL) == IPU_OK;
}

int main(int argc, char **argv)
{
    static room r;
    const int threads = argc > 3 ? atoi(argv[3]) : 1;
    if (argc < 3)
        return 2;
    make_room(&r, argv[1], threads, argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 0) : UINT32_MAX);
    read_inputs(&r, argv[2]);
    return bench_answer(run, &r);
}
