/* rnn, gru, lstm evaluated whole: the products of all steps' inputs at once, then step by step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/dnnl.h"
#include "ops/recurrent.h"

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
    sgs_rec_sizes z;
    int direction;
    sgs_rec_function f[3];
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
    const sgs_rec_function *f = &k->f[function];
    sgs_rec_function_attr attr = sgs_rec_attr_of(f);
    const sgs_node node = { .op = f->op, .attr = &attr };
    sgs_tensor t = { SGS_F32, 1, { count }, v };
    if (sgs_rec_is_scaled_tanh(f))
        for (int64_t i = 0; i < count; i++)
            v[i] *= f->beta;
    if (f->op)
        f->op->eval(&node, &t, &t, NULL, NULL);
    for (int64_t i = 0; i < count && (!f->op || sgs_rec_is_scaled_tanh(f)); i++)
        v[i] = f->op ? v[i] * f->alpha : v[i] * f->alpha + f->beta;
}

/* Of the sum of a gate. */
static void activate(const walk *k, int function, float *v, int64_t count)
{
    const float clip = ((const sgs_recurrent_attr *)k->n->attr)->clip;
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
    const sgs_rec_sizes *z = &k->z;
    const float *bias = operand(k, SGS_REC_B, 2 * z->wide), *r = operand(k, SGS_REC_R, z->wide * z->hidden);
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
    const bool linear = ((const sgs_recurrent_attr *)k->n->attr)->linear != 0;
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
    const bool linear = ((const sgs_recurrent_attr *)k->n->attr)->linear != 0;
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
    const float *p = operand(k, SGS_REC_PEEPHOLES, 3 * k->z.hidden);
    for (int64_t i = 0; i < k->z.hidden && p; i++)
        g[i] += p[which * k->z.hidden + i] * c[i];
}

static void lstm_row(walk *k, int64_t row)
{
    const int64_t n = k->z.hidden;
    const bool coupled = ((const sgs_recurrent_attr *)k->n->attr)->coupled != 0;
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
    const sgs_rec_sizes *z = &k->z;
    const int64_t at = z->batch_first ? (row * z->steps + step) * z->directions + k->direction
                                      : (step * z->directions + k->direction) * z->batch + row;
    return at * z->hidden;
}

/* The step becomes the state of rows that reach it; the others keep theirs, and give 0. */
static void end_step(walk *k, int64_t step)
{
    const size_t bytes = (size_t)k->z.hidden * sizeof(float);
    const int32_t *length =
        k->n->nin > SGS_REC_LENGTHS && k->n->in[SGS_REC_LENGTHS] ? k->in[SGS_REC_LENGTHS].data : NULL;
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
    const sgs_rec_sizes *z = &k->z;
    for (int64_t row = 0; row < z->batch; row++) {
        const int64_t at = z->batch_first ? row * z->steps + step : step * z->batch + row;
        memcpy(k->all + row * z->wide, k->shares + at * z->wide, (size_t)z->wide * sizeof(float));
    }
    SGS_TRY(z->gates == SGS_RNN ? rnn_step(k) : z->gates == SGS_GRU ? gru_step(k) : lstm_step(k));
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
    const sgs_rec_sizes *z = &k->z;
    const sgs_recurrent_attr *a = k->n->attr;
    const bool reverse = a->direction == SGS_REC_REVERSE || k->direction == 1;
    const dense l = { z->steps * z->batch, z->input, z->wide, operand(k, SGS_REC_W, z->wide * z->input),
                      operand(k, SGS_REC_B, 2 * z->wide) };
    for (int i = 0; i < sgs_rec_functions_of(z->gates); i++)
        k->f[i] = sgs_rec_function_of(k->n, k->direction, i);
    first_state(k, SGS_REC_H, k->h);
    first_state(k, SGS_REC_C, k->c);
    SGS_TRY(multiply(k, INPUT_PRODUCT, &l, k->in[SGS_REC_X].data, k->shares));
    for (int64_t i = 0; i < z->steps; i++)
        SGS_TRY(run_step(k, reverse ? z->steps - 1 - i : i));
    last_state(k, 1, k->h);
    last_state(k, 2, k->c);
    return SGS_OK;
}

/* Room for the arrays of a walk. */
static bool make_scratch(memory *m, walk *k)
{
    const sgs_rec_sizes *z = &k->z;
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
    return n->in[SGS_REC_W]->constant && n->in[SGS_REC_R]->constant &&
           (n->nin <= SGS_REC_B || !n->in[SGS_REC_B] || n->in[SGS_REC_B]->constant);
}

sgs_status sgs_recurrent_eval(const sgs_node *n, const sgs_tensor *in, sgs_tensor *out, sgs_eval_state *st, sgs_diag *d)
{
    walk k = { .n = n, .in = in, .out = out, .z = sgs_rec_sizes_of(n), .d = d };
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
