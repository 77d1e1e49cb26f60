/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts of memory. The context has one, without a parent; a call with a limit of its own opens a child of the
 * account that is current on its thread. A block is charged to the current account and to all above it, and credited
 * there when it is freed, whenever and by whichever thread: each block holds its account, which so outlives the call.
 */
#ifndef REN_BASE_LEDGER_H
#define REN_BASE_LEDGER_H

#include "base/context.h"

/* NULL: see ren__out_of_memory(). The ledger's own few bytes are not charged. `parent` may be NULL. */
ren__ledger *ren__ledger_create(ren_context *context, ren__ledger *parent, size_t limit);
ren__ledger *ren__ledger_retain(ren__ledger *ledger);
void ren__ledger_release(ren__ledger *ledger);

/* The calling thread's account, not held; NULL: the context's. Setting gives the one before. */
ren__ledger *ren__ledger_current(void);
ren__ledger *ren__ledger_set_current(ren__ledger *ledger);
/* The account that the calling thread charges for `context`. */
ren__ledger *ren__ledger_of(ren_context *context);

size_t ren__ledger_used(const ren__ledger *ledger);
size_t ren__ledger_peak(const ren__ledger *ledger);
size_t ren__ledger_limit(const ren__ledger *ledger); /* its own; 0: none */
void ren__ledger_peak_reset(ren__ledger *ledger);

/* The C library's allocator in the host allocator's form. */
void *ren__default_alloc(void *user, size_t size, size_t alignment);
void ren__default_free(void *user, void *memory, size_t size);

#endif
