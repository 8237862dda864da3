/* One record, and what threads share of it. */
#include "share.h"

#include "load.h"
#include "mem.h"

/* Below this many output elements a record is not worth waking threads for. */
#define WORTH_SHARING 2048

/* Rows of n*h, of a convolution with heavy weights slices of channels times rows, slice after slice, so that a thread goes through few weights. */
typedef struct job {
    const ipu_rec *rec;
    ipu_kernel_fn run;
    void *const *p;
    int32_t rows;
} job;

static void run_rows(void *arg, int begin, int end)
{
    const job *j = arg;
    j->run(j->rec, j->p, begin, end);
}

/* ---- slices of a convolution's channels ------------------------------------------------------------------------ */

#define SLICE 64           /* output channels, whole blocks of weights */
#define HEAVY (32 << 10)   /* bytes of weights from which on slices are made */

/* Bytes of the weights of 16 output channels. */
static int64_t block_bytes(const ipu_conv *conv)
{
    const int64_t bytes = (int64_t)conv->x.c * ipu_type_bytes(conv->w.type), steps = conv->kh * conv->kw * ((bytes + 3) / 4);
    return 16 * 4 * (conv->head.kind == IPU_CONV_U8S4 ? (steps + 1) / 2 : steps);
}

/* 1 where slices are of no use. */
static int32_t slices_of(const ipu_rec *rec)
{
    const ipu_conv *conv = (const void *)rec;
    if (!ipu_is_conv(rec->kind))
        return 1;
    return conv->y.c / 16 * block_bytes(conv) < HEAVY ? 1 : (conv->y.c + SLICE - 1) / SLICE;
}

static void *forward(void *p, ptrdiff_t bytes)
{
    return p ? (uint8_t *)p + bytes : NULL;
}

/* Rows [y0, y1) of slice s: the record's windows, narrowed. */
static void run_slice(const job *j, int32_t s, int32_t y0, int32_t y1)
{
    ipu_conv some = *(const ipu_conv *)(const void *)j->rec;
    const ptrdiff_t c = (ptrdiff_t)s * SLICE;
    void *p[IPU_MAX_REF];

    memcpy(p, j->p, (size_t)j->rec->nref * sizeof *p);
    some.y.c = some.y.c - c < SLICE ? some.y.c - (int32_t)c : SLICE;
    some.add.c = some.y2.c = some.y.c;
    p[0] = forward(p[0], c * ipu_type_bytes(some.y.type));
    p[2] = forward(p[2], c / 16 * (ptrdiff_t)block_bytes(&some));
    p[3] = forward(p[3], c * (some.w.type == IPU_S16 ? (ptrdiff_t)sizeof(int64_t) : (ptrdiff_t)sizeof(int32_t)));
    p[4] = forward(p[4], c * (ptrdiff_t)sizeof(float));
    p[IPU_CONV_ADD] = forward(p[IPU_CONV_ADD], c * (ptrdiff_t)sizeof(int16_t));
    p[IPU_CONV_Y2] = forward(p[IPU_CONV_Y2], c);
    j->run(&some.head, p, y0, y1);
}

static void run_slices(void *arg, int begin, int end)
{
    const job *j = arg;
    for (int y1; begin < end; begin = y1) {
        const int s = begin / j->rows;
        y1 = (s + 1) * j->rows < end ? (s + 1) * j->rows : end;
        run_slice(j, s, begin - s * j->rows, y1 - s * j->rows);
    }
}

static void share(const job *j, const ipu_parallel *par)
{
    const int32_t slices = slices_of(j->rec);
    if (slices > 1 && j->rows <= INT32_MAX / slices)
        par->run(par->user, run_slices, (void *)(uintptr_t)j, slices * j->rows);
    else
        par->run(par->user, run_rows, (void *)(uintptr_t)j, j->rows);
}

void ipu_run_record(const ipu_rec *rec, ipu_kernel_fn run, void *const p[], const ipu_parallel *par)
{
    const ipu_ref *y = ipu_refs(rec);
    const job j = { rec, run, p, y->n * y->h };
    if (par && ((int64_t)j.rows * y->w * y->c >= WORTH_SHARING || slices_of(rec) > 1))
        share(&j, par);
    else
        run(rec, p, 0, j.rows);
}
