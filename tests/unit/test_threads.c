/* Work shared between threads: each item once, no place twice at a time, sums in the order of the items, the first failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/threads.h"

enum { ITEMS = 200, PLACES = 5 };

typedef struct counts {
    atomic_int run[ITEMS], busy[PLACES], clashes;
    int held[PLACES]; /* the item that a place ran and that is not added yet */
    int added[ITEMS], n;
    int fails[2]; /* items; -1: none */
} counts;

/* Now and then an item takes long: others overtake it. */
static sgs_status run(void *user, int place, int i, sgs_diag *d)
{
    counts *c = user;
    atomic_fetch_add(&c->run[i], 1);
    if (atomic_fetch_add(&c->busy[place], 1))
        atomic_fetch_add(&c->clashes, 1);
    if (i % 7 == 0)
        nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
    c->held[place] = i;
    atomic_fetch_add(&c->busy[place], -1);
    return i == c->fails[0] || i == c->fails[1] ? sgs_fail(d, SGS_E_DATA, "item %d", i) : SGS_OK;
}

static void add(void *user, int place, int i)
{
    counts *c = user;
    if (c->held[place] != i)
        atomic_fetch_add(&c->clashes, 1);
    c->added[c->n++] = i;
}

static void start(counts *c, int fails, int fails_too)
{
    memset(c, 0, sizeof *c);
    c->fails[0] = fails;
    c->fails[1] = fails_too;
}

static void expect_added(const counts *c, int n)
{
    assert_int_equal(c->clashes, 0);
    assert_int_equal(c->n, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(c->added[i], i);
}

static void test_items(void **state)
{
    (void)state;
    for (int n = 1; n <= PLACES; n++) {
        static counts c;
        sgs_threads *t = sgs_threads_new(n);
        assert_true((t == NULL) == (n == 1));
        for (int with = 0; with < 2; with++) {
            start(&c, -1, -1);
            const sgs_work w = { .n = ITEMS, .run = run, .add = with ? add : NULL, .user = &c };
            assert_int_equal(sgs_places(t, &w), n);
            assert_int_equal(sgs_share(t, &w, NULL), SGS_OK);
            expect_added(&c, with ? ITEMS : 0);
            for (int i = 0; i < ITEMS; i++)
                assert_int_equal(c.run[i], 1);
        }
        sgs_threads_free(t);
    }
}

static void test_the_first_failure(void **state)
{
    (void)state;
    sgs_threads *some[] = { NULL, sgs_threads_new(PLACES) };
    for (int k = 0; k < 2; k++)
        for (int at = 0; at < 60; at++) {
            static counts c;
            sgs_diag d = { 0 };
            start(&c, at, at + 1); /* the second may be done before the first */
            const sgs_work w = { .n = ITEMS, .run = run, .add = add, .user = &c };
            assert_int_equal(sgs_share(some[k], &w, &d), SGS_E_DATA);
            int number = -1;
            assert_true(sscanf(d.text, "item %d", &number) == 1 && number == at);
            expect_added(&c, at);
        }
    sgs_threads_free(some[1]);
}

static void test_places(void **state)
{
    (void)state;
    sgs_threads *t = sgs_threads_new(PLACES);
    assert_int_equal(sgs_places(t, &(sgs_work){ .n = 3 }), 3);
    assert_int_equal(sgs_places(t, &(sgs_work){ .n = 100, .most = 2 }), 2);
    assert_int_equal(sgs_places(NULL, &(sgs_work){ .n = 100, .most = 2 }), 1);
    static counts c;
    start(&c, -1, -1);
    assert_int_equal(sgs_share(t, &(sgs_work){ .n = 0, .run = run, .user = &c }, NULL), SGS_OK);
    assert_int_equal(sgs_share(t, &(sgs_work){ .n = ITEMS, .most = 1, .run = run, .add = add, .user = &c }, NULL), SGS_OK);
    expect_added(&c, ITEMS);
    sgs_threads_free(t);
}

static void count_lines(void *user, const char *what, int64_t done, int64_t total)
{
    (void)what, (void)done, (void)total;
    ++*(int *)user; /* no atomic: one thread alone */
}

typedef struct said {
    sgs_threads *t;
    sgs_log log;
} said;

static sgs_status say(void *user, int place, int i, sgs_diag *d)
{
    (void)place, (void)d;
    const said *s = user;
    sgs_share_progress(s->t, &s->log, "x", i, ITEMS);
    return SGS_OK;
}

static void test_progress(void **state)
{
    (void)state;
    int lines = 0;
    said s = { .t = NULL, .log = { .progress = count_lines, .user = &lines } };
    const sgs_work w = { .n = ITEMS, .run = say, .user = &s };
    assert_int_equal(sgs_share(NULL, &w, NULL), SGS_OK);
    assert_int_equal(lines, ITEMS);
    s.t = sgs_threads_new(2);
    assert_int_equal(sgs_share(s.t, &w, NULL), SGS_OK);
    assert_in_range(lines, ITEMS, 2 * ITEMS);
    sgs_threads_free(s.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_the_first_failure),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
