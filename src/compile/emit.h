/* A planned program -> the bytes of an image (docs/IMAGE.md), and the C file that lists its kernels. */
#ifndef SGS_EMIT_H
#define SGS_EMIT_H

#include "compile/program.h"

typedef struct sgs_image_io {
    const char *name;
    ipu_type type;
    ipu_format format;
    int rank;
    int64_t dim[IPU_MAX_RANK];
    int axis, nscale; /* nscale 0: not quantized */
    const float *scale;
    const int32_t *zero;
    ipu_format training; /* the format the network was trained on */
    bool nchw;
    bool framed;         /* a picture whose buffer is another than dim says, or may be, by its format and these */
    int width_align, height_align;
    int64_t bytes;       /* of that buffer; not framed: anything */
} sgs_image_io;

typedef struct sgs_image_info {
    uint32_t target, category;
    int64_t arena;
    int ninput, noutput;
    const sgs_image_io *io; /* inputs, then outputs */
    const char *provenance; /* "key value\n" lines */
    ipu_batch batch;        /* none, or one size, 1: nothing is said */
} sgs_image_info;

/* A record's row of the table of costs, without its name. */
ipu_cost sgs_record_cost(const sgs_record *r);
/* The bytes depend on the arguments alone. */
sgs_status sgs_emit_image(const sgs_program *p, const sgs_image_info *info, sgs_buf *out, sgs_diag *d);
/* `stem`: file name without .c; the table is called as its letters and digits say. */
void sgs_emit_kernels(const sgs_program *p, const char *stem, sgs_buf *out);

#endif
