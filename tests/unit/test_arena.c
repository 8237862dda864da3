/* Memory that can be given back before its arena ends, and the constants that lie in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ops/op.h"

#define LARGE ((size_t)100 << 10)
#define HUGE ((size_t)3 << 20)

static void expect_zeros(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], 0);
}

static void test_keeps_what_is_held(void **state)
{
    sgs_arena *a = sgs_arena_new();
    uint8_t *small = sgs_alloc_loose(a, 100), *large = sgs_alloc_loose(a, LARGE), *huge = sgs_alloc_loose(a, HUGE);
    uint8_t *fixed = sgs_alloc(a, LARGE);
    expect_zeros(large, LARGE);
    expect_zeros(huge, HUGE);
    assert_int_equal((uintptr_t)large % 64, 0);
    assert_int_equal((uintptr_t)huge % 64, 0);
    memset(small, 1, 100);
    memset(huge, 2, HUGE);
    memset(fixed, 3, LARGE);
    assert_int_equal(sgs_arena_loose(a), LARGE + HUGE);

    const void *held[] = { small, huge + HUGE - 1, state };
    sgs_arena_keep(a, held, 3);
    assert_int_equal(sgs_arena_loose(a), HUGE);
    assert_true(sgs_arena_is_loose(a, huge));
    assert_false(sgs_arena_is_loose(a, fixed));
    assert_int_equal(small[99], 1);
    assert_int_equal(huge[HUGE - 1], 2);
    assert_int_equal(fixed[LARGE - 1], 3);

    const void *behind[] = { huge + HUGE };
    sgs_arena_keep(a, behind, 1);
    assert_int_equal(sgs_arena_loose(a), 0);
    assert_int_equal(small[0], 1);
    assert_int_equal(fixed[0], 3);
    sgs_arena_free(a);
}

static void test_gives_back_again(void **state)
{
    sgs_arena *a = sgs_arena_new();
    uint8_t *stays = sgs_alloc_loose(a, 8 * HUGE), *goes = sgs_alloc_loose(a, HUGE);
    memset(goes, 1, HUGE);
    sgs_arena_drop(a, goes + 64); /* no block begins there */
    assert_int_equal(sgs_arena_loose(a), 9 * HUGE);
    sgs_arena_drop(a, goes);
    assert_int_equal(sgs_arena_loose(a), 8 * HUGE);
    uint8_t *again = sgs_alloc_loose(a, HUGE - 1000);
    assert_ptr_equal(again, goes);
    expect_zeros(again, HUGE - 1000);
    uint8_t *third = sgs_alloc_loose(a, HUGE);
    assert_ptr_not_equal(third, goes);
    sgs_arena_drop(a, third);
    assert_ptr_not_equal(sgs_alloc_loose(a, HUGE + 4096), third);  /* too small now */
    assert_ptr_not_equal(sgs_alloc_loose(a, HUGE * 3 / 4), third); /* a quarter of it would be lost */
    assert_ptr_equal(sgs_alloc(a, HUGE), third);
    memset(stays, 1, 8 * HUGE);
    sgs_arena_free(a);
}

static void test_limit(void **state)
{
    sgs_arena *a = sgs_arena_new();
    sgs_arena_limit(a, HUGE + LARGE);
    void *p = sgs_try_alloc_loose(a, HUGE);
    assert_non_null(p);
    assert_null(sgs_try_alloc_loose(a, HUGE));
    assert_null(sgs_try_alloc_loose(a, SIZE_MAX));
    assert_null(sgs_try_alloc(a, SIZE_MAX - 1));
    sgs_arena_drop(a, p);
    assert_non_null(sgs_try_alloc_loose(a, HUGE));
    sgs_arena_free(a);
}

/* ---- constants ----------------------------------------------------------------------------------- */

static sgs_node *put(sgs_graph *g, const sgs_op *op, int nin, sgs_value *const *in, const void *attr)
{
    sgs_node *n = sgs_node_new(g, NULL, op, nin, in, attr);
    assert_int_equal(sgs_infer(g, n, NULL), SGS_OK);
    return n;
}

/* x + c, and what is folded from c with the same elements */
static void test_constants_that_the_graph_has(void **state)
{
    const int64_t dim[] = { 1, 1 << 15 }, flat[] = { 1 << 15 };
    sgs_graph *g = sgs_graph_new("a.onnx");
    sgs_value *x = sgs_value_new(g, SGS_F32, 2, dim), *c = sgs_const_new(g, SGS_F32, 2, dim, NULL, true);
    sgs_value *same = sgs_const_view(g, c, 1, flat);
    sgs_const_new(g, SGS_F32, 2, dim, NULL, true); /* nobody's */
    sgs_node *n = put(g, &sgs_op_add, 2, (sgs_value *[]){ x, c }, NULL);
    sgs_node *m = put(g, &sgs_op_add, 2, (sgs_value *[]){ n->out[0], same }, NULL);
    const size_t bytes = (size_t)sgs_value_bytes(c);
    assert_int_equal(sgs_arena_loose(g->arena), 2 * bytes);
    sgs_graph_collect(g);
    assert_int_equal(sgs_arena_loose(g->arena), bytes);

    assert_false(sgs_const_is_own(g, c)); /* `same` has the elements too */
    sgs_const_drop(g, c);
    assert_non_null(c->constant);
    sgs_node_remove(g, m);
    assert_true(sgs_const_is_own(g, c));
    sgs_node_remove(g, n);
    sgs_const_drop(g, c);
    assert_null(c->constant);
    assert_int_equal(sgs_arena_loose(g->arena), 0);
    sgs_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_what_is_held),
        cmocka_unit_test(test_gives_back_again),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_constants_that_the_graph_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
