/* rnn, gru, lstm: layers that walk over time steps.  Evaluated whole (recurrent_eval.c); for fixed point they are
 * spelled out, step by step (recurrent_spell.c). */
#include "ops/recurrent.h"

#include <math.h>
#include <string.h>

/* ---- attributes ---- */

static const char *const directions[] = { "forward", "reverse", "bidirectional", NULL };
static const char *const functions[] = { "usual",     "Sigmoid",         "Tanh",       "Relu",        "Affine",
                                         "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu",
                                         "Softsign",  "Softplus",        NULL };
enum { USUAL, SIGMOID, TANH, FUNCTIONS = sizeof functions / sizeof *functions - 1 };

#define FUNCTION(i)                                                                                                    \
    { "f" #i, SGS_ATTR_ENUM, offsetof(sgs_recurrent_attr, f[i]), 1, SGS_ALL, functions },                              \
        { "alpha" #i, SGS_ATTR_FLOAT, offsetof(sgs_recurrent_attr, alpha[i]), 1, SGS_ALL, NULL },                      \
    {                                                                                                                  \
        "beta" #i, SGS_ATTR_FLOAT, offsetof(sgs_recurrent_attr, beta[i]), 1, SGS_ALL, NULL                             \
    }
static const sgs_attr recurrent_attrs[] = {
    SGS_ATTR_E(sgs_recurrent_attr, direction, directions),
    SGS_ATTR_I(sgs_recurrent_attr, batch_first),
    SGS_ATTR_I(sgs_recurrent_attr, linear),
    SGS_ATTR_I(sgs_recurrent_attr, coupled),
    SGS_ATTR_F(sgs_recurrent_attr, clip),
    FUNCTION(0),
    FUNCTION(1),
    FUNCTION(2),
    FUNCTION(3),
    FUNCTION(4),
    FUNCTION(5),
    SGS_ATTR_END,
};

int sgs_rec_gates(const sgs_op *op)
{
    return op == &sgs_op_rnn ? SGS_RNN : op == &sgs_op_gru ? SGS_GRU : SGS_LSTM;
}

/* Of one direction. */
int sgs_rec_functions_of(int gates)
{
    return gates == SGS_RNN ? 1 : gates == SGS_GRU ? 2 : 3;
}

static int usual(int gates, int i)
{
    return gates != SGS_RNN && i == 0 ? SIGMOID : TANH;
}

/* ---- activations ---- */

static const sgs_rec_function activations[FUNCTIONS] = {
    { NULL, 0, 0, 0 },
    { &sgs_op_sigmoid, 0, 0, 0 },
    { &sgs_op_tanh, 0, 0, 0 },
    { &sgs_op_clip, 0, 0, 0 }, /* Relu */
    { NULL, 2, 1, 0 },
    { &sgs_op_leakyrelu, 1, 0.01f, 0 },
    { &sgs_op_thresholdedrelu, 1, 1, 0 },
    { &sgs_op_tanh, 2, 1, 1 },
    { &sgs_op_hardsigmoid, 2, 0.2f, 0.5f },
    { &sgs_op_elu, 1, 1, 0 },
    { &sgs_op_softsign, 0, 0, 0 },
    { &sgs_op_softplus, 0, 0, 0 },
};

/* Function i of a direction. */
sgs_rec_function sgs_rec_function_of(const sgs_node *n, int direction, int i)
{
    const sgs_recurrent_attr *a = n->attr;
    const int gates = sgs_rec_gates(n->op), at = direction * sgs_rec_functions_of(gates) + i;
    const bool own = a->f[at] > USUAL && a->f[at] < FUNCTIONS;
    sgs_rec_function f = activations[own ? a->f[at] : usual(gates, i)];
    f.alpha = a->alpha[at];
    f.beta = a->beta[at];
    return f;
}

bool sgs_rec_is_scaled_tanh(const sgs_rec_function *f)
{
    return f->op == &sgs_op_tanh && f->numbers;
}

/* Of the function's op. */
sgs_rec_function_attr sgs_rec_attr_of(const sgs_rec_function *f)
{
    if (f->op == &sgs_op_clip)
        return (sgs_rec_function_attr){ .clip = { 0, INFINITY } };
    if (f->op == &sgs_op_leakyrelu || f->op == &sgs_op_thresholdedrelu)
        return (sgs_rec_function_attr){ .alpha = { f->alpha } };
    return (sgs_rec_function_attr){ .lut = { .alpha = sgs_rec_is_scaled_tanh(f) ? 0 : f->alpha,
                                             .beta = sgs_rec_is_scaled_tanh(f) ? 0 : f->beta } };
}

/* ---- shapes ---- */

sgs_rec_sizes sgs_rec_sizes_of(const sgs_node *n)
{
    const sgs_recurrent_attr *a = n->attr;
    const int64_t *x = n->in[SGS_REC_X]->dim, hidden = n->in[SGS_REC_R]->dim[2];
    const bool first = a->batch_first != 0;
    const int gates = sgs_rec_gates(n->op);
    return (sgs_rec_sizes){
        x[first], x[!first], x[2], hidden, gates * hidden, gates, a->direction == SGS_REC_BOTH ? 2 : 1, first
    };
}

static sgs_status fit(const sgs_node *n, int slot, int rank, const int64_t *dim, sgs_diag *d)
{
    static const char *const what[] = { [SGS_REC_W] = "W",
                                        [SGS_REC_R] = "R",
                                        [SGS_REC_B] = "B",
                                        [SGS_REC_H] = "an initial state",
                                        [SGS_REC_C] = "an initial state",
                                        [SGS_REC_PEEPHOLES] = "P" };
    const sgs_value *v = slot < n->nin ? n->in[slot] : NULL;
    char text[128], wanted[128];
    if (!v || (v->rank == rank && !memcmp(v->dim, dim, (size_t)rank * sizeof *dim)))
        return SGS_OK;
    return sgs_fail(d, SGS_E_MODEL, "%s has shape %s, expected %s", what[slot],
                    sgs_dims_text(text, sizeof text, v->rank, v->dim), sgs_dims_text(wanted, sizeof wanted, rank, dim));
}

static sgs_status check_types(const sgs_node *n, sgs_diag *d)
{
    for (int i = 0; i < n->nin; i++) {
        if (i == SGS_REC_LENGTHS && n->in[i])
            SGS_TRY(sgs_need_type(n->in[i], SGS_S32, "sequence_lens", d));
        else if (n->in[i] && n->in[i]->type != SGS_F32)
            return sgs_fail(d, SGS_E_UNSUPPORTED, "expected float inputs, found %s", sgs_type_word(n->in[i]->type));
    }
    return SGS_OK;
}

static sgs_status check_operands(const sgs_node *n, const sgs_rec_sizes *z, sgs_diag *d)
{
    const int64_t k = z->directions,
                  state[] = { z->batch_first ? z->batch : k, z->batch_first ? k : z->batch, z->hidden };
    SGS_TRY(fit(n, SGS_REC_W, 3, (const int64_t[]){ k, z->wide, z->input }, d));
    SGS_TRY(fit(n, SGS_REC_R, 3, (const int64_t[]){ k, z->wide, z->hidden }, d));
    SGS_TRY(fit(n, SGS_REC_B, 2, (const int64_t[]){ k, 2 * z->wide }, d));
    SGS_TRY(fit(n, SGS_REC_H, 3, state, d));
    SGS_TRY(fit(n, SGS_REC_C, 3, state, d));
    SGS_TRY(fit(n, SGS_REC_PEEPHOLES, 2, (const int64_t[]){ k, 3 * z->hidden }, d));
    if (n->nin > SGS_REC_LENGTHS && n->in[SGS_REC_LENGTHS] && sgs_value_count(n->in[SGS_REC_LENGTHS]) != z->batch)
        return sgs_fail(d, SGS_E_MODEL, "expected %lld sequence lengths, found %lld", (long long)z->batch,
                        (long long)sgs_value_count(n->in[SGS_REC_LENGTHS]));
    return z->steps > 0 ? SGS_OK : sgs_fail(d, SGS_E_MODEL, "expected at least one time step, found none");
}

static sgs_tensor shaped(int rank, const int64_t *dim)
{
    sgs_tensor t = { .type = SGS_F32, .rank = rank };
    memcpy(t.dim, dim, (size_t)rank * sizeof *dim);
    return t;
}

/* y, the last hidden state, the last cell (lstm). */
static sgs_status recurrent_infer(sgs_graph *g, const sgs_node *n, sgs_tensor *out, sgs_diag *d)
{
    (void)g;
    SGS_TRY(check_types(n, d));
    if (n->in[SGS_REC_X]->rank != 3 || n->in[SGS_REC_R]->rank != 3)
        return sgs_fail(d, SGS_E_MODEL, "expected an input and weights of 3 dimensions, found %d and %d",
                        n->in[SGS_REC_X]->rank, n->in[SGS_REC_R]->rank);
    const sgs_rec_sizes z = sgs_rec_sizes_of(n);
    const int64_t k = z.directions;
    SGS_TRY(check_operands(n, &z, d));
    out[0] = z.batch_first ? shaped(4, (const int64_t[]){ z.batch, z.steps, k, z.hidden })
                           : shaped(4, (const int64_t[]){ z.steps, k, z.batch, z.hidden });
    for (int i = 1; i < n->op->nout; i++)
        out[i] = z.batch_first ? shaped(3, (const int64_t[]){ z.batch, k, z.hidden })
                               : shaped(3, (const int64_t[]){ k, z.batch, z.hidden });
    return SGS_OK;
}

/* ---- from ONNX ---- */

static bool same_word(sgs_span a, const char *b)
{
    const size_t n = strlen(b);
    bool same = a.n == n;
    for (size_t i = 0; i < n && same; i++) /* exporters write "tanh" too */
        same = (a.p[i] | 32) == ((uint8_t)b[i] | 32);
    return same;
}

/* The next number of a list, where there is one. */
static void take(const sgs_src_attr *list, int *next, float *v)
{
    if (list && list->kind == SGS_SRC_FLOATS && *next < list->n)
        *v = list->floats[(*next)++];
}

static int known_function(sgs_spell *p, sgs_span word)
{
    for (int i = SIGMOID; i < FUNCTIONS; i++)
        if (same_word(word, functions[i]))
            return i;
    sgs_buf list = { 0 };
    for (int i = SIGMOID; i < FUNCTIONS; i++)
        sgs_buf_printf(&list, "%s%s", list.n ? ", " : "", functions[i]);
    sgs_sp_fail(p, "activations: expected %s, found '%.*s'", list.p, (int)(word.n < 40 ? word.n : 40),
                (const char *)word.p);
    sgs_buf_free(&list);
    return SIGMOID;
}

/* Functions of all directions; those that take alpha and beta consume the lists. */
static void read_functions(sgs_spell *p, sgs_recurrent_attr *a, int gates)
{
    const sgs_src_attr *names = sgs_src_find(p->s, "activations"), *alphas = sgs_src_find(p->s, "activation_alpha"),
                       *betas = sgs_src_find(p->s, "activation_beta");
    const int each = sgs_rec_functions_of(gates), all = a->direction == SGS_REC_BOTH ? 2 * each : each;
    int alpha = 0, beta = 0;
    if (!names || p->status != SGS_OK)
        return;
    if (names->kind != SGS_SRC_STRINGS || names->n != all)
        sgs_sp_fail(p, "activations: expected %d word%s, found %d", all, all == 1 ? "" : "s", names->n);
    for (int i = 0; i < all && p->status == SGS_OK; i++) {
        const int f = known_function(p, names->strings[i]);
        a->f[i] = f == usual(gates, i % each) ? USUAL : f;
        a->alpha[i] = activations[f].alpha;
        a->beta[i] = activations[f].beta;
        if (activations[f].numbers > 0)
            take(alphas, &alpha, &a->alpha[i]);
        if (activations[f].numbers > 1)
            take(betas, &beta, &a->beta[i]);
    }
}

/* Constant lengths that leave no sequence short say nothing. */
static sgs_value *lengths(const sgs_value *x, bool batch_first, sgs_value *v)
{
    const int64_t steps = x->rank == 3 ? x->dim[batch_first] : 0;
    bool whole =
        v && v->constant && v->type == SGS_S32 && v->rank == 1 && x->rank == 3 && v->dim[0] == x->dim[!batch_first];
    for (int64_t i = 0; whole && i < v->dim[0]; i++)
        whole = ((const int32_t *)sgs_const_data(v))[i] >= steps;
    return whole ? NULL : v;
}

static void read_attributes(sgs_spell *p, sgs_recurrent_attr *a, int gates)
{
    if (p->status == SGS_OK)
        p->status = sgs_src_choice(p->im, p->s, "direction", directions, &a->direction, p->d);
    a->batch_first = sgs_sp_int(p, "layout", 0) != 0;
    a->linear = gates == SGS_GRU && sgs_sp_int(p, "linear_before_reset", 0) != 0;
    a->coupled = gates == SGS_LSTM && sgs_sp_int(p, "input_forget", 0) != 0;
    a->clip = sgs_sp_float(p, "clip", 0);
    read_functions(p, a, gates);
}

static sgs_status from_onnx_recurrent(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const sgs_op *op = !strcmp(s->op, "RNN") ? &sgs_op_rnn : !strcmp(s->op, "GRU") ? &sgs_op_gru : &sgs_op_lstm;
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[SGS_REC_INPUTS] = { sgs_sp_in(p, SGS_REC_X), sgs_sp_in(p, SGS_REC_W), sgs_sp_in(p, SGS_REC_R) },
              *out[3];
    sgs_recurrent_attr a = { 0 };
    int n = SGS_REC_B;
    read_attributes(p, &a, sgs_rec_gates(op));
    if (p->status != SGS_OK)
        return p->status;
    for (int i = SGS_REC_B; i < op->nin_max; i++) {
        in[i] = sgs_src_opt(im, s, i);
        in[i] = i == SGS_REC_LENGTHS ? lengths(in[SGS_REC_X], a.batch_first, in[i]) : in[i];
        n = in[i] ? i + 1 : n;
    }
    const int64_t hidden = in[SGS_REC_R]->rank == 3 ? in[SGS_REC_R]->dim[2] : 0,
                  given = sgs_sp_int(p, "hidden_size", hidden);
    if (hidden && given != hidden)
        sgs_sp_fail(p, "expected hidden_size %lld, as in R, found %lld", (long long)hidden, (long long)given);
    if (p->status == SGS_OK)
        p->status = sgs_emit(im, s, op, n, in, &a, out, d);
    for (int i = 0; i < op->nout; i++)
        sgs_sp_out(p, i, out[i]);
    return p->status;
}

/* ---- rows ---- */

/* x, w, r[, b, lengths, first h, first c, peepholes] -> y, last h[, last c] */
#define ROW(op, most, outputs)                                                                                         \
    const sgs_op sgs_op_##op = {                                                                                       \
        .name = #op,                                                                                                   \
        .family = "recurrent",                                                                                         \
        .nin_min = SGS_REC_B,                                                                                          \
        .nin_max = most,                                                                                               \
        .nout = outputs,                                                                                               \
        .attr_bytes = sizeof(sgs_recurrent_attr),                                                                      \
        .attr = recurrent_attrs,                                                                                       \
        .infer = recurrent_infer,                                                                                      \
        .eval = sgs_recurrent_eval,                                                                                    \
        .qrule = SGS_Q_S16,                                                                                            \
        .unfixed = sgs_recurrent_unfixed,                                                                              \
        .spell = sgs_recurrent_spell,                                                                                  \
        .kernel = "",                                                                                                  \
    }
ROW(rnn, SGS_REC_C, 2);
ROW(gru, SGS_REC_C, 2);
ROW(lstm, SGS_REC_INPUTS, 3);

static const sgs_op *const ops[] = { &sgs_op_rnn, &sgs_op_gru, &sgs_op_lstm, NULL };
static const sgs_from onnx[] = { { "RNN", from_onnx_recurrent, 1 },
                                 { "GRU", from_onnx_recurrent, 1 },
                                 { "LSTM", from_onnx_recurrent, 1 },
                                 { NULL, NULL, 0 } };
const sgs_family sgs_family_recurrent = { "recurrent", ops, .onnx = onnx };
