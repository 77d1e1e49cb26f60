/* SPDX-License-Identifier: Apache-2.0 */
/* Parallel-for on the context's pool. */
#include "base/parallel.h"

#include <omp.h>

#include "base/floating.h"
#include "base/ledger.h"
#include "base/pool.h"

/* Set while this thread works on a chunk: nested loops stay on it and keep its number, so that scratch indexed by
 * thread is still its own. */
static _Thread_local int inside_chunk;
static _Thread_local int32_t thread_number;

typedef struct loop {
    ren__run *run;
    int64_t count, grain;
    ren__range_fn fn;
    void *argument;
    ren__ledger *ledger;
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

/* One thread's part of a loop: number, account, floating-point mode and the width of what libraries called from a chunk
 * may use (else their sums would depend on it) are set and put back. */
static void take_part(void *argument, int32_t number) {
    loop *job = argument;
    const int32_t number_before = thread_number;
    const int inside_before = inside_chunk, width = omp_get_max_threads();
    ren__ledger *ledger_before = ren__ledger_set_current(job->ledger);
    const unsigned mode = ren__floating_enter();

    thread_number = number;
    inside_chunk = 1;
    if (width != 1) omp_set_num_threads(1);
    work(job);
    if (width != 1) omp_set_num_threads(width);
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
    const int32_t helpers = chunks < context->threads ? (int32_t)chunks - 1 : context->threads - 1;
    loop job = {
        .run = run, .count = count, .grain = grain, .fn = fn, .argument = argument, .ledger = ren__ledger_current()
    };

    atomic_init(&job.next, 0);
    if (inside_chunk)
        take_part(&job, thread_number);
    else
        ren__pool_run(context->pool, helpers, take_part, &job);
}
