/* A lowered network: records over numbered buffers.  lower.c makes it, fuse.c and plan.c change it, emit.c writes it.
 */
#ifndef SGS_PROGRAM_H
#define SGS_PROGRAM_H

#include "ir/ir.h"
#include "runtime/image.h"

/* Memory that records read and write, IPU_CONST apart.  Views share one buffer. */
typedef struct sgs_buffer {
    int64_t bytes;
    ipu_space space; /* IPU_INPUT, IPU_OUTPUT: the caller's, `index` says which; else IPU_ARENA */
    int index;
    int64_t off; /* in the arena: set by sgs_program_plan */
} sgs_buffer;

/* In rec, an operand of any space but IPU_NONE and IPU_CONST has space IPU_ARENA, index = number of its buffer, and off
 * = offset in that buffer; emit.c turns them into the image's spaces. */
typedef struct sgs_record {
    ipu_rec *rec;
    const char *layer;    /* the layer's own name, for cost table and messages */
    const sgs_node *node; /* the layer */
    int64_t mac;
} sgs_record;

typedef struct sgs_program {
    sgs_arena *arena; /* owns all below but consts */
    sgs_record *record;
    int nrecord;
    sgs_buffer *buffer; /* at most 65536 */
    int nbuffer;
    const int
        *buffer_of; /* sgs_lower_plain's: by value id, the buffer that holds nothing but the value; -1: there is none */
    sgs_buf consts; /* the const section; arrays on multiples of IPU_ALIGN */
} sgs_program;

void sgs_program_free(sgs_program *p);

/* The operands of a record; operand 0 is written, IPU_CONV_Y2 of a convolution too. */
static inline ipu_ref *sgs_refs(const sgs_record *r)
{
    return (ipu_ref *)(void *)(r->rec + 1);
}

static inline bool sgs_conv_record(const sgs_record *r)
{
    return ipu_is_conv(r->rec->kind);
}

static inline bool sgs_ref_written(const sgs_record *r, int i)
{
    return i == 0 || (i == IPU_CONV_Y2 && sgs_conv_record(r));
}

/* fuse.c: record pairs into one; never changes a bit of any output. */
void sgs_program_fuse(sgs_program *p);
/* inplace.c, plan.c: buffers that may share one place, then offsets in the arena. */
struct sgs_plan_result;
sgs_status sgs_program_plan(sgs_program *p, int64_t limit, struct sgs_plan_result *r, sgs_diag *d);

#endif
