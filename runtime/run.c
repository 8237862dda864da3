/* Runs a proved image: checks the caller's arguments, then trusts the records. */
#include "kernels.h"
#include "load.h"
#include "share.h"

typedef struct place {
    const ipu_header *head;
    uint8_t *arena;
    const void *const *in;
    void *const *out;
} place;

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

/* Without a way out in between, which keeps compilers from looking at several numbers at once. */
static int all_finite(const float *p, uint32_t n)
{
    uint32_t bad = 0;
    for (uint32_t k = 0; k < n; k++)
        bad |= (uint32_t)!ipu_finite(p[k]);
    return !bad;
}

static int values_ok(const place *at)
{
    for (uint32_t i = 0; i < at->head->ninput; i++) {
        const ipu_io *io = ipu_io_of(at->head, i);
        if (io->type == IPU_U16 && !indices_ok(at, i))
            return 0;
        if (io->type != IPU_F32)
            continue;
        if (!all_finite(at->in[i], io->bytes / (uint32_t)sizeof(float)))
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

static void run_record(const place *at, const ipu_rec *rec, ipu_kernel_fn run, const ipu_parallel *par)
{
    const ipu_ref *ref = ipu_refs(rec);
    void *p[IPU_MAX_REF];
    for (int i = 0; i < rec->nref; i++)
        p[i] = address(at, ref + i);
    ipu_run_record(rec, run, p, par);
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
