#include <stdlib.h>
#include <string.h>

#include "runtime/kernels.h"
#include "runtime/load.h"
#include "try_image.h"

#define MOST_WORK 3e6
#define MOST_BYTES (1 << 22)

static void *exactly(size_t bytes)
{
    void *p = NULL;
    if (posix_memalign(&p, IPU_ALIGN, bytes ? bytes : 1))
        abort();
    return p;
}

/* Elements of the result times taps and channels where the kind has them. */
static double work(const ipu_model *m)
{
    const ipu_header *h = ipu_head(m);
    const ipu_rec *rec = ipu_at(h, h->ops, 0);
    double sum = 0;
    for (uint32_t i = 0; i < h->nop; i++, rec = ipu_rec_next(rec)) {
        const ipu_ref *y = ipu_refs(rec), *x = y + 1;
        double elements = (double)y->n * y->h * y->w * y->c, taps = 1;
        if (ipu_is_conv(rec->kind))
            taps = (double)((const ipu_conv *)(const void *)rec)->kh * ((const ipu_conv *)(const void *)rec)->kw * x->c;
        if (ipu_is_depthwise(rec->kind))
            taps =
                (double)((const ipu_depthwise *)(const void *)rec)->kh * ((const ipu_depthwise *)(const void *)rec)->kw;
        if (rec->kind == IPU_MAXPOOL || rec->kind == IPU_AVGPOOL_S16)
            taps = (double)x->h * x->w;
        sum += elements * taps;
    }
    return sum;
}

/* The fewest elements that a run of every kind takes, of n_buf more than one where it may. */
static int batch_of(const ipu_model *m, ipu_batch *b)
{
    ipu_batches(m, b);
    int n = b->size[0];
    for (int i = 1; i < b->count; i++)
        n = b->size[i] < n ? b->size[i] : n;
    return b->mode == IPU_N_BUF && n > 2 ? 2 : n;
}

static int small(const ipu_model *m)
{
    double bytes = 0;
    ipu_batch b;
    ipu_tensor t;
    const double n = batch_of(m, &b);
    for (int i = 0; ipu_input(m, i, &t) == IPU_OK; i++)
        bytes += (double)t.bytes;
    for (int i = 0; ipu_output(m, i, &t) == IPU_OK; i++)
        bytes += (double)t.bytes;
    return bytes * n + (double)ipu_arena_size(m) <= MOST_BYTES && work(m) * n <= MOST_WORK;
}

/* One buffer an element, or one for all. */
static void run(const ipu_model *m)
{
    ipu_batch b;
    ipu_tensor t;
    const int n = batch_of(m, &b), each = b.mode == IPU_N_BUF ? n : 1, nin = ipu_input_count(m), nout = ipu_output_count(m);
    void **in = exactly((size_t)(each * nin) * sizeof *in), **out = exactly((size_t)(each * nout) * sizeof *out), *arena = exactly(ipu_arena_size(m));
    memset(arena, 0x5a, ipu_arena_size(m));
    for (int k = 0; k < each * nin; k++) {
        ipu_input(m, k % nin, &t);
        const size_t bytes = t.bytes * (size_t)(n / each);
        memset(in[k] = exactly(bytes), 0x3d, bytes); /* as floats: small and finite */
    }
    for (int k = 0; k < each * nout; k++) {
        ipu_output(m, k % nout, &t);
        out[k] = exactly(t.bytes * (size_t)(n / each));
    }
    const ipu_status s = ipu_run_batch(m, arena, n, (const void *const *)in, out, NULL);
    if (s != IPU_OK && s != IPU_E_VALUE) /* an input may have become indices that lie beyond their table */
        abort();
    for (int k = 0; k < each * nin; k++)
        free(in[k]);
    for (int k = 0; k < each * nout; k++)
        free(out[k]);
    free(in);
    free(out);
    free(arena);
}

tried try_image(const uint8_t *data, size_t bytes, const ipu_kernels *kernels)
{
    uint8_t *image = exactly(bytes);
    memcpy(image, data, bytes);
    ipu_model m;
    tried result = TRIED_REFUSED;
    if (ipu_load(&m, image, bytes, kernels) == IPU_OK) {
        result = small(&m) ? TRIED_RAN : TRIED_TOO_LARGE;
        if (result == TRIED_RAN)
            run(&m);
        ipu_verify(&m);
    }
    free(image);
    return result;
}
