/* The memory planner: plans are sound, meet known optima, and do not change from run to run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "compile/plan.h"

static void check_sound(const sgs_plan_buffer *b, int n, const sgs_plan_result *r)
{
    int64_t top = 0;
    for (int i = 0; i < n; i++) {
        assert_true(b[i].off >= 0 && b[i].off % 64 == 0);
        top = b[i].off + b[i].bytes > top ? b[i].off + b[i].bytes : top;
        for (int j = 0; j < i; j++) {
            int together = b[i].first <= b[j].last && b[j].first <= b[i].last;
            int overlap = b[i].off < b[j].off + b[j].bytes && b[j].off < b[i].off + b[i].bytes;
            assert_false(together && overlap);
        }
    }
    assert_true(top == r->arena);
    assert_true(r->arena >= r->lower_bound);
}

static void nothing(void **state)
{
    sgs_plan_result r;
    assert_int_equal(sgs_plan(NULL, 0, 64, 0, &r, NULL), SGS_OK);
    assert_int_equal(r.arena, 0);
}

static void a_chain_needs_two_at_a_time(void **state)
{
    sgs_plan_buffer b[] = {
        { 1000, 0, 1, 0 }, { 2000, 1, 2, 0 }, { 500, 2, 3, 0 }, { 3000, 3, 4, 0 }, { 64, 4, 5, 0 }
    };
    sgs_plan_result r;
    assert_int_equal(sgs_plan(b, 5, 64, INT64_MAX, &r, NULL), SGS_OK);
    check_sound(b, 5, &r);
    assert_int_equal(r.lower_bound, 512 + 3008); /* records 3: 500 and 3000 up to 64 */
    assert_int_equal(r.arena, r.lower_bound);
}

static void long_and_short_lives(void **state)
{
    sgs_plan_buffer b[] = { { 4 * 64, 0, 1, 0 }, { 5 * 64, 1, 2, 0 }, { 4 * 64, 2, 3, 0 }, { 6 * 64, 3, 4, 0 },
                            { 2 * 64, 0, 4, 0 }, { 3 * 64, 4, 6, 0 }, { 9 * 64, 6, 6, 0 } };
    sgs_plan_result r;
    assert_int_equal(sgs_plan(b, 7, 64, INT64_MAX, &r, NULL), SGS_OK);
    check_sound(b, 7, &r);
    assert_int_equal(r.lower_bound, 12 * 64);
    assert_int_equal(r.arena, r.lower_bound);
}

static void random_plans(void **state)
{
    uint32_t seed = 3;
    for (int round = 0; round < 20; round++) {
        sgs_plan_buffer b[40], again[40];
        for (int i = 0; i < 40; i++) {
            seed = seed * 1664525u + 1013904223u;
            int first = (int)(seed >> 8) % 40;
            b[i] = (sgs_plan_buffer){ 1 + (seed >> 12) % 5000, first, first + (int)(seed >> 25) % 6, 0 };
        }
        memcpy(again, b, sizeof b);
        sgs_plan_result r, r2;
        assert_int_equal(sgs_plan(b, 40, 64, INT64_MAX, &r, NULL), SGS_OK);
        check_sound(b, 40, &r);
        assert_true((double)r.arena <= 1.1 * (double)r.lower_bound);
        assert_int_equal(sgs_plan(again, 40, 64, INT64_MAX, &r2, NULL), SGS_OK);
        assert_memory_equal(b, again, sizeof b);
    }
}

/* Blocks of a transformer, each as hard as the others: what is won in one shows in the arena when it is won in all. */
static void many_equal_blocks(void **state)
{
    enum { BLOCKS = 12, PERIOD = 15, S = 37824, SCORES = 232854 };
    static const sgs_plan_buffer block[] = { { 2 * S, 4, 5, 0 },   { S, 5, 6, 0 },       { 6 * S, 6, 10, 0 }, { 2 * S, 7, 8, 0 },   { SCORES, 8, 9, 0 },  { SCORES, 9, 10, 0 },
                                             { 2 * S, 10, 11, 0 }, { 2 * S, 11, 12, 0 }, { S, 12, 13, 0 },    { 2 * S, 13, 29, 0 }, { 2 * S, 15, 16, 0 }, { S, 16, 17, 0 },
                                             { 4 * S, 17, 18, 0 } };
    enum { EACH = sizeof block / sizeof *block };
    sgs_plan_buffer b[BLOCKS * EACH];
    sgs_plan_result r;
    for (int i = 0; i < BLOCKS * EACH; i++) {
        b[i] = block[i % EACH];
        b[i].first += i / EACH * PERIOD;
        b[i].last += i / EACH * PERIOD;
    }
    assert_int_equal(sgs_plan(b, BLOCKS * EACH, 64, INT64_MAX, &r, NULL), SGS_OK);
    check_sound(b, BLOCKS * EACH, &r);
    assert_int_equal(r.arena, r.lower_bound);
}

static void limit(void **state)
{
    sgs_plan_buffer b[] = { { 1000, 0, 1, 0 }, { 2000, 1, 2, 0 } };
    sgs_plan_result r;
    sgs_diag d;
    assert_int_equal(sgs_plan(b, 2, 64, 3000, &r, &d), SGS_E_LIMIT);
    assert_non_null(strstr(d.text, "3072"));
    sgs_plan_buffer huge[] = { { INT64_MAX / 2 - 100, 0, 1, 0 },
                               { INT64_MAX / 2 - 100, 0, 1, 0 },
                               { INT64_MAX / 2 - 100, 0, 1, 0 } };
    assert_int_equal(sgs_plan(huge, 3, 64, INT64_MAX, &r, &d), SGS_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),
        cmocka_unit_test(a_chain_needs_two_at_a_time),
        cmocka_unit_test(long_and_short_lives),
        cmocka_unit_test(random_plans),
        cmocka_unit_test(many_equal_blocks),
        cmocka_unit_test(limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
