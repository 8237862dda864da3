/* A thread pool for ipu_parallel.  A task is cut into pieces that the threads, the caller among them, take one after
 * the other. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "openipu/ipu_host.h"

#define PIECES_PER_THREAD 4
#define STACK_BYTES (1 << 20) /* of a worker: some systems' own is too small for the x86 kernels */
#define SPINS 2000            /* looks, with pauses between, before a thread sleeps: tens of microseconds, as records follow each other closely */

struct ipu_host_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    atomic_uint task; /* number of the task under way; changes under lock, when what follows is set */
    atomic_int busy;  /* workers that have not finished it */
    bool quit;
    void (*fn)(void *arg, int begin, int end);
    void *arg;
    int n, piece;
    atomic_uint next; /* first item not taken; ends at most a piece a thread, less than n/2 + 1024, beyond n */
    int nworker;      /* besides the caller */
    pthread_t worker[];
};

static void pause_a_little(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_pieces(ipu_host_pool *p)
{
    for (;;) {
        unsigned taken = atomic_fetch_add_explicit(&p->next, (unsigned)p->piece, memory_order_relaxed);
        if (taken >= (unsigned)p->n)
            return;
        int begin = (int)taken;
        p->fn(p->arg, begin, p->n - begin < p->piece ? p->n : begin + p->piece);
    }
}

/* Waits for a task after number `seen`; false when the pool closes.  A task stands until every worker has finished it, so none is missed. */
static bool next_task(ipu_host_pool *p, unsigned *seen)
{
    for (int i = 0; i < SPINS && atomic_load_explicit(&p->task, memory_order_acquire) == *seen; i++)
        pause_a_little();
    if (atomic_load_explicit(&p->task, memory_order_acquire) == *seen) {
        pthread_mutex_lock(&p->lock);
        while (atomic_load_explicit(&p->task, memory_order_acquire) == *seen)
            pthread_cond_wait(&p->wake, &p->lock);
        pthread_mutex_unlock(&p->lock);
    }
    ++*seen;
    return !p->quit;
}

static void *work(void *user)
{
    ipu_host_pool *p = user;
    unsigned seen = 0;
    while (next_task(p, &seen)) {
        take_pieces(p);
        if (atomic_fetch_sub_explicit(&p->busy, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->idle);
            pthread_mutex_unlock(&p->lock);
        }
    }
    return NULL;
}

static void wait_for_workers(ipu_host_pool *p)
{
    for (int i = 0; i < SPINS && atomic_load_explicit(&p->busy, memory_order_acquire); i++)
        pause_a_little();
    if (!atomic_load_explicit(&p->busy, memory_order_acquire))
        return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load_explicit(&p->busy, memory_order_acquire))
        pthread_cond_wait(&p->idle, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void run(void *user, void (*fn)(void *arg, int begin, int end), void *arg, int n)
{
    ipu_host_pool *p = user;
    if (n <= 1 || !p->nworker) {
        if (n > 0)
            fn(arg, 0, n);
        return;
    }
    int pieces = (p->nworker + 1) * PIECES_PER_THREAD;
    pthread_mutex_lock(&p->lock);
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    p->piece = n / pieces + (n % pieces != 0);
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    atomic_store_explicit(&p->busy, p->nworker, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->task, 1, memory_order_release);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    take_pieces(p);
    wait_for_workers(p);
}

void ipu_host_pool_free(ipu_host_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    atomic_fetch_add_explicit(&p->task, 1, memory_order_release);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->nworker; i++)
        pthread_join(p->worker[i], NULL);
    pthread_cond_destroy(&p->idle);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static int start_worker(ipu_host_pool *p)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    const int failed = pthread_create(&p->worker[p->nworker], &attr, work, p);
    pthread_attr_destroy(&attr);
    return failed;
}

ipu_host_pool *ipu_host_pool_new(int threads, ipu_parallel *par)
{
    const int most = 1024;
    if (threads < 1)
        threads = 1;
    if (threads > most)
        threads = most;
    ipu_host_pool *p = calloc(1, sizeof *p + (size_t)(threads - 1) * sizeof *p->worker);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->idle, NULL);
    while (p->nworker < threads - 1 && start_worker(p) == 0)
        p->nworker++;
    if (p->nworker < threads - 1) {
        ipu_host_pool_free(p);
        return NULL;
    }
    *par = (ipu_parallel){ run, p };
    return p;
}
