#include "quant/learned.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

#define MAGIC "sgslearn"
enum { VERSION = 2, HASH = 32 };

typedef struct head {
    char magic[8];
    uint32_t version, zero;
    uint8_t key[HASH];
} head;

typedef struct record {
    uint32_t id, zero;
    uint64_t n;
} record;

struct sgs_learned_file {
    const char *path;
    head head;
    sgs_file old; /* as it was found */
    size_t at;    /* behind the last record that was taken */
    int fd, found;
    bool over; /* none of the old is taken any more */
    const sgs_log *log;
};

/* ---- what lies there ---- */

static sgs_status foreign(const char *path, sgs_diag *d)
{
    sgs_fail(
        d, SGS_E_FILE,
        "layers that were learned are kept here, expected none or those of an earlier run, found another kind of file");
    sgs_hint(d, "move it away, or write the model elsewhere with -o");
    return sgs_fail_at(d, path, 0, NULL);
}

static bool is_ours(sgs_span data)
{
    const size_t n = data.n < 8 ? data.n : 8; /* a kill may leave the first bytes alone */
    return !n || !memcmp(data.p, MAGIC, n);
}

sgs_status sgs_learned_check(const char *path, sgs_diag *d)
{
    sgs_file f;
    if (access(path, F_OK))
        return SGS_OK;
    SGS_TRY(sgs_file_open(&f, path, d));
    const bool ours = is_ours(f.data);
    sgs_file_close(&f);
    return ours ? SGS_OK : foreign(path, d);
}

/* ---- open, close ---- */

/* The old file where it is of the same key. */
static sgs_status open_old(sgs_learned_file *f, sgs_diag *d)
{
    f->over = true;
    if (access(f->path, F_OK))
        return SGS_OK;
    SGS_TRY(sgs_learned_check(f->path, d));
    SGS_TRY(sgs_file_open(&f->old, f->path, d));
    if (f->old.data.n < sizeof f->head)
        return SGS_OK;
    f->over = memcmp(f->old.data.p, &f->head, sizeof f->head) != 0;
    if (f->over)
        sgs_log_warning(f->log,
                        "%s holds layers of another model, other pictures or another configuration: they are not used",
                        f->path);
    return SGS_OK;
}

static bool put(int fd, const void *p, size_t n)
{
    const uint8_t *from = p;
    while (n) {
        const ssize_t w = write(fd, from, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return false;
        from += w;
        n -= (size_t)w;
    }
    return true;
}

sgs_status sgs_learned_open(sgs_learned_file **out, const char *path, const uint8_t key[32], const sgs_log *log,
                            sgs_arena *a, sgs_diag *d)
{
    sgs_learned_file *f = *out = SGS_NEW(a, sgs_learned_file);
    *f = (sgs_learned_file){ .path = path,
                             .head = { .magic = MAGIC, .version = VERSION },
                             .at = sizeof(head),
                             .fd = -1,
                             .over = true,
                             .log = log };
    memcpy(f->head.key, key, HASH);
    return path ? open_old(f, d) : SGS_OK;
}

void sgs_learned_close(sgs_learned_file *f)
{
    if (!f)
        return;
    sgs_file_close(&f->old);
    if (f->fd >= 0)
        close(f->fd);
}

/* ---- records ---- */

static void hash_record(const sgs_learned_file *f, const record *r, const void *bytes, uint8_t hash[HASH])
{
    ipu_sha256 h;
    ipu_sha256_init(&h);
    sgs_sha256_add(&h, f->head.key, HASH);
    sgs_sha256_add(&h, r, sizeof *r);
    sgs_sha256_add(&h, bytes, (size_t)r->n);
    ipu_sha256_end(&h, hash);
}

/* The next old record, where it is whole and of that layer. */
static const uint8_t *whole(const sgs_learned_file *f, int id, size_t n)
{
    const sgs_span s = f->old.data;
    record r;
    uint8_t hash[HASH];
    if (f->over || f->at > s.n || s.n - f->at < sizeof r + HASH || s.n - f->at - sizeof r - HASH < n)
        return NULL;
    memcpy(&r, s.p + f->at, sizeof r);
    if (r.id != (uint32_t)id || r.zero || r.n != n)
        return NULL;
    const uint8_t *bytes = s.p + f->at + sizeof r;
    hash_record(f, &r, bytes, hash);
    return memcmp(hash, bytes + n, HASH) ? NULL : bytes;
}

bool sgs_learned_next(sgs_learned_file *f, int id, void *to, size_t n)
{
    const uint8_t *bytes = whole(f, id, n);
    f->over = !bytes;
    if (!bytes)
        return false;
    memcpy(to, bytes, n);
    f->at += sizeof(record) + n + HASH;
    f->found++;
    return true;
}

int sgs_learned_found(const sgs_learned_file *f)
{
    return f->found;
}

/* Behind the records that were taken; without any, anew. */
static bool begin(sgs_learned_file *f)
{
    sgs_file_close(&f->old);
    if (!f->found && sgs_file_write(f->path, &f->head, sizeof f->head, NULL) != SGS_OK)
        return false;
    f->fd = open(f->path, O_WRONLY | O_CLOEXEC);
    return f->fd >= 0 && !ftruncate(f->fd, (off_t)f->at) && lseek(f->fd, 0, SEEK_END) >= 0;
}

/* What cannot be kept is learned all the same. */
void sgs_learned_add(sgs_learned_file *f, int id, const void *from, size_t n)
{
    const record r = { .id = (uint32_t)id, .n = n };
    uint8_t hash[HASH];
    if (!f->path)
        return;
    hash_record(f, &r, from, hash);
    if ((f->fd >= 0 || begin(f)) && put(f->fd, &r, sizeof r) && put(f->fd, from, n) && put(f->fd, hash, HASH))
        return;
    sgs_log_warning(f->log, "%s cannot be written (%s): a run that is ended has to learn all layers again", f->path,
                    strerror(errno));
    f->path = NULL;
}
