/* Where the 8 bits of an activation should end.  The smallest and the largest number that calibration saw are often far
 * out; a range that ends before them, where few are cut off, has finer steps for all the others.  The histogram says
 * what a range costs: the error of each element, to some power, over all of them.  Several candidates are the best for
 * several powers: the higher the power, the more an element that is cut off counts (the L_p search of "Loss Aware
 * Post-training Quantization", Nahshan et al., on a histogram).  sensitivity.c measures which one serves. */
#include <math.h>

#include "quant/quantize.h"

#define STEPS 64     /* of a search along one end, from all of it downwards */
#define LEAST_LEFT 8 /* steps, of an end, below which no search goes */

/* The counts of a histogram as numbers, but of the first bins: elements there, zeros most of them, cost nothing. */
typedef struct spread {
    double width;
    double count[2][SGS_BINS];
    int end[2]; /* behind the last bin that counts */
} spread;

static void spread_out(spread *s, const sgs_histogram *h)
{
    s->width = ldexp(1, h->exponent);
    for (int k = 0; k < 2; k++) {
        s->end[k] = 1;
        for (int i = 1; h->side[k] && i < SGS_BINS; i++) {
            s->count[k][i] = (double)h->side[k][i];
            s->end[k] = h->side[k][i] ? i + 1 : s->end[k];
        }
    }
}

/* What the element x costs as a byte. */
static inline double cost(double x, double scale, double zero, int p)
{
    double q = x / scale + 0x1.8p52 - 0x1.8p52 + zero; /* the nearest whole number */
    q = q > 0 ? q : 0;
    q = q < 255 ? q : 255;
    const double e = x - (q - zero) * scale, square = e * e;
    return p == 2 ? square : square * e * e;
}

enum { AT_ONCE = 64 };

/* What bins i to `end` cost, AT_ONCE at most: elements lie at two places of their bin. */
static void costs(const double *count, double width, int i, int end, double scale, double zero, int p, double *to)
{
    const double part = width / 4;
    for (int k = i; k < end; k++)
        to[k - i] = count[k] * (cost(width * k + part, scale, zero, p) + cost(width * k + 3 * part, scale, zero, p));
}

/* The sum of all; more than `bound` when it is not less. */
static double error(const spread *s, sgs_clip c, int p, double bound)
{
    const double scale = ((double)c.hi - (double)c.lo) / 255;
    double sum = 0, each[AT_ONCE];
    if (!(scale > 0))
        return INFINITY;
    const double zero = rint(-(double)c.lo / scale);
    for (int k = 0; k < 2; k++)
        for (int i = 1; i < s->end[k]; i += AT_ONCE) {
            const int end = s->end[k] - i < AT_ONCE ? s->end[k] : i + AT_ONCE;
            costs(s->count[k], k ? -s->width : s->width, i, end, scale, zero, p, each);
            for (int j = 0; j < end - i; j++)
                sum += each[j];
            if (sum >= bound)
                return INFINITY;
        }
    return sum;
}

/* The best end of those between LEAST_LEFT / STEPS of `end` and all of it, the other end as it is in *c; a tie keeps
 * the larger. */
static void search(const spread *s, sgs_clip *c, float *end, float all, int p)
{
    float best = *end;
    double least = error(s, *c, p, INFINITY);
    for (int k = STEPS; k >= LEAST_LEFT && all != 0; k--) {
        *end = all * ((float)k / STEPS);
        const double e = error(s, *c, p, least);
        if (e < least) {
            least = e;
            best = *end;
        }
    }
    *end = best;
}

sgs_clip sgs_clip_best(const sgs_histogram *h, float lo, float hi, int p)
{
    sgs_clip c = { fminf(lo, 0), fmaxf(hi, 0), false };
    const sgs_clip all = c;
    spread s;
    spread_out(&s, h);
    for (int round = 0; round < (all.lo < 0 && all.hi > 0 ? 2 : 1); round++) {
        search(&s, &c, &c.hi, all.hi, p);
        search(&s, &c, &c.lo, all.lo, p);
    }
    c.cuts = c.lo > all.lo || c.hi < all.hi;
    return c;
}
