/* The exact choice against all choices; that it says so where it gave up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "quant/knapsack.h"

enum { MOST = 14 };

static uint32_t state = 1;

static int64_t below(int64_t n)
{
    state = state * 1664525u + 1013904223u;
    return (int64_t)((double)state / 4294967296.0 * (double)n);
}

static void sums(const sgs_item *item, int n, int64_t *value, int64_t *cost)
{
    *value = *cost = 0;
    for (int i = 0; i < n; i++) {
        *value += item[i].taken ? item[i].value : 0;
        *cost += item[i].taken ? item[i].cost : 0;
    }
}

/* The most value of all 2^n choices that fit. */
static int64_t best_of_all(const sgs_item *item, int n, int64_t room)
{
    int64_t best = 0;
    for (uint32_t set = 0; set < 1u << n; set++) {
        int64_t value = 0, cost = 0;
        for (int i = 0; i < n; i++) {
            value += set >> i & 1 ? item[i].value : 0;
            cost += set >> i & 1 ? item[i].cost : 0;
        }
        best = cost <= room && value > best ? value : best;
    }
    return best;
}

/* Kinds of items: unlike; of the same density but for little; equal; some of no cost or value; of huge numbers. */
static sgs_item make_item(int kind)
{
    const int64_t cost = below(100) + 1;
    switch (kind) {
    case 0:
        return (sgs_item){ .value = below(1000), .cost = cost };
    case 1:
        return (sgs_item){ .value = cost * 10 + below(3), .cost = cost };
    case 2:
        return (sgs_item){ .value = 7, .cost = 3 };
    case 3:
        return (sgs_item){ .value = below(3), .cost = below(3) };
    default:
        return (sgs_item){ .value = below(INT64_C(1) << 46), .cost = below(INT64_C(1) << 36) + 1 };
    }
}

static void finds_the_best(void **unused)
{
    (void)unused;
    sgs_item item[MOST];
    for (int round = 0; round < 1500; round++) {
        const int n = round % (MOST + 1);
        int64_t all = 0, value, cost;
        for (int i = 0; i < n; i++) {
            item[i] = make_item(round / 3 % 5);
            item[i].taken = true; /* what stands there before does not matter */
            all += item[i].cost;
        }
        const int64_t room = round % 7 ? below(all + 1) : all;
        assert_int_equal(sgs_knapsack(item, n, room, 0), 0);
        sums(item, n, &value, &cost);
        assert_true(cost <= room);
        assert_int_equal(value, best_of_all(item, n, room));
    }
}

/* Hundreds of items as networks have them: by the exact solution of the fraction none can be better, and it is solved. */
static void solves_many(void **unused)
{
    (void)unused;
    static sgs_item item[400];
    int64_t all = 0, value, cost;
    for (int i = 0; i < 400; i++) {
        item[i] = (sgs_item){ .value = below(INT64_C(1) << 40), .cost = 9 * (below(512) + 1) * (below(64) + 1) };
        all += item[i].cost;
    }
    for (int k = 1; k < 10; k++) {
        assert_int_equal(sgs_knapsack(item, 400, all * k / 10, 0), 0);
        sums(item, 400, &value, &cost);
        assert_true(cost <= all * k / 10 && cost > all * k / 10 - 9 * 512 * 64);
    }
}

/* With room for few choices it says how much it may have missed, and no less than that. */
static void says_what_it_missed(void **unused)
{
    (void)unused;
    static sgs_item item[24], again[24];
    int gave_up = 0;
    for (int round = 0; round < 20; round++) {
        int64_t value, best, cost, all = 0;
        for (int i = 0; i < 24; i++) {
            const int64_t c = below(1 << 20) + 1;
            again[i] = item[i] = (sgs_item){ .value = c + 1000, .cost = c };
            all += c;
        }
        const int64_t missed = sgs_knapsack(item, 24, all / 2, 100);
        sums(item, 24, &value, &cost);
        assert_true(cost <= all / 2);
        assert_int_equal(sgs_knapsack(again, 24, all / 2, 0), 0);
        sums(again, 24, &best, &cost);
        assert_true(best - value <= missed);
        gave_up += missed > 0;
    }
    assert_true(gave_up > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(finds_the_best), cmocka_unit_test(solves_many),
                                        cmocka_unit_test(says_what_it_missed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
