/* What load.c, run.c and verify.c share: where the parts of a proved image lie. */
#ifndef IPU_LOAD_H
#define IPU_LOAD_H

#include "image.h"

static inline const ipu_header *ipu_head(const ipu_model *m)
{
    return (const ipu_header *)(const void *)m->image;
}

/* NULL: no batch. */
static inline const ipu_sizes *ipu_sizes_of(const ipu_header *h)
{
    return h->features & IPU_FEATURE_BATCH ? (const ipu_sizes *)(const void *)(h + 1) : NULL;
}

static inline const void *ipu_at(const ipu_header *h, ipu_section s, uint32_t off)
{
    return (const uint8_t *)h + s.off + off;
}

static inline const ipu_io *ipu_io_of(const ipu_header *h, uint32_t i) /* inputs first, then outputs */
{
    return (const ipu_io *)ipu_at(h, h->io, 0) + i;
}

/* Operands lie behind the record's head. */
static inline const ipu_ref *ipu_refs(const ipu_rec *rec)
{
    return (const ipu_ref *)(const void *)(rec + 1);
}

static inline const ipu_rec *ipu_rec_next(const ipu_rec *rec)
{
    return (const ipu_rec *)(const void *)((const uint8_t *)rec + rec->bytes);
}

static inline int ipu_finite(float x)
{
    union {
        float f;
        uint32_t u;
    } v = { x };
    return (v.u & 0x7f800000u) != 0x7f800000u;
}

#endif
