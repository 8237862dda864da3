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
        if (rec->kind == IPU_CONV_U8 || rec->kind == IPU_CONV_S16)
            taps = (double)((const ipu_conv *)(const void *)rec)->kh * ((const ipu_conv *)(const void *)rec)->kw * x->c;
        if (rec->kind == IPU_DEPTHWISE_U8 || rec->kind == IPU_DEPTHWISE_S16)
            taps =
                (double)((const ipu_depthwise *)(const void *)rec)->kh * ((const ipu_depthwise *)(const void *)rec)->kw;
        if (rec->kind == IPU_MAXPOOL || rec->kind == IPU_AVGPOOL_S16)
            taps = (double)x->h * x->w;
        sum += elements * taps;
    }
    return sum;
}

static int small(const ipu_model *m)
{
    double bytes = (double)ipu_arena_size(m);
    ipu_tensor t;
    for (int i = 0; ipu_input(m, i, &t) == IPU_OK; i++)
        bytes += (double)t.bytes;
    for (int i = 0; ipu_output(m, i, &t) == IPU_OK; i++)
        bytes += (double)t.bytes;
    return bytes <= MOST_BYTES && work(m) <= MOST_WORK;
}

static void run(const ipu_model *m)
{
    void *in[IPU_MAX_IO] = { 0 }, *out[IPU_MAX_IO] = { 0 }, *arena = exactly(ipu_arena_size(m));
    ipu_tensor t;
    memset(arena, 0x5a, ipu_arena_size(m));
    for (int i = 0; ipu_input(m, i, &t) == IPU_OK; i++)
        memset(in[i] = exactly(t.bytes), 0x3d, t.bytes); /* as floats: small and finite */
    for (int i = 0; ipu_output(m, i, &t) == IPU_OK; i++)
        out[i] = exactly(t.bytes);
    if (ipu_run(m, arena, (const void *const *)in, out, NULL) != IPU_OK)
        abort();
    for (int i = 0; i < IPU_MAX_IO; i++) {
        free(in[i]);
        free(out[i]);
    }
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
