/* Integer weights of a convolution, output channel by output channel.  The largest weight becomes 127 (of 4 bits 7), or, of 80 clips between 0.5 (0.2) and 1 times
 * that, the one with the least sum of |w - q|^2.5 (the L_p search of BRECQ's initialisation, there with 2.4) is taken, or of e (w - q)^2, e being how much
 * the input varies that the weight meets; then the bias
 * takes the mean of what the rounded weights add (bias correction, Nagel et al., "Data-Free Quantization", with the means of the calibration).
 * Always: weights that lie on a grid of 8 bits already, as those of a model that brings its quantization, keep it. */
#include <math.h>
#include <stdlib.h>

#include "quant/quantize.h"

enum { LANES = 8 }; /* sums, or outputs, side by side, so that a compiler may use vectors */
#define CLIPS 80
#define LEAST_SCALE 1e-20f
#define S32_LIMIT (((int64_t)1 << 31) - 1)
/* 16 bit: sums of so few products stay within 32 bits, where kernels are more than twice as fast: the magnitudes of a channel's weights add up
 * to NARROW_SUM at most, 256 each and more on average, which is finer than a network of 16 bits otherwise is. */
#define NARROW_TERMS 256
#define NARROW_SUM 65000

/* ---- layout ---- */

void sgs_conv_layout(const sgs_node *n, sgs_qweights *w)
{
    const int64_t *d = n->in[1]->dim;
    if (n->op == &sgs_op_fc) {
        *w = (sgs_qweights){
            .outputs = d[0], .taps = 1, .inputs = d[1], .step_o = d[1], .step_t = 0, .step_i = 1, .group = d[0]
        };
    } else if (n->op == &sgs_op_depthwise) {
        *w = (sgs_qweights){
            .outputs = d[3], .taps = d[1] * d[2], .inputs = 1, .step_o = 1, .step_t = d[3], .step_i = 0, .group = 1
        };
    } else {
        int64_t groups = ((const sgs_conv_attr *)n->attr)->groups;
        *w = (sgs_qweights){ .outputs = d[0],
                             .taps = d[1] * d[2],
                             .inputs = d[3],
                             .step_o = d[1] * d[2] * d[3],
                             .step_t = d[3],
                             .step_i = 1,
                             .group = d[0] / groups };
    }
}

/* ---- sizes ---- */

/* What the weights of output o are multiplied by, by input; NULL: nothing. */
static const float *ratios(const sgs_qweights *q, int64_t o)
{
    return q->ratio ? q->ratio + o / q->group * q->inputs : NULL;
}

/* The weights of output o in a row, zeros behind them; their number. */
static int64_t gather(const sgs_qweights *q, int64_t o, double *w)
{
    const float *ratio = ratios(q, o);
    int64_t n = 0;
    for (int64_t t = 0; t < q->taps; t++) {
        const float *from = q->weights + o * q->step_o + t * q->step_t;
        for (int64_t i = 0; i < q->inputs; i++)
            w[n++] = ratio ? (double)from[i * q->step_i] * (double)ratio[i] : (double)from[i * q->step_i];
    }
    while (n % LANES)
        w[n++] = 0;
    return n;
}

static double largest(const double *w, int64_t n)
{
    double best = 0;
    for (int64_t i = 0; i < n; i++)
        best = fabs(w[i]) > best ? fabs(w[i]) : best;
    return best;
}

static double clamp(double v, double limit)
{
    return v < -limit ? -limit : v > limit ? limit : v;
}

/* ---- the search ----------------------------------------------------------------------------------------------------------------------- */

enum { LOOKS = 16 }; /* rounds between two looks at the bound */

/* The nearest whole number, for magnitudes below 2^51. */
static inline double nearest(double x)
{
    return x + 0x1.8p52 - 0x1.8p52;
}

/* |e|^2.5; square roots, unlike powers, are exactly rounded everywhere. */
static double loss(double w, double inverse, double scale, double limit)
{
    double q = nearest(clamp(w * inverse, limit)), e = fabs(w - scale * q);
    return e * e * sqrt(e);
}

static double sum_of(const double *lane)
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* e^2, as much as it counts. */
static double weighed(double w, double count, double inverse, double scale, double limit)
{
    double q = nearest(clamp(w * inverse, limit)), e = w - scale * q;
    return count * e * e;
}

/* Of n weights, a multiple of LANES; more than `bound` when it is not less.  count: NULL, or what each counts. */
static double error(const double *w, const double *count, int64_t n, double scale, double limit, double bound)
{
    double lane[LANES] = { 0 }, inverse = 1 / scale;
    for (int64_t i = 0; i < n;) {
        const int64_t end = n - i < LOOKS * LANES ? n : i + LOOKS * LANES;
        for (; i < end && count; i += LANES)
            for (int k = 0; k < LANES; k++)
                lane[k] += weighed(w[i + k], count[i + k], inverse, scale, limit);
        for (; i < end; i += LANES)
            for (int k = 0; k < LANES; k++)
                lane[k] += loss(w[i + k], inverse, scale, limit);
        if (sum_of(lane) > bound)
            return INFINITY;
    }
    return sum_of(lane);
}

/* The largest scale stands first: a tie keeps it.  The fewer steps, the more it pays to cut weights off. */
static double search(const double *w, const double *count, int64_t n, double scale, double limit)
{
    const double least = limit < 127 ? 0.2 : 0.5;
    double best = scale, lowest = error(w, count, n, scale, limit, INFINITY);
    for (int k = 1; k < CLIPS; k++) {
        double s = scale * (1 - (1 - least) * k / CLIPS), e = error(w, count, n, s, limit, lowest);
        if (e < lowest) {
            lowest = e;
            best = s;
        }
    }
    return best;
}

/* What an error of each weight of output o, in the order of gather, counts. */
static const double *counts(const sgs_qweights *q, int64_t o, double *count)
{
    int64_t n = 0;
    for (int64_t t = 0; t < q->taps && q->energy; t++)
        for (int64_t i = 0; i < q->inputs; i++) {
            const int64_t c = o / q->group * q->inputs + i;
            const double ratio = q->ratio ? (double)q->ratio[c] : 1;
            count[n++] = q->energy[c] * q->seen[t] / (ratio * ratio);
        }
    while (n % LANES)
        count[n++] = 0;
    return q->energy ? count : NULL;
}

/* ---- weights on a grid ----------------------------------------------------------------------------------------------------------------- */

#define BYTE_STEPS 255 /* of a byte less any zero point */
#define ON_GRID 1e-3 /* of a step: what is left of weights that were whole numbers times a float32 scale is far less */

static bool is_grid(const double *w, int64_t n, double scale)
{
    for (int64_t i = 0; i < n; i++)
        if (fabs(w[i] / scale - rint(w[i] / scale)) > ON_GRID)
            return false;
    return true;
}

/* The step of which all weights are whole multiples, the largest at most `limit`; 0: there is none.  A grid of fewer steps is one of twice as many. */
static double grid_step(const double *w, int64_t n, double most, double limit)
{
    for (double steps = limit; steps > limit / 2; steps--)
        if (is_grid(w, n, most / steps))
            return most / steps;
    return 0;
}

bool sgs_on_grid(const float *w, const sgs_qweights *q, double most, int of)
{
    if (!(most > 0))
        return true;
    for (double steps = of; steps > of / 2; steps--) {
        bool on = true;
        for (int64_t t = 0; t < q->taps && on; t++)
            for (int64_t i = 0; i < q->inputs && on; i++) {
                const double v = (double)w[t * q->step_t + i * q->step_i] * steps / most;
                on = fabs(v - rint(v)) <= ON_GRID;
            }
        if (on)
            return true;
    }
    return false;
}

/* ---- integers ------------------------------------------------------------------------------------------------------------------------- */

static void store(const sgs_qweights *q, int64_t at, double v)
{
    if (q->wide)
        ((int16_t *)q->w)[at] = (int16_t)v;
    else
        ((int8_t *)q->w)[at] = (int8_t)v;
}

typedef struct totals {
    double reach, abs, zero; /* of ARITHMETIC.md 4: sum |w| max(z, 255 - z), sum |w|, sum w z; whole numbers below 2^53 */
    double drift;            /* real: what the stored weights add on average */
    const int32_t *bias;     /* learned for them; NULL: drift decides */
} totals;

/* What weight w of input channel c, stored so, adds to the output on average. */
static double drift(const sgs_qweights *q, int64_t c, double w, double seen, double stored, float scale, const float *ratio)
{
    const double real = stored * (double)scale;
    return ((ratio ? real / (double)*ratio : real) * q->given[c] - w * q->mean[c]) * seen;
}

/* Weights of outputs o to o + count, LANES at most and of one factor, from the last to the first, each after what those behind it left: the
 * integers go to `whole`, one output behind the other, errors in real numbers to `left`. */
static void round_in_turn(const sgs_qweights *q, int64_t o, int count, double limit, double *left, double *whole)
{
    const int64_t n = q->taps * q->inputs;
    const float *r = q->factor + (q->inputs == 1 && q->group == 1 ? o * n * n : 0), *ratio = ratios(q, o);
    for (int64_t k = n - 1; k >= 0; k--) {
        const int64_t t = k / q->inputs, i = q->reversed ? q->inputs - 1 - k % q->inputs : k % q->inputs;
        double wanted[LANES] = { 0 };
        for (int b = 0; b < count; b++)
            wanted[b] = (double)q->weights[(o + b) * q->step_o + t * q->step_t + i * q->step_i];
        for (int64_t j = k + 1; j < n; j++) {
            const double v = (double)r[k * n + j];
            for (int b = 0; b < LANES; b++)
                wanted[b] += v * left[j * LANES + b];
        }
        for (int b = 0; b < count; b++) {
            const double scale = (double)q->scale[o + b], by = ratio ? (double)ratio[i] : 1;
            const double stored = nearest(clamp(wanted[b] * by / scale, limit));
            whole[b * n + t * q->inputs + i] = stored;
            left[k * LANES + b] = (double)q->weights[(o + b) * q->step_o + t * q->step_t + i * q->step_i] - stored * scale / by;
        }
    }
}

/* Stores the weights of output o: as `whole` has them, or, NULL, each rounded alone. */
static totals convert(const sgs_qweights *q, int64_t o, double limit, const double *whole)
{
    const float *ratio = ratios(q, o), scale = q->scale[o];
    const int64_t first = o / q->group * q->inputs;
    totals s = { .bias = whole && q->learned && q->learned->bias ? &q->learned->bias[o] : NULL };
    for (int64_t t = 0; t < q->taps; t++)
        for (int64_t i = 0; i < q->inputs; i++) {
            const int64_t at = o * q->step_o + t * q->step_t + i * q->step_i;
            const double w = (double)q->weights[at], scaled = ratio ? w * (double)ratio[i] : w;
            const double v = whole ? whole[t * q->inputs + i] : nearest(clamp(scaled / (double)scale, limit)), a = fabs(v);
            const double z = q->zero ? q->zero[first + i] : 0;
            store(q, at, v);
            s.abs += a;
            s.reach += a * (z > 255 - z ? z : 255 - z);
            s.zero += q->parts ? a * z : v * z; /* of parts: at most */
            s.drift += q->mean ? drift(q, first + i, w, q->seen[t], v, scale, ratio ? ratio + i : NULL) : 0;
        }
    return s;
}

static bool is_narrow(const sgs_qweights *q)
{
    return q->wide && !q->parts && q->taps * q->inputs <= NARROW_TERMS;
}

/* The scale at which the sums of channel o, whose weights are w, fit 32 bits. */
static double narrow_scale(const sgs_qweights *q, int64_t o, const double *w)
{
    double sum = q->bias ? fabs((double)q->bias[o]) / (q->s_x * 32768) : 0;
    for (int64_t i = 0; i < q->taps * q->inputs; i++)
        sum += fabs(w[i]);
    return sum / NARROW_SUM;
}

/* Bias of one channel, and whether every sum it can begin stays inside its type. */
static bool bias_fits(const sgs_qweights *q, int64_t o, const totals *s)
{
    const float scale = q->scale[o];
    double b = s->bias ? *s->bias : rint(((q->bias ? (double)q->bias[o] : 0) - s->drift) / (q->s_x * (double)scale));
    if (q->wide) {
        if (fabs(b) >= 0x1p61 || (is_narrow(q) && fabs(b) + 32768 * s->abs >= (double)S32_LIMIT))
            return false;
        ((int64_t *)q->b)[o] = (int64_t)b;
        return true;
    }
    double folded = q->parts ? fabs(b) + s->zero : fabs(b - s->zero);
    if (fabs(b) + s->reach > (double)S32_LIMIT || folded + 255 * s->abs > (double)S32_LIMIT)
        return false;
    ((int32_t *)q->b)[o] = (int32_t)b;
    return true;
}

/* ---- scales ---------------------------------------------------------------------------------------------------------------------------- */

/* What one thread works with. */
typedef struct bench {
    const sgs_qweights *q;
    double limit;
    double *w, *count;    /* of one output, in a row */
    double *left, *whole; /* of LANES outputs, where there is a factor */
    int raised;
    int64_t odd;
} bench;

static double byte_scale(const bench *b, int64_t o, int64_t n, double scale)
{
    const sgs_qweights *q = b->q;
    if (q->kept && q->kept[o] > 0)
        return q->kept[o];
    const double step = grid_step(b->w, n, scale * b->limit, b->limit);
    const double found = step > 0 ? step : q->search ? search(b->w, counts(q, o, b->count), n, scale, b->limit) : scale;
    if (q->kept)
        q->kept[o] = found;
    return found;
}

static float first_scale(const bench *b, int64_t o)
{
    const sgs_qweights *q = b->q;
    const int64_t n = gather(q, o, b->w);
    double most = largest(b->w, n), scale = most / b->limit;
    if (most == 0) /* nothing to scale but the bias */
        scale = q->bias && q->bias[o] != 0.0f ? fabs((double)q->bias[o]) / (q->s_x * 0x1p24) : 1 / b->limit;
    else if (!q->wide)
        scale = byte_scale(b, o, n, scale);
    if (is_narrow(q))
        scale = fmax(scale, narrow_scale(q, o, b->w));
    return fmaxf((float)scale, LEAST_SCALE);
}

/* Whether the sums of channel o fit, with the weights as `whole` has them, or, NULL, as they are rounded alone. */
static bool fits_so(const bench *b, int64_t o, const double *whole)
{
    const totals s = convert(b->q, o, b->limit, whole);
    return bias_fits(b->q, o, &s);
}

static bool fits(const bench *b, int64_t o)
{
    if (b->q->factor)
        round_in_turn(b->q, o, 1, b->limit, b->left, b->whole);
    return fits_so(b, o, b->q->factor ? b->whole : NULL);
}

/* 16 bits on the grid that the weights had as bytes, where the sums fit too. */
static bool keep_grid(const bench *b, int64_t o)
{
    if (!b->q->wide)
        return false;
    const int64_t n = gather(b->q, o, b->w);
    const double most = largest(b->w, n), step = most > 0 ? grid_step(b->w, n, most, BYTE_STEPS) : 0;
    if (!(step > 0))
        return false;
    b->q->scale[o] = fmaxf((float)step, LEAST_SCALE);
    return fits(b, o);
}

/* Doubles the scale of channel o until its sums fit; whether it had to. */
static bool raise_scale(const bench *b, int64_t o)
{
    bool raised = false;
    for (; !fits(b, o); raised = true)
        b->q->scale[o] *= 2;
    return raised;
}

/* The scale of channel o where the user brings none; whether it was raised. */
static bool take_own(const bench *b, int64_t o)
{
    if (keep_grid(b, o))
        return false;
    b->q->scale[o] = first_scale(b, o);
    return raise_scale(b, o);
}

/* Whether the scale that the user brings ends below the weights' root mean square, or leaves zeros alone where our own is smaller. */
static bool is_odd(const bench *b, int64_t o)
{
    const sgs_qweights *q = b->q;
    const int64_t n = gather(q, o, b->w);
    const double most = largest(b->w, n), scale = (double)q->imported[o];
    double square = 0;
    for (int64_t i = 0; i < q->taps * q->inputs; i++)
        square += b->w[i] * b->w[i];
    const double least = sqrt(square / (double)(q->taps * q->inputs)) * (1 - 1e-6); /* scales are rounded to floats */
    if (!(scale > 0) || scale * b->limit < least)
        return true;
    if (!(most > 0 && scale > 2 * most))
        return false;
    take_own(b, o);
    return q->imported[o] > q->scale[o];
}

/* Where its sums don't fit it is what is raised; whether it was. */
static bool take_imported(const bench *b, int64_t o)
{
    const sgs_qweights *q = b->q;
    q->scale[o] = fmaxf(q->imported[o], LEAST_SCALE);
    if (is_narrow(q) && !fits(b, o)) {
        gather(q, o, b->w);
        q->scale[o] = fmaxf(q->scale[o], (float)narrow_scale(q, o, b->w));
    }
    return raise_scale(b, o);
}

/* The learned weights of channel o; false where their sums don't fit. */
static bool take_learned(const bench *b, int64_t o)
{
    const sgs_qweights *q = b->q;
    if (!q->learned)
        return false;
    for (int64_t t = 0; t < q->taps; t++)
        for (int64_t i = 0; i < q->inputs; i++)
            b->whole[t * q->inputs + i] = q->learned->w[o * q->step_o + t * q->step_t + i * q->step_i];
    q->scale[o] = q->learned->scale[o];
    return fits_so(b, o, b->whole);
}

/* ---- all outputs ----------------------------------------------------------------------------------------------------------------------- */

static void quantize_one(bench *b, int64_t o)
{
    if (take_learned(b, o))
        return;
    const bool odd = b->q->imported && is_odd(b, o);
    b->odd += odd;
    b->raised += b->q->imported && !odd ? take_imported(b, o) : take_own(b, o);
}

/* Outputs of one factor side by side: they take the same steps. */
static void quantize_together(bench *b, int64_t o, int count)
{
    const sgs_qweights *q = b->q;
    for (int k = 0; k < count; k++)
        q->scale[o + k] = first_scale(b, o + k);
    round_in_turn(q, o, count, b->limit, b->left, b->whole);
    for (int k = 0; k < count; k++) {
        if (fits_so(b, o + k, b->whole + k * q->taps * q->inputs))
            continue;
        q->scale[o + k] *= 2;
        raise_scale(b, o + k); /* its integers take the place of the first's, which are stored */
        b->raised++;
    }
}

static sgs_status quantize_some(void *user, int place, int i, sgs_diag *d)
{
    (void)d;
    bench *b = (bench *)user + place;
    const sgs_qweights *q = b->q;
    const int64_t first = (int64_t)i * LANES, count = q->outputs - first < LANES ? q->outputs - first : LANES;
    if (q->factor && !q->wide && !q->learned && !q->imported && q->group == q->outputs)
        quantize_together(b, first, (int)count);
    else
        for (int64_t o = first; o < first + count; o++)
            quantize_one(b, o);
    return SGS_OK;
}

double sgs_most_weight(const sgs_qweights *q)
{
    return q->wide ? 32767 : q->four ? 7 : 127;
}

void sgs_quantize_weights(sgs_qweights *q)
{
    const size_t n = (size_t)(q->taps * q->inputs + LANES), more = q->factor ? n * LANES : q->learned ? n : 0;
    sgs_work w = { .n = (int)((q->outputs + LANES - 1) / LANES), .run = quantize_some };
    const int places = sgs_places(q->threads, &w);
    bench *b = SGS_NEW_N(q->arena, bench, places);
    for (int i = 0; i < places; i++) {
        double *room = sgs_alloc_n(q->arena, 2 * (n + more), sizeof *room);
        b[i] = (bench){ .q = q, .limit = sgs_most_weight(q), .w = room, .count = room + n, .left = room + 2 * n, .whole = room + 2 * n + more };
    }
    w.user = b;
    sgs_share(q->threads, &w, NULL);
    q->raised = 0;
    q->odd = 0;
    for (int i = 0; i < places; i++) {
        q->raised += b[i].raised;
        q->odd += b[i].odd;
    }
}
