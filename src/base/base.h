/* What every toolchain module stands on: status and diagnostics, arenas, strings, checked sizes, files, hashes.
 * Nothing here prints or exits.                                                                                    */
#ifndef SGS_BASE_H
#define SGS_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openipu/sgs.h"

#if defined(__GNUC__)
#define SGS_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define SGS_PRINTF(f, a)
#endif

/* What no terminal should be given (control characters but line ends and tabs, bytes that are no UTF-8) becomes '?'. */
void sgs_make_printable(char *text);

/* ---- diagnostics: built where the fault is known, carried up unchanged -------------------------------------- */

/* Fills *d (which may be NULL) and returns code.  The text says what is wrong, expected and found; no trailing period. */
sgs_status sgs_fail(sgs_diag *d, sgs_status code, const char *fmt, ...) SGS_PRINTF(3, 4);
/* Where it happened; each may be NULL or 0 = unknown.  A place already set is kept: the innermost knows best. */
sgs_status sgs_fail_at(sgs_diag *d, const char *file, int line, const char *layer);
/* What to do about it. */
void sgs_hint(sgs_diag *d, const char *fmt, ...) SGS_PRINTF(2, 3);
#define SGS_TRY(expr)                    \
    do {                                 \
        sgs_status sgs_try_ = (expr);    \
        if (sgs_try_ != SGS_OK)          \
            return sgs_try_;             \
    } while (0)

/* ---- arena: one lifetime, freed at once -------------------------------------------------------------------- */

typedef struct sgs_arena sgs_arena;
sgs_arena *sgs_arena_new(void);                     /* NULL: out of memory */
void sgs_arena_free(sgs_arena *a);                  /* NULL is fine */
/* Zeroed memory, aligned to 64 bytes.  Sizes that come from a file go through sgs_try_alloc. */
void *sgs_alloc(sgs_arena *a, size_t bytes);        /* aborts the process when memory is gone */
void *sgs_try_alloc(sgs_arena *a, size_t bytes);    /* NULL when memory or the limit (sgs_arena_limit) is gone: for sizes from files */
void sgs_arena_limit(sgs_arena *a, size_t bytes);   /* 0: none (default) */
/* Loose memory: as the two above, but large blocks of it can be given back before the arena ends. */
void *sgs_alloc_loose(sgs_arena *a, size_t bytes);
void *sgs_try_alloc_loose(sgs_arena *a, size_t bytes);
size_t sgs_arena_loose(const sgs_arena *a);         /* bytes that could be given back */
bool sgs_arena_is_loose(const sgs_arena *a, const void *p); /* a loose block begins at p */
/* Gives back the loose block that begins at p; of other memory nothing happens. */
void sgs_arena_drop(sgs_arena *a, const void *p);
/* Gives back the loose blocks that none of the n pointers leads into; sorts the pointers. */
void sgs_arena_keep(sgs_arena *a, const void **held, size_t n);
char *sgs_strdup(sgs_arena *a, const char *s);
char *sgs_strndup(sgs_arena *a, const char *s, size_t n);
char *sgs_format(sgs_arena *a, const char *fmt, ...) SGS_PRINTF(2, 3);
#define SGS_NEW(a, T) ((T *)sgs_alloc((a), sizeof(T)))
#define SGS_NEW_N(a, T, n) ((T *)sgs_alloc_n((a), (size_t)(n), sizeof(T)))
void *sgs_alloc_n(sgs_arena *a, size_t n, size_t each);

/* ---- growable byte string -------------------------------------------------------------------------------------- */

typedef struct sgs_buf {
    char *p;       /* NUL behind p[n] whenever p is not NULL */
    size_t n, cap;
} sgs_buf;
void sgs_buf_add(sgs_buf *b, const void *p, size_t n);
void sgs_buf_printf(sgs_buf *b, const char *fmt, ...) SGS_PRINTF(2, 3);
void sgs_buf_align(sgs_buf *b, size_t to);          /* pads with zero bytes */
void sgs_buf_free(sgs_buf *b);

/* ---- checked sizes ---------------------------------------------------------------------------------------------- */

bool sgs_mul64(int64_t a, int64_t b, int64_t *r);   /* false on overflow or a negative factor */
bool sgs_add64(int64_t a, int64_t b, int64_t *r);

/* ---- files ------------------------------------------------------------------------------------------------------- */

typedef struct sgs_span {
    const uint8_t *p;
    size_t n;
} sgs_span;
typedef struct sgs_file {
    sgs_span data;
    void *map;
} sgs_file;
/* Maps a regular file for reading; an empty file gives n = 0. */
sgs_status sgs_file_open(sgs_file *f, const char *path, sgs_diag *d);
void sgs_file_close(sgs_file *f);
/* The pages that lie wholly in these bytes of a mapped file leave memory; whoever reads them again gets them from the file. */
void sgs_file_forget(sgs_span data);
/* Writes path.tmp.PID, syncs, renames: either the whole file or none is left at `path`.  The
 * temporaries in flight are removed by sgs_cleanup (sgs.h), which a program calls on SIGINT and SIGTERM. */
sgs_status sgs_file_write(const char *path, const void *data, size_t n, sgs_diag *d);
/* A part of a file's contents: bytes that lie somewhere, or, where `make` is set, bytes that it puts into `to` when their turn comes: n of them
 * from byte `at` of the part on, both multiples of SGS_PART_UNIT but for the part's end. */
typedef struct sgs_part {
    const void *p;
    size_t n;
    void (*make)(const void *p, size_t at, size_t n, void *to);
} sgs_part;
#define SGS_PART_UNIT ((size_t)64)
/* As sgs_file_write, with the contents in parts. */
sgs_status sgs_file_write_parts(const char *path, const sgs_part *part, size_t n, sgs_diag *d);
/* The bytes of one part. */
void sgs_buf_add_part(sgs_buf *b, const sgs_part *part);

/* ---- child processes --------------------------------------------------------------------------------------------- */

/* The process group `pid` is ours: sgs_cleanup kills it.  False when there are too many. */
bool sgs_child_add(int pid);
void sgs_child_remove(int pid);   /* before it is waited for */
void sgs_child_kill_all(void);    /* async-signal-safe */

/* ---- text ---------------------------------------------------------------------------------------------------------- */

/* The nearest of n names to `word` by edit distance, or NULL when none is near. */
const char *sgs_nearest(const char *word, const char *const *names, int n);

#endif
