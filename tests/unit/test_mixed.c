/* Mixtures of 8 and 16 bits: the exact one under its rate, with ties, against all that are allowed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"
#include "quant/mixed.h"

/* stem; a block whose first convolution and whose shortcut read the stem, joined by an addition behind a ReLU; a block
 * whose shortcut is none; a head.  By name of a result: first and side are tied as they read one tensor, second and side
 * as one addition joins them. */
static const char net[] = "input %0 \"x\" f32[1,8,8,4]\n"
                          "const %1 f32[8,3,3,4] = seed(1)\n"
                          "const %2 f32[8,3,3,8] = seed(2)\n"
                          "const %3 f32[8,1,1,8] = seed(3)\n"
                          "const %4 f32[1,3,3,8] = seed(4)\n"
                          "const %5 f32[5,1,1,8] = seed(5)\n"
                          "%10 \"stem\" f32[1,8,8,8] = conv %0, %1 {stride=[1,1], dilation=[1,1], pad=[1,1,1,1], groups=1}\n"
                          "%11 \"first\" f32[1,8,8,8] = conv %10, %2 {stride=[1,1], dilation=[1,1], pad=[1,1,1,1], groups=1}\n"
                          "%12 \"second\" f32[1,8,8,8] = conv %11, %2 {stride=[1,1], dilation=[1,1], pad=[1,1,1,1], groups=1}\n"
                          "%13 \"side\" f32[1,8,8,8] = conv %10, %3 {stride=[1,1], dilation=[1,1], groups=1}\n"
                          "%14 f32[1,8,8,8] = clip %12 {lo=0, hi=6}\n"
                          "%15 f32[1,8,8,8] = add %14, %13\n"
                          "%16 \"deep\" f32[1,8,8,8] = depthwise %15, %4 {stride=[1,1], dilation=[1,1], pad=[1,1,1,1]}\n"
                          "%17 f32[1,8,8,8] = add %16, %15\n"
                          "%18 \"head\" f32[1,8,8,5] = conv %17, %5 {stride=[1,1], dilation=[1,1], groups=1}\n"
                          "output %18\n";
enum { CONVS = 6, GROUPS = 4 };
static const int convs[CONVS] = { 10, 11, 12, 13, 16, 18 };
static const int group[CONVS] = { 0, 1, 1, 1, 2, 3 };
static const double count[CONVS] = { 288, 576, 576, 64, 72, 40 };

static double harm[32];
static uint32_t state = 5;

static void make_harm(void)
{
    for (int i = 0; i < CONVS; i++) {
        state = state * 1664525u + 1013904223u;
        harm[convs[i]] = (double)(state >> 8) / (1 << 24);
    }
}

/* What is left by the best of the choices that keep ties and the rate. */
static double least(double rate)
{
    double best = INFINITY;
    for (int set = 0; set < 1 << GROUPS; set++) {
        double left = 0, bits = 0, all = 0;
        for (int i = 0; i < CONVS; i++) {
            const bool wide = set >> group[i] & 1;
            left += wide ? 0 : harm[convs[i]];
            bits += count[i] * (wide ? 16 : 8);
            all += count[i] * 16;
        }
        if (bits <= rate * all * (1 + 1e-9))
            best = fmin(best, left);
    }
    return best;
}

static void chooses_the_best(void **unused)
{
    (void)unused;
    sgs_graph *g;
    sgs_diag d = { 0 };
    assert_int_equal(sgs_graph_parse(&g, "net", (sgs_span){ (const uint8_t *)net, sizeof net - 1 }, &d), SGS_OK);
    for (int round = 0; round < 40; round++) {
        make_harm();
        const sgs_mixture *m = sgs_mixture_new(g, 8, harm, g->arena);
        for (int k = 0; k <= 50; k++) {
            const double rate = 0.5 + k / 100.0;
            const sgs_mixed x = sgs_mixture_at(m, rate);
            assert_true(x.rate <= rate + 1e-9 && x.missed == 0 && x.of == CONVS);
            assert_true(fabs(x.harm - least(rate)) < 1e-9);
            assert_int_equal(x.bits[11], x.bits[13]);
            assert_int_equal(x.bits[12], x.bits[13]);
            int wide = 0;
            for (int i = 0; i < CONVS; i++)
                wide += x.bits[convs[i]] == 16;
            assert_int_equal(wide, x.wide);
        }
        assert_int_equal(sgs_mixture_at(m, 1).wide, CONVS);
        assert_int_equal(sgs_mixture_at(m, 0.5).wide, 0);
    }
    sgs_graph_free(g);
}

/* 4 and 8 bits are the same question at half the rate. */
static void halves(void **unused)
{
    (void)unused;
    sgs_graph *g;
    sgs_diag d = { 0 };
    assert_int_equal(sgs_graph_parse(&g, "net", (sgs_span){ (const uint8_t *)net, sizeof net - 1 }, &d), SGS_OK);
    make_harm();
    const sgs_mixture *eight = sgs_mixture_new(g, 8, harm, g->arena), *four = sgs_mixture_new(g, 4, harm, g->arena);
    for (int k = 0; k <= 50; k++) {
        const sgs_mixed x = sgs_mixture_at(eight, 0.5 + k / 100.0), y = sgs_mixture_at(four, 0.25 + k / 200.0);
        assert_true(x.harm == y.harm && x.rate == 2 * y.rate);
        for (int i = 0; i < CONVS; i++)
            assert_int_equal(x.bits[convs[i]], 2 * y.bits[convs[i]]);
    }
    sgs_graph_free(g);
}

/* What is not measured has no reason to be wide; where nothing is, nothing becomes so. */
static void needs_a_reason(void **unused)
{
    (void)unused;
    sgs_graph *g;
    sgs_diag d = { 0 };
    assert_int_equal(sgs_graph_parse(&g, "net", (sgs_span){ (const uint8_t *)net, sizeof net - 1 }, &d), SGS_OK);
    make_harm();
    harm[10] = -1;
    assert_int_equal(sgs_mixture_at(sgs_mixture_new(g, 8, harm, g->arena), 1).bits[10], 8);
    for (int i = 0; i < CONVS; i++)
        harm[convs[i]] = 0;
    const sgs_mixed x = sgs_mixture_at(sgs_mixture_new(g, 8, harm, g->arena), 1);
    assert_int_equal(x.wide, 0);
    assert_true(x.rate == 0.5 && x.harm == 0);
    sgs_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(chooses_the_best), cmocka_unit_test(halves), cmocka_unit_test(needs_a_reason) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
