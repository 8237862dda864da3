/* What ONNX files have to themselves. */
#ifndef SGS_ONNX_H
#define SGS_ONNX_H

#include "import/frontend.h"

/* The type of 16-bit integers, which the graph holds in 32; NULL of all others. */
const sgs_type *sgs_onnx_narrow(int64_t data_type);
/* One TensorProto as a constant; *name is its name, "" when it has none. */
sgs_status sgs_onnx_tensor(sgs_model *o, sgs_span msg, const char **name, sgs_value **out, sgs_diag *d);

/* The nodes of a survey of the file `model` as a model of their own, appended to `to`.  Graph inputs and outputs without a description in
 * the file take theirs from the survey and from `outputs`, [s->nout] values in the model's own layout, or NULL where they are not known. */
typedef struct sgs_onnx_part {
    sgs_span model;
    const sgs_survey *s;
    sgs_value *const *outputs;
    bool external;               /* found: a kept initializer lies in another file */
} sgs_onnx_part;
sgs_status sgs_onnx_write_part(sgs_onnx_part *p, sgs_buf *to, sgs_diag *d);

#endif
