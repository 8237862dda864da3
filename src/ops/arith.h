/* Elementwise arithmetic of two broadcast operands, shared by add and arith. */
#ifndef SGS_OPS_ARITH_H
#define SGS_OPS_ARITH_H

#include "ops/util.h"

typedef enum sgs_arith { SGS_ADD, SGS_SUB, SGS_MUL, SGS_DIV } sgs_arith;

sgs_status sgs_arith_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d);
/* f32, f64, s64, s32.  Integer overflow and division by zero are errors. */
sgs_status sgs_arith_eval(sgs_arith op, const sgs_tensor *in, sgs_tensor *out, sgs_diag *d);
/* The builtin of that name, no activation. */
sgs_status sgs_from_tflite_arith(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d);
sgs_status sgs_from_onnx_arith(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d);

#endif
