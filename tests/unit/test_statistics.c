/* Sums, histograms and clips: the same whatever the order, and right where the answer is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "quant/quantize.h"

enum { N = 4000, PARTS = 8 };

static uint32_t state;

static double uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (1 << 24);
}

static double normal(void)
{
    return sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform());
}

static float most_of(const float *x, int n)
{
    float most = 0;
    for (int i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most;
}

static sgs_histogram counted(sgs_arena *a, const float *x, int n)
{
    sgs_histogram h = { 0 };
    sgs_histogram_count(&h, a, x, n, most_of(x, n));
    return h;
}

static void assert_same(const sgs_histogram *a, const sgs_histogram *b)
{
    static const uint64_t none[SGS_BINS];
    assert_int_equal(a->exponent, b->exponent);
    for (int k = 0; k < 2; k++)
        assert_memory_equal(a->side[k] ? a->side[k] : none, b->side[k] ? b->side[k] : none, sizeof none);
}

/* Parts of very different sizes of number: one alone, zeros, tiny, huge, below zero. */
static void fill_parts(float x[PARTS][N])
{
    state = 1;
    for (int p = 0; p < PARTS; p++)
        for (int i = 0; i < N; i++)
            x[p][i] = p == 2 ? 0 : (float)ldexp(normal(), p * 5 - 20);
    x[3][7] = -0.0f;
    x[4][9] = 1e-42f;
}

static void test_order_of_counting(void **unused)
{
    static float x[PARTS][N];
    sgs_arena *a = sgs_arena_new();
    fill_parts(x);
    const sgs_histogram whole = counted(a, x[0], PARTS * N);
    for (int first = 0; first < PARTS; first++) {
        sgs_histogram sum = { 0 }, pair = { 0 };
        for (int p = 0; p < PARTS; p++) {
            const sgs_histogram part = counted(a, x[(first + p * 3) % PARTS], N);
            sgs_histogram_merge(p % 2 ? &pair : &sum, a, &part);
        }
        sgs_histogram_merge(&pair, a, &sum);
        assert_same(&whole, &pair);
        sgs_histogram again = { 0 };
        for (int p = 0; p < PARTS; p++)
            sgs_histogram_count(&again, a, x[(first + p * 5) % PARTS], N, most_of(x[(first + p * 5) % PARTS], N));
        assert_same(&whole, &again);
    }
    sgs_arena_free(a);
}

static void test_bins(void **unused)
{
    static const float x[] = { 0, 1, 2047, -1, -2047.5f, 0.5f, 2047.99f };
    sgs_arena *a = sgs_arena_new();
    sgs_histogram h = counted(a, x, 7);
    assert_int_equal(h.exponent, 0);
    assert_int_equal(h.side[0][0], 2);
    assert_int_equal(h.side[0][1], 1);
    assert_int_equal(h.side[0][2047], 2);
    assert_int_equal(h.side[1][1], 1);
    assert_int_equal(h.side[1][2047], 1);
    const float more = 2048;
    sgs_histogram_count(&h, a, &more, 1, more);
    assert_int_equal(h.exponent, 1);
    assert_int_equal(h.side[0][0], 3);
    assert_int_equal(h.side[0][1023], 2);
    assert_int_equal(h.side[0][1024], 1);
    assert_int_equal(h.side[1][0], 1);
    const float edge[] = { 3.4e38f, 1e-45f };
    h = counted(a, edge, 2);
    assert_int_equal(h.exponent, 117);
    assert_int_equal(h.side[0][0] + h.side[0][2046], 2);
    assert_int_equal(counted(a, edge + 1, 1).exponent, -126);
    sgs_arena_free(a);
}

static void test_exact_sums(void **unused)
{
    double x[500];
    state = 5;
    for (int i = 0; i < 500; i++)
        x[i] = ldexp(normal(), i % 90 - 60);
    sgs_exact up = { { 0 } }, down = { { 0 } }, part[3] = { { { 0 } } };
    for (int i = 0; i < 500; i++) {
        sgs_exact_add(&up, x[i]);
        sgs_exact_add(&down, x[499 - i]);
        sgs_exact_add(&part[i % 3], x[i]);
    }
    sgs_exact_merge(&part[2], &part[0]);
    sgs_exact_merge(&part[2], &part[1]);
    assert_memory_equal(&up, &down, sizeof up);
    assert_memory_equal(&up, &part[2], sizeof up);
    long double sum = 0;
    for (int i = 0; i < 500; i++)
        sum += (long double)x[i];
    assert_true(fabs(sgs_exact_value(&up) - (double)sum) <= 1e-12 * fabs((double)sum));
    sgs_exact one = { { 0 } };
    sgs_exact_add(&one, -0.1);
    assert_true(sgs_exact_value(&one) == -0.1);
    sgs_exact_add(&one, 1e300); /* as much as there is room for */
    assert_true(sgs_exact_value(&one) >= 0x1p67 && sgs_exact_value(&one) <= 0x1p68);
}

/* ---- clips ---- */

/* What the n numbers cost as bytes that end there. */
static double cost(const float *x, int n, double lo, double hi, int p)
{
    const double scale = (hi - lo) / 255, zero = rint(-lo / scale);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double q = fmin(fmax(rint((double)x[i] / scale) + zero, 0), 255);
        sum += pow(fabs((double)x[i] - (q - zero) * scale), p);
    }
    return sum;
}

typedef struct ends {
    double lo, hi;
} ends;

static ends range_of(const float *x, int n)
{
    ends e = { 0, 0 };
    for (int i = 0; i < n; i++) {
        e.lo = fmin(e.lo, (double)x[i]);
        e.hi = fmax(e.hi, (double)x[i]);
    }
    return e;
}

static sgs_clip best(const float *x, int n, int p)
{
    sgs_arena *a = sgs_arena_new();
    const ends all = range_of(x, n);
    const sgs_histogram h = counted(a, x, n);
    const sgs_clip c = sgs_clip_best(&h, (float)all.lo, (float)all.hi, p);
    sgs_arena_free(a);
    assert_true((double)c.lo >= all.lo && (double)c.hi <= all.hi && c.lo <= 0 && c.hi >= 0);
    assert_int_equal(c.cuts, (double)c.lo > all.lo || (double)c.hi < all.hi);
    return c;
}

static void test_long_tail(void **unused)
{
    static float x[100000];
    state = 2;
    for (int i = 0; i < 100000; i++)
        x[i] = (float)fmax(0, exp(normal()) - 1);
    const ends all = range_of(x, 100000);
    const sgs_clip two = best(x, 100000, 2), four = best(x, 100000, 4);
    assert_true(two.cuts);
    assert_true(four.hi >= two.hi); /* what is cut off counts more */
    const double found = cost(x, 100000, 0, (double)two.hi, 2), whole = cost(x, 100000, 0, all.hi, 2);
    assert_true(found < 0.97 * whole);
    for (int k = 8; k <= 64; k++) /* and no end is clearly better, by the numbers themselves */
        assert_true(found < 1.02 * cost(x, 100000, 0, all.hi * k / 64, 2));
}

static void test_two_peaks(void **unused)
{
    static float x[20000];
    state = 3;
    for (int i = 0; i < 20000; i++)
        x[i] = (float)(normal() * 0.05 + (i % 2 ? 6 : -2));
    const sgs_clip c = best(x, 20000, 2);
    assert_true(c.lo < -1.95f && c.hi > 5.9f);
}

static void test_one_outlier(void **unused)
{
    static float x[200000];
    state = 4;
    for (int i = 0; i < 200000; i++)
        x[i] = (float)fabs(normal());
    x[777] = 30;
    /* n steps' squares over 12 and the square of what is cut off, least where a = 30 / (1 + n / (12 * 255^2)) */
    const sgs_clip c = best(x, 200000, 2);
    assert_true(c.cuts && fabs((double)c.hi - 30 / (1 + 200000 / (12 * 255.0 * 255.0))) < 1);
}

static void test_nothing_to_clip(void **unused)
{
    static float x[3000];
    assert_false(best(x, 3000, 2).cuts);
    for (int i = 0; i < 3000; i++)
        x[i] = 2.5f;
    assert_false(best(x, 3000, 2).cuts);
    for (int i = 0; i < 3000; i++)
        x[i] = (float)(i % 255); /* a byte's own grid */
    assert_false(best(x, 3000, 2).cuts);
    for (int i = 0; i < 3000; i++)
        x[i] = -3.0f - (float)(i % 2);
    const sgs_clip c = best(x, 3000, 4);
    assert_true(c.lo < -3.9f && c.hi == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_counting), cmocka_unit_test(test_bins),      cmocka_unit_test(test_exact_sums),
        cmocka_unit_test(test_long_tail),         cmocka_unit_test(test_two_peaks), cmocka_unit_test(test_one_outlier),
        cmocka_unit_test(test_nothing_to_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
