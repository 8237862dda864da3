/* TFLite operators as the families write and read them.  Reading: a TFLite operator comes as an sgs_source_node whose op is the builtin's name (a custom
 * op's own name behind "custom:") and whose attributes are the fields of its options table, by the names below.  Writing: a family emits
 * operators by the same names.                                                                                                          */
#ifndef SGS_OPS_TFLITE_H
#define SGS_OPS_TFLITE_H

#include "ops/op.h"
#include "ops/source.h"

/* ActivationFunctionType and Padding of the schema. */
enum { SGS_TFL_ACT_NONE = 0, SGS_TFL_ACT_RELU = 1, SGS_TFL_ACT_RELU_N1_TO_1 = 2, SGS_TFL_ACT_RELU6 = 3 };
enum { SGS_TFL_SAME = 0, SGS_TFL_VALID = 1 };

/* A layer's output SGS_TFL_STATES + i, where it has one, is what the state becomes that input i was. */
#define SGS_TFL_STATES 4

typedef struct sgs_tfl_option {
    const char *name;      /* as in sgs_tfl_schema; options not given keep the schema's default */
    double value;
} sgs_tfl_option;

typedef struct sgs_tfl_writer sgs_tfl_writer;

sgs_arena *sgs_tfl_arena(sgs_tfl_writer *w);
/* Tensor numbers.  -1 stands for an absent optional input. */
int sgs_tfl_value(sgs_tfl_writer *w, const sgs_value *v);
int sgs_tfl_const(sgs_tfl_writer *w, sgs_type t, int rank, const int64_t *dim, const void *data);
int sgs_tfl_const_s32(sgs_tfl_writer *w, const int64_t *v, int n);
/* Float zeros for the input that the node lacks and the operator must have; the reader leaves them out again. */
int sgs_tfl_zeros(sgs_tfl_writer *w, const sgs_node *n, int slot, int64_t count);
/* An unnamed tensor between two operators that are one op of ours. */
int sgs_tfl_temp(sgs_tfl_writer *w, const sgs_value *like, int rank, const int64_t *dim);
/* One operator; `options` ends with a NULL name, or is NULL. */
void sgs_tfl_emit(sgs_tfl_writer *w, const char *op, const int *in, int nin, int out, const sgs_tfl_option *options);
/* The node as one builtin with its own inputs and output. */
sgs_status sgs_tfl_simple(sgs_tfl_writer *w, const sgs_node *n, const char *op, const sgs_tfl_option *options);
/* The node as a custom op of its own name, attributes in custom_options: what to_tflite falls back to. */
sgs_status sgs_tfl_custom(sgs_tfl_writer *w, const sgs_node *n);
/* An operator of that custom name without options. */
sgs_status sgs_tfl_custom_named(sgs_tfl_writer *w, const sgs_node *n, const char *name);

/* The same bits: -0 is not 0 here. */
bool sgs_tfl_is(float a, float b);
/* Whether the schema's int32 holds the numbers. */
bool sgs_tfl_fits(const int64_t *v, int n);
/* fused_activation_function for an sgs_act, or -1 when the schema has none for it. */
int sgs_tfl_act(const sgs_conv_attr *a);
/* Back, from the operator's options; others (TANH, SIGN_BIT) are an error. */
sgs_status sgs_tfl_read_act(sgs_import *im, const sgs_source_node *s, sgs_conv_attr *a, sgs_diag *d);
/* For operators that take none. */
sgs_status sgs_tfl_no_act(sgs_import *im, const sgs_source_node *s, sgs_diag *d);
/* Checks the ranks of a convolution's operands and reads its activation. */
sgs_status sgs_tfl_read_conv(sgs_import *im, const sgs_source_node *s, const sgs_value *x, const sgs_value *w, sgs_conv_attr *a, sgs_diag *d);
/* SAME's padding of one axis. */
void sgs_tfl_same(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t *before, int64_t *after);
/* Emits x padded (PAD, or PADV2 with `value`) into a temp when pad is not what `padding` (out) says; returns the tensor to read. */
int sgs_tfl_padded(sgs_tfl_writer *w, const sgs_value *x, const int64_t pad[4], const int64_t same[4], const void *value, int *padding);

/* Window options of CONV_2D, DEPTHWISE_CONV_2D and the pools; the caller presets kernel where options have none. */
typedef struct sgs_tfl_window {
    int64_t kernel[2], stride[2], dilation[2], pad[4];
    bool same;
} sgs_tfl_window;
sgs_status sgs_tfl_read_window(const sgs_source_node *s, const sgs_value *x, sgs_tfl_window *w, sgs_diag *d);
/* The padding that the writer put before a VALID window: when the operator before is joined to this one and pads with that value, it
 * goes, and *x becomes what is padded. */
bool sgs_tfl_take_pad(sgs_import *im, sgs_value **x, int64_t pad[4], float value);

/* ---- the schema, by name ---- */

typedef struct sgs_tfl_field {
    const char *name;
    int slot;
    char kind;             /* 'b' byte, 'i' int32, 'f' float; read, never written: 'v' a list of int32, 's' a word, 'g' the number of a subgraph */
    int absent;            /* default */
} sgs_tfl_field;
typedef struct sgs_tfl_schema {
    const char *name;
    int builtin;           /* BuiltinOperator */
    int options;           /* BuiltinOptions */
    sgs_tfl_field field[8];
} sgs_tfl_schema;
const sgs_tfl_schema *sgs_tfl_by_name(const char *name);
const sgs_tfl_schema *sgs_tfl_by_code(int builtin);
/* The name of any builtin operator, or NULL. */
const char *sgs_tfl_name(int builtin);

#endif
