/* Elementwise arithmetic of two broadcast operands, for the importers of other families. */
#ifndef SGS_OPS_ARITH_H
#define SGS_OPS_ARITH_H

#include "ops/util.h"

/* The two inputs; before opset 7 the second one may name the axis where it begins. */
sgs_status sgs_from_onnx_arith(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d);
/* MINIMUM, MAXIMUM and the others: the builtin of that name, no activation. */
sgs_status sgs_from_tflite_arith(sgs_import *im, const sgs_source_node *s, sgs_diag *d);

#endif
