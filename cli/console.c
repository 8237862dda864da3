#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/* ---- lines and progress ---------------------------------------------------------------------------------------- */

#define BAR 24
#define PLAIN_SECONDS 10 /* between progress lines where there is no terminal */

static struct {
    volatile sig_atomic_t open; /* an unfinished bar stands on the terminal, or is about to */
    char what[64];
    double start, shown;
} progress;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void clear_bar(void)
{
    if (progress.open)
        fprintf(stderr, "\r\033[K");
    progress.open = false;
}

static void show_line(void *user, bool warning, const char *text)
{
    clear_bar();
    if (warning) {
        fflush(stdout);
        fprintf(stderr, "warning: %s\n", text);
        return;
    }
    printf("%s\n", text);
    fflush(stdout);
}

static void show_bar(const char *what, int64_t done, int64_t total)
{
    char bar[BAR + 1];
    const int full = (int)(done * BAR / total);
    for (int i = 0; i < BAR; i++)
        bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[BAR] = 0;
    progress.open = true;
    fprintf(stderr, "\r\033[K%s [%s] %lld/%lld", what, bar, (long long)done, (long long)total);
    if (done) {
        const long left = (long)((now() - progress.start) / (double)done * (double)(total - done) + 0.5);
        fprintf(stderr, "  %ld:%02ld left", left / 60, left % 60);
    }
    fflush(stderr);
}

static void show_progress(void *user, const char *what, int64_t done, int64_t total)
{
    if (strcmp(progress.what, what) || !done) {
        snprintf(progress.what, sizeof progress.what, "%s", what);
        progress.start = progress.shown = now();
    }
    const bool terminal = isatty(2);
    if (done >= total) {
        clear_bar();
        if (total > 1)
            printf("%s: %lld of %lld in %.1f s\n", what, (long long)done, (long long)total, now() - progress.start);
        fflush(stdout);
        progress.what[0] = 0;
    } else if (terminal && (!progress.open || now() - progress.shown > 0.1)) {
        progress.shown = now();
        show_bar(what, done, total);
    } else if (!terminal && now() - progress.shown > PLAIN_SECONDS) {
        progress.shown = now();
        printf("%s: %lld of %lld\n", what, (long long)done, (long long)total);
        fflush(stdout);
    }
}

sgs_log cli_log(void)
{
    return (sgs_log){ .line = show_line, .progress = show_progress };
}

int cli_fail(const sgs_diag *d)
{
    char text[8192];
    clear_bar();
    fflush(stdout);
    sgs_diag_format(d, text, sizeof text);
    fputs(text, stderr);
    return d->code == SGS_E_USAGE ? CLI_USAGE : CLI_ERROR;
}

/* ---- scratch folder and signals -------------------------------------------------------------------------------- */

#define SCRATCH_FILES 4
static struct {
    char folder[PATH_MAX];
    char file[SCRATCH_FILES][PATH_MAX];
    volatile sig_atomic_t made;
} scratch;

/* Async-signal-safe. */
void cli_scratch_remove(void)
{
    if (!scratch.made)
        return;
    for (int i = 0; i < SCRATCH_FILES; i++)
        if (scratch.file[i][0])
            unlink(scratch.file[i]);
    rmdir(scratch.folder);
    scratch.made = 0;
}

const char *cli_scratch_make(const char *const *file_name, int n)
{
    const char *tmp = getenv("TMPDIR");
    tmp = tmp && tmp[0] ? tmp : "/tmp";
    snprintf(scratch.folder, sizeof scratch.folder, "%.3000s/sgs-XXXXXX", tmp);
    if (!mkdtemp(scratch.folder)) {
        fprintf(stderr,
                "error: cannot make a folder for intermediate files in %s: %s\n  set TMPDIR to a folder that can be "
                "written, or keep the files with --export_models\n",
                tmp, strerror(errno));
        return NULL;
    }
    for (int i = 0; i < n && i < SCRATCH_FILES; i++)
        snprintf(scratch.file[i], sizeof scratch.file[i], "%.3000s/%.200s", scratch.folder, file_name[i]);
    scratch.made = 1;
    return scratch.folder;
}

/* Async-signal-safe: one line instead of the bar. */
static void say_why(int sig)
{
    static const char clear[] = "\r\033[K", interrupted[] = "interrupted: nothing unfinished is left\n",
                      terminated[] = "terminated: nothing unfinished is left\n";
    ssize_t n = 0;
    if (progress.open)
        n += write(2, clear, sizeof clear - 1);
    if (sig == SIGINT)
        n += write(2, interrupted, sizeof interrupted - 1);
    else if (sig == SIGTERM)
        n += write(2, terminated, sizeof terminated - 1);
    (void)n;
}

static void leave(int sig)
{
    sgs_cleanup();
    cli_scratch_remove();
    say_why(sig);
    signal(sig, SIG_DFL);
    raise(sig);
}

void cli_catch_signals(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old, act = { .sa_handler = leave };
        sigemptyset(&act.sa_mask);
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &act, NULL);
    }
}
