/* SPDX-License-Identifier: Apache-2.0 */
/* Memory from the host's allocator, with an account of it: see ledger.h for who pays. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/ledger.h"

enum { ALIGNMENT = 64 };

#define BLOCK_MAGIC UINT64_C(0x52454e626c6f636b) /* "RENblock" */

/* Stands before each block, as long as the alignment so that the block behind it is aligned too. */
typedef struct block {
    uint64_t magic;
    size_t size; /* what the caller asked for */
    ren_context *context;
    ren__ledger *ledger; /* held */
    unsigned char padding[ALIGNMENT - sizeof(uint64_t) - sizeof(size_t) - 2 * sizeof(void *)];
} block;

_Static_assert(sizeof(block) == ALIGNMENT, "a block's header keeps the alignment");

static _Thread_local ren_status last_failure = REN_E_MEMORY;
static _Thread_local ren__ledger *current_ledger;

/* ---------------------------------------------------------------------------------------------------- ledgers */

struct ren__ledger {
    atomic_size_t references;
    ren_context *context;
    ren__ledger *parent; /* held; NULL for the context's own */
    size_t limit;        /* 0: none */
    atomic_size_t used, peak;
};

ren__ledger *ren__ledger_create(ren_context *context, ren__ledger *parent, size_t limit) {
    ren__ledger *ledger = context->alloc(context->allocator_user, sizeof *ledger, ALIGNMENT);

    if (!ledger) {
        last_failure = ren__error(REN_E_MEMORY, "out of memory: the allocator refused %zu bytes", sizeof *ledger);
        return NULL;
    }
    atomic_init(&ledger->references, 1);
    ledger->context = context;
    ledger->parent = ren__ledger_retain(parent);
    ledger->limit = limit;
    atomic_init(&ledger->used, 0);
    atomic_init(&ledger->peak, 0);
    return ledger;
}

ren__ledger *ren__ledger_retain(ren__ledger *ledger) {
    if (ledger) atomic_fetch_add_explicit(&ledger->references, 1, memory_order_relaxed);
    return ledger;
}

void ren__ledger_release(ren__ledger *ledger) {
    while (ledger && atomic_fetch_sub_explicit(&ledger->references, 1, memory_order_acq_rel) == 1) {
        ren__ledger *parent = ledger->parent;
        ledger->context->free(ledger->context->allocator_user, ledger, sizeof *ledger);
        ledger = parent;
    }
}

ren__ledger *ren__ledger_current(void) {
    return current_ledger;
}

ren__ledger *ren__ledger_set_current(ren__ledger *ledger) {
    ren__ledger *before = current_ledger;

    current_ledger = ledger;
    return before;
}

ren__ledger *ren__ledger_of(ren_context *context) {
    return current_ledger && current_ledger->context == context ? current_ledger : context->ledger;
}

size_t ren__ledger_used(const ren__ledger *ledger) {
    return atomic_load_explicit(&ledger->used, memory_order_relaxed);
}

size_t ren__ledger_peak(const ren__ledger *ledger) {
    return atomic_load_explicit(&ledger->peak, memory_order_relaxed);
}

size_t ren__ledger_limit(const ren__ledger *ledger) {
    return ledger->limit;
}

void ren__ledger_peak_reset(ren__ledger *ledger) {
    atomic_store_explicit(&ledger->peak, ren__ledger_used(ledger), memory_order_relaxed);
}

static int charge_one(ren__ledger *ledger, size_t size) {
    size_t used = ren__ledger_used(ledger), wanted;

    do {
        if (!ren__add_size(used, size, &wanted) || (ledger->limit != 0 && wanted > ledger->limit)) {
            last_failure = ren__error(REN_E_LIMIT,
                                      "memory limit: %zu more bytes would pass the limit of %zu (%zu are in use); "
                                      "raise memory_limit or lower the number of threads",
                                      size, ledger->limit, used);
            return 0;
        }
    } while (!atomic_compare_exchange_weak_explicit(&ledger->used, &used, wanted, memory_order_relaxed,
                                                    memory_order_relaxed));

    size_t peak = ren__ledger_peak(ledger);
    while (wanted > peak && !atomic_compare_exchange_weak_explicit(&ledger->peak, &peak, wanted, memory_order_relaxed,
                                                                   memory_order_relaxed)) {
    }
    return 1;
}

/* Up to and without `end`. */
static void discharge(ren__ledger *ledger, const ren__ledger *end, size_t size) {
    for (; ledger != end; ledger = ledger->parent)
        atomic_fetch_sub_explicit(&ledger->used, size, memory_order_relaxed);
}

static int charge(ren__ledger *ledger, size_t size) {
    for (ren__ledger *each = ledger; each; each = each->parent) {
        if (!charge_one(each, size)) {
            discharge(ledger, each, size);
            return 0;
        }
    }
    return 1;
}

/* ----------------------------------------------------------------------------------------------------- blocks */

int ren__limit_was_passed(void) {
    return last_failure == REN_E_LIMIT;
}

int ren__mul_size(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

int ren__add_size(size_t a, size_t b, size_t *sum) {
    return !__builtin_add_overflow(a, b, sum);
}

static void *too_large(void) {
    last_failure = ren__error(REN_E_MEMORY, "out of memory: a size does not fit into %zu bits", sizeof(size_t) * 8);
    return NULL;
}

void *ren__alloc(ren_context *context, size_t size) {
    ren__ledger *ledger = ren__ledger_of(context);
    size_t total;

    if (!ren__add_size(size, sizeof(block), &total) || total > PTRDIFF_MAX) return too_large();
    if (!charge(ledger, total)) return NULL;
    block *header = context->alloc(context->allocator_user, total, ALIGNMENT);
    if (!header) {
        discharge(ledger, NULL, total);
        last_failure = ren__error(REN_E_MEMORY, "out of memory: the allocator refused %zu bytes", total);
        return NULL;
    }
    header->magic = BLOCK_MAGIC;
    header->size = size;
    header->context = context;
    header->ledger = ren__ledger_retain(ledger);
    return header + 1;
}

void *ren__alloc_array(ren_context *context, size_t count, size_t size) {
    size_t total;

    return ren__mul_size(count, size, &total) ? ren__alloc(context, total) : too_large();
}

void *ren__calloc(ren_context *context, size_t count, size_t size) {
    size_t total;

    if (!ren__mul_size(count, size, &total)) return too_large();
    void *memory = ren__alloc(context, total);
    if (memory) memset(memory, 0, total);
    return memory;
}

void *ren__realloc(ren_context *context, void *memory, size_t size) {
    void *larger = ren__alloc(context, size);

    if (!larger || !memory) return larger;
    const size_t old_size = ((block *)memory - 1)->size;
    memcpy(larger, memory, old_size < size ? old_size : size);
    ren__free(memory);
    return larger;
}

char *ren__strdup(ren_context *context, const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = ren__alloc(context, size);

    if (copy) memcpy(copy, text, size);
    return copy;
}

void ren__free(void *memory) {
    if (!memory) return;
    block *header = (block *)memory - 1;
    if (header->magic != BLOCK_MAGIC) return; /* not ours, or freed before: leave it rather than harm the host */
    const size_t total = header->size + sizeof(block);
    ren_context *context = header->context;
    ren__ledger *ledger = header->ledger;

    header->magic = 0;
    context->free(context->allocator_user, header, total);
    discharge(ledger, NULL, total);
    ren__ledger_release(ledger);
}

void *ren__default_alloc(void *user, size_t size, size_t alignment) {
    void *memory = NULL;

    (void)user;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
}

void ren__default_free(void *user, void *memory, size_t size) {
    (void)user;
    (void)size;
    free(memory);
}
