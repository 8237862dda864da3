#include <string.h>

#include "program_maker.h"

static int buffer_of(const image_maker *m, const ipu_ref *r)
{
    if (r->space == IPU_INPUT)
        return r->index;
    if (r->space == IPU_OUTPUT)
        return NIN + r->index;
    int k = 0;
    while (k + 1 < m->nalloc && m->alloc[k + 1] <= r->off)
        k++;
    return NIN + NOUT + k;
}

static void to_buffers(const image_maker *m, ipu_rec *rec)
{
    ipu_ref *ref = (ipu_ref *)(void *)(rec + 1);
    for (int i = 0; i < rec->nref; i++) {
        if (ref[i].space == IPU_NONE || ref[i].space == IPU_CONST)
            continue;
        int b = buffer_of(m, ref + i);
        if (ref[i].space == IPU_ARENA)
            ref[i].off -= m->alloc[b - NIN - NOUT];
        ref[i].space = IPU_ARENA;
        ref[i].index = (uint16_t)b;
    }
}

sgs_program program_of(image_maker *m)
{
    sgs_program p = { .arena = sgs_arena_new(), .nbuffer = NIN + NOUT + m->nalloc };
    p.buffer = SGS_NEW_N(p.arena, sgs_buffer, p.nbuffer);
    for (int i = 0; i < p.nbuffer; i++)
        p.buffer[i] = i < NIN          ? (sgs_buffer){ 0, IPU_INPUT, i, 0 }
                      : i < NIN + NOUT ? (sgs_buffer){ 0, IPU_OUTPUT, i - NIN, 0 }
                                       : (sgs_buffer){ 0, IPU_ARENA, 0, 0 };
    for (int k = 0; k < m->nalloc; k++)
        p.buffer[NIN + NOUT + k].bytes = (k + 1 < m->nalloc ? m->alloc[k + 1] : m->arena) - m->alloc[k];
    sgs_buf_add(&p.consts, m->consts.p, m->consts.n);
    p.record = SGS_NEW_N(p.arena, sgs_record, m->nop);
    for (size_t at = 0; at < m->ops.n; at += p.record[p.nrecord++].rec->bytes) {
        ipu_rec *head = (ipu_rec *)(void *)(m->ops.p + at);
        ipu_rec *rec = sgs_alloc(p.arena, head->bytes);
        memcpy(rec, head, head->bytes);
        to_buffers(m, rec);
        p.record[p.nrecord] = (sgs_record){ .rec = rec, .layer = sgs_format(p.arena, "layer%d", p.nrecord), .mac = 1000 };
    }
    return p;
}

static const float one = 1;
static const int32_t zero = 0;
static const sgs_image_io ios[NIN + NOUT] = {
    { "picture", IPU_U8, IPU_FMT_RGB, 4, { 1, 17, 13, 3 }, -1, 1, &one, &zero, IPU_FMT_RAW, false, false, 0, 0, 0 },
    { "data", IPU_F32, IPU_FMT_RAW, 4, { 1, 9, 7, 5 }, -1, 0, NULL, NULL, IPU_FMT_RAW, false, false, 0, 0, 0 },
    { "scores", IPU_S16, IPU_FMT_RAW, 4, { 1, 1, 1, 10 }, -1, 1, &one, &zero, IPU_FMT_RAW, false, false, 0, 0, 0 },
    { "map", IPU_F32, IPU_FMT_RAW, 4, { 1, 5, 4, 24 }, -1, 0, NULL, NULL, IPU_FMT_RAW, false, false, 0, 0, 0 },
    { "turned", IPU_U8, IPU_FMT_RAW, 4, { 1, 20, 7, 9 }, -1, 1, &one, &zero, IPU_FMT_RAW, false, false, 0, 0, 0 },
};

sgs_status image_of(sgs_program *p, sgs_plan_result *plan, sgs_buf *image)
{
    SGS_TRY(sgs_program_plan(p, UINT32_MAX, plan, NULL));
    sgs_image_info info = {
        .arena = plan->arena, .ninput = NIN, .noutput = NOUT, .io = ios, .provenance = "tool test\n"
    };
    return sgs_emit_image(p, &info, image, NULL);
}
