/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of one call: OpenMP width, floating-point mode, account of memory, progress, cancel and deadline. */
#include <omp.h>
#include <time.h>

#include "base/floating.h"
#include "base/fork.h"
#include "base/ledger.h"

#define POLL_SECONDS 0.02

/* The innermost frame of this thread; NULL on pool threads, which therefore never call back. */
static _Thread_local ren__run *current_run;

double ren__now(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

ren_status ren_run_options_init(ren_run_options *options, size_t size) {
    const ren_run_options defaults = REN_RUN_OPTIONS_INIT;

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_run_options");
}

static ren_status copy_options(ren__run *run, const ren_run_options *options) {
    run->copy = (ren_run_options)REN_RUN_OPTIONS_INIT;
    if (!options) return REN_OK;
    const ren_status st = ren__options_copy(&run->copy, sizeof run->copy, options, "ren_run_options");
    if (st != REN_OK) return st;
    if (!(run->copy.deadline_seconds >= 0.0))
        return ren__error(REN_E_INVALID, "ren_run_options: deadline_seconds is negative or not a number: 0 is none");
    run->options = &run->copy;
    return REN_OK;
}

ren_status ren__run_begin(ren__run *run, ren_context *context, const ren_run_options *options) {
    *run = (ren__run){ .started = ren__now(), .stage_end = 1.0 };
    if (!context) return ren__error(REN_E_INVALID, "the context is NULL");
    if (ren__fork_pool_dead())
        return ren__error(REN_E_FORKED, "this process was forked after libren had started its threads, which do not "
                                        "exist here: start it anew (in Python: multiprocessing's \"spawn\")");
    ren_status st = copy_options(run, options);
    if (st != REN_OK) return st;
    ren__ledger *ledger = ren__ledger_retain(ren__ledger_of(context));
    if (run->copy.memory_limit != 0) {
        ren__ledger *own = ren__ledger_create(context, ledger, run->copy.memory_limit);
        ren__ledger_release(ledger);
        if (!own) return ren__out_of_memory();
        ledger = own;
    }
    run->ledger_before = ren__ledger_set_current(ledger);
    run->context = context;
    run->outer = current_run;
    current_run = run;

    run->omp_threads_before = omp_get_max_threads();
    omp_set_num_threads(1); /* libraries use the calling thread alone: the work is cut by us */
    run->mxcsr_before = ren__floating_enter();
    return REN_OK;
}

ren_status ren__run_end(ren__run *run, ren_status st) {
    if (!run->context) return st; /* did not begin */
    ren__floating_leave(run->mxcsr_before);
    omp_set_num_threads(run->omp_threads_before);
    ren__ledger_release(ren__ledger_set_current(run->ledger_before));
    current_run = run->outer;
    run->context = NULL;
    return st;
}

static ren_status stop_text(ren_status reason) {
    if (reason == REN_OK) return REN_OK;
    return ren__error(reason, reason == REN_E_DEADLINE ? "the call's deadline has passed" : "cancelled by the host");
}

/* Asks one frame's host. Its code sees its own floating-point mode. */
static ren_status poll_one(ren__run *run, double now) {
    const ren_run_options *options = run->options;
    int32_t cancelled = 0;

    if (!options) return REN_OK;
    if (options->deadline_seconds > 0.0 && now - run->started > options->deadline_seconds) return REN_E_DEADLINE;
    if (options->cancel) {
        const unsigned ours = ren__floating_host(run->mxcsr_before);
        cancelled = options->cancel(options->user);
        ren__floating_leave(ours);
    }
    return cancelled ? REN_E_CANCELLED : REN_OK;
}

ren_status ren__run_check(ren__run *run) {
    if (!run) return REN_OK;
    ren_status reason = atomic_load_explicit(&run->stopped, memory_order_relaxed);
    if (reason != REN_OK || !current_run) return stop_text(reason);
    const double now = ren__now();
    if (now - run->last_poll < POLL_SECONDS) return REN_OK;
    run->last_poll = now;
    for (ren__run *frame = run; frame; frame = frame->outer) {
        reason = atomic_load_explicit(&frame->stopped, memory_order_relaxed);
        if (reason == REN_OK) reason = poll_one(frame, now);
        if (reason == REN_OK) continue;
        atomic_store_explicit(&frame->stopped, reason, memory_order_relaxed);
        atomic_store_explicit(&run->stopped, reason, memory_order_relaxed);
        return stop_text(reason);
    }
    return REN_OK;
}

ren_status ren__run_progress(ren__run *run, const char *stage, double fraction) {
    double done = fraction > 0.0 ? fraction < 1.0 ? fraction : 1.0 : 0.0; /* NaN is 0 */

    if (!run) return REN_OK;
    for (ren__run *frame = current_run ? run : NULL; frame; frame = frame->outer) {
        if (frame->stage) { /* the caller's stage, of which this one is a part */
            stage = frame->stage;
            done = frame->stage_begin + done * (frame->stage_end - frame->stage_begin);
        }
        if (!frame->options || !frame->options->progress) continue;
        const unsigned ours = ren__floating_host(frame->mxcsr_before);
        frame->options->progress(frame->options->user, stage, done);
        ren__floating_leave(ours);
    }
    return ren__run_check(run);
}
