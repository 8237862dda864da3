/* A parsed model file between reading, which each framework has its own files for (onnx_*.c, caffe_*.c, tflite_*.c, tf_*.c), and building (model.c). */
#ifndef SGS_FRONTEND_H
#define SGS_FRONTEND_H

#include "import/model.h"
#include "import/proto.h"
#include "ops/source.h"

#define SGS_MODEL_GROWTH 8        /* memory an honest file may take, in its own size */

typedef struct sgs_source_const {
    const char *name;
    sgs_value *value;
} sgs_source_const;

/* A framework: how its files become the nodes below, and what reads those.  The rest of an import is the same for all. */
typedef struct sgs_model sgs_model;
struct sgs_frontend {
    const char *name;                                    /* "ONNX" */
    /* Fills o from the file's bytes: opset, inputs, outputs, initializers (as constants of o->im.g), nodes in any order. */
    sgs_status (*read)(sgs_model *o, sgs_span model, sgs_diag *d);
    const sgs_from *(*importers)(const sgs_family *f);   /* of one family, or NULL */
    /* Builds a node by the importer that was found for it, and what the framework does around it; NULL: the importer alone. */
    sgs_status (*build)(sgs_model *o, const sgs_source_node *n, sgs_from_fn fn, sgs_diag *d);
    bool channels_last;                                  /* its 4-D inputs and outputs are N,H,W,C */
    bool shapes_by_ini;                                  /* --input_shapes goes by the ini's inputs, not by the model's own */
};
extern const sgs_frontend sgs_frontend_onnx, sgs_frontend_tflite, sgs_frontend_tensorflow;

struct sgs_model {
    const sgs_frontend *frontend;
    sgs_import im;
    void *own;                   /* the frontend's */
    sgs_arena *a;                /* the graph's */
    const char *file;
    const sgs_import_options *opt;
    int64_t opset;
    sgs_source_tensor *in, *out, *inner; /* inner: value_info, shapes of tensors inside */
    int nin, nout, ninner;
    sgs_source_const *init;
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
void *sgs_push(sgs_arena *a, void *list, int *n, size_t size);
/* Half precision, by its bits. */
float sgs_half(uint16_t h);

#endif
