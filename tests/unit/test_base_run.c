/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a call: what the host finds afterwards, cancel, deadline, progress, fork. */
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmmintrin.h>

#include "base/parallel.h"
#include "harness.h"

enum { FLUSHING = 0x9FC0 /* the default mode with flush to zero and denormals as zero */ };

/* Modes of all threads of a host's parallel region. */
static int all_threads_have(unsigned mode, int threads) {
    int different = 0;

#pragma omp parallel num_threads(threads) reduction(+ : different)
    different += (_mm_getcsr() & 0xFFC0) != mode;
    return different == 0;
}

/* Twice on the caller: some OpenMP runtimes put its mode back when the region ends, others leave the region's. */
static void set_all_threads(unsigned mode, int threads) {
#pragma omp parallel num_threads(threads)
    _mm_setcsr(mode);
    _mm_setcsr(mode);
}

static ren_status test_width_and_modes_come_back(ren_context *context) {
    ren_status st = REN_OK;
    ren__run run = { 0 };
    const int width = omp_get_max_threads();

    omp_set_num_threads(3);
    set_all_threads(FLUSHING, 2);
    REN_TRY(ren__run_begin(&run, context, NULL));
    CHECK_INT(omp_get_max_threads(), 1);
    CHECK_INT(_mm_getcsr() & 0xFFC0, 0x1F80);
    CHECK_INT(ren__run_end(&run, REN_E_DATA), REN_E_DATA);
    CHECK_INT(omp_get_max_threads(), 3);
    CHECK(all_threads_have(FLUSHING, 2));
out:
    (void)ren__run_end(&run, st);
    set_all_threads(0x1F80, 2);
    omp_set_num_threads(width);
    return st;
}

static void add_denormals(void *argument, int64_t begin, int64_t end, int32_t thread) {
    volatile float *values = argument;

    (void)thread;
    for (int64_t i = begin; i < end; i++)
        values[i] = values[i] * 0.5f;
}

/* A host that flushes denormals gets the same bits as others, also without a frame. */
static ren_status test_denormals_survive_a_flushing_host(ren_context *context) {
    ren_status st = REN_OK;
    volatile float values[64];
    uint32_t bits[64];

    for (int i = 0; i < 64; i++)
        values[i] = 0x1p-126f;
    set_all_threads(FLUSHING, 2);
    ren__parallel_for(context, NULL, 64, 1, add_denormals, (void *)values);
    const int restored = all_threads_have(FLUSHING, 2);
    set_all_threads(0x1F80, 2);
    CHECK(restored);
    memcpy(bits, (void *)values, sizeof bits);
    for (int i = 0; i < 64; i++)
        CHECK_INT(bits[i], 0x00400000); /* 2^-127 */
out:
    return st;
}

typedef struct host {
    int asked, cancel_at, reports;
    double last;
    char stage[32];
    unsigned mode;
} host;

static int32_t host_cancel(void *user) {
    host *self = user;

    self->mode = _mm_getcsr() & 0xFFC0;
    return ++self->asked == self->cancel_at;
}

static void host_progress(void *user, const char *stage, double fraction) {
    host *self = user;

    self->reports++;
    self->last = fraction;
    snprintf(self->stage, sizeof self->stage, "%s", stage);
}

static ren_status test_cancel_is_asked_and_sticks(ren_context *context) {
    ren_status st = REN_OK;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    host self = { .cancel_at = 3 };
    ren__run run = { 0 };
    ren_status stopped = REN_OK;

    options.cancel = host_cancel;
    options.user = &self;
    _mm_setcsr(FLUSHING);
    st = ren__run_begin(&run, context, &options);
    if (st == REN_OK) {
        for (const double start = ren__now(); stopped == REN_OK && ren__now() - start < 5.0;)
            stopped = ren__run_check(&run);
        (void)ren__run_check(&run);
    }
    st = ren__run_end(&run, st);
    _mm_setcsr(0x1F80);
    REN_TRY(st);
    CHECK_INT(stopped, REN_E_CANCELLED);
    CHECK_INT(self.asked, 3);       /* not asked again */
    CHECK_INT(self.mode, FLUSHING); /* the host's code runs in the host's mode */
out:
    return st;
}

static ren_status test_deadline_stops_the_call(ren_context *context) {
    ren_status st = REN_OK;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren__run run = { 0 };
    const double start = ren__now();

    options.deadline_seconds = 0.05;
    REN_TRY(ren__run_begin(&run, context, &options));
    while ((st = ren__run_check(&run)) == REN_OK && ren__now() - start < 5.0) {
    }
    CHECK_INT(st, REN_E_DEADLINE);
    CHECK(ren__now() - start > 0.05 && ren__now() - start < 2.0);
    st = REN_OK;
out:
    return ren__run_end(&run, st);
}

static ren_status test_nested_call_shares_the_outer_cancel(ren_context *context) {
    ren_status st = REN_OK;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    host self = { .cancel_at = 1 };
    ren__run outer = { 0 }, inner = { 0 };

    options.cancel = host_cancel;
    options.user = &self;
    REN_TRY(ren__run_begin(&outer, context, &options));
    REN_TRY(ren__run_begin(&inner, context, NULL));
    CHECK_INT(ren__run_check(&inner), REN_E_CANCELLED);
    CHECK_INT(ren__run_end(&inner, REN_E_CANCELLED), REN_E_CANCELLED);
    CHECK_INT(ren__run_check(&outer), REN_E_CANCELLED);
    CHECK_INT(self.asked, 1);
out:
    (void)ren__run_end(&inner, st);
    return ren__run_end(&outer, st);
}

static ren_status test_nested_progress_fills_its_part(ren_context *context) {
    ren_status st = REN_OK;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    host self = { 0 };
    ren__run outer = { 0 }, inner = { 0 };

    options.progress = host_progress;
    options.user = &self;
    REN_TRY(ren__run_begin(&outer, context, &options));
    REN_TRY(ren__run_progress(&outer, "read", 7.0));
    CHECK_TEXT(self.stage, "read");
    CHECK_NEAR(self.last, 1.0, 0.0);
    outer.stage = "experts";
    outer.stage_begin = 0.5;
    outer.stage_end = 0.75;
    REN_TRY(ren__run_begin(&inner, context, NULL));
    REN_TRY(ren__run_progress(&inner, "convolution", 0.5));
    CHECK_TEXT(self.stage, "experts");
    CHECK_NEAR(self.last, 0.625, 0.0);
    CHECK_INT(self.reports, 2);
    REN_TRY(ren__run_progress(NULL, "nobody", 0.5));
    REN_TRY(ren__run_check(NULL));
out:
    (void)ren__run_end(&inner, st);
    return ren__run_end(&outer, st);
}

static ren_status test_wrong_run_options_are_refused(ren_context *context) {
    ren_status st = REN_OK;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren__run run = { 0 };

    options.deadline_seconds = -1.0;
    CHECK_FAILS(ren__run_begin(&run, context, &options), REN_E_INVALID, "deadline");
    options.deadline_seconds = (double)NAN;
    CHECK_FAILS(ren__run_begin(&run, context, &options), REN_E_INVALID, "deadline");
    options.deadline_seconds = 0.0;
    options.struct_size = 3;
    CHECK_FAILS(ren__run_begin(&run, context, &options), REN_E_INVALID, "struct_size");
    CHECK_FAILS(ren__run_begin(&run, NULL, NULL), REN_E_INVALID, "context");
    CHECK_INT(ren__run_end(&run, REN_E_DATA), REN_E_DATA); /* of a frame that did not begin */
    REN_TRY(ren_run_options_init(&options, sizeof options));
    CHECK_INT(options.struct_size, sizeof options);
out:
    return st;
}

/* What a forked child's first call says; -1 where it hangs or crashes. */
static int status_in_child(ren_context *context) {
    const pid_t child = fork();
    int status = 0;

    if (child == 0) {
        ren__run run;
        (void)alarm(10);
        const ren_status st = ren__run_begin(&run, context, NULL);
        _exit(ren__run_end(&run, st) == REN_E_FORKED ? 1 : st == REN_OK ? 0 : 2);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

/* In a process of its own, in which no pool has been used. */
static ren_status test_fork_is_refused_after_use_only(ren_context *context) {
    ren_status st = REN_OK;
    ren__run run;
    int status = 0;

    float halves[8] = { 0 };

    CHECK_INT(status_in_child(context), 0);
    REN_TRY(ren__run_begin(&run, context, NULL));
    REN_TRY(ren__run_end(&run, REN_OK));
    CHECK_INT(status_in_child(context), 0); /* no helper has been started */
    ren__parallel_for(context, NULL, 8, 1, add_denormals, halves);
    CHECK_INT(status_in_child(context), 1);
    const pid_t child = fork(); /* a loop there still does its work, on the one thread that there is */
    if (child == 0) {
        float values[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
        (void)alarm(10);
        ren__parallel_for(context, NULL, 8, 1, add_denormals, values);
        _exit(values[0] == 0.5f && values[7] == 0.5f ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    REN_TRY(ren__run_begin(&run, context, NULL)); /* the parent goes on */
    REN_TRY(ren__run_end(&run, REN_OK));
out:
    return st;
}

typedef struct user {
    ren_context *context;
    ren_status st;
    float values[5000];
} user;

static void *use_context(void *argument) {
    user *self = argument;
    ren_run_options options = REN_RUN_OPTIONS_INIT;

    options.memory_limit = 1 << 20;
    for (int round = 0; round < 20 && self->st == REN_OK; round++) {
        ren__run run;
        self->st = ren__run_begin(&run, self->context, &options);
        void *memory = self->st == REN_OK ? ren__alloc(self->context, 5000) : NULL;
        if (self->st == REN_OK && !memory) self->st = ren__out_of_memory();
        if (self->st == REN_OK) ren__parallel_for(self->context, &run, 5000, 100, add_denormals, self->values);
        self->st = ren__run_end(&run, self->st);
        ren__free(memory);
    }
    return NULL;
}

static ren_status test_context_is_shared_by_threads(ren_context *context) {
    ren_status st = REN_OK;
    enum { USERS = 3 };
    pthread_t threads[USERS];
    user *users = NULL;
    int started = 0;

    CHECK_MEMORY(users = ren__calloc(context, USERS, sizeof *users));
    for (; started < USERS; started++) {
        users[started].context = context;
        for (int i = 0; i < 5000; i++)
            users[started].values[i] = 0x1p20f;
        if (pthread_create(&threads[started], NULL, use_context, &users[started]) != 0) break;
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(started, USERS);
    for (int i = 0; i < USERS; i++) {
        REN_TRY(users[i].st);
        for (int k = 0; k < 5000; k++)
            CHECK(users[i].values[k] == 1.0f);
    }
out:
    ren__free(users);
    return st;
}

TEST_MAIN(CASE_ONCE(test_fork_is_refused_after_use_only), CASE(test_width_and_modes_come_back),
          CASE(test_denormals_survive_a_flushing_host), CASE(test_cancel_is_asked_and_sticks),
          CASE(test_deadline_stops_the_call), CASE(test_nested_call_shares_the_outer_cancel),
          CASE(test_nested_progress_fills_its_part), CASE(test_wrong_run_options_are_refused),
          CASE_SAMPLED(test_context_is_shared_by_threads))
