/* Learned rounding of one sum: what is known to be better is found, and nothing gets worse. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quant/learn.h"

enum { N = 24, ROWS = 400, HELD = 200, PAIR = 2 * N };

static uint32_t state = 1;

static double uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (1 << 24) - 0.5;
}

/* A layer of SGS_PUPILS outputs with 4 bits. */
typedef struct layer {
    float gram[PAIR * PAIR], held[PAIR * PAIR], wanted[SGS_PUPILS][N], scale[SGS_PUPILS];
    int8_t w[SGS_PUPILS][N];
    sgs_pupil pupil[SGS_PUPILS];
    sgs_lesson lesson;
    void *room, *pupils;
} layer;

/* Inputs that vary together: each is the one before and some of its own; in fixed point they are a little off. */
static void take_row(double off, float *row)
{
    double x = 0;
    for (int i = 0; i < N; i++) {
        x = 0.8 * x + uniform();
        row[N + i] = (float)x;
        row[i] = (float)(x + off * uniform());
    }
}

static void measure(float *gram, int rows, double off)
{
    float row[PAIR];
    memset(gram, 0, PAIR * PAIR * sizeof *gram);
    for (int r = 0; r < rows; r++) {
        take_row(off, row);
        for (int i = 0; i < PAIR; i++)
            for (int j = 0; j < PAIR; j++)
                gram[i * PAIR + j] += row[i] * row[j] / (float)rows;
    }
}

/* Inputs in fixed point become four fifths of float's. */
static void weaken(float *gram)
{
    for (int i = 0; i < PAIR; i++)
        for (int j = 0; j < PAIR; j++)
            gram[i * PAIR + j] *= (i < N ? 0.8f : 1) * (j < N ? 0.8f : 1);
}

static void make_layer(layer *l, double off, int iterations)
{
    state = 7;
    measure(l->gram, ROWS, off);
    measure(l->held, HELD, off);
    for (int o = 0; o < SGS_PUPILS; o++)
        for (int i = 0; i < N; i++)
            l->wanted[o][i] = (float)uniform();
    l->lesson = (sgs_lesson){
        .terms = N, .rows = ROWS, .gram = l->gram, .held = l->held, .limit = 7, .iterations = iterations
    };
    l->room = malloc(sgs_lesson_room(N));
    l->pupils = malloc(sgs_pupils_room(N));
    assert_true(sgs_lesson_prepare(&l->lesson, l->room));
}

static void free_layer(layer *l)
{
    free(l->room);
    free(l->pupils);
}

/* Each weight alone. */
static void round_nearest(layer *l)
{
    for (int o = 0; o < SGS_PUPILS; o++) {
        l->scale[o] = 0.5f / 7;
        for (int i = 0; i < N; i++)
            l->w[o][i] = (int8_t)lrintf(l->wanted[o][i] / l->scale[o]);
        l->pupil[o] = (sgs_pupil){ .wanted = l->wanted[o], .w = l->w[o], .scale = &l->scale[o] };
    }
}

/* The closed form of factor.c, by the covariance of the float inputs: R'R of it, rounded from the last to the first. */
static void round_in_turn(layer *l)
{
    double c[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            c[i][j] = (double)l->gram[(N + i) * PAIR + N + j];
    for (int i = 0; i < N; i++) {
        const double root = sqrt(c[i][i]);
        for (int j = i; j < N; j++)
            c[i][j] /= root;
        for (int r = i + 1; r < N; r++)
            for (int j = r; j < N; j++)
                c[r][j] -= c[i][r] * c[i][j];
    }
    round_nearest(l);
    for (int o = 0; o < SGS_PUPILS; o++) {
        double left[N];
        for (int i = N - 1; i >= 0; i--) {
            double wanted = (double)l->wanted[o][i];
            for (int j = i + 1; j < N; j++)
                wanted += c[i][j] / c[i][i] * left[j];
            const double z = fmin(fmax(rint(wanted / (double)l->scale[o]), -7), 7);
            l->w[o][i] = (int8_t)z;
            left[i] = (double)l->wanted[o][i] - z * (double)l->scale[o];
        }
    }
}

/* Of one output, by its definition. */
static double error_of(const layer *l, int o)
{
    double v[PAIR], e = 0;
    for (int i = 0; i < N; i++) {
        v[i] = (double)l->scale[o] * l->w[o][i];
        v[N + i] = -(double)l->wanted[o][i];
    }
    for (int i = 0; i < PAIR; i++)
        for (int j = 0; j < PAIR; j++)
            e += v[i] * v[j] * (double)l->held[i * PAIR + j];
    return e;
}

static double all_errors(const layer *l)
{
    double e = 0;
    for (int o = 0; o < SGS_PUPILS; o++)
        e += error_of(l, o);
    return e;
}

static void test_better_than_both(void **s)
{
    (void)s;
    layer l;
    make_layer(&l, 0.02, 40);
    round_nearest(&l);
    const double nearest = all_errors(&l);
    round_in_turn(&l);
    const double closed = all_errors(&l);
    sgs_learn(&l.lesson, l.pupil, SGS_PUPILS, l.pupils);
    assert_true(closed < nearest);
    assert_true(all_errors(&l) < 0.8 * closed);
    free_layer(&l);
}

static void test_what_is_said_is_so(void **s)
{
    (void)s;
    layer l;
    make_layer(&l, 0.1, 10);
    round_in_turn(&l);
    for (int o = 0; o < SGS_PUPILS; o++) {
        const double before = error_of(&l, o);
        sgs_learn(&l.lesson, &l.pupil[o], 1, l.pupils);
        assert_true(fabs(l.pupil[o].before - before) < 1e-6 * before);
        assert_true(fabs(l.pupil[o].after - error_of(&l, o)) < 1e-6 * before);
        assert_true(l.pupil[o].learned ? l.pupil[o].after < before : l.pupil[o].after == l.pupil[o].before);
    }
    free_layer(&l);
}

/* What it is learned from asks for larger weights; those who judge find those that were there exact. */
static void test_what_is_worse_for_others_is_not_kept(void **s)
{
    (void)s;
    layer l;
    int8_t w[SGS_PUPILS][N];
    make_layer(&l, 0, 10);
    round_nearest(&l);
    memcpy(w, l.w, sizeof w);
    for (int o = 0; o < SGS_PUPILS; o++)
        for (int i = 0; i < N; i++)
            l.wanted[o][i] = l.scale[o] * (float)l.w[o][i];
    weaken(l.gram);
    assert_true(sgs_lesson_prepare(&l.lesson, l.room));
    sgs_learn(&l.lesson, l.pupil, SGS_PUPILS, l.pupils);
    for (int o = 0; o < SGS_PUPILS; o++)
        assert_false(l.pupil[o].learned);
    assert_memory_equal(w, l.w, sizeof w);
    memcpy(l.held, l.gram, sizeof l.held);
    sgs_learn(&l.lesson, l.pupil, SGS_PUPILS, l.pupils);
    assert_true(l.pupil[0].learned);
    free_layer(&l);
}

/* Whoever learns beside an output changes nothing of it: outputs may be shared between threads in any way. */
static void test_side_by_side_or_alone(void **s)
{
    (void)s;
    layer l;
    int8_t together[SGS_PUPILS][N];
    float scale[SGS_PUPILS];
    make_layer(&l, 0.1, 12);
    round_in_turn(&l);
    sgs_learn(&l.lesson, l.pupil, SGS_PUPILS, l.pupils);
    memcpy(together, l.w, sizeof together);
    memcpy(scale, l.scale, sizeof scale);
    round_in_turn(&l);
    for (int o = SGS_PUPILS - 1; o >= 0; o--)
        sgs_learn(&l.lesson, &l.pupil[o], 1, l.pupils);
    assert_memory_equal(together, l.w, sizeof together);
    assert_memory_equal(scale, l.scale, sizeof scale);
    free_layer(&l);
}

/* Layers before that shifted the inputs are made up for, where rounding by the float inputs cannot know of it. */
static void test_makes_up_for_what_came_before(void **s)
{
    (void)s;
    layer l;
    make_layer(&l, 0, 40);
    weaken(l.gram);
    weaken(l.held);
    assert_true(sgs_lesson_prepare(&l.lesson, l.room));
    round_in_turn(&l);
    const double closed = all_errors(&l);
    sgs_learn(&l.lesson, l.pupil, SGS_PUPILS, l.pupils);
    assert_true(all_errors(&l) < 0.5 * closed);
    free_layer(&l);
}

static void test_nothing_varies(void **s)
{
    (void)s;
    layer l;
    make_layer(&l, 0, 1);
    memset(l.gram, 0, sizeof l.gram);
    assert_false(sgs_lesson_prepare(&l.lesson, l.room));
    free_layer(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_better_than_both),
        cmocka_unit_test(test_what_is_said_is_so),
        cmocka_unit_test(test_what_is_worse_for_others_is_not_kept),
        cmocka_unit_test(test_side_by_side_or_alone),
        cmocka_unit_test(test_makes_up_for_what_came_before),
        cmocka_unit_test(test_nothing_varies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
