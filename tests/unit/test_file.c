/* Whole-file writes: complete or not there, whatever happens in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

#define BYTES ((size_t)8 << 20)

static char folder[64];

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/sgs-test-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") || system(command);
}

/* Files in the folder other than `name`. */
static int others(const char *name)
{
    DIR *d = opendir(".");
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.' && strcmp(e->d_name, name);
    closedir(d);
    return n;
}

static void test_write_and_replace(void **state)
{
    sgs_diag d = { 0 };
    sgs_file f;
    for (int round = 0; round < 2; round++) {
        char text[16];
        snprintf(text, sizeof text, "round %d", round);
        assert_int_equal(sgs_file_write("a", text, strlen(text), &d), SGS_OK);
        assert_int_equal(sgs_file_open(&f, "a", &d), SGS_OK);
        assert_int_equal(f.data.n, strlen(text));
        assert_memory_equal(f.data.p, text, f.data.n);
        sgs_file_close(&f);
    }
    assert_int_equal(others("a"), 0);
}

static void test_parts_follow_each_other(void **state)
{
    const sgs_part part[] = { { "one ", 4, NULL }, { NULL, 0, NULL }, { "two", 3, NULL } };
    sgs_diag d = { 0 };
    sgs_file f;
    assert_int_equal(sgs_file_write_parts("parts", part, 3, &d), SGS_OK);
    assert_int_equal(sgs_file_open(&f, "parts", &d), SGS_OK);
    assert_int_equal(f.data.n, 7);
    assert_memory_equal(f.data.p, "one two", 7);
    sgs_file_close(&f);
}

/* Byte i of the part is *p + i / 64. */
static void count_up(const void *p, size_t at, size_t n, void *to)
{
    assert_int_equal(at % SGS_PART_UNIT, 0);
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)(*(const uint8_t *)p + (at + i) / 64);
}

static void test_parts_that_are_made_as_they_are_written(void **state)
{
    const uint8_t start = 7;
    const size_t n = 1000003;
    const sgs_part part[] = { { "before", 6, NULL }, { &start, n, count_up }, { "behind", 6, NULL } };
    sgs_diag d = { 0 };
    sgs_file f;
    sgs_buf b = { 0 };
    assert_int_equal(sgs_file_write_parts("parts", part, 3, &d), SGS_OK);
    assert_int_equal(sgs_file_open(&f, "parts", &d), SGS_OK);
    for (int i = 0; i < 3; i++)
        sgs_buf_add_part(&b, &part[i]);
    assert_int_equal(f.data.n, n + 12);
    assert_int_equal(b.n, n + 12);
    assert_memory_equal(f.data.p, b.p, b.n);
    assert_memory_equal(b.p, "before", 6);
    assert_memory_equal(b.p + 6 + n, "behind", 6);
    for (size_t i = 0; i < n; i++)
        assert_int_equal((uint8_t)b.p[6 + i], (uint8_t)(7 + i / 64));
    sgs_buf_free(&b);
    sgs_file_close(&f);
}

static void test_failures_leave_the_old_file(void **state)
{
    sgs_diag d = { 0 };
    assert_int_equal(sgs_file_write("a", "old", 3, &d), SGS_OK);
    assert_int_equal(sgs_file_write("no/such/folder/a", "x", 1, &d), SGS_E_FILE);
    assert_string_equal(d.text, "cannot write: No such file or directory");
    assert_string_equal(d.file, "no/such/folder/a");

    /* A full disk, as a limit of the process. */
    uint8_t *data = calloc(1, BYTES);
    struct rlimit old, small = { 4096, RLIM_INFINITY };
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(sgs_file_write("a", data, BYTES, &d), SGS_E_FILE);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_string_equal(d.text, "cannot write: File too large");
    free(data);

    struct stat st;
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_size, 3);
    assert_int_equal(others("a"), 0);
}

static void on_term(int sig)
{
    sgs_cleanup();
    _exit(99);
}

/* Writes generation after generation until it is killed. */
static void write_forever(void)
{
    uint8_t *data = malloc(BYTES);
    for (int g = 0;; g++) {
        memset(data, g, BYTES);
        if (sgs_file_write("big", data, BYTES, NULL) != SGS_OK)
            _exit(1);
    }
}

static void expect_whole(void)
{
    sgs_diag d = { 0 };
    sgs_file f;
    if (access("big", F_OK) < 0)
        return;
    assert_int_equal(sgs_file_open(&f, "big", &d), SGS_OK);
    assert_int_equal(f.data.n, BYTES);
    for (size_t i = 0; i < BYTES; i += 4096)
        assert_int_equal(f.data.p[i], f.data.p[0]);
    sgs_file_close(&f);
}

/* Whatever a kill left behind is whole: what is being written has no name (where the file system can do that). */
static void expect_only_whole_ones(void)
{
    DIR *d = opendir(".");
    struct stat st;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && stat(e->d_name, &st) == 0)
            assert_int_equal(st.st_size, BYTES);
    closedir(d);
}

static bool has_nameless_files(void)
{
    const int fd = open(".", O_TMPFILE | O_WRONLY, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Killed at many moments: `big` is whole or absent; after SIGTERM no temporary is left, after SIGKILL at most one. */
static void test_killed(void **state)
{
    signal(SIGTERM, on_term); /* before the fork: the child has it from its first moment */
    for (int i = 0; i < 24; i++) {
        const int sig = i % 2 ? SIGTERM : SIGKILL;
        const pid_t pid = fork();
        if (!pid)
            write_forever();
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 + i * 1700000 }, NULL);
        kill(pid, sig);
        int status;
        waitpid(pid, &status, 0);
        assert_true(sig == SIGTERM ? WIFEXITED(status) && WEXITSTATUS(status) == 99
                                   : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        expect_whole();
        assert_in_range(others("big"), 0, sig == SIGKILL);
        if (has_nameless_files())
            expect_only_whole_ones();
        if (system("rm -f big.tmp.*"))
            fail();
    }
    signal(SIGTERM, SIG_DFL);
}

static void test_children_end(void **state)
{
    const pid_t pid = fork();
    if (!pid) {
        setpgid(0, 0);
        for (;;)
            pause();
    }
    setpgid(pid, pid);
    assert_true(sgs_child_add(pid));
    sgs_cleanup();
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    sgs_child_remove(pid);
    sgs_cleanup(); /* now it does nothing */
}

static void test_what_is_no_file_stays(void **state)
{
    sgs_diag d = { 0 };
    struct stat st;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(sgs_file_write("pipe", "x", 1, &d), SGS_E_FILE);
    assert_string_equal(d.text, "cannot write: expected a regular file or none, found something else");
    assert_int_equal(stat("pipe", &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(sgs_file_write("folder", "x", 1, &d), SGS_E_FILE);
    assert_string_equal(d.text, "cannot write: expected a regular file or none, found a folder");
}

static void test_open(void **state)
{
    sgs_diag d = { 0 };
    sgs_file f;
    assert_int_equal(sgs_file_open(&f, "none", &d), SGS_E_FILE);
    assert_string_equal(d.text, "cannot open: No such file or directory");
    assert_int_equal(sgs_file_open(&f, ".", &d), SGS_E_FILE);
    assert_string_equal(d.text, "expected a regular file, found a folder");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(sgs_file_open(&f, "pipe", &d), SGS_E_FILE); /* and does not wait for a writer */
    close(open("empty", O_CREAT | O_WRONLY, 0600));
    assert_int_equal(sgs_file_open(&f, "empty", &d), SGS_OK);
    assert_int_equal(f.data.n, 0);
    sgs_file_close(&f);
}

/* Names come from files of strangers; a terminal obeys control characters. */
static void test_messages_are_printable(void **state)
{
    char text[256];
    sgs_diag d;
    sgs_fail(&d, SGS_E_DATA, "a\x1b[31m \xff \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xed\xa0\x80 \xc0\xaf \xc2\x9b \x7f \xe2\x82");
    sgs_hint(&d, "line\n\tline");
    sgs_diag_format(&d, text, sizeof text);
    assert_string_equal(text, "error: a?[31m ? \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ??? ?? ?? ? ??\n  line\n\tline\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_replace, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_parts_follow_each_other, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_parts_that_are_made_as_they_are_written, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_failures_leave_the_old_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_killed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_stays, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_open, make_folder, remove_folder),
        cmocka_unit_test(test_children_end),
        cmocka_unit_test(test_messages_are_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
