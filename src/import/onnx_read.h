/* A parsed model file between reading (ONNX: onnx_read.c, onnx_tensor.c) and building (onnx.c). */
#ifndef SGS_ONNX_READ_H
#define SGS_ONNX_READ_H

#include "import/onnx.h"
#include "import/proto.h"
#include "ops/source.h"

#define SGS_ONNX_GROWTH 8        /* memory an honest file may take, in its own size */

typedef struct sgs_onnx_init {
    const char *name;
    sgs_value *value;
} sgs_onnx_init;

/* A framework: how its files become the nodes below, and what reads those.  The rest of an import is the same for all. */
typedef struct sgs_onnx sgs_onnx;
struct sgs_frontend {
    const char *name;                                    /* "ONNX" */
    /* Fills o from the file's bytes: opset, inputs, outputs, initializers (as constants of o->im.g), nodes in any order. */
    sgs_status (*read)(sgs_onnx *o, sgs_span model, sgs_diag *d);
    const sgs_from *(*importers)(const sgs_family *f);   /* of one family, or NULL */
    /* Builds a node by the importer that was found for it, and what the framework does around it; NULL: the importer alone. */
    sgs_status (*build)(sgs_onnx *o, const sgs_source_node *n, sgs_from_fn fn, sgs_diag *d);
    bool channels_last;                                  /* its 4-D inputs and outputs are N,H,W,C */
    bool shapes_by_ini;                                  /* --input_shapes goes by the ini's inputs, not by the model's own */
};
extern const sgs_frontend sgs_frontend_onnx, sgs_frontend_tflite, sgs_frontend_tensorflow;

struct sgs_onnx {
    const sgs_frontend *frontend;
    sgs_import im;
    void *own;                   /* the frontend's */
    sgs_arena *a;                /* the graph's */
    const char *file;
    const sgs_onnx_options *opt;
    int64_t opset;
    sgs_onnx_info *in, *out, *inner; /* inner: value_info, shapes of tensors inside */
    int nin, nout, ninner;
    sgs_onnx_init *init;
    int ninit;
    sgs_source_node *node;
    int nnode;
    const char *producer;
    sgs_map files;               /* of external data */
    size_t fair;                 /* the memory limit so far */
    const bool *refused;         /* by node, of a survey; or NULL */
    bool channels_last;          /* 4-D inputs and outputs of the model itself are N,H,W,C */
};

/* Room for one more element, zeroed, at the end of the list whose pointer lies at `list`, which doubles; NULL: no memory. */
void *sgs_onnx_push(sgs_arena *a, void *list, int *n, size_t size);
/* Half precision, by its bits. */
float sgs_onnx_half(uint16_t h);
/* The type of 16-bit integers, which the graph holds in 32; NULL of all others. */
const sgs_type *sgs_onnx_narrow(int64_t data_type);
/* One TensorProto as a constant; *name is its name, "" when it has none. */
sgs_status sgs_onnx_tensor(sgs_onnx *o, sgs_span msg, const char **name, sgs_value **out, sgs_diag *d);

#endif
