#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

static sgs_status file_fail(sgs_diag *d, const char *what, const char *path)
{
    sgs_status s = sgs_fail(d, SGS_E_FILE, "cannot %s: %s", what, strerror(errno));
    sgs_fail_at(d, path, 0, NULL);
    return s;
}

sgs_status sgs_file_open(sgs_file *f, const char *path, sgs_diag *d)
{
    *f = (sgs_file){ 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return file_fail(d, "open", path);
    struct stat st;
    sgs_status s = SGS_OK;
    if (fstat(fd, &st) < 0) {
        s = file_fail(d, "read", path);
    } else if (!S_ISREG(st.st_mode)) {
        s = sgs_fail(d, SGS_E_FILE, "expected a regular file, found %s", S_ISDIR(st.st_mode) ? "a folder" : "something else");
        sgs_fail_at(d, path, 0, NULL);
    } else if (st.st_size > 0) {
        f->map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (f->map == MAP_FAILED) {
            f->map = NULL;
            s = file_fail(d, "map", path);
        } else {
            f->data = (sgs_span){ f->map, (size_t)st.st_size };
        }
    }
    close(fd);
    return s;
}

void sgs_file_close(sgs_file *f)
{
    if (f->map)
        munmap(f->map, f->data.n);
    *f = (sgs_file){ 0 };
}

void sgs_file_forget(sgs_span data)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = ((uintptr_t)data.p + data.n) / page * page;
    const size_t before = (page - (uintptr_t)data.p % page) % page;
    if (end > (uintptr_t)data.p + before)
        madvise((void *)(uintptr_t)(data.p + before), end - (uintptr_t)data.p - before, MADV_DONTNEED);
}

/* ---- whole-file writes ---------------------------------------------------------------------------------------- */

/* Temporaries in flight, readable from a signal handler: a slot is published after its path is complete. */
#define SLOTS 16
static struct {
    char path[PATH_MAX];
    atomic_int used;       /* 0 free, 1 being filled, 2 published */
} temporary[SLOTS];

static int claim(const char *path)
{
    for (int i = 0; i < SLOTS; i++) {
        int expected = 0;
        if (atomic_compare_exchange_strong(&temporary[i].used, &expected, 1)) {
            snprintf(temporary[i].path, sizeof temporary[i].path, "%s", path);
            atomic_store(&temporary[i].used, 2);
            return i;
        }
    }
    return -1;
}

void sgs_cleanup(void)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&temporary[i].used) == 2)
            unlink(temporary[i].path);
    sgs_child_kill_all();
}

#define BATCH ((size_t)8 << 20)
/* Written at once, from its multiple on: the system then keeps the file in large pieces, and the bytes are still in the CPU's cache.  Straight from
 * a mapped file, whose pages are not there yet, it would take them page by page. */
#define ROOM ((size_t)1 << 18)

typedef struct sink {
    int fd;
    uint8_t *room;         /* ROOM bytes and one more unit */
    size_t n;              /* bytes in it */
    size_t written, started; /* bytes handed over; of those, sent on to the disk */
} sink;

/* The disk begins while we go on: less is left for fsync to wait for. */
static void start(sink *to)
{
    if (to->written - to->started < BATCH)
        return;
#ifdef SYNC_FILE_RANGE_WRITE
    sync_file_range(to->fd, (off_t)to->started, (off_t)(to->written - to->started), SYNC_FILE_RANGE_WRITE);
#endif
    to->started = to->written;
}

static bool write_room(sink *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t w = write(to->fd, to->room + done, n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        done += (size_t)w;
    }
    to->written += n;
    to->n -= n;
    memmove(to->room, to->room + n, to->n);
    start(to);
    return true;
}

static bool put(sink *to, const sgs_part *p)
{
    for (size_t at = 0, n; at < p->n; at += n) {
        n = ROOM + SGS_PART_UNIT - 1 - to->n;
        n = p->n - at < n ? p->n - at : n / SGS_PART_UNIT * SGS_PART_UNIT;
        if (p->make)
            p->make(p->p, at, n, to->room + to->n);
        else
            memcpy(to->room + to->n, (const uint8_t *)p->p + at, n);
        to->n += n;
        if (to->n >= ROOM && !write_room(to, ROOM))
            return false;
    }
    return true;
}

/* A file without a name in the folder of `path`, which the system takes away if we are killed; -1 where there is no such thing. */
static int open_nameless(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return access("/proc/self/fd", X_OK) < 0 ? -1 : open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
}

static bool give_name(int fd, const char *name)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
}

typedef struct contents {
    const sgs_part *part;
    size_t n;
} contents;

static bool put_parts(sink *to, const contents *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (!put(to, &c->part[i]))
            return false;
    return write_room(to, to->n) && fsync(to->fd) == 0;
}

static bool fill(int fd, const contents *c)
{
    sink to = { .fd = fd, .room = malloc(ROOM + SGS_PART_UNIT) };
    const bool ok = to.room && put_parts(&to, c);
    free(to.room);
    return ok;
}

/* As errno stands after `ok` was found out. */
static bool closed(int fd, bool ok)
{
    const int saved = errno;
    close(fd); /* fsync has said all there is to say */
    errno = saved;
    return ok;
}

/* The nameless file becomes `path`; a file there is replaced in one step.  False: it cannot be named on this file system. */
static bool publish(int fd, const char *tmp, const char *path)
{
    if (give_name(fd, path))
        return true;
    if (errno != EEXIST)
        return false;
    unlink(tmp);
    return give_name(fd, tmp) && rename(tmp, path) == 0;
}

static bool write_named(const char *path, const char *tmp, const contents *c)
{
    const int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd >= 0 && closed(fd, fill(fd, c)) && rename(tmp, path) == 0;
}

static bool write_whole(const char *path, const char *tmp, const contents *c)
{
    const int fd = open_nameless(path);
    if (fd < 0)
        return write_named(path, tmp, c);
    if (!fill(fd, c))
        return closed(fd, false);
    return closed(fd, publish(fd, tmp, path)) || write_named(path, tmp, c);
}

/* A rename would put a file in the place of a device. */
static sgs_status may_replace(const char *path, sgs_diag *d)
{
    struct stat st;
    if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
        return SGS_OK;
    sgs_fail(d, SGS_E_FILE, "cannot write: expected a regular file or none, found %s", S_ISDIR(st.st_mode) ? "a folder" : "something else");
    sgs_fail_at(d, path, 0, NULL);
    return SGS_E_FILE;
}

sgs_status sgs_file_write_parts(const char *path, const sgs_part *part, size_t n, sgs_diag *d)
{
    char tmp[PATH_MAX];
    if (snprintf(tmp, sizeof tmp, "%s.tmp.%ld", path, (long)getpid()) >= (int)sizeof tmp) {
        errno = ENAMETOOLONG;
        return file_fail(d, "write", path);
    }
    SGS_TRY(may_replace(path, d));
    const int slot = claim(tmp);
    const bool ok = write_whole(path, tmp, &(contents){ part, n });
    const int saved = errno;
    if (!ok)
        unlink(tmp);
    if (slot >= 0)
        atomic_store(&temporary[slot].used, 0);
    errno = saved;
    return ok ? SGS_OK : file_fail(d, "write", path);
}

sgs_status sgs_file_write(const char *path, const void *data, size_t n, sgs_diag *d)
{
    return sgs_file_write_parts(path, &(sgs_part){ .p = data, .n = n }, 1, d);
}
