/* Work shared between threads, with the result that one thread has: its items are independent of each other, and what
 * adds them up does so in their order. */
#ifndef SGS_THREADS_H
#define SGS_THREADS_H

#include "base/log.h"

typedef struct sgs_threads sgs_threads;
/* n of them, 64 at most, the caller's own among them; 0: 10, or the machine's processors where they are fewer.  NULL where it is one,
 * or the system gives no more: the caller then does everything alone. */
sgs_threads *sgs_threads_new(int n);
/* How many that would be. */
int sgs_threads_wanted(int n);
void sgs_threads_free(sgs_threads *t);

typedef struct sgs_work {
    int n;    /* items, begun in their order */
    int most; /* places at most, where each has memory of its own; 0: as many as threads */
    /* Item i at `place`, at the same time as items at other places: 0 <= place < sgs_places.  Arenas and logs are not
     * for several threads. */
    sgs_status (*run)(void *user, int place, int i, sgs_diag *d);
    /* Or NULL: behind the run of item i, alone and item by item; the place's next item waits for it. */
    void (*add)(void *user, int place, int i);
    void *user;
} sgs_work;
int sgs_places(const sgs_threads *t, const sgs_work *w);
/* One work at a time, none within another's.  Fails as the first item in order that fails, those before it added. */
sgs_status sgs_share(sgs_threads *t, const sgs_work *w, sgs_diag *d);
/* Within a run: sgs_log_progress, but the caller's thread alone says it. */
void sgs_share_progress(const sgs_threads *t, const sgs_log *log, const char *what, int64_t done, int64_t total);

#endif
