/* Layers learn one after the other, in the order in which they run.  Samples run side by side in fixed point, a layer
 * at a time, so that a layer meets what those before it, learned already, make of the pictures; what float makes of
 * them is gathered before.  learn.c has what a sum learns from the two.  Some samples are not learned from, but judge.
 */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "openipu/ipu_host.h"
#include "ops/dnnl.h"
#include "quant/learn.h"
#include "quant/learned.h"
#include "quant/refine.h"
#include "sim/session.h"

/* Samples that are learned from, half as many that judge; where all do both, every fourth row judges. */
enum { FEWEST = 4, MOST = 64, MOST_JUDGES = MOST / 2, JUDGES = 4, MOST_ROWS = 8192, MOST_TERMS = 1300 };
#define MOST_BYTES ((int64_t)768 << 20)     /* of activations in fixed point, but for the fewest samples */
#define MOST_ROW_BYTES ((int64_t)512 << 20) /* of what float makes, of all layers together */
#define LEAST_ROWS 4                        /* a fourth as many rows as terms, else there is too little to learn from */
#define LEAST_EACH 0.1                      /* row for each term: memory or not */
#define ON_GRID 1e-3                        /* of a step */

/* A convolution that learns. */
typedef struct layer {
    const sgs_node *n, *of; /* in fixed point, in float */
    const sgs_qweights
        *made; /* what its weights were made from; integers, scales and biases are the fixed graph's own */
    int64_t positions, step, each; /* of a sample: the results, every step-th is taken, so many are */
    int64_t channels, width;       /* of the input; of a row: taps x channels */
    int64_t cells;                 /* sets of outputs that read the same channels */
    int64_t parts, part;           /* long sums learn a part after the other; the one under way */
    int64_t inputs, terms;         /* of a part: channels, products */
    float *rows;                   /* [samples][each][width]: what float makes */
} layer;

/* What one thread needs for a cell. */
typedef struct room {
    float *pair; /* [rows][2 terms]: inputs in fixed point and in float, those that judge last */
    float *gram, *held;
    double *mean; /* [2 terms] */
    void *lesson, *pupils;
    float *wanted;
    int8_t *w;
} room;

typedef struct retraining {
    const sgs_trials *t;
    const sgs_making *m;
    sgs_arena *a, *meanwhile;
    sgs_graph *fixed;
    sgs_qweights *made;
    layer **of;          /* by id of the float convolution's output, which is the fixed one's */
    int samples, judges; /* of the samples those that judge come last */
    int sample[MOST + MOST_JUDGES], iterations;
    sgs_fixed *f[MOST + MOST_JUDGES];
    const sgs_node *at; /* under way */
    layer *l;
    float *x;     /* [samples][each][width]: what the layer reads in fixed point, as steps of one scale */
    double *lack; /* [outputs of the layer]: what its sums lack on average, but for the bias */
    room *place;
    int places;
    sgs_learned_file *file;
} retraining;

/* ---- which layers, which samples -------------------------------------------------------------------------------- */

static bool can_learn(const retraining *r, const sgs_node *n, const sgs_node *of)
{
    const sgs_qweights *made = &r->made[n->out[0]->id];
    const bool plain = n->op == &sgs_op_conv || n->op == &sgs_op_fc || n->op == &sgs_op_depthwise;
    return plain && of && made->w && !made->wide && !made->imported && n->in[0]->type == SGS_U8 &&
           of->in[0]->type == SGS_F32 && !of->in[0]->constant && made->taps <= MOST_TERMS &&
           made->taps * made->inputs > 1;
}

/* Into as few parts as may be, of equal size. */
static void divide(layer *l)
{
    const int64_t inputs = l->made->inputs;
    l->parts = 1;
    while (inputs % l->parts || l->made->taps * inputs / l->parts > MOST_TERMS)
        l->parts++;
    l->inputs = inputs / l->parts;
    l->terms = l->made->taps * l->inputs;
}

static void find_layers(retraining *r)
{
    const sgs_graph *g = r->m->g;
    const sgs_node **of = SGS_NEW_N(r->meanwhile, const sgs_node *, g->nvalue + 1);
    r->of = SGS_NEW_N(r->meanwhile, layer *, g->nvalue + 1);
    for (const sgs_node *n = g->first; n; n = n->next)
        if (sgs_is_conv(n))
            of[n->out[0]->id] = n;
    for (const sgs_node *n = r->fixed->first; n; n = n->next) {
        const int id = n->out[0]->id;
        if (!sgs_is_conv(n) || id >= g->nvalue || !can_learn(r, n, of[id]))
            continue;
        layer *l = r->of[id] = SGS_NEW(r->meanwhile, layer);
        *l = (layer){ .n = n, .of = of[id], .made = &r->made[id] };
        divide(l);
        l->cells = l->made->outputs / l->made->group;
        l->channels = l->cells * l->made->inputs;
        l->width = l->made->taps * l->channels;
        l->positions = sgs_value_count(n->out[0]) / l->made->outputs;
    }
}

static int64_t activation_bytes(const sgs_graph *g)
{
    int64_t bytes = 1;
    for (const sgs_node *n = g->first; n; n = n->next)
        bytes += sgs_value_bytes(n->out[0]);
    return bytes;
}

/* Every other sample of the trials is to fit to, and so are those that trials have no time for. */
static void choose_samples(retraining *r)
{
    const int64_t all = MOST_BYTES / activation_bytes(r->fixed);
    const int most = all < FEWEST + FEWEST / 2  ? FEWEST + FEWEST / 2
                     : all > MOST + MOST_JUDGES ? MOST + MOST_JUDGES
                                                : (int)all;
    for (int k = 0; k < sgs_trials_more(r->t) && r->samples < most - most / 3; k++)
        if (sgs_trials_fit(r->t, k))
            r->sample[r->samples++] = k;
    for (int k = 0; k < sgs_trials_samples(r->t) && r->judges < most / 3; k++)
        if (!sgs_trials_fit(r->t, k))
            r->sample[r->samples + r->judges++] = k;
    r->samples += r->judges;
}

static bool have_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a > 1;
}

/* Rows of a layer, from all columns of the picture; not more than so many for each of its terms. */
static void choose_rows(const retraining *r, layer *l, double each)
{
    const int64_t rows = (int64_t)fmin(each * (double)l->terms, MOST_ROWS), most = rows / (r->samples - r->judges) + 1,
                  columns = l->n->out[0]->dim[2];
    l->step = (l->positions + most - 1) / most;
    while (l->step > 1 && l->n->op != &sgs_op_fc && have_divisor(l->step, columns))
        l->step++;
    l->each = (l->positions + l->step - 1) / l->step;
}

static double row_bytes(const retraining *r)
{
    double bytes = 0;
    for (int i = 0; i < r->m->g->nvalue; i++)
        if (r->of[i])
            bytes += (double)(r->samples * r->of[i]->each * r->of[i]->width) * (double)sizeof(float);
    return bytes;
}

/* As many rows as there is memory for; layers with too few for their terms do not learn. */
static void choose_all_rows(retraining *r)
{
    const double most = (double)MOST_ROW_BYTES;
    double each = MOST_ROWS;
    for (;; each *= 0.8) {
        for (int i = 0; i < r->m->g->nvalue; i++)
            if (r->of[i])
                choose_rows(r, r->of[i], each);
        if (row_bytes(r) <= most || each < LEAST_EACH)
            break;
    }
    for (int i = 0; i < r->m->g->nvalue; i++)
        if (r->of[i] && LEAST_ROWS * r->of[i]->each * (r->samples - r->judges) < r->of[i]->terms)
            r->of[i] = NULL;
}

static int count_layers(const retraining *r)
{
    int all = 0;
    for (int i = 0; i < r->m->g->nvalue; i++)
        all += r->of[i] != NULL;
    return all;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------
 */

/* Where the products of result `position` lie in the input; -1: outside. */
static int64_t pixel_of(const layer *l, int64_t position, int64_t tap)
{
    if (l->n->op == &sgs_op_fc)
        return position;
    const sgs_conv_attr *a = l->n->attr;
    const int64_t *k = l->n->in[1]->dim, *in = l->n->in[0]->dim, *out = l->n->out[0]->dim;
    const int64_t image = position / (out[1] * out[2]), i = position / out[2] % out[1], j = position % out[2];
    const int64_t y = i * a->stride[0] - a->pad[0] + tap / k[2] * a->dilation[0],
                  x = j * a->stride[1] - a->pad[1] + tap % k[2] * a->dilation[1];
    return y < 0 || y >= in[1] || x < 0 || x >= in[2] ? -1 : (image * in[1] + y) * in[2] + x;
}

/* In the order of the fixed graph's channels, in steps that the weights of every channel count alike. */
static void take_float(const layer *l, const float *x, float *to)
{
    const sgs_qweights *m = l->made;
    for (int64_t k = 0; k < l->each; k++)
        for (int64_t t = 0; t < m->taps; t++, to += l->channels) {
            const int64_t pixel = pixel_of(l, k * l->step, t);
            for (int64_t c = 0; c < l->channels; c++) {
                const float v = pixel < 0 ? 0 : x[pixel * l->channels + (m->reversed ? l->channels - 1 - c : c)];
                to[c] = m->ratio ? v / m->ratio[c] : v;
            }
        }
}

static void take_fixed(const layer *l, const uint8_t *x, float *to)
{
    const sgs_qweights *m = l->made;
    for (int64_t k = 0; k < l->each; k++)
        for (int64_t t = 0; t < m->taps; t++, to += l->channels) {
            const int64_t pixel = pixel_of(l, k * l->step, t);
            for (int64_t c = 0; c < l->channels; c++)
                to[c] =
                    pixel < 0 ? 0 : (float)((double)(x[pixel * l->channels + c] - (m->zero ? m->zero[c] : 0)) * m->s_x);
        }
}

/* ---- float --------------------------------------------------------------------------------------------------------
 */

typedef struct runner {
    retraining *r;
    sgs_session *session;
    int k; /* sample that runs */
    _Atomic int *done;
} runner;

static void watch(void *user, const sgs_node *n, const sgs_tensor *out)
{
    (void)out;
    const runner *w = user;
    const layer *l = w->r->of[n->out[0]->id];
    if (l)
        take_float(l, sgs_session_data(w->session, n->in[0]), l->rows + w->k * l->each * l->width);
}

static sgs_status run_float(void *user, int place, int k, sgs_diag *d)
{
    runner *w = (runner *)user + place;
    w->k = k;
    sgs_share_progress(w->r->m->threads, w->r->m->log, "float model", *w->done, w->r->samples);
    sgs_trials_give(w->r->t, w->r->sample[k], w->session);
    ++*w->done;
    return sgs_session_run(w->session, d);
}

static sgs_status gather_float(retraining *r, sgs_diag *d)
{
    sgs_work w = { .n = r->samples, .most = r->m->saving, .run = run_float };
    const int places = sgs_places(r->m->threads, &w);
    runner *run = SGS_NEW_N(r->meanwhile, runner, places);
    _Atomic int done = 0;
    sgs_status s = SGS_OK;
    for (int i = 0; i < r->m->g->nvalue; i++)
        if (r->of[i])
            r->of[i]->rows =
                sgs_alloc_n(r->meanwhile, (size_t)(r->samples * r->of[i]->each * r->of[i]->width), sizeof(float));
    for (int i = 0; i < places && s == SGS_OK; i++) {
        run[i] = (runner){ .r = r, .done = &done };
        s = sgs_session_new(&run[i].session, r->m->g, false, d);
        if (s == SGS_OK)
            sgs_session_watch(run[i].session, watch, &run[i]);
    }
    w.user = run;
    if (s == SGS_OK)
        s = sgs_share(r->m->threads, &w, d);
    for (int i = 0; i < places; i++)
        sgs_session_free(run[i].session);
    sgs_log_progress_end(r->m->log, "float model");
    return s;
}

/* ---- one cell -----------------------------------------------------------------------------------------------------
 */

static bool judges(const retraining *r, const layer *l, int64_t row)
{
    return r->judges ? row / l->each >= r->samples - r->judges : row % JUDGES == JUDGES - 1;
}

/* Rows of cell c, of the part under way, those that judge behind the others; returns how many these are. */
static int64_t pair_up(const retraining *r, const layer *l, int64_t c, float *pair)
{
    const int64_t n = l->inputs, all = r->samples * l->each, first = c * l->made->inputs + l->part * n;
    int64_t learn = 0, count = 0;
    for (int turn = 0; turn < 2; turn++) {
        for (int64_t row = 0; row < all; row++) {
            if (judges(r, l, row) != turn)
                continue;
            float *to = pair + count++ * 2 * l->terms;
            for (int64_t t = 0; t < l->made->taps; t++)
                for (int64_t i = 0; i < n; i++) {
                    const int64_t at = row * l->width + t * l->channels + first + i;
                    to[t * n + i] = r->x[at];
                    to[l->terms + t * n + i] = l->rows[at];
                }
        }
        learn = turn ? learn : count;
    }
    return learn;
}

/* Means over the first rows, those that are learned from. */
static void take_means_out(float *pair, int64_t rows, int64_t all, int64_t n, double *mean)
{
    memset(mean, 0, (size_t)n * sizeof *mean);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++)
            mean[i] += (double)pair[r * n + i];
    for (int64_t i = 0; i < n; i++)
        mean[i] /= (double)rows;
    for (int64_t r = 0; r < all; r++)
        for (int64_t i = 0; i < n; i++)
            pair[r * n + i] = (float)((double)pair[r * n + i] - mean[i]);
}

static sgs_status mean_products(const float *pair, int64_t rows, int64_t n, float *gram, sgs_diag *d)
{
    memset(gram, 0, (size_t)(n * n) * sizeof *gram);
    if (rows)
        SGS_TRY(sgs_dnnl_add_squares(pair, rows, n, gram, d));
    for (int64_t i = 0; i < n * n && rows; i++)
        gram[i] /= (float)rows;
    return SGS_OK;
}

/* What cell c learns from; h NULL: nothing varies. */
static sgs_status make_lesson(const retraining *r, room *p, int64_t c, sgs_lesson *lesson, sgs_diag *d)
{
    const layer *l = r->l;
    const int64_t all = r->samples * l->each, n = 2 * l->terms, learn = pair_up(r, l, c, p->pair);
    take_means_out(p->pair, learn, all, n, p->mean);
    SGS_TRY(mean_products(p->pair, learn, n, p->gram, d));
    SGS_TRY(mean_products(p->pair + learn * n, all - learn, n, p->held, d));
    *lesson = (sgs_lesson){ .terms = l->terms,
                            .rows = learn,
                            .gram = p->gram,
                            .held = p->held,
                            .limit = sgs_most_weight(l->made),
                            .iterations = r->iterations,
                            .part = l->parts > 1 };
    if (!sgs_lesson_prepare(lesson, p->lesson))
        lesson->h = NULL;
    return SGS_OK;
}

/* The k-th weight of the part under way, of output o. */
static int64_t weight_at(const layer *l, int64_t o, int64_t k)
{
    const sgs_qweights *m = l->made;
    return o * m->step_o + k / l->inputs * m->step_t + (l->part * l->inputs + k % l->inputs) * m->step_i;
}

static void take_wanted(const layer *l, int64_t o, float *wanted, int8_t *w)
{
    const sgs_qweights *m = l->made;
    for (int64_t k = 0; k < l->terms; k++) {
        const int64_t at = weight_at(l, o, k), c = o / m->group * m->inputs + l->part * l->inputs + k % l->inputs;
        wanted[k] = m->ratio ? m->weights[at] * m->ratio[c] : m->weights[at];
        w[k] = ((const int8_t *)m->w)[at];
    }
}

/* Weights that are whole numbers of their scale lose nothing, and learn nothing. */
static bool is_exact(const sgs_pupil *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (fabs((double)p->wanted[i] - (double)*p->scale * p->w[i]) > ON_GRID * (double)*p->scale)
            return false;
    return true;
}

/* Integers and scale, and what the part then lacks on average. */
static void put_back(const retraining *r, int64_t o, const sgs_pupil *p, const double *mean)
{
    const layer *l = r->l;
    for (int64_t k = 0; k < l->terms; k++) {
        ((int8_t *)l->made->w)[weight_at(l, o, k)] = p->w[k];
        r->lack[o] += (double)p->wanted[k] * mean[l->terms + k] - (double)*p->scale * p->w[k] * mean[k];
    }
    l->made->scale[o] = *p->scale;
}

/* Biases with which the sums are on average what float makes them. */
static void set_biases(const retraining *r)
{
    const layer *l = r->l;
    const float *bias = l->of->nin > 2 && l->of->in[2] ? sgs_const_data(l->of->in[2]) : NULL;
    for (int64_t o = 0; o < l->made->outputs; o++) {
        const double b = ((bias ? (double)bias[o] : 0) + r->lack[o]) / (l->made->s_x * (double)l->made->scale[o]);
        ((int32_t *)l->made->b)[o] = (int32_t)fmin(fmax(rint(b), -0x1p30), 0x1p30);
    }
}

/* Outputs o to o + count of a cell; those that gain nothing by it, and all where nothing varies, stay as they are. */
static void teach(const retraining *r, room *p, const sgs_lesson *lesson, const double *mean, int64_t o, int64_t count)
{
    sgs_pupil pupil[SGS_PUPILS], learning[SGS_PUPILS];
    float scale[SGS_PUPILS];
    int n = 0;
    for (int64_t k = 0; k < count; k++) {
        float *wanted = p->wanted + k * lesson->terms;
        int8_t *w = p->w + k * lesson->terms;
        scale[k] = r->l->made->scale[o + k];
        pupil[k] = (sgs_pupil){ .wanted = wanted, .w = w, .scale = &scale[k] };
        take_wanted(r->l, o + k, wanted, w);
        if (lesson->h && !is_exact(&pupil[k], lesson->terms))
            learning[n++] = pupil[k];
    }
    if (n)
        sgs_learn(lesson, learning, n, p->pupils);
    for (int64_t k = 0; k < count; k++)
        put_back(r, o + k, &pupil[k], mean);
}

/* ---- one layer ----------------------------------------------------------------------------------------------------
 */

typedef struct learning {
    retraining *r;
    sgs_lesson lesson;
    const double *mean;
} learning;

static sgs_status learn_some(void *user, int place, int i, sgs_diag *d)
{
    (void)d;
    const learning *g = user;
    const int64_t first = (int64_t)i * SGS_PUPILS, outputs = g->r->l->made->outputs;
    teach(g->r, &g->r->place[place], &g->lesson, g->mean, first,
          outputs - first < SGS_PUPILS ? outputs - first : SGS_PUPILS);
    return SGS_OK;
}

/* All outputs read the same: they share the lesson. */
static sgs_status learn_together(retraining *r, learning *g, sgs_diag *d)
{
    const int items = (int)((r->l->made->outputs + SGS_PUPILS - 1) / SGS_PUPILS);
    SGS_TRY(make_lesson(r, &r->place[0], 0, &g->lesson, d));
    g->mean = r->place[0].mean;
    return sgs_share(r->m->threads, &(sgs_work){ .n = items, .most = r->places, .run = learn_some, .user = g }, d);
}

static sgs_status learn_cell(void *user, int place, int c, sgs_diag *d)
{
    const learning *g = user;
    room *p = &g->r->place[place];
    const int64_t group = g->r->l->made->group;
    sgs_lesson lesson;
    SGS_TRY(make_lesson(g->r, p, c, &lesson, d));
    for (int64_t o = 0; o < group; o += SGS_PUPILS)
        teach(g->r, p, &lesson, p->mean, c * group + o, group - o < SGS_PUPILS ? group - o : SGS_PUPILS);
    return SGS_OK;
}

static sgs_status take_sample(void *user, int place, int k, sgs_diag *d)
{
    (void)place, (void)d;
    const retraining *r = user;
    take_fixed(r->l, sgs_fixed_data(r->f[k], r->l->n->in[0]), r->x + k * r->l->each * r->l->width);
    return SGS_OK;
}

static sgs_status learn_outputs(retraining *r, layer *l, sgs_diag *d)
{
    learning g = { .r = r };
    const sgs_work cells = { .n = (int)l->cells, .most = r->places, .run = learn_cell, .user = &g };
    memset(r->lack, 0, (size_t)l->made->outputs * sizeof *r->lack);
    SGS_TRY(sgs_share(r->m->threads, &(sgs_work){ .n = r->samples, .run = take_sample, .user = r }, d));
    for (l->part = 0; l->part < l->parts; l->part++)
        SGS_TRY(l->cells == 1 ? learn_together(r, &g, d) : sgs_share(r->m->threads, &cells, d));
    set_biases(r);
    return SGS_OK;
}

/* ---- what an earlier run learned ----------------------------------------------------------------------------------
 */

/* Scales, biases and integers of a layer, one behind the other, to or from bytes. */
static size_t pack(const layer *l, uint8_t *bytes, bool out)
{
    const size_t outputs = (size_t)l->made->outputs;
    const struct {
        void *p;
        size_t n;
    } part[] = { { l->made->scale, outputs * sizeof(float) },
                 { l->made->b, outputs * sizeof(int32_t) },
                 { l->made->w, outputs * (size_t)(l->parts * l->terms) } };
    size_t at = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; at += part[i++].n)
        if (bytes)
            memcpy(out ? bytes + at : part[i].p, out ? part[i].p : bytes + at, part[i].n);
    return at;
}

/* All that decides what is learned: the model to begin with, its samples, and by whom they are run. */
static void key_of(const retraining *r, uint8_t key[32])
{
    ipu_sha256 h;
    uint8_t samples[32];
    sgs_buf text = { 0 };
    sgs_statistics_hash(r->m->statistics, samples);
    sgs_buf_printf(&text, "%s %d %d %d %s\n", r->m->mode.name, r->iterations, r->samples, r->judges,
                   sgs_session_identity());
    ipu_sha256_init(&h);
    sgs_sha256_add(&h, text.p, text.n);
    sgs_sha256_add(&h, samples, sizeof samples);
    for (const sgs_node *n = r->fixed->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++) {
            const sgs_value *v = n->in[i];
            if (v && v->constant)
                sgs_sha256_add(&h, sgs_const_data(v), (size_t)sgs_value_bytes(v));
            if (v && v->quant)
                sgs_sha256_add(&h, v->quant->scale, (size_t)v->quant->n * sizeof(float));
        }
    ipu_sha256_end(&h, key);
    sgs_buf_free(&text);
}

static sgs_status learn_layer(retraining *r, layer *l, sgs_diag *d)
{
    sgs_arena *a = sgs_arena_new();
    const size_t n = pack(l, NULL, true);
    const int id = l->n->out[0]->id;
    uint8_t *bytes = sgs_alloc(a, n);
    sgs_status s = SGS_OK;
    r->l = l;
    if (sgs_learned_next(r->file, id, bytes, n)) {
        pack(l, bytes, false);
    } else {
        s = learn_outputs(r, l, d);
        pack(l, bytes, true);
        if (s == SGS_OK)
            sgs_learned_add(r->file, id, bytes, n);
    }
    memcpy(l->n->in[1]->quant->scale, l->made->scale, (size_t)l->made->outputs * sizeof(float));
    sgs_arena_free(a);
    return s == SGS_OK ? sgs_fixed_take_weights(r->f, r->samples, l->n, d) : s;
}

/* ---- all layers ---------------------------------------------------------------------------------------------------
 */

static void make_room(retraining *r)
{
    sgs_arena *a = r->meanwhile;
    int64_t terms = 1, width = 1, pair = 1, outputs = 1;
    for (int i = 0; i < r->m->g->nvalue; i++) {
        const layer *l = r->of[i];
        if (!l)
            continue;
        const int64_t rows = r->samples * l->each;
        terms = l->terms > terms ? l->terms : terms;
        outputs = l->made->outputs > outputs ? l->made->outputs : outputs;
        width = rows * l->width > width ? rows * l->width : width;
        pair = rows * 2 * l->terms > pair ? rows * 2 * l->terms : pair;
    }
    r->x = sgs_alloc_n(a, (size_t)width, sizeof(float));
    r->lack = SGS_NEW_N(a, double, outputs);
    r->places = sgs_places(r->m->threads, &(sgs_work){ .n = 64, .most = r->m->saving });
    r->place = SGS_NEW_N(a, room, r->places);
    for (int i = 0; i < r->places; i++)
        r->place[i] = (room){ .pair = sgs_alloc_n(a, (size_t)pair, sizeof(float)),
                              .gram = sgs_alloc_n(a, (size_t)(4 * terms * terms), sizeof(float)),
                              .held = sgs_alloc_n(a, (size_t)(4 * terms * terms), sizeof(float)),
                              .mean = SGS_NEW_N(a, double, 2 * terms),
                              .lesson = sgs_alloc(a, sgs_lesson_room(terms)),
                              .pupils = sgs_alloc(a, sgs_pupils_room(terms)),
                              .wanted = SGS_NEW_N(a, float, SGS_PUPILS *terms),
                              .w = SGS_NEW_N(a, int8_t, SGS_PUPILS * terms) };
}

static sgs_status start_fixed(retraining *r, sgs_diag *d)
{
    for (int k = 0; k < r->samples; k++) {
        SGS_TRY(k ? sgs_fixed_again(&r->f[k], r->f[0], d)
                  : sgs_fixed_new(&r->f[0], r->fixed, ipu_kernels_for(ipu_host_cpu()), NULL, d));
        sgs_trials_give_fixed(r->t, r->sample[k], r->fixed, r->f[k]);
    }
    return SGS_OK;
}

static sgs_status run_node(void *user, int place, int k, sgs_diag *d)
{
    (void)place, (void)d;
    const retraining *r = user;
    sgs_fixed_run_node(r->f[k], r->at);
    return SGS_OK;
}

static sgs_status learn_all(retraining *r, sgs_diag *d)
{
    const int all = count_layers(r);
    int done = 0;
    for (const sgs_node *n = r->fixed->first; n; n = n->next) {
        const int id = n->out[0]->id;
        layer *l = sgs_is_conv(n) && id < r->m->g->nvalue ? r->of[id] : NULL;
        if (l) {
            sgs_log_progress(r->m->log, "retrain layers", done++, all);
            SGS_TRY(learn_layer(r, l, d));
        }
        r->at = n;
        SGS_TRY(sgs_share(r->m->threads, &(sgs_work){ .n = r->samples, .run = run_node, .user = r }, d));
    }
    sgs_log_progress(r->m->log, "retrain layers", all, all);
    if (sgs_learned_found(r->file))
        sgs_log_line(r->m->log, "  %d of %d layers had been learned before", sgs_learned_found(r->file), all);
    return SGS_OK;
}

static const sgs_learned *result(const retraining *r)
{
    sgs_learned *found = SGS_NEW_N(r->a, sgs_learned, r->m->g->nvalue + 1);
    for (int i = 0; i < r->m->g->nvalue; i++) {
        const layer *l = r->of[i];
        if (!l)
            continue;
        const size_t n = (size_t)(l->made->outputs * l->parts * l->terms), outputs = (size_t)l->made->outputs;
        found[i].w = memcpy(sgs_alloc(r->a, n), l->made->w, n);
        found[i].scale = memcpy(SGS_NEW_N(r->a, float, outputs), l->made->scale, outputs * sizeof(float));
        found[i].bias = memcpy(SGS_NEW_N(r->a, int32_t, outputs), l->made->b, outputs * sizeof(int32_t));
    }
    return found;
}

static sgs_status retrain(retraining *r, sgs_diag *d)
{
    uint8_t key[32];
    find_layers(r);
    choose_samples(r);
    choose_all_rows(r);
    if (!count_layers(r))
        return SGS_OK;
    sgs_log_line(r->m->log, "layers learn from %d samples, %d others judge", r->samples - r->judges, r->judges);
    key_of(r, key);
    SGS_TRY(sgs_learned_open(&r->file, r->m->learned, key, r->m->log, r->meanwhile, d));
    make_room(r);
    SGS_TRY(gather_float(r, d));
    SGS_TRY(start_fixed(r, d));
    return learn_all(r, d);
}

sgs_status sgs_retrain(const sgs_trials *t, const sgs_recipe *recipe, const sgs_learned **learned, sgs_arena *a,
                       sgs_diag *d)
{
    retraining r = { .t = t, .m = sgs_trials_making(t), .a = a, .meanwhile = sgs_arena_new() };
    sgs_recipe of = *recipe;
    if (!r.meanwhile)
        return sgs_fail(d, SGS_E_LIMIT, "out of memory");
    r.iterations = r.m->mode.iterations;
    of.made = r.made = SGS_NEW_N(r.meanwhile, sgs_qweights, r.m->g->nvalue + 1);
    sgs_status s = sgs_make_by(&r.fixed, r.m, &of, &(sgs_log){ 0 }, d);
    if (s == SGS_OK)
        s = retrain(&r, d);
    *learned = s == SGS_OK && count_layers(&r) ? result(&r) : NULL;
    for (int k = r.samples - 1; k >= 0; k--)
        sgs_fixed_free(r.f[k]);
    sgs_learned_close(r.file);
    sgs_graph_free(r.fixed);
    sgs_arena_free(r.meanwhile);
    return s;
}
