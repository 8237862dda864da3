#include "base/threads.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "openipu/ipu_host.h"

#define THREADS_DEFAULT 10
#define THREADS_MOST 64

struct sgs_threads {
    ipu_host_pool *pool;
    ipu_parallel par;
    int n;
    pthread_t caller;
};

/* One work under way. */
typedef struct share {
    const sgs_work *w;
    pthread_mutex_t lock;
    pthread_cond_t more; /* added or failed changed */
    int next, added;     /* items begun, items added */
    int failed;          /* the first in order; INT_MAX: none */
    sgs_status status;
    sgs_diag *why;
} share;

/* ---- life ------------------------------------------------------------------------------------------------------ */

int sgs_threads_wanted(int n)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (n <= 0)
        n = processors > 0 && processors < THREADS_DEFAULT ? (int)processors : THREADS_DEFAULT;
    return n < THREADS_MOST ? n : THREADS_MOST;
}

sgs_threads *sgs_threads_new(int wanted)
{
    const int n = sgs_threads_wanted(wanted);
    sgs_threads *t = n > 1 ? calloc(1, sizeof *t) : NULL;
    if (!t)
        return NULL;
    t->n = n;
    t->pool = ipu_host_pool_new(n, &t->par);
    if (t->pool)
        return t;
    free(t);
    return NULL;
}

void sgs_threads_free(sgs_threads *t)
{
    if (!t)
        return;
    ipu_host_pool_free(t->pool);
    free(t);
}

int sgs_places(const sgs_threads *t, const sgs_work *w)
{
    int n = t ? t->n : 1;
    n = w->most > 0 && w->most < n ? w->most : n;
    return w->n < n ? w->n : n;
}

/* ---- a work ---------------------------------------------------------------------------------------------------- */

/* The next item; -1: there is none, or one before it failed. */
static int begin(share *s)
{
    pthread_mutex_lock(&s->lock);
    const int i = s->next < s->w->n && s->failed == INT_MAX ? s->next++ : -1;
    pthread_mutex_unlock(&s->lock);
    return i;
}

/* Items are begun in order, so all that this one waits for are under way. */
static void end(share *s, int place, int i, sgs_status status, const sgs_diag *d)
{
    pthread_mutex_lock(&s->lock);
    if (status != SGS_OK && i < s->failed) {
        s->failed = i;
        s->status = status;
        if (s->why)
            *s->why = *d;
    }
    while (s->w->add && s->added < i && s->failed > i)
        pthread_cond_wait(&s->more, &s->lock);
    if (s->w->add && s->failed > i) {
        s->w->add(s->w->user, place, i);
        s->added++;
    }
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

static void take_items(void *arg, int first, int behind)
{
    share *s = arg;
    for (int place = first; place < behind; place++)
        for (int i = begin(s); i >= 0; i = begin(s)) {
            sgs_diag d = { 0 };
            end(s, place, i, s->w->run(s->w->user, place, i, &d), &d);
        }
}

sgs_status sgs_share(sgs_threads *t, const sgs_work *w, sgs_diag *d)
{
    share s = { .w = w, .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .failed = INT_MAX, .why = d };
    if (t) {
        t->caller = pthread_self();
        t->par.run(t->par.user, take_items, &s, sgs_places(t, w));
    } else {
        take_items(&s, 0, 1);
    }
    pthread_mutex_destroy(&s.lock);
    pthread_cond_destroy(&s.more);
    return s.status;
}

void sgs_share_progress(const sgs_threads *t, const sgs_log *log, const char *what, int64_t done, int64_t total)
{
    if (!t || pthread_equal(pthread_self(), t->caller))
        sgs_log_progress(log, what, done, total);
}
