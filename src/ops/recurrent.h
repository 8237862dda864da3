/* What evaluation and spelling of rnn, gru and lstm share. */
#ifndef SGS_RECURRENT_H
#define SGS_RECURRENT_H

#include "ops/spell.h"

enum { SGS_RNN = 1, SGS_GRU = 3, SGS_LSTM = 4 }; /* gates */
enum { SGS_REC_X, SGS_REC_W, SGS_REC_R, SGS_REC_B, SGS_REC_LENGTHS, SGS_REC_H, SGS_REC_C, SGS_REC_PEEPHOLES, SGS_REC_INPUTS }; /* in ONNX's order and shapes */
enum { SGS_REC_FORWARD, SGS_REC_REVERSE, SGS_REC_BOTH };
enum { SGS_REC_FUNCTIONS = 6 };

/* f, alpha, beta: the functions of one direction, then those of the other. */
typedef struct sgs_recurrent_attr {
    int64_t direction;
    int64_t batch_first;          /* x [batch][step][input], y [batch][step][direction][hidden], states [batch][direction][hidden] */
    int64_t linear, coupled;      /* ONNX's linear_before_reset, input_forget */
    int64_t f[SGS_REC_FUNCTIONS]; /* number in `activations`; 0: the usual one */
    float alpha[SGS_REC_FUNCTIONS], beta[SGS_REC_FUNCTIONS], clip;
} sgs_recurrent_attr;

int sgs_rec_gates(const sgs_op *op);
/* How many functions one direction has. */
int sgs_rec_functions_of(int gates);

typedef struct sgs_rec_function {
    const sgs_op *op; /* NULL: alpha * x + beta */
    int numbers;      /* 0, 1: alpha, 2: alpha and beta */
    float alpha, beta;
} sgs_rec_function;

/* Function i of a direction. */
sgs_rec_function sgs_rec_function_of(const sgs_node *n, int direction, int i);
bool sgs_rec_is_scaled_tanh(const sgs_rec_function *f);

typedef union sgs_rec_function_attr {
    sgs_act_attr clip;
    sgs_alpha_attr alpha;
    sgs_lut_attr lut;
} sgs_rec_function_attr;

/* Of the function's op. */
sgs_rec_function_attr sgs_rec_attr_of(const sgs_rec_function *f);

typedef struct sgs_rec_sizes {
    int64_t steps, batch, input, hidden, wide; /* wide: of all gates */
    int gates, directions;
    bool batch_first;
} sgs_rec_sizes;

sgs_rec_sizes sgs_rec_sizes_of(const sgs_node *n);

/* ---- recurrent_eval.c, recurrent_spell.c ---- */

sgs_status sgs_recurrent_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d);
void sgs_recurrent_spell(sgs_spell *p, const sgs_node *n, sgs_value **out);
const char *sgs_recurrent_unfixed(const sgs_node *n);

#endif
