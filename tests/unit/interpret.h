/* A graph run node by node with sgs_eval, one buffer a value: slow, and too simple to be wrong. */
#ifndef TEST_INTERPRET_H
#define TEST_INTERPRET_H

#include "ops/op.h"

/* data: by value id; the graph inputs' are given, the others are made in `a`. */
bool interpret(sgs_graph *g, sgs_arena *a, void **data, sgs_diag *d);
/* Numbers in [-1, 1), or small integers. */
void *seeded_input(sgs_arena *a, const sgs_value *v, uint32_t seed);
/* The numbers of a value written to `to`; returns the place behind them. */
double *as_doubles(const sgs_value *v, void *const *data, double *to);

#endif
