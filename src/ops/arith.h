/* Elementwise arithmetic of two broadcast operands, for the importers of other families. */
#ifndef SGS_OPS_ARITH_H
#define SGS_OPS_ARITH_H

#include "ops/util.h"

/* The two inputs; before opset 7 the second one may name the axis where it begins. */
sgs_status sgs_from_onnx_arith(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_diag *d);
/* A constant integer of 64 bits in 32: inputs of 64 bits have 32 in the graph.  One beyond is an error, or (bound) the last one. */
sgs_status sgs_src_narrow(sgs_import *im, const sgs_source_node *s, bool bound, sgs_value **v, sgs_diag *d);
/* Two operands, of which a constant integer takes the other's width. */
sgs_status sgs_emit_pair(sgs_import *im, const sgs_source_node *s, const sgs_op *op, sgs_value *a, sgs_value *b, sgs_value **y, sgs_diag *d);
/* MINIMUM, MAXIMUM and the others: the builtin of that name, no activation. */
sgs_status sgs_from_tflite_arith(sgs_import *im, const sgs_source_node *s, sgs_diag *d);

#endif
