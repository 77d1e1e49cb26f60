/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <omp.h>
#include <pthread.h>
#include <signal.h>

#include "base/floating.h"
#include "base/fork.h"

enum {
    SPINS_BEFORE_SLEEP = 4000, /* about 50 microseconds: the next loop of a network usually follows within it */
    SPINS_BEFORE_YIELD = 1000
};

typedef struct helper {
    ren__pool *pool;
    pthread_t thread;
    int32_t number; /* from 1 */
} helper;

struct ren__pool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    atomic_int taken; /* a caller has the pool */
    int started;      /* helpers that run; touched by the caller that has the pool */
    int32_t helper_count;

    /* The job. Written while nobody is active, published by `open`. A helper counts itself active before it looks at
     * `open`, the caller closes before it looks at `active`: one of the two always sees the other. */
    ren__pool_fn fn;
    void *argument;
    int32_t wanted;          /* helpers numbered up to this take part */
    atomic_uint open;        /* the job's number; 0: none */
    atomic_int active;       /* helpers that may be looking at the job */
    atomic_int sleepers;     /* helpers waiting for `work` */
    atomic_int caller_waits; /* the caller waits for `done` */
    atomic_int ending;
    unsigned jobs;
    helper helpers[];
};

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static int is_news(const ren__pool *pool, unsigned seen) {
    const unsigned open = atomic_load(&pool->open);
    return (open != 0 && open != seen) || atomic_load(&pool->ending);
}

static void wait_for_news(ren__pool *pool, unsigned seen) {
    for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        if (is_news(pool, seen)) return;
        relax();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!is_news(pool, seen))
        pthread_cond_wait(&pool->work, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

/* Takes part in the open job, if there is one; tells which it was. */
static unsigned help(ren__pool *pool, int32_t number, unsigned seen) {
    atomic_fetch_add(&pool->active, 1);
    const unsigned open = atomic_load(&pool->open);
    if (open != 0 && open != seen && number <= pool->wanted) pool->fn(pool->argument, number);
    if (atomic_fetch_sub(&pool->active, 1) == 1 && atomic_load(&pool->caller_waits)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
    return open != 0 ? open : seen;
}

static void *helper_main(void *argument) {
    const helper *self = argument;
    unsigned seen = 0;

    (void)ren__floating_enter();
    omp_set_num_threads(1); /* libraries called from a chunk stay on this thread */
    while (!atomic_load(&self->pool->ending)) {
        wait_for_news(self->pool, seen);
        seen = help(self->pool, self->number, seen);
    }
    return NULL;
}

/* Helpers never run the host's signal handlers. One that cannot be started is done without. */
static void start_helpers(ren__pool *pool) {
    sigset_t all, before;

    if (pool->started == pool->helper_count) return;
    ren__fork_pool_used();
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return;
    while (pool->started < pool->helper_count) {
        helper *next = &pool->helpers[pool->started];
        if (pthread_create(&next->thread, NULL, helper_main, next) != 0) break;
        pool->started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

ren__pool *ren__pool_create(ren_context *context, int32_t threads) {
    const size_t size = sizeof(ren__pool) + (size_t)(threads - 1) * sizeof(helper);
    ren__pool *pool = context->alloc(context->allocator_user, size, 64);

    if (!pool) return NULL;
    *pool = (ren__pool){ .helper_count = threads - 1 };
    if (pthread_mutex_init(&pool->lock, NULL) != 0) goto no_lock;
    if (pthread_cond_init(&pool->work, NULL) != 0) goto no_work;
    if (pthread_cond_init(&pool->done, NULL) != 0) goto no_done;
    for (int32_t i = 0; i < pool->helper_count; i++)
        pool->helpers[i] = (helper){ .pool = pool, .number = i + 1 };
    return pool;
no_done:
    pthread_cond_destroy(&pool->work);
no_work:
    pthread_mutex_destroy(&pool->lock);
no_lock:
    context->free(context->allocator_user, pool, size);
    return NULL;
}

void ren__pool_free(ren__pool *pool, ren_context *context) {
    if (!pool) return;
    if (!ren__fork_pool_dead()) { /* in a forked child there are no helpers to end */
        atomic_store(&pool->ending, 1);
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
        for (int i = 0; i < pool->started; i++)
            pthread_join(pool->helpers[i].thread, NULL);
        pthread_cond_destroy(&pool->done);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->lock);
    }
    context->free(context->allocator_user, pool, sizeof *pool + (size_t)pool->helper_count * sizeof pool->helpers[0]);
}

static void publish(ren__pool *pool) {
    if (++pool->jobs == 0) pool->jobs = 1;
    atomic_store(&pool->open, pool->jobs);
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

static void wait_for_helpers(ren__pool *pool) {
    for (int i = 0; i < SPINS_BEFORE_YIELD; i++) {
        if (atomic_load(&pool->active) == 0) return;
        relax();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_waits, 1);
    while (atomic_load(&pool->active) != 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    atomic_store(&pool->caller_waits, 0);
    pthread_mutex_unlock(&pool->lock);
}

void ren__pool_run(ren__pool *pool, int32_t helpers, ren__pool_fn fn, void *argument) {
    int free_pool = 0;

    if (!pool || helpers < 1 || ren__fork_pool_dead() || !atomic_compare_exchange_strong(&pool->taken, &free_pool, 1)) {
        fn(argument, 0);
        return;
    }
    start_helpers(pool);
    pool->fn = fn;
    pool->argument = argument;
    pool->wanted = helpers;
    publish(pool);
    fn(argument, 0);
    atomic_store(&pool->open, 0);
    wait_for_helpers(pool);
    atomic_store(&pool->taken, 0);
}
