/* Where the 8 bits of an activation should end.  The smallest and the largest number that calibration saw are often far
 * out; a range that ends before them, where few are cut off, has finer steps for all the others.  The histogram says
 * what a range costs: the error of each element, to some power, over all of them.  Several candidates are the best for
 * several powers: the higher the power, the more an element that is cut off counts (the L_p search of "Loss Aware
 * Post-training Quantization", Nahshan et al., on a histogram).  sensitivity.c measures which one serves. */
#include <math.h>

#include "quant/quantize.h"

#define STEPS 64     /* of a search along one end, from all of it downwards */
#define LEAST_LEFT 8 /* steps, of an end, below which no search goes */

static double power(double e, int p)
{
    return p == 2 ? e * e : e * e * e * e;
}

/* What the element x costs as a byte. */
static double cost(double x, double scale, double zero, int p)
{
    const double q = fmin(fmax(rint(x / scale) + zero, 0), 255);
    return power(fabs(x - (q - zero) * scale), p);
}

/* Elements lie at two places of their bin; those of the first, zeros most of them, at zero, which costs nothing. */
double sgs_clip_error(const sgs_histogram *h, sgs_clip c, int p)
{
    const double width = ldexp(1, h->exponent), scale = ((double)c.hi - (double)c.lo) / 255;
    double sum = 0;
    if (!(scale > 0))
        return INFINITY;
    const double zero = rint(-(double)c.lo / scale);
    for (int k = 0; k < 2; k++)
        for (int i = 1; h->side[k] && i < SGS_BINS; i++) {
            const double n = (double)h->side[k][i], x = (k ? -width : width) * i, part = k ? -width / 4 : width / 4;
            if (n > 0)
                sum += n * (cost(x + part, scale, zero, p) + cost(x + 3 * part, scale, zero, p));
        }
    return sum;
}

/* The best end of those between LEAST_LEFT / STEPS of `end` and all of it, the other end as it is in *c; a tie keeps
 * the larger. */
static void search(const sgs_histogram *h, sgs_clip *c, float *end, float all, int p)
{
    float best = *end;
    double least = sgs_clip_error(h, *c, p);
    for (int k = STEPS; k >= LEAST_LEFT && all != 0; k--) {
        *end = all * ((float)k / STEPS);
        const double e = sgs_clip_error(h, *c, p);
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
    for (int round = 0; round < (all.lo < 0 && all.hi > 0 ? 2 : 1); round++) {
        search(h, &c, &c.hi, all.hi, p);
        search(h, &c, &c.lo, all.lo, p);
    }
    c.cuts = c.lo > all.lo || c.hi < all.hi;
    return c;
}
