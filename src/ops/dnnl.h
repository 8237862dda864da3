/* f32 evaluation of the heavy operators through oneDNN: direct algorithms, strict float mode, one thread.  Primitives and packed weights stay in the
 * node's sgs_eval_state, so a session pays for them once. */
#ifndef SGS_DNNL_H
#define SGS_DNNL_H

#include "ops/op.h"

typedef struct sgs_dnnl_conv {
    const sgs_tensor *x, *w, *bias;    /* x NHWC; bias [co] or NULL */
    sgs_tensor *y;
    int64_t wdim[12], wstride[12];     /* w as groups, outputs and inputs per group, height, width: sizes and element strides (arrays of oneDNN's length) */
    const sgs_conv_attr *attr;
    bool transposed;
} sgs_dnnl_conv;
sgs_status sgs_dnnl_run_conv(const sgs_dnnl_conv *c, sgs_eval_state *st, sgs_diag *d);

/* y [rows][co] = x [rows][ci] * w [co][ci] + bias */
sgs_status sgs_dnnl_run_fc(const sgs_tensor *in, bool bias, sgs_tensor *y, const sgs_conv_attr *a, sgs_eval_state *st, sgs_diag *d);

sgs_status sgs_dnnl_run_pool(const sgs_tensor *x, sgs_tensor *y, const sgs_pool_attr *a, bool max, sgs_eval_state *st, sgs_diag *d);

/* s [n][n] += x' x of x [rows][n] */
sgs_status sgs_dnnl_add_squares(const float *x, int64_t rows, int64_t n, float *s, sgs_diag *d);

/* Library version and the instruction set it uses here: the evaluator's identity. */
const char *sgs_dnnl_identity(void);

#endif
