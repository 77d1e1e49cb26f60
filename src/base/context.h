/* SPDX-License-Identifier: Apache-2.0 */
/* The context, and the frame of one call into the library. */
#ifndef REN_BASE_CONTEXT_H
#define REN_BASE_CONTEXT_H

#include <stdatomic.h>

#include "base/memory.h"

/* Bytes held on somebody's account. The context has the root; a call with its own limit opens a child. */
typedef struct ren__ledger ren__ledger;

struct ren_context {
    atomic_int references;
    ren_alloc_fn alloc;
    ren_free_fn free;
    void *allocator_user;
    ren_log_fn log;
    void *log_user;
    int32_t threads;   /* at least 1 */
    int32_t precision; /* REN_PRECISION_* of inference; training is float32 */
    int32_t isa;       /* PLAIN, AVX2 or AVX512: what the host wants and the processor runs; see ren__kernels_isa */
    uint64_t seed;
    ren__ledger *ledger;
    struct ren__pool *pool; /* NULL with one thread */
};

/* ren_context_create (kernels/context.c) without the question whether the processor has the precision asked for. */
ren_status ren__context_create(const ren_context_options *options, ren_context **out) REN_CHECKED;
ren_context *ren__context_retain(ren_context *context);
void ren__context_release(ren_context *context);
void ren__log(const ren_context *context, int32_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Copies a caller's option structure over `defaults` (both start with struct_size): min(caller's size, ours) bytes.
 * REN_E_INVALID for NULL-free nonsense: a size below sizeof(size_t) or, with bytes that are not 0 past ours, a newer
 * structure that asks for what this version lacks. */
ren_status ren__options_copy(void *defaults, size_t size, const void *caller, const char *name);
/* What a public _init function does: fills the caller's `size` bytes from `defaults` (`ours` bytes) and sets
 * struct_size to `size`, so that a host built against an older or newer header is safe. */
ren_status ren__options_init(void *options, size_t size, const void *defaults, size_t ours, const char *name);

/* One call: refuses after fork, sets the calling thread's OpenMP width (1) and floating-point mode, opens the memory
 * account; ren__run_end puts all of it back. Nested calls share the outer frame's cancel and account. */
typedef struct ren__run {
    ren_context *context;
    const ren_run_options *options; /* our copy, or NULL */
    ren_run_options copy;
    struct ren__run *outer;
    ren__ledger *ledger_before;
    double started;
    atomic_int stopped; /* REN_OK, REN_E_CANCELLED or REN_E_DEADLINE */
    double last_poll;
    int omp_threads_before;
    unsigned mxcsr_before;
    const char *stage;
    double stage_begin, stage_end; /* the part of the progress that nested steps fill */
} ren__run;

ren_status ren__run_begin(ren__run *run, ren_context *context, const ren_run_options *options);
/* Frees the frame; `st` comes back. */
ren_status ren__run_end(ren__run *run, ren_status st);
/* REN_OK, or the reason to stop, with the error text set. Cheap: asks the host at most every 20 ms. From the calling
 * thread; other threads see `stopped`. NULL is no run. */
ren_status ren__run_check(ren__run *run);
/* Reports progress (0 to 1 within the stage) and checks. */
ren_status ren__run_progress(ren__run *run, const char *stage, double fraction);

double ren__now(void); /* monotonic seconds */

#endif
