/* What every TFLite FlatBuffer is read with, a .sim of ours or a foreign model: tensors, buffers, quantization, operators' options.  The first
 * fault is told in `d`. */
#ifndef SGS_TFLITE_FILE_H
#define SGS_TFLITE_FILE_H

#include "base/flatbuf.h"
#include "ir/ir.h"
#include "ops/tflite.h"

typedef struct sgs_tfl_file {
    sgs_fb f;
    sgs_arena *a;
    sgs_diag *d;
    sgs_fb_table root, subgraph;
    sgs_fb_vector tensors, buffers, codes, operators;
    uint64_t spent;            /* bytes of memory that lists of the file took */
} sgs_tfl_file;

typedef struct sgs_tfl_tensor {
    int64_t number;            /* TensorType of the file */
    sgs_type type;
    bool known;                /* a type that graphs have */
    bool packed;               /* two elements of four bits a byte; its type is then S8 */
    int rank;
    int64_t dim[SGS_MAX_RANK], count;
    sgs_fb_table table;
} sgs_tfl_tensor;

typedef struct sgs_tfl_code {
    int builtin;                  /* BuiltinOperator */
    const sgs_tfl_schema *schema; /* NULL: custom, or not in our table */
    const char *custom;           /* a custom operator's name, else NULL */
} sgs_tfl_code;

bool sgs_tfl_is_model(sgs_span s);
/* Header and lists of the whole file; how many subgraphs it has. */
sgs_status sgs_tfl_open(sgs_tfl_file *t, uint32_t *subgraphs);
sgs_status sgs_tfl_enter(sgs_tfl_file *t, uint32_t subgraph);

sgs_status sgs_tfl_damaged(sgs_tfl_file *t, const char *what);
/* A list of a file may be pointed at from many places; honest files take no more memory than this allows.  Asked before each allocation. */
sgs_status sgs_tfl_spend(sgs_tfl_file *t, uint64_t n, uint64_t each);

const char *sgs_tfl_tensor_name(sgs_tfl_file *t, sgs_fb_table tensor);
sgs_status sgs_tfl_tensor_at(sgs_tfl_file *t, uint32_t i, sgs_tfl_tensor *out);
/* Fails where the graph has no such type. */
sgs_status sgs_tfl_need_type(sgs_tfl_file *t, const sgs_tfl_tensor *x);
/* The bytes of a tensor's buffer; n 0 when it is no constant. */
sgs_status sgs_tfl_buffer(sgs_tfl_file *t, const sgs_tfl_tensor *x, sgs_span *out);
/* n elements of four bits, the first in the lower half of its byte. */
void sgs_tfl_unpack(const uint8_t *from, int64_t n, int8_t *to);
/* *q stays as it is where the tensor has no scales. */
sgs_status sgs_tfl_quant(sgs_tfl_file *t, const sgs_tfl_tensor *x, sgs_graph *g, sgs_quant **q);
sgs_status sgs_tfl_code_of(sgs_tfl_file *t, sgs_fb_table op, sgs_tfl_code *out);
/* The fields of an operator's options as attributes of the node. */
sgs_status sgs_tfl_options(sgs_tfl_file *t, sgs_fb_table op, const sgs_tfl_schema *schema, sgs_source_node *s);

#endif
