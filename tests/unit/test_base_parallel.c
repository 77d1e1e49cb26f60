/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: every item once, the same bits for every number of threads, nested loops, early stops. */
#include "base/parallel.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "harness.h"

enum { ITEMS = 10007 };

static ren_status context_of(int32_t threads, ren_context **out) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;

    test_allocator(&options);
    options.threads = threads;
    return ren_context_create(&options, out);
}

typedef struct count_job {
    ren_context *context;
    atomic_int seen[ITEMS];
    atomic_int wrong;
    int64_t grain;
} count_job;

static void count_items(void *argument, int64_t begin, int64_t end, int32_t thread) {
    count_job *job = argument;

    if (begin % job->grain != 0 || end - begin > job->grain || (end - begin < job->grain && end != ITEMS))
        atomic_fetch_add(&job->wrong, 1);
    if (thread < 0 || thread >= job->context->threads) atomic_fetch_add(&job->wrong, 1);
    for (int64_t i = begin; i < end; i++)
        atomic_fetch_add(&job->seen[i], 1);
}

static ren_status test_every_item_is_done_once(ren_context *context) {
    ren_status st = REN_OK;
    static const int64_t grains[] = { 1, 7, 1000, ITEMS, ITEMS * 2 };
    ren_context *made = NULL;
    count_job *job = NULL;

    (void)context;
    for (int32_t threads = 1; threads <= 4; threads++) {
        REN_TRY(context_of(threads, &made));
        for (size_t g = 0; g < 5; g++) {
            CHECK_MEMORY(job = ren__calloc(made, 1, sizeof *job));
            job->context = made;
            job->grain = grains[g];
            ren__parallel_for(made, NULL, ITEMS, grains[g], count_items, job);
            CHECK_INT(atomic_load(&job->wrong), 0);
            for (int i = 0; i < ITEMS; i++)
                CHECK_INT(atomic_load(&job->seen[i]), 1);
            ren__free(job);
            job = NULL;
        }
        ren_context_free(made);
        made = NULL;
    }
out:
    ren__free(job);
    ren_context_free(made);
    return st;
}

static void fail_if_called(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)begin;
    (void)end;
    (void)thread;
    *(int *)argument = 1;
}

static ren_status test_empty_loops_do_nothing(ren_context *context) {
    ren_status st = REN_OK;
    int called = 0;

    ren__parallel_for(context, NULL, 0, 10, fail_if_called, &called);
    ren__parallel_for(context, NULL, -3, 10, fail_if_called, &called);
    CHECK(!called);
    ren__parallel_for(context, NULL, 1, 0, fail_if_called, &called); /* a grain of 0 counts as 1 */
    CHECK(called);
out:
    return st;
}

enum { VALUES = 100000, GRAIN = 1024, CHUNKS = (VALUES + GRAIN - 1) / GRAIN };

/* Sums of a chunk in float: the order within it shows in the last bits. */
static void sum_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    float *sums = argument, sum = 0.0f;

    (void)thread;
    for (int64_t i = begin; i < end; i++)
        sum += 1.0f / (float)(i + 1);
    sums[begin / GRAIN] = sum;
}

static ren_status test_bits_do_not_depend_on_threads(ren_context *context) {
    ren_status st = REN_OK;
    float sums[CHUNKS], again[CHUNKS];
    ren_context *made = NULL;

    (void)context;
    for (int32_t threads = 1; threads <= 4; threads++) {
        REN_TRY(context_of(threads, &made));
        ren__parallel_for(made, NULL, VALUES, GRAIN, sum_chunk, threads == 1 ? sums : again);
        if (threads > 1) CHECK(memcmp(sums, again, sizeof sums) == 0);
        ren_context_free(made);
        made = NULL;
    }
out:
    ren_context_free(made);
    return st;
}

typedef struct nested_job {
    ren_context *context;
    atomic_int inner, wrong;
} nested_job;

typedef struct inner_job {
    nested_job *outer;
    int32_t thread;
    pthread_t os_thread;
} inner_job;

static void inner_loop(void *argument, int64_t begin, int64_t end, int32_t thread) {
    inner_job *job = argument;

    if (thread != job->thread || !pthread_equal(pthread_self(), job->os_thread))
        atomic_fetch_add(&job->outer->wrong, 1);
    atomic_fetch_add(&job->outer->inner, (int)(end - begin));
}

static void outer_loop(void *argument, int64_t begin, int64_t end, int32_t thread) {
    nested_job *job = argument;

    for (int64_t i = begin; i < end; i++) {
        inner_job inner = { job, thread, pthread_self() };
        ren__parallel_for(job->context, NULL, 50, 3, inner_loop, &inner);
    }
}

static ren_status test_nested_loops_stay_on_their_thread(ren_context *context) {
    ren_status st = REN_OK;
    nested_job job = { .context = context };

    ren__parallel_for(context, NULL, 40, 1, outer_loop, &job);
    CHECK_INT(atomic_load(&job.inner), 40 * 50);
    CHECK_INT(atomic_load(&job.wrong), 0);
out:
    return st;
}

static void note_width(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)begin;
    (void)end;
    (void)thread;
    *(int *)argument = omp_get_max_threads();
}

/* A library that is called from the only chunk of a loop must find the width it would find among several. */
static ren_status test_single_chunk_is_one_thread_wide(ren_context *context) {
    ren_status st = REN_OK;
    const int before = omp_get_max_threads();
    int width = 0;

    omp_set_num_threads(3);
    ren__parallel_for(context, NULL, 10, 10, note_width, &width);
    CHECK_INT(width, 1);
    CHECK_INT(omp_get_max_threads(), 3);
out:
    omp_set_num_threads(before);
    return st;
}

typedef struct crowd_job {
    ren_context *context;
    atomic_int items;
} crowd_job;

static void count_crowd(void *argument, int64_t begin, int64_t end, int32_t thread) {
    crowd_job *job = argument;
    (void)thread;
    atomic_fetch_add(&job->items, (int)(end - begin));
}

static void *loop_often(void *argument) {
    crowd_job *job = argument;
    for (int i = 0; i < 2000; i++)
        ren__parallel_for(job->context, NULL, 64, 1 + i % 7, count_crowd, job);
    return NULL;
}

/* Several host threads on one context: one has the pool at a time, the others do their own work; nothing is lost. */
static ren_status test_many_callers_share_a_pool(ren_context *context) {
    ren_status st = REN_OK;
    ren_context *wide = NULL;
    crowd_job job = { 0 };
    pthread_t callers[4];
    int started = 0;

    (void)context;
    REN_TRY(context_of(3, &wide));
    job.context = wide;
    while (started < 4 && pthread_create(&callers[started], NULL, loop_often, &job) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(callers[i], NULL);
    CHECK_INT(atomic_load(&job.items), started * 2000 * 64);
    CHECK_INT(started, 4);
out:
    ren_context_free(wide);
    return st;
}

static int32_t cancel_at_once(void *user) {
    (void)user;
    return 1;
}

static void slow_item(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const double until = ren__now() + 0.001;

    (void)thread;
    while (ren__now() < until) {
    }
    atomic_fetch_add((atomic_int *)argument, (int)(end - begin));
}

static ren_status test_cancel_leaves_chunks_out(ren_context *context) {
    ren_status st = REN_OK;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren__run run = { 0 };
    atomic_int done = 0;

    options.cancel = cancel_at_once;
    REN_TRY(ren__run_begin(&run, context, &options));
    ren__parallel_for(context, &run, 2000, 1, slow_item, &done);
    CHECK(atomic_load(&done) < 200); /* 200 ms at one a millisecond: generous */
    CHECK_FAILS(ren__run_check(&run), REN_E_CANCELLED, "cancelled");
out:
    return ren__run_end(&run, st);
}

TEST_MAIN(CASE_SAMPLED(test_every_item_is_done_once), CASE(test_empty_loops_do_nothing),
          CASE(test_bits_do_not_depend_on_threads), CASE(test_nested_loops_stay_on_their_thread),
          CASE(test_single_chunk_is_one_thread_wide), CASE_ONCE(test_many_callers_share_a_pool),
          CASE(test_cancel_leaves_chunks_out))
