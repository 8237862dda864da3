/* Integer weights: what a search, a factor and other means change, where the answer is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quant/quantize.h"

enum { N = 12, OUTPUTS = 3 };

static uint32_t state;

static double uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (1 << 24) - 0.5;
}

/* A fully connected layer, or a depthwise one of N taps. */
typedef struct layer {
    sgs_qweights q;
    float w[OUTPUTS * N], scale[OUTPUTS], factor[OUTPUTS * N * N];
    double covariance[N * N], seen[N], mean[N], given[N], energy[N];
    int8_t bytes[OUTPUTS * N];
    int32_t bias[OUTPUTS];
} layer;

static void make_layer(layer *l, sgs_arena *a, bool depthwise)
{
    memset(l, 0, sizeof *l);
    l->q = (sgs_qweights){ .arena = a,
                           .outputs = OUTPUTS,
                           .weights = l->w,
                           .seen = l->seen,
                           .s_x = 0.01,
                           .w = l->bytes,
                           .b = l->bias,
                           .scale = l->scale };
    l->q.taps = depthwise ? N : 1;
    l->q.inputs = depthwise ? 1 : N;
    l->q.group = depthwise ? 1 : OUTPUTS;
    l->q.step_o = depthwise ? 1 : N;
    l->q.step_t = depthwise ? OUTPUTS : 0;
    l->q.step_i = depthwise ? 0 : 1;
    for (int i = 0; i < OUTPUTS * N; i++)
        l->w[i] = (float)uniform();
    for (int i = 0; i < N; i++)
        l->seen[i] = 1;
}

/* Inputs that vary together: each is the one before and a little of its own.  The factor is that of factor.c: rows of
 * R, R'R the covariance, divided by their diagonal. */
static void vary_together(layer *l, int factors)
{
    double c[N * N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            c[i * N + j] = l->covariance[i * N + j] = pow(0.9, abs(i - j));
    for (int i = 0; i < N; i++) {
        const double root = sqrt(c[i * N + i]);
        for (int j = i; j < N; j++)
            c[i * N + j] /= root;
        for (int r = i + 1; r < N; r++)
            for (int j = r; j < N; j++)
                c[r * N + j] -= c[i * N + r] * c[i * N + j];
    }
    for (int f = 0; f < factors; f++)
        for (int i = 0; i < N; i++)
            for (int j = i; j < N; j++)
                l->factor[(f * N + i) * N + j] = (float)(c[i * N + j] / c[i * N + i]);
}

static double error_of(const layer *l, int o, int k)
{
    const int64_t at = o * l->q.step_o + (l->q.taps > 1 ? k * l->q.step_t : k * l->q.step_i);
    return (double)l->w[at] - l->bytes[at] * (double)l->scale[o];
}

/* The variance of what the rounding of output o's weights adds. */
static double noise_of(const layer *l, int o)
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum += error_of(l, o, i) * l->covariance[i * N + j] * error_of(l, o, j);
    return sum;
}

static void check_in_turn(bool depthwise)
{
    sgs_arena *a = sgs_arena_new();
    double alone = 0, in_turn = 0;
    state = 1;
    for (int round = 0; round < 20; round++) {
        layer l;
        make_layer(&l, a, depthwise);
        vary_together(&l, depthwise ? OUTPUTS : 1);
        sgs_quantize_weights(&l.q);
        for (int o = 0; o < OUTPUTS; o++)
            alone += noise_of(&l, o);
        l.q.factor = l.factor;
        sgs_quantize_weights(&l.q);
        for (int o = 0; o < OUTPUTS; o++)
            in_turn += noise_of(&l, o);
    }
    assert_true(in_turn < alone / 3 && in_turn > 0);
    sgs_arena_free(a);
}

static void test_rounded_in_turn(void **unused)
{
    check_in_turn(false);
    check_in_turn(true);
}

/* Weights whose inputs have nothing in common are rounded as they are alone. */
static void test_nothing_in_common(void **unused)
{
    sgs_arena *a = sgs_arena_new();
    layer l;
    int8_t alone[sizeof l.bytes];
    state = 2;
    make_layer(&l, a, false);
    for (int i = 0; i < N; i++)
        l.factor[i * N + i] = 1;
    sgs_quantize_weights(&l.q);
    memcpy(alone, l.bytes, sizeof alone);
    l.q.factor = l.factor;
    sgs_quantize_weights(&l.q);
    assert_memory_equal(l.bytes, alone, sizeof alone);
    sgs_arena_free(a);
}

/* The same layer with its inputs in the other order, and told so. */
static void test_reversed(void **unused)
{
    sgs_arena *a = sgs_arena_new();
    layer l, m;
    state = 3;
    make_layer(&l, a, false);
    vary_together(&l, 1);
    m = l;
    for (int i = 0; i < N; i++) /* no symmetric covariance: some inputs vary less */
        for (int j = i; j < N; j++)
            l.factor[i * N + j] *= (float)(1 - 0.05 * j);
    memcpy(m.factor, l.factor, sizeof m.factor);
    for (int o = 0; o < OUTPUTS; o++)
        for (int i = 0; i < N; i++)
            m.w[o * N + i] = l.w[o * N + N - 1 - i];
    l.q.factor = l.factor;
    m.q.factor = m.factor;
    m.q.weights = m.w, m.q.w = m.bytes, m.q.b = m.bias, m.q.scale = m.scale, m.q.seen = m.seen;
    m.q.reversed = true;
    sgs_quantize_weights(&l.q);
    sgs_quantize_weights(&m.q);
    for (int o = 0; o < OUTPUTS; o++)
        for (int i = 0; i < N; i++)
            assert_int_equal(l.bytes[o * N + i], m.bytes[o * N + N - 1 - i]);
    sgs_arena_free(a);
}

/* The search looks at what errors do: of the weights of a loud input they become smaller. */
static void test_energy(void **unused)
{
    sgs_arena *a = sgs_arena_new();
    double all_alike = 0, weighed = 0;
    state = 4;
    for (int round = 0; round < 20; round++) {
        layer l;
        make_layer(&l, a, false);
        for (int i = 0; i < N; i++)
            l.energy[i] = i < 2 ? 100 : 1;
        for (int k = 0; k < 2; k++) {
            l.q.search = true;
            l.q.energy = k ? l.energy : NULL;
            sgs_quantize_weights(&l.q);
            for (int o = 0; o < OUTPUTS; o++)
                for (int i = 0; i < N; i++)
                    *(k ? &weighed : &all_alike) += l.energy[i] * error_of(&l, o, i) * error_of(&l, o, i);
        }
    }
    assert_true(weighed < 0.8 * all_alike);
    sgs_arena_free(a);
}

/* Weights on a grid lose nothing; the bias then takes back what the means in fixed point have too much. */
static void test_given_means(void **unused)
{
    sgs_arena *a = sgs_arena_new();
    layer l;
    state = 5;
    make_layer(&l, a, false);
    for (int o = 0; o < OUTPUTS; o++)
        for (int i = 0; i < N; i++)
            l.w[o * N + i] = (float)(i == o ? 127 : i - 5) / 64;
    for (int i = 0; i < N; i++) {
        l.mean[i] = i;
        l.given[i] = i + 0.5;
    }
    l.q.mean = l.q.given = l.mean;
    sgs_quantize_weights(&l.q);
    for (int o = 0; o < OUTPUTS; o++) {
        assert_true(sgs_on_grid(l.w + o * N, &l.q, 127.0 / 64, 127));
        assert_false(sgs_on_grid(l.w + o * N, &l.q, 127.0 / 64, 7));
        assert_int_equal(l.bias[o], 0);
    }
    l.q.given = l.given;
    sgs_quantize_weights(&l.q);
    for (int o = 0; o < OUTPUTS; o++) {
        double sum = 0;
        for (int i = 0; i < N; i++)
            sum += (double)l.w[o * N + i];
        assert_int_equal(l.bias[o], (int)rint(-0.5 * sum / (0.01 * (double)l.scale[o])));
    }
    l.w[3] += 0.004f;
    assert_false(sgs_on_grid(l.w, &l.q, 127.0 / 64, 127));
    sgs_arena_free(a);
}

/* Four bits: none beyond 7, a search that finds less noise than the largest weights leave, weights that fit kept as they are. */
static void test_four_bits(void **unused)
{
    sgs_arena *a = sgs_arena_new();
    layer l;
    double plain = 0, searched = 0;
    state = 6;
    for (int round = 0; round < 20; round++) {
        make_layer(&l, a, round & 1);
        l.q.four = true;
        for (int search = 0; search < 2; search++) {
            l.q.search = search;
            sgs_quantize_weights(&l.q);
            for (int o = 0; o < OUTPUTS; o++)
                for (int i = 0; i < N; i++)
                    *(search ? &searched : &plain) += pow(fabs(error_of(&l, o, i)), 2.5);
            for (int i = 0; i < OUTPUTS * N; i++)
                assert_true(abs(l.bytes[i]) <= 7);
        }
    }
    assert_true(searched < plain * 0.9);
    assert_true(sgs_most_weight(&l.q) == 7);
    for (int i = 0; i < OUTPUTS * N; i++)
        l.w[i] = (float)(i % 8 == 0 ? 7 : i % 13 - 6) * 0.3f;
    sgs_quantize_weights(&l.q);
    for (int o = 0; o < OUTPUTS; o++)
        for (int i = 0; i < N; i++)
            assert_true(fabs(error_of(&l, o, i)) < 1e-6);
    sgs_arena_free(a);
}

/* Learned biases are taken as they are; without them those of other weights are made for the learned ones. */
static void test_learned_biases(void **unused)
{
    (void)unused;
    sgs_arena *a = sgs_arena_new();
    int8_t w[OUTPUTS * N];
    const float scale[OUTPUTS] = { 0.01f, 0.02f, 0.03f };
    const int32_t bias[OUTPUTS] = { 7, -1000, 123456 };
    layer l;
    for (int i = 0; i < OUTPUTS * N; i++)
        w[i] = (int8_t)(i - 18);
    for (int k = 0; k < 2; k++) {
        const sgs_learned learned = { w, scale, k ? bias : NULL };
        make_layer(&l, a, false);
        l.q.learned = &learned;
        sgs_quantize_weights(&l.q);
        assert_memory_equal(l.bytes, w, sizeof w);
        assert_memory_equal(l.scale, scale, sizeof scale);
        for (int o = 0; o < OUTPUTS; o++)
            assert_int_equal(l.bias[o], k ? bias[o] : 0);
    }
    sgs_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_bits),
        cmocka_unit_test(test_rounded_in_turn), cmocka_unit_test(test_nothing_in_common),
        cmocka_unit_test(test_reversed),        cmocka_unit_test(test_energy),
        cmocka_unit_test(test_given_means),     cmocka_unit_test(test_learned_biases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
