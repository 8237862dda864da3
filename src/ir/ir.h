/* The graph: values and nodes in an arena, nodes in topological order.
 *
 * A value has type and dims, never a layout.  The IR's spatial operators (conv, pool, ...) work on N,H,W,C dims; whatever the
 * source framework means is expressed with transposes.  Derived facts (lifetimes, users) are computed when asked for, not
 * stored; but while the passes run, the graph keeps its users (sgs_users_keep), and the verifier counts them again.  Values
 * and nodes are freed with the whole graph.
 *
 * The elements of constants are most of a model.  They lie in files that the graph keeps mapped, or in loose memory of its
 * arena (sgs_const_room); several values may have the same ones, and nobody is their owner: sgs_graph_collect gives back
 * the memory that no constant leads to which the graph still uses.  Those of a file in another order stay there too, as a
 * recipe, until sgs_const_data is asked for them: most are asked for by the writer of the result alone, piece by piece. */
#ifndef SGS_IR_H
#define SGS_IR_H

#include "base/base.h"

#define SGS_MAX_RANK 8
#define SGS_MAX_ELEMENTS ((int64_t)1 << 40) /* any value; memory limits are separate */

typedef enum sgs_type { SGS_F32, SGS_F64, SGS_S64, SGS_S32, SGS_S16, SGS_S8, SGS_U8, SGS_BOOL, SGS_U16, SGS_F16, SGS_S4, SGS_TYPE_COUNT } sgs_type;
/* S4: integers of -8 ... 7, in memory one in an int8_t each, as S8; only files hold two in a byte. */
int sgs_type_bytes(sgs_type t);                     /* in memory */
int sgs_type_bits(sgs_type t);                      /* in files */
const char *sgs_type_name(sgs_type t);              /* "f32", "s64", ... as in the text form */
const char *sgs_type_word(sgs_type t);              /* "float32", ... as ONNX and numpy say: for messages */

/* Quantization of a value.  real = (q - zero) * scale.  lo/hi: the observed or imported range, kept for reports. */
typedef struct sgs_quant {
    int axis;              /* dimension the arrays run along, or -1: n == 1 */
    int n;
    float *scale;
    int32_t *zero;
    int nrange;            /* 0, 1 or channels */
    float *lo, *hi;
    const char *reason;    /* why these bits, or NULL */
} sgs_quant;

/* The elements of a constant.  Values that have the same ones share it. */
typedef struct sgs_constant {
    const void *data;      /* row-major; NULL while they are not made */
    struct sgs_recipe *recipe; /* how; NULL: they lie in memory */
} sgs_constant;

typedef struct sgs_node sgs_node;
typedef struct sgs_op sgs_op;         /* a row of the operator table, ops/op.h */

typedef struct sgs_value {
    int id;                /* unique in the graph, never reused */
    sgs_type type;
    int rank;
    int64_t dim[SGS_MAX_RANK];
    const char **name;     /* every source name this value stands for, main one first; nname may be 0 */
    int nname;
    const char **swallowed; /* source names of tensors that a fusion made part of this value's producer; they no longer exist */
    int nswallowed;
    sgs_constant *constant; /* its elements, for sgs_const_data; NULL: no constant */
    sgs_quant *quant;      /* NULL: float, or plain integers */
    sgs_node *def;         /* producer; NULL for inputs and constants */
} sgs_value;

struct sgs_node {
    const sgs_op *op;
    int nin, nout;
    sgs_value **in;        /* an absent optional input is NULL */
    sgs_value **out;
    void *attr;            /* the op's attribute struct (op->attr describes it), arena-owned; NULL when the op has none */
    const char *name;      /* the source node's name, or NULL */
    struct sgs_use *use;   /* while the graph keeps its users: by slot, how the value there knows of it; else NULL */
    sgs_node *prev, *next;
};

typedef struct sgs_graph {
    sgs_arena *arena;
    sgs_node *first, *last;
    sgs_value **in, **out; /* graph inputs and outputs in the ini's order */
    int nin, nout;
    int nvalue;            /* ids handed out */
    const char *file;      /* the user's model file, for messages */
    struct sgs_mapped *mapped; /* files that constants point into, closed with the graph */
    struct sgs_meta *meta; /* named metadata carried to .sim; see sgs_meta_set */
    size_t plenty;         /* bytes of constants' elements from which a collection may pay */
    struct sgs_users *users; /* kept between sgs_users_keep and sgs_users_forget; else NULL */
} sgs_graph;

sgs_graph *sgs_graph_new(const char *file);
void sgs_graph_free(sgs_graph *g);
/* Maps a file for the life of the graph; the same path again gives the same bytes. */
sgs_status sgs_graph_map(sgs_graph *g, const char *path, sgs_span *data, sgs_diag *d);
bool sgs_graph_maps(const sgs_graph *g, sgs_span data); /* whether these bytes lie in a mapped file */
/* Bytes of a mapped file that will not be read soon stop taking memory; of other bytes nothing happens. */
void sgs_graph_forget(const sgs_graph *g, sgs_span data);
/* Gives back the elements of constants that are neither inputs of nodes nor outputs of the graph.  For the moments between two changes, when
 * nobody else holds a constant; cheap until much has come together. */
void sgs_graph_collect(sgs_graph *g);
/* The same for the elements of one constant, which nobody but the graph will ask for again. */
void sgs_const_drop(sgs_graph *g, sgs_value *v);
/* Whether v, used once, may be changed where sgs_const_data says it lies: in loose memory, and no other constant of the graph has its elements. */
bool sgs_const_is_own(const sgs_graph *g, const sgs_value *v);

/* ---- elements of constants ------------------------------------------------------------------- */

const void *sgs_constant_make(sgs_constant *c); /* from its recipe, which it has */
/* The elements of a constant, made now if they are not; NULL: v is none. */
static inline const void *sgs_const_data(const sgs_value *v)
{
    return !v->constant ? NULL : v->constant->recipe ? sgs_constant_make(v->constant) : v->constant->data;
}
static inline const float *sgs_const_f32(const sgs_value *v)
{
    return sgs_const_data(v);
}
/* The same, row by row, without making any: where they lie, at any address; NULL: they have to be made. */
const void *sgs_constant_rows(const sgs_constant *c);
/* Where the elements lie at any address and in any order, before what they may be multiplied by. */
const void *sgs_constant_source(const sgs_constant *c);
/* n bytes of whole elements from byte `at` on. */
void sgs_constant_read(const sgs_constant *c, size_t at, size_t n, void *to);

/* ---- building -------------------------------------------------------------------------------- */

sgs_value *sgs_value_new(sgs_graph *g, sgs_type t, int rank, const int64_t *dim);
sgs_value *sgs_value_like(sgs_graph *g, const sgs_value *v);      /* same type and dims, no names, no quant */
/* Zeroed room for a constant's elements; NULL when memory or the arena's limit is gone. */
void *sgs_const_room(sgs_graph *g, size_t bytes);
/* A constant; data is kept by reference when `copy` is false: sgs_const_room's, a mapped file's, or what lives as long as the graph. */
sgs_value *sgs_const_new(sgs_graph *g, sgs_type t, int rank, const int64_t *dim, const void *data, bool copy);
/* A constant whose elements lie row by row in a mapped file, at any address.  NULL when memory or the arena's limit is gone. */
sgs_value *sgs_const_in_file(sgs_graph *g, sgs_type t, int rank, const int64_t *dim, const void *at);
/* A constant of the same type and elements with other dims. */
sgs_value *sgs_const_view(sgs_graph *g, const sgs_value *of, int rank, const int64_t *dim);
sgs_constant *sgs_constant_new(sgs_arena *a, const void *data); /* kept by reference */
/* of's elements, axis i being its axis perm[i], where that needs no memory; NULL: somebody has to move them. */
sgs_constant *sgs_constant_turned(sgs_graph *g, const sgs_value *of, const int64_t *perm);
/* Element i of f32 times at[i / each % n], rounded once. */
typedef struct sgs_factors {
    const double *at;
    int64_t n, each;
} sgs_factors;
/* Elements first .. first + n - 1, which lie at x. */
void sgs_factors_apply(const sgs_factors *f, int64_t first, int64_t n, float *x);
/* of's elements times factors, which are copied; NULL as above. */
sgs_constant *sgs_constant_scaled(sgs_graph *g, const sgs_value *of, const sgs_factors *by);
void sgs_value_name(sgs_graph *g, sgs_value *v, const char *name); /* adds a name (copied); no effect when already there */
void sgs_value_drop_name(sgs_value *v, const char *name);
void sgs_value_take_names(sgs_graph *g, sgs_value *to, sgs_value *from); /* `to` is the same tensor: moves all names, swallowed ones too */
void sgs_value_swallow(sgs_graph *g, sgs_value *by, sgs_value *gone); /* `gone` ends inside by's producer: its names become swallowed ones */
void sgs_value_swallow_all(sgs_graph *g, sgs_value *by, sgs_value *const *gone, int n); /* the last one that ended there first */
bool sgs_value_has_name(const sgs_value *v, const char *name);
/* The name to show: the main name, else "%id" in arena memory. */
const char *sgs_value_label(sgs_graph *g, const sgs_value *v);
const char *sgs_node_label(sgs_graph *g, const sgs_node *n);      /* node name, else its first named output, else the op and id */
int64_t sgs_value_count(const sgs_value *v);                      /* elements; dims are verified to multiply without overflow */
int64_t sgs_value_bytes(const sgs_value *v);
sgs_quant *sgs_quant_new(sgs_graph *g, int axis, int n);

/* A new node before `before` (NULL: at the end).  Inputs are copied; outputs are made by the caller or by sgs_infer.  attr: op->attr_bytes
 * bytes, copied, or NULL for the op's defaults (zero). */
sgs_node *sgs_node_new(sgs_graph *g, sgs_node *before, const sgs_op *op, int nin, sgs_value *const *in, const void *attr);
void sgs_node_set_out(sgs_graph *g, sgs_node *n, int nout, sgs_value *const *out);
void sgs_node_remove(sgs_graph *g, sgs_node *n);                  /* its outputs must be unused; its prev still says where it stood */
void sgs_node_set_in(sgs_graph *g, sgs_node *n, int i, sgs_value *v); /* input i of n becomes v; NULL: absent */
/* Every use of `old`, graph outputs included, becomes `now`. */
void sgs_replace_uses(sgs_graph *g, sgs_value *old, sgs_value *now);

/* ---- asking ---------------------------------------------------------------------------------- */

/* One input slot of a node, in the list of all that use the same value. */
typedef struct sgs_use {
    sgs_node *node;
    struct sgs_use *prev, *next;
} sgs_use;

/* Users of each value by id.  A node appears once per input slot that uses the value, in no order. */
typedef struct sgs_users {
    sgs_arena *arena;
    struct sgs_used {
        sgs_use *first;
        int nodes;         /* in that list */
        int outputs;       /* how many graph outputs it is */
    } *of;
    int room;              /* ids that `of` has room for */
    bool holds;            /* see sgs_users_hold */
    sgs_node *gone;        /* removed and not yet released, by next */
} sgs_users;
/* Counted on the spot; what changes the graph later does not change them. */
sgs_users *sgs_users_of(sgs_graph *g, sgs_arena *a);
/* From here on g->users are the users now, whatever changes: then nodes come and go, and get other inputs and outputs, by the functions above
 * alone.  False: they are kept already, and whoever asked for that will forget them. */
bool sgs_users_keep(sgs_graph *g);
void sgs_users_forget(sgs_graph *g);
void sgs_users_hold(sgs_graph *g, bool on); /* on: what is removed now goes on counting as a user ... */
void sgs_users_release(sgs_graph *g);       /* ... until here */
sgs_use *sgs_first_use(const sgs_users *u, const sgs_value *v);
int sgs_output_count(const sgs_users *u, const sgs_value *v);     /* how many outputs of the graph it is */
int sgs_user_count(const sgs_users *u, const sgs_value *v);       /* nodes plus graph outputs */
sgs_node *sgs_only_user(const sgs_users *u, const sgs_value *v);  /* its one user when that is a node, else NULL */
bool sgs_has_other_user(const sgs_graph *g, const sgs_value *v, const sgs_node *n); /* a node other than n, or an output of the graph; now */
sgs_value *sgs_find_value(sgs_graph *g, const char *name);        /* by any alias; NULL when absent */
sgs_value *sgs_find_swallowed(sgs_graph *g, const char *name);    /* the value whose producer holds the tensor of that name, or NULL */

/* ---- metadata: named byte strings that travel in .sim ---------------------------------------- */

typedef struct sgs_meta {
    const char *name;
    sgs_span data;
    struct sgs_meta *next; /* in order of sgs_meta_set */
} sgs_meta;
void sgs_meta_set(sgs_graph *g, const char *name, const void *data, size_t n);  /* copied; replaces */
const sgs_meta *sgs_meta_get(const sgs_graph *g, const char *name);             /* NULL when absent */

/* ---- text form (docs/ARCHITECTURE.md), verifier, shapes -------------------------------------- */

typedef struct sgs_print_options {
    bool renumber;         /* values are numbered as they appear instead of by id: for comparing */
    int64_t max_elements;  /* longer constants are shown as {...}, which does not parse: for logs; 0: all in full */
} sgs_print_options;
void sgs_graph_print_with(const sgs_graph *g, const sgs_print_options *o, sgs_buf *out);
void sgs_graph_print(const sgs_graph *g, sgs_buf *out);             /* in full, by id: parses back to an equal graph */
sgs_status sgs_graph_parse(sgs_graph **g, const char *file, sgs_span text, sgs_diag *d);
/* Structure, order, arity, attribute ranges, shapes equal to what infer gives, quantization arrays fit.  Names the first culprit. */
sgs_status sgs_graph_verify(sgs_graph *g, sgs_diag *d);
/* Whether a value may have its type where the op infers another: of a quantized value, U8 or S16 is the quantizer's choice. */
bool sgs_type_fits(const sgs_value *v, sgs_type inferred);
/* Makes the node's outputs (or checks existing ones) from op->infer. */
sgs_status sgs_infer(sgs_graph *g, sgs_node *n, sgs_diag *d);

#endif
