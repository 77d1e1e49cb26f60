/* SPDX-License-Identifier: Apache-2.0 */
/* The context: options, references, log; and the guard against fork. */
#include "base/context.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "base/fork.h"
#include "base/ledger.h"
#include "base/pool.h"
#include "base/processors.h"

enum { LARGEST_OPTIONS = 65536, LARGEST_THREADS = 1024, LOG_TEXT = 1024 };

/* ---------------------------------------------------------------------------------------------------- options */

static int plausible_size(size_t size) {
    return size >= sizeof(size_t) && size <= LARGEST_OPTIONS;
}

ren_status ren__options_copy(void *defaults, size_t size, const void *caller, const char *name) {
    size_t theirs;

    if (!caller) return REN_OK;
    memcpy(&theirs, caller, sizeof theirs);
    if (!plausible_size(theirs))
        return ren__error(REN_E_INVALID, "%s: struct_size is %zu: set the structure with its _INIT or _init", name,
                          theirs);
    for (size_t i = size; i < theirs; i++) {
        if (((const unsigned char *)caller)[i] != 0)
            return ren__error(REN_E_INVALID,
                              "%s: struct_size is %zu with options beyond the %zu bytes that libren %s knows: "
                              "leave them 0 or install a newer library",
                              name, theirs, size, ren_version());
    }
    memcpy((unsigned char *)defaults + sizeof theirs, (const unsigned char *)caller + sizeof theirs,
           (theirs < size ? theirs : size) - sizeof theirs);
    return REN_OK;
}

ren_status ren__options_init(void *options, size_t size, const void *defaults, size_t ours, const char *name) {
    if (!options) return ren__error(REN_E_INVALID, "%s: the structure is NULL", name);
    if (!plausible_size(size))
        return ren__error(REN_E_INVALID, "%s: %zu is not the size of the structure: pass its sizeof", name, size);
    memset(options, 0, size);
    memcpy(options, defaults, size < ours ? size : ours);
    memcpy(options, &size, sizeof size);
    return REN_OK;
}

ren_status ren_context_options_init(ren_context_options *options, size_t size) {
    const ren_context_options defaults = REN_CONTEXT_OPTIONS_INIT;

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_context_options");
}

static ren_status check_options(const ren_context_options *options) {
    if (!options->alloc != !options->free)
        return ren__error(REN_E_INVALID, "ren_context_options: alloc and free are set together or not at all");
    if (options->threads < 0 || options->threads > LARGEST_THREADS)
        return ren__error(REN_E_INVALID, "ren_context_options: threads is %d: give 0 (all allowed) to %d",
                          (int)options->threads, LARGEST_THREADS);
    if (options->precision != REN_PRECISION_F32 && options->precision != REN_PRECISION_BF16)
        return ren__error(REN_E_INVALID, "ren_context_options: precision is %d: give REN_PRECISION_F32 or _BF16",
                          (int)options->precision);
    if (options->isa < REN_ISA_BEST || options->isa > REN_ISA_AVX512)
        return ren__error(REN_E_INVALID, "ren_context_options: isa is %d: give a REN_ISA_*", (int)options->isa);
    return REN_OK;
}

/* What oneDNN's cap leaves of it is asked when kernels are chosen (kernels/vector.c): the cap is above this floor. */
static int32_t resolve_isa(int32_t wanted) {
    const int32_t best = ren__processor_isa();

    return wanted == REN_ISA_BEST || wanted > best ? best : wanted;
}

/* ---------------------------------------------------------------------------------------------------- context */

ren_status ren__context_create(const ren_context_options *options, ren_context **out) {
    ren_context_options set = REN_CONTEXT_OPTIONS_INIT;
    ren_status st = ren__options_copy(&set, sizeof set, options, "ren_context_options");
    if (st == REN_OK) st = check_options(&set);
    if (st != REN_OK) return st;
    if (!ren__fork_guard()) return ren__error(REN_E_MEMORY, "out of memory: the fork handler could not be installed");

    if (!set.alloc) {
        set.alloc = ren__default_alloc;
        set.free = ren__default_free;
    }
    ren_context *context = set.alloc(set.allocator_user, sizeof *context, 64);
    if (!context) return ren__error(REN_E_MEMORY, "out of memory: the allocator refused %zu bytes", sizeof *context);
    *context = (ren_context){ .alloc = set.alloc,
                              .free = set.free,
                              .allocator_user = set.allocator_user,
                              .log = set.log,
                              .log_user = set.log_user,
                              .threads = set.threads ? set.threads : ren__processor_count(),
                              .precision = set.precision,
                              .isa = resolve_isa(set.isa),
                              .seed = set.seed };
    atomic_init(&context->references, 1);
    context->ledger = ren__ledger_create(context, NULL, set.memory_limit);
    if (!context->ledger) {
        context->free(context->allocator_user, context, sizeof *context);
        return ren__out_of_memory();
    }
    if (context->threads > 1 && !(context->pool = ren__pool_create(context, context->threads))) {
        ren__context_release(context);
        return ren__error(REN_E_MEMORY, "out of memory: no room for the pool of threads");
    }
    *out = context;
    return REN_OK;
}

ren_context *ren__context_retain(ren_context *context) {
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void ren__context_release(ren_context *context) {
    if (!context || atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1) return;
    ren__pool_free(context->pool, context);
    ren__ledger_release(context->ledger);
    context->free(context->allocator_user, context, sizeof *context);
}

void ren_context_free(ren_context *context) {
    ren__context_release(context);
}

int32_t ren_context_threads(const ren_context *context) {
    return context ? context->threads : 0;
}

size_t ren_context_memory_used(const ren_context *context) {
    return context ? ren__ledger_used(context->ledger) : 0;
}

size_t ren_context_memory_peak(const ren_context *context) {
    return context ? ren__ledger_peak(context->ledger) : 0;
}

void ren_context_memory_peak_reset(ren_context *context) {
    if (context) ren__ledger_peak_reset(context->ledger);
}

void ren__log(const ren_context *context, int32_t level, const char *format, ...) {
    char text[LOG_TEXT];
    va_list arguments;

    if (!context->log) return;
    va_start(arguments, format);
    const int length = ren__format(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0) return;
    for (char *newline = text; (newline = strchr(newline, '\n')) != NULL;)
        *newline = ' ';
    context->log(context->log_user, level, text);
}

/* -------------------------------------------------------------------------------------------------- fork guard */

static atomic_int pool_used; /* by this process since it began */
static atomic_int pool_dead; /* in a child of a process that had used it */
static pthread_once_t guard_once = PTHREAD_ONCE_INIT;
static int guard_installed;

/* Only the forking thread lives on in the child: the pool's helpers do not exist there, and its locks may be held. */
static void in_child(void) {
    if (atomic_load_explicit(&pool_used, memory_order_relaxed))
        atomic_store_explicit(&pool_dead, 1, memory_order_relaxed);
}

static void install_guard(void) {
    guard_installed = pthread_atfork(NULL, NULL, in_child) == 0;
}

int ren__fork_guard(void) {
    return pthread_once(&guard_once, install_guard) == 0 && guard_installed;
}

void ren__fork_pool_used(void) {
    if (!atomic_load_explicit(&pool_used, memory_order_relaxed))
        atomic_store_explicit(&pool_used, 1, memory_order_relaxed);
}

int ren__fork_pool_dead(void) {
    return atomic_load_explicit(&pool_dead, memory_order_relaxed);
}
