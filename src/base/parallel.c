/* SPDX-License-Identifier: Apache-2.0 */
/* Parallel-for on the OpenMP pool. */
#include "base/parallel.h"

#include <omp.h>

#include "base/floating.h"
#include "base/fork.h"
#include "base/ledger.h"

/* Set while this thread works on a chunk: nested loops stay on it and keep its number, so that scratch indexed by
 * thread is still its own. */
static _Thread_local int inside_chunk;
static _Thread_local int32_t thread_number;

/* What a pool thread had when the outermost run began. A thread that joins later has not entered and is left alone. */
static _Thread_local unsigned pool_mode;
static _Thread_local int pool_depth;

void ren__floating_enter_pool(void) {
    const unsigned before = ren__floating_enter();

    if (pool_depth++ == 0) pool_mode = before;
}

void ren__floating_leave_pool(void) {
    if (pool_depth > 0 && --pool_depth == 0) ren__floating_leave(pool_mode);
}

typedef struct loop {
    ren__run *run;
    int64_t count, grain;
    ren__range_fn fn;
    void *argument;
    atomic_llong next; /* first item that nobody has taken */
} loop;

static int may_go_on(ren__run *run) {
    if (!run) return 1;
    if (thread_number == 0) return ren__run_check(run) == REN_OK; /* the host hears from its own thread only */
    return atomic_load_explicit(&run->stopped, memory_order_relaxed) == REN_OK;
}

static void work(loop *job) {
    while (may_go_on(job->run)) {
        const int64_t begin = atomic_fetch_add_explicit(&job->next, job->grain, memory_order_relaxed);
        if (begin >= job->count) return;
        const int64_t left = job->count - begin;
        job->fn(job->argument, begin, left < job->grain ? job->count : begin + job->grain, thread_number);
    }
}

/* One thread's part of a loop: number, account and floating-point mode are set and put back. */
static void work_as(loop *job, int32_t number, ren__ledger *ledger) {
    const int32_t number_before = thread_number;
    const int inside_before = inside_chunk;
    ren__ledger *ledger_before = ren__ledger_set_current(ledger);
    const unsigned mode = ren__floating_enter();

    thread_number = number;
    inside_chunk = 1;
    work(job);
    inside_chunk = inside_before;
    thread_number = number_before;
    ren__floating_leave(mode);
    ren__ledger_set_current(ledger_before);
}

void ren__parallel_for(ren_context *context, ren__run *run, int64_t count, int64_t grain, ren__range_fn fn,
                       void *argument) {
    if (count <= 0) return;
    if (grain < 1) grain = 1;
    const int64_t chunks = count / grain + (count % grain != 0);
    const int threads = chunks < context->threads ? (int)chunks : context->threads;
    ren__ledger *ledger = ren__ledger_current();
    loop job = { .run = run, .count = count, .grain = grain, .fn = fn, .argument = argument };

    atomic_init(&job.next, 0);
    if (inside_chunk || threads == 1 || ren__fork_pool_dead()) {
        /* Libraries called from a chunk must not use more threads here than in a loop of several chunks, or their sums
         * would depend on the context's width. */
        const int width = omp_get_max_threads();
        if (width != 1) omp_set_num_threads(1);
        work_as(&job, inside_chunk ? thread_number : 0, ledger);
        if (width != 1) omp_set_num_threads(width);
        return;
    }
    ren__fork_pool_used();
#pragma omp parallel num_threads(threads)
    work_as(&job, omp_get_thread_num(), ledger);
}
