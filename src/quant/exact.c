#include <math.h>

#include "quant/statistics.h"

#define LEAST_EXPONENT (-92)
#define DIGIT_BITS 40

enum { DIGITS = sizeof((sgs_exact *)0)->digit / sizeof(int64_t) };

void sgs_exact_add(sgs_exact *s, double x)
{
    static const double unit[DIGITS] = { 0x1p-92, 0x1p-52, 0x1p-12, 0x1p28 };
    const double limit = 0x1.fffffffffffffp67;
    x = fmin(fmax(x, -limit), limit);
    for (int i = DIGITS - 1; i >= 0; i--) {
        const int64_t d =
            (int64_t)(x / unit[i]); /* towards zero; division by a power of two is exact, and so is what is left */
        s->digit[i] += d;
        x -= (double)d * unit[i];
    }
}

void sgs_exact_merge(sgs_exact *to, const sgs_exact *from)
{
    for (int i = 0; i < DIGITS; i++)
        to->digit[i] += from->digit[i];
}

double sgs_exact_value(const sgs_exact *s)
{
    double v = 0;
    for (int i = 0; i < DIGITS; i++)
        v += ldexp((double)s->digit[i], LEAST_EXPONENT + DIGIT_BITS * i);
    return v;
}
