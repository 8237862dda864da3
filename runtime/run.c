/* Runs a proved image: checks the caller's arguments, then trusts the records. */
#include "kernels.h"
#include "load.h"
#include "mem.h"

/* Below this many output elements a record is not worth waking threads for. */
#define WORTH_SHARING 2048

typedef struct place {
    const ipu_header *head;
    uint8_t *arena;
    const void *const *in;
    void *const *out;
} place;

/* What threads share of one record: rows of n*h, of a convolution with heavy weights slices of channels times rows, slice after slice, so that a thread
 * goes through few weights. */
typedef struct job {
    const ipu_rec *rec;
    ipu_kernel_fn run;
    void *p[IPU_MAX_REF];
    int32_t rows;
} job;

static int aligned(const void *p, uint32_t to)
{
    return p && (uintptr_t)p % to == 0;
}

static int buffers_ok(const place *at)
{
    const ipu_header *h = at->head;
    if ((h->ninput && !at->in) || (h->noutput && !at->out) || (h->arena_bytes && !aligned(at->arena, IPU_ALIGN)))
        return 0;
    for (uint32_t i = 0; i < h->ninput; i++)
        if (!aligned(at->in[i], (uint32_t)ipu_type_bytes(ipu_io_of(h, i)->type)))
            return 0;
    for (uint32_t i = 0; i < h->noutput; i++)
        if (!aligned(at->out[i], (uint32_t)ipu_type_bytes(ipu_io_of(h, h->ninput + i)->type)))
            return 0;
    return 1;
}

/* Whether an input that holds indices alone points at nothing beyond the tables it is for. */
static int indices_ok(const place *at, uint32_t input)
{
    const uint16_t *index = at->in[input];
    const ipu_rec *rec = ipu_at(at->head, at->head->ops, 0);
    for (uint32_t i = 0; i < at->head->nop; i++, rec = ipu_rec_next(rec)) {
        const ipu_gather *o = (const void *)rec;
        if (rec->kind != IPU_GATHER || o->index.space != IPU_INPUT || o->index.index != input)
            continue;
        for (int32_t k = 0; k < o->index.c; k++)
            if (index[o->index.off / sizeof *index + (uint32_t)k] >= o->x.h)
                return 0;
    }
    return 1;
}

static int values_ok(const place *at)
{
    for (uint32_t i = 0; i < at->head->ninput; i++) {
        const ipu_io *io = ipu_io_of(at->head, i);
        if (io->type == IPU_U16 && !indices_ok(at, i))
            return 0;
        if (io->type != IPU_F32)
            continue;
        const float *p = at->in[i];
        for (uint32_t k = 0; k < io->bytes / sizeof *p; k++)
            if (!ipu_finite(p[k]))
                return 0;
    }
    return 1;
}

/* Kernels take one pointer type; those of constants and inputs are only read through (load.c proved it). */
static void *address(const place *at, const ipu_ref *r)
{
    switch (r->space) {
    case IPU_CONST:
        return (void *)(uintptr_t)ipu_at(at->head, at->head->consts, r->off);
    case IPU_ARENA:
        return at->arena + r->off;
    case IPU_INPUT:
        return (void *)((uintptr_t)at->in[r->index] + r->off);
    case IPU_OUTPUT:
        return (uint8_t *)at->out[r->index] + r->off;
    default:
        return NULL;
    }
}

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
    const int64_t bytes = (int64_t)conv->x.c * ipu_type_bytes(conv->w.type);
    return 16 * conv->kh * conv->kw * ((bytes + 3) / 4 * 4);
}

/* 1 where slices are of no use. */
static int32_t slices_of(const ipu_rec *rec)
{
    const ipu_conv *conv = (const void *)rec;
    if (rec->kind != IPU_CONV_U8 && rec->kind != IPU_CONV_S16)
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

    memcpy(p, j->p, sizeof p);
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

static void run_record(const place *at, const ipu_rec *rec, ipu_kernel_fn run, const ipu_parallel *par)
{
    const ipu_ref *ref = ipu_refs(rec);
    job j = { .rec = rec, .run = run, .rows = ref->n * ref->h };
    for (int i = 0; i < rec->nref; i++)
        j.p[i] = address(at, ref + i);
    if (par && ((int64_t)j.rows * ref->w * ref->c >= WORTH_SHARING || slices_of(rec) > 1))
        share(&j, par);
    else
        run_rows(&j, 0, j.rows);
}

static void run_element(const place *at, const ipu_model *m, const ipu_parallel *par, const ipu_observer *watch)
{
    const ipu_rec *rec = ipu_at(at->head, at->head->ops, 0);
    for (uint32_t i = 0; i < at->head->nop; i++, rec = ipu_rec_next(rec)) {
        run_record(at, rec, m->kernels->row[rec->kind].run, par);
        if (watch)
            watch->done(watch->user, i);
    }
}

ipu_status ipu_run_observed(const ipu_model *m, void *arena, const void *const in[], void *const out[],
                            const ipu_parallel *par, const ipu_observer *watch)
{
    if (!m || !m->image)
        return IPU_E_ARG;
    place at = { ipu_head(m), arena, in, out };
    if (!buffers_ok(&at))
        return IPU_E_ARG;
    if (!values_ok(&at))
        return IPU_E_VALUE;
    run_element(&at, m, par, watch);
    return IPU_OK;
}

ipu_status ipu_run(const ipu_model *m, void *arena, const void *const in[], void *const out[], const ipu_parallel *par)
{
    return ipu_run_observed(m, arena, in, out, par, NULL);
}

/* ---- several elements ------------------------------------------------------------------------------------------ */

static int takes(const ipu_model *m, int n, ipu_batch *b)
{
    ipu_batches(m, b);
    int found = b->mode == IPU_N_BUF && n >= 1 && n <= b->size[0];
    for (int i = 0; i < b->count; i++)
        found |= n == b->size[i];
    return found;
}

typedef struct element {
    const void *in[IPU_MAX_IO];
    void *out[IPU_MAX_IO];
    place at;
} element;

/* The buffers of element k of what was given. */
static void find_element(const place *given, ipu_batch_mode mode, int k, element *e)
{
    const ipu_header *h = given->head;
    e->at = *given;
    if (mode == IPU_N_BUF) {
        e->at.in = given->in ? given->in + (size_t)k * h->ninput : NULL;
        e->at.out = given->out ? given->out + (size_t)k * h->noutput : NULL;
        return;
    }
    for (uint32_t i = 0; i < h->ninput; i++)
        e->in[i] = (const uint8_t *)given->in[i] + (size_t)k * ipu_io_of(h, i)->bytes;
    for (uint32_t i = 0; i < h->noutput; i++)
        e->out[i] = (uint8_t *)given->out[i] + (size_t)k * ipu_io_of(h, h->ninput + i)->bytes;
    e->at.in = e->in;
    e->at.out = e->out;
}

ipu_status ipu_run_batch(const ipu_model *m, void *arena, int n, const void *const in[], void *const out[],
                         const ipu_parallel *par)
{
    ipu_batch b;
    element e;
    if (!m || !m->image || !takes(m, n, &b))
        return IPU_E_ARG;
    const place given = { ipu_head(m), arena, in, out };
    if (b.mode == IPU_ONE_BUF && !buffers_ok(&given))
        return IPU_E_ARG;
    for (int k = 0; k < n; k++) {
        find_element(&given, b.mode, k, &e);
        if (!buffers_ok(&e.at))
            return IPU_E_ARG;
    }
    for (int k = 0; k < n; k++) {
        find_element(&given, b.mode, k, &e);
        if (!values_ok(&e.at))
            return IPU_E_VALUE;
        run_element(&e.at, m, par, NULL);
    }
    return IPU_OK;
}
