/* A GraphDef between its bytes (tf_read.c) and sgs_model: calls are replaced by the functions' nodes (tf_function.c),
 * branches that are never taken go (tf_flow.c). */
#ifndef SGS_TF_READ_H
#define SGS_TF_READ_H

#include "import/frontend.h"

enum { TF_CONTROL = -1 }; /* port of an input that only orders */

typedef struct sgs_tf_input {
    const char *text; /* as the file has it */
    int node, port;   /* node -1: there is none of that name */
} sgs_tf_input;

typedef struct sgs_tf_node {
    sgs_source_node s; /* name, operator, attributes */
    sgs_tf_input *in;
    int nin, nport;       /* nport: outputs that someone asks for */
    bool dead;            /* in a branch that is never taken */
    int live;             /* of a switch that is decided: the output that has the data; else -1 */
    bool asked;           /* a name of the ini */
    bool fed;             /* depends on an input, or on what is none of ours */
    bool branch;          /* was a switch */
    int8_t asking, truth; /* tf_flow.c */
} sgs_tf_node;

typedef struct sgs_tf_function {
    const char *name;
    const char **arg, **out; /* of the signature, in its order */
    const char **ret_name, **ret_from;
    int narg, nout, nret;
    sgs_tf_node *node;
    int nnode;
    sgs_src_body *body;           /* where an If or a While has it, else NULL */
    struct sgs_tf_function *next; /* of those whose bodies are still to be made */
} sgs_tf_function;

typedef struct sgs_tf_graph {
    sgs_model *o;
    sgs_tf_node *node;
    int n;
    sgs_tf_function *function;
    int nfunction;
    sgs_tf_function **waiting; /* the first of those */
    sgs_map by_name; /* name -> 1 + its place, as a pointer */
    sgs_map spelled; /* names that the ini gives a ":0" */
} sgs_tf_graph;

/* An attribute's tensor; what holds no numbers that we know gives NULL and no error. */
sgs_status sgs_tf_tensor(sgs_model *o, sgs_span msg, sgs_value **out, int64_t *dtype, sgs_diag *d);
/* Nodes of one NodeDef appended to a list. */
sgs_status sgs_tf_read_node(sgs_model *o, sgs_span msg, sgs_tf_node **list, int *n, sgs_diag *d);
sgs_status sgs_tf_read_function(sgs_model *o, sgs_span msg, sgs_tf_function **list, int *n, sgs_diag *d);
/* Finds the nodes that inputs name. */
sgs_status sgs_tf_resolve(sgs_tf_graph *g, sgs_diag *d);
/* Someone asks for an output of a node. */
void sgs_tf_ask(sgs_tf_graph *g, int node, int port);
/* As the rest of the import knows it. */
const char *sgs_tf_tensor_name(sgs_tf_graph *g, int node, int port);
/* A node as the rest of the import takes it; a constant of a type that is wider here. */
sgs_status sgs_tf_source(sgs_tf_graph *g, int i, sgs_source_node *s, sgs_diag *d);
void sgs_tf_set_narrow(sgs_model *o, const sgs_value *v, int64_t dtype);
/* The functions that an If or a While names become bodies, which sgs_tf_make_bodies fills. */
sgs_status sgs_tf_take_bodies(sgs_tf_graph *g, sgs_source_node *s, sgs_diag *d);
/* The nodes behind these tensors as a body's; they end at nodes whose state is SGS_TF_DONE, which all become. */
enum { SGS_TF_DONE = 2 };
sgs_status sgs_tf_fill_body(sgs_tf_graph *g, sgs_src_body *b, const sgs_tf_input *out, int nout, uint8_t *state,
                            sgs_diag *d);
/* Loops of Enter, Merge, Switch, NextIteration and Exit become While. */
sgs_status sgs_tf_close_loops(sgs_tf_graph *g, sgs_diag *d);
sgs_status sgs_tf_make_bodies(sgs_tf_graph *g, sgs_diag *d);
/* Calls of functions become the functions' nodes, named CALL/NODE. */
sgs_status sgs_tf_inline(sgs_tf_graph *g, sgs_diag *d);
/* Marks what lies behind inputs, and what behind decided switches; merges of one live branch become Identity, decided
 * switches too. */
sgs_status sgs_tf_decide(sgs_tf_graph *g, sgs_diag *d);
/* The place of a node, -1: there is none. */
int sgs_tf_find(const sgs_tf_graph *g, const char *name);
sgs_status sgs_tf_add_name(sgs_tf_graph *g, int i, sgs_diag *d);

#endif
