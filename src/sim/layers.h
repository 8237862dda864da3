/* A fixed-point model beside the float model it was made from, layer by layer, on the same samples. */
#ifndef SGS_LAYERS_H
#define SGS_LAYERS_H

#include "config/config.h"
#include "sim/fixed.h"
#include "sim/session.h"

/* A node of the float graph whose result both models hold under one name. */
typedef struct sgs_layer {
    const sgs_node *node;
    const sgs_value *real, *fixed; /* its result; the fixed one as integers with a scale */
    const sgs_node *conv;          /* of the fixed graph, where the layer is a convolution in both; else NULL */
    const sgs_node **part; /* what computes it in the fixed graph from values that other layers make, in order */
    int npart;
    bool moves; /* nothing but moves integers: it adds no error of its own */
    /* Of the whole models side by side, over all samples: */
    double signal, power, product, noise, most; /* sums of x^2, y^2, xy, (y-x)^2; the largest |y-x|; x float, y fixed */
    int64_t count, cut; /* elements; those at an end of the integers whose float number lies beyond it */
    /* Of this layer alone in fixed point, all others in float: */
    double *alone; /* [outputs]: noise there */
    double *wide;  /* of a convolution of 8 bits that 16 are possible for, with 16: what clipping leaves; else NULL */
} sgs_layer;

typedef struct sgs_layers {
    sgs_arena *arena;
    sgs_graph *real, *fixed;
    const sgs_config *config;
    const sgs_value **seen; /* [inputs] of the fixed graph as the network sees them: pictures without what a board adds */
    sgs_session *session;
    sgs_fixed *machine;
    sgs_layer *layer; /* in the order they run */
    int n;
    const sgs_value **twin; /* by id of a value of the fixed graph: the float one of its name, or NULL */
    bool *picture;          /* by id of a value of the fixed graph: pixels as the board gives them, perhaps moved */
    double *signal, *noise; /* [outputs] of the whole models, over all samples */
    double *alone_signal;   /* [outputs] over the samples of sgs_layers_alone */
    float **clean;          /* [outputs] of the float model for the sample at hand */
} sgs_layers;

/* The graphs and their configuration must outlive it.  Fails where no layer of one is in the other. */
sgs_status sgs_layers_new(sgs_layers **l, sgs_graph *real, sgs_graph *fixed, const sgs_config *config, sgs_diag *d);
void sgs_layers_free(sgs_layers *l);
/* Runs both on inputs that the caller has put into sgs_session_data and sgs_fixed_input, and counts. */
sgs_status sgs_layers_compare(sgs_layers *l, sgs_diag *d);
/* Runs both on such inputs and then each layer alone; `done` is called before each. */
sgs_status sgs_layers_alone(sgs_layers *l, void (*done)(void *user), void *user, sgs_diag *d);

#endif
