/* The file of layers that were learned: who comes back finds what is whole, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "quant/learned.h"

static const uint8_t key[32] = { 1, 2, 3 }, other[32] = { 4 };
static const char *const layers[] = { "the first layer", "the second", "and a third one" };
enum { LAYERS = 3 };
static char path[64];
static int warnings;

static void count(void *user, bool warning, const char *text)
{
    (void)user, (void)text;
    warnings += warning;
}

static const sgs_log log_of = { .line = count };

/* How many of the layers a run with that key finds; it then learns the others, up to `until`. */
static int run(const uint8_t *of, int until)
{
    sgs_arena *a = sgs_arena_new();
    sgs_learned_file *f;
    sgs_diag d = { 0 };
    assert_int_equal(sgs_learned_open(&f, path, of, &log_of, a, &d), SGS_OK);
    for (int i = 0; i < until; i++) {
        char bytes[64];
        const size_t n = strlen(layers[i]);
        if (sgs_learned_next(f, 10 + i, bytes, n))
            assert_memory_equal(bytes, layers[i], n);
        else
            sgs_learned_add(f, 10 + i, layers[i], n);
    }
    const int found = sgs_learned_found(f);
    sgs_learned_close(f);
    sgs_arena_free(a);
    return found;
}

static long size(void)
{
    FILE *f = fopen(path, "rb");
    fseek(f, 0, SEEK_END);
    const long n = ftell(f);
    fclose(f);
    return n;
}

static int begin(void **s)
{
    (void)s;
    warnings = 0;
    snprintf(path, sizeof path, "learned.%d.retrain", (int)getpid());
    return 0;
}

static int end(void **s)
{
    (void)s;
    unlink(path);
    return 0;
}

static void test_goes_on(void **s)
{
    (void)s;
    assert_int_equal(run(key, 2), 0);
    assert_int_equal(run(key, LAYERS), 2);
    assert_int_equal(run(key, LAYERS), 3);
    assert_int_equal(warnings, 0);
}

/* Killed at any byte: the whole layers are there, and the file becomes the same in the end. */
static void test_cut_anywhere(void **s)
{
    (void)s;
    run(key, LAYERS);
    const long whole = size();
    for (long n = 0; n <= whole; n++) {
        unlink(path);
        run(key, LAYERS);
        assert_int_equal(truncate(path, n), 0);
        const int found = run(key, LAYERS);
        assert_int_equal(found, n == whole ? 3 : n >= whole - (long)(16 + strlen(layers[2]) + 32) ? 2 : found);
        assert_true(found <= 3 && (n < 48 + 16 + (long)strlen(layers[0]) + 32 ? found == 0 : found >= 1));
        assert_int_equal(size(), whole);
        assert_int_equal(run(key, LAYERS), 3);
    }
    assert_int_equal(warnings, 0);
}

static void test_damaged(void **s)
{
    (void)s;
    run(key, LAYERS);
    const long whole = size();
    for (long at = 48; at < whole; at++) {
        FILE *f = fopen(path, "r+b");
        fseek(f, at, SEEK_SET);
        const int c = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(c ^ 1, f);
        fclose(f);
        const int found = run(key, LAYERS);
        assert_true(found < 3);
        assert_int_equal(run(key, LAYERS), 3);
    }
}

static void test_another_key(void **s)
{
    (void)s;
    run(key, LAYERS);
    assert_int_equal(run(other, LAYERS), 0);
    assert_int_equal(warnings, 1);
    assert_int_equal(run(other, LAYERS), 3);
    assert_int_equal(warnings, 1);
}

static void test_another_file(void **s)
{
    (void)s;
    sgs_diag d = { 0 };
    FILE *f = fopen(path, "wb");
    fputs("my letters", f);
    fclose(f);
    assert_int_equal(sgs_learned_check(path, &d), SGS_E_FILE);
    assert_int_equal(size(), 10);
}

/* A folder that is not there: one warning, and nothing else. */
static void test_cannot_be_written(void **s)
{
    (void)s;
    snprintf(path, sizeof path, "no such folder/learned.retrain");
    assert_int_equal(run(key, LAYERS), 0);
    assert_int_equal(warnings, 1);
}

static void test_kept_nowhere(void **s)
{
    (void)s;
    sgs_arena *a = sgs_arena_new();
    sgs_learned_file *f;
    sgs_diag d = { 0 };
    char bytes[4];
    assert_int_equal(sgs_learned_open(&f, NULL, key, &log_of, a, &d), SGS_OK);
    sgs_learned_add(f, 1, "abcd", 4);
    assert_false(sgs_learned_next(f, 1, bytes, 4));
    sgs_learned_close(f);
    sgs_arena_free(a);
    assert_int_equal(sgs_learned_check(path, &d), SGS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(test_cut_anywhere, begin, end),
        cmocka_unit_test_setup_teardown(test_damaged, begin, end),
        cmocka_unit_test_setup_teardown(test_another_key, begin, end),
        cmocka_unit_test_setup_teardown(test_another_file, begin, end),
        cmocka_unit_test_setup_teardown(test_cannot_be_written, begin, end),
        cmocka_unit_test_setup_teardown(test_kept_nowhere, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
