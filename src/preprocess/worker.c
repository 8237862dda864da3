/* One worker: started with posix_spawn, spoken to over a socket pair (frames.py tells them).  The socket, not a
 * pipe, so that writing to a dead worker is an error and not SIGPIPE; a process group of its own, so that what the
 * script starts ends with it.  */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preprocess/workers.h"

#define ARRAY_MAX ((uint64_t)1 << 32) /* bytes of one array */
#define END_SECONDS 2                 /* for the interpreter to leave by itself */

extern char **environ;

const char *sgs_python(sgs_arena *a)
{
    const char *chosen = getenv("SGS_PYTHON"), *venv = getenv("VIRTUAL_ENV");
    if (chosen && chosen[0])
        return sgs_strdup(a, chosen);
    if (venv && venv[0]) {
        const char *python = sgs_format(a, "%s/bin/python3", venv);
        if (access(python, X_OK) == 0)
            return python;
    }
    return "python3";
}

/* ---- start and end --------------------------------------------------------------------------------------------- */

static int spawn_with(int *pid, const char *python, char *const *argv, int talk, int life)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, deflt;
    sigemptyset(&none);
    sigemptyset(&deflt);
    sigaddset(&deflt, SIGPIPE);
    sigaddset(&deflt, SIGINT);
    sigaddset(&deflt, SIGTERM);
    sigaddset(&deflt, SIGIO);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, talk, talk); /* onto itself: survives the exec */
    posix_spawn_file_actions_adddup2(&files, life, life);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &deflt);
    pid_t id = 0;
    const int e = posix_spawnp(&id, python, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    *pid = (int)id;
    return e;
}

static int spawn(sgs_worker *w, const sgs_crew *crew, int talk)
{
    char fd[16], life[16], dash[] = "-c", norm[] = { crew->norm ? '1' : '0', crew->files ? 'f' : 0, 0 };
    snprintf(fd, sizeof fd, "%d", talk);
    snprintf(life, sizeof life, "%d", crew->life[0]);
    char **argv = calloc((size_t)crew->ninput + 7, sizeof *argv);
    if (!argv)
        return ENOMEM;
    char *const fixed[] = { (char *)crew->python, dash, (char *)crew->source, fd, life, norm };
    memcpy(argv, fixed, sizeof fixed);
    for (int i = 0; i < crew->ninput; i++)
        argv[6 + i] = (char *)crew->script[i];
    const int e = spawn_with(&w->pid, crew->python, argv, talk, crew->life[0]);
    free(argv);
    return e;
}

sgs_status sgs_worker_start(sgs_worker *w, const sgs_crew *crew, sgs_diag *d)
{
    int pair[2];
    *w = (sgs_worker){ .talk = -1 };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return sgs_fail(d, SGS_E_LIMIT, "cannot make a socket for a preprocessing process: %s", strerror(errno));
    const int e = spawn(w, crew, pair[1]);
    close(pair[1]);
    w->talk = pair[0];
    if (e) {
        w->pid = 0;
        sgs_worker_end(w, true);
        sgs_fail(d, SGS_E_SCRIPT, "cannot start the Python interpreter '%.400s': %s", crew->python, strerror(e));
        sgs_hint(d, "set SGS_PYTHON to the interpreter that your preprocessing script runs with");
        return SGS_E_SCRIPT;
    }
    if (!sgs_child_add(w->pid)) {
        sgs_worker_end(w, true);
        return sgs_fail(d, SGS_E_LIMIT, "too many preprocessing processes");
    }
    return SGS_OK;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Waits for the process to end by itself until `until`, then kills its group and whatever the script left in it.
 * Returns the wait status.  The process is reaped last: until then nobody else can have its number. */
static int reap(sgs_worker *w, double until)
{
    siginfo_t info = { 0 };
    while (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0 && now() < until)
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    kill(-w->pid, SIGKILL);
    sgs_child_remove(w->pid);
    int status = 0;
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
    return status;
}

void sgs_worker_dismiss(sgs_worker *w)
{
    if (w->talk >= 0)
        shutdown(w->talk, SHUT_WR);
}

void sgs_worker_end(sgs_worker *w, bool kill_now)
{
    if (w->pid && kill_now)
        reap(w, 0);
    if (w->talk >= 0)
        close(w->talk); /* not before a worker that is to be killed is dead: it would wake up and speak */
    w->talk = -1;
    if (w->pid)
        reap(w, now() + END_SECONDS);
}

/* ---- talk ------------------------------------------------------------------------------------------------------ */

static sgs_status script_fail(const sgs_crew *crew, int input, int line, sgs_diag *d)
{
    sgs_fail_at(d, crew->script[input], line, NULL);
    return SGS_E_SCRIPT;
}

/* The worker is gone without a word: says how it ended. */
static sgs_status ended(sgs_worker *w, const sgs_crew *crew, char *const *path, sgs_diag *d)
{
    const int status = reap(w, now() + END_SECONDS);
    if (WIFSIGNALED(status)) {
        const int sig = WTERMSIG(status);
        sgs_fail(d, SGS_E_SCRIPT, "the preprocessing process was killed by signal %d (%s) at picture '%.400s'", sig,
                 strsignal(sig), path[0]);
        if (sig == SIGKILL)
            sgs_hint(d, "often the system is out of memory: try a smaller --num_process");
    } else {
        sgs_fail(d, SGS_E_SCRIPT, "the preprocessing process ended with exit status %d at picture '%.400s'",
                 WEXITSTATUS(status), path[0]);
        sgs_hint(d, "the interpreter is '%s'; set SGS_PYTHON to use another", crew->python);
    }
    return script_fail(crew, 0, 0, d);
}

static sgs_status too_slow(sgs_worker *w, const sgs_crew *crew, char *const *path, sgs_diag *d)
{
    reap(w, 0);
    sgs_fail(d, SGS_E_SCRIPT, "nothing came back from image_preprocess within %d s for picture '%.400s'", crew->timeout,
             path[0]);
    sgs_hint(d, "a longer time: --preprocess_timeout SECONDS");
    return script_fail(crew, 0, 0, d);
}

/* Waits until the socket is ready; false when the time is over. */
static bool ready(const sgs_worker *w, short events, int seconds)
{
    const double until = now() + seconds;
    for (;;) {
        struct pollfd p = { .fd = w->talk, .events = events };
        const double left = until - now();
        const int n = poll(&p, 1, left > 0 ? (int)(left < 1e6 ? left * 1e3 + 1 : 1e9) : 0);
        if (n > 0)
            return true;
        if (left <= 0)
            return false;
    }
}

static sgs_status receive(sgs_worker *w, const sgs_crew *crew, char *const *path, void *data, size_t n, sgs_diag *d)
{
    for (char *p = data; n;) {
        if (!ready(w, POLLIN, crew->timeout))
            return too_slow(w, crew, path, d);
        const ssize_t got = recv(w->talk, p, n, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return ended(w, crew, path, d);
        p += got;
        n -= (size_t)got;
    }
    return SGS_OK;
}

static sgs_status give(sgs_worker *w, const sgs_crew *crew, char *const *path, const void *data, size_t n, sgs_diag *d)
{
    for (const char *p = data; n;) {
        if (!ready(w, POLLOUT, crew->timeout))
            return too_slow(w, crew, path, d);
        const ssize_t put = send(w->talk, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (put < 0)
            return ended(w, crew, path, d);
        p += put;
        n -= (size_t)put;
    }
    return SGS_OK;
}

sgs_status sgs_worker_ask(sgs_worker *w, const sgs_crew *crew, char *const *path, sgs_diag *d)
{
    sgs_buf request = { 0 };
    for (int i = 0; i < crew->ninput; i++) {
        const uint32_t n = (uint32_t)strlen(path[i]);
        sgs_buf_add(&request, &n, sizeof n);
        sgs_buf_add(&request, path[i], n);
    }
    sgs_status s = give(w, crew, path, request.p, request.n, d);
    sgs_buf_free(&request);
    return s;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

enum { LOADING, CALLING, RESULT, INTERPRETER };

static sgs_status broken(const sgs_crew *crew, char *const *path, sgs_diag *d)
{
    sgs_fail(d, SGS_E_SCRIPT, "the preprocessing process sent something else than an array for picture '%.400s'",
             path[0]);
    sgs_hint(d, "does the script write to file descriptors it has not opened?");
    return script_fail(crew, 0, 0, d);
}

static sgs_status receive_fault(sgs_worker *w, const sgs_crew *crew, char *const *path, sgs_diag *d)
{
    struct {
        uint32_t kind, input, line, text, hint;
    } head;
    char text[1024] = "", hint[1024] = "";
    SGS_TRY(receive(w, crew, path, &head, sizeof head, d));
    if (head.input >= (uint32_t)crew->ninput || head.text >= sizeof text || head.hint >= sizeof hint)
        return broken(crew, path, d);
    SGS_TRY(receive(w, crew, path, text, head.text, d));
    SGS_TRY(receive(w, crew, path, hint, head.hint, d));
    switch (head.kind) {
    case CALLING:
        sgs_fail(d, SGS_E_SCRIPT, "image_preprocess failed on picture '%.400s': %s", path[head.input], text);
        break;
    case RESULT:
        sgs_fail(d, SGS_E_SCRIPT, "%s, for picture '%.400s'", text, path[head.input]);
        break;
    default:
        sgs_fail(d, SGS_E_SCRIPT, "%s", text);
        break;
    }
    if (hint[0])
        sgs_hint(d, "%s", hint);
    return head.kind == INTERPRETER ? SGS_E_SCRIPT : script_fail(crew, (int)head.input, (int)head.line, d);
}

typedef struct frame {
    uint32_t type, rank;
    int64_t dim[8];
    uint64_t bytes;
} frame;

/* Dims and bytes of a frame agree. */
static bool frame_holds(const frame *f)
{
    int64_t bytes = f->type < SGS_TYPE_COUNT ? sgs_type_bytes((sgs_type)f->type) : -1;
    if (f->rank > SGS_MAX_RANK)
        return false;
    for (uint32_t i = 0; i < f->rank; i++)
        if (!sgs_mul64(bytes, f->dim[i], &bytes))
            return false;
    return bytes >= 0 && (uint64_t)bytes == f->bytes;
}

static sgs_status receive_array(sgs_worker *w, const sgs_crew *crew, char *const *path, sgs_array *array, void **data,
                                sgs_diag *d)
{
    frame f;
    SGS_TRY(receive(w, crew, path, &f, sizeof f, d));
    if (!frame_holds(&f))
        return broken(crew, path, d);
    void *p = f.bytes <= ARRAY_MAX ? realloc(*data, f.bytes ? f.bytes : 1) : NULL;
    if (!p) {
        sgs_fail(d, SGS_E_LIMIT, "image_preprocess returned %llu bytes for picture '%.400s': too many for this machine",
                 (unsigned long long)f.bytes, path[0]);
        return sgs_fail_at(d, crew->script[0], 0, NULL), SGS_E_LIMIT;
    }
    *data = p;
    *array = (sgs_array){ .type = (sgs_type)f.type, .rank = (int)f.rank, .data = p, .bytes = f.bytes };
    memcpy(array->dim, f.dim, sizeof f.dim);
    return receive(w, crew, path, p, f.bytes, d);
}

int sgs_crew_arrays(const sgs_crew *crew)
{
    return crew->files ? 2 * crew->ninput : crew->ninput;
}

sgs_status sgs_worker_answer(sgs_worker *w, const sgs_crew *crew, char *const *path, sgs_array *array, void **data,
                             sgs_diag *d)
{
    struct {
        char magic[4];
        uint32_t fault;
    } head;
    SGS_TRY(receive(w, crew, path, &head, sizeof head, d));
    if (memcmp(head.magic, "SGSA", 4) || head.fault > 1)
        return broken(crew, path, d);
    if (head.fault)
        return receive_fault(w, crew, path, d);
    for (int i = 0; i < sgs_crew_arrays(crew); i++)
        SGS_TRY(receive_array(w, crew, path, &array[i], &data[i], d));
    return SGS_OK;
}
