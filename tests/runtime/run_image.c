/* run_image IMAGE INPUTS [CPU-MASK [THREADS]]: the harness on a hosted machine.  CPU-MASK in hexadecimal, "c" = the C
 * table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bare/harness.h"
#include "openipu/ipu_host.h"

static void print(const char *text)
{
    fputs(text, stdout);
}

/* A file in aligned memory, padded so that a short one cannot be over-read; ends the program when it cannot be read. */
static void *slurp(const char *path, size_t *bytes)
{
    const void *map = ipu_host_map(path, bytes);
    if (!map) {
        perror(path);
        exit(2);
    }
    void *p = aligned_alloc(IPU_ALIGN, (*bytes + IPU_ALIGN) / IPU_ALIGN * IPU_ALIGN);
    memcpy(p, map, *bytes);
    ipu_host_unmap(map, *bytes);
    return p;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    harness h = { .print = print };
    size_t inputs_bytes;
    void *image = slurp(argv[1], &h.image_bytes), *inputs = slurp(argv[2], &inputs_bytes);
    h.image = image;
    h.inputs = inputs;
    uint32_t mask = argc > 3 && strcmp(argv[3], "c") ? (uint32_t)strtoul(argv[3], NULL, 16) & ipu_host_cpu() : 0;
    h.kernels = argc > 3 && !strcmp(argv[3], "c") ? &ipu_kernels_c : ipu_kernels_for(argc > 3 ? mask : ipu_host_cpu());
    ipu_parallel par;
    ipu_host_pool *pool = ipu_host_pool_new(argc > 4 ? atoi(argv[4]) : 1, &par);
    h.parallel = argc > 4 ? &par : NULL;
    ipu_model m;
    if (ipu_load(&m, image, h.image_bytes, h.kernels) == IPU_OK)
        h.memory_bytes = harness_memory(&m);
    h.memory = aligned_alloc(IPU_ALIGN, h.memory_bytes + IPU_ALIGN);
    memset(h.memory, 0xa5, h.memory_bytes + IPU_ALIGN);
    int failed = harness_run(&h);
    ipu_host_pool_free(pool);
    free(h.memory);
    free(image);
    free(inputs);
    return failed;
}
