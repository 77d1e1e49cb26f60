/* SPDX-License-Identifier: Apache-2.0 */
/* Loops on the context's threads. */
#ifndef REN_BASE_PARALLEL_H
#define REN_BASE_PARALLEL_H

#include "base/context.h"

/* Work on items [begin, end). `thread` is below context->threads: index private scratch with it, never results. */
typedef void (*ren__range_fn)(void *argument, int64_t begin, int64_t end, int32_t thread);

/* Calls `fn` for chunks of `grain` items until all are done, chunks handed out dynamically. The chunks do not depend on
 * the number of threads, so work that writes only what belongs to its chunk gives the same bits for every number.
 * Nested calls run on the calling thread. `run` (nullable) is polled between chunks; once it stops, chunks that have
 * not begun are left out. */
void ren__parallel_for(ren_context *context, ren__run *run, int64_t count, int64_t grain, ren__range_fn fn,
                       void *argument);

#endif
