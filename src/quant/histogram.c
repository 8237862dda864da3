#include <math.h>
#include <string.h>

#include "quant/statistics.h"

enum { BLOCK = 256, LEAST_EXPONENT = -126 };

int sgs_histogram_exponent(float most)
{
    int e;
    frexpf(most, &e); /* most < 2^e */
    return most > 0 && e - 11 > LEAST_EXPONENT ? e - 11 : LEAST_EXPONENT;
}

_Static_assert(SGS_BINS == 1 << 11, "magnitudes below 2^e have bins of 2^(e-11)");

static uint64_t *side(sgs_histogram *h, sgs_arena *a, int k)
{
    if (!h->side[k])
        h->side[k] = SGS_NEW_N(a, uint64_t, SGS_BINS);
    return h->side[k];
}

/* Bins of the exponent e, which is larger. */
static void coarsen(sgs_histogram *h, int e)
{
    const int shift = e - h->exponent < 31 ? e - h->exponent : 31;
    for (int k = 0; k < 2; k++)
        for (int i = 1; h->side[k] && i < SGS_BINS; i++) {
            const uint64_t n = h->side[k][i];
            h->side[k][i] = 0;
            h->side[k][i >> shift] += n;
        }
    h->exponent = e;
}

static bool is_empty(const sgs_histogram *h)
{
    return !h->side[0] && !h->side[1];
}

/* Room for magnitudes with bins of exponent e. */
static void reach(sgs_histogram *h, int e)
{
    if (is_empty(h))
        h->exponent = e;
    else if (h->exponent < e)
        coarsen(h, e);
}

/* Where each of n numbers is counted: the side in bit 11. */
static void places(const float *x, int n, float inverse, uint32_t *at)
{
    for (int i = 0; i < n; i++)
        at[i] = (uint32_t)(int32_t)(fabsf(x[i]) * inverse) | (x[i] < 0 ? SGS_BINS : 0);
}

/* Two tables in turn: equal numbers, as the zeros of a ReLU, do not wait for one another. */
static void count(const float *x, int64_t n, float inverse, uint32_t (*table)[2 * SGS_BINS])
{
    uint32_t at[BLOCK];
    for (int64_t i = 0; i < n; i += BLOCK) {
        const int m = n - i < BLOCK ? (int)(n - i) : BLOCK;
        places(x + i, m, inverse, at);
        for (int k = 0; k < m; k++)
            table[k & 1][at[k]]++;
    }
}

void sgs_histogram_count(sgs_histogram *h, sgs_arena *a, const float *x, int64_t n, float most)
{
    static _Thread_local uint32_t table[2][2 * SGS_BINS];
    const int64_t part = (int64_t)1 << 31; /* what 32 bits count */
    const int e = sgs_histogram_exponent(most);
    reach(h, e);
    for (int64_t i = 0; i < n; i += part) {
        memset(table, 0, sizeof table);
        count(x + i, n - i < part ? n - i : part, ldexpf(1, -e), table);
        const int shift = h->exponent - e < 31 ? h->exponent - e : 31;
        for (int k = 0; k < 2 * SGS_BINS; k++)
            if (table[0][k] + (uint64_t)table[1][k])
                side(h, a, k >= SGS_BINS)[k % SGS_BINS >> shift] += table[0][k] + (uint64_t)table[1][k];
    }
}

void sgs_histogram_merge(sgs_histogram *to, sgs_arena *a, const sgs_histogram *from)
{
    if (is_empty(from))
        return;
    reach(to, from->exponent);
    const int shift = to->exponent - from->exponent < 31 ? to->exponent - from->exponent : 31;
    for (int k = 0; k < 2; k++)
        for (int i = 0; from->side[k] && i < SGS_BINS; i++)
            if (from->side[k][i])
                side(to, a, k)[i >> shift] += from->side[k][i];
}

void sgs_histogram_clear(sgs_histogram *h)
{
    for (int k = 0; k < 2; k++)
        if (h->side[k])
            memset(h->side[k], 0, SGS_BINS * sizeof *h->side[k]);
    h->exponent = LEAST_EXPONENT;
}
