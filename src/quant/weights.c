/* Integer weights of a convolution, output channel by output channel.  The largest weight becomes 127, or, of 80 clips between 0.5 and 1 times
 * that, the one with the least sum of |w - q|^2.5 (the L_p search of BRECQ's initialisation, there with 2.4) is taken, or of e (w - q)^2, e being how much
 * the input varies that the weight meets; then the bias
 * takes the mean of what the rounded weights add (bias correction, Nagel et al., "Data-Free Quantization", with the means of the calibration).
 * Always: weights that lie on a grid of 8 bits already, as those of a model that brings its quantization, keep it. */
#include <math.h>
#include <stdlib.h>

#include "quant/quantize.h"

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

static double weight(const sgs_qweights *q, int64_t o, int64_t t, int64_t i)
{
    double w = (double)q->weights[o * q->step_o + t * q->step_t + i * q->step_i];
    return q->ratio ? w * (double)q->ratio[o / q->group * q->inputs + i] : w;
}

static double largest(const sgs_qweights *q, int64_t o)
{
    double best = 0;
    for (int64_t t = 0; t < q->taps; t++)
        for (int64_t i = 0; i < q->inputs; i++)
            best = fmax(best, fabs(weight(q, o, t, i)));
    return best;
}

static double clamp(double v, double limit)
{
    return v < -limit ? -limit : v > limit ? limit : v;
}

/* ---- the search ----------------------------------------------------------------------------------------------------------------------- */

enum { LANES = 8, LOOKS = 16 }; /* sums kept apart, so that a compiler may use vectors; rounds between two looks at the bound */

/* |e|^2.5; square roots, unlike powers, are exactly rounded everywhere. */
static double loss(double w, double inverse, double scale, double limit)
{
    const double whole = 0x1.8p52; /* added and taken away: the nearest integer */
    double q = clamp(w * inverse, limit) + whole - whole, e = fabs(w - scale * q);
    return e * e * sqrt(e);
}

static double sum_of(const double *lane)
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* e^2, as much as it counts. */
static double weighed(double w, double count, double inverse, double scale, double limit)
{
    const double whole = 0x1.8p52;
    double q = clamp(w * inverse, limit) + whole - whole, e = w - scale * q;
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

/* The largest scale stands first: a tie keeps it. */
static double search(const double *w, const double *count, int64_t n, double scale, double limit)
{
    double best = scale, least = error(w, count, n, scale, limit, INFINITY);
    for (int k = 1; k < CLIPS; k++) {
        double s = scale * (1 - 0.5 * k / CLIPS), e = error(w, count, n, s, limit, least);
        if (e < least) {
            least = e;
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

/* The weights of output o in a row, zeros behind them; their number. */
static int64_t gather(const sgs_qweights *q, int64_t o, double *w)
{
    int64_t n = 0;
    for (int64_t t = 0; t < q->taps; t++)
        for (int64_t i = 0; i < q->inputs; i++)
            w[n++] = weight(q, o, t, i);
    while (n % LANES)
        w[n++] = 0;
    return n;
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

bool sgs_on_grid(const float *w, const sgs_qweights *q, double most)
{
    if (!(most > 0))
        return true;
    for (double steps = 127; steps > 63; steps--) {
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

static void store(sgs_qweights *q, int64_t at, double v)
{
    if (q->wide)
        ((int16_t *)q->w)[at] = (int16_t)v;
    else
        ((int8_t *)q->w)[at] = (int8_t)v;
}

typedef struct totals {
    double reach, abs, zero; /* of ARITHMETIC.md 4: sum |w| max(z, 255 - z), sum |w|, sum w z; whole numbers below 2^53 */
    double drift;            /* real: what the stored weights add on average */
} totals;

/* What weight w, stored as q, adds to the output on average. */
static double drift(const sgs_qweights *q, int64_t o, int64_t t, int64_t i, float scale, double stored)
{
    int64_t c = o / q->group * q->inputs + i;
    double ratio = q->ratio ? (double)q->ratio[c] : 1, w = (double)q->weights[o * q->step_o + t * q->step_t + i * q->step_i];
    return (stored * (double)scale / ratio * q->given[c] - w * q->mean[c]) * q->seen[t];
}

/* Weights of output o from the last to the first, each after what those behind it left: room gets errors, in real numbers, then integers. */
static void round_in_turn(const sgs_qweights *q, int64_t o, float scale, double limit, double *room)
{
    const int64_t n = q->taps * q->inputs;
    const float *r = q->factor + (q->inputs == 1 && q->group == 1 ? o * n * n : 0);
    double *left = room, *whole = room + n;
    for (int64_t k = n - 1; k >= 0; k--) {
        const int64_t t = k / q->inputs, i = q->reversed ? q->inputs - 1 - k % q->inputs : k % q->inputs, c = o / q->group * q->inputs + i;
        const double ratio = q->ratio ? (double)q->ratio[c] : 1, w = (double)q->weights[o * q->step_o + t * q->step_t + i * q->step_i];
        double wanted = w;
        for (int64_t j = k + 1; j < n; j++)
            wanted += (double)r[k * n + j] * left[j];
        const double stored = clamp(rint(wanted * ratio / (double)scale), limit);
        whole[t * q->inputs + i] = stored;
        left[k] = w - stored * (double)scale / ratio;
    }
}

static totals convert(sgs_qweights *q, int64_t o, float scale, double limit)
{
    totals s = { 0 };
    if (q->factor)
        round_in_turn(q, o, scale, limit, q->room);
    for (int64_t t = 0; t < q->taps; t++)
        for (int64_t i = 0; i < q->inputs; i++) {
            double w = q->factor ? q->room[q->taps * q->inputs + t * q->inputs + i] : clamp(rint(weight(q, o, t, i) / (double)scale), limit), a = fabs(w);
            double z = q->zero ? q->zero[o / q->group * q->inputs + i] : 0;
            store(q, o * q->step_o + t * q->step_t + i * q->step_i, w);
            s.abs += a;
            s.reach += a * fmax(z, 255 - z);
            s.zero += q->parts ? a * z : w * z; /* of parts: at most */
            s.drift += q->mean ? drift(q, o, t, i, scale, w) : 0;
        }
    return s;
}

static bool is_narrow(const sgs_qweights *q)
{
    return q->wide && !q->parts && q->taps * q->inputs <= NARROW_TERMS;
}

/* The scale at which channel o's sums fit 32 bits. */
static double narrow_scale(const sgs_qweights *q, int64_t o)
{
    double sum = q->bias ? fabs((double)q->bias[o]) / (q->s_x * 32768) : 0;
    for (int64_t t = 0; t < q->taps; t++)
        for (int64_t i = 0; i < q->inputs; i++)
            sum += fabs(weight(q, o, t, i));
    return sum / NARROW_SUM;
}

/* Bias of one channel, and whether every sum it can begin stays inside its type. */
static bool bias_fits(sgs_qweights *q, int64_t o, float scale, const totals *s)
{
    double b = rint(((q->bias ? (double)q->bias[o] : 0) - s->drift) / (q->s_x * (double)scale));
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

static double byte_scale(const sgs_qweights *q, int64_t o, double scale, double limit, double *room)
{
    const int64_t n = gather(q, o, room);
    const double step = grid_step(room, n, scale * limit, limit);
    if (step > 0)
        return step;
    return q->search ? search(room, counts(q, o, room + n), n, scale, limit) : scale;
}

static float first_scale(const sgs_qweights *q, int64_t o, double limit, double *room)
{
    double most = largest(q, o), scale = most / limit;
    if (most == 0) /* nothing to scale but the bias */
        scale = q->bias && q->bias[o] != 0.0f ? fabs((double)q->bias[o]) / (q->s_x * 0x1p24) : 1 / limit;
    else if (!q->wide)
        scale = byte_scale(q, o, scale, limit, room);
    if (is_narrow(q))
        scale = fmax(scale, narrow_scale(q, o));
    return fmaxf((float)scale, LEAST_SCALE);
}

/* 16 bits on the grid that the weights had as bytes, where the sums fit too. */
static bool keep_grid(sgs_qweights *q, int64_t o, double limit, double *room)
{
    const double most = q->wide ? largest(q, o) : 0, step = most > 0 ? grid_step(room, gather(q, o, room), most, BYTE_STEPS) : 0;
    if (!(step > 0))
        return false;
    q->scale[o] = fmaxf((float)step, LEAST_SCALE);
    const totals s = convert(q, o, q->scale[o], limit);
    return bias_fits(q, o, q->scale[o], &s);
}

/* Whether the sums of channel o would fit. */
static bool fits_at(sgs_qweights *q, int64_t o, float scale, double limit)
{
    const totals s = convert(q, o, scale, limit);
    return bias_fits(q, o, scale, &s);
}

/* Doubles the scale of channel o until its sums fit; whether it had to. */
static bool raise_scale(sgs_qweights *q, int64_t o, double limit)
{
    bool raised = false;
    for (; !fits_at(q, o, q->scale[o], limit); raised = true)
        q->scale[o] *= 2;
    return raised;
}

/* The scale of channel o where the user brings none; whether it was raised. */
static bool take_own(sgs_qweights *q, int64_t o, double limit, double *room)
{
    if (keep_grid(q, o, limit, room))
        return false;
    q->scale[o] = first_scale(q, o, limit, room);
    return raise_scale(q, o, limit);
}

/* Whether the scale that the user brings ends below the weights' root mean square, or leaves zeros alone where our own is smaller. */
static bool is_odd(sgs_qweights *q, int64_t o, double limit, double *room)
{
    const double most = largest(q, o), scale = (double)q->imported[o];
    double square = 0;
    for (int64_t t = 0; t < q->taps; t++)
        for (int64_t i = 0; i < q->inputs; i++)
            square += weight(q, o, t, i) * weight(q, o, t, i);
    const double least = sqrt(square / (double)(q->taps * q->inputs)) * (1 - 1e-6); /* scales are rounded to floats */
    if (!(scale > 0) || scale * limit < least)
        return true;
    if (!(most > 0 && scale > 2 * most))
        return false;
    take_own(q, o, limit, room);
    return q->imported[o] > q->scale[o];
}

/* Where its sums don't fit it is what is raised; whether it was. */
static bool take_imported(sgs_qweights *q, int64_t o, double limit)
{
    q->scale[o] = fmaxf(q->imported[o], LEAST_SCALE);
    if (is_narrow(q) && !fits_at(q, o, q->scale[o], limit))
        q->scale[o] = fmaxf(q->scale[o], (float)narrow_scale(q, o));
    return raise_scale(q, o, limit);
}

void sgs_quantize_weights(sgs_qweights *q)
{
    double limit = q->wide ? 32767 : 127;
    double *room = sgs_alloc_n(q->arena, 2 * (size_t)(q->taps * q->inputs + LANES), sizeof *room);
    q->raised = 0;
    q->odd = 0;
    q->room = room;
    for (int64_t o = 0; o < q->outputs; o++) {
        const bool odd = q->imported && is_odd(q, o, limit, room);
        q->odd += odd;
        q->raised += q->imported && !odd ? take_imported(q, o, limit) : take_own(q, o, limit, room);
    }
}
