/* A node of the model file as the importers see it, and what they build with.  The wire readers fill it; families read it. */
#ifndef SGS_SOURCE_H
#define SGS_SOURCE_H

#include "base/map.h"
#include "ops/op.h"

typedef enum sgs_src_kind { SGS_SRC_INT, SGS_SRC_FLOAT, SGS_SRC_STRING, SGS_SRC_INTS, SGS_SRC_FLOATS, SGS_SRC_STRINGS, SGS_SRC_TENSOR, SGS_SRC_BODY, SGS_SRC_OTHER } sgs_src_kind;
typedef struct sgs_src_attr {
    const char *name;
    const char *ref;              /* within a function: the caller's attribute whose value this one takes; else NULL */
    sgs_src_kind kind;
    int64_t i;
    float f;
    sgs_span s;                   /* STRING */
    int n;                        /* INTS, FLOATS, STRINGS */
    const int64_t *ints;
    const float *floats;
    const sgs_span *strings;
    sgs_value *tensor;            /* TENSOR: already a constant of the graph */
    const struct sgs_src_body *body; /* BODY: a graph */
} sgs_src_attr;

typedef struct sgs_source_node {
    const char *op;               /* "Conv" */
    const char *domain;           /* "" = the framework's own */
    const char *name;             /* may be "" */
    const char *overload;         /* of a function called so; "" almost always, or NULL */
    int opset;
    int line;                     /* of the file, where it is a text; else 0 */
    int nparam;                   /* so many of the last inputs are the node's own learned arrays, where a file keeps them so */
    int nin, nout, nattr;
    int ncaptured;                /* of the inputs, the last ones: what the node's bodies take from around it */
    const char *const *in;        /* "" = absent */
    const char *const *out;
    const sgs_src_attr *attr;
} sgs_source_node;

/* A graph in an attribute.  What its nodes take from the graph around it stands among the inputs of the node that has the attribute, behind its own. */
typedef struct sgs_src_body {
    sgs_source_node *node;        /* makers first */
    const char **init_name, **in, **out;
    sgs_value **init;
    int nnode, ninit, nin, nout;
} sgs_src_body;

/* A function of the model: its nodes see its inputs alone. */
typedef struct sgs_src_function {
    const char *domain, *name, *overload;
    sgs_src_body body;
    const sgs_src_attr *attr;     /* that have a value where the caller gives none */
    int nattr;
} sgs_src_function;

/* A sequence of tensors: it exists while a model is read, and in no graph. */
typedef struct sgs_src_list {
    int n;
    sgs_value *const *item;
} sgs_src_list;

/* What a source name stands for: one of the two. */
typedef struct sgs_src_bound {
    sgs_value *v;
    const sgs_src_list *list;
} sgs_src_bound;

typedef struct sgs_src_scope {
    sgs_map values;               /* source name -> value */
    sgs_map lists;                /* source name -> sgs_src_list, of those that are sequences */
    const struct sgs_src_scope *around; /* what a body sees besides; NULL: nothing */
} sgs_src_scope;

typedef struct sgs_src_call {     /* a function that is being built */
    const sgs_src_function *f;
    const struct sgs_src_call *from;
} sgs_src_call;

#define SGS_SRC_NODES 100000      /* nodes that bodies may come to, each counted as often as it is built, and parts of split tensors */
#define SGS_SRC_DEPTH 64          /* bodies within bodies */

typedef struct sgs_import {
    sgs_graph *g;
    sgs_src_scope scope;          /* the innermost */
    sgs_map functions;            /* domain, name and overload, a line each -> sgs_src_function */
    const sgs_src_call *call;     /* functions that are being built, the innermost first */
    const char *place;            /* before the names of nodes in a body that is built more than once, or NULL: "loop[3]/" */
    int64_t built;                /* nodes of bodies so far */
    int depth;                    /* of bodies */
    sgs_map narrow;               /* value's id -> the sgs_type that the file gives a tensor that is wider here (16-bit integers) */
    bool by_number;               /* source names are the reader's numbers, not names to keep or show */
    bool unnamed;                 /* what is built has no names of its own in the graph */
    bool as_is;                   /* nodes of constants stay nodes */
    bool weightless;              /* no file of the model's weights was given: values that nothing makes stand for them */
    bool made_up;                 /* some do */
    bool joined;                  /* the source node before this one is part of the same node of ours (.sim files) */
    sgs_node *before;             /* where nodes go; NULL: to the end */
    const char *framework;        /* "ONNX" */
    struct sgs_model *model;      /* what is read; NULL in .sim files */
    sgs_status (*build)(struct sgs_model *model, const sgs_source_node *s, sgs_from_fn fn, sgs_diag *d); /* what the framework does around an importer, or NULL */
    const sgs_from *(*importers)(const sgs_family *f); /* the framework's, of one family, or NULL */
} sgs_import;

/* The ONNX importer of an operator at an opset, or NULL. */
sgs_from_fn sgs_src_importer(const char *op, int opset);
/* That of a node: its domain's operator, or the function of the model that it calls; NULL: not supported. */
sgs_from_fn sgs_src_importer_of(const sgs_import *im, const sgs_source_node *s);
sgs_status sgs_from_function(sgs_import *im, const sgs_source_node *s, sgs_diag *d);
const sgs_src_function *sgs_src_function_of(const sgs_import *im, const sgs_source_node *s);
void sgs_src_add_function(sgs_import *im, const sgs_src_function *f);
/* Imports a node whose inputs have been made. */
sgs_status sgs_src_build(sgs_import *im, const sgs_source_node *s, sgs_diag *d);
sgs_src_scope sgs_src_scope_new(sgs_arena *a, const sgs_src_scope *around);
/* What a name stands for here; neither: nothing. */
sgs_src_bound sgs_src_get(const sgs_import *im, const char *name);
void sgs_src_bind(sgs_import *im, const char *name, sgs_src_bound b);
/* The first input that stands for nothing, or NULL. */
const char *sgs_src_absent(const sgs_import *im, const sgs_source_node *s);
/* Values by slot.  An absent optional input gives NULL; a missing required one is an error that names the node. */
sgs_status sgs_src_in(sgs_import *im, const sgs_source_node *s, int i, sgs_value **v, sgs_diag *d);
sgs_value *sgs_src_opt(sgs_import *im, const sgs_source_node *s, int i);
/* Sequences by slot; a tensor in their place is an error. */
sgs_status sgs_src_in_list(sgs_import *im, const sgs_source_node *s, int i, const sgs_src_list **list, sgs_diag *d);
sgs_status sgs_src_out_list(sgs_import *im, const sgs_source_node *s, int i, const sgs_src_list *list, sgs_diag *d);
/* The type that the file gives v, where it says one: 16-bit integers are S32 in the graph. */
sgs_type sgs_src_type(const sgs_import *im, const sgs_value *v);
void sgs_src_set_narrow(sgs_import *im, const sgs_value *v, const sgs_type *narrow);
/* Ties output i of the source node to a value and gives it its name there. */
sgs_status sgs_src_out(sgs_import *im, const sgs_source_node *s, int i, sgs_value *v, sgs_diag *d);
/* The words of TensorProto.DataType in its order, NULL at the end; that of a number, or "unknown". */
extern const char *const sgs_src_data_types[];
const char *sgs_src_data_type(int64_t t);
/* Attribute access; a wrong kind is an error.  Absent: *v keeps its default. */
sgs_status sgs_src_int(const sgs_source_node *s, const char *name, int64_t *v, sgs_diag *d);
sgs_status sgs_src_float(const sgs_source_node *s, const char *name, float *v, sgs_diag *d);
/* *n entries copied into v[max]; absent: *n unchanged.  Another length than `want` (when >= 0) is an error. */
sgs_status sgs_src_ints(const sgs_source_node *s, const char *name, int64_t *v, int max, int want, int *n, sgs_diag *d);
/* A word as its place in `names`, which end with NULL; another word is refused. */
sgs_status sgs_src_choice(sgs_import *im, const sgs_source_node *s, const char *name, const char *const *names, int64_t *v, sgs_diag *d);
const sgs_src_attr *sgs_src_find(const sgs_source_node *s, const char *name);
/* The constant integers of a shape-like input, S32 or S64 in the file; "not constant" is an error that says so. */
sgs_status sgs_src_const_ints(const sgs_source_node *s, const sgs_value *v, int64_t *out, int max, int *n, sgs_diag *d);
/* The node's name, else its first output, else its operator. */
const char *sgs_src_label(const sgs_source_node *s);
/* sgs_fail for this node, naming file, node and operator: the model breaks a rule, or (refuse) is right but more than we can take. */
sgs_status sgs_src_fail(sgs_import *im, const sgs_source_node *s, sgs_diag *d, const char *fmt, ...) SGS_PRINTF(4, 5);
sgs_status sgs_src_refuse(sgs_import *im, const sgs_source_node *s, sgs_diag *d, const char *fmt, ...) SGS_PRINTF(4, 5);

/* A node, inferred; out[op->nout] are its outputs. */
sgs_status sgs_emit(sgs_import *im, const sgs_source_node *s, const sgs_op *op, int nin, sgs_value *const *in, const void *attr, sgs_value **out,
                    sgs_diag *d);
/* The same tensor as a value of its own, that can take another name: a reshape that changes nothing. */
sgs_status sgs_emit_same(sgs_import *im, const sgs_source_node *s, sgs_value *x, sgs_value **out, sgs_diag *d);
/* Channel-first <-> channel-last around spatial operators (rank 4: 0,2,3,1 and 0,3,1,2). */
sgs_status sgs_emit_nhwc(sgs_import *im, const sgs_source_node *s, sgs_value *nchw, sgs_value **nhwc, sgs_diag *d);
sgs_status sgs_emit_nchw(sgs_import *im, const sgs_source_node *s, sgs_value *nhwc, sgs_value **nchw, sgs_diag *d);
/* The same for what spatial operators read: [n][c][h][w], or [n][c][w] as a picture one pixel high, and back to x's rank. */
sgs_status sgs_emit_picture(sgs_import *im, const sgs_source_node *s, sgs_value *x, sgs_value **nhwc, sgs_diag *d);
sgs_status sgs_emit_unpicture(sgs_import *im, const sgs_source_node *s, sgs_value *nhwc, int rank, sgs_value **y, sgs_diag *d);

#endif
