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

/* Sums over rows of inputs, then the factor. */
typedef struct gather {
    const sgs_node *n;
    sgs_qweights w;
    int64_t terms, channels, rows,
        step;      /* products of a sum; sums of their own (depthwise); every step-th position is taken */
    float *square; /* [channels][terms][terms] */
    double *sum;   /* [channels][terms] */
} gather;

typedef struct gathers {
    sgs_arena *a;
    gather **of; /* by id of the convolution's output */
    float *row;  /* [BATCH][MOST_TERMS] */
    sgs_session *session;
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

/* Channel by channel: row is [taps][channels]. */
static void add_depthwise(gather *g, const float *row)
{
    for (int64_t c = 0; c < g->channels; c++)
        for (int64_t s = 0; s < g->terms; s++) {
            const float v = row[s * g->channels + c];
            g->sum[c * g->terms + s] += (double)v;
            for (int64_t t = s; t < g->terms; t++)
                g->square[(c * g->terms + s) * g->terms + t] += v * row[t * g->channels + c];
        }
}

static sgs_status add_rows(gathers *all, gather *g, int64_t rows)
{
    g->rows += rows;
    for (int64_t r = 0; r < rows && g->channels > 1; r++)
        add_depthwise(g, all->row + r * g->terms * g->channels);
    if (g->channels > 1)
        return SGS_OK;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t s = 0; s < g->terms; s++)
            g->sum[s] += (double)all->row[r * g->terms + s];
    return sgs_dnnl_add_squares(all->row, rows, g->terms, g->square, all->d);
}

static void watch(void *user, const sgs_node *n, const sgs_tensor *out)
{
    (void)out;
    gathers *all = user;
    gather *g = all->of[n->out[0]->id];
    const int64_t positions = g ? sgs_value_count(n->out[0]) / n->out[0]->dim[n->out[0]->rank - 1] : 0;
    const float *x = g ? sgs_session_data(all->session, n->in[0]) : NULL;
    int64_t rows = 0, room = g ? BATCH * MOST_TERMS / (g->terms * g->channels) : 0;
    for (int64_t p = g ? g->step / 2 % positions : 0; p < positions && all->status == SGS_OK; p += g->step) {
        take_row(g, x, p, all->row + rows++ * g->terms * g->channels);
        if (rows == room || p + g->step >= positions) {
            all->status = add_rows(all, g, rows);
            rows = 0;
        }
    }
}

/* ---- factors ---- */

/* s [n][n] above the diagonal -> R with R'R = s; false: it is no covariance. */
static bool factorize(double *s, int64_t n)
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

/* One channel's covariance, damped; its factor's rows divided by their first, in place of the sums. */
static bool finish(gather *g, int64_t c, double *s)
{
    float *square = g->square + c * g->terms * g->terms;
    const double *sum = g->sum + c * g->terms, rows = (double)g->rows;
    double trace = 0;
    for (int64_t i = 0; i < g->terms; i++) {
        for (int64_t j = i; j < g->terms; j++)
            s[i * g->terms + j] = (double)square[i * g->terms + j] / rows - sum[i] / rows * (sum[j] / rows);
        trace += fmax(s[i * g->terms + i], 0);
    }
    if (!(trace > 0))
        return false;
    for (int64_t i = 0; i < g->terms; i++)
        s[i * g->terms + i] = fmax(s[i * g->terms + i], 0) + DAMP * trace / (double)g->terms;
    if (!factorize(s, g->terms))
        return false;
    for (int64_t i = 0; i < g->terms; i++)
        for (int64_t j = i; j < g->terms; j++)
            square[i * g->terms + j] = (float)(s[i * g->terms + j] / s[i * g->terms + i]);
    return true;
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
    return g;
}

static sgs_status run(const sgs_trials *t, gathers *all)
{
    SGS_TRY(sgs_session_new(&all->session, sgs_trials_making(t)->g, false, all->d));
    sgs_session_watch(all->session, watch, all);
    for (int k = 0; k < sgs_trials_samples(t) && all->status == SGS_OK; k++) {
        if (!sgs_trials_fit(t, k))
            continue;
        sgs_trials_give(t, k, all->session);
        const sgs_status status = sgs_session_run(all->session, all->d);
        all->status = all->status == SGS_OK ? status : all->status;
    }
    sgs_session_free(all->session);
    return all->status;
}

static int count_samples(const sgs_trials *t)
{
    int n = 0;
    for (int k = 0; k < sgs_trials_samples(t); k++)
        n += sgs_trials_fit(t, k);
    return n;
}

sgs_status sgs_factors_measure(const sgs_trials *t, const float *const **factors, sgs_arena *a, sgs_diag *d)
{
    const sgs_graph *g = sgs_trials_making(t)->g;
    int64_t bytes = 0, terms = 1;
    gathers all = {
        .a = a, .d = d, .of = SGS_NEW_N(a, gather *, g->nvalue + 1), .row = SGS_NEW_N(a, float, BATCH *MOST_TERMS)
    };
    const float **found = SGS_NEW_N(a, const float *, g->nvalue + 1);
    for (const sgs_node *n = g->first; n; n = n->next)
        if (sgs_is_conv(n) && (all.of[n->out[0]->id] = new_gather(a, n, count_samples(t), &bytes)))
            terms = all.of[n->out[0]->id]->terms > terms ? all.of[n->out[0]->id]->terms : terms;
    SGS_TRY(run(t, &all));
    sgs_arena *meanwhile = sgs_arena_new();
    if (!meanwhile)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    double *room = SGS_NEW_N(meanwhile, double, terms *terms);
    for (const sgs_node *n = g->first; n; n = n->next) {
        gather *of = all.of[n->out[0]->id];
        for (int64_t c = 0; of && c < of->channels; c++)
            if (!finish(of, c, room)) /* nothing varies: rounded alone */
                memset(of->square + c * of->terms * of->terms, 0, (size_t)(of->terms * of->terms) * sizeof(float));
        found[n->out[0]->id] = of ? of->square : NULL;
    }
    sgs_arena_free(meanwhile);
    *factors = found;
    return SGS_OK;
}
