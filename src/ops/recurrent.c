/* rnn, gru, lstm: layers that walk over time steps.  Evaluated whole; for fixed point they are spelled out, step by
 * step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/dnnl.h"
#include "ops/spell.h"

#define MOST_STEPS 4096 /* that are spelled out */

enum { RNN = 1, GRU = 3, LSTM = 4 };                               /* gates */
enum { X, W, R, B, LENGTHS, FIRST_H, FIRST_C, PEEPHOLES, INPUTS }; /* in ONNX's order and shapes */
enum { FORWARD, REVERSE, BOTH };
enum { MOST_FUNCTIONS = 6 };

/* ---- attributes ---- */

/* f, alpha, beta: the functions of one direction, then those of the other. */
typedef struct recurrent_attr {
    int64_t direction;
    int64_t
        batch_first; /* x [batch][step][input], y [batch][step][direction][hidden], states [batch][direction][hidden] */
    int64_t linear, coupled;   /* ONNX's linear_before_reset, input_forget */
    int64_t f[MOST_FUNCTIONS]; /* number in `activations`; 0: the usual one */
    float alpha[MOST_FUNCTIONS], beta[MOST_FUNCTIONS], clip;
} recurrent_attr;

static const char *const directions[] = { "forward", "reverse", "bidirectional", NULL };
static const char *const functions[] = { "usual",     "Sigmoid",         "Tanh",       "Relu",        "Affine",
                                         "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu",
                                         "Softsign",  "Softplus",        NULL };
enum { USUAL, SIGMOID, TANH, FUNCTIONS = sizeof functions / sizeof *functions - 1 };

#define FUNCTION(i)                                                                                                    \
    { "f" #i, SGS_ATTR_ENUM, offsetof(recurrent_attr, f[i]), 1, SGS_ALL, functions },                                  \
        { "alpha" #i, SGS_ATTR_FLOAT, offsetof(recurrent_attr, alpha[i]), 1, SGS_ALL, NULL },                          \
    {                                                                                                                  \
        "beta" #i, SGS_ATTR_FLOAT, offsetof(recurrent_attr, beta[i]), 1, SGS_ALL, NULL                                 \
    }
static const sgs_attr recurrent_attrs[] = {
    SGS_ATTR_E(recurrent_attr, direction, directions),
    SGS_ATTR_I(recurrent_attr, batch_first),
    SGS_ATTR_I(recurrent_attr, linear),
    SGS_ATTR_I(recurrent_attr, coupled),
    SGS_ATTR_F(recurrent_attr, clip),
    FUNCTION(0),
    FUNCTION(1),
    FUNCTION(2),
    FUNCTION(3),
    FUNCTION(4),
    FUNCTION(5),
    SGS_ATTR_END,
};

static int gates_of(const sgs_op *op)
{
    return op == &sgs_op_rnn ? RNN : op == &sgs_op_gru ? GRU : LSTM;
}

/* Of one direction. */
static int functions_of(int gates)
{
    return gates == RNN ? 1 : gates == GRU ? 2 : 3;
}

static int usual(int gates, int i)
{
    return gates != RNN && i == 0 ? SIGMOID : TANH;
}

/* ---- activations ---- */

typedef struct activation {
    const sgs_op *op; /* NULL: alpha * x + beta */
    int numbers;      /* 0, 1: alpha, 2: alpha and beta */
    float alpha, beta;
} activation;

static const activation activations[FUNCTIONS] = {
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
static activation function_of(const sgs_node *n, int direction, int i)
{
    const recurrent_attr *a = n->attr;
    const int gates = gates_of(n->op), at = direction * functions_of(gates) + i;
    const bool own = a->f[at] > USUAL && a->f[at] < FUNCTIONS;
    activation f = activations[own ? a->f[at] : usual(gates, i)];
    f.alpha = a->alpha[at];
    f.beta = a->beta[at];
    return f;
}

static bool is_scaled_tanh(const activation *f)
{
    return f->op == &sgs_op_tanh && f->numbers;
}

typedef union function_attr {
    sgs_act_attr clip;
    sgs_alpha_attr alpha;
    sgs_lut_attr lut;
} function_attr;

/* Of the function's op. */
static function_attr attr_of(const activation *f)
{
    if (f->op == &sgs_op_clip)
        return (function_attr){ .clip = { 0, INFINITY } };
    if (f->op == &sgs_op_leakyrelu || f->op == &sgs_op_thresholdedrelu)
        return (function_attr){ .alpha = { f->alpha } };
    return (function_attr){ .lut = { is_scaled_tanh(f) ? 0 : f->alpha, is_scaled_tanh(f) ? 0 : f->beta } };
}

/* ---- shapes ---- */

typedef struct sizes {
    int64_t steps, batch, input, hidden, wide; /* wide: of all gates */
    int gates, directions;
    bool batch_first;
} sizes;

static sizes sizes_of(const sgs_node *n)
{
    const recurrent_attr *a = n->attr;
    const int64_t *x = n->in[X]->dim, hidden = n->in[R]->dim[2];
    const bool first = a->batch_first != 0;
    const int gates = gates_of(n->op);
    return (sizes){ x[first], x[!first], x[2], hidden, gates * hidden, gates, a->direction == BOTH ? 2 : 1, first };
}

static sgs_status fit(const sgs_node *n, int slot, int rank, const int64_t *dim, sgs_diag *d)
{
    static const char *const what[] = {
        [W] = "W",        [R] = "R", [B] = "B", [FIRST_H] = "an initial state", [FIRST_C] = "an initial state",
        [PEEPHOLES] = "P"
    };
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
        if (i == LENGTHS && n->in[i])
            SGS_TRY(sgs_need_type(n->in[i], SGS_S32, "sequence_lens", d));
        else if (n->in[i] && n->in[i]->type != SGS_F32)
            return sgs_fail(d, SGS_E_UNSUPPORTED, "expected float inputs, found %s", sgs_type_word(n->in[i]->type));
    }
    return SGS_OK;
}

static sgs_status check_operands(const sgs_node *n, const sizes *z, sgs_diag *d)
{
    const int64_t k = z->directions,
                  state[] = { z->batch_first ? z->batch : k, z->batch_first ? k : z->batch, z->hidden };
    SGS_TRY(fit(n, W, 3, (const int64_t[]){ k, z->wide, z->input }, d));
    SGS_TRY(fit(n, R, 3, (const int64_t[]){ k, z->wide, z->hidden }, d));
    SGS_TRY(fit(n, B, 2, (const int64_t[]){ k, 2 * z->wide }, d));
    SGS_TRY(fit(n, FIRST_H, 3, state, d));
    SGS_TRY(fit(n, FIRST_C, 3, state, d));
    SGS_TRY(fit(n, PEEPHOLES, 2, (const int64_t[]){ k, 3 * z->hidden }, d));
    if (n->nin > LENGTHS && n->in[LENGTHS] && sgs_value_count(n->in[LENGTHS]) != z->batch)
        return sgs_fail(d, SGS_E_MODEL, "expected %lld sequence lengths, found %lld", (long long)z->batch,
                        (long long)sgs_value_count(n->in[LENGTHS]));
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
    if (n->in[X]->rank != 3 || n->in[R]->rank != 3)
        return sgs_fail(d, SGS_E_MODEL, "expected an input and weights of 3 dimensions, found %d and %d",
                        n->in[X]->rank, n->in[R]->rank);
    const sizes z = sizes_of(n);
    const int64_t k = z.directions;
    SGS_TRY(check_operands(n, &z, d));
    out[0] = z.batch_first ? shaped(4, (const int64_t[]){ z.batch, z.steps, k, z.hidden })
                           : shaped(4, (const int64_t[]){ z.steps, k, z.batch, z.hidden });
    for (int i = 1; i < n->op->nout; i++)
        out[i] = z.batch_first ? shaped(3, (const int64_t[]){ z.batch, k, z.hidden })
                               : shaped(3, (const int64_t[]){ k, z.batch, z.hidden });
    return SGS_OK;
}

/* ---- evaluation ---- */

enum { INPUT_PRODUCT, STATE_PRODUCT, HIDDEN_PRODUCT, PRODUCTS }; /* HIDDEN_PRODUCT: of a gru whose reset comes first */

typedef struct memory {
    sgs_eval_state product[2][PRODUCTS];
    float *scratch;
} memory;

static void forget_products(memory *m)
{
    for (int i = 0; i < 2 * PRODUCTS; i++) {
        sgs_eval_state *s = &m->product[i / PRODUCTS][i % PRODUCTS];
        if (s->destroy)
            s->destroy(s->p);
        *s = (sgs_eval_state){ 0 };
    }
}

static void destroy_memory(void *p)
{
    memory *m = p;
    forget_products(m);
    free(m->scratch);
    free(m);
}

/* One direction under way.  Rows are those of the batch. */
typedef struct walk {
    const sgs_node *n;
    const sgs_tensor *in;
    sgs_tensor *out;
    sgs_eval_state *product; /* [PRODUCTS] */
    sizes z;
    int direction;
    activation f[3];
    float *shares;                        /* [rows of x][wide]: what the input adds at each step */
    float *all, *again;                   /* [batch][wide]: the gates of this step; what the state adds to them */
    float *h, *c, *new_h, *new_c, *spare; /* [batch][hidden] */
    sgs_diag *d;
} walk;

/* y [rows][outputs] = x [rows][n] * w [outputs][n] + bias */
typedef struct dense {
    int64_t rows, n, outputs;
    const float *w, *bias; /* bias may be NULL */
} dense;

static sgs_status multiply(const walk *k, int product, const dense *l, const float *x, float *y)
{
    static const sgs_conv_attr plain;
    const sgs_tensor in[] = { { SGS_F32, 2, { l->rows, l->n }, (void *)(uintptr_t)x },
                              { SGS_F32, 2, { l->outputs, l->n }, (void *)(uintptr_t)l->w },
                              { SGS_F32, 1, { l->outputs }, (void *)(uintptr_t)l->bias } };
    sgs_tensor out = { SGS_F32, 2, { l->rows, l->outputs }, y };
    return sgs_dnnl_run_fc(in, l->bias != NULL, &out, &plain, &k->product[product], k->d);
}

/* What an input holds for this direction, `each` numbers a direction; NULL: the node does not have it. */
static const float *operand(const walk *k, int slot, int64_t each)
{
    const bool there = slot < k->n->nin && k->n->in[slot];
    return there ? (const float *)k->in[slot].data + k->direction * each : NULL;
}

static void apply(const walk *k, int function, float *v, int64_t count)
{
    const activation *f = &k->f[function];
    function_attr attr = attr_of(f);
    const sgs_node node = { .op = f->op, .attr = &attr };
    sgs_tensor t = { SGS_F32, 1, { count }, v };
    if (is_scaled_tanh(f))
        for (int64_t i = 0; i < count; i++)
            v[i] *= f->beta;
    if (f->op)
        f->op->eval(&node, &t, &t, NULL, NULL);
    for (int64_t i = 0; i < count && (!f->op || is_scaled_tanh(f)); i++)
        v[i] = f->op ? v[i] * f->alpha : v[i] * f->alpha + f->beta;
}

/* Of the sum of a gate. */
static void activate(const walk *k, int function, float *v, int64_t count)
{
    const float clip = ((const recurrent_attr *)k->n->attr)->clip;
    for (int64_t i = 0; i < count && clip > 0; i++)
        v[i] = fminf(fmaxf(v[i], -clip), clip);
    apply(k, function, v, count);
}

static void add(float *y, const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        y[i] += x[i];
}

/* h [batch][hidden] times the rows of R from `first` on, `count` gates of them, into y. */
static sgs_status again(const walk *k, int product, int first, int count, const float *h, float *y)
{
    const sizes *z = &k->z;
    const float *bias = operand(k, B, 2 * z->wide), *r = operand(k, R, z->wide * z->hidden);
    const dense l = { z->batch, z->hidden, count * z->hidden, r + first * z->hidden * z->hidden,
                      bias ? bias + z->wide + first * z->hidden : NULL };
    return multiply(k, product, &l, h, y);
}

static sgs_status rnn_step(walk *k)
{
    const int64_t count = k->z.batch * k->z.hidden;
    SGS_TRY(again(k, STATE_PRODUCT, 0, 1, k->h, k->again));
    for (int64_t i = 0; i < count; i++)
        k->new_h[i] = k->all[i] + k->again[i];
    activate(k, 0, k->new_h, count);
    return SGS_OK;
}

/* The hidden gate of one row, whose update and reset are done: x's share, the state's. */
static void gru_row(walk *k, int64_t row, const float *added)
{
    const int64_t n = k->z.hidden;
    const bool linear = ((const recurrent_attr *)k->n->attr)->linear != 0;
    float *z = k->all + row * k->z.wide, *r = z + n, *fresh = r + n, *y = k->new_h + row * n;
    const float *h = k->h + row * n;
    for (int64_t i = 0; i < n; i++)
        fresh[i] += linear ? r[i] * added[i] : added[i];
    activate(k, 1, fresh, n);
    for (int64_t i = 0; i < n; i++)
        y[i] = fresh[i] + z[i] * (h[i] - fresh[i]); /* (1 - z) * fresh + z * h */
}

/* Gates: update, reset, hidden. */
static sgs_status gru_step(walk *k)
{
    const int64_t n = k->z.hidden;
    const bool linear = ((const recurrent_attr *)k->n->attr)->linear != 0;
    const int64_t each = linear ? 3 * n : 2 * n;
    SGS_TRY(again(k, STATE_PRODUCT, 0, linear ? 3 : 2, k->h, k->again));
    for (int64_t row = 0; row < k->z.batch; row++) {
        float *zr = k->all + row * k->z.wide;
        add(zr, k->again + row * each, 2 * n);
        activate(k, 0, zr, 2 * n);
        for (int64_t i = 0; i < n && !linear; i++)
            k->spare[row * n + i] = zr[n + i] * k->h[row * n + i];
    }
    if (!linear)
        SGS_TRY(again(k, HIDDEN_PRODUCT, 2, 1, k->spare, k->again));
    for (int64_t row = 0; row < k->z.batch; row++)
        gru_row(k, row, linear ? k->again + row * each + 2 * n : k->again + row * n);
    return SGS_OK;
}

/* g += p * c, where there are peepholes */
static void peep(const walk *k, int which, float *g, const float *c)
{
    const float *p = operand(k, PEEPHOLES, 3 * k->z.hidden);
    for (int64_t i = 0; i < k->z.hidden && p; i++)
        g[i] += p[which * k->z.hidden + i] * c[i];
}

static void lstm_row(walk *k, int64_t row)
{
    const int64_t n = k->z.hidden;
    const bool coupled = ((const recurrent_attr *)k->n->attr)->coupled != 0;
    float *in = k->all + row * k->z.wide, *out = in + n, *keep = out + n, *cell = keep + n, *c = k->new_c + row * n,
          *h = k->new_h + row * n;
    const float *old = k->c + row * n;
    peep(k, 0, in, old);
    peep(k, 2, keep, old);
    activate(k, 0, in, n);
    activate(k, 0, keep, n);
    activate(k, 1, cell, n);
    for (int64_t i = 0; i < n; i++)
        c[i] = (coupled ? 1 - in[i] : keep[i]) * old[i] + in[i] * cell[i];
    peep(k, 1, out, c);
    activate(k, 0, out, n);
    memcpy(h, c, (size_t)n * sizeof *h);
    apply(k, 2, h, n);
    for (int64_t i = 0; i < n; i++)
        h[i] *= out[i];
}

/* Gates: input, output, forget, cell. */
static sgs_status lstm_step(walk *k)
{
    SGS_TRY(again(k, STATE_PRODUCT, 0, 4, k->h, k->again));
    add(k->all, k->again, k->z.batch * k->z.wide);
    for (int64_t row = 0; row < k->z.batch; row++)
        lstm_row(k, row);
    return SGS_OK;
}

static int64_t state_at(const walk *k, int64_t row)
{
    return (k->z.batch_first ? row * k->z.directions + k->direction : k->direction * k->z.batch + row) * k->z.hidden;
}

static int64_t result_at(const walk *k, int64_t step, int64_t row)
{
    const sizes *z = &k->z;
    const int64_t at = z->batch_first ? (row * z->steps + step) * z->directions + k->direction
                                      : (step * z->directions + k->direction) * z->batch + row;
    return at * z->hidden;
}

/* The step becomes the state of rows that reach it; the others keep theirs, and give 0. */
static void end_step(walk *k, int64_t step)
{
    const size_t bytes = (size_t)k->z.hidden * sizeof(float);
    const int32_t *length = k->n->nin > LENGTHS && k->n->in[LENGTHS] ? k->in[LENGTHS].data : NULL;
    for (int64_t row = 0; row < k->z.batch; row++) {
        float *y = (float *)k->out[0].data + result_at(k, step, row);
        const int64_t at = row * k->z.hidden;
        memset(y, 0, bytes);
        if (length && step >= length[row])
            continue;
        memcpy(y, k->new_h + at, bytes);
        memcpy(k->h + at, k->new_h + at, bytes);
        memcpy(k->c + at, k->new_c + at, bytes);
    }
}

static sgs_status run_step(walk *k, int64_t step)
{
    const sizes *z = &k->z;
    for (int64_t row = 0; row < z->batch; row++) {
        const int64_t at = z->batch_first ? row * z->steps + step : step * z->batch + row;
        memcpy(k->all + row * z->wide, k->shares + at * z->wide, (size_t)z->wide * sizeof(float));
    }
    SGS_TRY(z->gates == RNN ? rnn_step(k) : z->gates == GRU ? gru_step(k) : lstm_step(k));
    end_step(k, step);
    return SGS_OK;
}

static void first_state(const walk *k, int slot, float *v)
{
    const bool there = slot < k->n->nin && k->n->in[slot];
    const size_t bytes = (size_t)k->z.hidden * sizeof *v;
    for (int64_t row = 0; row < k->z.batch; row++)
        if (there)
            memcpy(v + row * k->z.hidden, (const float *)k->in[slot].data + state_at(k, row), bytes);
        else
            memset(v + row * k->z.hidden, 0, bytes);
}

static void last_state(const walk *k, int output, const float *v)
{
    for (int64_t row = 0; row < k->z.batch && output < k->n->op->nout; row++)
        memcpy((float *)k->out[output].data + state_at(k, row), v + row * k->z.hidden, (size_t)k->z.hidden * sizeof *v);
}

static sgs_status run_direction(walk *k)
{
    const sizes *z = &k->z;
    const recurrent_attr *a = k->n->attr;
    const bool reverse = a->direction == REVERSE || k->direction == 1;
    const dense l = { z->steps * z->batch, z->input, z->wide, operand(k, W, z->wide * z->input),
                      operand(k, B, 2 * z->wide) };
    for (int i = 0; i < functions_of(z->gates); i++)
        k->f[i] = function_of(k->n, k->direction, i);
    first_state(k, FIRST_H, k->h);
    first_state(k, FIRST_C, k->c);
    SGS_TRY(multiply(k, INPUT_PRODUCT, &l, k->in[X].data, k->shares));
    for (int64_t i = 0; i < z->steps; i++)
        SGS_TRY(run_step(k, reverse ? z->steps - 1 - i : i));
    last_state(k, 1, k->h);
    last_state(k, 2, k->c);
    return SGS_OK;
}

/* Room for the arrays of a walk. */
static bool make_scratch(memory *m, walk *k)
{
    const sizes *z = &k->z;
    const int64_t state = z->batch * z->hidden, step = z->batch * z->wide, share = z->steps * step;
    if (!m->scratch)
        m->scratch = calloc((size_t)(share + 2 * step + 5 * state) + 1, sizeof *m->scratch);
    k->shares = m->scratch;
    k->all = k->shares + share;
    k->again = k->all + step;
    k->h = k->again + step;
    k->c = k->h + state;
    k->new_h = k->c + state;
    k->new_c = k->new_h + state;
    k->spare = k->new_c + state;
    return m->scratch != NULL;
}

static bool keep(sgs_eval_state *st)
{
    st->p = calloc(1, sizeof(memory));
    st->destroy = st->p ? destroy_memory : NULL;
    return st->p != NULL;
}

/* Products keep the weights that they saw first. */
static bool weights_stay(const sgs_node *n)
{
    return n->in[W]->data && n->in[R]->data && (n->nin <= B || !n->in[B] || n->in[B]->data);
}

static sgs_status recurrent_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st,
                                 sgs_diag *d)
{
    walk k = { .n = n, .in = in, .out = out, .z = sizes_of(n), .d = d };
    if ((!st->p && !keep(st)) || !make_scratch(st->p, &k))
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    memory *m = st->p;
    sgs_status s = SGS_OK;
    for (; k.direction < k.z.directions && s == SGS_OK; k.direction++) {
        k.product = m->product[k.direction];
        s = run_direction(&k);
    }
    if (!weights_stay(n))
        forget_products(m);
    return s;
}

/* ---- spelled out ---- */

typedef struct layer {
    const sgs_node *n;
    sizes z;
    sgs_value *x;                 /* [step][batch][input] */
    sgs_value *first_h, *first_c; /* [direction][batch][hidden], or NULL */
    sgs_value *last_c;            /* what a direction ends with */
    const int32_t *length;        /* of each sequence, or NULL: all are whole */
    bool linear, coupled;
    float clip;
} layer;

typedef struct weights {        /* of one direction; products take them as [in][out] */
    sgs_value *w, *r, *wb, *rb; /* biases may be NULL */
    sgs_value *peephole[3];     /* input, output, forget, or NULL */
    activation f[3];
} weights;

static sgs_value *spell_function(sgs_spell *p, const activation *f, float clip, sgs_value *x)
{
    const function_attr a = attr_of(f);
    if (clip > 0)
        x = sgs_sp_one(p, &sgs_op_clip, x, &(sgs_act_attr){ -clip, clip });
    if (!f->op)
        return sgs_sp_by(p, &sgs_op_add, sgs_sp_by(p, &sgs_op_mul, x, f->alpha), f->beta);
    if (!is_scaled_tanh(f))
        return sgs_sp_one(p, f->op, x, &a);
    return sgs_sp_by(p, &sgs_op_mul, sgs_sp_one(p, f->op, sgs_sp_by(p, &sgs_op_mul, x, f->beta), NULL), f->alpha);
}

static sgs_value *gate(sgs_spell *p, const layer *l, sgs_value *x, int first, int count)
{
    return count == l->z.gates ? x : sgs_sp_slice(p, x, x->rank - 1, first * l->z.hidden, count * l->z.hidden, 1);
}

static sgs_value *sum(sgs_spell *p, sgs_value *a, sgs_value *b)
{
    return b ? sgs_sp_two(p, &sgs_op_add, a, b) : a;
}

static sgs_value *product(sgs_spell *p, sgs_value *a, sgs_value *b)
{
    return sgs_sp_two(p, &sgs_op_mul, a, b);
}

/* Row `at` of the first axis, without that axis. */
static sgs_value *row(sgs_spell *p, sgs_value *x, int64_t at)
{
    return sgs_sp_squeeze(p, sgs_sp_slice(p, x, 0, at, 1, 1), 0);
}

static sgs_value *input(const layer *l, int slot)
{
    return slot < l->n->nin ? l->n->in[slot] : NULL;
}

static sgs_value *spell_state(sgs_spell *p, const layer *l, int slot)
{
    sgs_value *v = input(l, slot);
    return v && l->z.batch_first ? sgs_sp_transpose(p, v, (const int64_t[]){ 1, 0, 2 }) : v;
}

static void read_layer(sgs_spell *p, layer *l, const sgs_node *n)
{
    const recurrent_attr *a = n->attr;
    *l = (layer){ .n = n, .z = sizes_of(n), .linear = a->linear != 0, .coupled = a->coupled != 0, .clip = a->clip };
    l->x = a->batch_first ? sgs_sp_transpose(p, n->in[X], (const int64_t[]){ 1, 0, 2 }) : n->in[X];
    l->first_h = spell_state(p, l, FIRST_H);
    l->first_c = spell_state(p, l, FIRST_C);
    l->length = input(l, LENGTHS) ? input(l, LENGTHS)->data : NULL;
}

static void read_weights(sgs_spell *p, const layer *l, int direction, weights *w)
{
    static const int64_t turned[] = { 1, 0 };
    const int64_t wide = l->z.wide, hidden = l->z.hidden;
    sgs_value *bias = input(l, B), *peep = input(l, PEEPHOLES);
    *w = (weights){ 0 };
    for (int i = 0; i < functions_of(l->z.gates); i++)
        w->f[i] = function_of(l->n, direction, i);
    w->w = sgs_sp_transpose(p, row(p, l->n->in[W], direction), turned);
    w->r = sgs_sp_transpose(p, row(p, l->n->in[R], direction), turned);
    if (bias) {
        bias = row(p, bias, direction);
        w->wb = sgs_sp_slice(p, bias, 0, 0, wide, 1);
        w->rb = sgs_sp_slice(p, bias, 0, wide, wide, 1);
    }
    for (int i = 0; i < 3 && peep; i++)
        w->peephole[i] = sgs_sp_slice(p, row(p, peep, direction), 0, i * hidden, hidden, 1);
}

/* Cells: the next state from a step's share x [batch][gates * hidden], its input product, and the states before. */

static sgs_value *rnn_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h)
{
    return spell_function(p, &w->f[0], l->clip, sum(p, x, sum(p, sgs_sp_two(p, &sgs_op_matmul, h, w->r), w->rb)));
}

static sgs_value *gru_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h)
{
    sgs_value *bias_zr = w->rb ? gate(p, l, w->rb, 0, 2) : NULL, *bias_h = w->rb ? gate(p, l, w->rb, 2, 1) : NULL;
    sgs_value *again = sum(p, sgs_sp_two(p, &sgs_op_matmul, h, gate(p, l, w->r, 0, 2)), bias_zr);
    sgs_value *zr = spell_function(p, &w->f[0], l->clip, sum(p, gate(p, l, x, 0, 2), again)), *inner;
    sgs_value *z = gate(p, l, zr, 0, 1), *r = gate(p, l, zr, 1, 1), *weight = gate(p, l, w->r, 2, 1);
    if (l->linear)
        inner = product(p, r, sum(p, sgs_sp_two(p, &sgs_op_matmul, h, weight), bias_h));
    else
        inner = sum(p, sgs_sp_two(p, &sgs_op_matmul, product(p, r, h), weight), bias_h);
    sgs_value *fresh = spell_function(p, &w->f[1], l->clip, sum(p, gate(p, l, x, 2, 1), inner));
    return sum(p, fresh, product(p, z, sgs_sp_two(p, &sgs_op_sub, h, fresh)));
}

static sgs_value *lstm_cell(sgs_spell *p, const layer *l, const weights *w, sgs_value *x, sgs_value *h, sgs_value **c)
{
    sgs_value *all = sum(p, x, sum(p, sgs_sp_two(p, &sgs_op_matmul, h, w->r), w->rb)), *g[4];
    for (int i = 0; i < 4; i++)
        g[i] = gate(p, l, all, i, 1);
    for (int i = 0; i < 3; i += 2)
        g[i] =
            spell_function(p, &w->f[0], l->clip, w->peephole[i] ? sum(p, g[i], product(p, w->peephole[i], *c)) : g[i]);
    if (l->coupled)
        g[2] = sgs_sp_two(p, &sgs_op_sub, sgs_sp_number(p, 1), g[0]);
    g[3] = spell_function(p, &w->f[1], l->clip, g[3]);
    sgs_value *kept = product(p, g[2], *c), *fresh = product(p, g[0], g[3]);
    *c = sum(p, kept, fresh);
    g[1] = spell_function(p, &w->f[0], l->clip, w->peephole[1] ? sum(p, g[1], product(p, w->peephole[1], *c)) : g[1]);
    return product(p, g[1], spell_function(p, &w->f[2], 0, *c));
}

/* 1 for sequences that reach this step, 0 for the others; NULL: all do. */
static sgs_value *reached(sgs_spell *p, const layer *l, int64_t step)
{
    const int64_t dim[] = { l->z.batch, 1 };
    bool all = true;
    void *data;
    for (int64_t i = 0; i < l->z.batch && l->length; i++)
        all = all && step < l->length[i];
    if (all)
        return NULL;
    sgs_value *v = sgs_sp_const(p, SGS_F32, 2, dim, &data);
    for (int64_t i = 0; i < l->z.batch && v; i++)
        ((float *)data)[i] = step < l->length[i];
    return v;
}

/* old where the mask is 0 */
static sgs_value *kept(sgs_spell *p, sgs_value *mask, sgs_value *now, sgs_value *old)
{
    return mask ? sum(p, old, product(p, mask, sgs_sp_two(p, &sgs_op_sub, now, old))) : now;
}

static sgs_value *zeros(sgs_spell *p, const layer *l)
{
    const int64_t dim[] = { l->z.batch, l->z.hidden };
    void *data;
    sgs_value *v = sgs_sp_const(p, SGS_F32, 2, dim, &data);
    if (v)
        memset(data, 0, (size_t)sgs_value_bytes(v));
    return v ? v : l->x;
}

/* One direction: y[step] the hidden states, [batch][hidden]; gives the last one back, l->last_c the last cell. */
static sgs_value *unroll(sgs_spell *p, layer *l, int direction, bool reverse, sgs_value **y)
{
    weights w;
    read_weights(p, l, direction, &w);
    sgs_value *h = l->first_h ? row(p, l->first_h, direction) : zeros(p, l),
              *c = l->first_c ? row(p, l->first_c, direction) : zeros(p, l);
    if (p->status != SGS_OK)
        return l->x;
    sgs_value *shares = sum(p, sgs_sp_two(p, &sgs_op_matmul, l->x, w.w), w.wb);
    for (int64_t i = 0; i < l->z.steps && p->status == SGS_OK; i++) {
        const int64_t step = reverse ? l->z.steps - 1 - i : i;
        sgs_value *x = row(p, shares, step), *mask = reached(p, l, step), *old_c = c;
        sgs_value *now = l->z.gates == RNN   ? rnn_cell(p, l, &w, x, h)
                         : l->z.gates == GRU ? gru_cell(p, l, &w, x, h)
                                             : lstm_cell(p, l, &w, x, h, &c);
        c = l->z.gates == LSTM ? kept(p, mask, c, old_c) : c;
        h = kept(p, mask, now, h);
        y[step] = mask ? product(p, mask, now) : now;
    }
    l->last_c = c;
    return h;
}

/* [direction][batch][hidden] of each direction's [batch][hidden] */
static sgs_value *stacked(sgs_spell *p, const layer *l, sgs_value *const *v, int axis)
{
    sgs_value *list[2];
    for (int i = 0; i < l->z.directions; i++)
        list[i] = sgs_sp_unsqueeze(p, v[i], axis);
    return sgs_sp_concat(p, l->z.directions, list, axis);
}

/* [step][direction][batch][hidden], or [batch][step][direction][hidden]; y holds the steps of one direction after those
 * of the other. */
static sgs_value *all_states(sgs_spell *p, const layer *l, sgs_value **y)
{
    const int axis = l->z.batch_first ? 1 : 0;
    for (int64_t i = 0; i < l->z.steps && p->status == SGS_OK; i++) {
        sgs_value *both[] = { y[i], y[(l->z.directions - 1) * l->z.steps + i] };
        y[i] = sgs_sp_unsqueeze(p, stacked(p, l, both, axis), axis);
    }
    return sgs_sp_concat(p, (int)l->z.steps, y, axis);
}

static void recurrent_spell(sgs_spell *p, const sgs_node *n, sgs_value **out)
{
    layer l;
    read_layer(p, &l, n);
    sgs_value *h[2], *c[2], **y = sgs_alloc_n(p->im->g->arena, (size_t)(l.z.directions * l.z.steps) + 1, sizeof *y);
    for (int i = 0; i < l.z.directions && p->status == SGS_OK; i++) {
        h[i] = unroll(p, &l, i, i == 1 || ((const recurrent_attr *)n->attr)->direction == REVERSE, y + i * l.z.steps);
        c[i] = l.last_c;
    }
    if (p->status != SGS_OK)
        return;
    out[1] = stacked(p, &l, h, l.z.batch_first ? 1 : 0);
    if (l.z.gates == LSTM)
        out[2] = stacked(p, &l, c, l.z.batch_first ? 1 : 0);
    out[0] = all_states(p, &l, y);
}

static const char *recurrent_unfixed(const sgs_node *n)
{
    if (sizes_of(n).steps > MOST_STEPS)
        return "has more than 4096 time steps";
    return n->nin > LENGTHS && n->in[LENGTHS] && !n->in[LENGTHS]->data
               ? "has sequence lengths that are known only at run time"
               : NULL;
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
static void read_functions(sgs_spell *p, recurrent_attr *a, int gates)
{
    const sgs_src_attr *names = sgs_src_find(p->s, "activations"), *alphas = sgs_src_find(p->s, "activation_alpha"),
                       *betas = sgs_src_find(p->s, "activation_beta");
    const int each = functions_of(gates), all = a->direction == BOTH ? 2 * each : each;
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
        v && v->data && v->type == SGS_S32 && v->rank == 1 && x->rank == 3 && v->dim[0] == x->dim[!batch_first];
    for (int64_t i = 0; whole && i < v->dim[0]; i++)
        whole = ((const int32_t *)v->data)[i] >= steps;
    return whole ? NULL : v;
}

static void read_attributes(sgs_spell *p, recurrent_attr *a, int gates)
{
    if (p->status == SGS_OK)
        p->status = sgs_src_choice(p->im, p->s, "direction", directions, &a->direction, p->d);
    a->batch_first = sgs_sp_int(p, "layout", 0) != 0;
    a->linear = gates == GRU && sgs_sp_int(p, "linear_before_reset", 0) != 0;
    a->coupled = gates == LSTM && sgs_sp_int(p, "input_forget", 0) != 0;
    a->clip = sgs_sp_float(p, "clip", 0);
    read_functions(p, a, gates);
}

static sgs_status from_onnx_recurrent(sgs_import *im, const sgs_source_node *s, sgs_diag *d)
{
    const sgs_op *op = !strcmp(s->op, "RNN") ? &sgs_op_rnn : !strcmp(s->op, "GRU") ? &sgs_op_gru : &sgs_op_lstm;
    sgs_spell spell = { .im = im, .s = s, .d = d }, *p = &spell;
    sgs_value *in[INPUTS] = { sgs_sp_in(p, X), sgs_sp_in(p, W), sgs_sp_in(p, R) }, *out[3];
    recurrent_attr a = { 0 };
    int n = B;
    read_attributes(p, &a, gates_of(op));
    if (p->status != SGS_OK)
        return p->status;
    for (int i = B; i < op->nin_max; i++) {
        in[i] = sgs_src_opt(im, s, i);
        in[i] = i == LENGTHS ? lengths(in[X], a.batch_first, in[i]) : in[i];
        n = in[i] ? i + 1 : n;
    }
    const int64_t hidden = in[R]->rank == 3 ? in[R]->dim[2] : 0, given = sgs_sp_int(p, "hidden_size", hidden);
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
        .nin_min = B,                                                                                                  \
        .nin_max = most,                                                                                               \
        .nout = outputs,                                                                                               \
        .attr_bytes = sizeof(recurrent_attr),                                                                          \
        .attr = recurrent_attrs,                                                                                       \
        .infer = recurrent_infer,                                                                                      \
        .eval = recurrent_eval,                                                                                        \
        .qrule = SGS_Q_S16,                                                                                            \
        .unfixed = recurrent_unfixed,                                                                                  \
        .spell = recurrent_spell,                                                                                      \
        .kernel = "",                                                                                                  \
    }
ROW(rnn, FIRST_C, 2);
ROW(gru, FIRST_C, 2);
ROW(lstm, INPUTS, 3);

static const sgs_op *const ops[] = { &sgs_op_rnn, &sgs_op_gru, &sgs_op_lstm, NULL };
static const sgs_from onnx[] = { { "RNN", from_onnx_recurrent, 1 },
                                 { "GRU", from_onnx_recurrent, 1 },
                                 { "LSTM", from_onnx_recurrent, 1 },
                                 { NULL, NULL, 0 } };
const sgs_family sgs_family_recurrent = { "recurrent", ops, .onnx = onnx };
