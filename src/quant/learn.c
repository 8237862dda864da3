/* Learned rounding.  A sum of fixed-point inputs x with integer weights z of scale s is to be what the float weights w
 * make of the float inputs v.  Each input is dropped, that is, taken from v and not from x, half of the time (Wei et
 * al., "QDrop", 2022): what is learned must not lean on the noise of the samples at hand.  As the error is a square, no
 * dice are needed: its mean over all ways to drop is
 *
 *     s^2 z'Hz - 2 s z'c + w'Cw,    c = D w
 *
 * with H and D made from the second moments of x and v.  So an iteration costs no run over samples, and iterations can
 * be spent on what is hard, the choice of integers:
 *
 *   - an iteration takes a scale, rounds in turn for it (Babai's nearest plane, as factor.c) what would be best without
 *     rounding, then moves integers one at a time to the best place with the others as they are, and fits the scale
 *     (Behdin et al., "QuantEase", 2023, coordinate descent), until nothing moves;
 *   - the first iteration begins with the integers that the closed form left, so what is learned is never worse on what
 *     it is learned from; the first half of the others spreads scales over a range, the second half stays near the
 * best.
 *
 * What is kept has less error than the closed form on rows that were not learned from.  Every sum is made in one order,
 * whatever the threads. */
#include "quant/learn.h"

#include <math.h>
#include <string.h>

#include "quant/refine.h"

#define DROPPED 0.5 /* share of inputs taken from float */
#define DAMP 0.01   /* of the mean variance: samples are few, and new ones differ */
#define FEW 2.0     /* with one row for so many terms, half is believed of what inputs vary together */
#define PASSES 6    /* of moves in one iteration, at most */
#define LANES SGS_PUPILS

/* ---- a lesson ---- */

size_t sgs_lesson_room(int64_t terms)
{
    return (size_t)(terms * terms) * (3 * sizeof(float) + sizeof(double)) + 64;
}

/* s [n][n] above the diagonal -> U with U'DU = s, 1 on its diagonal, where D stands instead; false: it is no
 * covariance. */
static bool unit_factor(double *s, int64_t n, float *factor)
{
    if (!sgs_factorize(s, n))
        return false;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            factor[i * n + j] = (float)(j < i ? 0 : j == i ? s[i * n + i] * s[i * n + i] : s[i * n + j] / s[i * n + i]);
    return true;
}

/* Mean products of dropped inputs. */
static void mix(const sgs_lesson *l)
{
    const int64_t n = l->terms;
    const double p = DROPPED, q = 1 - p, believed = 1 - (double)n / ((double)n + FEW * (double)l->rows);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const double xx = (double)l->gram[i * 2 * n + j], xv = (double)l->gram[i * 2 * n + n + j],
                         vx = (double)l->gram[j * 2 * n + n + i], vv = (double)l->gram[(n + i) * 2 * n + n + j];
            const double h = i == j ? q * xx + p * vv : (q * q * xx + p * q * (xv + vx) + p * p * vv) * believed;
            const double d = q * xv + p * vv;
            l->h[i * n + j] = (float)h;
            l->d[i * n + j] = (float)(i == j ? d : d * believed);
        }
}

/* Pulls towards the float weights. */
static bool damp(const sgs_lesson *l)
{
    const int64_t n = l->terms;
    double trace = 0;
    for (int64_t i = 0; i < n; i++)
        trace += (double)l->h[i * n + i];
    const float more = (float)(DAMP * trace / (double)n);
    for (int64_t i = 0; i < n; i++) {
        l->h[i * n + i] += more;
        l->d[i * n + i] += more;
    }
    return more > 0;
}

bool sgs_lesson_prepare(sgs_lesson *l, void *room)
{
    const int64_t n = l->terms;
    double *s = room;
    l->h = (float *)(s + n * n);
    l->d = l->h + n * n;
    l->factor = l->d + n * n;
    mix(l);
    if (!damp(l))
        return false;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            s[i * n + j] = (double)l->h[i * n + j];
    return unit_factor(s, n, l->factor);
}

/* ---- pupils ---- */

/* Side by side: [terms][LANES]. */
typedef struct bench {
    const sgs_lesson *l;
    float *c;     /* D w */
    float *goal;  /* what would be best without rounding */
    float *z, *h; /* integers, H z */
    float *best;  /* integers */
    float *left;  /* of rounding in turn */
    float scale[LANES], best_scale[LANES], first[LANES];
    double least[LANES];
} bench;

size_t sgs_pupils_room(int64_t terms)
{
    return (size_t)terms * LANES * 6 * sizeof(float) + 64;
}

static void take_room(bench *b, void *room)
{
    const int64_t n = b->l->terms * LANES;
    float *p = room;
    float **part[] = { &b->c, &b->goal, &b->z, &b->h, &b->best, &b->left };
    memset(room, 0, sgs_pupils_room(b->l->terms));
    for (size_t i = 0; i < sizeof part / sizeof *part; i++, p += n)
        *part[i] = p;
}

/* to [LANES] += v from [LANES] */
static inline void add(float *restrict to, float v, const float *restrict from)
{
    for (int b = 0; b < LANES; b++)
        to[b] += v * from[b];
}

/* y = m x, of [n][n] and [n][LANES] */
static void multiply(const float *restrict m, int64_t n, const float *restrict x, float *restrict y)
{
    for (int64_t i = 0; i < n; i++) {
        float sum[LANES] = { 0 };
        for (int64_t j = 0; j < n; j++)
            add(sum, m[i * n + j], x + j * LANES);
        memcpy(y + i * LANES, sum, sizeof sum);
    }
}

/* H^-1 c, with H = U'DU. */
static void solve(const bench *b)
{
    const int64_t n = b->l->terms;
    const float *f = b->l->factor;
    float *x = b->goal;
    memcpy(x, b->c, (size_t)n * LANES * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++)
            add(x + j * LANES, -f[i * n + j], x + i * LANES);
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int k = 0; k < LANES; k++)
            x[i * LANES + k] /= f[i * n + i];
        for (int64_t j = i + 1; j < n; j++)
            add(x + i * LANES, -f[i * n + j], x + j * LANES);
    }
}

/* The nearest whole number within the limit, for magnitudes below 2^22. */
static inline float whole(float x, float limit)
{
    x = x < -limit ? -limit : x > limit ? limit : x;
    return x + 0x1.8p23f - 0x1.8p23f;
}

/* The goal in integers of each output's scale, from the last to the first, each after what those behind it left. */
static void round_in_turn(const bench *b)
{
    const int64_t n = b->l->terms;
    const float *f = b->l->factor, limit = (float)b->l->limit;
    for (int64_t i = n - 1; i >= 0; i--) {
        const float *goal = b->goal + i * LANES;
        float wanted[LANES], *z = b->z + i * LANES, *left = b->left + i * LANES;
        memcpy(wanted, goal, sizeof wanted);
        for (int64_t j = i + 1; j < n; j++)
            add(wanted, f[i * n + j], b->left + j * LANES);
        for (int k = 0; k < LANES; k++) {
            z[k] = whole(wanted[k] / b->scale[k], limit);
            left[k] = goal[k] - z[k] * b->scale[k];
        }
    }
}

/* Each integer to the best place with the others as they are; whether any moved. */
static bool move(const bench *b)
{
    const int64_t n = b->l->terms;
    const float *h = b->l->h, limit = (float)b->l->limit;
    float inverse[LANES];
    bool moved = false;
    for (int k = 0; k < LANES; k++)
        inverse[k] = 1 / b->scale[k];
    for (int64_t i = 0; i < n; i++) {
        const float *c = b->c + i * LANES, own = 1 / h[i * n + i];
        float by[LANES], *z = b->z + i * LANES, most = 0;
        for (int k = 0; k < LANES; k++) {
            by[k] = whole(z[k] + (c[k] * inverse[k] - b->h[i * LANES + k]) * own, limit) - z[k];
            most = fmaxf(most, fabsf(by[k]));
        }
        if (!(most > 0))
            continue;
        moved = true;
        for (int k = 0; k < LANES; k++)
            z[k] += by[k];
        for (int64_t j = 0; j < n; j++)
            add(b->h + j * LANES, h[i * n + j], by);
    }
    return moved;
}

/* Each output's z'c and z'Hz. */
static void measure(const bench *b, double *zc, double *zhz)
{
    for (int k = 0; k < LANES; k++)
        zc[k] = zhz[k] = 0;
    for (int64_t i = 0; i < b->l->terms; i++)
        for (int k = 0; k < LANES; k++) {
            const double z = (double)b->z[i * LANES + k];
            zc[k] += z * (double)b->c[i * LANES + k];
            zhz[k] += z * (double)b->h[i * LANES + k];
        }
}

/* The best scale for the integers. */
static void fit_scale(bench *b)
{
    double zc[LANES], zhz[LANES];
    measure(b, zc, zhz);
    for (int k = 0; k < LANES; k++)
        if (zhz[k] > 0 && zc[k] > 0 && !b->l->part)
            b->scale[k] = (float)(zc[k] / zhz[k]);
}

static void keep_better(bench *b)
{
    double zc[LANES], zhz[LANES];
    measure(b, zc, zhz);
    for (int k = 0; k < LANES; k++) {
        const double s = (double)b->scale[k], error = s * s * zhz[k] - 2 * s * zc[k];
        if (!(error < b->least[k]))
            continue;
        b->least[k] = error;
        b->best_scale[k] = b->scale[k];
        for (int64_t i = 0; i < b->l->terms; i++)
            b->best[i * LANES + k] = b->z[i * LANES + k];
    }
}

static void improve(bench *b)
{
    multiply(b->l->h, b->l->terms, b->z, b->h);
    keep_better(b);
    for (int pass = 0; pass < PASSES; pass++) {
        const bool moved = move(b);
        fit_scale(b);
        if (!moved)
            break;
    }
    keep_better(b);
}

#define SPREAD_FROM 0.6
#define SPREAD_TO 1.15
#define NEAR 0.06
#define GOLDEN 0.6180339887498949

/* Of iteration t: in the first half of them anywhere in the range of the first scale, then near the best so far. */
static void choose_scale(bench *b, int t)
{
    const double x = (t * GOLDEN) - floor(t * GOLDEN);
    const bool wide = 2 * t < b->l->iterations && b->l->limit < 127;
    const double by = b->l->part ? 1 : wide ? SPREAD_FROM + (SPREAD_TO - SPREAD_FROM) * x : 1 + NEAR * (x - 0.5);
    for (int k = 0; k < LANES; k++)
        b->scale[k] = (float)(by * (double)(wide ? b->first[k] : b->best_scale[k]));
}

/* Integers z of that scale against float weights w, by the moments m. */
static double error_of(const float *m, int64_t n, const float *z, int step, double scale, const float *w)
{
    double error = 0;
    for (int64_t i = 0; i < n; i++) {
        double row = 0, other = 0;
        for (int64_t j = 0; j < n; j++) {
            const double zj = scale * (double)z[j * step], wj = (double)w[j];
            row += (double)m[i * 2 * n + j] * zj - (double)m[i * 2 * n + n + j] * wj;
            other += (double)m[(n + i) * 2 * n + n + j] * wj - (double)m[j * 2 * n + n + i] * zj;
        }
        error += scale * (double)z[i * step] * row + (double)w[i] * other;
    }
    return error;
}

static void judge(const bench *b, sgs_pupil *p, int k)
{
    const sgs_lesson *l = b->l;
    float *old = b->left; /* room */
    for (int64_t i = 0; i < l->terms; i++)
        old[i] = (float)p->w[i];
    p->before = error_of(l->held, l->terms, old, 1, (double)*p->scale, p->wanted);
    p->after = error_of(l->held, l->terms, b->best + k, LANES, (double)b->best_scale[k], p->wanted);
    p->learned = p->after < p->before;
    if (!p->learned) {
        p->after = p->before;
        return;
    }
    *p->scale = b->best_scale[k];
    for (int64_t i = 0; i < l->terms; i++)
        p->w[i] = (int8_t)b->best[i * LANES + k];
}

static void begin(bench *b, const sgs_pupil *pupil, int n)
{
    for (int k = 0; k < LANES; k++) {
        const sgs_pupil *p = &pupil[k < n ? k : 0];
        b->first[k] = b->scale[k] = b->best_scale[k] = *p->scale;
        b->least[k] = INFINITY;
        for (int64_t i = 0; i < b->l->terms; i++) {
            b->z[i * LANES + k] = (float)p->w[i];
            b->left[i * LANES + k] = p->wanted[i];
        }
    }
    multiply(b->l->d, b->l->terms, b->left, b->c);
}

void sgs_learn(const sgs_lesson *l, sgs_pupil *pupil, int n, void *room)
{
    bench b = { .l = l };
    take_room(&b, room);
    begin(&b, pupil, n);
    solve(&b);
    improve(&b);
    for (int t = 1; t < l->iterations && !(l->part && t > 1); t++) { /* with one scale a second begins as the first */
        choose_scale(&b, t);
        round_in_turn(&b);
        improve(&b);
    }
    for (int k = 0; k < n; k++)
        judge(&b, &pupil[k], k);
}
