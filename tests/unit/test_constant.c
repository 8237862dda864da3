/* Tensors in an order of their own, and constants whose elements stay in a file until somebody asks for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strided.h"
#include "import/sim.h"
#include "ops/op.h"

static uint32_t seed = 1;

static int64_t below(int64_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (int64_t)(seed >> 8) % n;
}

/* ---- tensors ------------------------------------------------------------------------------------- */

/* Element i in row order, by index. */
static const uint8_t *element(const sgs_strided *s, int64_t i)
{
    int64_t off = 0;
    for (int k = s->rank - 1; k >= 0; i /= s->dim[k--])
        off += i % s->dim[k] * s->stride[k];
    return (const uint8_t *)s->from + off;
}

static void expect_elements(const sgs_strided *s, int64_t first, int64_t n, const uint8_t *found)
{
    for (int64_t i = 0; i < n; i++)
        assert_memory_equal(found + i * s->each, element(s, first + i), (size_t)s->each);
}

static void shuffle(int64_t *perm, int n)
{
    for (int i = 0; i < n; i++)
        perm[i] = i;
    for (int i = n - 1; i > 0; i--) {
        const int64_t k = below(i + 1), was = perm[i];
        perm[i] = perm[k];
        perm[k] = was;
    }
}

static sgs_strided any_turned(const uint8_t *bytes)
{
    int64_t dim[5], perm[5];
    const int rank = (int)below(6);
    for (int i = 0; i < rank; i++)
        dim[i] = below(4) ? 1 + below(9) : 1 + below(40);
    shuffle(perm, rank);
    const sgs_strided s = sgs_strided_dense(bytes, 1 << below(4), rank, dim);
    return sgs_strided_turn(&s, perm);
}

static void test_reading(void **state)
{
    uint8_t *bytes = malloc(1 << 20), *to = malloc(1 << 20);
    for (int i = 0; i < 1 << 20; i++)
        bytes[i] = (uint8_t)below(256);
    for (int round = 0; round < 3000; round++) {
        const sgs_strided s = any_turned(bytes + 1);
        const int64_t n = sgs_strided_count(&s);
        if (n * s.each >= 1 << 20)
            continue;
        sgs_strided_read(&s, 0, n, to);
        expect_elements(&s, 0, n, to);
        for (int64_t first = 0, part; first < n; first += part) {
            part = 1 + below(n - first);
            memset(to, 0, (size_t)(n * s.each));
            sgs_strided_read(&s, first, part, to + 1);
            expect_elements(&s, first, part, to + 1);
        }
    }
    free(bytes);
    free(to);
}

static void test_steps_back_and_none(void **state)
{
    const int16_t row[] = { 1, 2, 3 };
    int16_t to[6];
    const sgs_strided s = { .from = &row[2], .each = 2, .rank = 2, .dim = { 2, 3 }, .stride = { 0, -2 } };
    sgs_strided_read(&s, 0, 6, to);
    assert_memory_equal(to, ((int16_t[]){ 3, 2, 1, 3, 2, 1 }), sizeof to);
    assert_false(sgs_strided_is_dense(&s));
}

static void test_other_dims(void **state)
{
    uint8_t *bytes = malloc(1 << 20);
    int done = 0, refused = 0;
    for (int round = 0; round < 3000; round++) {
        const sgs_strided s = any_turned(bytes);
        int64_t left = sgs_strided_count(&s), dim[SGS_STRIDED_AXES], n = left;
        int rank = 0;
        sgs_strided other;
        for (; left > 1 && rank < 6; left /= dim[rank++])
            for (dim[rank] = 1 + below(left); left % dim[rank];)
                dim[rank]--;
        dim[rank++] = left;
        if (!sgs_strided_reshape(&s, rank, dim, &other)) {
            refused++;
            continue;
        }
        done++;
        assert_int_equal(sgs_strided_count(&other), n);
        for (int64_t i = 0; i < n; i++)
            assert_ptr_equal(element(&s, i), element(&other, i));
    }
    assert_true(done > 100 && refused > 100);
    const sgs_strided wrong = sgs_strided_dense(bytes, 4, 2, (int64_t[]){ 2, 3 });
    sgs_strided other;
    assert_false(sgs_strided_reshape(&wrong, 2, (int64_t[]){ 2, 4 }, &other));
    assert_false(sgs_strided_reshape(&wrong, 1, (int64_t[]){ 3 }, &other));
    assert_true(sgs_strided_reshape(&wrong, 4, (int64_t[]){ 1, 3, 1, 2 }, &other));
    free(bytes);
}

/* ---- constants ----------------------------------------------------------------------------------- */

#define ROWS 160
#define COLUMNS 130
#define COUNT ((int64_t)ROWS * COLUMNS)

static const int64_t dims[] = { ROWS, COLUMNS }, swap[] = { 1, 0 };
static char path[] = "/tmp/test_constant.XXXXXX";

static int make_file(void **state)
{
    const int fd = mkstemp(path);
    FILE *f = fdopen(fd, "wb");
    fputc(0, f);
    for (int64_t i = 0; i < COUNT; i++) {
        const float x = (float)below(1 << 20) / 1024;
        fwrite(&x, sizeof x, 1, f);
    }
    return fclose(f);
}

static int remove_file(void **state)
{
    return unlink(path);
}

typedef struct weights {
    sgs_graph *g;
    sgs_value *w;              /* of the file, at an odd address */
    const uint8_t *at;
} weights;

static weights of_file(void)
{
    weights s = { .g = sgs_graph_new("a.onnx") };
    sgs_span data;
    assert_int_equal(sgs_graph_map(s.g, path, &data, NULL), SGS_OK);
    s.at = data.p + 1;
    s.w = sgs_const_in_file(s.g, SGS_F32, 2, dims, s.at);
    return s;
}

static sgs_value *with(sgs_graph *g, int64_t rows, int64_t columns, sgs_constant *c)
{
    sgs_value *v = sgs_value_new(g, SGS_F32, 2, (const int64_t[]){ rows, columns });
    assert_non_null(c);
    v->constant = c;
    return v;
}

static float number(const weights *s, int64_t row, int64_t column)
{
    float x;
    memcpy(&x, s->at + 4 * (row * COLUMNS + column), sizeof x);
    return x;
}

static void test_stays_in_the_file(void **state)
{
    weights s = of_file();
    assert_ptr_equal(sgs_constant_rows(s.w->constant), s.at);
    assert_int_equal(sgs_arena_loose(s.g->arena), 0);
    assert_false(sgs_const_is_own(s.g, s.w)); /* nobody has it yet */
    const float *x = sgs_const_f32(s.w);
    assert_int_equal((uintptr_t)x % sizeof *x, 0);
    assert_memory_equal(x, s.at, COUNT * 4);
    assert_ptr_equal(sgs_const_data(s.w), x);
    assert_int_equal(sgs_arena_loose(s.g->arena), COUNT * 4);
    assert_null(sgs_constant_turned(s.g, s.w, swap)); /* it lies in memory now */
    sgs_graph_free(s.g);
}

static void test_turned_there_and_back(void **state)
{
    weights s = of_file();
    sgs_value *t = with(s.g, COLUMNS, ROWS, sgs_constant_turned(s.g, s.w, swap));
    assert_null(sgs_constant_rows(t->constant));
    assert_ptr_equal(sgs_constant_source(t->constant), s.at);
    sgs_value *back = with(s.g, ROWS, COLUMNS, sgs_constant_turned(s.g, t, swap));
    assert_ptr_equal(sgs_constant_rows(back->constant), s.at);
    assert_int_equal(sgs_arena_loose(s.g->arena), 0);
    for (int64_t i = 0; i < COUNT; i++)
        assert_float_equal(sgs_const_f32(t)[i], number(&s, i % ROWS, i / ROWS), 0);
    sgs_graph_free(s.g);
}

static void test_turned_with_other_dims(void **state)
{
    const int64_t apart[] = { ROWS, COLUMNS / 13, 13 }, perm[] = { 2, 0, 1 };
    weights s = of_file();
    const sgs_value *v = sgs_const_view(s.g, s.w, 3, apart);
    sgs_value *t = with(s.g, 13, COUNT / 13, sgs_constant_turned(s.g, v, perm));
    for (int64_t k = 0, i = 0; k < 13; k++)
        for (int64_t row = 0; row < ROWS; row++)
            for (int64_t m = 0; m < COLUMNS / 13; m++)
                assert_float_equal(sgs_const_f32(t)[i++], number(&s, row, m * 13 + k), 0);
    sgs_graph_free(s.g);
}

static void test_times_factors(void **state)
{
    double factor[ROWS];
    weights s = of_file();
    for (int i = 0; i < ROWS; i++)
        factor[i] = 1 / (3.0 + i);
    sgs_value *rows = with(s.g, ROWS, COLUMNS, sgs_constant_scaled(s.g, s.w, &(sgs_factors){ factor, ROWS, COLUMNS }));
    const sgs_value *t = with(s.g, COLUMNS, ROWS, sgs_constant_turned(s.g, s.w, swap));
    sgs_value *columns = with(s.g, COLUMNS, ROWS, sgs_constant_scaled(s.g, t, &(sgs_factors){ factor, ROWS, 1 }));
    memset(factor, 0, sizeof factor); /* they are copied */
    assert_null(sgs_constant_turned(s.g, rows, swap));
    assert_null(sgs_constant_rows(rows->constant));
    float piece[333];
    for (int64_t first = 0, n; first < COUNT; first += n) {
        n = COUNT - first < 333 ? COUNT - first : 333;
        sgs_constant_read(rows->constant, (size_t)first * 4, (size_t)n * 4, piece);
        assert_memory_equal(piece, first + sgs_const_f32(rows), (size_t)n * 4);
        for (int64_t i = first; i < first + n; i++) {
            const int64_t row = i / COLUMNS;
            assert_float_equal(piece[i - first], (float)((double)number(&s, row, i % COLUMNS) * (1 / (3.0 + (double)row))), 0);
        }
    }
    for (int64_t i = 0; i < COUNT; i++)
        assert_float_equal(sgs_const_f32(columns)[i], sgs_const_f32(rows)[i % ROWS * COLUMNS + i / ROWS], 0);
    sgs_graph_free(s.g);
}

/* Each product is rounded. */
static void test_times_factors_of_two_layers(void **state)
{
    const double factor[] = { 1 / 3.0, 1 / 7.0 };
    weights s = of_file();
    sgs_value *once = with(s.g, ROWS, COLUMNS, sgs_constant_scaled(s.g, s.w, &(sgs_factors){ factor, 2, COLUMNS }));
    sgs_value *twice = with(s.g, ROWS, COLUMNS, sgs_constant_scaled(s.g, once, &(sgs_factors){ factor + 1, 1, 1 }));
    assert_null(sgs_constant_scaled(s.g, twice, &(sgs_factors){ factor, 1, 1 }));
    int apart = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        const int64_t row = i / COLUMNS;
        const float x = number(&s, row, i % COLUMNS), first = (float)((double)x * factor[row % 2]);
        assert_float_equal(sgs_const_f32(twice)[i], (float)((double)first * factor[1]), 0);
        apart += sgs_const_f32(twice)[i] != (float)((double)x * (factor[row % 2] * factor[1]));
    }
    assert_true(apart > 0);
    sgs_graph_free(s.g);
}

static void test_small_ones_are_read_at_once(void **state)
{
    weights s = of_file();
    const int64_t few = 100;
    sgs_value *v = sgs_const_in_file(s.g, SGS_F32, 1, &few, s.at);
    assert_null(v->constant->recipe);
    assert_memory_equal(v->constant->data, s.at, 400);
    sgs_arena_limit(s.g->arena, 1);
    assert_null(sgs_const_in_file(s.g, SGS_F32, 1, &few, s.at));
    sgs_graph_free(s.g);
}

/* An fc whose weights were turned by a node. */
static void test_written_as_if_they_were_there(void **state)
{
    weights s = of_file();
    const sgs_perm_attr perm = { .n = 2, .perm = { 1, 0 } };
    const sgs_conv_attr attr = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    sgs_value *x = sgs_value_new(s.g, SGS_F32, 2, (const int64_t[]){ 1, ROWS });
    s.g->in = &x;
    s.g->nin = 1;
    sgs_value_name(s.g, x, "x");
    sgs_node *turn = sgs_node_new(s.g, NULL, &sgs_op_transpose, 1, &s.w, &perm);
    assert_int_equal(sgs_infer(s.g, turn, NULL), SGS_OK);
    sgs_value *in[] = { x, turn->out[0] };
    sgs_node *fc = sgs_node_new(s.g, NULL, &sgs_op_fc, 2, in, &attr);
    assert_int_equal(sgs_infer(s.g, fc, NULL), SGS_OK);
    s.g->out = fc->out;
    s.g->nout = 1;
    bool folded;
    assert_int_equal(sgs_fold_node(s.g, turn, &folded, NULL), SGS_OK);
    assert_true(folded);
    sgs_buf unmade = { 0 }, made = { 0 };
    assert_int_equal(sgs_sim_write_buf(s.g, &unmade, NULL), SGS_OK);
    assert_int_equal(sgs_arena_loose(s.g->arena), 0);
    assert_true(sgs_const_is_own(s.g, fc->in[1]));
    sgs_const_data(fc->in[1]);
    assert_int_equal(sgs_arena_loose(s.g->arena), COUNT * 4);
    assert_true(sgs_const_is_own(s.g, fc->in[1]));
    assert_int_equal(sgs_sim_write_buf(s.g, &made, NULL), SGS_OK);
    assert_int_equal(made.n, unmade.n);
    assert_memory_equal(made.p, unmade.p, made.n);
    sgs_buf_free(&unmade);
    sgs_buf_free(&made);
    sgs_graph_free(s.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_steps_back_and_none),
        cmocka_unit_test(test_other_dims),
        cmocka_unit_test(test_stays_in_the_file),
        cmocka_unit_test(test_turned_there_and_back),
        cmocka_unit_test(test_turned_with_other_dims),
        cmocka_unit_test(test_times_factors),
        cmocka_unit_test(test_times_factors_of_two_layers),
        cmocka_unit_test(test_small_ones_are_read_at_once),
        cmocka_unit_test(test_written_as_if_they_were_there),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
