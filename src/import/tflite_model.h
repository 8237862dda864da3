/* A foreign TFLite model while it is imported: tflite_read.c makes an sgs_model of it, with the tensors that tflite_tensor.c reads; tflite_build.c
 * builds the nodes, within the ranges of tflite_range.c. */
#ifndef SGS_TFLITE_MODEL_H
#define SGS_TFLITE_MODEL_H

#include "import/frontend.h"
#include "import/tflite_file.h"

#define SGS_LITE_OPSET 18 /* helpers that ONNX's operators share look at it */

typedef struct sgs_lite_tensor {
    const char *name;       /* no other tensor has it */
    sgs_tfl_tensor t;
    const sgs_quant *quant; /* of a tensor that is real numbers here; else NULL */
    bool input, output, constant, made, variable, free_shape;
    int64_t signature[SGS_MAX_RANK]; /* free_shape: -1 where --input_shapes may say another size */
} sgs_lite_tensor;

typedef struct sgs_lite_model {
    sgs_tfl_file t;
    sgs_model *o;
    sgs_lite_tensor *tensor; /* of the subgraph that is being read */
    int ntensor;
    sgs_map by_name;         /* -> sgs_lite_tensor, of all subgraphs */
    int nquantized;          /* constants of 16 bits or fewer, or of half or double precision */
    sgs_src_body **body;     /* by subgraph; NULL: no node has it */
    uint32_t nsubgraph, *waiting, nwaiting; /* bodies that someone has, in the order of asking */
} sgs_lite_model;

/* ---- tflite_tensor.c ---- */

sgs_status sgs_lite_read_tensors(sgs_lite_model *m);
/* Those that no operator makes, behind a list: what has a buffer, and states. */
sgs_status sgs_lite_read_constants(sgs_lite_model *m, sgs_source_const **list, int *n);
/* Whether the configuration has the state among the inputs; the name of its next value, where that is among the outputs, else "". */
bool sgs_lite_is_kept(const sgs_lite_model *m, const sgs_lite_tensor *x);
const char *sgs_lite_next(sgs_lite_model *m, const sgs_lite_tensor *x);
/* One more in a list of sgs_push, or an error. */
sgs_status sgs_lite_add(sgs_lite_model *m, void *list, int *n, size_t size, void *made);
void sgs_lite_describe(const sgs_lite_tensor *x, bool free_sizes, sgs_source_tensor *info);
/* The tensor of a name; NULL: there is none. */
const sgs_lite_tensor *sgs_lite_find(const sgs_model *o, const char *name);

/* ---- tflite_variable.c ---- */

/* The nodes of CALL_ONCE join the model's; what is read of a variable is what was assigned to it before. */
sgs_status sgs_lite_settle_variables(sgs_lite_model *m);

/* ---- tflite_range.c ---- */

typedef struct sgs_lite_extent {
    float lo, hi;
} sgs_lite_extent;

/* Whether it has one scale, of 16 bits or fewer; its steps, and where they end. */
bool sgs_lite_has_grid(const sgs_lite_tensor *x);
void sgs_lite_steps(const sgs_lite_tensor *x, sgs_fake_quant_attr *a);
sgs_lite_extent sgs_lite_reach(const sgs_lite_tensor *x);
/* fused_activation_function */
int sgs_lite_fused(const sgs_source_node *n);
/* What is to be done to an output: rounded to steps, or cut to a range; NULL: nothing. */
const sgs_op *sgs_lite_limit(const sgs_model *o, const sgs_source_node *n, const sgs_lite_tensor *y, const void **attr);

/* ---- tflite_build.c ---- */

sgs_status sgs_lite_build(sgs_model *o, const sgs_source_node *n, sgs_from_fn fn, sgs_diag *d);

#endif
