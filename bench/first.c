/* first IMAGE INPUTS: what it takes from the file to the first result, one thread.  Prints a line: milliseconds of ipu_load; of map, load and first
 * run together, by the clock and of the processor; the most memory that was resident, and what of it was before; bytes of image, arena, inputs and
 * outputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openipu/ipu_host.h"
#include "turns.h"

/* A number of /proc/self/status, bytes; 0 where there is none.  getrusage() would count what the process was before it became this program. */
static size_t status_bytes(const char *key)
{
    char line[256];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            kib = strtoul(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return kib << 10;
}

static void *memory(size_t bytes)
{
    void *p = aligned_alloc(IPU_ALIGN, (bytes + IPU_ALIGN) / IPU_ALIGN * IPU_ALIGN);
    if (!p)
        exit(2);
    return p;
}

/* The caller's buffers; their bytes. */
static size_t make_buffers(const ipu_model *m, void **in, void **out, const char *path)
{
    ipu_tensor t;
    size_t inputs = 0, outputs = 0;
    for (int i = 0; ipu_input(m, i, &t) == IPU_OK; i++, inputs += t.bytes) {
        in[i] = memory(t.bytes);
        if (!bench_read(path, inputs, in[i], t.bytes))
            exit(2);
    }
    for (int i = 0; ipu_output(m, i, &t) == IPU_OK; i++, outputs += t.bytes)
        out[i] = memory(t.bytes);
    return inputs + outputs;
}

int main(int argc, char **argv)
{
    static ipu_model m;
    static void *in[IPU_MAX_IO], *out[IPU_MAX_IO];
    size_t bytes;
    if (argc < 3)
        return 2;
    const size_t before = status_bytes("VmRSS:");
    const double cpu = bench_milliseconds(CLOCK_PROCESS_CPUTIME_ID), begin = bench_milliseconds(CLOCK_MONOTONIC);
    const void *image = ipu_host_map(argv[1], &bytes);
    const double mapped = bench_milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    ipu_status s = image ? ipu_load(&m, image, bytes, ipu_kernels_for(ipu_host_cpu())) : IPU_E_ARG;
    const double loaded = bench_milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    const double aside = bench_milliseconds(CLOCK_MONOTONIC);
    const size_t buffers = s == IPU_OK ? make_buffers(&m, in, out, argv[2]) : 0;
    void *arena = s == IPU_OK ? memory(ipu_arena_size(&m)) : NULL;
    const double cpu_aside = bench_milliseconds(CLOCK_PROCESS_CPUTIME_ID) - loaded, clock_aside = bench_milliseconds(CLOCK_MONOTONIC) - aside;
    s = s == IPU_OK ? ipu_run(&m, arena, (const void *const *)in, out, NULL) : s;
    const double end = bench_milliseconds(CLOCK_MONOTONIC), cpu_end = bench_milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    if (s != IPU_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], ipu_status_text(s));
        return 2;
    }
    printf("%.4f %.4f %.4f %zu %zu %zu %zu %zu\n", loaded - mapped, end - begin - clock_aside, cpu_end - cpu - cpu_aside, status_bytes("VmHWM:"), before,
           bytes, ipu_arena_size(&m), buffers);
    return 0;
}
