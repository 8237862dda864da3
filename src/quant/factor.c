/* Rounding that knows which inputs vary together.  What rounding one weight adds to a result can be taken back by
 * weights that meet nearly the same input: with the covariance C = R'R of the inputs of a sum, R upper triangular, the
 * result's error is |R (w - q)|^2, and rounding the weights from the last to the first, each after what those behind it
 * left, keeps it small (the closed form of Frantar et al., "GPTQ", as Babai's nearest plane: no inverse is needed).
 *
 * Covariances are those of the float model on those samples of the trials that are to fit to.  The mean has no part:
 * the bias takes that back. */
#include <math.h>
#include <string.h>

#include "ops/dnnl.h"
#include "quant/refine.h"
#include "sim/session.h"

enum { MOST_ROWS = 4096, MOST_TERMS = 1300, BATCH = 256 };
#define DAMP 0.01                      /* of the mean variance: samples are few, and new ones differ */
#define MOST_BYTES ((int64_t)48 << 20) /* of factors; convolutions beyond that are rounded alone */
#define MOST_ACTIVATIONS ((int64_t)128 << 20) /* bytes; larger models are gathered from by one thread */

/* Sums over rows of inputs, then the factor. */
typedef struct gather {
    const sgs_node *n;
    sgs_qweights w;
    int64_t terms, channels, rows,
        step;      /* products of a sum; sums of their own (depthwise); every step-th position is taken */
    float *square; /* [terms][terms][channels] */
    double *sum;   /* [terms][channels] */
    float *factor; /* [channels][terms][terms]; where there is one channel, in the place of the sums */
} gather;

typedef struct gathers {
    const sgs_trials *t;
    sgs_arena *a;
    gather **of, **list; /* by id of the convolution's output; one after the other */
    int n;
    float **row;  /* by place: [BATCH][MOST_TERMS] */
    double **room; /* by place: [terms][terms] of the largest */
    sgs_session *session;
    bool at_once; /* every activation has its memory: all convolutions gather behind a run, else each within it */
    sgs_status status;
    sgs_diag *d;
} gathers;

/* ---- rows ---- */

/* The inputs of one result in the order of weights; outside the picture they are 0. */
static void take_row(const gather *g, const float *x, int64_t position, float *row)
{
    const sgs_conv_attr *a = g->n->attr;
    const int64_t *k = g->n->in[1]->dim, *in = g->n->in[0]->dim, *out = g->n->out[0]->dim;
    if (g->n->op == &sgs_op_fc) {
        memcpy(row, x + position * g->terms, (size_t)g->terms * sizeof *row);
        return;
    }
    const int64_t each = in[3], image = position / (out[1] * out[2]), i = position / out[2] % out[1],
                  j = position % out[2];
    for (int64_t t = 0; t < k[1] * k[2]; t++) {
        const int64_t y = i * a->stride[0] - a->pad[0] + t / k[2] * a->dilation[0],
                      z = j * a->stride[1] - a->pad[1] + t % k[2] * a->dilation[1];
        if (y < 0 || y >= in[1] || z < 0 || z >= in[2])
            memset(row + t * each, 0, (size_t)each * sizeof *row);
        else
            memcpy(row + t * each, x + ((image * in[1] + y) * in[2] + z) * each, (size_t)each * sizeof *row);
    }
}

static void add_products(const float *restrict x, const float *restrict y, int64_t n, float *restrict to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += x[i] * y[i];
}

static void add_numbers(const float *restrict x, int64_t n, double *restrict to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += (double)x[i];
}

/* Channel by channel: a row is [taps][channels]. */
static sgs_status add_rows(gather *g, const float *row, int64_t rows, sgs_diag *d)
{
    const int64_t each = g->terms * g->channels;
    g->rows += rows;
    for (int64_t r = 0; r < rows; r++)
        add_numbers(row + r * each, each, g->sum);
    if (g->channels == 1)
        return sgs_dnnl_add_squares(row, rows, g->terms, g->square, d);
    for (int64_t r = 0; r < rows; r++, row += each)
        for (int64_t s = 0; s < g->terms; s++)
            for (int64_t t = s; t < g->terms; t++)
                add_products(row + s * g->channels, row + t * g->channels, g->channels,
                             g->square + (s * g->terms + t) * g->channels);
    return SGS_OK;
}

static sgs_status add_run(const gathers *all, gather *g, float *row, sgs_diag *d)
{
    const sgs_node *n = g->n;
    const int64_t positions = sgs_value_count(n->out[0]) / n->out[0]->dim[n->out[0]->rank - 1],
                  room = BATCH * MOST_TERMS / (g->terms * g->channels);
    const float *x = sgs_session_data(all->session, n->in[0]);
    int64_t rows = 0;
    for (int64_t p = g->step / 2 % positions; p < positions; p += g->step) {
        take_row(g, x, p, row + rows++ * g->terms * g->channels);
        if (rows == room || p + g->step >= positions) {
            SGS_TRY(add_rows(g, row, rows, d));
            rows = 0;
        }
    }
    return SGS_OK;
}

static void watch(void *user, const sgs_node *n, const sgs_tensor *out)
{
    (void)out;
    gathers *all = user;
    gather *g = all->of[n->out[0]->id];
    if (g && all->status == SGS_OK)
        all->status = add_run(all, g, all->row[0], all->d);
}

static sgs_status add_one(void *user, int place, int i, sgs_diag *d)
{
    const gathers *all = user;
    return add_run(all, all->list[i], all->row[place], d);
}

/* ---- factors ---- */

bool sgs_factorize(double *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(s[i * n + i] > 0))
            return false;
        const double root = sqrt(s[i * n + i]);
        for (int64_t j = i; j < n; j++)
            s[i * n + j] /= root;
        for (int64_t r = i + 1; r < n; r++) {
            const double v = s[i * n + r];
            for (int64_t j = r; j < n; j++)
                s[r * n + j] -= v * s[i * n + j];
        }
    }
    return true;
}

/* One channel's covariance, damped, in s; false: nothing varies. */
static bool covariance(const gather *g, int64_t c, double *s)
{
    const int64_t n = g->terms, channels = g->channels;
    const double rows = (double)g->rows;
    double trace = 0;
    for (int64_t i = 0; i < n; i++) {
        const double mean = g->sum[i * channels + c] / rows;
        for (int64_t j = i; j < n; j++)
            s[i * n + j] = (double)g->square[(i * n + j) * channels + c] / rows - mean * (g->sum[j * channels + c] / rows);
        trace += fmax(s[i * n + i], 0);
    }
    for (int64_t i = 0; i < n; i++)
        s[i * n + i] = fmax(s[i * n + i], 0) + DAMP * trace / (double)n;
    return trace > 0;
}

/* The factor's rows divided by their first; zeros, as if nothing varied together, where there is none. */
static void finish(gather *g, int64_t c, double *s)
{
    float *factor = g->factor + c * g->terms * g->terms;
    const bool found = covariance(g, c, s) && sgs_factorize(s, g->terms);
    for (int64_t i = 0; i < g->terms; i++)
        for (int64_t j = 0; j < g->terms; j++)
            factor[i * g->terms + j] = found && j >= i ? (float)(s[i * g->terms + j] / s[i * g->terms + i]) : 0;
}

static sgs_status finish_one(void *user, int place, int i, sgs_diag *d)
{
    (void)d;
    const gathers *all = user;
    for (int64_t c = 0; c < all->list[i]->channels; c++)
        finish(all->list[i], c, all->room[place]);
    return SGS_OK;
}

/* ---- all convolutions ---- */

static gather *new_gather(sgs_arena *a, const sgs_node *n, int samples, int64_t *bytes)
{
    gather *g = SGS_NEW(a, gather);
    const bool plain = n->op == &sgs_op_conv || n->op == &sgs_op_fc || n->op == &sgs_op_depthwise;
    if (!plain || !n->in[1]->constant || n->in[0]->constant || n->in[0]->type != SGS_F32)
        return NULL;
    sgs_conv_layout(n, &g->w);
    g->n = n;
    g->channels = n->op == &sgs_op_depthwise ? g->w.outputs : 1;
    g->terms = g->w.taps * g->w.inputs;
    const int64_t positions = sgs_value_count(n->out[0]) / g->w.outputs, most = MOST_ROWS / samples + 1;
    g->step = (positions + most - 1) / most;
    const int64_t rows = (positions + g->step - 1) / g->step * samples,
                  need = g->channels * g->terms * g->terms * (int64_t)sizeof(float);
    if ((n->op == &sgs_op_conv && g->w.group != g->w.outputs) || g->terms * g->channels > BATCH * MOST_TERMS ||
        g->terms > MOST_TERMS || g->terms < 2 || rows < 2 * g->terms || *bytes + need > MOST_BYTES)
        return NULL;
    *bytes += need;
    g->square = SGS_NEW_N(a, float, g->channels * g->terms * g->terms);
    g->sum = SGS_NEW_N(a, double, g->channels * g->terms);
    g->factor = g->channels > 1 ? SGS_NEW_N(a, float, g->channels * g->terms * g->terms) : g->square;
    return g;
}

static sgs_status run_sample(gathers *all, int k)
{
    const sgs_work w = { .n = all->n, .run = add_one, .user = all };
    sgs_trials_give(all->t, k, all->session);
    SGS_TRY(sgs_session_run(all->session, all->d));
    return all->at_once ? sgs_share(sgs_trials_making(all->t)->threads, &w, all->d) : all->status;
}

static sgs_status run(gathers *all)
{
    SGS_TRY(sgs_session_new(&all->session, sgs_trials_making(all->t)->g, all->at_once, all->d));
    if (!all->at_once)
        sgs_session_watch(all->session, watch, all);
    sgs_status status = SGS_OK;
    for (int k = 0; k < sgs_trials_samples(all->t) && status == SGS_OK; k++)
        if (sgs_trials_fit(all->t, k))
            status = run_sample(all, k);
    sgs_session_free(all->session);
    return status;
}

static int count_samples(const sgs_trials *t)
{
    int n = 0;
    for (int k = 0; k < sgs_trials_samples(t); k++)
        n += sgs_trials_fit(t, k);
    return n;
}

/* Which convolutions gather, and their room; returns the most products of a sum. */
static int64_t choose_convs(gathers *all)
{
    const sgs_graph *g = sgs_trials_making(all->t)->g;
    int64_t bytes = 0, activations = 0, terms = 1;
    all->of = SGS_NEW_N(all->a, gather *, g->nvalue + 1);
    all->list = SGS_NEW_N(all->a, gather *, g->nvalue + 1);
    for (const sgs_node *n = g->first; n; n = n->next) {
        gather *of = sgs_is_conv(n) ? new_gather(all->a, n, count_samples(all->t), &bytes) : NULL;
        activations += sgs_value_bytes(n->out[0]);
        if (!of)
            continue;
        all->of[n->out[0]->id] = all->list[all->n++] = of;
        terms = of->terms > terms ? of->terms : terms;
    }
    all->at_once = !sgs_trials_making(all->t)->saving && activations <= MOST_ACTIVATIONS;
    return terms;
}

static sgs_status finish_all(gathers *all, int64_t terms, sgs_arena *meanwhile)
{
    sgs_threads *threads = sgs_trials_making(all->t)->threads;
    const int64_t each = terms * terms * (int64_t)sizeof(double);
    const sgs_work w = { .n = all->n, .most = (int)(MOST_BYTES / each) + 1, .run = finish_one, .user = all };
    const int places = sgs_places(threads, &w);
    all->room = SGS_NEW_N(meanwhile, double *, places + 1);
    for (int i = 0; i < places; i++)
        all->room[i] = sgs_alloc(meanwhile, (size_t)each);
    return sgs_share(threads, &w, all->d);
}

static sgs_status measure(gathers *all, sgs_arena *meanwhile)
{
    const int64_t terms = choose_convs(all);
    const int places = sgs_places(sgs_trials_making(all->t)->threads, &(sgs_work){ .n = all->n }) + 1;
    all->row = SGS_NEW_N(meanwhile, float *, places);
    for (int i = 0; i < places; i++)
        all->row[i] = SGS_NEW_N(meanwhile, float, BATCH * MOST_TERMS);
    SGS_TRY(run(all));
    return finish_all(all, terms, meanwhile);
}

sgs_status sgs_factors_measure(const sgs_trials *t, const float *const **factors, sgs_arena *a, sgs_diag *d)
{
    gathers all = { .t = t, .a = a, .d = d };
    sgs_arena *meanwhile = sgs_arena_new();
    if (!meanwhile)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    const sgs_status status = measure(&all, meanwhile);
    sgs_arena_free(meanwhile);
    const float **found = SGS_NEW_N(a, const float *, sgs_trials_making(t)->g->nvalue + 1);
    for (int i = 0; i < all.n; i++)
        found[all.list[i]->n->out[0]->id] = all.list[i]->factor;
    *factors = found;
    return status;
}
